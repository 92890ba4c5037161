use std::fmt;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoMacVlan, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::types::Mac;

/// `IFA_PROTO` of the addresses we add (Linux 5.18), so that a later life knows them: VRRP's protocol number.
pub const PROTOCOL: u8 = 112;

/// One change of a link or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A macvlan, down.
    ///
    /// Its mode is not "private", which others use: such a macvlan takes every multicast that comes with its own MAC as
    /// source for itself, and an Active would never see the advertisements of another Active of its virtual router.
    CreateMacvlan {
        name: String,
        parent: u32,
        mac: Mac,
    },
    /// No link-local address of its own, and an alias. The kernel takes neither when a link is created.
    Describe {
        name: String,
        alias: String,
    },
    Delete {
        index: u32,
    },
    Up {
        index: u32,
    },
    Down {
        index: u32,
    },
    /// Adds it, or leaves it as it is. A link-local one comes with the route to fe80::/64, or nothing that is addressed
    /// to it could be answered on this link.
    Add {
        index: u32,
        address: IpAddr,
    },
    Remove {
        index: u32,
        address: IpAddr,
    },
}

impl Change {
    /// With the flags of its header.
    pub fn request(&self) -> (u16, RouteNetlinkMessage) {
        let (flags, request) = match self {
            Change::CreateMacvlan { name, parent, mac } => {
                let mut link = LinkMessage::default();
                let mode = InfoMacVlan::Mode(MacVlanMode::Bridge);
                link.attributes = vec![
                    LinkAttribute::IfName(name.clone()),
                    LinkAttribute::Link(*parent),
                    LinkAttribute::Address(mac.0.to_vec()),
                    LinkAttribute::LinkInfo(vec![
                        LinkInfo::Kind(InfoKind::MacVlan),
                        LinkInfo::Data(InfoData::MacVlan(vec![mode])),
                    ]),
                ];
                (NLM_F_CREATE | NLM_F_EXCL, RouteNetlinkMessage::NewLink(link))
            }
            Change::Describe { name, alias } => {
                let mut link = LinkMessage::default();
                let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
                link.attributes = vec![
                    LinkAttribute::IfName(name.clone()),
                    LinkAttribute::IfAlias(alias.clone()),
                    LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])]),
                ];
                (0, RouteNetlinkMessage::SetLink(link))
            }
            Change::Delete { index } => (0, RouteNetlinkMessage::DelLink(link(*index))),
            Change::Up { index } | Change::Down { index } => {
                let mut link = link(*index);
                link.header.change_mask = LinkFlags::Up;
                if matches!(self, Change::Up { .. }) {
                    link.header.flags = LinkFlags::Up;
                }
                (0, RouteNetlinkMessage::SetLink(link))
            }
            Change::Add { index, address: new } => {
                let mut message = address(*index, *new);
                let mut flags = AddressFlags::Nodad;
                if !is_link_local(*new) {
                    flags |= AddressFlags::Noprefixroute;
                }
                message.attributes.push(AddressAttribute::Flags(flags));
                let protocol = AddressProtocol::Other(PROTOCOL);
                message.attributes.push(AddressAttribute::Protocol(protocol));
                (NLM_F_CREATE | NLM_F_REPLACE, RouteNetlinkMessage::NewAddress(message))
            }
            Change::Remove { index, address: old } => {
                (0, RouteNetlinkMessage::DelAddress(address(*index, *old)))
            }
        };
        (flags | NLM_F_ACK, request)
    }

    /// Whether the kernel's refusal only says that there is nothing to do.
    pub fn is_done_by(&self, errno: i32) -> bool {
        match self {
            Change::Remove { .. } => matches!(errno, libc::EADDRNOTAVAIL | libc::ENODEV),
            Change::Delete { .. } | Change::Down { .. } => errno == libc::ENODEV,
            _ => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CreateMacvlan { name, mac, .. } => {
                write!(f, "make macvlan {name} with address {mac}")
            }
            Change::Describe { name, .. } => write!(f, "set up macvlan {name}"),
            Change::Delete { .. } => f.write_str("remove the macvlan"),
            Change::Up { .. } => f.write_str("set the macvlan up"),
            Change::Down { .. } => f.write_str("set the macvlan down"),
            Change::Add { address, .. } => write!(f, "add {address}"),
            Change::Remove { address, .. } => write!(f, "remove {address}"),
        }
    }
}

fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn address(index: u32, address: IpAddr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family =
        if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.prefix_len = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) if is_link_local(address) => 64,
        IpAddr::V6(_) => 128,
    };
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}
