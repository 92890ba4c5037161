//! How sessions end and what follows: errors, timers, the operator's orders, back-off.

use bytes::Bytes;
use shunt::bgp::{Action, ConnectionId, DownReason, Event, Settings, State};
use shunt::types::{Asn, Family};
use shunt::wire::bgp::{FsmState, Message, Notification, RefreshSubtype, RouteRefresh};

use super::bench::{
    Bench, assert_ended, bytes, down, notes, seconds, sent, settings, their_open, update,
};
use super::world::World;

#[test]
fn a_message_out_of_turn_is_answered_by_the_states_error() {
    let open = || Message::Open(their_open());
    let refresh = RouteRefresh::new(Family::Ipv4, RefreshSubtype::Request);
    let messages = [
        (1, open()),
        (2, Message::Update(update("198.51.100.0/24"))),
        (4, Message::Keepalive),
        (5, Message::RouteRefresh(refresh)),
    ];
    // The types of messages that each state takes.
    for (state, before, takes) in [
        (FsmState::OpenSent, vec![], vec![1]),
        (FsmState::OpenConfirm, vec![open()], vec![4]),
        (FsmState::Established, vec![open(), Message::Keepalive], vec![2, 4, 5]),
    ] {
        for (kind, message) in &messages {
            let (mut bench, connection) = Bench::dialled(settings(1));
            for message in &before {
                bench.receive(connection, message.clone());
            }
            let actions = bench.receive(connection, message.clone());
            if takes.contains(kind) {
                assert!(!actions.contains(&Action::Close { connection }), "{state:?} {kind}");
            } else {
                assert_ended(&actions, connection, &Notification::fsm_error(state, *kind));
                assert_eq!(down(&actions).is_some(), state == FsmState::Established);
            }
        }
        // A NOTIFICATION ends every state and is never answered.
        let (mut bench, connection) = Bench::dialled(settings(1));
        for message in &before {
            bench.receive(connection, message.clone());
        }
        let notification = Notification::administrative_shutdown("");
        let actions = bench.receive(connection, Message::Notification(notification.clone()));
        assert_eq!(sent(&actions, connection), []);
        assert!(actions.contains(&Action::Close { connection }));
        let (_, reason) = bench.peer.last_down().unwrap();
        assert_eq!(*reason, DownReason::Received(notification));
    }
}

#[test]
fn a_silent_neighbour_is_given_up_when_the_hold_time_is_over() {
    let (mut bench, connection) = Bench::up(settings(1));
    bench.write_all(connection);
    bench.pass(seconds(60));
    // Whatever comes from the neighbour shows that it lives.
    let refresh = RouteRefresh::new(Family::Ipv4, RefreshSubtype::Request);
    bench.receive(connection, Message::RouteRefresh(refresh));
    let actions = bench.pass(seconds(90) - seconds(1));
    assert_eq!(down(&actions), None);
    let actions = bench.pass(seconds(1));
    let expired = Notification::hold_timer_expired();
    assert_ended(&actions, connection, &expired);
    assert_eq!(down(&actions), Some((DownReason::Sent(expired), vec![])));
    assert_eq!(bench.peer.state(), State::Active, "a neighbour that comes back is welcome");
}

#[test]
fn a_neighbour_that_sends_no_open_is_given_up_after_four_minutes() {
    let (mut bench, connection) = Bench::dialled(settings(1));
    bench.write_all(connection);
    assert_eq!(bench.pass(seconds(239)), []);
    let actions = bench.pass(seconds(1));
    assert_ended(&actions, connection, &Notification::hold_timer_expired());
}

