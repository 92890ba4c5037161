//! Routes that outlive their session or are sent again: graceful restart and route refresh.

use shunt::bgp::{Action, ConnectionId, DownReason, Event, Note, OwnRestart, Settings};
use shunt::types::Family;
use shunt::wire::bgp::{
    Capability, GracefulRestart, Message, Notification, Open, RefreshSubtype, RouteRefresh,
};

use super::bench::{
    Bench, assert_ended, down, end_of_rib, notes, seconds, sent, settings, their_open,
    their_open_with,
};

fn helper() -> Settings {
    Settings { graceful_restart_helper: true, hold_time: 0, ..settings(1) }
}

/// A neighbour that keeps forwarding for IPv4, and for IPv6 if `ipv6_preserved`.
fn restarter(restart_time: u16, notification: bool, ipv6_preserved: bool) -> Open {
    their_open_with(Capability::GracefulRestart(GracefulRestart {
        restarting: false,
        notification,
        restart_time,
        families: vec![(1, 1, true), (2, 1, ipv6_preserved)],
    }))
}

fn up(open: Open) -> (Bench, ConnectionId) {
    let (mut bench, connection) = Bench::up_with(helper(), open);
    bench.write_all(connection);
    (bench, connection)
}

fn lose(bench: &mut Bench, connection: ConnectionId) -> Vec<Action> {
    bench.handle(Event::Closed { connection, reason: "reset by peer".to_owned() })
}

/// The neighbour is back and opens with `open`.
fn come_back(bench: &mut Bench, open: Open) -> (ConnectionId, Vec<Action>) {
    let (connection, _) = bench.accept();
    bench.receive(connection, Message::Open(open));
    let actions = bench.receive(connection, Message::Keepalive);
    bench.write_all(connection);
    assert!(matches!(actions.first(), Some(Action::Established(_))), "{actions:?}");
    (connection, actions)
}

fn swept(actions: &[Action]) -> Vec<Family> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::SweepStale { family } => Some(*family),
            _ => None,
        })
        .collect()
}

#[test]
fn which_ends_of_a_session_keep_routes() {
    let shutdown = Notification::administrative_shutdown("");
    let hard = Notification::hard_reset(&shutdown);
    let bad = Notification::bad_message_length(18);
    // What happens, and whether routes are kept without and with the N bit (RFC 8538).
    type End = Box<dyn Fn(ConnectionId) -> Event>;
    let received = |notification: &Notification| -> End {
        let message = Message::Notification(notification.clone());
        Box::new(move |connection| Event::Received { connection, message: message.clone() })
    };
    let cases: [(&str, End, [bool; 2]); 10] = [
        (
            "TCP ends",
            Box::new(|connection| Event::Closed { connection, reason: String::new() }),
            [true, true],
        ),
        ("a NOTIFICATION comes", received(&shutdown), [false, true]),
        ("a Hard Reset comes", received(&hard), [false, false]),
        (
            "a message is wrong",
            Box::new(move |connection| Event::Malformed { connection, notification: bad.clone() }),
            [false, true],
        ),
        (
            "the operator stops it",
            Box::new(|_| Event::Stopped { communication: String::new() }),
            [false, false],
        ),
        (
            "too many prefixes",
            Box::new(|_| Event::MaximumPrefixesReached { family: Family::Ipv4, limit: 1 }),
            [false, false],
        ),
        ("it is removed", Box::new(|_| Event::Removed), [false, false]),
        // What is lost is the path: nothing that it forwards could get there.
        ("BFD loses it", Box::new(|_| Event::BfdDown), [false, false]),
        ("its BFD loses us", received(&Notification::bfd_down()), [false, false]),
        ("the link is lost", Box::new(|_| Event::LinkLost { link: String::new() }), [false, false]),
    ];
    for (what, event, kept) in &cases {
        for (n_bit, kept) in [false, true].into_iter().zip(kept) {
            let (mut bench, connection) = up(restarter(60, n_bit, true));
            let actions = bench.handle(event(connection));
            let (_, retained) = down(&actions).unwrap();
            assert_eq!(retained, if *kept { Family::ALL.to_vec() } else { vec![] }, "{what}");
            assert_eq!(swept(&actions), [], "{what}");
        }
    }
    // Never without being a helper, nor for a neighbour that does not ask for it.
    let no_helper = Settings { graceful_restart_helper: false, ..helper() };
    let (mut bench, connection) = Bench::up_with(no_helper, restarter(60, true, true));
    assert_eq!(down(&lose(&mut bench, connection)).unwrap().1, []);
    let (mut bench, connection) = up(their_open());
    assert_eq!(down(&lose(&mut bench, connection)).unwrap().1, []);
}

