//! Neighbours become Full, on links and on LANs in every role.

use super::scene::{Meeting, PEER, SERVICE, SHUNT, UPSTREAM, adjacent, no_faults, router};
use crate::lab::ospf::{Attached, Network, OspfBird, OspfFrr, OspfPeer, OspfShunt};
use crate::lab::{Capture, Net, PATIENCE, wait_for};

mod point_to_point {
    use crate::lab::Node;
    use crate::lab::ospf::{OspfPeer, OspfRouter};
    use crate::ospf::scene::{Meeting, frr_and_bird};

    #[track_caller]
    fn is_full_and_passes_routes<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        Meeting::new(start).no_faults();
    }

    frr_and_bird!(is_full_and_passes_routes);
}

/// Hellos every 250 ms, a dead interval of one second.
#[test]
fn fast_hellos_with_frr() {
    let mut meeting = Meeting::with(OspfFrr::start, |ours, theirs| {
        ours.attached[0].dead = 1;
        theirs.attached[0].dead = 1;
    });
    meeting.full();
    meeting.no_faults();
    let began = std::time::Instant::now();
    meeting.peer.kill();
    meeting.here.wait_next_hops(UPSTREAM, &[]);
    let took = began.elapsed().as_millis();
    assert!((500..3000).contains(&took), "the death was noticed after {took} ms");
}

const ON_LAN: &str = "10.98.0.1";
const FRR: &str = PEER;
const BIRD: &str = "10.255.0.3";
const SECOND_BIRD: &str = "10.255.0.4";

/// shuntd (.1), FRR (.2), BIRD (.3) and another BIRD (.4) with priority 0 on one LAN, each with a prefix of its own.
struct Lan {
    shunt: OspfShunt,
    frr: OspfFrr,
    bird: OspfBird,
    second_bird: OspfBird,
    capture: Capture,
    _net: Net,
}

impl Lan {
    /// With the priorities of shuntd, FRR and BIRD.
    #[track_caller]
    fn new(priorities: [u8; 3]) -> Lan {
        let mut net = Net::new();
        let nodes = ["shunt", "frr", "bird", "second"].map(|name| net.node(name));
        net.lan("lan", 0, &nodes.each_ref());
        let on_lan = |id: &str, priority, external: &str| {
            let attached = Attached { priority, ..Attached::new("lan", Network::Broadcast) };
            let mut router = router(id, vec![attached]);
            router.externals = vec![external.to_owned()];
            router
        };
        let capture = Capture::start(&nodes[0], "lan", "proto 89");
        // All of them within the time that each waits for a DR.
        let shunt = OspfShunt::start(&nodes[0], on_lan(SHUNT, priorities[0], SERVICE));
        let bird = OspfBird::start(&nodes[2], on_lan(BIRD, priorities[2], "203.0.113.3/32"));
        let second_bird = OspfBird::start(&nodes[3], on_lan(SECOND_BIRD, 0, "203.0.113.4/32"));
        let frr = OspfFrr::start(&nodes[1], on_lan(FRR, priorities[1], "203.0.113.2/32"));
        for (at, node) in nodes.iter().enumerate() {
            for (of, prefix) in [SERVICE, "203.0.113.2/32", "203.0.113.3/32", "203.0.113.4/32"]
                .iter()
                .enumerate()
                .filter(|(of, _)| *of != at)
            {
                node.wait_next_hops(prefix, &[&format!("10.98.0.{}@lan", of + 1)]);
            }
        }
        no_faults(&capture, ON_LAN);
        Lan { shunt, frr, bird, second_bird, capture, _net: net }
    }

    #[track_caller]
    fn shunt_is(&self, state: &str) {
        wait_for(&format!("shuntd as {state}"), PATIENCE, || {
            let shown = self.shunt.shuntd.json(&["ospf", "interfaces"])?;
            if shown["interfaces"][0]["state"] == state { Ok(()) } else { Err(shown.to_string()) }
        });
    }
}

#[test]
fn as_dr() {
    let mut lan = Lan::new([9, 5, 1]);
    lan.shunt_is("dr");
    for (neighbor, role) in [(FRR, "full/bdr"), (BIRD, "full/other"), (SECOND_BIRD, "full/other")] {
        adjacent(&lan.shunt, neighbor, role);
    }
    for peer in [&lan.frr as &dyn OspfPeer, &lan.bird, &lan.second_bird] {
        adjacent(peer, SHUNT, "full/dr");
    }
    // The network-LSA is ours.
    let own = (2, ON_LAN.to_owned(), SHUNT.to_owned());
    assert!(lan.capture.instances(ON_LAN).iter().any(|instance| instance.key == own));

    // A new DR when this one dies, and the old one does not take over again when it is back.
    lan.shunt.kill();
    adjacent(&lan.bird, FRR, "full/dr");
    wait_for("BIRD as BDR", PATIENCE, || {
        let shown = lan.bird.ask("show ospf interface")?;
        if shown.contains("State: Backup") { Ok(()) } else { Err(shown) }
    });
    lan.shunt.start();
    lan.shunt_is("dr-other");
    adjacent(&lan.shunt, FRR, "full/dr");
    adjacent(&lan.shunt, BIRD, "full/bdr");
    adjacent(&lan.shunt, SECOND_BIRD, "2-way/other");
    no_faults(&lan.capture, ON_LAN);
}

#[test]
fn as_bdr() {
    let mut lan = Lan::new([5, 9, 1]);
    lan.shunt_is("backup");
    for (neighbor, role) in [(FRR, "full/dr"), (BIRD, "full/other"), (SECOND_BIRD, "full/other")] {
        adjacent(&lan.shunt, neighbor, role);
    }
    for peer in [&lan.frr as &dyn OspfPeer, &lan.bird, &lan.second_bird] {
        adjacent(peer, SHUNT, "full/bdr");
    }

    // The DR dies: we are it, with adjacencies that exist already.
    lan.frr.kill();
    lan.shunt_is("dr");
    adjacent(&lan.shunt, BIRD, "full/bdr");
    adjacent(&lan.bird, SHUNT, "full/dr");
    no_faults(&lan.capture, ON_LAN);
}

#[test]
fn as_dr_other() {
    let lan = Lan::new([1, 9, 5]);
    lan.shunt_is("dr-other");
    for (neighbor, role) in [(FRR, "full/dr"), (BIRD, "full/bdr"), (SECOND_BIRD, "2-way/other")] {
        adjacent(&lan.shunt, neighbor, role);
    }
    for peer in [&lan.frr as &dyn OspfPeer, &lan.bird] {
        adjacent(peer, SHUNT, "full/other");
    }
    adjacent(&lan.second_bird, SHUNT, "2-way/other");
    no_faults(&lan.capture, ON_LAN);
}
