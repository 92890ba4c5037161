//! RFC 9568 §6.4, line by line: one router, and what it hears.

use shunt::vrrp::{Reason, State};

use super::world::{World, advertisement, every, id, micros, millis, packet, seconds, v3, v4};

/// One router that has been Backup since the world's beginning. Skew_Time is 609.375 ms, Active_Down_Interval
/// 3609.375 ms.
fn backup() -> (World, usize) {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    assert_eq!(world.state(a), State::Backup);
    (world, a)
}

/// The same as Active; its next advertisement goes out in a second.
fn active() -> (World, usize) {
    let (mut world, a) = backup();
    assert!(world.run_until(seconds(5), |world| world.state(a) == State::Active));
    world.run(millis(100));
    world.sent.clear();
    (world, a)
}

#[test]
fn initialize_leads_to_backup_for_an_active_down_interval() {
    // §6.4.1: Active_Down_Timer is set to Active_Down_Interval.
    let (mut world, a) = backup();
    assert_eq!(world.story(a), [(State::Backup, Reason::Started)]);
    world.run(micros(3_609_370));
    assert_eq!((world.state(a), world.sent.len()), (State::Backup, 0));
    world.run(micros(10));
    // §6.4.2: the timer fires: an advertisement at once.
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].advertisement, advertisement(100));
    assert_eq!(world.summary(a, 1).takeovers, 1);
}

#[test]
fn an_owner_is_active_at_once() {
    // §6.4.1: priority 255.
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 255)]);
    assert_eq!(world.last(a), (State::Active, Reason::Owner));
    assert_eq!(world.said(a, world.now), [(world.now, 255)]);
    world.run(seconds(1));
    assert_eq!(world.said(a, world.now), [(world.now, 255)], "after Advertisement_Interval");
}

#[test]
fn a_backup_that_hears_an_advertisement_waits_on() {
    // §6.4.2: a priority that is greater or equal.
    for priority in [100, 101, 254, 255] {
        let (mut world, a) = backup();
        world.run(millis(3600));
        world.hear_priority(a, priority);
        world.run(micros(3_609_370));
        assert_eq!(world.state(a), State::Backup, "{priority}");
        world.run(micros(10));
        assert_eq!(world.last(a), (State::Active, Reason::ActiveDown), "{priority}");
    }
}

#[test]
fn a_backup_learns_the_interval_of_the_active() {
    // §6.4.2: Active_Adver_Interval is the one in the advertisement, Skew_Time follows from it.
    let (mut world, a) = backup();
    let advertisement = shunt::wire::vrrp::Advertisement { interval: 10, ..advertisement(200) };
    world.hear(a, &packet(&advertisement, v4(0, 9)));
    let summary = world.summary(a, 1);
    assert_eq!(summary.active_interval, millis(100));
    assert_eq!(summary.active_down_interval.as_micros(), 360_937);
    world.run(micros(360_930));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.state(a), State::Active);
    // §6.1: its own advertisements are sent as often as it is configured.
    world.sent.clear();
    world.run(millis(999));
    assert_eq!(world.sent.len(), 0);
    assert_eq!(world.summary(a, 1).active_interval, seconds(1));
}

#[test]
fn a_backup_discards_a_lower_priority() {
    // §6.4.2: Preempt_Mode is true: neither timer nor interval change.
    let (mut world, a) = backup();
    world.run(millis(3600));
    let advertisement = shunt::wire::vrrp::Advertisement { interval: 10, ..advertisement(99) };
    world.hear(a, &packet(&advertisement, v4(0, 9)));
    assert_eq!(world.summary(a, 1).active_interval, seconds(1));
    world.run(micros(9_370));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.last(a), (State::Active, Reason::Preempted));
}

