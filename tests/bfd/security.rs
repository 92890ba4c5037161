//! Authentication (RFC 5880 §6.7): passwords, digests, sequence numbers, and change of keys.

use shunt::bfd::{Algorithm, Authentication, Key, Settings, State};
use shunt::types::Secret;
use shunt::wire::bfd::{AuthenticationSection, Packet};

use crate::bench::{Bench, down, millis, settings};

fn key(id: u8, secret: &str) -> Key {
    Key { id, secret: Secret::from_file(secret.as_bytes(), 0o600).unwrap() }
}

fn secured(algorithm: Algorithm, keys: &[(u8, &str)]) -> Settings {
    let keys = keys.iter().map(|(id, secret)| key(*id, secret)).collect();
    Settings { authentication: Some(Authentication { algorithm, keys }), ..settings() }
}

fn signed(packet: Packet, algorithm: Algorithm, sequence: u32) -> Packet {
    let section = AuthenticationSection { algorithm, key_id: 5, sequence };
    Packet { authentication: Some(section), ..packet }
}

/// Up, by packets with key 5 and sequence numbers 100 and 101.
fn up(algorithm: Algorithm) -> Bench {
    let mut bench = Bench::new(secured(algorithm, &[(5, "secret")]));
    bench.hear_signed(signed(down(), algorithm, 100), b"secret");
    bench.hear_signed(signed(bench.theirs(), algorithm, 101), b"secret");
    assert_eq!(bench.state(), State::Up);
    bench
}

/// Whether a genuine packet with that number is taken.
fn takes(bench: &mut Bench, algorithm: Algorithm, sequence: u32) -> bool {
    let (received, dropped) = (bench.summary().received, bench.dropped("wrong-sequence"));
    bench.hear_signed(signed(bench.theirs(), algorithm, sequence), b"secret");
    let taken = bench.summary().received > received;
    assert_eq!(bench.dropped("wrong-sequence") - dropped, u64::from(!taken));
    taken
}

const ALL: [Algorithm; 5] = [
    Algorithm::Simple,
    Algorithm::KeyedMd5,
    Algorithm::MeticulousMd5,
    Algorithm::KeyedSha1,
    Algorithm::MeticulousSha1,
];

/// §6.7.2 to §6.7.4.
#[test]
fn each_packet_is_signed_with_the_first_key_and_verified_with_the_one_it_names() {
    for algorithm in ALL {
        let mut bench = Bench::new(secured(algorithm, &[(7, "new"), (5, "secret")]));
        bench.hear_signed(signed(down(), algorithm, 1), b"secret");
        bench.wait(millis(2000));
        bench.hear_signed(signed(bench.theirs(), algorithm, 2), b"secret");
        bench.hear_signed(
            signed(bench.theirs_but(|packet| packet.poll = true), algorithm, 3),
            b"secret",
        );
        assert_eq!(bench.state(), State::Up, "{algorithm:?}");
        assert_eq!(bench.sent.len(), bench.octets.len());
        for ((_, packet), octets) in bench.sent.iter().zip(&bench.octets) {
            let section = packet.authentication.unwrap();
            assert_eq!((section.algorithm, section.key_id), (algorithm, 7));
            assert!(packet.verify(octets, b"new") && !packet.verify(octets, b"secret"));
        }
    }
}

