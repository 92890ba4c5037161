//! Other intervals while a session is up: Poll, Final, and when a change takes effect (RFC 5880 §6.5, §6.8.3).

use std::time::Duration;

use shunt::bfd::{Settings, State};
use shunt::wire::bfd::Packet;

use crate::bench::{Bench, down, millis, settings};

fn with(transmit: u64, receive: u64) -> Settings {
    Settings {
        transmit_interval: millis(transmit),
        receive_interval: millis(receive),
        ..settings()
    }
}

/// Up, and the Poll Sequence that comes with it has been answered.
fn settled() -> Bench {
    settled_with(settings())
}

fn settled_with(settings: Settings) -> Bench {
    let mut bench = Bench::up_with(settings);
    bench.wait(millis(9));
    assert!(bench.last().poll);
    answer(&mut bench);
    bench.wait_alive(millis(100), bench.theirs());
    assert!(!bench.last().poll);
    bench
}

fn answer(bench: &mut Bench) {
    bench.hear(bench.theirs_but(|packet| packet.final_bit = true));
}

/// Packets that leave in the next 100 ms, while the other side lives.
fn rate(bench: &mut Bench) -> usize {
    bench.sends(|bench| bench.wait_alive(millis(100), bench.theirs()))
}

/// §6.8.3: coming up changes bfd.DesiredMinTxInterval.
#[test]
fn coming_up_begins_a_poll_sequence_that_ends_with_its_final() {
    let mut bench = Bench::up();
    let before = bench.sent.len();
    bench.wait_alive(millis(200), bench.theirs());
    assert!(bench.sent[before..].iter().all(|(_, packet)| packet.poll));
    answer(&mut bench);
    let before = bench.sent.len();
    bench.wait_alive(millis(200), bench.theirs());
    assert!(bench.sent[before..].iter().all(|(_, packet)| !packet.poll));
}

/// §6.5: with the periodic packets, no more of them.
#[test]
fn a_poll_sequence_costs_no_packets_beside_the_first() {
    let mut bench = settled();
    let quiet = rate(&mut bench);
    bench.want(with(10, 20));
    let polling = rate(&mut bench);
    assert!(bench.last().poll && polling.abs_diff(quiet) <= 1, "{quiet} {polling}");
}

#[test]
fn sending_less_often_waits_for_the_final() {
    let mut bench = settled();
    assert_eq!(bench.sends(|bench| bench.want(with(50, 10))), 1);
    let last = bench.last();
    assert!(last.poll && !last.final_bit);
    assert_eq!((last.desired_min_tx, last.required_min_rx), (millis(50), millis(10)));
    assert!((10..=14).contains(&rate(&mut bench)));
    assert_eq!(bench.summary().transmit_interval, millis(10));
    answer(&mut bench);
    assert_eq!(bench.summary().transmit_interval, millis(50));
    assert!((1..=3).contains(&rate(&mut bench)));
}

#[test]
fn sending_more_often_begins_at_once() {
    let mut bench = Bench::up_with(with(50, 10));
    bench.hear(bench.theirs_but(|packet| packet.final_bit = true));
    bench.wait_alive(millis(100), bench.theirs());
    bench.want(with(10, 10));
    assert!(bench.last().poll);
    assert_eq!(bench.summary().transmit_interval, millis(10));
    assert!((10..=14).contains(&rate(&mut bench)));
}

#[test]
fn expecting_packets_more_often_waits_for_the_final() {
    let mut bench = settled_with(with(10, 50));
    assert_eq!(bench.summary().detection_time, millis(150));
    bench.want(with(10, 20));
    assert!(bench.last().poll);
    assert_eq!(bench.last().required_min_rx, millis(20));
    bench.wait_alive(millis(50), bench.theirs());
    assert_eq!(bench.summary().detection_time, millis(150));
    answer(&mut bench);
    assert_eq!(bench.summary().detection_time, millis(60));
}

#[test]
fn expecting_packets_less_often_begins_at_once() {
    let mut bench = settled();
    bench.want(with(10, 50));
    assert!(bench.last().poll);
    assert_eq!(bench.summary().detection_time, millis(150));
}

/// Not up, there is nothing to wait for.
#[test]
fn changes_of_a_session_that_is_not_up_count_at_once() {
    let mut bench = Bench::new(with(10, 50));
    bench.hear(down());
    bench.want(with(2000, 20));
    let summary = bench.summary();
    assert_eq!((summary.transmit_interval, summary.detection_time), (millis(2000), millis(3000)));
    bench.hear(bench.theirs_but(|packet| packet.desired_min_tx = millis(10)));
    assert_eq!(bench.summary().detection_time, millis(60));
    assert_eq!(bench.summary().transmit_interval, millis(2000));
}

