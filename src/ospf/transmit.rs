use std::net::Ipv4Addr;

use super::Router;
use crate::types::Time;
use crate::wire::ospf::Body;

/// Every router on the network hears this (RFC 2328 §A.1).
pub(super) const ALL_SPF_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);
/// Only DR and BDR hear this.
pub(super) const ALL_D_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 6);

impl Router {
    /// Sends one packet: header, authentication and counting are done here.
    pub(super) fn send(
        &mut self,
        _interface: u32,
        _destination: Ipv4Addr,
        _body: Body,
        _now: Time,
    ) {
    }

    pub(super) fn packet_received(
        &mut self,
        _interface: u32,
        _source: Ipv4Addr,
        _destination: Ipv4Addr,
        _packet: &[u8],
        _now: Time,
    ) {
    }
}
