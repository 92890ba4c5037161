//! BFD for OSPF: what it takes down, and what not. The dead interval is forty seconds.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::watch::TIMERS;
use crate::lab::ospf::{OspfBird, OspfFrr, OspfPeer, OspfRouter};
use crate::lab::{Capture, Node, PATIENCE, wait_for};
use crate::ospf::scene::{Meeting, PEER, SERVICE, SHUNT, UPSTREAM, lost};

/// Both Full, and watched where both have BFD.
struct Watched<P> {
    meeting: Meeting<P>,
    bfd: Capture,
}

impl<P: OspfPeer> Watched<P> {
    #[track_caller]
    fn new(start: impl Fn(&Node, OspfRouter) -> P) -> Watched<P> {
        let watched = Watched::with(start, true);
        watched.up();
        watched
    }

    #[track_caller]
    fn with(start: impl Fn(&Node, OspfRouter) -> P, both: bool) -> Watched<P> {
        let meeting = Meeting::with(start, |ours, theirs| {
            ours.attached[0].bfd = Some(TIMERS);
            theirs.attached[0].bfd = both.then_some(TIMERS);
            for router in [ours, theirs] {
                router.attached[0].dead = 40;
            }
        });
        let bfd = Capture::start_as(&meeting.here, "peer", "bfd", "udp port 3784");
        Watched { meeting, bfd }
    }

    /// Waits until all is well, and the BFD session is up.
    #[track_caller]
    fn up(&self) {
        self.meeting.full();
        let last = self.packets("bfd").last().cloned().unwrap_or("0".to_owned());
        wait_for("BFD session", PATIENCE, || {
            let up =
                |source| format!("frame.number > {last} && bfd.sta == 3 && ip.src == {source}");
            let sides = ["10.99.0.1", "10.99.0.2"].map(|source| self.packets(&up(source)).len());
            if sides.contains(&0) { Err(format!("{sides:?}")) } else { Ok(()) }
        });
    }

    #[track_caller]
    fn packets(&self, filter: &str) -> Vec<String> {
        self.bfd.fields(filter, &["frame.number"])
    }

    /// Waits until we have lost the peer and its route, long before it would count as dead.
    #[track_caller]
    fn down(&self, began: Instant) {
        lost(&self.meeting.shunt, PEER);
        self.meeting.here.wait_next_hops(UPSTREAM, &[]);
        let took = began.elapsed().as_millis();
        assert!(took < 3000, "the failure was noticed after {took} ms, as if by the dead interval");
    }
}

mod failures {
    use super::*;

    #[track_caller]
    fn take_the_adjacency_down<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let mut watched = Watched::new(start);
        let began = Instant::now();
        watched.meeting.there.freeze();
        watched.down(began);
        watched.meeting.there.thaw();
        watched.up();
        // Nothing passes, and no carrier tells.
        let began = Instant::now();
        watched.meeting.here.lose("iifname peer");
        watched.meeting.there.lose("iifname shunt");
        watched.down(began);
        watched.meeting.here.heal();
        watched.meeting.there.heal();
        watched.up();
        let began = Instant::now();
        watched.meeting.peer.kill();
        watched.down(began);
        watched.meeting.peer.start();
        watched.up();
        // We stand still: the peer notices.
        watched.meeting.shunt.shuntd.signal(Signal::SIGSTOP);
        let began = Instant::now();
        lost(&watched.meeting.peer, SHUNT);
        watched.meeting.there.wait_next_hops(SERVICE, &[]);
        // BIRD lets five seconds pass between two router-LSAs of its own.
        assert!(began.elapsed().as_secs() < 20, "the peer has not noticed it by BFD");
        watched.meeting.shunt.shuntd.signal(Signal::SIGCONT);
        watched.up();
        watched.meeting.no_faults();
        assert_eq!(watched.bfd.faults("10.99.0.1"), [""; 0]);
    }

    #[test]
    fn frr() {
        take_the_adjacency_down(OspfFrr::start);
    }

    #[test]
    fn bird() {
        take_the_adjacency_down(OspfBird::start);
    }
}

/// The other side says that it does not want BFD any more (RFC 5882 §4.2).
#[test]
fn admin_down_is_no_failure() {
    let watched = Watched::new(OspfFrr::start);
    watched.meeting.peer.shut_bfd(true);
    wait_for("Down after AdminDown", PATIENCE, || {
        match watched.packets("bfd.sta == 1 && ip.src == 10.99.0.1 && bfd.diag == 3").len() {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    });
    watched.meeting.full();
    watched.meeting.peer.shut_bfd(false);
    watched.up();
    assert_eq!(watched.meeting.capture.exchanges_begun("10.99.0.1"), 1);
}

mod without_an_answer {
    use super::*;

    #[track_caller]
    fn nothing_is_held_back<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let watched = Watched::with(start, false);
        watched.meeting.full();
        let asked = || watched.packets("ip.src == 10.99.0.1").len();
        let some = asked() + 4;
        wait_for("BFD packets", PATIENCE, || match asked() {
            asked if asked >= some => Ok(()),
            asked => Err(format!("{asked} of {some}")),
        });
        watched.meeting.full();
        assert_eq!(watched.meeting.capture.exchanges_begun("10.99.0.1"), 1);
    }

    #[test]
    fn frr() {
        nothing_is_held_back(OspfFrr::start);
    }

    #[test]
    fn bird() {
        nothing_is_held_back(OspfBird::start);
    }
}
