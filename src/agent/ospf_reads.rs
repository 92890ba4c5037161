//! The answers to reads about OSPF. They change nothing.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::ospf::Ospf;
use super::reads::not_found;
use super::text::micros;
use super::{Agent, lsa_text, text};
use crate::api::v1;
use crate::config::OspfExport;
use crate::group::{Announcement, nearest};
use crate::ospf::{
    AreaKind, Authentication, Interface, InterfaceSettings, InterfaceState, Mismatch, Neighbor,
    NeighborState, NetworkKind, Packets, Settings, StubRouter,
};
use crate::types::{Prefix, RouterId, Time};
use crate::wire::ospf::Algorithm;

/// Host names by router id, as far as routers tell them.
pub(super) type Hostnames<'a> = BTreeMap<RouterId, &'a str>;

impl Agent {
    pub(super) fn ospf_status(&self) -> Option<v1::OspfStatus> {
        let ospf = self.ospf.as_ref()?;
        let settings = ospf.router.settings();
        let up = |interface: &&Interface| interface.state != InterfaceState::Down;
        let neighbors = || ospf.router.interfaces().flat_map(|one| one.neighbors.values());
        let stub_router = match ospf.router.stub_router() {
            None => "",
            Some(StubRouter::Starting) => "starting",
            Some(StubRouter::Drained) => "drained",
        };
        let refused = ospf.router.refused_lsas();
        Some(v1::OspfStatus {
            router_id: settings.router_id.to_string(),
            area: settings.area.id.to_string(),
            area_type: match settings.area.kind {
                AreaKind::Normal => "normal",
                AreaKind::Stub => "stub",
                AreaKind::Nssa => "nssa",
            }
            .to_owned(),
            interfaces_up: ospf.router.interfaces().filter(up).count() as u32,
            interfaces_configured: settings.interfaces.len() as u32,
            neighbors_full: neighbors().filter(|one| one.state == NeighborState::Full).count()
                as u32,
            neighbors_known: neighbors().count() as u32,
            lsas: ospf.router.database().len() as u32,
            routes: ospf.router.routes().count() as u32,
            stub_router: stub_router.to_owned(),
            mismatches: self.mismatches(ospf, ""),
            refused_lsas: [
                ("not-for-area", refused.not_for_area),
                ("too-soon", refused.too_soon),
                ("old", refused.old),
                ("no-room", refused.no_room),
            ]
            .map(|(reason, count)| (reason.to_owned(), count))
            .into(),
        })
    }

    pub(super) fn ospf_warnings(&self, now: Time) -> Vec<String> {
        let (Some(ospf), Some(config)) = (&self.ospf, &self.config.ospf) else { return Vec::new() };
        let mut warnings = Vec::new();
        if config.export.is_none() {
            warnings.push(
                "OSPF has no export policy: nothing is announced to the area; add `export` to [ospf]"
                    .to_owned(),
            );
        }
        for (name, settings) in &ospf.router.settings().interfaces {
            let interface = ospf.router.interfaces().find(|one| one.name == *name);
            if let Some(reason) = obstacle(settings, interface, &ospf.failed) {
                warnings.push(format!("OSPF interface {name} is not up: {reason}"));
            } else if let Some((key, false)) = settings.authentication.signing_key(self.wall(now)) {
                warnings.push(format!(
                    "OSPF interface {name}: no key's time to send is now, key {} signs all the same; add a key",
                    key.id
                ));
            }
        }
        match ospf.router.refused_lsas().no_room {
            0 => {}
            count => warnings.push(format!(
                "OSPF's link-state database is full: {count} LSAs were not taken, so routes are missing"
            )),
        }
        let mismatches = self.mismatches(ospf, "");
        warnings.extend(mismatches.into_iter().map(|one| format!("OSPF neighbor {}", one.text)));
        warnings
    }

