use std::net::Ipv4Addr;

use super::Router;
use crate::types::{RouterId, Time};
use crate::wire::ospf::{Lsa, LsaHeader, LsaKey};

impl Router {
    /// A Link State Update of a neighbour in Exchange or greater (RFC 2328 §13).
    pub(super) fn update_received(
        &mut self,
        _from: (u32, RouterId),
        _lsas: Vec<Lsa>,
        _destination: Ipv4Addr,
        _now: Time,
    ) {
    }

    /// A Link State Request of a neighbour in Exchange or greater (RFC 2328 §10.7).
    pub(super) fn requests_received(
        &mut self,
        _from: (u32, RouterId),
        _keys: Vec<LsaKey>,
        _now: Time,
    ) {
    }

    /// The Database summary list for a neighbour that enters Exchange (RFC 2328 §10.3, NegotiationDone).
    pub(super) fn summarize(
        &mut self,
        _interface: u32,
        _neighbor: RouterId,
        _now: Time,
    ) -> Vec<LsaHeader> {
        Vec::new()
    }

    /// Whether the instance is newer than what is in the database, or there is none (RFC 2328 §10.6).
    /// It is of a neighbour on `interface`.
    pub(super) fn is_newer_than_ours(
        &self,
        _interface: u32,
        header: &LsaHeader,
        now: Time,
    ) -> bool {
        self.database.lacks(header, now)
    }
}
