use std::net::IpAddr;
use std::time::Duration;

use super::{Damping, Method, Objective};

/// What is asked, how often, and how much it takes to change our mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub method: Method,
    /// From the begin of one run to the begin of the next.
    pub interval: Duration,
    /// The same, while a result contradicts the verdict. Not longer than `interval`.
    pub fast_interval: Duration,
    /// To the end of the connection's set-up, where there is a connection.
    pub connect_timeout: Duration,
    /// From there to the end of the answer.
    pub timeout: Duration,
    /// An answer that took longer is slow.
    pub slow: Option<Duration>,
    /// Answers in a row until it is up again. From 1.
    pub rise: u8,
    /// Failures in a row until it is down; slow answers in a row until it is slow. From 1.
    pub fall: u8,
    /// By how much of an interval a run may begin earlier, in percent, up to 50.
    pub jitter: u8,
    pub objective: Option<Objective>,
    pub damping: Option<Damping>,
    pub origin: Origin,
}

/// Where a run comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<IpAddr>,
    /// By name (SO_BINDTODEVICE).
    pub interface: Option<String>,
    /// For policy routing (SO_MARK); 0: none.
    pub mark: u32,
    /// Of the packets (IP_TOS, IPV6_TCLASS).
    pub traffic_class: u8,
}

impl Origin {
    /// CS6 (RFC 4594 §3.1): what is held for others is not held for packets of this class.
    pub const NETWORK_CONTROL: u8 = 0xc0;
}

impl Default for Settings {
    /// Of no use by itself: it counts no backends.
    fn default() -> Settings {
        let second = Duration::from_secs(1);
        Settings {
            method: Method::Backends { of: Vec::new(), at_least: 0 },
            interval: second,
            fast_interval: second,
            connect_timeout: second,
            timeout: second,
            slow: None,
            rise: 2,
            fall: 3,
            jitter: 10,
            objective: None,
            damping: None,
            origin: Origin::default(),
        }
    }
}

impl Settings {
    /// Whether a run is over when the next one begins, but for the set-up of a connection and for jitter.
    pub fn fits(&self) -> bool {
        self.timeout <= self.interval && self.connect_timeout <= self.interval
    }

    /// The longest that a run takes.
    pub fn limit(&self) -> Duration {
        match &self.method {
            Method::Tcp { .. } | Method::Http(_) | Method::Grpc { .. } => {
                self.connect_timeout + self.timeout
            }
            _ => self.timeout,
        }
    }
}
