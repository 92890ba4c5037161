use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use super::acknowledgement::Receipt;
use super::database::{Database, Entry};
use super::neighbor::NeighborEvent;
use super::outbox::{Audience, Outbox};
use super::{AreaKind, InterfaceState, NeighborState, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{Lsa, LsaBody, LsaHeader, LsaKey, LsaType, Options, SequenceNumber};

/// A neighbour's next instance of an LSA is not taken before (RFC 2328 Appendix B).
pub(super) const MIN_LS_ARRIVAL: Duration = Duration::from_secs(1);

/// What a database holds at most. An area of a thousand routers with ten thousand externals has a twentieth of this.
pub(super) const MAX_LSAS: usize = 200_000;
const MAX_OCTETS: usize = 64 << 20;

/// What flooding keeps beside the area's database.
#[derive(Clone, Debug, Default)]
pub(super) struct Flooding {
    /// LSAs that stay on their link, by interface.
    pub(super) link_local: BTreeMap<u32, Database>,
    /// By interface.
    pub(super) outboxes: BTreeMap<u32, Outbox>,
    /// When to look again at what is at MaxAge, while something is.
    pub(super) sweep_at: Option<Time>,
    /// Neighbours in Loading whose request list has become empty.
    loaded: Vec<(u32, RouterId)>,
    refused: RefusedLsas,
}

/// LSAs that were well-formed and not taken, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedLsas {
    /// Type 5 or 11 in a stub area or NSSA, type 7 outside of one (RFC 2328 §13 (3)).
    pub not_for_area: u64,
    /// Sooner than MinLSArrival behind the last instance (§13 (5) (a)).
    pub too_soon: u64,
    /// Older than ours (§13 (8)).
    pub old: u64,
    /// The database is full.
    pub no_room: u64,
}

impl Router {
    /// The area's link-state database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The databases of LSAs that stay on their link (type 9), by interface.
    pub fn link_databases(&self) -> impl Iterator<Item = (u32, &Database)> {
        self.flooding.link_local.iter().map(|(&index, database)| (index, database))
    }

    pub fn refused_lsas(&self) -> RefusedLsas {
        self.flooding.refused
    }

    /// A Link State Update of a neighbour in Exchange or greater (RFC 2328 §13).
    pub(super) fn update_received(&mut self, from: (u32, RouterId), lsas: Vec<Lsa>, now: Time) {
        let mut direct = Vec::new();
        let mut bad_request = false;
        for lsa in lsas {
            let header = lsa.header;
            match self.receive(from, lsa, now) {
                Receipt::Nothing => {}
                Receipt::Direct => direct.push(header),
                Receipt::Delayed => self.acknowledge_later(from.0, header, now),
                Receipt::BadRequest => {
                    bad_request = true;
                    break;
                }
            }
        }
        self.acknowledge_directly(from, &direct, now);
        if bad_request {
            self.neighbor_event(from, NeighborEvent::BadLsRequest, now);
        }
        self.finish_loading(now);
    }

    /// For neighbours from which nothing is wanted any more.
    pub(super) fn finish_loading(&mut self, now: Time) {
        for neighbor in std::mem::take(&mut self.flooding.loaded) {
            self.neighbor_event(neighbor, NeighborEvent::LoadingDone, now);
        }
    }

    /// A Link State Request of a neighbour in Exchange or greater (RFC 2328 §10.7).
    pub(super) fn requests_received(
        &mut self,
        from: (u32, RouterId),
        keys: Vec<LsaKey>,
        now: Time,
    ) {
        for key in keys {
            let known = self
                .database_of(from.0, key.kind)
                .is_some_and(|database| database.get(&key).is_some());
            if !known {
                self.neighbor_event(from, NeighborEvent::BadLsRequest, now);
                return;
            }
            let outbox = self.flooding.outboxes.entry(from.0).or_default();
            outbox.push(key, Audience::Asked(from.1));
        }
    }

