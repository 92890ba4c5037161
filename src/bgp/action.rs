use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use super::{ConnectionId, Session, Slot};
use crate::types::Family;
use crate::wire::bgp::{Notification, Update};

/// What to do. Each is to be carried out in the order polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a TCP connection to the neighbour; answered by [`super::Event::Dialled`] or
    /// [`super::Event::DialFailed`]. There is never more than one at a time.
    Dial,
    /// Give up the dial that is under way; no answer to it may come any more.
    StopDialling,
    /// Queue whole encoded messages.
    Send { connection: ConnectionId, bytes: Bytes },
    /// Close after what was queued is written, but wait for that no longer than a second: the
    /// neighbour may have stopped reading. No event of the connection may come any more.
    Close { connection: ConnectionId },
    /// The session is up: routes may be sent from now on.
    Established(Box<Session>),
    /// The session that was up has ended. Routes of the families in `retained` are kept as stale
    /// (RFC 4724 §4.2), all others are gone.
    Down { reason: DownReason, retained: Vec<Family> },
    /// Routes from the neighbour.
    Learned(Update),
    /// The neighbour wants our routes of this family again (RFC 2918); see
    /// [`super::Event::RefreshStarted`].
    RefreshRequested { family: Family },
    /// All routes of the family now held are stale until they are announced again (RFC 7313 §4).
    MarkStale { family: Family },
    /// Routes of the family that are still stale are gone.
    SweepStale { family: Family },
    /// The neighbour has sent all routes it had of this family (RFC 4724 §2).
    EndOfRib { family: Family },
    /// Something an operator should see.
    Note(Note),
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// We ended it with this NOTIFICATION.
    Sent(Notification),
    /// The neighbour ended it with this NOTIFICATION.
    Received(Notification),
    /// TCP ended it, without a NOTIFICATION.
    Closed(String),
    /// The link to the neighbour, of this name, went down.
    LinkLost(String),
    /// The neighbour restarted: it opened a new connection over an established one
    /// (RFC 4724 §5).
    Restarted,
    /// We restart: it was closed without a word.
    Suspended,
}

/// What an operator should see but no other part has to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A dial was given up: nothing came back.
    NoAnswer,
    /// [`Action::Dial`] did not succeed.
    DialFailed { reason: String },
    /// A connection ended before it was established.
    Ended { slot: Slot, reason: DownReason },
    /// A connection from the neighbour was refused at once with this NOTIFICATION.
    Refused { remote: SocketAddr, notification: Notification },
    /// A connection from the neighbour was closed again: BFD has to be up first.
    AwaitsBfd,
    /// The neighbour cannot be asked for its routes: it did not offer route refresh, or the
    /// family is not part of the session.
    CannotRefresh { family: Family },
    /// A restarting neighbour took too long: its stale routes were swept by a timer.
    StaleExpired { family: Family },
}

impl DownReason {
    /// Whether the neighbour would most likely do it again: it sent something wrong or too much.
    pub(super) fn damps(&self) -> bool {
        let DownReason::Sent(notification) = self else { return false };
        let inner = notification.hard_reset_reason();
        let notification = inner.as_ref().unwrap_or(notification);
        // Errors in messages and of the state machine; Cease for too many prefixes or a neighbour
        // that reads too slowly.
        matches!((notification.code, notification.subcode), (1 | 2 | 3 | 5 | 7, _) | (6, 1 | 8))
    }

    /// One of two connections had to go (RFC 4271 §6.8).
    pub(super) fn is_collision(&self) -> bool {
        match self {
            DownReason::Sent(notification) | DownReason::Received(notification) => {
                (notification.code, notification.subcode) == (6, 7)
            }
            DownReason::Closed(_)
            | DownReason::LinkLost(_)
            | DownReason::Restarted
            | DownReason::Suspended => false,
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DownReason::Sent(notification) => write!(f, "we sent {notification}"),
            DownReason::Received(notification) => write!(f, "the neighbour sent {notification}"),
            DownReason::Closed(reason) => write!(f, "the connection was lost: {reason}"),
            DownReason::LinkLost(link) => write!(f, "the link {link} is down"),
            DownReason::Restarted => {
                f.write_str("the neighbour restarted: it opened a new connection")
            }
            DownReason::Suspended => f.write_str("we restart"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::NoAnswer => f.write_str("cannot connect: no answer"),
            Note::DialFailed { reason } => write!(f, "cannot connect: {reason}"),
            Note::Ended { slot, reason } => {
                write!(f, "the {slot} connection ended before it was up: {reason}")
            }
            Note::Refused { remote, notification } => {
                // Without the port, which differs each time: what repeats is to be seen as the same.
                write!(f, "a connection from {} was refused: {notification}", remote.ip())
            }
            Note::AwaitsBfd => f.write_str("the neighbour has to wait: BFD is not up (bfd-strict)"),
            Note::CannotRefresh { family } => {
                write!(f, "the neighbour cannot be asked for its {family} routes again")
            }
            Note::StaleExpired { family } => {
                write!(
                    f,
                    "the neighbour's stale {family} routes were removed: it took too long to send them again"
                )
            }
        }
    }
}