/// The case of RFC 9687: the neighbour goes on sending, but reads nothing.
#[test]
fn a_neighbour_that_stops_reading_is_given_up_when_the_send_hold_time_is_over() {
    let (mut bench, connection) =
        Bench::up(Settings { send_hold_time: seconds(120), ..settings(1) });
    bench.write_all(connection);
    let routes = bytes(&Message::Update(update("198.51.100.0/24")));
    bench.handle(Event::RoutesEncoded(routes));
    let mut actions = Vec::new();
    for _ in 0..12 {
        assert_eq!(down(&actions), None);
        actions = bench.pass(seconds(10));
        actions.extend(bench.receive(connection, Message::Keepalive));
    }
    let expired = Notification::send_hold_timer_expired();
    assert_ended(&actions, connection, &expired);
    assert_eq!(down(&actions), Some((DownReason::Sent(expired), vec![])));
}

#[test]
fn a_neighbour_that_reads_slowly_is_kept_as_long_as_it_reads() {
    let slow = Settings { hold_time: 0, send_hold_time: seconds(60), ..settings(1) };
    let (mut bench, connection) = Bench::up(slow);
    bench.write_all(connection);
    assert_eq!(bench.peer.deadline(), None, "nothing waits");
    bench.handle(Event::RoutesEncoded(Bytes::from(vec![0xff; 1000])));
    for _ in 0..9 {
        assert_eq!(bench.pass(seconds(59)), []);
        bench.handle(Event::Written { connection, octets: 100 });
    }
    bench.handle(Event::Written { connection, octets: 100 });
    assert_eq!(bench.peer.deadline(), None, "nothing waits any more");
}

#[test]
fn the_send_hold_time_is_above_the_hold_time_or_off() {
    for (configured, expected) in [(480, Some(480)), (90, Some(180)), (10, Some(180)), (0, None)] {
        let (mut bench, connection) =
            Bench::up(Settings { send_hold_time: seconds(configured), ..settings(1) });
        bench.write_all(connection);
        let start = bench.now;
        bench.handle(Event::RoutesEncoded(bytes(&Message::Update(update("198.51.100.0/24")))));
        let mut ended = None;
        while ended.is_none() && bench.now < start + seconds(1000) {
            bench.receive(connection, Message::Keepalive);
            let actions = bench.pass(seconds(1));
            ended = down(&actions).map(|_| (bench.now - start).as_secs());
        }
        assert_eq!(ended, expected);
    }
}

#[test]
fn a_full_write_queue_ends_the_session() {
    let (mut bench, connection) = Bench::up(settings(1));
    let actions = bench.handle(Event::QueueFull { connection });
    assert_ended(&actions, connection, &Notification::out_of_resources());
    assert_eq!(bench.peer.state(), State::Idle);
}

#[test]
fn a_shutdown_and_its_text_reach_the_neighbour_and_hold_until_started() {
    let mut world = World::up([settings(1), settings(2)]);
    world.handle(0, Event::Stopped { communication: "maintenance until 04:00".to_owned() });
    world.settle();
    assert_eq!((world.states()[0], world.peers[0].deadline()), (State::Idle, None));
    let Some((_, DownReason::Received(notification))) = world.peers[1].last_down() else {
        panic!("{:?}", world.peers[1].last_down());
    };
    assert_eq!(notification.communication(), Some("maintenance until 04:00"));
    // The neighbour keeps trying and is told why not.
    world.pass(seconds(30));
    assert_eq!(world.states()[0], State::Idle);
    let (_, reason) = world.peers[1].last_down().unwrap();
    assert_eq!(*reason, DownReason::Received(Notification::connection_rejected()));
    assert_eq!(world.open_links(), 0);
    world.handle(0, Event::Started);
    world.settle();
    world.assert_up();
}

#[test]
fn a_shutdown_in_the_configuration_is_the_same_and_ends_with_it() {
    let mut world = World::up([settings(1), settings(2)]);
    let shut = Settings { shutdown: Some("ü".repeat(200)), ..settings(1) };
    world.handle(0, Event::Reconfigured(shut));
    world.settle();
    let Some((_, DownReason::Received(notification))) = world.peers[1].last_down() else {
        panic!("{:?}", world.peers[1].last_down());
    };
    assert_eq!(notification.communication(), Some(&*"ü".repeat(127)), "whole characters only");
    world.handle(0, Event::Started);
    world.pass(seconds(10));
    assert_eq!(world.states()[0], State::Idle, "the configuration says no");
    world.handle(0, Event::Reconfigured(settings(1)));
    world.settle();
    world.assert_up();
}

