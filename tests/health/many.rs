//! Two thousand checks.

use std::collections::BTreeMap;
use std::time::Duration;

use shunt::health::{Settings, State};

use crate::world::{Does, World, millis, settings};

#[test]
fn of_two_thousand_none_misses_an_interval_whatever_others_do() {
    // The defaults: what says nothing is given up when the next run is due.
    let each = Settings {
        interval: Duration::from_secs(1),
        fast_interval: millis(200),
        connect_timeout: millis(1000),
        timeout: millis(1000),
        jitter: 10,
        ..settings()
    };
    let names: Vec<String> = (0..2000).map(|number| format!("c{number:04}")).collect();
    let mut checks: Vec<(&str, Settings)> = Vec::new();
    for name in &names {
        checks.push((name, each.clone()));
    }
    let mut world = World::new(5, &checks);
    for name in names.iter().skip(1).step_by(4) {
        world.set(name, Does::Hangs);
    }
    for name in names.iter().skip(2).step_by(4) {
        world.set(name, Does::Refuses(0));
    }
    world.run_for(Duration::from_secs(10));
    let mut within = BTreeMap::new();
    for name in &names {
        let begun = &world.begun[name];
        assert!(begun[0].as_micros() <= 1_000_000, "{name}");
        for pair in begun.windows(2) {
            assert!(pair[1] - pair[0] <= Duration::from_secs(1), "{name}: {begun:?}");
        }
        *within.entry(begun[0].as_micros() / 100_000).or_insert(0) += 1;
    }
    // They do not begin together.
    assert!(within.values().all(|count| (120..=280).contains(count)), "{within:?}");
    let down = names.iter().filter(|name| world.state(name) == State::Down).count();
    assert_eq!(down, 1000);
    // And nothing is told while nothing changes.
    world.changes.clear();
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.changes, []);
}
