use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::backoff::Backoff;
use super::connection::{Connection, KEEPALIVE, Phase};
use super::dialler::Dialler;
use super::restart::Stale;
use super::timer::{LARGE_HOLD, Timer};
use super::{
    Action, ConnectionId, Counters, DownReason, Event, Note, OwnRestart, Session, Settings, Slot,
};
use crate::types::{Deadlines, Family, Rng, Time};
use crate::wire::bgp::{Message, Notification, Open, SessionFacts};

/// One neighbour: its dialling, its connections and its session.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(super) settings: Settings,
    pub(super) rng: Rng,
    own_restart: OwnRestart,
    /// Whether the neighbour is to be up, but for a shutdown in the settings.
    pub(super) started: bool,
    pub(super) dialler: Dialler,
    pub(super) backoff: Backoff,
    pub(super) dialled: Option<Connection>,
    pub(super) accepted: Option<Connection>,
    pub(super) timers: Deadlines<Timer>,
    pub(super) stale: BTreeMap<Family, Stale>,
    /// Whether BFD sees the neighbour, or is off on purpose.
    pub(super) bfd_up: bool,
    /// When a wait was last ended early.
    pub(super) hastened: Option<Time>,
    pub(super) counters: Counters,
    pub(super) last_down: Option<(Time, DownReason)>,
    pub(super) actions: VecDeque<Action>,
}

/// The states of RFC 4271 §8.2.2; with two connections, the one that is further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established,
}

impl Peer {
    /// A peer that does nothing before [`Event::Started`].
    pub fn new(settings: Settings, rng: Rng) -> Peer {
        Peer {
            settings,
            rng,
            own_restart: OwnRestart::default(),
            started: false,
            dialler: Dialler::Off,
            backoff: Backoff::default(),
            dialled: None,
            accepted: None,
            timers: Deadlines::new(),
            stale: BTreeMap::new(),
            bfd_up: false,
            hastened: None,
            counters: Counters::default(),
            last_down: None,
            actions: VecDeque::new(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Time) {
        match event {
            Event::Started => self.start(now),
            Event::Stopped { communication } => {
                self.started = false;
                self.stop(Notification::administrative_shutdown(&communication), now);
            }
            Event::Suspended => {
                self.started = false;
                self.suspend(now);
            }
            Event::OwnRestart(own) => self.own_restart = own,
            Event::Removed => {
                self.started = false;
                self.stop(Notification::peer_deconfigured(), now);
            }
            Event::Reset { communication } => {
                self.renew(Notification::administrative_reset(&communication), now);
            }
            Event::Reconfigured(settings) => self.reconfigure(settings, now),
            Event::Dialled { connection, local, remote } => {
                self.dial_succeeded(connection, local, remote, now);
            }
            Event::DialFailed { reason } => self.dial_failed(reason, now),
            Event::Accepted { connection, local, remote } => {
                self.accept(connection, local, remote, now);
            }
            Event::MaximumPrefixesReached { family, limit } => {
                if let Some((slot, _)) = self.up() {
                    let notification = Notification::maximum_prefixes(family, limit);
                    self.fail(slot, DownReason::Sent(self.final_word(slot, notification)), now);
                }
            }
            Event::RoutesEncoded(bytes) => self.send_routes(bytes, now),
            Event::RefreshWanted { family } => self.ask_refresh(family, now),
            Event::RefreshStarted { family } => self.mark_refresh(family, true, now),
            Event::RefreshFinished { family } => self.mark_refresh(family, false, now),
            Event::BfdUp => {
                self.bfd_up = true;
                self.hasten(now);
            }
            Event::BfdUnknown => {
                self.bfd_up = false;
                self.hold_back();
            }
            Event::BfdDown => {
                self.bfd_up = false;
                self.path_failed(now, |peer, slot| {
                    DownReason::Sent(peer.final_word(slot, Notification::bfd_down()))
                });
                self.hold_back();
            }
            Event::LinkLost { link } => {
                self.path_failed(now, |_, _| DownReason::LinkLost(link.clone()));
                // Kept for a neighbour that restarts; but no packet reaches it.
                self.sweep_all();
            }
            Event::LinkBack => self.hasten(now),
            Event::Closed { connection, reason } => {
                if let Some(slot) = self.find(connection) {
                    self.fail(slot, DownReason::Closed(reason), now);
                }
            }
            Event::Received { connection, message } => {
                if let Some(slot) = self.find(connection) {
                    self.receive(slot, message, now);
                }
            }
            Event::Malformed { connection, notification } => {
                if let Some(slot) = self.find(connection) {
                    self.fail(slot, DownReason::Sent(notification), now);
                }
            }
            Event::Written { connection, octets } => {
                if let Some(slot) = self.find(connection) {
                    self.written(slot, octets, now);
                }
            }
            Event::QueueFull { connection } => {
                if let Some(slot) = self.find(connection) {
                    self.fail(slot, DownReason::Sent(Notification::out_of_resources()), now);
                }
            }
        }
    }

    /// Fires the timers that are due; without any, does nothing.
    pub fn tick(&mut self, now: Time) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::ConnectRetry => self.connect_retry_expired(now),
                Timer::IdleHold => self.begin(now),
                Timer::Hold(slot) => {
                    self.fail(slot, DownReason::Sent(Notification::hold_timer_expired()), now);
                }
                Timer::Keepalive(slot) => self.send_keepalive(slot, now),
                Timer::SendHold(slot) => {
                    self.fail(slot, DownReason::Sent(Notification::send_hold_timer_expired()), now);
                }
                Timer::Collision => self.collision_wait_expired(now),
                Timer::Stale(family) => {
                    self.sweep(family);
                    self.note(Note::StaleExpired { family });
                }
            }
        }
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The OPEN that we send; a connection's decoder needs it to know what was negotiated.
    pub fn open(&self) -> Open {
        self.settings.open(self.own_restart)
    }

