//! Either side is killed (SIGKILL) and comes back.

use crate::edge::{EDGE, Edge, Meeting, NEIGHBORS, SERVICE, UPSTREAM, address, every_peer};
use crate::lab::{Bird, Node, Peer, Speaker};

#[track_caller]
fn both_come_back<P: Peer>(start: impl Fn(&Node, Speaker) -> P) {
    let mut edge = Edge::meet(start, Meeting::default());
    for family in [0, 1] {
        edge.isp_sees(SERVICE[family], |_| true);
        edge.learned(UPSTREAM[family], true);
    }

    edge.isp.kill();
    for family in [0, 1] {
        let neighbor = edge.down(NEIGHBORS[family]);
        assert_ne!(neighbor["last_down"], "", "no reason is shown: {neighbor}");
        edge.learned(UPSTREAM[family], false);
    }
    edge.isp.start();
    edge.established();
    for family in [0, 1] {
        edge.isp_sees(SERVICE[family], |_| true);
        edge.learned(UPSTREAM[family], true);
    }

    // What the operator ordered is announced again, not the base preference.
    edge.shuntd.order(&["prefer", "payments", "standby"]);
    edge.shuntd.kill();
    for prefix in SERVICE {
        edge.isp_lacks(prefix);
    }
    edge.shuntd.start_again();
    edge.established();
    for family in [0, 1] {
        let seen = edge.isp_sees(SERVICE[family], |_| true);
        assert_eq!(seen.med, Some(100), "the first announcement after the restart: {seen:?}");
        edge.learned(UPSTREAM[family], true);
    }
    edge.no_faults();
}

every_peer!(both_come_back);

#[test]
fn a_stop_takes_leave() {
    let mut edge = Edge::meet(Bird::start, Meeting::default());
    for prefix in SERVICE {
        edge.isp_sees(prefix, |_| true);
    }
    let status = edge.shuntd.stop();
    assert!(status.success(), "{status}");
    for (family, prefix) in SERVICE.into_iter().enumerate() {
        edge.isp_lacks(prefix);
        let notified = edge.isp.notified(address(EDGE[family]));
        assert!(notified.contains("Administrative shutdown"), "{notified}");
    }
}
