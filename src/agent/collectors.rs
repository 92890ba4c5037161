//! Collectors: what each of them has heard of sessions and tables, and what is still to be told (BMP, RFC 7854).
//!
//! A collector is served as a neighbour is, only that it is sent more than one table: each has an [`AdjRibOut`], which knows what the
//! collector has and gives the difference, packed by attribute set, as fast as the connection takes it. Of a prefix that changes
//! nothing is noted but that it did. What its tables say of it is read when there is room to tell it, so a collector that does
//! not read costs one entry per prefix, and nobody waits for it. Without collectors a change costs a look at an empty map.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;

use super::exports::{QUEUE_LIMIT, as_sent};
use super::neighbor::Neighbor;
use super::{Action, Agent, CollectorEvent, PeerId};
use crate::api::v1;
use crate::bgp::{DownReason, Session};
use crate::config::{self, Config};
use crate::rib::{AdjRibOut, Batch, Rib, Route, Standing, Told, Unusable, Urgency};
use crate::types::{Family, Prefix, Time, Wall};
use crate::wire::bgp::{Attributes, Capability, NextHop, Nlri, Open};
use crate::wire::bmp::{
    Down, PeerHeader, PeerUp, Table, emit_end_of_rib, emit_initiation, emit_peer_down,
    emit_peer_up, emit_routes, emit_termination,
};

/// Prefixes that are read, or told of one table, at a time.
const PORTION: usize = 500;
/// Routes that may wait in a collector's tables, beside those of one portion. The rest waits as prefixes.
const READY: usize = 4000;
/// The name of the one table that we have (RFC 9069 §4.2.1).
const TABLE_NAME: &str = "global";

/// Those that are configured, by name.
pub(super) type Collectors = BTreeMap<String, Collector>;

#[derive(Clone)]
pub(super) struct Collector {
    settings: config::Collector,
    session: Option<Monitoring>,
    last_error: String,
}

/// A connection, and what went over it.
#[derive(Clone)]
struct Monitoring {
    connection: u64,
    /// Octets that the connection has not taken yet.
    queued: usize,
    views: BTreeMap<ViewId, View>,
    /// All tables are being gone through; the last prefix that was read.
    walk: Option<Option<Prefix>>,
    /// Prefixes of which something has changed since they were read.
    changed: BTreeSet<Prefix>,
}

/// A table, and whose it is. Loc-RIB is nobody's.
type ViewId = (Table, Option<PeerId>);

#[derive(Clone)]
struct View {
    header: PeerHeader,
    routes: AdjRibOut,
    /// Families of which the collector has not been told the end of the table yet.
    initial: Vec<Family>,
}

impl View {
    fn new(header: PeerHeader, families: Vec<Family>) -> View {
        View { header, routes: AdjRibOut::new(), initial: families }
    }
}

impl Collector {
    /// The tables of neighbours that it wants.
    fn tables_of_neighbors(&self) -> impl Iterator<Item = Table> + use<> {
        let tables = self.settings.tables.clone();
        tables.into_iter().filter(|table| *table != Table::Local)
    }
}

impl Monitoring {
    fn has_work(&self) -> bool {
        self.queued < QUEUE_LIMIT
            && (self.has_more()
                || self
                    .views
                    .values()
                    .any(|view| !view.routes.is_settled() || !view.initial.is_empty()))
    }

    /// Whether there are prefixes to be read.
    fn has_more(&self) -> bool {
        self.walk.is_some() || !self.changed.is_empty()
    }

    /// Reads the next prefixes.
    fn read(&mut self, rib: &Rib, neighbors: &BTreeMap<PeerId, Neighbor>) {
        let ready: usize = self.views.values().map(|view| view.routes.pending()).sum();
        if ready >= READY {
            return;
        }
        let mut prefixes = Vec::new();
        while prefixes.len() < PORTION {
            let Some(prefix) = self.changed.pop_first() else { break };
            prefixes.push(prefix);
        }
        if prefixes.is_empty()
            && let Some(after) = self.walk
        {
            prefixes = rib.page(after, PORTION);
            self.walk = prefixes.last().map(|last| Some(*last));
        }
        for prefix in prefixes {
            self.read_one(prefix, rib, neighbors);
        }
    }

