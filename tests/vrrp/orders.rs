//! Release, stop and drop; settings that change while a router runs.

use std::time::Duration;

use shunt::vrrp::{Order, Reason, Settings, State};

use super::world::{World, every, id, ipv6, millis, packet, seconds, v2, v3, v4};

/// Node 0 with priority 150 is Active, node 1 with 100 Backup.
fn pair() -> (World, usize, usize) {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150)]);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(10));
    assert_eq!(world.active(0), [a]);
    world.sent.clear();
    (world, a, b)
}

#[test]
fn a_released_active_leaves_within_skew_time() {
    let (mut world, a, b) = pair();
    let now = world.now;
    world.release(a, true);
    assert_eq!(world.said(a, now), [(now, 0)]);
    assert_eq!(world.last(a), (State::Backup, Reason::Released));
    assert!(world.summary(a, 1).released);
    world.run(millis(611));
    assert_eq!(world.active(0), [b]);
    assert_eq!(world.summary(a, 1).active, Some(v4(0, b)));
    // And stays away.
    world.run(seconds(60));
    assert_eq!(world.active(0), [b]);
    world.release(a, false);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn a_released_router_is_better_than_none() {
    let (mut world, a, b) = pair();
    world.release(a, true);
    world.run(seconds(2));
    world.kill(b);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
    assert_eq!(world.sent.last().unwrap().advertisement.priority, 1);
    // The order again changes nothing.
    world.release(a, true);
    assert_eq!(world.active(0), [a]);
    world.boot(b);
    world.run(seconds(5));
    assert_eq!(world.active(0), [b]);
}

#[test]
fn a_released_owner_is_none() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 255)]);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(5));
    world.release(a, true);
    world.run(seconds(30));
    assert_eq!(world.active(0), [b]);
    world.release(a, false);
    world.run(millis(1));
    assert_eq!(world.active(0), [a]);
    // So does one with a lowered priority act like any other.
    world.adjust(a, -200);
    world.run(seconds(6));
    assert_eq!((world.summary(a, 1).priority, world.active(0)), (55, vec![b]));
}

#[test]
fn a_dropped_active_says_priority_zero() {
    let (mut world, a, b) = pair();
    let now = world.now;
    world.order(a, Order::Drop { router: id(1) });
    assert_eq!(world.said(a, now), [(now, 0)]);
    assert!(world.nodes[a].vrrp.summaries(now).is_empty());
    assert_eq!(world.nodes[a].vrrp.deadline(), None);
    assert!(world.nodes[a].open.is_empty());
    world.run(millis(611));
    assert_eq!(world.active(0), [b]);
}

#[test]
fn a_dropped_backup_says_nothing() {
    let (mut world, _, b) = pair();
    let now = world.now;
    world.order(b, Order::Drop { router: id(1) });
    assert_eq!(world.said(b, now), []);
}

#[test]
fn orders_for_nobody_do_no_harm() {
    let (mut world, a, _) = pair();
    let router = id(77);
    for order in [
        Order::Drop { router },
        Order::Adjust { router, by: -5 },
        Order::Release { router, released: true },
        Order::Announce { router },
    ] {
        world.order(a, order);
    }
    world.run(seconds(10));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn priority_and_flags_change_without_a_change_of_state() {
    let (mut world, a, b) = pair();
    let changes = world.nodes[a].changes.len();
    world.want(a, 1, Settings { preempt: false, announcements: 9, ..v3(0, 140) });
    assert_eq!(world.said(a, world.now), [(world.now, 140)]);
    world.run(seconds(1));
    assert_eq!(world.nodes[a].changes.len(), changes);
    world.want(b, 1, v3(0, 145));
    world.run(seconds(5));
    assert_eq!(world.active(0), [b]);
    world.want(a, 1, Settings { preempt: false, ..v3(0, 200) });
    world.run(seconds(20));
    assert_eq!(world.active(0), [b], "without preemption");
}

#[test]
fn another_interval_is_told_at_once() {
    let (mut world, a, b) = pair();
    let now = world.now;
    world.want(a, 1, every(v3(0, 150), 10));
    assert_eq!(world.said(a, now), [(now, 150)]);
    assert_eq!(world.sent[0].advertisement.interval, 10);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
    assert_eq!(world.summary(b, 1).active_interval, millis(100));
    world.want(a, 1, every(v3(0, 150), 1000));
    world.run(seconds(60));
    assert_eq!((world.active(0), world.summary(a, 1).takeovers), (vec![a], 1));
    assert_eq!(world.summary(b, 1).active_interval, seconds(10));
}

#[test]
fn another_interval_of_a_backup_counts_until_it_has_learned_one() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    world.want(a, 1, every(v3(0, 100), 10));
    assert_eq!(world.summary(a, 1).active_interval, millis(100));
    world.hear_priority(a, 200);
    world.want(a, 1, every(v3(0, 100), 20));
    assert_eq!(world.summary(a, 1).active_interval, seconds(1));
    // In version 2 it is never learned.
    let mut world = World::new(1, 1);
    let a = world.add(&[v2(0, 100)]);
    let version = shunt::vrrp::Version::V2;
    let heard = shunt::wire::vrrp::Advertisement { version, ..super::world::advertisement(200) };
    world.hear(a, &packet(&heard, v4(0, 9)));
    world.want(a, 1, every(v2(0, 100), 300));
    assert_eq!(world.summary(a, 1).active_interval, seconds(3));
}

