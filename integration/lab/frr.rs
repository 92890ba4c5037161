//! FRR: zebra and bgpd.

use std::fmt::Write;
use std::net::IpAddr;

use serde_json::Value;

use super::bfd::{BfdSeen, Timers, frr_profile, frr_seen};
use super::frr_daemons::FrrDaemons;
use super::node::Node;
use super::peer::{Peer, Seen, Speaker, communities, family_of};

pub struct Frr {
    speaker: Speaker,
    daemons: FrrDaemons,
}

impl Frr {
    #[track_caller]
    pub fn start(node: &Node, speaker: Speaker) -> Frr {
        let daemons = FrrDaemons::start(node, daemons_of(&speaker), &config(&speaker));
        Frr { speaker, daemons }
    }

    /// Its BFD session with an address.
    pub fn watches(&self, remote: &str) -> Result<BfdSeen, String> {
        frr_seen(&self.daemons.json("show bfd peers json")?, remote)
    }

    /// Begins to watch all neighbours.
    #[track_caller]
    pub fn watch(&mut self, timers: Timers) {
        for session in &mut self.speaker.sessions {
            session.bfd = Some(timers);
        }
        self.daemons.kill();
        self.daemons.configured(daemons_of(&self.speaker), &config(&self.speaker));
        self.daemons.start_again();
    }

    /// All its BFD sessions say AdminDown, or come back.
    #[track_caller]
    pub fn shut_bfd(&self, shut: bool) {
        let command = if shut { "shutdown" } else { "no shutdown" };
        self.daemons.configure("bfd", &["profile fast", command]);
    }

    /// Takes nothing of an IPv4 network from a neighbour any more.
    #[track_caller]
    pub fn refuse(&self, neighbor: &str, network: &str) {
        let deny = format!("ip prefix-list refused seq 5 deny {network} le 32");
        let rest = "ip prefix-list refused seq 10 permit 0.0.0.0/0 le 32";
        self.daemons.configure(&deny, &[rest]);
        let list = format!("neighbor {neighbor} prefix-list refused in");
        self.configure(&["address-family ipv4 unicast", &list]);
    }

    /// How many routes of a network it has from a neighbour.
    pub fn taken(&self, neighbor: &str, network: &str) -> Result<usize, String> {
        let shown = self
            .daemons
            .json(&format!("show bgp ipv4 unicast neighbors {neighbor} routes json"))?;
        let network: ipnet::Ipv4Net = network.parse().unwrap();
        let routes = shown["routes"].as_object().into_iter().flatten();
        let prefixes = routes.filter_map(|(prefix, _)| prefix.parse::<ipnet::Ipv4Net>().ok());
        Ok(prefixes.filter(|prefix| network.contains(prefix)).count())
    }

    /// Enters commands below `router bgp`.
    #[track_caller]
    fn configure(&self, commands: &[&str]) {
        self.daemons.configure(&format!("router bgp {}", self.speaker.asn), commands);
    }

    fn network(&self, prefix: &str, no: &str) {
        let family = format!("address-family ipv{} unicast", family_of(prefix));
        self.configure(&[&family, &format!("{no}network {prefix}")]);
    }
}

/// Of all its sessions that have any.
fn bfd(speaker: &Speaker) -> Option<Timers> {
    speaker.sessions.iter().find_map(|session| session.bfd)
}

fn daemons_of(speaker: &Speaker) -> &'static [&'static str] {
    if bfd(speaker).is_some() { &["bfdd", "bgpd"] } else { &["bgpd"] }
}

