//! System calls that no library offers without unsafe code: the only file of the crate with such.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::epoll::{Epoll, EpollEvent};
use socket2::{SockAddr, SockAddrStorage, SockRef, Socket};
use tokio::io::unix::AsyncFd;

use crate::config::Secret;
use crate::types::Mac;

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[repr(C)]
struct TcpMd5Sig {
    address: SockAddrStorage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: libc::c_int,
    key: [u8; Secret::MAX_LENGTH],
}

/// Signs what goes to `peer` and drops what comes from it without a right signature (RFC 2385);
/// `None` takes the key away. On a listener the key holds for the connections it accepts.
///
/// The socket must be of the address's family: a dual-stack socket takes no IPv4 key.
pub fn set_md5_key(socket: &impl AsFd, peer: IpAddr, key: Option<&Secret>) -> io::Result<()> {
    let address = SockAddr::from(SocketAddr::new(peer, 0));
    let key = key.map_or(&[][..], Secret::expose);
    let mut option = TcpMd5Sig {
        address: address.as_storage(),
        flags: 0,
        prefix_length: 0,
        key_length: u16::try_from(key.len()).unwrap_or(0),
        interface: 0,
        key: [0; Secret::MAX_LENGTH],
    };
    let Some(place) = option.key.get_mut(..key.len()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    place.copy_from_slice(key);
    match set(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG, &option) {
        // Taking away a key that was never set is no fault.
        Err(error) if key.is_empty() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

/// The TTL or hop limit of what is sent.
pub fn set_ttl(socket: &impl AsFd, family: IpAddr, ttl: u8) -> io::Result<()> {
    let socket = SockRef::from(socket);
    match family {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl.into()),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into()),
    }
}

/// Drops what arrives with a smaller TTL or hop limit (GTSM, RFC 5082 §3). 0 drops nothing.
pub fn set_min_ttl(socket: &impl AsFd, family: IpAddr, least: u8) -> io::Result<()> {
    let least = libc::c_int::from(least);
    match family {
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_MINTTL, &least),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, &least),
    }
}

