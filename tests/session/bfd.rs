//! What sees the path itself: BFD and the link.

use shunt::bgp::{Action, DownReason, Event, Note, Settings, State};
use shunt::types::Family;
use shunt::wire::bgp::{Capability, GracefulRestart, Message, Notification};

use super::bench::{
    Bench, assert_ended, down, notes, seconds, sent, settings, their_open, their_open_with,
};

fn strict() -> Settings {
    Settings { bfd_strict: true, ..settings(1) }
}

fn link_lost() -> Event {
    Event::LinkLost { link: "eth1".to_owned() }
}

fn dials(actions: &[Action]) -> usize {
    actions.iter().filter(|action| **action == Action::Dial).count()
}

/// RFC 9384 §3.
#[test]
fn a_failure_ends_the_session_at_once_and_says_so() {
    let (mut bench, connection) = Bench::up(settings(1));
    bench.handle(Event::BfdUp);
    let actions = bench.handle(Event::BfdDown);
    assert_ended(&actions, connection, &Notification::bfd_down());
    let (reason, retained) = down(&actions).unwrap();
    assert_eq!((reason.to_string().as_str(), &*retained), ("we sent Cease / BFD Down", &[][..]));
}

/// Most often the neighbour is back at once. It is tried soon, and again when BFD sees it, however many attempts came to
/// nothing meanwhile.
#[test]
fn a_neighbour_that_bfd_sees_again_is_dialled_at_once() {
    let (mut bench, _) = Bench::up(settings(1));
    bench.handle(Event::BfdUp);
    bench.pass(seconds(20));
    bench.handle(Event::BfdDown);
    let (wait, actions) = bench.next_deadline();
    assert!(wait < seconds(1) && dials(&actions) == 1, "{wait:?} {actions:?}");
    for _ in 0..9 {
        bench.handle(Event::DialFailed { reason: "no route to host".to_owned() });
        let (wait, actions) = bench.next_deadline();
        assert!(wait < seconds(130) && dials(&actions) == 1, "{wait:?} {actions:?}");
    }
    bench.handle(Event::DialFailed { reason: "no route to host".to_owned() });
    assert_eq!(bench.handle(Event::BfdUp), [Action::Dial]);
    bench.handle(Event::DialFailed { reason: "refused".to_owned() });
    let (wait, _) = bench.next_deadline();
    assert!(wait <= seconds(1), "the waits begin anew: {wait:?}");
}

#[test]
fn a_dial_into_the_void_is_made_anew() {
    for back in [Event::BfdUp, Event::LinkBack] {
        let mut bench = Bench::new(settings(1));
        bench.handle(Event::Started);
        assert_eq!(bench.handle(back), [Action::StopDialling, Action::Dial]);
    }
}

#[test]
fn what_is_up_or_damped_or_passive_is_not_hastened() {
    for back in [Event::BfdUp, Event::LinkBack] {
        let (mut bench, connection) = Bench::up(settings(1));
        assert_eq!(bench.handle(back.clone()), []);
        // The neighbour has sent something wrong, which has nothing to do with the path.
        let notification = Notification::bad_message_length(18);
        bench.handle(Event::Malformed { connection, notification });
        assert_eq!(bench.peer.state(), State::Idle);
        assert_eq!(bench.handle(back.clone()), []);

        let mut bench = Bench::new(Settings { passive: true, ..settings(1) });
        bench.handle(Event::Started);
        assert_eq!(bench.handle(back.clone()), []);

        let mut bench = Bench::new(settings(1));
        assert_eq!(bench.handle(back), [], "not started");
    }
}

/// Whatever the network makes of the path a thousand times a second.
#[test]
fn a_flapping_path_makes_no_storm_of_dials() {
    for settings in [settings(1), strict()] {
        let mut bench = Bench::new(settings);
        bench.handle(Event::Started);
        let mut count = 0;
        for _ in 0..10_000 {
            let mut actions = bench.handle(Event::BfdDown);
            actions.extend(bench.handle(Event::BfdUp));
            actions.extend(bench.pass(std::time::Duration::from_millis(1)));
            count += dials(&actions);
        }
        assert!((2..=20).contains(&count), "{count} in ten seconds");
    }
}

#[test]
fn a_connection_that_is_not_a_session_yet_ends_as_well() {
    for (event, told) in [(Event::BfdDown, Some(Notification::bfd_down())), (link_lost(), None)] {
        let (mut bench, connection) = Bench::dialled(settings(1));
        let actions = bench.handle(event.clone());
        let expected: Vec<Message> = told.into_iter().map(Message::Notification).collect();
        assert_eq!(sent(&actions, connection), expected);
        assert!(actions.contains(&Action::Close { connection }), "{actions:?}");
        assert_eq!(down(&actions), None);
        // And when there is none, nothing happens.
        assert_eq!(bench.handle(event), []);
    }
}

