//! Questions to other nodes and from them, and what each node tells the others of where the groups are.
//!
//! A node that starts, or has a new configuration, tells all others what it knows, and each answers with what it knows itself;
//! again now and then. So who missed a switch hears of it before it could take traffic back, whether its routes get there or not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::placements::at;
use super::switching::Asked;
use super::{Action, Agent, AskId, CallId};
use crate::api::v1;
use crate::group::{Epoch, Placed};
use crate::types::{Preference, Time};

/// From one exchange with a node to the next.
const EVERY: Duration = Duration::from_secs(10);
/// The same while it does not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// A node that has just started does not wait for longer before it believes what it knows.
const BELIEVE_AFTER: Duration = Duration::from_secs(5);

/// Who waits for an answer of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asker {
    Node(AskId),
    /// This node itself.
    Own(CallId),
}

#[derive(Clone, Default)]
pub(super) struct Calls {
    next: u64,
    /// What is asked, of all that have no answer yet.
    pub waiting: BTreeMap<CallId, Asked>,
    /// Questions to ourselves.
    pub own: VecDeque<(CallId, v1::FleetRequest)>,
    /// And their answers.
    pub answered: VecDeque<(CallId, Result<Box<v1::FleetReply>, tonic::Status>)>,
    /// All nodes of the fleet are in `exchanges`.
    met: bool,
    /// When which node is told next what we know.
    exchanges: BTreeMap<String, Time>,
    /// Who has told us what it knows, since we started.
    heard: BTreeSet<String>,
    began: Option<Time>,
}

impl Calls {
    /// One that no other call or switch has.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Agent {
    pub(super) fn ask_node(&mut self, node: &str, asked: Asked, message: v1::FleetRequest) {
        let calls = &mut self.switching.calls;
        let call = CallId(calls.number());
        calls.waiting.insert(call, asked);
        match node == self.config.node.name {
            true => calls.own.push_back((call, message)),
            false => {
                let (node, message) = (node.to_owned(), Box::new(message));
                self.actions.push_back(Action::AskNode { call, node, message });
            }
        }
    }

    /// The answers to these are not wanted any more.
    pub(super) fn forget_calls(&mut self, which: impl Fn(&Asked) -> bool) {
        let waiting = &mut self.switching.calls.waiting;
        let forgotten: Vec<CallId> =
            waiting.iter().filter(|(_, asked)| which(asked)).map(|(call, _)| *call).collect();
        waiting.retain(|_, asked| !which(asked));
        for call in forgotten {
            self.leave_question(Asker::Own(call));
            self.actions.push_back(Action::ForgetCall(call));
        }
    }

    pub(super) fn answer_node(
        &mut self,
        asker: Asker,
        result: Result<v1::FleetReply, tonic::Status>,
    ) {
        let result = result.map(Box::new);
        match asker {
            Asker::Node(ask) => self.actions.push_back(Action::AnswerNode { ask, result }),
            Asker::Own(call) => self.switching.calls.answered.push_back((call, result)),
        }
    }

    /// A node asks, maybe this one.
    pub(super) fn asked(&mut self, asker: Asker, node: &str, message: v1::FleetRequest, now: Time) {
        match message {
            v1::FleetRequest { call: Some(call), .. } => self.called(asker, call, now),
            v1::FleetRequest { placements: Some(theirs), .. } => {
                self.hear_placements(node, theirs, now);
                let placements = Some(self.known_placements());
                self.answer_node(asker, Ok(v1::FleetReply { placements, answer: None }));
            }
            _ => {
                let status = tonic::Status::invalid_argument("it asks nothing that is known here");
                self.answer_node(asker, Err(status));
            }
        }
    }

    /// Exchanges what is known with those whose turn it is.
    pub(super) fn exchange_placements(&mut self, now: Time) {
        let due: Vec<String> = match &self.config.fleet {
            // Every input comes by here.
            Some(fleet) if !self.switching.calls.met => {
                self.switching.calls.met = true;
                let own = &self.config.node.name;
                fleet.nodes.keys().filter(|node| *node != own).cloned().collect()
            }
            Some(_) => {
                let all = self.switching.calls.exchanges.iter();
                all.filter(|(_, at)| **at <= now).map(|(node, _)| node.clone()).collect()
            }
            None => return,
        };
        for node in due {
            let calls = &mut self.switching.calls;
            calls.exchanges.insert(node.clone(), now + EVERY);
            let placements = Some(self.known_placements());
            let message = v1::FleetRequest { placements, call: None };
            self.ask_node(&node.clone(), Asked::Placements { node }, message);
        }
    }

