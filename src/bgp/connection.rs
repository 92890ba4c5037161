use std::net::SocketAddr;

use bytes::Bytes;

use super::{ConnectionId, Session, Slot, State};
use crate::types::Time;

/// A KEEPALIVE: header only (RFC 4271 §4.4). Sent without copying.
pub(super) static KEEPALIVE: Bytes = Bytes::from_static(&[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0, 19, 4,
]);

/// One TCP connection, on which our OPEN was sent.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub phase: Phase,
    /// Octets handed out to be sent that TCP has not taken yet.
    pub unwritten: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The neighbour's OPEN has not come.
    OpenSent,
    /// It has come and is good, but another connection is there that would win a collision:
    /// no KEEPALIVE is sent before it is known whether that one is alive. Shown as OpenSent.
    Colliding {
        session: Box<Session>,
        /// The neighbour's KEEPALIVE has come already.
        confirmed: bool,
    },
    /// Our KEEPALIVE is sent, the neighbour's has not come. There is no other connection.
    OpenConfirm(Box<Session>),
    /// The session is up. There is no other connection.
    Established { session: Box<Session>, since: Time },
}

impl Connection {
    pub fn state(&self) -> State {
        match self.phase {
            Phase::OpenSent | Phase::Colliding { .. } => State::OpenSent,
            Phase::OpenConfirm(_) => State::OpenConfirm,
            Phase::Established { .. } => State::Established,
        }
    }

    /// What was negotiated, once the neighbour's OPEN is there.
    pub fn negotiated(&self) -> Option<&Session> {
        match &self.phase {
            Phase::OpenSent => None,
            Phase::Colliding { session, .. }
            | Phase::OpenConfirm(session)
            | Phase::Established { session, .. } => Some(session),
        }
    }
}

impl Slot {
    pub(super) const BOTH: [Slot; 2] = [Slot::Dialled, Slot::Accepted];

    pub(super) fn other(self) -> Slot {
        match self {
            Slot::Dialled => Slot::Accepted,
            Slot::Accepted => Slot::Dialled,
        }
    }
}
