use std::net::SocketAddr;
use std::time::Duration;

use super::backoff::Backoff;
use super::connection::Phase;
use super::peer::encode;
use super::timer::{HASTE_PAUSE, SHORTEST_DIAL, STABLE, Timer};
use super::{Action, ConnectionId, DownReason, Note, Peer, Settings, Slot, State};
use crate::types::Time;
use crate::wire::bgp::{Message, Notification};

/// What the peer does to get a connection. Beside it there may be connections in either slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialler {
    /// Administratively down: connections are refused.
    Off,
    /// Left alone after an error: connections are refused until IdleHold fires.
    Idle,
    /// A dial is under way.
    Dialling,
    /// Connections are accepted; ConnectRetry fires for the next dial, unless we are passive.
    Waiting,
    /// There is nothing to dial for: our dial succeeded, or some connection got as far as
    /// OpenConfirm.
    Resting,
}

impl Dialler {
    pub(super) fn state(self) -> State {
        match self {
            Dialler::Off | Dialler::Idle => State::Idle,
            Dialler::Dialling => State::Connect,
            Dialler::Waiting | Dialler::Resting => State::Active,
        }
    }
}

impl Peer {
    pub(super) fn start(&mut self, now: Time) {
        self.started = true;
        if self.settings.shutdown.is_none() && matches!(self.dialler, Dialler::Off | Dialler::Idle)
        {
            self.backoff.reset();
            self.begin(now);
        }
    }

    /// Goes down for as long as the operator wants.
    pub(super) fn stop(&mut self, notification: Notification, now: Time) {
        self.stop_dialling();
        self.dialler = Dialler::Off;
        self.close_all(notification, now);
    }

    /// Goes down without a word, for the neighbour to keep our routes until we are back (RFC 4724 §4).
    pub(super) fn suspend(&mut self, now: Time) {
        self.stop_dialling();
        self.dialler = Dialler::Off;
        for slot in Slot::BOTH {
            if self.connection(slot).is_some() {
                self.close(slot, DownReason::Suspended, now);
            }
        }
        self.sweep_all();
    }

    /// Ends what there is and begins again at once.
    pub(super) fn renew(&mut self, notification: Notification, now: Time) {
        if self.dialler == Dialler::Off {
            return;
        }
        self.close_all(notification, now);
        self.backoff.reset();
        if self.dialler != Dialler::Dialling {
            self.begin(now);
        }
    }

    fn close_all(&mut self, notification: Notification, now: Time) {
        for slot in Slot::BOTH {
            if self.connection(slot).is_some() {
                let last = self.final_word(slot, notification.clone());
                self.close(slot, DownReason::Sent(last), now);
            }
        }
        // Nobody is waited for any more.
        self.sweep_all();
    }

    pub(super) fn reconfigure(&mut self, settings: Settings, now: Time) {
        let old = std::mem::replace(&mut self.settings, settings);
        let new = &self.settings;
        if !self.started || old == *new {
            return;
        }
        match (&old.shutdown, &new.shutdown) {
            (Some(_), Some(_)) => {}
            (Some(_), None) => self.start(now),
            (None, Some(text)) => self.stop(Notification::administrative_shutdown(text), now),
            (None, None) => {
                if !old.keeps_session(new) {
                    self.renew(Notification::other_configuration_change(), now);
                } else if (old.passive, old.bfd_strict) != (new.passive, new.bfd_strict)
                    && matches!(self.dialler, Dialler::Dialling | Dialler::Waiting)
                {
                    self.stop_dialling();
                    self.begin(now);
                }
            }
        }
    }

    /// Begins to seek a connection: dials, or waits for the neighbour if we are passive, or for BFD.
    pub(super) fn begin(&mut self, now: Time) {
        self.timers.clear(Timer::IdleHold);
        if self.settings.passive || self.awaits_bfd() {
            self.dialler = Dialler::Waiting;
            self.timers.clear(Timer::ConnectRetry);
        } else {
            self.dial(now);
        }
    }

    fn dial(&mut self, now: Time) {
        self.dialler = Dialler::Dialling;
        self.actions.push_back(Action::Dial);
        let patience = self.backoff.current(self.settings.connect_retry).max(SHORTEST_DIAL);
        self.timers.set(Timer::ConnectRetry, now + patience);
    }

    pub(super) fn stop_dialling(&mut self) {
        if self.dialler == Dialler::Dialling {
            self.actions.push_back(Action::StopDialling);
        }
        self.timers.clear(Timer::ConnectRetry);
        self.timers.clear(Timer::IdleHold);
    }

    fn next_wait(&mut self) -> Duration {
        self.backoff.next(self.settings.connect_retry, &mut self.rng)
    }

    /// Accepts connections, and dials after `wait`.
    fn wait(&mut self, wait: Duration, now: Time) {
        self.dialler = Dialler::Waiting;
        if !self.settings.passive && !self.awaits_bfd() {
            self.timers.set(Timer::ConnectRetry, now + wait);
        }
    }

    /// Whether there must be no connection yet.
    fn awaits_bfd(&self) -> bool {
        self.settings.bfd_strict && !self.bfd_up
    }

    /// Seeks no connection while there must be none.
    pub(super) fn hold_back(&mut self) {
        if self.awaits_bfd() && matches!(self.dialler, Dialler::Dialling | Dialler::Waiting) {
            self.stop_dialling();
            self.dialler = Dialler::Waiting;
        }
    }

