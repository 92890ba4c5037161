//! When packets leave (RFC 5880 §6.8.2, §6.8.3, §6.8.7).

use std::collections::BTreeSet;
use std::time::Duration;

use shunt::bfd::{Event, Order, Path, SessionId, Settings, State};
use shunt::types::Time;

use crate::bench::{Bench, address, down, millis, settings};

/// Between the packets that leave within a while, from the first on.
fn gaps(bench: &mut Bench, span: Duration) -> Vec<Duration> {
    let from = bench.sent.len();
    bench.wait_alive(span, bench.theirs());
    let times: Vec<Time> = bench.sent[from..].iter().map(|(at, _)| *at).collect();
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}

fn micros(number: u64) -> Duration {
    Duration::from_micros(number)
}

/// At times that all sessions of the node share: 8 or 9 ms after one another, drawn anew for each packet.
#[test]
fn packets_leave_after_75_to_95_percent_of_the_interval() {
    let mut bench = Bench::up();
    let gaps = gaps(&mut bench, millis(20_000));
    let of = |millis: u64| gaps[1..].iter().filter(|gap| **gap == self::millis(millis)).count();
    assert!(gaps[0] >= micros(7500) && gaps[0] <= micros(9500), "{:?}", gaps[0]);
    assert_eq!(of(8) + of(9), gaps.len() - 1);
    assert!(of(8) * 5 > gaps.len() && of(9) * 3 > gaps.len(), "{} and {}", of(8), of(9));
}

/// §6.8.7: with a multiplier of 1 no packet may come late.
#[test]
fn with_a_multiplier_of_1_after_90_percent_at_most() {
    let settings = Settings { multiplier: 1, transmit_interval: micros(10_900), ..settings() };
    let mut bench = Bench::up_with(settings);
    let gaps = gaps(&mut bench, millis(20_000));
    let (least, most) = (*gaps.iter().min().unwrap(), *gaps.iter().max().unwrap());
    assert!(least >= micros(8175) && most <= micros(9810), "{least:?} {most:?}");
    assert_eq!(most, millis(9));
}

/// Slow ones leave with those that are less slow.
#[test]
fn sessions_share_wakeups() {
    let mut bench = Bench::new(settings());
    let interval = |id: u32| millis(if id < 50 { 1000 } else { 1700 });
    for id in 2..102 {
        let remote = address(&format!("10.1.0.{id}"));
        let path = Path::SingleHop { interface: 1, local: address("10.1.0.250"), remote };
        let settings = Box::new(Settings { path, transmit_interval: interval(id), ..settings() });
        bench.handle(Event::Ordered(Order::Want { session: SessionId(id), settings }));
    }
    let (begin, from) = (bench.now, bench.sent.len());
    bench.wait(millis(20_000));
    let times: BTreeSet<Time> = bench.sent[from..].iter().map(|(at, _)| *at).collect();
    // All of 64 ms.
    assert!(times.len() < 320 && bench.sent.len() - from > 1700, "{} wakeups", times.len());
    for summary in bench.bfd.summaries(bench.now) {
        let interval = interval(summary.session.0);
        let of = |packet: u32| packet == summary.local_discriminator;
        let mut last = begin;
        for (at, _) in bench.sent[from..].iter().filter(|(_, packet)| of(packet.my_discriminator)) {
            let gap = at.since(last);
            assert!(gap <= interval * 95 / 100 && gap >= interval * 3 / 4, "{gap:?}");
            last = *at;
        }
    }
}

/// §6.8.2: the slower of what we wish and what the other side can take; below 5 ms is not ours to wish.
#[test]
fn the_interval_is_the_slower_of_both_wishes() {
    let mut bench = Bench::up();
    assert_eq!(bench.summary().transmit_interval, millis(10));
    bench.hear(bench.theirs_but(|packet| packet.required_min_rx = millis(40)));
    assert_eq!(bench.summary().transmit_interval, millis(40));
    bench.hear(bench.theirs_but(|packet| packet.required_min_rx = micros(1)));
    assert_eq!(bench.summary().transmit_interval, millis(10));
    let hasty =
        Settings { transmit_interval: micros(1), receive_interval: Duration::ZERO, ..settings() };
    let mut bench = Bench::up_with(hasty);
    bench.hear(bench.theirs_but(|packet| packet.required_min_rx = micros(1)));
    assert_eq!(bench.summary().transmit_interval, millis(5));
    assert_eq!(bench.last().required_min_rx, millis(5));
}

