//! Two that are Active.

use shunt::types::Time;
use shunt::vrrp::{MacKind, Reason, Settings, State};

use super::world::{Sent, World, advertisement, every, millis, packet, seconds, v3, v4};

/// Both are Active, as neither hears the other.
fn split(first: u8, second: u8) -> (World, usize, usize) {
    split_with(MacKind::Virtual, first, second)
}

fn split_with(mac: MacKind, first: u8, second: u8) -> (World, usize, usize) {
    let mut world = World::new(1, 1);
    let [a, b] = [first, second].map(|priority| {
        let settings = Settings { mac, ..every(v3(0, priority), 10) };
        world.add(&[settings])
    });
    world.cut(0, a, b);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a, b]);
    (world, a, b)
}

#[test]
fn after_a_split_the_higher_priority_stays() {
    for (first, second) in [(150, 100), (100, 150)] {
        let (mut world, a, b) = split(first, second);
        let (better, other) = if first > second { (a, b) } else { (b, a) };
        world.heal();
        assert!(world.run_until(millis(101), |world| world.active(0) == [better]));
        assert_eq!(world.last(other), (State::Backup, Reason::HigherPriority));
        world.run(seconds(60));
        assert_eq!(world.active(0), [better]);
        assert_eq!(world.summary(better, 1).takeovers, 1);
    }
}

#[test]
fn after_a_split_of_equals_the_higher_address_stays() {
    let (mut world, a, b) = split(100, 100);
    world.heal();
    assert!(world.run_until(millis(101), |world| world.active(0) == [b]));
    let reported = &world.nodes[a].conflicts;
    assert_eq!(reported.len(), 1);
    let it = &reported[0];
    assert_eq!((it.address, it.priority, it.yields), (v4(0, b), 100, true));
}

#[test]
fn a_split_that_is_heard_one_way_is_reported_now_and_then() {
    let (mut world, a, b) = split(150, 100);
    // a hears b, and not the other way round.
    world.segments[0].cut.remove(&(b, a));
    let begin = world.now;
    world.run(seconds(35));
    assert_eq!(world.active(0), [a, b]);
    let times: Vec<u64> =
        world.nodes[a].conflicts.iter().map(|it| it.at.since(begin).as_secs()).collect();
    assert_eq!(times, [0, 10, 20, 30]);
    let it = &world.nodes[a].conflicts[0];
    assert_eq!((it.address, it.priority, it.yields), (v4(0, b), 100, false));
    assert_eq!(world.nodes[b].conflicts, []);
    // It claims the addresses again, once a second.
    let since = |world: &World, at: Time| {
        world.nodes[a].announced.iter().filter(|(announced, ..)| *announced >= at).count()
    };
    assert_eq!(since(&world, begin), 35);
}

#[test]
fn a_preemption_is_no_conflict() {
    let mut world = World::new(1, 1);
    let b = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(5));
    let a = world.add(&[every(v3(0, 150), 10)]);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
    assert_eq!(world.nodes[a].conflicts, []);
    assert_eq!(world.nodes[b].conflicts, []);
}

#[test]
fn two_owners_have_a_loser() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 255)]);
    let b = world.add(&[v3(0, 255)]);
    world.run(seconds(30));
    assert_eq!(world.active(0), [b]);
    assert_eq!(world.last(a), (State::Backup, Reason::HigherPriority));
    assert_eq!(world.nodes[a].conflicts.len(), 1);
}

#[test]
fn many_senders_are_reported_a_few_times() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150)]);
    world.run(seconds(10));
    for round in 0..10 {
        for sender in 10..200 {
            world.hear(a, &packet(&advertisement(100), v4(0, sender)));
        }
        world.run(seconds(1));
        assert_eq!(world.nodes[a].conflicts.len(), 4, "{round}");
    }
    world.hear_priority(a, 100);
    assert_eq!(world.nodes[a].conflicts.len(), 5);
}

#[test]
fn a_backup_follows_the_better_of_two() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 50)]);
    let changes = |world: &World| world.nodes[a].changes.len();
    world.hear(a, &packet(&advertisement(100), v4(0, 7)));
    let before = changes(&world);
    for _ in 0..20 {
        world.hear(a, &packet(&advertisement(100), v4(0, 8)));
        world.hear(a, &packet(&advertisement(90), v4(0, 9)));
        world.hear(a, &packet(&advertisement(100), v4(0, 7)));
        world.run(seconds(1));
    }
    assert_eq!(world.summary(a, 1).active, Some(v4(0, 8)));
    assert_eq!(changes(&world), before + 1);
    // Until that one has not been heard for the time that it takes to be given up.
    for _ in 0..4 {
        world.hear(a, &packet(&advertisement(90), v4(0, 9)));
        world.run(seconds(1));
    }
    assert_eq!(world.summary(a, 1).active, Some(v4(0, 9)));
}

#[test]
fn one_more_advertisement_of_whom_we_preempt_is_no_conflict() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150)]);
    assert!(world.run_until(seconds(5), |world| world.state(a) == State::Active));
    world.run(millis(999));
    world.sent.clear();
    world.hear_priority(a, 100);
    assert_eq!((world.nodes[a].conflicts.len(), world.sent.len()), (0, 1));
    world.run(millis(1));
    world.hear_priority(a, 100);
    assert_eq!(world.nodes[a].conflicts.len(), 1);
}

#[test]
fn an_owner_that_has_yielded_claims_nothing() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 255)]);
    let b = world.add(&[v3(0, 255)]);
    world.run(seconds(3));
    world.adjust(a, 5);
    assert_eq!(world.active(0), [b]);
}

#[test]
fn a_loser_lets_the_winner_know() {
    for mac in [MacKind::Virtual, MacKind::Physical] {
        let (mut world, a, b) = split_with(mac, 100, 150);
        // The next one to pass is b's.
        world.run(millis(10));
        let sent = world.sent.len();
        let a_was_last =
            |world: &World| world.sent.len() > sent && world.sent.last().unwrap().from == a;
        assert!(world.run_until(seconds(1), a_was_last));
        let begin = world.now;
        world.heal();
        world.run(seconds(3));
        assert_eq!(world.active(0), [b]);
        let said = world.said(a, begin);
        let [(told, 100)] = said[..] else {
            panic!("{said:?}: b is to know that there was another one, so it is not 0")
        };
        let moved = |sent: &&Sent| sent.from == a && sent.at >= begin && sent.mac.is_some();
        assert!(!world.sent.iter().any(|sent| moved(&sent)), "{mac:?}: the MAC is b's");
        assert_eq!(world.nodes[b].conflicts.len(), 1);
        let announced = world.nodes[b].announced.iter().filter(|(at, ..)| *at >= told);
        assert_eq!(announced.count(), 2);
    }
}

#[test]
fn a_second_split_is_another_one() {
    let (mut world, a, b) = split(150, 100);
    for times in 1..=3 {
        world.heal();
        world.run(seconds(1));
        assert_eq!((world.active(0), world.nodes[a].conflicts.len()), (vec![a], times));
        world.cut(0, a, b);
        world.run(seconds(1));
        assert_eq!(world.active(0), [a, b]);
    }
}
