//! How soon what happens to a service is seen, and how much is asked.

use std::time::Duration;

use shunt::health::{Settings, State};
use shunt::types::Rng;

use crate::world::{Does, World, millis, settings};

/// From the first failed answer to the verdict.
fn seen_after(settings: &Settings, does: &Does, seed: u64) -> Duration {
    let mut world = World::new(seed, &[("a", settings.clone())]);
    world.until("a", State::Up);
    world.run_for(millis(500 + seed % 97));
    world.set("a", does.clone());
    while world.health.check("a").unwrap().counters().failed == 0 {
        world.run_for(Duration::from_micros(500));
    }
    world.until("a", State::Down)
}

/// What the issue promises, of which 20 ms are the network's.
#[test]
fn a_failure_is_seen_within_fall_fast_intervals_and_a_timeout() {
    let mut rng = Rng::new(3);
    for seed in 0..300 {
        let fast = 5 + rng.below(60);
        let settings = Settings {
            interval: millis(fast + rng.below(300)),
            fast_interval: millis(fast),
            connect_timeout: millis(20 + rng.below(400)),
            timeout: millis(20 + rng.below(400)),
            fall: 1 + rng.below(6) as u8,
            rise: 1 + rng.below(4) as u8,
            jitter: rng.below(51) as u8,
            ..settings()
        };
        let does = [Does::Hangs, Does::Refuses(0), Does::Refuses(15)];
        for does in &does {
            let took = seen_after(&settings, does, seed);
            let bound = settings.fast_interval * u32::from(settings.fall) + settings.timeout;
            assert!(took <= bound, "{took:?} instead of {bound:?}: {does:?} {settings:?}");
        }
    }
}

/// Twenty times in a row 100 ms, 20 ms in doubt, 50 ms timeout: what it takes from the moment the service dies.
#[test]
fn the_usual_figures() {
    let mut longest = Duration::ZERO;
    for seed in 0..20 {
        let mut world = World::new(seed, &[("a", settings())]);
        world.until("a", State::Up);
        world.run_for(millis(500 + 5 * seed));
        world.set("a", Does::Hangs);
        longest = longest.max(world.until("a", State::Down));
    }
    // An interval, the timeout, and then two more runs begin 20 ms apart, the last of which needs its timeout.
    assert!(longest <= millis(100 + 51 + 20 + 51 + 20), "{longest:?}");
}

#[test]
fn outside_of_doubt_there_is_one_run_at_most() {
    let mut world = World::new(1, &[("a", settings())]);
    // Slower than the interval, and well all the same.
    let patient = Settings { timeout: millis(500), ..settings() };
    world.configure(&[("a", patient)]);
    world.set("a", Does::Answers(350));
    world.run_for(millis(20_000));
    assert_eq!(world.most["a"], 1);
    assert_eq!(world.state("a"), State::Up);
    let begun = &world.begun["a"];
    assert!(begun.windows(2).skip(1).all(|pair| pair[1] - pair[0] == millis(350)), "{begun:?}");
}

/// Connections are set up in no time here, but jitter makes the next run due before the one that hangs is given up.
#[test]
fn a_run_that_fits_into_the_interval_does_not_delay_the_next() {
    let settings = Settings { timeout: millis(100), jitter: 20, ..settings() };
    let mut world = World::new(1, &[("a", settings)]);
    world.set("a", Does::Hangs);
    world.until("a", State::Down);
    world.run_for(millis(1000));
    world.most.clear();
    world.run_for(millis(60_000));
    assert_eq!(world.most["a"], 2);
    let begun = &world.begun["a"];
    assert!(begun.windows(2).all(|pair| pair[1] - pair[0] <= millis(100)), "{begun:?}");
}

#[test]
fn in_doubt_there_are_no_more_runs_than_it_takes() {
    for does in [Does::Hangs, Does::Answers(45)] {
        let mut world = World::new(1, &[("a", Settings { timeout: millis(2000), ..settings() })]);
        world.until("a", State::Up);
        world.set("a", does);
        world.run_for(millis(60_000));
        assert!(world.most["a"] <= 3, "{:?}", world.most);
    }
    // And one that has been down for long costs one slot.
    let mut world = World::new(1, &[("a", Settings { timeout: millis(2000), ..settings() })]);
    world.set("a", Does::Hangs);
    world.until("a", State::Down);
    world.run_for(millis(5000));
    world.most.clear();
    world.run_for(millis(60_000));
    assert_eq!(world.most["a"], 1);
}

#[test]
fn it_is_asked_fast_only_while_in_doubt() {
    let mut world = World::new(1, &[("a", settings())]);
    world.until("a", State::Up);
    let count = |world: &mut World, span| {
        let before = world.begun["a"].len();
        world.run_for(millis(span));
        world.begun["a"].len() - before
    };
    assert_eq!(count(&mut world, 10_000), 100);
    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    world.run_for(millis(200));
    assert_eq!(count(&mut world, 10_000), 100, "nothing is in doubt when it is down");
}

#[test]
fn jitter_makes_a_run_earlier_and_never_later() {
    let mut world = World::new(9, &[("a", Settings { jitter: 30, ..settings() })]);
    world.run_for(millis(100_000));
    let begun = &world.begun["a"];
    let gaps: Vec<Duration> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (millis(70)..=millis(100)).contains(gap)));
    assert!(gaps.iter().any(|gap| *gap < millis(72)) && gaps.iter().any(|gap| *gap > millis(98)));
}

/// After standing still it goes on, and does not catch up.
#[test]
fn what_was_missed_is_not_made_up_for() {
    let mut world = World::new(1, &[("a", settings())]);
    world.until("a", State::Up);
    let begun = world.begun["a"].len();
    world.stop_for(millis(60_000));
    world.run_for(millis(61_000));
    assert!(world.begun["a"].len() - begun <= 12, "{}", world.begun["a"].len() - begun);
}

#[test]
fn what_is_down_can_be_hurried() {
    let rarely = Duration::from_secs(1500);
    let rare = Settings { interval: rarely, ..settings() };
    let mut world = World::new(1, &[("a", rare.clone()), ("b", rare)]);
    world.until("b", State::Up);
    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    world.run_for(Duration::from_secs(30));
    world.set("a", Does::Answers(1));
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.state("a"), State::Down);
    let runs = world.health.check("b").unwrap().counters().answered;
    let now = world.now;
    world.health.hurry(now);
    let took = world.until("a", State::Up);
    assert!(took <= Duration::from_secs(2), "{took:?}");
    assert_eq!(world.health.check("b").unwrap().counters().answered, runs, "it does well");
}
