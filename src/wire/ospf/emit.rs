use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use super::frame::{AUTHENTICATION, HEADER_LENGTH, autype};
use super::{AreaId, Body, Signature, Version};
use crate::types::RouterId;
use crate::wire::checksum;

/// A whole packet, as it goes behind the IP header. `source` is the address that it is sent from. A body over the
/// 65,511 octets that a packet has room for has no encoding: the caller cuts it to the MTU long before.
pub fn emit(
    version: Version,
    router_id: RouterId,
    area: AreaId,
    body: &Body,
    signature: &Signature<'_>,
    source: Ipv4Addr,
) -> BytesMut {
    let Version::V2 = version;
    let mut out = BytesMut::with_capacity(HEADER_LENGTH + body.length() + 72);
    out.put_u8(2);
    out.put_u8(body.kind().code());
    // Length and checksum are written when they are known.
    out.put_u16(0);
    out.put_u32(router_id.to_bits());
    out.put_u32(area.0);
    out.put_u16(0);
    match signature {
        Signature::Null => {
            out.put_u16(autype::NULL);
            out.put_u64(0);
        }
        Signature::Simple(password) => {
            out.put_u16(autype::SIMPLE);
            out.put_slice(password);
        }
        Signature::Cryptographic { key_id, algorithm, sequence, .. } => {
            out.put_u16(autype::CRYPTOGRAPHIC);
            out.put_u16(0);
            out.put_u8(*key_id);
            out.put_u8(algorithm.digest_length());
            out.put_u32(*sequence);
        }
        Signature::Extended { key_id, algorithm, .. } => {
            out.put_u16(autype::EXTENDED);
            out.put_u16(0);
            out.put_u8(0);
            out.put_u8(algorithm.digest_length());
            out.put_u32(*key_id);
        }
    }
    body.write(&mut out);
    let length = u16::try_from(out.len()).unwrap_or(u16::MAX);
    out[2..4].copy_from_slice(&length.to_be_bytes());
    match signature {
        Signature::Null | Signature::Simple(_) => {
            let sum = checksum::sum(&[&out[..AUTHENTICATION], &out[HEADER_LENGTH..]]);
            out[12..14].copy_from_slice(&sum.to_be_bytes());
        }
        // The digest stands in for the checksum (RFC 2328 §D.4.3).
        Signature::Cryptographic { algorithm, key, .. } => {
            let digest = algorithm.digest(&out, key);
            out.put_slice(&digest);
        }
        Signature::Extended { algorithm, key, sequence, .. } => {
            out.put_u64(*sequence);
            let digest = algorithm.extended_digest(&out, key, source);
            out.put_slice(&digest);
        }
    }
    out
}
