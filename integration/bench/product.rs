//! The daemons that are compared: how each is configured, started and ordered, as fast as it can be.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::lab::bfd::{Timers, shunt_profile};
use crate::lab::{Node, PATIENCE, frr_daemons, wait_for, within};
use crate::process::{Line, Process};
use crate::speaker::SERVICE;

/// The AS of the daemon; its neighbours have those that follow.
const ASN: u32 = 65000;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Product {
    Shunt,
    Bird,
    Openbgpd,
    Gobgp,
    Frr,
}

/// The shortest hold time that there is (RFC 4271 §4.2), seconds.
const HOLD_TIME: u8 = 3;

/// Of the BFD session.
const TIMERS: Timers = Timers::new(50, 3);

/// What a daemon is to do. It dials all its neighbours.
pub struct Scene<'a> {
    pub node: &'a Node,
    /// Neighbour `n` is 10.99.n.2, AS 65001 + n; the daemon is 10.99.n.1.
    pub neighbors: u8,
    /// The service prefix is announced from the start.
    pub announced: bool,
    /// The first so many of them send a table and are told nothing; the others are told everything, and nothing is taken
    /// from them.
    pub feeds: u8,
    /// Learned routes go into the kernel.
    pub kernel: bool,
    /// The first neighbour dials by itself, again and again. All have the shortest hold time that there is, and shunt and
    /// BIRD have a BFD session to the second one.
    pub flapping: bool,
    /// For what has to be durable.
    pub state: &'a Path,
}

impl Product {
    pub const ALL: [Product; 5] =
        [Product::Shunt, Product::Bird, Product::Openbgpd, Product::Gobgp, Product::Frr];

    pub fn name(self) -> &'static str {
        match self {
            Product::Shunt => "shunt",
            Product::Bird => "BIRD",
            Product::Openbgpd => "OpenBGPD",
            Product::Gobgp => "GoBGP",
            Product::Frr => "FRR",
        }
    }

    /// Writes its files, and gives what has to run beside and before it.
    pub fn prepare(self, scene: &Scene<'_>) -> Vec<Process> {
        let node = scene.node;
        match self {
            Product::Shunt => {
                node.write("shunt.toml", &shunt(scene));
                Vec::new()
            }
            Product::Bird => {
                node.write("bird.conf", &bird(scene));
                Vec::new()
            }
            Product::Openbgpd => {
                // The directory it is confined to is made by the service file, which is not used here.
                let user = nix::unistd::User::from_name("_openbgpd").unwrap();
                let home = user.expect("openbgpd's user is there").dir;
                node.must("install", &["-d", "-m", "755", home.to_str().unwrap()]);
                let path = node.write("bgpd.conf", &openbgpd(scene));
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
                Vec::new()
            }
            Product::Gobgp => {
                node.write("gobgpd.toml", &gobgp(scene));
                Vec::new()
            }
            Product::Frr => {
                node.must("install", &["-d", "-o", "frr", "-g", "frr", &node.path("frr")]);
                node.write("frr/zebra.conf", "");
                node.write("frr/bgpd.conf", &frr(scene));
                let line = frr_daemon(node, "zebra");
                let zebra = within(node, || Process::start(&line, &node.path("zebra.log")));
                let dir = node.path("frr");
                wait_for("zebra", PATIENCE, || {
                    node.run("vtysh", &["--vty_socket", &dir, "-d", "zebra", "-c", "show version"])
                });
                vec![zebra]
            }
        }
    }

    /// The daemon's own command line.
    pub fn daemon(self, scene: &Scene<'_>) -> Line {
        let node = scene.node;
        match self {
            Product::Shunt => line(
                &shunt_daemon(),
                &[
                    "--config",
                    &node.path("shunt.toml"),
                    "--socket",
                    &socket(node),
                    "--state",
                    scene.state.to_str().unwrap(),
                ],
            ),
            Product::Bird => bird_line(node),
            Product::Openbgpd => line("/usr/sbin/bgpd", &["-d", "-f", &node.path("bgpd.conf")]),
            Product::Gobgp => line(
                "gobgpd",
                &[
                    "-t",
                    "toml",
                    "-f",
                    &node.path("gobgpd.toml"),
                    "--api-hosts",
                    "127.0.0.1:50051",
                    "--pprof-disable",
                    "-l",
                    "error",
                ],
            ),
            Product::Frr => {
                let mut line = frr_daemon(node, "bgpd");
                if !scene.kernel {
                    line.push("-n".to_owned());
                }
                line
            }
        }
    }

    /// For a daemon that takes its first routes only by command, once it runs.
    pub fn after_start(self) -> bool {
        self == Product::Gobgp
    }

    /// The command that announces the service prefix, or takes it back.
    pub fn command(self, node: &Node, announce: bool) -> Line {
        let socket = socket(node);
        let either = |yes: &'static str, no: &'static str| if announce { yes } else { no };
        match self {
            Product::Shunt => line(
                &shunt_command(),
                &["--socket", &socket, either("announce", "withdraw"), SERVICE],
            ),
            Product::Bird => {
                line("birdc", &["-s", &socket, either("enable", "disable"), "service"])
            }
            Product::Openbgpd => {
                line("bgpctl", &["-s", &socket, "network", either("add", "delete"), SERVICE])
            }
            Product::Gobgp => line("gobgp", &["global", "rib", either("add", "del"), SERVICE]),
            Product::Frr => line(
                "vtysh",
                &[
                    "--vty_socket",
                    &node.path("frr"),
                    "-d",
                    "bgpd",
                    "-c",
                    "configure terminal",
                    "-c",
                    &format!("router bgp {ASN}"),
                    "-c",
                    "address-family ipv4 unicast",
                    "-c",
                    &format!("{}network {SERVICE}", either("", "no ")),
                ],
            ),
        }
    }
}

