//! How sessions come up: OPEN and its errors, collisions, hold time zero, passive neighbours.

use std::net::Ipv4Addr;

use bytes::BytesMut;
use shunt::bgp::{Action, Event, Settings, Slot, State};
use shunt::types::{Asn, Family, RouterId};
use shunt::wire::bgp::{Capability, Decoder, Message, Notification, Open, Role};

use super::bench::{
    Bench, address, assert_ended, bytes, facts, seconds, sent, settings, their_open,
    their_open_with, update,
};
use super::world::World;

#[test]
fn two_peers_come_up_and_stay_up() {
    let mut world = World::up([settings(1), settings(2)]);
    world.pass(seconds(3600));
    world.assert_up();
    assert!(world.downs(0).is_empty() && world.downs(1).is_empty());
    let counters = world.peers[0].counters();
    // A keepalive every 22.5 to 30 seconds.
    assert!((120..=161).contains(&counters.sent.keepalive), "{counters:?}");
    assert_eq!((counters.established, counters.dropped), (1, 0));
}

#[test]
fn a_simultaneous_open_ends_with_one_session_in_every_order() {
    let id = |side| settings(side).router_id;
    for ids in [[id(1), id(2)], [id(2), id(1)], [id(1), id(1)]] {
        let both =
            [1, 2].map(|side| Settings { router_id: ids[usize::from(side) - 1], ..settings(side) });
        let outcomes = World::started(both).every_order(|world| {
            world.assert_up();
            // Not by a detour either: nobody was up and had to come down again.
            assert!(world.downs(0).is_empty() && world.downs(1).is_empty());
            assert_eq!(world.peers[0].counters().established, 1);
        });
        assert!(outcomes > 1, "{ids:?}: {outcomes} orders");
    }
}

#[test]
fn equal_router_ids_are_fine_between_two_as_and_an_error_within_one() {
    let same = |side| Settings { router_id: settings(1).router_id, ..settings(side) };
    World::up([same(1), same(2)]);

    let internal = Settings { remote_asn: settings(1).local_asn, ..settings(1) };
    let (mut bench, connection) = Bench::dialled(internal.clone());
    let open = Open { asn: internal.local_asn, router_id: internal.router_id, ..their_open() };
    let actions = bench.receive(connection, Message::Open(open));
    assert_ended(&actions, connection, &Notification::bad_bgp_identifier());
}

#[test]
fn hold_time_zero_runs_no_timers() {
    let zero = Settings { hold_time: 0, ..settings(1) };
    for pair in
        [[zero.clone(), settings(2)], [settings(1), Settings { hold_time: 0, ..settings(2) }]]
    {
        let mut world = World::up(pair);
        assert!(world.peers[0].session().unwrap().hold_time.is_zero());
        assert_eq!(world.peers.each_ref().map(|peer| peer.deadline()), [None, None]);
        world.pass(seconds(1_000_000));
        world.assert_up();
        assert_eq!(world.peers[0].counters().sent.keepalive, 1);
    }
}

#[test]
fn hold_time_zero_does_not_wait_forever_for_a_confirmation() {
    let (mut bench, connection) = Bench::dialled(Settings { hold_time: 0, ..settings(1) });
    bench.receive(connection, Message::Open(their_open()));
    bench.write_all(connection);
    assert_eq!(bench.peer.state(), State::OpenConfirm);
    let actions = bench.pass(seconds(241));
    assert!(
        sent(&actions, connection)
            .contains(&Message::Notification(Notification::hold_timer_expired()))
    );
}

#[test]
fn the_smaller_hold_time_counts_and_keepalives_come_at_a_third() {
    for (ours, theirs, agreed) in [(90, 9, 9), (3, 90, 3), (65535, 65535, 65535)] {
        let open = Open { hold_time: theirs, ..their_open() };
        let (mut bench, connection) =
            Bench::up_with(Settings { hold_time: ours, ..settings(1) }, open);
        bench.write_all(connection);
        let session = bench.peer.session().unwrap();
        assert_eq!(session.hold_time, seconds(agreed));
        let keepalive = session.keepalive;
        assert_eq!(keepalive, seconds(agreed) / 3);
        let (wait, actions) = bench.next_deadline();
        assert!(wait >= keepalive * 3 / 4 && wait <= keepalive, "{wait:?}");
        assert_eq!(sent(&actions, connection), [Message::Keepalive]);
    }
}

#[test]
fn an_open_with_an_update_behind_it_in_one_read() {
    let (mut bench, connection) = Bench::dialled(settings(1));
    let mut decoder = Decoder::new(bench.peer.open());
    let update = update("198.51.100.0/24");
    let mut read = BytesMut::new();
    for message in
        [Message::Open(their_open()), Message::Keepalive, Message::Update(update.clone())]
    {
        message.emit(&facts(), &mut read);
    }
    decoder.feed(&read);
    let mut actions = Vec::new();
    while let Some(message) = decoder.next() {
        actions.extend(bench.receive(connection, message.unwrap()));
    }
    let established = actions.iter().position(|a| matches!(a, Action::Established(_))).unwrap();
    let learned = actions.iter().position(|a| *a == Action::Learned(update.clone())).unwrap();
    assert!(established < learned);
}

