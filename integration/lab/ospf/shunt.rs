//! Our own daemon as an OSPF router.

use std::fmt::Write;

use serde_json::Value;

use super::{AreaKind, Attached, Authentication, Computed, Network, OspfPeer, OspfRouter};
use crate::lab::bfd::shunt_profile;
use crate::lab::node::Node;
use crate::lab::shuntd::Shuntd;

pub struct OspfShunt {
    pub node: Node,
    pub shuntd: Shuntd,
    router: OspfRouter,
    /// More of the configuration: groups, mappings, keys of `[ospf]` are not among it.
    more: String,
}

impl OspfShunt {
    /// Its name and its site are the node's name. `router.externals` are the prefixes of group `own`, announced at
    /// level `primary` with the metric of `router.external`.
    #[track_caller]
    pub fn start(node: &Node, router: OspfRouter) -> OspfShunt {
        OspfShunt::with(node, router, "")
    }

    /// With more of the configuration.
    #[track_caller]
    pub fn with(node: &Node, router: OspfRouter, more: &str) -> OspfShunt {
        let shuntd = Shuntd::start(node, &config(node, &router, more));
        OspfShunt { node: node.clone(), shuntd, router, more: more.to_owned() }
    }

    /// Replaces the configuration file; `shunt reload` or a start makes it count.
    #[track_caller]
    pub fn write(&mut self, change: impl FnOnce(&mut OspfRouter, &mut String)) {
        change(&mut self.router, &mut self.more);
        self.shuntd.configure(&config(&self.node, &self.router, &self.more));
    }

    /// Runs a `shunt` command that has to work.
    #[track_caller]
    pub fn order(&self, arguments: &[&str]) -> String {
        self.shuntd.order(arguments)
    }

    /// `shunt ospf neighbors --json`, one value for each.
    pub fn neighbors(&self) -> Result<Vec<Value>, String> {
        let all = self.shuntd.json(&["ospf", "neighbors"])?;
        Ok(all["neighbors"].as_array().cloned().unwrap_or_default())
    }

    /// Whom it hears and cannot become neighbours with, from `shunt status --json`, as `WHAT: TEXT`.
    pub fn mismatches(&self) -> Result<Vec<String>, String> {
        let status = self.shuntd.json(&["status"])?;
        let all = status["ospf"]["mismatches"].as_array().cloned().unwrap_or_default();
        let word = |one: &Value, key: &str| one[key].as_str().unwrap_or("?").to_owned();
        Ok(all.iter().map(|one| format!("{}: {}", word(one, "what"), word(one, "text"))).collect())
    }

    /// How many packets and LSAs an interface has not taken, for a reason.
    pub fn discarded(&self, interface: &str, reason: &str) -> Result<u64, String> {
        let all = self.shuntd.json(&["ospf", "interfaces"])?;
        let list = all["interfaces"].as_array().cloned().unwrap_or_default();
        let one = list.iter().find(|one| one["name"] == interface).ok_or(all.to_string())?;
        Ok(one["discarded"][reason].as_u64().unwrap_or(0))
    }
}

fn config(node: &Node, router: &OspfRouter, more: &str) -> String {
    let area = router.attached.first().map_or("0.0.0.0", |attached| attached.area.as_str());
    let kind = match router.areas.first() {
        Some((_, AreaKind::Stub)) => "stub",
        Some((_, AreaKind::Nssa)) => "nssa",
        None => "normal",
    };
    let mut text = format!(
        "[node]\nname = \"{name}\"\nsite = \"{name}\"\nasn = 65000\nrouter-id = \"{}\"\n\
         own-prefixes = [\"0.0.0.0/1\", \"128.0.0.0/1\"]\n\n[ospf]\narea = \"{area}\"\narea-type = \"{kind}\"\nexport = \"groups\"\n",
        router.router_id,
        name = node.name(),
    );
    if !router.externals.is_empty() || more.contains("[mapping.inside]") {
        text.push_str("class = \"inside\"\n");
    }
    if let Some(timers) = router.attached.iter().find_map(|attached| attached.bfd) {
        text.push_str(&shunt_profile(node, timers, None));
    }
    for attached in &router.attached {
        interface(&mut text, node, attached);
    }
    if !router.externals.is_empty() {
        let external = router.external;
        write!(
            text,
            "\n[mapping.inside]\nprimary = {{ metric = {} }}\n\n[group.own]\nprefixes = {:?}\n\
             base = {{ {} = \"primary\" }}\nospf = \"external-{}\"\nospf-tag = {}\n",
            external.metric,
            router.externals,
            node.name(),
            external.kind,
            external.tag
        )
        .unwrap();
    }
    text.push_str(more);
    text
}

