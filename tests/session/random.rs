//! Whatever happens in whatever order, the peer keeps what it promises to its driver and agent,
//! and gets a session with a neighbour that behaves.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use shunt::bgp::{Action, ConnectionId, Event, Peer, Settings, State};
use shunt::types::{Asn, Family, Rng, Time};
use shunt::wire::bgp::{
    Capability, GracefulRestart, Message, Notification, Open, RefreshSubtype, RouteRefresh,
};

use super::bench::{
    address, bytes, end_of_rib, seconds, settings, their_open, their_open_with, update,
};

/// One thing that happens; numbers choose among the connections there are.
#[derive(Clone, Debug)]
enum Step {
    Operator(Event),
    DialAnswered,
    DialFailed,
    Accepted,
    Closed(usize),
    Received(usize, Message),
    Malformed(usize),
    Written(usize, usize),
    QueueFull(usize),
    Pass(Duration),
    Deadline,
}

fn settings_of_some_kind() -> impl Strategy<Value = Settings> {
    (
        any::<bool>(),
        prop::sample::select(vec![0, 3, 90]),
        any::<bool>(),
        prop::option::weighted(0.1, Just("closed".to_owned())),
        prop::sample::select(vec![0, 20, 480]),
        prop::sample::select(vec![1, 2, 9]),
    )
        .prop_map(|(passive, hold_time, helper, shutdown, send_hold, id)| {
            let mut settings = settings(1);
            settings.passive = passive;
            settings.hold_time = hold_time;
            settings.graceful_restart_helper = helper;
            settings.shutdown = shutdown;
            settings.send_hold_time = seconds(send_hold);
            settings.router_id.0 = [192, 0, 2, id].into();
            settings
        })
}

fn message() -> impl Strategy<Value = Message> {
    let restarting = |preserved| {
        their_open_with(Capability::GracefulRestart(GracefulRestart {
            restarting: true,
            notification: preserved,
            restart_time: 30,
            families: vec![(1, 1, preserved), (2, 1, true)],
        }))
    };
    let refresh = |family, subtype| Message::RouteRefresh(RouteRefresh::new(family, subtype));
    prop_oneof![
        4 => Just(Message::Open(their_open())),
        3 => any::<bool>().prop_map(move |preserved| Message::Open(restarting(preserved))),
        1 => Just(Message::Open(Open { asn: Asn(64999), ..their_open() })),
        6 => Just(Message::Keepalive),
        2 => Just(Message::Update(update("198.51.100.0/24"))),
        1 => Just(end_of_rib(Family::Ipv4)),
        1 => Just(Message::Notification(Notification::administrative_shutdown("bye"))),
        2 => prop::sample::select(vec![
            refresh(Family::Ipv4, RefreshSubtype::Request),
            refresh(Family::Ipv4, RefreshSubtype::Begin),
            refresh(Family::Ipv4, RefreshSubtype::End),
            refresh(Family::Ipv6, RefreshSubtype::Begin),
        ]),
    ]
}

