//! The whole agent as one value: neighbours with their sessions, the RIB, the groups with the
//! operators' orders, and the model of the kernel's routes. It has the four verbs of the cores and is
//! the only room that knows them all. It has no I/O, no clock and no tasks: the driver and the simulator
//! hand in [`Event`]s with the time and carry out [`Action`]s.
//!
//! Each input is settled before the next, in one order:
//!
//! ```text
//!   event ─> session of one neighbour / OSPF router / order / kernel / configuration
//!              │ routes learned and lost (imports.rs)
//!              v
//!             RIB  <── own announcements ── groups, intents (announcements.rs)
//!              │                              └─ lowered by verdicts and rules, as far as guards let them
//!              │                                 (health.rs, lowering.rs, guards.rs, elsewhere.rs)
//!              │
//!              ├──> what each neighbour is to have (exports.rs) ──> UPDATEs ──> its session
//!              ├──> what the area is to see (ospf.rs) ──> the router's LSAs
//!              └──> what the kernel is to have ──> difference ──> netlink
//! ```
//!
//! What can be a whole table is done in portions: changed prefixes, tables on their way to a
//! neighbour, kernel changes. While there is more to do and room to do it, [`Agent::deadline`] is in the past, so the driver
//! takes in what has arrived between two portions. Our own announcements do not wait in that line.
//!
//! **Queues to neighbours.** The agent counts the octets that a connection has not taken yet and stops
//! draining a neighbour's Adj-RIB-Out at [`exports::QUEUE_LIMIT`]; a slow neighbour therefore costs one entry per
//! prefix, not one message per change.
//!
//! **Orders** have a life of their own: see `orders.rs`.

mod announcements;
mod bfd;
mod bfd_reads;
mod campaigns;
mod check_text;
mod collectors;
mod deliveries;
mod elsewhere;
mod event;
mod exports;
mod fleet;
mod fleet_messages;
mod guards;
mod health;
mod health_reads;
mod holding;
mod imports;
mod kernel;
mod ledger;
mod links;
mod lowering;
mod lsa_text;
mod neighbor;
mod orders;
mod ospf;
mod ospf_reads;
mod ospf_tables;
mod participant;
mod placements;
mod plan;
mod policies;
mod policy_reads;
mod preview;
mod reads;
mod reload;
mod restart;
mod route_reads;
mod rpki_reads;
mod rules;
mod service;
mod survivor;
mod switch_commands;
mod switch_plan;
mod switch_preview;
mod switching;
mod table_dump;
mod takeover;
mod text;
mod tracking;
mod validation;
mod vrrp;
mod vrrp_reads;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ipnet::Ipv4Net;

use bfd::Sessions;
use collectors::Collectors;
use elsewhere::Others;
pub use event::{
    Action, AskId, CallId, CollectorEvent, CommandId, Event, OrderId, OspfAction, Owner,
    PeerAction, PeerEndpoint, PeerId, Probe, ProbeId, StateChange, VirtualAddresses,
};
use fleet::Asker;
use guards::Guards;
use health::Checks;
pub use health_reads::ToTry;
use links::Links;
use lowering::Lowering;
use neighbor::Neighbor;
use orders::{Durable, Orders};
use ospf::{Ospf, Withholding};
pub use policy_reads::test_policy;
use restart::Restarting;
use survivor::Survivor;
use switching::Switching;
pub use table_dump::TableDump;
use tracking::Probes;
use validation::Validation;
use vrrp::VirtualRouters;

use crate::api::v1;
use crate::bgp;
use crate::config::{Config, OnExit};
use crate::fast;
use crate::fib::Fib;
use crate::group::{Announcement, Intents};
use crate::health::Memory;
use crate::rib::{Rib, SourceId};
use crate::types::{Prefix, Rng, Time, Wall};

/// How long the daemon waits for another node to take its virtual routers over when it is told to stop: for those with
/// advertisements a second apart.
const RELEASE_WITHIN: Duration = Duration::from_millis(1500);

/// How long the daemon waits for its last words to neighbours and kernel when it is told to stop, and for those of
/// an OSPF router that the configuration ends.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What an agent begins with.
#[derive(Clone, Debug)]
pub struct Start {
    pub config: Config,
    /// As they were on disk.
    pub intents: Intents,
    /// What [`Action::StoreHealth`] stored last; empty if nothing.
    pub health: String,
    /// Calendar time at [`Time::ZERO`].
    pub wall: Wall,
    /// Of all jitter.
    pub seed: u64,
    /// The next four are only shown.
    pub version: String,
    pub configuration_path: String,
    pub state_directory: String,
    /// What the driver found wrong before there was an agent, for instance a damaged file of intents.
    pub warnings: Vec<String>,
}

