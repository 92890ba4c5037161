//! The answers to reads. They change nothing.

use std::net::IpAddr;

use super::neighbor::Neighbor;
use super::{Agent, PeerId, text};
use crate::api::v1;
use crate::bgp::State;
use crate::config::{Export, Ttl};
use crate::fib::Hops;
use crate::group::{Announcement, Because, Intent, Order, Target, nearest};
use crate::types::{Family, Prefix, Time};

impl Agent {
    /// Without what the lane of BFD and VRRP has to say: see [`Agent::fast_status`].
    pub fn status(&self, now: Time) -> v1::StatusReply {
        let node = &self.config.node;
        let learned = |neighbor: &Neighbor| {
            Family::ALL.iter().map(|f| self.rib.count(neighbor.source(), *f) as u64).sum::<u64>()
        };
        v1::StatusReply {
            node: node.name.clone(),
            site: node.site.clone(),
            asn: node.asn.0,
            router_id: node.router_id.to_string(),
            version: self.facts.version.clone(),
            started: self.wall.to_string(),
            uptime_us: now.as_micros(),
            neighbors_configured: self.neighbors.len() as u32,
            neighbors_established: self.neighbors.values().filter(|n| n.is_established()).count()
                as u32,
            prefixes_announced: self
                .own
                .values()
                .filter(|own| own.preference.is_announced())
                .count() as u32,
            prefixes_known: self.own.len() as u32,
            intents: self.orders.in_force().len() as u32,
            routes_learned: self.neighbors.values().map(learned).sum(),
            kernel: Some(self.kernel_status()),
            warnings: [self.warnings(), self.ospf_warnings(now)].concat(),
            configuration: self.facts.configuration_path.clone(),
            state_directory: self.facts.state_directory.clone(),
            ospf: self.ospf_status(),
            drain: self.drain_order(now),
            fast: None,
            health: self.health_status(),
            rpki: self.rpki_status(),
            update_log: None,
            collectors: self.collector_statuses(),
        }
    }

    /// The order that drains this node.
    pub(super) fn drain_order(&self, now: Time) -> Option<v1::Intent> {
        let intent = self.orders.in_force().in_force(&Target::Node, self.wall(now))?;
        Some(intent_reply(intent, 0))
    }

