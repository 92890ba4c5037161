use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::Parser;
use nom::number::complete::{be_u16, be_u32, be_u128, u8};
use smallvec::SmallVec;

use super::Malformed;
use crate::wire::checksum;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768, IPv4 only, no authentication.
    V2,
    /// RFC 9568.
    V3,
}

/// Of version 3 over IPv4, where implementations differ. Version 2 always has it plain, IPv6 always with the
/// pseudo-header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// With a pseudo-header, as RFC 5798 §5.2.8 was read by most: keepalived, FRR.
    PseudoHeader,
    /// Without, as for version 2; RFC 9568 §5.2.8 has made that clear.
    Plain,
}

/// What the Active says of a virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    pub version: Version,
    pub vrid: u8,
    /// 0: the Active leaves; 255: it owns the addresses.
    pub priority: u8,
    /// Centiseconds. Version 3 has room for 4095; version 2 for 255 whole seconds.
    pub interval: u16,
    /// All of the packet's family; 1 to 255 of them.
    pub addresses: SmallVec<[IpAddr; 8]>,
}

/// Octets before the addresses.
const HEADER_LENGTH: usize = 8;
/// Octets behind the addresses in version 2, which were a password once (RFC 3768 §5.3.10).
const AUTHENTICATION_LENGTH: usize = 8;
const ADVERTISEMENT: u8 = 1;
/// IANA "Protocol Numbers".
const PROTOCOL: u8 = 112;
const CHECKSUM: usize = 6;

/// What is summed before the packet: RFC 8200 §8.1, and for IPv4 RFC 9293 §3.1's.
fn pseudo_header(source: IpAddr, destination: IpAddr, length: usize) -> SmallVec<[u8; 40]> {
    let mut out = SmallVec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
    }
    // 255 IPv6 addresses have 4080 octets. The protocol and the length are in other places with IPv6, and half as wide,
    // which makes no difference to the sum.
    out.extend_from_slice(&[0, PROTOCOL]);
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    out
}