    pub fn state(&self) -> State {
        Slot::BOTH
            .into_iter()
            .filter_map(|slot| self.connection(slot).map(Connection::state))
            .max()
            .unwrap_or(self.dialler.state())
    }

    /// The session that is up.
    pub fn session(&self) -> Option<&Session> {
        self.up().map(|(_, session)| session)
    }

    /// Since when the session is up.
    pub fn established_since(&self) -> Option<Time> {
        Slot::BOTH.into_iter().find_map(|slot| match self.connection(slot)?.phase {
            Phase::Established { since, .. } => Some(since),
            _ => None,
        })
    }

    /// As last told.
    pub fn bfd_up(&self) -> bool {
        self.bfd_up
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When and why the latest connection ended, established or not. Connections that only lost
    /// a collision do not count.
    pub fn last_down(&self) -> Option<&(Time, DownReason)> {
        self.last_down.as_ref()
    }

    pub(super) fn connection(&self, slot: Slot) -> Option<&Connection> {
        match slot {
            Slot::Dialled => self.dialled.as_ref(),
            Slot::Accepted => self.accepted.as_ref(),
        }
    }

    pub(super) fn place(&mut self, slot: Slot) -> &mut Option<Connection> {
        match slot {
            Slot::Dialled => &mut self.dialled,
            Slot::Accepted => &mut self.accepted,
        }
    }

    fn find(&self, id: ConnectionId) -> Option<Slot> {
        let has =
            |slot: &Slot| self.connection(*slot).is_some_and(|connection| connection.id == id);
        Slot::BOTH.into_iter().find(has)
    }

    /// The established connection.
    pub(super) fn up(&self) -> Option<(Slot, &Session)> {
        Slot::BOTH.into_iter().find_map(|slot| match &self.connection(slot)?.phase {
            Phase::Established { session, .. } => Some((slot, &**session)),
            _ => None,
        })
    }

    /// A new connection: our OPEN goes out (RFC 4271 §8.2.2, Connect).
    pub(super) fn install(
        &mut self,
        slot: Slot,
        id: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        now: Time,
    ) {
        let phase = Phase::OpenSent;
        *self.place(slot) = Some(Connection { id, local, remote, phase, unwritten: 0 });
        self.timers.set(Timer::Hold(slot), now + LARGE_HOLD);
        let open = Message::Open(self.open());
        self.send(slot, &open, now);
    }

    /// Encodes and sends anything but routes.
    pub(super) fn send(&mut self, slot: Slot, message: &Message, now: Time) {
        self.counters.sent.count(message);
        self.transmit(slot, encode(message), now);
    }

    pub(super) fn send_keepalive(&mut self, slot: Slot, now: Time) {
        self.counters.sent.keepalive += 1;
        self.transmit(slot, KEEPALIVE.clone(), now);
        self.restart_keepalive(slot, now);
    }

    /// The next KEEPALIVE is due a third of the hold time after what we sent last, less jitter.
    pub(super) fn restart_keepalive(&mut self, slot: Slot, now: Time) {
        let session = self.connection(slot).and_then(Connection::negotiated);
        match session.map(|session| session.keepalive) {
            Some(keepalive) if !keepalive.is_zero() => {
                let wait = self.rng.jitter(keepalive, 75, 100);
                self.timers.set(Timer::Keepalive(slot), now + wait);
            }
            _ => self.timers.clear(Timer::Keepalive(slot)),
        }
    }

    /// Hands out bytes and starts the send hold timer if all before were taken (RFC 9687).
    pub(super) fn transmit(&mut self, slot: Slot, bytes: Bytes, now: Time) {
        let Some(connection) = self.place(slot).as_mut() else { return };
        let idle = connection.unwritten == 0;
        connection.unwritten += bytes.len();
        let connection = connection.id;
        self.actions.push_back(Action::Send { connection, bytes });
        if idle {
            self.restart_send_hold(slot, now);
        }
    }

    fn written(&mut self, slot: Slot, octets: usize, now: Time) {
        let Some(connection) = self.place(slot).as_mut() else { return };
        connection.unwritten = connection.unwritten.saturating_sub(octets);
        if connection.unwritten == 0 {
            self.timers.clear(Timer::SendHold(slot));
        } else {
            self.restart_send_hold(slot, now);
        }
    }

    fn restart_send_hold(&mut self, slot: Slot, now: Time) {
        let session = self.connection(slot).and_then(Connection::negotiated);
        let hold = session.map(|session| session.hold_time).unwrap_or_default();
        let wanted = self.settings.send_hold_time;
        if wanted.is_zero() {
            return;
        }
        let span = if wanted > hold { wanted } else { hold * 2 };
        self.timers.set(Timer::SendHold(slot), now + span);
    }

    /// Takes a connection down and tells everyone: the neighbour by NOTIFICATION, the driver by
    /// Close, the agent by Down or a note. How long the session had been up comes back, if it had.
    /// What to do next is up to the caller.
    pub(super) fn close(&mut self, slot: Slot, reason: DownReason, now: Time) -> Option<Duration> {
        if let DownReason::Sent(notification) = &reason {
            self.send(slot, &Message::Notification(notification.clone()), now);
        }
        let connection = self.place(slot).take()?;
        for timer in [Timer::Hold(slot), Timer::Keepalive(slot), Timer::SendHold(slot)] {
            self.timers.clear(timer);
        }
        self.timers.clear(Timer::Collision);
        if !matches!(reason, DownReason::Closed(_)) {
            self.actions.push_back(Action::Close { connection: connection.id });
        }
        if let Phase::Established { session, since } = connection.phase {
            self.counters.dropped += 1;
            self.last_down = Some((now, reason.clone()));
            self.went_down(&session, reason, now);
            return Some(now.since(since));
        }
        if !reason.is_collision() {
            self.last_down = Some((now, reason.clone()));
            self.note(Note::Ended { slot, reason });
        }
        None
    }

    /// What we say when the neighbour must not take the end of the session for a restart: within a
    /// Hard Reset, if it knows that (RFC 8538 §3).
    pub(super) fn final_word(&self, slot: Slot, notification: Notification) -> Notification {
        let restart = match self.connection(slot).map(|connection| &connection.phase) {
            Some(Phase::Established { session, .. }) => session.restart.as_ref(),
            _ => None,
        };
        match restart {
            Some(restart) if restart.notification => Notification::hard_reset(&notification),
            _ => notification,
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.actions.push_back(Action::Note(note));
    }
}

/// Messages other than UPDATE do not depend on what was negotiated.
pub(super) fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    message.emit(&SessionFacts::default(), &mut out);
    out.freeze()
}
