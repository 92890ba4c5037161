//! Where the groups are: locks that end, and switches that are heard of.

use std::time::Duration;

use super::campaigns::LONGEST_DEADLINE;
use super::{Action, Agent};
use crate::group::{Placed, Placement};
use crate::switch::TO_GO_BACK;
use crate::types::{RouterId, Time};

/// No coordinator keeps a group for longer without a word.
pub(super) const LONGEST_LOCK: Duration = LONGEST_DEADLINE.saturating_add(TO_GO_BACK);

impl Agent {
    /// Ends locks whose time is over.
    pub(super) fn settle_locks(&mut self, now: Time) {
        let wall = self.wall(now);
        let all = self.orders.in_force().placements();
        let over: Vec<(String, Placed)> = all
            .filter_map(|(group, placed)| {
                let placement = placed.placement.over(wall)?;
                Some((group.to_owned(), Placed { placement, ..placed.clone() }))
            })
            .collect();
        for (group, placed) in over {
            let text = format!("the lock of a switch has ended: {}", at(&placed.placement));
            self.learn_placement(&group, placed, text, now);
            self.others.stale = true;
        }
    }

    /// The calendar may have jumped back while we did not run: no lock lasts longer than one that is taken now.
    pub(super) fn shorten_locks(&mut self, now: Time) {
        let latest = self.wall(now) + LONGEST_LOCK;
        let all = self.orders.in_force().placements();
        let long = all.filter(|(_, placed)| {
            placed.placement.lock.as_ref().is_some_and(|lock| lock.until > latest)
        });
        let long: Vec<(String, Placed)> =
            long.map(|(group, placed)| (group.to_owned(), placed.clone())).collect();
        for (group, mut placed) in long {
            if let Some(lock) = &mut placed.placement.lock {
                lock.until = latest;
            }
            let text = format!("the clock has jumped back: its lock ends at {latest}");
            self.learn_placement(&group, placed, text, now);
        }
    }

    /// When the next lock ends.
    pub(super) fn lock_ends(&self) -> Option<Time> {
        let locks =
            self.orders.in_force().placements().filter_map(|(_, p)| p.placement.lock.as_ref());
        locks.map(|lock| Time::ZERO + lock.until.since(self.wall)).min()
    }

    /// Goes by switches that other nodes have heard of, and this one has not.
    pub(super) fn hear_marks(&mut self, now: Time) {
        if self.config.site_ids.is_empty() {
            return;
        }
        let groups: Vec<String> = self.config.groups.keys().cloned().collect();
        for name in groups {
            let Some((router, placement)) = self.heard(&name) else { continue };
            let text = format!("heard from router {router}: {}", at(&placement));
            let owner = format!("heard from router {router}");
            let placed = Placed { placement, owner, reason: None, since: self.wall(now) };
            self.learn_placement(&name, placed, text, now);
        }
    }

    /// The newest that others know of a group, if that is news.
    fn heard(&self, name: &str) -> Option<(RouterId, Placement)> {
        let group = self.config.groups.get(name)?;
        let before = self.orders.in_force().placement(name).cloned().unwrap_or_default();
        let marks = group.prefixes.iter().flat_map(|prefix| self.marks(*prefix));
        let sites = &self.config.site_ids;
        let mut heard: Option<(RouterId, Placement)> = None;
        for (router, mark) in marks {
            let Some((site, _)) = sites.iter().find(|(_, id)| **id == mark.site) else { continue };
            let known = heard.as_ref().map_or(&before, |(_, placement)| placement);
            if let Some(placement) = known.hear(group, mark.epoch, site) {
                heard = Some((router, placement));
            }
        }
        heard
    }

    /// A move is in force.
    pub(super) fn report_move(&mut self, group: &str, now: Time) {
        self.lowering.stale = true;
        let Some(Placed { placement, owner, .. }) = self.orders.in_force().placed(group) else {
            return;
        };
        let text = match (&placement.raised, &placement.lock) {
            (Some(raised), _) => {
                format!("raised here to {}, epoch {}", raised.preference, raised.epoch)
            }
            (None, Some(lock)) => {
                format!("a switch to {} is in progress; {}", lock.to, at(placement))
            }
            (None, None) => at(placement),
        };
        let text = format!("{text}, by {owner}");
        self.report(now, "switch", group, "info", text);
    }

    pub(super) fn learn_placement(&mut self, group: &str, placed: Placed, text: String, now: Time) {
        let before = self.orders.in_force().placement(group);
        let from = before.and_then(|before| before.site.clone());
        if from != placed.placement.site {
            self.record_placement(group, from, &placed, &text, now);
        }
        let (version, stored) = self.orders.learn(group, &placed);
        self.actions.push_back(Action::StoreIntents { version, text: stored });
        self.groups_stale = true;
        self.lowering.stale = true;
        self.report(now, "switch", group, "warning", text);
    }
}

/// `it is at dc2, epoch 3`.
pub(super) fn at(placement: &Placement) -> String {
    let Placement { epoch, site, .. } = placement;
    match site {
        Some(site) => format!("it is at {site}, epoch {epoch}"),
        None => "it is where the configuration says".to_owned(),
    }
}