/// The control socket of shunt, BIRD and OpenBGPD.
pub fn socket(node: &Node) -> String {
    node.path("control")
}

fn line(program: &str, arguments: &[&str]) -> Line {
    std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect()
}

/// What passes between a neighbour and the daemon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It has a table for us.
    Feed,
    /// It is told all that we know.
    Taker,
    /// It is told of our own prefixes.
    Customer,
}

struct Neighbor {
    local: Ipv4Addr,
    remote: Ipv4Addr,
    asn: u32,
    part: Part,
    /// It dials.
    passive: bool,
}

fn neighbors(scene: &Scene<'_>) -> impl Iterator<Item = Neighbor> {
    (0..scene.neighbors).map(|n| Neighbor {
        local: Ipv4Addr::new(10, 99, n, 1),
        remote: Ipv4Addr::new(10, 99, n, 2),
        asn: ASN + 1 + u32::from(n),
        part: match scene.feeds {
            0 => Part::Customer,
            feeds if n < feeds => Part::Feed,
            _ => Part::Taker,
        },
        passive: scene.flapping && n == 0,
    })
}

fn shunt(scene: &Scene<'_>) -> String {
    let install = scene.kernel;
    let mut text = format!(
        "[node]\nname = \"edge\"\nsite = \"dc1\"\nasn = {ASN}\nrouter-id = \"10.99.0.1\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ninstall = {install}\n"
    );
    if scene.announced {
        let _ = write!(
            text,
            "[group.service]\nprefixes = [\"{SERVICE}\"]\nbase = {{ dc1 = \"primary\" }}\n"
        );
    }
    if scene.flapping {
        text.push_str(&shunt_profile(scene.node, TIMERS, None));
        text.push_str(
            "[bfd.session.steady]\naddress = \"10.99.1.2\"\nlocal-address = \"10.99.1.1\"\n\
             interface = \"neighbor1\"\nprofile = \"fast\"\n",
        );
    }
    for Neighbor { remote, asn, part, passive, .. } in neighbors(scene) {
        let (import, export) = match part {
            Part::Feed => ("all", "none"),
            Part::Taker => ("none", "transit"),
            Part::Customer => ("none", "groups"),
        };
        let _ = write!(
            text,
            "[neighbor.as{asn}]\naddress = \"{remote}\"\nremote-as = {asn}\nimport = \"{import}\"\n\
             export = \"{export}\"\nmaximum-prefixes = 4000000\npassive = {passive}\n"
        );
        if scene.flapping {
            let _ = writeln!(text, "hold-time = \"{HOLD_TIME}s\"");
        }
    }
    text
}

