//! What an operator does, and what the neighbours see of it.

use std::time::Duration;

use shunt::api::v1;
use shunt::sim::Link;

use crate::topology::*;

const SERVICE: &str = "198.51.100.7/32";

#[test]
fn an_isp_sees_the_base_preference_as_med_and_installs_the_route() {
    let mut pair = pair(1, Link::default()).up();
    let seen = sees(&pair.world, pair.isp, SERVICE).unwrap();
    assert_eq!((seen.as_path.as_str(), seen.next_hop.as_str()), ("64500", "10.0.0.1"));
    assert_eq!(seen.med, Some(255 - 200));
    pair.world.run_for(Duration::from_millis(10));
    let routes = pair.world.kernel_routes(pair.isp);
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].prefix.to_string(), SERVICE);
    assert_eq!(routes[0].hops.as_slice()[0].gateway.to_string(), "10.0.0.1");
    // The edge itself has its own way to the service.
    assert!(pair.world.kernel_routes(pair.edge).is_empty());
}

#[test]
fn prefer_withdraw_announce_and_release_reach_the_neighbour_and_are_acknowledged() {
    let mut pair = pair(2, Link::default()).up();
    let steps = [
        ("prefer", "standby", Some(155)),
        ("withdraw", "", None),
        ("announce", "", Some(55)),
        ("prefer", "17", Some(238)),
        ("release", "", Some(55)),
    ];
    for (order, level, med) in steps {
        let id = pair.world.order(pair.edge, order, "payments", level);
        let answered =
            pair.world.run_until(Duration::from_secs(1), |w| w.answer(pair.edge, id).is_some());
        assert!(answered, "{order} was not answered:\n{}", pair.world.transcript());
        let reply = pair.world.answer(pair.edge, id).unwrap().as_ref().unwrap();
        assert_eq!(reply.deliveries.len(), 1);
        assert_eq!(reply.deliveries[0].outcome, "acknowledged", "{order}");
        let sent = &reply.deliveries[0].prefixes[0];
        assert_eq!(sent.attributes.as_ref().map(|a| a.med.unwrap()), med, "{order}");
        // Acknowledged means that the neighbour has it.
        assert_eq!(sees(&pair.world, pair.isp, SERVICE).map(|a| a.med.unwrap()), med, "{order}");
    }
}

#[test]
fn an_order_that_changes_nothing_sends_nothing() {
    let mut pair = pair(3, Link::default()).up();
    let before = neighbor(&pair.world, pair.edge, "isp").updates_sent;
    let id = pair.world.order(pair.edge, "prefer", "payments", "primary");
    pair.world.run_for(Duration::from_secs(1));
    let reply = pair.world.answer(pair.edge, id).unwrap().as_ref().unwrap();
    assert!(reply.unchanged);
    assert_eq!(reply.deliveries[0].outcome, "unchanged");
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").updates_sent, before);
}

#[test]
fn an_order_says_so_if_its_neighbour_is_removed_meanwhile() {
    let mut pair = pair(9, Link::default()).up();
    pair.world.set_deaf(pair.isp, true);
    let id = pair.world.order(pair.edge, "prefer", "payments", "standby");
    pair.world.run_for(Duration::from_millis(500));
    let alone = Text::node("edge", "dc1", 64500, "192.0.2.1").payments().done();
    pair.world.reload(pair.edge, &alone).unwrap();
    let reply = pair.world.answer(pair.edge, id).unwrap().as_ref().unwrap();
    let delivery = &reply.deliveries[0];
    assert_eq!((delivery.neighbor.as_str(), delivery.outcome.as_str()), ("isp", "lost"));
}

