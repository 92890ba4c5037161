use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{Options, RouterInformation};
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

/// An advertisement. `raw` is the whole of it as it came or as we made it, the age as of then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lsa {
    pub header: LsaHeader,
    pub body: LsaBody,
    pub raw: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LsaBody {
    Router(RouterLsa),
    Network(NetworkLsa),
    /// Types 3 and 4.
    Summary(SummaryLsa),
    /// Types 5 and 7.
    External(ExternalLsa),
    /// Types 9 to 11 that carry router information (RFC 7770).
    RouterInformation(RouterInformation),
    /// Other opaque ones: only their octets matter.
    Opaque,
}

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

/// RFC 2328 A.4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLsa {
    pub mask: Ipv4Addr,
    pub routers: Vec<RouterId>,
}

/// RFC 2328 A.4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryLsa {
    /// Zero in type 4.
    pub mask: Ipv4Addr,
    /// 24 bits.
    pub metric: u32,
}

/// RFC 2328 A.4.5, RFC 3101 for type 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalLsa {
    pub mask: Ipv4Addr,
    /// E: type 2, larger than any cost inside.
    pub type_2: bool,
    /// 24 bits; 0xffffff is LSInfinity: unreachable.
    pub metric: u32,
    /// 0.0.0.0: through the originator.
    pub forwarding_address: Ipv4Addr,
    pub tag: u32,
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
}

impl SequenceNumber {
    /// The first of an LSA (RFC 2328 §12.1.6).
    pub const INITIAL: SequenceNumber = SequenceNumber(-0x7fff_ffff);
    /// The last; the next instance begins anew after a flush.
    pub const MAX: SequenceNumber = SequenceNumber(0x7fff_ffff);
}
