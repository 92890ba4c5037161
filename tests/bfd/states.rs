//! The state machine (RFC 5880 §6.2, §6.8.6) and its ends (§6.8.16).

use shunt::bfd::{Diagnostic, Event, State};
use shunt::types::Time;
use shunt::wire::bfd::Packet;

use crate::bench::{Bench, ID, THEIRS, down, millis, settings};

/// A bench in a state, the other side having just made it so.
fn bench_in(state: State) -> Bench {
    let mut bench = Bench::new(settings());
    match state {
        State::Init => bench.hear(down()),
        State::Up => bench.come_up(),
        State::Down | State::AdminDown => {}
    }
    assert_eq!(bench.state(), state);
    bench
}

/// RFC 5880 §6.8.6: what each state becomes by what is heard.
#[test]
fn each_state_follows_what_it_hears() {
    use State::{AdminDown, Down, Init, Up};
    let signaled = Diagnostic::NEIGHBOR_SIGNALED_DOWN;
    let none = Diagnostic::NONE;
    for (state, heard, becomes, diagnostic) in [
        (Down, AdminDown, Down, none),
        (Down, Down, Init, none),
        (Down, Init, Up, none),
        (Down, Up, Down, none),
        (Init, AdminDown, Down, signaled),
        (Init, Down, Init, none),
        (Init, Init, Up, none),
        (Init, Up, Up, none),
        (Up, AdminDown, Down, signaled),
        (Up, Down, Down, signaled),
        (Up, Init, Up, none),
        (Up, Up, Up, none),
    ] {
        let mut bench = bench_in(state);
        let changes = bench.changes.len();
        bench.hear(bench.theirs_but(|packet| packet.state = heard));
        assert_eq!((bench.state(), bench.diagnostic()), (becomes, diagnostic), "{state} {heard}");
        assert_eq!(bench.last().state, becomes, "{state} {heard}");
        let told = bench.changes.len() - changes;
        let admin_down = heard == AdminDown;
        assert_eq!(told, usize::from(state != becomes || admin_down), "{state} {heard}");
    }
}

/// §6.8.1: the initial values. §6.8.7: nobody of us is passive.
#[test]
fn a_new_session_says_down_at_once_and_then_once_a_second() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.sockets, [(ID, true)]);
    let (at, first) = bench.sent[0];
    assert_eq!(at, bench.now);
    let discriminator = bench.summary().local_discriminator;
    assert_ne!(discriminator, 0);
    let expected = Packet { my_discriminator: discriminator, ..down() };
    assert_eq!(first, expected);
    bench.wait(millis(20_000));
    assert!((21..=26).contains(&(bench.sent.len())), "{}", bench.sent.len());
    assert!(bench.sent.iter().all(|(_, packet)| *packet == expected));
    assert!(bench.changes.is_empty());
}

/// §6.8.7: a packet that would say something else is sent between the periodic ones.
#[test]
fn what_changes_is_said_at_once() {
    let mut bench = Bench::new(settings());
    bench.hear(down());
    let init = bench.last();
    assert_eq!((init.state, init.your_discriminator, bench.sent.len()), (State::Init, THEIRS, 2));
    bench.hear(bench.theirs_but(|packet| packet.state = State::Init));
    assert_eq!((bench.last().state, bench.sent.len()), (State::Up, 3));
    assert_eq!(bench.last().desired_min_tx, millis(10));
    // What is as before is not.
    assert_eq!(bench.sends(|bench| bench.hear(bench.theirs())), 0);
    let states: Vec<_> = bench.changes.iter().map(|change| change.state).collect();
    assert_eq!(states, [State::Init, State::Up]);
    let change = &bench.changes[1];
    assert_eq!((change.session, change.at), (ID, bench.now));
    assert_eq!((change.diagnostic, change.remote_state), (Diagnostic::NONE, State::Init));
}

