use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::exports::{PACKED, QUEUE_LIMIT};
use super::policies::PassedOn;
use super::{PeerEndpoint, PeerId};
use crate::bgp::{self, Peer, Settings};
use crate::config::{self, Config, GracefulRestart, Ttl};
use crate::group::Mark;
use crate::policy::{By, Facts};
use crate::rib::{AdjRibOut, SourceId};
use crate::types::{Asn, Family, Preference, Prefix, Rng, Time};
use crate::wire::bgp::{Attributes, Problem, Reaction};
use crate::wire::mrt::Ends;

/// How many faults in UPDATEs are kept to be shown.
const PROBLEMS_KEPT: usize = 10;

/// What decides how an announcement of ours looks to a neighbour.
pub(super) type Saying = (Preference, Option<Mark>, Family, Facts);

/// One configured neighbour: its session, what it should be sent, and what there is to say of it.
#[derive(Clone)]
pub(super) struct Neighbor {
    pub id: PeerId,
    pub name: String,
    pub config: config::Neighbor,
    pub peer: Peer,
    pub out: AdjRibOut,
    /// Octets handed to the connection of the session and not yet taken by its TCP.
    pub queued: usize,
    /// Families whose whole table is on its way for the first time, to be ended by End-of-RIB.
    pub initial: Vec<Family>,
    /// Families that the neighbour has sent completely, so that routes of an earlier life of ours
    /// need not wait for it.
    pub received_all: Vec<Family>,
    /// Families asked for again while the first transmission still went on: answered behind it.
    pub asked: Vec<Family>,
    /// Families whose table is on its way again, to be ended by EoRR.
    pub refreshing: Vec<Family>,
    /// Own announcements by what they say, as this session sends them. Emptied with the session.
    pub originated: BTreeMap<Saying, Option<Arc<Attributes>>>,
    pub passed_on: PassedOn,
    /// The whole RIB is being gone through for this neighbour; the last prefix that was looked at.
    pub walk: Option<Option<Prefix>>,
    pub state: bgp::State,
    pub state_since: Time,
    /// Calendar time at which the last session ended, and why.
    pub last_down: Option<(String, String)>,
    pub last_error: String,
    pub rejected: u64,
    /// Routes that the import policies rejected, by what rejected them.
    pub rejected_by: BTreeMap<By, u64>,
    pub problems: VecDeque<String>,
    pub problem_count: u64,
}

impl Neighbor {
    pub fn new(
        id: PeerId,
        name: &str,
        config: &Config,
        neighbor: &config::Neighbor,
        rng: Rng,
    ) -> Neighbor {
        Neighbor {
            id,
            name: name.to_owned(),
            config: neighbor.clone(),
            peer: Peer::new(settings(config, neighbor), rng),
            out: AdjRibOut::new(),
            queued: 0,
            initial: Vec::new(),
            received_all: Vec::new(),
            asked: Vec::new(),
            refreshing: Vec::new(),
            originated: BTreeMap::new(),
            passed_on: PassedOn::default(),
            walk: None,
            state: bgp::State::Idle,
            state_since: Time::ZERO,
            last_down: None,
            last_error: String::new(),
            rejected: 0,
            rejected_by: BTreeMap::new(),
            problems: VecDeque::new(),
            problem_count: 0,
        }
    }

    /// The source of its routes in the RIB; 0 is our own.
    pub fn source(&self) -> SourceId {
        SourceId(self.id.0 + 1)
    }

    /// Whose the paths of a source are; `None`: our own.
    pub fn of_source(source: SourceId) -> Option<PeerId> {
        source.0.checked_sub(1).map(PeerId)
    }

    pub fn is_established(&self) -> bool {
        self.peer.session().is_some()
    }

    /// Whether there is something to be sent, and room for it.
    pub fn can_drain(&self) -> bool {
        let bulk = self.queued < QUEUE_LIMIT && (!self.out.is_settled() || self.walk.is_some());
        self.is_urgent() || (self.is_established() && bulk)
    }

    /// Whether own announcements are to be sent, which do not wait for room.
    pub fn is_urgent(&self) -> bool {
        self.is_established() && self.out.is_urgent()
    }

