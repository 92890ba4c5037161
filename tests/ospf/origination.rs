//! What we say of ourselves, and what becomes of what we said in an earlier life.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use shunt::ospf::{
    Address, Announced, AreaKind, Bfd, Event, How, InterfaceSettings, Link as KernelLink,
    NetworkKind, StubRouter,
};
use shunt::wire::ospf::{Link, LinkKind, LsaBody, LsaKey, LsaType, Options, SequenceNumber};

use super::lsas::{external, external_lsa, prefix, router_key};
use super::pacing::chain;
use super::world::{World, broadcast, id, millis, point_to_point, seconds, settings};

const SERVICE: &str = "192.0.2.1/32";

fn link(kind: LinkKind, id: &str, data: &str, metric: u16) -> Link {
    Link { kind, id: id.parse().unwrap(), data: data.parse().unwrap(), metric }
}

fn stub(network: &str, metric: u16) -> Link {
    let network = prefix(network);
    Link { kind: LinkKind::Stub, id: network.network(), data: network.netmask(), metric }
}

/// Two half truths would be a second apart, and in that second the area believes in the other link.
#[test]
fn links_that_go_down_together_are_missed_together() {
    let mut world = World::new(1);
    let names = ["one", "two", "three"];
    let hub = world.add(settings(1, &names.map(|name| (name, point_to_point()))));
    let mut others = Vec::new();
    for (number, name) in (2..).zip(names) {
        let other = world.add(settings(number, &[("eth0", point_to_point())]));
        world.join(&format!("10.0.{number}.0/24"), &[(hub, name), (other, "eth0")]);
        others.push(other);
    }
    world.run(seconds(60));
    let neighbors = |world: &World| {
        let links = world.links(others[2], 1);
        links.iter().filter(|link| link.kind == LinkKind::PointToPoint).count()
    };
    assert_eq!(neighbors(&world), 3);
    world.set_up(hub, "one", false);
    world.run(millis(1));
    world.set_up(hub, "two", false);
    world.run(millis(5));
    assert_eq!(neighbors(&world), 1);
}

/// Whoever computes at the first change would compute in vain, and then wait before the next time; and our second
/// instance would wait for a second.
#[test]
fn a_lost_adjacency_and_what_is_raised_for_it_are_one_router_lsa() {
    let mut world = World::new(1);
    let heir = world.add(settings(1, &[("core", point_to_point()), ("twin", point_to_point())]));
    let core = world.add(settings(2, &[("eth0", point_to_point())]));
    let twin = world.add(settings(3, &[("eth0", point_to_point())]));
    world.join("10.0.1.0/30", &[(heir, "core"), (core, "eth0")]);
    world.join("10.0.2.0/30", &[(heir, "twin"), (twin, "eth0")]);
    let services = ["192.0.2.1/32", "192.0.2.2/32"];
    for service in services {
        world.announce(heir, service, How::Stub, 1000);
    }
    world.run(seconds(60));
    let sequence = |world: &World| world.lsa(core, router_key(1)).unwrap().header.sequence.0;
    let before = sequence(&world);
    let (interface, neighbor) = (world.link(heir, "twin").index, world.link(twin, "eth0"));
    let neighbor = neighbor.addresses[0].address;
    let lost = Event::BfdChanged { interface, neighbor, bfd: Bfd::Failed };
    let raised = services.map(|service| Event::AnnouncementChanged {
        prefix: prefix(service),
        announced: Some(Announced { metric: 10, how: How::Stub, tag: 0 }),
    });
    world.handle_all(heir, [lost].into_iter().chain(raised));
    world.run(millis(1));
    assert_eq!(sequence(&world), before + 1);
    let links = world.links(core, 1);
    assert!(services.iter().all(|service| links.contains(&stub(service, 10))), "{links:?}");
    assert!(!links.iter().any(|link| link.id == id(3).0), "{links:?}");

    // Alone, the loss is told a moment later.
    let before = sequence(&world);
    world.run(seconds(30));
    let come_back = sequence(&world);
    assert!(come_back > before, "the twin is back");
    world.handle(heir, Event::BfdChanged { interface, neighbor, bfd: Bfd::Failed });
    world.run(millis(5));
    assert_eq!(sequence(&world), come_back + 1);
}

