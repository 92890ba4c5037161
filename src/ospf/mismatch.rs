use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::Router;
use crate::types::{RouterId, Time};
use crate::wire::ospf::{AreaId, Malformed};

/// Why packets from somewhere are not taken, or why an adjacency does not come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub interface: u32,
    /// The interface's name.
    pub name: String,
    /// The source address of the packets.
    pub source: Ipv4Addr,
    pub difference: Difference,
    /// When it was seen first and last.
    pub since: Time,
    pub seen: Time,
    noted: Option<Difference>,
}

/// What differs, with both values. In the order in which a packet is checked: who gets over a check has no
/// difference of it or of one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// No OSPF packet of our version.
    Unreadable(Malformed),
    Area {
        ours: AreaId,
        theirs: AreaId,
    },
    /// The source is outside the network of the interface.
    Network {
        ours: Ipv4Net,
    },
    RouterId {
        both: RouterId,
    },
    /// AuType.
    AuthenticationType {
        ours: u8,
        theirs: u8,
    },
    Password,
    /// We have no key of this id.
    Key {
        id: u32,
    },
    /// It may not be accepted at this time.
    KeyLifetime {
        id: u32,
    },
    Digest {
        id: u32,
    },
    NetworkMask {
        ours: Ipv4Addr,
        theirs: Ipv4Addr,
    },
    /// Seconds; 0 for less than one.
    HelloInterval {
        ours: u16,
        theirs: u16,
    },
    /// Seconds.
    DeadInterval {
        ours: u32,
        theirs: u32,
    },
    /// The E bit: whether externals are flooded into the area.
    External {
        ours: bool,
    },
    /// The N bit.
    Nssa {
        ours: bool,
    },
    /// Octets.
    Mtu {
        ours: u16,
        theirs: u16,
    },
}

/// How far a packet got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Its digest is right.
    Authentic,
    /// It is a Hello that agrees with us.
    Hello,
    /// It is a Database Description that we can take.
    Description,
}

/// The latest difference of each source, at most [`Mismatches::LIMIT`].
#[derive(Clone, Debug, Default)]
pub(super) struct Mismatches {
    entries: BTreeMap<(u32, Ipv4Addr), Mismatch>,
    /// When a difference of the source was told of last. Outlives the difference: good packets between bad ones must
    /// not make each bad one news. As many at most.
    noted: BTreeMap<(u32, Ipv4Addr), Time>,
}

impl Mismatches {
    /// More sources are only counted: what a liar can fill is bounded.
    const LIMIT: usize = 64;
    /// A source whose difference changes all the time is not told of more often.
    const NOTE_INTERVAL: Duration = Duration::from_secs(10);

    /// Whether an operator should be told.
    fn insert(
        &mut self,
        (interface, source): (u32, Ipv4Addr),
        name: &str,
        difference: Difference,
        now: Time,
    ) -> bool {
        let key = (interface, source);
        if self.entries.len() >= Mismatches::LIMIT && !self.entries.contains_key(&key) {
            return false;
        }
        let entry = self.entries.entry(key).or_insert_with(|| Mismatch {
            interface,
            name: name.to_owned(),
            source,
            difference,
            since: now,
            seen: now,
            noted: None,
        });
        if entry.difference != difference {
            entry.difference = difference;
            entry.since = now;
        }
        entry.seen = now;
        if entry.noted == Some(difference) {
            return false;
        }
        self.noted.retain(|_, at| now.since(*at) < Mismatches::NOTE_INTERVAL);
        if self.noted.len() >= Mismatches::LIMIT || self.noted.contains_key(&key) {
            return false;
        }
        self.noted.insert(key, now);
        entry.noted = Some(difference);
        true
    }

    /// The source got over all checks up to `stage`.
    fn passed(&mut self, key: (u32, Ipv4Addr), stage: Stage) {
        if self.entries.get(&key).is_some_and(|entry| entry.difference.stage() <= stage) {
            self.entries.remove(&key);
        }
    }
}

