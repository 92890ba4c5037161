//! The lane beside an agent: BFD and VRRP, with the packets that they send each other.

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use super::link::{LinkId, Port};
use super::node::NodeId;
use super::world::{Happening, World};
use crate::agent;
use crate::bfd::{self, Hops, Path};
use crate::fast::{Action, Event, Order, Report, Snapshot};
use crate::types::Mac;
use crate::vrrp;

/// Between the agent and its lane, one way.
const HANDOVER: Duration = Duration::from_micros(30);
/// Packets leave with this TTL.
const TTL: u8 = 255;

/// A packet that a lane reads.
pub(super) struct Packet {
    pub kind: Kind,
    pub interface: u32,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub octets: SmallVec<[u8; 64]>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bfd(Hops),
    Vrrp,
}

impl World {
    /// What the lane has to show.
    pub fn lane(&self, id: NodeId) -> Option<Snapshot> {
        let process = self.nodes[id.0].process.as_ref()?;
        Some(process.fast.snapshot(process.local(self.now)))
    }

    /// The lane's thread begins.
    pub(super) fn start_lane(&mut self, id: NodeId) {
        let event = agent::Event::LaneStarted { realtime: Ok(()), locked: Ok(()) };
        self.event_at(self.now + HANDOVER, id, event);
    }

    pub(super) fn order_lane(&mut self, id: NodeId, order: Order) {
        let life = self.nodes[id.0].lives;
        self.push(self.now + HANDOVER, Happening::Ordered { node: id, life, order });
    }

    /// Something reaches the lane.
    pub(super) fn hand_to_lane(&mut self, id: NodeId, event: Event<'_>) {
        let now = self.now;
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        process.fast.handle(event, process.local(now));
        self.pump_lane(id);
    }

    pub(super) fn arrive_at_lane(&mut self, id: NodeId, packet: &Packet) {
        let Packet { kind, interface, source, destination, ttl, ref octets } = *packet;
        let event = match kind {
            Kind::Bfd(hops) => Event::Bfd(bfd::Received {
                hops,
                interface,
                source,
                destination,
                ttl,
                packet: octets,
            }),
            Kind::Vrrp => {
                Event::Vrrp(vrrp::Received { interface, source, destination, ttl, packet: octets })
            }
        };
        self.hand_to_lane(id, event);
    }

    pub(super) fn pump_lane(&mut self, id: NodeId) {
        loop {
            let Some(process) = self.nodes[id.0].process.as_mut() else { return };
            let Some(action) = process.fast.poll() else { return };
            match action {
                Action::Report(report) => self.report_of_lane(id, report),
                Action::Bfd(action) => self.carry_out_bfd(id, action),
                Action::Vrrp(action) => self.carry_out_vrrp(id, action),
            }
        }
    }

    fn report_of_lane(&mut self, id: NodeId, report: Report) {
        self.event_at(self.now + HANDOVER, id, agent::Event::Fast(report));
    }

    fn carry_out_bfd(&mut self, id: NodeId, action: bfd::Action) {
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        match action {
            bfd::Action::Open { session, path } => {
                process.sessions.insert(session, path);
            }
            bfd::Action::Close { session } => {
                process.sessions.remove(&session);
            }
            bfd::Action::Send { session, packet } => {
                match process.sessions.get(&session).copied() {
                    Some(Path::SingleHop { interface, local, remote }) => {
                        let kind = Kind::Bfd(Hops::Single);
                        self.send_to_neighbour(id, interface, kind, (local, remote), packet);
                    }
                    Some(Path::MultiHop { local, remote, .. }) => {
                        self.send_far(id, (local, remote), packet);
                    }
                    None => {}
                }
            }
            // Fast has made a report of it.
            bfd::Action::Changed(_) => {}
        }
    }

    fn carry_out_vrrp(&mut self, id: NodeId, action: vrrp::Action) {
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        match action {
            vrrp::Action::Open { interface, ipv6 } => {
                process.vrrp.insert((interface, ipv6));
                self.hand_to_lane(id, Event::VrrpOpened { interface, ipv6, open: true });
            }
            vrrp::Action::Close { interface, ipv6 } => {
                process.vrrp.remove(&(interface, ipv6));
            }
            vrrp::Action::Send { interface, mac, source, destination, packet, .. } => {
                self.nodes[id.0].kernel.last_beat = self.now;
                if let Some(mac) = mac {
                    self.learn_port(id, interface, mac);
                }
                if destination.is_multicast() {
                    self.send_to_group(id, interface, (source, destination), &packet);
                } else {
                    self.send_to_neighbour(
                        id,
                        interface,
                        Kind::Vrrp,
                        (source, destination),
                        packet,
                    );
                }
            }
            vrrp::Action::AnnounceAddress { interface, mac, address, .. } => {
                self.announce_address(id, interface, mac, address);
            }
            // Fast has made reports of them.
            vrrp::Action::Changed(_) | vrrp::Action::AnotherActive { .. } => {}
        }
    }

