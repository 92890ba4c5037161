use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::api::v1;
use crate::bgp;
use crate::config::{Collector, Config};
use crate::fast;
use crate::fib;
use crate::health::{self, CheckId};
use crate::rpki;
use crate::types::{Asn, Mac, Prefix};
use crate::vrrp::VirtualRouterId;
use crate::wire::mrt::Ends;

/// A configured neighbour, for the life of its configuration: a removed and re-added neighbour
/// gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// A client's write that waits for its answer. Given by the driver, unique per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// A question of another node that waits for its answer. Given by the driver, unique per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// A question to another node. Given by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Who gave an order, as the socket's credentials say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(pub String);

/// Something happened outside.
#[derive(Clone, Debug)]
pub enum Event {
    /// To one neighbour's session. [`bgp::Event::RoutesEncoded`] and the administrative ones are the agent's own business and
    /// never come from outside.
    Peer { peer: PeerId, event: bgp::Event },
    /// An OSPF packet arrived: `packet` is what is behind the IPv4 header. Only for interfaces that
    /// [`OspfAction::Open`] has named.
    PacketReceived { interface: u32, source: Ipv4Addr, destination: Ipv4Addr, packet: Bytes },
    /// Whether an interface that [`OspfAction::Open`] has named can be used, or why not. What cannot be is tried again
    /// now and then.
    InterfaceOpened { interface: u32, result: Result<(), String> },
    /// The kernel reported a link, address or route of ours.
    Kernel(fib::Observed),
    /// From the lane of BFD and VRRP.
    Fast(fast::Report),
    /// From the RPKI client.
    Rpki(rpki::Report),
    /// How that lane could be started: whether its thread has real-time priority, and whether our memory is
    /// locked, or why not.
    LaneStarted { realtime: Result<(), String>, locked: Result<(), String> },
    /// The answer to [`Action::SetAddresses`]: what is the case now. Also told when something is the matter later.
    AddressesSet { router: VirtualRouterId, assigned: bool, result: Result<(), String> },
    /// The answer to [`Action::Run`]: the end of what it wrote, or why it failed.
    CommandEnded { command: CommandId, result: Result<String, String> },
    /// The answer to [`Action::Hold`].
    Held { group: String, result: Result<(), String> },
    /// What [`Action::Watch`] asked for is as told now. Told once at the beginning, and after each change.
    Probed { probe: ProbeId, up: bool, text: String },
    /// The answer to [`Action::Ask`].
    CheckEnded { run: health::Run, outcome: health::Outcome },
    /// The kernel's answers to [`Action::Kernel`], one per change.
    KernelApplied(Vec<(fib::Key, Result<(), fib::KernelError>)>),
    /// A client orders `announce`, `withdraw`, `prefer` or `release`.
    Ordered { order: OrderId, request: v1::OrderRequest, owner: Owner },
    /// A client wants something of a switch. What comes of it is told with [`Action::Progress`],
    /// until [`Action::ProgressEnded`].
    SwitchOrdered { order: OrderId, request: v1::SwitchRequest, owner: Owner },
    /// A client wants to know what a switch would do: [`Action::Planned`].
    SwitchPlanWanted { order: OrderId, request: v1::SwitchRequest },
    /// Another node of the fleet asks this one, and waits for [`Action::AnswerNode`].
    NodeAsked { ask: AskId, node: String, message: Box<v1::FleetRequest> },
    /// It does not wait any more.
    AskAbandoned(AskId),
    /// The answer to [`Action::AskNode`]. FAILED_PRECONDITION, INVALID_ARGUMENT and NOT_FOUND are the node's own words;
    /// everything else says that it could not be asked, and why.
    NodeAnswered { call: CallId, result: Result<Box<v1::FleetReply>, tonic::Status> },
    /// The client of this order went away; nobody waits for the answer. The order itself stands.
    OrderAbandoned(OrderId),
    /// [`Action::StoreIntents`] of that version is on disk, or the disk refused it.
    IntentsStored { version: u64, result: Result<(), String> },
    /// The neighbour's TCP has acknowledged every byte sent to it before [`Action::AwaitAcknowledgement`].
    Acknowledged { order: OrderId, peer: PeerId },
    /// What became of the connection to a collector of [`Action::SetCollectors`].
    Collector { collector: String, event: CollectorEvent },
    /// A client asks neighbours for their routes again: one, or all that are established.
    RefreshWanted { peer: Option<PeerId> },
    /// A new, valid configuration is to take effect.
    Reconfigured(Box<Config>),
    /// The daemon is to stop: close sessions, keep or withdraw kernel routes as configured, then
    /// [`Action::Stopped`].
    StopWanted,
}