/// §6.8.3: a session that is not up sends once a second, however fast it is to be, and more slowly if it is to be slow.
#[test]
fn a_session_that_is_not_up_is_slow() {
    let mut bench = Bench::new(settings());
    bench.hear(down());
    assert_eq!(bench.state(), State::Init);
    assert_eq!(bench.summary().transmit_interval, millis(1000));
    bench.hear(bench.theirs());
    assert_eq!(bench.summary().transmit_interval, millis(10));
    bench.hear(bench.theirs_but(|packet| packet.state = State::Down));
    assert_eq!(bench.summary().transmit_interval, millis(1000));
    assert_eq!(bench.last().desired_min_tx, millis(1000));
    let slow = Settings { transmit_interval: millis(1500), ..settings() };
    let bench = Bench::new(slow);
    assert_eq!(bench.last().desired_min_tx, millis(1500));
}

/// §6.8.3: the other side takes packets faster from now on.
#[test]
fn a_faster_receiver_is_served_at_once() {
    for (waited, within) in [(8, 10), (500, 0)] {
        let mut bench = Bench::up();
        bench.hear(bench.theirs_but(|packet| packet.required_min_rx = millis(1000)));
        bench.wait_alive(
            millis(2000),
            bench.theirs_but(|packet| {
                packet.required_min_rx = millis(1000);
            }),
        );
        // Right after a packet of ours.
        let sent = bench.sent.len();
        while bench.sent.len() == sent {
            bench.wait(millis(1));
            bench.hear(bench.theirs_but(|packet| packet.required_min_rx = millis(1000)));
        }
        let (last, count) = (bench.sent.last().unwrap().0, bench.sent.len());
        while bench.now < last + millis(waited) {
            bench.wait(millis(1));
            bench.hear(bench.theirs_but(|packet| packet.required_min_rx = millis(1000)));
        }
        assert_eq!(bench.sent.len(), count);
        bench.hear(bench.theirs());
        bench.wait(millis(0));
        if within == 0 {
            assert_eq!(bench.sent.len(), count + 1);
        } else {
            bench.wait(last.since(bench.now) + millis(within - waited));
            assert_eq!(bench.sent.len(), count + 1);
            assert!(bench.sent[count].0.since(last) <= millis(within));
        }
    }
}

/// §6.8.7: zero means that nothing is to come by itself.
#[test]
fn a_receiver_that_wants_no_packets_gets_answers_only() {
    let mut bench = Bench::up();
    let silent = bench.theirs_but(|packet| packet.required_min_rx = Duration::ZERO);
    bench.hear(silent);
    assert_eq!(bench.sends(|bench| bench.wait_alive(millis(3000), silent)), 0);
    bench.hear(shunt::wire::bfd::Packet { poll: true, ..silent });
    assert!(bench.last().final_bit);
    let sends = bench.sends(|bench| bench.wait_alive(millis(100), bench.theirs()));
    assert!((10..=14).contains(&sends), "{sends}");
    // Who comes after it has not said so.
    bench.hear(silent);
    bench.wait(millis(31));
    let sends = bench.sends(|bench| bench.wait(millis(5000)));
    assert!((5..=6).contains(&sends), "{sends}");
}

/// §6.8.9 is not for us: no echo is looped back, and none is sent whatever is offered.
#[test]
fn echo_is_not_used() {
    let mut bench = Bench::up();
    bench.hear(bench.theirs_but(|packet| packet.required_min_echo_rx = millis(10)));
    bench.wait_alive(millis(100), bench.theirs());
    assert_eq!(bench.state(), State::Up);
    assert!(bench.sent.iter().all(|(_, packet)| packet.required_min_echo_rx.is_zero()));
    let never = |(_, packet): &(Time, shunt::wire::bfd::Packet)| {
        !packet.demand && !packet.control_plane_independent
    };
    assert!(bench.sent.iter().all(never));
}
