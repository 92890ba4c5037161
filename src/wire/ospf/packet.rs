use std::fmt;
use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use nom::number::complete::{be_u16, be_u32, u8};
use nom::{IResult, Parser};

use super::frame::HEADER_LENGTH;
use super::malformed::{Fault, Malformed};
use super::{Lsa, LsaHeader, LsaKey, LsaType, PacketKind};
use crate::types::RouterId;

/// The protocol's version, which decides the layout of everything behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V2,
}

/// An area, written like an IPv4 address; 0.0.0.0 is the backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaId(pub u32);

/// The options field (RFC 2328 A.2, RFC 5250 for O, RFC 3101 for N/P, RFC 5613 for L).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Options(pub u8);

/// What is behind the header of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Hello(Hello),
    DatabaseDescription(DatabaseDescription),
    LinkStateRequest(Vec<LsaKey>),
    LinkStateUpdate(LinkStateUpdate),
    LinkStateAcknowledgment(Vec<LsaHeader>),
}

/// RFC 2328 A.3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub network_mask: Ipv4Addr,
    /// Seconds; 0 where Hellos go out more often than once a second.
    pub hello_interval: u16,
    pub options: Options,
    pub priority: u8,
    /// Seconds.
    pub dead_interval: u32,
    /// Interface addresses; 0.0.0.0 for none.
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
    pub neighbors: Vec<RouterId>,
}

/// RFC 2328 A.3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseDescription {
    /// Octets of the largest IP datagram that the interface sends unfragmented.
    pub mtu: u16,
    pub options: Options,
    /// I: the first packet of the exchange.
    pub init: bool,
    /// M: more packets follow.
    pub more: bool,
    /// MS: the sender is the master.
    pub master: bool,
    pub sequence: u32,
    pub headers: Vec<LsaHeader>,
}

/// RFC 2328 A.3.5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStateUpdate {
    pub lsas: Vec<Lsa>,
    /// What was wrong with advertisements that are not among `lsas`. It does not spoil the others (RFC 2328 §13).
    pub refused: Vec<Malformed>,
}

/// All routers of a link (RFC 2328 Appendix A.1).
pub const ALL_SPF_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);
/// The designated router and its backup.
pub const ALL_D_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 6);

impl AreaId {
    pub const BACKBONE: AreaId = AreaId(0);
}

impl Options {
    /// External LSAs are flooded into this area.
    pub const EXTERNAL: Options = Options(0x02);
    /// Type 7 LSAs are; in a type 7 LSA's header the same bit is P: translate into type 5 (RFC 3101 §2.3).
    pub const NSSA: Options = Options(0x08);
    /// A data block for link-local signalling follows the packet (RFC 5613).
    pub const LINK_LOCAL_SIGNALLING: Options = Options(0x10);
    /// Opaque LSAs are understood; set in Database Description packets (RFC 5250 §3.1).
    pub const OPAQUE: Options = Options(0x40);

    pub fn contains(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn with(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }
}

impl From<Vec<Lsa>> for LinkStateUpdate {
    fn from(lsas: Vec<Lsa>) -> LinkStateUpdate {
        LinkStateUpdate { lsas, refused: Vec::new() }
    }
}

/// Bits of a Database Description.
mod flag {
    pub const MASTER: u8 = 0x01;
    pub const MORE: u8 = 0x02;
    pub const INIT: u8 = 0x04;
}

fn address(input: &[u8]) -> IResult<&[u8], Ipv4Addr> {
    be_u32.map(Ipv4Addr::from_bits).parse(input)
}

/// A Hello without its neighbours.
fn hello(input: &[u8]) -> IResult<&[u8], Hello> {
    (address, be_u16, u8, u8, be_u32, address, address)
        .map(
            |(
                network_mask,
                hello_interval,
                options,
                priority,
                dead_interval,
                designated,
                backup,
            )| {
                Hello {
                    network_mask,
                    hello_interval,
                    options: Options(options),
                    priority,
                    dead_interval,
                    designated,
                    backup,
                    neighbors: Vec::new(),
                }
            },
        )
        .parse(input)
}

/// A Database Description without its headers.
fn database_description(input: &[u8]) -> IResult<&[u8], DatabaseDescription> {
    (be_u16, u8, u8, be_u32)
        .map(|(mtu, options, flags, sequence)| DatabaseDescription {
            mtu,
            options: Options(options),
            init: flags & flag::INIT != 0,
            more: flags & flag::MORE != 0,
            master: flags & flag::MASTER != 0,
            sequence,
            headers: Vec::new(),
        })
        .parse(input)
}

impl Body {
    pub fn kind(&self) -> PacketKind {
        match self {
            Body::Hello(_) => PacketKind::Hello,
            Body::DatabaseDescription(_) => PacketKind::DatabaseDescription,
            Body::LinkStateRequest(_) => PacketKind::LinkStateRequest,
            Body::LinkStateUpdate(_) => PacketKind::LinkStateUpdate,
            Body::LinkStateAcknowledgment(_) => PacketKind::LinkStateAcknowledgment,
        }
    }

    /// Reads what is behind a packet's header.
    pub(super) fn read(kind: PacketKind, body: &[u8]) -> Result<Body, Malformed> {
        let truncated = |part| Malformed::new(Fault::Truncated, part, body.len());
        Ok(match kind {
            PacketKind::Hello => {
                const PART: &str = "Hello";
                let (rest, mut hello) = hello(body).map_err(|_| truncated(PART))?;
                let (neighbors, rest) = rest.as_chunks();
                exact(rest, body, PART)?;
                hello.neighbors =
                    neighbors.iter().map(|id| RouterId(Ipv4Addr::from(*id))).collect();
                Body::Hello(hello)
            }
            PacketKind::DatabaseDescription => {
                const PART: &str = "Database Description";
                let (rest, mut description) =
                    database_description(body).map_err(|_| truncated(PART))?;
                description.headers = headers(rest, body, PART)?;
                Body::DatabaseDescription(description)
            }
            PacketKind::LinkStateRequest => Body::LinkStateRequest(requests(body)?),
            PacketKind::LinkStateUpdate => Body::LinkStateUpdate(LinkStateUpdate::read(body)?),
            PacketKind::LinkStateAcknowledgment => {
                Body::LinkStateAcknowledgment(headers(body, body, "Link State Acknowledgment")?)
            }
        })
    }

