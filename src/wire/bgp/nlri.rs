use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};
use ipnet::{Ipv4Net, Ipv6Net};

use crate::types::{Family, Prefix};

/// One prefix on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nlri {
    pub prefix: Prefix,
    /// RFC 7911; `None` where the session has no path identifiers.
    pub path_id: Option<u32>,
}

impl From<Prefix> for Nlri {
    fn from(prefix: Prefix) -> Nlri {
        Nlri { prefix, path_id: None }
    }
}

/// A field of prefixes that cannot be divided into prefixes (RFC 7606 §5.3).
pub(super) struct Unreadable;

impl Nlri {
    /// Reads a whole field of prefixes. Bits behind a prefix's length have no meaning
    /// (RFC 4271 §4.3) and are cut off.
    pub(super) fn read_all(
        mut field: &[u8],
        family: Family,
        path_ids: bool,
    ) -> Result<Vec<Nlri>, Unreadable> {
        // Most IPv4 prefixes take four octets, most IPv6 ones seven.
        let typical = match family {
            Family::Ipv4 => 4,
            Family::Ipv6 => 7,
        };
        let mut all = Vec::with_capacity(field.len().div_ceil(typical));
        while !field.is_empty() {
            let mut path_id = None;
            if path_ids {
                let (id, rest) = field.split_first_chunk::<4>().ok_or(Unreadable)?;
                path_id = Some(u32::from_be_bytes(*id));
                field = rest;
            }
            let (length, rest) = field.split_first().ok_or(Unreadable)?;
            let octets = usize::from(length.div_ceil(8));
            let (address, rest) = rest.split_at_checked(octets).ok_or(Unreadable)?;
            let prefix = match family {
                Family::Ipv4 => {
                    let address = Ipv4Addr::from(padded::<4>(address).ok_or(Unreadable)?);
                    Ipv4Net::new(address, *length).map(Prefix::from)
                }
                Family::Ipv6 => {
                    let address = Ipv6Addr::from(padded::<16>(address).ok_or(Unreadable)?);
                    Ipv6Net::new(address, *length).map(Prefix::from)
                }
            };
            all.push(Nlri { prefix: prefix.map_err(|_| Unreadable)?, path_id });
            field = rest;
        }
        Ok(all)
    }

    /// Appends the prefix; a missing path identifier is sent as 0.
    pub(super) fn write(&self, path_ids: bool, out: &mut BytesMut) {
        if path_ids {
            out.put_u32(self.path_id.unwrap_or_default());
        }
        let length = self.prefix.length();
        let octets = usize::from(length.div_ceil(8));
        out.put_u8(length);
        match self.prefix {
            Prefix::V4(net) => put_front(&net.addr().octets(), octets, out),
            Prefix::V6(net) => put_front(&net.addr().octets(), octets, out),
        }
    }

    /// Octets that [`Nlri::write`] appends.
    pub(super) fn written_length(&self, path_ids: bool) -> usize {
        1 + usize::from(self.prefix.length().div_ceil(8)) + if path_ids { 4 } else { 0 }
    }
}

/// The octets with zeros behind them; `None` if there are more than `N`.
fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    if octets.len() > N {
        return None;
    }
    let mut all = [0; N];
    // For so few octets a loop is faster than copying a slice.
    all.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    Some(all)
}

fn put_front(octets: &[u8], count: usize, out: &mut BytesMut) {
    out.put_slice(octets.get(..count).unwrap_or(octets));
}
