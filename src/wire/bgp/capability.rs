use crate::types::Asn;

/// One capability (RFC 5492 §4). A known code with an impossible length is kept as `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// RFC 4760 §8: AFI and SAFI.
    Multiprotocol {
        afi: u16,
        safi: u8,
    },
    /// RFC 2918.
    RouteRefresh,
    /// RFC 8950 §4: (NLRI AFI, NLRI SAFI, next hop AFI).
    ExtendedNextHop(Vec<(u16, u16, u16)>),
    /// RFC 8654.
    ExtendedMessage,
    /// RFC 9234 §4.1.
    Role(Role),
    /// RFC 4724 §3, with the N bit of RFC 8538.
    GracefulRestart(GracefulRestart),
    /// RFC 6793.
    FourOctetAs(Asn),
    /// RFC 7911 §4: (AFI, SAFI, 1 receive | 2 send | 3 both).
    AddPath(Vec<(u16, u8, u8)>),
    /// RFC 7313.
    EnhancedRouteRefresh,
    Unknown {
        code: u8,
        value: Vec<u8>,
    },
}

/// RFC 9234 §4.1. The number is the sender's own role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Provider,
    RouteServer,
    RouteServerClient,
    Customer,
    Peer,
    Unknown(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GracefulRestart {
    /// The sender has just restarted (R bit).
    pub restarting: bool,
    /// It keeps routes also over a NOTIFICATION (N bit, RFC 8538 §2).
    pub notification: bool,
    /// Seconds, 12 bits.
    pub restart_time: u16,
    /// (AFI, SAFI, forwarding state preserved).
    pub families: Vec<(u16, u8, bool)>,
}
