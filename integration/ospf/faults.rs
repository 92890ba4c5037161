//! Neighbours die, links fail, packets are lost; and all is well again afterwards.

use super::scene::{Meeting, PEER, SERVICE, SHUNT, UPSTREAM, adjacent, frr_and_bird, lost};
use crate::lab::Node;
use crate::lab::ospf::{OspfPeer, OspfRouter};

mod neighbor_restart {
    use super::*;

    #[track_caller]
    fn is_survived<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let mut meeting = Meeting::new(start);
        // It comes back before it counts as dead: what tells is a Hello that does not know us.
        meeting.peer.kill();
        meeting.peer.start();
        meeting.full();
        // It comes back after that.
        meeting.peer.kill();
        meeting.here.wait_next_hops(UPSTREAM, &[]);
        meeting.peer.start();
        meeting.full();
        meeting.no_faults();
    }

    frr_and_bird!(is_survived);
}

mod interface_flap {
    use super::*;

    #[track_caller]
    fn is_survived<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let meeting = Meeting::new(start);
        meeting.settled();
        let began = std::time::Instant::now();
        meeting.here.down("peer");
        meeting.here.wait_next_hops(UPSTREAM, &[]);
        lost(&meeting.shunt, PEER);
        let took = began.elapsed().as_millis();
        assert!(
            took < 2000,
            "a link that is down was noticed after {took} ms, as if by the dead interval"
        );
        meeting.here.up("peer");
        meeting.settled();
        // Thrice, and at the other end.
        for _ in 0..3 {
            meeting.there.down("shunt");
            meeting.there.up("shunt");
        }
        meeting.full();
        meeting.no_faults();
    }

    frr_and_bird!(is_survived);
}

/// The interface goes away altogether, and one of the same name comes back.
#[test]
fn an_interface_is_removed_and_made_again() {
    let meeting = Meeting::new(crate::lab::ospf::OspfBird::start);
    meeting.settled();
    let (here, there) = (&meeting.here, &meeting.there);
    here.ip_batch("link del peer\n");
    lost(&meeting.shunt, PEER);
    here.ip_batch(&format!(
        "link add peer type veth peer name shunt netns {}\n",
        there.namespace()
    ));
    here.address("peer", "10.99.0.1/24");
    there.address("shunt", "10.99.0.2/24");
    here.up("peer");
    there.up("shunt");
    meeting.full();
}

mod one_way_link {
    use super::*;

    #[track_caller]
    fn is_no_adjacency<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let meeting = Meeting::new(start);
        // We do not hear the peer. It is told by our Hellos, which no longer name it.
        meeting.here.lose("iifname peer meta l4proto 89");
        lost(&meeting.shunt, PEER);
        lost(&meeting.peer, SHUNT);
        meeting.here.wait_next_hops(UPSTREAM, &[]);
        meeting.there.wait_next_hops(SERVICE, &[]);
        meeting.here.heal();
        meeting.full();
        // It does not hear us.
        meeting.there.lose("iifname shunt meta l4proto 89");
        lost(&meeting.shunt, PEER);
        meeting.here.wait_next_hops(UPSTREAM, &[]);
        meeting.there.heal();
        meeting.full();
        meeting.no_faults();
    }

    frr_and_bird!(is_no_adjacency);
}

mod loss {
    use super::*;

    /// One of five packets gets lost either way, while LSAs are exchanged and change.
    #[track_caller]
    fn is_made_up_for<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let many = |first: u8| (0..200).map(move |n| format!("{first}.0.{n}.0/24"));
        let mut meeting = Meeting::with(start, |ours, theirs| {
            ours.externals.extend(many(20));
            theirs.externals.extend(many(30));
            for router in [ours, theirs] {
                router.attached[0].dead = 12;
                router.attached[0].retransmit = 2;
            }
        });
        for (node, interface) in [(&meeting.here, "peer"), (&meeting.there, "shunt")] {
            node.lose(&format!("iifname {interface} meta l4proto 89 numgen random mod 5 < 1"));
        }
        adjacent(&meeting.shunt, PEER, "full/ptp");
        adjacent(&meeting.peer, SHUNT, "full/ptp");
        meeting.shunt.announce(&["192.0.2.0/25"]);
        meeting.peer.announce(&["192.0.2.128/25"]);
        for prefix in many(20).chain(["192.0.2.0/25".to_owned()]) {
            meeting.there.wait_next_hops(&prefix, &["10.99.0.1@shunt"]);
        }
        for prefix in many(30).chain(["192.0.2.128/25".to_owned()]) {
            meeting.here.wait_next_hops(&prefix, &["10.99.0.2@peer"]);
        }
        meeting.no_faults();
    }

    frr_and_bird!(is_made_up_for);
}
