//! Routers and the segments between them, on a virtual clock: delay, loss, cuts, clocks that go wrong, processes that
//! stop. All from one seed.
//!
//! ```ignore
//! let mut world = World::new(1, 1);
//! let a = world.add(&[v3(0, 150)]);
//! let b = world.add(&[v3(0, 100)]);
//! world.run(seconds(5));
//! assert_eq!(world.active(0), [a]);
//! ```
//!
//! Node `n` has the addresses `10.0.S.(n + 1)` and `fe80::S:(n + 1)` on segment `S`, on its interface `S + 1`; the
//! virtual routers of a node have the ids 1, 2, … A node announces as soon as it is Active.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use shunt::types::{Mac, Rng, Time};
use shunt::vrrp::{
    Action, Change, Checksum, Event, Link, MacKind, Order, Reason, Received, Settings, State,
    Summary, Version, VirtualRouterId, Vrrp,
};
use shunt::wire::vrrp::Advertisement;
use smallvec::SmallVec;

pub struct World {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub segments: Vec<Segment>,
    /// All that was sent, oldest first, whether it arrived or not.
    pub sent: Vec<Sent>,
    pub rng: Rng,
    flying: BTreeMap<(Time, u64), (usize, Packet)>,
    number: u64,
}

pub struct Node {
    pub vrrp: Vrrp,
    /// How much faster than the world's the clock runs, in millionths.
    pub clock: i64,
    pub settings: Vec<Settings>,
    /// A node that is off does nothing, and nobody knows.
    pub on: bool,
    /// Nothing is read, and nothing ticks: SIGSTOP.
    pub stopped: bool,
    /// It can forward from the start.
    pub ready: bool,
    /// Its addresses are there as soon as it is Active.
    pub announces: bool,
    /// World time.
    pub changes: Vec<(Time, Change)>,
    /// Of its virtual routers, as the changes have it.
    pub states: BTreeMap<VirtualRouterId, State>,
    pub conflicts: Vec<Conflict>,
    pub announced: Vec<(Time, u32, Option<Mac>, IpAddr)>,
    pub open: BTreeSet<(u32, bool)>,
    /// What is said at once when a socket is asked for; `None`: nothing.
    pub opens: Option<bool>,
    /// Of each segment.
    pub links: Vec<Link>,
    waiting: VecDeque<Packet>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    pub at: Time,
    pub router: VirtualRouterId,
    pub address: IpAddr,
    pub priority: u8,
    pub yields: bool,
}

pub struct Segment {
    pub latency: Duration,
    /// Up to this much is added.
    pub variation: Duration,
    /// Per cent of the packets that are lost, for each receiver on its own.
    pub loss: u64,
    /// From the first, nothing arrives at the second.
    pub cut: BTreeSet<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct Packet {
    pub segment: usize,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub octets: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Time,
    pub from: usize,
    pub segment: usize,
    pub mac: Option<Mac>,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub checksum: Checksum,
    pub advertisement: Advertisement,
}

pub fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub fn micros(number: u64) -> Duration {
    Duration::from_micros(number)
}

pub fn id(number: u32) -> VirtualRouterId {
    VirtualRouterId(number)
}

/// Of a node on a segment.
pub fn v4(segment: usize, node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, segment as u8, 1 + node as u8))
}

pub fn v6(segment: usize, node: usize) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, segment as u16, 1 + node as u16))
}

pub fn virtual_v4(segment: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, segment as u8, 254))
}

pub fn group(ipv6: bool) -> IpAddr {
    if ipv6 { "ff02::12" } else { "224.0.0.18" }.parse().unwrap()
}

/// Version 3 for IPv4, with an advertisement each second; VRID 10.
pub fn v3(segment: usize, priority: u8) -> Settings {
    Settings {
        interface: segment as u32 + 1,
        vrid: 10,
        version: Version::V3,
        addresses: vec![virtual_v4(segment)],
        priority,
        interval: seconds(1),
        preempt: true,
        preempt_delay: Duration::ZERO,
        source: None,
        unicast_peers: Vec::new(),
        checksum: Checksum::Plain,
        sync_group: None,
        mac: MacKind::Virtual,
        announcements: 3,
        announcement_interval: millis(200),
    }
}

pub fn v2(segment: usize, priority: u8) -> Settings {
    Settings { version: Version::V2, ..v3(segment, priority) }
}

