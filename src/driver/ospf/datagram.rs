use std::net::Ipv4Addr;

use bytes::Bytes;

/// What is behind an IPv4 header, and what of the header matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub packet: Bytes,
}

/// A header without options (RFC 791 §3.1).
const SHORTEST: usize = 20;

impl Datagram {
    /// From what a raw socket gave, header and all (raw(7)). The kernel has checked the header and put fragments
    /// together before; `None` if the lengths do not fit all the same.
    pub fn parse(octets: &[u8]) -> Option<Datagram> {
        let header = octets.first_chunk::<SHORTEST>()?;
        let length = usize::from(header[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || length < SHORTEST {
            return None;
        }
        let address = |at: usize| {
            let octets = header.get(at..)?.first_chunk::<4>()?;
            Some(Ipv4Addr::from(*octets))
        };
        Some(Datagram {
            source: address(12)?,
            destination: address(16)?,
            packet: Bytes::copy_from_slice(octets.get(length..total)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// To 224.0.0.5 from 10.0.0.1, with a payload of four octets.
    const SHORT: [u8; 24] =
        [0x45, 0xc0, 0, 24, 0x12, 0x34, 0, 0, 1, 89, 0, 0, 10, 0, 0, 1, 224, 0, 0, 5, 2, 1, 0, 44];

    #[test]
    fn the_header_is_cut_off_with_its_options_and_what_is_behind_the_datagram() {
        let parsed = Datagram::parse(&SHORT).unwrap();
        assert_eq!(parsed.source, Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(parsed.destination, Ipv4Addr::new(224, 0, 0, 5));
        assert_eq!(parsed.packet[..], [2, 1, 0, 44]);

        // Router alert (RFC 2113), and padding of the link at the end.
        let mut long = SHORT[..20].to_vec();
        long.extend([0x94, 4, 0, 0, 2, 1, 0, 44, 0xff, 0xff]);
        long[0] = 0x46;
        long[3] = 28;
        assert_eq!(Datagram::parse(&long), Some(parsed));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let with = |at: usize, value: u8| {
            let mut octets = SHORT;
            octets[at] = value;
            Datagram::parse(&octets)
        };
        assert!(with(0, 0x65).is_none(), "IPv6");
        assert!(with(0, 0x44).is_none(), "a header shorter than there is");
        assert!(with(0, 0x47).is_none(), "a header longer than the datagram");
        assert!(with(3, 25).is_none(), "longer than what came");
        assert!(with(3, 19).is_none(), "shorter than its header");
        assert!(Datagram::parse(&SHORT[..19]).is_none());
        assert_eq!(with(3, 20).unwrap().packet.len(), 0);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            Datagram::parse(&octets);
        }
    }
}
