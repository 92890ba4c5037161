//! Packets that no router of ours sends.

use std::net::Ipv4Addr;

use shunt::types::Time;
use shunt::wire::ospf::{
    AreaId, Body, DatabaseDescription, Frame, Hello, LsaHeader, Options, Signature, Version, emit,
};

use super::world::{Packet, World, id, millis, point_to_point, settings};

pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);

/// A packet without authentication, as router `number` of 10.0.0.0/24 would send it to all.
pub fn packet(number: u8, body: &Body) -> Packet {
    let source = Ipv4Addr::new(10, 0, 0, number);
    let octets =
        emit(Version::V2, id(number), AreaId::BACKBONE, body, &Signature::Null, source).freeze();
    let destination = ALL_ROUTERS;
    Packet { at: Time::ZERO, from: 0, network: 0, source, destination, octets }
}

/// A Hello with the timers of the test's interfaces.
pub fn hello(neighbors: &[u8]) -> Hello {
    Hello {
        network_mask: Ipv4Addr::new(255, 255, 255, 0),
        hello_interval: 10,
        options: Options::EXTERNAL,
        priority: 1,
        dead_interval: 40,
        designated: Ipv4Addr::UNSPECIFIED,
        backup: Ipv4Addr::UNSPECIFIED,
        neighbors: neighbors.iter().map(|number| id(*number)).collect(),
    }
}

/// Puts a packet onto network 0, as if the last node there had sent it, and lets it arrive.
pub fn arrive(world: &mut World, from: usize, packet: Packet) {
    world.inject(from, 0, packet);
    world.run(millis(2));
}

/// A liar that describes what it has to router `number`, which is in Exchange with it, as the slave of the exchange.
/// Returns the sequence number of the next description.
pub fn exchange_with_liar(world: &mut World, number: u8) -> (usize, u32) {
    let node = world.add(settings(number, &[("eth0", point_to_point())]));
    let liar = world.add(settings(3, &[]));
    world.join("10.0.0.0/24", &[(node, "eth0")]);
    arrive(world, liar, packet(3, &Body::Hello(hello(&[number]))));
    let begin =
        world.sent.iter().find_map(|sent| match Frame::parse(&sent.octets).unwrap().body() {
            Ok(Body::DatabaseDescription(description)) => Some(description.sequence),
            _ => None,
        });
    (liar, begin.unwrap())
}

/// Says what the slave has, and that there is more.
pub fn description(sequence: u32, headers: Vec<LsaHeader>) -> Body {
    Body::DatabaseDescription(DatabaseDescription {
        mtu: 1500,
        options: Options::EXTERNAL.with(Options::OPAQUE),
        init: false,
        more: true,
        master: false,
        sequence,
        headers,
    })
}
