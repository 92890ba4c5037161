//! The daemon restarts, and a neighbour that keeps its routes does not notice (RFC 4724): after SIGKILL, and after a stop.

use std::time::{Duration, Instant};

use crate::edge::{EDGE, Edge, Meeting, NEIGHBORS, SERVICE, UPSTREAM, address, configuration};
use crate::lab::{Bird, Frr, Monitor, Node, PATIENCE, Peer, Prober, Responder, Speaker, wait_for};

/// A host behind the ISP, in what it announces.
const BEHIND: &str = "192.0.2.1";

impl<P: Peer> Edge<P> {
    /// The ISP has our routes, now.
    #[track_caller]
    fn keeps(&self, when: &str) {
        for prefix in SERVICE {
            let seen = self.isp.route(prefix).unwrap();
            assert!(seen.is_some(), "the ISP has lost {prefix} {when}");
        }
    }

    /// Waits for it, and looks all the time whether the ISP keeps our routes.
    #[track_caller]
    fn keeps_until(&self, what: &str, mut reached: impl FnMut() -> Result<bool, String>) {
        wait_for(what, PATIENCE, || {
            self.keeps(&format!("before {what}"));
            match reached()? {
                true => Ok(()),
                false => Err("not yet".to_owned()),
            }
        });
    }

    /// How often a session has been up, in the ISP's eyes it is up now.
    fn is_up(&self) -> Result<bool, String> {
        for (name, ours) in NEIGHBORS.iter().zip(EDGE) {
            if self.shuntd.neighbor(name)?["state"] != "established"
                || self.isp.state(address(ours))? != "Established"
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The daemon has said this since it started.
    fn said(&self, text: &str) -> bool {
        self.shuntd.ask(&["events"]).is_ok_and(|events| events.contains(text))
    }
}

#[track_caller]
fn nobody_notices<P: Peer>(start: impl Fn(&Node, Speaker) -> P, stop: impl Fn(&mut Edge<P>)) {
    let mut edge = Edge::meet(start, Meeting::default());
    let more = "graceful-restart = \"restart\"\n";
    edge.shuntd.configure(&configuration(Meeting::default(), more));
    edge.shuntd.order(&["reload"]);
    edge.isp_node.must("ip", &["address", "add", &format!("{BEHIND}/32"), "dev", "lo"]);
    let _host = Responder::start(&edge.isp_node, BEHIND);
    wait_for("sessions with the new OPEN", PATIENCE, || match edge.is_up()? {
        true => Ok(()),
        false => Err("not up".to_owned()),
    });
    for prefix in SERVICE {
        edge.isp_sees(prefix, |_| true);
    }
    for prefix in UPSTREAM {
        edge.learned(prefix, true);
    }
    wait_for("traffic", PATIENCE, || edge.node.reaches(BEHIND));
    let monitor = Monitor::start(&edge.node);
    let prober = Prober::start(&edge.node, EDGE[0], BEHIND);
    let begun = Instant::now();

    stop(&mut edge);
    edge.keeps("when the daemon is gone");
    // Longer than it takes to notice.
    let gone = Instant::now();
    edge.keeps_until("some seconds without it", || Ok(gone.elapsed() > Duration::from_secs(3)));
    edge.shuntd.start_again();
    edge.keeps_until("sessions again", || edge.is_up());
    assert!(edge.said("still in the kernel"));
    edge.keeps_until("the end of the deferral", || {
        Ok(edge.said("restart: all neighbours have sent their routes"))
    });
    // The ISP has taken our End-of-RIB, so a route that was not sent again would be gone.
    let confirmed = Instant::now();
    edge.keeps_until("a moment after", || Ok(confirmed.elapsed() > Duration::from_secs(2)));
    for prefix in UPSTREAM {
        edge.learned(prefix, true);
    }

    let (sent, lost, names) = prober.seen(begun, Instant::now());
    assert!(sent > 1000 && lost == 0, "{lost} of {sent} probes were lost; {names:?} answered");
    let deleted: Vec<_> = monitor.changes(UPSTREAM[0]);
    assert!(!deleted.iter().any(|(_, what)| what.contains("Deleted")), "{deleted:?}");
    edge.no_faults();
}

fn kill<P>(edge: &mut Edge<P>) {
    edge.shuntd.kill();
}

fn terminate<P>(edge: &mut Edge<P>) {
    let status = edge.shuntd.stop();
    assert!(status.success(), "{status}");
}

/// Keeps the routes of a restarting neighbour, as it does where nobody says otherwise.
fn helping_bird(node: &Node, speaker: Speaker) -> Bird {
    Bird::with(node, speaker, "graceful restart aware;")
}

#[test]
fn killed_beside_frr() {
    nobody_notices(Frr::start, kill);
}

#[test]
fn stopped_beside_frr() {
    nobody_notices(Frr::start, terminate);
}

#[test]
fn killed_beside_bird() {
    nobody_notices(helping_bird, kill);
}

#[test]
fn stopped_beside_bird() {
    nobody_notices(helping_bird, terminate);
}

/// A stop for good is not mistaken for a restart.
#[test]
fn who_withdraws_is_gone() {
    let mut edge = Edge::meet(helping_bird, Meeting::default());
    let text = configuration(Meeting::default(), "graceful-restart = \"restart\"\n");
    // What is done at the exit is taken once, at the start.
    edge.shuntd.configure(&(text + "\n[kernel]\non-exit = \"withdraw\"\n"));
    edge.shuntd.stop();
    edge.shuntd.start_again();
    edge.established();
    for prefix in SERVICE {
        edge.isp_sees(prefix, |_| true);
    }
    edge.shuntd.stop();
    for prefix in SERVICE {
        edge.isp_lacks(prefix);
    }
}
