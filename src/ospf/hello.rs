use std::net::Ipv4Addr;
use std::time::Duration;

use super::interface::Interface;
use super::mismatch::{Difference, Stage};
use super::neighbor::{Neighbor, NeighborEvent};
use super::settings::{AreaKind, InterfaceSettings};
use super::{InterfaceState, NetworkKind, Router, Watch};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{ALL_SPF_ROUTERS, Body, ExtendedOptions, Hello, Options};

/// More routers on one network are not taken: what a liar can fill is bounded.
const MOST_NEIGHBORS: usize = 256;

impl InterfaceSettings {
    /// What our Hellos say in a block behind them.
    pub(super) fn extended_options(&self) -> ExtendedOptions {
        if self.bfd == Watch::Strict {
            ExtendedOptions::STRICT_BFD
        } else {
            ExtendedOptions::default()
        }
    }

    /// HelloInterval as Hellos carry it: seconds, 0 for less than one.
    fn hello_field(&self) -> u16 {
        u16::try_from(self.hello_interval.as_secs()).unwrap_or(u16::MAX)
    }

    /// RouterDeadInterval as Hellos carry it, in seconds. With Hellos more often than once a second it is one second
    /// on every router, and only how many Hellos fit into it is each router's own choice.
    fn dead_field(&self) -> u32 {
        if self.hello_field() == 0 {
            return 1;
        }
        u32::try_from(self.dead_interval.as_secs()).unwrap_or(u32::MAX)
    }
}

impl AreaKind {
    /// What every Hello and Database Description of the area says of it (RFC 2328 §A.2, RFC 3101 §2.4).
    pub(super) fn options(self) -> Options {
        match self {
            AreaKind::Normal => Options::EXTERNAL,
            AreaKind::Stub => Options::default(),
            AreaKind::Nssa => Options::NSSA,
        }
    }
}

impl Interface {
    fn hello(&self, options: Options, leaving: bool) -> Hello {
        let neighbors = if leaving { Vec::new() } else { self.named() };
        let signals = self.settings.extended_options() != ExtendedOptions::default();
        let block = Options::LINK_LOCAL_SIGNALLING;
        let options = if signals { options.with(block) } else { options };
        Hello {
            network_mask: self
                .address
                .map_or(Ipv4Addr::UNSPECIFIED, |(_, network)| network.netmask()),
            hello_interval: self.settings.hello_field(),
            options,
            priority: self.settings.priority,
            dead_interval: self.settings.dead_field(),
            designated: self.designated,
            backup: self.backup,
            neighbors,
        }
    }

    /// What keeps the Hello from being taken (RFC 2328 §10.5).
    fn disagreement(&self, hello: &Hello, kind: AreaKind) -> Option<Difference> {
        let (_, network) = self.address?;
        let (ours, theirs) = (network.netmask(), hello.network_mask);
        if self.settings.network != NetworkKind::PointToPoint && ours != theirs {
            return Some(Difference::NetworkMask { ours, theirs });
        }
        let (ours, theirs) = (self.settings.hello_field(), hello.hello_interval);
        if ours != theirs {
            return Some(Difference::HelloInterval { ours, theirs });
        }
        let (ours, theirs) = (self.settings.dead_field(), hello.dead_interval);
        if ours != theirs {
            return Some(Difference::DeadInterval { ours, theirs });
        }
        let has = |options: Options, bit| options.contains(bit);
        let ours = has(kind.options(), Options::NSSA);
        if ours != has(hello.options, Options::NSSA) {
            return Some(Difference::Nssa { ours });
        }
        let ours = has(kind.options(), Options::EXTERNAL);
        if ours != has(hello.options, Options::EXTERNAL) {
            return Some(Difference::External { ours });
        }
        None
    }
}

impl Router {
    /// Sends a Hello (RFC 2328 §9.5), and sets when the next one is due.
    pub(super) fn send_hello(&mut self, index: u32, now: Time) {
        let options = self.settings.area.kind.options();
        let leaving = self.farewell;
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        if !interface.state.speaks() {
            return;
        }
        // A little less than the interval, so that routers that began together do not go on so.
        let wait = self.rng.jitter(interface.settings.hello_interval, 90, 100);
        interface.hello_due = Some(now + wait);
        let hello = interface.hello(options, leaving);
        self.send(index, ALL_SPF_ROUTERS, Body::Hello(hello), now);
    }

