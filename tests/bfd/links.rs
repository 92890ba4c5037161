//! Carrier loss takes sessions down at once, with Path Down (RFC 5880 §4.1), and holds them there.

use shunt::bfd::{Diagnostic, Event, Path, Settings, State};

use crate::bench::{Bench, address, down, millis, settings};

fn set(bench: &mut Bench, interface: u32, up: bool) {
    bench.handle(Event::LinkChanged { interface, up });
}

#[test]
fn a_lost_link_takes_the_session_down_at_once() {
    let mut bench = Bench::up();
    set(&mut bench, 2, false);
    assert_eq!(bench.state(), State::Up);
    assert_eq!(bench.sends(|bench| set(bench, 1, false)), 1);
    assert_eq!((bench.last().state, bench.last().diagnostic), (State::Down, Diagnostic::PATH_DOWN));
    let change = bench.changes.last().unwrap();
    assert_eq!((change.state, change.diagnostic), (State::Down, Diagnostic::PATH_DOWN));
    assert_eq!(change.at, bench.now);
    // What still trickles in, or is heard of another link, does not bring it up.
    let sends = bench.sends(|bench| {
        bench.hear(down());
        bench.hear(bench.theirs_but(|packet| (packet.state, packet.poll) = (State::Init, true)));
        bench.wait(millis(5000));
    });
    assert_eq!((sends, bench.state()), (0, State::Down));
    assert_eq!(bench.diagnostic(), Diagnostic::PATH_DOWN);
    assert_eq!(bench.changes.len(), 3);
}

#[test]
fn a_link_that_is_back_is_used_at_once() {
    let mut bench = Bench::up();
    set(&mut bench, 1, false);
    bench.wait(millis(5000));
    assert_eq!(bench.sends(|bench| set(bench, 1, true)), 1);
    assert_eq!((bench.last().state, bench.last().diagnostic), (State::Down, Diagnostic::PATH_DOWN));
    assert_eq!(bench.sends(|bench| set(bench, 1, true)), 0);
    bench.come_up();
    assert_eq!(bench.diagnostic(), Diagnostic::NONE);
    // What was said when the link went was lost with it.
    set(&mut bench, 1, false);
    assert_eq!(bench.sends(|bench| set(bench, 1, true)), 1);
}

#[test]
fn a_session_on_a_link_that_is_down_waits_for_it() {
    let mut bench = Bench::new(settings());
    set(&mut bench, 3, false);
    bench.leave();
    let path =
        Path::SingleHop { interface: 3, local: address("10.0.3.1"), remote: address("10.0.3.2") };
    bench.path = path;
    let sends = bench.sends(|bench| {
        bench.want(Settings { path, ..settings() });
        bench.hear(down());
        bench.wait(millis(3000));
    });
    assert_eq!((sends, bench.state()), (0, State::Down));
    set(&mut bench, 3, true);
    bench.come_up();
}

/// Whoever drops a session with its link has nobody to tell.
#[test]
fn a_session_without_its_link_ends_at_once() {
    let mut bench = Bench::up();
    set(&mut bench, 1, false);
    bench.leave();
    assert_eq!(bench.sockets.len(), 2);
}

#[test]
fn a_session_over_several_hops_has_no_link() {
    let path =
        Path::MultiHop { local: address("192.0.2.1"), remote: address("192.0.2.2"), min_ttl: 250 };
    let mut bench = Bench::up_with(Settings { path, ..settings() });
    for interface in 0..10 {
        set(&mut bench, interface, false);
    }
    assert_eq!(bench.state(), State::Up);
}
