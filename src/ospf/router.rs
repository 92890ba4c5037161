use std::collections::{BTreeMap, VecDeque};

use super::database::Database;
use super::interface::Interface;
use super::{Action, Event, Settings};
use crate::types::{Rng, Time, Wall};

/// One OSPF router in one area. See the [module](super).
#[derive(Clone)]
pub struct Router {
    pub(super) settings: Settings,
    /// Calendar time at [`Time::ZERO`], for key lifetimes and cryptographic sequence numbers that grow over restarts.
    pub(super) wall: Wall,
    pub(super) rng: Rng,
    /// By interface index.
    pub(super) interfaces: BTreeMap<u32, Interface>,
    pub(super) database: Database,
    pub(super) actions: VecDeque<Action>,
}

impl Router {
    /// A router that knows no interface yet.
    pub fn new(settings: Settings, wall: Wall, rng: Rng) -> Router {
        Router {
            settings,
            wall,
            rng,
            interfaces: BTreeMap::new(),
            database: Database::default(),
            actions: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, event: Event, _now: Time) {
        if let Event::Reconfigured(settings) = event {
            self.settings = *settings;
        }
    }

    pub fn tick(&mut self, _now: Time) {}

    pub fn deadline(&self) -> Option<Time> {
        None
    }

    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
}
