//! The values of MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4).

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::{NextHop, Nlri, SessionFacts};
use crate::types::Family;

/// AFI and SAFI as sent, with what they carry if that family was negotiated. Routes of another
/// family have no receiver here and are not looked at.
pub(super) struct Multiprotocol<T> {
    pub afi: u16,
    pub safi: u8,
    pub routes: Option<T>,
}

pub(super) struct Reach {
    /// `None` if the address cannot be a next hop.
    pub next_hop: Option<NextHop>,
    pub nlri: Vec<Nlri>,
}

pub(super) struct Unreach {
    pub family: Family,
    pub nlri: Vec<Nlri>,
}

/// An attribute whose prefixes cannot be found: the session has to end (RFC 7606 §5.3, §7.11).
pub(super) struct Incorrect;

pub(super) fn read_reach(
    value: &[u8],
    facts: &SessionFacts,
) -> Result<Multiprotocol<Reach>, Incorrect> {
    let [a, b, safi, length, rest @ ..] = value else {
        return Err(Incorrect);
    };
    let (next_hop, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Incorrect)?;
    let (_reserved, field) = rest.split_first().ok_or(Incorrect)?;
    let (afi, safi) = (u16::from_be_bytes([*a, *b]), *safi);
    let routes = match negotiated(afi, safi, facts) {
        Some(family) => Some(Reach {
            next_hop: read_next_hop(next_hop, family, facts)?,
            nlri: Nlri::read_all(field, family, facts.has_path_ids(family))
                .map_err(|_| Incorrect)?,
        }),
        None => None,
    };
    Ok(Multiprotocol { afi, safi, routes })
}

pub(super) fn read_unreach(
    value: &[u8],
    facts: &SessionFacts,
) -> Result<Multiprotocol<Unreach>, Incorrect> {
    let [a, b, safi, field @ ..] = value else {
        return Err(Incorrect);
    };
    let (afi, safi) = (u16::from_be_bytes([*a, *b]), *safi);
    let routes = match negotiated(afi, safi, facts) {
        Some(family) => Some(Unreach {
            family,
            nlri: Nlri::read_all(field, family, facts.has_path_ids(family))
                .map_err(|_| Incorrect)?,
        }),
        None => None,
    };
    Ok(Multiprotocol { afi, safi, routes })
}

fn negotiated(afi: u16, safi: u8, facts: &SessionFacts) -> Option<Family> {
    Family::from_afi_safi(afi, safi).filter(|family| facts.has(*family))
}

/// A length that the family cannot have makes the attribute incorrect (RFC 7606 §7.11); an address
/// that no host can have is `None`, to be answered like a wrong NEXT_HOP.
fn read_next_hop(
    octets: &[u8],
    family: Family,
    facts: &SessionFacts,
) -> Result<Option<NextHop>, Incorrect> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        let address = Ipv4Addr::from(octets);
        return match family {
            Family::Ipv4 => Ok(is_host_v4(address).then_some(NextHop::V4(address))),
            Family::Ipv6 => Err(Incorrect),
        };
    }
    if family == Family::Ipv4 && !facts.extended_next_hop {
        return Err(Incorrect);
    }
    let (first, rest) = octets.split_first_chunk::<16>().ok_or(Incorrect)?;
    let mut global = Ipv6Addr::from(*first);
    let mut link_local = None;
    if !rest.is_empty() {
        let second = Ipv6Addr::from(<[u8; 16]>::try_from(rest).map_err(|_| Incorrect)?);
        // RFC 2545 §3 has only a link-local address in second place.
        link_local = Some(second).filter(|address| address.is_unicast_link_local());
        // Neighbours on link-local addresses alone send zeros for the global one.
        if global.is_unspecified()
            && let Some(address) = link_local.take()
        {
            global = address;
        }
    }
    Ok(is_host_v6(global).then_some(NextHop::V6 { global, link_local }))
}

/// Whether a router can have the address: not 0.0.0.0, class D, class E or broadcast
/// (RFC 4271 §6.3, "a valid IP host address").
pub(super) fn is_host_v4(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && address.octets()[0] < 224
}

fn is_host_v6(address: Ipv6Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast()
}

/// Appends AFI, SAFI, next hop and the reserved octet: all of MP_REACH_NLRI in front of its
/// prefixes.
pub(super) fn write_reach_head(family: Family, next_hop: &NextHop, out: &mut BytesMut) {
    out.put_u16(family.afi());
    out.put_u8(1);
    write_next_hop(next_hop, out);
    out.put_u8(0);
}

/// Appends the length of the next hop and the next hop.
pub(super) fn write_next_hop(next_hop: &NextHop, out: &mut BytesMut) {
    match next_hop {
        NextHop::V4(address) => {
            out.put_u8(4);
            out.put_slice(&address.octets());
        }
        NextHop::V6 { global, link_local } => {
            out.put_u8(if link_local.is_some() { 32 } else { 16 });
            out.put_slice(&global.octets());
            if let Some(address) = link_local {
                out.put_slice(&address.octets());
            }
        }
    }
}

/// Appends AFI and SAFI, the head of MP_UNREACH_NLRI.
pub(super) fn write_unreach_head(family: Family, out: &mut BytesMut) {
    out.put_u16(family.afi());
    out.put_u8(1);
}
