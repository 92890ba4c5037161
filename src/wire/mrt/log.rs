use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use super::{kind, put_address, record};
use crate::types::{Asn, Wall};

/// Subtypes of BGP4MP_ET (§4.4).
mod subtype {
    pub const MESSAGE: u16 = 1;
    pub const MESSAGE_AS4: u16 = 4;
    pub const STATE_CHANGE_AS4: u16 = 5;
}

/// The two ends of a session, of one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub peer_asn: Asn,
    pub local_asn: Asn,
    pub peer: IpAddr,
    pub local: IpAddr,
}

/// Appends a message as it was received (§4.4.2, §4.4.3). `four_octet_as` says how AS numbers stand in it.
pub fn emit_message(
    at: Wall,
    ends: &Ends,
    four_octet_as: bool,
    message: &[u8],
    out: &mut BytesMut,
) {
    let subtype = if four_octet_as { subtype::MESSAGE_AS4 } else { subtype::MESSAGE };
    logged(at, subtype, out, |out| {
        put_ends(ends, four_octet_as, out);
        out.put_slice(message);
    });
}

/// Appends a change of the state of a session (§4.4.4). States by their numbers there, 1 (Idle) to 6 (Established).
pub fn emit_state_change(at: Wall, ends: &Ends, old: u16, new: u16, out: &mut BytesMut) {
    logged(at, subtype::STATE_CHANGE_AS4, out, |out| {
        put_ends(ends, true, out);
        out.put_u16(old);
        out.put_u16(new);
    });
}

/// A record with its time in microseconds (§3).
fn logged(at: Wall, subtype: u16, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let micros = u32::try_from(at.as_micros().rem_euclid(1_000_000)).unwrap_or(0);
    record(at.unix_seconds(), kind::BGP4MP_ET, subtype, out, |out| {
        out.put_u32(micros);
        body(out);
    });
}

fn put_ends(ends: &Ends, four_octet_as: bool, out: &mut BytesMut) {
    for asn in [ends.peer_asn, ends.local_asn] {
        match four_octet_as {
            true => out.put_u32(asn.0),
            false => out.put_u16(asn.two_octets()),
        }
    }
    // The interface is not told.
    out.put_u16(0);
    out.put_u16(if ends.peer.is_ipv6() { 2 } else { 1 });
    put_address(ends.peer, out);
    put_address(ends.local, out);
}
