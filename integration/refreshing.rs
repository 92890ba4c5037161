//! Route refresh (RFC 2918), asked by either side.

use crate::edge::{EDGE, Edge, ISP, Meeting, NEIGHBORS, SERVICE, UPSTREAM, address, every_peer};
use crate::lab::{Node, PATIENCE, Peer, Speaker, wait_for};

#[track_caller]
fn refreshes<P: Peer>(start: impl Fn(&Node, Speaker) -> P) {
    let edge = Edge::meet(start, Meeting::default());
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
        let before = sent(ISP[family], UPSTREAM[family]);

        edge.shuntd.order(&["refresh", NEIGHBORS[family]]);
        wait_sent(ISP[family], UPSTREAM[family], before + 1);
        edge.learned(UPSTREAM[family], true);

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

every_peer!(refreshes);