    fn read_one(&mut self, prefix: Prefix, rib: &Rib, neighbors: &BTreeMap<PeerId, Neighbor>) {
        let candidates = rib.candidates(prefix, 1);
        for ((table, peer), view) in &mut self.views {
            let neighbor = peer.and_then(|peer| neighbors.get(&peer));
            let told = match (table, neighbor) {
                (Table::Local, _) => {
                    rib.best(prefix).map(|path| Told::Passed(path.attributes.clone()))
                }
                (Table::In, Some(neighbor)) => candidates.iter().find_map(|candidate| {
                    let Route::Bgp(path) = candidate.route else { return None };
                    let taken = candidate.standing != Standing::Unusable(Unusable::InvalidOrigin);
                    (path.source == neighbor.source() && taken)
                        .then(|| Told::Passed(path.attributes.clone()))
                }),
                (Table::Out, Some(neighbor)) => neighbor.out.wanted(prefix),
                (_, None) => None,
            };
            view.routes.set(prefix, told, Urgency::Bulk);
        }
    }

    /// The next portion of each table, and the ends of tables that are told.
    fn tell(
        &mut self,
        neighbors: &BTreeMap<PeerId, Neighbor>,
        config: &Config,
        at: Wall,
        out: &mut BytesMut,
    ) {
        let has_more = self.has_more();
        for ((_, peer), view) in &mut self.views {
            let batch = view.routes.drain(PORTION);
            let neighbor = peer.and_then(|peer| neighbors.get(&peer));
            encode(&view.header, &batch, neighbor, config, at, out);
            if !has_more && view.routes.is_settled() {
                for family in std::mem::take(&mut view.initial) {
                    emit_end_of_rib(&view.header, at, family, out);
                }
            }
        }
    }

    /// The neighbour has a session: its tables begin.
    fn begin(
        &mut self,
        tables: impl Iterator<Item = Table>,
        neighbor: &Neighbor,
        session: &Session,
        at: Wall,
        out: &mut BytesMut,
    ) {
        let header = |table| PeerHeader {
            table,
            address: Some(neighbor.config.address),
            asn: neighbor.config.remote_as,
            router_id: session.open.router_id,
        };
        let tables: Vec<Table> = tables.collect();
        let Some(first) = tables.first() else { return };
        let up = PeerUp {
            ends: Some((session.local, session.remote)),
            sent: &neighbor.peer.open(),
            received: &session.open,
            table_name: None,
        };
        // One for all tables of the neighbour (RFC 8671 §5).
        emit_peer_up(&PeerHeader { table: Table::In, ..header(*first) }, at, &up, out);
        for table in tables {
            let view = View::new(header(table), session.facts.families.clone());
            self.views.insert((table, Some(neighbor.id)), view);
        }
        // Also what it has told in an earlier session and not told again.
        self.walk = Some(None);
    }

    /// It has none any more, which takes all of its routes back.
    fn end(&mut self, peer: PeerId, down: &Down, at: Wall, out: &mut BytesMut) {
        let of_peer = |(_, of): &ViewId| *of == Some(peer);
        let header = self.views.iter().find(|(id, _)| of_peer(id)).map(|(_, view)| view.header);
        self.views.retain(|id, _| !of_peer(id));
        if let Some(header) = header {
            emit_peer_down(&PeerHeader { table: Table::In, ..header }, at, down, out);
        }
    }

    /// Loc-RIB, with a session that we have with ourselves (RFC 9069 §4.4).
    fn begin_local(&mut self, config: &Config, at: Wall, out: &mut BytesMut) {
        let (asn, router_id) = (config.node.asn, config.node.router_id);
        let header = PeerHeader { table: Table::Local, address: None, asn, router_id };
        let mut capabilities = vec![Capability::FourOctetAs(asn)];
        capabilities.extend(Family::ALL.map(Capability::multiprotocol));
        let open = Open { asn, hold_time: 0, router_id, capabilities };
        let up = PeerUp { ends: None, sent: &open, received: &open, table_name: Some(TABLE_NAME) };
        emit_peer_up(&header, at, &up, out);
        self.views.insert((Table::Local, None), View::new(header, Family::ALL.to_vec()));
    }
}

/// Something about a prefix may be news to collectors.
pub(super) fn touch(collectors: &mut Collectors, prefix: Prefix) {
    for session in collectors.values_mut().filter_map(|one| one.session.as_mut()) {
        session.changed.insert(prefix);
    }
}

