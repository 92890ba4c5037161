//! The other side wants Demand mode (RFC 5880 §6.6, §6.8.7): it gets silence while both are up.

use shunt::bfd::{Settings, State};

use crate::bench::{Bench, millis, settings};

/// Up, polled and answered, and the other side says Demand.
fn demanded() -> Bench {
    let mut bench = Bench::up();
    let demand = bench.theirs_but(|packet| (packet.demand, packet.final_bit) = (true, true));
    bench.wait(millis(9));
    bench.hear(demand);
    bench
}

#[test]
fn nothing_is_sent_by_itself() {
    let mut bench = demanded();
    let demand = bench.theirs_but(|packet| packet.demand = true);
    assert_eq!(bench.sends(|bench| bench.wait_alive(millis(2000), demand)), 0);
    assert_eq!(bench.state(), State::Up);
    let poll = bench.theirs_but(|packet| (packet.demand, packet.poll) = (true, true));
    assert_eq!(bench.sends(|bench| bench.hear(poll)), 1);
    assert!(bench.last().final_bit);
    let sends = bench.sends(|bench| bench.wait_alive(millis(100), bench.theirs()));
    assert!((10..=14).contains(&sends), "{sends}");
}

/// §6.6: silence of the other side means the same as ever, as it is not we who demand.
#[test]
fn the_detection_time_goes_on() {
    let mut bench = demanded();
    bench.wait(millis(31));
    assert_eq!(bench.state(), State::Down);
    let sends = bench.sends(|bench| bench.wait(millis(5000)));
    assert!((5..=6).contains(&sends), "{sends}");
}

/// §6.8.7: a Poll Sequence is sent until it is answered.
#[test]
fn a_poll_sequence_is_sent_nevertheless() {
    let mut bench = demanded();
    let demand = bench.theirs_but(|packet| packet.demand = true);
    bench.wait_alive(millis(100), demand);
    bench.want(Settings { receive_interval: millis(20), ..settings() });
    let sends = bench.sends(|bench| bench.wait_alive(millis(100), demand));
    assert!((10..=14).contains(&sends) && bench.last().poll, "{sends}");
    bench.hear(bench.theirs_but(|packet| (packet.demand, packet.final_bit) = (true, true)));
    assert_eq!(bench.sends(|bench| bench.wait_alive(millis(500), demand)), 0);
}

/// §6.6: not active unless both are up.
#[test]
fn who_is_not_up_is_sent_packets() {
    let mut bench = demanded();
    let demand = bench.theirs_but(|packet| (packet.demand, packet.state) = (true, State::Init));
    let sends = bench.sends(|bench| bench.wait_alive(millis(100), demand));
    assert!((10..=14).contains(&sends), "{sends}");
}
