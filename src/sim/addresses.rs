//! Virtual addresses: what the kernels do with them, the guardian that takes them from a daemon that does not live, and
//! what switches and hosts make of them.

use std::net::IpAddr;
use std::time::Duration;

use super::kernel::MTU;
use super::link::LinkId;
use super::node::NodeId;
use super::world::{Happening, World};
use crate::agent::{Event, VirtualAddresses};
use crate::fib::Observed;
use crate::types::{Mac, Prefix};
use crate::vrrp::VirtualRouterId;

/// Until the kernel has made a change.
const CHANGE: Duration = Duration::from_micros(400);
/// The first index of a macvlan.
const MACVLANS: u32 = 1000;

/// What a node's kernel has of a virtual router.
pub(super) struct Virtual {
    pub wanted: Box<VirtualAddresses>,
    /// The addresses are there, and the macvlan is up.
    pub assigned: bool,
}

impl Virtual {
    /// What netlink says of the addresses when they come or go.
    pub fn observed(&self, router: VirtualRouterId, there: bool) -> Vec<Observed> {
        let Virtual { wanted, .. } = self;
        let index = if wanted.mac.is_some() { MACVLANS + router.0 } else { wanted.interface };
        let name = format!("vrrp.{}", wanted.vrid);
        let link = Observed::Link { index, name, up: there, mtu: MTU };
        let addresses = wanted.addresses.iter().map(|address| {
            let (interface, address, network) = (index, *address, Prefix::host(*address));
            match there {
                true => Observed::Address { interface, address, network },
                false => Observed::AddressGone { interface, address, network },
            }
        });
        wanted.mac.map(|_| link).into_iter().chain(addresses).collect()
    }
}

/// A step of a packet.
pub(super) struct Step {
    pub from: NodeId,
    pub link: LinkId,
    pub to: NodeId,
    /// That it arrives on.
    pub interface: u32,
}

impl World {
    /// The virtual addresses that are on a node's interfaces.
    pub fn virtual_addresses(&self, id: NodeId) -> Vec<IpAddr> {
        let assigned = self.nodes[id.0].kernel.virtuals.values().filter(|all| all.assigned);
        assigned.flat_map(|all| all.wanted.addresses.iter().copied()).collect()
    }

    /// The nodes that have a virtual address on a network.
    pub fn holders(&self, link: LinkId, address: IpAddr) -> Vec<NodeId> {
        let ends = self.wires[link.0].ends.iter();
        let holds = |node: NodeId, interface: u32| {
            let mut all = self.nodes[node.0].kernel.virtuals.values();
            all.any(|all| {
                let there = all.assigned && all.wanted.interface == interface;
                there && all.wanted.addresses.contains(&address)
            })
        };
        ends.filter(|end| holds(end.node, end.interface)).map(|end| end.node).collect()
    }

    /// Who takes what the hosts on a network send to a virtual address, as they and the switch have learned it.
    pub fn first_hop(&self, link: LinkId, address: IpAddr) -> Option<NodeId> {
        let wire = &self.wires[link.0];
        let (mac, owner) = wire.hosts.get(&address)?;
        let Some(mac) = mac else {
            // An interface's own MAC address always takes what is sent to it.
            return self.is_on(*owner).then_some(*owner);
        };
        let node = *wire.ports.get(mac)?;
        let takes = self.nodes[node.0].kernel.virtuals.values().any(|all| {
            all.assigned
                && all.wanted.mac == Some(*mac)
                && self.wire_of(node, all.wanted.interface) == Some(link)
        });
        takes.then_some(node)
    }

    /// Forwards, with or without a daemon.
    fn is_on(&self, id: NodeId) -> bool {
        !self.nodes[id.0].off
    }

    /// A machine that only has a way out, such as a host: everything that is not near goes there.
    pub fn set_gateway(&mut self, id: NodeId, address: IpAddr) {
        self.nodes[id.0].kernel.gateway = Some(address);
    }

    /// The nodes that a packet goes through to an address, the last being who has it; `None` if it gets lost.
    pub fn trace(&self, id: NodeId, destination: IpAddr) -> Option<Vec<NodeId>> {
        Some(self.way(id, destination)?.into_iter().map(|step| step.to).collect())
    }

    pub(super) fn way(&self, id: NodeId, destination: IpAddr) -> Option<Vec<Step>> {
        let mut way: Vec<Step> = Vec::new();
        let mut at = id;
        while !self.has_address(at, destination) {
            let step = self.next_step(at, destination)?;
            at = step.to;
            way.push(step);
            if way.len() > 16 {
                return None;
            }
        }
        Some(way)
    }

    fn has_address(&self, id: NodeId, address: IpAddr) -> bool {
        let ports = &self.nodes[id.0].kernel.ports;
        let own = ports.iter().any(|port| port.address == address);
        let served = self.nodes[id.0].kernel.served.contains_key(&address);
        // What is further up is known by its longer prefix, as long as there is one.
        own || self.virtual_addresses(id).contains(&address)
            || (served && self.next_step(id, address).is_none())
    }

