use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use nom::bytes::complete::take;
use nom::number::complete::{be_u16, be_u32, u8};
use nom::{IResult, Parser};

use super::malformed::{Fault, Malformed};

/// RFC 2328 A.4.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterLsa {
    /// V: end of a virtual link.
    pub virtual_link: bool,
    /// E: originates externals.
    pub boundary: bool,
    /// B: area border router.
    pub border: bool,
    /// Nt: translates type 7 unconditionally (RFC 3101 §2.4).
    pub translator: bool,
    pub links: Vec<Link>,
}

/// One link of a router-LSA. TOS metrics are read over (RFC 2328 has deprecated them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub kind: LinkKind,
    /// Neighbour's router id, the DR's address, or a stub network's address.
    pub id: Ipv4Addr,
    /// Our interface address; a stub network's mask; the interface index if unnumbered.
    pub data: Ipv4Addr,
    pub metric: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    PointToPoint,
    Transit,
    Stub,
    Virtual,
}

mod flag {
    pub const BORDER: u8 = 0x01;
    pub const BOUNDARY: u8 = 0x02;
    pub const VIRTUAL_LINK: u8 = 0x04;
    pub const TRANSLATOR: u8 = 0x10;
}

/// A link; `None` if it is of a kind that we do not know, and that cannot be followed.
fn link(input: &[u8]) -> IResult<&[u8], Option<Link>> {
    let (rest, (id, data, kind, metrics, metric)) =
        (be_u32, be_u32, u8, u8, be_u16).parse(input)?;
    // Each TOS metric has four octets.
    let (rest, _) = take(4 * usize::from(metrics)).parse(rest)?;
    let link = LinkKind::from_code(kind).map(|kind| Link {
        kind,
        id: Ipv4Addr::from_bits(id),
        data: Ipv4Addr::from_bits(data),
        metric,
    });
    Ok((rest, link))
}

impl RouterLsa {
    pub(super) fn read(body: &[u8]) -> Result<RouterLsa, Malformed> {
        let truncated = |_: nom::Err<nom::error::Error<&[u8]>>| {
            Malformed::new(Fault::Truncated, "router-LSA", body.len())
        };
        let (mut rest, (flags, _, count)) = (u8, u8, be_u16).parse(body).map_err(truncated)?;
        // The count is not believed before the octets are there.
        let mut links = Vec::with_capacity(usize::from(count).min(rest.len() / 12));
        for _ in 0..count {
            let (behind, link) = link(rest).map_err(truncated)?;
            links.extend(link);
            rest = behind;
        }
        Ok(RouterLsa {
            virtual_link: flags & flag::VIRTUAL_LINK != 0,
            boundary: flags & flag::BOUNDARY != 0,
            border: flags & flag::BORDER != 0,
            translator: flags & flag::TRANSLATOR != 0,
            links,
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        let flags = [
            (self.virtual_link, flag::VIRTUAL_LINK),
            (self.boundary, flag::BOUNDARY),
            (self.border, flag::BORDER),
            (self.translator, flag::TRANSLATOR),
        ];
        out.put_u8(flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum());
        out.put_u8(0);
        out.put_u16(u16::try_from(self.links.len()).unwrap_or(u16::MAX));
        for link in &self.links {
            out.put_slice(&link.id.octets());
            out.put_slice(&link.data.octets());
            out.put_u8(link.kind.code());
            out.put_u8(0);
            out.put_u16(link.metric);
        }
    }
}

impl LinkKind {
    fn from_code(code: u8) -> Option<LinkKind> {
        Some(match code {
            1 => LinkKind::PointToPoint,
            2 => LinkKind::Transit,
            3 => LinkKind::Stub,
            4 => LinkKind::Virtual,
            _ => return None,
        })
    }

    fn code(self) -> u8 {
        match self {
            LinkKind::PointToPoint => 1,
            LinkKind::Transit => 2,
            LinkKind::Stub => 3,
            LinkKind::Virtual => 4,
        }
    }
}
