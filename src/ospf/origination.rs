use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::database::Entry;
use super::external::Externals;
use super::pacing::Pacing;
use super::{AreaKind, InterfaceState, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{
    Lsa, LsaBody, LsaHeader, LsaKey, LsaType, Options, RouterInformation, SequenceNumber,
};

/// An LSA of ours that lives on is sent anew after LSRefreshTime, half an hour (RFC 2328 §12.4), less up to a tenth, so
/// that what began together does not stay together.
const REFRESH: Duration = Duration::from_secs(1800);
const REFRESH_PERCENT: u64 = 90;

/// How long the first neighbour's exchange may take before we announce ourselves anyway.
const BEGIN: Duration = Duration::from_secs(2);
/// How long we wait for acknowledgements of what we flush when we leave.
const LEAVE: Duration = Duration::from_secs(1);

/// The opaque type of router information (RFC 7770 §3), as a link state id.
const ROUTER_INFORMATION: Ipv4Addr = Ipv4Addr::new(4, 0, 0, 0);

/// What we originate, and why not now.
///
/// Nothing of an LSA's content is stored here: what is wanted is computed from the interfaces, settings and
/// announcements (`wish`) when it may go out, and compared with what the database has. All that happens is
/// noted as an LSA that may be stale.
#[derive(Clone, Debug)]
pub(super) struct Origination {
    /// Something of ours may be in the area. Before, neighbours may still have LSAs of an earlier life: the first
    /// router-LSA is to tell of an adjacency at once, as its next instance would have to wait.
    begun: bool,
    /// When to begin at the latest.
    begin_at: Option<Time>,
    /// Until our routes are in the kernel.
    starting: bool,
    drained: bool,
    /// The agent waits for our leave until then.
    leave_at: Option<Time>,
    /// To be compared with what is wanted.
    pub(super) stale: BTreeSet<LsaKey>,
    /// Until then what is stale waits for what else may come of the same cause.
    gather_until: Option<Time>,
    /// The link state id of the network-LSA that we have originated for an interface.
    networks: BTreeMap<u32, Ipv4Addr>,
    pub(super) externals: Externals,
    pub(super) pacing: Pacing,
}

/// Why we are not to carry traffic of others (RFC 6987).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StubRouter {
    /// Routes are not in the kernel yet.
    Starting,
    Drained,
}

impl Default for Origination {
    fn default() -> Origination {
        Origination {
            begun: false,
            begin_at: None,
            starting: true,
            drained: false,
            leave_at: None,
            stale: BTreeSet::new(),
            gather_until: None,
            networks: BTreeMap::new(),
            externals: Externals::default(),
            pacing: Pacing::default(),
        }
    }
}

/// Links and adjacencies that are lost together, those of one trunk or of a machine that is connected twice, go into one
/// router-LSA, and so does an announcement that changes because of the loss. Two would leave the area with a half truth
/// until the second may go out, and have every router compute twice, the second time after a pause.
const GATHER: Duration = Duration::from_millis(2);

