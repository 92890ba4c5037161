use std::net::IpAddr;

use super::{SessionId, Settings};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    Ordered(Order),
    Received(Received<'a>),
    /// An interface lost its carrier, or has it again. Sessions on it go down at once (RFC 5880 §6.8.16 has the
    /// diagnostic: Path Down).
    LinkChanged {
        interface: u32,
        up: bool,
    },
    /// The daemon ends: every session says AdminDown.
    Stopped,
}

/// What the agent wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// That there is this session, with these settings. The path of a session never changes.
    Want { session: SessionId, settings: Box<Settings> },
    /// That there is not: AdminDown is sent first (RFC 5880 §6.8.16), so that the other side tells it from a failure.
    Drop { session: SessionId },
}

/// A UDP datagram to one of the BFD ports.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub hops: Hops,
    pub interface: u32,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit that it arrived with.
    pub ttl: u8,
    pub packet: &'a [u8],
}

/// By the port it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    /// 3784.
    Single,
    /// 4784.
    Multi,
}
