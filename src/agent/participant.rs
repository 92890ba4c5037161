//! What coordinators of switches want of this node, this one's own among them.
//!
//! Moves are stored before they act and answered when the neighbours have what follows from them, like an operator's order; a
//! look is answered when the routes are as wanted, or with how they are after [`LOOK`], and then asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fleet::Asker;
use super::placements::LONGEST_LOCK;
use super::{Agent, OrderId, fleet_messages};
use crate::api::v1;
use crate::group::{Because, Epoch, Intent, Move, Mover, Placed, Refused, Target};
use crate::switch::{Facts, Request};
use crate::types::{Preference, Time};

/// How long a look waits.
const LOOK: Duration = Duration::from_millis(400);
/// How long a move waits for the neighbours.
const MOVE: Duration = Duration::from_secs(3);

#[derive(Clone, Default)]
pub(super) struct Participant {
    /// Moves that are being stored, or wait for the neighbours.
    moves: BTreeMap<OrderId, Moving>,
    looks: BTreeMap<Asker, Look>,
    orders: u64,
}

#[derive(Clone)]
struct Moving {
    asker: Asker,
    raised: Option<Preference>,
    /// What the switch that is over looked like from here.
    vantage: Option<v1::Vantage>,
}

#[derive(Clone)]
struct Look {
    group: String,
    site: String,
    until: Time,
}

impl Agent {
    /// A coordinator wants something of a group of this node.
    pub(super) fn called(&mut self, asker: Asker, call: v1::FleetCall, now: Time) {
        let answer = match self.do_as_called(asker, call, now) {
            Ok(None) => return,
            Ok(Some(answer)) => Ok(v1::FleetReply { answer: Some(answer), placements: None }),
            Err(status) => Err(status),
        };
        self.answer_node(asker, answer);
    }

    /// `None`: it is answered later.
    fn do_as_called(
        &mut self,
        asker: Asker,
        call: v1::FleetCall,
        now: Time,
    ) -> Result<Option<v1::FleetAnswer>, tonic::Status> {
        if self.stopping.is_some() {
            return Err(tonic::Status::unavailable("it is stopping"));
        }
        let group = call.group.clone();
        let Some(configured) = self.config.groups.get(&group) else {
            let text = format!("group {group} is not configured there");
            return Err(tonic::Status::not_found(text));
        };
        let unknown = !call.site.is_empty() && !configured.base.contains_key(&call.site);
        if unknown {
            let text = format!("group {group} has no base at site {} there", call.site);
            return Err(tonic::Status::not_found(text));
        }
        if call.wanted == "preview" {
            let over =
                fleet_messages::preference(call.over).map_err(tonic::Status::invalid_argument)?;
            let plan = self.switch_preview(&group, &call.site, Epoch(call.epoch), over, now);
            return Ok(Some(v1::FleetAnswer { plan: Some(plan), ..Default::default() }));
        }
        let request = fleet_messages::request(&call)?;
        let wanted = match request {
            Request::Survey => {
                let facts = self.facts_of(&group, &call.site, now);
                return Ok(Some(v1::FleetAnswer {
                    facts: Some(fleet_messages::facts(&facts)),
                    ..Default::default()
                }));
            }
            Request::See { site } => {
                let look = Look { group, site, until: now + LOOK };
                self.switching.participant.looks.insert(asker, look);
                return Ok(None);
            }
            Request::Hold { lasts } => {
                self.hold(asker, &group, lasts);
                return Ok(None);
            }
            Request::Release => {
                self.release_hold(asker, &group);
                return Ok(None);
            }
            Request::Probe { site } => {
                self.begin_probe(asker, &group, &site, now);
                return Ok(None);
            }
            Request::Prepare { lasts } => Move::Prepare(self.wall(now) + lasts.min(LONGEST_LOCK)),
            Request::Raise { over } => Move::Raise(self.more_than(over)?),
            Request::Lower => Move::Lower,
            Request::Commit => Move::Commit,
            Request::Abort => Move::Abort,
        };
        self.make_move(asker, &call, wanted, now)?;
        Ok(None)
    }

    /// The least that all neighbours see as more.
    pub(super) fn more_than(&self, over: Preference) -> Result<Preference, tonic::Status> {
        self.config.definitions().above(over).ok_or_else(|| {
            let levels = &self.config.levels;
            tonic::Status::failed_precondition(format!(
                "no preference is seen as more than {} by all neighbors: let the highest level of a group be below 255, and \
                 give each `[mapping]` a step above it",
                levels.describe(over)
            ))
        })
    }