fn interface(text: &mut String, node: &Node, attached: &Attached) {
    let name = &attached.interface;
    let mut line = |words: &str| writeln!(text, "{words}").unwrap();
    line(&format!("\n[ospf.interface.{name}]"));
    line(&format!("cost = {}", attached.cost));
    match attached.network {
        Network::PointToPoint => line("network = \"point-to-point\""),
        Network::Broadcast => {
            line("network = \"broadcast\"");
            line(&format!("priority = {}", attached.priority));
        }
        Network::Passive if name == "lo" => line("network = \"loopback\""),
        Network::Passive => line("passive = true"),
    }
    if attached.network != Network::Passive {
        line(&format!("hello-interval = \"{}\"", if attached.dead == 1 { "250ms" } else { "1s" }));
        line(&format!("dead-interval = \"{}s\"", attached.dead));
        line(&format!("retransmit-interval = \"{}s\"", attached.retransmit));
    }
    if attached.bfd.is_some() {
        line("bfd = \"fast\"");
        line(&format!("bfd-strict = {}", attached.bfd_strict));
    }
    match &attached.authentication {
        Authentication::Null => {}
        Authentication::Simple(secret) => {
            line("authentication = \"simple\"");
            line(&format!("password-file = \"{}\"", node.secret(name, secret)));
        }
        Authentication::Cryptographic(keys) => {
            line("authentication = \"cryptographic\"");
            for key in keys {
                line(&format!("[[ospf.interface.{name}.key]]"));
                line(&format!("id = {}\nalgorithm = \"{}\"", key.id, key.algorithm));
                let file = node.secret(&format!("{name}-{}", key.id), key.secret);
                line(&format!("file = \"{file}\""));
                for (word, time) in [("from", &key.from), ("until", &key.until)] {
                    if let Some(time) = time {
                        line(&format!("send-{word} = {}Z", time.replace(' ', "T")));
                    }
                }
            }
        }
    }
}

impl OspfPeer for OspfShunt {
    fn adjacency(&self, neighbor: &str) -> Result<String, String> {
        let all = self.neighbors()?;
        let one = all.iter().find(|one| one["router"]["router_id"] == neighbor);
        let one = one.ok_or_else(|| format!("{all:?}"))?;
        let word = |key: &str| one[key].as_str().unwrap_or_default();
        let role = match word("address") {
            address if address == word("designated") => "dr",
            address if address == word("backup") => "bdr",
            _ if word("designated").is_empty() && word("backup").is_empty() => "ptp",
            _ => "other",
        };
        Ok(format!("{}/{role}", word("state")))
    }

    fn route(&self, prefix: &str) -> Result<Option<Computed>, String> {
        let text = self.shuntd.ask(&["--json", "ospf", "routes", "--within", prefix])?;
        for line in text.lines() {
            let route: Value =
                serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            if route["prefix"] != prefix {
                continue;
            }
            let path = &route["path"];
            let kinds = ["intra-area", "inter-area", "external-1", "external-2"];
            let kind = kinds.into_iter().find(|kind| path["kind"] == *kind).ok_or(line)?;
            let number =
                |key: &str| path[key].as_u64().and_then(|number| u32::try_from(number).ok());
            return Ok(Some(Computed {
                kind,
                cost: number("cost").unwrap_or_default(),
                type_2_metric: number("type_2_cost").filter(|_| kind == "external-2"),
                tag: number("tag").unwrap_or_default(),
            }));
        }
        Ok(None)
    }

    fn announce(&mut self, prefixes: &[&str]) {
        for prefix in prefixes {
            // BIRD acknowledges after half its retransmit interval.
            self.order(&["announce", prefix, "--no-wait"]);
        }
    }

    fn withdraw(&mut self, prefixes: &[&str]) {
        for prefix in prefixes {
            self.order(&["withdraw", prefix, "--no-wait"]);
        }
    }

    fn kill(&mut self) {
        self.shuntd.kill();
    }

    fn start(&mut self) {
        self.shuntd.start_again();
    }
}
