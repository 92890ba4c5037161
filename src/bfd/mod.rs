//! The BFD core (RFC 5880): all sessions of this node, without I/O.

mod action;
mod event;
mod settings;
mod summary;

pub use action::{Action, Change};
pub use event::{Event, Hops, Order, Received};
pub use settings::{Authentication, Key, Path, SessionId, Settings};
pub use summary::{Counters, Summary};

use crate::types::{Rng, Time};
pub use crate::wire::bfd::{Algorithm, Diagnostic, State};

/// All sessions.
#[derive(Clone, Debug)]
pub struct Bfd {
    #[expect(dead_code, reason = "the core follows")]
    rng: Rng,
}

impl Bfd {
    pub fn new(rng: Rng) -> Bfd {
        Bfd { rng }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event<'_>, now: Time) {
        let _ = (event, now);
    }

    /// Fires the timers that are due; a spurious call does nothing.
    pub fn tick(&mut self, now: Time) {
        let _ = now;
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        None
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        None
    }

    /// Every session as it is now, in the order of their ids.
    pub fn summaries(&self, now: Time) -> Vec<Summary> {
        let _ = now;
        Vec::new()
    }

    /// What was dropped before it could be told whose it is.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
