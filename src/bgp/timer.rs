use std::time::Duration;

use super::Slot;
use crate::types::Family;

/// The timers of a peer. Those of a connection exist only while the connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// While waiting: when to dial (again). While dialling: when to give this attempt up.
    ConnectRetry,
    /// Until when a peer that failed by an error is left alone (IdleHoldTimer, RFC 4271 §8.1.3).
    IdleHold,
    /// The neighbour must have sent something until then.
    Hold(Slot),
    /// When our next KEEPALIVE is due.
    Keepalive(Slot),
    /// The neighbour must have taken something we sent until then (RFC 9687).
    SendHold(Slot),
    /// How long the connection that would lose a collision waits for the other one's OPEN.
    Collision,
    /// Until when stale routes of a family are kept.
    Stale(Family),
}

/// Hold time before the neighbour's OPEN is there (RFC 4271 §8.2.2, OpenSent).
pub(super) const LARGE_HOLD: Duration = Duration::from_secs(240);
/// A dial is given at least this long: TCP repeats a lost SYN after a second.
pub(super) const SHORTEST_DIAL: Duration = Duration::from_secs(2);
/// Between two waits that end early.
pub(super) const HASTE_PAUSE: Duration = Duration::from_secs(1);
/// Enough for a lost segment of the other connection to be repeated.
pub(super) const COLLISION_WAIT: Duration = Duration::from_secs(5);
/// A session that was up for less counts as one more failed attempt: the waits go on growing. Nor
/// is a connection that comes this soon taken for a sign that the neighbour restarted.
pub(super) const STABLE: Duration = Duration::from_secs(10);
/// How long a neighbour that is back may take to send its routes again (RFC 4724 §4.2: "upper
/// bound"; RFC 7313 §4).
pub(super) const STALE_LIMIT: Duration = Duration::from_secs(360);
/// The longest time we keep the routes of a neighbour that is away, whatever it asks for: routes
/// that lead nowhere are worse than none.
pub(super) const RESTART_LIMIT: Duration = Duration::from_secs(120);
