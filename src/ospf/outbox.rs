use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::database::MAX_AGE;
use super::{Interface, InterfaceState, NeighborState, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{ALL_D_ROUTERS, ALL_SPF_ROUTERS, Body, Lsa, LsaKey, LsaType};

/// LSAs that wait to be sent on an interface, by name: what goes out is the instance that the database has by then.
///
/// Nobody acknowledges packets, only LSAs, and what overruns a neighbour's socket buffer comes 5 s later. So packets
/// are filled, and there are not more than [`PACKETS`] per [`WINDOW`]. What we changed goes before what others changed,
/// so that a storm of theirs does not hold up an order; and that before what is only repeated.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    originated: Queue<LsaKey>,
    changed: Queue<LsaKey>,
    /// What was asked for or not acknowledged: to one neighbour.
    direct: Queue<(Audience, LsaKey)>,
    refreshed: Queue<LsaKey>,
    /// When the window began, and what it had since.
    window: Time,
    sent: usize,
}

/// Packets of 1500 octets, or fewer larger ones: 15 kB in 10 ms, so that 212 kB of buffer, the usual default, last
/// for what a busy neighbour needs.
const PACKETS: usize = 10;
const WINDOW: Duration = Duration::from_millis(10);
const FULL_PACKET: usize = 1500;

/// Who is to get an LSA, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Audience {
    /// All neighbours: we have changed it.
    Originated,
    /// All neighbours: another has changed it.
    Changed,
    /// All neighbours: the content is as it was.
    Refreshed,
    /// One neighbour, which asked for it or has an older one.
    Asked(RouterId),
    /// One neighbour, which has not acknowledged it for a moment.
    Reminded(RouterId),
    /// One neighbour, which has not acknowledged it for RxmtInterval.
    Again(RouterId),
}

/// In order of arrival, each once.
#[derive(Clone, Debug)]
struct Queue<T> {
    order: VecDeque<T>,
    queued: BTreeSet<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { order: VecDeque::new(), queued: BTreeSet::new() }
    }
}

impl<T: Copy + Ord> Queue<T> {
    fn push(&mut self, item: T) {
        if self.queued.insert(item) {
            self.order.push_back(item);
        }
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.order.pop_front()?;
        self.queued.remove(&item);
        Some(item)
    }
}

impl Outbox {
    pub(super) fn push(&mut self, key: LsaKey, audience: Audience) {
        match audience {
            Audience::Originated => self.originated.push(key),
            Audience::Changed => self.changed.push(key),
            Audience::Refreshed => self.refreshed.push(key),
            Audience::Asked(_) | Audience::Reminded(_) | Audience::Again(_) => {
                self.direct.push((audience, key));
            }
        }
    }

    /// When it may go on; in the past if it may at once. `None` if it is empty.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.front().map(|_| self.window + WINDOW)
    }

    fn front(&self) -> Option<(Audience, LsaKey)> {
        let front = |queue: &Queue<LsaKey>, audience| Some((audience, *queue.order.front()?));
        front(&self.originated, Audience::Originated)
            .or_else(|| front(&self.changed, Audience::Changed))
            .or_else(|| self.direct.order.front().copied())
            .or_else(|| front(&self.refreshed, Audience::Refreshed))
    }

    fn pop(&mut self, audience: Audience) {
        match audience {
            Audience::Originated => self.originated.pop().is_some(),
            Audience::Changed => self.changed.pop().is_some(),
            Audience::Refreshed => self.refreshed.pop().is_some(),
            Audience::Asked(_) | Audience::Reminded(_) | Audience::Again(_) => {
                self.direct.pop().is_some()
            }
        };
    }

    fn may_send(&mut self, now: Time) -> bool {
        if self.window + WINDOW <= now {
            self.window = now;
            self.sent = 0;
        }
        self.sent < PACKETS
    }
}

impl Audience {
    /// The one neighbour, or all.
    fn neighbor(self) -> Option<RouterId> {
        match self {
            Audience::Originated | Audience::Changed | Audience::Refreshed => None,
            Audience::Asked(router_id)
            | Audience::Reminded(router_id)
            | Audience::Again(router_id) => Some(router_id),
        }
    }
}

