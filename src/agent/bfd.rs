//! Which BFD sessions there are, for whom, and what becomes of their clients when one goes down (RFC 5882).
//!
//! There is one session for each path, whoever wants it (RFC 5882 §2): a BGP neighbour, an OSPF neighbour on an interface,
//! a section of the configuration. If they want different profiles, the one that detects soonest counts.
//!
//! A session that was up and fails takes its clients down at once. One that never was up takes nothing down, as the other
//! side need not have BFD (§4.1), and neither does one that the other side shuts down on purpose (AdminDown, §3.2). What a
//! failure took away may come back before the session does, as with FRR and BIRD, unless `bfd-strict` says no.
//!
//! A client with `bfd-strict` has to know whether it may begin. That is not told when it changes but compared: whoever
//! knows something else than what is the case is told (`tell_clients`), so it does not matter in which order
//! sessions and clients come and go.
//!
//! An OSPF neighbour that was lost by BFD is no longer there to want its session. It counts as wanted for [`LINGER`]: the
//! session says Down, from which the other side learns of a failure that it may not see itself (AdminDown would tell it
//! to do nothing), and the path is watched again before the next Hello.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::neighbor::Neighbor;
use super::{Action, Agent, PeerId};
use crate::bfd::{Change, Diagnostic, Order, Path, SessionId, Settings, State};
use crate::bgp;
use crate::config::BfdSession;
use crate::fast;
use crate::ospf::{self, Bfd};
use crate::types::Time;

/// How long the session of a neighbour that it has taken down is kept: for three Hellos at the usual interval.
const LINGER: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    pub by_path: BTreeMap<Path, Session>,
    next: u32,
    /// Who may want another session than before.
    pub stale: bool,
    /// OSPF neighbours that a failure took down, with our address, and until when their sessions are kept.
    lost: BTreeMap<(u32, Ipv4Addr), (Ipv4Addr, Time)>,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub id: SessionId,
    pub settings: Settings,
    /// Never empty.
    pub clients: BTreeSet<Client>,
    pub state: State,
    /// The other side has shut the session down on purpose.
    pub off: bool,
    /// Its last failure, for who asks after it: the diagnostic, unless the failure was of our own link.
    pub failed: Option<Diagnostic>,
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

/// What is wanted of the paths: by whom, and the profile that counts, with the time it takes to detect a failure.
type Wishes<'c> = BTreeMap<Path, (BTreeSet<Client>, (Duration, &'c str))>;

impl Session {
    /// Whether it keeps nobody from beginning (RFC 5882 §4.1).
    fn allows(&self) -> bool {
        self.state == State::Up || self.off
    }
}

impl Agent {
    /// Orders the sessions that are wanted and not there, and gives up those that nobody wants.
    pub(super) fn settle_bfd(&mut self, now: Time) {
        let lost = self.sessions.lost.len();
        self.sessions.lost.retain(|_, (_, until)| *until > now);
        self.sessions.stale |= self.sessions.lost.len() != lost;
        // Once the lane has said goodbye, nothing is to begin anew.
        let leaves = self.stopping.is_some() && self.release_by.is_none();
        if std::mem::take(&mut self.sessions.stale) && !leaves {
            let wanted = self.wanted_sessions();
            self.keep_wanted(wanted);
            self.tell_clients(now);
        }
    }

    fn keep_wanted(&mut self, mut wanted: BTreeMap<Path, (BTreeSet<Client>, Settings)>) {
        let mut orders = Vec::new();
        self.sessions.by_path.retain(|path, session| {
            let Some((clients, settings)) = wanted.remove(path) else {
                orders.push(Order::Drop { session: session.id });
                return false;
            };
            session.clients = clients;
            if session.settings != settings {
                session.settings = settings.clone();
                let settings = Box::new(settings);
                orders.push(Order::Want { session: session.id, settings });
            }
            true
        });
        for (path, (clients, settings)) in wanted {
            self.sessions.next += 1;
            let id = SessionId(self.sessions.next);
            orders.push(Order::Want { session: id, settings: Box::new(settings.clone()) });
            let state = State::Down;
            let session = Session { id, settings, clients, state, off: false, failed: None };
            self.sessions.by_path.insert(path, session);
        }
        for order in orders {
            self.order_bfd(order);
        }
    }