#[test]
fn another_identity_begins_anew_with_a_farewell() {
    let others = [
        Settings { vrid: 11, ..v3(0, 150) },
        Settings { interface: 2, ..v3(0, 150) },
        v2(0, 150),
        ipv6(0, 150),
    ];
    for other in others {
        let mut world = World::new(1, 2);
        let a = world.add(&[v3(0, 150)]);
        world.run(seconds(5));
        world.adjust(a, -10);
        world.run(millis(1));
        let now = world.now;
        world.want(a, 1, other.clone());
        let said: Vec<_> = world.sent.iter().filter(|sent| sent.at == now).collect();
        assert_eq!(said.len(), 1);
        assert_eq!((said[0].advertisement.vrid, said[0].advertisement.priority), (10, 0));
        assert_eq!(said[0].segment, 0);
        let story = world.story(a);
        let expected = [(State::Initialize, Reason::Started), (State::Backup, Reason::Started)];
        assert_eq!(story[story.len() - 2..], expected);
        assert_eq!(world.summary(a, 1).priority, 140, "what was ordered beside is kept");
        let open: Vec<_> = world.nodes[a].open.iter().copied().collect();
        assert_eq!(open, [(other.interface, other.is_ipv6())]);
        world.run(seconds(5));
        assert_eq!(world.state(a), State::Active);
    }
}

#[test]
fn settings_that_are_the_same_change_nothing() {
    let (mut world, a, _) = pair();
    let (now, changes) = (world.now, world.nodes[a].changes.len());
    world.want(a, 1, v3(0, 150));
    assert_eq!((world.said(a, now).len(), world.nodes[a].changes.len()), (0, changes));
}

#[test]
fn a_stop_ends_everything() {
    let (mut world, a, b) = pair();
    let now = world.now;
    world.order(b, Order::Ready { ready: true });
    world.stop(b);
    assert_eq!(world.said(b, now), []);
    world.stop(a);
    assert_eq!(world.said(a, now), [(now, 0)]);
    let it = &mut world.nodes[a].vrrp;
    it.tick(now + Duration::from_secs(100));
    let order = Order::Want { router: id(5), settings: Box::new(v3(0, 255)) };
    it.handle(shunt::vrrp::Event::Ordered(order), now);
    assert_eq!((it.poll(), it.deadline()), (None, None));
}

#[test]
fn who_leaves_forgets_what_it_knew_of_an_active_before() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    let faster =
        shunt::wire::vrrp::Advertisement { interval: 10, ..super::world::advertisement(200) };
    world.hear(a, &packet(&faster, v4(0, 9)));
    world.run(seconds(2));
    assert_eq!(world.state(a), State::Active);
    world.release(a, true);
    let summary = world.summary(a, 1);
    assert_eq!((summary.active, summary.active_interval), (None, seconds(1)));
    world.run(millis(3900));
    assert_eq!(world.state(a), State::Backup);
}