    /// Octets, without the packet's header.
    pub(super) fn length(&self) -> usize {
        match self {
            Body::Hello(hello) => 20 + 4 * hello.neighbors.len(),
            Body::DatabaseDescription(description) => {
                8 + LsaHeader::LENGTH * description.headers.len()
            }
            Body::LinkStateRequest(keys) => REQUEST_LENGTH * keys.len(),
            Body::LinkStateUpdate(update) => {
                4 + update.lsas.iter().map(|lsa| usize::from(lsa.header.length)).sum::<usize>()
            }
            Body::LinkStateAcknowledgment(headers) => LsaHeader::LENGTH * headers.len(),
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Body::Hello(hello) => {
                out.put_slice(&hello.network_mask.octets());
                out.put_u16(hello.hello_interval);
                out.put_u8(hello.options.0);
                out.put_u8(hello.priority);
                out.put_u32(hello.dead_interval);
                out.put_slice(&hello.designated.octets());
                out.put_slice(&hello.backup.octets());
                hello.neighbors.iter().for_each(|id| out.put_u32(id.to_bits()));
            }
            Body::DatabaseDescription(description) => {
                out.put_u16(description.mtu);
                out.put_u8(description.options.0);
                let flags = [
                    (description.init, flag::INIT),
                    (description.more, flag::MORE),
                    (description.master, flag::MASTER),
                ];
                out.put_u8(flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum());
                out.put_u32(description.sequence);
                description.headers.iter().for_each(|header| header.write(out));
            }
            Body::LinkStateRequest(keys) => {
                for key in keys {
                    out.put_u32(u32::from(key.kind.0));
                    out.put_slice(&key.link_state_id.octets());
                    out.put_u32(key.advertising_router.to_bits());
                }
            }
            Body::LinkStateUpdate(update) => {
                out.put_u32(u32::try_from(update.lsas.len()).unwrap_or(u32::MAX));
                update.lsas.iter().for_each(|lsa| lsa.write(out));
            }
            Body::LinkStateAcknowledgment(headers) => {
                headers.iter().for_each(|header| header.write(out));
            }
        }
    }
}

impl LinkStateUpdate {
    fn read(body: &[u8]) -> Result<LinkStateUpdate, Malformed> {
        const PART: &str = "Link State Update";
        let truncated = || Malformed::new(Fault::Truncated, PART, body.len());
        let (count, mut rest) = body.split_first_chunk().ok_or_else(truncated)?;
        let mut update = LinkStateUpdate::default();
        for _ in 0..u32::from_be_bytes(*count) {
            let offset = body.len() - rest.len();
            let (header, _) = LsaHeader::read(rest).ok_or_else(truncated)?;
            let length = usize::from(header.length);
            // Where the next one begins is then unknown as well: the packet ends here.
            let bad = || Malformed::new(Fault::LsaLength(length), PART, offset + 18);
            if length < LsaHeader::LENGTH {
                return Err(bad());
            }
            let (octets, behind) = rest.split_at_checked(length).ok_or_else(bad)?;
            match Lsa::parse(octets) {
                Ok(lsa) => update.lsas.push(lsa),
                Err(malformed) => {
                    update.refused.push(malformed.behind(HEADER_LENGTH + offset));
                }
            }
            rest = behind;
        }
        Ok(update)
    }
}

/// Octets of what names an LSA in a request.
const REQUEST_LENGTH: usize = 12;

fn requests(body: &[u8]) -> Result<Vec<LsaKey>, Malformed> {
    const PART: &str = "Link State Request";
    let (requests, rest) = body.as_chunks::<REQUEST_LENGTH>();
    exact(rest, body, PART)?;
    let key = |(index, request): (usize, &[u8; REQUEST_LENGTH])| {
        let [a, b, c, kind, i0, i1, i2, i3, router @ ..] = *request;
        // Types have 32 bits here, and 8 elsewhere.
        if [a, b, c] != [0; 3] {
            let kind = u32::from_be_bytes([a, b, c, kind]);
            return Err(Malformed::new(Fault::LsaType(kind), PART, REQUEST_LENGTH * index));
        }
        Ok(LsaKey {
            kind: LsaType(kind),
            link_state_id: Ipv4Addr::new(i0, i1, i2, i3),
            advertising_router: RouterId(Ipv4Addr::from(router)),
        })
    };
    requests.iter().enumerate().map(key).collect()
}

/// The LSA headers that fill `rest`, the end of `body`.
fn headers(rest: &[u8], body: &[u8], part: &'static str) -> Result<Vec<LsaHeader>, Malformed> {
    let (headers, behind) = rest.as_chunks::<{ LsaHeader::LENGTH }>();
    exact(behind, body, part)?;
    Ok(headers
        .iter()
        .filter_map(|header| LsaHeader::read(header))
        .map(|(header, _)| header)
        .collect())
}

/// Nothing may be left over.
fn exact(rest: &[u8], body: &[u8], part: &'static str) -> Result<(), Malformed> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(Malformed::new(Fault::Length(body.len()), part, body.len() - rest.len()))
}

impl fmt::Display for AreaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from_bits(self.0).fmt(f)
    }
}
