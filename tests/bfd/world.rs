//! Sides and the wire between them, on a virtual clock: delay, loss, reordering, clocks that go wrong, processes that
//! stop. All from one seed.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use shunt::bfd::{
    Action, Bfd, Change, Event, Hops, Order, Path, Received, SessionId, Settings, State, Summary,
};
use shunt::types::{Rng, Time};
use shunt::wire::bfd::Packet;

use crate::bench::{millis, settings};

/// Two sides, 0 and 1, and one wire.
pub struct World {
    pub now: Time,
    pub sides: [Side; 2],
    pub wire: Wire,
    pub rng: Rng,
    /// What was sent, whether it arrived or not: when, by whom, what.
    pub sent: Vec<(Time, usize, Packet)>,
    flying: BTreeMap<(Time, u64), (usize, Vec<u8>)>,
    number: u64,
}

pub struct Side {
    pub bfd: Bfd,
    /// How much faster than the world's the clock runs, in millionths.
    pub clock: i64,
    /// It never wakes earlier than it wishes, and up to this much later.
    pub lag: Duration,
    /// Nothing is read, and nothing ticks: SIGSTOP.
    pub stopped: bool,
    /// World time.
    pub changes: Vec<(Time, Change)>,
    wakes: Option<(Time, Time)>,
    waiting: VecDeque<Vec<u8>>,
}

pub struct Wire {
    pub delay: Duration,
    /// Up to this much is added; packets may overtake each other.
    pub variation: Duration,
    /// Per cent of the packets that are lost, but never more than `burst` in a row in one direction.
    pub loss: u64,
    pub burst: u32,
    /// The next so many packets from each side are lost.
    pub lose: [u32; 2],
    /// Each packet arrives a second time.
    pub twice: bool,
    pub cut: bool,
    in_row: [u32; 2],
}

pub const ID: SessionId = SessionId(1);

fn address(side: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1 + side as u8))
}

