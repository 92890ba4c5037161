use std::net::Ipv4Addr;

use super::mismatch::{Difference, Stage};
use super::neighbor::NeighborState;
use super::{InterfaceState, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{ALL_D_ROUTERS, ALL_SPF_ROUTERS, Body, ExtendedOptions, Frame};

/// Why a packet is not taken.
enum Refusal {
    /// Nothing that somebody would have to change.
    Counted(&'static str),
    /// What an operator should know.
    Mismatch(Difference),
}

impl Router {
    /// A packet came (RFC 2328 §8.2).
    pub(super) fn packet_received(
        &mut self,
        index: u32,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        packet: &[u8],
        now: Time,
    ) {
        // Who has said farewell is not to be drawn into an adjacency again.
        if self.farewell {
            return self.discard(index, "leaving");
        }
        match self.check(index, source, destination, packet, now) {
            Ok((router_id, body, extended_options)) => {
                let from = (index, router_id);
                self.agrees(index, source, Stage::Authentic);
                self.dispatch(from, source, (body, extended_options), now);
            }
            Err(Refusal::Counted(reason)) => self.discard(index, reason),
            Err(Refusal::Mismatch(why)) => self.refuse(index, source, why, now),
        }
    }

    /// The checks that do not depend on the packet's type.
    fn check(
        &mut self,
        index: u32,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        packet: &[u8],
        now: Time,
    ) -> Result<(RouterId, Body, ExtendedOptions), Refusal> {
        use Refusal::{Counted, Mismatch};
        let wall = self.wall(now);
        let Some(interface) = self.interfaces.get(&index) else { return Err(Counted("interface")) };
        if !interface.state.speaks() {
            return Err(Counted("interface-does-not-speak"));
        }
        let Some((address, network)) = interface.address else {
            return Err(Counted("interface-does-not-speak"));
        };
        // Multicast comes back to the sender.
        if interface.link.addresses.iter().any(|ours| ours.address == source) {
            return Err(Counted("own-packet"));
        }
        let unreadable = |malformed| Mismatch(Difference::Unreadable(malformed));
        let frame = Frame::parse(packet).map_err(unreadable)?;
        let area = self.settings.area.id;
        if frame.area != area {
            return Err(Mismatch(Difference::Area { ours: area, theirs: frame.area }));
        }
        // RFC 2328 leaves this check out on point-to-point links, for unnumbered ones. But who is not on the network
        // is not reachable for the kernel either.
        if !network.contains(&source) {
            return Err(Mismatch(Difference::Network { ours: network }));
        }
        let hears = match destination {
            ALL_SPF_ROUTERS => true,
            ALL_D_ROUTERS => matches!(interface.state, InterfaceState::Dr | InterfaceState::Backup),
            other => other == address,
        };
        if !hears {
            return Err(Counted("not-for-us"));
        }
        let sequence = interface.verify(&frame, source, wall).map_err(Mismatch)?;
        if frame.router_id == self.settings.router_id {
            return Err(Mismatch(Difference::RouterId { both: frame.router_id }));
        }
        if !frame.router_id.is_valid() {
            return Err(Counted("no-router-id"));
        }
        if !self.is_fresh((index, frame.router_id), frame.kind, sequence) {
            return Err(Counted("replayed"));
        }
        let body = frame.body().map_err(unreadable)?;
        let mut extended_options = ExtendedOptions::default();
        if let Some(interface) = self.interfaces.get_mut(&index) {
            interface.counters.received.count(frame.kind);
            match interface.extended_options(&frame, &body, source) {
                Ok(options) => extended_options = options,
                // The packet itself is good (RFC 5613 §2.1).
                Err(reason) => interface.counters.discard(reason),
            }
        }
        Ok((frame.router_id, body, extended_options))
    }

    fn dispatch(
        &mut self,
        from: (u32, RouterId),
        source: Ipv4Addr,
        (body, extended_options): (Body, ExtendedOptions),
        now: Time,
    ) {
        let (index, _) = from;
        if let Body::Hello(hello) = body {
            return self.hello_received(from, source, (hello, extended_options), now);
        }
        let Some(neighbor) = self.neighbor(from).filter(|neighbor| neighbor.address == source)
        else {
            return self.discard(index, "unknown-neighbor");
        };
        let exchanges = neighbor.state >= NeighborState::Exchange;
        match body {
            Body::DatabaseDescription(description) => {
                self.description_received(from, description, now);
            }
            // The others make sense only once the databases are being compared (§10.7, §13, §13.7).
            _ if !exchanges => self.discard(index, "neighbor-state"),
            Body::LinkStateRequest(keys) => self.requests_received(from, keys, now),
            Body::LinkStateUpdate(update) => {
                for malformed in &update.refused {
                    self.discard(index, malformed.name());
                }
                self.grace_received(from, &update.lsas, now);
                self.update_received(from, update.lsas, now);
                self.request_more(from, now);
            }
            Body::LinkStateAcknowledgment(headers) => {
                self.acknowledgments_received(from, headers, now);
            }
            Body::Hello(_) => {}
        }
    }

    /// Counts what is not taken.
    pub(super) fn discard(&mut self, index: u32, reason: &'static str) {
        if let Some(interface) = self.interfaces.get_mut(&index) {
            interface.counters.discard(reason);
        }
    }
}