/// A Final may answer what was said before the last change.
#[test]
fn a_change_within_a_poll_sequence_needs_one_of_its_own() {
    let mut bench = settled();
    bench.want(with(50, 10));
    bench.wait_alive(millis(40), bench.theirs());
    bench.want(with(100, 10));
    bench.wait_alive(millis(20), bench.theirs());
    answer(&mut bench);
    assert_eq!(bench.summary().transmit_interval, millis(10));
    // The Finals to the first sequence's other packets.
    bench.wait_alive(millis(24), bench.theirs());
    assert!(!bench.last().poll);
    answer(&mut bench);
    assert_eq!(bench.summary().transmit_interval, millis(10));
    bench.wait_alive(millis(80), bench.theirs());
    assert!(bench.last().poll);
    answer(&mut bench);
    assert_eq!(bench.summary().transmit_interval, millis(100));
}

/// Who answers nothing for long is not waited for as long.
#[test]
fn a_poll_sequence_waits_a_second_for_the_answers_to_another_one() {
    let mut bench = settled();
    bench.want(with(50, 10));
    bench.wait_alive(millis(5000), bench.theirs());
    bench.want(with(100, 10));
    answer(&mut bench);
    bench.wait_alive(millis(990), bench.theirs());
    assert!(!bench.last().poll);
    bench.wait_alive(millis(20), bench.theirs());
    assert!(bench.last().poll);
}

/// To and fro before anybody has answered: what the other side may have heard last is not known.
#[test]
fn the_least_of_what_was_said_counts_until_all_is_answered() {
    let mut bench = Bench::up_with(with(50, 20));
    answer(&mut bench);
    for (transmit, receive) in [(100, 20), (20, 50), (200, 10)] {
        bench.want(with(transmit, receive));
    }
    let summary = bench.summary();
    assert_eq!((summary.transmit_interval, summary.detection_time), (millis(20), millis(150)));
    bench.want(with(50, 20));
    let summary = bench.summary();
    assert_eq!((summary.transmit_interval, summary.detection_time), (millis(20), millis(150)));
}

#[test]
fn a_final_that_nobody_asked_for_says_nothing() {
    let mut bench = settled();
    answer(&mut bench);
    bench.want(with(50, 10));
    bench.hear(bench.theirs());
    assert_eq!(bench.summary().transmit_interval, millis(10));
}

/// §6.8.7: at once, without Poll, whatever state we are in.
#[test]
fn a_poll_is_answered_at_once() {
    for state in [State::Down, State::Init, State::Up] {
        let mut bench = Bench::new(settings());
        if state != State::Down {
            bench.hear(down());
        }
        if state == State::Up {
            bench.hear(bench.theirs());
        }
        // Up does not bring a session that is Down up, and Init would.
        let poll = bench.theirs_but(|packet| {
            (packet.poll, packet.state) =
                (true, if state == State::Init { State::Down } else { State::Up });
        });
        assert_eq!(bench.sends(|bench| bench.hear(poll)), 1);
        assert_eq!(bench.state(), state);
        assert!(bench.last().final_bit && !bench.last().poll, "{state}");
    }
}

/// §6.5: never both; our own sequence goes on with the next packet. The answers do not put it off.
#[test]
fn who_is_polled_all_the_time_still_polls() {
    let mut bench = Bench::up();
    let poll = bench.theirs_but(|packet| packet.poll = true);
    let before = bench.sent.len();
    bench.wait_alive(millis(200), poll);
    let sent: Vec<Packet> = bench.sent[before..].iter().map(|(_, packet)| *packet).collect();
    assert!(sent.iter().all(|packet| packet.poll != packet.final_bit));
    assert_eq!(sent.iter().filter(|packet| packet.final_bit).count(), 25);
    assert!(sent.iter().filter(|packet| packet.poll).count() >= 20);
}

/// It is no interval, but it changes what the other side waits for.
#[test]
fn another_multiplier_is_said_at_once() {
    let mut bench = settled();
    let sends = bench.sends(|bench| bench.want(Settings { multiplier: 7, ..settings() }));
    assert_eq!((sends, bench.last().multiplier, bench.last().poll), (1, 7, false));
    assert_eq!(bench.sends(|bench| bench.want(Settings { multiplier: 7, ..settings() })), 0);
}

/// What was begun with somebody who is gone does not go on with who comes.
#[test]
fn a_poll_sequence_ends_with_the_session() {
    let mut bench = settled();
    bench.want(with(50, 10));
    bench.wait(millis(1000));
    assert_eq!(bench.state(), State::Down);
    let before = bench.sent.len();
    bench.wait(millis(5000));
    assert!(bench.sent[before..].iter().all(|(_, packet)| !packet.poll));
    assert_eq!(bench.summary().transmit_interval, Duration::from_secs(1));
}
