//! What must not wait for anything: BFD and VRRP as one value, with the four verbs of the cores. The driver runs it on a
//! thread of its own, beside the [`Agent`](crate::agent::Agent); the two talk in [`Order`]s and [`Report`]s.
//!
//! ```text
//!             Order                       Action::Bfd, Action::Vrrp
//!  Agent ───────────────> Fast ──────────────────────────────────────> sockets
//!        <───────────────      <──────────────────────────────────────
//!             Report                      Event::Bfd, Event::Vrrp
//! ```
//!
//! The agent says which sessions and virtual routers there are, and what the kernel's links are like. It learns when one
//! changes its state, and nothing else: packets and counters stay here until somebody asks for a [`Snapshot`].

mod lag;
mod snapshot;

pub use lag::Lag;
pub use snapshot::Snapshot;

use std::net::IpAddr;

use crate::bfd::{self, Bfd};
use crate::types::{Rng, Time};
use crate::vrrp::{self, VirtualRouterId, Vrrp};

/// BFD and VRRP of this node.
#[derive(Clone, Debug)]
pub struct Fast {
    bfd: Bfd,
    vrrp: Vrrp,
    lag: Lag,
    /// When timers were looked at last.
    ticked: Time,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    Ordered(Order),
    Bfd(bfd::Received<'a>),
    Vrrp(vrrp::Received<'a>),
    /// See [`vrrp::Event::Opened`].
    VrrpOpened {
        interface: u32,
        ipv6: bool,
        open: bool,
    },
}

/// What the agent wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    Bfd(bfd::Order),
    Vrrp(vrrp::Order),
    /// An interface is as told now; `None`: it is gone.
    Link {
        interface: u32,
        link: Option<vrrp::Link>,
    },
    /// The daemon ends: AdminDown for every session, priority 0 for every Active.
    Stop,
}

/// What to do, in the order polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Bfd(bfd::Action),
    Vrrp(vrrp::Action),
    /// For the agent. Not among the other two's.
    Report(Report),
}

/// What the agent is to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Bfd(bfd::Change),
    Vrrp(vrrp::Change),
    /// See [`vrrp::Action::AnotherActive`].
    AnotherActive {
        router: VirtualRouterId,
        address: IpAddr,
        priority: u8,
        yields: bool,
    },
}

impl Fast {
    pub fn new(mut rng: Rng) -> Fast {
        Fast {
            bfd: Bfd::new(rng.fork()),
            vrrp: Vrrp::new(rng.fork()),
            lag: Lag::default(),
            ticked: Time::ZERO,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event<'_>, now: Time) {
        match event {
            Event::Bfd(received) => self.bfd.handle(bfd::Event::Received(received), now),
            Event::Vrrp(received) => self.vrrp.handle(vrrp::Event::Received(received), now),
            Event::VrrpOpened { interface, ipv6, open } => {
                self.vrrp.handle(vrrp::Event::Opened { interface, ipv6, open }, now);
            }
            Event::Ordered(Order::Bfd(order)) => {
                self.bfd.handle(bfd::Event::Ordered(order), now);
            }
            Event::Ordered(Order::Vrrp(order)) => {
                self.vrrp.handle(vrrp::Event::Ordered(order), now);
            }
            Event::Ordered(Order::Link { interface, link }) => {
                let up = link.as_ref().is_some_and(|link| link.up);
                self.bfd.handle(bfd::Event::LinkChanged { interface, up }, now);
                self.vrrp.handle(vrrp::Event::LinkChanged { interface, link }, now);
            }
            Event::Ordered(Order::Stop) => {
                self.bfd.handle(bfd::Event::Stopped, now);
                self.vrrp.handle(vrrp::Event::Stopped, now);
            }
        }
    }

    /// Fires the timers that are due; a spurious call does nothing. What has been received must have been handed in
    /// before: a packet that waits in a socket is not a packet that is missing.
    pub fn tick(&mut self, now: Time) {
        if let Some(deadline) = self.deadline().filter(|deadline| *deadline <= now) {
            // An event may have made something due that would have been due earlier.
            self.lag.record(now.since(deadline.max(self.ticked)));
        }
        self.ticked = now;
        self.bfd.tick(now);
        self.vrrp.tick(now);
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        self.bfd.deadline().into_iter().chain(self.vrrp.deadline()).min()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        if let Some(action) = self.bfd.poll() {
            return Some(match action {
                bfd::Action::Changed(change) => Action::Report(Report::Bfd(change)),
                action => Action::Bfd(action),
            });
        }
        Some(match self.vrrp.poll()? {
            vrrp::Action::Changed(change) => Action::Report(Report::Vrrp(change)),
            vrrp::Action::AnotherActive { router, address, priority, yields } => {
                Action::Report(Report::AnotherActive { router, address, priority, yields })
            }
            action => Action::Vrrp(action),
        })
    }

    pub fn snapshot(&self, now: Time) -> Snapshot {
        Snapshot {
            sessions: self.bfd.summaries(now),
            bfd: self.bfd.counters(),
            routers: self.vrrp.summaries(now),
            vrrp: self.vrrp.counters(),
            lag: self.lag.clone(),
        }
    }
}
