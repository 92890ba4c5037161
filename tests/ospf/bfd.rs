//! What the core does with news of BFD: failures, and the strict mode of RFC 9355.

use std::net::Ipv4Addr;

use shunt::ospf::{Authentication, Bfd, Event, InterfaceSettings, Key, NeighborState, Watch};
use shunt::types::Secret;
use shunt::wire::ospf::{Algorithm, Body, ExtendedOptions, Frame, Options, PacketKind};

use super::world::{World, broadcast, millis, point_to_point, seconds, settings};

fn pair(interfaces: [InterfaceSettings; 2]) -> (World, usize, usize) {
    let mut world = World::new(7);
    let [of_a, of_b] = interfaces;
    let a = world.add(settings(1, &[("eth0", of_a)]));
    let b = world.add(settings(2, &[("eth0", of_b)]));
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    (world, a, b)
}

fn strict(settings: InterfaceSettings) -> InterfaceSettings {
    InterfaceSettings { bfd: Watch::Strict, ..settings }
}

/// Tells a router of the session with the other one.
fn bfd(world: &mut World, node: usize, other: usize, bfd: Bfd) {
    let interface = world.link(node, "eth0").index;
    let address = world.link(other, "eth0").addresses[0].address;
    world.handle(node, Event::BfdChanged { interface, neighbor: address, bfd });
}

#[test]
fn a_failure_ends_the_adjacency_at_once_and_a_hello_brings_it_back() {
    for kind in [point_to_point, broadcast] {
        let (mut world, a, b) = pair([kind(), kind()]);
        assert!(world.run_until(seconds(60), |world| world.are_full(a, b)));
        bfd(&mut world, a, b, Bfd::Failed);
        assert_eq!(world.state(a, b), None, "gone");
        assert!(
            world.notes(a).contains("adjacency is lost: its BFD session has failed"),
            "{}",
            world.notes(a)
        );
        // Without strict mode, whoever still says Hello is a neighbour again (as FRR and BIRD have it).
        assert!(world.run_until(seconds(60), |world| world.are_full(a, b)));
    }
}

#[test]
fn news_of_nobody_are_ignored() {
    let (mut world, a, b) = pair([point_to_point(), point_to_point()]);
    world.run(seconds(1));
    let interface = world.link(a, "eth0").index;
    let neighbor = Ipv4Addr::new(10, 0, 0, 99);
    for (interface, neighbor) in [(interface, neighbor), (interface + 1, neighbor)] {
        world.handle(a, Event::BfdChanged { interface, neighbor, bfd: Bfd::Failed });
    }
    assert!(world.are_full(a, b));
    bfd(&mut world, a, b, Bfd::Up);
    assert!(world.are_full(a, b));
}

/// RFC 9355 §4: if both say so, nobody gets past Init before BFD is up.
#[test]
fn two_that_are_strict_wait_for_bfd() {
    for kind in [point_to_point, broadcast] {
        let (mut world, a, b) = pair([strict(kind()), strict(kind())]);
        world.run(seconds(100));
        for (node, other) in [(a, b), (b, a)] {
            assert_eq!(world.state(node, other), Some(NeighborState::Init));
            assert!(world.neighbor(node, other).unwrap().strict_bfd);
        }
        bfd(&mut world, a, b, Bfd::Up);
        world.run(seconds(100));
        assert_eq!(world.state(a, b), Some(NeighborState::Init), "b does not name it yet");
        bfd(&mut world, b, a, Bfd::Up);
        world.run(seconds(1));
        assert!(world.state(a, b) > Some(NeighborState::Init), "at once, not with the next Hello");
        assert!(world.run_until(seconds(60), |world| world.are_full(a, b)));

        // And again after a failure.
        for (node, other) in [(a, b), (b, a)] {
            bfd(&mut world, node, other, Bfd::Failed);
        }
        world.run(seconds(100));
        assert_eq!(world.state(a, b), Some(NeighborState::Init));
        for (node, other) in [(a, b), (b, a)] {
            bfd(&mut world, node, other, Bfd::Up);
        }
        assert!(world.run_until(seconds(60), |world| world.are_full(a, b)));
    }
}