impl Difference {
    /// The word it is counted under.
    pub fn name(&self) -> &'static str {
        match self {
            Difference::Unreadable(malformed) => malformed.name(),
            Difference::Area { .. } => "area",
            Difference::Network { .. } => "source-not-on-network",
            Difference::RouterId { .. } => "duplicate-router-id",
            Difference::AuthenticationType { .. } => "authentication-type",
            Difference::Password => "password",
            Difference::Key { .. } => "key-unknown",
            Difference::KeyLifetime { .. } => "key-lifetime",
            Difference::Digest { .. } => "digest",
            Difference::NetworkMask { .. } => "network-mask",
            Difference::HelloInterval { .. } => "hello-interval",
            Difference::DeadInterval { .. } => "dead-interval",
            Difference::External { .. } => "area-type",
            Difference::Nssa { .. } => "area-type",
            Difference::Mtu { .. } => "mtu",
        }
    }

    /// The check that finds it.
    fn stage(&self) -> Stage {
        match self {
            Difference::Unreadable(_)
            | Difference::Area { .. }
            | Difference::Network { .. }
            | Difference::AuthenticationType { .. }
            | Difference::Password
            | Difference::Key { .. }
            | Difference::KeyLifetime { .. }
            | Difference::Digest { .. } => Stage::Authentic,
            Difference::RouterId { .. }
            | Difference::NetworkMask { .. }
            | Difference::HelloInterval { .. }
            | Difference::DeadInterval { .. }
            | Difference::External { .. }
            | Difference::Nssa { .. } => Stage::Hello,
            Difference::Mtu { .. } => Stage::Description,
        }
    }
}

impl Router {
    /// What keeps neighbours away at present.
    pub fn mismatches(&self) -> impl Iterator<Item = &Mismatch> {
        self.mismatches.entries.values()
    }

    /// A packet from `source` was refused: counts and remembers it, and tells of it if it is new.
    pub(super) fn refuse(&mut self, index: u32, source: Ipv4Addr, why: Difference, now: Time) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        interface.counters.discard(why.name());
        self.remember(index, source, why, now);
    }

    /// The same without counting: the packet was taken, but goes wrong for the sender.
    pub(super) fn remember(&mut self, index: u32, source: Ipv4Addr, why: Difference, now: Time) {
        let Some(interface) = self.interfaces.get(&index) else { return };
        if self.mismatches.insert((index, source), &interface.name, why, now) {
            let subject = format!("{source} ({})", interface.name);
            self.note(subject, why.to_string(), true);
        }
    }

    pub(super) fn agrees(&mut self, index: u32, source: Ipv4Addr, stage: Stage) {
        self.mismatches.passed((index, source), stage);
    }

    /// Forgets who has not been heard for a long time: all of the interface if `before` is `None`.
    pub(super) fn forget_mismatches(&mut self, index: u32, before: Option<Time>) {
        self.mismatches.entries.retain(|(interface, _), entry| {
            *interface != index || before.is_some_and(|before| entry.seen >= before)
        });
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authentication = |code: &u8| match code {
            0 => "none",
            1 => "simple",
            2 => "cryptographic",
            _ => "cryptographic with extended sequence",
        };
        match self {
            Difference::Unreadable(malformed) => write!(f, "cannot be read: {malformed}"),
            Difference::Area { ours, theirs } => write!(f, "area is {theirs}, ours is {ours}"),
            Difference::Network { ours } => write!(f, "source is outside our network {ours}"),
            Difference::RouterId { both } => {
                write!(f, "router id {both} is in use twice; give each router its own")
            }
            Difference::AuthenticationType { ours, theirs } => write!(
                f,
                "authentication is {}, ours is {}",
                authentication(theirs),
                authentication(ours)
            ),
            Difference::Password => f.write_str("password is not ours"),
            Difference::Key { id } => write!(f, "key {id} is not among ours"),
            Difference::KeyLifetime { id } => write!(f, "key {id} may not be accepted now"),
            Difference::Digest { id } => {
                write!(f, "digest is wrong: key {id} has another secret or algorithm there")
            }
            Difference::NetworkMask { ours, theirs } => {
                write!(f, "network mask is {theirs}, ours is {ours}")
            }
            Difference::HelloInterval { ours, theirs } => {
                write!(f, "hello interval is {theirs} s, ours is {ours} s")
            }
            Difference::DeadInterval { ours, theirs } => {
                write!(f, "dead interval is {theirs} s, ours is {ours} s")
            }
            Difference::External { ours: true } => {
                f.write_str("area type takes no externals there (E bit 0), ours does (E bit 1)")
            }
            Difference::External { ours: false } => {
                f.write_str("area type takes externals there (E bit 1), ours does not (E bit 0)")
            }
            Difference::Nssa { ours: true } => {
                f.write_str("area type is not NSSA there (N bit 0), ours is (N bit 1)")
            }
            Difference::Nssa { ours: false } => {
                f.write_str("area type is NSSA there (N bit 1), ours is not (N bit 0)")
            }
            Difference::Mtu { ours, theirs } => {
                write!(f, "MTU is {theirs}, ours is {ours}; make them equal or set mtu-ignore")
            }
        }
    }
}
