//! When changes of ours go out: the first at once, the next when neighbours take it, never later.

use std::time::Duration;

use shunt::ospf::{Event, How};
use shunt::types::{Rng, Time};
use shunt::wire::ospf::{LsaKey, SequenceNumber};

use super::flooding::ring_with_lan;
use super::lsas::{external, prefix, router_key};
use super::world::{World, id, millis, point_to_point, seconds, settings};

const SERVICE: &str = "192.0.2.1/32";

/// a — b — c, adjacent and quiet.
pub fn chain(seed: u64) -> World {
    let mut world = World::new(seed);
    for router in 1..=3 {
        world.add(settings(router, &[("left", point_to_point()), ("right", point_to_point())]));
    }
    world.join("10.0.1.0/24", &[(0, "right"), (1, "left")]);
    world.join("10.0.2.0/24", &[(1, "right"), (2, "left")]);
    world.run(seconds(20));
    assert!(world.are_full(0, 1) && world.are_full(1, 2));
    world
}

/// When new instances of an LSA left their originator, on one network.
fn originated(
    world: &World,
    since: usize,
    network: usize,
    key: LsaKey,
) -> Vec<(Time, SequenceNumber)> {
    let mut instances: Vec<(Time, SequenceNumber)> = Vec::new();
    for update in world.updates(since).iter().filter(|update| update.network == network) {
        for lsa in update.lsas.iter().filter(|lsa| lsa.header.key == key) {
            if instances.last().is_none_or(|(_, last)| *last < lsa.header.sequence) {
                instances.push((update.at, lsa.header.sequence));
            }
        }
    }
    instances
}

fn refused_too_soon(world: &World) -> u64 {
    world.nodes.iter().map(|node| node.router.refused_lsas().too_soon).sum()
}

#[test]
fn a_first_change_is_everywhere_after_the_latency() {
    let mut world = chain(1);
    world.announce(0, SERVICE, How::External2, 100);
    world.run(millis(2));
    assert_eq!(world.metric(2, external(1, SERVICE)), Some(100));
}

#[test]
fn of_fifty_changes_in_a_row_neighbors_drop_none_and_the_last_wins() {
    let mut world = chain(1);
    let since = world.sent.len();
    let key = external(1, SERVICE);
    for change in 0..50 {
        world.announce(0, SERVICE, How::External2, 1000 + change);
        world.run(millis(70));
    }
    world.run(millis(1060));
    assert_eq!(world.metric(2, key), Some(1049));
    assert_eq!(refused_too_soon(&world), 0);
    let instances = originated(&world, since, 0, key);
    // 3.5 s of changes.
    assert_eq!(instances.len(), 5, "{instances:?}");
    for pair in instances.windows(2) {
        let pause = pair[1].0.since(pair[0].0);
        // Neither too early nor late.
        assert_eq!(pause, millis(1050), "{instances:?}");
    }
    world.agree().unwrap_or_else(|why| {
        world.run(millis(100));
        world.agree().unwrap_or_else(|_| panic!("{why}"));
    });
}

#[test]
fn a_change_and_its_reversal_by_the_other_router_are_both_immediate() {
    let mut world = chain(1);
    world.announce(0, SERVICE, How::External2, 100);
    world.announce(2, SERVICE, How::External2, 200);
    world.run(seconds(10));
    let (ours, theirs) = (external(1, SERVICE), external(3, SERVICE));
    // To the other router, which raises its own; back, for which the first raises its own above that; and on.
    let mut late = Duration::ZERO;
    for round in 0..20_u32 {
        let (node, key) = if round % 2 == 0 { (2, theirs) } else { (0, ours) };
        let metric = 90 - round;
        world.announce(node, SERVICE, How::External2, metric);
        let before = world.now;
        let seen = world.run_until(seconds(2), |world| world.metric(1, key) == Some(metric));
        assert!(seen, "round {round}");
        if round < 2 {
            assert_eq!(world.now.since(before), millis(1), "round {round}");
        }
        late = late.max(world.now.since(before));
        assert_eq!(
            world.nodes[1].routes[&prefix(SERVICE)].exits,
            [id(if node == 2 { 3 } else { 1 })]
        );
    }
    assert!(late <= millis(1051), "{late:?}");
    assert_eq!(refused_too_soon(&world), 0);
}

#[test]
fn a_wish_that_returns_to_what_is_announced_is_not_sent() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.announce(0, SERVICE, How::External2, 100);
    world.run(millis(100));
    let since = world.sent.len();
    world.announce(0, SERVICE, How::External2, 50);
    assert_eq!(world.nodes[0].router.unacknowledged(prefix(SERVICE), world.now).len(), 1);
    world.announce(0, SERVICE, How::External2, 100);
    assert_eq!(world.nodes[0].router.unacknowledged(prefix(SERVICE), world.now), []);
    world.run(seconds(3));
    assert_eq!(originated(&world, since, 0, key), []);
}

#[test]
fn different_advertisements_do_not_wait_for_each_other() {
    let mut world = chain(1);
    for number in 0..5 {
        world.announce(0, &format!("192.0.2.{number}/32"), How::External2, 100);
        world.run(millis(2));
        assert!(world.metric(2, external(1, &format!("192.0.2.{number}/32"))).is_some());
    }
    world.announce(0, "198.51.100.0/24", How::Stub, 7);
    world.run(millis(2));
    assert!(world.links(2, 1).iter().any(|link| link.metric == 7));
}

