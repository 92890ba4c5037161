use std::fmt;
use std::net::Ipv4Addr;

use bytes::{BufMut, Bytes, BytesMut};
use nom::number::complete::{be_i32, be_u16, be_u32, u8};
use nom::{IResult, Parser};

use super::lsa_body::LsaBody;
use super::malformed::{Fault, Malformed};
use super::{Options, checksum};
use crate::types::RouterId;

/// The LS type (RFC 2328 A.4.1, RFC 3101, RFC 5250). Types we do not know exist only long enough to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LsaType(pub u8);

/// What names an advertisement, whatever its instance (RFC 2328 §12.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LsaKey {
    pub kind: LsaType,
    pub link_state_id: Ipv4Addr,
    pub advertising_router: RouterId,
}

/// LS sequence number (RFC 2328 §12.1.6): signed, so that the derived order is the order of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(pub i32);

/// RFC 2328 A.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LsaHeader {
    /// Seconds, with the DoNotAge bit if set.
    pub age: u16,
    pub options: Options,
    pub key: LsaKey,
    pub sequence: SequenceNumber,
    pub checksum: u16,
    /// Octets, header included.
    pub length: u16,
}

/// An advertisement, with its octets as they came or as we made them. [`Lsa::header`]`.age` is its age; the one among
/// the octets counts for nothing, so that one copy of them serves at any age.
#[derive(Clone, Debug)]
pub struct Lsa {
    pub header: LsaHeader,
    pub body: LsaBody,
    raw: Bytes,
}

impl LsaType {
    pub const ROUTER: LsaType = LsaType(1);
    pub const NETWORK: LsaType = LsaType(2);
    pub const SUMMARY_NETWORK: LsaType = LsaType(3);
    pub const SUMMARY_BOUNDARY: LsaType = LsaType(4);
    pub const EXTERNAL: LsaType = LsaType(5);
    pub const NSSA: LsaType = LsaType(7);
    pub const OPAQUE_LINK: LsaType = LsaType(9);
    pub const OPAQUE_AREA: LsaType = LsaType(10);
    pub const OPAQUE_AS: LsaType = LsaType(11);

    /// Whether we can keep it. A neighbour that lists another one in a Database Description is out of order (RFC 2328
    /// §10.6).
    pub fn is_known(self) -> bool {
        matches!(self.0, 1..=5 | 7 | 9..=11)
    }

    pub fn is_opaque(self) -> bool {
        matches!(self.0, 9..=11)
    }
}

impl LsaKey {
    /// The opaque type, the first octet of an opaque LSA's link state id (RFC 5250 §3). `None` for other LSAs.
    pub fn opaque_type(&self) -> Option<u8> {
        let [opaque_type, ..] = self.link_state_id.octets();
        self.kind.is_opaque().then_some(opaque_type)
    }
}

impl SequenceNumber {
    /// The first of an LSA (RFC 2328 §12.1.6).
    pub const INITIAL: SequenceNumber = SequenceNumber(-0x7fff_ffff);
    /// The last; the next instance begins anew after a flush.
    pub const MAX: SequenceNumber = SequenceNumber(0x7fff_ffff);
}

fn header(input: &[u8]) -> IResult<&[u8], LsaHeader> {
    (be_u16, u8, u8, be_u32, be_u32, be_i32, be_u16, be_u16)
        .map(|(age, options, kind, id, router, sequence, checksum, length)| LsaHeader {
            age,
            options: Options(options),
            key: LsaKey {
                kind: LsaType(kind),
                link_state_id: Ipv4Addr::from_bits(id),
                advertising_router: RouterId::from_bits(router),
            },
            sequence: SequenceNumber(sequence),
            checksum,
            length,
        })
        .parse(input)
}

impl LsaHeader {
    /// Octets.
    pub const LENGTH: usize = 20;

    /// Reads a header and returns what is behind it. Nothing in it is judged.
    pub(super) fn read(input: &[u8]) -> Option<(LsaHeader, &[u8])> {
        header(input).ok().map(|(rest, header)| (header, rest))
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u16(self.age);
        out.put_u8(self.options.0);
        out.put_u8(self.key.kind.0);
        out.put_slice(&self.key.link_state_id.octets());
        out.put_u32(self.key.advertising_router.to_bits());
        out.put_i32(self.sequence.0);
        out.put_u16(self.checksum);
        out.put_u16(self.length);
    }
}