    /// Whether more of the RIB is to be looked at for this neighbour now.
    pub fn can_walk(&self) -> bool {
        self.walk.is_some() && self.out.pending() < PACKED
    }

    /// The session is gone, and with it all that was negotiated, queued and sent.
    pub fn forget_session(&mut self) {
        self.out.clear();
        self.queued = 0;
        self.initial.clear();
        self.received_all.clear();
        self.asked.clear();
        self.refreshing.clear();
        self.originated.clear();
        self.passed_on = PassedOn::default();
        self.walk = None;
    }

    pub fn note_problem(&mut self, problem: &Problem) {
        self.problem_count += 1;
        self.problems.truncate(PROBLEMS_KEPT - 1);
        self.problems.push_front(problem_text(problem));
    }

    /// For records of the session. Our address is unspecified before there is one.
    pub fn ends(&self, local_asn: Asn) -> Ends {
        let peer = self.config.address;
        let session = self.peer.session().map(|session| session.local.ip().to_canonical());
        let unspecified = match peer {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let local = session.or(self.config.local_address).unwrap_or(unspecified);
        Ends { peer_asn: self.config.remote_as, local_asn, peer, local }
    }

    /// What may also be the reason if a neighbour does not answer a dial: the kernel drops such packets without a word.
    pub fn silent_drop_hint(&self) -> &'static str {
        let guarded = matches!(self.config.ttl, Ttl::Security { .. });
        match (self.config.password.is_some(), guarded) {
            (true, true) => "; a different TCP-MD5 key or ttl-security looks the same",
            (true, false) => "; a different TCP-MD5 key looks the same",
            (false, true) => "; a different ttl-security looks the same",
            (false, false) => "",
        }
    }

    pub fn endpoint(&self) -> PeerEndpoint {
        let config = &self.config;
        let (ttl, min_ttl) = match config.ttl {
            // A neighbour of another AS is on the link unless the configuration says otherwise.
            Ttl::Usual if config.internal => (64, None),
            Ttl::Usual => (1, None),
            Ttl::Multihop { ttl } => (ttl, None),
            // RFC 5082 §3: the neighbour sends with 255, each hop takes one.
            Ttl::Security { hops } => (255, Some(u8::MAX - (hops - 1))),
        };
        PeerEndpoint {
            name: self.name.clone(),
            asn: config.remote_as,
            address: config.address,
            port: config.port,
            local_address: config.local_address,
            ttl,
            min_ttl,
            md5: config.password.clone(),
            open: self.peer.open(),
        }
    }
}

/// What the session core needs of a neighbour's configuration.
pub(super) fn settings(config: &Config, neighbor: &config::Neighbor) -> Settings {
    let families: Vec<Family> = neighbor.families.iter().copied().collect();
    Settings {
        local_asn: config.node.asn,
        remote_asn: neighbor.remote_as,
        router_id: config.node.router_id,
        passive: neighbor.passive,
        hold_time: u16::try_from(neighbor.hold_time.as_secs()).unwrap_or(u16::MAX),
        connect_retry: neighbor.connect_retry,
        send_hold_time: neighbor.send_hold_time,
        // IPv4 prefixes over an IPv6 session need RFC 8950, unless a next hop is configured.
        extended_next_hop: neighbor.address.is_ipv6() && families.contains(&Family::Ipv4),
        families,
        role: neighbor.role,
        role_strict: neighbor.role_strict,
        graceful_restart_helper: neighbor.graceful_restart != GracefulRestart::Off,
        graceful_restart: neighbor.graceful_restart == GracefulRestart::Restart,
        bfd_strict: neighbor.bfd.as_ref().is_some_and(|bfd| bfd.strict),
        shutdown: neighbor.shutdown.clone(),
    }
}

/// `treat as withdraw: MED has length 3, not 4`.
pub(super) fn problem_text(problem: &Problem) -> String {
    let reaction = match problem.reaction {
        Reaction::AttributeDiscard => "attribute discarded",
        Reaction::TreatAsWithdraw => "treated as withdrawn",
    };
    format!("{reaction}: {}", problem.what)
}
