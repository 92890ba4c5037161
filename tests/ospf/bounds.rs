//! What one neighbour can make us do, hold or put off has bounds.

use std::net::Ipv4Addr;

use shunt::ospf::{How, NeighborState};
use shunt::types::RouterId;
use shunt::wire::ospf::{
    Body, Link, LinkKind, Lsa, LsaBody, LsaHeader, LsaKey, LsaType, Options, RouterLsa,
    SequenceNumber,
};

use super::forge::{arrive, description, exchange_with_liar, packet};
use super::lsas::{external, external_lsa};
use super::pacing::chain;
use super::world::{World, millis, seconds};

const SERVICE: &str = "192.0.2.1/32";

/// It is due for its end before our answer may go out.
#[test]
fn ours_that_comes_back_in_its_last_second_is_replaced() {
    for age in [3597, 3598, 3599] {
        let mut world = chain(1);
        let key = external(1, SERVICE);
        world.announce(0, SERVICE, How::External2, 5);
        world.run(seconds(5));
        let last_second = external_lsa(key, 7, 9).with_age(age);
        world.inject_update(1, 0, vec![last_second]);
        world.run(seconds(5));
        assert_eq!(world.metric(2, key), Some(5));
        assert_eq!(world.lsa(2, key).unwrap().header.sequence, SequenceNumber(8));
        world.agree().unwrap();
    }
}

#[test]
fn an_endless_summary_is_given_up() {
    let mut world = World::new(1);
    let (liar, mut sequence) = exchange_with_liar(&mut world, 9);
    let header = external_lsa(external(3, "0.0.0.0/32"), 1, 1).header;
    let mut number = 0_u32;
    for _ in 0..70 {
        let headers = (0..3000).map(|_| {
            number += 1;
            let link_state_id = Ipv4Addr::from_bits(number);
            LsaHeader { key: LsaKey { link_state_id, ..header.key }, ..header }
        });
        let headers = headers.collect();
        arrive(&mut world, liar, packet(3, &description(sequence, headers)));
        sequence += 1;
    }
    let requests = world.neighbor(0, liar).map_or(0, |neighbor| neighbor.requests.len());
    assert_eq!(requests, 200_000);
}

/// What is wanted goes out although a neighbour claims to have the last instance there can be, and never shows it.
#[test]
fn a_claim_to_have_our_last_instance_keeps_nothing_back() {
    let mut world = World::new(1);
    let (liar, sequence) = exchange_with_liar(&mut world, 9);
    let key = external(9, SERVICE);
    let header = LsaHeader { sequence: SequenceNumber::MAX, ..external_lsa(key, 1, 1).header };
    arrive(&mut world, liar, packet(3, &description(sequence, vec![header])));
    assert_eq!(world.state(0, liar), Some(NeighborState::Exchange));
    world.run(seconds(5));
    world.announce(0, SERVICE, How::External2, 5);
    world.run(seconds(1));
    assert_eq!(world.metric(0, key), Some(0xff_fffe));
}

#[test]
fn advertisements_that_grow_are_bounded() {
    let mut world = chain(1);
    let router = |number: u32, links: usize, sequence: i32| {
        let address = Ipv4Addr::from_bits(number);
        let (kind, data) = (LinkKind::Stub, Ipv4Addr::BROADCAST);
        let link = Link { kind, id: address, data, metric: 1 };
        let key = LsaKey {
            kind: LsaType::ROUTER,
            link_state_id: address,
            advertising_router: RouterId(address),
        };
        let body = RouterLsa { links: vec![link; links], ..RouterLsa::default() };
        Lsa::new(1, Options::EXTERNAL, key, SequenceNumber(sequence), LsaBody::Router(body))
    };
    for (sequence, links) in [(1, 0), (2, 5000)] {
        for number in 1..=1300 {
            world.inject_update(0, 0, vec![router(number, links, sequence)]);
        }
        world.run(seconds(2));
    }
    let octets = world.nodes[1].router.database().octets();
    assert!(octets <= 64 << 20, "{octets}");
    assert!(world.nodes[1].router.refused_lsas().no_room > 0);
    assert_eq!(world.state(1, 2), Some(NeighborState::Full));
}

/// A neighbour that asks for an LSA of ours over and over puts off its changes only for a while.
#[test]
fn who_asks_all_the_time_holds_up_nobody() {
    let mut world = chain(1);
    let key = external(2, SERVICE);
    world.announce(1, SERVICE, How::External2, 5);
    world.run(seconds(5));
    for round in 0..100 {
        if round == 10 {
            world.announce(1, SERVICE, How::External2, 6);
        }
        world.inject_body(0, 0, Body::LinkStateRequest(vec![key]));
        world.run(millis(50));
    }
    assert_eq!(world.metric(2, key), Some(6));
}

/// The same with an instance that is older than ours.
#[test]
fn who_sends_old_instances_all_the_time_holds_up_nobody() {
    let mut world = chain(1);
    let key = external(2, SERVICE);
    world.announce(1, SERVICE, How::External2, 5);
    world.run(seconds(5));
    let old = external_lsa(key, SequenceNumber::INITIAL.0, 9);
    world.announce(1, SERVICE, How::External2, 6);
    world.run(seconds(2));
    let since = world.sent.len();
    for round in 0..100 {
        if round == 10 {
            world.announce(1, SERVICE, How::External2, 7);
        }
        world.inject_update(0, 0, vec![old.clone()]);
        world.run(millis(50));
    }
    assert_eq!(world.metric(2, key), Some(7));
    // Nor is it answered more than once a second, beside the change (RFC 2328 §13 (8)).
    let updates = world.updates(since);
    let answers = updates.iter().filter(|update| update.from == 1 && update.network == 0);
    let answers = answers.flat_map(|update| &update.lsas).filter(|lsa| lsa.header.key == key);
    let answers = answers.count();
    assert!((4..=8).contains(&answers), "{answers}");
}

/// Newer and newer ones of ours, each as soon as it is taken. Routers farther away may drop the answer, as they have
/// just got a forged one.
#[test]
fn a_forger_cannot_put_our_answer_off() {
    let mut world = chain(1);
    let key = external(2, SERVICE);
    world.announce(1, SERVICE, How::External2, 5);
    world.run(seconds(5));
    let mut answers = 0;
    for round in 0..100 {
        let before = world.metric(1, key);
        world.inject_update(0, 0, vec![external_lsa(key, round * 2, 9)]);
        world.run(millis(101));
        answers += usize::from((before, world.metric(1, key)) == (Some(9), Some(5)));
    }
    assert!((4..=6).contains(&answers), "{answers}");
}
