//! Which BFD sessions there are, for whom, and what becomes of their clients when one goes down (RFC 5882).
//!
//! There is one session for each path, whoever wants it (RFC 5882 §2): a BGP neighbour, an OSPF neighbour on an interface,
//! a section of the configuration. If they want different profiles, the one that detects soonest counts.
//!
//! A session that was up and fails takes its clients down at once. One that never was up takes nothing down (§3.1 of
//! RFC 5882: the other side need not have it), and neither does one that the other side shuts down on purpose
//! (AdminDown, §3.2). What a failure took away may come back before the session does, unless `bfd-strict` says no.
//!
//! A session whose last client has gone is kept for [`LINGER`]: it says Down, or AdminDown, until the other side has heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Action, Agent, PeerId};
use crate::bfd::{Change, Diagnostic, Order, Path, SessionId, Settings, State};
use crate::bgp;
use crate::config::{BfdSession, BfdUse};
use crate::fast;
use crate::ospf::{self, NeighborState};
use crate::types::Time;
use crate::vrrp;

/// A failure that the other side did not see by itself has to reach it before the session is forgotten.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    pub by_path: BTreeMap<Path, Session>,
    next: u32,
    /// Who may want another session than before.
    pub stale: bool,
    /// As the lane knows them.
    links: BTreeMap<u32, vrrp::Link>,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub id: SessionId,
    pub settings: Settings,
    pub clients: BTreeSet<Client>,
    pub state: State,
    /// Whether it has been up since it was made.
    pub was_up: bool,
    /// Its last failure, for who asks after it: the diagnostic, unless the failure was of our own link.
    pub failed: Option<Diagnostic>,
    /// Nobody wants it any more: forgotten then.
    until: Option<Time>,
}

/// Who wants a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    Neighbor(PeerId),
    /// On the interface of that index.
    Ospf(u32, Ipv4Addr),
    /// `[bfd.session.NAME]`.
    Configured(String),
}

/// What is wanted of one path.
struct Wanted {
    clients: BTreeSet<Client>,
    settings: Settings,
    detection_time: Duration,
}

impl Agent {
    /// Tells the lane of links as the kernel has them now.
    pub(super) fn tell_links(&mut self) {
        let links: BTreeMap<u32, vrrp::Link> = self
            .fib
            .interfaces()
            .links()
            .map(|(index, link)| {
                let addresses = link.addresses.iter().map(|(address, _)| *address).collect();
                (index, vrrp::Link { up: link.up, addresses })
            })
            .collect();
        let before = std::mem::replace(&mut self.sessions.links, links.clone());
        for interface in before.keys().filter(|index| !links.contains_key(*index)) {
            let order = fast::Order::Link { interface: *interface, link: None };
            self.actions.push_back(Action::Fast(order));
        }
        for (interface, link) in links {
            if before.get(&interface) != Some(&link) {
                let order = fast::Order::Link { interface, link: Some(link) };
                self.actions.push_back(Action::Fast(order));
            }
        }
        self.sessions.stale = true;
    }

    /// Orders the sessions that are wanted and not there, and gives up those that nobody wants.
    pub(super) fn settle_bfd(&mut self, now: Time) {
        if std::mem::take(&mut self.sessions.stale) {
            let wanted = self.wanted_sessions();
            self.keep_wanted(wanted, now);
        }
        let over = |session: &Session| session.until.is_some_and(|until| until <= now);
        let over: Vec<Path> = self
            .sessions
            .by_path
            .iter()
            .filter(|(_, session)| over(session))
            .map(|(path, _)| *path)
            .collect();
        for path in over {
            if let Some(session) = self.sessions.by_path.remove(&path) {
                self.order_bfd(Order::Drop { session: session.id });
            }
        }
    }