    /// Those configured, or the one named.
    pub fn ospf_interfaces(
        &self,
        request: &v1::OspfInterfacesRequest,
        now: Time,
    ) -> Result<v1::OspfInterfacesReply, tonic::Status> {
        let ospf = self.configured_ospf()?;
        let settings = ospf.router.settings();
        configured(settings, &request.name)?;
        let named = |name: &String| request.name.is_empty() || request.name == *name;
        let shown = settings.interfaces.iter().filter(|(name, _)| named(name));
        let interfaces = shown.map(|(name, settings)| {
            let interface = ospf.router.interfaces().find(|one| one.name == *name);
            self.ospf_interface(name, settings, interface, &ospf.failed, now)
        });
        Ok(v1::OspfInterfacesReply { interfaces: interfaces.collect() })
    }

    fn ospf_interface(
        &self,
        name: &str,
        settings: &InterfaceSettings,
        interface: Option<&Interface>,
        failed: &BTreeMap<u32, String>,
        now: Time,
    ) -> v1::OspfInterface {
        let mut reply = v1::OspfInterface {
            name: name.to_owned(),
            state: interface.map_or("absent", |one| state_name(one.state)).to_owned(),
            reason: obstacle(settings, interface, failed).unwrap_or_default(),
            network: match settings.network {
                NetworkKind::Broadcast => "broadcast",
                NetworkKind::PointToPoint => "point-to-point",
                NetworkKind::Loopback => "loopback",
            }
            .to_owned(),
            passive: settings.passive,
            cost: settings.cost.into(),
            priority: settings.priority.into(),
            hello_interval_us: micros(settings.hello_interval),
            dead_interval_us: micros(settings.dead_interval),
            retransmit_interval_us: micros(settings.retransmit_interval),
            transmit_delay_s: settings.transmit_delay.into(),
            mtu_ignore: settings.mtu_ignore,
            authentication: "none".to_owned(),
            ..v1::OspfInterface::default()
        };
        match &settings.authentication {
            Authentication::Null => {}
            Authentication::Simple(_) => reply.authentication = "simple".to_owned(),
            Authentication::Cryptographic { extended, .. } => {
                reply.extended_sequence = *extended;
                if let Some((key, timely)) = settings.authentication.signing_key(self.wall(now)) {
                    reply.key_id = Some(key.id.into());
                    reply.authentication = algorithm_name(key.algorithm).to_owned();
                    reply.key_overdue = !timely;
                }
            }
        }
        let Some(interface) = interface else { return reply };
        let neighbors = || interface.neighbors.values();
        reply.address = interface
            .address
            .map(|(address, network)| format!("{address}/{}", network.prefix_len()))
            .unwrap_or_default();
        reply.designated = address(interface.designated);
        reply.backup = address(interface.backup);
        reply.mtu = interface.link.mtu;
        reply.neighbors = neighbors().count() as u32;
        reply.neighbors_full =
            neighbors().filter(|one| one.state == NeighborState::Full).count() as u32;
        reply.received = packets(&interface.counters.received);
        reply.sent = packets(&interface.counters.sent);
        let discarded = interface.counters.discarded.iter();
        reply.discarded = discarded.map(|(&reason, &count)| (reason.to_owned(), count)).collect();
        reply
    }

    /// Those heard of, and who does not fit.
    pub fn ospf_neighbors(
        &self,
        request: &v1::OspfNeighborsRequest,
        now: Time,
    ) -> Result<v1::OspfNeighborsReply, tonic::Status> {
        let ospf = self.configured_ospf()?;
        configured(ospf.router.settings(), &request.interface)?;
        let hostnames = ospf.router.hostnames(now);
        let asked = router_named(&request.router, &hostnames)?;
        let fits = |name: &str| request.interface.is_empty() || request.interface == name;
        let interfaces = ospf.router.interfaces().filter(|one| fits(&one.name));
        let neighbors = interfaces
            .flat_map(|interface| interface.neighbors.values().map(move |one| (interface, one)))
            .filter(|(_, neighbor)| asked.is_none_or(|asked| asked == neighbor.router_id))
            .map(|(interface, neighbor)| ospf_neighbor(interface, neighbor, &hostnames, now));
        Ok(v1::OspfNeighborsReply {
            neighbors: neighbors.collect(),
            mismatches: match asked {
                // They are known by their address only.
                Some(_) => Vec::new(),
                None => self.mismatches(ospf, &request.interface),
            },
        })
    }

