//! Origin validation (RFC 6811): what RPKI caches say decides which learned routes can be used.
//!
//! A route with an invalid origin stays in the RIB as a path that is not eligible, if its neighbour's configuration wants it
//! so. When what the caches say changes, the routes that it covers are looked at again, in portions; no neighbour is asked
//! to send them again (RFC 9324).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Agent;
use super::exports::PORTION;
use super::neighbor::Neighbor;
use crate::config;
use crate::rpki::{Report, Summary, Table};
use crate::types::{Asn, Family, Prefix, Time, Validity};
use crate::wire::bgp::Attributes;

#[derive(Clone, Default)]
pub(super) struct Validation {
    pub table: Arc<Table>,
    /// As last told, in the order of their names.
    pub caches: Vec<Summary>,
    /// What is below these prefixes is to be looked at again.
    pending: BTreeSet<Prefix>,
    /// Below which prefix that is being done, and behind which.
    walk: Option<(Prefix, Prefix)>,
}

/// What there is to validate of a set: who originated its routes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// Nothing: the neighbour's routes are taken as they are.
    Ignored,
    /// `None`: it cannot be said.
    Of(Option<Asn>),
}

impl Validation {
    /// Of a set that a neighbour sent to us, in AS `own`. Once per set.
    pub fn origin(&self, neighbor: &config::Neighbor, own: Asn, set: &Attributes) -> Origin {
        match neighbor.rejects_invalid && !self.table.is_empty() {
            true => Origin::Of(set.as_path.origin_for(own)),
            false => Origin::Ignored,
        }
    }

    /// Whether a path with this origin may win.
    pub fn admits(&self, prefix: Prefix, origin: Origin) -> bool {
        match origin {
            Origin::Ignored => true,
            Origin::Of(origin) => self.table.state(prefix, origin) != Validity::Invalid,
        }
    }

    /// Whether routes are still to be looked at again.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty() || self.walk.is_some()
    }

    /// Every route is to be looked at again.
    pub fn begin_again(&mut self) {
        self.pending = Family::ALL.into_iter().map(Prefix::default_route).collect();
    }
}

impl Agent {
    pub(super) fn rpki_reported(&mut self, report: Report, now: Time) {
        match report {
            Report::Table { table, changed } => {
                self.validation.table = table;
                self.validation.pending.extend(changed);
            }
            Report::Caches(caches) => self.validation.caches = caches,
            Report::Note { cache, warning, text } => {
                let severity = if warning { "warning" } else { "info" };
                self.report(now, "rpki", &cache, severity, text);
            }
        }
    }

    /// Looks at the next portion of routes again.
    pub(super) fn settle_validation(&mut self) {
        let Agent { validation, rib, neighbors, config, .. } = self;
        let judged_on_export =
            |neighbor: &Neighbor| neighbor.config.export_policy.looks_at_validity();
        let on_export = neighbors.values().any(judged_on_export);
        let mut left = PORTION;
        while left > 0 {
            let (root, after) = match validation.walk.take() {
                Some(walk) => walk,
                None => {
                    let Some(root) = validation.pending.pop_first() else { return };
                    // What it covers comes with it.
                    while validation.pending.first().is_some_and(|next| root.covers(*next)) {
                        validation.pending.pop_first();
                    }
                    (root, root)
                }
            };
            let first = (after == root).then_some(root);
            let page = rib.page_below(root, after, left);
            validation.walk = page.last().filter(|_| page.len() == left).map(|last| (root, *last));
            // Where there is no route, looking for one is work as well.
            left = left.saturating_sub(page.len().max(1));
            for prefix in first.into_iter().chain(page) {
                if on_export {
                    rib.look_again(prefix);
                }
                rib.judge(prefix, |source, attributes| {
                    let neighbor =
                        Neighbor::of_source(source).and_then(|peer| neighbors.get(&peer));
                    neighbor.is_none_or(|neighbor| {
                        let origin =
                            validation.origin(&neighbor.config, config.node.asn, attributes);
                        validation.admits(prefix, origin)
                    })
                });
            }
        }
    }
}
