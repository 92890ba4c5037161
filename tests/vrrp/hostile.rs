//! Whatever comes from the link: no panic, no growth, no storm, and the members of a group stay together.

use proptest::prelude::*;
use shunt::types::{Rng, Time};
use shunt::vrrp::{
    Action, Event, Link, Order, Received, Settings, State, Version, VirtualRouterId, Vrrp,
};
use shunt::wire::vrrp::{Advertisement, Checksum};
use smallvec::SmallVec;

use super::world::{
    Packet, World, every, group, id, ipv6, micros, millis, seconds, synced, v2, v3, v4, v6,
    virtual_v4,
};

/// Routers of all kinds on one node: a group of two, one alone of each version, and one for IPv6.
fn node(world: &mut World) -> usize {
    world.add(&[
        synced(every(v3(0, 100), 10)),
        synced(every(v3(1, 100), 10)),
        Settings { vrid: 20, ..v2(0, 100) },
        Settings { vrid: 21, preempt_delay: millis(500), ..every(v3(1, 200), 10) },
        every(ipv6(1, 255), 10),
    ])
}

/// Well formed, of anybody, with anything in it.
fn forged(rng: &mut Rng) -> Packet {
    let segment = rng.below(2) as usize;
    let of_v6 = rng.chance(30);
    let sender = rng.below(250) as usize;
    let source = if of_v6 { v6(segment, sender) } else { v4(segment, sender) };
    let destination = group(of_v6);
    let version = if rng.chance(30) && !of_v6 { Version::V2 } else { Version::V3 };
    let address = if of_v6 { v6(segment, 200) } else { virtual_v4(segment) };
    let advertisement = Advertisement {
        version,
        vrid: [10, 20, 21, 99][rng.below(4) as usize],
        priority: [0, 1, 99, 100, 101, 199, 200, 254, 255][rng.below(9) as usize],
        interval: [1, 10, 100, 4000][rng.below(4) as usize],
        addresses: SmallVec::from_elem(address, 1 + rng.below(3) as usize),
    };
    let mut octets = SmallVec::new();
    advertisement.emit(Checksum::Plain, source, destination, &mut octets);
    let ttl = if rng.chance(95) { 255 } else { 1 };
    Packet { segment, source, destination, ttl, octets: octets.to_vec() }
}

#[test]
fn a_flood_changes_roles_and_nothing_else() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut world = World::new(seed, 2);
        let a = node(&mut world);
        world.run(seconds(rng.below(5)));
        let begin = world.now;
        for _ in 0..500 {
            let packet = forged(&mut rng);
            world.hear(a, &packet);
            let states = [1, 2].map(|router| world.nodes[a].states[&id(router)]);
            assert_eq!(states[0], states[1], "seed {seed}: the group is split");
            if rng.chance(30) {
                world.run(micros(rng.below(100_000)));
            }
        }
        let it = &world.nodes[a];
        // Of advertisements one each centisecond, beside farewells.
        let span = world.now.since(begin).as_millis() as usize / 10;
        let sent = world.sent.iter().filter(|sent| sent.advertisement.priority != 0);
        assert!(sent.count() <= 5 * (span + 2) + it.changes.len(), "seed {seed}");
        assert!(it.conflicts.len() <= 5 * 4 * (2 + span / 100), "seed {seed}");
        for summary in it.vrrp.summaries(world.now) {
            assert_eq!(summary.state, it.states[&summary.router], "seed {seed}");
            assert!(summary.dropped.len() + summary.mismatches.len() < 16);
        }
        // It recovers.
        world.run(seconds(41 * 4));
        assert!(world.nodes[a].states.values().all(|state| *state == State::Active), "{seed}");
    }
}

/// What may happen to a core, in any order.
#[derive(Clone, Debug)]
enum Input {
    Octets(Vec<u8>, bool, u8),
    Forged(u64),
    Order(u8, u8, i16, bool),
    Link(bool, bool),
    Wait(u32),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..64), any::<bool>(), any::<u8>())
            .prop_map(|(octets, six, ttl)| Input::Octets(octets, six, ttl)),
        any::<u64>().prop_map(Input::Forged),
        (any::<u8>(), any::<u8>(), any::<i16>(), any::<bool>())
            .prop_map(|(kind, router, by, flag)| Input::Order(kind, router, by, flag)),
        (any::<bool>(), any::<bool>()).prop_map(|(second, up)| Input::Link(second, up)),
        (0..5_000_000_u32).prop_map(Input::Wait),
    ]
}

fn order(kind: u8, router: u8, by: i16, flag: bool) -> Order {
    let router = VirtualRouterId(u32::from(router % 4));
    let settings = || {
        let kinds = [
            synced(every(v3(0, 100), 10)),
            synced(every(v3(1, 100), 10)),
            every(v3(1, 255), 1),
            ipv6(0, 200),
        ];
        Settings { vrid: 10 + kind / 16, preempt: flag, ..kinds[usize::from(kind % 4)].clone() }
    };
    match kind % 6 {
        0 => Order::Want { router, settings: Box::new(settings()) },
        1 => Order::Drop { router },
        2 => Order::Adjust { router, by },
        3 => Order::Release { router, released: flag },
        4 => Order::Announce { router },
        _ => Order::Ready { ready: flag },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_upsets_it(inputs in prop::collection::vec(input(), 1..80)) {
        let mut vrrp = Vrrp::new(Rng::new(1));
        let mut now = Time::from_micros(1);
        for router in 0..4 {
            vrrp.handle(Event::Ordered(order(router * 6, router, 0, true)), now);
        }
        for input in inputs {
            match input {
                Input::Octets(octets, six, ttl) => {
                    let source = if six { v6(0, 9) } else { v4(0, 9) };
                    let destination = group(six);
                    let packet = &octets;
                    let received = Received { interface: 1, source, destination, ttl, packet };
                    vrrp.handle(Event::Received(received), now);
                }
                Input::Forged(seed) => {
                    let packet = forged(&mut Rng::new(seed));
                    let received = Received {
                        interface: packet.segment as u32 + 1,
                        source: packet.source,
                        destination: packet.destination,
                        ttl: packet.ttl,
                        packet: &packet.octets,
                    };
                    vrrp.handle(Event::Received(received), now);
                }
                Input::Order(kind, router, by, flag) => {
                    vrrp.handle(Event::Ordered(order(kind, router, by, flag)), now);
                }
                Input::Link(second, up) => {
                    let segment = usize::from(second);
                    let link = Some(Link { up, addresses: vec![v4(segment, 0), v6(segment, 0)] });
                    let interface = segment as u32 + 1;
                    vrrp.handle(Event::LinkChanged { interface, link }, now);
                }
                Input::Wait(span) => now += micros(span.into()),
            }
            vrrp.tick(now);
            prop_assert!(vrrp.deadline().is_none_or(|at| at > now), "it would spin");
            let mut open = 0_i32;
            while let Some(action) = vrrp.poll() {
                if let Action::Open { interface, ipv6 } = action {
                    open += 1;
                    vrrp.handle(Event::Opened { interface, ipv6, open: true }, now);
                }
            }
            prop_assert!(open <= 4);
            let summaries = vrrp.summaries(now);
            let mut group = summaries.iter().filter(|it| it.settings.sync_group.is_some());
            let active = group.clone().filter(|it| it.state == State::Active).count();
            prop_assert!(active == 0 || group.all(|it| it.state == State::Active));
            prop_assert!(summaries.iter().all(|it| it.priority > 0));
        }
    }
}
