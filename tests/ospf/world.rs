//! Routers, and the networks between them: latency, loss and one-way failures on a virtual clock, all from one seed.
//!
//! ```ignore
//! let mut world = World::new(1);
//! let a = world.add(settings(1, &[("eth0", point_to_point())]));
//! let b = world.add(settings(2, &[("eth0", point_to_point())]));
//! let wire = world.join("10.0.0.0/24", &[(a, "eth0"), (b, "eth0")]);
//! world.run(seconds(20));
//! assert_eq!(world.state(a, b), Some(NeighborState::Full));
//! ```
//!
//! Router `n` has the router id `n.n.n.n` and ends in `.n` on every network it joins. Its interfaces have the indexes
//! 1, 2, … in the order in which they join. A network may change at any time: `world.networks[wire].loss = 30`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use ipnet::Ipv4Net;
use shunt::ospf::{
    Action, Address, Area, AreaKind, Authentication, Event, Interface, InterfaceSettings, Link,
    Neighbor, NeighborState, NetworkKind, Note, Route, Router, Settings, SpfDelays, Watch,
};
use shunt::types::{Rng, RouterId, Time, Wall};
use shunt::wire::ospf::AreaId;

pub struct World {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub networks: Vec<Network>,
    /// Everything that was sent, oldest first, whether it arrived or not.
    pub sent: Vec<Packet>,
    /// On the way, by the time of arrival and the order of sending.
    flying: BTreeMap<(Time, u64), (usize, Packet)>,
    number: u64,
    rng: Rng,
}

pub struct Node {
    pub router: Router,
    /// A node that is off neither sends nor receives.
    pub on: bool,
    pub notes: Vec<(Time, Note)>,
    /// As the router's actions have it.
    pub routes: BTreeMap<Ipv4Net, Route>,
    /// Whether the router is told that its routes are in the kernel, as soon as it has told the first ones.
    pub answers_ready: bool,
    id: u8,
    settings: Settings,
    links: BTreeMap<String, Link>,
    open: BTreeSet<u32>,
    designated: BTreeSet<u32>,
    ready: bool,
}

/// A link or a LAN.
pub struct Network {
    pub prefix: Ipv4Net,
    pub latency: Duration,
    /// Percent of the packets that get lost, for each receiver on its own.
    pub loss: u64,
    /// From and to these nodes nothing arrives.
    pub cut: BTreeSet<(usize, usize)>,
    ends: Vec<(usize, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub at: Time,
    pub from: usize,
    pub network: usize,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub octets: Bytes,
}

/// Calendar time at the beginning of every world: 2026-01-01.
pub const START: Wall = Wall::from_micros(1_767_225_600_000_000);

pub fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub fn id(number: u8) -> RouterId {
    RouterId(Ipv4Addr::new(number, number, number, number))
}

/// Router `number` in a normal area 0.
pub fn settings(number: u8, interfaces: &[(&str, InterfaceSettings)]) -> Settings {
    Settings {
        router_id: id(number),
        hostname: format!("r{number}"),
        area: Area { id: AreaId::BACKBONE, kind: AreaKind::Normal },
        interfaces: interfaces
            .iter()
            .map(|(name, settings)| ((*name).to_owned(), settings.clone()))
            .collect(),
        spf: SpfDelays::default(),
        min_ls_interval: millis(1050),
        max_paths: 8,
    }
}

pub fn point_to_point() -> InterfaceSettings {
    InterfaceSettings { network: NetworkKind::PointToPoint, ..broadcast() }
}

pub fn broadcast() -> InterfaceSettings {
    InterfaceSettings {
        network: NetworkKind::Broadcast,
        passive: false,
        cost: 10,
        hello_interval: seconds(10),
        dead_interval: seconds(40),
        retransmit_interval: seconds(5),
        transmit_delay: 1,
        priority: 1,
        mtu_ignore: false,
        address: None,
        authentication: Authentication::Null,
        bfd: Watch::Off,
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            now: Time::ZERO,
            nodes: Vec::new(),
            networks: Vec::new(),
            sent: Vec::new(),
            flying: BTreeMap::new(),
            number: 0,
            rng: Rng::new(seed),
        }
    }

    pub fn add(&mut self, settings: Settings) -> usize {
        let rng = self.rng.fork();
        self.nodes.push(Node {
            router: Router::new(settings.clone(), START, rng),
            on: true,
            notes: Vec::new(),
            routes: BTreeMap::new(),
            answers_ready: true,
            id: settings.router_id.0.octets()[3],
            settings,
            links: BTreeMap::new(),
            open: BTreeSet::new(),
            designated: BTreeSet::new(),
            ready: false,
        });
        self.nodes.len() - 1
    }