    fn keep_wanted(&mut self, mut wanted: BTreeMap<Path, Wanted>, now: Time) {
        let mut orders = Vec::new();
        let mut joined = Vec::new();
        for (path, session) in &mut self.sessions.by_path {
            match wanted.remove(path) {
                Some(wanted) => {
                    session.until = None;
                    if session.state == State::Up {
                        joined.extend(wanted.clients.difference(&session.clients).cloned());
                    }
                    session.clients = wanted.clients;
                    if session.settings != wanted.settings {
                        session.settings = wanted.settings.clone();
                        let settings = Box::new(wanted.settings);
                        orders.push(Order::Want { session: session.id, settings });
                    }
                }
                None => {
                    session.clients.clear();
                    // Who is up is told AdminDown by the lane; who has failed says so for a while.
                    let linger = if session.state == State::Up { Duration::ZERO } else { LINGER };
                    session.until.get_or_insert(now + linger);
                }
            }
        }
        for (path, wanted) in wanted {
            self.sessions.next += 1;
            let id = SessionId(self.sessions.next);
            let settings = Box::new(wanted.settings.clone());
            orders.push(Order::Want { session: id, settings });
            let session = Session {
                id,
                settings: wanted.settings,
                clients: wanted.clients,
                state: State::Down,
                was_up: false,
                failed: None,
                until: None,
            };
            self.sessions.by_path.insert(path, session);
        }
        for order in orders {
            self.order_bfd(order);
        }
        for client in joined {
            self.bfd_up(&client, now);
        }
    }

    fn order_bfd(&mut self, order: Order) {
        self.actions.push_back(Action::Fast(fast::Order::Bfd(order)));
    }

    fn wanted_sessions(&self) -> BTreeMap<Path, Wanted> {
        let mut all = BTreeMap::new();
        for neighbor in self.neighbors.values().filter(|n| n.config.shutdown.is_none()) {
            let Some(wish) = &neighbor.config.bfd else { continue };
            let path = self.neighbor_path(neighbor);
            self.want(&mut all, path, Client::Neighbor(neighbor.id), &wish.profile);
        }
        for (interface, wish, address, local) in self.watched_by_ospf() {
            let (local, remote) = (IpAddr::V4(local), IpAddr::V4(address));
            let path = Path::SingleHop { interface, local, remote };
            self.want(&mut all, Some(path), Client::Ospf(interface, address), &wish.profile);
        }
        for (name, session) in &self.config.bfd_sessions {
            let path = self.configured_path(session);
            self.want(&mut all, path, Client::Configured(name.clone()), &session.profile);
        }
        all
    }

    fn want(
        &self,
        all: &mut BTreeMap<Path, Wanted>,
        path: Option<Path>,
        client: Client,
        profile: &str,
    ) {
        let Some(path) = path else { return };
        let profile = self.config.bfd_profile(profile);
        let (settings, detection_time) = (profile.settings(path), profile.detection_time());
        let wanted = all.entry(path).or_insert_with(|| Wanted {
            clients: BTreeSet::new(),
            settings: settings.clone(),
            detection_time,
        });
        wanted.clients.insert(client);
        if detection_time < wanted.detection_time {
            wanted.settings = settings;
            wanted.detection_time = detection_time;
        }
    }

    /// The way to a BGP neighbour; `None` as long as our own end is not known.
    pub(super) fn neighbor_path(&self, neighbor: &super::neighbor::Neighbor) -> Option<Path> {
        let config = &neighbor.config;
        let remote = config.address;
        let near = self.fib.interfaces().toward(remote);
        if !config.bfd_multihop {
            let (interface, local) = near?;
            let local = config.local_address.unwrap_or(local);
            return Some(Path::SingleHop { interface, local, remote });
        }
        let session = neighbor.peer.session().map(|session| session.local.ip());
        let local = config.local_address.or(near.map(|(_, local)| local)).or(session)?;
        // Any: BIRD sends with its system's TTL, and RFC 5883 §5 leaves it to the operator.
        Some(Path::MultiHop { local, remote, min_ttl: 1 })
    }

