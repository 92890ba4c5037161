use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use crate::types::{Asn, RouterId, Wall};

/// Peer types (RFC 7854 §4.2, RFC 9069 §4.1).
mod peer_type {
    pub const GLOBAL: u8 = 0;
    pub const LOC_RIB: u8 = 3;
}

/// Peer flags (RFC 7854 §4.2, RFC 8671 §4).
mod flag {
    pub const IPV6: u8 = 0x80;
    pub const POST_POLICY: u8 = 0x40;
    pub const ADJ_RIB_OUT: u8 = 0x10;
}

/// Which table a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// What a neighbour told and we took, as it is after the import.
    In,
    /// What a neighbour is sent.
    Out,
    /// What we use. Its peer is ourselves.
    Local,
}

/// The Per-Peer Header (RFC 7854 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerHeader {
    pub table: Table,
    /// Of the neighbour. Loc-RIB has none.
    pub address: Option<IpAddr>,
    pub asn: Asn,
    pub router_id: RouterId,
}

impl PeerHeader {
    /// For routes.
    pub(super) fn write(&self, at: Wall, out: &mut BytesMut) {
        let flags = match self.table {
            Table::In => flag::POST_POLICY,
            Table::Out => flag::POST_POLICY | flag::ADJ_RIB_OUT,
            Table::Local => 0,
        };
        self.write_with(flags, at, out);
    }

    /// For the session, which is the same for all tables of a neighbour (RFC 8671 §5).
    pub(super) fn write_of_session(&self, at: Wall, out: &mut BytesMut) {
        self.write_with(0, at, out);
    }

    fn write_with(&self, flags: u8, at: Wall, out: &mut BytesMut) {
        let family = match self.address {
            Some(IpAddr::V6(_)) => flag::IPV6,
            Some(IpAddr::V4(_)) | None => 0,
        };
        out.put_u8(match self.table {
            Table::In | Table::Out => peer_type::GLOBAL,
            Table::Local => peer_type::LOC_RIB,
        });
        out.put_u8(family | flags);
        // Distinguisher: the table of the default instance.
        out.put_u64(0);
        put_address(self.address, out);
        out.put_u32(self.asn.0);
        out.put_u32(self.router_id.to_bits());
        out.put_u32(at.unix_seconds());
        out.put_u32(u32::try_from(at.as_micros().rem_euclid(1_000_000)).unwrap_or(0));
    }
}

/// Sixteen octets; an IPv4 address is the last four of them.
pub(super) fn put_address(address: Option<IpAddr>, out: &mut BytesMut) {
    match address {
        Some(IpAddr::V6(address)) => out.put_slice(&address.octets()),
        Some(IpAddr::V4(address)) => {
            out.put_bytes(0, 12);
            out.put_slice(&address.octets());
        }
        None => out.put_bytes(0, 16),
    }
}
