//! The BFD core (RFC 5880, 5881, 5883): all sessions of this node, without I/O.
//!
//! # Data
//!
//! ```text
//! Bfd ─┬ Table ─ Session ─┬ Settings, state, what the other side says     session.rs
//!      │                  ├ Negotiation: our intervals, Poll and Final    negotiation.rs
//!      │                  ├ Security: sequence numbers                    security.rs
//!      │                  └ Tally: what was dropped
//!      ├ Agenda: which session is to be looked at next                    agenda.rs
//!      └ links that are down
//! ```
//!
//! # States (§6.2)
//!
//! | state | what it means | goes on when the other side says |
//! |---|---|---|
//! | Down | nothing is heard, or something failed | Down: Init; Init: Up |
//! | Init | we hear the other side | Init, Up: Up |
//! | Up | both hear each other | Down, AdminDown: Down |
//! | AdminDown | the agent no longer wants the session | |
//!
//! Init and Up end with Down as well after a Detection Time without a packet (§6.8.4), and as soon as the link is lost. No
//! session is passive: each says Down from its beginning, once a second.
//!
//! # What is sent when (§6.8.7)
//!
//! At once: what differs from the packet before, so that two sides are Up after two round trips and learn of a failure
//! as soon as the other one sees it; and the answer to a Poll. Otherwise after 75 to 95 % of the interval (90 % with a
//! multiplier of 1), drawn for each packet, but only at times that all sessions share (departure.rs): a packet costs
//! less than a wakeup, of this node and of the other one.
//!
//! # What it costs
//!
//! A packet that comes moves no timer. A session has one entry in the agenda, for the earlier of its next packet and the end of
//! its Detection Time as it was when the entry was made; when that comes, the session says what it waits for now. As a
//! session sends more often than its Detection Time passes, the entry is nearly always the packet. Nothing is allocated
//! for a packet that comes or goes.

mod action;
mod agenda;
mod departure;
mod event;
mod negotiation;
mod security;
mod session;
mod settings;
mod summary;
mod table;

use std::collections::{BTreeSet, VecDeque};

pub use action::{Action, Change};
use agenda::Agenda;
pub use event::{Event, Hops, Order, Received};
use session::{Context, Session};
pub use settings::{Authentication, Key, Path, SessionId, Settings};
pub use summary::{Counters, Summary};
use table::{Route, Table};

use crate::types::{Rng, Tally, Time};
use crate::wire::bfd::Packet;
pub use crate::wire::bfd::{Algorithm, Diagnostic, State};

/// All sessions.
#[derive(Clone, Debug)]
pub struct Bfd {
    rng: Rng,
    table: Table,
    agenda: Agenda,
    /// By their indexes. What was never told is up.
    links_down: BTreeSet<u32>,
    actions: VecDeque<Action>,
    /// Of packets that belong to no session.
    dropped: Tally,
}