    fn configured_path(&self, session: &BfdSession) -> Option<Path> {
        let remote = session.address;
        if let Some(hops) = session.multihop {
            let min_ttl = u8::MAX - hops.saturating_sub(1);
            return Some(Path::MultiHop { local: session.local_address?, remote, min_ttl });
        }
        let interfaces = self.fib.interfaces();
        let (interface, local) = match &session.interface {
            Some(name) => {
                let (index, link) = interfaces.named(name)?;
                (index, link.toward(remote))
            }
            None => interfaces.toward(remote).map(|(index, local)| (index, Some(local)))?,
        };
        Some(Path::SingleHop { interface, local: session.local_address.or(local)?, remote })
    }

    /// OSPF neighbours on interfaces that use BFD: index, use, their address and ours. In strict mode they have a session
    /// from the first Hello on, as the adjacency waits for it (RFC 9355 §3); else once both hear each other.
    fn watched_by_ospf(&self) -> Vec<(u32, &BfdUse, Ipv4Addr, Ipv4Addr)> {
        let Some((config, ospf)) = self.config.ospf.as_ref().zip(self.ospf.as_ref()) else {
            return Vec::new();
        };
        let mut watched = Vec::new();
        for interface in ospf.router.interfaces() {
            let Some(wish) = config.bfd.get(&interface.name) else { continue };
            let Some((local, _)) = interface.address else { continue };
            let least = if wish.strict { NeighborState::Init } else { NeighborState::TwoWay };
            for neighbor in interface.neighbors.values().filter(|n| n.state >= least) {
                watched.push((interface.link.index, wish, neighbor.address, local));
            }
        }
        watched
    }

    /// The lane's word about a session.
    pub(super) fn bfd_changed(&mut self, change: &Change, now: Time) {
        let mut all = self.sessions.by_path.iter_mut();
        let Some((path, session)) = all.find(|(_, session)| session.id == change.session) else {
            return;
        };
        let (path, was) = (*path, session.state);
        session.state = change.state;
        let clients = session.clients.clone();
        let subject = self.path_text(&path);
        if change.state == State::Up {
            if let Some(session) = self.sessions.by_path.get_mut(&path) {
                session.was_up = true;
                session.failed = None;
            }
            self.report(now, "bfd", &subject, "info", "up".to_owned());
            for client in clients {
                self.bfd_up(&client, now);
            }
            return;
        }
        if was != State::Up {
            return;
        }
        let on_purpose = change.remote_state == State::AdminDown
            || change.diagnostic == Diagnostic::ADMINISTRATIVELY_DOWN;
        let why = if change.diagnostic == Diagnostic::NEIGHBOR_SIGNALED_DOWN {
            format!("{}: {}", change.diagnostic, change.remote_diagnostic)
        } else {
            change.diagnostic.to_string()
        };
        if on_purpose {
            let text = "the other side has shut it down; what uses it goes on without".to_owned();
            return self.report(now, "bfd", &subject, "info", text);
        }
        if let Some(session) = self.sessions.by_path.get_mut(&path) {
            // Our own link is no fault of theirs.
            session.failed =
                Some(change.diagnostic).filter(|diagnostic| *diagnostic != Diagnostic::PATH_DOWN);
        }
        self.report(now, "bfd", &subject, "warning", format!("down: {why}"));
        for client in clients {
            self.bfd_failed(&client, now);
        }
    }

    /// A failure takes down what uses the session.
    fn bfd_failed(&mut self, client: &Client, now: Time) {
        match client {
            Client::Neighbor(peer) => {
                self.session_event(*peer, bgp::Event::BfdDown, now);
                if self.is_strict(*peer) {
                    self.hold_back(*peer, now);
                }
            }
            Client::Ospf(interface, address) => {
                let (interface, neighbor) = (*interface, *address);
                let event = ospf::Event::BfdChanged { interface, neighbor, up: false };
                self.ospf_event(event, now);
            }
            Client::Configured(_) => {}
        }
    }

