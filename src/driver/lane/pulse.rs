use std::collections::BTreeMap;
use std::time::Duration;

use crate::driver::guardian::Beat;
use crate::types::Time;
use crate::vrrp::VirtualRouterId;

/// Says to the guardian that the lane lives, three times in what the most impatient virtual router may do without.
pub struct Pulse {
    beat: Beat,
    /// Of those whose addresses are assigned.
    deadmen: BTreeMap<VirtualRouterId, Duration>,
    next: Option<Time>,
}

impl Pulse {
    pub fn new(beat: Beat) -> Pulse {
        Pulse { beat, deadmen: BTreeMap::new(), next: None }
    }

    /// The addresses of a virtual router are about to be assigned, to be removed if the lane does not live for that long;
    /// `None`: they are about to be taken away.
    pub fn set(&mut self, router: VirtualRouterId, deadman: Option<Duration>, now: Time) {
        match deadman {
            Some(deadman) => self.deadmen.insert(router, deadman),
            None => self.deadmen.remove(&router),
        };
        self.next = (!self.deadmen.is_empty()).then_some(now);
    }

    pub fn deadline(&self) -> Option<Time> {
        self.next
    }

    pub fn tick(&mut self, now: Time) {
        if self.next.is_some_and(|at| at <= now) {
            self.beat.beat();
            self.next = self.deadmen.values().min().map(|deadman| now + *deadman / 3);
        }
    }
}
