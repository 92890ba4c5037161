//! Own announcements: the groups' effective preferences, and the orders that change them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Agent, OrderId, Owner, text};
use crate::api::v1;
use crate::group::{Announcement, Circumstances, Intents, Lowered, Target, effective};
use crate::rib::SourceId;
use crate::types::{Prefix, Time, Wall};
use crate::wire::bgp::{Attributes, NextHop};

impl Agent {
    /// Computes the effective preferences again, if something they depend on has changed, and
    /// enters the difference.
    pub(super) fn settle_announcements(&mut self, now: Time) {
        if !std::mem::take(&mut self.groups_stale) {
            return;
        }
        let wall = self.wall(now);
        let new = self.effective(self.orders.in_force(), wall);
        let old = std::mem::replace(&mut self.own, new);
        let prefixes: BTreeSet<Prefix> = old.keys().chain(self.own.keys()).copied().collect();
        let mut moves: BTreeMap<String, Vec<Prefix>> = BTreeMap::new();
        for prefix in prefixes {
            let shown = |all: &BTreeMap<Prefix, Announcement>| {
                all.get(&prefix).map(|own| (own.preference, own.mark)).unwrap_or_default()
            };
            let ((was, old_mark), (is, mark)) = (shown(&old), shown(&self.own));
            if was == is {
                if mark != old_mark && is.is_announced() {
                    self.own_changed.insert(prefix);
                }
                continue;
            }
            self.own_changed.insert(prefix);
            if is.is_announced() {
                let next_hop = NextHop::from(std::net::IpAddr::from([0, 0, 0, 0]));
                let attributes = self.rib.intern(Attributes::originated(next_hop));
                self.rib.learn(SourceId::LOCAL, prefix, attributes);
            } else {
                self.rib.forget(SourceId::LOCAL, prefix);
            }
            let levels = &self.config.levels;
            let because = self.own.get(&prefix).and_then(|own| own.because.last());
            let because = because.map_or("no longer configured".to_owned(), ToString::to_string);
            let text = format!("{} -> {}: {because}", levels.describe(was), levels.describe(is));
            moves.entry(text).or_default().push(prefix);
        }
        for (why, groups) in self.moved_by_health(&old, &moves) {
            self.record_failover(groups, &why, now);
        }
        self.report_moves(moves, now);
    }

    /// What is announced while these orders are in force.
    pub(super) fn effective(
        &self,
        intents: &Intents,
        wall: Wall,
    ) -> BTreeMap<Prefix, Announcement> {
        self.effective_when(intents, self.lowering.lowered.clone(), wall)
    }

    /// The same while this lowers the groups.
    pub(super) fn effective_when(
        &self,
        intents: &Intents,
        lowered: BTreeMap<Prefix, Lowered>,
        wall: Wall,
    ) -> BTreeMap<Prefix, Announcement> {
        let circumstances = Circumstances {
            lowered,
            active: self.active_roles(),
            raised: self.raised(),
            disbelieved: self.disbelieved(),
        };
        effective(self.config.definitions(), intents, &circumstances, wall)
    }

    /// Prefixes that moved alike are one event, so that a large group does not push all history out.
    fn report_moves(&mut self, moves: BTreeMap<String, Vec<Prefix>>, now: Time) {
        for (text, prefixes) in moves {
            let Some(first) = prefixes.first() else { continue };
            let subject = match prefixes.len() - 1 {
                0 => first.to_string(),
                more => format!("{first} and {more} more"),
            };
            self.report(now, "announcement", &subject, "info", text);
        }
    }

