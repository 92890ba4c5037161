use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::checks::Service;
use super::fleet::Questions;
use super::kernel::Forwarding;
use super::lane::Packet;
use super::link::{Link, LinkId, Port, Wire};
use super::node::{Node, NodeId, Process};
use crate::agent::{Action, Agent, Event, OrderId, Owner, PeerId, Start, VirtualAddresses};
use crate::api::v1;
use crate::bgp::{self, ConnectionId};
use crate::config;
use crate::fast::{self, Fast};
use crate::group::Intents;
use crate::health::CheckId;
use crate::types::{Prefix, Rng, Time, Wall};
use crate::vrrp::VirtualRouterId;

/// Calendar time at the beginning of every world: 2026-01-01T00:00:00Z.
const EPOCH: Wall = Wall::from_micros(1_767_225_600_000_000);

/// From the end of an agent to that of its process, for what neighbours are still to hear.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// A write to the disk takes up to this long.
const DISK: Duration = Duration::from_micros(300);
/// A request to the kernel takes this long.
const KERNEL: Duration = Duration::from_micros(50);
/// An agent that wants to be ticked this often without time going on is stuck.
const SPIN_LIMIT: u32 = 100_000;

/// The whole simulated world. See the [module](super).
pub struct World {
    pub(super) now: Time,
    pub(super) rng: Rng,
    pub(super) nodes: Vec<Node>,
    pub(super) wires: Vec<Wire>,
    queue: BTreeMap<(Time, u64), Happening>,
    pub(super) sequence: u64,
    pub(super) connections: u64,
    orders: u64,
    pub(super) questions: Questions,
    spins: u32,
    pub(super) services: BTreeMap<String, Service>,
    transcript: String,
}

/// What will happen.
pub(super) enum Happening {
    /// An attempt of a dial to get through.
    Dial { node: NodeId, life: u64, peer: PeerId, number: u64, since: Time },
    /// Bytes, or the end, reach the reader of what this end writes.
    Arrival { node: NodeId, life: u64, connection: ConnectionId },
    /// The reset of a connection reaches its end.
    Reset { node: NodeId, life: u64, connection: ConnectionId },
    /// Something reaches the agent.
    Event { node: NodeId, life: u64, event: Event },
    /// An order reaches the lane.
    Ordered { node: NodeId, life: u64, order: fast::Order },
    /// A packet of BFD or VRRP reaches the lane.
    Packet { node: NodeId, life: u64, packet: Packet },
    /// The kernel is to change virtual addresses.
    Assign {
        node: NodeId,
        life: u64,
        router: VirtualRouterId,
        wanted: Option<Box<VirtualAddresses>>,
    },
    /// The guardian acts if the process is dead, or stopped as it was then.
    Guarded { node: NodeId, life: u64, router: VirtualRouterId, stopped: Option<u64> },
    /// It is time to look whether a connection that is held still stands.
    Keepalive { node: NodeId, life: u64, check: CheckId },
    /// Its last words are said: the process is gone.
    Ended { node: NodeId, life: u64 },
    /// The disk is done.
    Stored { node: NodeId, life: u64, version: u64, text: String },
}

