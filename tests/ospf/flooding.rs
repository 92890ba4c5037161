//! What is in one router's database is in all of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use shunt::ospf::{Announced, Event, How, NeighborState};
use shunt::types::Rng;
use shunt::wire::ospf::{
    Body, Frame, Lsa, LsaBody, LsaHeader, LsaKey, LsaType, Options, SequenceNumber,
};

use super::lsas::{external, external_lsa, prefix, router_key};
use super::pacing::chain;
use super::world::{World, broadcast, id, millis, point_to_point, seconds, settings};

/// A ring of four routers, and a LAN that all of them are on.
pub fn ring_with_lan(seed: u64) -> World {
    let mut world = World::new(seed);
    for router in 1..=4 {
        let mut wire = point_to_point();
        let mut lan = broadcast();
        for interface in [&mut wire, &mut lan] {
            interface.hello_interval = seconds(1);
            interface.dead_interval = seconds(4);
        }
        world.add(settings(router, &[("next", wire.clone()), ("last", wire), ("lan", lan)]));
    }
    for node in 0..4 {
        let next = (node + 1) % 4;
        world.join(&format!("10.0.{}.0/24", node + 1), &[(node, "next"), (next, "last")]);
    }
    world.join("10.1.0.0/16", &[(0, "lan"), (1, "lan"), (2, "lan"), (3, "lan")]);
    world
}

#[test]
fn databases_are_identical_after_cuts_losses_and_restarts() {
    for seed in 0..25 {
        let mut world = ring_with_lan(seed);
        let mut rng = Rng::new(seed);
        for _ in 0..60 {
            let node = rng.below(4) as usize;
            let network = rng.below(5) as usize;
            match rng.below(8) {
                0 => world.networks[network].loss = [0, 20, 60][rng.below(3) as usize],
                1 => {
                    world.networks[network].cut.insert((node, (node + 1) % 4));
                }
                2 => world.networks[network].cut.clear(),
                3 if world.nodes[node].on => world.kill(node),
                3 | 4 if !world.nodes[node].on => world.boot(node),
                5 if world.nodes[node].on => {
                    world.withdraw(node, &format!("192.0.2.{}/32", rng.below(6)));
                }
                _ if world.nodes[node].on => {
                    let prefix = format!("192.0.2.{}/32", rng.below(6));
                    let how = [How::External1, How::External2, How::Stub][rng.below(3) as usize];
                    world.announce(node, &prefix, how, rng.below(1000) as u32);
                }
                _ => {}
            }
            world.run(millis(rng.below(3000)));
        }
        for network in &mut world.networks {
            network.loss = 0;
            network.cut.clear();
        }
        for node in 0..4 {
            if !world.nodes[node].on {
                world.boot(node);
            }
        }
        world.run(seconds(60));
        world.agree().unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert!(world.instances(0).len() >= 4);
    }
}

#[test]
fn a_lost_acknowledgement_is_asked_for_and_changes_nothing() {
    let mut world = chain(1);
    world.run(seconds(5));
    world.networks[0].cut.insert((1, 0));
    world.announce(0, "192.0.2.1/32", How::External2, 5);
    world.run(millis(105));
    assert!(world.metric(1, external(1, "192.0.2.1/32")).is_some());
    let unacknowledged =
        |world: &World| world.nodes[0].router.unacknowledged(prefix("192.0.2.1/32"), world.now);
    assert_eq!(unacknowledged(&world), [(1, id(2))]);
    world.networks[0].cut.clear();
    let since = world.sent.len();
    world.run(millis(5100));
    assert_eq!(unacknowledged(&world), []);
    // Repeated once, to the one neighbour, and not passed on by it.
    let key = external(1, "192.0.2.1/32");
    let repeated: Vec<usize> = world
        .updates(since)
        .iter()
        .filter(|update| update.lsas.iter().any(|lsa| lsa.header.key == key))
        .map(|update| update.from)
        .collect();
    assert_eq!(repeated, [0]);
    world.agree().unwrap();
}

/// A takeover waits for it, and not for long. What comes together is acknowledged together.
#[test]
fn a_change_is_acknowledged_within_milliseconds() {
    let mut world = chain(1);
    world.run(seconds(5));
    let since = world.sent.len();
    let prefixes = ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"];
    for network in prefixes {
        world.announce(0, network, How::External2, 5);
    }
    // There and back in a millisecond each.
    world.run(millis(10));
    for network in prefixes {
        assert_eq!(world.nodes[0].router.unacknowledged(prefix(network), world.now), []);
    }
    assert_eq!(acknowledgments(&world, since, 1).len(), 1);
}

