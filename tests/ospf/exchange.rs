//! Large databases: the exchange and loading of what does not fit into a packet.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use shunt::ospf::{Announced, Event, How};
use shunt::wire::ospf::{Body, Frame, LsaType};

use super::world::{World, id, millis, point_to_point, seconds, settings};

/// Router 1 has flooded that many externals to router 3; router 2 has one more, and comes only now, over network 1.
fn loaded(externals: u32, seed: u64) -> World {
    let mut world = World::new(seed);
    let interfaces = [("eth0", point_to_point()), ("eth1", point_to_point())];
    let a = world.add(settings(1, &interfaces));
    let b = world.add(settings(2, &interfaces));
    let c = world.add(settings(3, &interfaces));
    world.join("10.0.1.0/24", &[(a, "eth1"), (c, "eth1")]);
    let announced = Some(Announced { metric: 100, how: How::External2, tag: 0 });
    for number in 0..=externals {
        let prefix = Ipv4Net::new(Ipv4Addr::from_bits(0xc800_0000 + number * 256), 24).unwrap();
        let event = Event::AnnouncementChanged { prefix, announced };
        world.handle(if number < externals { a } else { b }, event);
    }
    world.run(seconds(10));
    assert_eq!(self::externals(&world, c), externals as usize);
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world
}

fn externals(world: &World, node: usize) -> usize {
    let database = world.nodes[node].router.database();
    database.iter().filter(|entry| entry.lsa.header.key.kind == LsaType::EXTERNAL).count()
}

#[test]
fn a_large_database_is_loaded_without_a_break_and_without_fragments() {
    let mut world = loaded(3000, 1);
    let begun = world.now;
    let full = world.run_until(seconds(30), |world| world.are_full(0, 1));
    assert!(full, "{:?}, {} externals", world.state(1, 0), externals(&world, 1));
    assert_eq!(externals(&world, 1), 3001);
    // Nothing had to wait for a repetition.
    assert!(world.now.since(begun) < seconds(2), "{}", world.now);
    assert!(world.sent.iter().all(|packet| packet.octets.len() <= 1480));
    let described = world
        .sent
        .iter()
        .filter(|packet| packet.from == 0 && packet.network == 1)
        .filter_map(|packet| match Frame::parse(&packet.octets).unwrap().body().unwrap() {
            Body::DatabaseDescription(description) => Some(description.headers.len()),
            _ => None,
        })
        .sum::<usize>();
    // Each once: the externals and a few others.
    assert!((3000..3010).contains(&described), "{described}");
    world.run(seconds(3));
    for node in 0..3 {
        assert_eq!(externals(&world, node), 3001);
    }
}

#[test]
fn loss_during_the_exchange_is_made_up_for() {
    for seed in 0..5 {
        let mut world = loaded(1000, seed);
        world.networks[1].loss = 10;
        let full = world.run_until(seconds(600), |world| {
            world.are_full(0, 1) && externals(world, 1) == 1001 && externals(world, 0) == 1001
        });
        assert!(full, "seed {seed}: {:?} {:?}", world.state(0, 1), world.state(1, 0));
    }
}

#[test]
fn a_break_in_the_middle_begins_the_exchange_anew() {
    let mut world = loaded(1000, 1);
    world.run(millis(4));
    world.set_up(1, "eth0", false);
    for span in [3, 8, 15, 30] {
        world.set_up(1, "eth0", true);
        world.run(millis(span));
        world.set_up(1, "eth0", false);
        world.run(millis(100));
    }
    world.set_up(1, "eth0", true);
    assert!(world.run_until(seconds(30), |world| world.are_full(0, 1)));
    world.run(seconds(2));
    assert_eq!((externals(&world, 0), externals(&world, 1)), (1001, 1001));
}

/// Router 2 learns the same from both neighbours at a time, and has nothing to tell them of it (RFC 2328 §13.3 (1) (b)).
#[test]
fn what_a_neighbor_has_described_itself_is_not_flooded_to_it() {
    let mut world = loaded(200, 1);
    world.join("10.0.2.0/24", &[(1, "eth1"), (2, "eth0")]);
    let since = world.sent.len();
    assert!(world.run_until(seconds(30), |world| world.are_full(0, 1) && world.are_full(1, 2)));
    world.run(seconds(2));
    assert_eq!(externals(&world, 1), 201);
    let told = world
        .updates(since)
        .iter()
        .filter(|update| update.from == 1)
        .flat_map(|update| &update.lsas)
        .filter(|lsa| lsa.header.key.kind == LsaType::EXTERNAL)
        .filter(|lsa| lsa.header.key.advertising_router == id(1))
        .count();
    assert_eq!(told, 0);
}
