//! What keeps neighbours apart is named on both sides, with both values.

use shunt::ospf::{
    AreaKind, Authentication, InterfaceSettings, Key, Link, NeighborState, NetworkKind, Settings,
};
use shunt::types::Secret;
use shunt::wire::ospf::{Algorithm, AreaId, Body};

use super::forge::{arrive, hello, packet};
use super::world::{World, broadcast, point_to_point, seconds, settings};

/// Two routers on 10.0.0.0/24, the second one's settings changed.
fn odd_pair(change: impl FnOnce(&mut Settings)) -> World {
    let mut world = World::new(1);
    let mut odd = settings(2, &[("eth0", broadcast())]);
    change(&mut odd);
    let a = world.add(settings(1, &[("eth0", broadcast())]));
    let b = world.add(odd);
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world
}

fn interface(settings: &mut Settings) -> &mut InterfaceSettings {
    settings.interfaces.get_mut("eth0").unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::from_file(text.as_bytes(), 0o600).unwrap()
}

fn key(id: u8, text: &str) -> Authentication {
    let algorithm = Algorithm::HmacSha256;
    let keys = vec![Key { id, algorithm, secret: secret(text), send: None, accept: None }];
    Authentication::Cryptographic { keys, extended: false }
}

/// After a minute each side says this of the other, has told it once and counted it under `name`, and there is no
/// neighbour.
fn assert_named(world: &mut World, name: &str, texts: [&str; 2]) {
    world.run(seconds(60));
    for (node, other, text) in [(0, 2, texts[0]), (1, 1, texts[1])] {
        let expected = format!("10.0.0.{other} (eth0): {text}");
        assert_eq!(world.mismatches(node), std::slice::from_ref(&expected));
        assert_eq!(world.notes(node).matches(&expected).count(), 1, "{}", world.notes(node));
        assert!(world.discarded(node, "eth0", name) > 3);
        assert!(world.interface(node, "eth0").neighbors.is_empty());
    }
}

#[test]
fn timers() {
    let mut world = odd_pair(|odd| interface(odd).hello_interval = seconds(5));
    assert_named(
        &mut world,
        "hello-interval",
        ["hello interval is 5 s, ours is 10 s", "hello interval is 10 s, ours is 5 s"],
    );
    // Whoever is corrected is a neighbour at once.
    world.reconfigure(1, |odd| interface(odd).hello_interval = seconds(10));
    world.run(seconds(60));
    assert!(world.are_full(0, 1));
    assert!(world.mismatches(0).is_empty() && world.mismatches(1).is_empty());

    let mut world = odd_pair(|odd| interface(odd).dead_interval = seconds(20));
    assert_named(
        &mut world,
        "dead-interval",
        ["dead interval is 20 s, ours is 40 s", "dead interval is 40 s, ours is 20 s"],
    );
}

#[test]
fn area_and_its_type() {
    let mut world = odd_pair(|odd| odd.area.id = AreaId(1));
    assert_named(
        &mut world,
        "area",
        ["area is 0.0.0.1, ours is 0.0.0.0", "area is 0.0.0.0, ours is 0.0.0.1"],
    );
    let mut world = odd_pair(|odd| odd.area.kind = AreaKind::Stub);
    assert_named(
        &mut world,
        "area-type",
        [
            "area type takes no externals there (E bit 0), ours does (E bit 1)",
            "area type takes externals there (E bit 1), ours does not (E bit 0)",
        ],
    );
    let mut world = odd_pair(|odd| odd.area.kind = AreaKind::Nssa);
    assert_named(
        &mut world,
        "area-type",
        [
            "area type is NSSA there (N bit 1), ours is not (N bit 0)",
            "area type is not NSSA there (N bit 0), ours is (N bit 1)",
        ],
    );
}

#[test]
fn authentication() {
    let simple = |text: &str| Authentication::Simple(secret(text));
    let both = |ours: Authentication, theirs: Authentication| {
        let mut world = odd_pair(|odd| interface(odd).authentication = theirs);
        world.reconfigure(0, |even| interface(even).authentication = ours);
        world
    };
    assert_named(
        &mut both(Authentication::Null, key(1, "k")),
        "authentication-type",
        [
            "authentication is cryptographic, ours is none",
            "authentication is none, ours is cryptographic",
        ],
    );
    assert_named(
        &mut both(simple("one"), simple("two")),
        "password",
        ["password is not ours", "password is not ours"],
    );
    assert_named(
        &mut both(key(1, "k"), key(2, "k")),
        "key-unknown",
        ["key 2 is not among ours", "key 1 is not among ours"],
    );
    let text = "digest is wrong: key 1 has another secret or algorithm there";
    assert_named(&mut both(key(1, "one"), key(1, "two")), "digest", [text, text]);
}

#[test]
fn network_masks_on_a_lan() {
    let mut world = odd_pair(|_| {});
    let mut link = world.link(1, "eth0");
    link.addresses[0].network = "10.0.0.0/25".parse().unwrap();
    world.set_link(1, "eth0", link);
    assert_named(
        &mut world,
        "network-mask",
        [
            "network mask is 255.255.255.128, ours is 255.255.255.0",
            "network mask is 255.255.255.0, ours is 255.255.255.128",
        ],
    );
}

