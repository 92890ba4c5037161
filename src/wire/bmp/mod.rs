//! BMP messages (RFC 7854): what a router tells a collector of its sessions and tables. Written, never read.
//!
//! ```text
//! Initiation ─ Peer Up ─ Route Monitoring … ─ End-of-RIB ─ Route Monitoring … ─ Peer Down ─ … ─ Termination
//!                per neighbour, and for Loc-RIB one that stands for ourselves
//! ```
//!
//! Which table a route is of stands in the header of each message ([`Table`]): Adj-RIB-In after the policies (RFC 7854 §4.2), Adj-RIB-Out
//! after the policies (RFC 8671 §4) or Loc-RIB (RFC 9069 §4). AS numbers always have four octets.

mod message;
mod peer;

pub use message::{
    Down, PeerUp, emit_end_of_rib, emit_initiation, emit_peer_down, emit_peer_up, emit_routes,
    emit_termination,
};
pub use peer::{PeerHeader, Table};

use bytes::{BufMut, BytesMut};

const VERSION: u8 = 3;
/// Octets of version, length and type (§4.1).
const HEADER_LENGTH: usize = 6;

/// Message types (§4.1).
mod kind {
    pub const ROUTE_MONITORING: u8 = 0;
    pub const PEER_DOWN: u8 = 2;
    pub const PEER_UP: u8 = 3;
    pub const INITIATION: u8 = 4;
    pub const TERMINATION: u8 = 5;
}

/// Writes a message around what `body` writes.
fn message(kind: u8, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u8(VERSION);
    out.put_u32(0);
    out.put_u8(kind);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX).to_be_bytes();
    let field = out.iter_mut().skip(start + 1).take(HEADER_LENGTH - 2);
    field.zip(length).for_each(|(octet, value)| *octet = value);
}
