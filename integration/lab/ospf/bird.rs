//! BIRD 2 with OSPFv2.

use std::fmt::Write;

use super::{AreaKind, Attached, Authentication, Computed, Network, OspfPeer, OspfRouter};
use crate::lab::bfd::bird_protocol;
use crate::lab::bird_daemon::BirdDaemon;
use crate::lab::node::Node;

pub struct OspfBird {
    router: OspfRouter,
    daemon: BirdDaemon,
}

impl OspfBird {
    #[track_caller]
    pub fn start(node: &Node, router: OspfRouter) -> OspfBird {
        let daemon = BirdDaemon::start(node, &config(&router));
        OspfBird { router, daemon }
    }

    /// Runs a birdc command.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        self.daemon.ask(command)
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Changes the configuration, which counts at once.
    #[track_caller]
    pub fn configure(&mut self, change: impl FnOnce(&mut OspfRouter)) {
        change(&mut self.router);
        self.daemon.configure(&config(&self.router));
    }
}

fn config(router: &OspfRouter) -> String {
    let external = router.external;
    // When a link goes down the kernel drops the routes over it, which BIRD finds out by a scan.
    let mut text = format!(
        "log stderr all;\ndebug protocols {{ states, events }};\nrouter id {};\nprotocol device {{ }}\n\
         protocol kernel {{\n  scan time 1;\n  merge paths on;\n  \
         ipv4 {{ import none; export where source ~ [RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2]; }};\n}}\n\
         filter own {{\n  if source != RTS_STATIC then reject;\n  ospf_metric{} = {};\n  ospf_tag = {};\n  accept;\n}}\n\
         protocol static {{\n  ipv4;\n",
        router.router_id, external.kind, external.metric, external.tag
    );
    for prefix in &router.externals {
        writeln!(text, "  route {prefix} blackhole;").unwrap();
    }
    text.push_str(
        "}\nprotocol ospf v2 o {\n  ecmp on;\n  merge external yes;\n  ipv4 { import all; export filter own; };\n",
    );
    if let Some(timers) = router.attached.iter().find_map(|attached| attached.bfd) {
        text.insert_str(0, &bird_protocol(timers, None, &[]));
    }
    let mut areas: Vec<&str> =
        router.attached.iter().map(|attached| attached.area.as_str()).collect();
    areas.sort();
    areas.dedup();
    for area in areas {
        writeln!(text, "  area {area} {{").unwrap();
        match router.areas.iter().find(|(id, _)| id == area) {
            Some((_, AreaKind::Stub)) => text.push_str("    stub;\n    summary yes;\n"),
            Some((_, AreaKind::Nssa)) => text.push_str("    nssa;\n    summary yes;\n"),
            None => {}
        }
        for attached in router.attached.iter().filter(|attached| attached.area == area) {
            text.push_str(&interface(attached));
        }
        text.push_str("  };\n");
    }
    text.push_str("}\n");
    text
}

fn interface(attached: &Attached) -> String {
    let mut text = format!(
        "    interface \"{}\" {{ cost {}; priority {}; hello 1; dead {}; retransmit {};\n      {}\n",
        attached.interface,
        attached.cost,
        attached.priority,
        attached.dead,
        attached.retransmit,
        match attached.network {
            Network::PointToPoint => "type pointopoint;",
            Network::Broadcast => "type broadcast;",
            Network::Passive => "stub;",
        }
    );
    if attached.bfd.is_some() {
        text.push_str("      bfd on;\n");
    }
    match &attached.authentication {
        Authentication::Null => {}
        Authentication::Simple(secret) => {
            writeln!(text, "      authentication simple; password \"{secret}\";").unwrap();
        }
        Authentication::Cryptographic(keys) => {
            text.push_str("      authentication cryptographic;\n      passwords {\n");
            for key in keys {
                let algorithm = match key.algorithm {
                    "md5" => "keyed md5".to_owned(),
                    name => {
                        format!("hmac {}", name.trim_start_matches("hmac-").replace("sha-", "sha"))
                    }
                };
                write!(
                    text,
                    "        password \"{}\" {{ id {}; algorithm {algorithm};",
                    key.secret, key.id
                )
                .unwrap();
                for (word, time) in [("from", &key.from), ("to", &key.until)] {
                    if let Some(time) = time {
                        write!(text, " generate {word} \"{time}\";").unwrap();
                    }
                }
                text.push_str(" };\n");
            }
            text.push_str("      };\n");
        }
    }
    text.push_str("    };\n");
    text
}

impl OspfPeer for OspfBird {
    fn adjacency(&self, neighbor: &str) -> Result<String, String> {
        let shown = self.ask("show ospf neighbors")?;
        let line = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut line = line.filter(|words| words.first() == Some(&neighbor));
        let state = line.next().and_then(|words| words.get(2).map(|state| state.to_lowercase()));
        state.ok_or(shown)
    }

    fn route(&self, prefix: &str) -> Result<Option<Computed>, String> {
        let protocol = "where source ~ [RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2]";
        let shown = match self.ask(&format!("show route for {prefix} all {protocol}")) {
            Ok(text) if text.lines().any(|line| line.starts_with(prefix)) => text,
            Ok(_) => return Ok(None),
            Err(error) if error.contains("Network not found") => return Ok(None),
            Err(error) => return Err(error),
        };
        let value = |name: &str| shown.lines().find_map(|line| line.trim().strip_prefix(name));
        let number = |name: &str| value(name).and_then(|number| number.trim().parse().ok());
        let kind = match value("Type: ") {
            Some("OSPF univ") => "intra-area",
            Some("OSPF-IA univ") => "inter-area",
            Some("OSPF-E1 univ") => "external-1",
            Some("OSPF-E2 univ") => "external-2",
            _ => return Err(shown),
        };
        let tag = value("OSPF.tag: 0x").and_then(|tag| u32::from_str_radix(tag, 16).ok());
        Ok(Some(Computed {
            kind,
            cost: number("OSPF.metric1:").unwrap_or_default(),
            type_2_metric: number("OSPF.metric2:"),
            tag: tag.unwrap_or_default(),
        }))
    }

    /// BIRD holds a change of its router-LSA back for MinLSInterval, 5 s. If a neighbour goes and comes within that time,
    /// it may compute routes meanwhile ("Cannot find next hop for LSA"), and has no reason to do so again.
    fn is_settled(&self) -> Result<(), String> {
        let shown = self.ask("show ospf lsadb type 1 self")?;
        let own = shown.lines().find(|line| line.trim().starts_with("0001"));
        let age = own.and_then(|line| line.split_whitespace().nth(4)?.parse::<u16>().ok());
        if age.is_some_and(|age| age > 5) { Ok(()) } else { Err(shown) }
    }

    fn announce(&mut self, prefixes: &[&str]) {
        self.configure(|router| {
            router.externals.extend(prefixes.iter().map(|&prefix| prefix.to_owned()))
        });
    }

    fn withdraw(&mut self, prefixes: &[&str]) {
        self.configure(|router| {
            router.externals.retain(|prefix| !prefixes.contains(&prefix.as_str()))
        });
    }

    fn kill(&mut self) {
        self.daemon.kill();
    }

    fn start(&mut self) {
        self.daemon.start_again();
    }
}
