//! Authentication: every type, changes of keys, and replays.

use std::ops::Range;

use shunt::ospf::{Authentication, Key};
use shunt::types::{Secret, Wall};
use shunt::wire::ospf::{Algorithm, AuthenticationField, Frame};

use super::world::{START, World, millis, point_to_point, seconds, settings};

fn secret(text: &str) -> Secret {
    Secret::from_file(text.as_bytes(), 0o600).unwrap()
}

fn always(id: u8, algorithm: Algorithm) -> Key {
    Key { id, algorithm, secret: secret("ten octets"), send: None, accept: None }
}

/// Lifetimes in seconds from the beginning.
fn between(id: u8, send: Range<u64>, accept: Range<u64>) -> Key {
    let wall = |range: Range<u64>| -> Range<Wall> {
        START + seconds(range.start)..START + seconds(range.end)
    };
    let secret = secret(&format!("secret {id}"));
    let algorithm = Algorithm::HmacSha256;
    Key { id, algorithm, secret, send: Some(wall(send)), accept: Some(wall(accept)) }
}

fn pair(authentication: [Authentication; 2]) -> (World, usize, usize) {
    let mut world = World::new(1);
    let [a, b] =
        [(1, &authentication[0]), (2, &authentication[1])].map(|(number, authentication)| {
            let mut interface = point_to_point();
            interface.authentication = authentication.clone();
            world.add(settings(number, &[("eth0", interface)]))
        });
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    (world, a, b)
}

/// The key id of the last packet that the node has sent.
fn signs_with(world: &World, node: usize) -> u32 {
    let packet = world.sent.iter().rev().find(|packet| packet.from == node).unwrap();
    match Frame::parse(&packet.octets).unwrap().authentication {
        AuthenticationField::Cryptographic { key_id, .. } => key_id.into(),
        AuthenticationField::Extended { key_id, .. } => key_id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_type_comes_up() {
    let algorithms = [
        Algorithm::KeyedMd5,
        Algorithm::HmacSha1,
        Algorithm::HmacSha256,
        Algorithm::HmacSha384,
        Algorithm::HmacSha512,
    ];
    let cryptographic = algorithms.into_iter().flat_map(|algorithm| {
        [false, true].map(|extended| Authentication::Cryptographic {
            keys: vec![always(7, algorithm)],
            extended,
        })
    });
    let simple = Authentication::Simple(secret("password that is longer"));
    for authentication in cryptographic.chain([Authentication::Null, simple]) {
        let (mut world, a, b) = pair([authentication.clone(), authentication.clone()]);
        world.run(seconds(100));
        assert!(world.are_full(a, b), "{authentication:?}: {}", world.notes(a));
        assert!(world.interface(a, "eth0").counters.discarded.is_empty());
    }
}

#[test]
fn keys_change_without_loss_of_the_adjacency() {
    for extended in [false, true] {
        // The clocks need not agree: what is sent for 100 s may be accepted for 200 s.
        let keys = |late: u64| {
            let keys = (0..5)
                .map(|n| (n as u8 + 1, n * 100))
                .map(|(id, at)| {
                    between(id, at + late..at + late + 110, at.saturating_sub(50)..at + 150)
                })
                .collect();
            Authentication::Cryptographic { keys, extended }
        };
        let (mut world, a, b) = pair([keys(0), keys(20)]);
        world.run(seconds(50));
        assert!(world.are_full(a, b), "{}", world.notes(a));
        assert_eq!(signs_with(&world, a), 1);
        let since = world.neighbor(a, b).unwrap().since;
        world.run(seconds(400));
        assert_eq!(signs_with(&world, a), 5);
        assert_eq!(world.neighbor(a, b).unwrap().since, since);
        assert!(world.interface(a, "eth0").counters.discarded.is_empty());
        assert!(world.interface(b, "eth0").counters.discarded.is_empty());
    }
}

#[test]
fn a_new_key_by_reconfiguration_leaves_the_adjacency_alone() {
    let with =
        |keys: &[Key]| Authentication::Cryptographic { keys: keys.to_vec(), extended: false };
    let (old, new) = (always(1, Algorithm::KeyedMd5), always(2, Algorithm::HmacSha512));
    let (mut world, a, b) = pair([(); 2].map(|()| with(std::slice::from_ref(&old))));
    world.run(seconds(10));
    let since = world.neighbor(a, b).unwrap().since;
    for keys in [vec![old.clone(), new.clone()], vec![new]] {
        for node in [a, b] {
            world.reconfigure(node, |settings| {
                settings.interfaces.get_mut("eth0").unwrap().authentication = with(&keys);
            });
        }
        world.run(seconds(100));
    }
    assert_eq!(signs_with(&world, a), 2);
    assert_eq!(world.neighbor(a, b).unwrap().since, since);
}

#[test]
fn the_last_key_is_used_on_and_reported_once() {
    let with = || Authentication::Cryptographic {
        keys: vec![between(1, 0..50, 0..60), between(2, 50..100, 40..110)],
        extended: false,
    };
    let (mut world, a, b) = pair([with(), with()]);
    world.run(seconds(300));
    assert!(world.are_full(a, b), "{}", world.notes(a));
    assert_eq!(signs_with(&world, a), 2);
    let notes = world.notes(a);
    assert_eq!(notes.matches("eth0: no key may be sent at this time: key 2").count(), 1, "{notes}");
}

#[test]
fn a_replayed_packet_is_refused_and_counted() {
    for extended in [false, true] {
        let keys = vec![always(1, Algorithm::HmacSha256)];
        let authentication = Authentication::Cryptographic { keys, extended };
        let (mut world, a, b) = pair([authentication.clone(), authentication]);
        world.run(seconds(100));
        assert!(world.are_full(a, b));
        let since = world.neighbor(a, b).unwrap().since;
        // All that b has said, its first Hello included, which knows of no neighbour.
        let old: Vec<_> = world.sent.iter().filter(|packet| packet.from == b).cloned().collect();
        world.run(seconds(20));
        for packet in &old {
            world.inject(b, 0, packet.clone());
        }
        world.run(millis(5));
        assert_eq!(world.discarded(a, "eth0", "replayed"), old.len() as u64);
        assert_eq!(world.neighbor(a, b).unwrap().since, since);
    }
}

#[test]
fn sequence_numbers_grow_over_a_restart() {
    for extended in [false, true] {
        let keys = vec![always(1, Algorithm::HmacSha1)];
        let authentication = Authentication::Cryptographic { keys, extended };
        let (mut world, a, b) = pair([authentication.clone(), authentication]);
        world.run(seconds(100));
        world.kill(b);
        world.run(seconds(1));
        world.boot(b);
        world.run(millis(50));
        assert!(world.are_full(a, b), "{}", world.notes(a));
        assert_eq!(world.discarded(a, "eth0", "replayed"), 0);
    }
}

/// Its clock was set back meanwhile: it counts as dead first.
#[test]
fn who_counts_from_a_lower_number_is_heard_after_the_dead_interval() {
    for extended in [false, true] {
        let keys = vec![always(1, Algorithm::HmacSha1)];
        let authentication = Authentication::Cryptographic { keys, extended };
        let (mut world, a, b) = pair([authentication.clone(), authentication]);
        world.run(seconds(100));
        world.kill(b);
        world.run(seconds(1));
        world.boot_with_clock(b, Wall::from_micros(START.as_micros() - 3_600_000_000));
        world.run(seconds(20));
        assert_ne!(world.discarded(a, "eth0", "replayed"), 0);
        world.run(seconds(35));
        assert!(world.are_full(a, b), "{}", world.notes(a));
    }
}