impl Bfd {
    pub fn new(rng: Rng) -> Bfd {
        Bfd {
            rng,
            table: Table::default(),
            agenda: Agenda::default(),
            links_down: BTreeSet::new(),
            actions: VecDeque::new(),
            dropped: Tally::default(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event<'_>, now: Time) {
        match event {
            Event::Received(received) => {
                if let Err(why) = self.receive(&received, now) {
                    self.dropped.count(why);
                }
            }
            Event::Ordered(Order::Want { session, settings }) => self.want(session, *settings, now),
            Event::Ordered(Order::Drop { session }) => {
                if let Some(slot) = self.table.by_id(session) {
                    self.with(slot, now, |session, context| session.end(context));
                }
            }
            Event::LinkChanged { interface, up } => self.set_link(interface, up, now),
            Event::Stopped => {
                for slot in self.table.slots() {
                    self.with(slot, now, |session, context| session.end(context));
                }
            }
        }
    }

    /// Sends what is due, and notices who is silent. What has been received must have been handed in before. A spurious
    /// call does no harm.
    pub fn tick(&mut self, now: Time) {
        while let Some((_, slot)) = self.agenda.next().filter(|(at, _)| *at <= now) {
            self.with(slot, now, |session, context| session.fire(context));
            self.agenda.set(slot, self.table.get(slot).and_then(Session::deadline));
        }
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        self.agenda.next().map(|(at, _)| at)
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Every session as it is now, in the order of their ids.
    pub fn summaries(&self, _now: Time) -> Vec<Summary> {
        self.table.iter().filter_map(Session::summary).collect()
    }

    /// What was dropped before it could be told whose it is.
    pub fn counters(&self) -> Counters {
        Counters { dropped: self.dropped.to_map() }
    }

    /// A session has another slot, id and discriminator than one that still says AdminDown on the same path.
    fn want(&mut self, id: SessionId, settings: Settings, now: Time) {
        if let Some(slot) = self.table.by_id(id) {
            self.with(slot, now, |session, context| session.configure(settings, context));
            return;
        }
        if let Some(slot) = self.table.by_route(&Route::from(&settings.path)) {
            self.remove(slot);
        }
        let discriminator = self.new_discriminator();
        let link_up = match settings.path {
            Path::SingleHop { interface, .. } => !self.links_down.contains(&interface),
            Path::MultiHop { .. } => true,
        };
        let Bfd { rng, actions, .. } = self;
        let context = &mut Context { now, rng, actions };
        let slot = self.table.insert(Session::new(id, settings, discriminator, link_up, context));
        self.with(slot, now, |_, _| ());
    }

    /// Not zero, and no other session's (RFC 5880 §6.8.1).
    fn new_discriminator(&mut self) -> u32 {
        loop {
            let drawn = (self.rng.next_u64() >> 32) as u32;
            if drawn != 0 && self.table.by_discriminator(drawn).is_none() {
                return drawn;
            }
        }
    }

    fn set_link(&mut self, interface: u32, up: bool, now: Time) {
        if up {
            self.links_down.remove(&interface);
        } else {
            self.links_down.insert(interface);
        }
        for slot in self.table.slots() {
            self.with(slot, now, |session, context| match session.path() {
                Path::SingleHop { interface: its, .. } if *its == interface => {
                    session.set_link(up, context);
                }
                _ => {}
            });
        }
    }

    /// RFC 5880 §6.8.6, up to the session. The error is a word for a counter.
    fn receive(&mut self, received: &Received<'_>, now: Time) -> Result<(), &'static str> {
        let packet = Packet::parse(received.packet).map_err(|malformed| malformed.name())?;
        let route = Route::from(received);
        let slot = match packet.your_discriminator {
            0 => self.table.by_route(&route).ok_or("no-session")?,
            yours => self.table.by_discriminator(yours).ok_or("unknown-discriminator")?,
        };
        self.with(slot, now, |session, context| {
            // What went another way says nothing of this one, even if the discriminator fits; it may have been guessed by
            // somebody who is not on the link.
            let (least_ttl, why) = match session.path() {
                _ if Route::from(session.path()) != route => (u8::MAX, "wrong-path"),
                // RFC 5881 §5.
                Path::SingleHop { .. } => (u8::MAX, "wrong-ttl"),
                Path::MultiHop { min_ttl, .. } => (*min_ttl, "wrong-ttl"),
            };
            if received.ttl < least_ttl || why == "wrong-path" {
                session.drop_packet(why);
            } else {
                session.receive(&packet, received.packet, context);
            }
        });
        Ok(())
    }

    /// Lets a session do something. It then is removed if it is over, and looked at earlier if it has to be; what has
    /// time until later is found when its turn comes.
    fn with<T>(
        &mut self,
        slot: usize,
        now: Time,
        act: impl FnOnce(&mut Session, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let Bfd { rng, actions, table, agenda, .. } = self;
        let session = table.get_mut(slot)?;
        let done = act(session, &mut Context { now, rng, actions });
        if session.is_over(now) {
            self.remove(slot);
        } else if let Some(at) = session.deadline() {
            agenda.hasten(slot, at);
        }
        Some(done)
    }

    fn remove(&mut self, slot: usize) {
        self.agenda.set(slot, None);
        if let Some(session) = self.table.remove(slot) {
            self.actions.push_back(Action::Close { session: session.id() });
        }
    }
}
