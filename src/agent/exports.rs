//! What each neighbour is to have, and the UPDATEs that get it there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::BytesMut;

use super::neighbor::Neighbor;
use super::ospf::Withholding;
use super::{Agent, PeerId};
use crate::bgp;
use crate::config::{Config, Export};
use crate::group::{Announcement, Mapped};
use crate::rib::export::{self, Originated, export, originate};
use crate::rib::{Batch, Rib, SourceId, SourceKind, Urgency};
use crate::types::{Family, Prefix, Time};
use crate::wire::bgp::{Attributes, NextHop, Nlri, SessionFacts, emit_end_of_rib, emit_routes};

/// Octets that may wait for a neighbour's TCP before bulk work for it pauses. Enough to keep a
/// connection busy until the driver reports progress, and little for an own announcement to wait behind.
pub(super) const QUEUE_LIMIT: usize = 64 * 1024;

/// Prefixes looked at, or sent, in one portion of bulk work: some milliseconds.
pub(super) const PORTION: usize = 2000;

impl Agent {
    /// A session came up: all that the neighbour is to have is still to be sent.
    pub(super) fn begin_exports(&mut self, peer: PeerId) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        for prefix in self.own.keys() {
            let attributes =
                wanted(neighbor, *prefix, &self.own, &mut self.rib, &self.config, self.withholding);
            neighbor.out.set(*prefix, attributes, Urgency::Own);
        }
        if neighbor.config.export == Some(Export::Transit) {
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
        for prefix in self.rib.take_changes(PORTION) {
            self.others.stale |= self.own.contains_key(&prefix);
            self.set_exports(prefix, urgency(prefix, &self.own), |_| ());
            self.want_in_kernel(prefix);
        }
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in peers {
            self.drain(peer, now);
        }
    }

    /// Enters what each neighbour is to have for a prefix; `told` hears of those to whom it is news.
    fn set_exports(&mut self, prefix: Prefix, urgency: Urgency, mut told: impl FnMut(PeerId)) {
        for neighbor in self.neighbors.values_mut().filter(|neighbor| neighbor.is_established()) {
            let attributes =
                wanted(neighbor, prefix, &self.own, &mut self.rib, &self.config, self.withholding);
            neighbor.out.set(prefix, attributes, urgency);
            if neighbor.out.is_pending(prefix) {
                told(neighbor.id);
            }
        }
    }

    /// Sends one neighbour the next portion, if there is room for it.
    fn drain(&mut self, peer: PeerId, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        if !neighbor.can_drain() && neighbor.initial.is_empty() && neighbor.refreshing.is_empty() {
            return;
        }
        if neighbor.can_walk()
            && let Some(after) = neighbor.walk
        {
            let page = self.rib.page(after, PORTION);
            for prefix in &page {
                let attributes = wanted(
                    neighbor,
                    *prefix,
                    &self.own,
                    &mut self.rib,
                    &self.config,
                    self.withholding,
                );
                neighbor.out.set(*prefix, attributes, urgency(*prefix, &self.own));
            }
            neighbor.walk = page.last().map(|last| Some(*last));
        }
        self.send_portion(peer, now);
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
        let (bytes, unsendable) = encode(&batch, &session.facts);
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
        if !neighbor.out.is_settled() || neighbor.walk.is_some() {
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
        next_hop(neighbor, session, prefix.family()).err()
    }
}

/// What a neighbour is to have for a prefix now. Depends on nothing but the arguments.
fn wanted(
    neighbor: &mut Neighbor,
    prefix: Prefix,
    own: &BTreeMap<Prefix, Announcement>,
    rib: &mut Rib,
    config: &Config,
    withholding: Withholding,
) -> Option<Arc<Attributes>> {
    let announcement = own
        .get(&prefix)
        .filter(|own| own.preference.is_announced() && withholding == Withholding::Over);
    let session = neighbor.peer.session()?;
    if !session.facts.families.contains(&prefix.family()) {
        return None;
    }
    let Some(policy @ (Export::Groups | Export::Transit)) = neighbor.config.export else {
        return None;
    };
    if let Some(announcement) = announcement {
        let key = (announcement.preference, announcement.mark, prefix.family());
        if let Some(known) = neighbor.originated.get(&key) {
            return known.clone();
        }
        let attributes = attributes_of(neighbor, session, announcement, config)
            .map(|attributes| rib.intern(attributes));
        neighbor.originated.insert(key, attributes.clone());
        return attributes;
    }
    if policy != Export::Transit {
        return None;
    }
    let path = rib.best(prefix).filter(|path| path.source != SourceId::LOCAL)?;
    let (source, set) = (path.source, Arc::clone(path.attributes));
    if source == neighbor.source() {
        return None;
    }
    let from = rib.source(source)?.kind;
    let to = to(neighbor, config);
    let hop = next_hop(neighbor, session, prefix.family());
    neighbor.transit.get_or_make(&set, from, prefix.family(), || {
        let exported = export(&set, source, from, &to, hop.ok()?).ok()?;
        Some(rib.intern(exported))
    })
}

/// An announcement of ours as a neighbour gets it. Depends on nothing but the arguments.
pub(super) fn attributes_of(
    neighbor: &Neighbor,
    session: &bgp::Session,
    announcement: &Announcement,
    config: &Config,
) -> Option<Attributes> {
    let mut mapped = config.mapping(&neighbor.config.class).map(announcement.preference);
    let mark = announcement.mark.map(|mark| mark.to_community(config.node.asn));
    mapped.large_communities.extend(mark);
    let hop = next_hop(neighbor, session, announcement.prefix.family()).ok()?;
    Some(originate(&originated(mapped), &to(neighbor, config), hop))
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
fn encode(batch: &Batch, facts: &SessionFacts) -> (BytesMut, Option<String>) {
    let mut bytes = BytesMut::new();
    let mut unsendable = None;
    let nlri = |prefixes: &[Prefix]| prefixes.iter().copied().map(Nlri::from).collect::<Vec<_>>();
    if !batch.withdrawn.is_empty() {
        withdraw(&nlri(&batch.withdrawn), facts, &mut bytes);
    }
    for (attributes, prefixes) in &batch.announced {
        let nlri = nlri(prefixes);
        if let Err(error) = emit_routes(&[], Some((attributes, &nlri)), facts, &mut bytes) {
            withdraw(&nlri, facts, &mut bytes);
            let first = prefixes.first().map(Prefix::to_string).unwrap_or_default();
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
