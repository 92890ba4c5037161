use super::Capability;
use crate::types::{Asn, RouterId};

/// RFC 4271 §4.2, with capabilities (RFC 5492) and extended optional parameters (RFC 9072).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS number in four octets if it sent that capability, else the two-octet field.
    /// Emitted as AS_TRANS in the fixed field where it does not fit.
    pub asn: Asn,
    /// Seconds; 0 or at least 3. (1 and 2 parse as an OPEN error, RFC 4271 §6.2.)
    pub hold_time: u16,
    pub router_id: RouterId,
    /// In the order of the wire, duplicates and unknown ones included.
    pub capabilities: Vec<Capability>,
}
