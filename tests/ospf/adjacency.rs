//! Point-to-point links, and what an adjacency outlives.

use shunt::ospf::{InterfaceState, NeighborState, NetworkKind};
use shunt::wire::ospf::{Body, Frame};

use super::world::{World, broadcast, millis, point_to_point, seconds, settings};

/// Two routers on a link, not yet talking.
fn pair(seed: u64) -> (World, usize, usize, usize) {
    let mut world = World::new(seed);
    let a = world.add(settings(1, &[("eth0", point_to_point())]));
    let b = world.add(settings(2, &[("eth0", point_to_point())]));
    let wire = world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    (world, a, b, wire)
}

#[test]
fn a_link_is_full_within_a_few_round_trips() {
    let (mut world, a, b, _) = pair(1);
    world.run(millis(50));
    assert!(world.are_full(a, b), "{}", world.notes(a));
    assert_eq!(world.interface(a, "eth0").state, InterfaceState::PointToPoint);
    assert!(world.notes(a).contains("10.0.0.2 (eth0): adjacency is up"));
    // And stays so.
    world.run(seconds(600));
    assert_eq!(world.notes(a).lines().count(), 1, "{}", world.notes(a));
}

#[test]
fn loss_delays_an_adjacency_and_no_more() {
    for seed in 0..20 {
        let (mut world, a, b, wire) = pair(seed);
        world.networks[wire].loss = 30;
        let full = world.run_until(seconds(300), |world| world.are_full(a, b));
        assert!(full, "seed {seed}: {:?} {:?}", world.state(a, b), world.state(b, a));
    }
}

#[test]
fn a_one_way_link_gets_no_further_than_init() {
    let (mut world, a, b, wire) = pair(1);
    world.networks[wire].cut.insert((b, a));
    world.run(seconds(100));
    assert_eq!(world.state(a, b), None);
    assert_eq!(world.state(b, a), Some(NeighborState::Init));
    // The other way comes back: at the latest with the next Hello.
    world.networks[wire].cut.clear();
    world.run(seconds(11));
    assert!(world.are_full(a, b));
}

#[test]
fn a_link_that_becomes_one_way_is_noticed_by_both() {
    let (mut world, a, b, wire) = pair(1);
    world.run(seconds(1));
    world.networks[wire].cut.insert((b, a));
    world.run(seconds(41));
    assert_eq!(world.state(a, b), None);
    // a no longer names b.
    world.run(seconds(10));
    assert_eq!(world.state(b, a), Some(NeighborState::Init));
    assert!(world.notes(b).contains("the neighbor does not hear us"), "{}", world.notes(b));
}

#[test]
fn a_dead_neighbor_is_gone_after_the_dead_interval() {
    let (mut world, a, b, _) = pair(1);
    world.run(seconds(1));
    world.kill(b);
    world.run(seconds(28));
    assert!(world.state(a, b).is_some());
    world.run(seconds(13));
    assert_eq!(world.state(a, b), None);
    assert!(
        world.notes(a).contains("adjacency is lost: nothing heard for the dead interval"),
        "{}",
        world.notes(a)
    );
}

#[test]
fn a_neighbor_that_restarts_is_full_again_at_once() {
    let (mut world, a, b, _) = pair(1);
    world.run(seconds(100));
    world.kill(b);
    world.run(seconds(2));
    world.boot(b);
    world.run(millis(50));
    assert!(world.are_full(a, b), "{}", world.notes(a));
    assert!(world.notes(a).contains("or has restarted"), "{}", world.notes(a));
}

#[test]
fn another_router_id_at_the_same_address_is_another_router() {
    let (mut world, a, b, wire) = pair(1);
    world.run(seconds(20));
    world.kill(b);
    let c = world.add(settings(3, &[("eth0", point_to_point())]));
    world.attach_as(wire, c, "eth0", 2);
    world.run(millis(50));
    assert_eq!(world.state(a, b), None);
    assert!(world.are_full(a, c), "{}", world.notes(a));
}

#[test]
fn a_flap_takes_the_adjacency_down_and_up() {
    let (mut world, a, b, _) = pair(1);
    world.run(seconds(1));
    world.set_up(a, "eth0", false);
    assert_eq!(world.interface(a, "eth0").state, InterfaceState::Down);
    assert_eq!(world.state(a, b), None);
    world.run(seconds(1));
    world.set_up(a, "eth0", true);
    world.run(millis(50));
    assert!(world.are_full(a, b), "{}", world.notes(b));
}

#[test]
fn an_interface_that_is_taken_out_says_farewell() {
    let (mut world, a, b, _) = pair(1);
    world.run(seconds(1));
    world.reconfigure(a, |settings| settings.interfaces.clear());
    world.run(millis(2));
    assert_eq!(world.state(b, a), Some(NeighborState::Init));
}

#[test]
fn other_costs_and_timers_leave_the_adjacency_alone() {
    let (mut world, a, b, _) = pair(1);
    world.run(seconds(1));
    let since = world.neighbor(a, b).unwrap().since;
    world.reconfigure(a, |settings| {
        let eth0 = settings.interfaces.get_mut("eth0").unwrap();
        eth0.cost = 77;
        eth0.retransmit_interval = seconds(3);
        eth0.mtu_ignore = true;
        settings.hostname = "other".to_owned();
    });
    world.run(seconds(60));
    assert_eq!(world.interface(a, "eth0").settings.cost, 77);
    assert_eq!(world.neighbor(a, b).unwrap().since, since);
    assert!(world.are_full(a, b));
}

#[test]
fn hellos_every_100_ms_find_a_death_within_a_second() {
    let fast = || {
        let mut settings = point_to_point();
        settings.hello_interval = millis(100);
        settings.dead_interval = seconds(1);
        settings
    };
    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", fast())]));
    let b = world.add(settings(2, &[("eth0", fast())]));
    let wire = world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world.networks[wire].loss = 10;
    world.run(seconds(60));
    assert!(world.are_full(a, b));
    // As FRR has it: the interval is sent as 0, and the dead interval is one second.
    let said = world.sent.iter().find_map(|packet| {
        match Frame::parse(&packet.octets).unwrap().body().unwrap() {
            Body::Hello(hello) => Some((hello.hello_interval, hello.dead_interval)),
            _ => None,
        }
    });
    assert_eq!(said, Some((0, 1)));
    world.kill(b);
    world.run(millis(1001));
    assert_eq!(world.state(a, b), None);
}

#[test]
fn passive_and_loopback_interfaces_are_silent() {
    let mut passive = broadcast();
    passive.passive = true;
    let mut loopback = broadcast();
    loopback.network = NetworkKind::Loopback;
    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", passive), ("lo", loopback)]));
    let b = world.add(settings(2, &[("eth0", broadcast())]));
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world.join("192.0.2.1/32", &[(a, "lo")]);
    world.run(seconds(100));
    assert_eq!(world.interface(a, "eth0").state, InterfaceState::Passive);
    assert_eq!(world.interface(a, "lo").state, InterfaceState::Passive);
    assert!(world.sent.iter().all(|packet| packet.from == b));
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let run = || {
        let (mut world, _, _, wire) = pair(5);
        world.networks[wire].loss = 20;
        world.run(seconds(200));
        world.sent
    };
    assert!(run() == run());
}
