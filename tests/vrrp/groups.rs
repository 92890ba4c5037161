//! Sync groups: two segments, and routers that are Active on both or on none.

use shunt::vrrp::{Order, Reason, Settings, State};

use super::world::{World, every, id, millis, seconds, synced, v3, v4};

fn members(priority: u8) -> [Settings; 2] {
    [0, 1].map(|segment| synced(every(v3(segment, priority), 10)))
}

/// Node 0 with priority 150 is Active on both segments, node 1 with 100 Backup.
fn pair() -> (World, usize, usize) {
    let mut world = World::new(1, 2);
    let a = world.add(&members(150));
    let b = world.add(&members(100));
    world.run(seconds(5));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    world.sent.clear();
    (world, a, b)
}

fn both(world: &World) -> [Vec<usize>; 2] {
    [0, 1].map(|segment| world.active(segment))
}

fn states(world: &World, node: usize) -> [State; 2] {
    [1, 2].map(|id| world.summary(node, id).state)
}

#[test]
fn the_members_take_over_together() {
    let (mut world, a, b) = pair();
    world.kill(a);
    assert!(world.run_until(seconds(1), |world| world.active(0) == [b]));
    assert_eq!(both(&world), [vec![b], vec![b]]);
    world.boot(a);
    assert!(world.run_until(seconds(1), |world| world.active(0) == [a]));
    assert_eq!(states(&world, a), [State::Active; 2]);
    world.run(millis(2));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    world.run(seconds(60));
    assert_eq!(both(&world), [vec![a], vec![a]]);
}

#[test]
fn a_link_that_is_lost_moves_all_within_skew_time() {
    for segment in [0, 1] {
        let (mut world, a, b) = pair();
        let now = world.now;
        world.set_link(a, segment, false);
        // It says so where it still can.
        let said: Vec<_> =
            world.sent.iter().map(|s| (s.segment, s.advertisement.priority)).collect();
        assert_eq!(said, [(1 - segment, 0)]);
        let mut expected = [State::Initialize; 2];
        expected[1 - segment] = State::Backup;
        assert_eq!(states(&world, a), expected);
        assert_eq!(world.summary(a, 2 - segment as u32).reason, Reason::SyncGroup);
        // Nothing more is heard on the other link, and that is not waited for.
        assert!(world.run_until(seconds(1), |world| both(world) == [vec![b], vec![b]]));
        assert!(world.now.since(now) <= millis(63), "{:?}", world.now.since(now));
        // As long as the link is down, a is no candidate.
        world.kill(b);
        world.run(seconds(10));
        assert_eq!(states(&world, a), expected);
        world.set_link(a, segment, true);
        world.run(millis(400));
        assert_eq!(both(&world), [vec![a], vec![a]]);
    }
}

#[test]
fn a_cut_of_one_segment_does_not_split_the_group() {
    let (mut world, a, b) = pair();
    let changes = [a, b].map(|node| world.nodes[node].changes.len());
    world.cut(0, a, b);
    world.run(seconds(60));
    // b hears nothing on segment 0, but knows from segment 1 that a lives.
    assert_eq!(both(&world), [vec![a], vec![a]]);
    assert_eq!([a, b].map(|node| world.nodes[node].changes.len()), changes, "and nothing flaps");
    // a dies: what is left of the time is segment 1's.
    world.kill(a);
    world.run(millis(365));
    assert_eq!(both(&world), [vec![b], vec![b]]);
}

#[test]
fn after_a_whole_cut_the_better_group_stays() {
    let (mut world, a, b) = pair();
    world.cut(0, a, b);
    world.cut(1, a, b);
    world.run(seconds(5));
    assert_eq!(both(&world), [vec![a, b], vec![a, b]]);
    // It heals on one segment first: b yields on both.
    world.segments[1].cut.clear();
    world.run(millis(110));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    let reasons = [1, 2].map(|id| world.summary(b, id).reason);
    assert_eq!(reasons, [Reason::SyncGroup, Reason::HigherPriority]);
    world.heal();
    world.run(seconds(60));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    assert_eq!(world.summary(a, 1).takeovers, 1);
}

#[test]
fn who_yields_for_its_group_says_so() {
    let (mut world, a, _) = pair();
    let now = world.now;
    world.hear_priority(a, 200);
    assert_eq!(states(&world, a), [State::Backup; 2]);
    let said = world.sent.iter().filter(|sent| sent.at == now);
    let said: Vec<_> = said.map(|sent| (sent.segment, sent.advertisement.priority)).collect();
    assert_eq!(said, [(0, 150), (1, 0)]);
}

