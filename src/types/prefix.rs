use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Family;

/// An IPv4 or IPv6 prefix without host bits: two prefixes that match the same addresses are
/// equal. Ordered by family, then address, then length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    V4(Ipv4Net),
    V6(Ipv6Net),
}

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    #[error("`{0}` is not a prefix: write it as ADDRESS/LENGTH, for example 192.0.2.0/24")]
    Syntax(String),
    #[error("`{given}` has bits set behind the prefix length; the prefix is {meant}")]
    HostBits { given: String, meant: Prefix },
}

impl Prefix {
    /// The prefix that holds `address`, cut to `length` bits. `None` if the family has fewer bits.
    pub fn new(address: IpAddr, length: u8) -> Option<Prefix> {
        match address {
            IpAddr::V4(address) => Ipv4Net::new(address, length).ok().map(Prefix::from),
            IpAddr::V6(address) => Ipv6Net::new(address, length).ok().map(Prefix::from),
        }
    }

    /// The /32 or /128 of one address.
    pub fn host(address: IpAddr) -> Prefix {
        match address {
            IpAddr::V4(address) => Prefix::V4(Ipv4Net::from(address)),
            IpAddr::V6(address) => Prefix::V6(Ipv6Net::from(address)),
        }
    }

    /// 0.0.0.0/0 or ::/0.
    pub fn default_route(family: Family) -> Prefix {
        match family {
            Family::Ipv4 => Prefix::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
            Family::Ipv6 => Prefix::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
        }
    }

    pub fn family(self) -> Family {
        match self {
            Prefix::V4(_) => Family::Ipv4,
            Prefix::V6(_) => Family::Ipv6,
        }
    }

    pub fn address(self) -> IpAddr {
        match self {
            Prefix::V4(net) => IpAddr::V4(net.addr()),
            Prefix::V6(net) => IpAddr::V6(net.addr()),
        }
    }

    /// Length in bits.
    pub fn length(self) -> u8 {
        match self {
            Prefix::V4(net) => net.prefix_len(),
            Prefix::V6(net) => net.prefix_len(),
        }
    }

    pub fn is_default(self) -> bool {
        self.length() == 0
    }

    /// Whether `self` holds every address of `other`; true of itself, false across families.
    pub fn covers(self, other: Prefix) -> bool {
        match (self, other) {
            (Prefix::V4(net), Prefix::V4(inner)) => net.contains(&inner),
            (Prefix::V6(net), Prefix::V6(inner)) => net.contains(&inner),
            _ => false,
        }
    }

    /// Whether every address of it is a multicast address.
    pub fn is_multicast(self) -> bool {
        match self {
            Prefix::V4(net) => net.addr().is_multicast() && net.prefix_len() >= 4,
            Prefix::V6(net) => net.addr().is_multicast() && net.prefix_len() >= 8,
        }
    }

    pub fn contains(self, address: IpAddr) -> bool {
        self.covers(Prefix::host(address))
    }
}

impl From<Ipv4Net> for Prefix {
    fn from(net: Ipv4Net) -> Prefix {
        Prefix::V4(net.trunc())
    }
}

impl From<Ipv6Net> for Prefix {
    fn from(net: Ipv6Net) -> Prefix {
        Prefix::V6(net.trunc())
    }
}

impl From<Prefix> for IpNet {
    fn from(prefix: Prefix) -> IpNet {
        match prefix {
            Prefix::V4(net) => IpNet::V4(net),
            Prefix::V6(net) => IpNet::V6(net),
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let net: IpNet = text.parse().map_err(|_| PrefixError::Syntax(text.to_owned()))?;
        let prefix = match net {
            IpNet::V4(net) => Prefix::from(net),
            IpNet::V6(net) => Prefix::from(net),
        };
        if IpNet::from(prefix) != net {
            return Err(PrefixError::HostBits { given: text.to_owned(), meant: prefix });
        }
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prefix::V4(net) => net.fmt(f),
            Prefix::V6(net) => net.fmt(f),
        }
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_refused_and_the_meant_prefix_is_named() {
        let error = "192.0.2.1/24".parse::<Prefix>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`192.0.2.1/24` has bits set behind the prefix length; the prefix is 192.0.2.0/24"
        );
        assert!("2001:db8::1/64".parse::<Prefix>().is_err());
        assert!("192.0.2.0".parse::<Prefix>().is_err());
        assert!("192.0.2.0/33".parse::<Prefix>().is_err());
    }

    #[test]
    fn covering_is_by_address_within_one_family() {
        let wide: Prefix = "198.51.100.0/24".parse().unwrap();
        let host = Prefix::host("198.51.100.7".parse().unwrap());
        assert!(wide.covers(host) && !host.covers(wide) && wide.covers(wide));
        assert!(!Prefix::default_route(Family::Ipv6).covers(wide));
        assert!(Prefix::default_route(Family::Ipv4).covers(wide));
    }

    #[test]
    fn new_cuts_host_bits() {
        let prefix = Prefix::new("10.1.2.3".parse().unwrap(), 8).unwrap();
        assert_eq!(prefix.to_string(), "10.0.0.0/8");
        assert_eq!(Prefix::new("10.1.2.3".parse().unwrap(), 33), None);
    }
}