/// One node's agent. A clone is a dry run.
#[derive(Clone)]
pub struct Agent {
    config: Config,
    wall: Wall,
    rng: Rng,
    facts: Facts,
    neighbors: BTreeMap<PeerId, Neighbor>,
    next_peer: u32,
    /// The names of the neighbours, as the sources of routes.
    source_names: BTreeMap<SourceId, String>,
    /// Unless it is not configured.
    ospf: Option<Ospf>,
    rib: Rib,
    validation: Validation,
    fib: Fib,
    orders: Orders,
    /// Every prefix that this node may announce, with its effective preference.
    own: BTreeMap<Prefix, Announcement>,
    /// Own announcements whose preference changed and which the neighbours are to be told of.
    own_changed: BTreeSet<Prefix>,
    /// A table is being gone through, and more than its first portion was sent to neighbours.
    packing: bool,
    /// Which neighbours are being told of which own announcements in this round of settling.
    told: BTreeMap<Prefix, BTreeSet<PeerId>>,
    /// Which own announcements the area is being told of in this round.
    flooded: BTreeSet<Ipv4Net>,
    /// Orders that took effect in this round, with the time the disk had them.
    durable: Vec<(Durable, Time)>,
    /// Whether configuration, intents or time may have changed a preference.
    groups_stale: bool,
    /// The neighbours have sent what they had after our start, so what they did not send may go.
    converged: bool,
    withholding: Withholding,
    restarting: Restarting,
    links: Links,
    sessions: Sessions,
    routers: VirtualRouters,
    probes: Probes,
    checks: Checks,
    guards: Guards,
    lowering: Lowering,
    others: Others,
    survivor: Survivor,
    switching: Switching,
    /// Own announcements that a takeover does not let OSPF or BGP be told of yet.
    held: BTreeSet<Prefix>,
    /// The kernel's last refusal.
    kernel_error: String,
    told_of_compat_mode: bool,
    collectors: Collectors,
    stopping: Option<Time>,
    /// Sessions stay up until then, or until the virtual routers are released.
    release_by: Option<Time>,
    /// Our routes have been taken out of the kernel, or are being.
    withdrawn: bool,
    stopped: bool,
    events: u64,
    /// Commands that were run.
    commands: u64,
    actions: VecDeque<Action>,
}

/// Shown and nothing else.
#[derive(Clone)]
struct Facts {
    version: String,
    configuration_path: String,
    state_directory: String,
    warnings: Vec<String>,
    /// Unless the lane of BFD and VRRP has not started yet.
    lane: Option<LaneFacts>,
}

/// What the thread of BFD and VRRP may do, or why it may not.
#[derive(Clone)]
struct LaneFacts {
    realtime: Result<(), String>,
    locked: Result<(), String>,
}

