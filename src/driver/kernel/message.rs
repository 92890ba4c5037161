//! The few rtnetlink messages the agent needs: links, addresses and routes in, route changes and dump requests out.
//! How they look as bytes is the business of netlink-packet-core and netlink-packet-route.
//!
//! Of what comes in, only the headers and the attributes that we use are decoded, and not a whole `LinkMessage` or
//! `RouteMessage`: these fail as a whole if one attribute among many has grown in a newer kernel, and a link must not
//! vanish for that. A message in which what we do need cannot be read is [`Message::Unreadable`], named in the log once.

use std::ffi::CStr;
use std::net::IpAddr;
use std::num::NonZeroI32;
use std::sync::Once;

use netlink_packet_core::{
    DecodeError, DoneBuffer, Emitable, ErrorBuffer, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP,
    NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NLMSG_ALIGNTO, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NetlinkHeader, NetlinkMessage, NlasIterator, Parseable, ParseableParametrized,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeader, AddressMessage};
use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteLwEnCapType, RouteMessage,
    RouteNextHopFlags, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use tracing::warn;

use super::object::{self, KernelObject, RTM_DELNEXTHOP, RTM_NEWNEXTHOP};
use crate::fib::{Hop, Hops, Observed, Route, Via};
use crate::types::{Family, Prefix};

/// `NLMSGERR_ATTR_MSG`: the extended acknowledgement's text.
const EXTENDED_TEXT: u16 = 1;

/// The C library's binding has it not.
const RTA_NH_ID: u16 = 30;

/// One message of a datagram, checked to be whole.
pub(in crate::driver) type Raw<'a> = NetlinkBuffer<&'a [u8]>;

/// What a message says, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Message {
    /// About a link or an address.
    Interface(Observed),
    Route(KernelRoute),
    RouteGone(KernelRoute),
    Object(KernelObject),
    ObjectGone(KernelObject),
    /// The end of a dump, or the answer to a request: 0 or an errno (positive), and the kernel's words about it.
    Answer {
        errno: i32,
        text: Option<String>,
    },
    /// About a link, an address or a route, but which or what cannot be made out.
    Unreadable,
}

/// A unicast route as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) struct KernelRoute {
    pub protocol: u8,
    pub table: u32,
    pub route: Route,
}

/// The messages of a datagram. Ends at the first that does not fit.
pub(in crate::driver) fn messages(datagram: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let raw = Raw::new_checked(rest).ok()?;
        let length = (raw.length() as usize).next_multiple_of(usize::from(NLMSG_ALIGNTO));
        rest = rest.get(length..).unwrap_or_default();
        Some(raw)
    })
}

/// `None` for what does not concern us: other families, other kinds of messages and of routes.
pub(in crate::driver) fn decode(raw: &Raw) -> Option<Message> {
    static ONCE: Once = Once::new();
    read(raw).unwrap_or_else(|error| {
        ONCE.call_once(|| {
            let kind = raw.message_type();
            warn!(kind, "a netlink message cannot be read; further ones are not logged: {error}");
        });
        Some(Message::Unreadable)
    })
}

fn read(raw: &Raw) -> Result<Option<Message>, DecodeError> {
    let body = raw.payload();
    Ok(match raw.message_type() {
        libc::RTM_NEWLINK => link(body, false)?.map(Message::Interface),
        libc::RTM_DELLINK => link(body, true)?.map(Message::Interface),
        libc::RTM_NEWADDR => address(body, false)?.map(Message::Interface),
        libc::RTM_DELADDR => address(body, true)?.map(Message::Interface),
        libc::RTM_NEWROUTE => route(body)?.map(Message::Route),
        libc::RTM_DELROUTE => route(body)?.map(Message::RouteGone),
        RTM_NEWNEXTHOP => object::decode(body)?.map(Message::Object),
        RTM_DELNEXTHOP => object::decode(body)?.map(Message::ObjectGone),
        NLMSG_ERROR => {
            let error = ErrorBuffer::new_checked(body)?;
            // With NETLINK_CAP_ACK on, of the failed request only the header is sent back.
            let attributes = error.payload().get(NetlinkHeader::default().buffer_len()..);
            let code = error.code().map_or(0, NonZeroI32::get);
            Some(answer(code, attributes.unwrap_or_default()))
        }
        // A dump that failed says so here; old kernels leave the code out.
        NLMSG_DONE => Some(match DoneBuffer::new_checked(body) {
            Ok(done) => answer(done.code(), done.extended_ack()),
            Err(_) => answer(0, &[]),
        }),
        _ => None,
    })
}

