use std::net::IpAddr;
use std::time::Duration;

use crate::bfd::Authentication;
use crate::types::RouterId;

/// `[bfd.profile.NAME]`: how fast, and with which keys. `default` is always there.
#[derive(Clone, Debug, PartialEq)]
pub struct BfdProfile {
    pub transmit_interval: Duration,
    pub receive_interval: Duration,
    pub multiplier: u8,
    pub authentication: Option<Authentication>,
}

/// The keys `bfd` and `bfd-strict` of a BGP neighbour or an OSPF interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdUse {
    /// Of [`Config::bfd_profiles`](super::Config::bfd_profiles).
    pub profile: String,
    /// No BGP session, and no adjacency, before the BFD session is up.
    pub strict: bool,
}

/// `[bfd.session.NAME]`: a session that no protocol asked for, to be watched or tracked.
#[derive(Clone, Debug, PartialEq)]
pub struct BfdSession {
    pub address: IpAddr,
    /// Always there for a multihop session.
    pub local_address: Option<IpAddr>,
    /// Single hop only; needed for a link-local address.
    pub interface: Option<String>,
    /// How far away the other side may be; `None`: on the link.
    pub multihop: Option<u8>,
    pub profile: String,
    /// The OSPF router at the other end: what this session says of it counts as a sign of its life.
    pub router_id: Option<RouterId>,
}

impl Default for BfdProfile {
    fn default() -> BfdProfile {
        BfdProfile {
            transmit_interval: Duration::from_millis(50),
            receive_interval: Duration::from_millis(50),
            multiplier: 3,
            authentication: None,
        }
    }
}
