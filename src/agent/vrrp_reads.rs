//! The answers to reads about VRRP, and about the lane that it runs in with BFD. They change nothing.
//!
//! What the protocol does is in a [`Snapshot`] of the lane; what goes with it, and its name, is here.

use super::reads::{intent_reply, not_found};
use super::takeover::{Phase, Takeover};
use super::text::{counters, micros};
use super::vrrp::VirtualRouter;
use super::{Agent, LaneFacts};
use crate::api::v1;
use crate::config::{self, Track};
use crate::fast::{Lag, Snapshot};
use crate::group::{Target, nearest};
use crate::types::Time;
use crate::vrrp::{Checksum, Reason, State, Summary, Version};
use crate::{bfd, vrrp};

/// For so long `shunt status` warns of two that were Active.
const SPLIT_IS_NEWS: std::time::Duration = std::time::Duration::from_secs(60);

impl Agent {
    /// Whether there is anything for the lane to do.
    fn uses_lane(&self) -> bool {
        !self.config.vrrp.is_empty() || self.uses_bfd()
    }

    /// `None` if neither BFD nor VRRP is configured. Without a `snapshot` the lane has not answered.
    pub fn fast_status(&self, snapshot: Option<&Snapshot>) -> Option<v1::FastStatus> {
        if !self.uses_lane() {
            return None;
        }
        let missing = |what: fn(&LaneFacts) -> &Result<(), String>| match &self.facts.lane {
            Some(facts) => what(facts).clone().err().unwrap_or_default(),
            None => "it has not started".to_owned(),
        };
        let sessions = || snapshot.into_iter().flat_map(|snapshot| &snapshot.sessions);
        let active = |router: &&VirtualRouter| router.state == State::Active;
        Some(v1::FastStatus {
            not_realtime: missing(|facts| &facts.realtime),
            not_locked: missing(|facts| &facts.locked),
            lag: snapshot.map(|snapshot| lag(&snapshot.lag)),
            bfd_sessions: sessions().count() as u32,
            bfd_up: sessions().filter(|session| session.state == bfd::State::Up).count() as u32,
            routers: self.config.vrrp.len() as u32,
            routers_active: self.routers.by_name.values().filter(active).count() as u32,
        })
    }

    /// What an operator should look at, of BFD and VRRP.
    pub fn fast_warnings(&self, snapshot: Option<&Snapshot>, now: Time) -> Vec<String> {
        if !self.uses_lane() {
            return Vec::new();
        }
        let mut warnings = Vec::new();
        match &self.facts.lane {
            Some(LaneFacts { realtime: Err(why), .. }) => warnings.push(format!(
                "BFD and VRRP have no real-time priority, so a busy machine can make them late: {why}"
            )),
            Some(LaneFacts { locked: Err(why), .. }) => warnings.push(format!(
                "the memory of BFD and VRRP is not locked, so a machine that swaps can make them late: {why}"
            )),
            _ => {}
        }
        match snapshot {
            Some(snapshot) => warnings.extend(self.bfd_warnings(snapshot)),
            None => warnings.push("the thread of BFD and VRRP does not answer".to_owned()),
        }
        for (name, router) in &self.routers.by_name {
            if !router.fault.is_empty() {
                warnings.push(format!("virtual router {name}: {}", router.fault));
            }
            if router.state == State::Initialize {
                let why = self.why_not_running(name, router.reason);
                warnings.push(format!("virtual router {name} does not run: {why}"));
            }
            if let Some(at) = router.split.filter(|at| now - *at < SPLIT_IS_NEWS) {
                let at = self.wall(at);
                warnings.push(format!(
                    "virtual router {name}: another one was Active as well at {at}; can the two hear each other on every link?"
                ));
            }
        }
        warnings
    }

    fn why_not_running(&self, name: &str, reason: Reason) -> String {
        let Some(config) = self.config.vrrp.get(name) else { return String::new() };
        let interface = &config.interface;
        match self.fib.interfaces().named(interface) {
            None => format!("there is no interface {interface}"),
            Some((_, link)) if !link.up => format!("{interface} is down"),
            Some(_) if reason == Reason::NoSocket => {
                format!("VRRP cannot be received or sent on {interface}; `shunt events` says why")
            }
            Some(_) if reason == Reason::Started => "it is starting".to_owned(),
            Some(_) => format!("{interface} has no address of its family"),
        }
    }

    /// All virtual routers for the empty name.
    pub fn vrrp(
        &self,
        request: &v1::VrrpRequest,
        snapshot: &Snapshot,
        now: Time,
    ) -> Result<v1::VrrpReply, tonic::Status> {
        let (name, all) = (&request.name, &self.config.vrrp);
        if !name.is_empty() && !all.contains_key(name) {
            let suggestion = nearest(name, all.keys().map(String::as_str));
            return Err(not_found("virtual router", name, suggestion));
        }
        let shown = all.iter().filter(|(known, _)| name.is_empty() || *known == name);
        let routers = shown.filter_map(|(name, config)| {
            let router = self.routers.by_name.get(name)?;
            let summary = snapshot.routers.iter().find(|summary| summary.router == router.id);
            Some(self.vrrp_router(name, config, router, summary, now))
        });
        let dropped = counters(&snapshot.vrrp.dropped);
        Ok(v1::VrrpReply { routers: routers.collect(), dropped })
    }

