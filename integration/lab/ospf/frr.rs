//! FRR: zebra and ospfd.

use std::fmt::Write;

use super::{AreaKind, Authentication, Computed, Network, OspfPeer, OspfRouter};
use crate::lab::bfd::{Timers, frr_profile};
use crate::lab::frr_daemons::FrrDaemons;
use crate::lab::node::Node;

pub struct OspfFrr {
    node: Node,
    daemons: FrrDaemons,
}

impl OspfFrr {
    #[track_caller]
    pub fn start(node: &Node, router: OspfRouter) -> OspfFrr {
        let daemons = FrrDaemons::start(node, daemons_of(&router), &config(&router));
        let mut frr = OspfFrr { node: node.clone(), daemons };
        let externals: Vec<&str> = router.externals.iter().map(String::as_str).collect();
        frr.announce(&externals);
        frr
    }

    /// All its BFD sessions say AdminDown, or come back.
    #[track_caller]
    pub fn shut_bfd(&self, shut: bool) {
        let command = if shut { "shutdown" } else { "no shutdown" };
        self.daemons.configure("bfd", &["profile fast", command]);
    }

    /// Enters commands below `interface NAME`.
    #[track_caller]
    pub fn configure(&self, interface: &str, commands: &[&str]) {
        self.daemons.configure(&format!("interface {interface}"), commands);
    }

    #[track_caller]
    fn kernel(&self, verb: &str, prefixes: &[&str]) {
        let lines = prefixes.iter().map(|prefix| format!("route {verb} blackhole {prefix}\n"));
        self.node.ip_batch(&lines.collect::<String>());
    }
}

/// Of all its interfaces that have any.
fn bfd(router: &OspfRouter) -> Option<Timers> {
    router.attached.iter().find_map(|attached| attached.bfd)
}

fn daemons_of(router: &OspfRouter) -> &'static [&'static str] {
    if bfd(router).is_some() { &["bfdd", "ospfd"] } else { &["ospfd"] }
}

fn config(router: &OspfRouter) -> String {
    let mut text = String::new();
    for attached in &router.attached {
        let mut line = |words: &str| writeln!(text, "{words}").unwrap();
        line(&format!("interface {}", attached.interface));
        line(&format!(" ip ospf area {}", attached.area));
        line(&format!(" ip ospf cost {}", attached.cost));
        line(&format!(" ip ospf priority {}", attached.priority));
        if attached.dead == 1 {
            line(" ip ospf dead-interval minimal hello-multiplier 4");
        } else {
            line(" ip ospf hello-interval 1");
            line(&format!(" ip ospf dead-interval {}", attached.dead));
        }
        line(&format!(" ip ospf retransmit-interval {}", attached.retransmit));
        match attached.network {
            Network::PointToPoint => line(" ip ospf network point-to-point"),
            Network::Broadcast => {}
            Network::Passive => line(" ip ospf passive"),
        }
        if attached.bfd.is_some() {
            line(" ip ospf bfd");
            line(" ip ospf bfd profile fast");
        }
        match &attached.authentication {
            Authentication::Null => {}
            Authentication::Simple(secret) => {
                line(" ip ospf authentication");
                line(&format!(" ip ospf authentication-key {secret}"));
            }
            Authentication::Cryptographic(keys) => {
                line(" ip ospf authentication message-digest");
                for key in keys {
                    assert_eq!(key.algorithm, "md5", "this FRR knows no other");
                    line(&format!(" ip ospf message-digest-key {} md5 {}", key.id, key.secret));
                }
            }
        }
    }
    if let Some(timers) = bfd(router) {
        text.insert_str(0, &frr_profile(timers));
    }
    let external = router.external;
    writeln!(text, "route-map own permit 10").unwrap();
    if external.tag != 0 {
        writeln!(text, " set tag {}", external.tag).unwrap();
    }
    writeln!(
        text,
        "router ospf\n ospf router-id {}\n redistribute kernel metric {} metric-type {} route-map own",
        router.router_id, external.metric, external.kind
    )
    .unwrap();
    for (area, kind) in &router.areas {
        let kind = match kind {
            AreaKind::Stub => "stub",
            AreaKind::Nssa => "nssa",
        };
        writeln!(text, " area {area} {kind}").unwrap();
    }
    text
}

impl OspfPeer for OspfFrr {
    fn adjacency(&self, neighbor: &str) -> Result<String, String> {
        let shown = self.daemons.json("show ip ospf neighbor json")?;
        let state = shown["neighbors"][neighbor][0]["nbrState"].as_str();
        let state = state.ok_or_else(|| shown.to_string())?.to_lowercase();
        let (state, role) = state.split_once('/').ok_or(state.as_str())?;
        let role = match role {
            "-" => "ptp",
            "backup" => "bdr",
            "drother" => "other",
            role => role,
        };
        Ok(format!("{state}/{role}"))
    }

    fn route(&self, prefix: &str) -> Result<Option<Computed>, String> {
        let shown = self.daemons.json("show ip ospf route json")?;
        let Some(route) = shown.get(prefix) else { return Ok(None) };
        let kind = match route["routeType"].as_str().map(str::trim) {
            Some("N") => "intra-area",
            Some("N IA") => "inter-area",
            Some("N E1") => "external-1",
            Some("N E2") => "external-2",
            _ => return Err(format!("{prefix}: {route}")),
        };
        let number = |key: &str| route[key].as_u64().and_then(|number| u32::try_from(number).ok());
        Ok(Some(Computed {
            kind,
            cost: number("cost").unwrap_or_default(),
            type_2_metric: number("type2cost"),
            tag: number("tag").unwrap_or_default(),
        }))
    }

    fn announce(&mut self, prefixes: &[&str]) {
        self.kernel("add", prefixes);
    }

    fn withdraw(&mut self, prefixes: &[&str]) {
        self.kernel("del", prefixes);
    }

    fn kill(&mut self) {
        self.daemons.kill();
    }

    fn start(&mut self) {
        self.daemons.start_again();
    }
}
