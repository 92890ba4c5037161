//! What is believed (RFC 9568 §7.1), and the word for what is not.

use shunt::vrrp::{Settings, State};
use shunt::wire::vrrp::Advertisement;
use smallvec::SmallVec;

use super::world::{
    Packet, World, advertisement, group, ipv6, packet, seconds, v2, v3, v4, v6, virtual_v4,
};

/// A router with these settings, after hearing the packet: what it counted.
fn heard(settings: &Settings, packet: &Packet) -> (u64, Vec<(&'static str, u64)>) {
    let mut world = World::new(1, 2);
    let a = world.add(std::slice::from_ref(settings));
    world.hear(a, packet);
    let summary = world.summary(a, 1);
    let global = world.nodes[a].vrrp.counters().dropped;
    (summary.received, summary.dropped.into_iter().chain(global).collect())
}

#[test]
fn each_check_has_its_word() {
    let good = packet(&advertisement(200), v4(0, 9));
    assert_eq!(heard(&v3(0, 100), &good), (1, vec![]));
    let dropped = |packet: &Packet| {
        let (received, dropped) = heard(&v3(0, 100), packet);
        assert_eq!((received, dropped.len(), dropped[0].1), (0, 1, 1), "{dropped:?}");
        dropped[0].0
    };
    assert_eq!(dropped(&Packet { ttl: 254, ..good.clone() }), "wrong-ttl");
    assert_eq!(dropped(&Packet { source: v4(0, 8), octets: vec![], ..good.clone() }), "truncated");
    let mut octets = good.octets.clone();
    octets[6] ^= 1;
    assert_eq!(dropped(&Packet { octets, ..good.clone() }), "bad-checksum");
    let of_v2 = Advertisement { version: shunt::vrrp::Version::V2, ..advertisement(200) };
    assert_eq!(dropped(&packet(&of_v2, v4(0, 9))), "wrong-version");
    assert_eq!(dropped(&packet(&advertisement(200), v4(0, 0))), "own-address");
    let other = Advertisement { vrid: 11, ..advertisement(200) };
    assert_eq!(dropped(&packet(&other, v4(0, 9))), "unknown-vrid");
    let elsewhere = Packet { segment: 1, ..good.clone() };
    assert_eq!(dropped(&elsewhere), "unknown-vrid");
    // The VRID of the other family is another one.
    let addresses = SmallVec::from_slice(&["fe80::ffff".parse().unwrap()]);
    let of_v6 = Advertisement { addresses, ..advertisement(200) };
    assert_eq!(dropped(&packet(&of_v6, v6(0, 9))), "unknown-vrid");
    // Checked before it is told whose it is.
    let other = packet(&other, v4(0, 9));
    let mut octets = other.octets.clone();
    octets[6] ^= 1;
    assert_eq!(dropped(&Packet { octets, ..other }), "bad-checksum");
}

#[test]
fn a_packet_to_us_alone_is_not_for_a_router_that_listens_to_the_group() {
    let mut unicast = packet(&advertisement(200), v4(0, 9));
    unicast.destination = v4(0, 0);
    assert_eq!(heard(&v3(0, 100), &unicast), (0, vec![("not-multicast", 1)]));
    let settings = Settings { unicast_peers: vec![v4(0, 9)], ..v3(0, 100) };
    assert_eq!(heard(&settings, &unicast), (1, vec![]));
}

#[test]
fn only_the_peers_of_a_unicast_router_are_believed() {
    let settings = Settings { unicast_peers: vec![v4(0, 8)], ..v3(0, 100) };
    let stranger = packet(&advertisement(200), v4(0, 9));
    assert_eq!(heard(&settings, &stranger), (0, vec![("not-a-peer", 1)]));
    let routed = Packet { ttl: 64, ..packet(&advertisement(200), v4(0, 8)) };
    assert_eq!(heard(&settings, &routed), (0, vec![("wrong-ttl", 1)]));
}

#[test]
fn both_checksums_are_accepted() {
    let mut octets = SmallVec::new();
    let (source, destination) = (v4(0, 9), group(false));
    let pseudo = shunt::vrrp::Checksum::PseudoHeader;
    advertisement(200).emit(pseudo, source, destination, &mut octets);
    let packet = Packet { octets: octets.to_vec(), ..packet(&advertisement(200), source) };
    assert_eq!(heard(&v3(0, 100), &packet), (1, vec![]));
}

#[test]
fn version_2_drops_another_interval() {
    // RFC 3768 §7.1.
    let version = shunt::vrrp::Version::V2;
    let same = Advertisement { version, ..advertisement(200) };
    assert_eq!(heard(&v2(0, 100), &packet(&same, v4(0, 9))), (1, vec![]));
    let other = Advertisement { interval: 200, ..same };
    assert_eq!(heard(&v2(0, 100), &packet(&other, v4(0, 9))), (0, vec![("wrong-interval", 1)]));
    let third = packet(&advertisement(200), v4(0, 9));
    assert_eq!(heard(&v2(0, 100), &third), (0, vec![("wrong-version", 1)]));
}

#[test]
fn a_router_that_has_not_started_listens_to_nothing() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    world.set_link(a, 0, false);
    world.hear_priority(a, 200);
    let summary = world.summary(a, 1);
    assert_eq!(summary.dropped.get("not-started"), Some(&1));
    assert_eq!((summary.state, summary.active), (State::Initialize, None));
}