/// Something is to be done outside. Actions are carried out in order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Make or renew what the driver keeps per neighbour: TCP-MD5 key on the listeners, address to match
    /// accepted connections.
    AddPeer {
        peer: PeerId,
        endpoint: Box<PeerEndpoint>,
    },
    RemovePeer {
        peer: PeerId,
    },
    Peer {
        peer: PeerId,
        action: PeerAction,
    },
    Ospf(OspfAction),
    /// For the lane of BFD and VRRP.
    Fast(fast::Order),
    /// Make the kernel have the addresses of a virtual router as told; `None`: nothing of it, not even its device.
    SetAddresses {
        router: VirtualRouterId,
        wanted: Option<Box<VirtualAddresses>>,
    },
    /// Run a command once, without a shell, and kill it with its children when `timeout` is over.
    Run {
        command: CommandId,
        words: Vec<String>,
        /// Beside a minimal environment of its own.
        environment: Vec<(String, String)>,
        timeout: Duration,
    },
    /// Have the kernel delay new connections to the prefixes of a group, for so long at most; `None`: not any more. Then
    /// [`Event::Held`].
    Hold {
        group: String,
        prefixes: Vec<Prefix>,
        lasts: Option<Duration>,
    },
    /// Kill it if it still runs; its end is not told any more.
    ForgetCommand(CommandId),
    /// Watch something outside from now on; `None`: no longer.
    Watch {
        probe: ProbeId,
        object: Option<Probe>,
    },
    /// Make one run of a check, within its timeouts, then [`Event::CheckEnded`].
    Ask {
        run: health::Run,
        settings: Arc<health::Settings>,
    },
    /// Hold a connection to a service until [`Action::ForgetCheck`]. Told with [`Event::CheckEnded`] of run 0: answered when it is set
    /// up, then failed should it break, or not asked if the other side has closed it in good order.
    Connect {
        check: CheckId,
        to: SocketAddr,
        origin: health::Origin,
    },
    /// End the runs of a check; no result of them is reported any more.
    ForgetCheck {
        check: CheckId,
    },
    /// Write the intents durably (write, fsync, rename, fsync of the directory), then
    /// [`Event::IntentsStored`]. A later version may replace an earlier one not yet begun; the answer for the later
    /// covers it.
    StoreIntents {
        version: u64,
        text: String,
    },
    /// Keep what is to be remembered of the checks for the next start. A later text replaces an earlier one; nobody waits
    /// for it.
    StoreHealth {
        text: String,
    },
    /// Tell with [`Event::Acknowledged`] once all that was sent to this neighbour so far is acknowledged.
    AwaitAcknowledgement {
        order: OrderId,
        peer: PeerId,
    },
    /// The order's answer for the client.
    Answer {
        order: OrderId,
        answer: Result<Box<v1::OrderReply>, tonic::Status>,
    },
    /// News of a switch, for who ordered or follows it.
    Progress {
        order: OrderId,
        progress: Box<v1::SwitchProgress>,
    },
    /// All news has been told, or there will be none.
    ProgressEnded {
        order: OrderId,
        result: Result<(), tonic::Status>,
    },
    /// What the client wanted to know of a switch.
    Planned {
        order: OrderId,
        result: Result<Box<v1::PlanSwitchReply>, tonic::Status>,
    },
    /// Ask another node of the fleet, then [`Event::NodeAnswered`].
    AskNode {
        call: CallId,
        node: String,
        message: Box<v1::FleetRequest>,
    },
    /// The answer is not wanted any more.
    ForgetCall(CallId),
    /// What another node asked is answered.
    AnswerNode {
        ask: AskId,
        result: Result<Box<v1::FleetReply>, tonic::Status>,
    },
    /// Write this into the ledger, behind all that is there. `number` and `hash` are given there.
    Record {
        entry: Box<v1::LedgerEntry>,
    },
    /// Change routes in the kernel, then [`Event::KernelApplied`].
    Kernel(Vec<fib::Change>),
    /// Be connected to these collectors, by name, and to no others. What waits for those that go is still written.
    SetCollectors(BTreeMap<String, Collector>),
    /// Write this to a collector, if it still is the same connection, then [`CollectorEvent::Written`].
    ToCollector {
        collector: String,
        connection: u64,
        bytes: Bytes,
    },
    /// For the log of updates: only if there is one.
    StateChanged(StateChange),
    /// Dump links, addresses and our routes again.
    RescanKernel,
    /// A fact for the log and for `shunt events`.
    Report(v1::Event),
    /// Everything is closed; the process may end.
    Stopped,
}

