//! The few rtnetlink messages the agent needs, as bytes: links, addresses and routes in, route changes and dump
//! requests out. Layouts are those of `linux/netlink.h` and `linux/rtnetlink.h`; numbers are in host byte order.
//!
//! They are read here and not by a general library because a dump of a full table goes through: nothing is
//! allocated per attribute, and an attribute that a newer kernel adds is skipped and cannot make a link vanish.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use crate::fib::{Hop, Hops, Observed, Route};
use crate::types::{Family, Prefix};

const HEADER: usize = 16;
const ERROR_CODE: usize = 4;
/// `struct rtnexthop`.
const NEXT_HOP: usize = 8;
/// The kernel does not use this next hop now, as its link is down.
const RTNH_F_DEAD: u8 = 1;
/// `NLMSGERR_ATTR_MSG`: the extended acknowledgement's text.
const EXTENDED_TEXT: u16 = 1;

/// One message of a datagram, header taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    body: &'a [u8],
}

/// What a message says, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// About a link or an address.
    Interface(Observed),
    Route(KernelRoute),
    RouteGone(KernelRoute),
    /// The end of a dump, or the answer to a request: 0 or an errno (positive), and the kernel's words about it.
    Answer {
        errno: i32,
        text: Option<String>,
    },
}

/// A unicast route as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KernelRoute {
    pub protocol: u8,
    pub table: u32,
    pub route: Route,
}

/// The messages of a datagram. Ends at the first that does not fit.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32_at(rest, 0)? as usize;
        let body = rest.get(HEADER..length)?;
        let raw = Raw {
            kind: u16_at(rest, 4)?,
            flags: u16_at(rest, 6)?,
            sequence: u32_at(rest, 8)?,
            body,
        };
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(raw)
    })
}

impl Raw<'_> {
    /// `None` for what does not concern us: other families, other kinds of routes, damaged messages.
    pub fn decode(&self) -> Option<Message> {
        match self.kind {
            libc::RTM_NEWLINK => link(self.body).map(Message::Interface),
            libc::RTM_DELLINK => link_gone(self.body).map(Message::Interface),
            libc::RTM_NEWADDR => address(self.body, false).map(Message::Interface),
            libc::RTM_DELADDR => address(self.body, true).map(Message::Interface),
            libc::RTM_NEWROUTE => route(self.body).map(Message::Route),
            libc::RTM_DELROUTE => route(self.body).map(Message::RouteGone),
            kind if i32::from(kind) == libc::NLMSG_ERROR => {
                let errno = (u32_at(self.body, 0)? as i32).saturating_neg();
                Some(Message::Answer { errno, text: self.extended_text() })
            }
            kind if i32::from(kind) == libc::NLMSG_DONE => {
                // A dump that failed says so here; old kernels leave the code out.
                let code = u32_at(self.body, 0).unwrap_or(0) as i32;
                Some(Message::Answer { errno: code.saturating_neg(), text: None })
            }
            _ => None,
        }
    }

    /// The text that comes with an error when NETLINK_EXT_ACK is on. It stands behind the header of the failed
    /// request, and behind all of the request unless NETLINK_CAP_ACK is on.
    fn extended_text(&self) -> Option<String> {
        if i32::from(self.flags) & libc::NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let request = if i32::from(self.flags) & libc::NLM_F_CAPPED != 0 {
            HEADER
        } else {
            aligned(u32_at(self.body, ERROR_CODE)? as usize)
        };
        let (_, text) = attributes(self.body.get(ERROR_CODE + request..)?)
            .find(|(kind, _)| *kind == EXTENDED_TEXT)?;
        Some(string(text))
    }

    pub fn dump_was_interrupted(&self) -> bool {
        i32::from(self.flags) & libc::NLM_F_DUMP_INTR != 0
    }

    /// Whether a new route took the place of another.
    pub fn is_replacement(&self) -> bool {
        i32::from(self.flags) & libc::NLM_F_REPLACE != 0
    }
}

/// `struct ifinfomsg` and attributes.
fn link(body: &[u8]) -> Option<Observed> {
    let index = link_index(body)?;
    // IFF_RUNNING is operational state up or unknown (RFC 2863 §3.1.14), IFF_LOWER_UP the carrier.
    let wanted = (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOWER_UP) as u32;
    let up = u32_at(body, 8)? & wanted == wanted;
    let (_, name) = attributes(body.get(16..)?).find(|(kind, _)| *kind == libc::IFLA_IFNAME)?;
    Some(Observed::Link { index, name: string(name), up })
}

