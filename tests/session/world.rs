//! Two peers and the TCP between them.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use shunt::bgp::{Action, ConnectionId, Event, Peer, Settings, State};
use shunt::types::{Rng, Time};
use shunt::wire::bgp::{Decoder, Message};

use super::bench::address;

#[derive(Clone, Debug)]
pub struct World {
    pub now: Time,
    pub peers: [Peer; 2],
    pub links: Vec<Link>,
    /// What each peer gave out for its agent, oldest first.
    pub log: [Vec<(Time, Action)>; 2],
    /// How many octets a read returns at most.
    pub read_size: usize,
    /// Whether a side takes what is sent to it.
    pub reads: [bool; 2],
    /// Whether a side's host answers to dials.
    pub listens: [bool; 2],
    failures: VecDeque<usize>,
    next: u64,
}

/// One TCP connection: its two ends and what is on the way to each.
#[derive(Clone, Debug)]
pub struct Link {
    dialler: usize,
    ids: [ConnectionId; 2],
    pub open: [bool; 2],
    to: [VecDeque<Item>; 2],
    decoders: [Option<Decoder>; 2],
}

#[derive(Clone, Debug)]
enum Item {
    /// The handshake of TCP is done.
    Up,
    Bytes(Bytes),
    Fin,
}

impl World {
    /// Sides 0 and 1, the settings in that order.
    pub fn new(settings: [Settings; 2]) -> World {
        let [one, two] = settings;
        World {
            now: Time::ZERO,
            peers: [Peer::new(one, Rng::new(11)), Peer::new(two, Rng::new(22))],
            links: Vec::new(),
            log: [Vec::new(), Vec::new()],
            read_size: usize::MAX,
            reads: [true, true],
            listens: [true, true],
            failures: VecDeque::new(),
            next: 0,
        }
    }

    /// Both started, nothing delivered.
    pub fn started(settings: [Settings; 2]) -> World {
        let mut world = World::new(settings);
        world.handle(0, Event::Started);
        world.handle(1, Event::Started);
        world
    }

    /// Both started and settled.
    pub fn up(settings: [Settings; 2]) -> World {
        let mut world = World::started(settings);
        world.settle();
        world.assert_up();
        world
    }

    pub fn handle(&mut self, side: usize, event: Event) {
        self.peers[side].handle(event, self.now);
        self.pump(side);
    }

    /// Carries out the actions of one peer.
    fn pump(&mut self, side: usize) {
        while let Some(action) = self.peers[side].poll() {
            match action {
                Action::Dial if self.listens[1 - side] => {
                    self.next += 2;
                    let ids = [ConnectionId(self.next), ConnectionId(self.next + 1)];
                    self.links.push(Link {
                        dialler: side,
                        ids,
                        open: [true, true],
                        to: [VecDeque::from([Item::Up]), VecDeque::from([Item::Up])],
                        decoders: [None, None],
                    });
                }
                Action::Dial => self.failures.push_back(side),
                Action::StopDialling => {
                    self.failures.retain(|dialler| *dialler != side);
                    for link in &mut self.links {
                        // The dial was under way if its answer is still to come.
                        if link.dialler == side && matches!(link.to[side].front(), Some(Item::Up)) {
                            link.open[side] = false;
                            link.to[1 - side].push_back(Item::Fin);
                        }
                    }
                }
                Action::Send { connection, bytes } => {
                    let octets = bytes.len();
                    if let Some(link) = self.link(side, connection) {
                        link.to[1 - side].push_back(Item::Bytes(bytes));
                    }
                    if self.reads[1 - side] {
                        self.peers[side].handle(Event::Written { connection, octets }, self.now);
                    }
                }
                Action::Close { connection } => {
                    if let Some(link) = self.link(side, connection) {
                        link.open[side] = false;
                        link.to[1 - side].push_back(Item::Fin);
                    }
                }
                action => self.log[side].push((self.now, action)),
            }
        }
    }

