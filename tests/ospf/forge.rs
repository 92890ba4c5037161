//! Packets that no router of ours sends.

use std::net::Ipv4Addr;

use shunt::types::Time;
use shunt::wire::ospf::{AreaId, Body, Hello, Options, Signature, Version, emit};

use super::world::{Packet, World, id};

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
    world.run(super::world::millis(2));
}