    /// The network that an interface is on, if a frame can leave there.
    pub(super) fn wire_of(&self, id: NodeId, interface: u32) -> Option<LinkId> {
        let is_ours = |port: &Port| port.node == id && port.interface == interface;
        let wire = self.wires.iter().position(|wire| wire.ends.iter().any(is_ours))?;
        let down = self.nodes[id.0].kernel.down.contains(&interface);
        (!down && !self.wires[wire].mute.contains(&id)).then_some(LinkId(wire))
    }

    /// One packet to whoever has the address on the interface's network.
    fn send_to_neighbour(
        &mut self,
        id: NodeId,
        interface: u32,
        kind: Kind,
        (source, destination): (IpAddr, IpAddr),
        octets: SmallVec<[u8; 64]>,
    ) {
        let Some(link) = self.wire_of(id, interface) else { return };
        let wire = &self.wires[link.0];
        let Some(port) = wire.ends.iter().find(|end| end.address == destination).copied() else {
            return;
        };
        let at = self.now + wire.link.latency;
        if wire.carries(&mut self.rng)
            && !self.nodes[port.node.0].kernel.down.contains(&port.interface)
        {
            let packet =
                Packet { kind, interface: port.interface, source, destination, ttl: TTL, octets };
            let life = self.nodes[port.node.0].lives;
            self.push(at, Happening::Packet { node: port.node, life, packet });
        }
    }

    /// One packet to all VRRP routers on the interface's network.
    fn send_to_group(
        &mut self,
        id: NodeId,
        interface: u32,
        (source, destination): (IpAddr, IpAddr),
        octets: &SmallVec<[u8; 64]>,
    ) {
        let Some(link) = self.wire_of(id, interface) else { return };
        let World { wires, nodes, rng, .. } = self;
        let wire = &wires[link.0];
        let at = self.now + wire.link.latency;
        let mut arriving = Vec::new();
        for port in wire.ends.iter().filter(|port| port.node != id) {
            let node = &nodes[port.node.0];
            let listens = node.process.as_ref().is_some_and(|process| {
                process.vrrp.contains(&(port.interface, destination.is_ipv6()))
            });
            if listens && !node.kernel.down.contains(&port.interface) && wire.carries(rng) {
                arriving.push((port.node, port.interface, node.lives));
            }
        }
        for (node, interface, life) in arriving {
            let (kind, ttl, octets) = (Kind::Vrrp, TTL, octets.clone());
            let packet = Packet { kind, interface, source, destination, ttl, octets };
            self.push(at, Happening::Packet { node, life, packet });
        }
    }

    /// One packet of a multihop session, along the routes as they are now.
    fn send_far(
        &mut self,
        id: NodeId,
        (source, destination): (IpAddr, IpAddr),
        octets: SmallVec<[u8; 64]>,
    ) {
        let Some(way) = self.way(id, destination) else { return };
        let mut at = self.now;
        for step in &way {
            let wire = &self.wires[step.link.0];
            at += wire.link.latency;
            if wire.mute.contains(&step.from) || !wire.carries(&mut self.rng) {
                return;
            }
        }
        let Some(last) = way.last() else { return };
        let (node, interface) = (last.to, last.interface);
        let ttl = TTL.saturating_sub(u8::try_from(way.len() - 1).unwrap_or(u8::MAX));
        let packet =
            Packet { kind: Kind::Bfd(Hops::Multi), interface, source, destination, ttl, octets };
        let life = self.nodes[node.0].lives;
        self.push(at, Happening::Packet { node, life, packet });
    }

    /// A switch has seen a frame of this MAC address come from a node.
    pub(super) fn learn_port(&mut self, id: NodeId, interface: u32, mac: Mac) {
        if let Some(link) = self.wire_of(id, interface) {
            let World { wires, rng, .. } = self;
            let wire = &mut wires[link.0];
            if wire.carries(rng) {
                wire.ports.insert(mac, id);
            }
        }
    }
}