/// A socket that the runtime watches. It must not block. Must be called within a runtime.
pub fn watch(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor, always tells the same one, and closes it only when it is dropped, which
    // the AsyncFd that owns it does after it has deregistered it.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Bytes written to a TCP socket that the other side has not acknowledged yet.
pub fn unacknowledged(socket: &impl AsFd) -> io::Result<u64> {
    let mut bytes = MaybeUninit::<libc::c_int>::uninit();
    // SAFETY: SIOCOUTQ (the same number as TIOCOUTQ) writes one int through the pointer, which
    // is valid for that; the descriptor is open as long as it is borrowed.
    let bytes = unsafe {
        if libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, bytes.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        bytes.assume_init()
    };
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Binds a packet socket to an interface, with the protocol that it was made with (packet(7)).
pub fn bind_to_link(socket: &impl AsFd, interface: u32) -> io::Result<()> {
    // SAFETY: all octets zero are a valid sockaddr_ll: it has numbers only.
    let mut name: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    name.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or(0);
    name.sll_ifindex = interface.cast_signed();
    let length = libc::socklen_t::try_from(size_of_val(&name)).unwrap_or(0);
    // SAFETY: the kernel reads `length` octets, the size of the sockaddr_ll, and keeps no pointer; the descriptor is open
    // as long as it is borrowed.
    let result =
        unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const name).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The Ethernet address of the interface that a packet socket is bound to, as it is now.
pub fn link_address(socket: &impl AsFd) -> io::Result<Mac> {
    // SAFETY: all octets zero are a valid sockaddr_ll: it has numbers only.
    let mut name: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut length = libc::socklen_t::try_from(size_of_val(&name)).unwrap_or(0);
    // SAFETY: the kernel writes no more than `length` octets, the size of the sockaddr_ll, and the length, and keeps no
    // pointer; the descriptor is open as long as it is borrowed.
    let result = unsafe {
        let name = (&raw mut name).cast();
        libc::getsockname(socket.as_fd().as_raw_fd(), name, &raw mut length)
    };
    match (result, name.sll_halen, name.sll_addr) {
        (0, 6, [a, b, c, d, e, f, ..]) => Ok(Mac([a, b, c, d, e, f])),
        (0, ..) => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until something is ready or `timeout` is over, to the microsecond: epoll_wait(2) counts milliseconds. Takes Linux
/// 5.11. Gives what is ready; nothing if a signal came.
pub fn wait<'a>(
    epoll: &Epoll,
    events: &'a mut [EpollEvent],
    timeout: Option<Duration>,
) -> io::Result<&'a [EpollEvent]> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let room = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: an EpollEvent is an epoll_event by its representation, and the kernel writes `room` of them at most, which is
    // how many there are; it reads one timespec, or nothing where the pointer is null; a null signal mask is
    // left alone. The descriptor is open as long as it is borrowed.
    let count = unsafe {
        let (epoll, events) = (epoll.0.as_raw_fd(), events.as_mut_ptr());
        let mask = ptr::null::<libc::sigset_t>();
        libc::syscall(libc::SYS_epoll_pwait2, epoll, events, room, timeout, mask, 0_usize)
    };
    match usize::try_from(count) {
        Ok(count) => Ok(events.get(..count).unwrap_or_default()),
        Err(_) => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(&[]),
            error => Err(error),
        },
    }
}

/// The same file under another number, `least` or more. Not inherited by other programs.
pub fn duplicate(file: &impl AsFd, least: i32) -> io::Result<OwnedFd> {
    let number = fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(least))?;
    // SAFETY: the kernel has just opened it, and nobody else knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes the calling thread one of real time (SCHED_FIFO), which runs before all others of lower priority. What it starts
/// is not (SCHED_RESET_ON_FORK).
pub fn set_realtime(priority: i32) -> io::Result<()> {
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the kernel reads one sched_param through the pointer, which is valid for that. 0 is the calling thread.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What one datagram brought.
#[repr(C, align(8))]
pub struct Received {
    octets: [u8; Received::LARGEST],
    length: usize,
    name: [u8; NAME],
    name_length: usize,
    control: [u8; CONTROL],
    control_length: usize,
}

/// A sockaddr_in6.
const NAME: usize = 28;
/// Two messages with a header of 16 octets, of which the larger one holds an in6_pktinfo of 20 octets.
const CONTROL: usize = 64;

impl Received {
    /// Octets of a datagram that fit; the rest is cut off.
    pub const LARGEST: usize = 2048;

    pub fn empty() -> Received {
        Received {
            octets: [0; Received::LARGEST],
            length: 0,
            name: [0; NAME],
            name_length: 0,
            control: [0; CONTROL],
            control_length: 0,
        }
    }

    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&self.octets)
    }

    /// The sockaddr of who sent it, as the kernel wrote it.
    pub fn name(&self) -> &[u8] {
        self.name.get(..self.name_length).unwrap_or(&self.name)
    }

    /// The control messages, as the kernel wrote them: each aligned to a word (cmsg(3)).
    pub fn control(&self) -> &[u8] {
        self.control.get(..self.control_length).unwrap_or(&self.control)
    }
}

/// Datagrams taken with one call.
pub const AT_ONCE: usize = 32;

/// Receives what is there, `AT_ONCE` datagrams at most, without waiting. Gives those that were written.
pub fn receive<'a>(socket: &impl AsFd, into: &'a mut [Received]) -> io::Result<&'a [Received]> {
    let mut vectors = [const { MaybeUninit::<libc::iovec>::zeroed() }; AT_ONCE];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::zeroed() }; AT_ONCE];
    let room = into.len().min(AT_ONCE);
    for ((received, vector), header) in into.iter_mut().zip(&mut vectors).zip(&mut headers) {
        let vector = vector.write(libc::iovec {
            iov_base: received.octets.as_mut_ptr().cast(),
            iov_len: received.octets.len(),
        });
        // SAFETY: all octets zero are a valid mmsghdr: numbers, and pointers that are null.
        let header = unsafe { &mut header.assume_init_mut().msg_hdr };
        header.msg_name = received.name.as_mut_ptr().cast();
        header.msg_namelen = libc::socklen_t::try_from(NAME).unwrap_or(0);
        header.msg_iov = vector;
        header.msg_iovlen = 1;
        header.msg_control = received.control.as_mut_ptr().cast();
        header.msg_controllen = CONTROL as _;
    }
    // SAFETY: the first `room` headers have been filled in above, with pointers into `into` and `vectors` and the lengths
    // that are behind them; those live until after the call, and nothing else uses them meanwhile.
    let count = unsafe {
        let (descriptor, headers) = (socket.as_fd().as_raw_fd(), headers.as_mut_ptr().cast());
        let room = libc::c_uint::try_from(room).unwrap_or(0);
        libc::recvmmsg(descriptor, headers, room, libc::MSG_DONTWAIT, ptr::null_mut())
    };
    let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
    for (received, header) in into.iter_mut().zip(&headers).take(count) {
        // SAFETY: it was valid before the call, and the kernel has only written lengths and flags.
        let header = unsafe { header.assume_init_ref() };
        received.length = usize::try_from(header.msg_len).unwrap_or(0);
        received.name_length = usize::try_from(header.msg_hdr.msg_namelen).unwrap_or(0);
        received.control_length = header.msg_hdr.msg_controllen as _;
    }
    Ok(into.get(..count).unwrap_or_default())
}