#[test]
fn the_router_lsa_has_a_link_for_each_kind_of_network() {
    let mut world = World::new(1);
    let passive = InterfaceSettings { passive: true, cost: 30, ..broadcast() };
    let loopback =
        InterfaceSettings { network: NetworkKind::Loopback, passive: true, cost: 1, ..broadcast() };
    let one = settings(
        1,
        &[("wire", point_to_point()), ("lan", broadcast()), ("inside", passive), ("lo", loopback)],
    );
    let a = world.add(one);
    let b = world.add(settings(2, &[("wire", point_to_point()), ("lan", broadcast())]));
    world.join("10.0.1.0/30", &[(a, "wire"), (b, "wire")]);
    world.join("10.1.0.0/16", &[(a, "lan"), (b, "lan")]);
    world.join("10.2.0.0/16", &[(a, "inside")]);
    let addresses = ["10.9.0.1/32", "10.9.0.2/24"].map(|text| {
        let network: Ipv4Net = text.parse().unwrap();
        Address { address: network.addr(), network }
    });
    world.set_link(
        a,
        "lo",
        KernelLink { index: 4, up: true, mtu: 65536, addresses: addresses.into() },
    );
    // A second address on the LAN, beside that which it speaks from.
    let mut lan = world.link(a, "lan");
    let network = prefix("10.3.0.0/24");
    lan.addresses.push(Address { address: Ipv4Addr::new(10, 3, 0, 1), network });
    world.set_link(a, "lan", lan);
    world.announce(a, SERVICE, How::Stub, 77);
    world.announce(a, "198.51.100.0/24", How::External2, 5);

    world.run(seconds(120));
    let router = world.router_lsa(b, 1);
    assert!(router.boundary && !router.border && !router.virtual_link);
    let expected = [
        link(LinkKind::PointToPoint, "2.2.2.2", "10.0.1.1", 10),
        // b is DR, as it has the higher id.
        link(LinkKind::Transit, "10.1.0.2", "10.1.0.1", 10),
        stub("10.0.1.0/30", 10),
        stub("10.2.0.0/16", 30),
        stub("10.3.0.0/24", 10),
        stub("10.9.0.1/32", 1),
        stub("10.9.0.2/32", 1),
        stub(SERVICE, 77),
    ];
    assert_eq!(BTreeSet::from_iter(router.links.iter().copied()), BTreeSet::from(expected));

    let network = LsaKey {
        kind: LsaType::NETWORK,
        link_state_id: Ipv4Addr::new(10, 1, 0, 2),
        advertising_router: id(2),
    };
    match &world.lsa(a, network).unwrap().body {
        LsaBody::Network(network) => {
            assert_eq!(network.mask, Ipv4Addr::new(255, 255, 0, 0));
            assert_eq!(network.routers, [id(1), id(2)]);
        }
        other => panic!("{other:?}"),
    }
    let information = LsaKey {
        kind: LsaType::OPAQUE_AREA,
        link_state_id: Ipv4Addr::new(4, 0, 0, 0),
        advertising_router: id(1),
    };
    match &world.lsa(b, information).unwrap().body {
        LsaBody::RouterInformation(information) => {
            assert_eq!(information.hostname.as_deref(), Some("r1"));
        }
        other => panic!("{other:?}"),
    }

    // The LAN is a stub network again when the DR is gone, and its LSA goes with it.
    world.set_up(b, "lan", false);
    world.run(seconds(60));
    let links = world.links(a, 1);
    assert!(links.contains(&stub("10.1.0.0/16", 10)), "{links:?}");
    assert!(world.lsa(a, network).is_none());
    world.agree().unwrap();
}

