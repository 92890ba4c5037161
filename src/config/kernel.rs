use std::time::Duration;

/// `[kernel]`: what is done with learned routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Whether learned routes go into the kernel at all.
    pub install: bool,
    /// `rtm_protocol` of our routes.
    pub protocol: u8,
    pub table: u32,
    /// The kernel's route priority; lower wins.
    pub metric: u32,
    /// Equal-cost next hops of one route, at most; 1 is no multipath.
    pub max_paths: u16,
    pub on_exit: OnExit,
    /// How long routes of an earlier life are kept after a start.
    pub grace: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    Keep,
    Withdraw,
}