#[test]
fn intents_outlive_the_process_and_hold_before_the_first_open() {
    let mut pair = pair(4, Link::default()).up();
    let id = pair.world.order(pair.edge, "prefer", "payments", "drain");
    pair.world.run_until(Duration::from_secs(1), |w| w.answer(pair.edge, id).is_some());
    pair.world.kill(pair.edge);
    pair.world.run_for(Duration::from_secs(1));
    assert_eq!(sees(&pair.world, pair.isp, SERVICE), None);
    pair.world.start(pair.edge);
    // Whatever the ISP sees from now on, it is never the base preference.
    let wrong = pair.world.run_until(Duration::from_secs(20), |w| {
        sees(w, pair.isp, SERVICE).is_some_and(|seen| seen.med != Some(245))
    });
    assert!(!wrong, "{}", pair.world.transcript());
    assert_eq!(sees(&pair.world, pair.isp, SERVICE).unwrap().med, Some(245));
}

#[test]
fn an_order_expires() {
    let mut pair = pair(5, Link::default()).up();
    let request = v1::OrderRequest {
        target: SERVICE.to_owned(),
        order: "withdraw".to_owned(),
        for_seconds: 60,
        ..Default::default()
    };
    pair.world.request(pair.edge, request);
    pair.world.run_for(Duration::from_secs(59));
    assert_eq!(sees(&pair.world, pair.isp, SERVICE), None);
    pair.world.run_for(Duration::from_secs(2));
    assert_eq!(sees(&pair.world, pair.isp, SERVICE).unwrap().med, Some(55));
    let groups = pair.world.agent(pair.edge).unwrap().groups("", pair.world.agent_now(pair.edge));
    assert_eq!(groups.unwrap().groups[0].announcements[0].intent, None);
}

#[test]
fn an_expiry_is_taken_only_if_it_can_be_read_back() {
    const YEAR: u64 = 365 * 24 * 3600;
    let mut pair = pair(9, Link::default()).up();
    for (for_seconds, taken) in [(10 * YEAR, true), (10 * YEAR + 1, false), (u64::MAX, false)] {
        let request = v1::OrderRequest {
            target: "payments".to_owned(),
            order: "prefer".to_owned(),
            level: "standby".to_owned(),
            for_seconds,
            ..Default::default()
        };
        let id = pair.world.request(pair.edge, request);
        pair.world.run_for(Duration::from_secs(1));
        assert_eq!(pair.world.answer(pair.edge, id).unwrap().is_ok(), taken, "{for_seconds}");
        pair.world.kill(pair.edge);
        pair.world.start(pair.edge);
        pair.world.run_for(Duration::from_secs(20));
        assert_eq!(sees(&pair.world, pair.isp, SERVICE).unwrap().med, Some(155), "{for_seconds}");
    }
}

#[test]
fn a_full_disk_refuses_the_order_and_nothing_changes() {
    let mut pair = pair(6, Link::default()).up();
    pair.world.set_disk_full(pair.edge, true);
    let id = pair.world.order(pair.edge, "withdraw", "payments", "");
    pair.world.run_for(Duration::from_secs(1));
    let status = pair.world.answer(pair.edge, id).unwrap().as_ref().unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
    assert!(status.message().contains("No space left on device"), "{}", status.message());
    assert!(sees(&pair.world, pair.isp, SERVICE).is_some());
    // With room again, the next order is taken, and the refused one is not in the file.
    pair.world.set_disk_full(pair.edge, false);
    let id = pair.world.order(pair.edge, "prefer", "payments", "standby");
    pair.world.run_for(Duration::from_secs(1));
    assert!(pair.world.answer(pair.edge, id).unwrap().is_ok());
    pair.world.kill(pair.edge);
    pair.world.start(pair.edge);
    pair.world.run_for(Duration::from_secs(20));
    assert_eq!(sees(&pair.world, pair.isp, SERVICE).unwrap().med, Some(155));
}

