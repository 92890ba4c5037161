//! Origin validation (RFC 6811): what RPKI caches say decides which learned routes can be used.
//!
//! A route with an invalid origin stays in the RIB as a path that is not eligible, if its neighbour's configuration wants it
//! so. So does one that its import policies reject, if they might not if the caches said something else; of one that they changed, what was
//! received is kept beside it. When what the caches say changes, the routes that it covers are looked at again, in portions; no neighbour is asked
//! to send them again (RFC 9324).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Agent;
use super::exports::PORTION;
use super::neighbor::Neighbor;
use super::policies::Admission;
use crate::config;
use crate::rib::{Rib, SourceId};
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
    /// What was received of the paths that an import policy has changed, and might have changed in another way if the caches
    /// said something else.
    kept: BTreeMap<(SourceId, Prefix), Arc<Attributes>>,
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

    /// A path is stored with `stored`: what it was received with is kept if that is something else.
    pub fn keep(
        &mut self,
        admission: &Admission<'_>,
        source: SourceId,
        prefix: Prefix,
        stored: &Attributes,
        rib: &mut Rib,
    ) {
        if !admission.looks_at_validity() {
            return;
        }
        match stored == admission.received() {
            true => self.drop_kept(source, prefix),
            false => {
                let received = rib.intern(admission.received().clone());
                self.kept.insert((source, prefix), received);
            }
        }
    }

    pub fn drop_kept(&mut self, source: SourceId, prefix: Prefix) {
        self.kept.remove(&(source, prefix));
    }

    pub fn drop_all_kept(&mut self, source: SourceId) {
        self.kept.retain(|(of, _), _| *of != source);
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
        let judged_on_import =
            |neighbor: &&Neighbor| neighbor.config.import_policy.looks_at_validity();
        let own = config.node.asn;
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
                rib.judge(prefix, |source, attributes, now| {
                    let neighbor =
                        Neighbor::of_source(source).and_then(|peer| neighbors.get(&peer));
                    neighbor.is_none_or(|neighbor| {
                        if judged_on_import(&neighbor) {
                            return now;
                        }
                        let origin = validation.origin(&neighbor.config, own, attributes);
                        validation.admits(prefix, origin)
                    })
                });
                for neighbor in neighbors.values().filter(judged_on_import) {
                    admit_again(neighbor, own, prefix, validation, rib);
                }
            }
        }
    }
}

/// Has the policies of a neighbour decide on its path to a prefix again, by what was received.
fn admit_again(
    neighbor: &Neighbor,
    own: Asn,
    prefix: Prefix,
    validation: &mut Validation,
    rib: &mut Rib,
) {
    let source = neighbor.source();
    let Some(stored) = rib.set_of(source, prefix) else { return };
    // A path that was rejected is stored as it was received.
    let received = Arc::clone(validation.kept.get(&(source, prefix)).unwrap_or(stored));
    let (config, name) = (&neighbor.config, &neighbor.name);
    let mut admission = Admission::new(config, name, own, Attributes::clone(&received));
    match admission.of(prefix, &validation.table, rib) {
        Ok(attributes) => {
            validation.keep(&admission, source, prefix, &attributes, rib);
            let origin = validation.origin(config, own, &attributes);
            rib.revise(validation.admits(prefix, origin), source, prefix, attributes);
        }
        Err(_) => {
            validation.drop_kept(source, prefix);
            rib.revise(false, source, prefix, received);
        }
    }
}
