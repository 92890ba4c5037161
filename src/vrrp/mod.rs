//! The VRRP core (RFC 9568; version 2 as RFC 3768 has it): all virtual routers of this node, without I/O.
//!
//! # Data
//!
//! ```text
//! Vrrp ─┬ VirtualRouter ─┬ Settings, orders, state, priority           router.rs
//!       │                ├ Election: when a Backup takes over          router.rs, timers.rs
//!       │                ├ Announcer: when an Active tells the link    announcer.rs
//!       │                └ Conflicts: who was reported                 conflicts.rs
//!       ├ Unit: a sync group, or a virtual router alone                units.rs
//!       └ Links: the kernel's interfaces, primary addresses, sockets   links.rs
//! ```
//!
//! # States (§6.4)
//!
//! | state | has | leads to |
//! |---|---|---|
//! | Initialize | an interface that is down, gone, without an address, or without sockets | Backup, as soon as it can be used; an owner goes on to Active at once |
//! | Backup | Active_Down_Timer, and who is Active | Active, when the timer of every member of its unit has fired |
//! | Active | Adver_Timer | Backup, for a higher priority, or for the same and a greater address; when released; when it stood still |
//!
//! An Active that leaves for another reason than somebody else's advertisement says priority 0, so that the others wait for
//! Skew_Time only. It is Active from the moment at which its timer fires, and advertises at once; the addresses follow
//! when the agent has them on the interface and orders to announce them.
//!
//! Where the role is handed over, by priority 0 or by preemption, the one before forwards until it hears us. So there the
//! first advertisement goes with the announcement, or after an Advertisement_Interval if the addresses take longer. Until then
//! nothing is said about the role, whoever is heard. RFC 9568 §6.4.2 has both in one act, and no time between.
//!
//! # Preemption
//!
//! A Backup of higher priority discards the advertisements of the lower Active (§6.4.2), so that its timer runs out. With a
//! delay it accepts them until it has heard such an Active for that long, and then is Active at once. Neither happens before the
//! agent has said that we can forward, nor while we are released. With nobody Active, the timer decides in any case.
//!
//! # Sync groups
//!
//! The members of a group are Active together or not at all:
//!
//! - One whose interface cannot be used holds all of them.
//! - They take over when the last of them would. As long as one of them hears the Active, the Active lives, and what is
//!   cut is a link: to take over would leave the two segments with different Actives. When the Active leaves one of them
//!   with priority 0, it leaves them all.
//! - If one has to yield, all do; the others say priority 0. Two groups that each lose on one link then wait for
//!   a random time, so that they do not go on in step.
//! - What lowers the priority of one, lowers all.
//!
//! # Standing still
//!
//! An Active that was not scheduled for three intervals yields, as one of the others may be Active by now. A Backup whose
//! timer fires an Active_Down_Interval late waits for another one: what it has not heard says nothing.
//!
//! # Two Actives
//!
//! The order of priority and address is total, so that one of the two yields as soon as it hears the other. That one
//! asserts itself at once (§6.4.3), announces the addresses again, and reports the other: at once, and then every ten
//! seconds. That a lower priority yields to a higher one is not reported, as every preemption looks like this. But it
//! sends one more advertisement, so that the one that stays hears of it, from the interface's own MAC address.

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
            Event::Opened { interface, ipv6, open } => {
                self.set_socket(interface, ipv6, open, now);
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