impl Agent {
    /// The configuration names these collectors now. Who is told something else than before is connected to anew.
    pub(super) fn configure_collectors(&mut self) {
        let wanted = self.config.collectors.clone();
        let known: BTreeMap<String, config::Collector> = self
            .collectors
            .iter()
            .map(|(name, one)| (name.clone(), one.settings.clone()))
            .collect();
        if wanted == known {
            return;
        }
        self.part_from_collectors(|name, settings| wanted.get(name) != Some(settings));
        self.collectors.retain(|name, one| wanted.get(name) == Some(&one.settings));
        for (name, settings) in &wanted {
            self.collectors.entry(name.clone()).or_insert_with(|| Collector {
                settings: settings.clone(),
                session: None,
                last_error: String::new(),
            });
        }
        self.actions.push_back(Action::SetCollectors(wanted));
    }

    /// The last word to those that `gone` names.
    pub(super) fn part_from_collectors(&mut self, gone: impl Fn(&str, &config::Collector) -> bool) {
        let mut bytes = BytesMut::new();
        emit_termination(&mut bytes);
        let bytes = bytes.freeze();
        for (name, one) in &mut self.collectors {
            if gone(name, &one.settings)
                && let Some(Monitoring { connection, .. }) = one.session.take()
            {
                let (collector, bytes) = (name.clone(), bytes.clone());
                self.actions.push_back(Action::ToCollector { collector, connection, bytes });
            }
        }
    }

    pub(super) fn collector_event(&mut self, name: &str, event: CollectorEvent, now: Time) {
        match event {
            CollectorEvent::Connected { connection } => {
                self.begin_monitoring(name, connection, now)
            }
            CollectorEvent::Written { connection, octets } => {
                let session = self.collectors.get_mut(name).and_then(|one| one.session.as_mut());
                if let Some(session) = session.filter(|session| session.connection == connection) {
                    session.queued = session.queued.saturating_sub(octets);
                }
            }
            CollectorEvent::Closed { reason } => {
                let Some(collector) = self.collectors.get_mut(name) else { return };
                let was_up = collector.session.take().is_some();
                let repeated =
                    std::mem::replace(&mut collector.last_error, reason.clone()) == reason;
                if was_up || !repeated {
                    let text = if was_up { format!("down: {reason}") } else { reason };
                    self.report(now, "collector", name, "warning", text);
                }
            }
        }
    }

    fn begin_monitoring(&mut self, name: &str, connection: u64, now: Time) {
        let at = self.wall(now);
        let Agent { collectors, neighbors, config, facts, .. } = self;
        let Some(collector) = collectors.get_mut(name) else { return };
        collector.last_error.clear();
        let mut session = Monitoring {
            connection,
            queued: 0,
            views: BTreeMap::new(),
            walk: Some(None),
            changed: BTreeSet::new(),
        };
        let mut bytes = BytesMut::new();
        let description = format!("shunt {}", facts.version);
        emit_initiation(&description, &config.node.name, &mut bytes);
        if collector.settings.tables.contains(&Table::Local) {
            session.begin_local(config, at, &mut bytes);
        }
        for neighbor in neighbors.values() {
            if let Some(of_neighbor) = neighbor.peer.session() {
                let tables = collector.tables_of_neighbors();
                session.begin(tables, neighbor, of_neighbor, at, &mut bytes);
            }
        }
        collector.session = Some(session);
        self.send_collector(name, bytes);
        let text = "connected".to_owned();
        self.report(now, "collector", name, "info", text);
    }

    fn send_collector(&mut self, name: &str, bytes: BytesMut) {
        let session = self.collectors.get_mut(name).and_then(|one| one.session.as_mut());
        let Some(session) = session.filter(|_| !bytes.is_empty()) else { return };
        session.queued += bytes.len();
        let (collector, connection) = (name.to_owned(), session.connection);
        let bytes = bytes.freeze();
        self.actions.push_back(Action::ToCollector { collector, connection, bytes });
    }

    /// A neighbour's session came up, or went down for the reason given.
    pub(super) fn monitor_session(&mut self, peer: PeerId, down: Option<&DownReason>, now: Time) {
        let at = self.wall(now);
        let down = down.map(|reason| match reason {
            DownReason::Sent(notification) => Down::Sent(notification.clone()),
            DownReason::Received(notification) => Down::Received(notification.clone()),
            DownReason::Closed(_) | DownReason::Restarted => Down::Remote,
            DownReason::LinkLost(_) | DownReason::Suspended => Down::Local,
        });
        self.each_monitoring(|collector, session, neighbors, out| match &down {
            Some(down) => session.end(peer, down, at, out),
            None => {
                let Some(neighbor) = neighbors.get(&peer) else { return };
                let Some(of_neighbor) = neighbor.peer.session() else { return };
                session.begin(collector.tables_of_neighbors(), neighbor, of_neighbor, at, out);
            }
        });
    }

