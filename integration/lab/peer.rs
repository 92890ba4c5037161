//! What every BGP peer can be asked to do and to witness.

use std::net::{IpAddr, Ipv4Addr};

use super::bfd::Timers;

/// A BGP speaker's whole configuration, as far as the tests need it. Each peer writes it in its own language.
#[derive(Clone)]
pub struct Speaker {
    pub asn: u32,
    pub router_id: Ipv4Addr,
    pub sessions: Vec<Session>,
    /// Prefixes announced from the start, and those added since.
    pub networks: Vec<String>,
}

/// One neighbour of a `Speaker`. The session carries the family of its addresses, IPv4 or IPv6 unicast.
#[derive(Clone)]
pub struct Session {
    pub local: IpAddr,
    pub remote: IpAddr,
    pub remote_as: u32,
    /// Wait for the neighbour to dial.
    pub passive: bool,
    /// TCP-MD5 key (RFC 2385).
    pub password: Option<String>,
    /// Generalized TTL security, directly connected (RFC 5082).
    pub gtsm: bool,
    /// The neighbour is several hops away.
    pub multihop: bool,
    /// Watched by BFD, if the peer can do that.
    pub bfd: Option<Timers>,
}

impl Session {
    pub fn new(local: &str, remote: &str, remote_as: u32) -> Session {
        Session {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            remote_as,
            passive: false,
            password: None,
            gtsm: false,
            multihop: false,
            bfd: None,
        }
    }

    /// 4 or 6.
    pub fn family(&self) -> u8 {
        if self.local.is_ipv4() { 4 } else { 6 }
    }
}

/// A route as a peer shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub as_path: Vec<u32>,
    pub next_hop: String,
    /// Some peers show 0 where no MED was sent; those give `Some(0)` for both.
    pub med: Option<u32>,
    /// High and low half as `65000:7`, well-known ones too (`65535:0`), sorted.
    pub communities: Vec<String>,
    /// `65000:1:2`, sorted.
    pub large_communities: Vec<String>,
}

/// A running peer, asked by its own commands.
pub trait Peer {
    /// The state of the session with a neighbour, in the peer's words; `Established` for all when it is up.
    fn state(&self, neighbor: IpAddr) -> Result<String, String>;
    /// The best route for a prefix, as learned; `Ok(None)` if it has none.
    fn route(&self, prefix: &str) -> Result<Option<Seen>, String>;
    fn announce(&mut self, prefix: &str);
    fn withdraw(&mut self, prefix: &str);
    /// Asks the neighbour to send its routes again (RFC 2918); `false` if this peer never does.
    fn refresh(&self, neighbor: IpAddr) -> bool;
    /// Shuts the session down, telling the neighbour `text` if the peer can (RFC 9003).
    fn shut(&self, neighbor: IpAddr, text: &str);
    /// What the peer says about the last NOTIFICATION received: anything that has its name or text.
    fn notified(&self, neighbor: IpAddr) -> String;
    /// SIGKILL.
    fn kill(&mut self);
    /// Starts again after `kill`, with the same configuration.
    fn start(&mut self);
}

/// Sorted, in one notation: well-known names become numbers.
pub fn communities(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = words
        .into_iter()
        .map(|word| match word.to_lowercase().replace(['-', '_'], "").as_str() {
            "gracefulshutdown" => "65535:0".into(),
            "blackhole" => "65535:666".into(),
            "noexport" => "65535:65281".into(),
            "noadvertise" => "65535:65282".into(),
            _ => word,
        })
        .collect();
    all.sort();
    all
}

/// `4` or `6` for a prefix or address in text.
pub fn family_of(prefix: &str) -> u8 {
    if prefix.contains(':') { 6 } else { 4 }
}
