//! A process that stood still does not act on what it knew before.

use shunt::vrrp::{Reason, State};

use super::world::{World, every, micros, millis, seconds, v3, v4};

fn pair() -> (World, usize, usize) {
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v3(0, 150), 10)]);
    let b = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
    (world, a, b)
}

#[test]
fn an_active_that_stood_still_is_backup_and_preempts_again() {
    let (mut world, a, b) = pair();
    world.nodes[a].stopped = true;
    world.run(seconds(2));
    assert_eq!(world.state(b), State::Active);
    world.sent.clear();
    world.thaw(a);
    world.run(millis(1));
    // Not one advertisement of the past: only that it leaves.
    assert!(
        world
            .story(a)
            .ends_with(&[(State::Backup, Reason::Stalled), (State::Backup, Reason::AnotherActive)])
    );
    assert_eq!(world.said(a, world.sent[0].at).iter().filter(|(_, p)| *p != 0).count(), 0);
    assert_eq!(world.active(0), [b]);
    assert_eq!(world.summary(a, 1).active, Some(v4(0, b)));
    world.run(seconds(1));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn that_is_noticed_without_a_packet_too() {
    let (mut world, a, b) = pair();
    world.kill(b);
    world.freeze(a, millis(400));
    world.run(millis(1));
    assert_eq!(world.last(a), (State::Backup, Reason::Stalled));
    world.run(millis(345));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
}

#[test]
fn a_short_stop_changes_nothing() {
    let (mut world, a, b) = pair();
    let changes = world.nodes[a].changes.len();
    for _ in 0..20 {
        world.freeze(a, millis(190));
        world.run(millis(150));
    }
    assert_eq!(world.nodes[a].changes.len(), changes);
    assert_eq!(world.active(0), [a]);
    assert_eq!(world.summary(b, 1).takeovers, 0);
}

#[test]
fn the_bound_is_what_the_best_backup_waits_for() {
    // Three intervals after the last advertisement the first of them may have taken over.
    for (late, stalled) in [(micros(299_900), false), (micros(300_000), true)] {
        let mut world = World::new(1, 1);
        let a = world.add(&[every(v3(0, 150), 10)]);
        world.run(seconds(5));
        let last = world.sent.last().unwrap().at;
        let it = &mut world.nodes[a].vrrp;
        it.tick(last + late);
        let state = it.summaries(last)[0].state;
        assert_eq!(state == State::Backup, stalled, "{late:?}");
    }
}

#[test]
fn a_backup_that_stood_still_does_not_take_over_for_its_own_silence() {
    let (mut world, a, b) = pair();
    // Its socket has lost everything meanwhile.
    world.cut(0, a, b);
    world.nodes[b].stopped = true;
    world.run(seconds(5));
    world.heal();
    world.thaw(b);
    world.run(seconds(5));
    assert_eq!(world.summary(b, 1).takeovers, 0);
    assert_eq!(world.active(0), [a]);
    // And if the Active is really gone, it takes over in the usual time.
    world.kill(a);
    world.freeze(b, seconds(5));
    world.run(millis(370));
    assert_eq!(world.active(0), [b]);
}

#[test]
fn a_stalled_member_takes_its_group_along() {
    use super::world::synced;
    let mut world = World::new(1, 2);
    let settings = |priority| [0, 1].map(|s| synced(every(v3(s, priority), [10, 100][s])));
    let a = world.add(&settings(150));
    let b = world.add(&settings(100));
    world.run(seconds(10));
    assert_eq!((world.active(0), world.active(1)), (vec![a], vec![a]));
    // Long for the one, short for the other.
    world.freeze(a, millis(500));
    world.run(millis(1));
    let states = [1, 2].map(|id| world.summary(a, id));
    assert_eq!(states.clone().map(|s| s.state), [State::Backup; 2]);
    assert_eq!(states.map(|s| s.reason), [Reason::Stalled; 2]);
    world.run(seconds(60));
    assert_eq!((world.active(0), world.active(1)), (vec![a], vec![a]));
    let _ = b;
}

#[test]
fn an_owner_that_stood_still_is_back_without_a_delay() {
    let mut world = World::new(1, 1);
    let owner = every(v3(0, 255), 10);
    let a = world.add(&[shunt::vrrp::Settings { preempt_delay: seconds(100), ..owner }]);
    let b = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(5));
    world.freeze(a, seconds(2));
    assert_eq!(world.active(0), [b]);
    world.run(millis(302));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn a_delay_that_ran_while_we_stood_still_begins_anew() {
    let mut world = World::new(1, 1);
    let settings = every(v3(0, 150), 10);
    let a = world.add(&[shunt::vrrp::Settings { preempt_delay: seconds(2), ..settings }]);
    for _ in 0..10 {
        world.hear_priority(a, 100);
        world.run(millis(100));
    }
    world.freeze(a, seconds(10));
    world.run(millis(200));
    assert_eq!(world.state(a), State::Backup);
    for _ in 0..19 {
        world.hear_priority(a, 100);
        world.run(millis(100));
    }
    assert_eq!(world.state(a), State::Backup);
}
