use std::net::IpAddr;
use std::time::Duration;

use super::NodeId;
use crate::types::{Prefix, Rng};

/// A link's number, in the order in which links were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub usize);

/// How a link treats packets.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// One way.
    pub latency: Duration,
    /// Percent of packets that do not arrive.
    pub loss: u64,
}

impl Default for Link {
    fn default() -> Link {
        Link { latency: Duration::from_micros(500), loss: 0 }
    }
}

/// One end's address on a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub node: NodeId,
    pub address: IpAddr,
    pub network: Prefix,
    /// Interface index at that node.
    pub interface: u32,
}

/// A link with its two ends.
pub(super) struct Wire {
    pub link: Link,
    pub ends: [Port; 2],
    pub cut: bool,
}

impl Wire {
    /// Whether a packet that is sent now gets through.
    pub fn carries(&self, rng: &mut Rng) -> bool {
        !self.cut && (self.link.loss == 0 || !rng.chance(self.link.loss))
    }
}
