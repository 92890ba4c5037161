//! Switches that this node coordinates: from the client's request to the last word about it.
//!
//! What a client wants is a [`Campaign`](super::campaigns), of one group or of all of a site. Each group is a [`Transaction`],
//! whose questions go to the nodes of the group (`fleet.rs`; `participant.rs` is where they arrive), and whose journal is stored
//! with the intents before the next step begins. What is found there at the start is gone on with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tonic::Status;

use super::campaigns::Campaign;
use super::fleet::Calls;
use super::holding::Holding;
use super::participant::Participant;
use super::service::Services;
use super::switch_commands::SwitchCommands;
use super::text::micros;
use super::{Action, Agent, CallId, OrderId, fleet_messages};
use crate::api::v1;
use crate::switch::{Ending, Event, Order, Request, RequestId, Step, TO_GO_BACK, Transaction};
use crate::types::{Time, Wall};

/// Who has not heard of the end is told again after this, and a resumed switch that nobody answers is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// News of a switch that are kept for who follows it later.
const NEWS: usize = 200;

/// All that has to do with switches on this node.
#[derive(Clone, Default)]
pub(super) struct Switching {
    pub calls: Calls,
    pub participant: Participant,
    /// By switch.
    pub coordinated: BTreeMap<String, Coordinated>,
    pub campaigns: BTreeMap<OrderId, Campaign>,
    lingering: Vec<Lingering>,
    pub commands: SwitchCommands,
    pub holding: Holding,
    pub services: Services,
    /// What this node knows of the groups cannot be old.
    pub believes: bool,
    /// Journals of an earlier life have been looked at.
    resumed: bool,
}

/// What a question to a node is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Step {
        switch: String,
        node: String,
        request: RequestId,
        wanted: Request,
    },
    /// What it would do.
    Preview {
        order: OrderId,
        group: String,
    },
    Placements {
        node: String,
    },
    /// How a switch has ended.
    Ending {
        switch: String,
        node: String,
    },
}

/// A switch, for as long as it is coordinated here.
#[derive(Clone)]
pub(super) struct Coordinated {
    pub transaction: Transaction,
    journal: Journal,
    /// What follows waits until the disk has this version.
    blocked: Option<u64>,
    /// Who hears of it.
    pub followers: BTreeSet<OrderId>,
    pub news: VecDeque<v1::SwitchProgress>,
    /// What the nodes have seen of the service, by node.
    vantages: BTreeMap<String, v1::Vantage>,
    /// Those that are over, for the ledger.
    steps: Vec<v1::LedgerStep>,
    began: Time,
    /// It was begun by somebody else, or in an earlier life: tried again if nobody answers, until then.
    resumed_until: Option<Time>,
    again_at: Option<Time>,
}

impl Coordinated {
    /// What who ordered it gave.
    pub fn reason(&self) -> &str {
        &self.journal.reason
    }
}

/// What is written before each step.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Journal {
    pub order: Order,
    pub owner: String,
    pub reason: String,
    pub begun: Wall,
    pub step: Step,
    /// Why it goes back.
    pub back: Option<String>,
}

/// A node that has not heard how a switch has ended.
#[derive(Clone)]
struct Lingering {
    node: String,
    call: v1::FleetCall,
    at: Time,
    until: Time,
}

impl Agent {
    /// Those in progress, as far as this node knows.
    pub fn switches(&self) -> v1::SwitchesReply {
        let here = self.switching.coordinated.values().map(|coordinated| {
            let Coordinated { transaction, journal, .. } = coordinated;
            v1::SwitchInProgress {
                switch: transaction.order().switch.clone(),
                group: transaction.order().group.clone(),
                from: transaction.from().to_owned(),
                to: transaction.order().to.clone(),
                epoch: transaction.epoch().0,
                step: transaction.step().to_string(),
                back: transaction.back().is_some(),
                owner: journal.owner.clone(),
                reason: journal.reason.clone(),
                until: self.lock_until(&transaction.order().group),
            }
        });
        let locked = self.orders.in_force().placements().filter_map(|(group, placed)| {
            let lock = placed.placement.lock.as_ref()?;
            (!self.switching.coordinated.contains_key(&lock.switch)).then(|| v1::SwitchInProgress {
                switch: lock.switch.clone(),
                group: group.to_owned(),
                to: lock.to.clone(),
                epoch: lock.epoch.0,
                owner: placed.owner.clone(),
                reason: placed.reason.clone().unwrap_or_default(),
                until: lock.until.to_string(),
                ..Default::default()
            })
        });
        v1::SwitchesReply { switches: here.chain(locked).collect() }
    }

