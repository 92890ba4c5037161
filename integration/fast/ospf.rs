//! BFD for OSPF: what it takes down, and what not. The dead interval is forty seconds.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::watch::TIMERS;
use crate::lab::ospf::{OspfBird, OspfFrr, OspfPeer, OspfRouter, OspfShunt};
use crate::lab::{Capture, Node, PATIENCE, wait_for};
use crate::ospf::scene::{
    Meeting, PEER, PEER_ADDRESS, SERVICE, SHUNT, SHUNT_ADDRESS, UPSTREAM, lost,
};

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

/// RFC 9355: who says so in its Hellos waits for BFD with whom says so as well.
mod strict {
    use super::*;

    /// What stands between the two lets no BFD packet through to the peer.
    const BFD: &str = "udp dport 3784";

    #[track_caller]
    fn meeting<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) -> Watched<P> {
        let start = |node: &Node, router: OspfRouter| {
            node.lose(BFD);
            start(node, router)
        };
        let meeting = Meeting::with(start, |ours, theirs| {
            for router in [ours, theirs] {
                router.attached[0].bfd = Some(TIMERS);
                router.attached[0].bfd_strict = true;
                router.attached[0].dead = 40;
            }
        });
        let bfd = Capture::start_as(&meeting.here, "peer", "bfd", "udp port 3784");
        Watched { meeting, bfd }
    }

    /// Waits until each has said Hello some more times.
    #[track_caller]
    fn hellos<P: OspfPeer>(watched: &Watched<P>, times: usize) {
        let said = || {
            [SHUNT_ADDRESS, PEER_ADDRESS].map(|source| {
                let filter = format!("ospf.msg == 1 && ip.src == {source}");
                watched.meeting.capture.fields(&filter, &["frame.number"]).len()
            })
        };
        let wanted = said().map(|count| count + times);
        wait_for(&format!("{times} Hellos of each"), PATIENCE, || {
            let said = said();
            if said.iter().zip(wanted).all(|(said, wanted)| *said >= wanted) {
                Ok(())
            } else {
                Err(format!("{said:?} of {wanted:?}"))
            }
        });
    }

    /// How many Hellos of a router say that it is strict.
    fn said_strict<P: OspfPeer>(watched: &Watched<P>, source: &str) -> usize {
        let filter =
            format!("ospf.msg == 1 && ip.src == {source} && ospf.lls.ext.options & 0x00000010");
        watched.meeting.capture.fields(&filter, &["frame.number"]).len()
    }

    #[track_caller]
    fn in_init(watched: &Watched<OspfShunt>) {
        assert_eq!(watched.meeting.shunt.adjacency(PEER).unwrap(), "init/ptp");
        assert_eq!(watched.meeting.peer.adjacency(SHUNT).unwrap(), "init/ptp");
    }

    #[test]
    fn two_wait_for_bfd_and_fall_with_it() {
        let mut watched = meeting(OspfShunt::start);
        let begun =
            |watched: &Watched<OspfShunt>| watched.meeting.capture.exchanges_begun(SHUNT_ADDRESS);
        hellos(&watched, 5);
        in_init(&watched);
        assert_eq!(begun(&watched), 0);
        assert!(
            said_strict(&watched, SHUNT_ADDRESS) > 0 && said_strict(&watched, PEER_ADDRESS) > 0
        );
        watched.meeting.there.heal();
        watched.up();
        // BFD alone is lost, and Hellos are not: without it there is no way back.
        let before = begun(&watched);
        let began = Instant::now();
        watched.meeting.there.lose(BFD);
        watched.down(began);
        hellos(&watched, 5);
        in_init(&watched);
        assert_eq!(begun(&watched), before);
        watched.meeting.there.heal();
        watched.up();
        let began = Instant::now();
        watched.meeting.peer.kill();
        watched.down(began);
        watched.meeting.peer.start();
        watched.up();
        watched.meeting.no_faults();
    }

    /// A neighbour that does not say it has no such mode: with it nothing waits.
    #[track_caller]
    fn one_alone_does_not_wait<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let watched = meeting(start);
        watched.meeting.full();
        assert!(said_strict(&watched, SHUNT_ADDRESS) > 0);
        assert_eq!(said_strict(&watched, PEER_ADDRESS), 0);
        hellos(&watched, 5);
        watched.meeting.full();
        assert_eq!(watched.meeting.capture.exchanges_begun(SHUNT_ADDRESS), 1);
        // But once there, BFD is what it is without that mode.
        watched.meeting.there.heal();
        watched.up();
        let began = Instant::now();
        watched.meeting.there.freeze();
        watched.down(began);
        watched.meeting.there.thaw();
        watched.up();
        watched.meeting.no_faults();
    }

    #[test]
    fn alone_beside_frr() {
        one_alone_does_not_wait(OspfFrr::start);
    }

    #[test]
    fn alone_beside_bird() {
        one_alone_does_not_wait(OspfBird::start);
    }
}
