//! Whatever comes is counted by name and does no harm.

use bytes::Bytes;
use shunt::ospf::{Authentication, Key, NeighborState};
use shunt::types::{Rng, Secret};
use shunt::wire::ospf::{
    Algorithm, AreaId, Body, DatabaseDescription, LsaHeader, LsaKey, LsaType, Options, Signature,
    Version, emit,
};

use super::forge::{arrive, description, exchange_with_liar, hello, packet};
use super::lsas::{external, external_lsa};
use super::world::{Packet, World, broadcast, id, millis, seconds, settings};

/// Two routers that are Full, and a third node that never speaks by itself.
fn with_liar(prefix: &str) -> (World, usize, usize, usize) {
    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", broadcast())]));
    let b = world.add(settings(2, &[("eth0", broadcast())]));
    let liar = world.add(settings(66, &[]));
    world.join(prefix, &[(a, "eth0"), (b, "eth0")]);
    world.run(seconds(60));
    assert!(world.are_full(a, b));
    (world, a, b, liar)
}

#[test]
fn packets_that_are_not_for_us_are_counted_by_name() {
    let (mut world, a, _, liar) = with_liar("10.0.0.0/24");
    let good = packet(3, &Body::Hello(hello(&[])));
    let counted = |world: &mut World, name: &str, packet: Packet| {
        let before = world.discarded(a, "eth0", name);
        arrive(world, liar, packet);
        assert_eq!(world.discarded(a, "eth0", name), before + 1, "{name}");
    };
    let changed = |at: usize, value: u8| {
        let mut octets = good.octets.to_vec();
        octets[at] = value;
        Packet { octets: octets.into(), ..good.clone() }
    };
    counted(&mut world, "bad-version", changed(0, 3));
    counted(&mut world, "bad-packet-type", changed(1, 6));
    counted(&mut world, "bad-packet-length", changed(2, 0xff));
    counted(&mut world, "bad-checksum", changed(5, 77));
    counted(&mut world, "bad-authentication-type", changed(15, 9));
    counted(&mut world, "own-packet", Packet { source: [10, 0, 0, 1].into(), ..good.clone() });
    counted(
        &mut world,
        "source-not-on-network",
        Packet { source: [10, 0, 1, 3].into(), ..good.clone() },
    );
    let short = Bytes::copy_from_slice(&good.octets[..20]);
    counted(&mut world, "truncated", Packet { octets: short, ..good.clone() });

    let from = |router_id, area| {
        let body = Body::Hello(hello(&[]));
        let octets =
            emit(Version::V2, router_id, area, &body, &Signature::Null, good.source).freeze();
        Packet { octets, ..good.clone() }
    };
    counted(&mut world, "area", from(id(3), AreaId(7)));
    counted(&mut world, "duplicate-router-id", from(id(1), AreaId::BACKBONE));
    counted(&mut world, "no-router-id", from(id(0), AreaId::BACKBONE));

    // From somebody who has not introduced himself, and from somebody who got no further than Init.
    let acknowledgment = Body::LinkStateAcknowledgment(Vec::new());
    counted(&mut world, "unknown-neighbor", packet(3, &acknowledgment));
    arrive(&mut world, liar, good.clone());
    counted(&mut world, "neighbor-state", packet(3, &acknowledgment));
    // Of all this only the sources on our network are on record, with the last thing that was wrong.
    assert_eq!(world.mismatches(a).len(), 1, "{:?}", world.mismatches(a));

    // To AllDRouters, on a router that is neither.
    let c = world.add(settings(4, &[("eth0", broadcast())]));
    world.attach(0, c, "eth0");
    world.run(seconds(1));
    let before = world.discarded(c, "eth0", "not-for-us");
    let index = world.link(c, "eth0").index;
    world.receive(c, index, Packet { destination: [224, 0, 0, 6].into(), ..good });
    assert_eq!(world.discarded(c, "eth0", "not-for-us"), before + 1);
}

#[test]
fn forged_neighbors_and_sources_are_bounded() {
    let (mut world, a, b, liar) = with_liar("10.0.0.0/16");
    let source = |number: u32| std::net::Ipv4Addr::from_bits(0x0a00_0100 + number);
    for number in 0..1000_u32 {
        let source = source(number);
        let mut body = hello(&[1]);
        body.network_mask = [255, 255, 0, 0].into();
        let body = Body::Hello(body);
        let router_id = shunt::types::RouterId::from_bits(0x2000_0000 + number);
        let octets =
            emit(Version::V2, router_id, AreaId::BACKBONE, &body, &Signature::Null, source)
                .freeze();
        let forged = packet(3, &body);
        world.inject(liar, 0, Packet { source, octets, ..forged });
    }
    world.run(millis(10));
    assert_eq!(world.interface(a, "eth0").neighbors.len(), 256);
    assert_eq!(world.discarded(a, "eth0", "too-many-neighbors"), 745);
    // They go again, and the one that is real has stayed.
    world.run(seconds(60));
    assert_eq!(world.interface(a, "eth0").neighbors.len(), 1);
    assert_eq!(world.state(a, b), Some(NeighborState::Full));

    for number in 0..1000_u32 {
        let source = source(number);
        let octets = Bytes::copy_from_slice(&number.to_be_bytes().repeat(8));
        let forged = packet(3, &Body::Hello(hello(&[])));
        world.inject(liar, 0, Packet { source, octets, ..forged });
    }
    world.run(millis(10));
    assert_eq!(world.mismatches(a).len(), 64);
    assert_eq!(world.notes(a).matches("cannot be read").count(), 64);
}

