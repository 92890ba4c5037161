//! So many of others.

use shunt::health::{Damping, Method, Settings, State};

use crate::world::{Does, World, millis, settings};

fn farm(at_least: usize) -> World {
    let names = ["b1", "b2", "b3", "b4"];
    let of = names.map(str::to_owned).into();
    let farm = Settings { method: Method::Backends { of, at_least }, ..settings() };
    let mut checks = vec![("farm", farm)];
    checks.extend(names.map(|name| (name, settings())));
    World::new(1, &checks)
}

#[test]
fn so_many_must_be_up_and_the_score_says_how_many_are() {
    let mut world = farm(3);
    assert_eq!(world.state("farm"), State::Unknown, "two may be enough yet");
    world.until("farm", State::Up);
    world.run_for(millis(200));
    assert_eq!((world.verdict("farm").score, world.state("farm")), (100, State::Up));
    world.set("b2", Does::Refuses(0));
    world.until("b2", State::Down);
    let verdict = world.verdict("farm");
    assert_eq!((verdict.state, verdict.score), (State::Up, 75));
    assert_eq!(verdict.reason, "3 of 4 are up, down: b2");
    world.set("b4", Does::Hangs);
    world.until("b4", State::Down);
    let verdict = world.verdict("farm");
    assert_eq!((verdict.state, verdict.score), (State::Down, 0));
    assert_eq!(verdict.reason, "2 of 4 are up, down: b2, b4");
    world.set("b4", Does::Answers(1));
    world.until("b4", State::Up);
    assert_eq!(world.state("farm"), State::Up);
}

#[test]
fn what_is_not_known_may_be_up() {
    let mut world = farm(3);
    for backend in ["b1", "b2"] {
        world.set(backend, Does::NotAsked);
    }
    world.run_for(millis(5000));
    assert_eq!(world.state("farm"), State::Unknown);
    world.set("b1", Does::Refuses(0));
    world.set("b3", Does::Refuses(0));
    world.until("farm", State::Down);
}

/// The counting check asks nothing, and its own damping ends without changing what it counts.
#[test]
fn it_asks_nothing_and_is_damped_like_others() {
    let mut world = farm(4);
    let half_life = std::time::Duration::from_secs(2);
    let damping = Some(Damping { half_life, hold_above: 1500, release_below: 750 });
    let names = ["b1", "b2", "b3", "b4"];
    let of = names.map(str::to_owned).into();
    let farm = Settings { method: Method::Backends { of, at_least: 3 }, damping, ..settings() };
    let mut checks = vec![("farm", farm)];
    checks.extend(names.map(|name| (name, settings())));
    world.configure(&checks);
    world.run_for(millis(1000));
    for _ in 0..3 {
        for does in [Does::Refuses(0), Does::Answers(1)] {
            world.set("b1", does.clone());
            world.set("b2", does);
            world.run_for(millis(300));
        }
    }
    assert_eq!(world.state("farm"), State::Down);
    assert!(world.verdict("farm").held.is_some());
    world.set("b3", Does::Refuses(0));
    world.until("farm", State::Up);
    assert_eq!(world.verdict("farm").score, 75, "and not what it would be if it asked");
    assert!(!world.begun.contains_key("farm"));
}
