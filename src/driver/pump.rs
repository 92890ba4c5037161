use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::sleep_until;
use tonic::Status;

use super::addresses::Addresses;
use super::checks::Checks;
use super::clock::Clock;
use super::collectors::Collectors;
use super::commands::Commands;
use super::fleet::{self, Fleet};
use super::hold::Holds;
use super::inbox::{Answer, Input, Lanes, News, NodeAnswer, PlanAnswer};
use super::journal::Journal;
use super::kernel::{Kernel, Report};
use super::lane::{Lane, Told};
use super::memory::Memory;
use super::ospf::OspfSockets;
use super::peers::Peers;
use super::probes::Probes;
use super::rpki::Rpki;
use super::update_log::UpdateLog;
use super::{ledger, store};
use crate::agent::{Action, Agent, AskId, Event, OrderId, PeerAction};
use crate::api::v1;
use crate::bgp::{self, ConnectionId};
use crate::config::Config;
use crate::fast;

/// The one task that owns the agent: events in, actions out. Nothing in it waits for anything but the next
/// event or deadline.
pub struct Pump {
    pub agent: Agent,
    pub clock: Clock,
    pub lanes: Lanes,
    pub peers: Peers,
    pub ospf: OspfSockets,
    pub kernel: Kernel,
    pub reports: mpsc::Receiver<Report>,
    pub lane: Lane,
    pub told: Told,
    pub addresses: Addresses,
    pub commands: Commands,
    pub holds: Holds,
    pub probes: Probes,
    pub checks: Checks,
    pub fleet: Fleet,
    pub rpki: Rpki,
    pub memory: Memory,
    pub store: store::Writer,
    pub ledger: ledger::Writer,
    pub update_log: UpdateLog,
    pub collectors: Collectors,
    pub journal: Journal,
    /// Clients that wait for an order.
    pub answers: BTreeMap<OrderId, Answer>,
    pub plans: BTreeMap<OrderId, PlanAnswer>,
    /// Nodes that wait for an answer.
    pub asks: BTreeMap<AskId, NodeAnswer>,
    /// Clients that hear of a switch.
    pub news: BTreeMap<OrderId, News>,
    /// When to end even if the agent has not stopped.
    pub stop_by: Option<Instant>,
    /// The agent has said its last word.
    pub stopped: bool,
}

/// Messages of neighbours that are taken between two looks at the timers and the other lane: a fraction of a
/// millisecond of work. An order needs some five such looks from its connection to its UPDATE.
const BATCH: usize = 16;
/// The agent says goodbye to neighbours and kernel within two seconds; this is for an agent that does not.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// The lane's last packets are a round of its own, some microseconds.
const LANE_ENDS_WITHIN: Duration = Duration::from_millis(500);

impl Pump {
    /// Runs until the agent has stopped.
    pub async fn run(mut self) {
        self.work().await;
        self.lane.order(fast::Order::Stop);
        self.holds.end().await;
        if !self.told.ended(LANE_ENDS_WITHIN).await {
            tracing::error!("the thread of BFD and VRRP did not end");
        }
    }

    async fn work(&mut self) {
        let mut wrote = self.carry_out();
        loop {
            if self.stopped {
                return;
            }
            if self.stop_by.is_some_and(|by| Instant::now() >= by) {
                tracing::error!("not everything was closed within {} s", STOP_WITHIN.as_secs());
                return;
            }
            let full = self.take_batch(wrote).await;
            let due = self.is_due();
            if due {
                self.agent.tick(self.clock.now());
            }
            wrote = self.carry_out();
            if full || due || wrote {
                // There may be more at once, and for long: the sockets have a turn in between.
                yield_now().await;
            }
        }
    }

    fn is_due(&self) -> bool {
        self.agent.deadline().is_some_and(|at| at <= self.clock.now())
    }

