//! What the driver does with sockets, done with simulated ones.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::link::{LinkId, Wire};
use super::node::{End, Node, NodeId};
use super::stream::Stream;
use super::world::{Happening, World};
use crate::agent::{Event, OrderId, PeerAction, PeerId};
use crate::bgp::{self, ConnectionId};
use crate::types::Time;
use crate::wire::bgp::Decoder;

/// A dial is given up after this long.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts of a dial to get through.
const DIAL_RETRY: Duration = Duration::from_secs(1);
/// Octets queued for a connection at which the driver gives it up.
const QUEUE_LIMIT: u64 = 16 * 1024 * 1024;

impl World {
    pub(super) fn on_connection(&mut self, id: NodeId, peer: PeerId, action: PeerAction) {
        let life = self.nodes[id.0].lives;
        let now = self.now;
        match action {
            PeerAction::Dial => {
                self.sequence += 1;
                let number = self.sequence;
                if let Some(process) = self.process(id, life) {
                    process.dials.insert(peer, number);
                }
                self.push(now, Happening::Dial { node: id, life, peer, number, since: now });
            }
            PeerAction::StopDialling => {
                if let Some(process) = self.process(id, life) {
                    process.dials.remove(&peer);
                }
            }
            PeerAction::Send { connection, bytes } => {
                self.note(id, &format!("sends {} octets on {connection}", bytes.len()));
                self.send(id, connection, bytes);
            }
            PeerAction::Close { connection } => {
                self.note(id, &format!("closes {connection}"));
                let process = self.process(id, life);
                if let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) {
                    end.closed = true;
                    end.out.finished = true;
                }
                self.schedule_arrival(id, connection);
            }
        }
    }

    pub(super) fn dial(&mut self, id: NodeId, peer: PeerId, number: u64, since: Time) {
        let life = self.nodes[id.0].lives;
        let Some(process) = self.process(id, life) else { return };
        let Some(endpoint) = process.peers.get(&peer).cloned() else { return };
        let mut wires = self.wires.iter().enumerate();
        let found =
            wires.find_map(|(link, wire)| Some((link, wire.between(id, endpoint.address)?)));
        let Some((link, (local, remote))) = found else {
            return self.dial_failed(id, peer, self.now, "network is unreachable");
        };
        let wire = &self.wires[link];
        let (latency, got_through) = (wire.link.latency, wire.carries(&mut self.rng));
        if !got_through || self.nodes[remote.node.0].deaf {
            if self.now - since >= DIAL_TIMEOUT {
                return self.dial_failed(id, peer, self.now, "connection timed out");
            }
            let again = Happening::Dial { node: id, life, peer, number, since };
            return self.push(self.now + DIAL_RETRY, again);
        }
        let there = self.nodes[remote.node.0].lives;
        let accepting = self.process(remote.node, there).and_then(|process| {
            let mut peers = process.peers.iter();
            peers
                .find(|(_, known)| known.address == local.address)
                .map(|(peer, known)| (*peer, Decoder::new(known.open.clone())))
        });
        let Some((accepting, decoder)) = accepting else {
            return self.dial_failed(id, peer, self.now + 2 * latency, "connection refused");
        };
        if let Some(process) = self.process(id, life) {
            process.dials.remove(&peer);
        }
        let (dialled, accepted) =
            (ConnectionId(self.connections + 1), ConnectionId(self.connections + 2));
        self.connections += 2;
        let ours = Decoder::new(endpoint.open.clone());
        let (from, to) =
            (SocketAddr::new(local.address, 40000), SocketAddr::new(remote.address, 179));
        self.open(id, dialled, end(peer, link, remote.node, accepted, ours));
        self.open(remote.node, accepted, end(accepting, link, id, dialled, decoder));
        let event = bgp::Event::Accepted { connection: accepted, local: to, remote: from };
        self.event_at(self.now + latency, remote.node, Event::Peer { peer: accepting, event });
        let event = bgp::Event::Dialled { connection: dialled, local: from, remote: to };
        self.event_at(self.now + 2 * latency, id, Event::Peer { peer, event });
    }

    fn open(&mut self, id: NodeId, connection: ConnectionId, end: End) {
        let life = self.nodes[id.0].lives;
        if let Some(process) = self.process(id, life) {
            process.connections.insert(connection, end);
        }
    }

    fn dial_failed(&mut self, id: NodeId, peer: PeerId, at: Time, reason: &str) {
        let life = self.nodes[id.0].lives;
        if let Some(process) = self.process(id, life) {
            process.dials.remove(&peer);
        }
        let event = bgp::Event::DialFailed { reason: reason.to_owned() };
        self.event_at(at, id, Event::Peer { peer, event });
    }

    fn send(&mut self, id: NodeId, connection: ConnectionId, bytes: Bytes) {
        let (life, now) = (self.nodes[id.0].lives, self.now);
        let latency = |wires: &[Wire], end: &End| wires[end.link.0].link.latency;
        let World { nodes, wires, .. } = self;
        let process = nodes[id.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        let arrives = now + latency(wires, end);
        end.out.push(bytes, arrives);
        let (peer, full) = (end.peer, end.out.sent - end.out.written > QUEUE_LIMIT);
        if full {
            let event = Event::Peer { peer, event: bgp::Event::QueueFull { connection } };
            self.push(now, Happening::Event { node: id, life, event });
        }
        self.report_written(id, connection);
        self.schedule_arrival(id, connection);
    }

    /// Tells a writer how much its TCP has taken since the last time.
    fn report_written(&mut self, id: NodeId, connection: ConnectionId) {
        let (life, now) = (self.nodes[id.0].lives, self.now);
        let process = self.nodes[id.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        let octets = end.out.newly_written() as usize;
        if octets > 0 && !end.closed {
            let event = bgp::Event::Written { connection, octets };
            let event = Event::Peer { peer: end.peer, event };
            self.push(now, Happening::Event { node: id, life, event });
        }
    }

    pub(super) fn schedule_arrival(&mut self, id: NodeId, connection: ConnectionId) {
        let (life, now) = (self.nodes[id.0].lives, self.now);
        let World { nodes, wires, .. } = self;
        let process = nodes[id.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        if end.out.scheduled || (end.out.is_empty() && !end.out.finished) {
            return;
        }
        end.out.scheduled = true;
        let at = match end.out.next_arrival() {
            Some(arrival) => arrival.max(now),
            None => now + wires[end.link.0].link.latency,
        };
        self.push(at, Happening::Arrival { node: id, life, connection });
    }

    /// Bytes that `id` wrote reach the other end, or do not.
    pub(super) fn arrive(&mut self, id: NodeId, life: u64, connection: ConnectionId) {
        let now = self.now;
        let World { nodes, wires, rng, .. } = self;
        let process = Some(&mut nodes[id.0]).filter(|node| node.lives == life);
        let process = process.and_then(|node| node.process.as_mut());
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        end.out.scheduled = false;
        let (reader, twin, link) = (end.remote, end.twin, end.link);
        if !wires[end.link.0].carries(rng) {
            let wait = end.out.back_off();
            end.out.scheduled = true;
            return self.push(now + wait, Happening::Arrival { node: id, life, connection });
        }
        let finished = end.out.is_empty() && end.out.finished;
        let alive = |node: &Node| {
            node.process.as_ref().is_some_and(|process| process.connections.contains_key(&twin))
        };
        if !alive(&nodes[reader.0]) {
            // Nobody knows this connection there: its kernel answers with a reset, if it has power. A node
            // without a process stands for one without power until it has started again.
            if nodes[reader.0].process.is_some() {
                let at = now + wires[link.0].link.latency;
                self.push(at, Happening::Reset { node: id, life, connection });
            }
            return;
        }
        if nodes[reader.0].deaf || nodes[reader.0].is_stopped() {
            return;
        }
        if finished {
            return self.finish(id, connection, reader, twin);
        }
        let process = nodes[id.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        let piece = end.out.take_piece(now, rng);
        self.report_written(id, connection);
        self.report_read(id, connection);
        self.schedule_arrival(id, connection);
        self.read(reader, twin, &piece);
    }

    /// The reader has come to the end of what the writer sent before it closed.
    fn finish(
        &mut self,
        writer: NodeId,
        connection: ConnectionId,
        reader: NodeId,
        twin: ConnectionId,
    ) {
        if let Some(process) = self.nodes[writer.0].process.as_mut() {
            process.connections.remove(&connection);
        }
        let process = self.nodes[reader.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.remove(&twin)) else { return };
        if !end.closed {
            let reason = "closed by the neighbour".to_owned();
            let event = bgp::Event::Closed { connection: twin, reason };
            self.deliver(reader, Event::Peer { peer: end.peer, event });
        }
    }

    /// Hands bytes to the reader's decoder, and what that makes of them to its agent.
    fn read(&mut self, id: NodeId, connection: ConnectionId, bytes: &[u8]) {
        let process = self.nodes[id.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        end.decoder.feed(bytes);
        loop {
            let process = self.nodes[id.0].process.as_mut();
            let end = process.and_then(|p| p.connections.get_mut(&connection));
            let Some(end) = end.filter(|end| !end.closed) else { return };
            let peer = end.peer;
            let event = match end.decoder.next() {
                None => return,
                Some(Ok(message)) => bgp::Event::Received { connection, message },
                Some(Err(notification)) => bgp::Event::Malformed { connection, notification },
            };
            self.deliver(id, Event::Peer { peer, event });
        }
    }

    pub(super) fn await_read(&mut self, id: NodeId, order: OrderId, peer: PeerId) {
        let process = self.nodes[id.0].process.as_mut();
        let connections = process.into_iter().flat_map(|process| process.connections.iter_mut());
        let mut of_peer = connections.filter(|(_, end)| end.peer == peer && !end.closed);
        let Some((connection, end)) = of_peer.next() else { return };
        let connection = *connection;
        end.awaited.push((end.out.sent, order));
        self.report_read(id, connection);
    }

    /// Tells the agent which orders' bytes the neighbour has.
    fn report_read(&mut self, id: NodeId, connection: ConnectionId) {
        let World { nodes, wires, .. } = self;
        let process = nodes[id.0].process.as_mut();
        let Some(end) = process.and_then(|p| p.connections.get_mut(&connection)) else { return };
        let read = end.out.read;
        let (peer, at) = (end.peer, self.now + wires[end.link.0].link.latency);
        let reached: Vec<OrderId> = end
            .awaited
            .iter()
            .filter(|(octets, _)| *octets <= read)
            .map(|(_, order)| *order)
            .collect();
        end.awaited.retain(|(octets, _)| *octets > read);
        for order in reached {
            self.event_at(at, id, Event::Acknowledged { order, peer });
        }
    }
}

fn end(peer: PeerId, link: usize, remote: NodeId, twin: ConnectionId, decoder: Decoder) -> End {
    let out = Stream::default();
    End { peer, link: LinkId(link), remote, twin, decoder, out, awaited: Vec::new(), closed: false }
}
