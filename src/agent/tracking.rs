//! What lowers the priority of a virtual router.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Agent, Probe, ProbeId};
use crate::bfd;
use crate::config::TrackedObject;
use crate::fast;
use crate::health::State;
use crate::ospf::NeighborState;
use crate::types::Time;
use crate::vrrp::Order;

/// What is watched outside, and what it was last.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    by_object: BTreeMap<TrackedObject, Watched>,
    next: u32,
}

#[derive(Clone, Debug)]
struct Watched {
    id: ProbeId,
    /// Not known yet counts as up: unknown is not down.
    up: bool,
    text: String,
}

impl Agent {
    /// Watches what the configuration tracks outside of this process, and nothing else.
    pub(super) fn probes_changed(&mut self) {
        let tracked = self.config.vrrp.values().flat_map(|vrrp| &vrrp.tracks);
        let objects: BTreeSet<TrackedObject> = tracked
            .map(|track| track.object.clone())
            .filter(|object| probe(object).is_some())
            .collect();
        let watched = &mut self.probes.by_object;
        let gone: Vec<TrackedObject> =
            watched.keys().filter(|object| !objects.contains(*object)).cloned().collect();
        for object in gone {
            if let Some(watched) = watched.remove(&object) {
                self.actions.push_back(Action::Watch { probe: watched.id, object: None });
            }
        }
        for object in objects {
            if self.probes.by_object.contains_key(&object) {
                continue;
            }
            self.probes.next += 1;
            let id = ProbeId(self.probes.next);
            self.actions.push_back(Action::Watch { probe: id, object: probe(&object) });
            let watched = Watched { id, up: true, text: "not known yet".to_owned() };
            self.probes.by_object.insert(object, watched);
        }
    }

    pub(super) fn probed(&mut self, probe: ProbeId, up: bool, text: String, now: Time) {
        let mut all = self.probes.by_object.iter_mut();
        let Some((object, watched)) = all.find(|(_, watched)| watched.id == probe) else { return };
        let was = std::mem::replace(&mut watched.up, up);
        watched.text.clone_from(&text);
        if was != up {
            let (subject, severity) = (object.to_string(), if up { "info" } else { "warning" });
            let word = if up { "up" } else { "down" };
            self.report(now, "track", &subject, severity, format!("{word}: {text}"));
        }
    }

    /// Tells the lane how much is taken from the priorities. What a member of a sync group tracks counts for all of them.
    pub(super) fn settle_priorities(&mut self) {
        // Unknown is not down.
        if !self.fib.is_ready() {
            return;
        }
        let mut lower_by: BTreeMap<&str, i16> = BTreeMap::new();
        for (name, config) in &self.config.vrrp {
            let Some(router) = self.routers.by_name.get(name) else { continue };
            let down = config.tracks.iter().filter(|track| !self.is_up(&track.object));
            let lowered = lower_by.entry(&router.unit).or_default();
            *lowered = down.fold(*lowered, |sum, track| sum.saturating_add(track.lower_by.into()));
        }
        let mut orders = Vec::new();
        for router in self.routers.by_name.values() {
            let by = -lower_by.get(router.unit.as_str()).copied().unwrap_or_default();
            if by != router.adjusted {
                orders.push((router.id, by));
            }
        }
        for (router, by) in orders {
            let mut all = self.routers.by_name.values_mut();
            if let Some(known) = all.find(|known| known.id == router) {
                known.adjusted = by;
            }
            let order = fast::Order::Vrrp(Order::Adjust { router, by });
            self.actions.push_back(Action::Fast(order));
        }
    }

    /// What is known of a file or a command that is tracked; empty for all else.
    pub(super) fn probe_text(&self, object: &TrackedObject) -> String {
        let watched = self.probes.by_object.get(object);
        watched.map(|watched| watched.text.clone()).unwrap_or_default()
    }

    /// Whether a tracked object is as it should be.
    pub(super) fn is_up(&self, object: &TrackedObject) -> bool {
        match object {
            TrackedObject::Interface(name) => {
                self.fib.interfaces().named(name).is_some_and(|(_, link)| link.up)
            }
            TrackedObject::Route(prefix) => !self.rib.hops(*prefix, 1).is_empty(),
            TrackedObject::Neighbor(name) => self
                .neighbors
                .values()
                .any(|neighbor| neighbor.name == *name && neighbor.is_established()),
            TrackedObject::OspfInterface(name) => self.ospf.as_ref().is_some_and(|ospf| {
                let mut interfaces = ospf.router.interfaces();
                let interface = interfaces.find(|interface| interface.name == *name);
                interface.is_some_and(|interface| {
                    let mut neighbors = interface.neighbors.values();
                    neighbors.any(|neighbor| neighbor.state == NeighborState::Full)
                })
            }),
            TrackedObject::Bfd(name) => self.bfd_session_state(name) == Some(bfd::State::Up),
            TrackedObject::Check(name) => self.guards.gate.counted(name).state != State::Down,
            TrackedObject::Vrrp(name) => self.is_active_role(name),
            TrackedObject::Isolated => self.has_upstream(),
            TrackedObject::File(_) | TrackedObject::Command(_) => {
                self.probes.by_object.get(object).is_none_or(|watched| watched.up)
            }
        }
    }
}

impl Agent {
    /// Whether any upstream of `[isolation]` is up; without that section, we do not know better.
    fn has_upstream(&self) -> bool {
        let Some(isolation) = &self.config.isolation else { return true };
        let neighbors = isolation.neighbors.iter().cloned().map(TrackedObject::Neighbor);
        let interfaces = isolation.ospf_interfaces.iter().cloned();
        neighbors
            .chain(interfaces.map(TrackedObject::OspfInterface))
            .any(|upstream| self.is_up(&upstream))
    }
}

fn probe(object: &TrackedObject) -> Option<Probe> {
    match object {
        TrackedObject::File(path) => Some(Probe::File(path.clone())),
        TrackedObject::Command(command) => Some(Probe::Command(command.clone())),
        _ => None,
    }
}