#[test]
fn a_lost_link_ends_the_session_and_its_return_calls_the_neighbour() {
    let (mut bench, connection) = Bench::up(settings(1));
    bench.write_all(connection);
    let actions = bench.handle(link_lost());
    assert_eq!(sent(&actions, connection), [], "nobody would get it");
    assert!(actions.contains(&Action::Close { connection }), "{actions:?}");
    let (reason, retained) = down(&actions).unwrap();
    assert_eq!((reason.to_string().as_str(), &*retained), ("the link eth1 is down", &[][..]));
    bench.pass(seconds(60));
    let actions = bench.handle(Event::LinkBack);
    assert_eq!(dials(&actions), 1, "{actions:?}");
}

/// RFC 5882 §4.3.2: BFD shares the fate of the control plane, so its failure while the neighbour restarts says nothing. That
/// the link is gone does.
#[test]
fn routes_kept_over_a_restart_go_with_the_link_but_not_with_bfd() {
    let open = their_open_with(Capability::GracefulRestart(GracefulRestart {
        restarting: false,
        notification: true,
        restart_time: 120,
        families: vec![(1, 1, true)],
    }));
    let helper = Settings { graceful_restart_helper: true, ..settings(1) };
    let (mut bench, connection) = Bench::up_with(helper, open);
    bench.handle(Event::BfdUp);
    let actions = bench.handle(Event::Closed { connection, reason: "reset".to_owned() });
    assert_eq!(down(&actions).unwrap().1, [Family::Ipv4]);
    let swept = Action::SweepStale { family: Family::Ipv4 };
    assert!(!bench.handle(Event::BfdDown).contains(&swept));
    assert!(bench.handle(link_lost()).contains(&swept));
}

#[test]
fn a_strict_neighbour_is_neither_dialled_nor_taken_before_bfd_is_up() {
    let mut bench = Bench::new(strict());
    assert_eq!(bench.handle(Event::Started), []);
    assert_eq!(bench.pass(seconds(600)), []);
    assert_eq!(bench.peer.state(), State::Active);
    let (connection, actions) = bench.accept();
    // No NOTIFICATION: FRR and BIRD would stay away for up to minutes.
    assert_eq!(actions[0], Action::Close { connection });
    assert_eq!(notes(&actions), [&Note::AwaitsBfd]);
    assert_eq!(actions.len(), 2);

    assert_eq!(bench.handle(Event::BfdUp), [Action::Dial]);
    let (connection, _) = bench.dial();
    bench.receive(connection, Message::Open(their_open()));
    bench.receive(connection, Message::Keepalive);
    assert_eq!(bench.peer.state(), State::Established);
    bench.write_all(connection);

    // The session may be another one, or shut down on purpose: that is no failure.
    assert_eq!(bench.handle(Event::BfdUnknown), []);
    assert_eq!(bench.peer.state(), State::Established);
    bench.handle(Event::BfdUp);
    let actions = bench.handle(Event::BfdDown);
    assert_eq!(down(&actions).unwrap().0, DownReason::Sent(Notification::bfd_down()));
    assert_eq!(dials(&bench.pass(seconds(600))), 0);
    assert_eq!(bench.handle(Event::BfdUp), [Action::Dial]);
    assert_eq!(bench.handle(Event::BfdUnknown), [Action::StopDialling]);
    assert_eq!(dials(&bench.pass(seconds(600))), 0);
}

/// A session that ends for another reason while BFD is up is dialled as ever.
#[test]
fn a_strict_neighbour_that_restarts_is_dialled_as_any_other() {
    let mut bench = Bench::new(strict());
    bench.handle(Event::Started);
    bench.handle(Event::BfdUp);
    let (connection, _) = bench.dial();
    bench.receive(connection, Message::Open(their_open()));
    bench.receive(connection, Message::Keepalive);
    bench.handle(Event::Closed { connection, reason: "reset".to_owned() });
    assert_eq!(dials(&bench.pass(seconds(2))), 1);
    // An error is damped, and ends while BFD is down: still nothing is dialled.
    let (connection, _) = bench.dial();
    bench.receive(connection, Message::Open(their_open()));
    bench.receive(connection, Message::Keepalive);
    let notification = Notification::bad_message_length(18);
    bench.handle(Event::Malformed { connection, notification });
    bench.handle(Event::BfdDown);
    assert_eq!(dials(&bench.pass(seconds(600))), 0);
    assert_eq!(bench.handle(Event::BfdUp), [Action::Dial]);
}

#[test]
fn strictness_changes_while_the_session_is_up_or_waits() {
    let (mut bench, connection) = Bench::up(settings(1));
    bench.write_all(connection);
    assert_eq!(bench.handle(Event::Reconfigured(strict())), [], "what is up stays up");
    assert_eq!(bench.peer.state(), State::Established);
    bench.handle(Event::Closed { connection, reason: "reset".to_owned() });
    assert_eq!(dials(&bench.pass(seconds(600))), 0);
    assert_eq!(bench.handle(Event::Reconfigured(settings(1))), [Action::Dial]);
    let actions = bench.handle(Event::Reconfigured(strict()));
    assert_eq!(actions, [Action::StopDialling]);
}