    fn bfd_up(&mut self, client: &Client, now: Time) {
        match client {
            Client::Neighbor(peer) if self.is_strict(*peer) => {
                self.session_event(*peer, bgp::Event::Started, now);
            }
            Client::Ospf(interface, address) => {
                let (interface, neighbor) = (*interface, *address);
                let event = ospf::Event::BfdChanged { interface, neighbor, up: true };
                self.ospf_event(event, now);
            }
            Client::Neighbor(_) | Client::Configured(_) => {}
        }
    }

    fn is_strict(&self, peer: PeerId) -> bool {
        let neighbor = self.neighbors.get(&peer);
        neighbor.and_then(|neighbor| neighbor.config.bfd.as_ref()).is_some_and(|wish| wish.strict)
    }

    /// Begins to connect, unless the neighbour's BFD session has to be up first.
    pub(super) fn start_session(&mut self, peer: PeerId, now: Time) {
        if !self.is_strict(peer) || self.neighbor_bfd(peer) == Some(State::Up) {
            self.session_event(peer, bgp::Event::Started, now);
        }
    }

    fn hold_back(&mut self, peer: PeerId, now: Time) {
        let communication = "waiting for BFD".to_owned();
        self.session_event(peer, bgp::Event::Stopped { communication }, now);
    }

    /// `bfd-strict` may have been switched on or off.
    pub(super) fn strictness_changed(&mut self, peer: PeerId, was_strict: bool, now: Time) {
        match (was_strict, self.is_strict(peer)) {
            (true, false) => self.session_event(peer, bgp::Event::Started, now),
            (false, true) if self.neighbor_bfd(peer) != Some(State::Up) => {
                self.hold_back(peer, now);
            }
            _ => {}
        }
    }

    /// The state of a BGP neighbour's session; `None` if it has none.
    pub(super) fn neighbor_bfd(&self, peer: PeerId) -> Option<State> {
        self.session_of(&Client::Neighbor(peer)).map(|session| session.state)
    }

    fn session_of(&self, client: &Client) -> Option<&Session> {
        self.sessions.by_path.values().find(|session| session.clients.contains(client))
    }

    /// The state of `[bfd.session.NAME]`.
    pub(super) fn bfd_session_state(&self, name: &str) -> Option<State> {
        self.session_of(&Client::Configured(name.to_owned())).map(|session| session.state)
    }

    /// Whether `[bfd.session.NAME]` was up and has failed, by no fault of our own link and by nobody's will.
    pub(super) fn bfd_session_failed(&self, name: &str) -> bool {
        let session = self.session_of(&Client::Configured(name.to_owned()));
        session.is_some_and(|session| session.failed.is_some())
    }

    /// When a session is forgotten.
    pub(super) fn bfd_due(&self) -> Option<Time> {
        self.sessions.by_path.values().filter_map(|session| session.until).min()
    }

    /// The sessions of neighbours on a link that has gone end at once: there is nothing to wait for.
    pub(super) fn neighbors_on_dead_links(&mut self, now: Time) {
        let interfaces = self.fib.interfaces();
        let lost = |neighbor: &super::neighbor::Neighbor| {
            let session = neighbor.peer.session()?;
            let link = interfaces.holder(session.local.ip())?;
            let is_near = link.toward(neighbor.config.address).is_some();
            (is_near && !link.up).then_some(neighbor.id)
        };
        let lost: Vec<PeerId> = self.neighbors.values().filter_map(lost).collect();
        for peer in lost {
            self.session_event(peer, bgp::Event::LinkLost, now);
        }
    }

    /// `10.0.0.2 on eth1`, `192.0.2.9 from 192.0.2.1`.
    pub(super) fn path_text(&self, path: &Path) -> String {
        match path {
            Path::SingleHop { interface, remote, .. } => {
                format!("{remote} on {}", self.link_name(*interface))
            }
            Path::MultiHop { local, remote, .. } => format!("{remote} from {local}"),
        }
    }
}