fn link_gone(body: &[u8]) -> Option<Observed> {
    Some(Observed::LinkGone { index: link_index(body)? })
}

fn link_index(body: &[u8]) -> Option<u32> {
    // A bridge tells about its ports with the same kinds of messages under AF_BRIDGE: a port that leaves the bridge is
    // not a link that is gone.
    let is_link = i32::from(*body.first()?) == libc::AF_UNSPEC;
    is_link.then(|| u32_at(body, 4))?
}

/// `struct ifaddrmsg` and attributes.
fn address(body: &[u8], gone: bool) -> Option<Observed> {
    let family = family(*body.first()?)?;
    let length = *body.get(1)?;
    let interface = u32_at(body, 4)?;
    let (mut address, mut local) = (None, None);
    for (kind, value) in attributes(body.get(8..)?) {
        match kind {
            libc::IFA_ADDRESS => address = ip(family, value),
            libc::IFA_LOCAL => local = ip(family, value),
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the peer. IPv6 leaves IFA_LOCAL out where the two are the same.
    let network = Prefix::new(address.or(local)?, length)?;
    let address = local.or(address)?;
    Some(if gone {
        Observed::AddressGone { interface, address, network }
    } else {
        Observed::Address { interface, address, network }
    })
}

/// `struct rtmsg` and attributes.
fn route(body: &[u8]) -> Option<KernelRoute> {
    let family = family(*body.first()?)?;
    let (length, source_length, tos) = (*body.get(1)?, *body.get(2)?, *body.get(3)?);
    let (table, protocol, kind) = (*body.get(4)?, *body.get(5)?, *body.get(7)?);
    let flags = u32_at(body, 8)?;
    // Ours have neither a source prefix nor a TOS, so those never share a key with them. Cloned routes are cache.
    if kind != libc::RTN_UNICAST
        || source_length != 0
        || tos != 0
        || flags & libc::RTM_F_CLONED != 0
    {
        return None;
    }
    let mut table = u32::from(table);
    let mut destination = Prefix::default_route(family).address();
    let mut metric = 0;
    let (mut gateway, mut interface) = (None, None);
    let mut hops = SmallVec::<[Hop; 1]>::new();
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            libc::RTA_DST => destination = ip(family, value)?,
            libc::RTA_TABLE => table = u32_at(value, 0)?,
            libc::RTA_PRIORITY => metric = u32_at(value, 0)?,
            libc::RTA_OIF => interface = u32_at(value, 0),
            libc::RTA_GATEWAY | libc::RTA_VIA => gateway = self::gateway(family, kind, value),
            libc::RTA_MULTIPATH => next_hops(family, value, &mut hops)?,
            _ => {}
        }
    }
    if let Some(interface) = interface
        && flags & u32::from(RTNH_F_DEAD) == 0
    {
        hops.push(Hop { gateway: gateway.unwrap_or(no_gateway(family)), interface });
    }
    let prefix = Prefix::new(destination, length)?;
    let hops = Hops::from_iter(hops);
    Some(KernelRoute { protocol, table, route: Route { prefix, hops, metric } })
}

/// The `struct rtnexthop`s of RTA_MULTIPATH, without those that the kernel does not use.
fn next_hops(family: Family, mut rest: &[u8], into: &mut SmallVec<[Hop; 1]>) -> Option<()> {
    while rest.len() >= NEXT_HOP {
        let length = usize::from(u16_at(rest, 0)?);
        let is_dead = *rest.get(2)? & RTNH_F_DEAD != 0;
        let interface = u32_at(rest, 4)?;
        let gateway = attributes(rest.get(NEXT_HOP..length)?)
            .find_map(|(kind, value)| gateway(family, kind, value));
        if !is_dead {
            into.push(Hop { gateway: gateway.unwrap_or(no_gateway(family)), interface });
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Some(())
}

/// What stands for a route straight onto the link.
fn no_gateway(family: Family) -> IpAddr {
    Prefix::default_route(family).address()
}

/// RTA_GATEWAY, or RTA_VIA for a gateway of the other family (RFC 8950).
fn gateway(family: Family, kind: u16, value: &[u8]) -> Option<IpAddr> {
    match kind {
        libc::RTA_GATEWAY => ip(family, value),
        libc::RTA_VIA => {
            let family = self::family(u8::try_from(u16_at(value, 0)?).ok()?)?;
            ip(family, value.get(2..)?)
        }
        _ => None,
    }
}

fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & libc::NLA_TYPE_MASK as u16;
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn ip(family: Family, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        Family::Ipv4 => <[u8; 4]>::try_from(bytes).ok().map(|octets| Ipv4Addr::from(octets).into()),
        Family::Ipv6 => {
            <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into())
        }
    }
}