fn answer(code: i32, attributes: &[u8]) -> Message {
    let text = string(NlasIterator::new(attributes), EXTENDED_TEXT);
    Message::Answer { errno: code.saturating_neg(), text }
}

fn link(body: &[u8], gone: bool) -> Result<Option<Observed>, DecodeError> {
    let header = LinkHeader::parse(body)?;
    let index = header.index;
    // A bridge tells about its ports with the same kinds of messages under AF_BRIDGE: a port that leaves the bridge is
    // not a link that is gone.
    if header.interface_family != AddressFamily::Unspec {
        return Ok(None);
    }
    if gone {
        return Ok(Some(Observed::LinkGone { index }));
    }
    // IFF_RUNNING is operational state up or unknown (RFC 2863 §3.1.14), IFF_LOWER_UP the carrier.
    let up = header.flags.contains(LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp);
    // Not `LinkAttribute::IfName`, which must be UTF-8.
    let name = string(attributes(body, &header), libc::IFLA_IFNAME).ok_or("a link has no name")?;
    let mtu = number(attributes(body, &header), libc::IFLA_MTU).ok_or("a link has no MTU")?;
    Ok(Some(Observed::Link { index, name, up, mtu }))
}

fn address(body: &[u8], gone: bool) -> Result<Option<Observed>, DecodeError> {
    let header = AddressHeader::parse(body)?;
    if family(header.family).is_none() {
        return Ok(None);
    }
    let (mut address, mut local) = (None, None);
    for attribute in attributes(body, &header) {
        let attribute = attribute?;
        if let libc::IFA_ADDRESS | libc::IFA_LOCAL = attribute.kind() {
            match AddressAttribute::parse(&attribute)? {
                AddressAttribute::Address(value) => address = Some(value),
                AddressAttribute::Local(value) => local = Some(value),
                _ => {}
            }
        }
    }
    // On a point-to-point link IFA_ADDRESS is the peer. IPv6 leaves IFA_LOCAL out where the two are the same.
    let network = address.or(local).and_then(|address| Prefix::new(address, header.prefix_len));
    let (Some(network), Some(address)) = (network, local.or(address)) else {
        return Err("an address without a valid IFA_ADDRESS or IFA_LOCAL".into());
    };
    let interface = header.index;
    Ok(Some(if gone {
        Observed::AddressGone { interface, address, network }
    } else {
        Observed::Address { interface, address, network }
    }))
}

fn route(body: &[u8]) -> Result<Option<KernelRoute>, DecodeError> {
    let header = RouteHeader::parse(body)?;
    let Some(family) = family(header.address_family) else { return Ok(None) };
    // Ours have neither a source prefix nor a TOS, so those never share a key with them. Cloned routes are cache.
    if header.kind != RouteType::Unicast
        || header.source_prefix_length != 0
        || header.tos != 0
        || header.flags.contains(RouteFlags::Cloned)
    {
        return Ok(None);
    }
    let mut table = u32::from(header.table);
    let mut destination = Prefix::default_route(family).address();
    let mut metric = 0;
    let (mut gateway, mut interface, mut object) = (None, None, None);
    let mut hops = Vec::new();
    for attribute in attributes(body, &header) {
        let attribute = attribute?;
        let (libc::RTA_DST
        | libc::RTA_TABLE
        | libc::RTA_PRIORITY
        | libc::RTA_OIF
        | libc::RTA_GATEWAY
        | libc::RTA_VIA
        | RTA_NH_ID
        | libc::RTA_MULTIPATH) = attribute.kind()
        else {
            continue;
        };
        let context = (header.address_family, header.kind, RouteLwEnCapType::None);
        match RouteAttribute::parse_with_param(&attribute, context)? {
            RouteAttribute::Destination(RouteAddress::Inet(value)) => destination = value.into(),
            RouteAttribute::Destination(RouteAddress::Inet6(value)) => destination = value.into(),
            RouteAttribute::Table(value) => table = value,
            RouteAttribute::Priority(value) => metric = value,
            RouteAttribute::Oif(value) => interface = Some(value),
            // With the hops of the object beside it if net.ipv4.nexthop_compat_mode is 1.
            RouteAttribute::NhId(value) => object = Some(value),
            RouteAttribute::MultiPath(paths) => {
                // Of a dead path the link is down: the kernel does not use it now.
                for path in paths.iter().filter(|p| !p.flags.contains(RouteNextHopFlags::Dead)) {
                    let gateway = path.attributes.iter().find_map(self::gateway);
                    hops.push(hop(family, gateway, path.interface_index));
                }
            }
            other => gateway = self::gateway(&other).or(gateway),
        }
    }
    if let Some(interface) = interface
        && !header.flags.contains(RouteFlags::Dead)
    {
        hops.push(hop(family, gateway, interface));
    }
    let prefix = Prefix::new(destination, header.destination_prefix_length)
        .ok_or("a route to an invalid prefix")?;
    let via = object.map_or_else(|| Via::Hops(Hops::from_iter(hops)), Via::Object);
    let route = Route { prefix, via, metric };
    Ok(Some(KernelRoute { protocol: header.protocol.into(), table, route }))
}

