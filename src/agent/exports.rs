//! What each neighbour is to have, and the UPDATEs that get it there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::BytesMut;

use super::neighbor::Neighbor;
use super::ospf::Withholding;
use super::policies::{Passing, changes_text, export_prepends, validity};
use super::restart::Restarting;
use super::{Agent, PeerId, collectors};
use crate::bgp;
use crate::config::{Config, Export};
use crate::group::{Announcement, Mapped};
use crate::policy::{Changes, Facts, Route, Verdict};
use crate::rib::export::{self, Originated, conform, export, originate, withheld};
use crate::rib::{Batch, Path, Rib, SourceId, SourceKind, Told, Urgency};
use crate::rpki::Table;
use crate::types::{Family, Prefix, Time};
use crate::wire::bgp::{
    AsPath, Attributes, NextHop, Nlri, SessionFacts, emit_end_of_rib, emit_routes,
};

/// Octets that may wait for a neighbour's TCP before bulk work for it pauses. Enough to keep a
/// connection busy until the driver reports progress, and little for an own announcement to wait behind.
pub(super) const QUEUE_LIMIT: usize = 64 * 1024;

/// Prefixes looked at, or sent, in one portion of bulk work: some milliseconds.
pub(super) const PORTION: usize = 2000;

/// Prefixes of the first portion when a table is gone through: neighbours hear of these at once.
const FIRST_PORTION: usize = 100;

/// Prefixes that may wait for the others of their attribute sets while a table is gone through.
pub(super) const PACKED: usize = 512 * 1024;

/// The best path of a prefix, learned from a neighbour.
#[derive(Clone)]
struct Learned {
    source: SourceId,
    kind: SourceKind,
    set: Arc<Attributes>,
}

impl Agent {
    /// A session came up: all that the neighbour is to have is still to be sent.
    pub(super) fn begin_exports(&mut self, peer: PeerId) {
        let own: Vec<Prefix> = self.own.keys().copied().collect();
        self.enter(peer, &own);
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        // After a restart when they have been selected.
        if neighbor.config.export == Some(Export::Transit)
            && self.restarting != Restarting::Deferring
        {
            neighbor.walk = Some(None);
        }
    }

    /// The neighbour wants all routes of a family again (RFC 2918 §4, RFC 7313 §4.1).
    pub(super) fn refresh_requested(&mut self, peer: PeerId, family: Family, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        if !neighbor.initial.is_empty() {
            // No BoRR before End-of-RIB (RFC 7313 §4).
            if !neighbor.asked.contains(&family) {
                neighbor.asked.push(family);
            }
            return;
        }
        neighbor.out.resend(family);
        if !neighbor.refreshing.contains(&family) {
            neighbor.refreshing.push(family);
            self.session_event(peer, bgp::Event::RefreshStarted { family }, now);
        }
    }

    /// Enters what changed into each neighbour's Adj-RIB-Out and sends the differences.
    pub(super) fn settle_exports(&mut self, now: Time) {
        self.settle_drain(now);
        for prefix in std::mem::take(&mut self.own_changed) {
            let (holds_area, holds_neighbors) = self.holds(prefix);
            if holds_area || holds_neighbors {
                self.held.insert(prefix);
            }
            if !holds_area {
                self.announce_by_ospf(prefix, now);
            }
            if holds_neighbors {
                continue;
            }
            let mut told = BTreeSet::new();
            // Also if it is announced no more: the withdrawal is ours.
            self.set_exports(prefix, Urgency::Own, |peer| {
                told.insert(peer);
            });
            self.told.insert(prefix, told);
        }
        // All that is announced now goes out together.
        self.ospf_tick(now);
        // Where a whole table is gone through, the prefixes of an attribute set lie far apart: all but the first wait until it is
        // done and go out together, in as few UPDATEs as there are sets.
        let limit = match (self.rib.is_reviewing(), self.packing) {
            (true, false) => FIRST_PORTION,
            _ => PORTION,
        };
        let packing = self.packing && self.rib.is_reviewing();
        self.packing = self.rib.is_reviewing();
        for prefix in self.rib.take_changes(limit) {
            self.others.stale |= self.own.contains_key(&prefix);
            if self.defers(prefix) {
                continue;
            }
            self.set_exports(prefix, urgency(prefix, &self.own), |_| ());
            self.want_in_kernel(prefix);
        }
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in peers {
            self.drain(peer, packing, now);
        }
        self.settle_collectors(now);
    }