/// §6.8.6 and §6.7: what is not genuine is counted by its fault and changes nothing.
#[test]
fn what_is_not_genuine_is_dropped() {
    for algorithm in ALL {
        let mut bench = up(algorithm);
        let last_word = bench.theirs_but(|packet| packet.state = State::Down);
        bench.hear(last_word);
        assert_eq!(bench.dropped("no-authentication"), 1);
        bench.hear_signed(signed(last_word, algorithm, 102), b"Secret");
        assert_eq!(bench.dropped("wrong-digest"), 1);
        let section = AuthenticationSection { algorithm, key_id: 6, sequence: 102 };
        bench.hear_signed(Packet { authentication: Some(section), ..last_word }, b"secret");
        assert_eq!(bench.dropped("unknown-key"), 1);
        for other in ALL.into_iter().filter(|other| *other != algorithm) {
            bench.hear_signed(signed(last_word, other, 102), b"secret");
        }
        assert_eq!(bench.dropped("wrong-authentication-type"), 4);
        assert_eq!((bench.state(), bench.summary().received), (State::Up, 2));
        // Nor does it keep the session alive.
        let forged = signed(bench.theirs(), algorithm, 103);
        for _ in 0..4 {
            bench.wait(millis(8));
            bench.hear_signed(forged, b"wrong");
        }
        assert_eq!(bench.state(), State::Down);
    }
    let mut bench = Bench::up();
    bench.hear_signed(signed(down(), Algorithm::KeyedMd5, 1), b"");
    assert_eq!((bench.state(), bench.dropped("unexpected-authentication")), (State::Up, 1));
}

/// §6.7.3, §6.7.4: within 3 × Detect Mult of the last one, which may come again unless the algorithm is meticulous.
#[test]
fn sequence_numbers_have_a_window() {
    for algorithm in ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Simple) {
        let mut bench = up(algorithm);
        assert!(!takes(&mut bench, algorithm, 100));
        assert_eq!(takes(&mut bench, algorithm, 101), !algorithm.is_meticulous());
        assert!(takes(&mut bench, algorithm, 102));
        assert!(!takes(&mut bench, algorithm, 101));
        assert!(!takes(&mut bench, algorithm, 112));
        assert!(takes(&mut bench, algorithm, 111));
        assert!(!takes(&mut bench, algorithm, 111_u32.wrapping_sub(1 << 31)));
        assert!(takes(&mut bench, algorithm, 112));
    }
}

#[test]
fn sequence_numbers_are_a_circle() {
    let algorithm = Algorithm::MeticulousSha1;
    let mut bench = Bench::new(secured(algorithm, &[(5, "secret")]));
    bench.hear_signed(signed(down(), algorithm, u32::MAX - 1), b"secret");
    assert!(takes(&mut bench, algorithm, u32::MAX));
    assert!(takes(&mut bench, algorithm, 0));
    assert!(!takes(&mut bench, algorithm, u32::MAX));
    assert!(takes(&mut bench, algorithm, 9));
}

/// §6.7.3: the meticulous number grows with each packet, the other one when something else is said.
#[test]
fn our_sequence_numbers_grow() {
    for algorithm in ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Simple) {
        let mut bench = up(algorithm);
        for sequence in 102..120 {
            bench.wait(millis(8));
            bench.hear_signed(
                signed(bench.theirs_but(|p| p.final_bit = true), algorithm, sequence),
                b"secret",
            );
        }
        let mut grown = Vec::new();
        for pair in bench.sent.windows(2) {
            let [before, after] = [pair[0].1, pair[1].1];
            let sequence = |packet: Packet| packet.authentication.unwrap().sequence;
            let growth = sequence(after).wrapping_sub(sequence(before));
            let anonymous = |packet| Packet { authentication: None, ..packet };
            let changed = anonymous(before) != anonymous(after);
            assert_eq!(growth, u32::from(changed || algorithm.is_meticulous()));
            grown.push(growth);
        }
        assert!(grown.contains(&1));
    }
    let first = |seed| {
        let mut bfd = shunt::bfd::Bfd::new(shunt::types::Rng::new(seed));
        let settings = Box::new(secured(Algorithm::KeyedSha1, &[(1, "k")]));
        let order = shunt::bfd::Order::Want { session: crate::bench::ID, settings };
        bfd.handle(shunt::bfd::Event::Ordered(order), shunt::types::Time::ZERO);
        bfd.poll();
        let Some(shunt::bfd::Action::Send { packet, .. }) = bfd.poll() else { panic!() };
        Packet::parse(&packet).unwrap().authentication.unwrap().sequence
    };
    // §6.8.1: it begins anywhere.
    assert!(first(1) != first(2) && first(1).min(first(2)) > 1000);
}

