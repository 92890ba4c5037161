//! New connections to groups of this node that are delayed while these move.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tonic::Status;

use super::fleet::Asker;
use super::{Action, Agent};
use crate::api::v1;
use crate::types::Time;

#[derive(Clone, Default)]
pub(super) struct Holding {
    /// Who waits for the driver's answers, in their order.
    waiting: BTreeMap<String, VecDeque<Option<Asker>>>,
    /// Groups that were held and not released.
    pub held: BTreeSet<String>,
}

impl Agent {
    /// Delays new connections to a group, for so long at most, if it is configured here.
    pub(super) fn hold(&mut self, asker: Asker, group: &str, lasts: Duration) {
        let switching = self.config.switching.get(group);
        let Some(most) = switching.and_then(|switching| switching.hold) else {
            return self.done(asker);
        };
        self.switching.holding.held.insert(group.to_owned());
        self.order_hold(group, Some(asker), Some(lasts.min(most)));
    }

    pub(super) fn release_hold(&mut self, asker: Asker, group: &str) {
        if self.switching.holding.held.remove(group) {
            return self.order_hold(group, Some(asker), None);
        }
        self.done(asker);
    }

    /// The same, and nobody waits for it: the switch is over.
    pub(super) fn end_hold(&mut self, group: &str) {
        if self.switching.holding.held.remove(group) {
            self.order_hold(group, None, None);
        }
    }

    /// The kernel has done what was ordered, or has not.
    pub(super) fn held(&mut self, group: &str, result: Result<(), String>, now: Time) {
        let waiting = self.switching.holding.waiting.get_mut(group);
        let asker = waiting.and_then(VecDeque::pop_front).flatten();
        let is_held = self.switching.holding.held.contains(group);
        match (asker, result) {
            (Some(asker), Err(problem)) if is_held => {
                self.switching.holding.held.remove(group);
                self.answer_node(asker, Err(Status::failed_precondition(problem)));
            }
            (asker, result) => {
                if let Err(problem) = result {
                    // The kernel lets go by itself.
                    self.report(now, "switch", group, "warning", problem);
                }
                asker.into_iter().for_each(|asker| self.done(asker));
            }
        }
    }

    /// Nobody waits any more.
    pub(super) fn leave_hold(&mut self, asker: Asker) {
        for waiting in self.switching.holding.waiting.values_mut().flatten() {
            if *waiting == Some(asker) {
                *waiting = None;
            }
        }
    }

    fn order_hold(&mut self, group: &str, asker: Option<Asker>, lasts: Option<Duration>) {
        let configured = self.config.groups.get(group);
        let prefixes = configured.map(|group| group.prefixes.clone()).unwrap_or_default();
        let holding = &mut self.switching.holding;
        holding.waiting.entry(group.to_owned()).or_default().push_back(asker);
        self.actions.push_back(Action::Hold { group: group.to_owned(), prefixes, lasts });
    }

    /// What was asked is done, and there is nothing to say of it.
    pub(super) fn done(&mut self, asker: Asker) {
        let answer = Some(v1::FleetAnswer::default());
        self.answer_node(asker, Ok(v1::FleetReply { answer, placements: None }));
    }
}