/// §6.8.4, §6.8.1: a Detection Time without a packet.
#[test]
fn silence_ends_a_session_and_forgets_the_other_side() {
    let mut bench = Bench::up();
    let heard = bench.now;
    bench.wait(millis(29));
    assert_eq!(bench.state(), State::Up);
    bench.wait(millis(2));
    let change = bench.changes.last().unwrap().clone();
    assert_eq!(change.at, heard + millis(30));
    assert_eq!((change.state, change.diagnostic), (State::Down, Diagnostic(1)));
    assert_eq!(change.remote_state, State::Down);
    let (at, last) = *bench.sent.last().unwrap();
    assert_eq!((at, last.state, last.diagnostic), (heard + millis(30), State::Down, Diagnostic(1)));
    assert_eq!(last.your_discriminator, 0);
    let summary = bench.summary();
    assert_eq!((summary.remote_discriminator, summary.detection_time), (0, millis(0)));
    assert_eq!((summary.ups, summary.downs, summary.since), (1, 1, heard + millis(30)));
    // The other side, when it is back, finds us.
    bench.wait(millis(5000));
    bench.come_up();
    assert_eq!(bench.summary().ups, 2);
    assert_eq!(bench.last().diagnostic, Diagnostic::NONE);
}

/// §6.8.4 holds for Init too, and §6.8.1's bfd.RemoteDiscr for Down.
#[test]
fn silence_counts_before_the_session_was_up() {
    let mut bench = bench_in(State::Init);
    bench.wait(millis(2999));
    assert_eq!(bench.state(), State::Init);
    bench.wait(millis(1));
    assert_eq!((bench.state(), bench.diagnostic()), (State::Down, Diagnostic(1)));
    assert_eq!(bench.summary().downs, 0);

    let mut bench = bench_in(State::Down);
    bench.hear(bench.theirs());
    assert_eq!(bench.last().your_discriminator, THEIRS);
    bench.wait(millis(31));
    assert_eq!(bench.last().your_discriminator, 0);
    assert_eq!(bench.diagnostic(), Diagnostic::NONE);
    assert!(bench.changes.is_empty());
}

/// §6.8.4: the multiplier is the other side's, the interval the slower of both wishes.
#[test]
fn the_detection_time_follows_the_other_sides_packets() {
    let mut bench = Bench::up();
    let detection = |bench: &mut Bench, multiplier, transmit| {
        bench.hear(bench.theirs_but(|packet| {
            packet.multiplier = multiplier;
            packet.desired_min_tx = millis(transmit);
        }));
        bench.summary().detection_time
    };
    assert_eq!(detection(&mut bench, 3, 10), millis(30));
    assert_eq!(detection(&mut bench, 5, 10), millis(50));
    assert_eq!(detection(&mut bench, 2, 5), millis(20));
    assert_eq!(detection(&mut bench, 1, 400), millis(400));
    assert_eq!(detection(&mut bench, 255, 1000), millis(255_000));
    assert_eq!(detection(&mut bench, 1, 1), millis(10));
    bench.wait(millis(9));
    assert_eq!(bench.state(), State::Up);
    bench.wait(millis(1));
    assert_eq!(bench.state(), State::Down);
}

/// A packet that waited in a socket is no missing one: it is handed in before the timers fire.
#[test]
fn a_late_packet_that_is_handed_in_first_counts() {
    let mut bench = Bench::up();
    bench.now += millis(500);
    bench.hear(bench.theirs());
    bench.bfd.tick(bench.now);
    bench.wait(millis(29));
    assert_eq!(bench.state(), State::Up);
}