    fn kernel_status(&self) -> v1::KernelStatus {
        let totals = self.fib.totals();
        let state = match (self.config.kernel.install, self.fib.is_ready(), totals.failed) {
            (false, _, _) => "off",
            (true, false, _) => "waiting",
            (true, true, 0) => "synced",
            (true, true, _) => "failing",
        };
        v1::KernelStatus {
            state: state.to_owned(),
            routes_wanted: totals.wanted as u64,
            routes_installed: totals.observed as u64,
            difference: (totals.pending + totals.failed) as u64,
            last_error: self.kernel_error.clone(),
            exits: totals.groups as u64,
            compat_mode: totals.compat_mode,
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.facts.warnings.clone();
        for neighbor in self.neighbors.values() {
            let name = &neighbor.name;
            if neighbor.config.import.is_none() {
                warnings.push(format!(
                    "neighbor {name} has no import policy: nothing is taken from it (RFC 8212)"
                ));
            }
            if neighbor.config.export.is_none() {
                warnings.push(format!(
                    "neighbor {name} has no export policy: nothing is announced to it (RFC 8212)"
                ));
            }
            if neighbor.config.shutdown.is_none() && !neighbor.is_established() {
                let why = match (&neighbor.last_error, &neighbor.last_down) {
                    (error, _) if !error.is_empty() => format!(": {error}"),
                    (_, Some((reason, _))) => format!(": {reason}"),
                    _ => String::new(),
                };
                warnings.push(format!("neighbor {name} is not established{why}"));
            }
        }
        for collector in self.collector_statuses().iter().filter(|one| !one.connected) {
            let v1::CollectorStatus { name, last_error, .. } = collector;
            let why = if last_error.is_empty() { String::new() } else { format!(": {last_error}") };
            warnings.push(format!("collector {name} is not connected{why}"));
        }
        warnings.extend(self.unwatched());
        warnings.extend(self.guards_in_force().into_iter().map(|text| format!("guard: {text}")));
        warnings.extend(self.check_warnings());
        warnings.extend(self.rpki_warnings());
        for intent in self.orders.in_force().iter() {
            let is_configured = match &intent.target {
                Target::Node => true,
                Target::Router(name) => self.config.vrrp.contains_key(name),
                Target::Group(_) | Target::Prefix(_) => {
                    self.config.definitions().target(&intent.target.to_string()).is_ok()
                }
            };
            if !is_configured {
                warnings.push(format!(
                    "the intent for {} has no effect: it is no longer configured; release it",
                    intent.target
                ));
            }
        }
        if self.fib.totals().failed > 0 {
            warnings.push(format!("the kernel refuses routes: {}", self.kernel_error));
        }
        warnings
    }

    /// One neighbour's handle by its name.
    pub fn peer_named(&self, name: &str) -> Result<PeerId, tonic::Status> {
        self.neighbor_named(name).map(|neighbor| neighbor.id)
    }

    pub(super) fn neighbor_named(&self, name: &str) -> Result<&Neighbor, tonic::Status> {
        let found = self.neighbors.values().find(|neighbor| neighbor.name == name);
        found.ok_or_else(|| {
            let names = self.neighbors.values().map(|neighbor| neighbor.name.as_str());
            not_found("neighbor", name, nearest(name, names))
        })
    }

    /// All neighbours for the empty name.
    pub fn neighbors(&self, name: &str, now: Time) -> Result<v1::NeighborsReply, tonic::Status> {
        let mut chosen: Vec<&Neighbor> = match name {
            "" => self.neighbors.values().collect(),
            name => vec![self.neighbor_named(name)?],
        };
        chosen.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(v1::NeighborsReply {
            neighbors: chosen.into_iter().map(|neighbor| self.neighbor(neighbor, now)).collect(),
        })
    }

    fn neighbor(&self, neighbor: &Neighbor, now: Time) -> v1::Neighbor {
        let session = neighbor.peer.session();
        let counters = neighbor.peer.counters();
        let config = &neighbor.config;
        let (reason, at) = neighbor.last_down.clone().unwrap_or_default();
        let state = match neighbor.state {
            State::Idle if config.shutdown.is_some() => "shutdown",
            State::Idle => "idle",
            State::Connect => "connect",
            State::Active => "active",
            State::OpenSent => "opensent",
            State::OpenConfirm => "openconfirm",
            State::Established => "established",
        };
        let sum = |count: fn(&Self, &Neighbor, Family) -> usize| {
            Family::ALL.iter().map(|family| count(self, neighbor, *family) as u64).sum()
        };
        v1::Neighbor {
            name: neighbor.name.clone(),
            address: config.address.to_string(),
            remote_as: config.remote_as.0,
            state: state.to_owned(),
            state_us: (now - neighbor.state_since).as_micros() as u64,
            local_address: session
                .map(|s| s.local.ip().to_canonical().to_string())
                .unwrap_or_default(),
            router_id: session.map(|s| s.open.router_id.to_string()).unwrap_or_default(),
            hold_time_s: session.map_or(config.hold_time, |s| s.hold_time).as_secs() as u32,
            keepalive_s: session.map_or(config.hold_time / 3, |s| s.keepalive).as_secs() as u32,
            families: match session {
                Some(session) => session.facts.families.iter().map(Family::to_string).collect(),
                None => config.families.iter().map(Family::to_string).collect(),
            },
            capabilities: session
                .map(|s| s.open.capabilities.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            class: config.class.clone(),
            import: neighbor.import_name().to_owned(),
            export: neighbor.export_name().to_owned(),
            role: config.role.map(|role| role.to_string()).unwrap_or_default(),
            prefixes_received: sum(|agent, n, family| agent.rib.count(n.source(), family)),
            prefixes_rejected: neighbor.rejected + neighbor.rejected_by.values().sum::<u64>(),
            prefixes_sent: sum(|_, n, family| n.out.len(family)),
            updates_received: counters.received.update,
            updates_sent: counters.sent.update,
            messages_received: counters.received.total(),
            messages_sent: counters.sent.total(),
            established_count: counters.established,
            last_down: reason,
            last_down_at: at,
            last_error: neighbor.last_error.clone(),
            problems: neighbor.problems.iter().cloned().collect(),
            update_problems: neighbor.problem_count,
            md5: config.password.is_some(),
            ttl_security: match config.ttl {
                Ttl::Security { hops } => u32::from(hops),
                _ => 0,
            },
            import_policy: config.import_policy.names().map(str::to_owned).collect(),
            export_policy: config.export_policy.names().map(str::to_owned).collect(),
            rejected_by: neighbor
                .rejected_by
                .iter()
                .map(|(by, routes)| v1::RejectedBy {
                    rule: config.import_policy.describe(*by),
                    routes: *routes,
                })
                .collect(),
        }
    }

    /// All groups and ad-hoc prefixes for the empty name.
    pub fn groups(&self, name: &str, _now: Time) -> Result<v1::GroupsReply, tonic::Status> {
        let groups = &self.config.groups;
        if !name.is_empty() && !groups.contains_key(name) {
            return Err(not_found("group", name, nearest(name, groups.keys().map(String::as_str))));
        }
        let shown = groups.iter().filter(|(group, _)| name.is_empty() || *group == name);
        let groups = shown.map(|(group, definition)| v1::Group {
            name: group.clone(),
            announcements: self
                .own
                .values()
                .filter(|own| own.group.as_ref() == Some(group))
                .map(|own| self.announcement(own))
                .collect(),
            base: u32::from(definition.base(&self.config.node.site).0),
            base_by_site: definition
                .base
                .iter()
                .map(|(site, preference)| (site.clone(), u32::from(preference.0)))
                .collect(),
        });
        let groups: Vec<v1::Group> = groups.collect();
        let ad_hoc = self.own.values().filter(|own| own.group.is_none() && name.is_empty());
        Ok(v1::GroupsReply { groups, prefixes: ad_hoc.map(|own| self.announcement(own)).collect() })
    }

    pub(super) fn announcement(&self, own: &Announcement) -> v1::Announcement {
        let intent = own.because.iter().rev().find_map(|because| match because {
            Because::Operator { intent, preference, .. }
            | Because::Drained { intent, preference, .. } => Some((intent, preference)),
            Because::Base { .. }
            | Because::Outbid { .. }
            | Because::Lowered { .. }
            | Because::Guarded { .. }
            | Because::Backup { .. }
            | Because::Survivor { .. } => None,
        });
        v1::Announcement {
            prefix: own.prefix.to_string(),
            group: own.group.clone().unwrap_or_default(),
            preference: u32::from(own.preference.0),
            level: self.config.levels.name(own.preference).unwrap_or_default().to_owned(),
            because: own.because.iter().map(ToString::to_string).collect(),
            sent_to: self
                .neighbors
                .values()
                .filter(|_| own.preference.is_announced())
                .filter(|neighbor| neighbor.out.sent(own.prefix).is_some())
                .map(|neighbor| neighbor.name.clone())
                .chain(self.area_has(own.prefix).then(|| "ospf".to_owned()))
                .collect(),
            intent: intent.map(|(intent, preference)| intent_reply(intent, preference.0)),
        }
    }

    /// All that decides over a prefix, or over the longest match of an address.
    pub fn why(&self, asked: &str, now: Time) -> Result<v1::WhyReply, tonic::Status> {
        let prefix = match (asked.parse::<IpAddr>(), asked.parse::<Prefix>()) {
            (Ok(address), _) => self.deciding(address),
            (_, Ok(prefix)) => prefix,
            (_, Err(error)) => return Err(tonic::Status::invalid_argument(error.to_string())),
        };
        let max_paths = usize::from(self.config.kernel.max_paths);
        let kernel = self.fib.route(prefix).and_then(|route| route.observed);
        let own = self.own.get(&prefix);
        Ok(v1::WhyReply {
            prefix: prefix.to_string(),
            announcement: own.map(|own| self.announcement(own)),
            sent: self.neighbors.values().map(|n| self.sent(n, prefix, own)).collect(),
            paths: self
                .rib
                .candidates(prefix, max_paths)
                .iter()
                .map(|c| self.path(prefix, c, now))
                .collect(),
            kernel: kernel.map(|hops| self.hops(hops)).unwrap_or_default(),
            ospf: self.ospf_sent(prefix, own, now),
        })
    }

    /// The most specific prefix that says something about an address.
    fn deciding(&self, address: IpAddr) -> Prefix {
        let own = self.own.keys().filter(|prefix| prefix.contains(address)).copied();
        let learned = self.rib.longest_match(address);
        own.chain(learned).max_by_key(|prefix| prefix.length()).unwrap_or(Prefix::host(address))
    }

    fn sent(&self, neighbor: &Neighbor, prefix: Prefix, own: Option<&Announcement>) -> v1::Sent {
        let sent = self.sent_to(neighbor, prefix);
        let because = match own.filter(|own| own.preference.is_announced()) {
            Some(own) => match self.export_obstacle(neighbor, prefix) {
                Some(obstacle) => obstacle,
                None => {
                    let class = &neighbor.config.class;
                    let mapped = self.config.mapping(class).map(own.preference);
                    let level = self.config.levels.describe(own.preference);
                    let mapped = text::mapped(&mapped, neighbor.config.internal);
                    let changes = self.export_changes(neighbor, own);
                    format!("class {class}, {level}: {mapped}{changes}")
                }
            },
            None if sent.is_some() => self
                .export_verdict(neighbor, prefix)
                .unwrap_or_else(|| "the best learned path, passed on".to_owned()),
            None if own.is_some() => "the preference is 0".to_owned(),
            None if neighbor.config.export == Some(Export::Transit) => self
                .export_verdict(neighbor, prefix)
                .unwrap_or_else(|| "no path that may be passed on".to_owned()),
            None => "not ours, and this neighbour gets no transit".to_owned(),
        };
        v1::Sent {
            neighbor: neighbor.name.clone(),
            attributes: sent.map(|set| text::attributes(&set)),
            because,
        }
    }

    fn hops(&self, hops: &Hops) -> String {
        let texts: Vec<String> = hops
            .as_slice()
            .iter()
            .map(|hop| format!("via {} dev {}", hop.gateway, self.link_name(hop.interface)))
            .collect();
        texts.join(", ")
    }

    pub(super) fn link_name(&self, index: u32) -> String {
        let link = self.fib.interfaces().link(index);
        link.map_or(format!("#{index}"), |link| link.name.clone())
    }
}

pub(super) fn intent_reply(intent: &Intent, preference: u8) -> v1::Intent {
    let order = match intent.order {
        Order::Announce(_) => "announce",
        Order::Withdraw => "withdraw",
        Order::Prefer(_) => "prefer",
        Order::Drain => "drain",
        Order::Release => "vrrp-release",
    };
    let target = match &intent.target {
        Target::Node => String::new(),
        Target::Router(name) => name.clone(),
        target => target.to_string(),
    };
    v1::Intent {
        target,
        order: order.to_owned(),
        preference: u32::from(preference),
        owner: intent.owner.clone(),
        reason: intent.reason.clone().unwrap_or_default(),
        since: intent.since.to_string(),
        expires: intent.expires.map(|expires| expires.to_string()).unwrap_or_default(),
    }
}

pub(super) fn not_found(kind: &str, name: &str, suggestion: Option<&str>) -> tonic::Status {
    tonic::Status::not_found(match suggestion {
        Some(meant) => format!("no {kind} `{name}`; did you mean `{meant}`?"),
        None => format!("no {kind} `{name}`"),
    })
}
