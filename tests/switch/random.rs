use std::time::Duration;

use shunt::switch::{Ending, Step};
use shunt::types::Rng;

use crate::world::{STEP, World};

const NODES: [&str; 4] = ["a1", "a2", "b1", "b2"];

/// Whatever happens at whatever moment: two seconds after all is well again, and whoever coordinates has been started again,
/// the group is at one site, all nodes agree on it, and the site is where the coordinator said.
#[test]
fn it_is_at_one_site_when_all_is_well_again() {
    let mut endings = [0; 3];
    let mut late = 0;
    for seed in 0..2000 {
        let mut world = World::new(seed);
        let mut rng = Rng::new(!seed);
        let to = if rng.chance(20) { "dc1" } else { "dc2" };
        let on = NODES[rng.below(4) as usize];
        world.switch(on, world.order("s", to));
        if rng.chance(20) {
            let other = NODES[rng.below(4) as usize];
            let order = world.order("t", "dc2");
            world.run(STEP * rng.below(100) as u32);
            world.switch(other, order);
        }
        for _ in 0..rng.below(4) {
            world.run(STEP * rng.below(80) as u32);
            disturb(&mut world, &mut rng);
        }
        world.run(STEP * rng.below(1000) as u32);
        heal(&mut world);
        let healed = world.now;
        while !world.is_settled() || !world.has_ended() {
            world.run(STEP);
            let took = world.now.since(healed);
            if took == Duration::from_secs(2) {
                println!("{seed}: late {}", describe(&world));
                late += 1;
            }
            assert!(took < Duration::from_secs(60), "{seed}: {}", describe(&world));
        }
        // What is at one site stays there.
        let preferred = world.preferred();
        assert_eq!(preferred.len(), 1, "{seed}: {}", describe(&world));
        if world.coordinators.len() == 1 {
            let committed =
                matches!(world.coordinators["s"].ending, Some(Ending::Committed { .. }));
            let expected = if committed { to } else { "dc1" };
            assert_eq!(preferred, [expected].into(), "{seed}: {}", describe(&world));
        }
        world.run(Duration::from_secs(50));
        assert_eq!(world.preferred(), preferred, "{seed}: {}", describe(&world));
        assert!(world.is_settled(), "{seed}: {}", describe(&world));
        match world.coordinators["s"].ending {
            Some(Ending::Committed { .. }) => endings[0] += 1,
            Some(Ending::RolledBack { .. }) => endings[1] += 1,
            Some(Ending::Refused { .. }) => endings[2] += 1,
            _ => panic!("{seed}: {}", describe(&world)),
        }
    }
    println!("{late} late, {endings:?}");
    assert!(endings.iter().all(|count| *count > 100), "each of them happens: {endings:?}");
}

fn disturb(world: &mut World, rng: &mut Rng) {
    let name = NODES[rng.below(4) as usize];
    match rng.below(7) {
        0 | 1 => world.kill(name),
        2 => world.nodes.get_mut(name).unwrap().side ^= 1,
        3 => {
            for name in ["b1", "b2"] {
                world.nodes.get_mut(name).unwrap().side ^= 1;
            }
        }
        4 => {
            let steps = [Step::Prepare, Step::Raise, Step::Lower];
            world.nodes.get_mut(name).unwrap().refuses = Some(steps[rng.below(3) as usize]);
        }
        5 => world.answers = Some("dc1"),
        _ => {
            let all = [Step::Gates, Step::Before, Step::After];
            world.failing.insert(all[rng.below(3) as usize]);
        }
    }
}

fn heal(world: &mut World) {
    world.failing.clear();
    world.answers = None;
    for name in NODES {
        let node = world.nodes.get_mut(name).unwrap();
        (node.side, node.refuses) = (0, None);
        if !node.up {
            world.start(name);
        }
    }
}

fn describe(world: &World) -> String {
    let nodes = world.nodes.iter().map(|(name, node)| format!("\n{name} {:?}", node.placement));
    let coordinators = world.coordinators.iter().map(|(name, coordinator)| {
        format!(
            "\n{name} on {} {:?} {:?} {:?}",
            coordinator.on, coordinator.journal, coordinator.ending, coordinator.steps
        )
    });
    nodes.chain(coordinators).collect()
}
