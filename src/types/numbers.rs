use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An autonomous system number, four octets (RFC 6793).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Asn(pub u32);

impl Asn {
    /// Stands in two-octet fields for a number that does not fit (RFC 6793 §9).
    pub const TRANS: Asn = Asn(23456);

    /// Zero is reserved and never valid on the wire (RFC 7607).
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// The number in two octets, or AS_TRANS.
    pub fn two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(Asn::TRANS.0 as u16)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asn {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Asn, Self::Err> {
        text.parse().map(Asn)
    }
}

/// A router's 32-bit identifier, written like an IPv4 address (RFC 6286: any non-zero value).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouterId(pub Ipv4Addr);

impl RouterId {
    pub fn from_bits(bits: u32) -> RouterId {
        RouterId(Ipv4Addr::from_bits(bits))
    }

    pub fn to_bits(self) -> u32 {
        self.0.to_bits()
    }

    pub fn is_valid(self) -> bool {
        self.to_bits() != 0
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