#[test]
fn what_differs_without_harm_is_counted_and_believed() {
    // RFC 9568 §7.1: the addresses, and Max Advertise Interval.
    for version in [shunt::vrrp::Version::V3, shunt::vrrp::Version::V2] {
        let mut world = World::new(1, 1);
        let a = world.add(&[Settings { version, ..v3(0, 100) }]);
        let addresses = SmallVec::from_slice(&[virtual_v4(0), virtual_v4(1)]);
        let more = Advertisement { version, addresses, ..advertisement(200) };
        world.hear(a, &packet(&more, v4(0, 9)));
        let addresses = SmallVec::from_slice(&[virtual_v4(1)]);
        let other = Advertisement { version, addresses, ..advertisement(200) };
        world.hear(a, &packet(&other, v4(0, 9)));
        let summary = world.summary(a, 1);
        assert_eq!(summary.mismatches.into_iter().collect::<Vec<_>>(), [("addresses", 2)]);
        assert_eq!((summary.received, summary.active), (2, Some(v4(0, 9))));
    }
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 255)]);
    let slower = Advertisement { interval: 200, ..advertisement(1) };
    world.hear(a, &packet(&slower, v4(0, 9)));
    let mismatches = world.summary(a, 1).mismatches;
    assert_eq!(mismatches.into_iter().collect::<Vec<_>>(), [("interval", 1)]);
    world.hear_priority(a, 255);
    assert_eq!(world.summary(a, 1).mismatches.get("owner"), Some(&1));
}

#[test]
fn the_order_of_addresses_does_not_matter() {
    let mut world = World::new(1, 1);
    let a = world.add(&[ipv6(0, 100)]);
    let addresses: Vec<_> = ipv6(0, 100).addresses.into_iter().rev().collect();
    let addresses = SmallVec::from_vec(addresses);
    world.hear(a, &packet(&Advertisement { addresses, ..advertisement(200) }, v6(0, 9)));
    assert_eq!((world.summary(a, 1).received, world.summary(a, 1).mismatches.len()), (1, 0));
}

#[test]
fn a_packet_is_for_one_virtual_router() {
    let mut world = World::new(1, 2);
    let others = [Settings { vrid: 11, ..v3(0, 100) }, ipv6(0, 100), v3(1, 100)];
    let a = world.add(&[&[v3(0, 100)][..], &others].concat());
    world.run(seconds(1));
    world.hear_priority(a, 200);
    let received: Vec<u64> = (1..=4).map(|id| world.summary(a, id).received).collect();
    assert_eq!(received, [1, 0, 0, 0]);
}

#[test]
fn an_owner_elsewhere_is_as_it_should_be() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    world.hear_priority(a, 255);
    assert!(world.summary(a, 1).mismatches.is_empty());
}