#[test]
fn without_preemption_a_backup_waits_for_a_lower_active_too() {
    // §6.4.2: Preempt_Mode is false.
    let mut world = World::new(1, 1);
    let a = world.add(&[shunt::vrrp::Settings { preempt: false, ..v3(0, 100) }]);
    for _ in 0..20 {
        world.run(seconds(1));
        world.hear_priority(a, 1);
    }
    assert_eq!(world.state(a), State::Backup);
    world.run(seconds(4));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
}

#[test]
fn priority_zero_leaves_skew_time() {
    // §6.4.2: Active_Down_Timer is set to Skew_Time.
    let (mut world, a) = backup();
    world.hear_priority(a, 200);
    world.run(seconds(1));
    world.hear_priority(a, 0);
    world.run(micros(609_370));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveLeft));
}

#[test]
fn skew_time_is_of_the_learned_interval() {
    let (mut world, a) = backup();
    let advertisement = shunt::wire::vrrp::Advertisement { interval: 10, ..advertisement(200) };
    world.hear(a, &packet(&advertisement, v4(0, 9)));
    world.hear_priority(a, 0);
    world.run(micros(60_930));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn a_backup_that_is_shut_down_says_nothing() {
    // §6.4.2: a Shutdown event.
    let (mut world, a) = backup();
    world.stop(a);
    assert_eq!(world.last(a).0, State::Initialize);
    assert_eq!(world.nodes[a].vrrp.deadline(), None);
    assert_eq!(world.sent.len(), 0);
}

#[test]
fn an_active_advertises_every_interval() {
    // §6.4.3: Adver_Timer.
    let (mut world, a) = active();
    let begin = world.now;
    world.run(seconds(10));
    let expected: Vec<_> = (0..10).map(|n| (begin + millis(900) + seconds(n), 100)).collect();
    let near = |(at, priority): &(_, u8), (wanted, p): &(_, u8)| {
        let (at, wanted): (shunt::types::Time, shunt::types::Time) = (*at, *wanted);
        at.since(wanted).max(wanted.since(at)) < millis(1) && priority == p
    };
    let said = world.said(a, begin);
    assert!(said.len() == 10 && said.iter().zip(&expected).all(|(a, b)| near(a, b)), "{said:?}");
}

#[test]
fn an_active_that_is_shut_down_says_priority_zero() {
    // §6.4.3: a Shutdown event.
    let (mut world, a) = active();
    let now = world.now;
    world.stop(a);
    assert_eq!(world.said(a, now), [(now, 0)]);
    assert_eq!(world.last(a), (State::Initialize, Reason::Released));
    assert_eq!(world.nodes[a].vrrp.deadline(), None);
}

#[test]
fn an_active_answers_priority_zero() {
    // §6.4.3: an advertisement, and Adver_Timer begins anew.
    let (mut world, a) = active();
    let now = world.now;
    world.hear_priority(a, 0);
    assert_eq!(world.said(a, now), [(now, 100)]);
    world.run(millis(999));
    assert_eq!(world.said(a, now).len(), 1);
    world.run(millis(1));
    assert_eq!(world.said(a, now).len(), 2);
}

#[test]
fn an_active_yields_to_a_higher_priority() {
    // §6.4.3, but for one more advertisement, which tells the other one of us and moves no MAC address. The timer is set to Active_Down_Interval of the interval heard.
    let (mut world, a) = active();
    let advertisement = shunt::wire::vrrp::Advertisement { interval: 200, ..advertisement(101) };
    let now = world.now;
    world.hear(a, &packet(&advertisement, v4(0, 9)));
    assert_eq!(world.last(a), (State::Backup, Reason::HigherPriority));
    assert_eq!(world.said(a, now), [(now, 100)]);
    assert_eq!(world.sent.last().unwrap().mac, None);
    let (_, change) = world.nodes[a].changes.last().unwrap();
    assert_eq!((change.active, change.active_priority), (Some(v4(0, 9)), 101));
    assert_eq!(world.summary(a, 1).active_interval, seconds(2));
    world.run(micros(2 * 3_609_375 - 10));
    assert_eq!((world.state(a), world.said(a, now).len()), (State::Backup, 1));
    world.run(micros(20));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
}

#[test]
fn of_equal_priorities_the_greater_address_stays() {
    // §6.4.3: as unsigned integers in network byte order; node 0 has 10.0.0.1.
    for (address, yields) in [
        ("10.0.0.0", false),
        ("10.0.0.2", true),
        ("9.255.255.255", false),
        ("200.0.0.0", true),
        ("10.0.1.0", true),
    ] {
        let (mut world, a) = active();
        world.hear(a, &packet(&advertisement(100), address.parse().unwrap()));
        let expected = if yields { State::Backup } else { State::Active };
        assert_eq!(world.state(a), expected, "{address}");
        let macs: Vec<bool> = world.sent.iter().map(|sent| sent.mac.is_some()).collect();
        assert_eq!(macs, [!yields], "{address}");
    }
}

#[test]
fn an_active_asserts_itself_at_once() {
    // §6.4.3: a lower priority is answered with an advertisement.
    let (mut world, a) = active();
    let now = world.now;
    world.hear_priority(a, 99);
    assert_eq!(world.said(a, now), [(now, 100)]);
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn an_active_does_not_answer_more_often_than_each_centisecond() {
    let (mut world, a) = active();
    let begin = world.now;
    for _ in 0..1000 {
        world.run(micros(100));
        world.hear_priority(a, 99);
        world.hear_priority(a, 0);
    }
    let said = world.said(a, begin);
    assert_eq!(said.len(), 10);
    assert!(said.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= millis(10)));
    // None is left out: the last packet is answered as well.
    world.run(millis(10));
    assert_eq!(world.said(a, begin).len(), 11);
}

#[test]
fn two_routers_agree_and_the_second_takes_over() {
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v3(0, 150), 10)]);
    let b = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(2));
    assert_eq!(world.active(0), [a]);
    assert_eq!(world.summary(b, 1).active, Some(v4(0, a)));
    assert_eq!(world.summary(b, 1).active_priority, 150);
    let (_, change) = world.nodes[b].changes.last().unwrap();
    assert_eq!((change.router, change.state), (id(1), State::Backup));
    assert_eq!((change.reason, change.active), (Reason::AnotherActive, Some(v4(0, a))));
    world.kill(a);
    let killed = world.now;
    assert!(world.run_until(seconds(1), |world| world.active(0) == [b]));
    // 3 × 100 ms and a skew of 60.9 ms after the last advertisement.
    let took = world.now.since(killed);
    assert!(took >= millis(260) && took <= millis(363), "{took:?}");
}

#[test]
fn a_clean_stop_costs_skew_time() {
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v3(0, 150), 10)]);
    let b = world.add(&[every(v3(0, 100), 10)]);
    world.run(seconds(2));
    world.stop(a);
    let stopped = world.now;
    assert!(world.run_until(seconds(1), |world| world.active(0) == [b]));
    let took = world.now.since(stopped);
    assert!(took >= millis(60) && took <= millis(63), "{took:?}");
    assert_eq!(world.last(b), (State::Active, Reason::ActiveLeft));
}

#[test]
fn priority_zero_sets_the_timer_even_if_it_would_have_fired_before() {
    // §6.4.2.
    let (mut world, a) = backup();
    world.run(millis(3500));
    world.hear_priority(a, 0);
    world.run(micros(609_370));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn priority_zero_of_somebody_else_does_not_hide_the_active() {
    let (mut world, a) = backup();
    world.hear(a, &packet(&advertisement(200), v4(0, 8)));
    world.hear_priority(a, 0);
    assert_eq!(world.summary(a, 1).active, Some(v4(0, 8)));
    world.hear(a, &packet(&advertisement(0), v4(0, 8)));
    assert_eq!(world.summary(a, 1).active, None);
}
