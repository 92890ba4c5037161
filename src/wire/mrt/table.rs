use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use super::{kind, put_address, record};
use crate::types::{Asn, Family, Prefix, RouterId};
use crate::wire::bgp::{Attributes, emit_table_attributes};

/// Subtypes of TABLE_DUMP_V2 (§4.3).
mod subtype {
    pub const PEER_INDEX_TABLE: u16 = 1;
    pub const RIB_IPV4_UNICAST: u16 = 2;
    pub const RIB_IPV6_UNICAST: u16 = 4;
}

/// Peer Type (§4.3.1).
mod peer_type {
    pub const IPV6: u8 = 1;
    pub const FOUR_OCTET_AS: u8 = 2;
}

/// Who routes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// 0.0.0.0 if it is not known.
    pub router_id: RouterId,
    pub address: IpAddr,
    pub asn: Asn,
}

/// One path to a prefix (§4.3.4).
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its place in the index of peers.
    pub peer: u16,
    /// Seconds since 1970.
    pub originated: u32,
    pub attributes: &'a Attributes,
}

/// Appends the record that stands at the beginning of a table (§4.3.1). Of more than 65535 peers the first count.
pub fn emit_peer_index(seconds: u32, collector: RouterId, peers: &[Peer], out: &mut BytesMut) {
    let count = u16::try_from(peers.len()).unwrap_or(u16::MAX);
    record(seconds, kind::TABLE_DUMP_V2, subtype::PEER_INDEX_TABLE, out, |out| {
        out.put_u32(collector.to_bits());
        // The view has no name.
        out.put_u16(0);
        out.put_u16(count);
        for peer in peers.iter().take(count.into()) {
            let family = if peer.address.is_ipv6() { peer_type::IPV6 } else { 0 };
            out.put_u8(family | peer_type::FOUR_OCTET_AS);
            out.put_u32(peer.router_id.to_bits());
            put_address(peer.address, out);
            out.put_u32(peer.asn.0);
        }
    });
}

/// Appends the paths of one prefix (§4.3.2). `sequence` counts from 0 in each table. An attribute set of more than 65535
/// octets has no place in a table; its entry is left out.
pub fn emit_routes(
    seconds: u32,
    sequence: u32,
    prefix: Prefix,
    entries: &[Entry<'_>],
    out: &mut BytesMut,
) {
    let subtype = match prefix.family() {
        Family::Ipv4 => subtype::RIB_IPV4_UNICAST,
        Family::Ipv6 => subtype::RIB_IPV6_UNICAST,
    };
    record(seconds, kind::TABLE_DUMP_V2, subtype, out, |out| {
        out.put_u32(sequence);
        put_prefix(prefix, out);
        let mut list = BytesMut::new();
        let mut attributes = BytesMut::with_capacity(256);
        let mut count = 0;
        for entry in entries {
            attributes.clear();
            emit_table_attributes(entry.attributes, &mut attributes);
            let Ok(length) = u16::try_from(attributes.len()) else { continue };
            list.put_u16(entry.peer);
            list.put_u32(entry.originated);
            list.put_u16(length);
            list.put_slice(&attributes);
            count += 1;
        }
        out.put_u16(count);
        out.put_slice(&list);
    });
}

fn put_prefix(prefix: Prefix, out: &mut BytesMut) {
    let octets = usize::from(prefix.length().div_ceil(8));
    let mut address = BytesMut::with_capacity(16);
    put_address(prefix.address(), &mut address);
    out.put_u8(prefix.length());
    out.extend(address.iter().take(octets));
}
