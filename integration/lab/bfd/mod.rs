//! What every BFD speaker of the tests can be asked to do and to witness.

mod bird;
mod frr;
mod shunt;

pub use bird::{BfdBird, protocol as bird_protocol, seen as bird_seen};
pub use frr::{BfdFrr, profile as frr_profile, seen as frr_seen};
pub use shunt::{BfdShunt, profile as shunt_profile};

/// A BFD speaker with sessions that no routing protocol asks for. Each peer writes it in its own language.
#[derive(Clone)]
pub struct BfdRouter {
    pub timers: Timers,
    /// Of all its sessions.
    pub authentication: Option<Authentication>,
    pub sessions: Vec<BfdPath>,
}

/// Of one side: milliseconds, and how many of its packets the other side may miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    pub transmit: u16,
    pub receive: u16,
    pub multiplier: u8,
}

#[derive(Clone, Copy)]
pub struct Authentication {
    /// `simple`, `keyed-md5`, `meticulous-md5`, `keyed-sha1` or `meticulous-sha1`.
    pub algorithm: &'static str,
    pub id: u8,
    pub secret: &'static str,
}

#[derive(Clone)]
pub struct BfdPath {
    pub local: String,
    pub remote: String,
    /// `None`: the other side is several hops away.
    pub interface: Option<String>,
}

/// A session as a speaker shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdSeen {
    /// `up`, `down`, `init` or `admin-down`.
    pub state: String,
    /// Milliseconds between its own packets, before jitter.
    pub transmit: u64,
    /// Milliseconds after the last packet until it goes down.
    pub detection: u64,
}

impl Timers {
    pub const fn new(both: u16, multiplier: u8) -> Timers {
        Timers { transmit: both, receive: both, multiplier }
    }
}

impl BfdPath {
    /// On the link of an interface.
    pub fn single(interface: &str, local: &str, remote: &str) -> BfdPath {
        let interface = Some(interface.to_owned());
        BfdPath { local: local.to_owned(), remote: remote.to_owned(), interface }
    }

    pub fn multi(local: &str, remote: &str) -> BfdPath {
        BfdPath { local: local.to_owned(), remote: remote.to_owned(), interface: None }
    }
}

/// A running BFD speaker, asked by its own commands.
pub trait BfdPeer {
    /// The session with an address; `Err` also if there is none.
    fn session(&self, remote: &str) -> Result<BfdSeen, String>;
    /// Other timers for all sessions, while they are up.
    fn retime(&mut self, timers: Timers);
    /// All its sessions say AdminDown, or come back.
    fn disable(&mut self);
    fn enable(&mut self);
    /// SIGKILL.
    fn kill(&mut self);
    /// Starts again after `kill`, with the same configuration.
    fn start(&mut self);
}
