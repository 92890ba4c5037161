//! What changes too often is held at its worst.

use std::time::Duration;

use shunt::health::{Damping, Settings, State};

use crate::world::{Does, World, millis, settings};

fn damped() -> Settings {
    let half_life = Duration::from_secs(10);
    let damping = Some(Damping { half_life, hold_above: 2500, release_below: 750 });
    Settings { damping, ..settings() }
}

/// Down and up again so often, 1 s each.
fn flap(world: &mut World, times: usize) {
    for _ in 0..times {
        world.set("a", Does::Refuses(0));
        world.run_for(millis(1000));
        world.set("a", Does::Answers(1));
        world.run_for(millis(1000));
    }
}

fn downs(world: &World) -> usize {
    let mut states: Vec<State> = world.changes.iter().map(|(_, _, state)| *state).collect();
    states.dedup();
    states.iter().filter(|state| **state == State::Down).count()
}

#[test]
fn after_some_changes_it_stays_down_until_it_has_been_quiet() {
    let mut world = World::new(1, &[("a", damped())]);
    world.until("a", State::Up);
    flap(&mut world, 100);
    assert!(downs(&world) <= 4, "{} changes", downs(&world));
    let verdict = world.verdict("a");
    assert_eq!(verdict.state, State::Down);
    assert!(verdict.held.is_some_and(|penalty| penalty.points > 2500));
    // The service answers all the time now.
    let quiet = world.until("a", State::Up);
    assert!(quiet > Duration::from_secs(20) && quiet <= Duration::from_secs(41), "{quiet:?}");
    assert_eq!(world.verdict("a").held, None);
}

#[test]
fn without_damping_each_change_counts() {
    let mut world = World::new(1, &[("a", settings())]);
    world.until("a", State::Up);
    flap(&mut world, 20);
    assert_eq!(downs(&world), 20);
}

#[test]
fn damping_survives_a_change_of_settings_and_a_restart() {
    let mut world = World::new(1, &[("a", damped())]);
    world.until("a", State::Up);
    flap(&mut world, 10);
    world.configure(&[("a", Settings { timeout: millis(40), ..damped() })]);
    assert_eq!(world.verdict("a").known, Some(State::Down), "not known anew, but known before");
    world.run_for(millis(1000));
    assert_eq!(world.state("a"), State::Down);
    assert!(world.verdict("a").held.is_some());

    // It goes, comes back ten seconds later, and is half as bad.
    world.configure(&[]);
    world.run_for(millis(10_000));
    world.configure(&[("a", damped())]);
    world.run_for(millis(500));
    let points = world.verdict("a").held.unwrap().points;
    assert!((2000..=4000).contains(&points), "{points}");

    let memory = world.health.memory(world.now);
    let mut world = World::with_memory(2, &[("a", damped())], memory);
    assert_eq!(world.verdict("a").known, Some(State::Down));
    world.run_for(millis(5000));
    assert_eq!(world.state("a"), State::Down, "held although it answers");
    assert!(world.until("a", State::Up) < Duration::from_secs(40));
}
