//! OSPF packets and link-state advertisements, version 2 (RFC 2328 Appendix A).
//!
//! ```text
//! IP payload ── Frame::parse ── authentication (digest, checksum) ── Frame::body ─┬ Hello
//!               (header)                                                          ├ DatabaseDescription ── LsaHeader
//!                                                                                 ├ LinkStateRequest ───── LsaKey
//!                                                                                 ├ LinkStateUpdate ────── Lsa ── LsaBody
//!                                                                                 └ LinkStateAcknowledgment ── LsaHeader
//! ```
//!
//! A link-state advertisement keeps its octets as they came ([`Lsa::raw`]): it is flooded as it is, whatever
//! we understand of it. [`Version`] is a value, so that version 3 can join.

mod authentication;
mod lsa;
mod packet;
mod router_information;

pub use authentication::Algorithm;
pub use lsa::{
    ExternalLsa, Link, LinkKind, Lsa, LsaBody, LsaHeader, LsaKey, LsaType, NetworkLsa, RouterLsa,
    SequenceNumber, SummaryLsa,
};
pub use packet::{AreaId, Body, DatabaseDescription, Hello, Options, Version};
pub use router_information::RouterInformation;
