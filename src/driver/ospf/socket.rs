use std::io::{self, IoSlice, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg, setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::datagram::Datagram;
use crate::driver::syscalls;
use crate::wire::ospf::{ALL_D_ROUTERS, ALL_SPF_ROUTERS};

/// RFC 2328 Appendix A.1.
const PROTOCOL: i32 = 89;
/// Precedence internetwork control (RFC 2328 Appendix A.1, RFC 791 §3.1).
const TOS: u32 = 0xc0;
/// TC_PRIO_CONTROL: on the way out before the traffic that this node forwards.
const PRIORITY: i32 = 7;
/// More than a neighbour's whole database of 10,000 LSAs, in packets as it sends them. The system's default holds some
/// 90 packets of full size, and what does not fit is sent again only after seconds.
const RECEIVE_BUFFER: usize = 4 << 20;

/// OSPF on one interface: packets that come in there and nowhere else, and packets out.
///
/// Needs CAP_NET_RAW. Must be made within a runtime.
pub struct RawSocket {
    socket: AsyncFd<Socket>,
    interface: u32,
}

impl RawSocket {
    /// A member of AllSPFRouters on the interface.
    pub fn open(interface: u32) -> io::Result<RawSocket> {
        let index = NonZeroU32::new(interface).ok_or(io::ErrorKind::NotFound)?;
        let socket =
            Socket::new(Domain::IPV4, Type::RAW.nonblocking(), Some(Protocol::from(PROTOCOL)))?;
        socket.bind_device_by_index_v4(Some(index))?;
        // Else what another socket has joined on whatever interface would come here as well.
        socket.set_multicast_all_v4(false)?;
        socket.set_multicast_loop_v4(false)?;
        socket.set_multicast_ttl_v4(1)?;
        socket.set_ttl_v4(1)?;
        socket.set_tos_v4(TOS)?;
        // Neighbours are on the link, whatever the routes say.
        setsockopt(&socket, sockopt::DontRoute, &true)?;
        // After the TOS, which sets it too. It may take CAP_NET_ADMIN, and is not worth a refusal.
        let _ = setsockopt(&socket, sockopt::Priority, &PRIORITY);
        // The forced size may pass net.core.rmem_max but takes CAP_NET_ADMIN; without it the kernel cuts the size.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        // What came in from other interfaces before it was bound to this one.
        while (&socket).read(&mut []).is_ok() {}
        let group = InterfaceIndexOrAddress::Index(interface);
        socket.join_multicast_v4_n(&ALL_SPF_ROUTERS, &group)?;
        Ok(RawSocket { socket: syscalls::watch(socket)?, interface })
    }

    /// Joins or leaves AllDRouters. What it is already is no fault.
    pub fn set_designated(&self, member: bool) -> io::Result<()> {
        let (socket, group) =
            (self.socket.get_ref(), InterfaceIndexOrAddress::Index(self.interface));
        let result = match member {
            true => socket.join_multicast_v4_n(&ALL_D_ROUTERS, &group),
            false => socket.leave_multicast_v4_n(&ALL_D_ROUTERS, &group),
        };
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) && member => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) && !member => Ok(()),
            result => result,
        }
    }

    /// The next packet. `buffer` takes the largest that there can be, [`RawSocket::LARGEST`].
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        loop {
            let read = |mut socket: &Socket| socket.read(buffer);
            let length = self.socket.async_io(Interest::READABLE, read).await?;
            if let Some(datagram) = buffer.get(..length).and_then(Datagram::parse) {
                return Ok(datagram);
            }
        }
    }

    /// Octets of the largest IPv4 datagram.
    pub const LARGEST: usize = 65_535;

    /// Sends now, or says [`io::ErrorKind::WouldBlock`] while too much waits for the link. `source` is one of this interface's addresses.
    pub fn try_send(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        packet: &[u8],
    ) -> io::Result<()> {
        // Names the interface for multicast as well, in place of IP_MULTICAST_IF.
        let from = libc::in_pktinfo {
            ipi_ifindex: self.interface.cast_signed(),
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(source.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let from = [ControlMessage::Ipv4PacketInfo(&from)];
        let to = SockaddrIn::from(SocketAddrV4::new(destination, 0));
        let packet = [IoSlice::new(packet)];
        let socket = self.socket.get_ref().as_raw_fd();
        match sendmsg(socket, &packet, &from, MsgFlags::MSG_DONTWAIT, Some(&to)) {
            Ok(_) => Ok(()),
            // A raw socket does not say EAGAIN where its send buffer is full.
            Err(Errno::ENOBUFS) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }
}
