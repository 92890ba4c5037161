use ipnet::Ipv4Net;

use super::{Announced, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::LsaHeader;

impl Router {
    /// A neighbour's database has an LSA of ours.
    pub(super) fn own_seen(&mut self, _header: &LsaHeader, _now: Time) {}

    /// An adjacency on the interface became or left Full, the DR changed, or the interface's state, cost or addresses
    /// did: our router-LSA or network-LSA may be stale.
    pub(super) fn topology_changed(&mut self, _interface: u32, _now: Time) {}

    pub(super) fn announcement_changed(
        &mut self,
        _prefix: Ipv4Net,
        _announced: Option<Announced>,
        _now: Time,
    ) {
    }

    pub(super) fn drain_changed(&mut self, _drained: bool, _now: Time) {}

    pub(super) fn forwarding_ready(&mut self, _now: Time) {}

    /// Other settings are in force: what we originate may be stale.
    pub(super) fn settings_changed(&mut self, _now: Time) {}

    /// We take leave: what is ours is to go from the neighbours' databases.
    pub(super) fn flush_own(&mut self, _now: Time) {}

    /// After [`super::Event::Stopped`]: nothing is left to do.
    pub fn has_left(&self, _now: Time) -> bool {
        self.leaving.is_some()
    }

    /// What we are to announce for a prefix, as [`super::Event::AnnouncementChanged`] said last.
    pub fn wanted(&self, _prefix: Ipv4Net) -> Option<Announced> {
        None
    }

    /// Neighbours in Exchange or greater, by interface and router id, that have not acknowledged what we are to
    /// announce for a prefix; all of them while it waits for its time.
    pub fn unacknowledged(&self, _prefix: Ipv4Net, _now: Time) -> Vec<(u32, RouterId)> {
        Vec::new()
    }
}
