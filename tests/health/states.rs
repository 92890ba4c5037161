//! From results to states.

use shunt::health::{Settings, State};

use crate::world::{Does, World, millis, settings};

fn one(settings: Settings) -> World {
    let mut world = World::new(1, &[("a", settings)]);
    world.until("a", State::Up);
    world
}

#[test]
fn it_is_unknown_until_it_answers_once() {
    let mut world = World::new(1, &[("a", settings())]);
    assert_eq!(world.verdict("a").reason, "not asked yet");
    assert!(world.until("a", State::Up) <= millis(101));
    assert_eq!((world.begun["a"].len(), world.verdict("a").score), (1, 100));
    assert_eq!(world.verdict("a").reason, "well, 1.0ms");
}

#[test]
fn what_never_answered_becomes_down_and_never_earlier() {
    let mut world = World::new(1, &[("a", settings())]);
    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    assert_eq!(world.begun["a"].len(), 3);
    assert_eq!((world.verdict("a").score, world.verdict("a").reason.as_str()), (0, "refused"));
}

#[test]
fn fall_and_rise_count_what_is_in_a_row() {
    let mut world = one(settings());
    // Two failures, an answer, two failures, …: never three in a row.
    for round in 1..=20 {
        world.set("a", Does::Refuses(0));
        while world.health.check("a").unwrap().counters().failed < 2 * round {
            world.run_for(millis(1));
        }
        world.set("a", Does::Answers(1));
        world.run_for(millis(30));
        assert_eq!(world.state("a"), State::Up);
    }
    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    let answered = world.health.check("a").unwrap().counters().answered;
    world.set("a", Does::Answers(1));
    world.until("a", State::Up);
    assert_eq!(world.health.check("a").unwrap().counters().answered, answered + 2, "rise");
}

#[test]
fn late_answers_are_slow_and_it_still_serves() {
    let mut world = one(Settings { slow: Some(millis(10)), ..settings() });
    world.set("a", Does::Answers(11));
    world.until("a", State::Slow);
    assert!(world.verdict("a").serves());
    assert_eq!(world.verdict("a").score, 50);
    world.set("a", Does::Hangs);
    world.until("a", State::Down);
    world.set("a", Does::Answers(11));
    world.until("a", State::Slow);
    world.set("a", Does::Answers(10));
    world.until("a", State::Up);
}

/// No descriptor, no permission, no source address: that says nothing of the service.
#[test]
fn what_cannot_be_asked_becomes_unknown_and_never_down() {
    let mut world = one(settings());
    world.set("a", Does::NotAsked);
    world.until("a", State::Unknown);
    assert_eq!(world.verdict("a").known, Some(State::Up));
    assert_eq!(world.verdict("a").reason, "no descriptor");
    world.run_for(millis(60_000));
    assert!(world.changes.iter().all(|(_, _, state)| *state != State::Down));
    // It is not asked any more often than usually for that.
    let begun = world.begun["a"].len();
    world.run_for(millis(10_000));
    assert_eq!(world.begun["a"].len() - begun, 100);

    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    world.set("a", Does::NotAsked);
    world.until("a", State::Unknown);
    assert_eq!(world.verdict("a").known, Some(State::Down), "what counts meanwhile");
    // And then one answer is no more than it was before.
    let answered = world.health.check("a").unwrap().counters().answered;
    world.set("a", Does::Answers(1));
    world.until("a", State::Up);
    assert_eq!(world.health.check("a").unwrap().counters().answered, answered + 2);
}

/// Results that are late because we stood still say nothing of the service.
#[test]
fn what_failed_while_this_process_stood_still_does_not_count() {
    for stopped in [400, 2_000, 600_000] {
        let mut world = one(Settings { fall: 1, ..settings() });
        world.set("a", Does::Hangs);
        // A run is under way.
        let begun = world.begun["a"].len();
        while world.begun["a"].len() == begun {
            world.run_for(millis(1));
        }
        world.set("a", Does::Answers(1));
        world.stop_for(millis(stopped));
        world.run_for(millis(stopped + 1000));
        let states: Vec<State> = world.changes.iter().map(|(_, _, state)| *state).collect();
        assert!(!states.contains(&State::Down), "{stopped}: {states:?}");
        assert_eq!(world.state("a"), State::Up);
        assert_eq!(world.health.check("a").unwrap().counters().failed, 0);
    }
}

/// A run whose end is never told must not end the check.
#[test]
fn a_run_that_vanishes_costs_some_seconds() {
    let mut world = one(settings());
    world.set("a", Does::Vanishes);
    world.run_for(millis(200));
    world.set("a", Does::Refuses(0));
    assert!(world.until("a", State::Down) < millis(6000));
    assert_eq!(world.health.check("a").unwrap().counters().not_asked, 1);
}

#[test]
fn a_check_that_is_removed_is_forgotten_with_its_runs() {
    let mut world = World::new(1, &[("a", settings()), ("b", settings())]);
    world.set("a", Does::Hangs);
    world.run_for(millis(130));
    world.configure(&[("b", settings())]);
    assert_eq!(world.forgotten.len(), 1);
    assert!(world.health.verdict("a").is_none());
    let (a, b) = (world.begun["a"].len(), world.begun["b"].len());
    world.run_for(millis(1000));
    assert_eq!((world.begun["a"].len(), world.begun["b"].len()), (a, b + 10));
}

#[test]
fn the_objective_is_graded_beside_the_state() {
    let objective = Some(shunt::health::Objective { p95: millis(10), window: 20 });
    let mut world = one(Settings { objective, ..settings() });
    let check = |world: &World| {
        let check = world.health.check("a").unwrap();
        (check.verdict().grade, check.verdict().score, check.p95())
    };
    world.run_for(millis(3000));
    assert_eq!(check(&world), (0, 100, Some(millis(1))));
    world.set("a", Does::Answers(30));
    world.run_for(millis(250));
    assert_eq!(check(&world).0, 2, "two late answers of twenty are enough");
    assert_eq!((world.state("a"), world.verdict("a").score), (State::Up, 50));
    world.set("a", Does::Answers(1));
    world.run_for(millis(2500));
    assert_eq!(check(&world), (0, 100, Some(millis(1))));
}
