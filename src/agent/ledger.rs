//! What goes into the ledger beside switches: what this node does without an order.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Agent};
use crate::api::v1;
use crate::group::{Announcement, Because, Placed};
use crate::types::{Preference, Prefix, Time};

impl Agent {
    pub(super) fn record(&mut self, entry: v1::LedgerEntry, now: Time) {
        let (node, at) = (self.config.node.name.clone(), self.wall(now).to_string());
        let entry = Box::new(v1::LedgerEntry { node, at, ..entry });
        self.actions.push_back(Action::Record { entry });
    }

    /// It took something over, or gave it up. Without a group it is told all the same.
    pub(super) fn record_failover(&mut self, groups: BTreeSet<String>, why: &str, now: Time) {
        let groups = match groups.is_empty() {
            true => BTreeSet::from([String::new()]),
            false => groups,
        };
        for group in groups {
            let (kind, why) = ("failover".to_owned(), why.to_owned());
            self.record(v1::LedgerEntry { kind, group, why, ..Default::default() }, now);
        }
    }

    /// The role of virtual routers that change together has come or gone.
    pub(super) fn record_role(&mut self, unit: &str, story: &str, now: Time) {
        let follows = |router: &String| {
            self.routers.by_name.get(router).is_some_and(|router| router.unit == unit)
        };
        let groups = self.config.groups.iter().filter(|(_, group)| {
            group.follow.as_ref().is_some_and(|follow| follows(&follow.router))
        });
        let groups = groups.map(|(name, _)| name.clone()).collect();
        self.record_failover(groups, &format!("virtual router {unit}: {story}"), now);
    }

    /// A group is elsewhere than this node thought.
    pub(super) fn record_placement(
        &mut self,
        group: &str,
        from: Option<String>,
        placed: &Placed,
        why: &str,
        now: Time,
    ) {
        let entry = v1::LedgerEntry {
            kind: "placement".to_owned(),
            group: group.to_owned(),
            from: from.unwrap_or_default(),
            to: placed.placement.site.clone().unwrap_or_default(),
            epoch: placed.placement.epoch.0,
            owner: placed.owner.clone(),
            reason: placed.reason.clone().unwrap_or_default(),
            why: why.to_owned(),
            ..Default::default()
        };
        self.record(entry, now);
    }

    /// The groups that health has moved to another site, or back: why, and which.
    pub(super) fn moved_by_health(
        &self,
        old: &BTreeMap<Prefix, Announcement>,
        moves: &BTreeMap<String, Vec<Prefix>>,
    ) -> BTreeMap<String, BTreeSet<String>> {
        let mut moved: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (text, prefixes) in moves {
            for prefix in prefixes {
                let (Some(was), Some(is)) = (old.get(prefix), self.own.get(prefix)) else {
                    continue;
                };
                let Some(group) = is.group.as_ref().filter(|_| is_lowered(was) || is_lowered(is))
                else {
                    continue;
                };
                if self.leads(*prefix, was.preference) != self.leads(*prefix, is.preference) {
                    moved.entry(text.clone()).or_default().insert(group.clone());
                }
            }
        }
        moved
    }

    /// Nobody announces it any better, as far as the routes tell that we learn.
    fn leads(&self, prefix: Prefix, preference: Preference) -> bool {
        preference.is_announced() && self.elsewhere(prefix, preference).better == 0
    }
}

fn is_lowered(announcement: &Announcement) -> bool {
    announcement.because.iter().any(|because| matches!(because, Because::Lowered { .. }))
}
