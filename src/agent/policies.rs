//! What the policies of a neighbour make of routes, worked out once per attribute set.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use crate::config;
use crate::policy::{By, Chain, Changes, Facts, Route, Verdict};
use crate::rib::Rib;
use crate::rpki::Table;
use crate::types::{Asn, Family, Prefix, Validity};
use crate::wire::bgp::{Attributes, Community};

/// Size from which the cache first looks for sets that nobody has any more.
const FIRST_SWEEP: usize = 1024;

/// An attribute set on its way in, and what became of those of its routes that have been asked for.
pub(super) struct Admission<'a> {
    neighbor: &'a config::Neighbor,
    name: &'a str,
    /// Where its routes begin (RFC 6811 §2).
    origin: Option<Asn>,
    /// As `rib::import` made it.
    received: Attributes,
    known: SmallVec<[(Facts, Admitted); 1]>,
}

/// The set that a route is stored with, or what rejected it.
type Admitted = Result<Arc<Attributes>, By>;

impl<'a> Admission<'a> {
    /// `own` is our AS.
    pub fn new(
        neighbor: &'a config::Neighbor,
        name: &'a str,
        own: Asn,
        received: Attributes,
    ) -> Self {
        let origin = received.as_path.origin_for(own);
        Admission { neighbor, name, origin, received, known: SmallVec::new() }
    }

    /// What becomes of one of its routes.
    pub fn of(&mut self, prefix: Prefix, vrps: &Table, rib: &mut Rib) -> Admitted {
        let validity = validity(&self.neighbor.import_policy, vrps, prefix, self.origin);
        self.with(prefix, validity, rib)
    }

    /// Whether a route that was rejected might not be if the caches said something else.
    pub fn depends_on_validity(&mut self, prefix: Prefix, rib: &mut Rib) -> bool {
        self.looks_at_validity()
            && [Validity::Valid, Validity::Invalid, Validity::NotFound]
                .into_iter()
                .any(|validity| self.with(prefix, validity, rib).is_ok())
    }

    pub fn looks_at_validity(&self) -> bool {
        self.neighbor.import_policy.looks_at_validity()
    }

    /// The set as it was received.
    pub fn received(&self) -> &Attributes {
        &self.received
    }

    fn with(&mut self, prefix: Prefix, validity: Validity, rib: &mut Rib) -> Admitted {
        let chain = &self.neighbor.import_policy;
        let route = Route { prefix, learned_from: Some(self.name), validity };
        let facts = chain.facts(&route);
        if let Some((_, outcome)) = self.known.iter().find(|(known, _)| *known == facts) {
            return outcome.clone();
        }
        let outcome = match import(self.neighbor, &self.received, &facts) {
            Ok(attributes) => Ok(rib.intern(attributes)),
            Err(by) => Err(by),
        };
        self.known.push((facts, outcome.clone()));
        outcome
    }
}

fn import(
    neighbor: &config::Neighbor,
    received: &Attributes,
    facts: &Facts,
) -> Result<Attributes, By> {
    let prepended = import_prepends(neighbor);
    match neighbor.import_policy.evaluate(received, facts, prepended) {
        Verdict::Rejected(by) => Err(by),
        Verdict::Accepted(changes) => {
            let mut attributes = received.clone();
            changes.apply(&mut attributes, prepended);
            // No policy prefers what is about to go away, unless it has taken the mark off (RFC 8326 §4).
            if !neighbor.internal && attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN)
            {
                attributes.local_pref = Some(0);
            }
            Ok(attributes)
        }
    }
}

/// As far as the policies look at it.
pub(super) fn validity(
    chain: &Chain,
    vrps: &Table,
    prefix: Prefix,
    origin: Option<Asn>,
) -> Validity {
    match chain.looks_at_validity() {
        true => vrps.state(prefix, origin),
        false => Validity::NotFound,
    }
}

/// What prepending puts in front of the path of a route that comes in: as if the neighbour had done it.
pub(super) fn import_prepends(neighbor: &config::Neighbor) -> Option<Asn> {
    (!neighbor.internal).then_some(neighbor.remote_as)
}

/// The same on the way out.
pub(super) fn export_prepends(neighbor: &config::Neighbor, own: Asn) -> Option<Asn> {
    (!neighbor.internal).then_some(own)
}

/// What the export policies of one neighbour made of learned sets, by the set and the facts. Emptied with the session.
///
/// The weak reference beside a set keeps its address from being used again without keeping the set from being dropped.
#[derive(Clone)]
pub(super) struct PassedOn {
    sets: BTreeMap<(usize, Family, Facts), (Weak<Attributes>, Passing)>,
    sweep_at: usize,
}

/// How a learned set goes to a neighbour.
#[derive(Clone)]
pub(super) enum Passing {
    Withheld,
    Unchanged,
    Changed(Arc<Attributes>),
}

impl Default for PassedOn {
    fn default() -> PassedOn {
        PassedOn { sets: BTreeMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl PassedOn {
    /// `make` is asked once per set, family and facts.
    pub fn get_or_make(
        &mut self,
        set: &Arc<Attributes>,
        family: Family,
        facts: Facts,
        make: impl FnOnce(&Facts) -> Passing,
    ) -> Passing {
        let key = (Arc::as_ptr(set).addr(), family, facts);
        if let Some((_, passing)) = self.sets.get(&key) {
            return passing.clone();
        }
        if self.sets.len() >= self.sweep_at {
            self.sets.retain(|_, (set, _)| set.strong_count() > 0);
            self.sweep_at = FIRST_SWEEP.max(2 * self.sets.len());
        }
        let passing = make(&key.2);
        self.sets.insert(key, (Arc::downgrade(set), passing.clone()));
        passing
    }
}

/// `; its policies: med 50, add community 64500:1`; empty if nothing changes.
pub(super) fn changes_text(changes: &Changes) -> String {
    match changes.is_empty() {
        true => String::new(),
        false => format!("; its policies: {changes}"),
    }
}