/// [`settings`] as seen from one side.
pub fn settings_of(side: usize, settings: Settings) -> Settings {
    let path = Path::SingleHop { interface: 1, local: address(side), remote: address(1 - side) };
    Settings { path, ..settings }
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let sides = [0, 1].map(|_| Side {
            bfd: Bfd::new(rng.fork()),
            clock: 0,
            lag: Duration::ZERO,
            stopped: false,
            changes: Vec::new(),
            wakes: None,
            waiting: VecDeque::new(),
        });
        World {
            now: Time::ZERO,
            sides,
            wire: Wire {
                delay: Duration::from_micros(200),
                variation: Duration::ZERO,
                loss: 0,
                burst: u32::MAX,
                lose: [0; 2],
                twice: false,
                cut: false,
                in_row: [0; 2],
            },
            rng,
            sent: Vec::new(),
            flying: BTreeMap::new(),
            number: 0,
        }
    }

    /// 10 ms × 3 on both sides, up and settled.
    pub fn up(seed: u64) -> World {
        let mut world = World::new(seed);
        world.want(0, settings());
        world.want(1, settings());
        world.run(millis(500));
        assert!(world.both_up());
        world
    }

    pub fn want(&mut self, side: usize, settings: Settings) {
        let settings = Box::new(settings_of(side, settings));
        self.handle(side, Event::Ordered(Order::Want { session: ID, settings }));
    }

    /// The process dies and another one begins.
    pub fn restart(&mut self, side: usize, settings: Settings) {
        self.sides[side].bfd = Bfd::new(self.rng.fork());
        self.sides[side].waiting.clear();
        self.want(side, settings);
    }

    pub fn handle(&mut self, side: usize, event: Event<'_>) {
        let local = self.sides[side].local(self.now);
        self.sides[side].bfd.handle(event, local);
        self.collect(side);
    }

    pub fn go_on(&mut self, side: usize) {
        self.sides[side].stopped = false;
        while let Some(octets) = self.sides[side].waiting.pop_front() {
            self.deliver(side, &octets);
        }
        self.tick(side);
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let arrival = self.flying.keys().next().copied();
            let wake = |side: usize| self.sides[side].wakes.filter(|_| !self.sides[side].stopped);
            let wake = [0, 1].into_iter().filter_map(|side| Some((wake(side)?.1, side))).min();
            let next = arrival.map(|(at, _)| at).into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            match arrival.filter(|(at, _)| *at <= next) {
                Some(key) => {
                    let Some((side, octets)) = self.flying.remove(&key) else { break };
                    if self.sides[side].stopped {
                        self.sides[side].waiting.push_back(octets);
                    } else {
                        self.deliver(side, &octets);
                    }
                }
                None => self.tick(wake.map_or(0, |(_, side)| side)),
            }
        }
        self.now = end;
    }

    pub fn state(&self, side: usize) -> State {
        self.summary(side).state
    }

    pub fn both_up(&self) -> bool {
        self.state(0) == State::Up && self.state(1) == State::Up
    }

    pub fn downs(&self) -> u64 {
        self.summary(0).downs + self.summary(1).downs
    }

    pub fn summary(&self, side: usize) -> Summary {
        let local = self.sides[side].local(self.now);
        self.sides[side].bfd.summaries(local).pop().unwrap()
    }

    fn tick(&mut self, side: usize) {
        let local = self.sides[side].local(self.now);
        self.sides[side].bfd.tick(local);
        self.sides[side].wakes = None;
        self.collect(side);
    }

    fn deliver(&mut self, side: usize, octets: &[u8]) {
        let received = Received {
            hops: Hops::Single,
            interface: 1,
            source: address(1 - side),
            destination: address(side),
            ttl: 255,
            packet: octets,
        };
        self.handle(side, Event::Received(received));
    }

    fn collect(&mut self, side: usize) {
        while let Some(action) = self.sides[side].bfd.poll() {
            match action {
                Action::Send { packet, .. } => self.send(side, packet.to_vec()),
                Action::Changed(change) => self.sides[side].changes.push((self.now, change)),
                Action::Open { .. } | Action::Close { .. } => {}
            }
        }
        // How late it wakes is drawn once for each deadline.
        let deadline = self.sides[side].bfd.deadline();
        if self.sides[side].wakes.map(|(deadline, _)| deadline) != deadline {
            let lag = self.rng.below(self.sides[side].lag.as_micros() as u64 + 1);
            let world = |deadline| self.sides[side].world(deadline) + Duration::from_micros(lag);
            self.sides[side].wakes = deadline.map(|deadline| (deadline, world(deadline)));
        }
    }

    fn send(&mut self, side: usize, octets: Vec<u8>) {
        self.sent.push((self.now, side, Packet::parse(&octets).unwrap()));
        let wire = &mut self.wire;
        let unlucky = self.rng.chance(wire.loss) && wire.in_row[side] < wire.burst;
        let lost = wire.lose[side] > 0 || unlucky;
        wire.lose[side] = wire.lose[side].saturating_sub(1);
        wire.in_row[side] = if lost { wire.in_row[side] + 1 } else { 0 };
        if lost || wire.cut {
            return;
        }
        let variation = wire.variation.as_micros() as u64;
        for _ in 0..if wire.twice { 2 } else { 1 } {
            let at = self.now + wire.delay + Duration::from_micros(self.rng.below(variation + 1));
            self.number += 1;
            self.flying.insert((at, self.number), (1 - side, octets.clone()));
        }
    }
}

impl Side {
    fn local(&self, world: Time) -> Time {
        let world = i128::from(world.as_micros());
        let local = world + world * i128::from(self.clock) / 1_000_000;
        Time::from_micros(u64::try_from(local).unwrap())
    }

    /// The first moment at which the local clock shows at least this.
    fn world(&self, local: Time) -> Time {
        let local = i128::from(local.as_micros());
        let guess = local * 1_000_000 / (1_000_000 + i128::from(self.clock)) - 2;
        let mut world = Time::from_micros(u64::try_from(guess).unwrap_or(0));
        while i128::from(self.local(world).as_micros()) < local {
            world += Duration::from_micros(1);
        }
        world
    }
}