    fn lock_until(&self, group: &str) -> String {
        let placement = self.orders.in_force().placement(group);
        let lock = placement.and_then(|placement| placement.lock.as_ref());
        lock.map(|lock| lock.until.to_string()).unwrap_or_default()
    }

    pub(super) fn begin_switch(
        &mut self,
        order: Order,
        owner: String,
        reason: String,
        follower: OrderId,
        now: Time,
    ) {
        let transaction = Transaction::new(order, now);
        let begun = self.wall(now);
        self.coordinate(transaction, owner, reason, begun, [follower].into(), now);
    }

    /// Goes on with a switch that another coordinator has begun, or this one in an earlier life.
    /// `own` if this node has begun it itself, in an earlier life.
    pub(super) fn take_switch_over(&mut self, journal: Journal, own: bool, now: Time) {
        let Journal { mut order, owner, reason, begun, back, .. } = journal;
        order.term += 1;
        let switch = order.switch.clone();
        let patience = order.deadline + TO_GO_BACK;
        let transaction = match own {
            true => Transaction::resume(order, back, now),
            false => Transaction::take_over(order, back, now),
        };
        self.coordinate(transaction, owner, reason, begun, BTreeSet::new(), now);
        if let Some(coordinated) = self.switching.coordinated.get_mut(&switch) {
            coordinated.resumed_until = Some(now + patience);
        }
    }

    fn coordinate(
        &mut self,
        transaction: Transaction,
        owner: String,
        reason: String,
        begun: Wall,
        followers: BTreeSet<OrderId>,
        now: Time,
    ) {
        let order = transaction.order().clone();
        let switch = order.switch.clone();
        let back = transaction.back().map(str::to_owned);
        let journal = Journal { order, owner, reason, begun, step: Step::Survey, back };
        let coordinated = Coordinated {
            transaction,
            journal,
            blocked: None,
            followers,
            news: VecDeque::new(),
            vantages: BTreeMap::new(),
            steps: Vec::new(),
            began: now,
            resumed_until: None,
            again_at: None,
        };
        self.switching.coordinated.insert(switch, coordinated);
    }

    /// Gives a coordinated switch an event.
    pub(super) fn switch_event(&mut self, switch: &str, event: Event, now: Time) {
        if let Some(coordinated) = self.switching.coordinated.get_mut(switch) {
            coordinated.transaction.handle(event, now);
        }
    }

    /// What comes of questions, moves and looks. Says whether all is to be settled once more.
    pub(super) fn settle_switching(&mut self, now: Time) -> bool {
        self.resume_journals(now);
        self.settle_belief(now);
        self.exchange_placements(now);
        loop {
            let switches: Vec<String> = self.switching.coordinated.keys().cloned().collect();
            for switch in switches {
                self.drive(&switch, now);
            }
            if let Some((call, message)) = self.switching.calls.own.pop_front() {
                let node = self.config.node.name.clone();
                self.asked(super::fleet::Asker::Own(call), &node, message, now);
            } else if let Some((call, result)) = self.switching.calls.answered.pop_front() {
                self.node_answered(call, result, now);
            } else {
                break;
            }
        }
        self.settle_looks(now);
        self.groups_stale || !self.switching.calls.answered.is_empty()
    }

    fn drive(&mut self, switch: &str, now: Time) {
        while let Some(coordinated) = self.switching.coordinated.get_mut(switch) {
            if coordinated.blocked.is_some() {
                return;
            }
            let Some(action) = coordinated.transaction.poll() else { return };
            self.carry_out(switch, action, now);
        }
    }