#[test]
fn one_that_is_strict_alone_does_not_wait() {
    let (mut world, a, b) = pair([strict(point_to_point()), point_to_point()]);
    world.run(millis(50));
    assert!(world.are_full(a, b), "{}", world.notes(a));
    assert!(world.neighbor(b, a).unwrap().strict_bfd);
    assert!(!world.neighbor(a, b).unwrap().strict_bfd);
}

#[test]
fn strictness_changes_while_they_talk() {
    let (mut world, a, b) = pair([strict(point_to_point()), strict(point_to_point())]);
    world.run(seconds(30));
    assert_eq!(world.state(a, b), Some(NeighborState::Init));
    world.reconfigure(b, |settings| {
        settings.interfaces.get_mut("eth0").unwrap().bfd = Watch::On;
    });
    assert!(world.run_until(seconds(30), |world| world.are_full(a, b)), "b says so no more");
    world.reconfigure(b, |settings| {
        settings.interfaces.get_mut("eth0").unwrap().bfd = Watch::Strict;
    });
    world.run(seconds(100));
    assert!(world.are_full(a, b), "what is there is not taken down");
}

fn signed(secret: &[u8], algorithm: Algorithm) -> InterfaceSettings {
    let secret = Secret::from_file(secret, 0o600).unwrap();
    let key = Key { id: 1, algorithm, secret, send: None, accept: None };
    let authentication = Authentication::Cryptographic { keys: vec![key], extended: false };
    InterfaceSettings { authentication, ..point_to_point() }
}

/// RFC 5613 §2.1: the block has a digest of its own.
#[test]
fn the_word_is_believed_only_if_it_is_signed() {
    for algorithm in [Algorithm::KeyedMd5, Algorithm::HmacSha256] {
        let (mut world, a, b) =
            pair([strict(signed(b"key", algorithm)), strict(signed(b"key", algorithm))]);
        world.run(seconds(30));
        assert_eq!(world.state(a, b), Some(NeighborState::Init));
        assert_eq!(world.discarded(a, "eth0", "bad-lls-digest"), 0);
    }
    // Somebody in between has changed it.
    let (mut world, a, b) =
        pair([signed(b"key", Algorithm::KeyedMd5), strict(signed(b"key", Algorithm::KeyedMd5))]);
    world.networks[0].cut.insert((b, a));
    world.run(seconds(1));
    let is_hello = |octets| Frame::parse(octets).unwrap().kind == PacketKind::Hello;
    let sent = world.sent.iter().find(|packet| packet.from == b && is_hello(&packet.octets));
    let mut packet = sent.unwrap().clone();
    let mut octets = packet.octets.to_vec();
    *octets.last_mut().unwrap() ^= 1;
    packet.octets = octets.into();
    let interface = world.link(a, "eth0").index;
    world.receive(a, interface, packet);
    assert_eq!(world.discarded(a, "eth0", "bad-lls-digest"), 1);
    assert!(!world.neighbor(a, b).expect("the Hello is good").strict_bfd);
}

/// Who does not know the block sees a Hello like any other.
#[test]
fn only_hellos_have_the_block() {
    let (mut world, a, b) = pair([strict(point_to_point()), point_to_point()]);
    world.run(seconds(60));
    assert!(world.are_full(a, b));
    for packet in &world.sent {
        let node = packet.from;
        let frame = Frame::parse(&packet.octets).unwrap();
        let body = frame.body().unwrap();
        let block = frame.signalling(&body).unwrap();
        let is_hello = matches!(body, Body::Hello(_));
        assert_eq!(block.is_some(), is_hello && node == a);
        if let Some(block) = block {
            assert!(block.extended_options.contains(ExtendedOptions::STRICT_BFD));
        }
        if let Body::Hello(hello) = body {
            assert_eq!(hello.options.contains(Options::LINK_LOCAL_SIGNALLING), node == a);
        }
    }
}

