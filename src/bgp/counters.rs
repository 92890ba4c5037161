/// What passed between us and the neighbour since the peer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub received: Messages,
    pub sent: Messages,
    /// How often the session came up.
    pub established: u64,
    /// How often an established session ended.
    pub dropped: u64,
}

/// Messages by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    pub open: u64,
    pub update: u64,
    pub notification: u64,
    pub keepalive: u64,
    pub route_refresh: u64,
}
