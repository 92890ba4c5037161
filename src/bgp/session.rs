use std::net::SocketAddr;
use std::time::Duration;

use crate::types::Family;
use crate::wire::bgp::{Open, SessionFacts};

/// What two OPENs settled on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub facts: SessionFacts,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The neighbour's OPEN.
    pub open: Open,
    /// The smaller of both proposals; zero switches hold and keepalive timers off.
    pub hold_time: Duration,
    /// A third of the hold time (RFC 4271 §10).
    pub keepalive: Duration,
    /// The neighbour takes ROUTE-REFRESH (RFC 2918).
    pub refresh: bool,
    /// Both mark where a refresh begins and ends (RFC 7313).
    pub enhanced_refresh: bool,
    /// Families whose routes we keep while the neighbour restarts (RFC 4724). Empty without our
    /// helper mode.
    pub restartable: Vec<Family>,
}