    /// Waits for an input unless the agent has work of its own or is `busy`, then takes what else is there. Says
    /// whether there may be more.
    async fn take_batch(&mut self, busy: bool) -> bool {
        if !busy && !self.is_due() {
            let deadline = self.agent.deadline();
            let until_deadline = async {
                match deadline {
                    Some(at) => sleep_until(self.clock.instant(at).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(event) = self.told.next() => self.agent.handle(event, self.clock.now()),
                Some(input) = self.lanes.control.recv() => self.take(input),
                Some(report) = self.reports.recv() => self.take_report(report),
                Some(input) = self.lanes.messages.recv() => self.take(input),
                () = until_deadline => return false,
            }
        }
        while let Some(event) = self.told.try_next() {
            self.agent.handle(event, self.clock.now());
        }
        while let Ok(input) = self.lanes.control.try_recv() {
            self.take(input);
        }
        if let Ok(report) = self.reports.try_recv() {
            self.take_report(report);
        }
        for _ in 0..BATCH {
            let Ok(input) = self.lanes.messages.try_recv() else { return false };
            self.take(input);
        }
        true
    }

    fn take(&mut self, input: Input) {
        let event = match input {
            Input::Event(event) => {
                self.let_go(&event);
                Some(event)
            }
            Input::Dialled { peer, attempt, result } => self.peers.dialled(peer, attempt, result),
            Input::Accepted(stream) => self.peers.accepted(stream),
            Input::Question(question) => {
                question(&mut self.agent, self.clock.now());
                None
            }
            Input::Order { order, request, owner, answer } => {
                self.answers.insert(order, answer);
                Some(Event::Ordered { order, request, owner })
            }
            Input::Switch { order, request, owner, news } => {
                self.news.insert(order, news);
                Some(Event::SwitchOrdered { order, request, owner })
            }
            Input::PlanSwitch { order, request, answer } => {
                self.plans.insert(order, answer);
                Some(Event::SwitchPlanWanted { order, request })
            }
            Input::NodeAsked { ask, node, message, answer } => {
                self.asks.insert(ask, answer);
                Some(Event::NodeAsked { ask, node, message })
            }
            Input::Reload { config, credentials, answer } => {
                let _ = answer.send(self.reload(config, credentials));
                None
            }
            Input::Stop => {
                self.stop_by.get_or_insert(Instant::now() + STOP_WITHIN);
                Some(Event::StopWanted)
            }
        };
        if let Some(event) = event {
            self.agent.handle(event, self.clock.now());
        }
    }

    /// Gives back what is kept for a connection that has ended, or for a client that went away. The agent does
    /// not ask for it: for it they are no more.
    fn let_go(&mut self, event: &Event) {
        match event {
            Event::Peer { event: bgp::Event::Closed { connection, .. }, .. } => {
                self.peers.close(*connection);
            }
            Event::OrderAbandoned(order) => {
                self.answers.remove(order);
                self.plans.remove(order);
                self.news.remove(order);
            }
            Event::AskAbandoned(ask) => drop(self.asks.remove(ask)),
            Event::NodeAnswered { call, .. } => self.fleet.answered(*call),
            _ => {}
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Observed(all) => {
                for observed in all {
                    self.agent.handle(Event::Kernel(observed), self.clock.now());
                }
            }
            Report::Applied(results) => {
                self.agent.handle(Event::KernelApplied(results), self.clock.now());
            }
        }
    }

    /// Does what the agent wants done, in order. Says whether something was written: the agent knows, and may have more
    /// to send. That has to wait for the timers and sockets, or a table that fits into the buffers of TCP would go
    /// out in one piece, longer than a hold time.
    fn carry_out(&mut self) -> bool {
        // Connections with something to write: one call per connection and round, not per message.
        let mut unwritten = BTreeSet::new();
        while let Some(action) = self.agent.poll() {
            self.carry(action, &mut unwritten);
        }
        let wrote = !unwritten.is_empty();
        self.flush(&mut unwritten);
        wrote
    }

    fn carry(&mut self, action: Action, unwritten: &mut BTreeSet<ConnectionId>) {
        let event = match action {
            Action::Peer { action: PeerAction::Send { connection, bytes }, .. } => {
                unwritten.insert(connection);
                self.peers.send(connection, bytes)
            }
            Action::Peer { action: PeerAction::Close { connection }, .. } => {
                self.peers.close(connection);
                None
            }
            Action::Peer { peer, action: PeerAction::Dial } => {
                self.peers.dial(peer);
                None
            }
            Action::Peer { peer, action: PeerAction::StopDialling } => {
                self.peers.stop_dialling(peer);
                None
            }
            Action::AddPeer { peer, endpoint } => {
                self.peers.add(peer, *endpoint);
                None
            }
            Action::RemovePeer { peer } => {
                self.peers.remove(peer);
                None
            }
            Action::Ospf(action) => self.ospf.carry_out(action),
            Action::Fast(order) => {
                self.lane.order(order);
                None
            }
            Action::SetAddresses { router, wanted } => {
                self.addresses.set(router, wanted);
                None
            }
            Action::Run { command, words, environment, timeout } => {
                self.commands.run(command, words, environment, timeout);
                None
            }
            Action::Hold { group, prefixes, lasts } => {
                self.holds.set(group, prefixes, lasts);
                None
            }
            Action::ForgetCommand(command) => {
                self.commands.forget(command);
                None
            }
            Action::Watch { probe, object } => {
                self.probes.watch(probe, object);
                None
            }
            Action::Ask { run, settings } => {
                self.checks.ask(run, settings);
                None
            }
            Action::Connect { check, to, origin } => {
                self.checks.connect(check, to, origin);
                None
            }
            Action::ForgetCheck { check } => {
                self.checks.forget(check);
                None
            }
            Action::StoreHealth { text } => {
                self.memory.store(text);
                None
            }
            Action::StoreIntents { version, text } => {
                self.store.store(version, text);
                None
            }
            Action::AwaitAcknowledgement { order, peer } => {
                self.flush(unwritten);
                self.peers.await_acknowledgement(order, peer)
            }
            Action::Answer { order, answer } => {
                if let Some(waiting) = self.answers.remove(&order) {
                    // An error says that the client went away.
                    let _ = waiting.send(answer.map(|reply| *reply));
                }
                None
            }
            Action::Progress { order, progress } => {
                if let Some(news) = self.news.get(&order) {
                    // An error says that the client went away, or does not read.
                    let _ = news.try_send(Ok(*progress));
                }
                None
            }
            Action::ProgressEnded { order, result } => {
                if let (Some(news), Err(status)) = (self.news.remove(&order), result) {
                    let _ = news.try_send(Err(status));
                }
                None
            }
            Action::Planned { order, result } => {
                if let Some(waiting) = self.plans.remove(&order) {
                    let _ = waiting.send(result.map(|reply| *reply));
                }
                None
            }
            Action::AskNode { call, node, message } => {
                self.fleet.ask(call, &node, *message);
                None
            }
            Action::ForgetCall(call) => {
                self.fleet.forget(call);
                None
            }
            Action::AnswerNode { ask, result } => {
                if let Some(waiting) = self.asks.remove(&ask) {
                    // An error says that the node does not wait any more.
                    let _ = waiting.send(result.map(|reply| *reply));
                }
                None
            }
            Action::Record { entry } => {
                if let Err(lost) = self.ledger.record(*entry) {
                    self.journal.warn("ledger", "", lost);
                }
                None
            }
            Action::Kernel(changes) => {
                self.kernel.apply(changes);
                None
            }
            Action::SetCollectors(collectors) => {
                self.collectors.set(collectors);
                None
            }
            Action::ToCollector { collector, connection, bytes } => {
                self.collectors.send(collector, connection, bytes);
                None
            }
            Action::StateChanged(change) => {
                self.update_log.state_changed(&change);
                None
            }
            Action::RescanKernel => {
                self.kernel.rescan();
                None
            }
            Action::Report(event) => {
                self.journal.record(event);
                None
            }
            Action::Stopped => {
                self.stopped = true;
                None
            }
        };
        if let Some(event) = event {
            self.agent.handle(event, self.clock.now());
        }
    }

    fn flush(&mut self, unwritten: &mut BTreeSet<ConnectionId>) {
        for connection in std::mem::take(unwritten) {
            if let Some(event) = self.peers.flush(connection) {
                self.agent.handle(event, self.clock.now());
            }
        }
    }

    fn reload(
        &mut self,
        config: Box<Config>,
        credentials: Option<fleet::Read>,
    ) -> Result<v1::ReloadReply, Status> {
        let mut changes = self.agent.preview_reload(&config);
        let bound = self.peers.listeners().bind_new(&config.listen);
        let for_fleet = self.fleet.bind_new(config.fleet.as_ref());
        let (bound, for_fleet) =
            bound.and_then(|bound| Ok((bound, for_fleet?))).map_err(|exit| {
                let text = format!("nothing was changed: {exit}");
                self.journal.warn("configuration", "", text.clone());
                Status::internal(text)
            })?;
        self.peers.listen(&config.listen, bound);
        let (fleet, own) = (config.fleet.as_ref(), &config.node.name);
        changes.extend(self.fleet.configure(fleet, own, for_fleet, credentials));
        self.rpki.configure(config.rpki_caches.clone());
        self.update_log.configure(config.update_log.as_ref());
        self.agent.handle(Event::Reconfigured(config), self.clock.now());
        Ok(v1::ReloadReply { changes })
    }
}
