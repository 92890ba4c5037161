//! Gratuitous ARP and unsolicited Neighbor Advertisements.

use std::net::IpAddr;
use std::time::Duration;

use shunt::types::{Mac, Time};
use shunt::vrrp::{Order, Settings, State};

use super::world::{World, every, id, ipv6, millis, seconds, v3};

/// When it was announced, after `since`, in milliseconds.
fn times(world: &World, node: usize, since: Time) -> Vec<u128> {
    let announced = world.nodes[node].announced.iter();
    let times = announced.filter(|(at, ..)| *at >= since);
    times.map(|(at, ..)| at.since(since).as_millis()).collect()
}

/// A router that has been Active for a while.
fn active(settings: Settings) -> (World, usize) {
    let mut world = World::new(1, 1);
    let a = world.add(&[settings]);
    world.run(seconds(20));
    assert_eq!(world.state(a), State::Active);
    (world, a)
}

#[test]
fn addresses_are_announced_at_once_and_as_often_as_configured() {
    let settings = Settings { announcements: 4, announcement_interval: millis(50), ..v3(0, 100) };
    let (world, a) = active(settings);
    let (at, _) = world.nodes[a].changes.last().unwrap();
    assert_eq!(times(&world, a, *at), [0, 50, 100, 150]);
}

#[test]
fn all_addresses_are_announced_with_the_virtual_mac() {
    // RFC 9568 §6.4.1, §6.4.2: one for each address.
    let (world, a) = active(ipv6(0, 100));
    let mac = Some(Mac([0, 0, 0x5e, 0, 2, 10]));
    let announced: Vec<_> =
        world.nodes[a].announced.iter().map(|(_, i, m, ip)| (*i, *m, *ip)).collect();
    let [first, second]: [IpAddr; 2] = ipv6(0, 1).addresses.try_into().unwrap();
    assert_eq!(announced, [(1, mac, first), (1, mac, second)].repeat(3));
}

#[test]
fn nothing_is_announced_before_the_addresses_are_there() {
    // RFC 9568 §8.1.2. The world answers a change to Active with the order, so it is dropped here.
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    world.order(a, Order::Announce { router: id(1) });
    assert_eq!(world.nodes[a].announced, []);
}

#[test]
fn repetitions_end_with_the_state() {
    let settings = Settings { announcements: 200, ..v3(0, 100) };
    let (mut world, a) = active(settings);
    assert!(world.nodes[a].announced.len() > 50);
    let now = world.now;
    world.hear_priority(a, 200);
    world.run(seconds(2));
    assert_eq!(times(&world, a, now), []);
}

#[test]
fn once_is_the_least() {
    let (world, a) = active(Settings { announcements: 0, ..v3(0, 100) });
    assert_eq!(world.nodes[a].announced.len(), 1);
}

#[test]
fn the_order_again_announces_again() {
    let (mut world, a) = active(v3(0, 100));
    let now = world.now;
    world.order(a, Order::Announce { router: id(1) });
    world.run(seconds(5));
    assert_eq!(times(&world, a, now), [0, 200, 400]);
}

#[test]
fn another_active_is_answered_once_a_second_and_once_more_at_the_end() {
    let (mut world, a) = active(v3(0, 100));
    let now = world.now;
    for _ in 0..25 {
        world.hear_priority(a, 99);
        world.run(millis(100));
    }
    world.run(seconds(10));
    assert_eq!(times(&world, a, now), [0, 1000, 2000, 3000]);
}

#[test]
fn who_leaves_was_active_so_the_link_is_told_again() {
    let (mut world, a) = active(v3(0, 100));
    let now = world.now;
    world.hear_priority(a, 0);
    world.run(seconds(5));
    assert_eq!(times(&world, a, now), [0, 1000]);
    assert_eq!(world.nodes[a].conflicts, []);
}

#[test]
fn a_quiet_active_announces_no_more() {
    let (mut world, a) = active(every(v3(0, 100), 10));
    let now = world.now;
    world.run(Duration::from_secs(600));
    assert_eq!(times(&world, a, now), []);
}

#[test]
fn a_later_takeover_announces_nothing_of_the_one_before() {
    let settings = Settings { announcements: 200, ..v3(0, 100) };
    let (mut world, a) = active(settings);
    world.nodes[a].announces = false;
    let now = world.now;
    world.hear_priority(a, 200);
    world.run(seconds(10));
    assert_eq!((world.state(a), times(&world, a, now)), (State::Active, vec![]));
    world.hear_priority(a, 50);
    assert_eq!(times(&world, a, now), [], "the addresses are not there");
}

#[test]
fn one_packet_of_another_active_is_answered_twice() {
    // It may tell the link once more that the addresses are its own before it yields.
    let (mut world, a) = active(v3(0, 100));
    let now = world.now;
    world.hear_priority(a, 99);
    world.run(seconds(10));
    assert_eq!(times(&world, a, now), [0, 1000]);
}

#[test]
fn right_after_an_announcement_another_active_is_answered_later() {
    let (mut world, a) = active(v3(0, 100));
    let now = world.now;
    world.order(a, Order::Announce { router: id(1) });
    world.run(millis(500));
    world.hear_priority(a, 99);
    world.run(seconds(10));
    assert_eq!(times(&world, a, now), [0, 200, 400, 1400]);
}
