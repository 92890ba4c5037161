//! Neighbours that restart gracefully (RFC 3623), and our own leave.

use std::net::Ipv4Addr;

use shunt::ospf::{Announced, Bfd, Event, How, NeighborState};
use shunt::wire::ospf::{
    Body, Grace, GraceReason, LinkStateUpdate, Lsa, LsaBody, LsaKey, LsaType, Options,
    SequenceNumber,
};

use super::forge::{arrive, packet};
use super::world::{World, broadcast, id, millis, point_to_point, seconds, settings};

/// A Grace-LSA of router `number` for `period` seconds.
fn grace(number: u8, period: u32, age: u16) -> Body {
    let address = Some(Ipv4Addr::new(10, 0, 0, number));
    let reason = GraceReason::SoftwareRestart;
    let lsa = Lsa::new(
        age,
        Options::EXTERNAL,
        LsaKey {
            kind: LsaType::OPAQUE_LINK,
            link_state_id: Ipv4Addr::new(3, 0, 0, 0),
            advertising_router: id(number),
        },
        SequenceNumber::INITIAL,
        LsaBody::Grace(Grace { period, reason, address }),
    );
    Body::LinkStateUpdate(LinkStateUpdate::from(vec![lsa]))
}

/// Two routers that are Full, the second of which has announced that it restarts, and has gone.
fn restarting(period: u32) -> (World, usize, usize) {
    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", point_to_point())]));
    let b = world.add(settings(2, &[("eth0", point_to_point())]));
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world.run(seconds(20));
    assert!(world.are_full(a, b));
    arrive(&mut world, b, packet(2, &grace(2, period, 0)));
    world.kill(b);
    (world, a, b)
}

#[test]
fn a_neighbor_that_restarts_gracefully_is_kept_until_it_is_back() {
    let (mut world, a, b) = restarting(120);
    assert!(world.notes(a).contains("restarts gracefully: kept for up to 120 s"));
    world.run(seconds(100));
    assert_eq!(world.state(a, b), Some(NeighborState::Full));
    world.boot(b);
    // It knows of no neighbour at first, and compares databases anew. All the while it counts as adjacent.
    let full = world.run_until(seconds(1), |world| {
        assert!(world.neighbor(a, b).unwrap().is_adjacent());
        world.are_full(a, b)
    });
    assert!(full, "{}", world.notes(a));
    arrive(&mut world, b, packet(2, &grace(2, 120, 3600)));
    assert_eq!(world.neighbor(a, b).unwrap().helped_until(), None);
    assert!(!world.notes(a).contains("adjacency is lost"), "{}", world.notes(a));
    world.run(seconds(100));
    assert!(world.are_full(a, b));
}

#[test]
fn a_neighbor_that_does_not_come_back_is_given_up() {
    let (mut world, a, b) = restarting(90);
    world.run(seconds(85));
    assert_eq!(world.state(a, b), Some(NeighborState::Full));
    world.run(seconds(10));
    assert_eq!(world.state(a, b), None, "{}", world.notes(a));
}

/// RFC 5882 §4.3.2.1: its BFD may restart with the rest of its control plane.
#[test]
fn a_failure_of_bfd_does_not_end_a_graceful_restart() {
    let (mut world, a, b) = restarting(120);
    let interface = world.link(a, "eth0").index;
    let neighbor = world.link(b, "eth0").addresses[0].address;
    world.handle(a, Event::BfdChanged { interface, neighbor, bfd: Bfd::Failed });
    assert_eq!(world.state(a, b), Some(NeighborState::Full));
    world.run(seconds(130));
    assert_eq!(world.state(a, b), None, "its time is over");
}

#[test]
fn the_age_of_the_request_counts_and_nobody_is_helped_forever() {
    let (mut world, a, b) = restarting(100_000);
    world.run(seconds(1799));
    assert!(world.state(a, b).is_some());
    world.run(seconds(2));
    assert_eq!(world.state(a, b), None);

    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", point_to_point())]));
    let b = world.add(settings(2, &[("eth0", point_to_point())]));
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world.run(seconds(20));
    arrive(&mut world, b, packet(2, &grace(2, 120, 130)));
    assert_eq!(world.neighbor(a, b).unwrap().helped_until(), None);
}

#[test]
fn help_ends_when_the_topology_changes() {
    let (mut world, a, b) = restarting(120);
    world.run(seconds(60));
    assert_eq!(world.state(a, b), Some(NeighborState::Full));
    let announced = Announced { metric: 10, how: How::External2, tag: 0 };
    let prefix = "192.0.2.0/24".parse().unwrap();
    world.handle(a, Event::AnnouncementChanged { prefix, announced: Some(announced) });
    world.run(millis(10));
    assert_eq!(world.state(a, b), None, "{}", world.notes(a));
    assert!(world.notes(a).contains("no longer helped over its restart: the topology has changed"));
}

#[test]
fn a_dr_that_restarts_gracefully_stays_dr() {
    let mut world = World::new(1);
    let nodes: Vec<usize> =
        (1..=3).map(|number| world.add(settings(number, &[("eth0", broadcast())]))).collect();
    let ends: Vec<(usize, &str)> = nodes.iter().map(|node| (*node, "eth0")).collect();
    world.join("10.0.0.0/24", &ends);
    world.run(seconds(60));
    let designated = |world: &World| world.interface(0, "eth0").designated.octets()[3];
    assert_eq!(designated(&world), 3);
    arrive(&mut world, 2, packet(3, &grace(3, 120, 0)));
    world.kill(2);
    world.run(seconds(100));
    assert_eq!(designated(&world), 3);
    // Its first Hello names neither neighbours nor a DR.
    world.boot(2);
    world.run(millis(1));
    assert_eq!(designated(&world), 3);
    assert_eq!(world.state(0, 2), Some(NeighborState::Full));
}

#[test]
fn who_leaves_says_so() {
    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", point_to_point())]));
    let b = world.add(settings(2, &[("eth0", point_to_point())]));
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world.run(seconds(20));
    world.handle(a, Event::Stopped);
    world.run(seconds(2));
    assert!(world.nodes[a].router.has_left(world.now));
    assert_eq!(world.state(b, a), Some(NeighborState::Init));
    assert!(world.notes(b).contains("the neighbor does not hear us, or has restarted"));
    // And is not talked back into it, not even by who comes new.
    world.run(seconds(10));
    assert_eq!(world.state(b, a), Some(NeighborState::Init));
    world.boot(b);
    world.run(seconds(100));
    assert_eq!(world.notes(b).matches("adjacency is up").count(), 1, "{}", world.notes(b));
}
