use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use nom::number::complete::be_u32;
use nom::{IResult, Parser};

use super::malformed::{Fault, Malformed};
use super::{Grace, LsaKey, LsaType, RouterInformation, RouterLsa};
use crate::types::RouterId;

/// What an advertisement says, as far as we read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LsaBody {
    Router(RouterLsa),
    Network(NetworkLsa),
    /// Types 3 and 4.
    Summary(SummaryLsa),
    /// Types 5 and 7.
    External(ExternalLsa),
    /// Opaque ones that carry router information (RFC 7770).
    RouterInformation(Box<RouterInformation>),
    /// Link-local opaque ones that ask for a graceful restart (RFC 3623).
    Grace(Grace),
    /// Other opaque ones: only their octets matter.
    Opaque,
}

/// RFC 2328 A.4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLsa {
    pub mask: Ipv4Addr,
    pub routers: Vec<RouterId>,
}

/// RFC 2328 A.4.4. Metrics by TOS, which RFC 2328 has deprecated, are read over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryLsa {
    /// Zero in type 4.
    pub mask: Ipv4Addr,
    /// 24 bits.
    pub metric: u32,
}

/// RFC 2328 A.4.5, RFC 3101 for type 7. Metrics by TOS are read over.
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

/// The metrics of types 3 to 5 and 7.
const METRIC: u32 = 0x00ff_ffff;
/// E, in the octet before an external metric.
const TYPE_2: u32 = 0x8000_0000;

/// Opaque types (IANA "Opaque Link-State Advertisements (LSA) Option Types").
mod opaque_type {
    pub const GRACE: u8 = 3;
    pub const ROUTER_INFORMATION: u8 = 4;
}

fn address(input: &[u8]) -> IResult<&[u8], Ipv4Addr> {
    be_u32.map(Ipv4Addr::from_bits).parse(input)
}

fn summary(input: &[u8]) -> IResult<&[u8], SummaryLsa> {
    (address, be_u32)
        .map(|(mask, metric)| SummaryLsa { mask, metric: metric & METRIC })
        .parse(input)
}

fn external(input: &[u8]) -> IResult<&[u8], ExternalLsa> {
    (address, be_u32, address, be_u32)
        .map(|(mask, metric, forwarding_address, tag)| ExternalLsa {
            mask,
            type_2: metric & TYPE_2 != 0,
            metric: metric & METRIC,
            forwarding_address,
            tag,
        })
        .parse(input)
}

impl LsaBody {
    /// Reads what is behind an LSA's header. Octets too many are kept, and read over.
    pub(super) fn read(key: &LsaKey, body: &[u8]) -> Result<LsaBody, Malformed> {
        let truncated = |part| Malformed::new(Fault::Truncated, part, body.len());
        match key.kind {
            LsaType::ROUTER => RouterLsa::read(body).map(LsaBody::Router),
            LsaType::NETWORK => NetworkLsa::read(body).map(LsaBody::Network),
            LsaType::SUMMARY_NETWORK | LsaType::SUMMARY_BOUNDARY => summary(body)
                .map(|(_, summary)| LsaBody::Summary(summary))
                .map_err(|_| truncated("summary-LSA")),
            LsaType::EXTERNAL | LsaType::NSSA => external(body)
                .map(|(_, external)| LsaBody::External(external))
                .map_err(|_| truncated("external LSA")),
            LsaType::OPAQUE_LINK | LsaType::OPAQUE_AREA | LsaType::OPAQUE_AS => {
                Ok(LsaBody::read_opaque(key, body))
            }
            LsaType(unknown) => Err(Malformed::new(Fault::LsaType(unknown.into()), "LSA", 0)),
        }
    }

    /// An opaque LSA is flooded whatever is in it; what does not make sense to us stays opaque.
    fn read_opaque(key: &LsaKey, body: &[u8]) -> LsaBody {
        match key.opaque_type() {
            Some(opaque_type::ROUTER_INFORMATION) => RouterInformation::read(body)
                .map(|information| LsaBody::RouterInformation(Box::new(information))),
            Some(opaque_type::GRACE) if key.kind == LsaType::OPAQUE_LINK => {
                Grace::read(body).map(LsaBody::Grace)
            }
            _ => None,
        }
        .unwrap_or(LsaBody::Opaque)
    }

    /// Octets, about.
    pub(super) fn length(&self) -> usize {
        match self {
            LsaBody::Router(router) => 4 + 12 * router.links.len(),
            LsaBody::Network(network) => 4 + 4 * network.routers.len(),
            LsaBody::Summary(_) => 8,
            LsaBody::External(_) => 16,
            LsaBody::RouterInformation(_) | LsaBody::Grace(_) | LsaBody::Opaque => 64,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            LsaBody::Router(router) => router.write(out),
            LsaBody::Network(network) => {
                out.put_slice(&network.mask.octets());
                network.routers.iter().for_each(|router| out.put_u32(router.to_bits()));
            }
            LsaBody::Summary(summary) => {
                out.put_slice(&summary.mask.octets());
                out.put_u32(summary.metric.min(METRIC));
            }
            LsaBody::External(external) => {
                out.put_slice(&external.mask.octets());
                let bit = if external.type_2 { TYPE_2 } else { 0 };
                out.put_u32(external.metric.min(METRIC) | bit);
                out.put_slice(&external.forwarding_address.octets());
                out.put_u32(external.tag);
            }
            LsaBody::RouterInformation(information) => information.write(out),
            LsaBody::Grace(grace) => grace.write(out),
            LsaBody::Opaque => {}
        }
    }
}

impl NetworkLsa {
    fn read(body: &[u8]) -> Result<NetworkLsa, Malformed> {
        const PART: &str = "network-LSA";
        let (mask, routers) =
            body.split_first_chunk().ok_or(Malformed::new(Fault::Truncated, PART, body.len()))?;
        let (routers, rest) = routers.as_chunks();
        if !rest.is_empty() {
            return Err(Malformed::new(Fault::LsaLength(body.len()), PART, body.len()));
        }
        let routers = routers.iter().map(|id| RouterId(Ipv4Addr::from(*id))).collect();
        Ok(NetworkLsa { mask: Ipv4Addr::from(*mask), routers })
    }
}
