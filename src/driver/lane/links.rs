use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::attendant::Attendant;
use super::complaint::Complaint;
use super::endpoint::{Service, VRRP_PROTOCOL};
use super::message::Trouble;
use super::sessions::{PRIORITY, TOS, with_scope};
use crate::driver::syscalls;
use crate::types::{Mac, Time};
use crate::vrrp::Action;
use crate::wire::ethernet::{self, Frame};
use crate::wire::{arp, neighbor_discovery};

/// Between two tries to open a socket.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The only instruction of a packet filter: take 0 octets (BPF_RET | BPF_K).
const DROP_ALL: u16 = 0x06;

/// How VRRP sends, on each interface that it runs on.
///
/// Multicast and what is said about addresses goes out as whole frames, so that they come from the virtual router's MAC
/// address without a socket on its macvlan, which is down in a Backup and new in an Active. Unicast advertisements need
/// the next hop's MAC address, so the kernel sends those, from the interface's own: RFC 9568 has no unicast, and keepalived
/// does the same.
pub struct Links {
    all: BTreeMap<u32, Link>,
    frame: Frame,
}

#[derive(Default)]
struct Link {
    /// Of either family.
    users: [usize; 2],
    frames: Sender,
    /// By the source address.
    unicast: BTreeMap<IpAddr, Sender>,
    complaint: Complaint,
}

/// A socket, or when to try to open it.
enum Sender {
    Open(Socket),
    Closed(Time),
}

impl Default for Sender {
    fn default() -> Sender {
        Sender::Closed(Time::ZERO)
    }
}

impl Links {
    pub fn new() -> Links {
        Links { all: BTreeMap::new(), frame: Frame::new() }
    }

    pub fn open(&mut self, interface: u32, ipv6: bool) {
        let link = self.all.entry(interface).or_default();
        link.users[usize::from(ipv6)] += 1;
    }

    /// Opens the socket for frames if it is not open, so that the first advertisement need not.
    pub fn can_send(&mut self, interface: u32) -> io::Result<()> {
        if let Some(link) = self.all.get_mut(&interface)
            && let Sender::Closed(_) = link.frames
        {
            link.frames = Sender::Open(packet_socket(interface)?);
        }
        Ok(())
    }

    pub fn close(&mut self, interface: u32, ipv6: bool, attendant: &mut Attendant) {
        let Some(link) = self.all.get_mut(&interface) else { return };
        let users = &mut link.users[usize::from(ipv6)];
        *users = users.saturating_sub(1);
        if *users == 0 {
            link.unicast.retain(|source, _| source.is_ipv6() != ipv6);
        }
        if link.users == [0, 0] {
            link.frames.close(Time::ZERO, attendant);
            self.all.remove(&interface);
        }
    }

    /// An interface is there, or is no more: one that comes back is another one for the sockets on it.
    pub fn link_changed(&mut self, interface: u32, there: bool, attendant: &mut Attendant) {
        if let Some(link) = self.all.get_mut(&interface)
            && !there
        {
            link.frames.close(Time::ZERO, attendant);
            link.unicast.clear();
        }
    }

    /// Sends what is to be sent, or says why not.
    pub fn send(
        &mut self,
        action: &Action,
        attendant: &mut Attendant,
        now: Time,
    ) -> Option<Trouble> {
        let (interface, about) = match *action {
            Action::Send { interface, destination, .. } => (interface, destination),
            Action::AnnounceAddress { interface, address, .. } => (interface, address),
            _ => return None,
        };
        let link = self.all.get_mut(&interface)?;
        let error = match link.send(action, &mut self.frame, attendant, now) {
            Ok(()) => return None,
            Err(error) => error,
        };
        let (error, count) = link.complaint.about(&error, now)?;
        Some(Trouble::NotSent { service: Service::Vrrp, interface, about, error, count })
    }
}

