//! Routers that cannot become neighbours: `shunt status` names the difference, with the neighbour and both values.

use super::scene::{Meeting, PEER, PEER_ADDRESS};
use crate::lab::ospf::{Network, OspfBird, OspfFrr, OspfPeer};
use crate::lab::{PATIENCE, wait_for};

/// Waits until this is the one mismatch, with our value and theirs.
#[track_caller]
fn named<P: OspfPeer>(meeting: &Meeting<P>, what: &str, ours: &str, theirs: &str) {
    let words = [PEER_ADDRESS, "peer", &format!("is {theirs}"), &format!("ours is {ours}")];
    let fits = |text: &str| words.iter().all(|word| text.contains(word));
    let text = wait_for(&format!("mismatch {what} with {words:?}"), PATIENCE, || {
        let all = meeting.shunt.mismatches()?;
        match &all[..] {
            [one] if one.starts_with(&format!("{what}: ")) && fits(one) => Ok(one.clone()),
            _ => Err(format!("{all:?}")),
        }
    });
    // People see it in the status, and beside the neighbours.
    let status = meeting.shunt.order(&["status"]);
    let text = text.split_once(": ").unwrap().1;
    assert!(status.contains(text), "'{text}' is not in: {status}");
    let neighbors = meeting.shunt.shuntd.json(&["ospf", "neighbors"]).unwrap();
    assert_eq!(neighbors["mismatches"][0]["what"], what, "{neighbors}");
}

#[track_caller]
fn healed<P: OspfPeer>(meeting: &Meeting<P>) {
    meeting.full();
    wait_for("end of the mismatch", PATIENCE, || match meeting.shunt.mismatches()? {
        all if all.is_empty() => Ok(()),
        all => Err(format!("{all:?}")),
    });
}

#[test]
fn of_timers_and_area_with_bird() {
    let mut meeting = Meeting::new(OspfBird::start);
    meeting.peer.configure(|router| router.attached[0].dead = 5);
    named(&meeting, "dead-interval", "4 s", "5 s");
    meeting.peer.configure(|router| router.attached[0].dead = 4);
    healed(&meeting);
    meeting.peer.configure(|router| router.attached[0].area = "0.0.0.9".to_owned());
    named(&meeting, "area", "0.0.0.0", "0.0.0.9");
    meeting.peer.configure(|router| router.attached[0].area = "0.0.0.0".to_owned());
    healed(&meeting);
    meeting.no_faults();
}

#[test]
fn of_timers_and_area_with_frr() {
    let meeting = Meeting::new(OspfFrr::start);
    let peer = |commands: &[&str]| meeting.peer.configure("shunt", commands);
    peer(&["ip ospf hello-interval 2"]);
    named(&meeting, "hello-interval", "1 s", "2 s");
    peer(&["ip ospf hello-interval 1"]);
    healed(&meeting);
    peer(&["no ip ospf area 0.0.0.0", "ip ospf area 0.0.0.9"]);
    named(&meeting, "area", "0.0.0.0", "0.0.0.9");
    peer(&["no ip ospf area 0.0.0.9", "ip ospf area 0.0.0.0"]);
    healed(&meeting);
    meeting.no_faults();
}

/// The peer has the smaller one and refuses our packets: it does not tell us why.
#[test]
fn of_mtu_too_large_for_frr() {
    let meeting = Meeting::with(
        |node, router| {
            node.mtu("shunt", 1400);
            OspfFrr::start(node, router)
        },
        |_, _| {},
    );
    named(&meeting, "mtu", "1500", "1400");
    let state = meeting.shunt.adjacency(PEER).unwrap();
    assert!(!state.starts_with("full"), "{state}");
    meeting.here.mtu("peer", 1400);
    healed(&meeting);
    meeting.no_faults();
}

/// Ours is smaller, so that we refuse the peer's packets.
#[test]
fn of_mtu_too_small_for_bird() {
    let (here_mtu, peer_mtu) = (1400, 1500);
    let meeting = Meeting::new(OspfBird::start);
    meeting.settled();
    meeting.here.mtu("peer", here_mtu);
    meeting.here.down("peer");
    meeting.here.up("peer");
    named(&meeting, "mtu", &here_mtu.to_string(), &peer_mtu.to_string());
    meeting.here.mtu("peer", peer_mtu);
    healed(&meeting);
    meeting.no_faults();
}

/// Both ends of a LAN have to have the same mask, those of a point-to-point link not.
#[test]
fn of_mask() {
    let meeting = Meeting::with(
        |node, router| {
            node.ip_batch("addr del 10.99.0.2/24 dev shunt\naddr add 10.99.0.2/25 dev shunt\n");
            OspfBird::start(node, router)
        },
        |ours, theirs| {
            ours.attached[0].network = Network::Broadcast;
            theirs.attached[0].network = Network::Broadcast;
        },
    );
    named(&meeting, "network-mask", "255.255.255.0", "255.255.255.128");
}

/// Two routers with one router id.
#[test]
fn of_router_id() {
    let mut meeting = Meeting::with(OspfBird::start, |ours, theirs| {
        theirs.router_id = ours.router_id.clone();
    });
    wait_for("mismatch of the router id", PATIENCE, || {
        let all = meeting.shunt.mismatches()?;
        let one = all.first().ok_or("none")?;
        let fits = one.starts_with("duplicate-router-id: ") && one.contains(PEER_ADDRESS);
        if fits { Ok(()) } else { Err(format!("{all:?}")) }
    });
    meeting.peer.configure(|router| router.router_id = PEER.to_owned());
    meeting.peer.kill();
    meeting.peer.start();
    healed(&meeting);
}