#[test]
fn the_worst_adjustment_counts_for_all() {
    let (mut world, a, b) = pair();
    let adjust = |router, by| Order::Adjust { router: id(router), by };
    world.order(a, adjust(2, -80));
    world.order(a, adjust(1, -20));
    assert_eq!([1, 2].map(|id| world.summary(a, id).priority), [70, 70]);
    world.run(seconds(1));
    assert_eq!(both(&world), [vec![b], vec![b]]);
    world.order(a, adjust(2, 0));
    assert_eq!([1, 2].map(|id| world.summary(a, id).priority), [130, 130]);
    world.run(seconds(1));
    assert_eq!(both(&world), [vec![a], vec![a]]);
}

#[test]
fn a_release_of_one_member_releases_all() {
    let (mut world, a, b) = pair();
    world.release(a, true);
    assert_eq!(states(&world, a), [State::Backup; 2]);
    assert_eq!([1, 2].map(|id| world.summary(a, id).priority), [1, 1]);
    let reasons = [1, 2].map(|id| world.summary(a, id).reason);
    assert_eq!(reasons, [Reason::Released, Reason::SyncGroup]);
    world.order(a, Order::Release { router: id(2), released: true });
    world.run(seconds(5));
    assert_eq!(both(&world), [vec![b], vec![b]]);
    // Both have to be taken back.
    world.release(a, false);
    world.run(seconds(5));
    assert_eq!(both(&world), [vec![b], vec![b]]);
    world.order(a, Order::Release { router: id(2), released: false });
    world.run(seconds(5));
    assert_eq!(both(&world), [vec![a], vec![a]]);
}

#[test]
fn a_clean_stop_is_one_for_all() {
    let (mut world, a, b) = pair();
    world.stop(a);
    assert_eq!(world.sent.iter().filter(|sent| sent.advertisement.priority == 0).count(), 2);
    world.run(millis(63));
    assert_eq!(both(&world), [vec![b], vec![b]]);
}

#[test]
fn the_longest_delay_counts() {
    let (mut world, a, b) = pair();
    let mut delayed = members(150);
    delayed[0].preempt_delay = seconds(1);
    delayed[1].preempt_delay = seconds(5);
    world.kill(a);
    world.run(seconds(1));
    world.nodes[a].settings = delayed.to_vec();
    world.boot(a);
    world.run(seconds(5));
    assert_eq!(both(&world), [vec![b], vec![b]]);
    world.run(millis(200));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    assert_eq!(world.summary(b, 1).takeovers, 1);
}

#[test]
fn a_member_that_may_not_preempt_holds_the_group() {
    let (mut world, a, b) = pair();
    let mut settings = members(150);
    settings[1].preempt = false;
    world.kill(a);
    world.run(seconds(1));
    world.nodes[a].settings = settings.to_vec();
    world.boot(a);
    world.run(seconds(60));
    assert_eq!(both(&world), [vec![b], vec![b]]);
}

#[test]
fn crossed_priorities_do_not_flap() {
    // Each is better on one segment. Whoever is first stays.
    for seed in 0..50 {
        let mut world = World::new(seed, 2);
        let crossed =
            |first, second| [synced(every(v3(0, first), 10)), synced(every(v3(1, second), 10))];
        let a = world.add(&crossed(150, 100));
        let b = world.add(&crossed(100, 150));
        world.run(seconds(5));
        let active = both(&world);
        assert!(active == [[a], [a]] || active == [[b], [b]], "seed {seed}: {active:?}");
        let changes = |world: &World| [a, b].map(|node| world.nodes[node].changes.len());
        let before = changes(&world);
        world.run(seconds(60));
        assert_eq!((both(&world), changes(&world)), (active, before), "seed {seed}");
    }
}

#[test]
fn crossed_addresses_do_not_flap() {
    // Equal priorities, and the greater address is the other one's on each segment.
    for seed in 0..50 {
        let mut world = World::new(seed, 2);
        let a = world.add_off(&members(100));
        let b = world.add_off(&members(100));
        world.nodes[a].links[1].addresses = vec![v4(1, 50)];
        world.boot(a);
        world.boot(b);
        world.run(seconds(5));
        let active = both(&world);
        assert!(active == [[a], [a]] || active == [[b], [b]], "seed {seed}: {active:?}");
        let changes = |world: &World| [a, b].map(|node| world.nodes[node].changes.len());
        let before = changes(&world);
        world.run(seconds(60));
        assert_eq!((both(&world), changes(&world)), (active, before), "seed {seed}");
    }
}