    fn carry_out(&mut self, switch: &str, action: crate::switch::Action, now: Time) {
        use crate::switch::Action as Wanted;
        match action {
            Wanted::Journal { step, back, .. } => {
                self.write_journal(switch, step, back);
                self.tell(switch, step, "begun", Duration::ZERO, String::new());
            }
            Wanted::Ask { node, request, wanted, .. } => {
                let Some(coordinated) = self.switching.coordinated.get(switch) else { return };
                let Journal { owner, reason, .. } = &coordinated.journal;
                let transaction = &coordinated.transaction;
                let call = Some(fleet_messages::call(transaction, owner, reason, &wanted));
                let asked =
                    Asked::Step { switch: switch.to_owned(), node: node.clone(), request, wanted };
                self.ask_node(&node, asked, v1::FleetRequest { call, placements: None });
            }
            Wanted::Forget { node, request } => self.forget_calls(|asked| match asked {
                Asked::Step { switch: of, node: at, request: known, .. } => {
                    (of.as_str(), at, known) == (switch, &node, &request)
                }
                _ => false,
            }),
            Wanted::Run { step } => self.begin_commands(switch, step, now),
            Wanted::Told { step, took, problem } => {
                let state = if problem.is_some() { "failed" } else { "done" };
                self.remember_step(switch, step, took, problem.clone());
                self.tell(switch, step, state, took, problem.unwrap_or_default());
            }
            Wanted::Ended(ending) => self.switch_ended(switch, ending, now),
        }
    }

    fn write_journal(&mut self, switch: &str, step: Step, back: Option<String>) {
        let Some(coordinated) = self.switching.coordinated.get_mut(switch) else { return };
        coordinated.journal.step = step;
        coordinated.journal.back = back;
        coordinated.journal.order = coordinated.transaction.order().clone();
        // Strings and numbers only: this cannot fail.
        let text = serde_json::to_string(&coordinated.journal).unwrap_or_default();
        let (version, text) = self.orders.journal(switch, Some(text));
        coordinated.blocked = Some(version);
        self.actions.push_back(Action::StoreIntents { version, text });
    }

    /// The disk has the intents of this version, and with them journals, or has refused them.
    pub(super) fn journals_stored(&mut self, version: u64, result: &Result<(), String>, now: Time) {
        for coordinated in self.switching.coordinated.values_mut() {
            if coordinated.blocked.is_none_or(|blocked| blocked > version) {
                continue;
            }
            coordinated.blocked = None;
            if let Err(error) = result {
                let text = format!("the journal could not be written: {error}");
                coordinated.transaction.handle(Event::NotJournalled(text), now);
            }
        }
    }

    /// What a node has answered.
    pub(super) fn node_answered(
        &mut self,
        call: CallId,
        result: Result<Box<v1::FleetReply>, Status>,
        now: Time,
    ) {
        match self.switching.calls.waiting.remove(&call) {
            None => {}
            Some(Asked::Placements { node }) => self.placements_answered(node, result, now),
            Some(Asked::Preview { order, group }) => self.previewed(order, &group, result, now),
            Some(Asked::Step { switch, node, request, wanted }) => {
                let answer = result.as_ref().ok().and_then(|reply| reply.answer.as_ref());
                if let (Some(vantage), Some(coordinated)) = (
                    answer.and_then(|answer| answer.vantage.clone()),
                    self.switching.coordinated.get_mut(&switch),
                ) {
                    coordinated.vantages.insert(node.clone(), vantage);
                }
                let result = fleet_messages::answer(&wanted, result.map(|reply| *reply));
                self.switch_event(&switch, Event::Answered { node, request, result }, now);
            }
            Some(Asked::Ending { switch, node }) => {
                let heard = match &result {
                    Ok(_) => true,
                    Err(status) => fleet_messages::is_refusal(status),
                };
                let of = |one: &Lingering| one.call.switch == switch && one.node == node;
                if heard {
                    self.switching.lingering.retain(|one| !of(one));
                    // It may not have taken part at all.
                    self.exchange_soon(&node, now);
                }
            }
        }
    }