    /// The Database summary list for a neighbour that enters Exchange (RFC 2328 §10.3, NegotiationDone).
    pub(super) fn summarize(
        &mut self,
        interface: u32,
        neighbor: RouterId,
        now: Time,
    ) -> Vec<LsaHeader> {
        self.exchange_began(now);
        let arrival = self.settings.min_ls_interval;
        let Some(neighbor) = self
            .interfaces
            .get_mut(&interface)
            .map(|interface| (interface.settings.retransmit_interval, &mut interface.neighbors))
            .and_then(|(interval, neighbors)| Some((interval, neighbors.get_mut(&neighbor)?)))
        else {
            return Vec::new();
        };
        let (interval, neighbor) = neighbor;
        let opaque = neighbor.options.contains(Options::OPAQUE);
        let mut headers = Vec::with_capacity(self.database.len());
        let link = self.flooding.link_local.get(&interface);
        for entry in self.database.iter().chain(link.into_iter().flat_map(Database::iter)) {
            let header = entry.header(now);
            if header.key.kind.is_opaque() && !opaque {
                continue;
            }
            if header.is_max_age() {
                // Listed, it would be asked for and never be gone: it is flooded instead.
                neighbor.retransmissions.add(header.key, interval, arrival, now);
                let outbox = self.flooding.outboxes.entry(interface).or_default();
                outbox.push(header.key, Audience::Asked(neighbor.router_id));
            } else {
                headers.push(header);
            }
        }
        headers
    }

    /// Whether the instance is newer than what is in the database, or there is none (RFC 2328 §10.6).
    /// It is of a neighbour on `interface`.
    pub(super) fn is_newer_than_ours(&self, interface: u32, header: &LsaHeader, now: Time) -> bool {
        self.database_of(interface, header.key.kind)
            .is_none_or(|database| database.lacks(header, now))
    }

    /// What the LSAs of this type that come over the interface are in.
    pub(super) fn database_of(&self, index: u32, kind: LsaType) -> Option<&Database> {
        match kind {
            LsaType::OPAQUE_LINK => self.flooding.link_local.get(&index),
            _ => Some(&self.database),
        }
    }

    pub(super) fn database_of_mut(&mut self, index: u32, kind: LsaType) -> &mut Database {
        match kind {
            LsaType::OPAQUE_LINK => self.flooding.link_local.entry(index).or_default(),
            _ => &mut self.database,
        }
    }

    /// RFC 2328 §13, the steps for one LSA.
    fn receive(&mut self, from: (u32, RouterId), lsa: Lsa, now: Time) -> Receipt {
        let header = lsa.header;
        let key = header.key;
        if !self.is_for_area(key.kind) {
            self.flooding.refused.not_for_area += 1;
            return Receipt::Nothing;
        }
        let database = self.database_of(from.0, key.kind);
        let has_room = database.is_none_or(|database| {
            let (known, octets) = match database.get(&key) {
                Some(ours) => (1, usize::from(ours.lsa.header.length)),
                None => (0, 0),
            };
            database.len() - known < MAX_LSAS
                && database.octets() - octets + usize::from(header.length) <= MAX_OCTETS
        });
        let Some(ours) = database.and_then(|database| database.get(&key)) else {
            if header.is_max_age() && !self.is_exchanging() {
                return Receipt::Direct;
            }
            if !has_room {
                return self.refuse_for_room(from, &key);
            }
            return self.take(from, lsa, now);
        };
        match header.compare_instance(&ours.header(now)) {
            Ordering::Greater => {
                // What we asked for is wanted now: else the neighbour would stay in Loading until we ask again.
                let asked = self.is_requested(from, &key);
                if ours.flooded && !asked && now.since(ours.installed) < MIN_LS_ARRIVAL {
                    self.flooding.refused.too_soon += 1;
                    return Receipt::Nothing;
                }
                if !has_room {
                    return self.refuse_for_room(from, &key);
                }
                self.take(from, lsa, now)
            }
            _ if self.is_requested(from, &key) => Receipt::BadRequest,
            Ordering::Equal => self.duplicate(from, &header, now),
            Ordering::Less => {
                let wrapping =
                    ours.lsa.header.is_max_age() && ours.lsa.header.sequence == SequenceNumber::MAX;
                let sent_lately = ours.sent.is_some_and(|sent| now.since(sent) < MIN_LS_ARRIVAL);
                self.flooding.refused.old += 1;
                if !wrapping && !sent_lately {
                    let outbox = self.flooding.outboxes.entry(from.0).or_default();
                    outbox.push(key, Audience::Asked(from.1));
                }
                Receipt::Nothing
            }
        }
    }