impl Happening {
    /// The process that has to live and run for this, if it is one.
    fn reader(&self) -> Option<(NodeId, u64)> {
        match *self {
            Happening::Reset { node, life, .. }
            | Happening::Event { node, life, .. }
            | Happening::Ordered { node, life, .. }
            | Happening::Packet { node, life, .. }
            | Happening::Assign { node, life, .. }
            | Happening::Keepalive { node, life, .. }
            | Happening::Ended { node, life }
            | Happening::Stored { node, life, .. } => Some((node, life)),
            // The kernel's business.
            Happening::Dial { .. } | Happening::Arrival { .. } | Happening::Guarded { .. } => None,
        }
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            now: Time::ZERO,
            rng: Rng::new(seed),
            nodes: Vec::new(),
            wires: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            connections: 0,
            orders: 0,
            questions: Questions::default(),
            spins: 0,
            services: BTreeMap::new(),
            transcript: String::new(),
        }
    }

    /// A machine that is off. `configuration` is the text of its file.
    pub fn node(&mut self, configuration: &str) -> NodeId {
        let name = parse(configuration).map(|config| config.node.name).unwrap_or_default();
        self.nodes.push(Node {
            name,
            configuration: configuration.to_owned(),
            kernel: Default::default(),
            disk: Intents::default().to_text(),
            memory: String::new(),
            ledger: Vec::new(),
            collected: BTreeMap::new(),
            disk_full: false,
            deaf: false,
            process: None,
            lives: 0,
            off: false,
            clock: 0,
            files: Default::default(),
            commands_fail: false,
            programs: BTreeMap::new(),
            holds: BTreeMap::new(),
            holds_fail: false,
            check_loss: 0,
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Joins two machines. Each address has a length: `10.0.0.1/24`.
    pub fn link(&mut self, a: (NodeId, &str), b: (NodeId, &str), link: Link) -> LinkId {
        self.lan(&[a, b], link)
    }

    /// Joins any number of machines by one broadcast network.
    pub fn lan(&mut self, ends: &[(NodeId, &str)], link: Link) -> LinkId {
        let ends = ends.iter().map(|(node, address)| self.port(*node, address)).collect();
        let (ports, hosts) = Default::default();
        self.wires.push(Wire { link, ends, cut: false, mute: Vec::new(), ports, hosts });
        LinkId(self.wires.len() - 1)
    }

    fn port(&mut self, node: NodeId, text: &str) -> Port {
        let (address, length) = text.split_once('/').unwrap_or((text, "24"));
        let address: IpAddr = address.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let network = length.parse().ok().and_then(|length| Prefix::new(address, length));
        let kernel = &mut self.nodes[node.0].kernel;
        let port = Port {
            node,
            address,
            network: network.unwrap_or(Prefix::host(address)),
            interface: kernel.ports.len() as u32 + 1,
        };
        kernel.ports.push(port);
        port
    }

    pub fn now(&self) -> Time {
        self.now
    }

    /// All that happened, a line each.
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// Starts the agent with the node's configuration and what is on its disk.
    pub fn start(&mut self, id: NodeId) {
        self.sweep_addresses(id);
        let node = &mut self.nodes[id.0];
        let Ok(config) = parse(&node.configuration) else { return };
        node.lives += 1;
        node.off = false;
        let intents = Intents::from_text(&node.disk).unwrap_or_default();
        let seed = self.rng.next_u64();
        let agent = Agent::new(Start {
            config,
            intents,
            health: node.memory.clone(),
            wall: EPOCH + self.now.since(Time::ZERO),
            seed,
            version: String::new(),
            configuration_path: String::new(),
            state_directory: String::new(),
            warnings: Vec::new(),
        });
        node.process = Some(Process {
            agent,
            fast: Fast::new(Rng::new(!seed)),
            started: self.now,
            clock: node.clock,
            stopped: None,
            waiting: Vec::new(),
            sessions: BTreeMap::new(),
            vrrp: Default::default(),
            probes: BTreeMap::new(),
            commands: Vec::new(),
            running: BTreeMap::new(),
            runs: 0,
            held: BTreeMap::new(),
            peers: BTreeMap::new(),
            dials: BTreeMap::new(),
            connections: BTreeMap::new(),
            ospf: BTreeMap::new(),
            answers: BTreeMap::new(),
            heard: BTreeMap::new(),
            planned: BTreeMap::new(),
            events: Vec::new(),
        });
        self.note(id, "starts");
        self.start_lane(id);
        self.pump(id);
    }

    /// kill -9: the process is gone, its kernel resets the connections and keeps the routes. The guardian takes the
    /// virtual addresses away.
    pub fn kill(&mut self, id: NodeId) {
        if self.nodes[id.0].process.is_some() {
            self.note(id, "is killed");
            self.end(id);
            self.alarm_guardian(id, None);
        }
    }

    fn end(&mut self, id: NodeId) {
        self.lose_questions(id);
        let Some(process) = self.nodes[id.0].process.take() else { return };
        for end in process.connections.values().filter(|end| !end.closed) {
            let wire = &self.wires[end.link.0];
            let (arrives, cut) = (self.now + wire.link.latency, wire.cut);
            if !cut {
                let (node, life) = (end.remote, self.nodes[end.remote.0].lives);
                self.push(arrives, Happening::Reset { node, life, connection: end.twin });
            }
        }
    }

    /// The power fails: the process is gone and nobody is told.
    pub fn power_off(&mut self, id: NodeId) {
        self.lose_questions(id);
        self.nodes[id.0].process = None;
        self.nodes[id.0].off = true;
        self.nodes[id.0].kernel.virtuals.clear();
        self.note(id, "loses power");
    }

    /// SIGSTOP: nothing is read and no timer fires, while the kernel goes on.
    pub fn stop_process(&mut self, id: NodeId) {
        self.sequence += 1;
        let number = self.sequence;
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        if process.stopped.is_none() {
            process.stopped = Some(number);
            self.note(id, "is stopped");
            self.alarm_guardian(id, Some(number));
        }
    }

    /// SIGCONT: what waits in the sockets is read before the timers fire.
    pub fn continue_process(&mut self, id: NodeId) {
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        if process.stopped.take().is_none() {
            return;
        }
        let waiting = std::mem::take(&mut process.waiting);
        self.note(id, "goes on");
        for happening in waiting {
            self.happen(happening);
        }
        for (node, connection) in self.writers_to(id) {
            self.schedule_arrival(node, connection);
        }
    }

    /// How much faster than the world's the clock of a node runs, in millionths, from its next start on.
    pub fn set_clock(&mut self, id: NodeId, millionths: i32) {
        self.nodes[id.0].clock = millionths;
    }

    /// Packets vanish from now on.
    pub fn cut(&mut self, id: LinkId) {
        self.wires[id.0].cut = true;
        self.line(&format!("link {} is cut", id.0));
    }

    /// As [`World::cut`], and both kernels lose carrier.
    pub fn unplug(&mut self, id: LinkId) {
        self.cut(id);
        self.carrier(id, false);
    }

    /// What this node sends on the link vanishes from now on; what others send arrives.
    pub fn mute(&mut self, id: LinkId, node: NodeId) {
        self.wires[id.0].mute.push(node);
        self.note(node, &format!("is not heard on link {} any more", id.0));
    }

    /// How many percent of the packets on the link vanish from now on.
    pub fn set_loss(&mut self, id: LinkId, percent: u64) {
        self.wires[id.0].link.loss = percent;
        self.line(&format!("link {} loses {percent} %", id.0));
    }

    /// The link is whole again, with carrier.
    pub fn mend(&mut self, id: LinkId) {
        self.wires[id.0].cut = false;
        self.wires[id.0].mute.clear();
        self.line(&format!("link {} is mended", id.0));
        self.carrier(id, true);
    }

    fn carrier(&mut self, id: LinkId, up: bool) {
        for port in self.wires[id.0].ends.clone() {
            let node = &mut self.nodes[port.node.0];
            let was_down = node.kernel.down.contains(&port.interface);
            node.kernel.down.retain(|interface| *interface != port.interface);
            if !up {
                node.kernel.down.push(port.interface);
                node.kernel.carrier_lost(port.interface);
            }
            if was_down == up {
                let event = Event::Kernel(node.kernel.link(port.interface));
                self.event_at(self.now + KERNEL, port.node, event);
            }
        }
    }

    /// The node's process reads nothing from its connections, or reads again.
    pub fn set_deaf(&mut self, id: NodeId, deaf: bool) {
        self.nodes[id.0].deaf = deaf;
        if !deaf {
            let writers: Vec<(NodeId, ConnectionId)> = self.writers_to(id);
            for (node, connection) in writers {
                self.schedule_arrival(node, connection);
            }
        }
    }

    fn writers_to(&self, reader: NodeId) -> Vec<(NodeId, ConnectionId)> {
        let mut writers = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let connections = node.process.iter().flat_map(|process| &process.connections);
            let to_reader = connections.filter(|(_, end)| end.remote == reader);
            writers.extend(to_reader.map(|(connection, _)| (NodeId(index), *connection)));
        }
        writers
    }

    pub fn set_disk_full(&mut self, id: NodeId, full: bool) {
        self.nodes[id.0].disk_full = full;
    }

    /// A client's write. The answer is found by [`World::answer`].
    pub fn order(&mut self, id: NodeId, order: &str, target: &str, level: &str) -> OrderId {
        let request = v1::OrderRequest {
            order: order.to_owned(),
            target: target.to_owned(),
            level: level.to_owned(),
            ..Default::default()
        };
        self.request(id, request)
    }

    pub fn request(&mut self, id: NodeId, request: v1::OrderRequest) -> OrderId {
        let order = self.next_order();
        self.note(id, &format!("order {}: {} {}", order.0, request.order, request.target));
        let owner = Owner("operator (uid 0)".to_owned());
        self.deliver(id, Event::Ordered { order, request, owner });
        order
    }

    pub(super) fn next_order(&mut self) -> OrderId {
        self.orders += 1;
        OrderId(self.orders)
    }

    /// A new configuration, as by `shunt reload`; a text with mistakes is not taken. Gives what changes.
    pub fn reload(&mut self, id: NodeId, configuration: &str) -> Result<Vec<String>, Vec<String>> {
        let config = parse(configuration)?;
        self.nodes[id.0].configuration = configuration.to_owned();
        let changes = self.agent(id).map(|agent| agent.preview_reload(&config));
        self.deliver(id, Event::Reconfigured(Box::new(config)));
        Ok(changes.unwrap_or_default())
    }

    /// Hands the agent an event of another kind.
    pub fn deliver(&mut self, id: NodeId, event: Event) {
        let now = self.agent_now(id);
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        process.agent.handle(event, now);
        self.pump(id);
    }

    pub fn agent(&self, id: NodeId) -> Option<&Agent> {
        self.nodes[id.0].process.as_ref().map(|process| &process.agent)
    }

    /// The agent's own time.
    pub fn agent_now(&self, id: NodeId) -> Time {
        self.nodes[id.0].process.as_ref().map_or(Time::ZERO, |process| process.local(self.now))
    }

    pub fn answer(
        &self,
        id: NodeId,
        order: OrderId,
    ) -> Option<&Result<v1::OrderReply, tonic::Status>> {
        self.nodes[id.0].process.as_ref()?.answers.get(&order)
    }

    /// What its agents have recorded, in all lives.
    pub fn ledger(&self, id: NodeId) -> &[v1::LedgerEntry] {
        &self.nodes[id.0].ledger
    }

    /// What the node's agent reported in its present life.
    pub fn events(&self, id: NodeId) -> &[v1::Event] {
        self.nodes[id.0].process.as_ref().map_or(&[], |process| &process.events)
    }

    /// Routes of ours in the node's kernel, in order.
    pub fn kernel_routes(&self, id: NodeId) -> Vec<Forwarding> {
        let kernel = &self.nodes[id.0].kernel;
        kernel.routes.values().map(|route| kernel.forwarding(route)).collect()
    }

    /// The kernel drops a route of ours and tells nobody, as it does when a link goes down.
    pub fn drop_route(&mut self, id: NodeId, prefix: Prefix) {
        self.nodes[id.0].kernel.routes.retain(|(known, _), _| *known != prefix);
    }

    /// A route of another program.
    pub fn add_foreign_route(&mut self, id: NodeId, prefix: Prefix, metric: u32) {
        self.nodes[id.0].kernel.foreign.push((prefix, metric));
    }

    /// Lets time go by.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time go by until `reached`, but no longer than `span`. Says whether it was reached.
    pub fn run_until(&mut self, span: Duration, mut reached: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + span;
        loop {
            if reached(self) {
                return true;
            }
            if !self.step(end) {
                self.now = end;
                return reached(self);
            }
        }
    }

    /// The next happening or deadline up to `end`; false if there is none.
    fn step(&mut self, end: Time) -> bool {
        let deadline = self.next_deadline();
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let due = [deadline.map(|(at, _)| at), queued].into_iter().flatten().min();
        let Some(at) = due.filter(|at| *at <= end) else { return false };
        self.spins = if at > self.now { 0 } else { self.spins + 1 };
        if self.spins > SPIN_LIMIT {
            self.line("an agent is stuck: it wants to be ticked again and again");
            return false;
        }
        self.now = self.now.max(at);
        if queued == Some(at)
            && let Some((_, happening)) = self.queue.pop_first()
        {
            self.happen(happening);
        } else if let Some((_, id)) = deadline {
            let now = self.agent_now(id);
            if let Some(process) = self.nodes[id.0].process.as_mut() {
                if process.fast.deadline().is_some_and(|at| at <= now) {
                    process.fast.tick(now);
                }
                if process.agent.deadline().is_some_and(|at| at <= now) {
                    process.agent.tick(now);
                }
            }
            self.pump_lane(id);
            self.pump(id);
        }
        true
    }

    fn next_deadline(&self) -> Option<(Time, NodeId)> {
        let of = |(index, node): (usize, &Node)| {
            let process = node.process.as_ref().filter(|process| process.stopped.is_none())?;
            let agent = process.agent.deadline();
            let next = agent.into_iter().chain(process.fast.deadline()).min()?;
            Some((process.world(next).max(self.now), NodeId(index)))
        };
        self.nodes.iter().enumerate().filter_map(of).min()
    }

    fn happen(&mut self, happening: Happening) {
        if let Some((node, life)) = happening.reader()
            && let Some(process) = self.process(node, life)
            && process.stopped.is_some()
        {
            return process.waiting.push(happening);
        }
        match happening {
            Happening::Dial { node, life, peer, number, since } => {
                let current = self.process(node, life).and_then(|p| p.dials.get(&peer).copied());
                if current == Some(number) {
                    self.dial(node, peer, number, since);
                }
            }
            Happening::Arrival { node, life, connection } => self.arrive(node, life, connection),
            Happening::Reset { node, life, connection } => {
                let known =
                    self.process(node, life).and_then(|p| p.connections.remove(&connection));
                if let Some(end) = known.filter(|end| !end.closed) {
                    let reason = "connection reset by the neighbour".to_owned();
                    let event = bgp::Event::Closed { connection, reason };
                    self.deliver(node, Event::Peer { peer: end.peer, event });
                }
            }
            Happening::Event { node, life, event } => {
                if self.process(node, life).is_some() {
                    self.deliver(node, event);
                }
            }
            Happening::Ordered { node, life, order } => {
                if self.process(node, life).is_some() {
                    self.hand_to_lane(node, fast::Event::Ordered(order));
                }
            }
            Happening::Packet { node, life, packet } => {
                if self.process(node, life).is_some() {
                    self.arrive_at_lane(node, &packet);
                }
            }
            Happening::Assign { node, life, router, wanted } => {
                if self.process(node, life).is_some() {
                    self.assign(node, router, wanted);
                }
            }
            Happening::Guarded { node, life, router, stopped } => {
                let machine = &self.nodes[node.0];
                let as_then = match &machine.process {
                    None => stopped.is_none(),
                    Some(process) => stopped.is_some() && process.stopped == stopped,
                };
                if machine.lives == life && as_then {
                    self.guard(node, router);
                }
            }
            Happening::Keepalive { node, life, check } => self.keep_alive(node, life, check),
            Happening::Ended { node, .. } => self.end(node),
            Happening::Stored { node, life, version, text } => {
                let machine = &mut self.nodes[node.0];
                let result = match machine.disk_full {
                    true => Err("No space left on device".to_owned()),
                    false => Ok(()),
                };
                // What was given to the disk may get there even if the process died meanwhile.
                if result.is_ok() && (machine.lives == life || self.rng.chance(50)) {
                    machine.disk = text;
                }
                if self.process(node, life).is_some() {
                    self.deliver(node, Event::IntentsStored { version, result });
                }
            }
        }
    }

    pub(super) fn process(&mut self, node: NodeId, life: u64) -> Option<&mut Process> {
        let node = &mut self.nodes[node.0];
        node.process.as_mut().filter(|_| node.lives == life)
    }

    /// Carries out what an agent wants.
    fn pump(&mut self, id: NodeId) {
        loop {
            let node = &mut self.nodes[id.0];
            let life = node.lives;
            let Some(process) = node.process.as_mut() else { return };
            let Some(action) = process.agent.poll() else { return };
            match action {
                Action::AddPeer { peer, endpoint } => {
                    process.peers.insert(peer, endpoint);
                }
                Action::RemovePeer { peer } => {
                    process.peers.remove(&peer);
                }
                Action::Peer { peer, action } => self.on_connection(id, peer, action),
                Action::Ospf(action) => self.on_interface(id, action),
                Action::Fast(order) => self.order_lane(id, order),
                Action::SetAddresses { router, wanted } => self.set_addresses(id, router, wanted),
                Action::Run { command, words, timeout, .. } => {
                    self.run_command(id, command, words, timeout);
                }
                Action::Hold { group, prefixes, lasts } => self.hold(id, group, prefixes, lasts),
                Action::ForgetCommand(command) => self.forget_command(id, command),
                Action::Watch { probe, object } => self.watch(id, probe, object),
                Action::Ask { run, settings } => self.ask(id, run, &settings),
                // Results of it are nobody's.
                Action::Connect { check, to, .. } => self.connect(id, check, to),
                Action::ForgetCheck { check } => self.disconnect(id, check),
                // A write of a few bytes that nobody waits for.
                Action::StoreHealth { text } => node.memory = text,
                Action::Record { entry } => node.ledger.push(*entry),
                Action::StoreIntents { version, text } => {
                    let at = self.now + self.rng.jitter(DISK, 20, 100);
                    self.push(at, Happening::Stored { node: id, life, version, text });
                }
                Action::AwaitAcknowledgement { order, peer } => self.await_read(id, order, peer),
                Action::Answer { order, answer } => {
                    process.answers.insert(order, answer.map(|reply| *reply));
                    self.note(id, &format!("order {} is answered", order.0));
                }
                Action::Progress { order, progress } => {
                    process.heard.entry(order).or_default().progress.push(*progress);
                }
                Action::ProgressEnded { order, result } => {
                    process.heard.entry(order).or_default().ended = Some(result);
                }
                Action::Planned { order, result } => {
                    process.planned.insert(order, result.map(|reply| *reply));
                }
                Action::AskNode { call, node, message } => self.ask_node(id, call, &node, *message),
                Action::ForgetCall(call) => self.forget_call(id, call),
                Action::AnswerNode { ask, result } => self.answer_node(ask, result),
                Action::Kernel(changes) => {
                    let kernel = &mut node.kernel;
                    let results: Vec<_> = changes
                        .into_iter()
                        .map(|change| (change.key(), kernel.apply(change)))
                        .collect();
                    self.event_at(self.now + KERNEL, id, Event::KernelApplied(results));
                }
                Action::SetCollectors(_) => {}
                Action::ToCollector { collector, bytes, .. } => {
                    node.collected.entry(collector).or_default().extend(bytes);
                }
                // For archives only.
                Action::StateChanged(_) => {}
                Action::RescanKernel => {
                    for line in node.kernel.dump() {
                        self.event_at(self.now + KERNEL, id, Event::Kernel(line));
                    }
                }
                Action::Report(event) => {
                    let text = format!("{} {}: {}", event.kind, event.subject, event.text);
                    process.events.push(event);
                    self.note(id, &text);
                }
                Action::Stopped => {
                    // Its last words have gone the same way as this would.
                    self.hand_to_lane(id, fast::Event::Ordered(fast::Order::Stop));
                    self.note(id, "stops");
                    self.push(self.now + LAST_WORDS, Happening::Ended { node: id, life });
                    self.sweep_addresses(id);
                }
            }
        }
    }

    pub(super) fn event_at(&mut self, at: Time, node: NodeId, event: Event) {
        let life = self.nodes[node.0].lives;
        self.push(at, Happening::Event { node, life, event });
    }

    pub(super) fn push(&mut self, at: Time, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }

    pub(super) fn note(&mut self, id: NodeId, text: &str) {
        let line = format!("{} {text}", self.nodes[id.0].name);
        self.line(&line);
    }

    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.transcript, "{} {text}", self.now);
    }
}

fn parse(text: &str) -> Result<config::Config, Vec<String>> {
    let mut no_secret = |_: &str| Err("cannot be read in a simulation".to_owned());
    config::parse(text, "simulated.toml", &mut no_secret)
        .map_err(|mistakes| mistakes.iter().map(|mistake| mistake.message.clone()).collect())
}
