use std::fmt;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL};
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
    /// Adds it, unless the link has it: then it is the owner's own and stays as it is.
    Add(LinkAddress),
    Remove(LinkAddress),
}

/// A virtual address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// The link.
    pub index: u32,
    pub is_macvlan: bool,
    pub address: IpAddr,
}

impl LinkAddress {
    fn is_link_local(self) -> bool {
        matches!(self.address, IpAddr::V6(address) if address.is_unicast_link_local())
    }

    /// Only that of the address itself, so that all routes to other addresses stay as they are. But a link-local one on a
    /// macvlan takes a route to fe80::/64 there, or nothing that is addressed to it could be answered.
    fn prefix_length(self) -> u8 {
        match self.address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) if self.is_macvlan && self.is_link_local() => 64,
            IpAddr::V6(_) => 128,
        }
    }

    fn message(self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = match self.address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.prefix_len = self.prefix_length();
        message.header.scope = AddressScope::Universe;
        message.header.index = self.index;
        let address = self.address;
        message.attributes =
            vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        message
    }
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
            Change::Add(new) => {
                let mut message = new.message();
                let mut flags = AddressFlags::Nodad;
                if new.prefix_length() != 64 {
                    flags |= AddressFlags::Noprefixroute;
                }
                message.attributes.push(AddressAttribute::Flags(flags));
                let protocol = AddressProtocol::Other(PROTOCOL);
                message.attributes.push(AddressAttribute::Protocol(protocol));
                (NLM_F_CREATE | NLM_F_EXCL, RouteNetlinkMessage::NewAddress(message))
            }
            Change::Remove(old) => (0, RouteNetlinkMessage::DelAddress(old.message())),
        };
        (flags | NLM_F_ACK, request)
    }

    /// Whether the kernel's refusal only says that there is nothing to do.
    pub fn is_done_by(&self, errno: i32) -> bool {
        match self {
            Change::Add(_) => errno == libc::EEXIST,
            Change::Remove(_) => matches!(errno, libc::EADDRNOTAVAIL | libc::ENODEV),
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
            Change::Add(new) => write!(f, "add {}", new.address),
            Change::Remove(old) => write!(f, "remove {}", old.address),
        }
    }
}

fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}