/// §6.8.16: AdminDown is said for as long as the other side would wait, and then the session is gone.
#[test]
fn a_session_that_is_dropped_says_admin_down_for_a_while() {
    let mut bench = Bench::up();
    let changes = bench.changes.len();
    let sends = bench.sends(Bench::leave);
    assert_eq!(sends, 1);
    let last = bench.last();
    assert_eq!((last.state, last.diagnostic), (State::AdminDown, Diagnostic(7)));
    assert_eq!(last.desired_min_tx, millis(1000));
    assert!(bench.bfd.summaries(bench.now).is_empty());
    // §6.8.6: what comes changes nothing any more.
    let theirs = Packet { poll: true, your_discriminator: last.my_discriminator, ..down() };
    assert_eq!(bench.sends(|bench| bench.hear(theirs)), 0);
    let sends = bench.sends(|bench| bench.wait(millis(2990)));
    assert!((3..=4).contains(&sends), "{sends}");
    assert_eq!(bench.sockets, [(ID, true)]);
    bench.wait(millis(10));
    assert_eq!(bench.sockets, [(ID, true), (ID, false)]);
    assert_eq!(bench.sends(|bench| bench.wait(millis(5000))), 0);
    assert_eq!(bench.bfd.deadline(), None);
    assert_eq!(bench.changes.len(), changes);
}

#[test]
fn a_session_that_nobody_answers_is_dropped_at_once() {
    let mut bench = Bench::new(settings());
    bench.leave();
    assert_eq!(bench.last().state, State::AdminDown);
    assert_eq!(bench.sockets, [(ID, true), (ID, false)]);
    assert_eq!(bench.bfd.deadline(), None);
}

/// §6.8.16: enabling sets the state to Down.
#[test]
fn a_session_that_is_wanted_again_begins_anew() {
    let mut bench = Bench::up();
    bench.leave();
    bench.wait(millis(100));
    bench.want(settings());
    assert_eq!((bench.last().state, bench.last().diagnostic), (State::Down, Diagnostic::NONE));
    bench.wait(millis(5000));
    assert_eq!(bench.sockets, [(ID, true)]);
    bench.come_up();
}

#[test]
fn a_stop_says_admin_down_on_every_session() {
    let mut bench = Bench::up();
    assert_eq!(bench.sends(|bench| bench.handle(Event::Stopped)), 1);
    assert_eq!(bench.last().state, State::AdminDown);
}

/// RFC 5882 §3.2: AdminDown is not a failure, so who listens is told of it, and of its end.
#[test]
fn admin_down_of_the_other_side_can_be_told_from_a_failure() {
    let mut bench = Bench::up();
    bench.hear(bench.theirs_but(|packet| {
        packet.state = State::AdminDown;
        packet.diagnostic = Diagnostic::ADMINISTRATIVELY_DOWN;
    }));
    let change = bench.changes.last().unwrap().clone();
    assert_eq!((change.state, change.remote_state), (State::Down, State::AdminDown));
    assert_eq!(change.remote_diagnostic, Diagnostic::ADMINISTRATIVELY_DOWN);
    // It stays the last word of a side that then leaves.
    let changes = bench.changes.len();
    bench.wait(millis(60_000));
    assert_eq!(bench.summary().remote_state, State::AdminDown);
    assert_eq!(bench.changes.len(), changes);
    bench.hear(bench.theirs());
    let change = bench.changes.last().unwrap();
    assert_eq!((change.state, change.remote_state), (State::Down, State::Up));
}

/// §6.8.7 lets a change be told at once. Where a network delivers packets twice, two sides that flap would answer each
/// other without end.
#[test]
fn no_more_than_eight_packets_a_second_are_sent_before_their_time() {
    let mut bench = Bench::new(settings());
    let sends = bench.sends(|bench| {
        for _ in 0..50 {
            bench.hear(down());
            bench.hear(bench.theirs_but(|packet| packet.state = State::AdminDown));
        }
    });
    assert_eq!(sends, 7);
    bench.wait(millis(1000));
    assert_eq!(bench.sends(|bench| bench.hear(down())), 1);
}

#[test]
fn a_spurious_tick_does_nothing() {
    let mut bench = Bench::up();
    let deadline = bench.bfd.deadline();
    assert!(deadline > Some(Time::ZERO));
    for _ in 0..10 {
        bench.bfd.tick(bench.now);
        assert_eq!(bench.bfd.poll(), None);
    }
    assert_eq!(bench.bfd.deadline(), deadline);
}
