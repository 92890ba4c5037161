//! Messages about nexthop objects, which netlink-packet-route does not know (linux/nexthop.h).

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NlasIterator,
};

use super::message::{Requests, number};
use crate::fib::{Group, Hop, Members, Object};

pub(in crate::driver) const RTM_NEWNEXTHOP: u16 = 104;
pub(in crate::driver) const RTM_DELNEXTHOP: u16 = 105;
const RTM_GETNEXTHOP: u16 = 106;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_RES_GROUP: u16 = 12;
const NHA_RES_GROUP_BUCKETS: u16 = 1;
const NHA_RES_GROUP_IDLE_TIMER: u16 = 2;

const NEXTHOP_GRP_TYPE_RES: u16 = 1;

/// Among so few, a weight of 1 beside 255 comes to less than half a bucket, which is none.
const BUCKETS: u16 = 64;

/// `struct nhmsg`: family, scope, protocol, reserved, flags.
const HEADER: usize = 8;
/// `struct nexthop_grp`: id, weight less 1, its high octet, reserved.
const MEMBER: usize = 8;

/// An object as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) struct KernelObject {
    pub protocol: u8,
    pub id: u32,
    pub object: Object,
}

/// What is to be done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Verb {
    /// Fails with EEXIST if there is one with this id, whoever owns it.
    Create,
    /// Fails with ENOENT if there is none.
    Replace,
}

impl Requests {
    pub fn set_object(
        &mut self,
        sequence: u32,
        verb: Verb,
        protocol: u8,
        id: u32,
        object: &Object,
    ) {
        let flags = match verb {
            Verb::Create => NLM_F_CREATE | NLM_F_EXCL,
            Verb::Replace => NLM_F_REPLACE,
        };
        let family = match object {
            Object::Hop(Hop { gateway: IpAddr::V4(_), .. }) => libc::AF_INET,
            Object::Hop(Hop { gateway: IpAddr::V6(_), .. }) => libc::AF_INET6,
            Object::Group(_) | Object::Other => libc::AF_UNSPEC,
        };
        self.begin(sequence, RTM_NEWNEXTHOP, flags);
        self.bytes.extend([family as u8, 0, protocol, 0, 0, 0, 0, 0]);
        self.attribute(NHA_ID, &id.to_ne_bytes());
        match object {
            Object::Hop(hop) => {
                self.attribute(NHA_OIF, &hop.interface.to_ne_bytes());
                if !hop.gateway.is_unspecified() {
                    self.address(NHA_GATEWAY, hop.gateway);
                }
            }
            Object::Group(Group { members, resilient }) => {
                let mut group = Vec::with_capacity(members.len() * MEMBER);
                for (id, weight) in members {
                    group.extend(id.to_ne_bytes());
                    group.extend([weight.saturating_sub(1), 0, 0, 0]);
                }
                self.attribute(NHA_GROUP, &group);
                if *resilient {
                    self.attribute(NHA_GROUP_TYPE, &NEXTHOP_GRP_TYPE_RES.to_ne_bytes());
                    self.nested(NHA_RES_GROUP | libc::NLA_F_NESTED as u16, |requests| {
                        requests.attribute(NHA_RES_GROUP_BUCKETS, &BUCKETS.to_ne_bytes());
                        // What is to move moves at once, however busy it is.
                        requests.attribute(NHA_RES_GROUP_IDLE_TIMER, &0u32.to_ne_bytes());
                    });
                }
            }
            Object::Other => {}
        }
        self.end();
    }

    pub fn delete_object(&mut self, sequence: u32, id: u32) {
        self.begin(sequence, RTM_DELNEXTHOP, 0);
        self.bytes.extend([0; HEADER]);
        self.attribute(NHA_ID, &id.to_ne_bytes());
        self.end();
    }

    pub fn dump_objects(&mut self, sequence: u32) {
        self.begin(sequence, RTM_GETNEXTHOP, NLM_F_DUMP);
        self.bytes.extend([0; HEADER]);
        self.end();
    }
}

/// `None` for one without an id.
pub(in crate::driver) fn decode(body: &[u8]) -> Result<Option<KernelObject>, DecodeError> {
    let header: &[u8; HEADER] =
        body.first_chunk().ok_or("a nexthop object that is shorter than its header")?;
    let [family, _, protocol, ..] = *header;
    let attributes = || NlasIterator::new(body.get(HEADER..).unwrap_or_default());
    let Some(id) = number(attributes(), NHA_ID) else { return Ok(None) };
    let (mut members, mut resilient, mut blackhole, mut gateway) = (None, false, false, None);
    for attribute in attributes() {
        let attribute = attribute?;
        let value = attribute.value();
        match attribute.kind() {
            NHA_GROUP => members = Some(group(value)),
            NHA_GROUP_TYPE => resilient = *value == NEXTHOP_GRP_TYPE_RES.to_ne_bytes(),
            NHA_BLACKHOLE => blackhole = true,
            NHA_GATEWAY => gateway = address(value),
            _ => {}
        }
    }
    let unspecified = match i32::from(family) {
        libc::AF_INET6 => IpAddr::from([0u16; 8]),
        _ => IpAddr::from([0u8; 4]),
    };
    let interface = number(attributes(), NHA_OIF).filter(|_| !blackhole);
    let object = match (members, interface) {
        (Some(members), _) => Object::Group(Group { members, resilient }),
        (None, Some(interface)) => {
            Object::Hop(Hop { gateway: gateway.unwrap_or(unspecified), interface })
        }
        (None, None) => Object::Other,
    };
    Ok(Some(KernelObject { protocol, id, object }))
}

fn group(value: &[u8]) -> Members {
    let (members, _) = value.as_chunks::<MEMBER>();
    let member = |[a, b, c, d, weight, ..]: [u8; MEMBER]| {
        (u32::from_ne_bytes([a, b, c, d]), weight.saturating_add(1))
    };
    members.iter().copied().map(member).collect()
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}