    /// Whether LSAs of this type are flooded here (RFC 2328 §3.6, RFC 3101 §2.2, RFC 5250 §3).
    fn is_for_area(&self, kind: LsaType) -> bool {
        match kind {
            LsaType::EXTERNAL | LsaType::OPAQUE_AS => self.settings.area.kind == AreaKind::Normal,
            LsaType::NSSA => self.settings.area.kind == AreaKind::Nssa,
            _ => true,
        }
    }

    fn is_requested(&self, from: (u32, RouterId), key: &LsaKey) -> bool {
        self.interfaces
            .get(&from.0)
            .and_then(|interface| interface.neighbors.get(&from.1))
            .is_some_and(|neighbor| neighbor.requests.contains_key(key))
    }

    /// RFC 2328 §13 (7).
    fn duplicate(&mut self, from: (u32, RouterId), header: &LsaHeader, now: Time) -> Receipt {
        let Some(interface) = self.interfaces.get(&from.0) else { return Receipt::Nothing };
        let implied = interface
            .neighbors
            .get(&from.1)
            .is_some_and(|neighbor| neighbor.retransmissions.contains(&header.key));
        if !implied {
            return Receipt::Direct;
        }
        let speaks_for_others =
            interface.state == InterfaceState::Backup && interface.is_designated(from.1);
        self.acknowledged(from, header, now);
        if speaks_for_others { Receipt::Delayed } else { Receipt::Nothing }
    }

    /// RFC 2328 §13 (5): it is newer, or the first.
    fn take(&mut self, from: (u32, RouterId), lsa: Lsa, now: Time) -> Receipt {
        let key = lsa.header.key;
        let own = self.is_own(&key);
        // What we asked for did not come by flooding. FRR answers a request and floods the next instance at once, in one
        // packet: without the difference that would be lost until it repeats it.
        let flooded = !self.is_requested(from, &key);
        let link = (key.kind == LsaType::OPAQUE_LINK).then_some(from.0);
        // One of ours that comes back does not end the pause of what we sent last, else a neighbour could make us
        // answer as fast as it can send. If it was flooded, the neighbour has just got it itself and takes no answer
        // yet.
        let before = self.database_of(from.0, key.kind).and_then(|database| database.get(&key));
        let sent = match before {
            _ if own && flooded => Some(now),
            Some(before) if own => before.sent,
            _ => None,
        };
        let entry = Entry { lsa, installed: now, received: true, flooded, sent };
        let max_age = now + Duration::from_secs(super::database::MAX_AGE.into());
        let flooded_back = self.replace(link, entry, max_age, Some(from), now);
        if own {
            self.own_received(key);
        }
        match self.interfaces.get(&from.0) {
            Some(interface) if !flooded_back => interface.delayed_receipt(from.1),
            _ => Receipt::Nothing,
        }
    }

    /// Acknowledged all the same, or it would come again and again.
    fn refuse_for_room(&mut self, from: (u32, RouterId), key: &LsaKey) -> Receipt {
        if self.flooding.refused.no_room == 0 {
            let text = format!(
                "the link-state database is full ({MAX_LSAS} LSAs or {} MiB): further LSAs are not taken, the first \
                 from {} for {}; find the router that originates so many",
                MAX_OCTETS >> 20,
                key.advertising_router,
                key.link_state_id,
            );
            self.note("ospf".to_owned(), text, true);
        }
        self.flooding.refused.no_room += 1;
        if let Some(neighbor) = self
            .interfaces
            .get_mut(&from.0)
            .and_then(|interface| interface.neighbors.get_mut(&from.1))
        {
            neighbor.requests.remove(key);
            if neighbor.state == NeighborState::Loading && neighbor.requests.is_empty() {
                self.flooding.loaded.push(from);
            }
        }
        Receipt::Direct
    }