#[test]
fn a_reset_ends_the_session_and_begins_a_new_one_at_once() {
    let mut world = World::up([settings(1), settings(2)]);
    world.handle(0, Event::Reset { communication: "new policy".to_owned() });
    world.settle();
    world.assert_up();
    let Some((_, DownReason::Received(notification))) = world.peers[1].last_down() else {
        panic!("{:?}", world.peers[1].last_down());
    };
    assert_eq!(*notification, Notification::administrative_reset("new policy"));
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.handle(Event::Reset { communication: String::new() }), [], "never started");
}

#[test]
fn a_removed_neighbour_is_told() {
    let (mut bench, connection) = Bench::up(settings(1));
    let actions = bench.handle(Event::Removed);
    assert_ended(&actions, connection, &Notification::peer_deconfigured());
    assert_eq!((bench.peer.state(), bench.peer.deadline()), (State::Idle, None));
}

#[test]
fn too_many_prefixes_leave_the_neighbour_alone_for_a_growing_while() {
    let (mut bench, mut connection) = Bench::up(settings(1));
    let limit = Notification::maximum_prefixes(Family::Ipv6, 1000);
    for full in [1, 2, 4, 8, 16] {
        let actions =
            bench.handle(Event::MaximumPrefixesReached { family: Family::Ipv6, limit: 1000 });
        assert_ended(&actions, connection, &limit);
        assert_eq!(down(&actions), Some((DownReason::Sent(limit.clone()), vec![])));
        assert_eq!(bench.peer.state(), State::Idle);
        let (refused, actions) = bench.accept();
        assert_ended(&actions, refused, &Notification::connection_rejected());
        let (wait, actions) = bench.next_deadline();
        assert_eq!(actions, [Action::Dial]);
        assert!(wait >= seconds(full) * 3 / 4 && wait <= seconds(full), "{wait:?} of {full}");
        connection = bench.dial().0;
        bench.receive(connection, Message::Open(their_open()));
        bench.receive(connection, Message::Keepalive);
    }
    // The operator need not wait.
    bench.handle(Event::MaximumPrefixesReached { family: Family::Ipv6, limit: 1000 });
    assert_eq!(bench.handle(Event::Started), [Action::Dial]);
}

#[test]
fn what_cannot_be_read_is_answered_and_damped() {
    let (mut bench, connection) = Bench::up(settings(1));
    let notification = Notification::bad_message_length(18);
    let actions = bench.handle(Event::Malformed { connection, notification: notification.clone() });
    assert_ended(&actions, connection, &notification);
    assert_eq!(bench.peer.state(), State::Idle);
}

#[test]
fn failed_dials_wait_longer_and_longer_the_same_for_the_same_seed() {
    let waits = || {
        let mut bench = Bench::new(Settings { connect_retry: seconds(5), ..settings(1) });
        bench.handle(Event::Started);
        [(); 8].map(|()| {
            let actions = bench.handle(Event::DialFailed { reason: "refused".to_owned() });
            assert_eq!(notes(&actions).len(), 1);
            let (wait, actions) = bench.next_deadline();
            assert_eq!(actions, [Action::Dial]);
            wait.as_micros()
        })
    };
    assert_eq!(waits(), GOLDEN);
    assert_eq!(waits(), waits());
}

