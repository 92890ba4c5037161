//! Route refresh (RFC 2918, RFC 7313), asked by either side.
//!
//! What the peers of Debian 12 make of a plain ROUTE-REFRESH from a neighbour with the enhanced capability, be it
//! shuntd or BIRD: BIRD and GoBGP answer. FRR 8.4 answers only once it has sent an End-of-RIB, which it does only for
//! a neighbour with the graceful restart capability. OpenBGPD 7.7 logs "not negotiated" and does nothing.
//! ExaBGP 4.2 falls over its own demarcation message and drops the session.

use crate::edge::{EDGE, Edge, ISP, Meeting, NEIGHBORS, SERVICE, UPSTREAM, address};
use crate::lab::{Bird, Exabgp, Frr, Gobgp, Node, Openbgpd, PATIENCE, Peer, Speaker, wait_for};

/// `answers`: the peer can be asked; otherwise only the other direction is tested.
#[track_caller]
fn refreshes<P: Peer>(start: impl Fn(&Node, Speaker) -> P, meeting: Meeting, answers: bool) {
    let edge = Edge::meet(start, meeting);
    // How often `source` has announced `prefix`.
    let sent = |source: &str, prefix: &str| {
        let updates = edge.capture.updates(source);
        updates
            .iter()
            .filter(|update| update.announced.iter().any(|announced| announced == prefix))
            .count()
    };
    let wait_sent = |source: &str, prefix: &str, wanted: usize| {
        wait_for(&format!("{prefix} sent {wanted} times by {source}"), PATIENCE, || {
            match sent(source, prefix) {
                count if count == wanted => Ok(()),
                count => Err(format!("sent {count} times")),
            }
        });
    };
    for family in [0, 1] {
        edge.isp_sees(SERVICE[family], |_| true);
        edge.learned(UPSTREAM[family], true);
        wait_sent(EDGE[family], SERVICE[family], 1);

        if answers {
            let before = sent(ISP[family], UPSTREAM[family]);
            edge.shuntd.order(&["refresh", NEIGHBORS[family]]);
            wait_sent(ISP[family], UPSTREAM[family], before + 1);
            edge.learned(UPSTREAM[family], true);
        }
        if edge.isp.refresh(address(EDGE[family])) {
            wait_sent(EDGE[family], SERVICE[family], 2);
            edge.isp_sees(SERVICE[family], |_| true);
        }
    }
    for name in NEIGHBORS {
        let neighbor = edge.shuntd.neighbor(name).unwrap();
        assert_eq!(neighbor["state"], "established");
        assert_eq!(neighbor["established_count"], 1, "the refresh cost the session: {neighbor}");
    }
    edge.no_faults();
}

#[test]
fn frr() {
    refreshes(Frr::start, Meeting::default(), true);
}

#[test]
fn bird() {
    refreshes(Bird::start, Meeting::default(), true);
}

#[test]
fn gobgp() {
    refreshes(Gobgp::start, Meeting::default(), true);
}

#[test]
fn openbgpd() {
    refreshes(Openbgpd::start, Meeting::default(), false);
}

#[test]
fn exabgp() {
    refreshes(Exabgp::start, Meeting::default(), false);
}