    /// Enters what each neighbour is to have for a prefix; `news` hears of those to whom it is news.
    fn set_exports(&mut self, prefix: Prefix, urgency: Urgency, mut news: impl FnMut(PeerId)) {
        let best = best(&self.rib, prefix);
        let exporting = Exporting {
            own: &self.own,
            config: &self.config,
            withholding: self.withholding,
            names: &self.source_names,
            vrps: &self.validation.table,
        };
        for neighbor in self.neighbors.values_mut().filter(|neighbor| neighbor.is_established()) {
            let told = exporting.wanted(neighbor, prefix, best.as_ref(), &mut self.rib);
            neighbor.out.set(prefix, told, urgency);
            if neighbor.out.is_pending(prefix) {
                news(neighbor.id);
            }
        }
        collectors::touch(&mut self.collectors, prefix);
    }

    /// Enters what one neighbour is to have for these prefixes.
    fn enter(&mut self, peer: PeerId, prefixes: &[Prefix]) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let exporting = Exporting {
            own: &self.own,
            config: &self.config,
            withholding: self.withholding,
            names: &self.source_names,
            vrps: &self.validation.table,
        };
        for prefix in prefixes {
            let best = best(&self.rib, *prefix);
            let told = exporting.wanted(neighbor, *prefix, best.as_ref(), &mut self.rib);
            neighbor.out.set(*prefix, told, urgency(*prefix, &self.own));
        }
    }

    /// Sends one neighbour the next portion, if there is room for it.
    fn drain(&mut self, peer: PeerId, packing: bool, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        if !neighbor.can_drain() && neighbor.initial.is_empty() && neighbor.refreshing.is_empty() {
            return;
        }
        let begins = neighbor.walk == Some(None);
        if neighbor.can_walk()
            && let Some(after) = neighbor.walk
        {
            let limit = if after.is_none() { FIRST_PORTION } else { PORTION };
            let page = self.rib.page(after, limit);
            neighbor.walk = page.last().map(|last| Some(*last));
            self.enter(peer, &page);
            for prefix in page {
                collectors::touch(&mut self.collectors, prefix);
            }
        }
        let Some(neighbor) = self.neighbors.get(&peer) else { return };
        let collects = packing || (neighbor.walk.is_some() && !begins);
        if !collects || neighbor.out.pending() >= PACKED {
            self.send_portion(peer, now);
        }
        // An order waits for all of its prefixes.
        while self.neighbors.get(&peer).is_some_and(Neighbor::is_urgent) {
            self.send_portion(peer, now);
        }
        self.finish_tables(peer, now);
    }

    fn send_portion(&mut self, peer: PeerId, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let Some(session) = neighbor.peer.session().filter(|_| neighbor.can_drain()) else {
            return;
        };
        let batch = neighbor.out.drain(PORTION);
        let neighbor = &*neighbor;
        let (bytes, unsendable) = encode(&batch, &session.facts, |told, family| {
            as_sent(neighbor, session, &self.config, told, family)
        });
        let name = neighbor.name.clone();
        if !bytes.is_empty() {
            self.session_event(peer, bgp::Event::RoutesEncoded(bytes.freeze()), now);
        }
        if let Some(text) = unsendable {
            self.report(now, "neighbor", &name, "warning", text);
        }
    }

    /// Says where a first or repeated transmission of a table ends.
    fn finish_tables(&mut self, peer: PeerId, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let unfinished = !neighbor.out.is_settled() || neighbor.walk.is_some();
        if unfinished || self.restarting == Restarting::Deferring {
            return;
        }
        let initial = std::mem::take(&mut neighbor.initial);
        let refreshing = std::mem::take(&mut neighbor.refreshing);
        let asked = std::mem::take(&mut neighbor.asked);
        if !initial.is_empty() {
            let mut bytes = BytesMut::new();
            for family in initial {
                emit_end_of_rib(family, &mut bytes);
            }
            self.session_event(peer, bgp::Event::RoutesEncoded(bytes.freeze()), now);
        }
        for family in refreshing {
            self.session_event(peer, bgp::Event::RefreshFinished { family }, now);
        }
        for family in asked {
            self.refresh_requested(peer, family, now);
        }
    }

    /// What a neighbour was last sent of a prefix.
    pub(super) fn sent_to(&self, neighbor: &Neighbor, prefix: Prefix) -> Option<Attributes> {
        self.in_words(neighbor, &neighbor.out.sent(prefix)?, prefix)
    }

    /// What a neighbour is to have of a prefix.
    pub(super) fn wanted_by(&self, neighbor: &Neighbor, prefix: Prefix) -> Option<Attributes> {
        self.in_words(neighbor, &neighbor.out.wanted(prefix)?, prefix)
    }

    fn in_words(&self, neighbor: &Neighbor, told: &Told, prefix: Prefix) -> Option<Attributes> {
        let session = neighbor.peer.session()?;
        as_sent(neighbor, session, &self.config, told, prefix.family()).map(Cow::into_owned)
    }

    /// Why this node's own announcement of a prefix cannot go to a neighbour; `None` if it can.
    pub(super) fn export_obstacle(&self, neighbor: &Neighbor, prefix: Prefix) -> Option<String> {
        let Some(session) = neighbor.peer.session() else {
            return Some("no session".to_owned());
        };
        match neighbor.config.export {
            None => return Some("no export policy is configured (RFC 8212)".to_owned()),
            Some(Export::None) => return Some("export = \"none\"".to_owned()),
            Some(Export::Groups | Export::Transit) => {}
        }
        if self.withholding != Withholding::Over {
            return Some("this node has just started and waits for its OSPF routes".to_owned());
        }
        if !session.facts.families.contains(&prefix.family()) {
            return Some(format!("{} was not negotiated on this session", prefix.family()));
        }
        match self.own.get(&prefix).filter(|own| own.preference.is_announced()) {
            Some(own) => self.attributes_for(neighbor, session, own).err(),
            None => next_hop(neighbor, session, prefix.family()).err(),
        }
    }

    /// An announcement of ours as a neighbour gets it, and what its policies changed; or why it does not.
    pub(super) fn attributes_for(
        &self,
        neighbor: &Neighbor,
        session: &bgp::Session,
        own: &Announcement,
    ) -> Result<(Attributes, Changes), String> {
        let facts = own_facts(neighbor, own.prefix, &self.config, &self.validation.table);
        attributes_of(neighbor, session, own, &self.config, &facts)
    }

    /// What the export policies of a neighbour change of an announcement of ours, as the end of a sentence.
    pub(super) fn export_changes(&self, neighbor: &Neighbor, own: &Announcement) -> String {
        let session = neighbor.peer.session();
        match session.map(|session| self.attributes_for(neighbor, session, own)) {
            Some(Ok((_, changes))) => changes_text(&changes),
            _ => String::new(),
        }
    }

    /// What the export policies of a neighbour do to a route that was learned; `None` if it has none.
    pub(super) fn export_verdict(&self, neighbor: &Neighbor, prefix: Prefix) -> Option<String> {
        let chain = &neighbor.config.export_policy;
        let best = best(&self.rib, prefix).filter(|_| !chain.is_empty())?;
        let exporting = Exporting {
            own: &self.own,
            config: &self.config,
            withholding: self.withholding,
            names: &self.source_names,
            vrps: &self.validation.table,
        };
        let facts = learned_facts(neighbor, prefix, &best, &exporting);
        let prepended = export_prepends(&neighbor.config, self.config.node.asn);
        match chain.evaluate(&best.set, &facts, prepended) {
            Verdict::Rejected(by) => Some(format!("rejected by {}", chain.describe(by))),
            Verdict::Accepted(changes) => {
                Some(format!("the best learned path, passed on{}", changes_text(&changes)))
            }
        }
    }
}

