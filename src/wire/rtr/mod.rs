//! The RPKI-to-Router protocol: octets ↔ PDUs of versions 1 (RFC 8210) and 0 (RFC 6810).
//!
//! ```text
//! TCP ── Decoder ── Pdu, or the Error Report that answers what is there instead ── rpki::Session
//! ```
//!
//! A cache sends half a million PDUs of one prefix each when it is asked for everything, so they are read without
//! allocation.

mod decoder;
mod error;
mod pdu;

pub use decoder::Decoder;
pub use error::{ErrorCode, ErrorReport};
pub use pdu::{Pdu, Serial, SessionId, Timing, Version, Vrp};
