//! Who takes over from a lower Active, and when.

use std::time::Duration;

use shunt::vrrp::{Order, Reason, Settings, State};

use super::world::{World, advertisement, every, millis, packet, seconds, v3, v4};

fn delayed(priority: u8, delay: Duration) -> Settings {
    Settings { preempt_delay: delay, ..v3(0, priority) }
}

#[test]
fn a_better_router_preempts_after_an_active_down_interval() {
    let mut world = World::new(1, 1);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(10));
    let a = world.add(&[v3(0, 150)]);
    world.run(millis(3413));
    assert_eq!(world.active(0), [b]);
    world.run(millis(2));
    assert_eq!(world.last(a), (State::Active, Reason::Preempted));
    assert_eq!(world.last(b), (State::Backup, Reason::HigherPriority));
    assert_eq!(world.summary(b, 1).active, Some(v4(0, a)));
}

#[test]
fn the_delay_counts_from_the_first_advertisement_of_the_lower_active() {
    let mut world = World::new(1, 1);
    let a = world.add(&[delayed(150, seconds(30))]);
    world.run(millis(500));
    for second in 0..30 {
        assert_eq!(world.state(a), State::Backup, "{second}");
        world.hear_priority(a, 100);
        world.run(seconds(1));
    }
    // Half a second after the last advertisement: no timer but the delay's.
    assert_eq!(world.last(a), (State::Active, Reason::Preempted));
    let (at, _) = world.nodes[a].changes.last().unwrap();
    assert_eq!(world.now.since(*at), Duration::ZERO);
}

#[test]
fn the_delay_does_not_keep_us_from_taking_over_from_nobody() {
    let mut world = World::new(1, 1);
    let a = world.add(&[delayed(150, seconds(30))]);
    for _ in 0..5 {
        world.hear_priority(a, 100);
        world.run(seconds(1));
    }
    world.run(millis(2400));
    assert_eq!(world.state(a), State::Backup);
    world.run(millis(20));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
}

#[test]
fn the_delay_begins_anew_after_somebody_better_was_active() {
    let mut world = World::new(1, 1);
    let a = world.add(&[delayed(150, seconds(5))]);
    for priority in [100, 100, 100, 100, 200, 100, 100, 100, 100, 100] {
        assert_eq!(world.state(a), State::Backup);
        let sender = if priority == 200 { 8 } else { 9 };
        world.hear(a, &packet(&advertisement(priority), v4(0, sender)));
        world.run(millis(999));
        assert_eq!(world.state(a), State::Backup);
        world.run(millis(1));
    }
    assert_eq!(world.last(a), (State::Active, Reason::Preempted));
}

#[test]
fn who_cannot_forward_yet_does_not_preempt() {
    let mut world = World::new(1, 1);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(10));
    let a = world.add_off(&[delayed(150, seconds(2))]);
    world.nodes[a].ready = false;
    world.boot(a);
    world.run(seconds(60));
    assert_eq!(world.active(0), [b]);
    // The delay is that of somebody who could take over.
    world.order(a, Order::Ready { ready: true });
    world.run(seconds(2));
    assert_eq!(world.active(0), [b]);
    world.run(seconds(1));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn who_cannot_forward_yet_takes_over_from_nobody() {
    let mut world = World::new(1, 1);
    let a = world.add_off(&[v3(0, 255)]);
    world.nodes[a].ready = false;
    world.boot(a);
    assert_eq!(world.state(a), State::Backup);
    world.hear_priority(a, 100);
    world.run(seconds(3));
    assert_eq!(world.state(a), State::Backup);
    world.run(millis(4));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
}

#[test]
fn an_owner_is_active_as_soon_as_it_can_forward() {
    let mut world = World::new(1, 1);
    // RFC 9568 §6.1: an owner preempts whatever the setting.
    let settings = Settings { preempt: false, ..delayed(255, seconds(100)) };
    let a = world.add_off(&[settings]);
    world.nodes[a].ready = false;
    world.boot(a);
    for _ in 0..10 {
        world.hear_priority(a, 254);
        world.run(seconds(1));
    }
    assert_eq!(world.state(a), State::Backup);
    world.order(a, Order::Ready { ready: true });
    assert_eq!(world.last(a), (State::Active, Reason::Owner));
}

