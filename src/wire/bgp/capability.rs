use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::types::{Asn, Family};

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

/// Capability codes (IANA "Capability Codes").
mod code {
    pub const MULTIPROTOCOL: u8 = 1;
    pub const ROUTE_REFRESH: u8 = 2;
    pub const EXTENDED_NEXT_HOP: u8 = 5;
    pub const EXTENDED_MESSAGE: u8 = 6;
    pub const ROLE: u8 = 9;
    pub const GRACEFUL_RESTART: u8 = 64;
    pub const FOUR_OCTET_AS: u8 = 65;
    pub const ADD_PATH: u8 = 69;
    pub const ENHANCED_ROUTE_REFRESH: u8 = 70;
}

const RESTARTING: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;
const FORWARDING: u8 = 0x80;

impl Capability {
    /// The capability for a family we carry.
    pub fn multiprotocol(family: Family) -> Capability {
        Capability::Multiprotocol { afi: family.afi(), safi: 1 }
    }

    /// Reads one capability's value; never fails, see the type.
    pub(super) fn read(code: u8, value: &[u8]) -> Capability {
        let short = |a: &u8, b: &u8| u16::from_be_bytes([*a, *b]);
        match (code, value) {
            (code::MULTIPROTOCOL, [a, b, _, safi]) => {
                Capability::Multiprotocol { afi: short(a, b), safi: *safi }
            }
            (code::ROUTE_REFRESH, []) => Capability::RouteRefresh,
            (code::EXTENDED_NEXT_HOP, _) if value.len().is_multiple_of(6) => {
                let (entries, _) = value.as_chunks::<6>();
                Capability::ExtendedNextHop(
                    entries
                        .iter()
                        .map(|[a, b, c, d, e, f]| (short(a, b), short(c, d), short(e, f)))
                        .collect(),
                )
            }
            (code::EXTENDED_MESSAGE, []) => Capability::ExtendedMessage,
            (code::ROLE, [role]) => Capability::Role(Role::from_code(*role)),
            (code::GRACEFUL_RESTART, [a, b, families @ ..]) if families.len().is_multiple_of(4) => {
                let bits = short(a, b);
                let (families, _) = families.as_chunks::<4>();
                Capability::GracefulRestart(GracefulRestart {
                    restarting: bits & RESTARTING != 0,
                    notification: bits & NOTIFICATION != 0,
                    restart_time: bits & RESTART_TIME,
                    families: families
                        .iter()
                        .map(|[a, b, safi, flags]| (short(a, b), *safi, flags & FORWARDING != 0))
                        .collect(),
                })
            }
            (code::FOUR_OCTET_AS, [a, b, c, d]) => {
                Capability::FourOctetAs(Asn(u32::from_be_bytes([*a, *b, *c, *d])))
            }
            (code::ADD_PATH, _) if value.len().is_multiple_of(4) => {
                let (entries, _) = value.as_chunks::<4>();
                Capability::AddPath(
                    entries.iter().map(|[a, b, safi, mode]| (short(a, b), *safi, *mode)).collect(),
                )
            }
            (code::ENHANCED_ROUTE_REFRESH, []) => Capability::EnhancedRouteRefresh,
            _ => Capability::Unknown { code, value: value.to_vec() },
        }
    }