#[test]
fn while_it_starts_a_router_attracts_nothing() {
    let mut world = chain(1);
    world.announce(0, SERVICE, How::External2, 5);
    world.announce(0, "192.0.2.2/32", How::Stub, 5);
    world.run(seconds(5));
    let before = world.lsa(1, external(1, SERVICE)).unwrap().header.sequence;
    world.kill(0);
    world.run(seconds(1));
    world.nodes[0].answers_ready = false;
    world.boot(0);
    world.announce(0, SERVICE, How::External2, 5);
    world.announce(0, "192.0.2.2/32", How::Stub, 5);
    // Its neighbour has it Full again and must not find the old LSAs then.
    assert!(world.run_until(seconds(60), |world| world.are_full(0, 1)));
    world.run(millis(1100));
    assert_eq!(world.nodes[0].router.stub_router(), Some(StubRouter::Starting));
    assert_eq!(world.metric(2, external(1, SERVICE)), Some(0xff_fffe));
    assert!(world.lsa(2, external(1, SERVICE)).unwrap().header.sequence > before);
    let links = world.links(2, 1);
    assert!(links.contains(&link(LinkKind::PointToPoint, "2.2.2.2", "10.0.1.1", 0xffff)));
    assert!(links.contains(&stub("192.0.2.2/32", 0xffff)));
    assert!(links.contains(&stub("10.0.1.0/24", 10)));

    world.handle(0, Event::ForwardingReady);
    world.run(millis(1100));
    assert_eq!(world.nodes[0].router.stub_router(), None);
    assert_eq!(world.metric(2, external(1, SERVICE)), Some(5));
    let links = world.links(2, 1);
    assert!(links.contains(&link(LinkKind::PointToPoint, "2.2.2.2", "10.0.1.1", 10)));
    assert!(links.contains(&stub("192.0.2.2/32", 5)));
}

/// At no moment does the area have links of both sides while the restarted router's are those of its earlier life.
#[test]
fn old_links_are_replaced_before_the_adjacency_is_full() {
    let mut world = chain(1);
    world.announce(0, SERVICE, How::External2, 5);
    world.run(seconds(5));
    world.kill(0);
    world.run(seconds(50));
    assert!(world.links(1, 2).iter().all(|link| link.id != id(1).0));
    world.nodes[0].answers_ready = false;
    world.boot(0);
    let cost = |world: &World, at: usize, router, neighbor: u8| {
        let to = |link: &&Link| link.kind == LinkKind::PointToPoint && link.id == id(neighbor).0;
        world.links(at, router).iter().find(to).map(|link| link.metric)
    };
    let end = world.now + seconds(30);
    while world.now < end {
        world.run(millis(1));
        let both = cost(&world, 2, 2, 1).is_some() && cost(&world, 2, 1, 2).is_some();
        if both {
            assert_eq!(cost(&world, 2, 1, 2), Some(0xffff), "{}", world.now);
            assert_ne!(world.metric(2, external(1, SERVICE)), Some(5), "{}", world.now);
        }
    }
    assert!(world.are_full(0, 1));
}

#[test]
fn what_an_earlier_life_announced_and_this_does_not_is_flushed() {
    let mut world = chain(1);
    for number in 0..20 {
        world.announce(0, &format!("192.0.2.{number}/32"), How::External2, 5);
    }
    world.run(seconds(5));
    world.kill(0);
    world.run(seconds(1));
    world.boot(0);
    for number in 0..3 {
        world.announce(0, &format!("192.0.2.{number}/32"), How::External2, 6);
    }
    assert!(world.run_until(seconds(60), |world| world.are_full(0, 1)));
    world.run(seconds(3));
    for number in 0..20 {
        let expected = (number < 3).then_some(6);
        let key = external(1, &format!("192.0.2.{number}/32"));
        assert_eq!(world.metric(2, key), expected, "{number}");
    }
    world.agree().unwrap();
}

#[test]
fn sequence_numbers_begin_anew_after_the_last() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.announce(0, SERVICE, How::External2, 5);
    world.run(seconds(5));
    // Somebody has an instance that is nearly the last.
    world.inject_update(2, 1, vec![external_lsa(key, SequenceNumber::MAX.0 - 1, 9)]);
    world.run(seconds(3));
    assert_eq!(world.lsa(2, key).unwrap().header.sequence, SequenceNumber::MAX);
    assert_eq!(world.metric(2, key), Some(5));
    world.announce(0, SERVICE, How::External2, 6);
    world.run(seconds(4));
    assert_eq!(world.metric(2, key), Some(6));
    assert_eq!(world.lsa(2, key).unwrap().header.sequence, SequenceNumber::INITIAL);
    world.agree().unwrap();
}

