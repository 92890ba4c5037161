use std::collections::BTreeMap;
use std::time::Duration;

use super::{Diagnostic, SessionId, Settings, State};
use crate::types::Time;

/// A session as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub session: SessionId,
    pub settings: Settings,
    pub state: State,
    pub since: Time,
    pub diagnostic: Diagnostic,
    pub remote_state: State,
    pub remote_diagnostic: Diagnostic,
    pub local_discriminator: u32,
    /// 0 until the other side is heard.
    pub remote_discriminator: u32,
    /// Between two packets of ours, before jitter.
    pub transmit_interval: Duration,
    /// The session goes down this long after the last packet; zero while nothing is expected.
    pub detection_time: Duration,
    pub remote_multiplier: u8,
    pub sent: u64,
    pub received: u64,
    /// How often the session has come up.
    pub ups: u64,
    pub downs: u64,
    /// Packets for this session that were dropped, by the reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// Of packets that belong to no session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub dropped: BTreeMap<&'static str, u64>,
}