/// A route straight onto the link has no gateway.
fn hop(family: Family, gateway: Option<IpAddr>, interface: u32) -> Hop {
    let none = Prefix::default_route(family).address();
    Hop { gateway: gateway.unwrap_or(none), interface }
}

/// RTA_GATEWAY, or RTA_VIA for a gateway of the other family (RFC 8950).
fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address))
        | RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Gateway(RouteAddress::Inet6(address))
        | RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}

pub(in crate::driver) fn attributes<'a>(
    body: &'a [u8],
    header: &impl Emitable,
) -> NlasIterator<&'a [u8]> {
    NlasIterator::new(body.get(header.buffer_len()..).unwrap_or_default())
}

fn family(family: AddressFamily) -> Option<Family> {
    match family {
        AddressFamily::Inet => Some(Family::Ipv4),
        AddressFamily::Inet6 => Some(Family::Ipv6),
        _ => None,
    }
}

/// What attribute `kind` holds, up to the zero byte.
pub(in crate::driver) fn string(mut attributes: NlasIterator<&[u8]>, kind: u16) -> Option<String> {
    let attribute = attributes.find_map(|a| a.ok().filter(|a| a.kind() == kind))?;
    let bytes = attribute.value();
    let bytes = CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes);
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// The first attribute `kind` that holds a number of 32 bits.
pub(in crate::driver) fn number(attributes: NlasIterator<&[u8]>, kind: u16) -> Option<u32> {
    let mut found = attributes.filter_map(Result::ok).filter(|a| a.kind() == kind);
    found.find_map(|a| a.value().try_into().ok().map(u32::from_ne_bytes))
}

/// What to dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Subject {
    Links,
    Addresses,
    Objects,
    /// Our routes of one family. The kernel filters by protocol and table if NETLINK_GET_STRICT_CHK is on.
    Routes {
        family: Family,
        protocol: u8,
        table: u32,
    },
}

/// What to do with one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Verb {
    /// Fails with EEXIST if any route, of whatever protocol, has the same prefix and metric.
    Create,
    /// Takes the place of the route with the same prefix and metric, of whatever protocol. Fails with ENOENT if there is
    /// none.
    Replace,
}

/// Requests in one buffer, for one `send`. The kernel works through them in order before `send` returns.
#[derive(Debug, Default)]
pub(in crate::driver) struct Requests {
    pub(super) bytes: Vec<u8>,
    /// Where the last request begins.
    last: usize,
}

impl Requests {
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Asks for an answer to the last request; the others are answered only if they fail. As the kernel answers in
    /// order, silence about one of them before that answer means success.
    pub fn acknowledge_last(&mut self) {
        if let Some(last) = self.bytes.get_mut(self.last..)
            && !last.is_empty()
        {
            let mut last = NetlinkBuffer::new(last);
            last.set_flags(last.flags() | NLM_F_ACK);
        }
    }

    pub fn dump(&mut self, sequence: u32, subject: Subject) {
        let request = match subject {
            Subject::Links => {
                let mut links = LinkMessage::default();
                links.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
                RouteNetlinkMessage::GetLink(links)
            }
            Subject::Addresses => RouteNetlinkMessage::GetAddress(AddressMessage::default()),
            Subject::Objects => return self.dump_objects(sequence),
            Subject::Routes { family, protocol, table } => {
                let mut routes = RouteMessage::default();
                routes.header.address_family = address_family(family);
                routes.header.protocol = protocol.into();
                routes.attributes = vec![RouteAttribute::Table(table)];
                RouteNetlinkMessage::GetRoute(routes)
            }
        };
        self.push(sequence, NLM_F_DUMP, request);
    }