    /// The way to the neighbour is good again: a wait, or a dial that went into the void, begins anew. Not more often than
    /// once a second, as it is the network that says so.
    pub(super) fn hasten(&mut self, now: Time) {
        let connected = Slot::BOTH.into_iter().any(|slot| self.connection(slot).is_some());
        let seeks = matches!(self.dialler, Dialler::Dialling | Dialler::Waiting);
        if connected || !seeks || self.awaits_bfd() {
            return;
        }
        match self.hastened.map(|at| at + HASTE_PAUSE).filter(|at| now < *at) {
            None => {
                self.hastened = Some(now);
                self.stop_dialling();
                self.backoff.reset();
                self.begin(now);
            }
            Some(at) if self.dialler == Dialler::Waiting => self.wait(at.since(now), now),
            Some(_) => {}
        }
    }

    /// Ends each connection, since what it needs is gone.
    pub(super) fn path_failed(&mut self, now: Time, why: impl Fn(&Peer, Slot) -> DownReason) {
        for slot in Slot::BOTH {
            if self.connection(slot).is_some() {
                let reason = why(self, slot);
                self.fail(slot, reason, now);
            }
        }
    }

    pub(super) fn connect_retry_expired(&mut self, now: Time) {
        if self.dialler == Dialler::Dialling {
            // The neighbour does not answer. A fresh attempt reaches it sooner than TCP's ever
            // rarer repetitions (RFC 4271 §8.2.2, Connect, event 9).
            self.actions.push_back(Action::StopDialling);
            self.note(Note::NoAnswer);
            self.next_wait();
        }
        self.dial(now);
    }

    pub(super) fn dial_failed(&mut self, reason: String, now: Time) {
        if self.dialler == Dialler::Dialling {
            self.note(Note::DialFailed { reason });
            let wait = self.next_wait();
            self.wait(wait, now);
        }
    }

    pub(super) fn dial_succeeded(
        &mut self,
        id: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        now: Time,
    ) {
        if self.dialler != Dialler::Dialling {
            self.actions.push_back(Action::Close { connection: id });
            return;
        }
        self.dialler = Dialler::Resting;
        self.timers.clear(Timer::ConnectRetry);
        self.install(Slot::Dialled, id, local, remote, now);
    }

    /// The neighbour dialled us.
    pub(super) fn accept(
        &mut self,
        id: ConnectionId,
        local: SocketAddr,
        remote: SocketAddr,
        now: Time,
    ) {
        if matches!(self.dialler, Dialler::Off | Dialler::Idle) {
            self.refuse(id, remote, Notification::connection_rejected());
            return;
        }
        if self.awaits_bfd() {
            // Without a NOTIFICATION, after which FRR and BIRD would stay away for a while.
            self.actions.push_back(Action::Close { connection: id });
            return self.note(Note::AwaitsBfd);
        }
        if let Some((slot, session)) = self.up() {
            // An established connection wins (RFC 4271 §6.8), unless the neighbour's restarts are
            // its way to lose one without telling (RFC 4724 §5). Over a young one it is rather the
            // late half of a simultaneous open.
            let restarts = session.restart.as_ref().is_some_and(|r| !r.families.is_empty());
            let lifetime = self.established_since().map(|since| now.since(since));
            if restarts && lifetime.is_some_and(|lifetime| lifetime >= STABLE) {
                self.fail(slot, DownReason::Restarted, now);
            }
        } else if self.accepted.as_ref().is_some_and(|old| old.state() == State::OpenSent) {
            // The neighbour has at most one dial of its own: it gave the older one up.
            self.fail(Slot::Accepted, DownReason::Sent(Notification::connection_collision()), now);
        }
        // From OpenConfirm on there is one connection only: the neighbour may be established on
        // it already, so no other may win over it any more.
        if Slot::BOTH.into_iter().any(|slot| {
            self.connection(slot).is_some_and(|connection| connection.state() > State::OpenSent)
        }) {
            self.refuse(id, remote, Notification::connection_collision());
            return;
        }
        self.install(Slot::Accepted, id, local, remote, now);
    }

    fn refuse(&mut self, connection: ConnectionId, remote: SocketAddr, notification: Notification) {
        let message = Message::Notification(notification.clone());
        self.counters.sent.count(&message);
        self.actions.push_back(Action::Send { connection, bytes: encode(&message) });
        self.actions.push_back(Action::Close { connection });
        self.note(Note::Refused { remote, notification });
    }

    /// Ends a connection that failed, and sees to the next one.
    pub(super) fn fail(&mut self, slot: Slot, reason: DownReason, now: Time) {
        let damps = reason.damps();
        match self.close(slot, reason, now) {
            Some(lifetime) => {
                let stable = lifetime >= STABLE;
                if stable {
                    self.backoff.reset();
                }
                if damps {
                    self.dialler = Dialler::Idle;
                    let wait = self.next_wait();
                    self.timers.set(Timer::IdleHold, now + wait);
                } else {
                    let wait = if stable {
                        Backoff::quick(self.settings.connect_retry, &mut self.rng)
                    } else {
                        self.next_wait()
                    };
                    self.wait(wait, now);
                }
            }
            None => {
                let other = slot.other();
                if let Some(Phase::Colliding { .. }) = self.connection(other).map(|c| &c.phase) {
                    self.confirm(other, now);
                } else if self.dialler == Dialler::Resting && self.dialled.is_none() {
                    let wait = self.next_wait();
                    self.wait(wait, now);
                }
            }
        }
    }
}
