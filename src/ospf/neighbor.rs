use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use super::Router;
use super::retransmission::Retransmissions;
use crate::types::{RouterId, Time};
use crate::wire::ospf::{LsaHeader, LsaKey, Options};

/// RFC 2328 §10.1, in its order: comparing tells "in state Exchange or greater". Attempt does not exist here, as
/// there are no NBMA networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeighborState {
    Down,
    Init,
    TwoWay,
    ExStart,
    Exchange,
    Loading,
    Full,
}

/// RFC 2328 §10.
#[derive(Clone, Debug)]
pub struct Neighbor {
    pub router_id: RouterId,
    pub address: Ipv4Addr,
    pub state: NeighborState,
    /// In this state since.
    pub since: Time,
    pub priority: u8,
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
    pub options: Options,
    /// When it counts as dead.
    pub dead_at: Time,
    /// Link state request list: what it has newer than we (§10).
    pub requests: BTreeMap<LsaKey, LsaHeader>,
    /// Link state retransmission list (§10).
    pub retransmissions: Retransmissions,
}

/// RFC 2328 §10.2. Start is not among them, as it is for NBMA networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NeighborEvent {
    /// It asked for what is not in our database.
    BadLsRequest,
    /// Its request list is empty.
    LoadingDone,
    SequenceMismatch,
    KillNeighbor,
}

impl Neighbor {
    /// Whether our router- and network-LSAs tell of an adjacency: in Full, and as long as we help it over a restart,
    /// whatever the state is meanwhile (RFC 3623 §3).
    pub fn is_adjacent(&self) -> bool {
        self.state == NeighborState::Full
    }
}

impl Router {
    /// Runs the neighbour's state machine (RFC 2328 §10.3). `from`: the interface and the neighbour.
    pub(super) fn neighbor_event(
        &mut self,
        _from: (u32, RouterId),
        _event: NeighborEvent,
        _now: Time,
    ) {
    }
}

impl fmt::Display for NeighborState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NeighborState::Down => "down",
            NeighborState::Init => "init",
            NeighborState::TwoWay => "2-way",
            NeighborState::ExStart => "exstart",
            NeighborState::Exchange => "exchange",
            NeighborState::Loading => "loading",
            NeighborState::Full => "full",
        })
    }
}