    fn vrrp_router(
        &self,
        name: &str,
        config: &config::Vrrp,
        router: &VirtualRouter,
        summary: Option<&Summary>,
        now: Time,
    ) -> v1::VrrpRouter {
        let (role, step) = self.routers.units.get(&router.unit).map_or(("backup", ""), role);
        let checksum = match (config.version, config.checksum) {
            (Version::V2, _) => "",
            (Version::V3, _) if config.addresses.iter().any(|address| address.is_ipv6()) => "",
            (Version::V3, Checksum::PseudoHeader) => "pseudo-header",
            (Version::V3, Checksum::Plain) => "plain",
        };
        let mut reply = v1::VrrpRouter {
            name: name.to_owned(),
            interface: config.interface.clone(),
            vrid: config.vrid.into(),
            version: match config.version {
                Version::V2 => 2,
                Version::V3 => 3,
            },
            addresses: config.addresses.iter().map(ToString::to_string).collect(),
            // Where there is no such interface, the lane does not know of it.
            state: State::Initialize.to_string(),
            reason: reason(Reason::NoLink).to_owned(),
            role: role.to_owned(),
            step: step.to_owned(),
            configured_priority: config.priority.into(),
            interval_us: micros(config.interval),
            preempt: config.preempt,
            preempt_delay_us: micros(config.preempt_delay),
            accept: config.accept,
            mac: config.settings(0).virtual_mac().map(|mac| mac.to_string()).unwrap_or_default(),
            checksum: checksum.to_owned(),
            unicast_peers: config.unicast_peers.iter().map(ToString::to_string).collect(),
            sync_group: config.sync_group.clone().unwrap_or_default(),
            tracks: config.tracks.iter().map(|track| self.vrrp_track(track)).collect(),
            released: router.released,
            release: self.release_order(name, now),
            assigned: router.assigned,
            fault: router.fault.clone(),
            split: router.split.map(|at| self.wall(at).to_string()).unwrap_or_default(),
            ..v1::VrrpRouter::default()
        };
        let Some(summary) = summary else { return reply };
        reply.state = summary.state.to_string();
        reply.state_us = micros(now - summary.since);
        reply.reason = reason(summary.reason).to_owned();
        reply.priority = summary.priority.into();
        reply.active = summary.active.map(|address| address.to_string()).unwrap_or_default();
        reply.active_priority = summary.active_priority.into();
        reply.active_interval_us = micros(summary.active_interval);
        reply.active_down_us = micros(summary.active_down_interval);
        reply.takeovers = summary.takeovers;
        reply.sent = summary.sent;
        reply.received = summary.received;
        reply.dropped = counters(&summary.dropped);
        reply.mismatches = counters(&summary.mismatches);
        reply
    }

    fn vrrp_track(&self, track: &Track) -> v1::VrrpTrack {
        v1::VrrpTrack {
            object: track.object.to_string(),
            up: self.is_up(&track.object),
            lower_by: track.lower_by.into(),
            text: self.probe_text(&track.object),
        }
    }

    /// The order that keeps a virtual router released.
    fn release_order(&self, name: &str, now: Time) -> Option<v1::Intent> {
        let target = Target::Router(name.to_owned());
        let intent = self.orders.in_force().in_force(&target, self.wall(now))?;
        Some(intent_reply(intent, 0))
    }

    /// What has become of a virtual router that was ordered to be released, or not to be any more.
    pub(super) fn vrrp_outcome(&self, name: &str, now: Time) -> Option<v1::VrrpOutcome> {
        let router = self.routers.by_name.get(name)?;
        let (role, _) = self.routers.units.get(&router.unit).map_or(("backup", ""), role);
        Some(v1::VrrpOutcome {
            name: name.to_owned(),
            role: role.to_owned(),
            active: router.active.map(|address| address.to_string()).unwrap_or_default(),
            release: self.release_order(name, now),
            settled_us: 0,
        })
    }

    /// Whether a virtual router has done what it was ordered: it has given up its role, or tried to and nobody else
    /// wanted it; or it is not kept from it any more.
    pub(super) fn has_settled(&self, name: &str, now: Time) -> bool {
        let Some(router) = self.routers.by_name.get(name) else { return true };
        let phase = self.routers.units.get(&router.unit).map(Takeover::phase);
        match self.release_order(name, now) {
            Some(_) => router.released && matches!(phase, Some(Phase::Backup | Phase::Active)),
            None => !router.released,
        }
    }
}

/// The role, and the step of a change of it.
fn role(takeover: &Takeover) -> (&'static str, &'static str) {
    match takeover.phase() {
        Phase::Backup => ("backup", ""),
        Phase::Active => ("active", ""),
        Phase::Taking(step) => ("taking", step.name()),
        Phase::Releasing(step) => ("releasing", step.name()),
    }
}

fn reason(reason: vrrp::Reason) -> &'static str {
    match reason {
        Reason::Started => "started",
        Reason::NoLink => "no-link",
        Reason::NoSocket => "no-socket",
        Reason::Owner => "owner",
        Reason::ActiveDown => "active-down",
        Reason::ActiveLeft => "active-left",
        Reason::Preempted => "preempted",
        Reason::HigherPriority => "higher-priority",
        Reason::Released => "released",
        Reason::SyncGroup => "sync-group",
        Reason::Stalled => "stalled",
        Reason::AnotherActive => "another-active",
    }
}

fn lag(lag: &Lag) -> v1::FastLag {
    v1::FastLag {
        p50_us: micros(lag.percentile(50)),
        p99_us: micros(lag.percentile(99)),
        worst_us: micros(lag.worst()),
        samples: lag.samples(),
    }
}
