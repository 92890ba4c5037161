//! When the first advertisement of a new Active leaves: it moves the virtual MAC address, which the one before may serve.

use shunt::types::Time;
use shunt::vrrp::{Order, Reason, State};

use super::world::{World, id, millis, seconds, v3};

/// The second of two, whose addresses do not come by themselves; and the first one, Active.
fn pair(priority: u8) -> (World, usize, usize) {
    let mut world = World::new(1, 1);
    let first = world.add(&[v3(0, 150)]);
    world.run(seconds(10));
    let second = world.add(&[v3(0, priority)]);
    world.nodes[second].announces = false;
    (world, first, second)
}

#[test]
fn who_is_handed_the_role_says_so_when_it_has_the_addresses() {
    let (mut world, first, second) = pair(100);
    world.run(seconds(5));
    let begin = world.now;
    world.release(first, true);
    world.run(millis(1000));
    assert_eq!(world.last(second), (State::Active, Reason::ActiveLeft));
    assert_eq!(world.said(second, begin), []);
    world.order(second, Order::Announce { router: id(1) });
    assert_eq!(world.said(second, begin), [(world.now, 100)]);
    let announced: Vec<_> = world.nodes[second].announced.iter().map(|told| told.0).collect();
    assert_eq!(announced, [world.now]);
    // From there on each second.
    let told = world.now;
    world.run(millis(999));
    assert_eq!(world.said(second, told).len(), 1);
    world.run(millis(1));
    assert_eq!(world.said(second, told).len(), 2);
    world.order(second, Order::Announce { router: id(1) });
    assert_eq!(world.said(second, told).len(), 2, "once is enough");
}

#[test]
fn addresses_that_do_not_come_are_not_waited_for_longer_than_an_interval() {
    let (mut world, first, second) = pair(100);
    world.run(seconds(5));
    let begin = world.now;
    world.release(first, true);
    assert!(world.run_until(seconds(1), |world| world.state(second) == State::Active));
    world.run(millis(998));
    assert_eq!(world.said(second, begin), []);
    world.run(millis(2));
    assert_eq!(world.said(second, begin).len(), 1);
    assert_eq!(world.active(0), [second]);
}

#[test]
fn who_preempts_leaves_the_role_to_the_lower_one_until_it_has_the_addresses() {
    let (mut world, first, second) = pair(200);
    world.run(millis(3900));
    assert_eq!(world.last(second), (State::Active, Reason::Preempted));
    // Whose advertisements it hears meanwhile.
    assert_eq!((world.state(first), world.said(second, Time::ZERO)), (State::Active, vec![]));
    world.order(second, Order::Announce { router: id(1) });
    world.run(millis(2));
    assert_eq!(world.last(first), (State::Backup, Reason::HigherPriority));
    assert_eq!(world.nodes[second].conflicts, []);
}

#[test]
fn where_nobody_is_active_any_more_it_is_said_at_once() {
    let (mut world, first, second) = pair(100);
    world.run(seconds(5));
    let begin = world.now;
    world.kill(first);
    assert!(world.run_until(seconds(4), |world| world.state(second) == State::Active));
    assert_eq!(world.last(second), (State::Active, Reason::ActiveDown));
    assert_eq!(world.said(second, begin).len(), 1);
    assert_eq!(world.nodes[second].announced.len(), 0);
}

#[test]
fn who_gives_the_role_back_before_it_has_told_of_it_says_so_all_the_same() {
    let (mut world, first, second) = pair(100);
    world.run(seconds(5));
    let begin = world.now;
    world.stop(first);
    world.run(millis(900));
    assert_eq!((world.state(second), world.said(second, begin)), (State::Active, vec![]));
    world.release(second, true);
    let priorities: Vec<u8> = world.said(second, begin).iter().map(|(_, p)| *p).collect();
    assert_eq!(priorities, [0]);
}