    fn make_move(
        &mut self,
        asker: Asker,
        call: &v1::FleetCall,
        wanted: Move,
        now: Time,
    ) -> Result<(), tonic::Status> {
        let raised = match &wanted {
            Move::Raise(preference) => Some(*preference),
            _ => None,
        };
        // Of the others, nobody's choice depends on it.
        let waits = matches!(wanted, Move::Raise(_) | Move::Lower).then_some(MOVE);
        let wall = self.wall(now);
        let before = self.orders.requested_placement(&call.group);
        let by = Mover {
            switch: call.switch.clone(),
            term: call.term,
            epoch: Epoch(call.epoch),
            to: call.site.clone(),
        };
        let placement = before.moved(&by, wanted, wall).map_err(|refused| {
            let text = refused.to_string();
            match refused {
                Refused::Superseded => tonic::Status::aborted(text),
                _ => tonic::Status::failed_precondition(text),
            }
        })?;
        let reason = (!call.reason.is_empty()).then(|| call.reason.clone());
        let owner = call.owner.clone();
        // A lock that comes and goes has not moved the group.
        let placed = self.orders.in_force().placed(&call.group);
        let placed = placed.filter(|placed| placed.placement.shown() == placement.shown());
        let since = placed.map_or(wall, |placed| placed.since);
        let participant = &mut self.switching.participant;
        participant.orders += 1;
        // The driver counts from the other end.
        let order = OrderId(u64::MAX - participant.orders);
        let placed = Placed { placement, owner, reason, since };
        let (version, text) = self.orders.place(order, &call.group, placed, waits, now)?;
        let mut vantage = None;
        match call.wanted.as_str() {
            "prepare" => self.watch_service(&call.group, &call.switch, now),
            "commit" | "abort" => {
                vantage = self.vantage(&call.group, &call.switch, now);
                self.end_hold(&call.group);
            }
            _ => {}
        }
        self.switching.participant.moves.insert(order, Moving { asker, raised, vantage });
        self.actions.push_back(super::Action::StoreIntents { version, text });
        Ok(())
    }

    /// The answer of an order is for a coordinator, if it was a move. Gives it back otherwise.
    pub(super) fn answer_move(
        &mut self,
        order: OrderId,
        answer: Result<Box<v1::OrderReply>, tonic::Status>,
    ) -> Option<Result<Box<v1::OrderReply>, tonic::Status>> {
        let Some(Moving { asker, raised, vantage }) =
            self.switching.participant.moves.remove(&order)
        else {
            return Some(answer);
        };
        let result = answer.and_then(|reply| {
            let late: Vec<&str> = reply
                .deliveries
                .iter()
                .filter(|delivery| delivery.outcome == "timeout")
                .map(|delivery| delivery.neighbor.as_str())
                .collect();
            if raised.is_some() && !late.is_empty() {
                let (late, within) = (late.join(", "), MOVE.as_secs());
                return Err(tonic::Status::failed_precondition(format!(
                    "{late} has not acknowledged the raised announcement within {within} s"
                )));
            }
            let raised = raised.unwrap_or_default().0.into();
            let answer = Some(v1::FleetAnswer { raised, vantage, ..Default::default() });
            Ok(v1::FleetReply { answer, placements: None })
        });
        self.answer_node(asker, result);
        None
    }

    /// Answers those who look for something that is there now, or have waited long enough.
    pub(super) fn settle_looks(&mut self, now: Time) {
        let looks = std::mem::take(&mut self.switching.participant.looks);
        for (asker, look) in looks {
            match self.exits_at(&look.group, &look.site) {
                Ok(()) => {
                    let answer = Some(v1::FleetAnswer::default());
                    self.answer_node(asker, Ok(v1::FleetReply { answer, placements: None }));
                }
                Err(text) if look.until <= now => {
                    self.answer_node(asker, Err(tonic::Status::unavailable(text)));
                }
                Err(_) => {
                    self.switching.participant.looks.insert(asker, look);
                }
            }
        }
    }

    pub(super) fn looks_due(&self) -> Option<Time> {
        self.switching.participant.looks.values().map(|look| look.until).min()
    }

    /// Nobody waits for the answer to this question any more.
    pub(super) fn leave_question(&mut self, asker: Asker) {
        self.switching.participant.looks.remove(&asker);
        self.leave_probe(asker);
        self.leave_hold(asker);
    }

    /// What this node knows of a group that is to go to `to`.
    fn facts_of(&self, group: &str, to: &str, now: Time) -> Facts {
        let placement = self.orders.in_force().placement(group).cloned().unwrap_or_default();
        let prefixes = self.prefixes_of(&Target::Group(group.to_owned()));
        let announced = prefixes.iter().filter_map(|prefix| self.own.get(prefix));
        let announced = announced.map(|own| own.preference).max().unwrap_or_default();
        let at = self.config.groups.get(group).and_then(|group| placement.at(group));
        Facts {
            epoch: placement.known(),
            at: at.unwrap_or_default(),
            lock: placement.lock,
            raised: placement.raised.is_some(),
            announced,
            obstacle: self.obstacle(group, to, now),
        }
    }

    /// Why the group should not go to `to`, as far as this node can tell.
    fn obstacle(&self, group: &str, to: &str, now: Time) -> Option<String> {
        let wall = self.wall(now);
        let intents = self.orders.in_force();
        let prefixes = self.prefixes_of(&Target::Group(group.to_owned()));
        let targets = prefixes.iter().map(|prefix| Target::Prefix(*prefix));
        for target in targets.chain([Target::Group(group.to_owned())]) {
            if let Some(Intent { owner, .. }) = intents.in_force(&target, wall) {
                return Some(format!(
                    "an order of {owner} decides over {target}: release it first"
                ));
            }
        }
        if let Some(rule) = self.rules_against(group, to, now) {
            return Some(rule);
        }
        if self.config.node.site != to {
            return None;
        }
        if let Some(Intent { owner, .. }) = intents.in_force(&Target::Node, wall) {
            return Some(format!("the node is drained by {owner}: undrain it first"));
        }
        prefixes.iter().find_map(|prefix| {
            let lowered = self.lowering.lowered.get(prefix)?;
            let what = lowered.because.iter().find_map(|because| match because {
                Because::Lowered { what, .. } => Some(what),
                _ => None,
            })?;
            Some(format!("{prefix} is not well there: {what}"))
        })
    }
}