    /// Tells everybody whether BFD allows it to begin, also who has no session any more.
    fn tell_clients(&mut self, now: Time) {
        let mut allowed = BTreeMap::new();
        for neighbor in self.neighbors.keys() {
            allowed.insert(Client::Neighbor(*neighbor), false);
        }
        for session in self.sessions.by_path.values() {
            let clients = session.clients.iter().cloned();
            allowed.extend(clients.map(|client| (client, session.allows())));
        }
        for (client, allows) in allowed {
            self.tell_client(&client, allows, now);
        }
    }

    /// Says nothing new to whoever knows it.
    fn tell_client(&mut self, client: &Client, allows: bool, now: Time) {
        match client {
            Client::Neighbor(peer) => {
                let knows = |neighbor: &Neighbor| neighbor.peer.bfd_up() == allows;
                if self.neighbors.get(peer).is_some_and(|neighbor| !knows(neighbor)) {
                    let event = if allows { bgp::Event::BfdUp } else { bgp::Event::BfdUnknown };
                    self.session_event(*peer, event, now);
                }
            }
            Client::Ospf(interface, neighbor) => {
                let (interface, neighbor) = (*interface, *neighbor);
                let bfd = if allows { Bfd::Up } else { Bfd::Unknown };
                self.ospf_event(ospf::Event::BfdChanged { interface, neighbor, bfd }, now);
            }
            Client::Configured(_) => {}
        }
    }

    fn order_bfd(&mut self, order: Order) {
        self.actions.push_back(Action::Fast(fast::Order::Bfd(order)));
    }

    fn wanted_sessions(&self) -> BTreeMap<Path, (BTreeSet<Client>, Settings)> {
        let mut all = Wishes::new();
        for neighbor in self.neighbors.values().filter(|n| n.config.shutdown.is_none()) {
            let Some(wish) = &neighbor.config.bfd else { continue };
            let path = self.neighbor_path(neighbor);
            self.want(&mut all, path, Client::Neighbor(neighbor.id), &wish.profile);
        }
        for (interface, local, address) in self.watched_by_ospf() {
            let Some(profile) = self.ospf_profile(interface) else { continue };
            let (local, remote) = (IpAddr::V4(local), IpAddr::V4(address));
            let path = Path::SingleHop { interface, local, remote };
            self.want(&mut all, Some(path), Client::Ospf(interface, address), profile);
        }
        for (name, session) in &self.config.bfd_sessions {
            let path = self.configured_path(session);
            self.want(&mut all, path, Client::Configured(name.clone()), &session.profile);
        }
        let settings = |path, profile| self.config.bfd_profile(profile).settings(path);
        let all = all.into_iter().map(|(path, (clients, (_, profile)))| {
            let settings = settings(path, profile);
            (path, (clients, settings))
        });
        all.collect()
    }

