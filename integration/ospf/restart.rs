//! Drain, stop, kill -9 and start again: two sites, and traffic that must not notice.

use std::time::{Duration, Instant};

use super::scene::{Meeting, PEER, SERVICE, SHUNT, adjacent, frr_and_bird};
use super::switching::{DC1, Sites};
use crate::lab::ospf::{OspfBird, OspfFrr, OspfPeer, OspfRouter};
use crate::lab::{Monitor, Node, PATIENCE, Prober, Responder, wait_for};

mod drain {
    use super::*;

    /// How long an adjacency has been in its state, at shuntd: microseconds.
    fn full_for(sites: &Sites<impl OspfPeer>) -> u64 {
        let neighbors = sites.dc1.neighbors().unwrap();
        assert_eq!((neighbors.len(), &neighbors[0]["state"]), (1, &"full".into()));
        neighbors[0]["state_us"].as_u64().unwrap()
    }

    /// Traffic goes to the other site and back, the adjacencies stay.
    #[track_caller]
    fn moves_traffic_and_keeps_adjacencies<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let sites = Sites::start(start);
        let before = full_for(&sites);
        sites.dc1.order(&["drain", "--reason", "new disk", "--no-wait"]);
        sites.goes_to(2);
        let status = sites.dc1.shuntd.json(&["status"]).unwrap();
        assert_eq!(status["ospf"]["stub_router"], "drained", "{status}");
        assert_eq!(status["drain"]["reason"], "new disk", "{status}");
        sites.dc1.order(&["undrain", "--no-wait"]);
        sites.goes_to(1);
        assert!(full_for(&sites) > before, "the adjacency began anew");
        adjacent(&sites.core, DC1, "full/ptp");
        let status = sites.dc1.shuntd.json(&["status"]).unwrap();
        assert_eq!(status["ospf"]["stub_router"], "", "{status}");
    }

    frr_and_bird!(moves_traffic_and_keeps_adjacencies);
}

mod of_the_agent {
    use super::*;

    /// `work` while traffic runs from the core to the service; nothing of it may be lost.
    #[track_caller]
    fn loses_nothing<P: OspfPeer>(
        start: impl Fn(&Node, OspfRouter) -> P,
        work: impl FnOnce(&mut Sites<P>),
    ) {
        let mut sites = Sites::start(start);
        let _responders =
            [&sites.dc1, &sites.dc2].map(|site| Responder::start(&site.node, SERVICE_ADDRESS));
        let prober = Prober::start(&sites.at_core, "192.0.2.1", SERVICE_ADDRESS);
        let monitor = Monitor::start(&sites.dc1.node);
        let begin = Instant::now();
        work(&mut sites);
        // It is to be well for a while, not just to have been.
        let end = Instant::now() + Duration::from_secs(1);
        let (sent, lost, sites) = prober.seen(begin, end);
        // The way back stands in the kernel all the time.
        assert_eq!(monitor.changes("192.0.2.1/32"), []);
        assert!(sent > 100 && lost == 0, "{lost} of {sent} lost; answered by {sites:?}");
        assert_eq!(sites.last().map(String::as_str), Some("dc1"), "{sites:?}");
    }

    const SERVICE_ADDRESS: &str = "198.51.100.7";

    /// Back as it was: adjacent, no longer starting, and preferred.
    #[track_caller]
    fn is_back<P: OspfPeer>(sites: &Sites<P>) {
        sites.full();
        wait_for("end of the start", PATIENCE, || {
            let status = sites.dc1.shuntd.json(&["status"])?;
            let ospf = &status["ospf"];
            if ospf["stub_router"] == "" { Ok(()) } else { Err(ospf.to_string()) }
        });
        sites.goes_to(1);
    }