fn config(speaker: &Speaker) -> String {
    let mut text = format!(
        "router bgp {}\n bgp router-id {}\n no bgp ebgp-requires-policy\n no bgp network import-check\n \
         no bgp default ipv4-unicast\n",
        speaker.asn, speaker.router_id
    );
    if let Some(timers) = bfd(speaker) {
        text.insert_str(0, &frr_profile(timers));
    }
    for session in &speaker.sessions {
        let neighbor = format!(" neighbor {}", session.remote);
        write!(
            text,
            "{neighbor} remote-as {}\n{neighbor} timers 3 9\n{neighbor} timers connect 2\n{neighbor} update-source {}\n",
            session.remote_as, session.local
        )
        .unwrap();
        if session.passive {
            writeln!(text, "{neighbor} passive").unwrap();
        }
        if let Some(password) = &session.password {
            writeln!(text, "{neighbor} password {password}").unwrap();
        }
        if session.multihop {
            writeln!(text, "{neighbor} ebgp-multihop").unwrap();
        }
        if session.bfd.is_some() {
            writeln!(text, "{neighbor} bfd\n{neighbor} bfd profile fast").unwrap();
        }
        if session.gtsm {
            writeln!(text, "{neighbor} ttl-security hops 1").unwrap();
        }
    }
    for family in [4, 6] {
        writeln!(text, " address-family ipv{family} unicast").unwrap();
        for prefix in speaker.networks.iter().filter(|prefix| family_of(prefix) == family) {
            writeln!(text, "  network {prefix}").unwrap();
        }
        for session in speaker.sessions.iter().filter(|session| session.family() == family) {
            writeln!(text, "  neighbor {} activate", session.remote).unwrap();
        }
        text.push_str(" exit-address-family\n");
    }
    text
}

fn words(list: &Value) -> impl Iterator<Item = String> {
    list.as_array().cloned().unwrap_or_default().into_iter().map(|word| match word {
        Value::String(word) => word,
        other => other.to_string(),
    })
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn seen(path: &Value) -> Seen {
    let segments = path["aspath"]["segments"].as_array().cloned().unwrap_or_default();
    let next_hops = path["nexthops"].as_array().cloned().unwrap_or_default();
    let global = next_hops.iter().find(|hop| hop["scope"] != "link-local");
    Seen {
        as_path: segments
            .iter()
            .flat_map(|segment| words(&segment["list"]))
            .filter_map(|asn| asn.parse().ok())
            .collect(),
        next_hop: global.and_then(|hop| hop["ip"].as_str()).unwrap_or_default().to_owned(),
        med: number(&path["metric"]),
        communities: communities(words(&path["community"]["list"])),
        large_communities: communities(words(&path["largeCommunity"]["list"])),
    }
}

impl Peer for Frr {
    fn state(&self, neighbor: IpAddr) -> Result<String, String> {
        let shown = self.daemons.json(&format!("show bgp neighbors {neighbor} json"))?;
        shown[neighbor.to_string()]["bgpState"].as_str().map(str::to_owned).ok_or(shown.to_string())
    }

    fn route(&self, prefix: &str) -> Result<Option<Seen>, String> {
        let shown = self
            .daemons
            .json(&format!("show bgp ipv{} unicast {prefix} json", family_of(prefix)))?;
        let paths = shown["paths"].as_array().cloned().unwrap_or_default();
        Ok(paths.iter().find(|path| path["bestpath"]["overall"] == true).map(seen))
    }

    fn announce(&mut self, prefix: &str) {
        self.network(prefix, "");
    }

    fn withdraw(&mut self, prefix: &str) {
        self.network(prefix, "no ");
    }

    fn refresh(&self, neighbor: IpAddr) -> bool {
        let family = if neighbor.is_ipv4() { 4 } else { 6 };
        if let Err(error) =
            self.daemons.ask(&[&format!("clear bgp ipv{family} unicast {neighbor} in")])
        {
            panic!("{error}");
        }
        true
    }

    fn shut(&self, neighbor: IpAddr, text: &str) {
        self.configure(&[&format!("neighbor {neighbor} shutdown message {text}")]);
    }

    fn notified(&self, neighbor: IpAddr) -> String {
        let shown =
            self.daemons.json(&format!("show bgp neighbors {neighbor} json")).unwrap_or_default();
        let shown = &shown[neighbor.to_string()];
        format!("{} {}", shown["lastNotificationReason"], shown["lastShutdownDescription"])
    }

    fn kill(&mut self) {
        self.daemons.kill();
    }

    fn start(&mut self) {
        self.daemons.start_again();
    }
}