    /// A new network of these nodes; the interfaces are up at once.
    pub fn join(&mut self, prefix: &str, ends: &[(usize, &str)]) -> usize {
        let prefix: Ipv4Net = prefix.parse().unwrap();
        self.networks.push(Network {
            prefix,
            latency: millis(1),
            loss: 0,
            cut: BTreeSet::new(),
            ends: Vec::new(),
        });
        let network = self.networks.len() - 1;
        for (node, name) in ends {
            self.attach(network, *node, name);
        }
        network
    }

    /// One more node on a network.
    pub fn attach(&mut self, network: usize, node: usize, name: &str) {
        let host = self.nodes[node].id;
        self.attach_as(network, node, name, host);
    }

    /// The same with an address of its own.
    pub fn attach_as(&mut self, network: usize, node: usize, name: &str, host: u8) {
        let index = self.nodes[node].links.len() as u32 + 1;
        let network = &mut self.networks[network];
        network.ends.push((node, index));
        let address = Ipv4Addr::from_bits(network.prefix.network().to_bits() | u32::from(host));
        let addresses = vec![Address { address, network: network.prefix }];
        self.set_link(node, name, Link { index, up: true, mtu: 1500, addresses });
    }

    pub fn link(&self, node: usize, name: &str) -> Link {
        self.nodes[node].links[name].clone()
    }

    pub fn set_link(&mut self, node: usize, name: &str, link: Link) {
        self.nodes[node].links.insert(name.to_owned(), link.clone());
        self.handle(node, Event::LinkChanged { name: name.to_owned(), link: Some(link) });
    }

    pub fn set_up(&mut self, node: usize, name: &str, up: bool) {
        let link = Link { up, ..self.link(node, name) };
        self.set_link(node, name, link);
    }

    /// The router with other settings, running on.
    pub fn reconfigure(&mut self, node: usize, change: impl FnOnce(&mut Settings)) {
        change(&mut self.nodes[node].settings);
        let settings = Box::new(self.nodes[node].settings.clone());
        self.handle(node, Event::Reconfigured(settings));
    }