/// Version 3 for IPv6.
pub fn ipv6(segment: usize, priority: u8) -> Settings {
    let addresses = ["fe80::ffff", "2001:db8::ffff"].map(|text| text.parse().unwrap()).to_vec();
    Settings { addresses, ..v3(segment, priority) }
}

/// In a sync group.
pub fn synced(settings: Settings) -> Settings {
    Settings { sync_group: Some("edge".into()), ..settings }
}

/// Centiseconds.
pub fn every(settings: Settings, interval: u64) -> Settings {
    Settings { interval: millis(10 * interval), ..settings }
}

/// What [`v3`] would say with this priority, on segment 0.
pub fn advertisement(priority: u8) -> Advertisement {
    Advertisement {
        version: Version::V3,
        vrid: 10,
        priority,
        interval: 100,
        addresses: SmallVec::from_slice(&[virtual_v4(0)]),
    }
}

/// As a packet from somebody else on segment 0.
pub fn packet(advertisement: &Advertisement, source: IpAddr) -> Packet {
    let destination = group(source.is_ipv6());
    let mut octets = SmallVec::new();
    advertisement.emit(Checksum::Plain, source, destination, &mut octets);
    Packet { segment: 0, source, destination, ttl: 255, octets: octets.to_vec() }
}

impl World {
    pub fn new(seed: u64, segments: usize) -> World {
        let segment = |_| Segment {
            latency: micros(300),
            variation: micros(200),
            loss: 0,
            cut: BTreeSet::new(),
        };
        World {
            now: Time::ZERO + seconds(1),
            nodes: Vec::new(),
            segments: (0..segments).map(segment).collect(),
            sent: Vec::new(),
            rng: Rng::new(seed),
            flying: BTreeMap::new(),
            number: 0,
        }
    }

    /// A node that starts now.
    pub fn add(&mut self, settings: &[Settings]) -> usize {
        let node = self.add_off(settings);
        self.boot(node);
        node
    }

