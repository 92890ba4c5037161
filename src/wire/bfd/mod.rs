//! BFD control packets (RFC 5880 §4).
//!
//! ```text
//! UDP payload ── Packet::parse ── the session's checks ── Packet::verify
//!                (§6.8.6, what a packet alone tells)      (§6.7, with the session's keys)
//! ```
//!
//! Reading and writing allocate nothing: there can be 200 packets a second in each session.

mod authentication;
mod malformed;
mod packet;

pub use authentication::{Algorithm, AuthenticationSection};
pub use malformed::Malformed;
pub use packet::{Diagnostic, Packet, State};