#[test]
fn another_priority_of_the_active_reaches_the_wire_at_once() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150)]);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(10) + millis(500));
    let begin = world.now;
    world.adjust(a, -30);
    assert_eq!(world.said(a, begin), [(begin, 120)]);
    world.run(millis(1));
    // Not without a pause, whatever is tracked.
    for by in [0, -30, 0, -80] {
        world.adjust(a, by);
    }
    assert_eq!(world.summary(a, 1).priority, 70);
    world.run(millis(999));
    let rest = (begin + millis(10), 70);
    // The last one tells the one that preempts.
    let said = world.said(a, begin);
    assert_eq!((said.len(), &said[..2]), (3, &[(begin, 120), rest][..]));
    world.run(seconds(4));
    assert_eq!(world.active(0), [b]);
    world.adjust(a, 0);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn who_becomes_lower_while_it_waits_does_not_preempt() {
    // The timer runs out as a lower Active is discarded; by then we are lower.
    for order in [
        Order::Adjust { router: super::world::id(1), by: -100 },
        Order::Release { router: super::world::id(1), released: true },
        Order::Ready { ready: false },
    ] {
        let mut world = World::new(1, 1);
        let b = world.add(&[v3(0, 100)]);
        world.run(seconds(10));
        let a = world.add(&[v3(0, 150)]);
        world.run(millis(3400));
        world.order(a, order.clone());
        world.run(seconds(60));
        assert_eq!(world.active(0), [b], "{order:?}");
    }
}

#[test]
fn the_delay_ends_when_we_may_not_preempt_any_more() {
    let mut world = World::new(1, 1);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(10));
    let a = world.add(&[delayed(150, seconds(5))]);
    world.run(seconds(4));
    world.order(a, Order::Ready { ready: false });
    world.run(seconds(60));
    assert_eq!(world.active(0), [b]);
    world.order(a, Order::Ready { ready: true });
    world.run(seconds(5));
    assert_eq!(world.active(0), [b]);
    world.run(seconds(1));
    assert_eq!(world.active(0), [a]);
}

#[test]
fn equal_priorities_do_not_preempt() {
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(5));
    let b = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(60));
    assert_eq!(world.active(0), [a]);
    assert!(b > a, "the greater address does not count before both are Active");
}

#[test]
fn the_delay_ends_before_the_next_advertisement_too() {
    for order in [
        Order::Adjust { router: super::world::id(1), by: -60 },
        Order::Release { router: super::world::id(1), released: true },
        Order::Ready { ready: false },
    ] {
        let mut world = World::new(1, 1);
        let a = world.add(&[delayed(150, millis(4500))]);
        for _ in 0..4 {
            world.hear_priority(a, 100);
            world.run(seconds(1));
        }
        world.hear_priority(a, 100);
        world.run(millis(400));
        world.order(a, order.clone());
        world.run(millis(500));
        assert_eq!(world.state(a), State::Backup, "{order:?}");
    }
}

#[test]
fn orders_do_not_prolong_the_wait_for_an_active_that_is_gone() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150)]);
    world.hear_priority(a, 200);
    world.run(seconds(1));
    world.hear(a, &packet(&advertisement(100), v4(0, 8)));
    for _ in 0..5 {
        world.run(millis(500));
        world.adjust(a, -5);
    }
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn an_active_that_becomes_lower_is_not_waited_for() {
    for delay in [0, 30] {
        let mut world = World::new(1, 1);
        let a = world.add(&[v3(0, 150)]);
        let b = world.add(&[delayed(100, seconds(delay))]);
        let c = world.add(&[delayed(90, seconds(delay))]);
        world.run(seconds(10));
        world.adjust(a, -80);
        // Skew_Time, as if it had left: b is before c.
        world.run(millis(608));
        assert_eq!(world.active(0), [a], "{delay}");
        world.run(millis(5));
        assert_eq!(world.active(0), [b], "{delay}");
        assert_eq!(world.last(b), (State::Active, Reason::Preempted));
        assert_eq!(world.summary(c, 1).takeovers, 0);
        world.run(seconds(60));
        assert_eq!(world.active(0), [b], "{delay}");
    }
}

#[test]
fn who_has_become_better_itself_waits_for_the_delay() {
    let mut world = World::new(1, 1);
    let a = world.add(&[delayed(100, seconds(5))]);
    world.hear_priority(a, 150);
    world.run(seconds(1));
    world.adjust(a, 60);
    for _ in 0..5 {
        world.hear_priority(a, 150);
        world.run(millis(999));
        assert_eq!(world.state(a), State::Backup);
        world.run(millis(1));
    }
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn another_active_that_is_lower_has_not_become_lower() {
    let mut world = World::new(1, 1);
    let a = world.add(&[delayed(100, seconds(5))]);
    world.hear_priority(a, 150);
    let other = packet(&advertisement(90), v4(0, 8));
    for _ in 0..5 {
        world.hear(a, &other);
        world.run(millis(999));
        assert_eq!(world.state(a), State::Backup);
        world.run(millis(1));
    }
    assert_eq!(world.state(a), State::Active);
}
