//! OSPF packets and link-state advertisements, version 2 (RFC 2328 Appendix A).
//!
//! ```text
//! IP payload ── Frame::parse ── authentication (digest, checksum) ── Frame::body ─┬ Hello
//!               (header)  └ Frame::signalling (RFC 5613)                          ├ DatabaseDescription ── LsaHeader
//!                                                                                 ├ LinkStateRequest ───── LsaKey
//!                                                                                 ├ LinkStateUpdate ────── Lsa ── LsaBody
//!                                                                                 └ LinkStateAcknowledgment ── LsaHeader
//! ```
//!
//! A link-state advertisement keeps its octets as they came ([`Lsa::raw`]): it is flooded as it is, whatever
//! we understand of it. [`Version`] is a value, so that version 3 can join.

mod authentication;
mod checksum;
mod emit;
mod frame;
mod grace;
mod lsa;
mod lsa_body;
mod malformed;
mod packet;
mod router_information;
mod router_lsa;
mod signalling;
mod tlv;

pub use authentication::{Algorithm, AuthenticationField, Signature};
pub use emit::emit;
pub use frame::{Frame, PacketKind};
pub use grace::{Grace, GraceReason};
pub use lsa::{Lsa, LsaHeader, LsaKey, LsaType, SequenceNumber};
pub use lsa_body::{ExternalLsa, LsaBody, NetworkLsa, SummaryLsa};
pub use malformed::Malformed;
pub use packet::{
    ALL_D_ROUTERS, ALL_SPF_ROUTERS, AreaId, Body, DatabaseDescription, Hello, LinkStateUpdate,
    Options, Version,
};
pub use router_information::RouterInformation;
pub use router_lsa::{Link, LinkKind, RouterLsa};
pub use signalling::{ExtendedOptions, LinkLocalSignalling};
