use std::net::Ipv4Addr;

use super::interface::Interface;
use super::neighbor::{Neighbor, NeighborEvent, NeighborState};
use super::{Bfd, Router, Watch};
use crate::types::{RouterId, Time};

/// BFD for adjacencies (RFC 5882 §10.1), and adjacencies that wait for it (RFC 9355). The sessions themselves are somebody
/// else's, who asks [`Router::watched`] for whom there are to be some, and tells what becomes of them.
impl Interface {
    /// Whether there is no adjacency with this neighbour before BFD is up: both sides want it so.
    fn is_strict(&self, neighbor: &Neighbor) -> bool {
        self.settings.bfd == Watch::Strict && neighbor.strict_bfd
    }

    /// Whether there is to be a session. One for every adjacency is enough: what two other routers of a LAN have to tell
    /// each other goes by way of the designated router. A strict one has to be there before.
    fn is_watched(&self, neighbor: &Neighbor) -> bool {
        self.settings.bfd != Watch::Off && (neighbor.watched || self.is_strict(neighbor))
    }

    /// Who is named in our Hellos. A neighbour that waits for BFD as we do is not, so that neither goes ahead of the
    /// other (RFC 9355 §5).
    pub(super) fn named(&self) -> Vec<RouterId> {
        let waits = |neighbor: &Neighbor| {
            let begins = neighbor.state == NeighborState::Init && neighbor.helped_until().is_none();
            begins && self.is_strict(neighbor) && !neighbor.bfd_up
        };
        let named = self.neighbors.values().filter(|neighbor| !waits(neighbor));
        named.map(|neighbor| neighbor.router_id).collect()
    }
}

impl Router {
    /// Neighbours for which there are to be BFD sessions: the interface, our address, theirs.
    pub fn watched(&self) -> impl Iterator<Item = (&Interface, Ipv4Addr, &Neighbor)> {
        self.interfaces.values().flat_map(|interface| {
            let ours = interface.address.map(|(address, _)| address);
            ours.into_iter().flat_map(move |ours| {
                let watched = interface.neighbors.values().filter(|one| interface.is_watched(one));
                watched.map(move |neighbor| (interface, ours, neighbor))
            })
        })
    }

    /// Whether they may have changed since the last call.
    pub fn take_watch_stale(&mut self) -> bool {
        std::mem::take(&mut self.watch_stale)
    }

    /// Whether a neighbour is kept in Init until BFD is up (RFC 9355 §5). Not one that restarts gracefully, whose BFD may
    /// restart with it.
    pub(super) fn awaits_bfd(&self, from: (u32, RouterId)) -> bool {
        let (Some(interface), Some(neighbor)) = (self.interfaces.get(&from.0), self.neighbor(from))
        else {
            return false;
        };
        interface.is_strict(neighbor) && !neighbor.bfd_up && neighbor.helped_until().is_none()
    }

    /// A failure ends the adjacency as if nothing had been heard for the dead interval (RFC 5882 §4.2): whoever is still
    /// there begins anew with its next Hello. While a neighbour restarts gracefully, its BFD may be away with the rest of
    /// its control plane, which must not end that (RFC 5882 §4.3.2.1).
    pub(super) fn bfd_changed(&mut self, index: u32, address: Ipv4Addr, bfd: Bfd, now: Time) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let mut neighbors = interface.neighbors.values_mut();
        let Some(neighbor) = neighbors.find(|neighbor| neighbor.address == address) else { return };
        let from = (index, neighbor.router_id);
        let was_up = std::mem::replace(&mut neighbor.bfd_up, bfd == Bfd::Up);
        let (hears_us, is_helped) = (neighbor.hears_us, neighbor.helped_until().is_some());
        match bfd {
            Bfd::Failed if !is_helped => {
                self.neighbor_event(from, NeighborEvent::BfdDown, now);
            }
            Bfd::Up if !was_up && self.is_waiting(from) => {
                // It is named in our Hellos from now on, and need not wait for the next one.
                self.send_hello(index, now);
                if hears_us {
                    self.neighbor_event(from, NeighborEvent::TwoWayReceived, now);
                }
            }
            Bfd::Failed | Bfd::Up | Bfd::Unknown => {}
        }
    }

    /// In Init, where only BFD was missing.
    fn is_waiting(&self, from: (u32, RouterId)) -> bool {
        let (Some(interface), Some(neighbor)) = (self.interfaces.get(&from.0), self.neighbor(from))
        else {
            return false;
        };
        neighbor.state == NeighborState::Init && interface.is_strict(neighbor)
    }
}
