use std::io::{self, ErrorKind::PermissionDenied, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use crate::bfd::Hops;

/// What one socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    pub service: Service,
    /// By its index; 0 where it does not matter.
    pub interface: u32,
    pub ipv6: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// UDP port 3784 on one interface.
    BfdSingleHop,
    /// UDP port 4784 on all of them.
    BfdMultiHop,
    /// IP protocol 112 on one interface.
    Vrrp,
}

/// RFC 5881 §4.
pub const SINGLE_HOP_PORT: u16 = 3784;
/// RFC 5883 §5.
pub const MULTI_HOP_PORT: u16 = 4784;
/// RFC 9568 §5.1.1.4.
pub const VRRP_PROTOCOL: i32 = 112;
/// RFC 9568 §5.1.1.2.
pub const VRRP_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// RFC 9568 §5.1.2.2.
pub const VRRP_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// What waits in the kernel, some 700 packets of BFD with what the kernel counts for each. A flood of 100,000 a second fills
/// it in 7 ms, which is longer than the thread sleeps.
const RECEIVE_BUFFER: usize = 256 << 10;

impl Endpoint {
    pub fn bfd(hops: Hops, interface: u32, ipv6: bool) -> Endpoint {
        match hops {
            Hops::Single => Endpoint { service: Service::BfdSingleHop, interface, ipv6 },
            Hops::Multi => Endpoint { service: Service::BfdMultiHop, interface: 0, ipv6 },
        }
    }

    pub fn vrrp(interface: u32, ipv6: bool) -> Endpoint {
        Endpoint { service: Service::Vrrp, interface, ipv6 }
    }

    /// As one number, never 0.
    pub fn token(self) -> u64 {
        let service = match self.service {
            Service::BfdSingleHop => 1,
            Service::BfdMultiHop => 2,
            Service::Vrrp => 3,
        };
        u64::from(self.interface) | service << 32 | u64::from(self.ipv6) << 40
    }

    pub fn from_token(token: u64) -> Option<Endpoint> {
        let service = match token >> 32 & 0xff {
            1 => Service::BfdSingleHop,
            2 => Service::BfdMultiHop,
            3 => Service::Vrrp,
            _ => return None,
        };
        let interface = u32::try_from(token & u64::from(u32::MAX)).ok()?;
        Some(Endpoint { service, interface, ipv6: token >> 40 != 0 })
    }

    /// A socket that receives this, with TTL and addresses. Nobody else may listen to the same: two BFD daemons would get
    /// every other packet each.
    pub fn open(self) -> io::Result<Socket> {
        let domain = if self.ipv6 { Domain::IPV6 } else { Domain::IPV4 };
        let (kind, protocol) = match self.service {
            Service::Vrrp => (Type::RAW, Protocol::from(VRRP_PROTOCOL)),
            Service::BfdSingleHop | Service::BfdMultiHop => (Type::DGRAM, Protocol::UDP),
        };
        let socket = Socket::new(domain, kind.nonblocking(), Some(protocol))?;
        if let Some(interface) = NonZeroU32::new(self.interface) {
            match self.ipv6 {
                false => socket.bind_device_by_index_v4(Some(interface))?,
                true => socket.bind_device_by_index_v6(Some(interface))?,
            }
        }
        // The forced size may pass net.core.rmem_max but takes CAP_NET_ADMIN; without it the kernel cuts the size.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        if self.ipv6 {
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        match self.service {
            Service::BfdSingleHop => self.bind(&socket, SINGLE_HOP_PORT)?,
            Service::BfdMultiHop => self.bind(&socket, MULTI_HOP_PORT)?,
            Service::Vrrp => self.join(&socket)?,
        }
        Ok(socket)
    }

    fn bind(self, socket: &Socket, port: u16) -> io::Result<()> {
        if self.ipv6 {
            socket.set_only_v6(true)?;
            socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())
        } else {
            setsockopt(socket, sockopt::Ipv4RecvTtl, &true)?;
            setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())
        }
    }

    fn join(self, socket: &Socket) -> io::Result<()> {
        // Else what another socket has joined on whatever interface would come here as well.
        if self.ipv6 {
            socket.set_multicast_all_v6(false)?;
        } else {
            socket.set_multicast_all_v4(false)?;
        }
        // What came in from other interfaces before it was bound to this one.
        while (&mut &*socket).read(&mut []).is_ok() {}
        if self.ipv6 {
            socket.join_multicast_v6(&VRRP_GROUP_V6, self.interface)
        } else {
            let interface = InterfaceIndexOrAddress::Index(self.interface);
            socket.join_multicast_v4_n(&VRRP_GROUP_V4, &interface)
        }
    }
}

/// Whether the sockets of VRRP are permitted: those of one interface may fail for another reason, and are tried again.
pub fn vrrp_is_permitted() -> io::Result<()> {
    for (domain, protocol) in [
        (Domain::IPV4, Protocol::from(VRRP_PROTOCOL)),
        (Domain::IPV6, Protocol::from(VRRP_PROTOCOL)),
        (Domain::PACKET, Protocol::from(0)),
    ] {
        match Socket::new(domain, Type::RAW, Some(protocol)) {
            // A kernel without IPv6 has no virtual router of it either.
            Err(error) if domain == Domain::IPV6 && error.kind() != PermissionDenied => {}
            other => drop(other?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_the_endpoint() {
        for ipv6 in [false, true] {
            for interface in [1, 7, u32::MAX] {
                for endpoint in [
                    Endpoint::bfd(Hops::Single, interface, ipv6),
                    Endpoint::bfd(Hops::Multi, interface, ipv6),
                    Endpoint::vrrp(interface, ipv6),
                ] {
                    assert_eq!(Endpoint::from_token(endpoint.token()), Some(endpoint));
                }
            }
        }
        assert_eq!(Endpoint::from_token(0), None);
    }
}
