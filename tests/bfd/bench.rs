//! One side of a session, fed by hand.

use std::net::IpAddr;
use std::time::Duration;

use shunt::bfd::{
    Action, Bfd, Change, Diagnostic, Event, Hops, Order, Path, Received, SessionId, Settings,
    State, Summary,
};
use shunt::types::{Rng, Time};
use shunt::wire::bfd::Packet;

pub const ID: SessionId = SessionId(1);
/// My Discriminator of the other side.
pub const THEIRS: u32 = 77;

pub struct Bench {
    pub bfd: Bfd,
    pub now: Time,
    pub path: Path,
    /// What went out, oldest first.
    pub sent: Vec<(Time, Packet)>,
    pub octets: Vec<Vec<u8>>,
    pub changes: Vec<Change>,
    /// Sockets that were opened or closed.
    pub sockets: Vec<(SessionId, bool)>,
}

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// 10 ms × 3 on interface 1.
pub fn settings() -> Settings {
    Settings {
        path: Path::SingleHop {
            interface: 1,
            local: address("10.0.0.1"),
            remote: address("10.0.0.2"),
        },
        transmit_interval: millis(10),
        receive_interval: millis(10),
        multiplier: 3,
        authentication: None,
    }
}

/// The other side's first packet: 10 ms × 3, in a hurry only when up.
pub fn down() -> Packet {
    Packet {
        diagnostic: Diagnostic::NONE,
        state: State::Down,
        poll: false,
        final_bit: false,
        control_plane_independent: false,
        demand: false,
        multiplier: 3,
        my_discriminator: THEIRS,
        your_discriminator: 0,
        desired_min_tx: millis(1000),
        required_min_rx: millis(10),
        required_min_echo_rx: Duration::ZERO,
        authentication: None,
    }
}

impl Bench {
    pub fn new(settings: Settings) -> Bench {
        let mut bench = Bench {
            bfd: Bfd::new(Rng::new(5)),
            now: Time::ZERO + millis(100),
            path: settings.path,
            sent: Vec::new(),
            octets: Vec::new(),
            changes: Vec::new(),
            sockets: Vec::new(),
        };
        bench.want(settings);
        bench
    }

    /// Up with [`settings`], and silent since just now.
    pub fn up() -> Bench {
        Bench::up_with(settings())
    }

    pub fn up_with(settings: Settings) -> Bench {
        let mut bench = Bench::new(settings);
        bench.come_up();
        bench
    }

    pub fn come_up(&mut self) {
        self.hear(down());
        self.hear(self.theirs());
        assert_eq!(self.state(), State::Up);
    }

    pub fn want(&mut self, settings: Settings) {
        let settings = Box::new(settings);
        self.handle(Event::Ordered(Order::Want { session: ID, settings }));
    }

    pub fn leave(&mut self) {
        self.handle(Event::Ordered(Order::Drop { session: ID }));
    }

    pub fn handle(&mut self, event: Event<'_>) {
        self.bfd.handle(event, self.now);
        self.collect();
    }

    /// What the other side says while it is up.
    pub fn theirs(&self) -> Packet {
        Packet {
            state: State::Up,
            your_discriminator: self.summary().local_discriminator,
            desired_min_tx: millis(10),
            ..down()
        }
    }

    /// The same with one thing changed.
    pub fn theirs_but(&self, change: impl FnOnce(&mut Packet)) -> Packet {
        let mut packet = self.theirs();
        change(&mut packet);
        packet
    }

    /// A packet on the session's path.
    pub fn hear(&mut self, packet: Packet) {
        self.hear_signed(packet, b"");
    }

    pub fn hear_signed(&mut self, packet: Packet, secret: &[u8]) {
        let mut octets = smallvec::SmallVec::new();
        packet.emit(secret, &mut octets);
        self.hear_octets(&octets);
    }

    pub fn hear_octets(&mut self, packet: &[u8]) {
        let received = self.on_path(packet);
        self.handle(Event::Received(received));
    }

    pub fn on_path<'a>(&self, packet: &'a [u8]) -> Received<'a> {
        let (hops, interface) = match self.path {
            Path::SingleHop { interface, .. } => (Hops::Single, interface),
            Path::MultiHop { .. } => (Hops::Multi, 4),
        };
        let (source, destination) = (self.path.remote(), self.path.local());
        Received { hops, interface, source, destination, ttl: 255, packet }
    }

    /// Time passes in silence.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.bfd.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.bfd.tick(self.now);
            self.collect();
        }
        self.now = end;
    }

    /// Time passes, and a packet comes every 8 ms.
    pub fn wait_alive(&mut self, span: Duration, packet: Packet) {
        let end = self.now + span;
        while self.now < end {
            self.wait(millis(8).min(end.since(self.now)));
            self.hear(packet);
        }
    }

    pub fn summary(&self) -> Summary {
        self.bfd.summaries(self.now).pop().unwrap()
    }

    pub fn state(&self) -> State {
        self.summary().state
    }

    pub fn diagnostic(&self) -> Diagnostic {
        self.summary().diagnostic
    }

    pub fn last(&self) -> Packet {
        self.sent.last().unwrap().1
    }

    /// How often a packet of the session, or of none, was dropped for that reason.
    pub fn dropped(&self, why: &str) -> u64 {
        let of_session = self.bfd.summaries(self.now).pop().map(|summary| summary.dropped);
        let counts = [of_session.unwrap_or_default(), self.bfd.counters().dropped];
        counts.iter().filter_map(|counts| counts.get(why)).sum()
    }

    /// Number of packets that `act` makes go out, up to the same moment.
    pub fn sends(&mut self, act: impl FnOnce(&mut Bench)) -> usize {
        let before = self.sent.len();
        act(self);
        self.sent.len() - before
    }

    fn collect(&mut self) {
        while let Some(action) = self.bfd.poll() {
            match action {
                Action::Open { session, .. } => self.sockets.push((session, true)),
                Action::Close { session } => self.sockets.push((session, false)),
                Action::Send { packet, .. } => {
                    self.sent.push((self.now, Packet::parse(&packet).unwrap()));
                    self.octets.push(packet.to_vec());
                }
                Action::Changed(change) => self.changes.push(change),
            }
        }
    }
}
