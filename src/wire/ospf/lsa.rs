use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
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
    /// Shared by all copies: two words here, and one allocation.
    raw: Arc<[u8]>,
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
        Ok(Lsa { header, body, raw: Arc::from(octets) })
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
        Lsa { header, body, raw: Arc::from(&out[..]) }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::ospf::{ExternalLsa, Grace, GraceReason, Link, LinkKind, SummaryLsa};

    /// An advertisement with any octets behind its header, and the right checksum.
    fn lsa(kind: LsaType, link_state_id: [u8; 4], content: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        LsaHeader {
            age: 7,
            options: Options::EXTERNAL,
            key: LsaKey {
                kind,
                link_state_id: link_state_id.into(),
                advertising_router: RouterId::from_bits(1),
            },
            sequence: SequenceNumber::INITIAL,
            checksum: 0,
            length: (LsaHeader::LENGTH + content.len()) as u16,
        }
        .write(&mut out);
        out.put_slice(content);
        let sum = checksum::fletcher(&out[AGE_LENGTH..]);
        out[16..18].copy_from_slice(&sum.to_be_bytes());
        out.to_vec()
    }

    fn written(lsa: &Lsa) -> Vec<u8> {
        let mut out = BytesMut::new();
        lsa.write(&mut out);
        out.to_vec()
    }

    fn refused(octets: &[u8]) -> &'static str {
        Lsa::parse(octets).unwrap_err().name()
    }

    #[test]
    fn metrics_by_tos_are_read_over() {
        let link = |id: u8, tos: &[[u8; 4]]| {
            let head = [10, 0, 0, id, 255, 255, 255, 0, 3, tos.len() as u8, 0, id];
            [&head[..], &tos.concat()].concat()
        };
        let content = [&[0, 0, 0, 2][..], &link(1, &[[8, 0, 0, 99]; 2]), &link(2, &[])].concat();
        let octets = lsa(LsaType::ROUTER, [0; 4], &content);
        let parsed = Lsa::parse(&octets).unwrap();
        let LsaBody::Router(router) = &parsed.body else { panic!("{parsed:?}") };
        let stub = |id| Link {
            kind: LinkKind::Stub,
            id: Ipv4Addr::new(10, 0, 0, id),
            data: Ipv4Addr::new(255, 255, 255, 0),
            metric: id.into(),
        };
        assert_eq!(router.links, [stub(1), stub(2)]);
        assert_eq!(written(&parsed), octets);
        // As many links as the count says, and TOS metrics as many as each link says.
        for missing in [1, 12, 16, 24] {
            let cut = &content[..content.len() - missing];
            assert_eq!(refused(&lsa(LsaType::ROUTER, [0; 4], cut)), "truncated");
        }

        let tos = [9, 0, 0, 1];
        let content = [&[255, 255, 255, 0, 77, 0, 0, 20][..], &tos].concat();
        let parsed = Lsa::parse(&lsa(LsaType::SUMMARY_NETWORK, [0; 4], &content)).unwrap();
        let mask = Ipv4Addr::new(255, 255, 255, 0);
        assert_eq!(parsed.body, LsaBody::Summary(SummaryLsa { mask, metric: 20 }));

        let plain = [255, 255, 255, 0, 0x80, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 5];
        let content = [&plain[..], &[0x88, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        let parsed = Lsa::parse(&lsa(LsaType::EXTERNAL, [0; 4], &content)).unwrap();
        let forwarding_address = Ipv4Addr::UNSPECIFIED;
        let external = ExternalLsa { mask, type_2: true, metric: 20, forwarding_address, tag: 5 };
        assert_eq!(parsed.body, LsaBody::External(external));
    }

    #[test]
    fn a_routers_bits_are_told_apart() {
        let bits = |octet| {
            let parsed = Lsa::parse(&lsa(LsaType::ROUTER, [0; 4], &[octet, 0, 0, 0])).unwrap();
            let LsaBody::Router(router) = parsed.body else { panic!("{parsed:?}") };
            [router.border, router.boundary, router.virtual_link, router.translator]
        };
        assert_eq!(bits(0x01), [true, false, false, false]);
        assert_eq!(bits(0x02), [false, true, false, false]);
        assert_eq!(bits(0x04), [false, false, true, false]);
        assert_eq!(bits(0x10), [false, false, false, true]);
        assert_eq!(bits(0xe8), [false; 4]);
    }

    /// RFC 3623 Appendix A: period and reason must be there, and it is of type 9.
    #[test]
    fn a_grace_lsa_is_whole_or_opaque() {
        let period = [0, 1, 0, 4, 0, 0, 0, 120];
        let reason = [0, 2, 0, 1, 1, 0, 0, 0];
        let body =
            |kind, content: &[u8]| Lsa::parse(&lsa(kind, [3, 0, 0, 0], content)).unwrap().body;
        let whole = [period, reason].concat();
        let grace = Grace { period: 120, reason: GraceReason::SoftwareRestart, address: None };
        assert_eq!(body(LsaType::OPAQUE_LINK, &whole), LsaBody::Grace(grace));
        assert_eq!(body(LsaType::OPAQUE_AREA, &whole), LsaBody::Opaque);
        assert_eq!(body(LsaType::OPAQUE_LINK, &period), LsaBody::Opaque);
        assert_eq!(body(LsaType::OPAQUE_LINK, &reason), LsaBody::Opaque);
        assert_eq!(body(LsaType::OPAQUE_LINK, &whole[..10]), LsaBody::Opaque);
    }

    /// RFC 2328 §12.1.7: zero is no checksum, though the sums may hold with it.
    #[test]
    fn a_checksum_of_zero_is_refused() {
        let mut octets = (0..=u16::MAX)
            .map(|content| lsa(LsaType::OPAQUE_AREA, [0; 4], &content.to_be_bytes()))
            .find(|octets| octets[16..18] == [255, 255])
            .unwrap();
        assert!(Lsa::parse(&octets).is_ok());
        octets[16..18].fill(0);
        assert!(checksum::fletcher_holds(&octets[AGE_LENGTH..]));
        assert_eq!(refused(&octets), "bad-lsa-checksum");
    }

    #[test]
    fn links_of_an_unknown_kind_are_read_over() {
        let content = [0, 0, 0, 1, 10, 0, 0, 1, 10, 0, 0, 2, 9, 0, 0, 1];
        let parsed = Lsa::parse(&lsa(LsaType::ROUTER, [0; 4], &content)).unwrap();
        assert_eq!(parsed.body, LsaBody::Router(Default::default()));
        assert_eq!(parsed.content(), content);
    }

    #[test]
    fn what_is_no_advertisement_is_refused_by_name() {
        let good = lsa(LsaType::NETWORK, [10, 0, 0, 1], &[255, 255, 255, 0, 1, 1, 1, 1]);
        assert!(Lsa::parse(&good).is_ok());
        assert_eq!(refused(&good[..19]), "truncated");
        assert_eq!(refused(&good[..27]), "bad-lsa-length");
        // A zero behind it changes neither sum.
        let router = lsa(LsaType::ROUTER, [0; 4], &[0; 4]);
        assert!(Lsa::parse(&router).is_ok());
        assert_eq!(refused(&[&router[..], &[0]].concat()), "bad-lsa-length");
        for octet in (0..good.len()).filter(|octet| !(18..20).contains(octet)) {
            let mut changed = good.clone();
            changed[octet] ^= 4;
            // The age is not covered.
            assert_eq!(Lsa::parse(&changed).is_ok(), octet < AGE_LENGTH, "octet {octet}");
        }
        assert_eq!(refused(&lsa(LsaType(6), [0; 4], &[0; 4])), "bad-lsa-type");
        assert_eq!(refused(&lsa(LsaType::NETWORK, [0; 4], &[0; 7])), "bad-lsa-length");
        assert_eq!(refused(&lsa(LsaType::NETWORK, [0; 4], &[0; 3])), "truncated");
        assert_eq!(refused(&lsa(LsaType::NSSA, [0; 4], &[0; 15])), "truncated");
        assert_eq!(refused(&lsa(LsaType::ROUTER, [0; 4], &[0, 0, 255, 255])), "truncated");
    }

    #[test]
    fn an_older_copy_has_the_same_content() {
        let young = Lsa::parse(&lsa(LsaType::OPAQUE_AREA, [200, 0, 0, 1], &[1, 2, 3])).unwrap();
        let old = young.with_age(3600);
        assert_ne!(old, young);
        assert!(old.same_content(&young));
        assert_eq!(old.header.checksum, young.header.checksum);
        let octets = written(&old);
        assert_eq!(octets[..2], 3600u16.to_be_bytes());
        assert_eq!(octets[2..], written(&young)[2..]);
        assert_eq!(Lsa::parse(&octets).unwrap(), old);

        let again = Lsa::parse(&lsa(LsaType::OPAQUE_AREA, [200, 0, 0, 1], &[1, 2, 4])).unwrap();
        assert!(!again.same_content(&young));
        let mut other = young.clone();
        other.header.options = Options::default();
        assert!(!other.same_content(&young));
    }

    /// Ten thousand externals are a usual size of a database.
    #[test]
    fn an_advertisement_is_small() {
        assert!(size_of::<Lsa>() <= 80, "{}", size_of::<Lsa>());
    }

    proptest! {
        #[test]
        fn any_content_is_kept_as_it_came(
            kind in 0u8..12,
            link_state_id: [u8; 4],
            content in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let octets = lsa(LsaType(kind), link_state_id, &content);
            match Lsa::parse(&octets) {
                Ok(lsa) => {
                    prop_assert_eq!(written(&lsa), octets);
                    prop_assert_eq!(lsa.content(), content);
                }
                Err(_) => prop_assert!(!LsaType(kind).is_opaque()),
            }
        }
    }
}
