use super::Lag;
use crate::{bfd, vrrp};

/// Everything there is to be shown, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub sessions: Vec<bfd::Summary>,
    pub bfd: bfd::Counters,
    pub routers: Vec<vrrp::Summary>,
    pub vrrp: vrrp::Counters,
    pub lag: Lag,
}