/// The packets of acknowledgements that a node has sent since then.
fn acknowledgments(world: &World, since: usize, node: usize) -> Vec<Vec<LsaHeader>> {
    let packets = world.sent[since..].iter().filter(|packet| packet.from == node);
    packets
        .filter_map(|packet| match Frame::parse(&packet.octets).unwrap().body().unwrap() {
            Body::LinkStateAcknowledgment(headers) => Some(headers),
            _ => None,
        })
        .collect()
}

/// How often a prefix was sent by the first router since then.
fn sendings(world: &World, since: usize, network: &str) -> usize {
    let key = external(1, network);
    let updates = world.updates(since);
    let own = updates.iter().filter(|update| update.from == 0);
    own.flat_map(|update| &update.lsas).filter(|lsa| lsa.header.key == key).count()
}

/// Long before RxmtInterval: an operator waits for it.
#[test]
fn a_change_of_ours_that_is_lost_comes_again_in_a_moment() {
    let mut world = chain(1);
    world.networks[0].cut.insert((0, 1));
    world.announce(0, "192.0.2.1/32", How::External2, 5);
    world.run(millis(50));
    world.networks[0].cut.clear();
    world.run(millis(55));
    assert!(world.metric(2, external(1, "192.0.2.1/32")).is_some());
    // Once: after that the interval counts.
    world.networks[0].cut.insert((0, 1));
    let since = world.sent.len();
    world.announce(0, "192.0.2.2/32", How::External2, 5);
    world.run(seconds(5));
    assert_eq!(sendings(&world, since, "192.0.2.2/32"), 2);
}

#[test]
fn nobody_is_reminded_of_a_bulk_of_changes() {
    let mut world = chain(1);
    world.networks[0].cut.insert((1, 0));
    let since = world.sent.len();
    for number in 0..200 {
        world.announce(0, &format!("192.0.2.{number}/32"), How::External2, 5);
    }
    world.run(seconds(4));
    assert_eq!(sendings(&world, since, "192.0.2.199/32"), 1);
}

#[test]
fn a_lost_update_is_repeated() {
    let mut world = chain(1);
    world.networks[1].loss = 100;
    world.announce(0, "192.0.2.1/32", How::External2, 5);
    world.run(millis(100));
    assert_eq!(world.metric(2, external(1, "192.0.2.1/32")), None);
    world.networks[1].loss = 0;
    world.run(millis(5000));
    assert_eq!(world.metric(2, external(1, "192.0.2.1/32")), Some(5));
    world.run(millis(100));
    world.agree().unwrap();
}

#[test]
fn everybody_on_a_lan_gets_a_change_from_a_router_that_is_not_designated() {
    let mut world = World::new(1);
    let nodes: Vec<usize> =
        (1..=5).map(|router| world.add(settings(router, &[("lan", broadcast())]))).collect();
    let ends: Vec<(usize, &str)> = nodes.iter().map(|&node| (node, "lan")).collect();
    world.join("10.1.0.0/16", &ends);
    world.run(seconds(60));
    let since = world.sent.len();
    world.announce(0, "192.0.2.1/32", How::External2, 5);
    world.run(millis(3));
    for node in &nodes {
        assert_eq!(world.metric(*node, external(1, "192.0.2.1/32")), Some(5), "node {node}");
    }
    // To the DR and BDR, and from the DR to all.
    assert_eq!(world.updates(since).len(), 2);
    world.run(seconds(1));
    assert_eq!(world.updates(since).len(), 2);
    world.agree().unwrap();
}

/// Of what another router sends, a BDR acknowledges the DR's copy and not the router's own (RFC 2328 §13.5, table 19).
#[test]
fn a_backup_acknowledges_once() {
    let mut world = World::new(1);
    let nodes: Vec<usize> =
        (1..=3).map(|number| world.add(settings(number, &[("eth0", broadcast())]))).collect();
    let ends: Vec<(usize, &str)> = nodes.iter().map(|node| (*node, "eth0")).collect();
    world.join("10.0.0.0/24", &ends);
    world.run(seconds(60));
    let since = world.sent.len();
    world.announce(0, "192.0.2.1/32", How::External2, 5);
    world.run(seconds(1));
    let key = external(1, "192.0.2.1/32");
    let acknowledged = acknowledgments(&world, since, 1).into_iter().flatten();
    assert_eq!(acknowledged.filter(|header| header.key == key).count(), 1);
    world.agree().unwrap();
}