/// What the driver tells of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectorEvent {
    /// Nothing is written yet. The number is another one for each connection.
    Connected { connection: u64 },
    /// Octets of [`Action::ToCollector`] were taken.
    Written { connection: u64, octets: usize },
    /// The connection ended, or there was none. It is tried again.
    Closed { reason: String },
}

/// A session is in another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    pub ends: Ends,
    pub old: bgp::State,
    pub new: bgp::State,
}

/// What a session wants done to its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerAction {
    /// Open a TCP connection as the [`PeerEndpoint`] says: [`bgp::Event::Dialled`] or [`bgp::Event::DialFailed`].
    Dial,
    /// Give up a dial in progress; no result of it is reported any more.
    StopDialling,
    Send {
        connection: bgp::ConnectionId,
        bytes: Bytes,
    },
    /// Close after what is queued was written. Nothing of this connection is reported any more.
    Close {
        connection: bgp::ConnectionId,
    },
}

/// What the OSPF router wants done on its interfaces, which go by their index in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OspfAction {
    /// Receive IP protocol 89 on the interface, as a member of AllSPFRouters (224.0.0.5).
    Open { interface: u32, name: String },
    /// Neither receive nor send there any more.
    Close { interface: u32 },
    /// Join or leave AllDRouters (224.0.0.6).
    Designated { interface: u32, member: bool },
    /// Send one IPv4 packet: TTL 1, precedence internetwork control, and no routing (RFC 2328 Appendix A.1).
    Send { interface: u32, source: Ipv4Addr, destination: Ipv4Addr, packet: Bytes },
}

/// A command that runs once. Given by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// Something outside that is watched. Given by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Up while there is a file with this path.
    File(String),
    Command(crate::config::Command),
}

/// The kernel's side of a virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualAddresses {
    /// The configured name, for people.
    pub name: String,
    /// That the virtual router is on, by index and name.
    pub interface: u32,
    pub interface_name: String,
    /// The addresses are on a macvlan of this MAC address; `None`: on the interface itself.
    pub mac: Option<Mac>,
    /// To name that macvlan: `vrrp4.10`, `vrrp6.10`.
    pub vrid: u8,
    pub addresses: Vec<IpAddr>,
    /// Whether they are to be there (Active) or not (the macvlan then is down).
    pub assigned: bool,
    /// Whether the kernel takes what is addressed to them.
    pub accept: bool,
    /// The addresses go when shuntd does not live for so long: before the others, who wait for three intervals and their
    /// skew, of which one may have passed by then, take an Active for dead.
    pub deadman: Duration,
}

/// How to reach a neighbour over TCP, and how to know it when it dials us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEndpoint {
    /// The configured name, for logs.
    pub name: String,
    pub asn: Asn,
    pub address: IpAddr,
    pub port: u16,
    /// Source address when dialling; the address an accepted connection must have arrived at.
    pub local_address: Option<IpAddr>,
    /// IP TTL or hop limit to send with: 255 under GTSM, else 1 for a directly connected eBGP neighbour, 64 for iBGP,
    /// or as `multihop` says.
    pub ttl: u8,
    /// Least TTL to accept (RFC 5082 §3): 256 − hops; `None` without GTSM.
    pub min_ttl: Option<u8>,
    /// TCP-MD5 key (RFC 2385).
    pub md5: Option<crate::config::Secret>,
    /// The OPEN that the decoder of a new connection needs.
    pub open: crate::wire::bgp::Open,
}
