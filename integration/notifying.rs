//! Each side shuts a session down with a text, and the other side shows it (RFC 9003).

use crate::edge::{EDGE, Edge, Meeting, NEIGHBORS, address, configuration};
use crate::lab::{Bird, Exabgp, Frr, Gobgp, Node, Openbgpd, PATIENCE, Peer, Speaker, wait_for};

/// Code, subcode and text of our NOTIFICATION as tshark reads it.
const PLAIN: &str = "6\t2\tmaintenance until 04:00";
/// For a neighbour that keeps our routes over a NOTIFICATION the same stands inside a Hard Reset (RFC 8538 §3), into which
/// tshark does not look.
const HARD_RESET: &str = "6\t9\t";

/// `texts`: the peer can send and show a text; otherwise only the codes.
#[track_caller]
fn texts_arrive<P: Peer>(start: impl Fn(&Node, Speaker) -> P, texts: bool, ours: &str) {
    let edge = Edge::meet(start, Meeting::default());
    edge.isp.shut(address(EDGE[0]), "core router moves to row 7");
    let neighbor = wait_for("NOTIFICATION at shuntd", PATIENCE, || {
        let neighbor = edge.shuntd.neighbor(NEIGHBORS[0])?;
        if neighbor["last_down"] == "" { Err(neighbor.to_string()) } else { Ok(neighbor) }
    });
    let reason = neighbor["last_down"].as_str().unwrap().to_lowercase();
    assert!(reason.contains("administrative shutdown"), "{neighbor}");
    assert!(!texts || reason.contains("core router moves to row 7"), "{neighbor}");
    // The other session is not concerned.
    assert_eq!(edge.shuntd.neighbor(NEIGHBORS[1]).unwrap()["established_count"], 1);

    edge.shuntd
        .configure(&configuration(Meeting::default(), "shutdown = \"maintenance until 04:00\"\n"));
    edge.shuntd.order(&["reload"]);
    wait_for("NOTIFICATION at the ISP", PATIENCE, || {
        let notified = edge.isp.notified(address(EDGE[1]));
        let wanted = if texts { "maintenance until 04:00" } else { "6" };
        if notified.contains(wanted) { Ok(()) } else { Err(notified) }
    });
    for name in NEIGHBORS {
        assert_eq!(edge.down(name)["state"], "shutdown");
    }
    let notifications = edge.capture.fields(
        "bgp.type == 3 && ipv6.src == fd99::1",
        &["bgp.notify.major_error", "bgp.notify.minor_error_cease", "bgp.notify.communication"],
    );
    assert_eq!(notifications, [ours]);

    edge.shuntd.configure(&configuration(Meeting::default(), ""));
    edge.shuntd.order(&["reload"]);
    wait_for("session after the shutdown", PATIENCE, || {
        match edge.isp.state(address(EDGE[1]))? {
            state if state == "Established" => Ok(()),
            state => Err(state),
        }
    });
    edge.no_faults();
}

#[test]
fn frr() {
    texts_arrive(Frr::start, true, HARD_RESET);
}

#[test]
fn bird() {
    texts_arrive(Bird::start, true, PLAIN);
}

#[test]
fn gobgp() {
    texts_arrive(Gobgp::start, true, PLAIN);
}

#[test]
fn openbgpd() {
    texts_arrive(Openbgpd::start, true, PLAIN);
}

// ExaBGP 4.2 neither sends nor shows a text.
#[test]
fn exabgp() {
    texts_arrive(Exabgp::start, false, PLAIN);
}