    /// Tells collectors what is new, as far as there is room.
    pub(super) fn settle_collectors(&mut self, now: Time) {
        if !self.has_monitoring_work() {
            return;
        }
        let at = self.wall(now);
        let Agent { collectors, neighbors, rib, config, actions, .. } = self;
        for (name, one) in collectors {
            let Some(session) = one.session.as_mut().filter(|session| session.has_work()) else {
                continue;
            };
            session.read(rib, neighbors);
            let mut bytes = BytesMut::new();
            session.tell(neighbors, config, at, &mut bytes);
            if !bytes.is_empty() {
                session.queued += bytes.len();
                actions.push_back(Action::ToCollector {
                    collector: name.clone(),
                    connection: session.connection,
                    bytes: bytes.freeze(),
                });
            }
        }
    }

    pub(super) fn has_monitoring_work(&self) -> bool {
        let mut sessions = self.collectors.values().filter_map(|one| one.session.as_ref());
        sessions.any(Monitoring::has_work)
    }

    /// What is written for each collector goes to it.
    fn each_monitoring(
        &mut self,
        mut write: impl FnMut(&Collector, &mut Monitoring, &BTreeMap<PeerId, Neighbor>, &mut BytesMut),
    ) {
        let names: Vec<String> = self.collectors.keys().cloned().collect();
        for name in names {
            let Some(collector) = self.collectors.get_mut(&name) else { continue };
            let Some(mut session) = collector.session.take() else { continue };
            let mut bytes = BytesMut::new();
            write(collector, &mut session, &self.neighbors, &mut bytes);
            collector.session = Some(session);
            self.send_collector(&name, bytes);
        }
    }

    pub(super) fn collector_statuses(&self) -> Vec<v1::CollectorStatus> {
        let statuses = self.collectors.iter().map(|(name, one)| v1::CollectorStatus {
            name: name.clone(),
            address: one.settings.address.to_string(),
            port: u32::from(one.settings.port),
            connected: one.session.is_some(),
            complete: one.session.as_ref().is_some_and(|session| {
                !session.has_more() && session.views.values().all(|view| view.routes.is_settled())
            }),
            last_error: one.last_error.clone(),
        });
        statuses.collect()
    }
}

fn encode(
    header: &PeerHeader,
    batch: &Batch,
    neighbor: Option<&Neighbor>,
    config: &Config,
    at: Wall,
    out: &mut BytesMut,
) {
    let nlri = |prefixes: &[Prefix]| prefixes.iter().copied().map(Nlri::from).collect::<Vec<_>>();
    if !batch.withdrawn.is_empty() {
        // Only attributes can be unsendable, and here are none.
        let _ = emit_routes(header, at, &nlri(&batch.withdrawn), None, out);
    }
    for (told, prefixes) in &batch.announced {
        let Some(family) = prefixes.first().map(|prefix| prefix.family()) else { continue };
        let (Told::Made(set) | Told::Passed(set)) = told;
        let session = neighbor.and_then(|neighbor| Some((neighbor, neighbor.peer.session()?)));
        let attributes: Option<Cow<'_, Attributes>> = match (header.table, session) {
            (Table::Out, Some((neighbor, session))) => {
                as_sent(neighbor, session, config, told, family)
            }
            (Table::Out, None) => None,
            // Our own announcements have no next hop.
            (Table::In | Table::Local, _)
                if family == Family::Ipv6 && set.next_hop.address().is_unspecified() =>
            {
                let unspecified = std::net::Ipv6Addr::UNSPECIFIED;
                let next_hop = NextHop::V6 { global: unspecified, link_local: None };
                Some(Cow::Owned(Attributes { next_hop, ..Attributes::clone(set) }))
            }
            (Table::In | Table::Local, _) => Some(Cow::Borrowed(set)),
        };
        let Some(attributes) = attributes else { continue };
        let nlri = nlri(prefixes);
        if emit_routes(header, at, &[], Some((&attributes, &nlri)), out).is_err() {
            // RFC 4271 §9.2: what cannot be said is not there.
            let _ = emit_routes(header, at, &nlri, None, out);
        }
    }
}