/// RFC 8538 §4: with the N bit the expiry of the hold timer is no different from a lost connection.
#[test]
fn an_expired_hold_timer_keeps_routes_with_the_n_bit() {
    for (n_bit, kept) in [(false, vec![]), (true, Family::ALL.to_vec())] {
        let helper = Settings { hold_time: 9, ..helper() };
        let (mut bench, _) = Bench::up_with(helper, restarter(60, n_bit, true));
        let actions = bench.pass(seconds(9));
        let expired = DownReason::Sent(Notification::hold_timer_expired());
        assert_eq!(down(&actions), Some((expired, kept)));
    }
}

#[test]
fn an_end_that_is_meant_is_a_hard_reset_for_those_who_know_it() {
    let shutdown = Notification::administrative_shutdown("bye");
    for (n_bit, told) in [(false, shutdown.clone()), (true, Notification::hard_reset(&shutdown))] {
        let (mut bench, connection) = up(restarter(60, n_bit, true));
        let actions = bench.handle(Event::Stopped { communication: "bye".to_owned() });
        assert_ended(&actions, connection, &told);
    }
    // RFC 9384 §4.
    let lost = Notification::bfd_down();
    for (n_bit, told) in [(false, lost.clone()), (true, Notification::hard_reset(&lost))] {
        let (mut bench, connection) = up(restarter(60, n_bit, true));
        assert_ended(&bench.handle(Event::BfdDown), connection, &told);
    }
}

#[test]
fn stale_routes_go_when_the_neighbour_does_not_come_back_in_time() {
    // As long as the neighbour says, but no longer than two minutes.
    for (asked, kept) in [(30, 30), (4095, 120)] {
        let (mut bench, connection) = up(restarter(asked, false, true));
        lose(&mut bench, connection);
        let actions = bench.pass(seconds(kept - 1));
        assert_eq!(swept(&actions), []);
        let actions = bench.pass(seconds(1));
        assert_eq!(swept(&actions), Family::ALL);
        assert!(notes(&actions).contains(&&Note::StaleExpired { family: Family::Ipv4 }));
    }
    let (mut bench, connection) = up(restarter(0, false, true));
    assert_eq!(down(&lose(&mut bench, connection)).unwrap().1, [], "no time, no stale routes");
}

#[test]
fn stale_routes_go_at_end_of_rib_or_at_once_without_forwarding_state() {
    let (mut bench, connection) = up(restarter(60, false, true));
    lose(&mut bench, connection);
    let (connection, actions) = come_back(&mut bench, restarter(60, false, false));
    assert_eq!(swept(&actions), [Family::Ipv6], "the F bit is missing");
    // The restart time no longer matters.
    assert_eq!(swept(&bench.pass(seconds(100))), []);
    let actions = bench.receive(connection, end_of_rib(Family::Ipv4));
    assert_eq!(
        actions,
        [Action::EndOfRib { family: Family::Ipv4 }, Action::SweepStale { family: Family::Ipv4 }]
    );
    assert_eq!(
        bench.receive(connection, end_of_rib(Family::Ipv4)),
        [Action::EndOfRib { family: Family::Ipv4 }]
    );

    // Without the capability, or without the family.
    for open in [their_open(), Open { capabilities: vec![], ..their_open() }] {
        let (mut bench, connection) = up(restarter(60, false, true));
        lose(&mut bench, connection);
        let (_, actions) = come_back(&mut bench, open);
        assert_eq!(swept(&actions), Family::ALL);
    }
}

#[test]
fn a_neighbour_that_never_finishes_does_not_keep_stale_routes_forever() {
    let (mut bench, connection) = up(restarter(60, false, true));
    lose(&mut bench, connection);
    come_back(&mut bench, restarter(60, false, true));
    assert_eq!(swept(&bench.pass(seconds(359))), []);
    assert_eq!(swept(&bench.pass(seconds(1))), Family::ALL);
}

