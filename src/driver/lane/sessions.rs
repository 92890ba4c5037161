use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::complaint::Complaint;
use super::endpoint::{Endpoint, MULTI_HOP_PORT, SINGLE_HOP_PORT};
use super::message::Trouble;
use crate::bfd::{Hops, Path, SessionId};
use crate::driver::syscalls;
use crate::types::Time;

/// Between two tries to open a socket.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Of the source (RFC 5881 §4).
const FIRST_PORT: u16 = 49152;
/// Internetwork control, as for other routing protocols (RFC 791 §3.1).
pub const TOS: u32 = 0xc0;
/// TC_PRIO_CONTROL: on the way out before the traffic that this node forwards.
pub const PRIORITY: i32 = 7;

/// How each BFD session sends.
pub struct Sessions {
    all: BTreeMap<SessionId, Session>,
    ports: BTreeSet<u16>,
    next_port: u16,
}

struct Session {
    path: Path,
    to: SockAddr,
    /// With its source port; or when to try again.
    socket: Result<(Socket, u16), Time>,
    complaint: Complaint,
}

impl Sessions {
    pub fn new(seed: u64) -> Sessions {
        // Not the same ones again after a restart: the other side could take it for the same session.
        let offset = u16::try_from(seed % u64::from(u16::MAX - FIRST_PORT)).unwrap_or(0);
        Sessions { all: BTreeMap::new(), ports: BTreeSet::new(), next_port: FIRST_PORT + offset }
    }

    /// Gives where packets for it will arrive.
    pub fn open(&mut self, session: SessionId, path: Path, now: Time) -> Endpoint {
        self.close(session);
        let to = SockAddr::from(destination(&path));
        self.all.insert(
            session,
            Session { path, to, socket: Err(now), complaint: Complaint::default() },
        );
        endpoint(&path)
    }

    /// Gives where packets for it arrived.
    pub fn close(&mut self, session: SessionId) -> Option<Endpoint> {
        let session = self.all.remove(&session)?;
        if let Ok((_, port)) = session.socket {
            self.ports.remove(&port);
        }
        Some(endpoint(&session.path))
    }

    /// Sends one packet, or says why not.
    pub fn send(&mut self, id: SessionId, packet: &[u8], now: Time) -> Option<Trouble> {
        let session = self.all.get_mut(&id)?;
        if matches!(&session.socket, Err(retry) if *retry <= now) {
            session.socket = match open(&session.path, &mut self.ports, &mut self.next_port) {
                Ok(opened) => Ok(opened),
                Err(error) => {
                    session.socket = Err(now + RETRY_AFTER);
                    return session.complain(&error, now);
                }
            };
        }
        let Ok((socket, port)) = &session.socket else { return None };
        match socket.send_to_with_flags(packet, &session.to, libc::MSG_DONTWAIT) {
            Ok(_) => None,
            // The local address was taken away: it is bound anew when it is back.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                self.ports.remove(port);
                session.socket = Err(now + RETRY_AFTER);
                session.complain(&error, now)
            }
            Err(error) => session.complain(&error, now),
        }
    }
}

impl Session {
    fn complain(&mut self, error: &io::Error, now: Time) -> Option<Trouble> {
        let (error, count) = self.complaint.about(error, now)?;
        let Endpoint { service, interface, .. } = endpoint(&self.path);
        Some(Trouble::NotSent { service, interface, about: self.path.remote(), error, count })
    }
}

fn endpoint(path: &Path) -> Endpoint {
    match *path {
        Path::SingleHop { interface, remote, .. } => {
            Endpoint::bfd(Hops::Single, interface, remote.is_ipv6())
        }
        Path::MultiHop { remote, .. } => Endpoint::bfd(Hops::Multi, 0, remote.is_ipv6()),
    }
}

fn destination(path: &Path) -> SocketAddr {
    match *path {
        Path::SingleHop { interface, remote, .. } => with_scope(remote, SINGLE_HOP_PORT, interface),
        Path::MultiHop { remote, .. } => SocketAddr::new(remote, MULTI_HOP_PORT),
    }
}

/// Link-local addresses mean something on their interface only (RFC 4007 §6).
pub fn with_scope(address: IpAddr, port: u16, interface: u32) -> SocketAddr {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            SocketAddr::V6(SocketAddrV6::new(address, port, 0, interface))
        }
        address => SocketAddr::new(address, port),
    }
}

/// A socket that sends from the session's address and a port of its own, with TTL 255 (RFC 5881 §4 and §5).
fn open(path: &Path, ports: &mut BTreeSet<u16>, next: &mut u16) -> io::Result<(Socket, u16)> {
    let local = path.local();
    let domain = Domain::for_address(SocketAddr::new(local, 0));
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    let interface = match *path {
        Path::SingleHop { interface, .. } => interface,
        Path::MultiHop { .. } => 0,
    };
    if local.is_ipv6() {
        socket.bind_device_by_index_v6(NonZeroU32::new(interface))?;
        socket.set_tclass_v6(TOS)?;
    } else {
        socket.bind_device_by_index_v4(NonZeroU32::new(interface))?;
        socket.set_tos_v4(TOS)?;
    }
    if interface != 0 {
        // The neighbour is on the link, whatever the routes say.
        setsockopt(&socket, sockopt::DontRoute, &true)?;
    }
    syscalls::set_ttl(&socket, local, u8::MAX)?;
    // The answers go to the port of BFD; what comes here is read by nobody.
    socket.set_recv_buffer_size(0)?;
    // After the TOS, which sets it too. It may take CAP_NET_ADMIN, and is not worth a refusal.
    let _ = setsockopt(&socket, sockopt::Priority, &PRIORITY);
    for _ in FIRST_PORT..=u16::MAX {
        let port = *next;
        *next = next.checked_add(1).unwrap_or(FIRST_PORT);
        if ports.contains(&port) {
            continue;
        }
        match socket.bind(&with_scope(local, port, interface).into()) {
            Ok(()) => {
                ports.insert(port);
                return Ok((socket, port));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