    fn link(&mut self, side: usize, id: ConnectionId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.ids[side] == id && link.open[side])
    }

    /// The streams (link, side they lead to) on which something can arrive now.
    pub fn ready(&self) -> Vec<(usize, usize)> {
        let mut ready = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            for side in [0, 1] {
                if link.open[side] && self.reads[side] && !link.to[side].is_empty() {
                    ready.push((index, side));
                }
            }
        }
        ready
    }

    /// Lets the next item of one stream arrive.
    pub fn deliver(&mut self, (index, side): (usize, usize)) {
        let link = &mut self.links[index];
        let connection = link.ids[side];
        let (local, remote) = (address(side as u8), address(1 - side as u8));
        match link.to[side].pop_front() {
            Some(Item::Up) => {
                link.decoders[side] = Some(Decoder::new(self.peers[side].open()));
                let event = if link.dialler == side {
                    Event::Dialled { connection, local, remote }
                } else {
                    Event::Accepted { connection, local, remote }
                };
                self.handle(side, event);
            }
            Some(Item::Bytes(bytes)) => {
                for chunk in bytes.chunks(self.read_size) {
                    self.read(index, side, chunk);
                }
            }
            Some(Item::Fin) => {
                link.open[side] = false;
                link.to[1 - side].clear();
                self.handle(side, Event::Closed { connection, reason: "end of file".to_owned() });
            }
            None => {}
        }
    }

    fn read(&mut self, index: usize, side: usize, chunk: &[u8]) {
        let connection = self.links[index].ids[side];
        if let Some(decoder) = self.links[index].decoders[side].as_mut() {
            decoder.feed(chunk);
        }
        while let Some(decoder) = self.links[index].decoders[side].as_mut() {
            match decoder.next() {
                Some(Ok(message)) => self.handle(side, Event::Received { connection, message }),
                Some(Err(notification)) => {
                    self.handle(side, Event::Malformed { connection, notification });
                }
                None => break,
            }
        }
    }

    /// Lets everything on the way arrive; no time goes by.
    pub fn settle(&mut self) {
        loop {
            if let Some(side) = self.failures.pop_front() {
                self.handle(side, Event::DialFailed { reason: "refused".to_owned() });
            } else if let Some(stream) = self.ready().first() {
                self.deliver(*stream);
            } else {
                return;
            }
        }
    }

    /// Follows every order in which what is on the way can arrive, and checks each outcome. How
    /// many different outcomes there are comes back.
    pub fn every_order(self, check: impl Fn(&World)) -> usize {
        let (mut seen, mut outcomes) = (BTreeSet::new(), 0);
        let mut open = vec![self];
        while let Some(world) = open.pop() {
            let ready = world.ready();
            if ready.is_empty() {
                check(&world);
                outcomes += 1;
            }
            for stream in ready {
                let mut next = world.clone();
                next.deliver(stream);
                if seen.insert(format!("{:?} {:?}", next.peers, next.links)) {
                    open.push(next);
                }
            }
        }
        outcomes
    }

    /// Lets time go by, deadline by deadline.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        self.settle();
        loop {
            let deadline = self.peers.iter().filter_map(Peer::deadline).min();
            let Some(deadline) = deadline.filter(|deadline| *deadline <= end) else { break };
            self.now = self.now.max(deadline);
            for side in [0, 1] {
                self.peers[side].tick(self.now);
                self.pump(side);
            }
            self.settle();
        }
        self.now = end;
    }

    /// The host of one side dies without a word and comes back with nothing: the other side
    /// notices by a reset of its connections only if `reset`.
    pub fn reboot(&mut self, side: usize, reset: bool) {
        let settings = self.peers[side].settings().clone();
        self.peers[side] = Peer::new(settings, Rng::new(self.next));
        for link in &mut self.links {
            link.open[side] = false;
            link.to[1 - side].clear();
            if reset {
                link.to[1 - side].push_back(Item::Fin);
            }
        }
    }

    /// Puts bytes on the way of the connection that is up, as if `side` had sent them.
    pub fn inject(&mut self, side: usize, message: &Message) {
        let bytes = super::bench::bytes(message);
        for link in &mut self.links {
            if link.open == [true, true] {
                link.to[1 - side].push_back(Item::Bytes(bytes.clone()));
            }
        }
    }

    pub fn states(&self) -> [State; 2] {
        [self.peers[0].state(), self.peers[1].state()]
    }

    /// Connections that are open at some end.
    pub fn open_links(&self) -> usize {
        self.links.iter().filter(|link| link.open[0] || link.open[1]).count()
    }

    #[track_caller]
    pub fn assert_up(&self) {
        assert_eq!(self.states(), [State::Established; 2], "{:#?}", self.log);
        let whole = self.links.iter().filter(|link| link.open == [true, true]).count();
        assert_eq!((whole, self.open_links()), (1, 1), "exactly one connection, and whole");
    }

    pub fn downs(&self, side: usize) -> Vec<&Action> {
        self.log[side]
            .iter()
            .map(|(_, action)| action)
            .filter(|action| matches!(action, Action::Down { .. }))
            .collect()
    }
}