#[test]
fn a_member_that_is_added_joins_an_active_group() {
    let mut world = World::new(1, 2);
    let a = world.add(&[members(150)[0].clone()]);
    let b = world.add(&[members(100)[0].clone()]);
    world.run(seconds(5));
    world.want(a, 2, members(150)[1].clone());
    assert_eq!(states(&world, a), [State::Active; 2]);
    assert_eq!(world.summary(a, 2).reason, Reason::SyncGroup);
    world.want(b, 2, members(100)[1].clone());
    world.run(seconds(10));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    assert_eq!(world.summary(a, 1).takeovers, 1);
}

#[test]
fn a_member_without_a_link_holds_the_group_it_joins() {
    let mut world = World::new(1, 2);
    let a = world.add(&[members(150)[0].clone()]);
    world.run(seconds(5));
    world.set_link(a, 1, false);
    world.want(a, 2, members(150)[1].clone());
    assert_eq!(states(&world, a), [State::Backup, State::Initialize]);
    world.run(seconds(10));
    assert_eq!(states(&world, a), [State::Backup, State::Initialize]);
    // Out of the group again, it is on its own.
    world.want(a, 2, every(v3(1, 150), 10));
    world.run(seconds(1));
    assert_eq!(states(&world, a), [State::Active, State::Initialize]);
}

#[test]
fn an_active_router_does_not_pull_a_group_away_from_its_active() {
    // b is Active alone on segment 1, and then put into the group that is a's on segment 0.
    let mut world = World::new(1, 2);
    let a = world.add(&[members(150)[0].clone()]);
    let b = world.add(&[members(100)[0].clone(), every(v3(1, 100), 10)]);
    world.run(seconds(5));
    assert_eq!(states(&world, b), [State::Backup, State::Active]);
    world.want(b, 2, members(100)[1].clone());
    assert_eq!(states(&world, b), [State::Backup, State::Backup]);
    world.run(seconds(5));
    assert_eq!((both(&world), world.summary(a, 1).takeovers), ([vec![a], vec![]], 1));
}

#[test]
fn owners_in_a_group_take_over_together() {
    let mut world = World::new(1, 2);
    let b = world.add(&members(100));
    world.run(seconds(5));
    let a = world.add(&members(255));
    world.run(millis(2));
    assert_eq!(both(&world), [vec![a], vec![a]]);
    world.run(seconds(1));
    world.set_link(a, 0, false);
    world.run(millis(63));
    assert_eq!(both(&world), [vec![b], vec![b]]);
    world.set_link(a, 0, true);
    world.run(seconds(1));
    assert_eq!(both(&world), [vec![a], vec![a]]);
}

#[test]
fn groups_do_not_know_each_other() {
    let mut world = World::new(1, 2);
    let other = Settings { sync_group: Some("other".into()), ..members(150)[1].clone() };
    let a = world.add(&[members(150)[0].clone(), other]);
    let b = world.add(&members(100));
    world.run(seconds(5));
    world.set_link(a, 0, false);
    world.run(seconds(1));
    assert_eq!(states(&world, a), [State::Initialize, State::Active]);
    // For b, somebody is Active on segment 1.
    assert_eq!(states(&world, b), [State::Backup; 2]);
}

#[test]
fn groups_that_yield_in_step_come_apart() {
    // As before, on segments that are exactly alike: what each hears of the other comes at the same moment.
    for seed in 0..20 {
        let mut world = World::new(seed, 2);
        world.segments.iter_mut().for_each(|segment| segment.variation = millis(0));
        let a = world.add_off(&members(100));
        let b = world.add_off(&members(100));
        world.nodes[a].links[1].addresses = vec![v4(1, 50)];
        world.boot(a);
        world.boot(b);
        world.run(seconds(3));
        let active = both(&world);
        assert!(active == [[a], [a]] || active == [[b], [b]], "seed {seed}: {active:?}");
        let takeovers = [a, b].map(|node| world.summary(node, 1).takeovers);
        assert!(takeovers.iter().sum::<u64>() < 20, "seed {seed}: {takeovers:?}");
    }
}

#[test]
fn a_held_group_is_held_whatever_else_happens() {
    let mut world = World::new(1, 2);
    let other = Settings { vrid: 77, addresses: vec![v4(1, 77)], ..v3(1, 255) };
    let a = world.add(&[members(150)[0].clone(), members(150)[1].clone(), other]);
    world.set_link(a, 0, false);
    for _ in 0..50 {
        world.run(millis(100));
        world.adjust(a, 0);
    }
    assert_eq!(states(&world, a), [State::Initialize, State::Backup]);
    assert_eq!(world.summary(a, 2).takeovers, 0);
    assert_eq!(world.summary(a, 3).state, State::Active);
}
