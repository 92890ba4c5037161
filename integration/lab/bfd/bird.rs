//! BIRD 2 with BFD.

use std::fmt::Write;

use super::{Authentication, BfdPath, BfdPeer, BfdRouter, BfdSeen, Timers};
use crate::lab::bird_daemon::BirdDaemon;
use crate::lab::node::Node;

pub struct BfdBird {
    node: Node,
    router: BfdRouter,
    daemon: BirdDaemon,
}

impl BfdBird {
    #[track_caller]
    pub fn start(node: &Node, router: BfdRouter) -> BfdBird {
        let daemon = BirdDaemon::start(node, &config(&router));
        // On a busy machine it would be late by itself.
        node.hasten();
        BfdBird { node: node.clone(), router, daemon }
    }
}

fn config(router: &BfdRouter) -> String {
    let mut text =
        "log stderr all;\nrouter id 10.255.0.2;\nprotocol device { scan time 1; }\n".to_owned();
    text.push_str(&protocol(router.timers, router.authentication, &router.sessions));
    text
}

/// The statement for BFD on all interfaces and over several hops, under the name `fast`. Sessions that no other protocol
/// asks for are listed.
pub fn protocol(
    timers: Timers,
    authentication: Option<Authentication>,
    sessions: &[BfdPath],
) -> String {
    let mut options = format!(
        "min rx interval {} ms; min tx interval {} ms; multiplier {};",
        timers.receive, timers.transmit, timers.multiplier
    );
    if let Some(Authentication { algorithm, id, secret }) = authentication {
        let words = match algorithm.split_once('-') {
            Some(("meticulous", hash)) => format!("meticulous keyed {hash}"),
            Some((_, hash)) => format!("keyed {hash}"),
            None => algorithm.to_owned(),
        };
        write!(options, " authentication {words}; password \"{secret}\" {{ id {id}; }};").unwrap();
    }
    let mut text = format!(
        "protocol bfd fast {{\n  debug all;\n  interface \"*\" {{ {options} }};\n  \
         multihop {{ {options} }};\n"
    );
    for path in sessions {
        match &path.interface {
            Some(interface) => {
                writeln!(text, "  neighbor {} dev \"{interface}\";", path.remote).unwrap();
            }
            None => {
                writeln!(text, "  neighbor {} local {} multihop;", path.remote, path.local)
                    .unwrap();
            }
        }
    }
    text.push_str("}\n");
    text
}

impl BfdPeer for BfdBird {
    fn session(&self, remote: &str) -> Result<BfdSeen, String> {
        seen(&self.daemon.ask("show bfd sessions")?, remote)
    }

    fn retime(&mut self, timers: Timers) {
        self.router.timers = timers;
        self.daemon.configure(&config(&self.router));
    }

    fn disable(&mut self) {
        self.daemon.order("disable fast");
    }

    fn enable(&mut self) {
        self.daemon.order("enable fast");
    }

    fn kill(&mut self) {
        self.daemon.kill();
    }

    fn start(&mut self) {
        self.daemon.start_again();
        self.node.hasten();
    }
}

/// `10.99.0.1    peer    Up    12:00:00.000    0.100    0.300`
pub fn seen(shown: &str, remote: &str) -> Result<BfdSeen, String> {
    let remote: std::net::IpAddr = remote.parse().unwrap();
    let lines = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut lines = lines.filter(|words| {
        words.first().and_then(|word| word.parse::<std::net::IpAddr>().ok()) == Some(remote)
    });
    let words = lines.next().filter(|words| words.len() == 6).ok_or(shown)?;
    let milliseconds = |word: &str| word.replace('.', "").parse::<u64>().map_err(|_| shown);
    Ok(BfdSeen {
        state: words[2].to_lowercase().replace("admindown", "admin-down"),
        transmit: milliseconds(words[4])?,
        detection: milliseconds(words[5])?,
    })
}