#[test]
fn one_octet_at_a_time() {
    let mut world = World::started([settings(1), settings(2)]);
    world.read_size = 1;
    world.settle();
    world.assert_up();
    let update = update("198.51.100.0/24");
    world.inject(1, &Message::Update(update.clone()));
    world.settle();
    assert!(world.log[0].iter().any(|(_, action)| *action == Action::Learned(update.clone())));
}

#[test]
fn a_passive_peer_waits_for_the_neighbour() {
    let passive = |side| Settings { passive: true, ..settings(side) };
    let mut bench = Bench::new(passive(1));
    assert_eq!(bench.handle(Event::Started), []);
    assert_eq!((bench.peer.state(), bench.peer.deadline()), (State::Active, None));

    let mut world = World::up([passive(1), settings(2)]);
    assert_eq!(world.links.len(), 1);
    world.reboot(1, true);
    world.settle();
    world.handle(1, Event::Started);
    world.settle();
    world.assert_up();
}

#[test]
fn an_open_that_does_not_suit_is_answered_by_its_error() {
    let ipv4_only = Settings { families: vec![Family::Ipv4], ..settings(1) };
    let wrong_as = Open { asn: Asn(64999), ..their_open() };
    let no_id = Open { router_id: RouterId(Ipv4Addr::UNSPECIFIED), ..their_open() };
    let ipv6_only =
        Open { capabilities: vec![Capability::multiprotocol(Family::Ipv6)], ..their_open() };
    let missing = Notification::unsupported_capability(&[Capability::multiprotocol(Family::Ipv4)]);
    for (settings, open, notification) in [
        (settings(1), wrong_as, Notification::bad_peer_as()),
        (settings(1), no_id, Notification::bad_bgp_identifier()),
        (ipv4_only, ipv6_only, missing),
    ] {
        let (mut bench, connection) = Bench::dialled(settings);
        let actions = bench.receive(connection, Message::Open(open));
        assert_ended(&actions, connection, &notification);
        assert_eq!(bench.peer.state(), State::Active);
        let (_, actions) = bench.next_deadline();
        assert_eq!(actions, [Action::Dial], "the next attempt");
    }
}

#[test]
fn a_neighbour_without_capabilities_gets_an_ipv4_session() {
    let open = Open { capabilities: Vec::new(), ..their_open() };
    let (mut bench, _) = Bench::up_with(settings(1), open);
    let session = bench.peer.session().unwrap();
    assert_eq!(session.facts.families, [Family::Ipv4]);
    assert!(!session.facts.four_octet_as && !session.refresh && !session.enhanced_refresh);
    let actions = bench.handle(Event::RefreshWanted { family: Family::Ipv4 });
    assert!(matches!(actions[..], [Action::Note(_)]), "{actions:?}");
}

/// RFC 9234 §4.2: what fits is said here once more, as the sets of the RFC's table.
#[test]
fn roles_must_fit() {
    let roles = [
        Role::Provider,
        Role::RouteServer,
        Role::RouteServerClient,
        Role::Customer,
        Role::Peer,
        Role::Unknown(9),
    ];
    let pairs = [
        [Role::Provider, Role::Customer],
        [Role::RouteServer, Role::RouteServerClient],
        [Role::Peer, Role::Peer],
    ];
    for ours in &roles[..5] {
        for theirs in roles {
            let fits = pairs.contains(&[*ours, theirs]) || pairs.contains(&[theirs, *ours]);
            let with_role = Settings { role: Some(*ours), ..settings(1) };
            let (mut bench, connection) = Bench::dialled(with_role);
            assert!(bench.peer.open().capabilities.contains(&Capability::Role(*ours)));
            let open = their_open_with(Capability::Role(theirs));
            let actions = bench.receive(connection, Message::Open(open));
            if fits {
                assert_eq!(sent(&actions, connection), [Message::Keepalive]);
            } else {
                assert_ended(&actions, connection, &Notification::role_mismatch());
            }
        }
    }
}

#[test]
fn a_missing_role_matters_only_if_strict_and_several_must_agree() {
    let customer = Settings { role: Some(Role::Customer), ..settings(1) };
    let strict = Settings { role_strict: true, ..customer.clone() };
    let twice = |second| {
        let mut open = their_open_with(Capability::Role(Role::Provider));
        open.capabilities.push(Capability::Role(second));
        open
    };
    let internal = Settings { remote_asn: settings(1).local_asn, ..strict.clone() };
    let internal_open = Open { asn: settings(1).local_asn, ..their_open() };
    for (settings, open, good) in [
        (customer.clone(), their_open(), true),
        (strict.clone(), their_open(), false),
        (strict.clone(), their_open_with(Capability::Role(Role::Provider)), true),
        (customer.clone(), twice(Role::Provider), true),
        (customer, twice(Role::Peer), false),
        (settings(1), their_open_with(Capability::Role(Role::Unknown(9))), true),
        // Roles are for external sessions.
        (internal, internal_open, true),
    ] {
        let (mut bench, connection) = Bench::dialled(settings);
        let actions = bench.receive(connection, Message::Open(open));
        if good {
            assert_eq!(sent(&actions, connection), [Message::Keepalive]);
        } else {
            assert_ended(&actions, connection, &Notification::role_mismatch());
        }
    }
}

