use super::Router;
use crate::types::{RouterId, Time};
use crate::wire::ospf::LsaHeader;

impl Router {
    /// A Link State Acknowledgment of a neighbour in Exchange or greater (RFC 2328 §13.7).
    pub(super) fn acknowledgments_received(
        &mut self,
        _from: (u32, RouterId),
        _headers: Vec<LsaHeader>,
        _now: Time,
    ) {
    }
}
