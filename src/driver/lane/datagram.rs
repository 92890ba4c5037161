use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::driver::syscalls::Received;

/// What one packet brought: what is behind the IP header (VRRP) or the UDP header (BFD), and what of those headers
/// matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub interface: u32,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit that it arrived with.
    pub ttl: u8,
    pub packet: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// From a socket that tells TTL and addresses in control messages.
    pub fn with_control(received: &'a Received) -> Option<Datagram<'a>> {
        let mut ttl = None;
        let mut arrival = None;
        for (level, kind, data) in messages(received.control()) {
            match (level, kind) {
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    ttl = number(data).and_then(|ttl| u8::try_from(ttl).ok());
                }
                // The interface, the local address, the destination of the header (ip(7)).
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let octets = *data.get(8..)?.first_chunk::<4>()?;
                    arrival = Some((number(data)?, IpAddr::from(octets)));
                }
                // The destination of the header, the interface (RFC 3542 §6.1).
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let octets = *data.first_chunk::<16>()?;
                    arrival = Some((number(data.get(16..)?)?, IpAddr::from(octets)));
                }
                _ => {}
            }
        }
        let (interface, destination) = arrival?;
        Some(Datagram {
            interface,
            source: address(received.name())?,
            destination,
            ttl: ttl?,
            packet: received.octets(),
        })
    }

    /// From what a raw IPv4 socket gave, header and all (raw(7)). The kernel has checked the header and put fragments
    /// together before; `None` if the lengths do not fit all the same.
    pub fn with_header(interface: u32, octets: &'a [u8]) -> Option<Datagram<'a>> {
        let header = octets.first_chunk::<20>()?;
        let length = usize::from(header[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || length < header.len() {
            return None;
        }
        let address = |at: usize| {
            let octets = *header.get(at..)?.first_chunk::<4>()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        };
        Some(Datagram {
            interface,
            source: address(12)?,
            destination: address(16)?,
            ttl: header[8],
            packet: octets.get(length..total)?,
        })
    }
}

/// Level, type and data of each control message (cmsg(3)).
fn messages(mut control: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;
    std::iter::from_fn(move || {
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let level = i32::from_ne_bytes(*control.get(WORD..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*control.get(WORD + 4..)?.first_chunk()?);
        let data = control.get(HEADER..length)?;
        control = control.get(length.next_multiple_of(WORD)..).unwrap_or_default();
        Some((level, kind, data))
    })
}

fn number(data: &[u8]) -> Option<u32> {
    data.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

/// Of a sockaddr_in or sockaddr_in6.
fn address(name: &[u8]) -> Option<IpAddr> {
    let family = libc::c_int::from(u16::from_ne_bytes(*name.first_chunk()?));
    match family {
        libc::AF_INET => {
            let octets = *name.get(4..)?.first_chunk::<4>()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        }
        libc::AF_INET6 => {
            let octets = *name.get(8..)?.first_chunk::<16>()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use nix::sys::socket::{setsockopt, sockopt};
    use proptest::prelude::*;

    use super::*;
    use crate::driver::syscalls::{self, AT_ONCE};

    #[test]
    fn addresses_interface_and_ttl_come_with_the_packet() {
        for address in ["127.0.0.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            let receiver = UdpSocket::bind((address, 0)).unwrap();
            match address {
                IpAddr::V4(_) => {
                    setsockopt(&receiver, sockopt::Ipv4RecvTtl, &true).unwrap();
                    setsockopt(&receiver, sockopt::Ipv4PacketInfo, &true).unwrap();
                }
                IpAddr::V6(_) => {
                    setsockopt(&receiver, sockopt::Ipv6RecvHopLimit, &true).unwrap();
                    setsockopt(&receiver, sockopt::Ipv6RecvPacketInfo, &true).unwrap();
                }
            }
            let sender = UdpSocket::bind((address, 0)).unwrap();
            for ttl in [255, 1] {
                syscalls::set_ttl(&sender, address, ttl).unwrap();
                sender.send_to(&[ttl, 7], receiver.local_addr().unwrap()).unwrap();
            }
            let mut slots: Vec<Received> = (0..AT_ONCE).map(|_| Received::empty()).collect();
            let received = syscalls::receive(&receiver, &mut slots).unwrap();
            let expected = |ttl| {
                let packet = if ttl == 255 { &[255, 7] } else { &[1, 7] };
                let (source, destination) = (address, address);
                Some(Datagram { interface: 1, source, destination, ttl, packet })
            };
            let parsed: Vec<_> = received.iter().map(Datagram::with_control).collect();
            assert_eq!(parsed, [expected(255), expected(1)], "{address}");
            let nothing = syscalls::receive(&receiver, &mut slots).map(<[_]>::len);
            assert_eq!(nothing.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn the_header_is_cut_off_with_its_options_and_what_is_behind_the_datagram() {
        // To 224.0.0.18 from 10.0.0.1 with router alert (RFC 2113), and padding of the link at the end.
        let octets = [
            0x46, 0xc0, 0, 28, 0x12, 0x34, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18, 0x94,
            4, 0, 0, 0x31, 1, 100, 1, 0xff, 0xff,
        ];
        let parsed = Datagram::with_header(3, &octets).unwrap();
        assert_eq!(parsed.source.to_string(), "10.0.0.1");
        assert_eq!(parsed.destination.to_string(), "224.0.0.18");
        assert_eq!((parsed.interface, parsed.ttl, parsed.packet), (3, 255, &[0x31, 1, 100, 1][..]));
        let with = |at: usize, value: u8| {
            let mut octets = octets;
            octets[at] = value;
            Datagram::with_header(3, &octets).is_some()
        };
        assert!(!with(0, 0x66), "IPv6");
        assert!(!with(0, 0x44), "a header shorter than there is");
        assert!(!with(0, 0x4f), "a header longer than the datagram");
        assert!(!with(3, 31), "longer than what came");
        assert!(with(3, 30));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            Datagram::with_header(1, &octets);
            assert!(messages(&octets).count() <= 80);
            address(&octets);
        }
    }
}
