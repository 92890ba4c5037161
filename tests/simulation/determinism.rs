use std::time::Duration;

use shunt::sim::Link;

use crate::firewalls;
use crate::topology::*;

/// Some life: loss, a switch, a death, a cut.
fn story(seed: u64) -> String {
    let link = Link { latency: Duration::from_millis(3), loss: 20 };
    let mut pair = pair(seed, link);
    pair.world.start(pair.edge);
    pair.world.start(pair.isp);
    pair.world.run_for(Duration::from_secs(20));
    pair.world.order(pair.edge, "prefer", "payments", "standby");
    pair.world.run_for(Duration::from_secs(3));
    pair.world.kill(pair.isp);
    pair.world.run_for(Duration::from_secs(1));
    pair.world.start(pair.isp);
    pair.world.cut(pair.link);
    pair.world.run_for(Duration::from_secs(15));
    pair.world.mend(pair.link);
    pair.world.run_for(Duration::from_secs(60));
    pair.world.transcript().to_owned()
}

#[test]
fn the_same_seed_gives_the_same_transcript() {
    for seed in 0..20 {
        assert_eq!(story(seed), story(seed), "seed {seed}");
    }
}

/// With a lane beside each agent, virtual routers, and clocks that disagree.
#[test]
fn a_pair_of_firewalls_does_the_same_again() {
    for seed in 0..3 {
        assert_eq!(firewalls::story(seed), firewalls::story(seed), "seed {seed}");
    }
    assert_ne!(firewalls::story(1), firewalls::story(2));
}

#[test]
fn another_seed_gives_another_transcript() {
    assert_ne!(story(1), story(2));
}