impl Agent {
    /// An agent that begins to dial with its first [`Agent::poll`].
    pub fn new(start: Start) -> Agent {
        let memory = Memory::from_text(&start.health, start.wall);
        let mut warnings = start.warnings;
        if let Err(problem) = &memory {
            warnings.push(format!("what was remembered of the checks cannot be read: {problem}"));
        }
        let mut agent = Agent {
            ospf: None,
            fib: kernel::model(&start.config),
            config: start.config,
            wall: start.wall,
            rng: Rng::new(start.seed),
            facts: Facts {
                version: start.version,
                configuration_path: start.configuration_path,
                state_directory: start.state_directory,
                warnings,
                lane: None,
            },
            neighbors: BTreeMap::new(),
            next_peer: 0,
            source_names: BTreeMap::new(),
            rib: Rib::new(),
            validation: Validation::default(),
            orders: Orders::new(start.intents),
            own: BTreeMap::new(),
            own_changed: BTreeSet::new(),
            packing: false,
            told: BTreeMap::new(),
            flooded: BTreeSet::new(),
            durable: Vec::new(),
            groups_stale: true,
            converged: false,
            withholding: Withholding::Over,
            restarting: Restarting::Over { preserved: true },
            links: Links::default(),
            sessions: Sessions::default(),
            routers: VirtualRouters::default(),
            probes: Probes::default(),
            checks: Checks::new(Rng::new(!start.seed), memory.unwrap_or_default()),
            guards: Guards::default(),
            lowering: Lowering::default(),
            others: Others::default(),
            survivor: Survivor::default(),
            switching: Switching::default(),
            held: BTreeSet::new(),
            kernel_error: String::new(),
            told_of_compat_mode: false,
            collectors: Collectors::new(),
            stopping: None,
            release_by: None,
            withdrawn: false,
            stopped: false,
            events: 0,
            commands: 0,
            actions: VecDeque::new(),
        };
        let now = Time::ZERO;
        for text in agent.facts.warnings.clone() {
            agent.report(now, "daemon", "", "warning", text);
        }
        agent.rib.set_distances(agent.config.distances);
        let rng = agent.rng.fork();
        agent.ospf = Ospf::new(&agent.config, agent.wall, rng, now);
        if agent.ospf.is_some() && agent.config.kernel.install {
            agent.withholding = Withholding::UntilDump;
        }
        if agent.asks_to_keep_routes() {
            agent.restarting = Restarting::UntilDump;
        }
        agent.probes_changed();
        agent.routers_changed(now);
        agent.follow_by_ospf(now);
        agent.configure_checks(now);
        agent.configure_collectors();
        // What we announce is known before the first OPEN or Hello is sent.
        agent.settle(now);
        let names: Vec<String> = agent.config.neighbors.keys().cloned().collect();
        for name in names {
            agent.add_neighbor(&name, now);
        }
        agent.settle(now);
        agent
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Time) {
        match event {
            Event::Peer { peer, event } => self.session_event(peer, event, now),
            Event::PacketReceived { interface, source, destination, packet } => {
                let event =
                    crate::ospf::Event::PacketReceived { interface, source, destination, packet };
                self.ospf_event(event, now);
            }
            Event::InterfaceOpened { interface, result } => {
                self.interface_opened(interface, result)
            }
            Event::Fast(report) => self.reported(report, now),
            Event::Rpki(report) => self.rpki_reported(report, now),
            Event::LaneStarted { realtime, locked } => {
                self.facts.lane = Some(LaneFacts { realtime, locked });
            }
            Event::AddressesSet { router, assigned, result } => {
                self.addresses_set(router, assigned, result, now);
            }
            Event::CommandEnded { command, result } => {
                if !self.switch_command_ended(command, &result, now) {
                    self.command_ended(command, result, now);
                }
            }
            Event::Held { group, result } => self.held(&group, result, now),
            Event::Probed { probe, up, text } => self.probed(probe, up, text, now),
            // Thousands a second, and mostly there is nothing to settle.
            Event::CheckEnded { run, outcome } => {
                if !self.switching.services.asks(run.check) {
                    return self.check_ended(run, outcome, now);
                }
                if !self.service_answered(run, outcome, now) {
                    return;
                }
            }
            Event::Kernel(observed) => self.kernel_observed(observed, now),
            Event::KernelApplied(results) => self.kernel_applied(results, now),
            Event::Ordered { order, request, owner } => self.ordered(order, &request, &owner, now),
            Event::SwitchOrdered { order, request, owner } => {
                self.switch_ordered(order, request, owner, now);
            }
            Event::SwitchPlanWanted { order, request } => self.plan_wanted(order, request, now),
            Event::NodeAsked { ask, node, message } => {
                self.asked(Asker::Node(ask), &node, *message, now);
            }
            Event::AskAbandoned(ask) => self.leave_question(Asker::Node(ask)),
            Event::NodeAnswered { call, result } => self.node_answered(call, result, now),
            Event::OrderAbandoned(order) => self.orders.abandon(order),
            Event::IntentsStored { version, result } => self.intents_stored(version, result, now),
            Event::Acknowledged { order, peer } => self.acknowledged(order, peer, now),
            Event::Collector { collector, event } => self.collector_event(&collector, event, now),
            Event::RefreshWanted { peer } => self.refresh_wanted(peer, now),
            Event::Reconfigured(config) => self.reconfigure(*config, now),
            Event::StopWanted => self.stop(now),
        }
        self.settle(now);
    }