#[test]
fn a_dial_without_an_answer_is_begun_afresh() {
    let mut bench = Bench::new(settings(1));
    bench.handle(Event::Started);
    // At least two seconds, then as the waits grow.
    for patience in [2, 2, 4, 8] {
        assert_eq!(bench.peer.state(), State::Connect);
        let (wait, actions) = bench.next_deadline();
        assert_eq!(wait, seconds(patience));
        assert_eq!(actions[0], Action::StopDialling);
        assert_eq!(actions[2..], [Action::Dial], "{actions:?}");
    }
}

#[test]
fn after_a_session_that_lasted_the_first_dial_comes_soon() {
    let lost = |lifetime| {
        let (mut bench, connection) =
            Bench::up(Settings { connect_retry: seconds(8), hold_time: 0, ..settings(1) });
        bench.write_all(connection);
        bench.pass(seconds(lifetime));
        bench.handle(Event::Closed { connection, reason: "reset".to_owned() });
        bench.next_deadline().0
    };
    assert!(lost(10) >= seconds(1) * 3 / 4 && lost(10) <= seconds(1));
    assert!(lost(9) >= seconds(6) && lost(9) <= seconds(8));
}

#[test]
fn a_session_that_lasted_makes_up_for_failures_before_it() {
    let wait_after = |lifetime| {
        let mut bench = Bench::new(Settings { hold_time: 0, ..settings(1) });
        bench.handle(Event::Started);
        for _ in 0..5 {
            bench.handle(Event::DialFailed { reason: "refused".to_owned() });
            bench.next_deadline();
        }
        let (connection, _) = bench.dial();
        bench.receive(connection, Message::Open(their_open()));
        bench.receive(connection, Message::Keepalive);
        bench.write_all(connection);
        bench.pass(seconds(lifetime));
        bench.handle(Event::QueueFull { connection });
        bench.next_deadline().0
    };
    assert!(wait_after(10) <= seconds(1));
    assert!(wait_after(9) >= seconds(24), "the sixth wait is of 32 s");
}

#[test]
fn routes_stand_in_for_keepalives() {
    let (mut bench, connection) = Bench::up(settings(1));
    bench.write_all(connection);
    let keepalives = bench.peer.counters().sent.keepalive;
    for _ in 0..8 {
        bench.pass(seconds(20));
        bench.receive(connection, Message::Keepalive);
        bench.handle(Event::RoutesEncoded(bytes(&Message::Update(update("198.51.100.0/24")))));
    }
    assert_eq!(bench.peer.counters().sent.keepalive, keepalives);
}

#[test]
fn a_reset_leads_to_a_session_in_whatever_order_its_messages_arrive() {
    let mut world = World::up([settings(1), settings(2)]);
    world.handle(0, Event::Reset { communication: String::new() });
    let outcomes = world.every_order(|world| {
        let mut world = world.clone();
        world.pass(seconds(5));
        world.assert_up();
        assert_eq!(world.peers[0].counters().established, 2);
    });
    assert!(outcomes > 1);
}

#[test]
fn a_neighbour_that_was_killed_is_up_again_soon_after_it_is_back() {
    for passive in [false, true] {
        let mut world = World::up([settings(1), Settings { passive, ..settings(2) }]);
        world.pass(seconds(60));
        world.reboot(1, true);
        world.listens[1] = false;
        world.pass(seconds(1));
        assert_ne!(world.states()[0], State::Established);
        world.listens[1] = true;
        world.handle(1, Event::Started);
        // If it dials itself at once; else when our next dial comes.
        world.pass(seconds(if passive { 2 } else { 0 }));
        world.assert_up();
    }
}

#[test]
fn a_neighbour_that_died_without_a_word_is_back_after_the_hold_time() {
    let mut world = World::up([Settings { hold_time: 9, ..settings(1) }, settings(2)]);
    world.reboot(1, false);
    world.handle(1, Event::Started);
    world.pass(seconds(8));
    assert_eq!(world.states()[0], State::Established, "an established connection wins");
    world.pass(seconds(12));
    world.assert_up();
}