impl Router {
    /// Whether we are a stub router now, and why: metrics of links to others are the highest there are.
    pub fn stub_router(&self) -> Option<StubRouter> {
        if self.origination.starting {
            Some(StubRouter::Starting)
        } else {
            self.origination.drained.then_some(StubRouter::Drained)
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        self.origination.starting
    }

    /// A neighbour's database has an LSA of ours.
    pub(super) fn own_seen(&mut self, header: &LsaHeader, now: Time) {
        if self.is_own(&header.key) && self.database.lacks(header, now) {
            self.origination.pacing.seen(header);
            // If we want it, our next instance need not wait until the old one is here.
            self.origination.stale.insert(header.key);
        }
    }

    /// An adjacency on the interface became or left Full, the DR changed, or the interface's state, cost or addresses
    /// did: our router-LSA or network-LSA may be stale.
    pub(super) fn topology_changed(&mut self, index: u32, now: Time) {
        let router = self.router_key();
        if let Some(id) = self.origination.networks.get(&index) {
            let before = self.network_key(*id);
            self.origination.stale.insert(before);
        }
        let interface = self.interfaces.get(&index);
        let up = interface.is_some_and(|interface| interface.state != InterfaceState::Down);
        if up {
            self.origination.stale.insert(router);
        } else if self.origination.pacing.waiting.get(router).is_none() {
            self.origination.pacing.waiting.set(router, now + GATHER);
        }
        let adjacent = interface.is_some_and(|interface| {
            interface.neighbors.values().any(|neighbor| neighbor.is_adjacent())
        });
        if let Some((address, _)) = interface.and_then(|interface| interface.address) {
            self.origination.networks.insert(index, address);
            let network = self.network_key(address);
            self.origination.stale.insert(network);
        }
        if !up {
            self.origination.networks.remove(&index);
            self.flooding.outboxes.remove(&index);
            self.flooding.link_local.remove(&index);
        }
        if adjacent {
            self.begin();
        }
        self.forwarding_address_changed();
    }

    /// A neighbour has died: more may be known in a moment.
    pub(super) fn gather(&mut self, now: Time) {
        self.origination.gather_until.get_or_insert(now + GATHER);
    }

    /// What was waited for is known.
    pub(super) fn gathered(&mut self) {
        self.origination.gather_until = None;
    }

    pub(super) fn drain_changed(&mut self, drained: bool, _now: Time) {
        self.origination.drained = drained;
        let router = self.router_key();
        self.origination.stale.insert(router);
    }

    pub(super) fn forwarding_ready(&mut self, _now: Time) {
        if self.origination.starting {
            self.origination.starting = false;
            self.reconsider_all();
        }
    }

    /// Other settings are in force: what we originate may be stale.
    pub(super) fn settings_changed(&mut self, _now: Time) {
        self.reconsider_all();
    }

    /// We take leave: what is ours is to go from the neighbours' databases.
    pub(super) fn flush_own(&mut self, now: Time) {
        self.origination.leave_at = Some(now + LEAVE);
        self.reconsider_all();
    }

    /// After [`super::Event::Stopped`]: all neighbours have acknowledged that we left, or had time to.
    pub fn has_left(&self, now: Time) -> bool {
        let Some(since) = self.leaving else { return false };
        let pacing = &self.origination.pacing;
        let sent = self.origination.stale.is_empty() && pacing.waiting.is_empty();
        let acknowledged = || !self.database.flushing().iter().any(|key| self.is_own(key));
        sent && (now >= since + LEAVE || acknowledged())
    }

    /// A neighbour has entered Exchange.
    pub(super) fn exchange_began(&mut self, now: Time) {
        if !self.origination.begun {
            self.origination.begin_at.get_or_insert(now + BEGIN);
        }
    }

    fn begin(&mut self) {
        if !self.origination.begun {
            self.origination.begun = true;
            self.origination.begin_at = None;
            self.reconsider_all();
        }
    }

    fn reconsider_all(&mut self) {
        let networks: Vec<Ipv4Addr> = self.origination.networks.values().copied().collect();
        let externals = self.external_type();
        let keys = networks
            .into_iter()
            .map(|id| self.network_key(id))
            .chain([self.router_key(), self.router_information_key()])
            .chain(self.origination.externals.ids().map(|id| self.own_key(externals, id)))
            .collect::<Vec<_>>();
        self.origination.stale.extend(keys);
    }

    pub(super) fn origination_deadline(&self) -> Option<Time> {
        let origination = &self.origination;
        let stale = (!origination.stale.is_empty())
            .then_some(origination.gather_until.unwrap_or(Time::ZERO));
        [origination.pacing.waiting.next(), origination.begin_at, origination.leave_at, stale]
            .into_iter()
            .flatten()
            .min()
    }

    /// Originates what may be stale and may go out.
    pub(super) fn originate_due(&mut self, now: Time) {
        if self.origination.begin_at.is_some_and(|at| at <= now) {
            self.begin();
        }
        if self.origination.leave_at.is_some_and(|at| at <= now) {
            self.origination.leave_at = None;
        }
        while let Some(key) = self.origination.pacing.waiting.pop_due(now) {
            self.origination.stale.insert(key);
        }
        if self.origination.gather_until.is_some_and(|until| until > now) {
            return;
        }
        self.origination.gather_until = None;
        while let Some(key) = self.origination.stale.pop_first() {
            self.settle_own(key, false, now);
        }
    }

    /// An LSA of ours is half an hour old.
    pub(super) fn refresh(&mut self, key: LsaKey, now: Time) {
        self.settle_own(key, true, now);
    }

    /// A neighbour sent an LSA of ours that is newer than what we originated: it is of an earlier life (RFC 2328
    /// §13.4).
    pub(super) fn own_received(&mut self, key: LsaKey) {
        self.origination.stale.insert(key);
    }

    /// A flushed LSA of ours has left the database.
    pub(super) fn own_removed(&mut self, entry: &Entry) {
        let key = entry.lsa.header.key;
        self.origination.pacing.retire(entry);
        // Wanted, if its sequence numbers begin anew (RFC 2328 §12.1.6).
        self.origination.stale.insert(key);
        if key.kind == self.external_type() {
            self.external_removed(key.link_state_id);
        }
    }

    /// Compares what is wanted of an LSA of ours with what the database has, and sends the difference if the pause is
    /// over.
    fn settle_own(&mut self, key: LsaKey, refresh: bool, now: Time) {
        let entry = self.database.get(&key);
        let flushed = entry.is_some_and(|entry| entry.lsa.header.is_max_age());
        let known = entry.is_some() || self.origination.pacing.remembers(&key);
        if !known && !self.origination.begun {
            return;
        }
        let at = self.may_originate_at(&key);
        // Our router-LSA can be long, so it is not composed only to wait.
        let costly = key.kind == LsaType::ROUTER && self.leaving.is_none();
        let wish = if at > now && costly { None } else { Some(self.wish(&key)) };
        let entry = self.database.get(&key);
        let settled = wish.as_ref().is_some_and(|wish| match (wish, entry) {
            (None, None) => true,
            (None, Some(_)) => flushed,
            (Some(_), None) => false,
            (Some((options, body)), Some(entry)) => {
                let ours = !flushed && !refresh && !entry.received;
                ours && entry.lsa.header.options == *options && entry.lsa.body == *body
            }
        });
        if settled {
            return self.origination.pacing.wait_no_more(key);
        }
        if at > now {
            self.origination.pacing.wait(key, at, now);
            if refresh {
                self.database.set_due(key, at);
            }
            return;
        }
        self.origination.pacing.wait_no_more(key);
        let Some((options, body)) = wish.flatten() else { return self.flush(None, key, now) };
        let last = entry.map(|entry| entry.lsa.header.sequence);
        let sequence = match last.max(self.origination.pacing.last_sequence(&key)) {
            // The last one is flushed first; what is wanted follows when it is gone (RFC 2328 §12.1.6). If it is not
            // here, a neighbour that has it answers with it.
            Some(SequenceNumber::MAX) if entry.is_some() => return self.flush(None, key, now),
            None | Some(SequenceNumber::MAX) => SequenceNumber::INITIAL,
            Some(SequenceNumber(last)) => SequenceNumber(last.saturating_add(1)),
        };
        self.originate(Lsa::new(0, options, key, sequence, body), now);
    }

    fn originate(&mut self, lsa: Lsa, now: Time) {
        self.origination.pacing.forget(&lsa.header.key);
        let due = now + self.rng.jitter(REFRESH, REFRESH_PERCENT, 100);
        let entry = Entry { lsa, installed: now, received: false, flooded: false, sent: None };
        self.replace(None, entry, due, None, now);
    }

    /// RFC 2328 §13.4: ours, or of ours when we had another router id.
    pub(super) fn is_own(&self, key: &LsaKey) -> bool {
        key.advertising_router == self.settings.router_id
            || key.kind == LsaType::NETWORK
                && self.interfaces.values().any(|interface| {
                    interface.address.is_some_and(|(address, _)| address == key.link_state_id)
                })
    }

    /// What this LSA of ours is to say; `None`: it is to be gone.
    fn wish(&self, key: &LsaKey) -> Option<(Options, LsaBody)> {
        if self.leaving.is_some() || key.advertising_router != self.settings.router_id {
            return None;
        }
        let options = self.area_options();
        let own_id = key.link_state_id == self.settings.router_id.0;
        match key.kind {
            LsaType::ROUTER if own_id => Some((options, LsaBody::Router(self.router_lsa()))),
            LsaType::NETWORK => {
                let network = self.network_lsa(key.link_state_id)?;
                Some((options, LsaBody::Network(network)))
            }
            LsaType::OPAQUE_AREA if key.link_state_id == ROUTER_INFORMATION => {
                let hostname = Some(self.settings.hostname.clone()).filter(|name| !name.is_empty());
                let can =
                    RouterInformation::GRACEFUL_RESTART_HELPER | RouterInformation::STUB_ROUTER;
                let information = RouterInformation { capabilities: Some(can), hostname };
                Some((
                    options.with(Options::OPAQUE),
                    LsaBody::RouterInformation(information.into()),
                ))
            }
            kind if kind == self.external_type() => self.external_lsa(key.link_state_id),
            _ => None,
        }
    }

    /// The options of LSAs that describe the area (RFC 2328 §12.1.2).
    pub(super) fn area_options(&self) -> Options {
        match self.settings.area.kind {
            AreaKind::Normal => Options::EXTERNAL,
            AreaKind::Stub => Options::default(),
            AreaKind::Nssa => Options::NSSA,
        }
    }

    pub(super) fn own_key(&self, kind: LsaType, link_state_id: Ipv4Addr) -> LsaKey {
        LsaKey { kind, link_state_id, advertising_router: self.settings.router_id }
    }

    pub(super) fn router_key(&self) -> LsaKey {
        let RouterId(id) = self.settings.router_id;
        self.own_key(LsaType::ROUTER, id)
    }

    fn network_key(&self, address: Ipv4Addr) -> LsaKey {
        self.own_key(LsaType::NETWORK, address)
    }

    fn router_information_key(&self) -> LsaKey {
        self.own_key(LsaType::OPAQUE_AREA, ROUTER_INFORMATION)
    }
}

impl fmt::Display for StubRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StubRouter::Starting => "starting: its routes are not in the kernel yet",
            StubRouter::Drained => "drained",
        })
    }
}
