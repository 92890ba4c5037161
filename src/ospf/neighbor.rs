use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

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
    /// Link state retransmission list: sent, not acknowledged yet, and when it is to be sent again (§10).
    pub retransmissions: BTreeMap<LsaKey, Time>,
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
