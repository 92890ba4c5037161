use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::outbox::Audience;
use super::{NeighborState, Router};
use crate::types::{Deadlines, RouterId, Time};
use crate::wire::ospf::LsaKey;

/// Link state retransmission list: what was sent to a neighbour and is not acknowledged yet (RFC 2328 §10).
#[derive(Clone, Debug, Default)]
pub struct Retransmissions {
    /// When each is to be sent again.
    due: Deadlines<LsaKey>,
    /// When what was sent again was, the last time. Most is never sent again and not here.
    resent: BTreeMap<LsaKey, Time>,
    /// Of which the neighbour is to be reminded first.
    reminders: BTreeSet<LsaKey>,
}

/// How long after a change of ours a neighbour that has not acknowledged it is sent it once more, long before
/// RxmtInterval. What was lost then comes this much late, not 5 s; and what was not is a duplicate, which is acknowledged
/// directly (RFC 2328 §13.5), where FRR would delay that for 1 s and BIRD for 2.5 s with an operator waiting. Twice what
/// we delay acknowledgments ourselves.
const REMINDER: Duration = Duration::from_millis(100);
/// With more than this on the list it is a bulk of changes, and nobody is reminded.
const FEW: usize = 64;

impl Retransmissions {
    pub fn contains(&self, key: &LsaKey) -> bool {
        self.due.get(*key).is_some()
    }

    pub fn len(&self) -> usize {
        self.due.len()
    }

    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// The adjacency is over.
    pub(super) fn clear(&mut self) {
        *self = Retransmissions::default();
    }

    /// An instance is sent for the first time. It takes the place of an older one.
    ///
    /// If that was sent again a moment ago, the neighbour drops the new one (MinLSArrival, RFC 2328 §13 (5) (a)), so
    /// this one is repeated when it will be taken (`arrival`), not a whole interval later.
    pub(super) fn add(&mut self, key: LsaKey, interval: Duration, arrival: Duration, now: Time) {
        let mut due = now + interval;
        if let Some(resent) = self.resent.remove(&key) {
            let taken = resent + arrival;
            if taken > now {
                due = due.min(taken);
            }
        }
        self.due.set(key, due);
        self.reminders.remove(&key);
    }

    /// What was just added is a change of ours: see [`REMINDER`].
    pub(super) fn remind(&mut self, key: LsaKey, interval: Duration, now: Time) {
        // What is to be repeated sooner than that has its reason.
        if self.due.get(key) == Some(now + interval) && self.due.len() <= FEW && REMINDER < interval
        {
            self.due.set(key, now + REMINDER);
            self.reminders.insert(key);
        }
    }

    /// It is acknowledged, or no longer of interest. Tells when it was sent again, if it was.
    pub(super) fn remove(&mut self, key: &LsaKey) -> Option<Time> {
        self.due.clear(*key);
        self.reminders.remove(key);
        self.resent.remove(key)
    }

    /// It goes out again now.
    pub(super) fn resent(&mut self, key: LsaKey, now: Time) {
        self.resent.insert(key, now);
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.due.next()
    }
}

impl Router {
    /// Queues what was not acknowledged in time, to its neighbour alone (RFC 2328 §13.6).
    pub(super) fn retransmit(&mut self, now: Time) {
        for (&index, interface) in &mut self.interfaces {
            let interval = interface.settings.retransmit_interval;
            for (&router_id, neighbor) in &mut interface.neighbors {
                let Retransmissions { due, reminders, .. } = &mut neighbor.retransmissions;
                while let Some(key) = due.pop_due(now) {
                    due.set(key, now + interval);
                    let audience = match reminders.remove(&key) {
                        true => Audience::Reminded(router_id),
                        false => Audience::Again(router_id),
                    };
                    self.flooding.outboxes.entry(index).or_default().push(key, audience);
                }
            }
        }
    }

    /// Neighbours in Exchange or greater that have not acknowledged the LSA.
    pub(super) fn unacknowledged_of(
        &self,
        key: LsaKey,
    ) -> impl Iterator<Item = (u32, RouterId)> + '_ {
        self.exchanging_or_more().filter(move |&(index, router_id)| {
            self.interfaces
                .get(&index)
                .and_then(|interface| interface.neighbors.get(&router_id))
                .is_some_and(|neighbor| neighbor.retransmissions.contains(&key))
        })
    }

    /// Neighbours that take part in flooding.
    pub(super) fn exchanging_or_more(&self) -> impl Iterator<Item = (u32, RouterId)> + '_ {
        self.interfaces.iter().flat_map(|(&index, interface)| {
            interface
                .neighbors
                .values()
                .filter(|neighbor| neighbor.state >= NeighborState::Exchange)
                .map(move |neighbor| (index, neighbor.router_id))
        })
    }
}
