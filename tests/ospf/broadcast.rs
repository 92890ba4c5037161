//! Broadcast networks: who is designated, and who talks to whom.

use std::net::Ipv4Addr;

use shunt::ospf::{InterfaceSettings, InterfaceState, NeighborState};
use shunt::wire::ospf::LsaType;

use super::world::{World, broadcast, id, millis, seconds, settings};

/// Routers 1, 2, … on one LAN, with these priorities.
fn lan(priorities: &[u8]) -> World {
    let mut world = World::new(1);
    let nodes: Vec<usize> = (1..)
        .zip(priorities)
        .map(|(number, priority)| world.add(settings(number, &[("eth0", with(*priority))])))
        .collect();
    let ends: Vec<(usize, &str)> = nodes.iter().map(|node| (*node, "eth0")).collect();
    world.join("10.0.0.0/24", &ends);
    world
}

fn with(priority: u8) -> InterfaceSettings {
    InterfaceSettings { priority, ..broadcast() }
}

/// The last octets of DR and BDR, as all nodes that are on see them.
fn elected(world: &World) -> (u8, u8) {
    let on = (0..world.nodes.len()).filter(|node| world.nodes[*node].on);
    let last = |address: Ipv4Addr| address.octets()[3];
    let mut seen: Vec<(u8, u8)> = on
        .map(|node| world.interface(node, "eth0"))
        .map(|interface| (last(interface.designated), last(interface.backup)))
        .collect();
    seen.dedup();
    assert_eq!(seen.len(), 1, "they do not agree: {seen:?}");
    seen[0]
}

#[test]
fn the_highest_ids_are_elected_when_all_have_waited() {
    let mut world = lan(&[1, 1, 1, 1]);
    world.run(seconds(39));
    assert!(matches!(world.interface(0, "eth0").state, InterfaceState::Waiting { .. }));
    world.run(seconds(2));
    assert_eq!(elected(&world), (4, 3));
    assert_eq!(world.interface(3, "eth0").state, InterfaceState::Dr);
    assert_eq!(world.interface(2, "eth0").state, InterfaceState::Backup);
    assert_eq!(world.interface(0, "eth0").state, InterfaceState::DrOther);
    for other in [0, 1, 2] {
        assert!(world.are_full(3, other));
    }
    for other in [0, 1] {
        assert!(world.are_full(2, other));
    }
    // The others have no use for each other.
    assert_eq!(world.state(0, 1), Some(NeighborState::TwoWay));
    assert_eq!(world.state(1, 0), Some(NeighborState::TwoWay));
}

#[test]
fn priority_counts_before_the_id_and_zero_never_wins() {
    let mut world = lan(&[7, 200, 0]);
    world.run(seconds(60));
    assert_eq!(elected(&world), (2, 1));
    // With only priority 0 left there is no DR at all, and no adjacency.
    world.kill(0);
    world.kill(1);
    world.run(seconds(60));
    assert_eq!(elected(&world), (0, 0));
    assert_eq!(world.interface(2, "eth0").state, InterfaceState::DrOther);
}

#[test]
fn a_later_router_takes_the_dr_it_finds_without_waiting() {
    let mut world = lan(&[1, 1]);
    world.run(seconds(60));
    let late = world.add(settings(9, &[("eth0", with(255))]));
    world.attach(0, late, "eth0");
    world.run(millis(100));
    assert_eq!(elected(&world), (2, 1));
    assert!(world.are_full(late, 0) && world.are_full(late, 1), "{}", world.notes(late));
}

#[test]
fn the_second_router_is_backup_without_waiting() {
    let mut world = lan(&[1]);
    world.run(seconds(60));
    let newcomer = world.add(settings(2, &[("eth0", with(1))]));
    world.attach(0, newcomer, "eth0");
    world.run(seconds(1));
    assert_eq!(elected(&world), (1, 2));
    assert!(world.are_full(0, newcomer));
}

#[test]
fn the_backup_takes_over_when_the_dr_dies() {
    let mut world = lan(&[1, 1, 1, 1]);
    world.run(seconds(60));
    let since = world.neighbor(0, 2).unwrap().since;
    world.kill(3);
    world.run(seconds(41));
    assert_eq!(elected(&world), (3, 2));
    assert_eq!(world.interface(2, "eth0").state, InterfaceState::Dr);
    // The adjacencies with the new DR were there already.
    assert_eq!(world.neighbor(0, 2).unwrap().since, since);
    world.run(seconds(1));
    assert!(world.are_full(0, 1), "{}", world.notes(0));

    // The old one comes back and is neither.
    world.boot(3);
    world.run(seconds(1));
    assert_eq!(elected(&world), (3, 2));
    assert!(world.are_full(3, 2) && world.are_full(3, 1));
}

#[test]
fn a_priority_that_is_taken_to_zero_hands_over_at_once() {
    let mut world = lan(&[1, 1, 1]);
    world.run(seconds(60));
    assert_eq!(elected(&world), (3, 2));
    world.reconfigure(2, |settings| {
        settings.interfaces.insert("eth0".to_owned(), with(0));
    });
    world.run(seconds(1));
    assert_eq!(elected(&world), (2, 1));
    assert!(world.are_full(0, 1) && world.are_full(2, 1) && world.are_full(2, 0));
    // The network has one LSA, that of the new DR.
    world.run(seconds(2));
    for node in 0..3 {
        let database = world.nodes[node].router.database();
        let of_networks = database.iter().map(|entry| entry.lsa.header.key);
        let of_networks: Vec<_> = of_networks.filter(|key| key.kind == LsaType::NETWORK).collect();
        assert_eq!(of_networks.len(), 1, "{of_networks:?}");
        assert_eq!(of_networks[0].advertising_router, id(2));
    }
}

#[test]
fn who_is_designated_no_longer_keeps_only_the_adjacencies_that_it_needs() {
    let mut world = lan(&[1, 1, 1, 1]);
    world.run(seconds(60));
    assert_eq!(elected(&world), (4, 3));
    assert!(world.are_full(0, 3));
    world.reconfigure(3, |settings| {
        settings.interfaces.insert("eth0".to_owned(), with(0));
    });
    world.run(seconds(1));
    assert_eq!(elected(&world), (3, 2));
    assert_eq!(world.state(0, 3), Some(NeighborState::TwoWay));
    assert_eq!(world.state(3, 0), Some(NeighborState::TwoWay));
    assert!(world.are_full(1, 3) && world.are_full(2, 3));
}

#[test]
fn lossy_lans_agree_in_the_end() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let nodes: Vec<usize> =
            (1..=5).map(|number| world.add(settings(number, &[("eth0", with(1))]))).collect();
        let ends: Vec<(usize, &str)> = nodes.iter().map(|node| (*node, "eth0")).collect();
        let lan = world.join("10.0.0.0/24", &ends);
        world.networks[lan].loss = 20;
        world.run(seconds(300));
        world.networks[lan].loss = 0;
        world.run(seconds(60));
        let (designated, backup) = elected(&world);
        assert!(designated != 0 && backup != 0 && designated != backup, "seed {seed}");
        for node in nodes.iter().filter(|node| **node + 1 != usize::from(designated)) {
            assert!(world.are_full(*node, usize::from(designated) - 1), "seed {seed}");
        }
    }
}