impl Advertisement {
    /// Reads what is behind the IP header of a packet between these addresses, and says how it was summed. What follows an
    /// advertisement is ignored: RFC 9568 §7.1 only wants it complete. So is version 2's authentication data.
    pub fn parse(
        packet: &[u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> Result<(Advertisement, Checksum), Malformed> {
        type Error<'a> = nom::error::Error<&'a [u8]>;
        let mut header = (u8::<_, Error<'_>>, u8, u8, u8, be_u16, be_u16);
        let version = match (packet.first().ok_or(Malformed::Truncated)? >> 4, source) {
            (2, IpAddr::V4(_)) => Version::V2,
            (3, _) => Version::V3,
            (unknown, _) => return Err(Malformed::Version(unknown)),
        };
        let (mut rest, (first, vrid, priority, count, interval, _)) =
            header.parse(packet).map_err(|_| Malformed::Truncated)?;
        if first & 0x0f != ADVERTISEMENT {
            return Err(Malformed::Type(first & 0x0f));
        }

        let mut addresses = SmallVec::new();
        for _ in 0..count {
            let (behind, address) = match source {
                IpAddr::V4(_) => {
                    be_u32.map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits))).parse(rest)
                }
                IpAddr::V6(_) => {
                    be_u128.map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits))).parse(rest)
                }
            }
            .map_err(|_: nom::Err<Error<'_>>| Malformed::Truncated)?;
            addresses.push(address);
            rest = behind;
        }
        let trailer = if version == Version::V2 { AUTHENTICATION_LENGTH } else { 0 };
        let length = packet.len() - rest.len() + trailer;
        let message = packet.get(..length).ok_or(Malformed::Truncated)?;

        let with_pseudo_header =
            || checksum::sum(&[&pseudo_header(source, destination, length), message]) == 0;
        let plain = || checksum::sum(&[message]) == 0;
        let checksum = match version {
            Version::V3 if with_pseudo_header() => Checksum::PseudoHeader,
            _ if source.is_ipv4() && plain() => Checksum::Plain,
            _ => return Err(Malformed::Checksum),
        };
        let interval = match version {
            Version::V3 => interval & 0x0fff,
            Version::V2 => {
                let [authentication_type, seconds] = interval.to_be_bytes();
                if authentication_type != 0 {
                    return Err(Malformed::AuthenticationType(authentication_type));
                }
                u16::from(seconds) * 100
            }
        };
        if addresses.is_empty() {
            return Err(Malformed::NoAddresses);
        }
        if interval == 0 {
            return Err(Malformed::ZeroInterval);
        }
        Ok((Advertisement { version, vrid, priority, interval, addresses }, checksum))
    }

    /// Appends the advertisement to `out`, which is empty, for a packet between these addresses.
    pub fn emit(
        &self,
        checksum: Checksum,
        source: IpAddr,
        destination: IpAddr,
        out: &mut SmallVec<[u8; 64]>,
    ) {
        let addresses = self.addresses.get(..255).unwrap_or(&self.addresses);
        let (version, interval) = match self.version {
            Version::V3 => (3, self.interval.min(0x0fff)),
            Version::V2 => (2, (self.interval / 100).min(255)),
        };
        let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
        out.extend_from_slice(&[version << 4 | ADVERTISEMENT, self.vrid, self.priority, count]);
        out.extend_from_slice(&interval.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        for address in addresses {
            match address {
                IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            }
        }
        if self.version == Version::V2 {
            out.extend_from_slice(&[0; AUTHENTICATION_LENGTH]);
        }
        let plain =
            self.version == Version::V2 || (source.is_ipv4() && checksum == Checksum::Plain);
        let sum = match plain {
            true => checksum::sum(&[out]),
            false => checksum::sum(&[&pseudo_header(source, destination, out.len()), out]),
        };
        if let Some(field) = out.get_mut(CHECKSUM..HEADER_LENGTH) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
    /// Version 3, summed with the pseudo-header, and plain; the sums are from a few lines of Python.
    const PSEUDO: [u8; 12] = [0x31, 51, 100, 1, 0, 20, 0x05, 0xc2, 192, 0, 2, 100];
    const PLAIN: [u8; 12] = [0x31, 51, 100, 1, 0, 20, 0xa8, 0x52, 192, 0, 2, 100];
    const V2: [u8; 20] =
        [0x21, 51, 100, 1, 0, 1, 0xb8, 0x65, 192, 0, 2, 100, 0, 0, 0, 0, 0, 0, 0, 0];

    fn advertisement() -> Advertisement {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
        Advertisement {
            version: Version::V3,
            vrid: 51,
            priority: 100,
            interval: 20,
            addresses: [address].into_iter().collect(),
        }
    }

    fn emitted(advertisement: &Advertisement, checksum: Checksum) -> SmallVec<[u8; 64]> {
        let mut out = SmallVec::new();
        advertisement.emit(checksum, SOURCE, GROUP, &mut out);
        out
    }

    #[test]
    fn both_sums_of_version_3_are_told_apart() {
        for (octets, checksum) in [(PSEUDO, Checksum::PseudoHeader), (PLAIN, Checksum::Plain)] {
            let read = Advertisement::parse(&octets, SOURCE, GROUP);
            assert_eq!(read, Ok((advertisement(), checksum)));
            assert_eq!(emitted(&advertisement(), checksum)[..], octets);
        }
    }

    #[test]
    fn version_2_has_seconds_and_a_trailer() {
        let advertisement =
            Advertisement { version: Version::V2, interval: 100, ..advertisement() };
        let read = Advertisement::parse(&V2, SOURCE, GROUP);
        assert_eq!(read, Ok((advertisement.clone(), Checksum::Plain)));
        assert_eq!(emitted(&advertisement, Checksum::PseudoHeader)[..], V2);
        let old = Advertisement::parse(&V2[..19], SOURCE, GROUP);
        assert_eq!(old, Err(Malformed::Truncated));
    }

    #[test]
    fn ipv6_always_has_the_pseudo_header() {
        let source: IpAddr = "fe80::1".parse().unwrap();
        let group: IpAddr = "ff02::12".parse().unwrap();
        let addresses = ["fe80::64", "2001:db8::64"].map(|text| text.parse().unwrap());
        let addresses = addresses.into_iter().collect();
        let advertisement = Advertisement { addresses, ..advertisement() };
        let mut out = SmallVec::new();
        advertisement.emit(Checksum::Plain, source, group, &mut out);
        assert_eq!(out.len(), 40);
        let read = Advertisement::parse(&out, source, group);
        assert_eq!(read, Ok((advertisement, Checksum::PseudoHeader)));
        let elsewhere = Advertisement::parse(&out, "fe80::2".parse().unwrap(), group);
        assert_eq!(elsewhere, Err(Malformed::Checksum));
        out[0] = 0x21;
        assert_eq!(Advertisement::parse(&out, source, group), Err(Malformed::Version(2)));
    }

    #[test]
    fn each_check_has_its_word() {
        let word = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut octets = PLAIN.to_vec();
            change(&mut octets);
            if octets.len() >= 8 && octets[6..8] != [0xff, 0xff] {
                octets[6..8].fill(0);
                let sum = checksum::sum(&[&octets[..octets.len().min(12)]]);
                octets[6..8].copy_from_slice(&sum.to_be_bytes());
            }
            Advertisement::parse(&octets, SOURCE, GROUP).map_err(|malformed| malformed.name())
        };
        assert!(word(&|_| ()).is_ok());
        assert!(word(&|o| o[4] |= 0xf0).is_ok(), "reserved bits are ignored");
        assert!(word(&|o| o.extend([1, 2, 3])).is_ok(), "so is what follows");
        assert_eq!(word(&|o| o.clear()), Err("truncated"));
        assert_eq!(word(&|o| o.truncate(7)), Err("truncated"));
        assert_eq!(word(&|o| o.truncate(11)), Err("truncated"));
        assert_eq!(word(&|o| o[3] = 2), Err("truncated"));
        assert_eq!(word(&|o| o[0] = 0x41), Err("bad-version"));
        assert_eq!(word(&|o| o[0] = 0x32), Err("bad-packet-type"));
        assert_eq!(word(&|o| o[6..8].fill(0xff)), Err("bad-checksum"));
        assert_eq!(word(&|o| (o[3] = 0, o.truncate(8)).1), Err("no-addresses"));
        assert_eq!(word(&|o| o[5] = 0), Err("zero-interval"));
        let mut old = V2;
        (old[4], old[6]) = (1, 0xb7);
        let read = Advertisement::parse(&old, SOURCE, GROUP);
        assert_eq!(read, Err(Malformed::AuthenticationType(1)));
    }
}