    /// The fleet may be another one.
    pub(super) fn fleet_changed(&mut self) {
        self.switching.calls.met = false;
        self.switching.calls.exchanges.clear();
    }

    /// A node may have missed something: it is told at once.
    pub(super) fn exchange_soon(&mut self, node: &str, now: Time) {
        if let Some(at) = self.switching.calls.exchanges.get_mut(node) {
            *at = now;
        }
    }

    pub(super) fn exchange_due(&self) -> Option<Time> {
        let calls = &self.switching.calls;
        let belief = calls.began.map(|began| began + BELIEVE_AFTER);
        let belief = belief.filter(|_| !self.switching.believes);
        calls.exchanges.values().copied().chain(belief).min()
    }

    pub(super) fn placements_answered(
        &mut self,
        node: String,
        result: Result<Box<v1::FleetReply>, tonic::Status>,
        now: Time,
    ) {
        let theirs = result.ok().and_then(|reply| reply.placements);
        let Some(theirs) = theirs else {
            // Unless it is no node of ours any more.
            if let Some(at) = self.switching.calls.exchanges.get_mut(&node) {
                *at = now + AGAIN;
            }
            return;
        };
        self.hear_placements(&node, theirs, now);
    }

    /// Whether what this node knows of the groups can be old: it has just started and has not heard of all others.
    pub(super) fn settle_belief(&mut self, now: Time) {
        if self.switching.believes {
            return;
        }
        let own = &self.config.node.name;
        let calls = &mut self.switching.calls;
        let began = *calls.began.get_or_insert(now);
        let nodes = self.config.fleet.iter().flat_map(|fleet| fleet.nodes.keys());
        let mut others = nodes.filter(|node| *node != own);
        if others.all(|node| calls.heard.contains(node)) || now >= began + BELIEVE_AFTER {
            self.switching.believes = true;
            self.groups_stale = true;
        }
    }

    fn known_placements(&self) -> v1::FleetPlacements {
        let all = self.orders.in_force().placements();
        let shown = all.filter_map(|(group, placed)| {
            let (epoch, site) = placed.placement.shown();
            let (group, site) = (group.to_owned(), site?.to_owned());
            let over = placed.placement.lock.is_none();
            Some(v1::FleetPlacement { group, epoch: epoch.0, site, over })
        });
        v1::FleetPlacements { placements: shown.collect() }
    }

    fn hear_placements(&mut self, node: &str, theirs: v1::FleetPlacements, now: Time) {
        self.switching.calls.heard.insert(node.to_owned());
        for v1::FleetPlacement { group, epoch, site, over } in theirs.placements {
            let Some(configured) = self.config.groups.get(&group) else { continue };
            let before = self.orders.in_force().placement(&group).cloned().unwrap_or_default();
            if !configured.base.contains_key(&site) {
                continue;
            }
            let before = if over { before.without_lock(Epoch(epoch)) } else { before };
            if let Some(placement) = before.hear(configured, Epoch(epoch), &site) {
                let owner = format!("heard from node {node}");
                let text = format!("{owner}: {}", at(&placement));
                let placed = Placed { placement, owner, reason: None, since: self.wall(now) };
                self.learn_placement(&group, placed, text, now);
            }
        }
    }

    /// The most that is announced while what is known may be old: what a site that is not preferred announces, so that a node
    /// that slept through a switch does not take the traffic back.
    pub(super) fn disbelieved(&self) -> BTreeMap<String, Preference> {
        if self.switching.believes || self.config.fleet.is_none() {
            return BTreeMap::new();
        }
        let second = |(name, group): (&String, &crate::group::Group)| {
            let mut bases: Vec<Preference> = group.base.values().copied().collect();
            bases.sort_unstable();
            let second = *bases.iter().rev().nth(1)?;
            second.is_announced().then(|| (name.clone(), second))
        };
        self.config.groups.iter().filter_map(second).collect()
    }
}
