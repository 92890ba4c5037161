//! MRT records (RFC 6396): what a router knows or hears, in the form that archives and their tools have. Written, never read.
//!
//! ```text
//! table        PEER_INDEX_TABLE, then one RIB_IPV4_UNICAST or RIB_IPV6_UNICAST per prefix: an entry per path,
//!              which names its peer by the place in the index
//! update log   BGP4MP_ET: MESSAGE or MESSAGE_AS4 with a message as it came, STATE_CHANGE_AS4
//! ```
//!
//! In a table AS numbers have four octets, and MP_REACH_NLRI is cut down to the next hop (§4.3.4). In the log AS_PATH is as
//! the session has it, and the subtype says which way that is. BGP4MP_ET counts in microseconds (§3).

mod log;
mod table;

pub use log::{Ends, emit_message, emit_state_change};
pub use table::{Entry, Peer, emit_peer_index, emit_routes};

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

/// Type codes (§4).
mod kind {
    pub const TABLE_DUMP_V2: u16 = 13;
    pub const BGP4MP_ET: u16 = 17;
}

/// Octets of type, subtype, time and length (§2).
const HEADER_LENGTH: usize = 12;

/// Writes a record around what `body` writes; `seconds` since 1970.
fn record(
    seconds: u32,
    kind: u16,
    subtype: u16,
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    out.put_u32(seconds);
    out.put_u16(kind);
    out.put_u16(subtype);
    out.put_u32(0);
    body(out);
    let length = out.len() - start - HEADER_LENGTH;
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let field = out.iter_mut().skip(start + HEADER_LENGTH - length.len());
    field.zip(length).for_each(|(octet, value)| *octet = value);
}

fn put_address(address: IpAddr, out: &mut BytesMut) {
    match address {
        IpAddr::V4(address) => out.put_slice(&address.octets()),
        IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
}