    /// Puts an instance into the database, floods it, and tells whoever computes with it. `link`: where it stays, if
    /// it stays on one. Returns whether it was flooded back out of the interface that it came from.
    pub(super) fn replace(
        &mut self,
        link: Option<u32>,
        entry: Entry,
        due: Time,
        from: Option<(u32, RouterId)>,
        now: Time,
    ) -> bool {
        let header = entry.lsa.header;
        let lsa = entry.lsa.clone();
        let database = self.database_of_mut(link.unwrap_or_default(), header.key.kind);
        let old = database.install(entry, due);
        let live = |lsa: &Lsa| !lsa.header.is_max_age();
        let was = old.as_ref().map(|old| &old.lsa).filter(|lsa| live(lsa));
        let changed = match was {
            Some(was) => !live(&lsa) || !was.same_content(&lsa),
            None => live(&lsa),
        };
        let audience = match from {
            None if changed => Audience::Originated,
            // A flush goes with the changes even if we knew nothing of what is flushed.
            Some(_) if changed || !live(&lsa) => Audience::Changed,
            _ => Audience::Refreshed,
        };
        let flooded_back = self.flood(link, &header, from, audience, now);
        if changed {
            self.content_changed(link, header.key, was.map(|was| &was.body), now);
        }
        if !live(&lsa) {
            self.remove_flushed(link.unwrap_or_default(), header.key, now);
        }
        flooded_back
    }

    fn content_changed(
        &mut self,
        link: Option<u32>,
        key: LsaKey,
        old: Option<&LsaBody>,
        now: Time,
    ) {
        if link.is_none() {
            self.lsa_changed(key, old, now);
            self.disturb_restarts(&key, now);
        }
    }

    /// RFC 2328 §13.3. Returns whether it goes back out of the interface that it came from.
    fn flood(
        &mut self,
        link: Option<u32>,
        header: &LsaHeader,
        from: Option<(u32, RouterId)>,
        audience: Audience,
        now: Time,
    ) -> bool {
        let key = header.key;
        let arrival = self.settings.min_ls_interval;
        let mut flooded_back = false;
        for (&index, interface) in &mut self.interfaces {
            if link.is_some_and(|link| link != index) {
                continue;
            }
            let interval = interface.settings.retransmit_interval;
            let mut listed = false;
            for (&router_id, neighbor) in &mut interface.neighbors {
                if neighbor.state < NeighborState::Exchange {
                    continue;
                }
                // (1) (b): what it has itself it need not get.
                let mut has_it = false;
                if let Some(requested) = neighbor.requests.get(&key) {
                    let order = header.compare_instance(requested);
                    has_it = order != Ordering::Greater;
                    if order != Ordering::Less {
                        neighbor.requests.remove(&key);
                        let loading = neighbor.state == NeighborState::Loading;
                        if loading && neighbor.requests.is_empty() {
                            self.flooding.loaded.push((index, router_id));
                        }
                    }
                }
                let sender = from == Some((index, router_id));
                let deaf = key.kind.is_opaque() && !neighbor.options.contains(Options::OPAQUE);
                if has_it || sender || deaf {
                    neighbor.retransmissions.remove(&key);
                } else {
                    neighbor.retransmissions.add(key, interval, arrival, now);
                    if audience == Audience::Originated {
                        neighbor.retransmissions.remind(key, interval, now);
                    }
                    listed = true;
                }
            }
            if !listed {
                continue;
            }
            if let Some((_, sender)) = from.filter(|(origin, _)| *origin == index) {
                // (3), (4): others see to it.
                let by_router = interface.neighbors.get(&sender);
                let by_designated = by_router.is_some_and(|sender| {
                    sender.address == interface.designated || sender.address == interface.backup
                });
                if by_designated || interface.state == InterfaceState::Backup {
                    continue;
                }
                flooded_back = true;
            }
            self.flooding.outboxes.entry(index).or_default().push(key, audience);
        }
        flooded_back
    }
}