/// Whom a router wants to have watched.
fn watched(world: &World, node: usize) -> Vec<u8> {
    let watched = world.nodes[node].router.watched();
    watched.map(|(_, _, neighbor)| neighbor.router_id.0.octets()[3]).collect()
}

/// Those with whom there is an adjacency, from its beginning. On a LAN of many that is few.
#[test]
fn adjacencies_are_watched_and_nothing_else() {
    let mut world = World::new(1);
    let watch = |bfd| InterfaceSettings { bfd, ..broadcast() };
    for number in 1..=4 {
        let bfd = if number == 4 { Watch::Off } else { Watch::On };
        world.add(settings(number, &[("eth0", watch(bfd))]));
    }
    // The first two have come first, and are designated.
    world.join("10.0.0.0/24", &[(0, "eth0"), (1, "eth0")]);
    world.run(seconds(60));
    for node in [2, 3] {
        world.attach(0, node, "eth0");
    }
    world.run(seconds(60));
    assert_eq!(watched(&world, 0), [2, 3, 4]);
    assert_eq!(watched(&world, 1), [1, 3, 4]);
    assert_eq!(watched(&world, 2), [1, 2], "with 4 it is only 2-Way");
    assert_eq!(watched(&world, 3), [0; 0]);
    // Another one is designated now.
    world.reconfigure(1, |settings| {
        settings.interfaces.get_mut("eth0").unwrap().priority = 0;
    });
    world.run(seconds(60));
    assert_eq!(world.state(1, 2), Some(NeighborState::TwoWay));
    assert_eq!((watched(&world, 1), watched(&world, 2)), (vec![1, 4], vec![1, 4]));

    let (mut world, a, b) = pair([watch(Watch::On), watch(Watch::On)]);
    world.nodes[a].router.take_watch_stale();
    world.run(seconds(5));
    assert_eq!(world.state(a, b), Some(NeighborState::TwoWay));
    assert_eq!(watched(&world, a), [0; 0], "the election is not over");
    world.run(seconds(60));
    assert_eq!(watched(&world, a), [2]);
    assert!(world.nodes[a].router.take_watch_stale());
    world.run(seconds(60));
    assert!(!world.nodes[a].router.take_watch_stale(), "nothing has changed");
    // It has forgotten us, and will be back: there is no need for another session.
    world.kill(b);
    world.boot(b);
    assert!(world.run_until(seconds(20), |w| w.state(a, b) < Some(NeighborState::Full)));
    assert_eq!(watched(&world, a), [2]);
    world.kill(b);
    world.run(seconds(60));
    assert_eq!(watched(&world, a), [0; 0]);
    assert!(world.nodes[a].router.take_watch_stale());
}

/// RFC 9355 §5: the session comes first, and until it is up the other side is not named.
#[test]
fn those_who_wait_are_watched_and_not_named() {
    let (mut world, a, b) = pair([strict(point_to_point()), strict(point_to_point())]);
    world.run(seconds(30));
    assert_eq!((watched(&world, a), watched(&world, b)), (vec![2], vec![1]));
    let named = |world: &World, node: usize| {
        let mut sent = world.sent.iter().rev().filter(|packet| packet.from == node);
        let body = |octets| Frame::parse(octets).unwrap().body().unwrap();
        sent.find_map(|packet| match body(&packet.octets) {
            Body::Hello(hello) => Some(hello.neighbors.len()),
            _ => None,
        })
    };
    assert_eq!(named(&world, a), Some(0));
    bfd(&mut world, a, b, Bfd::Up);
    assert_eq!(named(&world, a), Some(1), "at once");
    bfd(&mut world, b, a, Bfd::Up);
    world.run(seconds(1));
    assert!(world.are_full(a, b));
    // What is there stays, whatever becomes of the session without a failure, and is named.
    bfd(&mut world, a, b, Bfd::Unknown);
    world.run(seconds(60));
    assert_eq!(named(&world, a), Some(1));
    assert!(world.are_full(a, b));
}