#[test]
fn the_open_says_what_we_can() {
    let rich = Settings {
        extended_next_hop: true,
        role: Some(Role::Peer),
        graceful_restart_helper: true,
        graceful_restart: false,
        ..settings(1)
    };
    let open = Bench::new(rich.clone()).peer.open();
    let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
    assert!(has(|c| *c == Capability::multiprotocol(Family::Ipv4)));
    assert!(has(|c| *c == Capability::multiprotocol(Family::Ipv6)));
    assert!(has(|c| *c == Capability::FourOctetAs(Asn(64501))));
    assert!(has(|c| *c == Capability::RouteRefresh));
    assert!(has(|c| *c == Capability::EnhancedRouteRefresh));
    assert!(has(|c| *c == Capability::ExtendedMessage));
    assert!(has(|c| *c == Capability::ExtendedNextHop(vec![(1, 1, 2)])));
    // Helper only: no family of ours is to be kept (RFC 4724 §3).
    assert!(has(|c| matches!(c, Capability::GracefulRestart(restart)
        if restart.families.is_empty() && restart.restart_time == 0 && !restart.restarting)));
    let parsed = Message::parse(&bytes(&Message::Open(open.clone())), &facts()).unwrap();
    assert_eq!(parsed, Message::Open(open));
}

#[test]
fn while_established_a_new_connection_is_refused() {
    for slot in [Slot::Dialled, Slot::Accepted] {
        let mut bench = Bench::new(settings(1));
        bench.handle(Event::Started);
        let (first, _) = match slot {
            Slot::Dialled => bench.dial(),
            Slot::Accepted => bench.accept(),
        };
        bench.receive(first, Message::Open(their_open()));
        for state in [State::OpenConfirm, State::Established] {
            assert_eq!(bench.peer.state(), state);
            let (second, actions) = bench.accept();
            assert_ended(&actions, second, &Notification::connection_collision());
            assert_eq!(bench.receive(second, Message::Open(their_open())), [], "unknown by now");
            bench.receive(first, Message::Keepalive);
        }
        assert_eq!(bench.peer.state(), State::Established);
    }
}

#[test]
fn a_newer_accepted_connection_replaces_one_that_says_nothing() {
    let mut bench = Bench::new(settings(1));
    bench.handle(Event::Started);
    let (old, _) = bench.accept();
    let (new, actions) = bench.accept();
    assert_ended(&actions, old, &Notification::connection_collision());
    assert!(matches!(&sent(&actions, new)[..], [Message::Open(_)]));
}

#[test]
fn a_dial_under_way_is_stopped_once_another_connection_is_confirmed() {
    let mut bench = Bench::new(settings(1));
    bench.handle(Event::Started);
    let (accepted, _) = bench.accept();
    let actions = bench.receive(accepted, Message::Open(their_open()));
    assert!(actions.contains(&Action::StopDialling), "{actions:?}");
    bench.receive(accepted, Message::Keepalive);
    assert_eq!(bench.peer.session().unwrap().remote, address(2));
}

/// The connection that should win says nothing: the one that lives is taken after a short wait.
#[test]
fn a_dead_connection_does_not_win_a_collision() {
    let high = Settings { router_id: RouterId(Ipv4Addr::new(192, 0, 2, 9)), ..settings(1) };
    let mut bench = Bench::new(high);
    bench.handle(Event::Started);
    let (alive, _) = bench.accept();
    let (dead, _) = bench.dial();
    assert_eq!(bench.receive(alive, Message::Open(their_open())), []);
    assert_eq!(bench.receive(alive, Message::Keepalive), []);
    assert_eq!(bench.peer.state(), State::OpenSent);
    let (wait, actions) = bench.next_deadline();
    assert_eq!(wait, seconds(5));
    assert_ended(&actions, dead, &Notification::connection_collision());
    assert_eq!(sent(&actions, alive), [Message::Keepalive]);
    assert_eq!(bench.peer.state(), State::Established);
}

/// With two router ids each connection would have the other one win: one of them is taken all the same.
#[test]
fn a_neighbour_with_two_router_ids_does_not_keep_both_connections_waiting() {
    let ours = Settings { router_id: RouterId(Ipv4Addr::new(192, 0, 2, 5)), ..settings(1) };
    let with_id = |last| {
        let router_id = RouterId(Ipv4Addr::new(192, 0, 2, last));
        Message::Open(Open { router_id, ..their_open() })
    };
    let mut bench = Bench::new(ours);
    bench.handle(Event::Started);
    let (dialled, _) = bench.dial();
    let (accepted, _) = bench.accept();
    assert_eq!(bench.receive(dialled, with_id(9)), []);
    let actions = bench.receive(accepted, with_id(2));
    assert_ended(&actions, accepted, &Notification::connection_collision());
    assert_eq!(sent(&actions, dialled), [Message::Keepalive]);
    assert_eq!(bench.peer.state(), State::OpenConfirm);
}
