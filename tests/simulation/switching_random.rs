//! Whatever happens to a switch at whatever moment, with whole agents: `SHUNT_SCHEDULES=5000` tries more of it.

use std::time::Duration;

use shunt::api::v1::SwitchRequest;
use shunt::sim::World;
use shunt::types::Rng;

use crate::switching::Fleet;

/// Of the schedule, from its number.
struct Disturbance {
    rng: Rng,
    /// This one stays as it is, so that there is always somebody.
    spared: usize,
    down: [bool; 4],
    full: [bool; 4],
    cut: [bool; 4],
}

impl Disturbance {
    fn disturb(&mut self, fleet: &mut Fleet) {
        let node = self.rng.below(4) as usize;
        if node == self.spared {
            return;
        }
        match self.rng.below(6) {
            0 | 1 if !self.down[node] => {
                fleet.world.kill(fleet.nodes[node]);
                self.down[node] = true;
            }
            2 if !self.down[node] => {
                fleet.world.power_off(fleet.nodes[node]);
                self.down[node] = true;
            }
            0..=2 => self.start(node, fleet),
            3 => {
                self.cut[node] = !self.cut[node];
                match self.cut[node] {
                    true => fleet.world.cut(fleet.links[node]),
                    false => fleet.world.mend(fleet.links[node]),
                }
            }
            4 => {
                self.full[node] = !self.full[node];
                fleet.world.set_disk_full(fleet.nodes[node], self.full[node]);
            }
            _ => {
                let to = if self.rng.chance(50) { "dc1" } else { "dc2" };
                fleet.switch(node, to);
            }
        }
    }

    fn start(&mut self, node: usize, fleet: &mut Fleet) {
        if std::mem::take(&mut self.down[node]) {
            fleet.world.start(fleet.nodes[node]);
        }
    }

    fn heal(&mut self, fleet: &mut Fleet) {
        for node in 0..4 {
            fleet.world.mend(fleet.links[node]);
            fleet.world.set_disk_full(fleet.nodes[node], false);
            self.start(node, fleet);
        }
    }
}

fn request(rng: &mut Rng) -> SwitchRequest {
    let without = if rng.chance(20) { vec!["a2".to_owned()] } else { Vec::new() };
    SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["payments".to_owned()],
        to: "dc2".to_owned(),
        without,
        deadline_us: 8_000_000,
        ..SwitchRequest::default()
    }
}

#[test]
fn whatever_happens_the_group_ends_at_one_site() {
    let schedules = std::env::var("SHUNT_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let mut at = [0; 2];
    let mut longest = Duration::ZERO;
    let first = std::env::var("SHUNT_FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    for seed in first..first + schedules.unwrap_or(60) {
        let mut fleet = Fleet::new(seed);
        let mut rng = Rng::new(!seed);
        let spared = rng.below(4) as usize;
        let on = rng.below(4) as usize;
        let wanted = request(&mut rng);
        fleet.world.switch(fleet.nodes[on], wanted);
        let mut disturbance =
            Disturbance { rng, spared, down: [false; 4], full: [false; 4], cut: [false; 4] };
        for _ in 0..1 + disturbance.rng.below(5) {
            // A switch takes some 50 ms, and more where something is the matter.
            let short = disturbance.rng.chance(70);
            let span = disturbance.rng.below(if short { 20_000 } else { 3_000_000 });
            let until = fleet.world.now() + Duration::from_micros(span);
            while fleet.world.now() < until {
                fleet.world.run_for(Duration::from_micros(500).min(until.since(fleet.world.now())));
                assert!(fleet.exit().is_some(), "{seed}: no site at {}", fleet.world.now());
            }
            disturbance.disturb(&mut fleet);
        }
        disturbance.heal(&mut fleet);
        let healed = fleet.world.now();
        fleet.world.run_for(Duration::from_secs(2));
        assert_eq!(
            fleet.preferred().len(),
            1,
            "{seed}: {:?}\n{}",
            fleet.announced(),
            fleet.world.transcript()
        );
        let nodes = fleet.nodes;
        let settled = |world: &World| {
            nodes.iter().all(|node| {
                world.agent(*node).is_some_and(|agent| agent.switches().switches.is_empty())
            })
        };
        assert!(
            fleet.world.run_until(Duration::from_secs(60), settled),
            "{seed}: {}",
            fleet.world.transcript()
        );
        let took = fleet.world.now().since(healed);
        longest = longest.max(took);
        fleet.world.run_for(Duration::from_secs(50));
        match (fleet.announced(), fleet.exit()) {
            ([200, 200, 100, 100], Some("dc1")) => at[0] += 1,
            ([100, 100, 200, 200], Some("dc2")) => at[1] += 1,
            other => panic!("{seed}: {other:?}, {took:?}\n{}", fleet.world.transcript()),
        }
    }
    println!("longest {longest:?}, {at:?}");
    assert!(at.iter().all(|count| *count > 10), "both happen: {at:?}");
}