    /// On one interface, or on all for the empty name.
    fn mismatches(&self, ospf: &Ospf, interface: &str) -> Vec<v1::OspfMismatch> {
        let shown = ospf.router.mismatches();
        let shown = shown.filter(|one| interface.is_empty() || one.name == interface);
        shown
            .map(|Mismatch { name, source, difference, since, .. }| v1::OspfMismatch {
                interface: name.clone(),
                address: source.to_string(),
                what: difference.name().to_owned(),
                since: self.wall(*since).to_string(),
                text: format!("{source} on {name}: {difference}"),
            })
            .collect()
    }

    pub(super) fn configured_ospf(&self) -> Result<&Ospf, tonic::Status> {
        self.ospf.as_ref().ok_or_else(|| {
            tonic::Status::not_found(
                "OSPF is not configured: it takes an [ospf] section in the configuration file",
            )
        })
    }

    /// What our LSA says about a prefix; `None` if it says nothing.
    pub(super) fn ospf_announcement(&self, prefix: Ipv4Net) -> Option<v1::OspfAnnouncement> {
        let (key, announced, _) = self.ospf.as_ref()?.router.announced(prefix)?;
        Some(text::ospf_announcement(&announced, key.to_string()))
    }

    /// What the area was told about a prefix, and why.
    pub(super) fn ospf_sent(
        &self,
        prefix: Prefix,
        own: Option<&Announcement>,
        now: Time,
    ) -> Option<v1::OspfSent> {
        let (ospf, config) = (self.ospf.as_ref()?, self.config.ospf.as_ref()?);
        let announcement = match prefix {
            Prefix::V4(network) => self.ospf_announcement(network),
            Prefix::V6(_) => None,
        };
        let because = match (own, config.export, prefix) {
            (None, ..) => "not ours to announce".to_owned(),
            (_, None, _) => "OSPF has no export policy".to_owned(),
            (_, Some(OspfExport::None), _) => "OSPF's export policy is `none`".to_owned(),
            (.., Prefix::V6(_)) => "OSPFv2 is for IPv4".to_owned(),
            (Some(own), ..) if !own.preference.is_announced() => "the preference is 0".to_owned(),
            (Some(own), ..) => {
                let level = self.config.levels.describe(own.preference);
                let metric = self.config.mapping(&config.class).metric(own.preference);
                let class = &config.class;
                match &announcement {
                    Some(said) if said.metric != metric => {
                        let worst =
                            "the worst metric until the routes of the start are in the kernel";
                        format!("class {class}, {level}: metric {metric}; {worst}")
                    }
                    _ => format!("class {class}, {level}: metric {metric}"),
                }
            }
        };
        let mut sent =
            v1::OspfSent { announcement, because, waiting_us: 0, unacknowledged: Vec::new() };
        let Prefix::V4(network) = prefix else { return Some(sent) };
        if let Some((_, _, Some(until))) = ospf.router.announced(network) {
            sent.waiting_us = micros(until.since(now));
        }
        let missing = ospf.router.unacknowledged(network, now);
        let hostnames = ospf.router.hostnames(now);
        let name = |(index, router)| {
            let interface = ospf.router.interfaces().find(|one| one.link.index == index)?;
            Some(neighbor_name(interface, router, &hostnames))
        };
        sent.unacknowledged = missing.into_iter().filter_map(name).collect();
        Some(sent)
    }
}

/// `ospf:fw2%eth1`: one word, by host name, or by router id where a router tells none.
pub(super) fn neighbor_name(
    interface: &Interface,
    router: RouterId,
    hostnames: &Hostnames<'_>,
) -> String {
    let name = match hostnames.get(&router) {
        Some(name) => name.replace(char::is_whitespace, "_"),
        None => router.to_string(),
    };
    format!("ospf:{name}%{}", interface.name)
}

