use std::net::IpAddr;
use std::time::Duration;

use crate::types::Secret;
use crate::wire::bfd::Algorithm;

/// A session, for the life of its path. Given by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// What one session watches. There is one session for each (RFC 5881 §3, RFC 5883 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// UDP port 3784, TTL 255 (RFC 5881).
    SingleHop { interface: u32, local: IpAddr, remote: IpAddr },
    /// UDP port 4784 (RFC 5883). What arrives with a TTL below `min_ttl` is dropped.
    MultiHop { local: IpAddr, remote: IpAddr, min_ttl: u8 },
}

/// What an operator decides about a session. A change takes effect while it is up (RFC 5880 §6.8.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub path: Path,
    /// bfd.DesiredMinTxInterval while the session is up: 5 ms at least.
    pub transmit_interval: Duration,
    /// bfd.RequiredMinRxInterval: 5 ms at least.
    pub receive_interval: Duration,
    /// Ours: how many of our packets the other side may miss, 1 at least.
    pub multiplier: u8,
    pub authentication: Option<Authentication>,
}

/// RFC 5880 §6.7.
#[derive(Clone, Debug, PartialEq)]
pub struct Authentication {
    pub algorithm: Algorithm,
    /// The first one signs; each verifies. Never empty.
    pub keys: Vec<Key>,
}

/// At most 16 octets count for a password and MD5, 20 for SHA1.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub id: u8,
    pub secret: Secret,
}

impl Path {
    pub fn local(&self) -> IpAddr {
        match *self {
            Path::SingleHop { local, .. } | Path::MultiHop { local, .. } => local,
        }
    }

    pub fn remote(&self) -> IpAddr {
        match *self {
            Path::SingleHop { remote, .. } | Path::MultiHop { remote, .. } => remote,
        }
    }
}
