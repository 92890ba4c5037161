//! The VRRP core (RFC 9568; version 2 as RFC 3768 has it): all virtual routers of this node, without I/O.

mod action;
mod event;
mod settings;
mod summary;

pub use action::{Action, Change, Reason};
pub use event::{Event, Link, Order, Received};
pub use settings::{MacKind, Settings, VirtualRouterId};
pub use summary::{Counters, Summary};

use std::fmt;

use crate::types::{Rng, Time};
pub use crate::wire::vrrp::{Checksum, Version};

/// RFC 9568 §6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Initialize,
    Backup,
    Active,
}

/// All virtual routers.
#[derive(Clone, Debug)]
pub struct Vrrp {
    #[expect(dead_code, reason = "the core follows")]
    rng: Rng,
}

impl Vrrp {
    pub fn new(rng: Rng) -> Vrrp {
        Vrrp { rng }
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

    /// Every virtual router as it is now, in the order of their ids.
    pub fn summaries(&self, now: Time) -> Vec<Summary> {
        let _ = now;
        Vec::new()
    }

    /// Of packets that belong to no virtual router.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Initialize => "initialize",
            State::Backup => "backup",
            State::Active => "active",
        })
    }
}
