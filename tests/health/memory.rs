//! What is known outlives settings and processes.

use shunt::health::{Memory, Settings, State};

use crate::world::{Does, World, millis, settings};

#[test]
fn what_is_down_counts_as_down_over_a_reload_until_it_has_risen() {
    let mut world = World::new(1, &[("a", settings())]);
    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    world.configure(&[("a", Settings { timeout: millis(40), ..settings() })]);
    assert_eq!((world.state("a"), world.verdict("a").known), (State::Unknown, Some(State::Down)));
    world.set("a", Does::Answers(1));
    world.until("a", State::Up);
    assert_eq!(world.health.check("a").unwrap().counters().answered, 2, "rise");
}

#[test]
fn the_same_settings_keep_all_that_is_known() {
    let mut world = World::new(1, &[("a", settings()), ("b", settings())]);
    world.run_for(millis(2000));
    let since = world.verdict("a").since;
    let counters = world.health.check("a").unwrap().counters();
    world.configure(&[("a", settings())]);
    assert_eq!((world.state("a"), world.verdict("a").since), (State::Up, since));
    assert_eq!(world.health.check("a").unwrap().counters(), counters);
    assert!(world.health.memory(world.now).0.is_empty(), "what is well need not be remembered");
}

#[test]
fn a_restart_remembers_what_is_down() {
    let mut world = World::new(1, &[("a", settings())]);
    world.set("a", Does::Refuses(0));
    world.until("a", State::Down);
    let wall = shunt::types::Wall::from_micros(1_767_225_600_000_000);
    let text = world.health.memory(world.now).to_text(wall);
    let memory = Memory::from_text(&text, wall).unwrap();
    let mut world = World::with_memory(2, &[("a", settings()), ("b", settings())], memory);
    assert_eq!(world.verdict("a").known, Some(State::Down));
    assert_eq!(world.verdict("b").known, None);
    assert!(world.until("a", State::Up) < millis(200), "what is well again is seen soon");
}