/// Refuses an interface that is not configured. The empty name stands for all.
fn configured(settings: &Settings, name: &str) -> Result<(), tonic::Status> {
    if name.is_empty() || settings.interfaces.contains_key(name) {
        return Ok(());
    }
    let names = settings.interfaces.keys().map(String::as_str);
    Err(not_found("OSPF interface", name, nearest(name, names)))
}

/// By router id or host name; `None` for the empty name, which stands for all.
pub(super) fn router_named(
    name: &str,
    hostnames: &Hostnames<'_>,
) -> Result<Option<RouterId>, tonic::Status> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(address) = name.parse() {
        return Ok(Some(RouterId(address)));
    }
    match hostnames.iter().find(|(_, hostname)| **hostname == name) {
        Some((router, _)) => Ok(Some(*router)),
        None => Err(not_found("router", name, nearest(name, hostnames.values().copied()))),
    }
}

pub(super) fn router(router: RouterId, hostnames: &Hostnames<'_>) -> v1::OspfRouter {
    v1::OspfRouter {
        router_id: router.to_string(),
        hostname: hostnames.get(&router).map(|name| (*name).to_owned()).unwrap_or_default(),
    }
}

/// Why an interface that is configured is not up; `None` if it is. `failed`: those that cannot be used all the same.
fn obstacle(
    settings: &InterfaceSettings,
    interface: Option<&Interface>,
    failed: &BTreeMap<u32, String>,
) -> Option<String> {
    let Some(interface) = interface else {
        return Some("the kernel has no interface of this name".to_owned());
    };
    match (interface.state, interface.address, settings.address) {
        (InterfaceState::Down, ..) if !interface.link.up => Some("the link is down".to_owned()),
        (_, None, Some(address)) => Some(format!("it has not the address {address}")),
        (_, None, None) => Some("it has no IPv4 address".to_owned()),
        _ => failed.get(&interface.link.index).cloned(),
    }
}

fn ospf_neighbor(
    interface: &Interface,
    neighbor: &Neighbor,
    hostnames: &Hostnames<'_>,
    now: Time,
) -> v1::OspfNeighbor {
    let until = |at: Time| micros(at.since(now));
    v1::OspfNeighbor {
        router: Some(router(neighbor.router_id, hostnames)),
        interface: interface.name.clone(),
        address: neighbor.address.to_string(),
        state: neighbor.state.to_string(),
        state_us: micros(now.since(neighbor.since)),
        dead_us: until(neighbor.dead_at),
        priority: neighbor.priority.into(),
        designated: address(neighbor.designated),
        backup: address(neighbor.backup),
        options: lsa_text::options(neighbor.options, None),
        requests: neighbor.requests.len() as u32,
        retransmissions: neighbor.retransmissions.len() as u32,
        helping_us: neighbor.helped_until().map(until).unwrap_or_default(),
    }
}

fn state_name(state: InterfaceState) -> &'static str {
    match state {
        InterfaceState::Down => "down",
        InterfaceState::Passive => "passive",
        InterfaceState::Waiting { .. } => "waiting",
        InterfaceState::PointToPoint => "point-to-point",
        InterfaceState::DrOther => "dr-other",
        InterfaceState::Backup => "backup",
        InterfaceState::Dr => "dr",
    }
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::KeyedMd5 => "md5",
        Algorithm::HmacSha1 => "hmac-sha-1",
        Algorithm::HmacSha256 => "hmac-sha-256",
        Algorithm::HmacSha384 => "hmac-sha-384",
        Algorithm::HmacSha512 => "hmac-sha-512",
    }
}

fn packets(packets: &Packets) -> BTreeMap<String, u64> {
    let named = [
        ("hello", packets.hello),
        ("database-description", packets.database_description),
        ("link-state-request", packets.link_state_request),
        ("link-state-update", packets.link_state_update),
        ("link-state-acknowledgment", packets.link_state_acknowledgment),
    ];
    named.map(|(name, count)| (name.to_owned(), count)).into()
}

/// 0.0.0.0 stands for none.
fn address(address: Ipv4Addr) -> String {
    if address.is_unspecified() { String::new() } else { address.to_string() }
}
