use std::net::Ipv4Addr;

use super::interface::Interface;
use super::{Action, NetworkKind, Router};
use crate::types::Time;
use crate::wire::ospf::{ALL_SPF_ROUTERS, Body, ExtendedOptions, Version, emit};

const IP_HEADER_LENGTH: usize = 20;
const HEADER_LENGTH: usize = 24;
/// What every IPv4 link carries (RFC 791 §3.2).
const LEAST_MTU: usize = 68;

impl Interface {
    /// Octets that the body of a packet may have so that nothing is fragmented.
    pub(super) fn room(&self) -> usize {
        let mtu = usize::try_from(self.link.mtu).unwrap_or(usize::MAX);
        let around = IP_HEADER_LENGTH + HEADER_LENGTH + self.settings.authentication.trailer();
        // An IP datagram has at most 65535 octets.
        mtu.min(usize::from(u16::MAX)).saturating_sub(around).max(LEAST_MTU)
    }

    /// Where a packet for one neighbour goes (RFC 2328 §8.1): on point-to-point networks to all there are.
    pub(super) fn destination(&self, neighbor: Ipv4Addr) -> Ipv4Addr {
        match self.settings.network {
            NetworkKind::PointToPoint => ALL_SPF_ROUTERS,
            _ => neighbor,
        }
    }
}

impl Router {
    /// Sends one packet: header, authentication and counting are done here.
    pub(super) fn send(&mut self, index: u32, destination: Ipv4Addr, body: Body, now: Time) {
        let (sequence, wall) = (self.next_sequence(now), self.wall(now));
        let (router_id, area) = (self.settings.router_id, self.settings.area.id);
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let Some((source, _)) = interface.address else { return };
        if !interface.state.speaks() {
            return;
        }
        let signature = interface.signature(wall, sequence);
        let mut packet = emit(Version::V2, router_id, area, &body, &signature, source);
        let extended_options = interface.settings.extended_options();
        if matches!(body, Body::Hello(_)) && extended_options != ExtendedOptions::default() {
            extended_options.emit(&signature, source, &mut packet);
        }
        let packet = packet.freeze();
        interface.counters.sent.count(body.kind());
        self.actions.push_back(Action::Send { interface: index, source, destination, packet });
    }
}
