//! Netlink sockets: for requests and their answers, and for events. A burst of events can never push out an answer.

use std::future::poll_fn;
use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, Socket, SocketAddr, TokioSocket};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{SockFilter, SockRef};

use super::message::{self, Raw, Requests};

/// Larger than any datagram the kernel builds: dumps come in up to 32 KiB, a single link is far smaller.
const DATAGRAM: usize = 64 * 1024;
/// Room for the refusals of one batch, and for what the kernel adds to each as bookkeeping.
const ANSWERS: usize = 4 << 20;

/// What reading a socket gave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::driver) enum Read {
    Datagram,
    /// Nothing there now.
    Empty,
    /// The kernel had to drop something (ENOBUFS), or a datagram did not fit.
    Lost,
}

/// The datagram read last. Keeps its memory.
struct Datagram(Vec<u8>);

impl Datagram {
    fn new() -> Datagram {
        Datagram(Vec::with_capacity(DATAGRAM))
    }

    fn read_now(&mut self, socket: &Socket) -> io::Result<Read> {
        self.0.clear();
        let result = socket.recv(&mut self.0, libc::MSG_DONTWAIT).map(|_| ());
        self.outcome(result)
    }

    fn outcome(&self, result: io::Result<()>) -> io::Result<Read> {
        match result {
            // Full to the brim may mean that it was cut.
            Ok(()) if self.0.len() >= DATAGRAM => Ok(Read::Lost),
            Ok(()) => Ok(Read::Datagram),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(Read::Empty),
                Some(libc::ENOBUFS) => Ok(Read::Lost),
                _ => Err(error),
            },
        }
    }

    fn messages(&self) -> impl Iterator<Item = Raw<'_>> {
        message::messages(&self.0)
    }
}

/// The forced size may pass net.core.rmem_max but takes CAP_NET_ADMIN; without it the kernel cuts the size.
fn set_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &bytes)?;
    }
    Ok(())
}

/// A socket for changes, or for dumps. The kernel has answered a request by the time `send` returns, and makes the next part of
/// a dump when the part before is read, so reading never has to wait.
pub(in crate::driver) struct RequestSocket {
    socket: Socket,
    datagram: Datagram,
    /// Our port number: the sender in events about our own changes.
    pub number: u32,
}

impl RequestSocket {
    pub fn open() -> io::Result<RequestSocket> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let number = socket.bind_auto()?.port_number();
        set_receive_buffer(&socket, ANSWERS)?;
        // Errors with a text, and without the request that caused them.
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Dumps filtered by what their header asks for (Linux 4.20).
        socket.set_netlink_get_strict_chk(true)?;
        Ok(RequestSocket { socket, datagram: Datagram::new(), number })
    }

    pub fn send(&self, requests: &Requests) -> io::Result<()> {
        self.socket.send_to(requests.as_bytes(), &SocketAddr::new(0, 0), 0).map(|_| ())
    }

    pub fn read(&mut self) -> io::Result<Read> {
        self.datagram.read_now(&self.socket)
    }

    /// Reads and forgets what is left of earlier answers.
    pub fn drain(&mut self) -> io::Result<()> {
        while self.read()? != Read::Empty {}
        Ok(())
    }

    pub fn messages(&self) -> impl Iterator<Item = Raw<'_>> {
        self.datagram.messages()
    }
}

/// The socket for events about links, addresses, nexthop objects and routes.
pub(in crate::driver) struct EventSocket {
    socket: TokioSocket,
    datagram: Datagram,
}

impl EventSocket {
    /// Subscribes. Must be called within a tokio runtime. Events caused by requests of port `own` are left out.
    pub fn open(receive_buffer: usize, own: u32, protocol: u8) -> io::Result<EventSocket> {
        let mut events =
            EventSocket { socket: TokioSocket::new(NETLINK_ROUTE)?, datagram: Datagram::new() };
        let socket = events.socket.socket_mut();
        socket.bind_auto()?;
        set_receive_buffer(socket, receive_buffer)?;
        // Before the first event can come in.
        SockRef::from(&*socket).attach_filter(&filter(own, protocol))?;
        for group in [
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_IFADDR,
            libc::RTNLGRP_IPV6_IFADDR,
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV6_ROUTE,
            libc::RTNLGRP_NEXTHOP,
        ] {
            socket.add_membership(group)?;
        }
        Ok(events)
    }

    /// Waits for something to read. Nothing is lost if it is given up before it is done.
    pub async fn read(&mut self) -> io::Result<Read> {
        self.datagram.0.clear();
        let result = poll_fn(|cx| self.socket.poll_recv(cx, &mut self.datagram.0)).await;
        self.datagram.outcome(result)
    }

    /// Reads what is there now.
    pub fn read_now(&mut self) -> io::Result<Read> {
        self.datagram.read_now(self.socket.socket_ref())
    }

    pub fn messages(&self) -> impl Iterator<Item = Raw<'_>> {
        self.datagram.messages()
    }
}

/// What the kernel leaves out before it takes up room in the socket: events about changes that port `own` asked for
/// (their results are known already) and routes of other protocols, of which there may be a million. A route of
/// another protocol that took the place of a route is let through, for that may have been ours.
fn filter(own: u32, protocol: u8) -> [SockFilter; 13] {
    const WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    const BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    // The filter machine loads in network byte order; netlink headers are in host byte order.
    let half = |value: u16| u32::from(value.to_be());
    let step =
        |code: u32, yes: u8, no: u8, value: u32| SockFilter::new(code as u16, yes, no, value);
    [
        step(WORD, 0, 0, 12), // nlmsg_pid
        step(EQUAL, 0, 1, own.to_be()),
        step(RETURN, 0, 0, 0),
        step(HALF, 0, 0, 4), // nlmsg_type
        step(EQUAL, 2, 0, half(libc::RTM_NEWROUTE)),
        step(EQUAL, 1, 0, half(libc::RTM_DELROUTE)),
        step(RETURN, 0, 0, u32::MAX),
        step(BYTE, 0, 0, 21), // rtm_protocol
        step(EQUAL, 2, 0, u32::from(protocol)),
        step(HALF, 0, 0, 6), // nlmsg_flags
        step(ANY_BIT, 0, 1, half(libc::NLM_F_REPLACE as u16)),
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0),
    ]
}
