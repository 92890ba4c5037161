use std::collections::BTreeMap;
use std::net::IpAddr;

use super::session::Session;
use super::{Hops, Path, Received, SessionId};

/// The sessions, and the ways to find one. A session keeps its slot for its life.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Session>>,
    ids: BTreeMap<SessionId, usize>,
    discriminators: BTreeMap<u32, usize>,
    paths: BTreeMap<Route, usize>,
}

/// What is the same for all packets of a session: local and remote address, and the interface on a single hop (RFC 5881
/// §3, RFC 5883 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    interface: Option<u32>,
    local: IpAddr,
    remote: IpAddr,
}

impl From<&Path> for Route {
    fn from(path: &Path) -> Route {
        match *path {
            Path::SingleHop { interface, local, remote } => {
                Route { interface: Some(interface), local, remote }
            }
            Path::MultiHop { local, remote, .. } => Route { interface: None, local, remote },
        }
    }
}

impl From<&Received<'_>> for Route {
    fn from(received: &Received<'_>) -> Route {
        let interface = (received.hops == Hops::Single).then_some(received.interface);
        Route { interface, local: received.destination, remote: received.source }
    }
}

impl Table {
    /// Files a session under a slot that is free.
    pub fn insert(&mut self, session: Session) -> usize {
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        self.ids.insert(session.id(), slot);
        self.discriminators.insert(session.discriminator(), slot);
        self.paths.insert(session.path().into(), slot);
        if slot == self.slots.len() {
            self.slots.push(Some(session));
        } else {
            self.slots[slot] = Some(session);
        }
        slot
    }

    pub fn remove(&mut self, slot: usize) -> Option<Session> {
        let session = self.slots.get_mut(slot)?.take()?;
        self.ids.remove(&session.id());
        self.discriminators.remove(&session.discriminator());
        self.paths.remove(&session.path().into());
        Some(session)
    }

    pub fn get(&self, slot: usize) -> Option<&Session> {
        self.slots.get(slot)?.as_ref()
    }

    pub fn get_mut(&mut self, slot: usize) -> Option<&mut Session> {
        self.slots.get_mut(slot)?.as_mut()
    }

    pub fn by_id(&self, id: SessionId) -> Option<usize> {
        self.ids.get(&id).copied()
    }

    /// By Your Discriminator.
    pub fn by_discriminator(&self, discriminator: u32) -> Option<usize> {
        self.discriminators.get(&discriminator).copied()
    }

    pub fn by_route(&self, route: &Route) -> Option<usize> {
        self.paths.get(route).copied()
    }

    /// All slots, those that are free too.
    pub fn slots(&self) -> std::ops::Range<usize> {
        0..self.slots.len()
    }

    /// In the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.ids.values().filter_map(|slot| self.get(*slot))
    }
}