impl Interface {
    /// Where floods and delayed acknowledgements go (RFC 2328 §13.3, §13.5).
    pub(super) fn flooding_destination(&self) -> Ipv4Addr {
        match self.state {
            InterfaceState::PointToPoint | InterfaceState::Dr | InterfaceState::Backup => {
                ALL_SPF_ROUTERS
            }
            _ => ALL_D_ROUTERS,
        }
    }

    /// Where goes what is for one neighbour, if it still takes part.
    pub(super) fn destination_of(&self, neighbor: RouterId) -> Option<Ipv4Addr> {
        let neighbor = self.neighbors.get(&neighbor)?;
        (neighbor.state >= NeighborState::Exchange).then(|| self.destination(neighbor.address))
    }
}

impl Router {
    /// Sends what waits, as far as it may go out now.
    pub(super) fn send_updates(&mut self, now: Time) {
        let waiting: Vec<u32> = self
            .flooding
            .outboxes
            .iter()
            .filter(|(_, outbox)| outbox.front().is_some())
            .map(|(&index, _)| index)
            .collect();
        for index in waiting {
            while self
                .flooding
                .outboxes
                .get_mut(&index)
                .is_some_and(|outbox| outbox.front().is_some() && outbox.may_send(now))
            {
                let Some((destination, lsas)) = self.next_update(index, now) else { continue };
                if !lsas.is_empty() {
                    self.send(index, destination, Body::LinkStateUpdate(lsas.into()), now);
                }
            }
        }
    }

    /// Takes one packet's worth out of the interface's outbox, all of it for the same destination.
    fn next_update(&mut self, index: u32, now: Time) -> Option<(Ipv4Addr, Vec<Lsa>)> {
        let outbox = self.flooding.outboxes.get_mut(&index)?;
        let (first, _) = outbox.front()?;
        let Some(interface) = self.interfaces.get_mut(&index) else {
            self.flooding.outboxes.remove(&index);
            return None;
        };
        let destination = match first.neighbor() {
            None => interface.flooding_destination(),
            Some(neighbor) => match interface.destination_of(neighbor) {
                Some(destination) => destination,
                None => {
                    outbox.pop(first);
                    return None;
                }
            },
        };
        // Behind the count of LSAs.
        let room = interface.room().saturating_sub(4);
        let delay = interface.settings.transmit_delay;
        let mut lsas: Vec<Lsa> = Vec::new();
        let mut octets = 0;
        while let Some((audience, key)) = outbox.front() {
            if audience.neighbor() != first.neighbor() {
                break;
            }
            let database = match key.kind {
                LsaType::OPAQUE_LINK => self.flooding.link_local.get_mut(&index),
                _ => Some(&mut self.database),
            };
            let Some(entry) = database.and_then(|database| database.get_mut(&key)) else {
                outbox.pop(audience);
                continue;
            };
            let length = usize::from(entry.lsa.header.length);
            if !lsas.is_empty() && octets + length > room {
                break;
            }
            outbox.pop(audience);
            if let Audience::Again(router_id) | Audience::Reminded(router_id) = audience {
                // Acknowledged since it was queued?
                let Some(neighbor) = interface
                    .neighbors
                    .get_mut(&router_id)
                    .filter(|neighbor| neighbor.retransmissions.contains(&key))
                else {
                    continue;
                };
                // A reminder does not begin the pause anew: if that was what the neighbour took, and it drops the next
                // change, the reminder of that one comes in time.
                if audience == Audience::Again(router_id) {
                    neighbor.retransmissions.resent(key, now);
                }
            } else {
                entry.sent = Some(now);
            }
            octets += length;
            let age = entry.age(now).saturating_add(delay).min(MAX_AGE);
            lsas.push(entry.lsa.with_age(age));
        }
        if !lsas.is_empty() {
            outbox.sent += octets.div_ceil(FULL_PACKET).max(1);
        }
        Some((destination, lsas))
    }
}
