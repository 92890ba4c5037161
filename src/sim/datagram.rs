//! OSPF packets between simulated interfaces.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;

use super::link::Port;
use super::node::NodeId;
use super::world::{Happening, World};
use crate::agent::{Event, OspfAction};
use crate::wire::ospf::{ALL_D_ROUTERS, ALL_SPF_ROUTERS};

impl World {
    pub(super) fn on_interface(&mut self, id: NodeId, action: OspfAction) {
        let life = self.nodes[id.0].lives;
        let Some(process) = self.process(id, life) else { return };
        match action {
            OspfAction::Open { interface, .. } => {
                process.ospf.insert(interface, false);
            }
            OspfAction::Close { interface } => {
                process.ospf.remove(&interface);
            }
            OspfAction::Designated { interface, member } => {
                process.ospf.insert(interface, member);
            }
            OspfAction::Send { interface, source, destination, packet } => {
                self.transmit(id, interface, (source, destination), &packet);
            }
        }
    }

    fn transmit(
        &mut self,
        id: NodeId,
        interface: u32,
        (source, destination): (Ipv4Addr, Ipv4Addr),
        packet: &Bytes,
    ) {
        let is_ours = |port: &&Port| port.node == id && port.interface == interface;
        let World { nodes, wires, rng, .. } = self;
        let Some(wire) = wires.iter().find(|wire| wire.ends.iter().any(|end| is_ours(&end))) else {
            return;
        };
        if wire.mute.contains(&id) || nodes[id.0].kernel.down.contains(&interface) {
            return;
        }
        let at = self.now + wire.link.latency;
        let mut arriving = Vec::new();
        for port in wire.ends.iter().filter(|port| port.node != id) {
            let node = &nodes[port.node.0];
            let membership =
                node.process.as_ref().and_then(|process| process.ospf.get(&port.interface));
            let takes = match (destination, membership) {
                (_, None) => false,
                (ALL_SPF_ROUTERS, _) => true,
                (ALL_D_ROUTERS, Some(designated)) => *designated,
                (address, _) => port.address == IpAddr::V4(address),
            };
            if takes && !node.deaf && wire.carries(rng) {
                arriving.push((port.node, port.interface, node.lives));
            }
        }
        for (node, interface, life) in arriving {
            let packet = packet.clone();
            let event = Event::PacketReceived { interface, source, destination, packet };
            self.push(at, Happening::Event { node, life, event });
        }
    }
}