impl Link {
    fn send(
        &mut self,
        action: &Action,
        frame: &mut Frame,
        attendant: &mut Attendant,
        now: Time,
    ) -> io::Result<()> {
        match *action {
            Action::Send { interface, source, destination, ref packet, .. }
                if !destination.is_multicast() =>
            {
                let sender = self.unicast.entry(source).or_default();
                let to = with_scope(destination, 0, interface).into();
                let open = || unicast_socket(interface, source);
                sender.send(open, attendant, now, |socket| {
                    socket.send_to_with_flags(packet, &to, libc::MSG_DONTWAIT)
                })
            }
            Action::Send { interface, .. } | Action::AnnounceAddress { interface, .. } => {
                self.frames.send(
                    || packet_socket(interface),
                    attendant,
                    now,
                    |socket| {
                        frame.clear();
                        write(action, syscalls::link_address(socket)?, frame);
                        socket.send_with_flags(frame, libc::MSG_DONTWAIT)
                    },
                )
            }
            _ => Ok(()),
        }
    }
}

impl Sender {
    fn send(
        &mut self,
        open: impl FnOnce() -> io::Result<Socket>,
        attendant: &mut Attendant,
        now: Time,
        send: impl FnOnce(&Socket) -> io::Result<usize>,
    ) -> io::Result<()> {
        let Some(socket) = self.get(open, now)? else { return Ok(()) };
        let result = send(socket).map(drop);
        // The interface or the source address is gone, and would be another one for the socket when it is back.
        let gone = [libc::ENXIO, libc::ENODEV, libc::EINVAL, libc::EADDRNOTAVAIL];
        if let Err(error) = &result
            && error.raw_os_error().is_some_and(|error| gone.contains(&error))
        {
            self.close(now + RETRY_AFTER, attendant);
        }
        result
    }

    fn close(&mut self, retry: Time, attendant: &mut Attendant) {
        if let Sender::Open(socket) = std::mem::replace(self, Sender::Closed(retry)) {
            attendant.close(socket);
        }
    }

    /// `None` if it is too early to try again.
    fn get(
        &mut self,
        open: impl FnOnce() -> io::Result<Socket>,
        now: Time,
    ) -> io::Result<Option<&Socket>> {
        if let Sender::Closed(retry) = self {
            if *retry > now {
                return Ok(None);
            }
            *self = Sender::Closed(now + RETRY_AFTER);
            *self = Sender::Open(open()?);
        }
        match self {
            Sender::Open(socket) => Ok(Some(socket)),
            Sender::Closed(_) => Ok(None),
        }
    }
}

/// Appends the frame for an action to `frame`, which is empty.
fn write(action: &Action, own: Mac, frame: &mut Frame) {
    match *action {
        Action::Send { mac, source, destination, ref packet, .. } => {
            let mac = mac.unwrap_or(own);
            ethernet::advertisement(mac, None, source, destination, packet, frame);
        }
        Action::AnnounceAddress { mac, address: IpAddr::V4(address), .. } => {
            arp::gratuitous(mac.unwrap_or(own), address, frame);
        }
        Action::AnnounceAddress { mac, address: IpAddr::V6(address), .. } => {
            neighbor_discovery::unsolicited(mac.unwrap_or(own), address, frame);
        }
        _ => {}
    }
}

/// A socket for whole frames on an interface. It receives nothing, as it has no protocol.
fn packet_socket(interface: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(Protocol::from(0)))?;
    syscalls::bind_to_link(&socket, interface)?;
    // It may take CAP_NET_ADMIN, and is not worth a refusal.
    let _ = setsockopt(&socket, sockopt::Priority, &PRIORITY);
    Ok(socket)
}

/// A socket that sends VRRP from an address, with TTL 255, and receives nothing.
fn unicast_socket(interface: u32, source: IpAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(SocketAddr::new(source, 0));
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(VRRP_PROTOCOL)))?;
    socket.attach_filter(&[SockFilter::new(DROP_ALL, 0, 0, 0)])?;
    if source.is_ipv6() {
        socket.bind_device_by_index_v6(NonZeroU32::new(interface))?;
        socket.set_tclass_v6(TOS)?;
    } else {
        socket.bind_device_by_index_v4(NonZeroU32::new(interface))?;
        socket.set_tos_v4(TOS)?;
    }
    syscalls::set_ttl(&socket, source, u8::MAX)?;
    // After the TOS, which sets it too. It may take CAP_NET_ADMIN, and is not worth a refusal.
    let _ = setsockopt(&socket, sockopt::Priority, &PRIORITY);
    socket.bind(&with_scope(source, 0, interface).into())?;
    Ok(socket)
}
