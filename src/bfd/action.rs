use smallvec::SmallVec;

use super::{Diagnostic, Path, SessionId, State};
use crate::types::Time;

/// What to do, in the order polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin to send for a session: a socket with a source port of its own (RFC 5881 §4).
    Open {
        session: SessionId,
        path: Path,
    },
    Close {
        session: SessionId,
    },
    /// Send one UDP datagram on the session's path, with TTL 255 on a single hop.
    Send {
        session: SessionId,
        packet: SmallVec<[u8; 64]>,
    },
    Changed(Change),
}

/// A session's state is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub session: SessionId,
    pub state: State,
    /// Why it is not up, by our own opinion; by the other side's if it says so (`remote`).
    pub diagnostic: Diagnostic,
    pub remote_state: State,
    pub remote_diagnostic: Diagnostic,
    pub at: Time,
}