    fn want<'c>(&self, all: &mut Wishes<'c>, path: Option<Path>, client: Client, profile: &'c str) {
        let Some(mut path) = path else { return };
        let mut clients = BTreeSet::from([client]);
        let mut rank = (self.config.bfd_profile(profile).detection_time(), profile);
        // The addresses make the session: of several wishes about the TTL the least counts.
        let same = all.range(with_min_ttl(path, 0)..=with_min_ttl(path, u8::MAX)).next();
        let same = same.map(|(same, _)| *same);
        if let Some((others, best)) = same.and_then(|same| all.remove(&same)) {
            clients.extend(others);
            rank = rank.min(best);
            path = same.map_or(path, |same| same.min(path));
        }
        all.insert(path, (clients, rank));
    }

    /// The way to a BGP neighbour; `None` as long as our own end is not known.
    pub(super) fn neighbor_path(&self, neighbor: &Neighbor) -> Option<Path> {
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

    /// OSPF neighbours that have a session, and those that one has just taken down: interface, our address, theirs.
    fn watched_by_ospf(&self) -> BTreeSet<(u32, Ipv4Addr, Ipv4Addr)> {
        let lost = self.sessions.lost.iter();
        let mut all: BTreeSet<_> =
            lost.map(|((interface, theirs), (ours, _))| (*interface, *ours, *theirs)).collect();
        for (interface, ours, neighbor) in self.ospf.iter().flat_map(|ospf| ospf.router.watched()) {
            all.insert((interface.link.index, ours, neighbor.address));
        }
        all
    }

    /// The profile of an interface, as long as neighbours there are watched.
    fn ospf_profile(&self, interface: u32) -> Option<&str> {
        let (config, ospf) = self.config.ospf.as_ref().zip(self.ospf.as_ref())?;
        let interface = ospf.router.interfaces().find(|one| one.link.index == interface)?;
        config.bfd.get(&interface.name).map(|wish| wish.profile.as_str())
    }

    /// The lane's word about a session.
    pub(super) fn bfd_changed(&mut self, change: &Change, now: Time) {
        let mut all = self.sessions.by_path.iter_mut();
        let Some((path, session)) = all.find(|(_, session)| session.id == change.session) else {
            return;
        };
        let path = *path;
        let (was_up, was_off) = (session.state == State::Up, session.off);
        session.state = change.state;
        session.off = change.remote_state == State::AdminDown;
        let is_up = change.state == State::Up;
        let failed = was_up && !is_up && !session.off;
        if is_up {
            session.failed = None;
        } else if failed {
            // Our own link is no fault of theirs.
            let why = Some(change.diagnostic);
            session.failed = why.filter(|diagnostic| *diagnostic != Diagnostic::PATH_DOWN);
        }
        let (clients, off, allows) = (session.clients.clone(), session.off, session.allows());
        let (severity, text) = match () {
            () if failed => ("warning", format!("down: {}", why_down(change))),
            () if is_up && !was_up => ("info", "up".to_owned()),
            () if off && !was_off => {
                let text = "the other side has shut it down; what uses it goes on without";
                ("info", text.to_owned())
            }
            () => ("", String::new()),
        };
        if !text.is_empty() {
            let subject = self.session_text(&path, &clients);
            self.report(now, "bfd", &subject, severity, text);
        }
        for client in &clients {
            if failed {
                self.bfd_failed(&path, client, now);
            } else {
                self.tell_client(client, allows, now);
            }
        }
    }

    /// A failure takes down what uses the session.
    fn bfd_failed(&mut self, path: &Path, client: &Client, now: Time) {
        match client {
            Client::Neighbor(peer) => self.session_event(*peer, bgp::Event::BfdDown, now),
            Client::Ospf(interface, neighbor) => {
                let (interface, neighbor) = (*interface, *neighbor);
                if let IpAddr::V4(ours) = path.local() {
                    self.sessions.lost.insert((interface, neighbor), (ours, now + LINGER));
                }
                let bfd = Bfd::Failed;
                self.ospf_event(ospf::Event::BfdChanged { interface, neighbor, bfd }, now);
            }
            Client::Configured(_) => {}
        }
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

    /// When a session may no longer be wanted.
    pub(super) fn bfd_due(&self) -> Option<Time> {
        self.sessions.lost.values().map(|(_, until)| *until).min()
    }

    /// Neighbours that cannot be watched, a sentence each.
    pub(super) fn unwatched(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for neighbor in self.neighbors.values().filter(|n| n.config.shutdown.is_none()) {
            if neighbor.config.bfd.is_some() && self.neighbor_path(neighbor).is_none() {
                warnings.push(format!(
                    "neighbor {} is not watched by BFD: {} is in no network of a link; over several hops it needs \
                     `bfd-multihop`",
                    neighbor.name, neighbor.config.address,
                ));
            }
        }
        warnings
    }

    /// `isp-a (10.0.0.2 on eth1)`: the names it is known by, if it has any.
    fn session_text(&self, path: &Path, clients: &BTreeSet<Client>) -> String {
        let names = clients.iter().filter_map(|client| match client {
            Client::Neighbor(peer) => {
                self.neighbors.get(peer).map(|neighbor| neighbor.name.as_str())
            }
            Client::Configured(name) => Some(name.as_str()),
            Client::Ospf(..) => None,
        });
        let names: Vec<&str> = names.collect();
        match names.as_slice() {
            [] => self.path_text(path),
            names => format!("{} ({})", names.join(", "), self.path_text(path)),
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

/// The same path over several hops with another least TTL.
fn with_min_ttl(path: Path, min_ttl: u8) -> Path {
    match path {
        Path::MultiHop { local, remote, .. } => Path::MultiHop { local, remote, min_ttl },
        near @ Path::SingleHop { .. } => near,
    }
}

/// `detection time expired`, `neighbor signaled session down: detection time expired`.
fn why_down(change: &Change) -> String {
    let Change { diagnostic, remote_diagnostic, .. } = change;
    let signaled = *diagnostic == Diagnostic::NEIGHBOR_SIGNALED_DOWN;
    if signaled && *remote_diagnostic != Diagnostic::NONE {
        format!("{diagnostic}: {remote_diagnostic}")
    } else {
        diagnostic.to_string()
    }
}