/// Whoever sends us our own LSAs, newer and newer ones, is answered at our pace.
#[test]
fn a_forger_of_our_advertisements_is_answered_once_a_second() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.announce(0, SERVICE, How::External2, 5);
    world.run(seconds(5));
    let since = world.sent.len();
    for round in 0..500 {
        world.inject_update(1, 0, vec![external_lsa(key, round * 2, 9)]);
        world.run(millis(10));
    }
    let answers = world
        .updates(since)
        .iter()
        .filter(|update| update.from == 0)
        .flat_map(|update| &update.lsas)
        .filter(|lsa| lsa.header.key == key)
        .count();
    assert!(answers <= 6, "{answers}");
    world.run(seconds(10));
    assert_eq!(world.metric(2, key), Some(5));
}

#[test]
fn a_drained_router_carries_nothing_of_others_and_keeps_its_adjacencies() {
    let mut world = chain(1);
    world.run(seconds(5));
    world.handle(1, Event::DrainChanged { drained: true });
    world.run(millis(5));
    let transit = |world: &World| {
        let links = world.links(0, 2).iter();
        links.filter(|link| link.kind != LinkKind::Stub).map(|link| link.metric).collect::<Vec<_>>()
    };
    assert_eq!(transit(&world), [0xffff, 0xffff]);
    assert!(world.links(0, 2).contains(&stub("10.0.1.0/24", 10)));
    assert!(world.are_full(0, 1));
    world.handle(1, Event::DrainChanged { drained: false });
    world.run(millis(1060));
    assert_eq!(transit(&world), [10, 10]);
}

#[test]
fn who_leaves_takes_what_is_its_own_along() {
    let mut world = chain(1);
    world.announce(0, SERVICE, How::External2, 5);
    world.run(seconds(5));
    world.handle(0, Event::Stopped);
    assert!(!world.nodes[0].router.has_left(world.now));
    world.run(millis(200));
    assert!(world.nodes[0].router.has_left(world.now), "{:?}", world.instances(0));
    for node in [1, 2] {
        let own = |key: &&LsaKey| key.advertising_router == id(1);
        assert_eq!(world.instances(node).keys().filter(own).count(), 0, "node {node}");
    }
    world.run(seconds(5));
    assert_eq!(world.state(1, 0).filter(|state| *state > shunt::ospf::NeighborState::Init), None);
}

#[test]
fn who_leaves_does_not_wait_for_the_dead() {
    let mut world = chain(1);
    world.run(seconds(5));
    world.kill(1);
    world.handle(0, Event::Stopped);
    world.run(millis(990));
    assert!(!world.nodes[0].router.has_left(world.now));
    world.run(millis(20));
    assert!(world.nodes[0].router.has_left(world.now));
}

#[test]
fn prefixes_with_the_same_first_address_are_all_announced() {
    let mut world = chain(1);
    let texts = ["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/32", "0.0.0.0/0"];
    let seen = |world: &World| -> BTreeSet<(Ipv4Net, u32)> {
        let database = world.nodes[2].router.database();
        database
            .iter()
            .filter(|entry| entry.age(world.now) < 3600)
            .filter_map(|entry| match &entry.lsa.body {
                LsaBody::External(lsa) => {
                    let id = entry.lsa.header.key.link_state_id;
                    let network = Ipv4Net::with_netmask(id, lsa.mask).unwrap();
                    Some((network.trunc(), lsa.metric))
                }
                _ => None,
            })
            .collect()
    };
    for rotation in 0..texts.len() {
        let mut wanted = BTreeSet::new();
        for step in 0..texts.len() {
            let text = texts[(rotation + step) % texts.len()];
            let metric = (rotation * 10 + step) as u32;
            world.announce(0, text, How::External2, metric);
            wanted.insert((prefix(text), metric));
            world.run(seconds(3));
            assert_eq!(seen(&world), wanted);
        }
        for step in 0..texts.len() {
            let text = texts[(rotation * 2 + step) % texts.len()];
            world.withdraw(0, text);
            wanted.retain(|(network, _)| *network != prefix(text));
            world.run(seconds(3));
            assert_eq!(seen(&world), wanted);
        }
    }
}

