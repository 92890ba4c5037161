//! `[bfd.*]`, and the keys by which others use BFD.

mod client;
pub(super) mod profile;
pub(super) mod session;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::report::Report;
use super::section::Section;
use crate::bfd::{Authentication, Path, Settings};
use crate::types::RouterId;

pub(super) use client::{check_sooner, read_use};

pub(super) const KEYS: &[&str] = &["profile", "session"];

/// The profiles there are, also those that could not be read (`None`).
pub(super) type Profiles = BTreeMap<String, Option<BfdProfile>>;

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

impl BfdProfile {
    pub const BUILT_IN: BfdProfile = BfdProfile {
        transmit_interval: Duration::from_millis(50),
        receive_interval: Duration::from_millis(50),
        multiplier: 3,
        authentication: None,
    };

    /// Of a session with this profile.
    pub fn settings(&self, path: Path) -> Settings {
        Settings {
            path,
            transmit_interval: self.transmit_interval,
            receive_interval: self.receive_interval,
            multiplier: self.multiplier,
            authentication: self.authentication.clone(),
        }
    }

    /// How long the loss of the other side goes unnoticed, if that has the same profile.
    pub fn detection_time(&self) -> Duration {
        self.transmit_interval.max(self.receive_interval) * u32::from(self.multiplier)
    }
}

/// `[bfd]`, if it is there.
pub(super) fn open<'t>(root: &Section<'t>, report: &mut Report<'_>) -> Option<Section<'t>> {
    Section::open("[bfd]".to_owned(), root.value("bfd")?, KEYS, report)
}
