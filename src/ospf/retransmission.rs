use std::collections::BTreeMap;
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
}

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
    }

    /// It is acknowledged, or no longer of interest. Tells when it was sent again, if it was.
    pub(super) fn remove(&mut self, key: &LsaKey) -> Option<Time> {
        self.due.clear(*key);
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
                while let Some(key) = neighbor.retransmissions.due.pop_due(now) {
                    neighbor.retransmissions.due.set(key, now + interval);
                    let outbox = self.flooding.outboxes.entry(index).or_default();
                    outbox.push(key, Audience::Again(router_id));
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
