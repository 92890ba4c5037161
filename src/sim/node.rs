use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::LinkId;
use super::fleet::Heard;
use super::kernel::Kernel;
use super::outside::Program;
use super::stream::Stream;
use super::world::Happening;
use crate::agent::{Agent, CommandId, OrderId, PeerEndpoint, PeerId, Probe, ProbeId};
use crate::api::v1;
use crate::bfd::{Path, SessionId};
use crate::bgp::ConnectionId;
use crate::fast::Fast;
use crate::health::CheckId;
use crate::types::{Prefix, Time};
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
    /// What is remembered of its checks.
    pub memory: String,
    pub ledger: Vec<v1::LedgerEntry>,
    /// What collectors were sent, by name.
    pub collected: BTreeMap<String, Vec<u8>>,
    /// The disk refuses to write.
    pub disk_full: bool,
    /// A reader that stands still: nothing that arrives is read.
    pub deaf: bool,
    pub process: Option<Process>,
    pub lives: u64,
    /// Without power: it forwards nothing either.
    pub off: bool,
    /// How much faster than the world's its clock runs, in millionths.
    pub clock: i32,
    /// Of what may be watched.
    pub files: BTreeSet<String>,
    pub commands_fail: bool,
    /// What becomes of commands, by their first word; of others `commands_fail` decides.
    pub programs: BTreeMap<String, Program>,
    /// Whose new connections its kernel delays, and until when.
    pub holds: BTreeMap<String, (Vec<Prefix>, Time)>,
    /// It cannot.
    pub holds_fail: bool,
    /// Percent of what its checks send.
    pub check_loss: u64,
}

/// A running agent and what the driver would hold for it.
pub(super) struct Process {
    pub agent: Agent,
    pub fast: Fast,
    /// World time at which it started: its own time zero.
    pub started: Time,
    pub clock: i32,
    /// SIGSTOP, with a number of its own, and what waits to be read meanwhile.
    pub stopped: Option<u64>,
    pub waiting: Vec<Happening>,
    /// The lane's sockets that send for BFD.
    pub sessions: BTreeMap<SessionId, Path>,
    /// Interfaces and families of which the lane receives VRRP.
    pub vrrp: BTreeSet<(u32, bool)>,
    /// With what was told last.
    pub probes: BTreeMap<ProbeId, (Probe, Option<bool>)>,
    pub commands: Vec<Vec<String>>,
    /// Those that have not been forgotten, by their words.
    pub running: BTreeMap<CommandId, String>,
    /// Of checks.
    pub runs: u64,
    /// Connections that are held, with who has the other end.
    pub held: BTreeMap<CheckId, (IpAddr, NodeId)>,
    pub peers: BTreeMap<PeerId, Box<PeerEndpoint>>,
    /// The dial that is under way, by its number.
    pub dials: BTreeMap<PeerId, u64>,
    pub connections: BTreeMap<ConnectionId, End>,
    /// Interfaces that receive OSPF, and whether as a member of AllDRouters.
    pub ospf: BTreeMap<u32, bool>,
    pub answers: BTreeMap<OrderId, Result<v1::OrderReply, tonic::Status>>,
    pub heard: BTreeMap<OrderId, Heard>,
    pub planned: BTreeMap<OrderId, Result<v1::PlanSwitchReply, tonic::Status>>,
    pub events: Vec<v1::Event>,
}

impl Node {
    /// Its process is, by SIGSTOP.
    pub fn is_stopped(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.stopped.is_some())
    }
}

impl Process {
    /// The process's own time.
    pub fn local(&self, world: Time) -> Time {
        let since = world.since(self.started);
        let drift = since * self.clock.unsigned_abs() / 1_000_000;
        Time::ZERO + if self.clock < 0 { since.saturating_sub(drift) } else { since + drift }
    }

    /// The first moment of the world at which the process's clock shows at least this.
    pub fn world(&self, local: Time) -> Time {
        let local_micros = u128::from(local.as_micros());
        let rate = (1_000_000 + i128::from(self.clock)).unsigned_abs();
        let micros = u64::try_from(local_micros * 1_000_000 / rate).unwrap_or(u64::MAX);
        let mut world = self.started + Duration::from_micros(micros);
        while self.local(world) < local {
            world += Duration::from_micros(1);
        }
        world
    }
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
