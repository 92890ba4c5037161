//! What router-, network-, summary- and external-LSAs tell about, by prefix.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use smallvec::SmallVec;

use super::graph::{Graph, Lsas, Vertex};
use crate::types::RouterId;
use crate::wire::ospf::{ExternalLsa, LinkKind, LsaKey, LsaType};

/// LSInfinity of summary- and external-LSAs (RFC 2328 Appendix B).
pub(super) const INFINITY: u32 = 0xff_ffff;

/// The prefix of an address and a mask, if its ones are in front.
fn prefix(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Ipv4Net> {
    Ipv4Net::with_netmask(address, mask).ok().map(|prefix| prefix.trunc())
}

/// The networks of which router-, network- and summary-LSAs tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    /// Sorted by prefix.
    announced: Vec<(Ipv4Net, Announcer)>,
    /// AS boundary routers elsewhere (type 4), sorted by router id.
    boundaries: Vec<(RouterId, Announcer)>,
    /// Bit n: there are prefixes of length n.
    lengths: u64,
}

/// A way to a network or AS boundary router.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcer {
    /// Not in this area, but behind a border router.
    pub beyond: bool,
    pub vertex: Vertex,
    /// From there on.
    pub cost: u32,
    pub router: RouterId,
}

impl Networks {
    pub fn new(lsas: &Lsas<'_>, graph: &Graph) -> Networks {
        let mut networks = Networks::default();
        for (&((id, router), lsa), vertex) in lsas.networks.iter().zip(0..) {
            let announced = Announcer { beyond: false, vertex, cost: 0, router };
            networks.announced.extend(prefix(id, lsa.mask).map(|prefix| (prefix, announced)));
        }
        for &(router, lsa) in &lsas.routers {
            let Some(vertex) = graph.router(router) else { continue };
            for link in lsa.links.iter().filter(|link| link.kind == LinkKind::Stub) {
                let cost = u32::from(link.metric);
                let announced = Announcer { beyond: false, vertex, cost, router };
                let prefix = prefix(link.id, link.data);
                networks.announced.extend(prefix.map(|prefix| (prefix, announced)));
            }
        }
        for (key, lsa) in lsas.summaries.iter().filter(|(_, lsa)| lsa.metric < INFINITY) {
            let router = key.advertising_router;
            let Some(vertex) = graph.border(router) else { continue };
            let announced = Announcer { beyond: true, vertex, cost: lsa.metric, router };
            if key.kind == LsaType::SUMMARY_NETWORK {
                let prefix = prefix(key.link_state_id, lsa.mask);
                networks.announced.extend(prefix.map(|prefix| (prefix, announced)));
            } else {
                networks.boundaries.push((RouterId(key.link_state_id), announced));
            }
        }
        networks.announced.sort_by_key(|(prefix, _)| *prefix);
        networks.boundaries.sort_by_key(|(router, _)| *router);
        networks.lengths = networks
            .announced
            .iter()
            .fold(0, |lengths, (prefix, _)| lengths | 1 << prefix.prefix_len());
        networks
    }

    /// Every prefix, in order, with who tells of it.
    pub fn by_prefix(&self) -> impl Iterator<Item = (Ipv4Net, &[(Ipv4Net, Announcer)])> {
        self.announced.chunk_by(|one, other| one.0 == other.0).map(|same| (same[0].0, same))
    }

    /// How long prefixes are, the longest first.
    pub fn lengths(&self) -> impl Iterator<Item = u8> {
        let lengths = self.lengths;
        (0..=32).rev().filter(move |length| lengths & 1 << length != 0)
    }

    pub fn of(&self, prefix: Ipv4Net) -> &[(Ipv4Net, Announcer)] {
        let begin = self.announced.partition_point(|(other, _)| *other < prefix);
        let behind = &self.announced[begin..];
        &behind[..behind.iter().take_while(|(other, _)| *other == prefix).count()]
    }

    pub fn boundary(&self, router: RouterId) -> impl Iterator<Item = &Announcer> {
        let begin = self.boundaries.partition_point(|(other, _)| *other < router);
        self.boundaries[begin..]
            .iter()
            .take_while(move |(other, _)| *other == router)
            .map(|(_, announced)| announced)
    }
}

/// External- and NSSA-LSAs by the prefix they are about. LSAs of MaxAge and with LSInfinity are not among them.
#[derive(Clone, Debug, Default)]
pub(super) struct ExternalLsas(BTreeMap<Ipv4Net, SmallVec<[(LsaKey, ExternalLsa); 1]>>);

impl ExternalLsas {
    pub fn insert(&mut self, key: LsaKey, lsa: ExternalLsa) -> Option<Ipv4Net> {
        let prefix = prefix(key.link_state_id, lsa.mask)?;
        if lsa.metric < INFINITY {
            let lsas = self.0.entry(prefix).or_default();
            lsas.retain(|(other, _)| *other != key);
            lsas.push((key, lsa));
        }
        Some(prefix)
    }

    pub fn remove(&mut self, key: LsaKey, lsa: ExternalLsa) -> Option<Ipv4Net> {
        let prefix = prefix(key.link_state_id, lsa.mask)?;
        if let Some(lsas) = self.0.get_mut(&prefix) {
            lsas.retain(|(other, _)| *other != key);
            if lsas.is_empty() {
                self.0.remove(&prefix);
            }
        }
        Some(prefix)
    }

    /// Every prefix, in order, with its LSAs.
    pub fn by_prefix(&self) -> impl Iterator<Item = (Ipv4Net, &[(LsaKey, ExternalLsa)])> {
        self.0.iter().map(|(&prefix, lsas)| (prefix, lsas.as_slice()))
    }

    pub fn of(&self, prefix: Ipv4Net) -> &[(LsaKey, ExternalLsa)] {
        self.0.get(&prefix).map(SmallVec::as_slice).unwrap_or_default()
    }
}
