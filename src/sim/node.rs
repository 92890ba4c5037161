use std::collections::BTreeMap;

use super::LinkId;
use super::kernel::Kernel;
use super::stream::Stream;
use crate::agent::{Agent, OrderId, PeerEndpoint, PeerId};
use crate::api::v1;
use crate::bgp::ConnectionId;
use crate::types::Time;
use crate::wire::bgp::Decoder;

/// A node's number, in the order in which nodes were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// A machine: what survives the agent's process, and the process.
pub(super) struct Node {
    pub name: String,
    pub configuration: String,
    pub kernel: Kernel,
    /// The intents as they are on disk.
    pub disk: String,
    /// The disk refuses to write.
    pub disk_full: bool,
    /// A reader that stands still: nothing that arrives is read.
    pub deaf: bool,
    pub process: Option<Process>,
    pub lives: u64,
}

/// A running agent and what the driver would hold for it.
pub(super) struct Process {
    pub agent: Agent,
    /// World time at which it started: its own time zero.
    pub started: Time,
    pub peers: BTreeMap<PeerId, Box<PeerEndpoint>>,
    /// The dial that is under way, by its number.
    pub dials: BTreeMap<PeerId, u64>,
    pub connections: BTreeMap<ConnectionId, End>,
    /// Interfaces that receive OSPF, and whether as a member of AllDRouters.
    pub ospf: BTreeMap<u32, bool>,
    pub answers: BTreeMap<OrderId, Result<v1::OrderReply, tonic::Status>>,
    pub events: Vec<v1::Event>,
}

/// One end of a connection, with the direction that it writes.
pub(super) struct End {
    pub peer: PeerId,
    pub link: LinkId,
    pub remote: NodeId,
    /// The same connection at the other end.
    pub twin: ConnectionId,
    pub decoder: Decoder,
    pub out: Stream,
    /// Orders that wait until the reader has this many octets.
    pub awaited: Vec<(u64, OrderId)>,
    /// Closed by this end; what is queued still goes out.
    pub closed: bool,
}