fn best(rib: &Rib, prefix: Prefix) -> Option<Learned> {
    let Path { source, attributes, .. } = rib.best(prefix)?;
    let kind = rib.source(source).map(|source| source.kind)?;
    let is_learned = kind != SourceKind::Local;
    is_learned.then(|| Learned { source, kind, set: Arc::clone(attributes) })
}

/// What it depends on what neighbours are to have, beside the neighbour and the route.
struct Exporting<'a> {
    own: &'a BTreeMap<Prefix, Announcement>,
    config: &'a Config,
    withholding: Withholding,
    names: &'a BTreeMap<SourceId, String>,
    vrps: &'a Table,
}

impl Exporting<'_> {
    /// What a neighbour is to have for a prefix now. Depends on nothing but the arguments.
    fn wanted(
        &self,
        neighbor: &mut Neighbor,
        prefix: Prefix,
        best: Option<&Learned>,
        rib: &mut Rib,
    ) -> Option<Told> {
        let announcement = self
            .own
            .get(&prefix)
            .filter(|own| own.preference.is_announced() && self.withholding == Withholding::Over);
        let session = neighbor.peer.session()?;
        if !session.facts.families.contains(&prefix.family()) {
            return None;
        }
        let Some(policy @ (Export::Groups | Export::Transit)) = neighbor.config.export else {
            return None;
        };
        if let Some(announcement) = announcement {
            let facts = own_facts(neighbor, prefix, self.config, self.vrps);
            let key = (announcement.preference, announcement.mark, prefix.family(), facts);
            if let Some(known) = neighbor.originated.get(&key) {
                return known.clone().map(Told::Made);
            }
            let attributes = attributes_of(neighbor, session, announcement, self.config, &key.3)
                .ok()
                .map(|(attributes, _)| rib.intern(attributes));
            neighbor.originated.insert(key, attributes.clone());
            return attributes.map(Told::Made);
        }
        if policy != Export::Transit {
            return None;
        }
        let best = best?;
        let to = to(neighbor, self.config);
        if withheld(&best.set, best.source, best.kind, &to).is_some() {
            return None;
        }
        let next_hop = next_hop(neighbor, session, prefix.family()).ok()?;
        if neighbor.config.export_policy.is_empty() {
            return Some(Told::Passed(Arc::clone(&best.set)));
        }
        let facts = learned_facts(neighbor, prefix, best, self);
        let config = &neighbor.config;
        let passing = neighbor.passed_on.get_or_make(&best.set, prefix.family(), facts, |facts| {
            let prepended = export_prepends(config, self.config.node.asn);
            match config.export_policy.evaluate(&best.set, facts, prepended) {
                Verdict::Rejected(_) => Passing::Withheld,
                Verdict::Accepted(changes) if changes.is_empty() => Passing::Unchanged,
                Verdict::Accepted(changes) => {
                    let mut attributes = export(&best.set, &to, next_hop);
                    changes.apply(&mut attributes, prepended);
                    conform(&mut attributes, &to);
                    Passing::Changed(rib.intern(attributes))
                }
            }
        });
        match passing {
            Passing::Withheld => None,
            Passing::Unchanged => Some(Told::Passed(Arc::clone(&best.set))),
            Passing::Changed(set) => Some(Told::Made(set)),
        }
    }
}

