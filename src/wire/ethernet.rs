//! Whole Ethernet frames with an IP packet in them, for those that must not leave with the interface's own address:
//! what a virtual router sends has the virtual router's (RFC 9568 §7.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use super::checksum;
use crate::types::Mac;

/// Octets from the destination to the end of the payload. There is room for an IPv6 advertisement of four addresses.
pub type Frame = SmallVec<[u8; 128]>;

/// IANA "EtherTypes".
pub(super) mod ethertype {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const IPV6: u16 = 0x86dd;
}

pub(super) const BROADCAST: Mac = Mac([0xff; 6]);
/// A packet with another hop limit has been forwarded, and nobody here would believe it.
const HOP_LIMIT: u8 = 255;
/// DSCP CS6, for routing protocols (RFC 4594 §3.2).
const TRAFFIC_CLASS: u8 = 0xc0;
/// IANA "Protocol Numbers".
const VRRP: u8 = 112;

/// Appends a frame with a VRRP advertisement, with the hop limit 255, to `out`, which is empty. `neighbor` is where a
/// unicast one goes to; `None`: the multicast group that the destination is. Nothing is appended if the addresses
/// are of two families, or a unicast destination comes without its neighbour.
pub fn advertisement(
    mac: Mac,
    neighbor: Option<Mac>,
    source: IpAddr,
    destination: IpAddr,
    packet: &[u8],
    out: &mut Frame,
) {
    let Some(to) = neighbor.or_else(|| multicast(destination)) else { return };
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header(to, mac, ethertype::IPV4, out);
            ipv4_header(source, destination, packet.len(), out);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            header(to, mac, ethertype::IPV6, out);
            ipv6_header(TRAFFIC_CLASS, source, destination, VRRP, packet.len(), out);
        }
        _ => return,
    }
    out.extend_from_slice(packet);
}

/// Appends what is before the payload.
pub(super) fn header(to: Mac, from: Mac, ethertype: u16, out: &mut Frame) {
    out.extend_from_slice(&to.0);
    out.extend_from_slice(&from.0);
    out.extend_from_slice(&ethertype.to_be_bytes());
}

/// Appends an IPv4 header for a payload of that length. It must not be fragmented, so it needs no identification (RFC
/// 6864 §4).
fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, length: usize, out: &mut Frame) {
    let [high, low] = u16::try_from(20 + length).unwrap_or(u16::MAX).to_be_bytes();
    let mut header = [
        0x45,
        TRAFFIC_CLASS,
        high,
        low,
        0,
        0,
        0x40,
        0,
        HOP_LIMIT,
        VRRP,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    let sum = checksum::sum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&header);
}

/// Appends an IPv6 header for a payload of that length.
pub(super) fn ipv6_header(
    class: u8,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    next_header: u8,
    length: usize,
    out: &mut Frame,
) {
    out.extend_from_slice(&[0x60 | class >> 4, class << 4, 0, 0]);
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&[next_header, HOP_LIMIT]);
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&destination.octets());
}

/// Where packets to a multicast group go to (RFC 1112 §6.4, RFC 2464 §7).
pub(super) fn multicast(group: IpAddr) -> Option<Mac> {
    match group {
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            Some(Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(group) if group.is_multicast() => {
            let [.., c, d, e, f] = group.octets();
            Some(Mac([0x33, 0x33, c, d, e, f]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIRTUAL: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);
    const PAYLOAD: [u8; 3] = [7, 8, 9];

    fn frame(neighbor: Option<Mac>, source: &str, destination: &str) -> Vec<u8> {
        let mut out = Frame::new();
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        advertisement(VIRTUAL, neighbor, source, destination, &PAYLOAD, &mut out);
        out.to_vec()
    }

    /// The header's sum is from a few lines of Python.
    #[test]
    fn an_ipv4_advertisement_goes_to_the_groups_address() {
        let expected = [
            &[0x01, 0x00, 0x5e, 0, 0, 18, 0, 0, 0x5e, 0, 1, 51, 0x08, 0x00][..],
            &[0x45, 0xc0, 0, 23, 0, 0, 0x40, 0, 255, 112, 0xd8, 0xa2],
            &[192, 0, 2, 1, 224, 0, 0, 18, 7, 8, 9],
        ];
        assert_eq!(frame(None, "192.0.2.1", "224.0.0.18"), expected.concat());
    }

    #[test]
    fn an_ipv6_advertisement_goes_to_the_groups_address() {
        let frame = frame(None, "fe80::1", "ff02::12");
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 0x12]);
        assert_eq!(frame[12..22], [0x86, 0xdd, 0x6c, 0, 0, 0, 0, 3, 112, 255]);
        assert_eq!(frame[22..38], "fe80::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(frame[38..54], "ff02::12".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(frame[54..], PAYLOAD);
    }

    #[test]
    fn a_unicast_advertisement_needs_its_neighbour() {
        let neighbor = Mac([2, 0, 0, 0, 0, 9]);
        assert_eq!(frame(Some(neighbor), "192.0.2.1", "192.0.2.2")[..6], neighbor.0);
        assert!(frame(None, "192.0.2.1", "192.0.2.2").is_empty());
        assert!(frame(None, "192.0.2.1", "ff02::12").is_empty());
    }

    #[test]
    fn a_group_of_ipv4_gives_23_bits() {
        let group = multicast("239.129.2.3".parse().unwrap());
        assert_eq!(group, Some(Mac([0x01, 0x00, 0x5e, 1, 2, 3])));
    }
}