#[test]
fn what_has_no_link_state_id_left_is_noted_and_comes_when_there_is_one() {
    let mut world = chain(1);
    for text in ["192.0.2.0/32", "192.0.2.0/31", "192.0.2.1/32"] {
        world.announce(0, text, How::External2, 5);
    }
    assert!(world.notes(0).contains("192.0.2.0/31 cannot be announced"), "{}", world.notes(0));
    world.run(seconds(3));
    assert_eq!(world.nodes[0].router.announced(prefix("192.0.2.0/31")), None);
    world.withdraw(0, "192.0.2.1/32");
    world.run(seconds(3));
    let (key, announced, waits) = world.nodes[0].router.announced(prefix("192.0.2.0/31")).unwrap();
    assert_eq!((key.link_state_id, announced.metric), (Ipv4Addr::new(192, 0, 2, 1), 5));
    assert_eq!(waits, None);
    assert_eq!(world.metric(2, key), Some(5));
}

#[test]
fn in_an_nssa_externals_are_of_type_7_and_have_a_forwarding_address() {
    let mut world = World::new(1);
    for router in 1..=2 {
        let mut settings =
            settings(router, &[("eth0", point_to_point()), ("eth1", point_to_point())]);
        settings.area.kind = AreaKind::Nssa;
        world.add(settings);
    }
    world.join("10.0.2.0/24", &[(0, "eth0"), (1, "eth0")]);
    world.announce(0, SERVICE, How::External1, 5);
    world.run(seconds(15));
    let key = LsaKey { kind: LsaType::NSSA, ..external(1, SERVICE) };
    let forwarding = |world: &World| {
        let lsa = world.lsa(1, key).unwrap();
        assert!(lsa.header.options.contains(Options::NSSA));
        match &lsa.body {
            LsaBody::External(external) => external.forwarding_address,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(forwarding(&world), Ipv4Addr::new(10, 0, 2, 1));
    // A lower one appears.
    world.join("10.0.1.0/24", &[(0, "eth1"), (1, "eth1")]);
    world.run(seconds(15));
    assert_eq!(forwarding(&world), Ipv4Addr::new(10, 0, 1, 1));
    assert_eq!(world.lsa(1, router_key(1)).unwrap().header.options, Options::NSSA);
}

#[test]
fn more_stub_links_than_a_router_lsa_holds_are_noted() {
    let mut world = chain(1);
    for number in 0..5001_u32 {
        let prefix = format!("{}/32", Ipv4Addr::from_bits(0xc612_0000 + number));
        world.announce(0, &prefix, How::Stub, 5);
    }
    world.run(seconds(3));
    assert_eq!(world.notes(0).matches("one stub link too many").count(), 1);
    assert_eq!(world.links(2, 1).len(), 5002);
    world.agree().unwrap();
}

/// Whoever is adjacent or not: what has no carrier is not reached over us.
#[test]
fn a_network_without_carrier_is_not_announced() {
    let mut world = World::new(1);
    let passive = InterfaceSettings { passive: true, cost: 30, ..broadcast() };
    let interfaces = [("wire", point_to_point()), ("inside", passive), ("lan", broadcast())];
    let a = world.add(settings(1, &interfaces));
    let b = world.add(settings(2, &[("wire", point_to_point())]));
    world.join("10.0.1.0/24", &[(a, "wire"), (b, "wire")]);
    world.join("10.2.0.0/16", &[(a, "inside")]);
    world.join("10.3.0.0/16", &[(a, "lan")]);
    world.run(seconds(60));
    for (name, network) in [("inside", stub("10.2.0.0/16", 30)), ("lan", stub("10.3.0.0/16", 10))] {
        assert!(world.links(b, 1).contains(&network));
        world.set_up(a, name, false);
        world.run(seconds(2));
        assert!(!world.links(b, 1).contains(&network), "{name}");
        world.set_up(a, name, true);
        world.run(seconds(2));
        assert!(world.links(b, 1).contains(&network), "{name}");
    }
}

/// RFC 2328 §13.4: what others have of us is ours again, or nobody would refresh it.
#[test]
fn an_instance_of_an_earlier_life_is_replaced_though_it_says_the_same() {
    let mut world = chain(1);
    let key = external(1, SERVICE);
    world.announce(0, SERVICE, How::External2, 5);
    world.run(seconds(5));
    world.inject_update(1, 0, vec![external_lsa(key, 7, 5)]);
    world.run(seconds(5));
    assert_eq!(world.lsa(2, key).unwrap().header.sequence, SequenceNumber(8));
    world.agree().unwrap();
}
