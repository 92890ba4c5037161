use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::NodeId;
use crate::types::{Mac, Prefix, Rng};

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

/// A link with its ends: two, or more of a LAN.
pub(super) struct Wire {
    pub link: Link,
    pub ends: Vec<Port>,
    pub cut: bool,
    /// Whose packets vanish although others' get through.
    pub mute: Vec<NodeId>,
    /// What the switch has learned: whose port a virtual router's MAC address is behind.
    pub ports: BTreeMap<Mac, NodeId>,
    /// What the hosts have learned of virtual addresses: the MAC address, and who said so last. `None`: that node's own.
    pub hosts: BTreeMap<IpAddr, (Option<Mac>, NodeId)>,
}

impl Wire {
    /// The port of a node, and the one that has an address.
    pub fn between(&self, node: NodeId, address: IpAddr) -> Option<(Port, Port)> {
        let own = self.ends.iter().find(|port| port.node == node)?;
        let other = self.ends.iter().find(|port| port.node != node && port.address == address)?;
        Some((*own, *other))
    }

    /// Whether a packet that is sent now gets through.
    pub fn carries(&self, rng: &mut Rng) -> bool {
        !self.cut && (self.link.loss == 0 || !rng.chance(self.link.loss))
    }
}