    pub fn set_route(&mut self, sequence: u32, verb: Verb, route: &KernelRoute) {
        let flags = match verb {
            Verb::Create => NLM_F_CREATE | NLM_F_EXCL,
            Verb::Replace => NLM_F_REPLACE,
        };
        let KernelRoute { protocol, table, route } = route;
        let family = route.prefix.family();
        self.begin(sequence, libc::RTM_NEWROUTE, flags);
        self.route_key(
            *protocol,
            *table,
            route.prefix,
            route.metric,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_UNICAST,
        );
        match &route.via {
            Via::Object(id) => self.attribute(RTA_NH_ID, &id.to_ne_bytes()),
            Via::Hops(hops) => match hops.as_slice() {
                [hop] => {
                    self.gateway(family, hop.gateway);
                    self.attribute(libc::RTA_OIF, &hop.interface.to_ne_bytes());
                }
                hops => self.paths(family, hops),
            },
        }
        self.end();
    }

    /// By key only. A route sent back with all its attributes may not match itself. Scope "nowhere" and type 0 match
    /// any; without a gateway all paths of an IPv6 multipath route go.
    pub fn delete_route(
        &mut self,
        sequence: u32,
        protocol: u8,
        table: u32,
        prefix: Prefix,
        metric: u32,
    ) {
        self.begin(sequence, libc::RTM_DELROUTE, 0);
        self.route_key(protocol, table, prefix, metric, libc::RT_SCOPE_NOWHERE, libc::RTN_UNSPEC);
        self.end();
    }

    /// The key of a route. The table is an attribute, as it may be larger than the header's byte.
    fn route_key(
        &mut self,
        protocol: u8,
        table: u32,
        prefix: Prefix,
        metric: u32,
        scope: u8,
        kind: u8,
    ) {
        let family = u8::from(address_family(prefix.family()));
        // `struct rtmsg`: …, lengths, TOS, table, protocol, scope, type, flags.
        let header = [family, prefix.length(), 0, 0, 0, protocol, scope, kind, 0, 0, 0, 0];
        self.bytes.extend(header);
        self.address(libc::RTA_DST, prefix.address());
        self.attribute(libc::RTA_PRIORITY, &metric.to_ne_bytes());
        self.attribute(libc::RTA_TABLE, &table.to_ne_bytes());
    }

    fn paths(&mut self, family: Family, hops: &[Hop]) {
        self.nested(libc::RTA_MULTIPATH, |requests| {
            for hop in hops {
                let at = requests.bytes.len();
                // `struct rtnexthop`: length, flags, weight less 1, interface.
                requests.bytes.extend([0; 4]);
                requests.bytes.extend(hop.interface.to_ne_bytes());
                requests.gateway(family, hop.gateway);
                requests.set_length(at);
            }
        });
    }

    /// None for a route straight onto the link.
    fn gateway(&mut self, family: Family, gateway: IpAddr) {
        if gateway.is_unspecified() {
        } else if gateway.is_ipv4() == (family == Family::Ipv4) {
            self.address(libc::RTA_GATEWAY, gateway);
        } else {
            // `struct rtvia`.
            self.nested(libc::RTA_VIA, |requests| {
                let other = if gateway.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
                requests.bytes.extend((other as u16).to_ne_bytes());
                requests.octets(gateway);
            });
        }
    }

    pub fn push(&mut self, sequence: u32, flags: u16, request: RouteNetlinkMessage) {
        let mut message = NetlinkMessage::from(request);
        message.header.sequence_number = sequence;
        message.header.flags = NLM_F_REQUEST | flags;
        message.finalize();
        self.last = self.bytes.len();
        self.bytes.resize(self.last + message.buffer_len(), 0);
        message.serialize(&mut self.bytes[self.last..]);
    }
}

/// Messages octet by octet: there are half a million of them in a full table.
impl Requests {
    /// Begins a request of this kind; its length is set at its end.
    pub(super) fn begin(&mut self, sequence: u32, kind: u16, flags: u16) {
        self.last = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
    }

    pub(super) fn end(&mut self) {
        let length = (self.bytes.len() - self.last) as u32;
        if let Some(place) = self.bytes.get_mut(self.last..self.last + 4) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nested(kind, |requests| requests.bytes.extend(value));
    }