/// Octets of the age, which the checksum leaves out.
const AGE_LENGTH: usize = 2;

impl Lsa {
    /// Reads an advertisement: `octets` are exactly as many as its length says. The checksum is verified, the type is
    /// known and the body can be read (RFC 2328 §13 (1) and (2)).
    pub fn parse(octets: &[u8]) -> Result<Lsa, Malformed> {
        const PART: &str = "LSA header";
        let (header, body) =
            LsaHeader::read(octets).ok_or(Malformed::new(Fault::Truncated, PART, octets.len()))?;
        let length = usize::from(header.length);
        if length != octets.len() {
            return Err(Malformed::new(Fault::LsaLength(length), PART, 18));
        }
        if header.checksum == 0 || !checksum::fletcher_holds(&octets[AGE_LENGTH..]) {
            return Err(Malformed::new(Fault::LsaChecksum, PART, 16));
        }
        let body = LsaBody::read(&header.key, body)
            .map_err(|malformed| malformed.behind(LsaHeader::LENGTH))?;
        // Octets of its own: a slice of the packet would keep all of that in memory.
        Ok(Lsa { header, body, raw: Bytes::copy_from_slice(octets) })
    }

    /// An advertisement of ours. The body must go with the key's type; an [`LsaBody::Opaque`] is empty. One over
    /// 65,535 octets has no encoding.
    pub fn new(
        age: u16,
        options: Options,
        key: LsaKey,
        sequence: SequenceNumber,
        body: LsaBody,
    ) -> Lsa {
        let mut out = BytesMut::with_capacity(LsaHeader::LENGTH + body.length());
        let mut header = LsaHeader { age, options, key, sequence, checksum: 0, length: 0 };
        header.write(&mut out);
        body.write(&mut out);
        header.length = u16::try_from(out.len()).unwrap_or(u16::MAX);
        out[18..20].copy_from_slice(&header.length.to_be_bytes());
        header.checksum = checksum::fletcher(&out[AGE_LENGTH..]);
        out[16..18].copy_from_slice(&header.checksum.to_be_bytes());
        Lsa { header, body, raw: out.freeze() }
    }

    /// The same instance at another age, with the same octets.
    pub fn with_age(&self, age: u16) -> Lsa {
        Lsa { header: LsaHeader { age, ..self.header }, ..self.clone() }
    }

    /// Whether both say the same: the options and all behind the header (RFC 2328 §13.2). Age, sequence number and
    /// checksum may differ.
    pub fn same_content(&self, other: &Lsa) -> bool {
        self.header.options == other.header.options && self.content() == other.content()
    }

    /// What is behind the header.
    pub fn content(&self) -> &[u8] {
        self.raw.get(LsaHeader::LENGTH..).unwrap_or_default()
    }

    /// The octets without the age.
    fn ageless(&self) -> &[u8] {
        self.raw.get(AGE_LENGTH..).unwrap_or_default()
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u16(self.header.age);
        out.put_slice(self.ageless());
    }
}

/// The same instance at the same age.
impl PartialEq for Lsa {
    fn eq(&self, other: &Lsa) -> bool {
        self.header == other.header && self.ageless() == other.ageless()
    }
}

impl Eq for Lsa {}

impl fmt::Display for LsaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            LsaType::ROUTER => "router",
            LsaType::NETWORK => "network",
            LsaType::SUMMARY_NETWORK => "summary",
            LsaType::SUMMARY_BOUNDARY => "asbr-summary",
            LsaType::EXTERNAL => "external",
            LsaType::NSSA => "nssa-external",
            LsaType::OPAQUE_LINK => "opaque-link",
            LsaType::OPAQUE_AREA => "opaque-area",
            LsaType::OPAQUE_AS => "opaque-as",
            LsaType(other) => return write!(f, "type-{other}"),
        })
    }
}

/// `router 10.0.0.1 of 10.0.0.1`.
impl fmt::Display for LsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.kind, self.link_state_id, self.advertising_router)
    }
}