    #[track_caller]
    fn killed_and_restarted<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        loses_nothing(start, |sites| {
            sites.dc1.kill();
            sites.dc1.start();
            is_back(sites);
        });
    }

    #[track_caller]
    fn killed_and_missed<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        loses_nothing(start, |sites| {
            sites.dc1.kill();
            // The dead interval is over, and traffic at the other site.
            sites.goes_to(2);
            sites.dc1.start();
            is_back(sites);
        });
    }

    #[track_caller]
    fn stopped_and_started<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        loses_nothing(start, |sites| {
            let began = Instant::now();
            let status = sites.dc1.shuntd.stop();
            assert!(status.success(), "{status}");
            assert!(
                began.elapsed() < Duration::from_secs(3),
                "it took {:?} to stop",
                began.elapsed()
            );
            // What is ours is flushed: nobody waits for a dead interval.
            sites.goes_to(2);
            sites.dc1.start();
            is_back(sites);
        });
    }

    #[test]
    fn killed_and_restarted_beside_frr() {
        killed_and_restarted(OspfFrr::start);
    }

    #[test]
    fn killed_and_restarted_beside_bird() {
        killed_and_restarted(OspfBird::start);
    }

    #[test]
    fn killed_and_missed_beside_frr() {
        killed_and_missed(OspfFrr::start);
    }

    #[test]
    fn killed_and_missed_beside_bird() {
        killed_and_missed(OspfBird::start);
    }

    #[test]
    fn stopped_and_started_beside_frr() {
        stopped_and_started(OspfFrr::start);
    }

    #[test]
    fn stopped_and_started_beside_bird() {
        stopped_and_started(OspfBird::start);
    }
}

mod earlier_life {
    use super::*;

    /// What a killed shuntd announced and is no longer wanted is flushed at the next start; what is wanted is not.
    #[track_caller]
    fn is_cleaned_up<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let mut meeting = Meeting::with(start, |ours, _| {
            ours.externals.push("198.51.100.8/32".to_owned());
            ours.externals.push("198.51.100.0/30".to_owned());
        });
        meeting.full();
        for prefix in ["198.51.100.8/32", "198.51.100.0/30"] {
            meeting.there.wait_next_hops(prefix, &["10.99.0.1@shunt"]);
        }
        meeting.shunt.kill();
        meeting.shunt.write(|router, _| router.externals = vec![SERVICE.to_owned()]);
        meeting.shunt.start();
        meeting.full();
        for prefix in ["198.51.100.8/32", "198.51.100.0/30"] {
            meeting.there.wait_next_hops(prefix, &[]);
        }
        // Not merely unreachable: flushed, and from the database.
        for id in ["198.51.100.8", "198.51.100.0"] {
            wait_for(&format!("flush of {id}"), PATIENCE, || {
                let all = meeting.capture.instances("10.99.0.1");
                let last = all.iter().rfind(|one| one.key == (5, id.to_owned(), SHUNT.to_owned()));
                match last {
                    Some(last) if last.age == 3600 => Ok(()),
                    last => Err(format!("{last:?}")),
                }
            });
        }
        adjacent(&meeting.shunt, PEER, "full/ptp");
        meeting.no_faults();
    }

    frr_and_bird!(is_cleaned_up);

    /// Also what was announced in another way.
    #[test]
    fn of_another_kind() {
        let mut meeting = Meeting::with(OspfBird::start, |ours, _| ours.external.kind = 1);
        meeting.full();
        meeting.shunt.kill();
        meeting.shunt.write(|router, more| {
            router.externals.clear();
            *more = format!(
                "[mapping.inside]\nprimary = {{ metric = 33 }}\n[group.own]\nprefixes = [\"{SERVICE}\"]\n\
                 base = {{ shunt = \"primary\" }}\nospf = \"stub\"\n"
            );
        });
        meeting.shunt.start();
        wait_for("a stub link instead of an external", PATIENCE, || {
            match meeting.peer.route(SERVICE)? {
                Some(route) if route.kind == "intra-area" && route.cost == 43 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        wait_for("one description of it in the database", PATIENCE, || {
            let external = meeting.peer.ask("show ospf lsadb type 5")?;
            if external.contains(SHUNT) { Err(external) } else { Ok(()) }
        });
    }
}

/// The sites know each other by name, over the core (RFC 5642).
#[test]
fn the_hostname_is_told() {
    let sites = Sites::start(OspfBird::start);
    wait_for("names in the database", PATIENCE, || {
        let text = sites.dc2.shuntd.ask(&["--json", "ospf", "database"])?;
        if text.contains("\"hostname\":\"dc1\"") { Ok(()) } else { Err(text) }
    });
}
