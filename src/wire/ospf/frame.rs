use std::fmt;
use std::net::Ipv4Addr;

use nom::number::complete::{be_u16, be_u32, u8};
use nom::{IResult, Parser};

use super::authentication::AuthenticationField;
use super::malformed::{Fault, Malformed};
use super::{Algorithm, AreaId, Body, LinkLocalSignalling, Options, Version};
use crate::types::RouterId;
use crate::wire::checksum;
use crate::wire::comparison::same;

/// The type of a packet (RFC 2328 A.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PacketKind {
    Hello,
    DatabaseDescription,
    LinkStateRequest,
    LinkStateUpdate,
    LinkStateAcknowledgment,
}

/// A packet whose header has been read, and whose body has not: that is worth reading only once the packet is known
/// to come from whom it says.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub version: Version,
    pub kind: PacketKind,
    pub router_id: RouterId,
    pub area: AreaId,
    pub authentication: AuthenticationField,
    /// The packet as far as its length field counts it.
    packet: &'a [u8],
    /// All that the digest covers: the packet and, with AuType 3, the sequence number behind it.
    signed: &'a [u8],
    digest: &'a [u8],
    /// What follows packet and digest.
    behind: &'a [u8],
}

/// Octets of the header.
pub(super) const HEADER_LENGTH: usize = 24;
/// Where the 64 bits of authentication begin, to the end of the header.
pub(super) const AUTHENTICATION: usize = 16;
/// Octets of AuType 3's sequence number.
const SEQUENCE_LENGTH: usize = 8;

/// AuType (IANA "OSPF Authentication Codes").
pub(super) mod autype {
    pub const NULL: u16 = 0;
    pub const SIMPLE: u16 = 1;
    pub const CRYPTOGRAPHIC: u16 = 2;
    pub const EXTENDED: u16 = 3;
}

struct Header {
    version: u8,
    kind: u8,
    length: u16,
    router_id: u32,
    area: u32,
    autype: u16,
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    (u8, u8, be_u16, be_u32, be_u32, be_u16, be_u16)
        .map(|(version, kind, length, router_id, area, _checksum, autype)| Header {
            version,
            kind,
            length,
            router_id,
            area,
            autype,
        })
        .parse(input)
}