    /// Tells the neighbours that we are gone, instead of letting them wait for the dead interval.
    pub(super) fn send_farewell(&mut self, index: u32, now: Time) {
        let options = self.settings.area.kind.options();
        let Some(interface) = self.interfaces.get(&index) else { return };
        let hello = interface.hello(options, true);
        self.send(index, ALL_SPF_ROUTERS, Body::Hello(hello), now);
    }

    /// A Hello that is authentic (RFC 2328 §10.5).
    pub(super) fn hello_received(
        &mut self,
        from: (u32, RouterId),
        source: Ipv4Addr,
        (hello, extended_options): (Hello, ExtendedOptions),
        now: Time,
    ) {
        let (index, router_id) = from;
        let kind = self.settings.area.kind;
        let ours = self.settings.router_id;
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        if let Some(why) = interface.disagreement(&hello, kind) {
            return self.refuse(index, source, why, now);
        }
        let point_to_point = interface.settings.network == NetworkKind::PointToPoint;
        let full = interface.neighbors.len() >= MOST_NEIGHBORS;
        let dead_at = now + interface.settings.dead_interval;
        let known = interface.neighbors.get_mut(&router_id);
        let appeared = known.is_none();
        match known {
            Some(neighbor) if neighbor.address != source && !point_to_point => {
                // Another router with the same id, or the same one with another address: the first one keeps the
                // place until it is silent.
                let why = Difference::RouterId { both: router_id };
                return self.refuse(index, source, why, now);
            }
            Some(neighbor) => {
                neighbor.address = source;
                neighbor.dead_at = dead_at;
            }
            None if full => return self.discard(index, "too-many-neighbors"),
            None => {
                let neighbor = Neighbor::new(router_id, source, &hello, dead_at, now);
                interface.neighbors.insert(router_id, neighbor);
            }
        }
        let at_its_place = |old: &&Neighbor| old.address == source && old.router_id != router_id;
        let old = interface.neighbors.values().find(at_its_place).map(|old| old.router_id);
        if let Some(old) = old {
            self.neighbor_event((index, old), NeighborEvent::KillNeighbor, now);
        }
        self.agrees(index, source, Stage::Hello);
        let hears_us = hello.neighbors.contains(&ours);
        if let Some(neighbor) = self.neighbor_mut(from) {
            let strict = extended_options.contains(ExtendedOptions::STRICT_BFD);
            let was_strict = std::mem::replace(&mut neighbor.strict_bfd, strict);
            neighbor.hears_us = hears_us;
            self.watch_stale |= was_strict != strict;
        }

        if !hears_us {
            let lost = self.neighbor_event(from, NeighborEvent::OneWayReceived, now);
            // The neighbour need not wait for our next Hello to see itself.
            let helped = self.neighbor(from).is_some_and(|n| n.helped_until().is_some());
            if appeared || lost || helped {
                self.send_hello(index, now);
            }
            return;
        }
        let before = self.neighbor(from).map(claims);
        // Who is helped over a restart stays what it was: DR, if it was that (RFC 3623 §3.1).
        if let Some(neighbor) = self.neighbor_mut(from).filter(|n| n.helped_until().is_none()) {
            neighbor.priority = hello.priority;
            neighbor.designated = hello.designated;
            neighbor.backup = hello.backup;
        }
        let after = self.neighbor(from).map(claims);
        if appeared {
            self.send_hello(index, now);
        }
        let risen = self.neighbor_event(from, NeighborEvent::TwoWayReceived, now);

        let Some(interface) = self.interfaces.get(&index) else { return };
        let (designated, backup) = (hello.designated == source, hello.backup == source);
        if let InterfaceState::Waiting { .. } = interface.state {
            // BackupSeen: there is a BDR already, or a DR that has none.
            if backup || (designated && hello.backup.is_unspecified()) {
                self.elect(index, now);
            }
        } else if before != after && !risen {
            self.neighbors_changed(index, now);
        }
    }

    /// The interval between Hellos may have become shorter.
    pub(super) fn hasten_hello(&mut self, index: u32, now: Time) {
        if let Some(interface) = self.interfaces.get_mut(&index) {
            let latest = now + interface.settings.hello_interval.max(Duration::from_millis(1));
            interface.hello_due = interface.hello_due.map(|due| due.min(latest));
        }
    }
}

/// What an election depends on (RFC 2328 §9.2, NeighborChange): priority, and whether it claims to be DR and BDR.
fn claims(neighbor: &Neighbor) -> (u8, bool, bool) {
    let address = neighbor.address;
    (neighbor.priority, neighbor.designated == address, neighbor.backup == address)
}
