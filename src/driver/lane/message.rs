use std::io;
use std::net::IpAddr;

use nix::net::if_::if_indextoname;
use tokio::sync::oneshot;

use super::endpoint::{Endpoint, MULTI_HOP_PORT, SINGLE_HOP_PORT, Service, VRRP_PROTOCOL};
use crate::driver::plain;
use crate::fast;

/// For the lane.
pub enum Request {
    Order(fast::Order),
    Snapshot(oneshot::Sender<fast::Snapshot>),
}

/// From the lane.
pub enum Message {
    Started {
        realtime: Result<(), String>,
        locked: Result<(), String>,
    },
    Report(fast::Report),
    Trouble(Trouble),
    /// What was asked for, with who asked.
    Snapshot(oneshot::Sender<fast::Snapshot>, Box<fast::Snapshot>),
}

/// Something of the driver's own, said once. Errors are those of the system, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    NotReceiving {
        endpoint: Endpoint,
        error: i32,
    },
    /// After it was said that it does not.
    Receiving {
        endpoint: Endpoint,
    },
    /// To an address, or about one.
    NotSent {
        service: Service,
        interface: u32,
        about: IpAddr,
        error: i32,
        count: u64,
    },
}

impl Trouble {
    pub fn is_over(&self) -> bool {
        matches!(self, Trouble::Receiving { .. })
    }

    /// What it is about, by its name.
    pub fn subject(&self) -> String {
        let interface = match self {
            Trouble::NotReceiving { endpoint, .. } | Trouble::Receiving { endpoint } => {
                endpoint.interface
            }
            Trouble::NotSent { interface, .. } => *interface,
        };
        match if_indextoname(interface) {
            Ok(name) => name.to_string_lossy().into_owned(),
            Err(_) => match interface {
                0 => String::new(),
                interface => format!("interface {interface}"),
            },
        }
    }

    /// What is wrong and what to do.
    pub fn text(&self) -> String {
        match *self {
            Trouble::NotReceiving { endpoint, error } => {
                format!(
                    "{} cannot be received: {}",
                    what(endpoint),
                    reason(endpoint.service, error)
                )
            }
            Trouble::Receiving { endpoint } => format!("{} is received now", what(endpoint)),
            Trouble::NotSent { service, about, error, count, .. } => {
                let name = if service == Service::Vrrp { "VRRP" } else { "BFD" };
                let reason = reason(service, error);
                format!("{name} packets for {about} are not sent ({count} by now): {reason}")
            }
        }
    }
}

fn what(endpoint: Endpoint) -> String {
    let family = if endpoint.ipv6 { "IPv6" } else { "IPv4" };
    match endpoint.service {
        Service::BfdSingleHop => format!("BFD over {family} (UDP port {SINGLE_HOP_PORT})"),
        Service::BfdMultiHop => format!("multihop BFD over {family} (UDP port {MULTI_HOP_PORT})"),
        Service::Vrrp => format!("VRRP over {family} (IP protocol {VRRP_PROTOCOL})"),
    }
}

fn reason(service: Service, error: i32) -> String {
    match error {
        libc::EADDRINUSE => {
            "another program has the port, perhaps another BFD daemon (bfdd, bird); `ss -lunp` names it; stop it, or \
             have no bfd in the configuration of shuntd; it is tried again every second"
                .to_owned()
        }
        libc::EPERM | libc::EACCES if service == Service::Vrrp => {
            "not permitted: shuntd needs CAP_NET_RAW, and the packet filter has to let IP protocol 112 pass".to_owned()
        }
        libc::EPERM | libc::EACCES => {
            "not permitted: shuntd needs CAP_NET_RAW, and the packet filter has to let UDP ports 3784 and 4784 pass"
                .to_owned()
        }
        libc::EAFNOSUPPORT if service == Service::Vrrp => {
            "not permitted: RestrictAddressFamilies= of shuntd's unit needs AF_INET, AF_INET6 and AF_PACKET".to_owned()
        }
        libc::EADDRNOTAVAIL => "the local address is not there, or not usable yet".to_owned(),
        libc::ENODEV | libc::ENXIO => "the interface is gone".to_owned(),
        libc::ENETDOWN => "the interface is down".to_owned(),
        error => plain(&io::Error::from_raw_os_error(error)),
    }
}
