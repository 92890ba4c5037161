use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use super::{OwnRestart, Settings};
use crate::types::Family;
use crate::wire::bgp::{Message, Notification};

/// One TCP connection. The driver or the simulator gives the number when a connection comes to be
/// and never uses it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Who opened a connection. A peer has room for one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Dialled,
    Accepted,
}

/// What happened. In brackets the events of RFC 4271 §8.1 that it stands for.
///
/// Events of a connection that the peer does not know (any more) are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The neighbour is to be up \[1, 3–7\]. Ends a damping wait. A new peer waits for this.
    Started,
    /// The operator shut the neighbour down \[2\]: Cease / Administrative Shutdown.
    Stopped { communication: String },
    /// We go and will be back: the connection is closed without a NOTIFICATION, so that a neighbour that
    /// helps keeps our routes (RFC 4724 §4).
    Suspended,
    /// What our OPENs are to say of our own restart from now on.
    OwnRestart(OwnRestart),
    /// The operator wants a fresh session \[2, then 1\]: Cease / Administrative Reset.
    Reset { communication: String },
    /// The neighbour is gone from the configuration \[8\]: Cease / Peer De-configured. Nothing
    /// but this event's own actions comes from the peer afterwards.
    Removed,
    /// The configuration was read again. Ends the session only if the new settings would have
    /// led to another OPEN exchange \[8, then 3\].
    Reconfigured(Settings),
    /// [`super::Action::Dial`] succeeded \[16\].
    Dialled { connection: ConnectionId, local: SocketAddr, remote: SocketAddr },
    /// [`super::Action::Dial`] failed \[18\].
    DialFailed { reason: String },
    /// The neighbour dialled us \[17\].
    Accepted { connection: ConnectionId, local: SocketAddr, remote: SocketAddr },
    /// BFD sees the neighbour, or one of both sides has shut BFD down on purpose, which must not keep a session from coming
    /// up (RFC 5882 §4.1). Whoever waits for the neighbour need not any longer.
    BfdUp,
    /// Whether BFD sees the neighbour is not known (any more), and not because the path has failed. What is up stays up.
    BfdUnknown,
    /// BFD saw the neighbour and no longer does: Cease / BFD Down (RFC 9384). What it announced is not kept, although it
    /// may only be restarting: it does not forward either (RFC 5882 §4.3.2.2).
    BfdDown,
    /// The link to the neighbour, of this name, is down. Nobody can be told.
    LinkLost { link: String },
    /// That link is back. Whoever waits for the neighbour need not any longer.
    LinkBack,
    /// A connection ended, by the neighbour or an error \[18\].
    Closed { connection: ConnectionId, reason: String },
    /// A message came in \[19, 24–27\].
    Received { connection: ConnectionId, message: Message },
    /// Something that is no valid message came in; `notification` answers it \[21, 22, 28\].
    Malformed { connection: ConnectionId, notification: Notification },
    /// TCP took this many octets of what we sent (RFC 9687).
    Written { connection: ConnectionId, octets: usize },
    /// The neighbour reads so slowly that the driver's write queue overflowed.
    QueueFull { connection: ConnectionId },
    /// The RIB counted more prefixes than the configuration allows \[8\]: Cease / Maximum Number
    /// of Prefixes Reached (RFC 4486), then a damping wait.
    MaximumPrefixesReached { family: Family, limit: u32 },
    /// Whole encoded UPDATEs for the neighbour. Dropped unless Established.
    RoutesEncoded(Bytes),
    /// We want the neighbour's routes again (RFC 2918).
    RefreshWanted { family: Family },
    /// What follows as [`Event::RoutesEncoded`] is the whole family again, as asked by
    /// [`super::Action::RefreshRequested`] (BoRR of RFC 7313, if both sides know it).
    RefreshStarted { family: Family },
    /// The whole family was handed over again (EoRR of RFC 7313).
    RefreshFinished { family: Family },
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::Dialled => "dialled",
            Slot::Accepted => "accepted",
        })
    }
}