    fn next_step(&self, at: NodeId, destination: IpAddr) -> Option<Step> {
        let kernel = &self.nodes[at.0].kernel;
        let up = |interface: u32| !kernel.down.contains(&interface);
        let near = |address: IpAddr| {
            let mut ports = kernel.ports.iter();
            ports.find(|port| port.network.contains(address) && up(port.interface))
        };
        let (interface, next) = match near(destination) {
            Some(port) => (port.interface, destination),
            None => {
                let routes =
                    kernel.routes.values().filter(|route| route.prefix.contains(destination));
                let best = routes
                    .max_by_key(|route| (route.prefix.length(), std::cmp::Reverse(route.metric)));
                let hop = best
                    .and_then(|route| kernel.forwarding(route).hops.as_slice().first().copied());
                match (hop, kernel.gateway) {
                    (Some(hop), _) if up(hop.interface) => (hop.interface, hop.gateway),
                    (None, Some(gateway)) => (near(gateway)?.interface, gateway),
                    _ => return None,
                }
            }
        };
        let link = self.wire_of(at, interface)?;
        let wire = &self.wires[link.0];
        if wire.cut {
            return None;
        }
        let fixed = wire.ends.iter().find(|end| end.address == next).map(|end| end.node);
        let to = fixed.or_else(|| self.first_hop(link, next)).filter(|node| self.is_on(*node))?;
        let port = wire.ends.iter().find(|end| end.node == to)?;
        self.wire_of_receiver(port.node, port.interface).then_some(Step {
            from: at,
            link,
            to,
            interface: port.interface,
        })
    }

    fn wire_of_receiver(&self, id: NodeId, interface: u32) -> bool {
        !self.nodes[id.0].kernel.down.contains(&interface)
    }

    /// The kernel of this node takes no virtual addresses from now on, or does again.
    pub fn refuse_addresses(&mut self, id: NodeId, refuses: bool) {
        self.nodes[id.0].kernel.refuses = refuses;
    }

    pub(super) fn set_addresses(
        &mut self,
        id: NodeId,
        router: VirtualRouterId,
        wanted: Option<Box<VirtualAddresses>>,
    ) {
        let life = self.nodes[id.0].lives;
        self.push(self.now + CHANGE, Happening::Assign { node: id, life, router, wanted });
    }

    /// The kernel does what it was told, and says so.
    pub(super) fn assign(
        &mut self,
        id: NodeId,
        router: VirtualRouterId,
        wanted: Option<Box<VirtualAddresses>>,
    ) {
        let kernel = &mut self.nodes[id.0].kernel;
        let refused = kernel.refuses && wanted.as_ref().is_some_and(|wanted| wanted.assigned);
        let result = if refused { Err("Operation not permitted".to_owned()) } else { Ok(()) };
        let keeps = match (&wanted, kernel.virtuals.get(&router)) {
            (Some(wanted), Some(now)) => {
                now.assigned
                    && wanted.assigned
                    && now.wanted.addresses == wanted.addresses
                    && now.wanted.mac == wanted.mac
            }
            _ => false,
        };
        if !keeps {
            self.take_away(id, router);
        }
        let kernel = &mut self.nodes[id.0].kernel;
        let assigned = wanted.as_ref().is_some_and(|wanted| wanted.assigned) && !refused;
        match wanted {
            None => {
                kernel.virtuals.remove(&router);
            }
            Some(wanted) => {
                kernel.virtuals.insert(router, Virtual { wanted, assigned });
            }
        }
        if assigned && !keeps {
            self.tell_addresses(id, router, true);
        }
        let event = Event::AddressesSet { router, assigned, result };
        self.deliver(id, event);
    }

    /// The addresses of a virtual router are no longer there.
    fn take_away(&mut self, id: NodeId, router: VirtualRouterId) {
        let Some(virtual_) = self.nodes[id.0].kernel.virtuals.get_mut(&router) else { return };
        if std::mem::take(&mut virtual_.assigned) {
            self.tell_addresses(id, router, false);
        }
    }

    /// Netlink's words, and a line for the transcript.
    fn tell_addresses(&mut self, id: NodeId, router: VirtualRouterId, there: bool) {
        let Some(all) = self.nodes[id.0].kernel.virtuals.get(&router) else { return };
        let name = all.wanted.name.clone();
        for line in all.observed(router, there) {
            self.event_at(self.now, id, Event::Kernel(line));
        }
        let verb = if there { "has" } else { "has no longer" };
        self.note(id, &format!("{verb} the addresses of {name}"));
    }

    /// The daemon is dead, or stands still: the guardian takes the addresses away soon.
    pub(super) fn alarm_guardian(&mut self, id: NodeId, stopped: Option<u64>) {
        let life = self.nodes[id.0].lives;
        let assigned = self.nodes[id.0].kernel.virtuals.iter().filter(|(_, all)| all.assigned);
        let due: Vec<(VirtualRouterId, Duration)> =
            assigned.map(|(router, all)| (*router, all.wanted.deadman)).collect();
        let last_beat = self.nodes[id.0].kernel.last_beat;
        for (router, deadman) in due {
            let at = (last_beat + deadman).max(self.now);
            self.push(at, Happening::Guarded { node: id, life, router, stopped });
        }
    }

    pub(super) fn guard(&mut self, id: NodeId, router: VirtualRouterId) {
        self.take_away(id, router);
        // The daemon is told when it can listen.
        let result = Ok(());
        self.event_at(self.now, id, Event::AddressesSet { router, assigned: false, result });
    }

    /// The process is over, and has cleaned up; or the next one does.
    pub(super) fn sweep_addresses(&mut self, id: NodeId) {
        let all: Vec<VirtualRouterId> = self.nodes[id.0].kernel.virtuals.keys().copied().collect();
        for router in all {
            self.take_away(id, router);
        }
        self.nodes[id.0].kernel.virtuals.clear();
    }

    /// Gratuitous ARP, or an unsolicited Neighbor Advertisement: hosts and switch learn from it.
    pub(super) fn announce_address(
        &mut self,
        id: NodeId,
        interface: u32,
        mac: Option<Mac>,
        address: IpAddr,
    ) {
        let Some(link) = self.wire_of(id, interface) else { return };
        let World { wires, rng, .. } = self;
        let wire = &mut wires[link.0];
        if wire.carries(rng) {
            wire.hosts.insert(address, (mac, id));
            if let Some(mac) = mac {
                wire.ports.insert(mac, id);
            }
        }
    }
}
