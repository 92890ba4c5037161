//! The kernel's IPv4 routes by raw netlink, made and read here octet by octet: what the kernel would do with a packet
//! now, and routes put in as fast as it takes them.

use std::io;
use std::net::Ipv4Addr;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::feed::Nlri;
use crate::lab::{Node, within};

// linux/netlink.h, linux/rtnetlink.h, linux/nexthop.h
const NLMSG_ERROR: u16 = 2;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEXTHOP: u16 = 104;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_NH_ID: u16 = 30;
const NHA_ID: u16 = 1;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const AF_INET: u8 = 2;
const TABLE_MAIN: u8 = 254;
const TYPE_UNICAST: u8 = 1;
/// Of nobody else.
const PROTOCOL: u8 = 211;
const METRIC: u32 = 20;
const HEADER: usize = 16;

/// Requests in one `send`.
pub const BATCH: usize = 500;

/// A way out of the node.
#[derive(Clone, Copy)]
pub struct Exit {
    pub gateway: Ipv4Addr,
    pub interface: u32,
}

/// What a route is to use.
#[derive(Clone, Copy)]
pub enum Target {
    Exit(Exit),
    /// A nexthop object.
    Object(u32),
}

pub struct Kernel(Socket);

impl Kernel {
    pub fn open(node: &Node) -> Kernel {
        Kernel(within(node, || {
            let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
            socket.bind_auto().unwrap();
            socket.connect(&SocketAddr::new(0, 0)).unwrap();
            socket
        }))
    }

    /// The interface by which a packet to `address` would leave now, if there is a route.
    pub fn leaves_by(&self, address: Ipv4Addr) -> Option<u32> {
        let mut body = vec![AF_INET, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        attribute(&mut body, RTA_DST, &address.octets());
        self.0.send(&message(RTM_GETROUTE, NLM_F_REQUEST, &body), 0).unwrap();
        let (answer, _) = self.0.recv_from_full().unwrap();
        if kind(&answer) != RTM_NEWROUTE {
            return None;
        }
        let mut rest = answer.get(HEADER + 12..)?;
        while let [low, high, kind_low, kind_high, ..] = rest {
            let length = usize::from(u16::from_ne_bytes([*low, *high]));
            if u16::from_ne_bytes([*kind_low, *kind_high]) == RTA_OIF {
                return rest
                    .get(4..8)
                    .and_then(|octets| octets.try_into().ok())
                    .map(u32::from_ne_bytes);
            }
            rest = rest.get(length.next_multiple_of(4)..)?;
        }
        None
    }

    /// Creates or replaces a nexthop object.
    pub fn object(&self, id: u32, exit: Exit) {
        let mut body = vec![AF_INET, 0, PROTOCOL, 0, 0, 0, 0, 0];
        attribute(&mut body, NHA_ID, &id.to_ne_bytes());
        attribute(&mut body, NHA_OIF, &exit.interface.to_ne_bytes());
        attribute(&mut body, NHA_GATEWAY, &exit.gateway.octets());
        let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
        self.done(&message(RTM_NEWNEXTHOP, flags, &body)).unwrap();
    }

    /// Creates or replaces routes, [`BATCH`] at once.
    pub fn routes<'a>(&self, prefixes: impl Iterator<Item = &'a Nlri>, target: Target) {
        let mut prefixes = prefixes.peekable();
        let mut batch = Vec::new();
        let mut count = 0;
        while let Some(nlri) = prefixes.next() {
            count += 1;
            let last = count == BATCH || prefixes.peek().is_none();
            let ack = if last { NLM_F_ACK } else { 0 };
            let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | ack;
            batch.extend(message(RTM_NEWROUTE, flags, &route(nlri, target)));
            if last {
                self.done(&batch).unwrap();
                batch.clear();
                count = 0;
            }
        }
    }

    /// Waits for the answer to the last request: the others are answered only if they fail.
    fn done(&self, requests: &[u8]) -> io::Result<()> {
        self.0.send(requests, 0)?;
        let (answer, _) = self.0.recv_from_full()?;
        let code = answer.get(HEADER..HEADER + 4).and_then(|octets| octets.try_into().ok());
        match (kind(&answer), code.map(i32::from_ne_bytes)) {
            (NLMSG_ERROR, Some(0)) => Ok(()),
            (_, code) => Err(io::Error::from_raw_os_error(-code.unwrap_or(-1))),
        }
    }
}

fn kind(answer: &[u8]) -> u16 {
    answer.get(4..6).map_or(0, |octets| u16::from_ne_bytes([octets[0], octets[1]]))
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.extend(u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend([0; 8]);
    out.extend(body);
    out
}

/// Only values of four octets: nothing has to be padded.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8; 4]) {
    body.extend(8_u16.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

fn route(nlri: &Nlri, target: Target) -> Vec<u8> {
    let mut body = vec![AF_INET, nlri[0], 0, 0, TABLE_MAIN, PROTOCOL, 0, TYPE_UNICAST, 0, 0, 0, 0];
    attribute(&mut body, RTA_DST, &address(nlri).octets());
    attribute(&mut body, RTA_PRIORITY, &METRIC.to_ne_bytes());
    match target {
        Target::Exit(exit) => {
            attribute(&mut body, RTA_GATEWAY, &exit.gateway.octets());
            attribute(&mut body, RTA_OIF, &exit.interface.to_ne_bytes());
        }
        Target::Object(id) => attribute(&mut body, RTA_NH_ID, &id.to_ne_bytes()),
    }
    body
}

pub fn address(nlri: &Nlri) -> Ipv4Addr {
    let mut octets = [0; 4];
    octets[..nlri.len() - 1].copy_from_slice(&nlri[1..]);
    octets.into()
}

/// Prefixes in the main table of a node.
pub fn count(node: &Node) -> usize {
    let text = within(node, || std::fs::read_to_string("/proc/thread-self/net/fib_triestat"));
    let text = text.unwrap();
    let main = text.split("Main:").nth(1).unwrap_or_default();
    let line = main.lines().find_map(|line| line.trim().strip_prefix("Prefixes:"));
    line.and_then(|number| number.trim().parse().ok()).expect("fib_triestat counts prefixes")
}

/// The index of a node's interface.
pub fn interface(node: &Node, name: &str) -> u32 {
    within(node, || nix::net::if_::if_nametoindex(name).unwrap())
}
