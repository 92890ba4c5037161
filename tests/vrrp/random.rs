//! Random schedules: loss, cuts, stops, restarts, links and priorities that change, clocks that differ by 1 %. After some
//! quiet there is exactly one Active on each segment, and the right one.

use shunt::types::Rng;
use shunt::vrrp::{Order, Reason, Settings, State};

use super::world::{World, every, id, ipv6, millis, seconds, synced, v2, v3, virtual_v4};

/// The one on a segment that should be Active: the best by priority and address, if everybody preempts.
fn best(world: &World, router: u32, segment: usize) -> Option<usize> {
    let fit = |node: &usize| {
        let it = &world.nodes[*node];
        it.on && it.links[segment].up
    };
    let rank = |node: &usize| world.summary(*node, router).priority;
    (0..world.nodes.len()).filter(fit).max_by_key(|node| rank(node))
}

/// Something goes wrong, or gets better.
fn disturb(world: &mut World, rng: &mut Rng) {
    let count = world.nodes.len() as u64;
    let node = rng.below(count) as usize;
    let other = rng.below(count) as usize;
    let segment = rng.below(world.segments.len() as u64) as usize;
    let routers = world.nodes[node].settings.len() as u64;
    match rng.below(12) {
        0 => world.kill(node),
        1 => world.stop(node),
        2 | 3 if !world.nodes[node].on => world.boot(node),
        4 => world.nodes[node].stopped = true,
        5 => world.thaw(node),
        6 => world.cut(segment, node, other),
        7 => drop(world.segments[segment].cut.insert((node, other))),
        8 => world.heal(),
        9 => world.segments[segment].loss = [0, 0, 10, 40, 90][rng.below(5) as usize],
        10 => world.set_link(node, segment, rng.chance(60)),
        _ => {
            let router = id(1 + rng.below(routers) as u32);
            let by = -(rng.below(60) as i16);
            world.order(node, Order::Adjust { router, by });
        }
    }
}

/// Everything works again; priorities stay as they are. Clean, so that nobody is left out.
fn quiet(world: &mut World) {
    world.heal();
    for segment in 0..world.segments.len() {
        world.segments[segment].loss = 0;
    }
    for node in 0..world.nodes.len() {
        world.thaw(node);
        if !world.nodes[node].on {
            world.boot(node);
        }
        for segment in 0..world.segments.len() {
            if !world.nodes[node].links[segment].up {
                world.set_link(node, segment, true);
            }
        }
    }
}

fn clocks(world: &mut World, rng: &mut Rng) {
    for node in &mut world.nodes {
        node.clock = rng.below(20_001) as i64 - 10_000;
    }
}

fn run_seed(seed: u64) {
    let mut rng = Rng::new(seed);
    type Make = fn(usize, u8) -> Settings;
    let kind = rng.below(4) as usize;
    let make = [v3 as Make, v3, ipv6, v2][kind];
    let interval = if kind == 3 { 100 } else { [1, 10, 100][rng.below(3) as usize] };
    let preempt = rng.chance(70);
    let equal = rng.chance(20);
    let owner = rng.chance(20);
    let delay = millis([0, 0, 500, 3000][rng.below(4) as usize]);
    let mut world = World::new(seed, 1);
    for node in 0..2 + rng.below(3) {
        let priority = match node {
            0 if owner => 255,
            _ if equal => 100,
            _ => 100 + 7 * node as u8,
        };
        let settings = every(make(0, priority), interval);
        world.add_off(&[Settings { preempt, preempt_delay: delay, ..settings }]);
    }
    clocks(&mut world, &mut rng);
    for _ in 0..rng.below(40) {
        disturb(&mut world, &mut rng);
        world.run(millis(rng.below(400 * interval)) / 10);
    }
    quiet(&mut world);
    world.run(seconds(1) + millis(interval * 200) + delay * 2);
    let active = world.active(0);
    assert_eq!(active.len(), 1, "seed {seed}: {active:?}");
    let priority = |node: usize| world.summary(node, 1).priority;
    if preempt || owner {
        let best = best(&world, 1, 0).unwrap();
        assert!(
            priority(active[0]) >= if preempt { priority(best) } else { 0 },
            "seed {seed}: {active:?} and not {best}"
        );
        if owner && priority(0) == 255 {
            assert_eq!(active, [0], "seed {seed}");
        }
    }
    // And it stays like this.
    let takeovers = |world: &World| -> Vec<usize> {
        world.nodes.iter().map(|node| node.changes.len()).collect()
    };
    let before = takeovers(&world);
    world.run(millis(interval * 500));
    assert_eq!((world.active(0), takeovers(&world)), (active, before), "seed {seed}");
}