#[test]
fn what_is_withdrawn_leaves_no_trace() {
    let mut world = chain(1);
    let before: Vec<usize> = (0..3).map(|node| world.instances(node).len()).collect();
    for number in 0..1000_u32 {
        let prefix = format!("{}/32", Ipv4Addr::from_bits(0xc612_0000 + number));
        world.announce(0, &prefix, How::External2, 5);
    }
    world.run(seconds(5));
    assert_eq!(world.instances(2).len(), before[2] + 1000);
    for number in 0..1000_u32 {
        let prefix = format!("{}/32", Ipv4Addr::from_bits(0xc612_0000 + number));
        world.withdraw(0, &prefix);
    }
    world.run(seconds(5));
    let after: Vec<usize> = (0..3).map(|node| world.instances(node).len()).collect();
    assert_eq!(after, before);
    world.agree().unwrap();
}

#[test]
fn ten_thousand_externals_go_both_ways_in_full_packets_and_none_is_repeated() {
    let mut world = chain(1);
    let since = world.sent.len();
    for number in 0..10_000_u32 {
        for (node, base) in [(0, 0x0b00_0000), (2, 0x0c00_0000)] {
            let prefix = ipnet::Ipv4Net::new_assert(Ipv4Addr::from_bits(base + number), 32);
            let announced = Some(Announced { metric: 5, how: How::External2, tag: 0 });
            world.handle(node, Event::AnnouncementChanged { prefix, announced });
        }
    }
    let complete = |world: &World| (0..3).all(|node| world.instances(node).len() >= 20_000);
    assert!(world.run_until(seconds(1), complete));
    world.run(seconds(10));
    world.agree().unwrap();
    let mut copies: BTreeMap<(usize, LsaKey), u32> = BTreeMap::new();
    let mut windows: BTreeMap<(usize, usize, u64), usize> = BTreeMap::new();
    for update in world.updates(since) {
        assert!(update.octets <= 1500, "{}", update.octets);
        *windows
            .entry((update.from, update.network, update.at.as_micros() / 10_000))
            .or_default() += 1;
        for lsa in &update.lsas {
            *copies.entry((update.network, lsa.header.key)).or_default() += 1;
        }
    }
    let externals = copies.iter().filter(|((_, key), _)| key.kind == LsaType::EXTERNAL);
    assert!(externals.clone().all(|(_, copies)| *copies == 1));
    assert_eq!(externals.count(), 40_000);
    assert!(windows.values().all(|packets| *packets <= 20), "{:?}", windows.values().max());
    // A router that comes new gets them all by asking.
    world.kill(1);
    world.run(seconds(50));
    world.boot(1);
    assert!(world.run_until(seconds(30), |world| world.are_full(0, 1) && world.are_full(1, 2)));
    world.run(seconds(10));
    world.agree().unwrap();
}

#[test]
fn advertisements_are_refreshed_and_those_of_the_dead_age_out() {
    let mut world = chain(1);
    world.announce(2, "192.0.2.1/32", How::External2, 5);
    world.announce(0, "192.0.2.2/32", How::External2, 5);
    world.run(seconds(10));
    let first = world.lsa(1, external(1, "192.0.2.2/32")).unwrap().header.sequence;
    world.kill(2);
    for _ in 0..8 {
        world.run(seconds(450));
        assert!(world.metric(1, external(1, "192.0.2.2/32")).is_some(), "{}", world.now);
    }
    world.run(seconds(60));
    assert_eq!(world.lsa(0, external(3, "192.0.2.1/32")).map(|lsa| lsa.header), None);
    assert_eq!(world.lsa(0, router_key(3)).map(|lsa| lsa.header), None);
    let last = world.lsa(1, external(1, "192.0.2.2/32")).unwrap().header.sequence;
    assert!((2..=3).contains(&(last.0 - first.0)), "{first:?} {last:?}");
    world.agree().unwrap();
}