#[test]
fn reconfiguration_ends_a_session_only_if_the_open_changes() {
    let quiet = [
        settings(1),
        Settings { connect_retry: seconds(30), ..settings(1) },
        Settings { send_hold_time: seconds(600), ..settings(1) },
        Settings { passive: true, ..settings(1) },
    ];
    for new in quiet {
        let (mut bench, _) = Bench::up(settings(1));
        assert_eq!(bench.handle(Event::Reconfigured(new.clone())), []);
        assert_eq!(*bench.peer.settings(), new);
    }
    let loud = [
        Settings { hold_time: 30, ..settings(1) },
        Settings { families: vec![Family::Ipv4], ..settings(1) },
        Settings { remote_asn: Asn(64999), ..settings(1) },
        Settings { graceful_restart_helper: true, ..settings(1) },
        Settings { role_strict: true, ..settings(1) },
    ];
    for new in loud {
        let (mut bench, connection) = Bench::up(settings(1));
        let actions = bench.handle(Event::Reconfigured(new));
        assert_ended(&actions, connection, &Notification::other_configuration_change());
        assert_eq!(actions.last(), Some(&Action::Dial), "{actions:?}");
    }
    let mut world = World::up([settings(1), settings(2)]);
    world.pass(seconds(20));
    world.handle(0, Event::Reconfigured(Settings { hold_time: 30, ..settings(1) }));
    world.settle();
    world.assert_up();
    assert_eq!(world.peers[1].session().unwrap().hold_time, seconds(30));
}

#[test]
fn a_peer_made_passive_stops_dialling_and_one_made_active_begins() {
    let passive = Settings { passive: true, ..settings(1) };
    let mut bench = Bench::new(settings(1));
    bench.handle(Event::Started);
    assert_eq!(bench.handle(Event::Reconfigured(passive)), [Action::StopDialling]);
    assert_eq!(bench.peer.deadline(), None);
    assert_eq!(bench.handle(Event::Reconfigured(settings(1))), [Action::Dial]);
}

#[test]
fn routes_go_out_only_while_established() {
    let routes = || {
        let mut two = bytes(&Message::Update(update("198.51.100.0/24"))).to_vec();
        two.extend_from_slice(&bytes(&Message::Update(update("203.0.113.0/24"))));
        Bytes::from(two)
    };
    let (mut bench, connection) = Bench::dialled(settings(1));
    assert_eq!(bench.handle(Event::RoutesEncoded(routes())), []);
    bench.receive(connection, Message::Open(their_open()));
    assert_eq!(bench.handle(Event::RoutesEncoded(routes())), []);
    bench.receive(connection, Message::Keepalive);
    let actions = bench.handle(Event::RoutesEncoded(routes()));
    assert_eq!(actions, [Action::Send { connection, bytes: routes() }]);
    assert_eq!(bench.peer.counters().sent.update, 2);
}

#[test]
fn events_of_unknown_connections_and_early_ticks_do_nothing() {
    let (mut bench, known) = Bench::up(settings(1));
    let connection = ConnectionId(known.0 + 100);
    for event in [
        Event::Closed { connection, reason: String::new() },
        Event::Received { connection, message: Message::Open(their_open()) },
        Event::Malformed { connection, notification: Notification::bad_message_length(0) },
        Event::Written { connection, octets: 1 },
        Event::QueueFull { connection },
        Event::DialFailed { reason: String::new() },
    ] {
        assert_eq!(bench.handle(event), []);
    }
    let before = bench.peer.deadline();
    bench.peer.tick(bench.now);
    assert_eq!((bench.drain(), bench.peer.deadline()), (vec![], before));
}

/// Microseconds for seed 1 and a connect-retry of 5 s: 5, 10, 20, 40, 80, 120 s, less jitter.
const GOLDEN: [u128; 8] = [
    4_407_878,
    8_045_251,
    15_749_007,
    33_786_823,
    65_127_393,
    97_292_256,
    109_662_090,
    118_524_586,
];
