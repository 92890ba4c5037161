//! Whatever services do, whenever.

use std::time::Duration;

use shunt::health::{Damping, Objective, Settings, State};
use shunt::types::Rng;

use crate::world::{Does, World, millis, settings};

fn draw(rng: &mut Rng) -> Does {
    match rng.below(6) {
        0 => Does::Hangs,
        1 => Does::Refuses(rng.below(40)),
        2 => Does::NotAsked,
        3 => Does::Vanishes,
        _ => Does::Answers(rng.below(60)),
    }
}

#[test]
fn what_a_service_does_for_long_is_what_is_thought_of_it() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let half_life = millis(500);
        let damping = Damping { half_life, hold_above: 2500, release_below: 750 };
        let each = Settings {
            slow: rng.chance(50).then_some(millis(30)),
            objective: rng.chance(50).then_some(Objective { p95: millis(20), window: 20 }),
            damping: rng.chance(50).then_some(damping),
            rise: 1 + rng.below(4) as u8,
            fall: 1 + rng.below(4) as u8,
            ..settings()
        };
        let mut world = World::new(seed, &[("a", each.clone())]);
        for _ in 0..60 {
            let does = draw(&mut rng);
            world.set("a", does);
            if rng.chance(10) {
                world.stop_for(millis(rng.below(3000)));
            }
            world.run_for(millis(rng.below(1500)));
            assert!(world.most.get("a").is_none_or(|most| *most <= 4), "{seed}");
        }
        for (does, state) in [
            (Does::Answers(5), State::Up),
            (Does::Hangs, State::Down),
            (Does::NotAsked, State::Unknown),
            (Does::Refuses(3), State::Down),
            (Does::Answers(5), State::Up),
        ] {
            world.set("a", does.clone());
            world.run_for(Duration::from_secs(20));
            assert_eq!(world.state("a"), state, "{seed} {does:?} {each:?}");
        }
        assert_eq!((world.verdict("a").score, world.verdict("a").held), (100, None), "{seed}");
    }
}

/// A service that only ever answers, with whatever a driver and a machine do to us, is never down.
#[test]
fn what_answers_is_never_down() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut world = World::new(seed, &[("a", Settings { fall: 1, ..settings() })]);
        for _ in 0..100 {
            world.set(
                "a",
                match rng.below(3) {
                    0 => Does::NotAsked,
                    1 => Does::Vanishes,
                    _ => Does::Answers(rng.below(50)),
                },
            );
            if rng.chance(20) {
                world.stop_for(millis(rng.below(20_000)));
            }
            world.run_for(millis(rng.below(2000)));
        }
        assert!(world.changes.iter().all(|(_, _, state)| *state != State::Down), "{seed}");
    }
}