#[test]
fn routes_are_not_kept_over_two_restarts() {
    let (mut bench, connection) = up(restarter(60, false, true));
    lose(&mut bench, connection);
    let (connection, _) = come_back(&mut bench, restarter(60, false, true));
    bench.receive(connection, end_of_rib(Family::Ipv4));
    let actions = lose(&mut bench, connection);
    assert_eq!(actions[0], Action::SweepStale { family: Family::Ipv6 }, "{actions:?}");
    assert_eq!(down(&actions).unwrap().1, Family::ALL);
}

#[test]
fn a_stop_while_the_neighbour_is_away_sweeps() {
    let (mut bench, connection) = up(restarter(60, false, true));
    lose(&mut bench, connection);
    let actions = bench.handle(Event::Stopped { communication: String::new() });
    assert_eq!(swept(&actions), Family::ALL);
    assert_eq!(bench.peer.deadline(), None);
}

#[test]
fn a_new_connection_of_a_restarting_neighbour_replaces_the_established_one() {
    let (mut bench, old) = up(restarter(60, false, true));
    bench.pass(seconds(9));
    let (late, actions) = bench.accept();
    assert_ended(&actions, late, &Notification::connection_collision());
    assert_eq!(down(&actions), None, "too soon for a restart");
    bench.pass(seconds(1));
    let (new, actions) = bench.accept();
    assert_eq!(sent(&actions, old), [], "no NOTIFICATION (RFC 4724 §5)");
    assert!(actions.contains(&Action::Close { connection: old }));
    assert_eq!(down(&actions), Some((DownReason::Restarted, Family::ALL.to_vec())));
    assert!(matches!(sent(&actions, new)[..], [Message::Open(_)]));

    let no_families = their_open_with(Capability::GracefulRestart(GracefulRestart {
        restarting: false,
        notification: true,
        restart_time: 60,
        families: vec![],
    }));
    let (mut bench, _) = up(no_families);
    bench.pass(seconds(10));
    let (new, actions) = bench.accept();
    assert_ended(&actions, new, &Notification::connection_collision());
}

fn refresh(family: Family, subtype: RefreshSubtype) -> Message {
    Message::RouteRefresh(RouteRefresh::new(family, subtype))
}

#[test]
fn a_request_is_handed_on_and_the_answer_is_marked() {
    let family = Family::Ipv6;
    let (mut bench, connection) = Bench::up(settings(1));
    let actions = bench.receive(connection, refresh(family, RefreshSubtype::Request));
    assert_eq!(actions, [Action::RefreshRequested { family }]);
    let actions = bench.handle(Event::RefreshStarted { family });
    assert_eq!(sent(&actions, connection), [refresh(family, RefreshSubtype::Begin)]);
    let actions = bench.handle(Event::RefreshFinished { family });
    assert_eq!(sent(&actions, connection), [refresh(family, RefreshSubtype::End)]);

    let mut plain = their_open();
    plain.capabilities.retain(|capability| *capability != Capability::EnhancedRouteRefresh);
    let (mut bench, connection) = Bench::up_with(settings(1), plain);
    let actions = bench.receive(connection, refresh(family, RefreshSubtype::Request));
    assert_eq!(actions, [Action::RefreshRequested { family }]);
    assert_eq!(bench.handle(Event::RefreshStarted { family }), []);
    assert_eq!(bench.handle(Event::RefreshFinished { family }), []);
    // Marks that were not agreed on mean nothing.
    assert_eq!(bench.receive(connection, refresh(family, RefreshSubtype::Begin)), []);
}

#[test]
fn we_ask_for_a_family_of_the_session_if_the_neighbour_can() {
    let family = Family::Ipv4;
    let (mut bench, connection) = Bench::up(settings(1));
    let actions = bench.handle(Event::RefreshWanted { family });
    assert_eq!(sent(&actions, connection), [refresh(family, RefreshSubtype::Request)]);

    let ipv6_only = Settings { families: vec![Family::Ipv6], ..settings(1) };
    let (mut bench, connection) = Bench::up(ipv6_only);
    let actions = bench.handle(Event::RefreshWanted { family });
    assert_eq!(notes(&actions), [&Note::CannotRefresh { family }]);
    // Nor do we listen to what the neighbour says about it.
    assert_eq!(bench.receive(connection, refresh(family, RefreshSubtype::Request)), []);
    assert_eq!(bench.receive(connection, refresh(family, RefreshSubtype::Begin)), []);
    assert_eq!(bench.receive(connection, end_of_rib(family)), []);
}

