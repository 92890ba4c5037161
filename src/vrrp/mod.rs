//! The VRRP core (RFC 9568; version 2 as RFC 3768 has it): all virtual routers of this node, without I/O.

mod action;
mod announcer;
mod conflicts;
mod event;
mod links;
mod orders;
mod receive;
mod router;
mod settings;
mod summary;
mod timers;
mod units;

use std::collections::VecDeque;
use std::fmt;

pub use action::{Action, Change, Reason};
pub use event::{Event, Link, Order, Received};
use links::Links;
use router::VirtualRouter;
pub use settings::{MacKind, Settings, VirtualRouterId};
pub use summary::{Counters, Summary};
use units::Unit;

use crate::types::{Rng, Tally, Time};
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
    rng: Rng,
    /// In the order of their ids.
    routers: Vec<VirtualRouter>,
    units: Vec<Unit>,
    links: Links,
    /// We can forward what we would attract.
    ready: bool,
    stopped: bool,
    deadline: Option<Time>,
    actions: VecDeque<Action>,
    /// Of packets that belong to no virtual router.
    dropped: Tally,
}

impl Vrrp {
    pub fn new(rng: Rng) -> Vrrp {
        Vrrp {
            rng,
            routers: Vec::new(),
            units: Vec::new(),
            links: Links::default(),
            ready: false,
            stopped: false,
            deadline: None,
            actions: VecDeque::new(),
            dropped: Tally::default(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event<'_>, now: Time) {
        if self.stopped {
            return;
        }
        match event {
            Event::Ordered(order) => self.ordered(order, now),
            Event::Received(received) => {
                self.receive(&received, now);
                self.reckon();
            }
            Event::LinkChanged { interface, link } => {
                self.set_link(interface, link, now);
                self.settle(now);
            }
            Event::Stopped => self.stop(now),
        }
    }

    /// Fires the timers that are due; a spurious call does nothing. What has been received must have been handed in
    /// before.
    pub fn tick(&mut self, now: Time) {
        self.tick_units(now);
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Every virtual router as it is now, in the order of their ids.
    pub fn summaries(&self, _now: Time) -> Vec<Summary> {
        self.routers.iter().map(VirtualRouter::summary).collect()
    }

    /// Of packets that belong to no virtual router.
    pub fn counters(&self) -> Counters {
        Counters { dropped: self.dropped.to_map() }
    }

    /// Where a virtual router is in the list, or would have to be.
    fn position(&self, id: VirtualRouterId) -> Result<usize, usize> {
        self.routers.binary_search_by_key(&id, |router| router.id)
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