    /// A node that is to be booted.
    pub fn add_off(&mut self, settings: &[Settings]) -> usize {
        let node = self.nodes.len();
        let link = |segment| Link {
            up: true,
            addresses: vec![
                v4(segment, node),
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 + node as u16)),
                v6(segment, node),
            ],
        };
        self.nodes.push(Node {
            vrrp: Vrrp::new(self.rng.fork()),
            clock: 0,
            settings: settings.to_vec(),
            on: false,
            stopped: false,
            ready: true,
            announces: true,
            changes: Vec::new(),
            states: BTreeMap::new(),
            conflicts: Vec::new(),
            announced: Vec::new(),
            open: BTreeSet::new(),
            opens: Some(true),
            links: (0..self.segments.len()).map(link).collect(),
            waiting: VecDeque::new(),
        });
        node
    }

    /// The process starts.
    pub fn boot(&mut self, node: usize) {
        let rng = self.rng.fork();
        let it = &mut self.nodes[node];
        it.vrrp = Vrrp::new(rng);
        it.waiting.clear();
        it.states.clear();
        it.open.clear();
        (it.on, it.stopped) = (true, false);
        if it.ready {
            self.order(node, Order::Ready { ready: true });
        }
        for segment in 0..self.segments.len() {
            self.tell_link(node, segment);
        }
        for (index, settings) in self.nodes[node].settings.clone().into_iter().enumerate() {
            self.want(node, index as u32 + 1, settings);
        }
    }

    pub fn kill(&mut self, node: usize) {
        self.nodes[node].on = false;
    }

    /// A clean stop.
    pub fn stop(&mut self, node: usize) {
        self.handle(node, Event::Stopped);
        self.kill(node);
    }

    pub fn want(&mut self, node: usize, router: u32, settings: Settings) {
        self.order(node, Order::Want { router: id(router), settings: Box::new(settings) });
    }

    pub fn order(&mut self, node: usize, order: Order) {
        self.handle(node, Event::Ordered(order));
    }

    pub fn adjust(&mut self, node: usize, by: i16) {
        self.order(node, Order::Adjust { router: id(1), by });
    }

    pub fn release(&mut self, node: usize, released: bool) {
        self.order(node, Order::Release { router: id(1), released });
    }

    pub fn set_link(&mut self, node: usize, segment: usize, up: bool) {
        self.nodes[node].links[segment].up = up;
        self.tell_link(node, segment);
    }

    pub fn tell_link(&mut self, node: usize, segment: usize) {
        let link = Some(self.nodes[node].links[segment].clone());
        self.handle(node, Event::LinkChanged { interface: segment as u32 + 1, link });
    }

    /// The IPv4 sockets on a segment are there, or not.
    pub fn opened(&mut self, node: usize, segment: usize, open: bool) {
        self.handle(node, Event::Opened { interface: segment as u32 + 1, ipv6: false, open });
    }

    /// Nothing passes between the two on a segment, in both directions.
    pub fn cut(&mut self, segment: usize, a: usize, b: usize) {
        self.segments[segment].cut.extend([(a, b), (b, a)]);
    }

    pub fn heal(&mut self) {
        self.segments.iter_mut().for_each(|segment| segment.cut.clear());
    }

    /// SIGSTOP for that long.
    pub fn freeze(&mut self, node: usize, span: Duration) {
        self.nodes[node].stopped = true;
        self.run(span);
        self.thaw(node);
    }

    pub fn thaw(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        it.stopped = false;
        let waiting: Vec<Packet> = it.waiting.drain(..).collect();
        for packet in waiting {
            self.hear(node, &packet);
        }
    }

    /// A packet is handed to a node.
    pub fn hear(&mut self, node: usize, packet: &Packet) {
        let received = Received {
            interface: packet.segment as u32 + 1,
            source: packet.source,
            destination: packet.destination,
            ttl: packet.ttl,
            packet: &packet.octets,
        };
        self.handle(node, Event::Received(received));
    }

    /// An advertisement of node 9, which does not exist.
    pub fn hear_priority(&mut self, node: usize, priority: u8) {
        self.hear(node, &packet(&advertisement(priority), v4(0, 9)));
    }

    fn local(&self, node: usize) -> Time {
        self.local_at(node, self.now)
    }

    fn local_at(&self, node: usize, at: Time) -> Time {
        let rate = 1_000_000 + self.nodes[node].clock;
        Time::from_micros((u128::from(at.as_micros()) * rate as u128 / 1_000_000) as u64)
    }

    /// When it is that time for a node.
    fn world_time(&self, node: usize, local: Time) -> Time {
        let rate = 1_000_000 + self.nodes[node].clock;
        let micros = (u128::from(local.as_micros()) * 1_000_000).div_ceil(rate as u128);
        Time::from_micros(micros as u64)
    }

    fn handle(&mut self, node: usize, event: Event<'_>) {
        if !self.nodes[node].on {
            return;
        }
        let now = self.local(node);
        self.nodes[node].vrrp.handle(event, now);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].vrrp.poll() {
            let now = self.now;
            let it = &mut self.nodes[node];
            match action {
                Action::Open { interface, ipv6 } => {
                    assert!(it.open.insert((interface, ipv6)));
                    if let Some(open) = it.opens {
                        let now = self.local(node);
                        let opened = Event::Opened { interface, ipv6, open };
                        self.nodes[node].vrrp.handle(opened, now);
                    }
                }
                Action::Close { interface, ipv6 } => assert!(it.open.remove(&(interface, ipv6))),
                Action::Send { router, interface, mac, source, destination, packet } => {
                    let (advertisement, checksum) =
                        Advertisement::parse(&packet, source, destination).unwrap();
                    let segment = interface as usize - 1;
                    let sent = Sent {
                        at: now,
                        from: node,
                        segment,
                        mac,
                        source,
                        destination,
                        checksum,
                        advertisement,
                    };
                    let _ = router;
                    self.sent.push(sent);
                    let octets = packet.to_vec();
                    self.send(node, Packet { segment, source, destination, ttl: 255, octets });
                }
                Action::AnnounceAddress { interface, mac, address, .. } => {
                    it.announced.push((now, interface, mac, address));
                }
                Action::Changed(change) => {
                    let (router, state) = (change.router, change.state);
                    it.changes.push((now, change));
                    it.states.insert(router, state);
                    if state == State::Active && self.nodes[node].announces {
                        let local = self.local(node);
                        let event = Event::Ordered(Order::Announce { router });
                        self.nodes[node].vrrp.handle(event, local);
                    }
                }
                Action::AnotherActive { router, address, priority, yields } => {
                    it.conflicts.push(Conflict { at: now, router, address, priority, yields });
                }
            }
        }
    }

    fn send(&mut self, from: usize, packet: Packet) {
        let segment = packet.segment;
        if !self.nodes[from].links[segment].up {
            return;
        }
        for to in 0..self.nodes.len() {
            let Segment { latency, variation, loss, cut } = &self.segments[segment];
            let link = &self.nodes[to].links[segment];
            let addressed = packet.destination == group(packet.destination.is_ipv6())
                || link.addresses.contains(&packet.destination);
            if to == from || cut.contains(&(from, to)) || !addressed {
                continue;
            }
            if self.rng.chance(*loss) {
                continue;
            }
            let at = self.now + *latency + self.rng.jitter(*variation, 0, 100);
            self.number += 1;
            self.flying.insert((at, self.number), (to, packet.clone()));
        }
    }

    /// The next thing that happens by itself: an arrival, or a node's timer.
    fn next(&self) -> Option<(Time, Option<usize>)> {
        let arrival = self.flying.keys().next().map(|(at, _)| (*at, None));
        let runs = |node: &usize| self.nodes[*node].on && !self.nodes[*node].stopped;
        let timers = (0..self.nodes.len()).filter(runs).filter_map(|node| {
            let deadline = self.nodes[node].vrrp.deadline()?;
            Some((self.world_time(node, deadline).max(self.now), Some(node)))
        });
        // What has arrived is handed in before timers fire.
        timers.chain(arrival).min_by_key(|(at, node)| (*at, *node))
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut steps = 0_u64;
        while let Some((at, node)) = self.next().filter(|(at, _)| *at <= end) {
            steps += 1;
            assert!(steps < 10_000_000, "it does not come to rest");
            self.now = self.now.max(at);
            match node {
                Some(node) => {
                    let now = self.local(node);
                    self.nodes[node].vrrp.tick(now);
                    self.drain(node);
                }
                None => {
                    let Some((_, (to, packet))) = self.flying.pop_first() else { continue };
                    let it = &mut self.nodes[to];
                    if !it.on || !it.links[packet.segment].up {
                        continue;
                    }
                    if it.stopped {
                        it.waiting.push_back(packet);
                    } else if it
                        .open
                        .contains(&(packet.segment as u32 + 1, packet.source.is_ipv6()))
                    {
                        self.hear(to, &packet);
                    }
                }
            }
        }
        self.now = end;
    }

    /// Whether it is so before the span is over; stops then.
    pub fn run_until(&mut self, span: Duration, so: impl Fn(&World) -> bool) -> bool {
        let end = self.now + span;
        while !so(self) {
            if self.now >= end {
                return false;
            }
            self.run(millis(1));
        }
        true
    }

    pub fn summary(&self, node: usize, router: u32) -> Summary {
        let all = self.nodes[node].vrrp.summaries(self.local(node));
        all.into_iter().find(|summary| summary.router == id(router)).unwrap()
    }

    /// Of its first virtual router.
    pub fn state(&self, node: usize) -> State {
        self.summary(node, 1).state
    }

    /// The nodes that are Active on a segment.
    pub fn active(&self, segment: usize) -> Vec<usize> {
        let is_active = |node: &usize| {
            let it = &self.nodes[*node];
            let summaries = || it.vrrp.summaries(self.now).into_iter();
            it.on
                && it.states.values().any(|state| *state == State::Active)
                && summaries().any(|summary| {
                    summary.settings.interface == segment as u32 + 1
                        && summary.state == State::Active
                })
        };
        (0..self.nodes.len()).filter(is_active).collect()
    }

    /// The priorities that a node has sent since then, with the times.
    pub fn said(&self, node: usize, since: Time) -> Vec<(Time, u8)> {
        let of_node = |sent: &&Sent| sent.from == node && sent.at >= since;
        let said = self.sent.iter().filter(of_node);
        said.map(|sent| (sent.at, sent.advertisement.priority)).collect()
    }

    /// States and reasons that the first virtual router of a node has gone through.
    pub fn story(&self, node: usize) -> Vec<(State, Reason)> {
        let of_first = |(_, change): &&(Time, Change)| change.router == id(1);
        let changes = self.nodes[node].changes.iter().filter(of_first);
        changes.map(|(_, change)| (change.state, change.reason)).collect()
    }

    /// The last of those.
    pub fn last(&self, node: usize) -> (State, Reason) {
        *self.story(node).last().unwrap()
    }
}
