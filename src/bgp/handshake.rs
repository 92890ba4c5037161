use super::connection::Phase;
use super::dialler::Dialler;
use super::timer::{COLLISION_WAIT, LARGE_HOLD, Timer};
use super::{Action, DownReason, Peer, Session, Slot, collision};
use crate::types::Time;
use crate::wire::bgp::{FsmState, Message, Notification, Open};

impl Peer {
    pub(super) fn receive(&mut self, slot: Slot, message: Message, now: Time) {
        self.counters.received.count(&message);
        let Some(connection) = self.place(slot).as_mut() else { return };
        if let Message::Notification(notification) = message {
            // Never answered, in whatever state (RFC 4271 §6.4).
            self.fail(slot, DownReason::Received(notification), now);
            return;
        }
        match (&mut connection.phase, message) {
            (Phase::OpenSent, Message::Open(open)) => self.opened(slot, open, now),
            (Phase::Colliding { confirmed, .. }, Message::Keepalive) => *confirmed = true,
            (Phase::OpenSent | Phase::Colliding { .. }, message) => {
                self.unexpected(slot, FsmState::OpenSent, &message, now);
            }
            (Phase::OpenConfirm(_), Message::Keepalive) => self.establish(slot, now),
            (Phase::OpenConfirm(_), message) => {
                self.unexpected(slot, FsmState::OpenConfirm, &message, now);
            }
            (Phase::Established { .. }, message) => {
                self.restart_hold(slot, now);
                match message {
                    Message::Update(update) => self.learn(update),
                    Message::RouteRefresh(refresh) => self.refreshed(refresh, now),
                    Message::Keepalive => {}
                    Message::Open(_) | Message::Notification(_) => {
                        self.unexpected(slot, FsmState::Established, &message, now);
                    }
                }
            }
        }
    }

    /// A message that the state does not allow (RFC 4271 §6.6, RFC 6608).
    fn unexpected(&mut self, slot: Slot, state: FsmState, message: &Message, now: Time) {
        // Types of RFC 4271 §4.1 and RFC 2918 §3.
        let kind = match message {
            Message::Open(_) => 1,
            Message::Update(_) => 2,
            Message::Notification(_) => 3,
            Message::Keepalive => 4,
            Message::RouteRefresh(_) => 5,
        };
        self.fail(slot, DownReason::Sent(Notification::fsm_error(state, kind)), now);
    }

    /// The neighbour's OPEN (RFC 4271 §8.2.2, OpenSent, event 19) and, if there are two
    /// connections, the choice between them (§6.8).
    ///
    /// The RFC lets both connections go on until the second OPEN, so one side may be established
    /// on the connection that the other side is just closing. Here the connection that would lose
    /// gets no KEEPALIVE while the other one may still win.
    fn opened(&mut self, slot: Slot, open: Open, now: Time) {
        let Some(connection) = self.connection(slot) else { return };
        let (local, remote) = (connection.local, connection.remote);
        let session = match Session::negotiate(&self.settings, open, local, remote) {
            Ok(session) => session,
            Err(notification) => {
                self.fail(slot, DownReason::Sent(notification), now);
                return;
            }
        };
        let survivor = collision::survivor(
            (self.settings.router_id, self.settings.local_asn),
            (session.open.router_id, session.open.asn),
        );
        if let Some(connection) = self.place(slot).as_mut() {
            let session = Box::new(session);
            connection.phase = Phase::Colliding { session, confirmed: false };
        }
        let other = slot.other();
        let collision = DownReason::Sent(Notification::connection_collision());
        match self.connection(other).map(|connection| &connection.phase) {
            None => self.confirm(slot, now),
            // With the other one gone, this one goes on.
            Some(_) if survivor == slot => self.fail(other, collision, now),
            // Both have their OPEN and neither is to win: two OPENs with two router ids. The first one goes on.
            Some(Phase::Colliding { .. }) => self.fail(slot, collision, now),
            Some(_) => self.timers.set(Timer::Collision, now + COLLISION_WAIT),
        }
    }

    /// The connection that should have won gave no OPEN: the one that did goes on.
    pub(super) fn collision_wait_expired(&mut self, now: Time) {
        let silent = Slot::BOTH
            .into_iter()
            .find(|slot| matches!(self.connection(*slot).map(|c| &c.phase), Some(Phase::OpenSent)));
        if let Some(slot) = silent {
            self.fail(slot, DownReason::Sent(Notification::connection_collision()), now);
        }
    }

    /// Takes the session with a KEEPALIVE, once this is the only connection.
    pub(super) fn confirm(&mut self, slot: Slot, now: Time) {
        let Some(connection) = self.place(slot).as_mut() else { return };
        let phase = std::mem::replace(&mut connection.phase, Phase::OpenSent);
        let Phase::Colliding { session, confirmed } = phase else {
            connection.phase = phase;
            return;
        };
        connection.phase = Phase::OpenConfirm(session);
        // A dial that completed now could only lose.
        self.stop_dialling();
        self.dialler = Dialler::Resting;
        self.timers.clear(Timer::Collision);
        self.send_keepalive(slot, now);
        if confirmed {
            self.establish(slot, now);
        } else {
            self.restart_hold(slot, now);
        }
    }

    /// The neighbour took the session too (RFC 4271 §8.2.2, OpenConfirm, event 26).
    fn establish(&mut self, slot: Slot, now: Time) {
        let Some(connection) = self.place(slot).as_mut() else { return };
        let phase = std::mem::replace(&mut connection.phase, Phase::OpenSent);
        let Phase::OpenConfirm(session) = phase else {
            connection.phase = phase;
            return;
        };
        connection.phase = Phase::Established { session: session.clone(), since: now };
        self.restart_hold(slot, now);
        self.counters.established += 1;
        self.actions.push_back(Action::Established(session.clone()));
        self.came_up(&session, now);
    }

    /// Any message shows that the neighbour lives. With a hold time of zero nothing is expected
    /// of an established neighbour; one that never confirms must not be waited for in vain.
    fn restart_hold(&mut self, slot: Slot, now: Time) {
        let span = match self.connection(slot).map(|connection| &connection.phase) {
            Some(Phase::OpenConfirm(session)) if session.hold_time.is_zero() => LARGE_HOLD,
            Some(Phase::OpenConfirm(session) | Phase::Established { session, .. }) => {
                session.hold_time
            }
            _ => return,
        };
        if span.is_zero() {
            self.timers.clear(Timer::Hold(slot));
        } else {
            self.timers.set(Timer::Hold(slot), now + span);
        }
    }
}