/// What the export policies of a neighbour have to know of an announcement of ours.
fn own_facts(neighbor: &Neighbor, prefix: Prefix, config: &Config, vrps: &Table) -> Facts {
    let chain = &neighbor.config.export_policy;
    let validity = validity(chain, vrps, prefix, Some(config.node.asn));
    chain.facts(&Route { prefix, learned_from: None, validity })
}

/// The same of a route that was learned.
fn learned_facts(
    neighbor: &Neighbor,
    prefix: Prefix,
    best: &Learned,
    exporting: &Exporting<'_>,
) -> Facts {
    let chain = &neighbor.config.export_policy;
    let learned_from = exporting.names.get(&best.source).map(String::as_str);
    let origin = best.set.as_path.origin_for(exporting.config.node.asn);
    let validity = validity(chain, exporting.vrps, prefix, origin);
    chain.facts(&Route { prefix, learned_from, validity })
}

/// The attributes that a neighbour is sent; `None` if there is no next hop for it any more.
pub(super) fn as_sent<'a>(
    neighbor: &Neighbor,
    session: &bgp::Session,
    config: &Config,
    told: &'a Told,
    family: Family,
) -> Option<Cow<'a, Attributes>> {
    match told {
        Told::Made(set) => Some(Cow::Borrowed(set)),
        Told::Passed(set) => {
            let next_hop = next_hop(neighbor, session, family).ok()?;
            Some(Cow::Owned(export(set, &to(neighbor, config), next_hop)))
        }
    }
}

/// An announcement of ours as a neighbour gets it, and what its policies changed; or why it does not. Depends on nothing but
/// the arguments.
fn attributes_of(
    neighbor: &Neighbor,
    session: &bgp::Session,
    announcement: &Announcement,
    config: &Config,
    facts: &Facts,
) -> Result<(Attributes, Changes), String> {
    let next_hop = next_hop(neighbor, session, announcement.prefix.family())?;
    let to = to(neighbor, config);
    let of_class = |class: &str| {
        let mut mapped = config.mapping(class).map(announcement.preference);
        let mark = announcement.mark.map(|mark| mark.to_community(config.node.asn));
        mapped.large_communities.extend(mark);
        originate(&originated(mapped), &to, next_hop)
    };
    let plain = of_class(&neighbor.config.class);
    let chain = &neighbor.config.export_policy;
    if chain.is_empty() {
        return Ok((plain, Changes::default()));
    }
    // Our AS comes in behind the policies, as with learned routes.
    let asked = Attributes { as_path: AsPath::default(), ..plain.clone() };
    let prepended = export_prepends(&neighbor.config, config.node.asn);
    match chain.evaluate(&asked, facts, prepended) {
        Verdict::Rejected(by) => Err(format!("rejected by {}", chain.describe(by))),
        Verdict::Accepted(changes) => {
            let mut attributes = changes.class.as_deref().map_or(plain, of_class);
            changes.apply(&mut attributes, prepended);
            conform(&mut attributes, &to);
            Ok((attributes, changes))
        }
    }
}