    /// The node dies without a word.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].on = false;
    }

    /// A dead node begins anew and has forgotten everything.
    pub fn boot(&mut self, node: usize) {
        self.boot_with_clock(node, START);
    }

    /// The same with another calendar time at the beginning of the world.
    pub fn boot_with_clock(&mut self, node: usize, start: Wall) {
        let rng = self.rng.fork();
        let it = &mut self.nodes[node];
        it.router = Router::new(it.settings.clone(), start, rng);
        it.on = true;
        it.ready = false;
        it.routes.clear();
        it.open.clear();
        it.designated.clear();
        for (name, link) in it.links.clone() {
            self.handle(node, Event::LinkChanged { name, link: Some(link) });
        }
    }

    pub fn handle(&mut self, node: usize, event: Event) {
        self.handle_all(node, [event]);
    }

    /// What happens before the router's next tick, which follows at once if one is due.
    pub fn handle_all(&mut self, node: usize, events: impl IntoIterator<Item = Event>) {
        let router = &mut self.nodes[node].router;
        for event in events {
            router.handle(event, self.now);
        }
        if router.deadline().is_some_and(|at| at <= self.now) {
            router.tick(self.now);
        }
        self.pump(node);
    }

    /// Puts a packet on the network as if `from` had sent it.
    pub fn inject(&mut self, from: usize, network: usize, packet: Packet) {
        let packet = Packet { at: self.now, from, network, ..packet };
        let ends = self.networks[network].ends.clone();
        for (node, index) in ends {
            if node == from || !self.hears(node, index, packet.destination) {
                continue;
            }
            let network = &self.networks[network];
            if network.cut.contains(&(from, node)) || self.rng.chance(network.loss) {
                continue;
            }
            self.number += 1;
            let key = (self.now + network.latency, self.number);
            self.flying.insert(key, (node, packet.clone()));
        }
    }

    /// Lets time go by.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time go by until it is so; false if that takes longer than `limit`.
    pub fn run_until(&mut self, limit: Duration, is_so: impl Fn(&World) -> bool) -> bool {
        let end = self.now + limit;
        while !is_so(self) {
            if !self.step(end) {
                return false;
            }
        }
        true
    }

    /// The next thing that happens, if that is not after `end`.
    fn step(&mut self, end: Time) -> bool {
        let arrival = self.flying.keys().next().map(|(at, _)| *at);
        let timer = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.on)
            .filter_map(|(index, node)| Some((node.router.deadline()?, index)))
            .min();
        let next = arrival.into_iter().chain(timer.map(|(at, _)| at)).min();
        let Some(next) = next.filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        match timer {
            Some((at, node)) if arrival.is_none_or(|arrival| at < arrival) => {
                self.nodes[node].router.tick(self.now);
                self.pump(node);
                let next = self.nodes[node].router.deadline();
                assert!(next != Some(at) || at > self.now, "the tick at {at} changed nothing");
            }
            _ => {
                let Some((_, (node, packet))) = self.flying.pop_first() else { return false };
                let ends = &self.networks[packet.network].ends;
                let end = ends.iter().find(|(end, _)| *end == node);
                if let Some((_, interface)) = end.copied()
                    && self.nodes[node].on
                {
                    self.receive(node, interface, packet);
                }
            }
        }
        true
    }

    /// The packet is there, whether its destination is heard on the interface or not.
    pub fn receive(&mut self, node: usize, interface: u32, packet: Packet) {
        let Packet { source, destination, octets: packet, .. } = packet;
        self.handle(node, Event::PacketReceived { interface, source, destination, packet });
    }

    fn pump(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].router.poll() {
            let it = &mut self.nodes[node];
            match action {
                Action::Open { interface } => {
                    assert!(it.open.insert(interface), "opened twice");
                }
                Action::Close { interface } => {
                    assert!(it.open.remove(&interface), "closed, but not open");
                }
                Action::Designated { interface, member: true } => {
                    assert!(it.designated.insert(interface), "joined twice");
                }
                Action::Designated { interface, member: false } => {
                    assert!(it.designated.remove(&interface), "left, but not a member");
                }
                Action::Send { interface, source, destination, packet } => {
                    assert!(it.open.contains(&interface), "sends on a closed interface");
                    self.transmit(node, interface, (source, destination), packet);
                }
                Action::RouteChanged { prefix, route: Some(route) } => {
                    it.routes.insert(prefix, route);
                }
                Action::RouteChanged { prefix, route: None } => {
                    it.routes.remove(&prefix);
                }
                Action::Note(note) => it.notes.push((self.now, note)),
            }
        }
        let it = &mut self.nodes[node];
        if it.answers_ready && !it.ready && it.router.has_converged() {
            it.ready = true;
            self.handle(node, Event::ForwardingReady);
        }
    }

    fn transmit(
        &mut self,
        from: usize,
        index: u32,
        (source, destination): (Ipv4Addr, Ipv4Addr),
        octets: Bytes,
    ) {
        let network = self.networks.iter().position(|n| n.ends.contains(&(from, index)));
        let Some(network) = network.filter(|_| self.nodes[from].on) else { return };
        let packet = Packet { at: self.now, from, network, source, destination, octets };
        self.sent.push(packet.clone());
        if self.is_up(from, index) {
            self.inject(from, network, packet);
        }
    }

    fn hears(&self, node: usize, index: u32, destination: Ipv4Addr) -> bool {
        let it = &self.nodes[node];
        let for_it = match destination.octets() {
            [224, 0, 0, 5] => true,
            [224, 0, 0, 6] => it.designated.contains(&index),
            _ => self.address(node, index) == Some(destination),
        };
        it.on && for_it && it.open.contains(&index) && self.is_up(node, index)
    }

    fn is_up(&self, node: usize, index: u32) -> bool {
        self.nodes[node].links.values().any(|link| link.index == index && link.up)
    }

    fn address(&self, node: usize, index: u32) -> Option<Ipv4Addr> {
        let interface = self.nodes[node].router.interfaces().find(|i| i.link.index == index)?;
        interface.address.map(|(address, _)| address)
    }

    pub fn interface(&self, node: usize, name: &str) -> &Interface {
        self.nodes[node].router.interfaces().find(|interface| interface.name == name).unwrap()
    }

    /// What `node` has of `other`, on whichever interface.
    pub fn neighbor(&self, node: usize, other: usize) -> Option<&Neighbor> {
        let other = id(self.nodes[other].id);
        self.nodes[node].router.interfaces().find_map(|interface| interface.neighbors.get(&other))
    }

    pub fn state(&self, node: usize, other: usize) -> Option<NeighborState> {
        self.neighbor(node, other).map(|neighbor| neighbor.state)
    }

    pub fn are_full(&self, node: usize, other: usize) -> bool {
        [self.state(node, other), self.state(other, node)] == [Some(NeighborState::Full); 2]
    }

    /// How often packets were discarded for this reason on an interface.
    pub fn discarded(&self, node: usize, name: &str, reason: &str) -> u64 {
        self.interface(node, name).counters.discarded.get(reason).copied().unwrap_or(0)
    }

    /// What the node has told its operator, in one text.
    pub fn notes(&self, node: usize) -> String {
        let lines: Vec<String> = self.nodes[node]
            .notes
            .iter()
            .map(|(at, note)| format!("{at} {}: {}", note.subject, note.text))
            .collect();
        lines.join("\n")
    }

    /// What the node says of mismatches at present.
    pub fn mismatches(&self, node: usize) -> Vec<String> {
        let all = self.nodes[node].router.mismatches();
        all.map(|m| format!("{} ({}): {}", m.source, m.name, m.difference)).collect()
    }
}
