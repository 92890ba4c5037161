use std::net::{IpAddr, Ipv6Addr};

use super::checksum;
use super::ethernet::{self, Frame, ethertype};
use crate::types::Mac;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;
/// ICMPv6 type 136; flags Router and Override, not Solicited (RFC 4861 §4.4, RFC 9568 §6.4.2).
const NEIGHBOR_ADVERTISEMENT: [u8; 8] = [136, 0, 0, 0, 0xa0, 0, 0, 0];
/// Target Link-Layer Address, one unit of eight octets (RFC 4861 §4.6.1).
const TARGET_ADDRESS: [u8; 2] = [2, 1];
/// Octets behind the IPv6 header.
const LENGTH: usize = 32;

/// Appends a frame with an unsolicited Neighbor Advertisement to `out`, which is empty: the address, from which it is sent,
/// is at `mac` now, for all nodes on the link.
pub fn unsolicited(mac: Mac, address: Ipv6Addr, out: &mut Frame) {
    let to = ethernet::multicast(IpAddr::V6(ALL_NODES)).unwrap_or(ethernet::BROADCAST);
    ethernet::header(to, mac, ethertype::IPV6, out);
    ethernet::ipv6_header(0, address, ALL_NODES, ICMPV6, LENGTH, out);

    let mut advertisement = [0; LENGTH];
    advertisement[..8].copy_from_slice(&NEIGHBOR_ADVERTISEMENT);
    advertisement[8..24].copy_from_slice(&address.octets());
    advertisement[24..26].copy_from_slice(&TARGET_ADDRESS);
    advertisement[26..].copy_from_slice(&mac.0);
    let length = [0, 0, 0, LENGTH as u8, 0, 0, 0, ICMPV6];
    let parts = [&address.octets()[..], &ALL_NODES.octets(), &length, &advertisement];
    let sum = checksum::sum(&parts);
    advertisement[2..4].copy_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&advertisement);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum is from a few lines of Python.
    #[test]
    fn all_nodes_learn_the_address() {
        let mut out = Frame::new();
        let address: Ipv6Addr = "2001:db8::64".parse().unwrap();
        unsolicited(Mac([0, 0, 0x5e, 0, 2, 51]), address, &mut out);
        let expected = [
            &[0x33, 0x33, 0, 0, 0, 1, 0, 0, 0x5e, 0, 2, 51, 0x86, 0xdd][..],
            &[0x60, 0, 0, 0, 0, 32, 58, 255],
            &address.octets(),
            &ALL_NODES.octets(),
            &[136, 0, 0x1a, 0x32, 0xa0, 0, 0, 0],
            &address.octets(),
            &[2, 1, 0, 0, 0x5e, 0, 2, 51],
        ];
        assert_eq!(out[..], expected.concat());
    }
}