fn urgency(prefix: Prefix, own: &BTreeMap<Prefix, Announcement>) -> Urgency {
    if own.contains_key(&prefix) { Urgency::Own } else { Urgency::Bulk }
}

fn to(neighbor: &Neighbor, config: &Config) -> export::Neighbor {
    export::Neighbor {
        id: neighbor.source(),
        kind: if neighbor.config.internal { SourceKind::Ibgp } else { SourceKind::Ebgp },
        own_asn: config.node.asn,
        role: neighbor.config.role,
    }
}

fn originated(mapped: Mapped) -> Originated {
    Originated {
        med: mapped.med,
        prepend: mapped.prepend,
        local_pref: mapped.local_pref,
        communities: mapped.communities.into(),
        large_communities: mapped.large_communities.into(),
    }
}

/// The next hop that a neighbour gets for what we announce: as configured, else our address on the session.
fn next_hop(
    neighbor: &Neighbor,
    session: &bgp::Session,
    family: Family,
) -> Result<NextHop, String> {
    use std::net::IpAddr;

    let configured = match family {
        Family::Ipv4 => neighbor.config.next_hop_ipv4.map(IpAddr::V4),
        Family::Ipv6 => neighbor.config.next_hop_ipv6.map(IpAddr::V6),
    };
    let local = session.local.ip().to_canonical();
    match (configured, family, local) {
        (Some(address), _, _) => Ok(NextHop::from(address)),
        (None, Family::Ipv4, IpAddr::V4(_)) | (None, Family::Ipv6, IpAddr::V6(_)) => {
            Ok(NextHop::from(local))
        }
        // RFC 8950: the prefix is IPv4, the next hop is not.
        (None, Family::Ipv4, IpAddr::V6(_)) if session.facts.extended_next_hop => {
            Ok(NextHop::from(local))
        }
        (None, Family::Ipv4, IpAddr::V6(_)) => {
            Err("the neighbour takes no IPv6 next hop for IPv4 (RFC 8950): set next-hop-ipv4"
                .to_owned())
        }
        (None, Family::Ipv6, IpAddr::V4(_)) => {
            Err("an IPv4 session has no IPv6 next hop: set next-hop-ipv6".to_owned())
        }
    }
}

/// The messages for a batch, and what could not be said. Routes that do not fit into a message are withdrawn
/// instead (RFC 4271 §9.2).
fn encode<'a>(
    batch: &'a Batch,
    facts: &SessionFacts,
    as_sent: impl Fn(&'a Told, Family) -> Option<Cow<'a, Attributes>>,
) -> (BytesMut, Option<String>) {
    let mut bytes = BytesMut::new();
    let mut unsendable = None;
    let nlri = |prefixes: &[Prefix]| prefixes.iter().copied().map(Nlri::from).collect::<Vec<_>>();
    if !batch.withdrawn.is_empty() {
        withdraw(&nlri(&batch.withdrawn), facts, &mut bytes);
    }
    for (told, prefixes) in &batch.announced {
        let Some(first) = prefixes.first() else { continue };
        let nlri = nlri(prefixes);
        let Some(attributes) = as_sent(told, first.family()) else {
            withdraw(&nlri, facts, &mut bytes);
            continue;
        };
        if let Err(error) = emit_routes(&[], Some((&attributes, &nlri)), facts, &mut bytes) {
            withdraw(&nlri, facts, &mut bytes);
            let count = prefixes.len();
            unsendable = Some(format!("{count} prefixes ({first} …) cannot be announced: {error}"));
        }
    }
    (bytes, unsendable)
}

fn withdraw(nlri: &[Nlri], facts: &SessionFacts, out: &mut BytesMut) {
    // Only attributes can be unsendable, and here are none.
    let _ = emit_routes(nlri, None, facts, out);
}