fn bird(scene: &Scene<'_>) -> String {
    let disabled = if scene.announced { "" } else { "disabled; " };
    let mut text = format!(
        "router id 10.99.0.1;\nprotocol device {{ }}\n\
         protocol static service {{ {disabled}ipv4; route {SERVICE} blackhole; }}\n"
    );
    if scene.kernel {
        text.push_str(
            "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }\n",
        );
    }
    if scene.flapping {
        let timers = bird_bfd(TIMERS);
        let session = "neighbor 10.99.1.2 dev \"neighbor1\" local 10.99.1.1;";
        let _ = writeln!(text, "protocol bfd {{ {timers} {session} }}");
    }
    for Neighbor { local, remote, asn, part, passive } in neighbors(scene) {
        let mut more = if passive { "passive on; " } else { "" }.to_owned();
        if scene.flapping {
            let _ = write!(more, "hold time {HOLD_TIME}; ");
        }
        let (import, export) = match part {
            Part::Feed => ("all", "none"),
            Part::Taker => ("none", "all"),
            Part::Customer => ("none", "where source = RTS_STATIC"),
        };
        // One second is the least that it waits before it dials.
        let _ = write!(
            text,
            "protocol bgp as{asn} {{ local {local} as {ASN}; neighbor {remote} as {asn}; connect delay time 1;\n  \
             error wait time 1, 2; connect retry time 1; {more}ipv4 {{ import {import}; export {export}; }}; }}\n"
        );
    }
    text
}

fn bird_bfd(timers: Timers) -> String {
    let Timers { receive, transmit, multiplier, .. } = timers;
    format!(
        "interface \"*\" {{ min rx interval {receive} ms; min tx interval {transmit} ms; multiplier {multiplier}; }};"
    )
}

/// The configuration of a BIRD that is the second neighbour's end of the BFD session.
pub fn bird_far() -> String {
    let timers = bird_bfd(TIMERS);
    let session = "neighbor 10.99.1.1 dev \"router\" local 10.99.1.2;";
    format!("router id 10.99.1.2;\nprotocol device {{ }}\nprotocol bfd {{ {timers} {session} }}\n")
}

/// A BIRD's command line; its files are in the node's own directory.
pub fn bird_line(node: &Node) -> Line {
    let (config, pid) = (node.path("bird.conf"), node.path("bird.pid"));
    line("bird", &["-f", "-c", &config, "-s", &socket(node), "-P", &pid])
}

fn openbgpd(scene: &Scene<'_>) -> String {
    let mut text = format!(
        "AS {ASN}\nrouter-id 10.99.0.1\nfib-update no\nsocket \"{}\"\n",
        socket(scene.node)
    );
    for Neighbor { local, .. } in neighbors(scene) {
        let _ = writeln!(text, "listen on {local}");
    }
    if scene.announced {
        let _ = writeln!(text, "network {SERVICE}");
    }
    for Neighbor { local, remote, asn, part, passive } in neighbors(scene) {
        let mut more = if part == Part::Feed { "  export none\n" } else { "" }.to_owned();
        if passive {
            more.push_str("  passive\n");
        }
        if scene.flapping {
            let _ = writeln!(more, "  holdtime {HOLD_TIME}");
        }
        let _ = write!(
            text,
            "neighbor {remote} {{\n  remote-as {asn}\n  local-address {local}\n  announce IPv6 none\n{more}}}\n"
        );
    }
    for Neighbor { remote, .. } in neighbors(scene).filter(|one| one.part == Part::Feed) {
        let _ = writeln!(text, "allow from {remote}");
    }
    text.push_str("allow to any\n");
    text
}