#[test]
fn one_neighbors_storm_is_bounded_and_the_others_are_unaffected() {
    let mut world = chain(1);
    // One LSA, as fast as it goes: an instance per second is taken, and passed on.
    let key = external(1, "192.0.2.99/32");
    let key = LsaKey { advertising_router: id(9), ..key };
    let since = world.sent.len();
    for sequence in 0..3000 {
        world.inject_update(0, 0, vec![external_lsa(key, sequence, 1)]);
        world.run(millis(1));
    }
    let passed_on: usize = world
        .updates(since)
        .iter()
        .filter(|update| update.network == 1)
        .map(|update| update.lsas.len())
        .sum();
    assert!((3..=4).contains(&passed_on), "{passed_on}");
    assert!(world.nodes[1].router.refused_lsas().too_soon > 2900);
    // Very many.
    for part in 0..140_u32 {
        let lsas = (0..1500_u32)
            .map(|number| {
                let link_state_id = Ipv4Addr::from_bits(part * 1500 + number);
                external_lsa(LsaKey { link_state_id, ..key }, 1, 1)
            })
            .collect();
        world.inject_update(0, 0, lsas);
    }
    world.run(millis(1));
    let router = &world.nodes[1].router;
    assert_eq!(router.database().len(), 200_000);
    assert!(router.refused_lsas().no_room >= 10_000);
    let noted = world.notes(1).matches("the link-state database is full").count();
    assert_eq!(noted, 1, "{}", world.notes(1));
    assert_eq!(world.state(1, 2), Some(NeighborState::Full));
    // Own changes still get through, before all that waits.
    world.announce(1, "192.0.2.1/32", How::External2, 5);
    world.run(millis(15));
    assert_eq!(world.metric(2, external(2, "192.0.2.1/32")), Some(5));
}

#[test]
fn a_request_for_what_is_not_there_begins_the_exchange_anew() {
    let mut world = chain(1);
    let key = external(9, "192.0.2.1/32");
    world.inject_body(0, 0, Body::LinkStateRequest(vec![key]));
    world.run(millis(2));
    assert!(world.state(1, 0) < Some(NeighborState::Full));
    world.run(seconds(12));
    assert!(world.are_full(0, 1));
}

#[test]
fn opaque_advertisements_go_as_far_as_their_scope() {
    let mut world = chain(1);
    let opaque = |kind| {
        let link_state_id = Ipv4Addr::new(200, 0, 0, 1);
        let key = LsaKey { kind, link_state_id, advertising_router: id(1) };
        let key = LsaKey { advertising_router: id(9), ..key };
        Lsa::new(1, Options::EXTERNAL, key, SequenceNumber(1), LsaBody::Opaque)
    };
    let kinds = [LsaType::OPAQUE_LINK, LsaType::OPAQUE_AREA, LsaType::OPAQUE_AS];
    let lsas: Vec<Lsa> = kinds.into_iter().map(opaque).collect();
    world.inject_update(0, 0, lsas.clone());
    world.run(millis(10));
    let link = world.nodes[1].router.link_databases().map(|(index, d)| (index, d.len()));
    assert_eq!(link.collect::<Vec<_>>(), [(1, 1)]);
    for lsa in &lsas[1..] {
        assert!(world.lsa(2, lsa.header.key).is_some());
    }
    assert_eq!(world.nodes[2].router.link_databases().count(), 0);
}

#[test]
fn areas_that_want_no_externals_get_none() {
    for (kind, wanted) in [
        (shunt::ospf::AreaKind::Stub, [false, false, false]),
        (shunt::ospf::AreaKind::Nssa, [false, true, false]),
        (shunt::ospf::AreaKind::Normal, [true, false, true]),
    ] {
        let mut world = World::new(1);
        for router in 1..=2 {
            let mut settings = settings(router, &[("eth0", point_to_point())]);
            settings.area.kind = kind;
            world.add(settings);
        }
        world.join("10.0.1.0/24", &[(0, "eth0"), (1, "eth0")]);
        world.run(seconds(15));
        let kinds = [LsaType::EXTERNAL, LsaType::NSSA, LsaType::OPAQUE_AS];
        for (lsa_type, wanted) in kinds.into_iter().zip(wanted) {
            let link_state_id = Ipv4Addr::new(200, 0, 0, 1);
            let key = LsaKey { kind: lsa_type, link_state_id, advertising_router: id(9) };
            let lsa = match lsa_type {
                LsaType::OPAQUE_AS => {
                    Lsa::new(1, Options::EXTERNAL, key, SequenceNumber(1), LsaBody::Opaque)
                }
                _ => external_lsa(key, 1, 1),
            };
            world.inject_update(0, 0, vec![lsa]);
            world.run(millis(10));
            assert_eq!(world.lsa(1, key).is_some(), wanted, "{kind:?} {lsa_type:?}");
        }
    }
}