    fn switch_ended(&mut self, switch: &str, ending: Ending, now: Time) {
        let Some(mut coordinated) = self.switching.coordinated.remove(switch) else { return };
        self.forget_commands(switch);
        self.forget_calls(|asked| matches!(asked, Asked::Step { switch: of, .. } if of == switch));
        if matches!(ending, Ending::Refused { .. })
            && coordinated.transaction.step() == Step::Survey
            && coordinated.resumed_until.is_some_and(|until| now < until)
        {
            // The locks stand, and who has to let go of them may be back soon.
            coordinated.again_at = Some(now + AGAIN);
            self.switching.coordinated.insert(switch.to_owned(), coordinated);
            return;
        }
        let was_journalled = coordinated.journal.step > Step::Survey;
        if was_journalled {
            let (version, text) = self.orders.journal(switch, None);
            self.actions.push_back(Action::StoreIntents { version, text });
        }
        match &ending {
            Ending::Committed { unheard } | Ending::RolledBack { unheard, .. } => {
                self.linger(&coordinated, unheard, &Request::Commit, now);
            }
            Ending::Refused { unheard, .. } => {
                self.linger(&coordinated, unheard, &Request::Abort, now);
            }
            Ending::TakenOver | Ending::Surveyed { .. } => {}
        }
        let Coordinated { transaction, journal, began, mut followers, steps, vantages, .. } =
            coordinated;
        let order = transaction.order();
        let (outcome, why, unheard) = match &ending {
            Ending::Committed { unheard } => ("committed", String::new(), unheard.clone()),
            Ending::RolledBack { why, unheard } => ("rolled-back", why.clone(), unheard.clone()),
            Ending::Refused { why, unheard, .. } => ("refused", why.clone(), unheard.clone()),
            Ending::TakenOver => {
                let why = "another coordinator has taken it over".to_owned();
                ("taken-over", why, BTreeSet::new())
            }
            Ending::Surveyed { .. } => ("surveyed", String::new(), BTreeSet::new()),
        };
        if was_journalled {
            let entry = v1::LedgerEntry {
                kind: if order.drill { "drill" } else { "switch" }.to_owned(),
                switch: switch.to_owned(),
                group: order.group.clone(),
                from: transaction.from().to_owned(),
                to: order.to.clone(),
                epoch: transaction.epoch().0,
                owner: journal.owner.clone(),
                reason: journal.reason.clone(),
                break_glass: order.break_glass,
                steps,
                outcome: outcome.to_owned(),
                why: why.clone(),
                unheard: unheard.iter().cloned().collect(),
                total_us: micros(now - began),
                vantages: vantages.values().cloned().collect(),
                ..Default::default()
            };
            self.record(entry, now);
        }
        let switching = self.config.switching.get(&order.group);
        let objective = switching.and_then(|switching| switching.objective);
        let progress = v1::SwitchProgress {
            switch: switch.to_owned(),
            group: order.group.clone(),
            from: transaction.from().to_owned(),
            to: order.to.clone(),
            back: transaction.back().is_some(),
            ending: Some(v1::SwitchEnding {
                outcome: outcome.to_owned(),
                why: why.clone(),
                unheard: unheard.iter().cloned().collect(),
                epoch: transaction.epoch().0,
                total_us: micros(now - began),
                vantages: vantages.into_values().collect(),
                objective_us: objective.map_or(0, micros),
            }),
            ..Default::default()
        };
        if !order.only_survey {
            let severity = if outcome == "committed" { "info" } else { "warning" };
            let text = match why.is_empty() {
                true => format!("switch {switch} to {} by {}: {outcome}", order.to, journal.owner),
                false => {
                    format!(
                        "switch {switch} to {} by {}: {outcome}: {why}",
                        order.to, journal.owner
                    )
                }
            };
            self.report(now, "switch", &order.group.clone(), severity, text);
        }
        // A campaign knows whether it goes on to wait for something.
        followers.retain(|follower| !self.goes_on_waiting(*follower, switch, &ending, now));
        for follower in followers {
            let progress = Box::new(progress.clone());
            if !transaction.order().only_survey {
                self.actions.push_back(Action::Progress { order: follower, progress });
            }
            self.member_ended(follower, switch, &transaction, &ending, now);
        }
    }

    fn remember_step(&mut self, switch: &str, step: Step, took: Duration, problem: Option<String>) {
        let Some(coordinated) = self.switching.coordinated.get_mut(switch) else { return };
        coordinated.steps.push(v1::LedgerStep {
            step: step.to_string(),
            back: coordinated.transaction.back().is_some(),
            failed: problem.is_some(),
            took_us: micros(took),
            text: problem.unwrap_or_default(),
        });
    }

    fn linger(
        &mut self,
        coordinated: &Coordinated,
        unheard: &BTreeSet<String>,
        last: &Request,
        now: Time,
    ) {
        let Journal { owner, reason, .. } = &coordinated.journal;
        let order = coordinated.transaction.order();
        let until = now + order.deadline + TO_GO_BACK;
        for node in unheard {
            let call = fleet_messages::call(&coordinated.transaction, owner, reason, last);
            let one = Lingering { node: node.clone(), call, at: now + AGAIN, until };
            self.switching.lingering.push(one);
        }
    }

    /// Something has happened in a step.
    pub(super) fn tell_step(&mut self, switch: &str, text: String) {
        let Some(coordinated) = self.switching.coordinated.get(switch) else { return };
        let step = coordinated.transaction.step();
        self.tell(switch, step, "waiting", Duration::ZERO, text);
    }

