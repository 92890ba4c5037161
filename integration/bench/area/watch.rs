//! A kernel's routes, as they change.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::lab::{Node, within};

/// A change that has not come by then will not.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Of `enum rtnetlink_groups`.
const RTNLGRP_IPV4_ROUTE: u32 = 7;

struct Change {
    at: Instant,
    to: Ipv4Addr,
    gateway: Option<Ipv4Addr>,
}

/// The changes of all routes to /32s in a node. Its thread ends with its namespace or with this program.
pub struct Watch {
    changes: Receiver<Change>,
    /// Of each prefix the latest: when, and where to; `None`: nowhere.
    latest: HashMap<Ipv4Addr, (Instant, Option<Ipv4Addr>)>,
}

impl Watch {
    pub fn start(node: &Node) -> Watch {
        let socket = within(node, || {
            let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
            socket.bind(&SocketAddr::new(0, 0)).unwrap();
            socket
        });
        socket.add_membership(RTNLGRP_IPV4_ROUTE).unwrap();
        // 10,000 routes at once do not fit into the system's default; there are kernels without the privilege.
        let _ = socket.set_rx_buf_sz(8_u32 << 20);
        let (sender, changes) = mpsc::channel();
        thread::spawn(move || {
            loop {
                // What was too much is what nobody waits for: the many routes of a large area.
                let Ok((bytes, _)) = socket.recv_from_full() else { continue };
                let at = Instant::now();
                for (to, gateway) in changes_in(&bytes) {
                    if sender.send(Change { at, to, gateway }).is_err() {
                        return;
                    }
                }
            }
        });
        Watch { changes, latest: HashMap::new() }
    }

    /// Takes what has been told, and nobody has waited for.
    pub fn catch_up(&mut self) {
        while let Ok(change) = self.changes.try_recv() {
            self.note(change);
        }
    }

    fn note(&mut self, Change { at, to, gateway }: Change) {
        // It may be told again without a change.
        if self.latest.get(&to).is_none_or(|(_, before)| *before != gateway) {
            self.latest.insert(to, (at, gateway));
        }
    }

    /// Waits until the route goes there, and tells since when; `None`: until there is none.
    #[track_caller]
    pub fn goes(&mut self, to: Ipv4Addr, gateway: Option<Ipv4Addr>) -> Instant {
        let end = Instant::now() + GIVE_UP;
        loop {
            match self.latest.get(&to) {
                Some((at, now)) if *now == gateway => return *at,
                now => match self.changes.recv_timeout(end - Instant::now()) {
                    Ok(change) => self.note(change),
                    Err(RecvTimeoutError::Timeout) => {
                        panic!("{to} does not go to {gateway:?}: {now:?}")
                    }
                    Err(RecvTimeoutError::Disconnected) => panic!("no more routes are told"),
                },
            }
        }
    }
}

/// The /32s in what was received, and their gateways now.
fn changes_in(mut bytes: &[u8]) -> Vec<(Ipv4Addr, Option<Ipv4Addr>)> {
    let mut changes = Vec::new();
    while bytes.len() >= 16 {
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else { break };
        let length = message.header.length as usize;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => {
                changes.extend(destination(&route).map(|to| (to, gateway(&route))));
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(route)) => {
                changes.extend(destination(&route).map(|to| (to, None)));
            }
            _ => {}
        }
    }
    changes
}

fn destination(route: &RouteMessage) -> Option<Ipv4Addr> {
    if route.header.destination_prefix_length != 32 || route.header.table != 254 {
        return None;
    }
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    })
}

fn gateway(route: &RouteMessage) -> Option<Ipv4Addr> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    })
}