#[test]
fn a_flush_is_paced_as_well_and_so_is_what_follows_it() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.announce(0, SERVICE, How::External2, 100);
    world.run(millis(10));
    world.withdraw(0, SERVICE);
    world.run(millis(1000));
    assert_eq!(world.metric(2, key), Some(100));
    world.run(millis(60));
    assert_eq!(world.metric(2, key), None);
    world.announce(0, SERVICE, How::External2, 100);
    world.run(millis(1060));
    assert_eq!(world.metric(2, key), Some(100));
    assert_eq!(refused_too_soon(&world), 0);
}

#[test]
fn what_nobody_has_got_does_not_wait() {
    let mut world = World::new(1);
    world.add(settings(1, &[("right", point_to_point())]));
    world.add(settings(2, &[("left", point_to_point())]));
    world.join("10.0.1.0/24", &[(0, "right"), (1, "left")]);
    world.networks[0].loss = 100;
    world.handle(0, Event::ForwardingReady);
    world.run(seconds(5));
    for metric in 0..10 {
        world.announce(0, SERVICE, How::External2, metric);
    }
    world.networks[0].loss = 0;
    assert!(world.run_until(seconds(20), |world| world.are_full(0, 1)));
    world.run(millis(3));
    assert_eq!(world.metric(1, external(1, SERVICE)), Some(9));
}

/// What a silent neighbour is sent again does not hold up those who listen.
#[test]
fn a_silent_neighbor_holds_up_nobody() {
    let mut world = World::new(1);
    world.add(settings(1, &[("left", point_to_point()), ("right", point_to_point())]));
    world.add(settings(2, &[("left", point_to_point())]));
    world.add(settings(3, &[("left", point_to_point())]));
    world.join("10.0.1.0/24", &[(0, "left"), (1, "left")]);
    world.join("10.0.2.0/24", &[(0, "right"), (2, "left")]);
    world.run(seconds(20));
    world.kill(2);
    world.announce(0, SERVICE, How::External2, 1);
    // A moment after it was repeated to the dead one, for the second time.
    world.run(millis(10_010));
    world.announce(0, SERVICE, How::External2, 2);
    world.run(millis(2));
    assert_eq!(world.metric(1, external(1, SERVICE)), Some(2));
}

/// What a neighbour took late it took late, so the next one waits for it.
#[test]
fn a_repetition_that_was_taken_counts_as_sent() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.networks[0].cut.insert((0, 1));
    world.announce(0, SERVICE, How::External2, 1);
    world.run(millis(5090));
    world.networks[0].cut.clear();
    world.run(millis(100));
    assert_eq!(world.metric(1, key), Some(1));
    world.announce(0, SERVICE, How::External2, 2);
    world.run(millis(970));
    assert_eq!((world.metric(1, key), refused_too_soon(&world)), (Some(2), 0));
}

/// A neighbour that got the last instance late drops the next one, and gets that again when it takes it.
#[test]
fn what_a_late_neighbor_drops_is_repeated_when_it_is_taken() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.networks[0].cut.insert((0, 1));
    world.announce(0, SERVICE, How::External2, 1);
    world.run(millis(5090));
    // The repetition arrives, its acknowledgement does not.
    world.networks[0].cut.clear();
    world.networks[0].cut.insert((1, 0));
    world.run(millis(100));
    assert_eq!(world.metric(1, key), Some(1));
    world.networks[0].cut.clear();
    world.announce(0, SERVICE, How::External2, 2);
    world.run(millis(1000));
    assert_eq!(world.metric(1, key), Some(2));
}

#[test]
fn the_router_lsa_is_paced_too() {
    let mut world = chain(1);
    world.announce(0, SERVICE, How::Stub, 1);
    let since = world.sent.len();
    for metric in 2..20 {
        world.announce(0, SERVICE, How::Stub, metric);
        world.run(millis(100));
    }
    world.run(millis(1100));
    assert_eq!(refused_too_soon(&world), 0);
    assert!(world.links(2, 1).iter().any(|link| link.metric == 19));
    assert_eq!(originated(&world, since, 0, router_key(1)).len(), 2);
}

/// All routers of a mesh change all the time, and what one changes goes many ways.
#[test]
fn no_change_is_dropped_on_any_way_through_a_mesh() {
    for seed in 0..5 {
        let mut world = ring_with_lan(seed);
        world.run(seconds(60));
        let dropped = refused_too_soon(&world);
        let mut rng = Rng::new(seed);
        for _ in 0..200 {
            let node = rng.below(4) as usize;
            let text = format!("192.0.2.{}/32", rng.below(6));
            let how = [How::External1, How::External2, How::Stub][rng.below(3) as usize];
            match rng.below(10) {
                0 | 1 => world.withdraw(node, &text),
                2 => world.handle(node, Event::DrainChanged { drained: rng.chance(50) }),
                _ => world.announce(node, &text, how, rng.below(5) as u32 * 10),
            }
            world.run(millis(rng.below(400)));
        }
        world.run(seconds(5));
        assert_eq!(refused_too_soon(&world), dropped, "seed {seed}");
        world.agree().unwrap();
    }
}
