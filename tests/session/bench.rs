//! One peer, with the test in the place of the driver and of the neighbour.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use shunt::bgp::{Action, ConnectionId, DownReason, Event, Note, Peer, Settings, State};
use shunt::types::{Asn, Family, Prefix, Rng, RouterId, Time};
use shunt::wire::bgp::{
    Announced, Attributes, Capability, Message, NextHop, Nlri, Notification, Open, SessionFacts,
    Update,
};

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 179))
}

/// Side 1 is AS 64501 with id 192.0.2.1, side 2 AS 64502 with id 192.0.2.2.
pub fn settings(side: u8) -> Settings {
    let asn = |side: u8| Asn(64500 + u32::from(side));
    Settings {
        local_asn: asn(side),
        remote_asn: asn(3 - side),
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, side)),
        passive: false,
        hold_time: 90,
        connect_retry: seconds(1),
        send_hold_time: seconds(480),
        families: vec![Family::Ipv4, Family::Ipv6],
        extended_next_hop: false,
        role: None,
        role_strict: false,
        graceful_restart_helper: false,
        graceful_restart: false,
        bfd_strict: false,
        shutdown: None,
    }
}

pub fn bytes(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    message.emit(&facts(), &mut out);
    out.freeze()
}

/// What both sides' settings lead to.
pub fn facts() -> SessionFacts {
    SessionFacts {
        ebgp: true,
        four_octet_as: true,
        extended_message: true,
        families: Family::ALL.to_vec(),
        extended_next_hop: false,
        add_path: Vec::new(),
    }
}

pub fn update(prefix: &str) -> Update {
    let mut attributes = Attributes::originated(NextHop::V4(Ipv4Addr::new(192, 0, 2, 2)));
    attributes.as_path = attributes.as_path.prepended(Asn(64502), 1);
    let prefix: Prefix = prefix.parse().unwrap();
    Update {
        announced: vec![Announced { attributes, nlri: vec![Nlri::from(prefix)] }],
        ..Update::default()
    }
}

pub fn end_of_rib(family: Family) -> Message {
    Message::Update(Update { end_of_rib: Some(family), ..Update::default() })
}

/// The peer of side 1, the neighbour being side 2.
#[derive(Clone, Debug)]
pub struct Bench {
    pub peer: Peer,
    pub now: Time,
    next: u64,
}

impl Bench {
    pub fn new(settings: Settings) -> Bench {
        let peer = Peer::new(settings, Rng::new(1));
        Bench { peer, now: Time::ZERO, next: 1 }
    }

    /// Started, and the dial answered.
    pub fn dialled(settings: Settings) -> (Bench, ConnectionId) {
        let mut bench = Bench::new(settings);
        assert_eq!(bench.handle(Event::Started), [Action::Dial]);
        let (connection, _) = bench.dial();
        (bench, connection)
    }

    /// Up with a neighbour that sends `open`.
    pub fn up_with(settings: Settings, open: Open) -> (Bench, ConnectionId) {
        let (mut bench, connection) = Bench::dialled(settings);
        bench.receive(connection, Message::Open(open));
        bench.receive(connection, Message::Keepalive);
        assert_eq!(bench.peer.state(), State::Established, "{:?}", bench.peer.last_down());
        (bench, connection)
    }

    pub fn up(settings: Settings) -> (Bench, ConnectionId) {
        Bench::up_with(settings, their_open())
    }

    pub fn handle(&mut self, event: Event) -> Vec<Action> {
        self.peer.handle(event, self.now);
        self.drain()
    }

    pub fn receive(&mut self, connection: ConnectionId, message: Message) -> Vec<Action> {
        self.handle(Event::Received { connection, message })
    }

    /// The neighbour takes what was sent, as a driver would report it.
    pub fn drain(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.peer.poll()).collect()
    }

    pub fn write_all(&mut self, connection: ConnectionId) {
        self.handle(Event::Written { connection, octets: usize::MAX });
    }

    /// The pending dial succeeds.
    pub fn dial(&mut self) -> (ConnectionId, Vec<Action>) {
        let connection = self.connection();
        let event = Event::Dialled { connection, local: address(1), remote: address(2) };
        (connection, self.handle(event))
    }

    /// The neighbour dials.
    pub fn accept(&mut self) -> (ConnectionId, Vec<Action>) {
        let connection = self.connection();
        let event = Event::Accepted { connection, local: address(1), remote: address(2) };
        (connection, self.handle(event))
    }

    fn connection(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId(self.next)
    }

    /// Lets time go by, one deadline after the other.
    pub fn pass(&mut self, span: Duration) -> Vec<Action> {
        let end = self.now + span;
        let mut actions = Vec::new();
        while let Some(deadline) = self.peer.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.peer.tick(self.now);
            actions.extend(self.drain());
        }
        self.now = end;
        actions
    }

    /// Goes to the next deadline; what it did, and after how long.
    pub fn next_deadline(&mut self) -> (Duration, Vec<Action>) {
        let deadline = self.peer.deadline().expect("a deadline");
        let span = deadline - self.now;
        (span, self.pass(span))
    }
}

/// The neighbour's OPEN, from settings like ours.
pub fn their_open() -> Open {
    Peer::new(settings(2), Rng::new(2)).open()
}

pub fn their_open_with(capability: Capability) -> Open {
    let mut open = their_open();
    open.capabilities.push(capability);
    open
}

/// The messages among `actions` that were sent on `connection`.
pub fn sent(actions: &[Action], connection: ConnectionId) -> Vec<Message> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { connection: to, bytes } if *to == connection => {
                Some(Message::parse(bytes, &facts()).expect("one good message"))
            }
            _ => None,
        })
        .collect()
}

/// That the connection was ended with this NOTIFICATION, and closed.
#[track_caller]
pub fn assert_ended(actions: &[Action], connection: ConnectionId, notification: &Notification) {
    assert_eq!(sent(actions, connection), [Message::Notification(notification.clone())]);
    assert!(actions.contains(&Action::Close { connection }), "{actions:?}");
}

pub fn down(actions: &[Action]) -> Option<(DownReason, Vec<Family>)> {
    actions.iter().find_map(|action| match action {
        Action::Down { reason, retained } => Some((reason.clone(), retained.clone())),
        _ => None,
    })
}

pub fn notes(actions: &[Action]) -> Vec<&Note> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Note(note) => Some(note),
            _ => None,
        })
        .collect()
}