#[test]
fn the_neighbours_marks_make_routes_stale_and_sweep_them() {
    let family = Family::Ipv4;
    let begin = || refresh(family, RefreshSubtype::Begin);
    let end = || refresh(family, RefreshSubtype::End);
    let (mut bench, connection) = Bench::up(Settings { hold_time: 0, ..settings(1) });
    bench.write_all(connection);
    assert_eq!(bench.receive(connection, end()), [], "nothing began");
    assert_eq!(bench.receive(connection, begin()), [Action::MarkStale { family }]);
    assert_eq!(
        bench.receive(connection, end_of_rib(family)),
        [Action::EndOfRib { family }],
        "End-of-RIB is no EoRR"
    );
    // A second beginning marks again (RFC 7313 §4).
    assert_eq!(bench.receive(connection, begin()), [Action::MarkStale { family }]);
    assert_eq!(bench.receive(connection, end()), [Action::SweepStale { family }]);
    assert_eq!(bench.receive(connection, end()), []);
    // An end that never comes is taken for granted some time.
    bench.receive(connection, begin());
    assert_eq!(swept(&bench.pass(seconds(360))), [family]);
    // The end of the session ends it too.
    bench.receive(connection, begin());
    let actions = lose(&mut bench, connection);
    assert_eq!(swept(&actions), [family]);
    assert_eq!(swept(&bench.pass(seconds(1000))), []);
}

#[test]
fn marks_before_the_end_of_rib_of_a_restarted_neighbour_are_ignored() {
    let family = Family::Ipv4;
    let (mut bench, connection) = up(restarter(60, false, true));
    lose(&mut bench, connection);
    let (connection, _) = come_back(&mut bench, restarter(60, false, true));
    assert_eq!(bench.receive(connection, refresh(family, RefreshSubtype::Begin)), []);
    assert_eq!(bench.receive(connection, refresh(family, RefreshSubtype::End)), []);
    assert_eq!(swept(&bench.receive(connection, end_of_rib(family))), [family]);
}

#[test]
fn an_unknown_subtype_is_ignored() {
    let (mut bench, connection) = Bench::up(settings(1));
    let message = refresh(Family::Ipv4, RefreshSubtype::Unknown(7));
    assert_eq!(bench.receive(connection, message), []);
}

fn own_restart(open: &Open) -> GracefulRestart {
    let offered = open.capabilities.iter().find_map(|capability| match capability {
        Capability::GracefulRestart(restart) => Some(restart.clone()),
        _ => None,
    });
    offered.expect("a helper says so")
}

#[test]
fn the_open_says_how_far_our_own_restart_has_got() {
    let settings = Settings { graceful_restart: true, ..helper() };
    let mut bench = Bench::new(settings.clone());
    for (restarting, preserved) in [(false, false), (true, true), (false, true)] {
        bench.handle(Event::OwnRestart(OwnRestart { restarting, preserved }));
        let offered = own_restart(&bench.peer.open());
        let expected = GracefulRestart {
            restarting,
            notification: true,
            restart_time: 120,
            families: vec![(1, 1, preserved), (2, 1, preserved)],
        };
        assert_eq!(offered, expected);
    }
    // A helper says nothing of it.
    let mut bench = Bench::new(helper());
    bench.handle(Event::OwnRestart(OwnRestart { restarting: true, preserved: true }));
    let offered = own_restart(&bench.peer.open());
    assert!(offered.families.is_empty() && !offered.restarting && offered.restart_time == 0);
    // It is no reason to end a session.
    assert!(settings.keeps_session(&settings) && !settings.keeps_session(&helper()));
}

#[test]
fn who_will_be_back_leaves_without_a_word() {
    let (mut bench, connection) = up(restarter(30, true, true));
    let actions = bench.handle(Event::Suspended);
    assert_eq!(sent(&actions, connection), []);
    assert!(actions.contains(&Action::Close { connection }));
    let down = actions.iter().any(|action| {
        matches!(action, Action::Down { reason: DownReason::Suspended, retained } if retained.is_empty())
    });
    assert!(down, "{actions:?}");
    // And does not come back by itself.
    assert_eq!(bench.pass(seconds(300)), []);
}
