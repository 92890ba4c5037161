use std::net::Ipv4Addr;

use super::ethernet::{self, BROADCAST, Frame, ethertype};
use crate::types::Mac;

/// Hardware type 1 (Ethernet) with 6 octets, protocol type IPv4 with 4, operation 1 (request): RFC 826.
const REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];

/// Appends a frame with gratuitous ARP to `out`, which is empty: the address is at `mac` now, for everybody on the link.
///
/// It is a request for the address itself, as keepalived and FRR send it, and RFC 5227 §3, which says why: there are
/// hosts that do not believe a reply they have not asked for. RFC 9568 §6.4.2 (with erratum 7949) wants the MAC address
/// as the target's as well, where a request has nothing to say.
pub fn gratuitous(mac: Mac, address: Ipv4Addr, out: &mut Frame) {
    ethernet::header(BROADCAST, mac, ethertype::ARP, out);
    out.extend_from_slice(&REQUEST);
    for _ in ["sender", "target"] {
        out.extend_from_slice(&mac.0);
        out.extend_from_slice(&address.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_asks_for_itself() {
        let mut out = Frame::new();
        gratuitous(Mac([0, 0, 0x5e, 0, 1, 51]), Ipv4Addr::new(192, 0, 2, 100), &mut out);
        let expected = [
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x5e, 0, 1, 51, 0x08, 0x06][..],
            &[0, 1, 0x08, 0, 6, 4, 0, 1, 0, 0, 0x5e, 0, 1, 51, 192, 0, 2, 100],
            &[0, 0, 0x5e, 0, 1, 51, 192, 0, 2, 100],
        ];
        assert_eq!(out[..], expected.concat());
    }
}