#[test]
fn an_exchange_out_of_order_is_begun_anew() {
    let (mut world, a, b, _) = with_liar("10.0.0.0/24");
    let since = world.neighbor(a, b).unwrap().since;
    // As b, in the middle of nowhere: SeqNumberMismatch (RFC 2328 §10.6).
    let body = Body::DatabaseDescription(DatabaseDescription {
        mtu: 1500,
        options: Options::EXTERNAL.with(Options::OPAQUE),
        init: false,
        more: false,
        master: true,
        sequence: 4711,
        headers: Vec::new(),
    });
    arrive(&mut world, b, packet(2, &body));
    world.run(millis(50));
    assert!(world.neighbor(a, b).unwrap().since > since);
    assert!(world.are_full(a, b), "{}", world.notes(a));
}

#[test]
fn a_summary_with_what_does_not_belong_is_not_taken() {
    let mut world = World::new(1);
    let (liar, sequence) = exchange_with_liar(&mut world, 9);
    assert_eq!(world.state(0, liar), Some(NeighborState::ExStart));
    let listed = |kind, sequence| {
        let key = LsaKey { kind, link_state_id: [1, 1, 1, 1].into(), advertising_router: id(3) };
        let header = LsaHeader { key, ..external_lsa(key, 1, 1).header };
        packet(3, &description(sequence, vec![header]))
    };
    // A type 7 in a normal area.
    arrive(&mut world, liar, listed(LsaType::NSSA, sequence));
    assert_eq!(world.state(0, liar), Some(NeighborState::ExStart));
    // As the master we have taken a new number for the new beginning.
    arrive(&mut world, liar, listed(LsaType::ROUTER, sequence + 1));
    assert_eq!(world.state(0, liar), Some(NeighborState::Exchange));
}

/// BadLSReq (RFC 2328 §13 (6)): what it sends again is not what it has described, and we would wait for that forever.
#[test]
fn who_does_not_have_what_it_described_begins_anew() {
    let mut world = World::new(1);
    let (liar, sequence) = exchange_with_liar(&mut world, 9);
    let key = external(3, "192.0.2.1/32");
    let described = vec![external_lsa(key, 5, 1).header];
    arrive(&mut world, liar, packet(3, &description(sequence, described)));
    let update = packet(3, &Body::LinkStateUpdate(vec![external_lsa(key, 3, 1)].into()));
    arrive(&mut world, liar, update.clone());
    assert_eq!(world.state(0, liar), Some(NeighborState::Exchange));
    assert_eq!(world.neighbor(0, liar).unwrap().requests.len(), 1);
    arrive(&mut world, liar, update);
    assert_eq!(world.state(0, liar), Some(NeighborState::ExStart));
}

/// RFC 2328 §13 (4): while we are exchanging databases, an LSA at its end is taken though we do not have it.
#[test]
fn what_is_flushed_while_we_ask_for_it_is_asked_for_no_more() {
    let mut world = World::new(1);
    let (liar, sequence) = exchange_with_liar(&mut world, 9);
    let lsa = external_lsa(external(3, "192.0.2.1/32"), 5, 1);
    arrive(&mut world, liar, packet(3, &description(sequence, vec![lsa.header])));
    assert_eq!(world.neighbor(0, liar).unwrap().requests.len(), 1);
    arrive(&mut world, liar, packet(3, &Body::LinkStateUpdate(vec![lsa.with_age(3600)].into())));
    assert_eq!(world.neighbor(0, liar).unwrap().requests.len(), 0);
    // It stays until nobody can ask for it any more (§14).
    let entry = world.nodes[0].router.database().get(&lsa.header.key);
    assert_eq!(entry.map(|entry| entry.age(world.now)), Some(3600));
    assert_eq!(world.state(0, liar), Some(NeighborState::Exchange));
}

#[test]
fn damaged_packets_do_no_harm() {
    let mut world = World::new(1);
    let keys = vec![Key {
        id: 1,
        algorithm: Algorithm::HmacSha256,
        secret: Secret::from_file(b"secret", 0o600).unwrap(),
        send: None,
        accept: None,
    }];
    let mut secure = broadcast();
    secure.authentication = Authentication::Cryptographic { keys, extended: true };
    let interfaces = [("eth0", broadcast()), ("eth1", secure)];
    let a = world.add(settings(1, &interfaces));
    let b = world.add(settings(2, &interfaces));
    let plain = world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    let secured = world.join("10.0.1.0/24", &[(a, "eth1"), (b, "eth1")]);
    world.run(seconds(100));
    let since = world.interface(a, "eth1").neighbors[&id(2)].since;
    let mut rng = Rng::new(3);
    for _ in 0..40 {
        let seen = world.sent.clone();
        for _ in 0..100 {
            let network = if rng.chance(50) { plain } else { secured };
            let mut packet = seen[rng.below(seen.len() as u64) as usize].clone();
            let mut octets = packet.octets.to_vec();
            for _ in 0..=rng.below(3) {
                let at = rng.below(octets.len() as u64) as usize;
                octets[at] = rng.next_u64() as u8;
            }
            octets.truncate(rng.below(octets.len() as u64 * 4) as usize);
            packet.octets = octets.into();
            world.inject(if rng.chance(50) { a } else { b }, network, packet);
        }
        world.run(seconds(2));
    }
    world.run(seconds(60));
    assert!(world.are_full(a, b));
    assert_eq!(world.interface(a, "eth1").neighbors[&id(2)].since, since);
    let discarded = &world.interface(a, "eth1").counters.discarded;
    assert!(discarded.values().sum::<u64>() > 500, "{discarded:?}");
}
