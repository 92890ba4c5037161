//! BIRD 2.

use std::fmt::Write;
use std::net::IpAddr;

use super::bfd::{BfdSeen, Timers, bird_protocol, bird_seen};
use super::bird_daemon::BirdDaemon;
use super::node::Node;
use super::peer::{Peer, Seen, Speaker, communities, family_of};

pub struct Bird {
    speaker: Speaker,
    /// More statements for every BGP protocol, e.g. `local role provider;`.
    options: String,
    daemon: BirdDaemon,
}

impl Bird {
    #[track_caller]
    pub fn start(node: &Node, speaker: Speaker) -> Bird {
        Bird::with(node, speaker, "")
    }

    /// With more statements in every BGP protocol.
    #[track_caller]
    pub fn with(node: &Node, speaker: Speaker, options: &str) -> Bird {
        let daemon = BirdDaemon::start(node, &config(&speaker, options));
        Bird { speaker, options: options.to_owned(), daemon }
    }

    /// Runs a birdc command.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        self.daemon.ask(command)
    }

    /// Its BFD session with an address.
    pub fn watches(&self, remote: &str) -> Result<BfdSeen, String> {
        bird_seen(&self.ask("show bfd sessions")?, remote)
    }

    /// Begins to watch all neighbours.
    #[track_caller]
    pub fn watch(&mut self, timers: Timers) {
        for session in &mut self.speaker.sessions {
            session.bfd = Some(timers);
        }
        self.configure();
    }

    #[track_caller]
    fn configure(&self) {
        self.daemon.configure(&config(&self.speaker, &self.options));
    }

    fn protocol(&self, neighbor: IpAddr) -> String {
        let index = self.speaker.sessions.iter().position(|session| session.remote == neighbor);
        format!("s{}", index.expect("the neighbour is one of the configured sessions"))
    }
}

fn config(speaker: &Speaker, options: &str) -> String {
    let mut text =
        format!("log stderr all;\nrouter id {};\nprotocol device {{ }}\n", speaker.router_id);
    for family in [4, 6] {
        writeln!(text, "protocol static own{family} {{ ipv{family};").unwrap();
        for prefix in speaker.networks.iter().filter(|prefix| family_of(prefix) == family) {
            writeln!(text, "  route {prefix} blackhole;").unwrap();
        }
        text.push_str("}\n");
    }
    if let Some(timers) = speaker.sessions.iter().find_map(|session| session.bfd) {
        text.push_str(&bird_protocol(timers, None, &[]));
    }
    for (index, session) in speaker.sessions.iter().enumerate() {
        // Without the wait times, one early failure holds the session back for a minute. As a graceful restart helper
        // it would keep the routes of a peer that was killed.
        writeln!(
            text,
            "protocol bgp s{index} {{\n  local {} as {};\n  neighbor {} as {};\n  hold time 9;\n  \
             error wait time 1, 2;\n  connect delay time 1;\n  connect retry time 2;\n  graceful restart off;\n  \
             ipv{} {{ import all; export where source = RTS_STATIC; }};",
            session.local,
            speaker.asn,
            session.remote,
            session.remote_as,
            session.family()
        )
        .unwrap();
        if session.passive {
            text.push_str("  passive on;\n");
        }
        if let Some(password) = &session.password {
            writeln!(text, "  password \"{password}\";").unwrap();
        }
        if session.multihop {
            text.push_str("  multihop;\n");
        }
        if session.bfd.is_some() {
            text.push_str("  bfd on;\n");
        }
        if session.gtsm {
            text.push_str("  ttl security on;\n");
        }
        writeln!(text, "  {options}\n}}").unwrap();
    }
    text
}

/// Reads the attributes of `show route … all`, e.g. `BGP.community: (65000,7) (65535,0)`.
fn seen(text: &str) -> Seen {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    // `(65000,7) (65000,8)` or `(65000, 1, 2)`: one word per parenthesis.
    let tuples = |name: &str| -> Vec<String> {
        let text = value(name).unwrap_or_default();
        let list = text
            .split(')')
            .map(|tuple| tuple.trim().trim_start_matches('(').replace(' ', "").replace(',', ":"));
        list.filter(|tuple| !tuple.is_empty()).collect()
    };
    Seen {
        as_path: value("BGP.as_path")
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|asn| asn.parse().ok())
            .collect(),
        next_hop: value("BGP.next_hop")
            .unwrap_or_default()
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
        med: value("BGP.med").and_then(|med| med.parse().ok()),
        communities: communities(tuples("BGP.community")),
        large_communities: communities(tuples("BGP.large_community")),
    }
}

impl Peer for Bird {
    fn state(&self, neighbor: IpAddr) -> Result<String, String> {
        let text = self.ask(&format!("show protocols all {}", self.protocol(neighbor)))?;
        text.lines()
            .find_map(|line| {
                line.trim().strip_prefix("BGP state:").map(|state| state.trim().to_owned())
            })
            .ok_or(text)
    }

    fn route(&self, prefix: &str) -> Result<Option<Seen>, String> {
        match self.ask(&format!("show route for {prefix} all where source = RTS_BGP")) {
            Ok(text) if text.lines().any(|line| line.starts_with(prefix)) => Ok(Some(seen(&text))),
            Ok(_) => Ok(None),
            Err(error) if error.contains("Network not found") => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn announce(&mut self, prefix: &str) {
        self.speaker.networks.push(prefix.to_owned());
        self.configure();
    }

    fn withdraw(&mut self, prefix: &str) {
        self.speaker.networks.retain(|network| network != prefix);
        self.configure();
    }

    fn refresh(&self, neighbor: IpAddr) -> bool {
        self.daemon.order(&format!("reload in {}", self.protocol(neighbor)));
        true
    }

    fn shut(&self, neighbor: IpAddr, text: &str) {
        self.daemon.order(&format!("disable {} \"{text}\"", self.protocol(neighbor)));
    }

    fn notified(&self, neighbor: IpAddr) -> String {
        let mark = format!("<RMT> {}: Received:", self.protocol(neighbor));
        self.daemon.log().lines().rfind(|line| line.contains(&mark)).unwrap_or_default().to_owned()
    }

    fn kill(&mut self) {
        self.daemon.kill();
    }

    fn start(&mut self) {
        self.daemon.start_again();
    }
}
