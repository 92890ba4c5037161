use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// RFC 1997: four octets, written `65000:100` or by its well-known name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

/// RFC 4360: eight octets as sent. Written `rt:65000:100` or `soo:192.0.2.1:100` where known, else
/// as sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// RFC 8092: written `65000:1:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    pub global: u32,
    pub local1: u32,
    pub local2: u32,
}

/// Why a text is not a community.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommunityError {
    #[error(
        "`{0}` is not a community: write ASN:NUMBER with both up to 65535, or one of {names}",
        names = well_known_names()
    )]
    Standard(String),
    #[error(
        "`{0}` is not an extended community: write rt:ASN:NUMBER, soo:ASN:NUMBER (or an IPv4 \
         address for ASN), or 0x and 16 hexadecimal digits"
    )]
    Extended(String),
    #[error("`{0}` is not a large community: write ASN:NUMBER:NUMBER, each up to 4294967295")]
    Large(String),
}

/// IANA "BGP Well-known Communities", as far as routers act on them.
const WELL_KNOWN: [(Community, &str); 9] = [
    (Community::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
    (Community(0xffff_0001), "accept-own"),
    (Community(0xffff_0006), "llgr-stale"),
    (Community(0xffff_0007), "no-llgr"),
    (Community::BLACKHOLE, "blackhole"),
    (Community::NO_EXPORT, "no-export"),
    (Community::NO_ADVERTISE, "no-advertise"),
    (Community(0xffff_ff03), "no-export-subconfed"),
    (Community(0xffff_ff04), "no-peer"),
];

impl Community {
    /// RFC 8326: move traffic off this path before it goes away.
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xffff_0000);
    /// RFC 7999: drop the traffic.
    pub const BLACKHOLE: Community = Community(0xffff_029a);
    pub const NO_EXPORT: Community = Community(0xffff_ff01);
    pub const NO_ADVERTISE: Community = Community(0xffff_ff02);
}

fn well_known_names() -> String {
    WELL_KNOWN.map(|(_, name)| name).join(", ")
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match WELL_KNOWN.iter().find(|(community, _)| community == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

impl FromStr for Community {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Community, CommunityError> {
        if let Some((community, _)) = WELL_KNOWN.iter().find(|(_, name)| *name == text) {
            return Ok(*community);
        }
        let halves = text.split_once(':').and_then(|(high, low)| {
            Some((u32::from(number::<u16>(high)?), u32::from(number::<u16>(low)?)))
        });
        match halves {
            Some((high, low)) => Ok(Community(high << 16 | low)),
            None => Err(CommunityError::Standard(text.to_owned())),
        }
    }
}

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, a, b, c, d, e, g] = self.0;
        let name = match subtype {
            0x02 => "rt",
            0x03 => "soo",
            _ => "",
        };
        match kind {
            _ if name.is_empty() => {}
            // Two-octet AS (RFC 4360 §3.1).
            0x00 => {
                let asn = u16::from_be_bytes([a, b]);
                return write!(f, "{name}:{asn}:{}", u32::from_be_bytes([c, d, e, g]));
            }
            // IPv4 address (RFC 4360 §3.2).
            0x01 => {
                let address = Ipv4Addr::new(a, b, c, d);
                return write!(f, "{name}:{address}:{}", u16::from_be_bytes([e, g]));
            }
            // Four-octet AS (RFC 5668); the L keeps a small number apart from the first form.
            0x02 => {
                let asn = u32::from_be_bytes([a, b, c, d]);
                let long = if asn > u32::from(u16::MAX) { "" } else { "L" };
                return write!(f, "{name}:{asn}{long}:{}", u16::from_be_bytes([e, g]));
            }
            _ => {}
        }
        write!(f, "0x{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for ExtendedCommunity {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<ExtendedCommunity, CommunityError> {
        extended(text).ok_or_else(|| CommunityError::Extended(text.to_owned()))
    }
}

fn extended(text: &str) -> Option<ExtendedCommunity> {
    if let Some(digits) = text.strip_prefix("0x") {
        let plain = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| plain)
            .map(|bits| ExtendedCommunity(bits.to_be_bytes()));
    }
    let (name, rest) = text.split_once(':')?;
    let subtype = match name {
        "rt" => 0x02,
        "soo" => 0x03,
        _ => return None,
    };
    let (administrator, local) = rest.split_once(':')?;
    let (kind, value) = if let Ok(address) = administrator.parse::<Ipv4Addr>() {
        (0x01, u64::from(address.to_bits()) << 16 | u64::from(number::<u16>(local)?))
    } else if let Some(asn) = number::<u16>(administrator) {
        (0x00, u64::from(asn) << 32 | u64::from(number::<u32>(local)?))
    } else {
        let asn = number::<u32>(administrator.strip_suffix('L').unwrap_or(administrator))?;
        (0x02, u64::from(asn) << 16 | u64::from(number::<u16>(local)?))
    };
    let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
    Some(ExtendedCommunity([kind, subtype, a, b, c, d, e, f]))
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

impl FromStr for LargeCommunity {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<LargeCommunity, CommunityError> {
        let mut parts = text.split(':').map(number::<u32>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(global)), Some(Some(local1)), Some(Some(local2)), None) => {
                Ok(LargeCommunity { global, local1, local2 })
            }
            _ => Err(CommunityError::Large(text.to_owned())),
        }
    }
}

/// A decimal number without sign.
fn number<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_read_as_they_are_written() {
        for text in
            ["0:0", "65000:100", "65535:65535", "graceful-shutdown", "no-export", "blackhole"]
        {
            assert_eq!(text.parse::<Community>().unwrap().to_string(), text);
        }
        assert_eq!("65535:666".parse(), Ok(Community::BLACKHOLE));
        for text in ["", "65000", "65536:1", "1:2:3", "+1:2", "no-such-name", "1:"] {
            assert!(text.parse::<Community>().is_err(), "{text}");
        }
        assert!("x".parse::<Community>().unwrap_err().to_string().contains("graceful-shutdown"));
    }

    #[test]
    fn extended_communities_read_as_they_are_written() {
        let cases = [
            ("rt:65000:100", 0x0002_fde8_0000_0064),
            ("soo:192.0.2.1:7", 0x0103_c000_0201_0007),
            ("rt:70000:7", 0x0202_0001_1170_0007),
            ("rt:100L:7", 0x0202_0000_0064_0007),
            ("0x4004fde842c80000", 0x4004_fde8_42c8_0000_u64),
        ];
        for (text, bits) in cases {
            let community = ExtendedCommunity(bits.to_be_bytes());
            assert_eq!(text.parse(), Ok(community));
            assert_eq!(community.to_string(), text);
        }
        for text in ["", "rt:1", "rt:70000:70000", "xx:1:2", "0x1", "0x+004fde842c80000"] {
            assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
        }
    }

    #[test]
    fn large_communities_read_as_they_are_written() {
        for text in ["0:0:0", "4294967295:1:2"] {
            assert_eq!(text.parse::<LargeCommunity>().unwrap().to_string(), text);
        }
        for text in ["1:2", "1:2:3:4", "4294967296:1:1", "1:-2:3"] {
            assert!(text.parse::<LargeCommunity>().is_err(), "{text}");
        }
    }
}