#[test]
fn a_source_on_another_network() {
    for network in [NetworkKind::Broadcast, NetworkKind::PointToPoint] {
        let mut world = odd_pair(|odd| interface(odd).network = network);
        world.reconfigure(0, |even| interface(even).network = network);
        let mut link = world.link(1, "eth0");
        link.addresses[0].network = "10.9.0.0/24".parse().unwrap();
        link.addresses[0].address = "10.9.0.2".parse().unwrap();
        world.set_link(1, "eth0", link);
        world.run(seconds(30));
        assert_eq!(
            world.mismatches(0),
            ["10.9.0.2 (eth0): source is outside our network 10.0.0.0/24"]
        );
        assert!(world.discarded(0, "eth0", "source-not-on-network") > 2);
    }
}

#[test]
fn the_same_router_id_twice() {
    let mut world = World::new(1);
    let a = world.add(settings(1, &[("eth0", broadcast())]));
    let b = world.add(settings(2, &[("eth0", broadcast())]));
    world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
    world.run(seconds(60));
    assert!(world.are_full(a, b));
    // A third one with the second one's id: the first two stay neighbours.
    let c = world.add(settings(2, &[("eth0", broadcast())]));
    world.attach_as(0, c, "eth0", 3);
    world.run(seconds(30));
    let text = "router id 2.2.2.2 is in use twice; give each router its own";
    assert_eq!(world.mismatches(a), [format!("10.0.0.3 (eth0): {text}")]);
    assert_eq!(world.mismatches(b), [format!("10.0.0.3 (eth0): {text}")]);
    assert_eq!(world.mismatches(c), [format!("10.0.0.2 (eth0): {text}")]);
    assert_eq!(world.neighbor(a, b).unwrap().address.to_string(), "10.0.0.2");
    assert_eq!(world.state(a, b), Some(NeighborState::Full));
}

#[test]
fn mtu() {
    // Whoever has the smaller one refuses, and is the one that can say so for certain; the other one concludes it.
    for (ours, theirs) in [(1500, 1400), (1400, 1500)] {
        let mut world = World::new(1);
        let a = world.add(settings(1, &[("eth0", point_to_point())]));
        let b = world.add(settings(2, &[("eth0", point_to_point())]));
        world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
        for (node, mtu) in [(a, ours), (b, theirs)] {
            let mut link = world.link(node, "eth0");
            link.mtu = mtu;
            world.set_up(node, "eth0", false);
            world.set_link(node, "eth0", link);
        }
        world.run(seconds(60));
        assert!(!world.are_full(a, b));
        let text = |other: u8, ours: u32, theirs: u32| {
            format!(
                "10.0.0.{other} (eth0): MTU is {theirs}, ours is {ours}; make them equal or set \
                 mtu-ignore"
            )
        };
        assert_eq!(world.mismatches(a), [text(2, ours, theirs)]);
        assert_eq!(world.mismatches(b), [text(1, theirs, ours)]);
        assert_eq!(world.notes(a).matches("MTU").count(), 1);

        // Ignoring it on the side that refuses is enough.
        let small = if ours < theirs { a } else { b };
        world.reconfigure(small, |settings| interface(settings).mtu_ignore = true);
        world.run(seconds(10));
        assert!(world.are_full(a, b));
        assert!(world.mismatches(a).is_empty() && world.mismatches(b).is_empty());
    }
}

/// The packet that is repeated is the old one, with the MTU of now.
#[test]
fn an_mtu_that_is_made_equal_lets_the_exchange_go_on() {
    for (ours, theirs) in [(1500, 1400), (1400, 1500)] {
        let mut world = World::new(1);
        let a = world.add(settings(1, &[("eth0", point_to_point())]));
        let b = world.add(settings(2, &[("eth0", point_to_point())]));
        world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
        let set = |world: &mut World, node, mtu| {
            let link = world.link(node, "eth0");
            world.set_link(node, "eth0", Link { mtu, ..link });
        };
        for (node, mtu) in [(a, ours), (b, theirs)] {
            world.set_up(node, "eth0", false);
            set(&mut world, node, mtu);
            world.set_up(node, "eth0", true);
        }
        world.run(seconds(60));
        assert!(!world.are_full(a, b));
        let large = if ours > theirs { a } else { b };
        set(&mut world, large, 1400);
        world.run(seconds(10));
        assert!(world.are_full(a, b));
        assert!(world.mismatches(a).is_empty() && world.mismatches(b).is_empty());
    }
}

#[test]
fn a_source_that_is_heard_no_more_is_forgotten() {
    let mut world = odd_pair(|odd| interface(odd).hello_interval = seconds(5));
    world.run(seconds(60));
    world.kill(1);
    world.run(seconds(200));
    assert!(world.mismatches(0).is_empty());
}

/// Else one host could push everything else out of the events and fill the log.
#[test]
fn good_packets_between_bad_ones_do_not_make_each_of_them_news() {
    let mut world = odd_pair(|_| ());
    world.kill(1);
    world.run(seconds(60));
    let good = packet(9, &Body::Hello(hello(&[])));
    let mut bad = hello(&[]);
    for turn in 0..500 {
        bad.dead_interval = 100 + turn % 3;
        arrive(&mut world, 1, packet(9, &Body::Hello(bad.clone())));
        arrive(&mut world, 1, good.clone());
    }
    let told = world.notes(0).matches("10.0.0.9 (eth0): dead interval").count();
    assert_eq!(told, 1, "{}", world.notes(0));
    assert_eq!(world.discarded(0, "eth0", "dead-interval"), 500);
    world.run(seconds(60));
    arrive(&mut world, 1, packet(9, &Body::Hello(bad)));
    let told = world.notes(0).matches("10.0.0.9 (eth0): dead interval").count();
    assert_eq!(told, 2, "{}", world.notes(0));
}