    /// A client's write: checked, then stored; it takes effect when the disk has it.
    pub(super) fn ordered(
        &mut self,
        order: OrderId,
        request: &v1::OrderRequest,
        owner: &Owner,
        now: Time,
    ) {
        if self.stopping.is_some() {
            let status = tonic::Status::unavailable("the daemon is stopping");
            self.answer(order, Err(status));
            return;
        }
        let wall = self.wall(now);
        match self.orders.request(order, request, owner, &self.config, now, wall) {
            Err(status) => self.answer(order, Err(status)),
            Ok(Some((version, text))) => {
                self.actions.push_back(Action::StoreIntents { version, text });
            }
            Ok(None) => {
                let of_router = request.order == "vrrp-resume";
                let announcements = match self.config.definitions().target(&request.target) {
                    Ok(target) if !of_router => self.announcements_of(&target),
                    _ => Vec::new(),
                };
                let reply = v1::OrderReply {
                    announcements,
                    unchanged: true,
                    drain: self.drain_order(now),
                    router: self.vrrp_outcome(&request.target, now).filter(|_| of_router),
                    ..Default::default()
                };
                self.answer(order, Ok(Box::new(reply)));
            }
        }
    }

    /// The disk has the intents of this version, or has refused them.
    pub(super) fn intents_stored(&mut self, version: u64, result: Result<(), String>, now: Time) {
        self.journals_stored(version, &result, now);
        let error = match result {
            Ok(()) => {
                let durable = self.orders.stored(version);
                for order in &durable {
                    match &order.target {
                        Target::Group(group) if order.is_move => self.report_move(group, now),
                        target => self.report_intent(target, now),
                    }
                }
                self.groups_stale |= !durable.is_empty();
                self.durable.extend(durable.into_iter().map(|order| (order, now)));
                return;
            }
            Err(error) => error,
        };
        let (failed, again) = self.orders.refused(version);
        let text = format!("the intents could not be stored: {error}; nothing was changed");
        self.report(now, "intent", "", "error", text.clone());
        for order in failed {
            let status = tonic::Status::internal(text.clone());
            self.answer(order, Err(status));
        }
        if let Some((version, text)) = again {
            self.actions.push_back(Action::StoreIntents { version, text });
        }
    }

    /// The answer of an order, for the client or the coordinator that gave it.
    pub(super) fn answer(
        &mut self,
        order: OrderId,
        answer: Result<Box<v1::OrderReply>, tonic::Status>,
    ) {
        if let Some(answer) = self.answer_move(order, answer) {
            self.actions.push_back(Action::Answer { order, answer });
        }
    }

    fn report_intent(&mut self, target: &Target, now: Time) {
        let text = match self.orders.in_force().get(target) {
            Some(intent) => text::intent(intent, &self.config.levels),
            None => "released".to_owned(),
        };
        self.report(now, "intent", &target.to_string(), "info", text);
    }

    /// Intents that are over stop counting.
    pub(super) fn expire(&mut self, now: Time) {
        let wall = self.wall(now);
        let (over, store) = self.orders.expire(wall);
        self.groups_stale |= !over.is_empty();
        for intent in over {
            let text = format!("expired: {}", text::intent(&intent, &self.config.levels));
            self.report(now, "intent", &intent.target.to_string(), "info", text);
        }
        if let Some((version, text)) = store {
            self.actions.push_back(Action::StoreIntents { version, text });
        }
    }

    /// When the next intent is over.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        let expires = self.orders.in_force().iter().filter_map(|intent| intent.expires).min()?;
        Some(Time::ZERO + expires.since(self.wall))
    }

    fn announcements_of(&self, target: &Target) -> Vec<v1::Announcement> {
        self.prefixes_of(target)
            .iter()
            .filter_map(|prefix| self.own.get(prefix))
            .map(|announcement| self.announcement(announcement))
            .collect()
    }

    pub(super) fn prefixes_of(&self, target: &Target) -> Vec<Prefix> {
        match target {
            Target::Node => self.own.keys().copied().collect(),
            Target::Router(_) => Vec::new(),
            Target::Prefix(prefix) => vec![*prefix],
            Target::Group(name) => {
                self.config.groups.get(name).map(|group| group.prefixes.clone()).unwrap_or_default()
            }
        }
    }
}