    fn tell(&mut self, switch: &str, step: Step, state: &str, took: Duration, text: String) {
        let Some(coordinated) = self.switching.coordinated.get_mut(switch) else { return };
        let Coordinated { transaction, news, followers, .. } = coordinated;
        if transaction.order().only_survey {
            return;
        }
        let progress = v1::SwitchProgress {
            switch: switch.to_owned(),
            group: transaction.order().group.clone(),
            from: transaction.from().to_owned(),
            to: transaction.order().to.clone(),
            step: step.to_string(),
            state: state.to_owned(),
            back: transaction.back().is_some(),
            took_us: micros(took),
            text,
            ending: None,
        };
        if news.len() == NEWS {
            news.pop_front();
        }
        news.push_back(progress.clone());
        for order in followers.iter() {
            let progress = Box::new(progress.clone());
            self.actions.push_back(Action::Progress { order: *order, progress });
        }
    }

    pub(super) fn commands_ended(
        &mut self,
        switch: &str,
        step: Step,
        result: Result<(), String>,
        now: Time,
    ) {
        self.switch_event(switch, Event::CommandsEnded { step, result }, now);
    }

    pub(super) fn switching_tick(&mut self, now: Time) {
        let mut again = Vec::new();
        for (switch, coordinated) in &mut self.switching.coordinated {
            if coordinated.again_at.is_some_and(|at| at <= now) {
                again.push(switch.clone());
            } else if coordinated.transaction.deadline().is_some_and(|at| at <= now) {
                coordinated.transaction.tick(now);
            }
        }
        for switch in again {
            self.resume_again(&switch, now);
        }
        self.switching.lingering.retain(|one| one.until > now);
        let mut calls = Vec::new();
        for one in self.switching.lingering.iter_mut().filter(|one| one.at <= now) {
            one.at = now + AGAIN;
            calls.push((one.node.clone(), one.call.clone()));
        }
        for (node, call) in calls {
            let asked = Asked::Ending { switch: call.switch.clone(), node: node.clone() };
            self.ask_node(&node, asked, v1::FleetRequest { call: Some(call), placements: None });
        }
        self.campaigns_tick(now);
    }

    pub(super) fn switching_due(&self) -> Option<Time> {
        let Switching { coordinated, lingering, .. } = &self.switching;
        let transactions = coordinated.values().flat_map(|coordinated| {
            let deadline = coordinated.transaction.deadline();
            coordinated.again_at.into_iter().chain(deadline)
        });
        transactions
            .chain(lingering.iter().map(|one| one.at))
            .chain(self.looks_due())
            .chain(self.exchange_due())
            .chain(self.campaigns_due())
            .min()
    }

    fn resume_again(&mut self, switch: &str, now: Time) {
        let Some(coordinated) = self.switching.coordinated.get_mut(switch) else { return };
        coordinated.again_at = None;
        coordinated.transaction = coordinated.transaction.again(now);
    }

    /// Goes on with what this node coordinated in an earlier life: forth if only the end was missing, else back.
    fn resume_journals(&mut self, now: Time) {
        if std::mem::replace(&mut self.switching.resumed, true) {
            return;
        }
        self.shorten_locks(now);
        for (switch, text) in self.orders.in_force().journals().clone() {
            let Ok(mut journal) = serde_json::from_str::<Journal>(&text) else {
                let text = format!(
                    "the journal of switch {switch} cannot be read: it is left to the end of its locks"
                );
                self.report(now, "switch", "", "error", text);
                let (version, text) = self.orders.journal(&switch, None);
                self.actions.push_back(Action::StoreIntents { version, text });
                continue;
            };
            let step = journal.step;
            if step < Step::Release {
                journal.back.get_or_insert_with(|| "its coordinator had died".to_owned());
            }
            let Journal { order, back, .. } = &journal;
            let (group, to) = (order.group.clone(), &order.to);
            let way = if back.is_some() { "back" } else { "forth" };
            let text = format!("switch {switch} to {to} is resumed, {way}: it had come to {step}");
            self.report(now, "switch", &group, "warning", text);
            self.take_switch_over(journal, true, now);
            if let Some(coordinated) = self.switching.coordinated.get_mut(&switch) {
                // It stays on disk until it has ended.
                coordinated.journal.step = step;
            }
        }
    }
}