/// §6.8.1, bfd.AuthSeqKnown: after two Detection Times the other side may count anew.
#[test]
fn a_side_that_begins_to_count_anew_is_heard_after_two_detection_times() {
    let algorithm = Algorithm::MeticulousMd5;
    let mut bench = up(algorithm);
    bench.wait(millis(59));
    assert_eq!(bench.state(), State::Down);
    assert!(!takes(&mut bench, algorithm, 5));
    bench.wait(millis(1));
    assert!(takes(&mut bench, algorithm, 5));
    assert!(!takes(&mut bench, algorithm, 5));
}

/// What was recorded may be sent again by anybody.
#[test]
fn a_replay_neither_brings_a_session_down_nor_keeps_it_up() {
    let algorithm = Algorithm::MeticulousSha1;
    let mut bench = Bench::new(secured(algorithm, &[(5, "secret")]));
    let old_down = signed(down(), algorithm, 100);
    bench.hear_signed(old_down, b"secret");
    let old_up = signed(bench.theirs(), algorithm, 101);
    bench.hear_signed(old_up, b"secret");
    bench.hear_signed(old_down, b"secret");
    assert_eq!((bench.state(), bench.dropped("wrong-sequence")), (State::Up, 1));
    for _ in 0..4 {
        bench.wait(millis(8));
        bench.hear_signed(old_up, b"secret");
    }
    assert_eq!((bench.state(), bench.dropped("wrong-sequence")), (State::Down, 5));
}

/// §6.7.3 sets bfd.RcvAuthSeq before the digest is looked at; that would let anybody shut the session off.
#[test]
fn a_forged_number_moves_no_window() {
    let algorithm = Algorithm::KeyedSha1;
    let mut bench = Bench::new(secured(algorithm, &[(5, "secret")]));
    bench.hear_signed(signed(down(), algorithm, 1 << 31), b"wrong");
    bench.hear_signed(signed(down(), algorithm, 100), b"secret");
    bench.hear_signed(signed(bench.theirs(), algorithm, 105), b"wrong");
    assert!(takes(&mut bench, algorithm, 101));
}

/// A password has no number, so that it is as good the second time.
#[test]
fn a_password_has_no_sequence() {
    let mut bench = up(Algorithm::Simple);
    for _ in 0..3 {
        assert!(takes(&mut bench, Algorithm::Simple, 0));
    }
    assert!(bench.sent.iter().all(|(_, packet)| packet.authentication.unwrap().sequence == 0));
}

/// First the new key is added on both sides, then put first on each, then the old one removed. Nothing goes down.
#[test]
fn keys_change_while_the_session_is_up() {
    let algorithm = Algorithm::MeticulousSha1;
    let mut bench = up(algorithm);
    let (old, new) = ((5, "secret"), (6, "other"));
    let mut sequence = 102;
    let mut hear = |bench: &mut Bench, key_id, secret: &[u8]| {
        bench.wait(millis(8));
        let section = AuthenticationSection { algorithm, key_id, sequence };
        let received = bench.summary().received;
        bench.hear_signed(Packet { authentication: Some(section), ..bench.theirs() }, secret);
        assert_eq!(bench.summary().received, received + 1);
        sequence += 1;
    };
    bench.want(secured(algorithm, &[old, new]));
    hear(&mut bench, 5, b"secret");
    hear(&mut bench, 6, b"other");
    bench.want(secured(algorithm, &[new, old]));
    hear(&mut bench, 5, b"secret");
    assert_eq!(bench.last().authentication.unwrap().key_id, 6);
    bench.want(secured(algorithm, &[new]));
    hear(&mut bench, 6, b"other");
    assert_eq!((bench.state(), bench.summary().ups), (State::Up, 1));
    // Two secrets under one id: each verifies.
    bench.want(secured(algorithm, &[new, (6, "third")]));
    hear(&mut bench, 6, b"third");
    hear(&mut bench, 6, b"other");
}