    /// Fires the timers that are due, and does the next portion of bulk work; a spurious call does nothing.
    pub fn tick(&mut self, now: Time) {
        let verdicts_changed = self.health_tick(now);
        let answered = self.services_tick(now);
        if !verdicts_changed && !answered && self.deadline_but_checks().is_none_or(|at| at > now) {
            return;
        }
        let due = |neighbor: &&Neighbor| neighbor.peer.deadline().is_some_and(|at| at <= now);
        let peers: Vec<PeerId> = self.neighbors.values().filter(due).map(|n| n.id).collect();
        for peer in peers {
            if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                neighbor.peer.tick(now);
            }
            self.run_session(peer, now);
        }
        self.ospf_tick(now);
        self.fib.tick(now);
        self.expire(now);
        self.switching_tick(now);
        self.settle(now);
    }

    /// When to tick next. Lies in the past while bulk work is waiting.
    pub fn deadline(&self) -> Option<Time> {
        let checks = self.checks.deadline().into_iter().chain(self.switching.services.deadline());
        self.deadline_but_checks().into_iter().chain(checks).min()
    }

    /// Checks are the most frequent of all, and mostly change nothing.
    fn deadline_but_checks(&self) -> Option<Time> {
        if self.has_bulk_work() {
            return Some(Time::ZERO);
        }
        let sessions = self.neighbors.values().filter_map(|neighbor| neighbor.peer.deadline());
        sessions
            .chain(self.ospf.as_ref().and_then(|ospf| ospf.router.deadline()))
            .chain(self.fib.deadline())
            .chain(self.orders.deadline())
            .chain(self.next_expiry())
            .chain(self.lock_ends())
            .chain(self.switching_due())
            .chain(self.stopping)
            .chain(self.release_by)
            .chain(self.withholding_ends())
            .chain(self.restarting_ends())
            .chain(self.patience_ends())
            .chain(self.leave_ends())
            .chain(self.takeovers_due())
            .chain(self.return_due())
            .chain(self.lowering_due())
            .chain(self.bfd_due())
            .min()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    fn next_command(&mut self) -> CommandId {
        self.commands += 1;
        CommandId(self.commands)
    }

    /// The calendar time of a moment.
    fn wall(&self, now: Time) -> Wall {
        self.wall + now.since(Time::ZERO)
    }

    fn settle(&mut self, now: Time) {
        loop {
            self.settle_routes(now);
            // What a switch or another node says may change a preference.
            if !self.settle_switching(now) {
                break;
            }
        }
    }

    fn settle_routes(&mut self, now: Time) {
        self.settle_links(now);
        self.settle_next_hops();
        self.settle_leave(now);
        self.settle_bfd(now);
        self.settle_locks(now);
        self.settle_services(now);
        self.settle_validation();
        self.settle_restart(now);
        loop {
            self.groups_stale |= self.settle_lowering(now);
            self.groups_stale |= self.settle_survivor(now);
            let moved = self.settle_takeovers(now);
            self.settle_announcements(now);
            self.settle_exports(now);
            self.settle_kernel(now);
            // A step of a takeover is done when what it needs is settled.
            if !moved && !self.is_elsewhere_stale() {
                break;
            }
        }
        self.settle_forwarding(now);
        self.settle_withholding(now);
        self.settle_orders(now);
        self.settle_stop(now);
    }

    fn has_bulk_work(&self) -> bool {
        self.has_monitoring_work()
            || self.rib.has_changes()
            || self.validation.is_pending()
            || self.fib.has_work()
            || self.neighbors.values().any(Neighbor::can_drain)
    }

    fn report(&mut self, now: Time, kind: &str, subject: &str, severity: &str, text: String) {
        self.events += 1;
        let event = v1::Event {
            number: self.events,
            at: self.wall(now).to_string(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            text,
            severity: severity.to_owned(),
        };
        self.actions.push_back(Action::Report(event));
    }

    /// Gives up the virtual routers, then takes leave of neighbours and, if so configured, of the kernel.
    fn stop(&mut self, now: Time) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(now + RELEASE_WITHIN + STOP_WITHIN);
        self.release_by = Some(now + RELEASE_WITHIN);
        self.report(now, "daemon", "", "info", "stopping".to_owned());
    }

    fn say_goodbye(&mut self, now: Time) {
        self.release_by = None;
        self.stopping = Some(now + STOP_WITHIN);
        self.remove_routers();
        self.store_memory(now);
        self.part_from_collectors(|_, _| true);
        self.actions.push_back(Action::Fast(fast::Order::Stop));
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in peers {
            let event = match self.will_be_back(peer) {
                true => bgp::Event::Suspended,
                false => bgp::Event::Stopped { communication: "shuntd stops".to_owned() },
            };
            self.session_event(peer, event, now);
        }
        self.ospf_event(crate::ospf::Event::Stopped, now);
    }

    fn settle_stop(&mut self, now: Time) {
        if self.release_by.is_some_and(|by| now >= by || self.has_released_all()) {
            self.say_goodbye(now);
        }
        let Some(by) = self.stopping.filter(|_| self.release_by.is_none()) else { return };
        // Neighbours first: as long as they may send us packets, the routes are there.
        let has_left = self.ospf.as_ref().is_none_or(|ospf| ospf.router.has_left(now));
        let withdraws = self.config.kernel.on_exit == OnExit::Withdraw;
        if has_left && withdraws && !std::mem::replace(&mut self.withdrawn, true) {
            self.fib.withdraw_all();
            self.settle_kernel(now);
        }
        let kernel_done = !withdraws || (self.withdrawn && self.fib.is_settled());
        let commands_done = !self.routers.has_commands();
        if !self.stopped && ((has_left && kernel_done && commands_done) || now >= by) {
            self.stopped = true;
            self.actions.push_back(Action::Stopped);
        }
        if self.stopped {
            self.stopping = Some(Time::from_micros(u64::MAX));
        }
    }
}
