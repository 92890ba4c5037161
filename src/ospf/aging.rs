use std::time::Duration;

use super::database::MAX_AGE;
use super::{NeighborState, Router};
use crate::types::Time;
use crate::wire::ospf::{LsaKey, LsaType};

/// How often LSAs at MaxAge are looked at, beside whenever one is acknowledged: neighbours may have gone, or have
/// ended their exchange.
const SWEEP: Duration = Duration::from_secs(1);

impl Router {
    /// Does what is due in the databases and sends what waits.
    pub(super) fn flooding_tick(&mut self, now: Time) {
        self.age(now);
        self.originate_due(now);
        self.finish_loading(now);
        self.sweep_flushed(now);
        self.retransmit(now);
        self.acknowledge_due(now);
        self.send_updates(now);
    }

    pub(super) fn flooding_deadline(&self) -> Option<Time> {
        let databases = self.flooding.link_local.values().chain([&self.database]);
        let interfaces = self.interfaces.values().flat_map(|interface| {
            let neighbors = interface.neighbors.values();
            neighbors
                .filter_map(|neighbor| neighbor.retransmissions.next())
                .chain(interface.acknowledge_at)
        });
        let outboxes = self.flooding.outboxes.values().filter_map(|outbox| outbox.deadline());
        databases
            .filter_map(|database| database.next_due())
            .chain(interfaces)
            .chain(outboxes)
            .chain(self.flooding.sweep_at)
            .chain(self.origination_deadline())
            .min()
    }

    /// LSAs of ours want a refresh, others have reached MaxAge (RFC 2328 §14).
    fn age(&mut self, now: Time) {
        while let Some(key) = self.database.pop_due(now) {
            if self.is_own(&key) {
                self.refresh(key, now);
            } else {
                self.flush(None, key, now);
            }
        }
        let links: Vec<u32> = self.flooding.link_local.keys().copied().collect();
        for index in links {
            while let Some(key) =
                self.flooding.link_local.get_mut(&index).and_then(|database| database.pop_due(now))
            {
                self.flush(Some(index), key, now);
            }
        }
    }

    /// Takes an LSA out of everybody's database: floods the instance that there is at MaxAge (RFC 2328 §14.1).
    pub(super) fn flush(&mut self, link: Option<u32>, key: LsaKey, now: Time) {
        let index = link.unwrap_or_default();
        let Some(entry) = self.database_of(index, key.kind).and_then(|database| database.get(&key))
        else {
            return;
        };
        if entry.lsa.header.is_max_age() {
            return;
        }
        let mut entry = entry.clone();
        entry.lsa = entry.lsa.with_age(MAX_AGE);
        entry.installed = now;
        entry.received = false;
        entry.sent = None;
        self.replace(link, entry, now, None, now);
    }

    /// Removes LSAs at MaxAge that nobody is to acknowledge any more.
    fn sweep_flushed(&mut self, now: Time) {
        if self.flooding.sweep_at.is_none_or(|at| at > now) {
            return;
        }
        self.flooding.sweep_at = None;
        if self.is_exchanging() {
            self.flooding.sweep_at = Some(now + SWEEP);
            return;
        }
        let area = self.database.flushing().iter().map(|&key| (0, key));
        let links = self.flooding.link_local.iter().flat_map(|(&index, database)| {
            database.flushing().iter().map(move |&key| (index, key))
        });
        for (index, key) in area.chain(links).collect::<Vec<_>>() {
            self.remove_flushed(index, key, now);
        }
    }

    /// Removes an LSA at MaxAge if it is on no retransmission list and no neighbour is in Exchange or Loading (RFC
    /// 2328 §14), else later.
    pub(super) fn remove_flushed(&mut self, index: u32, key: LsaKey, now: Time) {
        let link = (key.kind == LsaType::OPAQUE_LINK).then_some(index);
        let listed = self
            .interfaces
            .iter()
            .filter(|(index, _)| link.is_none_or(|link| **index == link))
            .flat_map(|(_, interface)| interface.neighbors.values())
            .any(|neighbor| neighbor.retransmissions.contains(&key));
        if listed || self.is_exchanging() {
            self.flooding.sweep_at.get_or_insert(now + SWEEP);
            return;
        }
        let removed = self.database_of_mut(index, key.kind).remove(&key);
        if let Some(entry) = removed.filter(|_| link.is_none() && self.is_own(&key)) {
            self.own_removed(&entry);
        }
    }

    /// Whether a neighbour is in Exchange or Loading: it may still ask for what it was told of.
    pub(super) fn is_exchanging(&self) -> bool {
        self.interfaces.values().flat_map(|interface| interface.neighbors.values()).any(
            |neighbor| matches!(neighbor.state, NeighborState::Exchange | NeighborState::Loading),
        )
    }
}