#[test]
fn orders_that_cannot_be_meant_are_refused_with_a_suggestion() {
    let mut pair = pair(7, Link::default()).up();
    let cases = [
        ("prefer", "paymnts", "standby", "did you mean `payments`?"),
        ("prefer", "payments", "stanby", "did you mean `standby`?"),
        ("prefer", "payments", "", "prefer needs a level"),
        ("prefer", "payments", "0", "withdraw it"),
        ("announce", "203.0.113.0/24", "", "is not ours to announce"),
        ("announce", "198.51.100.7/24", "", "did you mean `198.51.100.0/24`?"),
        ("anounce", "payments", "", "unknown order `anounce`"),
    ];
    for (order, target, level, expected) in cases {
        let id = pair.world.order(pair.edge, order, target, level);
        let answer = pair.world.answer(pair.edge, id).expect("refused at once");
        let status = answer.as_ref().unwrap_err();
        assert!(status.message().contains(expected), "{}", status.message());
    }
}

#[test]
fn two_isps_follow_the_better_site_and_traffic_never_lacks_a_route() {
    // Two edges of one AS, each with both ISPs.
    let mut world = shunt::sim::World::new(8);
    let edge = |name: &str, site: &str, id: &str, a: &str, b: &str| {
        let text = Text::node(name, site, 64500, id).payments();
        text.neighbor("isp-a", a, 64496, EDGE).neighbor("isp-b", b, 64497, EDGE).done()
    };
    let isp = |name: &str, asn, id: &str, one: &str, two: &str| {
        let text = Text::node(name, "isp", asn, id);
        text.neighbor("edge1", one, 64500, ISP).neighbor("edge2", two, 64500, ISP).done()
    };
    let edge1 = world.node(&edge("edge1", "dc1", "192.0.2.1", "10.1.1.2", "10.1.2.2"));
    let edge2 = world.node(&edge("edge2", "dc2", "192.0.2.2", "10.2.1.2", "10.2.2.2"));
    let isp_a = world.node(&isp("isp-a", 64496, "192.0.2.3", "10.1.1.1", "10.2.1.1"));
    let isp_b = world.node(&isp("isp-b", 64497, "192.0.2.4", "10.1.2.1", "10.2.2.1"));
    world.link((edge1, "10.1.1.1/24"), (isp_a, "10.1.1.2/24"), Link::default());
    world.link((edge1, "10.1.2.1/24"), (isp_b, "10.1.2.2/24"), Link::default());
    world.link((edge2, "10.2.1.1/24"), (isp_a, "10.2.1.2/24"), Link::default());
    world.link((edge2, "10.2.2.1/24"), (isp_b, "10.2.2.2/24"), Link::default());
    for node in [edge1, edge2, isp_a, isp_b] {
        world.start(node);
    }
    world.run_for(Duration::from_secs(10));
    for isp in [isp_a, isp_b] {
        assert_eq!(source(&world, isp, SERVICE).as_deref(), Some("edge1"));
    }
    // Planned switch: raise the target, then lower the source. At no moment is an ISP without a route.
    for (node, level) in [(edge2, "250"), (edge1, "standby")] {
        let id = world.order(node, "prefer", "payments", level);
        let gap = world.run_until(Duration::from_millis(200), |w| {
            [isp_a, isp_b].iter().any(|isp| w.kernel_routes(*isp).len() != 1)
        });
        assert!(!gap, "an ISP was without a route:\n{}", world.transcript());
        assert!(world.answer(node, id).is_some());
    }
    for isp in [isp_a, isp_b] {
        assert_eq!(source(&world, isp, SERVICE).as_deref(), Some("edge2"));
    }
    // The preferred site dies: the other one's announcement is there already.
    world.kill(edge2);
    world.run_for(Duration::from_millis(50));
    for isp in [isp_a, isp_b] {
        assert_eq!(source(&world, isp, SERVICE).as_deref(), Some("edge1"));
        assert_eq!(world.kernel_routes(isp).len(), 1);
    }
    // The ISPs passed edge2's route on to edge1, which found its own AS in the path.
    let heard = neighbor(&world, edge1, "isp-a");
    assert!(heard.prefixes_rejected > 0);
    assert_eq!(heard.prefixes_received, 0);
}
