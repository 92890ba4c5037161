//! The OSPF peers and tools themselves, without shunt: what the other tests take as a witness is shown to be one.

use std::time::Duration;

use crate::lab::ospf::{
    Attached, Computed, External, Network, OspfBird, OspfFrr, OspfPeer, OspfRouter,
};
use crate::lab::{Capture, Monitor, Net, PATIENCE, wait_for};

#[test]
fn frr_and_bird_prove_themselves() {
    let mut net = Net::new();
    let [a, b] = ["frr", "bird"].map(|name| net.node(name));
    net.link(&a, &b, 0);
    net.lan("lan", 0, &[&a, &b]);
    let router = |id: &str, other: &str, external: External, prefix: &str| OspfRouter {
        router_id: id.into(),
        attached: vec![
            Attached::new(other, Network::PointToPoint),
            Attached { cost: 20, dead: 2, ..Attached::new("lan", Network::Broadcast) },
            Attached::new("lo", Network::Passive),
        ],
        externals: vec![prefix.into()],
        external,
        ..OspfRouter::default()
    };
    let first = External { kind: 1, metric: 70, tag: 7 };
    let second = External { kind: 2, metric: 80, tag: 8 };
    b.address("lo", "10.255.0.2/32");
    let capture = Capture::start(&a, "bird", "proto 89");
    let monitor = Monitor::start(&a);
    let frr = OspfFrr::start(&a, router("10.255.0.1", "bird", first, "192.0.2.0/24"));
    let mut bird = OspfBird::start(&b, router("10.255.0.2", "frr", second, "203.0.113.0/24"));

    wait_for("adjacency", PATIENCE, || {
        let states = (frr.adjacency("10.255.0.2")?, bird.adjacency("10.255.0.1")?);
        if states == ("full/ptp".into(), "full/ptp".into()) {
            Ok(())
        } else {
            Err(format!("{states:?}"))
        }
    });
    wait_for("routes", PATIENCE, || {
        let routes = (
            frr.route("203.0.113.0/24")?.ok_or("none at FRR")?,
            bird.route("192.0.2.0/24")?.ok_or("none at BIRD")?,
            frr.route("10.255.0.2/32")?.ok_or("no loopback at FRR")?,
        );
        let external = |kind, cost, type_2_metric, tag| Computed { kind, cost, type_2_metric, tag };
        let expected = (
            external("external-2", 10, Some(80), 8),
            external("external-1", 80, None, 7),
            external("intra-area", 10, None, 0),
        );
        if routes == expected { Ok(()) } else { Err(format!("{routes:?}")) }
    });
    a.wait_next_hops("203.0.113.0/24", &["10.99.0.2@bird"]);
    b.wait_next_hops("192.0.2.0/24", &["10.99.0.1@frr"]);

    // The link goes down: over to the LAN, by its DR.
    a.down("bird");
    a.wait_next_hops("203.0.113.0/24", &["10.98.0.2@lan"]);
    a.up("bird");
    a.wait_next_hops("203.0.113.0/24", &["10.99.0.2@bird"]);

    bird.withdraw(&["203.0.113.0/24"]);
    a.wait_next_hops("203.0.113.0/24", &[]);
    wait_for("withdrawal on the wire", PATIENCE, || {
        let instances = capture.instances("10.99.0.2");
        let own = instances
            .iter()
            .filter(|one| one.key == (5, "203.0.113.0".into(), "10.255.0.2".into()));
        let ages: Vec<u16> = own.map(|one| one.age).collect();
        if ages.last() == Some(&3600) { Ok(()) } else { Err(format!("{ages:?}")) }
    });
    assert_eq!(capture.faults("10.99.0.2"), [""; 0]);
    wait_for("changes in the monitor", Duration::from_secs(5), || {
        let changes = monitor.changes("203.0.113.0/24");
        if changes.len() >= 4 { Ok(()) } else { Err(format!("{changes:?}")) }
    });
}
