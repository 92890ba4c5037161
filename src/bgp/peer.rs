use std::collections::VecDeque;

use super::{Action, Counters, DownReason, Event, Session, Settings};
use crate::types::{Rng, Time};
use crate::wire::bgp::Open;

/// One neighbour: its dialling, its connections and its session.
#[derive(Clone, Debug)]
pub struct Peer {
    settings: Settings,
    rng: Rng,
    counters: Counters,
    last_down: Option<(Time, DownReason)>,
    actions: VecDeque<Action>,
}

/// The states of RFC 4271 §8.2.2; with two connections, the one that is further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established,
}

impl Peer {
    /// A peer that does nothing before [`Event::Started`].
    pub fn new(settings: Settings, rng: Rng) -> Peer {
        Peer {
            settings,
            rng,
            counters: Counters::default(),
            last_down: None,
            actions: VecDeque::new(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, _event: Event, _now: Time) {
        let _ = &self.rng;
    }

    /// Fires the timers that are due; without any, does nothing.
    pub fn tick(&mut self, _now: Time) {}

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        None
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The OPEN that we send; a connection's decoder needs it to know what was negotiated.
    pub fn open(&self) -> Open {
        self.settings.open()
    }

    pub fn state(&self) -> State {
        State::Idle
    }

    /// The session that is up.
    pub fn session(&self) -> Option<&Session> {
        None
    }

    /// Since when the session is up.
    pub fn established_since(&self) -> Option<Time> {
        None
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When and why the latest connection ended, established or not.
    pub fn last_down(&self) -> Option<&(Time, DownReason)> {
        self.last_down.as_ref()
    }
}