#[test]
fn after_quiet_the_right_one_is_active() {
    for seed in 0..2000 {
        run_seed(seed);
    }
}

/// Two segments, two or three nodes, all in a sync group.
fn run_group_seed(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut world = World::new(seed, 2);
    let intervals = [[10, 10], [10, 100], [1, 10]][rng.below(3) as usize];
    let slow = *intervals.iter().max().unwrap();
    let delays = [[0, 0], [0, 700], [300, 900]][rng.below(3) as usize];
    let equal = rng.chance(30);
    for node in 0..2 + rng.below(2) {
        let priority = if equal { 100 } else { 100 + 10 * node as u8 };
        let make = |segment: usize| {
            let settings = every(v3(segment, priority), intervals[segment]);
            synced(Settings { preempt_delay: millis(delays[segment]), ..settings })
        };
        world.add_off(&[make(0), make(1)]);
    }
    clocks(&mut world, &mut rng);
    for _ in 0..rng.below(40) {
        disturb(&mut world, &mut rng);
        // No node ever is Active with one member and not with the other.
        let end = world.now + millis(rng.below(40 * slow));
        while world.now < end {
            world.run(millis(slow));
            for node in 0..world.nodes.len() {
                let states = &world.nodes[node].states;
                let active = states.values().filter(|state| **state == State::Active).count();
                assert!(active == 0 || active == states.len(), "seed {seed}: {states:?}");
            }
        }
    }
    quiet(&mut world);
    world.run(seconds(3) + millis(slow * 300));
    let active = [0, 1].map(|segment| world.active(segment));
    assert_eq!(active[0].len(), 1, "seed {seed}: {active:?}");
    assert_eq!(active[0], active[1], "seed {seed}");
    let best = best(&world, 1, 0).unwrap();
    let priority = |node: usize| world.summary(node, 1).priority;
    assert_eq!(priority(active[0][0]), priority(best), "seed {seed}: {active:?} and not {best}");
    let changes = |world: &World| -> Vec<usize> {
        world.nodes.iter().map(|node| node.changes.len()).collect()
    };
    let before = changes(&world);
    world.run(millis(slow * 500));
    assert_eq!(changes(&world), before, "seed {seed}: it flaps");
}

#[test]
fn after_quiet_one_node_is_active_for_the_whole_group() {
    for seed in 0..1000 {
        run_group_seed(seed);
    }
}

#[test]
fn loss_of_two_in_a_row_moves_nothing() {
    // Three in a row are noticed; two never are, wherever they fall, with clocks that differ by 2 %.
    for (fast, interval) in [(10_000, 100), (-10_000, 100), (10_000, 1), (-10_000, 1)] {
        let mut world = World::new(1, 1);
        let a = world.add_off(&[every(v3(0, 150), interval)]);
        let b = world.add_off(&[every(v3(0, 100), interval)]);
        (world.nodes[a].clock, world.nodes[b].clock) = (-fast, fast);
        world.boot(a);
        world.boot(b);
        world.run(seconds(10));
        let before = world.summary(b, 1).takeovers;
        for _ in 0..100 {
            let heard = world.summary(b, 1).received;
            assert!(world.run_until(seconds(5), |w| w.summary(b, 1).received > heard));
            let sent = world.sent.len();
            world.cut(0, a, b);
            world.run_until(seconds(9), |world| world.sent.len() == sent + 2);
            world.heal();
        }
        assert_eq!((world.active(0), world.summary(b, 1).takeovers), (vec![a], before));
    }
}

#[test]
fn a_virtual_address_on_the_interface_does_not_matter() {
    // As with the physical MAC address: whoever is Active has it among its addresses.
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v3(0, 150), 10)]);
    let b = world.add(&[every(v3(0, 100), 10)]);
    for _ in 0..20 {
        world.run(seconds(1));
        for node in [a, b] {
            let active = world.active(0).contains(&node);
            world.nodes[node].links[0].addresses.retain(|address| *address != virtual_v4(0));
            if active {
                world.nodes[node].links[0].addresses.insert(0, virtual_v4(0));
            }
            world.tell_link(node, 0);
        }
    }
    assert_eq!((world.active(0), world.summary(a, 1).takeovers), (vec![a], 1));
    assert!(!world.story(b).iter().any(|(_, reason)| *reason == Reason::NoLink));
}