fn operator() -> impl Strategy<Value = Event> {
    let family = Family::Ipv4;
    prop_oneof![
        4 => Just(Event::Started),
        1 => Just(Event::Stopped { communication: "stop".to_owned() }),
        1 => Just(Event::Reset { communication: String::new() }),
        2 => settings_of_some_kind().prop_map(Event::Reconfigured),
        1 => Just(Event::MaximumPrefixesReached { family, limit: 9 }),
        2 => Just(Event::RoutesEncoded(bytes(&Message::Update(update("203.0.113.0/24"))))),
        1 => Just(Event::RoutesEncoded(Bytes::from_static(b"not a message"))),
        1 => Just(Event::RefreshWanted { family }),
        1 => Just(Event::RefreshStarted { family }),
        1 => Just(Event::RefreshFinished { family }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => operator().prop_map(Step::Operator),
        6 => Just(Step::DialAnswered),
        2 => Just(Step::DialFailed),
        5 => Just(Step::Accepted),
        3 => (0..2_usize).prop_map(Step::Closed),
        20 => (0..2_usize, message()).prop_map(|(which, message)| Step::Received(which, message)),
        1 => (0..2_usize).prop_map(Step::Malformed),
        3 => (0..2_usize, 0..300_usize).prop_map(|(which, octets)| Step::Written(which, octets)),
        1 => (0..2_usize).prop_map(Step::QueueFull),
        3 => (0..30_000_u64).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        4 => Just(Step::Deadline),
    ]
}

/// What driver and agent know of the peer from its actions alone.
struct Model {
    peer: Peer,
    now: Time,
    next: u64,
    started: bool,
    dialling: bool,
    open: BTreeSet<ConnectionId>,
    up: bool,
}

impl Model {
    fn take(&mut self, step: Step) {
        match step {
            Step::Operator(event) => {
                match event {
                    Event::Started => self.started = true,
                    Event::Stopped { .. } => self.started = false,
                    _ => {}
                }
                self.handle(event);
            }
            Step::DialAnswered if self.dialling => {
                self.dialling = false;
                let connection = self.connection();
                let (local, remote) = (address(1), address(2));
                self.handle(Event::Dialled { connection, local, remote });
            }
            Step::DialFailed if self.dialling => {
                self.dialling = false;
                self.handle(Event::DialFailed { reason: "refused".to_owned() });
            }
            Step::DialAnswered | Step::DialFailed => {}
            Step::Accepted => {
                let connection = self.connection();
                let (local, remote) = (address(1), address(2));
                self.handle(Event::Accepted { connection, local, remote });
            }
            Step::Closed(which) => {
                if let Some(connection) = self.some(which) {
                    self.open.remove(&connection);
                    self.handle(Event::Closed { connection, reason: "reset".to_owned() });
                }
            }
            Step::Received(which, message) => {
                if let Some(connection) = self.some(which) {
                    self.handle(Event::Received { connection, message });
                }
            }
            Step::Malformed(which) => {
                if let Some(connection) = self.some(which) {
                    let notification = Notification::bad_message_length(18);
                    self.handle(Event::Malformed { connection, notification });
                }
            }
            Step::Written(which, octets) => {
                if let Some(connection) = self.some(which) {
                    self.handle(Event::Written { connection, octets });
                }
            }
            Step::QueueFull(which) => {
                if let Some(connection) = self.some(which) {
                    self.handle(Event::QueueFull { connection });
                }
            }
            Step::Pass(span) => self.pass_to(self.now + span),
            Step::Deadline => {
                if let Some(deadline) = self.peer.deadline() {
                    self.pass_to(deadline);
                }
            }
        }
    }

    fn connection(&mut self) -> ConnectionId {
        self.next += 1;
        self.open.insert(ConnectionId(self.next));
        ConnectionId(self.next)
    }

    fn some(&self, which: usize) -> Option<ConnectionId> {
        self.open.iter().nth(which).copied()
    }

    fn handle(&mut self, event: Event) {
        self.peer.handle(event, self.now);
        self.check();
    }

    fn pass_to(&mut self, end: Time) {
        while let Some(deadline) = self.peer.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.peer.tick(self.now);
            self.check();
            assert!(self.peer.deadline().is_none_or(|next| next > self.now), "a timer ran wild");
        }
        self.now = end;
    }

    fn check(&mut self) {
        while let Some(action) = self.peer.poll() {
            match action {
                Action::Dial => assert!(!std::mem::replace(&mut self.dialling, true)),
                Action::StopDialling => assert!(std::mem::replace(&mut self.dialling, false)),
                Action::Send { connection, .. } => assert!(self.open.contains(&connection)),
                Action::Close { connection } => assert!(self.open.remove(&connection)),
                Action::Established(_) => assert!(!std::mem::replace(&mut self.up, true)),
                Action::Down { .. } => assert!(std::mem::replace(&mut self.up, false)),
                Action::Learned(_)
                | Action::RefreshRequested { .. }
                | Action::MarkStale { .. }
                | Action::EndOfRib { .. } => assert!(self.up),
                Action::SweepStale { .. } | Action::Note(_) => {}
            }
        }
        assert_eq!(self.peer.session().is_some(), self.up);
        assert_eq!(self.peer.state() == State::Established, self.up);
        assert!(self.open.len() <= if self.up { 1 } else { 2 }, "{:?}", self.open);
        assert!(!(self.up && self.dialling));
        let administratively_down = !self.started || self.peer.settings().shutdown.is_some();
        if administratively_down {
            assert!(!self.up && !self.dialling && self.open.is_empty());
            assert_eq!(self.peer.deadline(), None);
        } else {
            let busy = self.peer.deadline().is_some() || !self.open.is_empty();
            assert!(busy || self.peer.settings().passive, "nothing will ever happen again");
        }
    }

    /// A neighbour that behaves gets its session, whatever was before.
    fn come_up(&mut self) {
        while !self.open.is_empty() {
            self.take(Step::Closed(0));
        }
        self.handle(Event::Reconfigured(settings(1)));
        self.take(Step::Operator(Event::Started));
        let patience = self.now + seconds(121);
        while !self.dialling && self.now < patience {
            self.take(Step::Deadline);
        }
        self.take(Step::DialAnswered);
        self.take(Step::Received(0, Message::Open(their_open())));
        self.take(Step::Received(0, Message::Keepalive));
        assert!(self.up, "{:?} {:?}", self.peer.state(), self.peer.last_down());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_is_survived(
        settings in settings_of_some_kind(),
        seed: u64,
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut model = Model {
            peer: Peer::new(settings, Rng::new(seed)),
            now: Time::ZERO,
            next: 0,
            started: false,
            dialling: false,
            open: BTreeSet::new(),
            up: false,
        };
        model.take(Step::Operator(Event::Started));
        for step in steps {
            model.take(step);
        }
        model.come_up();
        model.take(Step::Operator(Event::Stopped { communication: String::new() }));
        prop_assert!(model.open.is_empty());
    }
}
