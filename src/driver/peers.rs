use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::acknowledge::{Waiting, Watch};
use super::connection::{self, Connection, Open};
use super::dial::dial;
use super::inbox::{Inbox, Input};
use super::listen::{Bound, Listeners};
use super::update_log::{Logged, Tap};
use crate::agent::{Event, OrderId, PeerEndpoint, PeerId};
use crate::bgp::{self, ConnectionId};
use crate::config::Listen;
use crate::wire::mrt::Ends;

/// The neighbours as far as TCP is concerned: how to reach them, and the connections there are.
pub struct Peers {
    inbox: Inbox,
    watch: Watch,
    open: Open,
    tap: Tap,
    listeners: Listeners,
    peers: BTreeMap<PeerId, Peer>,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    next_attempt: u64,
    strangers: Strangers,
}

struct Peer {
    endpoint: PeerEndpoint,
    /// The dial that is under way, with its number.
    dialling: Option<(u64, AbortHandle)>,
    /// The connection that was last sent to.
    latest: Option<ConnectionId>,
}

/// Connections from addresses that are no neighbour's: counted, and logged once in a while.
#[derive(Default)]
struct Strangers {
    since_logged: u64,
    logged: Option<Instant>,
}

const LOG_STRANGERS_EVERY: Duration = Duration::from_secs(10);

impl Peers {
    pub fn new(inbox: Inbox, watch: Watch, open: Open, tap: Tap) -> Peers {
        Peers {
            inbox,
            watch,
            open,
            tap,
            listeners: Listeners::default(),
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 1,
            next_attempt: 1,
            strangers: Strangers::default(),
        }
    }

    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    pub fn listen(&mut self, listen: &Listen, bound: Vec<Bound>) {
        self.listeners.install(listen, bound, &self.inbox);
        for peer in self.peers.values() {
            set_listener_key(&self.listeners, &peer.endpoint, true);
        }
    }

    /// Makes or renews a neighbour.
    pub fn add(&mut self, id: PeerId, endpoint: PeerEndpoint) {
        if let Some(old) = self.peers.get(&id) {
            set_listener_key(&self.listeners, &old.endpoint, false);
        }
        set_listener_key(&self.listeners, &endpoint, true);
        match self.peers.get_mut(&id) {
            Some(peer) => {
                peer.endpoint = endpoint;
                // What is under way goes to the old address, or with the old key.
                if peer.dialling.is_some() {
                    self.dial(id);
                }
            }
            None => {
                self.peers.insert(id, Peer { endpoint, dialling: None, latest: None });
            }
        }
    }

    pub fn remove(&mut self, id: PeerId) {
        self.stop_dialling(id);
        if let Some(peer) = self.peers.remove(&id) {
            set_listener_key(&self.listeners, &peer.endpoint, false);
        }
    }

    pub fn dial(&mut self, id: PeerId) {
        self.stop_dialling(id);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let attempt = self.next_attempt;
        self.next_attempt += 1;
        let (endpoint, inbox) = (peer.endpoint.clone(), self.inbox.clone());
        let task = tokio::spawn(async move {
            let result = dial(&endpoint).await;
            let _ = inbox.control.send(Input::Dialled { peer: id, attempt, result }).await;
        });
        peer.dialling = Some((attempt, task.abort_handle()));
    }

    pub fn stop_dialling(&mut self, id: PeerId) {
        if let Some((_, task)) = self.peers.get_mut(&id).and_then(|peer| peer.dialling.take()) {
            task.abort();
        }
    }

    /// The outcome of a dial, as the agent's event; `None` if it was given up.
    pub fn dialled(
        &mut self,
        id: PeerId,
        attempt: u64,
        result: Result<TcpStream, String>,
    ) -> Option<Event> {
        let peer = self.peers.get_mut(&id)?;
        if peer.dialling.as_ref().is_none_or(|(current, _)| *current != attempt) {
            return None;
        }
        peer.dialling = None;
        let endpoint = peer.endpoint.clone();
        let started = result.and_then(|stream| {
            self.start(stream, id, &endpoint).map_err(|error| error.to_string())
        });
        let event = match started {
            Ok((connection, local, remote)) => bgp::Event::Dialled { connection, local, remote },
            Err(reason) => bgp::Event::DialFailed { reason },
        };
        Some(Event::Peer { peer: id, event })
    }