    /// Appends code, length and value. A value over 255 octets has no encoding (RFC 5492 §4) and
    /// is left out.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u8(self.code());
        out.put_u8(0);
        match self {
            Capability::Multiprotocol { afi, safi } => {
                out.put_u16(*afi);
                out.put_u8(0);
                out.put_u8(*safi);
            }
            Capability::RouteRefresh
            | Capability::ExtendedMessage
            | Capability::EnhancedRouteRefresh => {}
            Capability::ExtendedNextHop(entries) => {
                for (afi, safi, next_hop) in entries {
                    out.put_u16(*afi);
                    out.put_u16(*safi);
                    out.put_u16(*next_hop);
                }
            }
            Capability::Role(role) => out.put_u8(role.code()),
            Capability::GracefulRestart(restart) => {
                let mut bits = restart.restart_time.min(RESTART_TIME);
                if restart.restarting {
                    bits |= RESTARTING;
                }
                if restart.notification {
                    bits |= NOTIFICATION;
                }
                out.put_u16(bits);
                for (afi, safi, forwarding) in &restart.families {
                    out.put_u16(*afi);
                    out.put_u8(*safi);
                    out.put_u8(if *forwarding { FORWARDING } else { 0 });
                }
            }
            Capability::FourOctetAs(asn) => out.put_u32(asn.0),
            Capability::AddPath(entries) => {
                for (afi, safi, mode) in entries {
                    out.put_u16(*afi);
                    out.put_u8(*safi);
                    out.put_u8(*mode);
                }
            }
            Capability::Unknown { value, .. } => out.put_slice(value),
        }
        match u8::try_from(out.len() - start - 2) {
            Ok(length) => out[start + 1] = length,
            Err(_) => out.truncate(start),
        }
    }

    /// The capability's code.
    pub fn code(&self) -> u8 {
        match self {
            Capability::Multiprotocol { .. } => code::MULTIPROTOCOL,
            Capability::RouteRefresh => code::ROUTE_REFRESH,
            Capability::ExtendedNextHop(_) => code::EXTENDED_NEXT_HOP,
            Capability::ExtendedMessage => code::EXTENDED_MESSAGE,
            Capability::Role(_) => code::ROLE,
            Capability::GracefulRestart(_) => code::GRACEFUL_RESTART,
            Capability::FourOctetAs(_) => code::FOUR_OCTET_AS,
            Capability::AddPath(_) => code::ADD_PATH,
            Capability::EnhancedRouteRefresh => code::ENHANCED_ROUTE_REFRESH,
            Capability::Unknown { code, .. } => *code,
        }
    }
}

impl Role {
    fn from_code(code: u8) -> Role {
        match code {
            0 => Role::Provider,
            1 => Role::RouteServer,
            2 => Role::RouteServerClient,
            3 => Role::Customer,
            4 => Role::Peer,
            _ => Role::Unknown(code),
        }
    }

    fn code(self) -> u8 {
        match self {
            Role::Provider => 0,
            Role::RouteServer => 1,
            Role::RouteServerClient => 2,
            Role::Customer => 3,
            Role::Peer => 4,
            Role::Unknown(code) => code,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Provider => f.write_str("provider"),
            Role::RouteServer => f.write_str("route-server"),
            Role::RouteServerClient => f.write_str("route-server-client"),
            Role::Customer => f.write_str("customer"),
            Role::Peer => f.write_str("peer"),
            Role::Unknown(code) => write!(f, "role {code}"),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Capability::Multiprotocol { afi, safi } => {
                write!(f, "multiprotocol {}", FamilyName(*afi, u16::from(*safi)))
            }
            Capability::RouteRefresh => f.write_str("route-refresh"),
            Capability::ExtendedNextHop(entries) => {
                f.write_str("extended-next-hop")?;
                entries.iter().try_for_each(|(afi, safi, next_hop)| {
                    write!(f, " {} over afi {next_hop}", FamilyName(*afi, *safi))
                })
            }
            Capability::ExtendedMessage => f.write_str("extended-message"),
            Capability::Role(role) => write!(f, "role {role}"),
            Capability::GracefulRestart(restart) => {
                write!(f, "graceful-restart {} s", restart.restart_time)?;
                if restart.restarting {
                    f.write_str(" restarting")?;
                }
                if restart.notification {
                    f.write_str(" notification")?;
                }
                restart.families.iter().try_for_each(|(afi, safi, forwarding)| {
                    let kept = if *forwarding { " (forwarding kept)" } else { "" };
                    write!(f, " {}{kept}", FamilyName(*afi, u16::from(*safi)))
                })
            }
            Capability::FourOctetAs(asn) => write!(f, "four-octet-as {asn}"),
            Capability::AddPath(entries) => {
                f.write_str("add-path")?;
                entries.iter().try_for_each(|(afi, safi, mode)| {
                    let mode = match mode {
                        1 => "receive",
                        2 => "send",
                        3 => "both",
                        _ => "invalid",
                    };
                    write!(f, " {} {mode}", FamilyName(*afi, u16::from(*safi)))
                })
            }
            Capability::EnhancedRouteRefresh => f.write_str("enhanced-route-refresh"),
            Capability::Unknown { code, value } => {
                write!(f, "capability {code}")?;
                if !value.is_empty() {
                    f.write_str(" 0x")?;
                }
                value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

/// AFI and SAFI by name where they are a family of ours.
struct FamilyName(u16, u16);

impl fmt::Display for FamilyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = u8::try_from(self.1).ok().and_then(|safi| Family::from_afi_safi(self.0, safi));
        match family {
            Some(family) => family.fmt(f),
            None => write!(f, "{}/{}", self.0, self.1),
        }
    }
}
