use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Reason, Settings, State, VirtualRouterId};
use crate::types::Time;

/// A virtual router as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub router: VirtualRouterId,
    pub settings: Settings,
    pub state: State,
    pub since: Time,
    pub reason: Reason,
    /// What is advertised, or would be.
    pub priority: u8,
    pub released: bool,
    pub active: Option<IpAddr>,
    pub active_priority: u8,
    /// The Active's, learned (RFC 9568 §6.1); our own if we are.
    pub active_interval: Duration,
    pub active_down_interval: Duration,
    /// Times that it became Active.
    pub takeovers: u64,
    pub sent: u64,
    pub received: u64,
    /// Packets for this virtual router that were dropped, by the reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Advertisements that were believed though something in them differs from our settings: `addresses`, `interval`
    /// (RFC 9568 §7.1), or `owner`: the sender says that the addresses are its own, as we do.
    pub mismatches: BTreeMap<&'static str, u64>,
}

/// Of packets that belong to no virtual router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub dropped: BTreeMap<&'static str, u64>,
}