    /// Matches an accepted connection to its neighbour; `None` if there is none.
    pub fn accepted(&mut self, stream: TcpStream) -> Option<Event> {
        // An error says that it has ended already.
        let (local, remote) = connection::ends(&stream).ok()?;
        let found = self.peers.iter().find(|(_, peer)| {
            peer.endpoint.address == remote.ip()
                && peer.endpoint.local_address.is_none_or(|address| address == local.ip())
        });
        let Some((id, peer)) = found else {
            self.strangers.note(remote.ip(), local);
            return None;
        };
        let (id, endpoint) = (*id, peer.endpoint.clone());
        let started = self.start(stream, id, &endpoint);
        let (connection, local, remote) = started
            .inspect_err(|error| {
                let name = &endpoint.name;
                tracing::warn!("neighbor {name}: its connection was dropped: {error}");
            })
            .ok()?;
        let event = bgp::Event::Accepted { connection, local, remote };
        Some(Event::Peer { peer: id, event })
    }

    fn start(
        &mut self,
        stream: TcpStream,
        peer: PeerId,
        endpoint: &PeerEndpoint,
    ) -> std::io::Result<(ConnectionId, SocketAddr, SocketAddr)> {
        let (local, remote) = connection::ends(&stream)?;
        connection::prepare(&stream, endpoint, remote.ip())?;
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let ends = Ends {
            peer_asn: endpoint.asn,
            local_asn: endpoint.open.asn,
            peer: remote.ip(),
            local: local.ip(),
        };
        let logged = Logged { tap: self.tap.clone(), ends };
        let (inbox, open) = (&self.inbox, self.open.clone());
        let connection = Connection::start(stream, id, peer, endpoint, logged, inbox, open);
        self.connections.insert(id, connection);
        Ok((id, local, remote))
    }

    /// Queues for [`Peers::flush`]. The event says that the queue is full.
    pub fn send(&mut self, id: ConnectionId, bytes: Bytes) -> Option<Event> {
        let connection = self.connections.get(&id)?;
        let peer = connection.peer;
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.latest = Some(id);
        }
        connection
            .send(bytes)
            .err()
            .map(|_full| Event::Peer { peer, event: bgp::Event::QueueFull { connection: id } })
    }

    /// Writes what TCP takes at once; the event says how much.
    pub fn flush(&self, id: ConnectionId) -> Option<Event> {
        let connection = self.connections.get(&id)?;
        let octets = connection.flush();
        let event = bgp::Event::Written { connection: id, octets };
        (octets > 0).then_some(Event::Peer { peer: connection.peer, event })
    }

    pub fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(&id) {
            connection.close();
        }
    }

    /// Has [`Event::Acknowledged`] sent once all that was sent to the neighbour so far is acknowledged, or returns
    /// it if that is so already. Without a connection nothing comes: the agent knows that the session is
    /// down.
    pub fn await_acknowledgement(&self, order: OrderId, id: PeerId) -> Option<Event> {
        let latest = self.peers.get(&id)?.latest?;
        let connection = self.connections.get(&latest)?.shared();
        let octets = connection.queued();
        let event = Event::Acknowledged { order, peer: id };
        // A near neighbour may have been that fast.
        if connection.has_acknowledged(octets).unwrap_or(false) {
            return Some(event);
        }
        let inbox = self.inbox.clone();
        // An error says that the daemon ends.
        let then = move || drop(inbox.control.blocking_send(Input::Event(event)));
        let connection = connection.clone();
        self.watch.wait(Waiting { connection, octets, then: Box::new(then) });
        None
    }
}

fn set_listener_key(listeners: &Listeners, endpoint: &PeerEndpoint, wanted: bool) {
    let Some(key) = &endpoint.md5 else { return };
    if let Err(error) = listeners.set_md5_key(endpoint.address, wanted.then_some(key)) {
        let name = &endpoint.name;
        tracing::error!("neighbor {name}: the TCP-MD5 key cannot be set on the listener: {error}");
    }
}

impl Strangers {
    fn note(&mut self, remote: IpAddr, local: SocketAddr) {
        self.since_logged += 1;
        if self.logged.is_some_and(|at| at.elapsed() < LOG_STRANGERS_EVERY) {
            return;
        }
        let count = std::mem::take(&mut self.since_logged);
        self.logged = Some(Instant::now());
        tracing::warn!(
            "{count} connections closed that come from no neighbour's address; the last from {remote} to {local}"
        );
    }
}