    pub(super) fn address(&mut self, kind: u16, address: IpAddr) {
        self.nested(kind, |requests| requests.octets(address));
    }

    fn octets(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.bytes.extend(address.octets()),
            IpAddr::V6(address) => self.bytes.extend(address.octets()),
        }
    }

    /// An attribute whose value `write` appends.
    pub(super) fn nested(&mut self, kind: u16, write: impl FnOnce(&mut Requests)) {
        let at = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        write(self);
        self.set_length(at);
    }

    /// The first two octets of what begins at `at` are its length; behind it, zeros up to the next boundary.
    fn set_length(&mut self, at: usize) {
        let length = (self.bytes.len() - at) as u16;
        if let Some(place) = self.bytes.get_mut(at..at + 2) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(usize::from(NLMSG_ALIGNTO)), 0);
    }
}

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Caught by `strace -e read=all -e write=all ip ...` (iproute2 6.1.0, Linux 6.18, x86-64), but for `REFUSAL`, which
    // is the answer to a route by 203.0.113.1 when NETLINK_CAP_ACK is on. `ip` pads RTA_VIA with what it finds: here zeros.
    const ADD_IPV4: &str = "44000000180005068424026b000000000218000000c900010000000008000100c0000200\
        080006001400000008000f00e8030000080005000a0001020800040003000000";
    const ADD_IPV4_PATHS: &str = "68000000180005068424026b000000000218000000c900010000000008000100\
        c6336400080006001400000008000f00e8030000340009001000000003000000080005000a00010220000000\
        04000000160012000a0020010db80002000000000000000000020000";
    const ADD_IPV6_PATHS: &str = "7c000000180005068424026b000000000a30000000c9000100000000\
        1400010020010db8000f00000000000000000000080006001400000008000f00e80300003c000900\
        1c000000030000001400050020010db8000100000000000000000002\
        1c000000040000001400050020010db8000200000000000000000002";
    const CHANGE_TO_VIA: &str = "54000000180005018424026b000000000218000000c900010000000008000100\
        c0000200080006001400000008000f00e8030000160012000a00fe80000000000000000000000000000100000800\
        040004000000";
    const DELETE: &str = "34000000190005008424026b000000000218000000c9ff000000000008000100c0000200\
        080006001400000008000f00e8030000";
    const DUMPED_IPV4_VIA: &str = "54000000180022008424026b4373000002180000fcc900010000000008000f00\
        e803000008000100c00002000800060014000000160012000a00fe80000000000000000000000000000100000800\
        040004000000";
    const DUMPED_IPV6_PATHS: &str = "a8000000180022008424026b477300000a300000fcc9000100000000\
        08000f00e80300001400010020010db8000f00000000000000000000\
        08000600140000003c0009001c000000030000001400050020010db80001000000000000000000021c000000\
        040000001400050020010db800020000000000000000000224000c0000000000000000000000000000000000\
        000000000000000000000000000000000500140000000000";
    /// After `ip link set west down`.
    const DUMPED_WITH_DEAD_PATH: &str = "68000000180022008424026b4f73000002180000fcc900010000000008000f00\
        e803000008000100c63364000800060014000000340009001000000003000000080005000a000102\
        2000110004000000160012000a0020010db80002000000000000000000020000";
    const REFUSAL: &str = "44000000020000038424026bbc4900009bffffff44000000180005068424026b00000000\
        200001004e657874686f702068617320696e76616c6964206761746577617900";
    /// Of what is said about a link named caf\xe9, the name and the MTU.
    const LINK: &str = "3400000010000000f024026b35506796000001000900000002100000000000000900030063\
        6166e9000000000800040078050000";

    const SEQUENCE: u32 = 0x6b02_2484;

    fn bytes(hex: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    fn decoded(bytes: &[u8]) -> Vec<Option<Message>> {
        messages(bytes).map(|raw| decode(&raw)).collect()
    }

    fn route(to: &str, hops: &[(&str, u32)]) -> KernelRoute {
        let hops = hops.iter().map(|(gateway, interface)| Hop {
            gateway: gateway.parse().unwrap(),
            interface: *interface,
        });
        let via = Via::Hops(hops.collect());
        let route = Route { prefix: to.parse().unwrap(), via, metric: 20 };
        KernelRoute { protocol: 201, table: 1000, route }
    }

    fn ipv6_paths() -> KernelRoute {
        route("2001:db8:f::/48", &[("2001:db8:1::2", 3), ("2001:db8:2::2", 4)])
    }

    #[test]
    fn requests_are_those_of_ip() {
        let mixed = route("198.51.100.0/24", &[("10.0.1.2", 3), ("2001:db8:2::2", 4)]);
        for (verb, route, expected) in [
            (Verb::Create, route("192.0.2.0/24", &[("10.0.1.2", 3)]), ADD_IPV4),
            (Verb::Create, mixed, ADD_IPV4_PATHS),
            (Verb::Create, ipv6_paths(), ADD_IPV6_PATHS),
            (Verb::Replace, route("192.0.2.0/24", &[("fe80::1", 4)]), CHANGE_TO_VIA),
        ] {
            let mut requests = Requests::default();
            requests.set_route(SEQUENCE, verb, &route);
            // `ip` has every request acknowledged.
            requests.acknowledge_last();
            assert_eq!(requests.as_bytes(), bytes(expected), "{route:?}");
        }
        let mut requests = Requests::default();
        requests.delete_route(SEQUENCE, 201, 1000, "192.0.2.0/24".parse().unwrap(), 20);
        requests.acknowledge_last();
        assert_eq!(requests.as_bytes(), bytes(DELETE));
    }

    #[test]
    fn only_the_last_request_is_acknowledged() {
        let mut requests = Requests::default();
        requests.set_route(1, Verb::Create, &ipv6_paths());
        requests.delete_route(2, 201, 1000, "192.0.2.0/24".parse().unwrap(), 20);
        requests.acknowledge_last();
        let asked: Vec<bool> =
            messages(requests.as_bytes()).map(|raw| raw.flags() & NLM_F_ACK != 0).collect();
        assert_eq!(asked, [false, true]);
    }

    #[test]
    fn routes_of_a_dump_are_read_without_their_dead_paths() {
        let dump = [DUMPED_IPV4_VIA, DUMPED_IPV6_PATHS, DUMPED_WITH_DEAD_PATH].concat();
        let expected = [
            route("192.0.2.0/24", &[("fe80::1", 4)]),
            ipv6_paths(),
            route("198.51.100.0/24", &[("10.0.1.2", 3)]),
        ];
        assert_eq!(decoded(&bytes(&dump)), expected.map(|route| Some(Message::Route(route))));
    }

    #[test]
    fn the_kernels_words_about_a_refusal_are_found() {
        let text = Some("Nexthop has invalid gateway".to_owned());
        let expected = Message::Answer { errno: libc::ENETUNREACH, text };
        assert_eq!(decoded(&bytes(REFUSAL)), [Some(expected)]);
    }

    #[test]
    fn no_attribute_of_a_link_can_hide_it() {
        let mut link = bytes(LINK);
        // An attribute that is not of the length that netlink-packet-route knows it with, as that of a newer kernel.
        link.extend([5, 0, libc::IFLA_TXQLEN as u8, 0, 1, 0, 0, 0]);
        link[0] = link.len() as u8;
        assert!(LinkMessage::parse(&link[16..]).is_err(), "whoever decodes all of it fails");
        let name = "caf\u{fffd}".to_owned();
        let expected = Observed::Link { index: 9, name, up: false, mtu: 1400 };
        assert_eq!(decoded(&link), [Some(Message::Interface(expected))]);
    }

    #[test]
    fn a_route_that_cannot_be_read_is_not_passed_over() {
        let mut damaged = bytes(DUMPED_IPV4_VIA);
        // The length of the destination.
        damaged[36] = 7;
        assert_eq!(decoded(&damaged), [Some(Message::Unreadable)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_on_for_ever(
            mut random in proptest::collection::vec(any::<u8>(), 0..200),
            kind in 0u16..32,
            whole in proptest::sample::select(
                &[ADD_IPV6_PATHS, DUMPED_IPV4_VIA, DUMPED_WITH_DEAD_PATH, REFUSAL, LINK]
            ),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            decoded(&random);
            if random.len() >= 6 {
                let length = random.len() as u32;
                random[..4].copy_from_slice(&length.to_ne_bytes());
                random[4..6].copy_from_slice(&kind.to_ne_bytes());
            }
            decoded(&random);
            let mut damaged = bytes(whole);
            for (place, value) in damage {
                *place.get_mut(&mut damaged) = value;
            }
            decoded(&damaged);
        }
    }
}
