use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{BfdUse, Secret};
use crate::policy::Chain;
use crate::types::{Asn, Family};
use crate::wire::bgp::Role;

/// `[neighbor.NAME]`: one BGP session.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbor {
    pub address: IpAddr,
    pub remote_as: Asn,
    /// Same AS number as ours: iBGP.
    pub internal: bool,
    /// Dial from it, and accept only what arrives at it.
    pub local_address: Option<IpAddr>,
    /// The neighbour's TCP port.
    pub port: u16,
    /// Never dial.
    pub passive: bool,
    pub families: BTreeSet<Family>,
    /// The next hops we announce. `None`: our address on the session, if it is of the family.
    pub next_hop_ipv4: Option<Ipv4Addr>,
    pub next_hop_ipv6: Option<Ipv6Addr>,
    /// Of the mapping; [`Config::mapping`](super::Config::mapping) has it.
    pub class: String,
    /// `None`: not configured, so nothing is imported (RFC 8212).
    pub import: Option<Import>,
    /// `None`: not configured, so nothing is exported (RFC 8212).
    pub export: Option<Export>,
    /// What becomes of the routes that `import` lets through.
    pub import_policy: Chain,
    /// What becomes of the routes that `export` lets through.
    pub export_policy: Chain,
    /// Whether routes with an invalid origin (RFC 6811) cannot be used.
    pub rejects_invalid: bool,
    /// Our own role (RFC 9234).
    pub role: Option<Role>,
    /// Refuse a neighbour that sends no role.
    pub role_strict: bool,
    /// 0, or 3 s to 65535 s in whole seconds. Keepalives go out at a third of what is negotiated.
    pub hold_time: Duration,
    /// The first wait before dialling again.
    pub connect_retry: Duration,
    /// RFC 9687; 0 is off.
    pub send_hold_time: Duration,
    /// Per family.
    pub maximum_prefixes: u32,
    pub graceful_restart: GracefulRestart,
    pub ttl: Ttl,
    pub password: Option<Secret>,
    pub bfd: Option<BfdUse>,
    /// Whether that is a session over several hops (RFC 5883): unless said otherwise, with neighbours that need not be on
    /// the link.
    pub bfd_multihop: bool,
    /// Keep the session down and say this text (RFC 9003), which may be empty.
    pub shutdown: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    None,
    DefaultOnly,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    None,
    /// What the groups and the operators announce.
    Groups,
    /// And the best learned routes.
    Transit,
}

/// RFC 4724.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GracefulRestart {
    Off,
    /// Keep the routes of a neighbour that restarts.
    Helper,
    /// And ask it to keep ours when we restart.
    Restart,
}

/// How far away the neighbour may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// eBGP: on the link, sent with TTL 1. iBGP: anywhere, with the system's TTL.
    Usual,
    /// GTSM (RFC 5082): sent with 255, and what arrives with less than 256 - hops is dropped.
    Security { hops: u8 },
    /// eBGP over more than one hop, sent with this TTL.
    Multihop { ttl: u8 },
}