fn set<T>(socket: &impl AsFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the kernel reads `length` bytes, the size of the `T` behind the valid reference,
    // and keeps no pointer; the descriptor is open as long as it is borrowed.
    let result = unsafe {
        let value = std::ptr::from_ref(value).cast();
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, value, length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use socket2::{Domain, Type};

    use super::*;

    /// Long enough for loopback, shorter than the first retransmission of a SYN.
    const SHORT: Duration = Duration::from_millis(400);

    fn dialler(address: IpAddr) -> Socket {
        Socket::new(Domain::for_address(SocketAddr::new(address, 0)), Type::STREAM, None).unwrap()
    }

    fn dial(socket: &Socket, listener: &TcpListener) -> io::Result<()> {
        socket.connect_timeout(&listener.local_addr().unwrap().into(), SHORT)
    }

    #[test]
    fn only_the_right_md5_key_connects() {
        for address in ["127.0.0.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            let listener = TcpListener::bind((address, 0)).unwrap();
            let right = Secret::from_file(b"right", 0o600).unwrap();
            let wrong = Secret::from_file(b"wrong", 0o600).unwrap();
            set_md5_key(&listener, address, Some(&right)).unwrap();

            let result = |key: Option<&Secret>| {
                let socket = dialler(address);
                set_md5_key(&socket, address, key).unwrap();
                dial(&socket, &listener).map_err(|error| error.kind())
            };
            assert_eq!(result(Some(&right)), Ok(()), "{address}");
            assert_eq!(result(Some(&wrong)), Err(io::ErrorKind::TimedOut), "{address}");
            assert_eq!(result(None), Err(io::ErrorKind::TimedOut), "{address}");

            set_md5_key(&listener, address, None).unwrap();
            set_md5_key(&listener, address, None).unwrap();
            assert_eq!(result(None), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_longest_key_is_taken() {
        let key = Secret::from_file(&[b'k'; Secret::MAX_LENGTH], 0o600).unwrap();
        let address = "127.0.0.1".parse().unwrap();
        set_md5_key(&dialler(address), address, Some(&key)).unwrap();
    }

    #[test]
    fn what_comes_from_too_far_away_is_dropped() {
        for address in ["127.0.0.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            let listener = TcpListener::bind((address, 0)).unwrap();
            set_ttl(&listener, address, 255).unwrap();
            let far = dialler(address);
            set_ttl(&far, address, 254).unwrap();
            dial(&far, &listener).unwrap();
            let (mut near, _) = listener.accept().unwrap();
            set_min_ttl(&near, address, 255).unwrap();
            near.set_read_timeout(Some(SHORT)).unwrap();

            (&far).write_all(b"x").unwrap();
            let error = near.read(&mut [0; 1]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{address}");
            assert_eq!(unacknowledged(&far).unwrap(), 1, "{address}");

            // The same bytes are taken as soon as they come with the right TTL.
            set_ttl(&far, address, 255).unwrap();
            near.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            assert_eq!(near.read(&mut [0; 1]).unwrap(), 1, "{address}");
        }
    }

    #[test]
    fn a_neighbour_too_far_away_cannot_be_dialled() {
        let address = "127.0.0.1".parse().unwrap();
        let listener = TcpListener::bind((address, 0)).unwrap();
        set_ttl(&listener, address, 64).unwrap();
        let socket = dialler(address);
        set_min_ttl(&socket, address, 255).unwrap();
        assert_eq!(dial(&socket, &listener).unwrap_err().kind(), io::ErrorKind::TimedOut);
        set_ttl(&listener, address, 255).unwrap();
        let socket = dialler(address);
        set_min_ttl(&socket, address, 255).unwrap();
        dial(&socket, &listener).unwrap();
    }
}