fn family(number: u8) -> Option<Family> {
    match i32::from(number) {
        libc::AF_INET => Some(Family::Ipv4),
        libc::AF_INET6 => Some(Family::Ipv6),
        _ => None,
    }
}

fn string(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// What to dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Links,
    Addresses,
    /// Our routes of one family. The kernel filters by protocol and table if NETLINK_GET_STRICT_CHK is on.
    Routes {
        family: Family,
        protocol: u8,
        table: u32,
    },
}

/// What to do with one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Fails with EEXIST if any route, of whatever protocol, has the same prefix and metric.
    Create,
    /// Takes the place of the route with the same prefix and metric, of whatever protocol. Fails with ENOENT if there is
    /// none.
    Replace,
}

/// Requests in one buffer, for one `send`. The kernel works through them in order before `send` returns.
#[derive(Debug, Default)]
pub(super) struct Requests {
    bytes: Vec<u8>,
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
        let flags = self.last + 6;
        if let Some(at) = self.bytes.get_mut(flags..flags + 2) {
            let wanted = u16::from_ne_bytes([at[0], at[1]]) | libc::NLM_F_ACK as u16;
            at.copy_from_slice(&wanted.to_ne_bytes());
        }
    }

    pub fn dump(&mut self, sequence: u32, subject: Subject) {
        let kind = match subject {
            Subject::Links => libc::RTM_GETLINK,
            Subject::Addresses => libc::RTM_GETADDR,
            Subject::Routes { .. } => libc::RTM_GETROUTE,
        };
        self.message(kind, libc::NLM_F_DUMP, sequence, |requests| match subject {
            Subject::Links => {
                requests.bytes.extend([0; 16]);
                let mask = libc::RTEXT_FILTER_SKIP_STATS as u32;
                requests.attribute(libc::IFLA_EXT_MASK, &mask.to_ne_bytes());
            }
            Subject::Addresses => requests.bytes.extend([0; 8]),
            Subject::Routes { family, protocol, table } => {
                requests.route_header(family, 0, protocol, [0, 0]);
                requests.attribute(libc::RTA_TABLE, &table.to_ne_bytes());
            }
        });
    }

    pub fn set_route(&mut self, sequence: u32, verb: Verb, route: &KernelRoute) {
        let flags = match verb {
            Verb::Create => libc::NLM_F_CREATE | libc::NLM_F_EXCL,
            Verb::Replace => libc::NLM_F_REPLACE,
        };
        let KernelRoute { protocol, table, route } = route;
        let family = route.prefix.family();
        self.message(libc::RTM_NEWROUTE, flags, sequence, |requests| {
            let unicast = [libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST];
            requests.route_header(family, route.prefix.length(), *protocol, unicast);
            requests.route_key(route.prefix, *table, route.metric);
            match route.hops.as_slice() {
                [hop] => {
                    requests.gateway(family, hop.gateway);
                    requests.attribute(libc::RTA_OIF, &hop.interface.to_ne_bytes());
                }
                hops => requests.nested(libc::RTA_MULTIPATH, |requests| {
                    for hop in hops {
                        requests.next_hop(family, hop);
                    }
                }),
            }
        });
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
        self.message(libc::RTM_DELROUTE, 0, sequence, |requests| {
            let any = [libc::RT_SCOPE_NOWHERE, 0];
            requests.route_header(prefix.family(), prefix.length(), protocol, any);
            requests.route_key(prefix, table, metric);
        });
    }

    fn message(&mut self, kind: u16, flags: i32, sequence: u32, body: impl FnOnce(&mut Requests)) {
        let start = self.bytes.len();
        self.last = start;
        let flags = (libc::NLM_F_REQUEST | flags) as u16;
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend(0u32.to_ne_bytes());
        body(self);
        // Attributes are padded, so every message ends aligned.
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// The table goes into RTA_TABLE, as it may be larger than the byte here.
    fn route_header(&mut self, family: Family, length: u8, protocol: u8, [scope, kind]: [u8; 2]) {
        self.bytes.extend([
            family_number(family),
            length,
            0,
            0,
            0,
            protocol,
            scope,
            kind,
            0,
            0,
            0,
            0,
        ]);
    }

    fn route_key(&mut self, prefix: Prefix, table: u32, metric: u32) {
        self.address(libc::RTA_DST, prefix.address());
        self.attribute(libc::RTA_TABLE, &table.to_ne_bytes());
        self.attribute(libc::RTA_PRIORITY, &metric.to_ne_bytes());
    }

    fn next_hop(&mut self, family: Family, hop: &Hop) {
        let start = self.bytes.len();
        // Length, flags, weight - 1, interface.
        self.bytes.extend([0; 4]);
        self.bytes.extend(hop.interface.to_ne_bytes());
        self.gateway(family, hop.gateway);
        self.set_length(start);
    }

    fn gateway(&mut self, family: Family, gateway: IpAddr) {
        if gateway.is_unspecified() {
            return;
        }
        let of = if gateway.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        if of == family {
            return self.address(libc::RTA_GATEWAY, gateway);
        }
        let mut via = SmallVec::<[u8; 18]>::new();
        via.extend(u16::from(family_number(of)).to_ne_bytes());
        match gateway {
            IpAddr::V4(address) => via.extend(address.octets()),
            IpAddr::V6(address) => via.extend(address.octets()),
        }
        self.attribute(libc::RTA_VIA, &via);
    }

    fn address(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nested(kind, |requests| requests.bytes.extend_from_slice(value));
    }

    fn nested(&mut self, kind: u16, content: impl FnOnce(&mut Requests)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        content(self);
        self.set_length(start);
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }

    fn set_length(&mut self, start: usize) {
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}

fn family_number(family: Family) -> u8 {
    match family {
        Family::Ipv4 => libc::AF_INET as u8,
        Family::Ipv6 => libc::AF_INET6 as u8,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::route::{RouteAttribute, RouteMessage};
    use proptest::prelude::*;

    use super::*;

    fn route(to: &str, hops: &[(&str, u32)]) -> KernelRoute {
        let hops = hops.iter().map(|(gateway, interface)| Hop {
            gateway: gateway.parse().unwrap(),
            interface: *interface,
        });
        let route = Route { prefix: to.parse().unwrap(), hops: hops.collect(), metric: 20 };
        KernelRoute { protocol: 201, table: 1000, route }
    }

    fn routes() -> [KernelRoute; 7] {
        [
            route("0.0.0.0/0", &[("10.0.1.2", 3)]),
            route("198.51.100.0/24", &[("10.0.1.2", 3), ("10.0.2.2", 4)]),
            route("198.51.100.7/32", &[("2001:db8::1", 3)]),
            route("203.0.113.0/24", &[("10.0.1.2", 3), ("fe80::1", 4)]),
            route("192.0.2.0/24", &[("0.0.0.0", 3)]),
            route("2001:db8:f::/48", &[("2001:db8::1", 3), ("fe80::1", 4)]),
            route("::/0", &[("fe80::1", 3)]),
        ]
    }

    fn decoded(bytes: &[u8]) -> Vec<Option<Message>> {
        messages(bytes).map(|raw| raw.decode()).collect()
    }

    /// The other implementation of these messages.
    fn theirs(bytes: &[u8]) -> Vec<(NetlinkMessage<RouteNetlinkMessage>, RouteMessage)> {
        let mut rest = bytes;
        let mut all = Vec::new();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).unwrap();
            rest = &rest[message.header.length as usize..];
            let route = match &message.payload {
                NetlinkPayload::InnerMessage(
                    RouteNetlinkMessage::NewRoute(route)
                    | RouteNetlinkMessage::DelRoute(route)
                    | RouteNetlinkMessage::GetRoute(route),
                ) => route.clone(),
                other => panic!("{other:?}"),
            };
            all.push((message, route));
        }
        all
    }

    #[test]
    fn routes_are_written_as_another_implementation_reads_and_writes_them() {
        for wanted in routes() {
            let mut requests = Requests::default();
            requests.set_route(7, Verb::Create, &wanted);
            let [(message, route)] = &theirs(requests.as_bytes())[..] else { panic!() };
            let flags = i32::from(message.header.flags);
            assert_eq!(flags, libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_EXCL);
            assert_eq!(message.header.sequence_number, 7);
            let attributes = &route.attributes;
            assert!(attributes.contains(&RouteAttribute::Table(1000)), "{attributes:?}");
            assert!(attributes.contains(&RouteAttribute::Priority(20)), "{attributes:?}");
            // Their bytes for what they read are ours, and we read them as what was wanted.
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            assert_eq!(bytes, requests.as_bytes());
            assert_eq!(decoded(&bytes), [Some(Message::Route(wanted))]);
        }
    }

    #[test]
    fn requests_follow_each_other_and_only_the_last_is_acknowledged() {
        let mut requests = Requests::default();
        let [_, multipath, ..] = routes();
        requests.set_route(1, Verb::Replace, &multipath);
        requests.delete_route(2, 201, 1000, multipath.route.prefix, 20);
        requests.acknowledge_last();
        let [(replace, _), (delete, key)] = &theirs(requests.as_bytes())[..] else { panic!() };
        let flags = [replace, delete].map(|message| i32::from(message.header.flags));
        let request = libc::NLM_F_REQUEST;
        assert_eq!(flags, [request | libc::NLM_F_REPLACE, request | libc::NLM_F_ACK]);
        assert_eq!(u8::from(key.header.protocol), 201);
        let has_hops = |attribute: &RouteAttribute| {
            matches!(attribute, RouteAttribute::MultiPath(_) | RouteAttribute::Gateway(_))
        };
        assert!(!key.attributes.iter().any(has_hops));
    }

    #[test]
    fn the_kernels_words_about_an_error_are_found_with_and_without_the_request() {
        let error = |flags: i32, request: &[u8]| {
            let text = b"No such thing\0";
            let mut bytes = 0u32.to_ne_bytes().to_vec();
            bytes.extend((libc::NLMSG_ERROR as u16).to_ne_bytes());
            bytes.extend(((flags | libc::NLM_F_ACK_TLVS) as u16).to_ne_bytes());
            bytes.extend([0; 8]);
            bytes.extend((-libc::EINVAL).to_ne_bytes());
            bytes.extend(request);
            bytes.extend((4 + text.len() as u16).to_ne_bytes());
            bytes.extend(EXTENDED_TEXT.to_ne_bytes());
            bytes.extend(text);
            let length = bytes.len() as u32;
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            decoded(&bytes)
        };
        let text = Some("No such thing".to_owned());
        let expected = [Some(Message::Answer { errno: libc::EINVAL, text })];
        let mut request = Requests::default();
        request.delete_route(1, 201, 254, "192.0.2.0/24".parse().unwrap(), 20);
        assert_eq!(error(0, request.as_bytes()), expected);
        assert_eq!(error(libc::NLM_F_CAPPED, &request.as_bytes()[..HEADER]), expected);
    }

    #[test]
    fn dead_paths_are_left_out() {
        let mut requests = Requests::default();
        requests.set_route(
            1,
            Verb::Create,
            &route("10.0.0.0/8", &[("10.0.1.2", 3), ("10.0.2.2", 4)]),
        );
        let mut bytes = requests.as_bytes().to_vec();
        // Two next hops of 16 bytes each at the end: the flags of the first.
        let flags = bytes.len() - 32 + 2;
        bytes[flags] |= RTNH_F_DEAD;
        let left = route("10.0.0.0/8", &[("10.0.2.2", 4)]);
        assert_eq!(decoded(&bytes), [Some(Message::Route(left))]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_on_for_ever(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            kind in 0u16..32,
            index in 0usize..7,
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            decoded(&bytes);
            if bytes.len() >= 6 {
                let length = bytes.len() as u32;
                bytes[..4].copy_from_slice(&length.to_ne_bytes());
                bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            }
            decoded(&bytes);
            let mut requests = Requests::default();
            requests.set_route(1, Verb::Create, &routes()[index]);
            let mut bytes = requests.as_bytes().to_vec();
            for (place, value) in damage {
                *place.get_mut(&mut bytes) = value;
            }
            decoded(&bytes);
        }
    }
}