impl<'a> Frame<'a> {
    /// Reads the header of what is behind the IP header. Without a digest the checksum is verified. What follows a
    /// packet and its digest, such as a block for link-local signalling (RFC 5613), is ignored.
    pub fn parse(payload: &'a [u8]) -> Result<Frame<'a>, Malformed> {
        const PART: &str = "packet header";
        let truncated = || Malformed::new(Fault::Truncated, PART, payload.len());
        let (rest, header) = header(payload).map_err(|_| truncated())?;
        let (&field, _) = rest.split_first_chunk::<8>().ok_or_else(truncated)?;
        if header.version != 2 {
            return Err(Malformed::new(Fault::Version(header.version), PART, 0));
        }
        let Some(kind) = PacketKind::from_code(header.kind) else {
            return Err(Malformed::new(Fault::Type(header.kind), PART, 1));
        };
        let length = usize::from(header.length);
        let bad_length = || Malformed::new(Fault::Length(length), PART, 2);
        if length < HEADER_LENGTH {
            return Err(bad_length());
        }
        let (packet, behind) = payload.split_at_checked(length).ok_or_else(bad_length)?;

        let no_digest = || Malformed::new(Fault::Truncated, "message digest", payload.len());
        let digest = |after: &'a [u8], length: u8| after.split_at_checked(usize::from(length));
        let [_, _, key_id, digest_length, sequence @ ..] = field;
        let (authentication, signed, (digest, behind)) = match header.autype {
            autype::NULL => (AuthenticationField::Null, packet, (&[][..], behind)),
            autype::SIMPLE => (AuthenticationField::Simple(field), packet, (&[][..], behind)),
            autype::CRYPTOGRAPHIC => {
                let sequence = u32::from_be_bytes(sequence);
                let digest = digest(behind, digest_length).ok_or_else(no_digest)?;
                let field = AuthenticationField::Cryptographic { key_id, digest_length, sequence };
                (field, packet, digest)
            }
            // The key id has grown into the place of the sequence number, which has grown and gone behind the packet
            // (RFC 7474 §3).
            autype::EXTENDED => {
                let key_id = u32::from_be_bytes(sequence);
                let (&sequence, behind) = behind.split_first_chunk().ok_or_else(no_digest)?;
                let sequence = u64::from_be_bytes(sequence);
                let signed = payload.get(..length + SEQUENCE_LENGTH).ok_or_else(no_digest)?;
                let digest = digest(behind, digest_length).ok_or_else(no_digest)?;
                (AuthenticationField::Extended { key_id, digest_length, sequence }, signed, digest)
            }
            unknown => return Err(Malformed::new(Fault::AuthenticationType(unknown), PART, 14)),
        };
        let summed = matches!(header.autype, autype::NULL | autype::SIMPLE);
        if summed && checksum::sum(&[&packet[..AUTHENTICATION], &packet[HEADER_LENGTH..]]) != 0 {
            return Err(Malformed::new(Fault::Checksum, PART, 12));
        }
        Ok(Frame {
            version: Version::V2,
            kind,
            router_id: RouterId::from_bits(header.router_id),
            area: AreaId(header.area),
            authentication,
            packet,
            signed,
            digest,
            behind,
        })
    }

    /// Whether the digest is the one that the key makes. False for a packet without a digest. `source` is the IP
    /// packet's, which AuType 3 covers.
    pub fn verify(&self, algorithm: Algorithm, key: &[u8], source: Ipv4Addr) -> bool {
        let digest = match self.authentication {
            AuthenticationField::Null | AuthenticationField::Simple(_) => return false,
            AuthenticationField::Cryptographic { .. } => algorithm.digest(self.signed, key),
            AuthenticationField::Extended { .. } => {
                algorithm.extended_digest(self.signed, key, source)
            }
        };
        same(&digest, self.digest)
    }

    /// Whether the packet carries this password (RFC 2328 §D.5.2). False for one with another AuType.
    pub fn has_password(&self, password: &[u8; 8]) -> bool {
        match &self.authentication {
            AuthenticationField::Simple(carried) => same(carried, password),
            _ => false,
        }
    }

    /// The block for link-local signalling (RFC 5613 §2), which a Hello or Database Description has whose options have
    /// the L bit. If the packet has a digest, the block is to be [verified](LinkLocalSignalling::verify). A block that
    /// is not good is no fault of the packet.
    pub fn signalling(&self, body: &Body) -> Result<Option<LinkLocalSignalling<'a>>, Malformed> {
        let options = match body {
            Body::Hello(hello) => hello.options,
            Body::DatabaseDescription(description) => description.options,
            _ => return Ok(None),
        };
        if !options.contains(Options::LINK_LOCAL_SIGNALLING) {
            return Ok(None);
        }
        LinkLocalSignalling::read(self.behind, self.authentication).map(Some)
    }

    /// Reads what is behind the header.
    pub fn body(&self) -> Result<Body, Malformed> {
        Body::read(self.kind, &self.packet[HEADER_LENGTH..])
            .map_err(|malformed| malformed.behind(HEADER_LENGTH))
    }
}

impl PacketKind {
    fn from_code(code: u8) -> Option<PacketKind> {
        Some(match code {
            1 => PacketKind::Hello,
            2 => PacketKind::DatabaseDescription,
            3 => PacketKind::LinkStateRequest,
            4 => PacketKind::LinkStateUpdate,
            5 => PacketKind::LinkStateAcknowledgment,
            _ => return None,
        })
    }

    pub(super) fn code(self) -> u8 {
        match self {
            PacketKind::Hello => 1,
            PacketKind::DatabaseDescription => 2,
            PacketKind::LinkStateRequest => 3,
            PacketKind::LinkStateUpdate => 4,
            PacketKind::LinkStateAcknowledgment => 5,
        }
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PacketKind::Hello => "Hello",
            PacketKind::DatabaseDescription => "Database Description",
            PacketKind::LinkStateRequest => "Link State Request",
            PacketKind::LinkStateUpdate => "Link State Update",
            PacketKind::LinkStateAcknowledgment => "Link State Acknowledgment",
        })
    }
}