fn gobgp(scene: &Scene<'_>) -> String {
    let port = if scene.flapping { 179 } else { -1 };
    let mut text =
        format!("[global.config]\n  as = {ASN}\n  router-id = \"10.99.0.1\"\n  port = {port}\n");
    let hold =
        if scene.flapping { format!("    hold-time = {HOLD_TIME}\n") } else { String::new() };
    if scene.feeds > 0 {
        let takers: Vec<String> = neighbors(scene)
            .filter(|one| one.part == Part::Taker)
            .map(|one| format!("\"{}\"", one.remote))
            .collect();
        let _ = write!(
            text,
            "[global.apply-policy.config]\n  export-policy-list = [\"to-takers\"]\n  \
             default-export-policy = \"reject-route\"\n\
             [[defined-sets.neighbor-sets]]\n  neighbor-set-name = \"takers\"\n  neighbor-info-list = [{}]\n\
             [[policy-definitions]]\n  name = \"to-takers\"\n  [[policy-definitions.statements]]\n    \
             name = \"takers\"\n    [policy-definitions.statements.conditions.match-neighbor-set]\n      \
             neighbor-set = \"takers\"\n    [policy-definitions.statements.actions]\n      \
             route-disposition = \"accept-route\"\n",
            takers.join(", ")
        );
    }
    for Neighbor { local, remote, asn, passive, .. } in neighbors(scene) {
        let _ = write!(
            text,
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{remote}\"\n    peer-as = {asn}\n  \
             [neighbors.transport.config]\n    local-address = \"{local}\"\n    passive-mode = {passive}\n  \
             [neighbors.timers.config]\n    connect-retry = 1\n    idle-hold-time-after-reset = 1\n{hold}  \
             [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"ipv4-unicast\"\n"
        );
    }
    text
}

fn frr(scene: &Scene<'_>) -> String {
    let mut text = format!(
        "route-map nothing deny 10\nrouter bgp {ASN}\n bgp router-id 10.99.0.1\n \
         no bgp ebgp-requires-policy\n no bgp network import-check\n"
    );
    let mut family = " address-family ipv4 unicast\n".to_owned();
    for Neighbor { remote, asn, part, passive, .. } in neighbors(scene) {
        let _ = write!(
            text,
            " neighbor {remote} remote-as {asn}\n neighbor {remote} timers connect 1\n \
             neighbor {remote} advertisement-interval 0\n"
        );
        if passive {
            let _ = writeln!(text, " neighbor {remote} passive");
        }
        if scene.flapping {
            let _ = writeln!(text, " neighbor {remote} timers 1 {HOLD_TIME}");
        }
        let direction = if part == Part::Feed { "out" } else { "in" };
        let _ = writeln!(family, "  neighbor {remote} route-map nothing {direction}");
    }
    if scene.announced {
        let _ = writeln!(family, "  network {SERVICE}");
    }
    text + &family
}

fn frr_daemon(node: &Node, name: &str) -> Line {
    let mut all = line(&format!("/usr/lib/frr/{name}"), &[]);
    all.extend(frr_daemons::arguments(node, name));
    all
}

/// A directory for durable state, on the disk that the build directory is on, or in memory.
pub fn state(in_memory: bool) -> tempfile::TempDir {
    let parent = match in_memory {
        true => PathBuf::from("/dev/shm"),
        false => PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    tempfile::Builder::new().prefix("shunt-bench-").tempdir_in(parent).unwrap()
}

/// The daemon: this build's, or another one to compare it with.
fn shunt_daemon() -> String {
    std::env::var("SHUNT_DAEMON").unwrap_or_else(|_| env!("CARGO_BIN_EXE_shuntd").to_owned())
}

/// The command as it is shipped, if `make bench` says where that is; Cargo's own build of it is linked in another way.
fn shunt_command() -> String {
    std::env::var("SHUNT_COMMAND").unwrap_or_else(|_| env!("CARGO_BIN_EXE_shunt").to_owned())
}
