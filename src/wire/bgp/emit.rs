//! Routes into UPDATE messages: as many as needed, one kind of routes in each.

use bytes::{BufMut, BytesMut};

use super::as_path::Width;
use super::attribute::{code, flag, kind};
use super::message::{frame, kind as message_kind};
use super::multiprotocol::{write_next_hop, write_reach_head, write_unreach_head};
use super::{
    Aggregator, Attributes, HEADER_LENGTH, NextHop, Nlri, Origin, SessionFacts, UnknownAttribute,
    Update,
};
use crate::types::{Asn, Family};

/// Withdrawn Routes Length and Total Path Attribute Length.
const LENGTHS: usize = 4;
/// Flags, code and two octets of length in front of an attribute's value.
const ATTRIBUTE_HEAD: usize = 4;

/// Why routes with these attributes cannot be sent on this session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// RFC 4271 §9.2: such a route is not announced.
    #[error("the attributes take {length} octets; a message has room for {room} beside a prefix")]
    AttributesTooLong { length: usize, room: usize },
    /// IPv6 prefixes over IPv4, or IPv4 prefixes over IPv6 without RFC 8950.
    #[error("{family} prefixes cannot have the next hop {next_hop} on this session")]
    NextHop { family: Family, next_hop: NextHop },
}

/// Appends as many UPDATE messages as the routes need and returns their number: withdrawals first,
/// each family and each kind in messages of their own (RFC 7606 §5.1). On an error nothing has been
/// appended.
///
/// IPv4 prefixes with an IPv4 next hop are sent in the body, all others in MP_REACH_NLRI. The
/// attributes are sent as they are: a caller keeps LOCAL_PREF and the like from external neighbours.
pub fn emit_routes(
    withdrawn: &[Nlri],
    announced: Option<(&Attributes, &[Nlri])>,
    facts: &SessionFacts,
    out: &mut BytesMut,
) -> Result<usize, Unsendable> {
    let mut packer = Packer { facts, out, field: BytesMut::with_capacity(64), messages: 0 };
    let mut plans = Vec::new();
    if let Some((attributes, nlri)) = announced {
        for family in Family::ALL {
            plans.extend(packer.plan(attributes, nlri, family)?);
        }
    }
    for family in Family::ALL {
        packer.withdraw(withdrawn, family);
    }
    if let Some((_, nlri)) = announced {
        for plan in plans {
            packer.announce(&plan, nlri);
        }
    }
    Ok(packer.messages)
}

/// Appends the End-of-RIB marker (RFC 4724 §2).
pub fn emit_end_of_rib(family: Family, out: &mut BytesMut) {
    frame(out, message_kind::UPDATE, |out| {
        out.put_u16(0);
        match family {
            Family::Ipv4 => out.put_u16(0),
            Family::Ipv6 => {
                out.put_u16(6);
                put_head(code::MP_UNREACH_NLRI, 3, out);
                write_unreach_head(family, out);
            }
        }
    });
}

/// Appends the attributes as they stand in an MRT table: AS numbers in four octets, and of MP_REACH_NLRI, which is first, only
/// the next hop (RFC 6396 §4.3.4).
pub fn emit_table_attributes(attributes: &Attributes, out: &mut BytesMut) {
    let facts = SessionFacts { four_octet_as: true, ..SessionFacts::default() };
    let in_body = matches!(attributes.next_hop, NextHop::V4(_));
    if !in_body {
        let mut next_hop = BytesMut::with_capacity(33);
        write_next_hop(&attributes.next_hop, &mut next_hop);
        put_head(code::MP_REACH_NLRI, next_hop.len(), out);
        out.put_slice(&next_hop);
    }
    write_attributes(attributes, in_body, &facts, out);
}

impl Update {
    pub(super) fn emit(&self, facts: &SessionFacts, out: &mut BytesMut) {
        // Withdrawals alone always fit.
        let _ = emit_routes(&self.withdrawn, None, facts, out);
        for announced in &self.announced {
            let routes = Some((&announced.attributes, &*announced.nlri));
            if emit_routes(&[], routes, facts, out).is_err() {
                let _ = emit_routes(&announced.nlri, None, facts, out);
            }
        }
        if let Some(family) = self.end_of_rib {
            emit_end_of_rib(family, out);
        }
    }
}

/// How the prefixes of one family are announced.
struct Plan {
    family: Family,
    /// All of MP_REACH_NLRI in front of its prefixes; `None` if they go into the body.
    reach_head: Option<BytesMut>,
    /// The attributes but MP_REACH_NLRI, in ascending order of code.
    attributes: BytesMut,
    /// Octets for prefixes in one message.
    room: usize,
}

struct Packer<'a> {
    facts: &'a SessionFacts,
    out: &'a mut BytesMut,
    /// The prefixes of the message being filled.
    field: BytesMut,
    messages: usize,
}

impl Packer<'_> {
    /// `None` if there are no prefixes of the family.
    fn plan(
        &self,
        attributes: &Attributes,
        nlri: &[Nlri],
        family: Family,
    ) -> Result<Option<Plan>, Unsendable> {
        let path_ids = self.facts.has_path_ids(family);
        let Some(longest) = of(nlri, family).map(|route| route.written_length(path_ids)).max()
        else {
            return Ok(None);
        };
        let next_hop = attributes.next_hop;
        let mut head = BytesMut::new();
        // Room for most sets, so that writing one grows nothing.
        let mut list = BytesMut::with_capacity(256);
        let in_body = match (family, next_hop) {
            (Family::Ipv4, NextHop::V4(_)) => true,
            (Family::Ipv4, NextHop::V6 { .. }) if self.facts.extended_next_hop => false,
            (Family::Ipv6, NextHop::V6 { .. }) => false,
            _ => return Err(Unsendable::NextHop { family, next_hop }),
        };
        write_attributes(attributes, in_body, self.facts, &mut list);
        let mut fixed = HEADER_LENGTH + LENGTHS + longest;
        if !in_body {
            write_reach_head(family, &next_hop, &mut head);
            fixed += ATTRIBUTE_HEAD + head.len();
        }
        let room = self.facts.max_length() - fixed;
        let length = list.len();
        match room.checked_sub(length) {
            Some(room) => Ok(Some(Plan {
                family,
                reach_head: (!in_body).then_some(head),
                attributes: list,
                room: room + longest,
            })),
            None => Err(Unsendable::AttributesTooLong { length, room }),
        }
    }

    fn announce(&mut self, plan: &Plan, nlri: &[Nlri]) {
        self.fill(nlri, plan.family, plan.room, |field, out| {
            out.put_u16(0);
            match &plan.reach_head {
                None => {
                    put_length(plan.attributes.len(), out);
                    out.put_slice(&plan.attributes);
                    out.put_slice(field);
                }
                // First in the list, so that the prefixes are found whatever else is wrong
                // (RFC 7606 §5.1).
                Some(head) => {
                    let value = head.len() + field.len();
                    put_length(head_length(value) + value + plan.attributes.len(), out);
                    put_head(code::MP_REACH_NLRI, value, out);
                    out.put_slice(head);
                    out.put_slice(field);
                    out.put_slice(&plan.attributes);
                }
            }
        });
    }

    fn withdraw(&mut self, nlri: &[Nlri], family: Family) {
        let room = self.facts.max_length() - HEADER_LENGTH - LENGTHS;
        match family {
            Family::Ipv4 => self.fill(nlri, family, room, |field, out| {
                put_length(field.len(), out);
                out.put_slice(field);
                out.put_u16(0);
            }),
            Family::Ipv6 => self.fill(nlri, family, room - ATTRIBUTE_HEAD - 3, |field, out| {
                let value = 3 + field.len();
                out.put_u16(0);
                put_length(head_length(value) + value, out);
                put_head(code::MP_UNREACH_NLRI, value, out);
                write_unreach_head(family, out);
                out.put_slice(field);
            }),
        }
    }

    /// Divides the prefixes of a family into fields of up to `room` octets and writes a message
    /// around each.
    fn fill(
        &mut self,
        nlri: &[Nlri],
        family: Family,
        room: usize,
        body: impl Fn(&[u8], &mut BytesMut),
    ) {
        let path_ids = self.facts.has_path_ids(family);
        let mut routes = of(nlri, family).peekable();
        while routes.peek().is_some() {
            self.field.clear();
            while let Some(route) =
                routes.next_if(|route| self.field.len() + route.written_length(path_ids) <= room)
            {
                route.write(path_ids, &mut self.field);
            }
            if self.field.is_empty() {
                // Not one prefix fits; `plan` has made sure of room for each.
                return;
            }
            frame(self.out, message_kind::UPDATE, |out| body(&self.field, out));
            self.messages += 1;
        }
    }
}

fn of(nlri: &[Nlri], family: Family) -> impl Iterator<Item = &Nlri> {
    nlri.iter().filter(move |route| route.prefix.family() == family)
}

/// The attributes in ascending order of code, without MP_REACH_NLRI; NEXT_HOP only for routes in
/// the body.
fn write_attributes(
    attributes: &Attributes,
    in_body: bool,
    facts: &SessionFacts,
    out: &mut BytesMut,
) {
    let Attributes {
        origin,
        as_path,
        next_hop,
        med,
        local_pref,
        atomic_aggregate,
        aggregator,
        communities,
        extended_communities,
        large_communities,
        originator_id,
        cluster_list,
        only_to_customer,
        unknown,
    } = attributes;
    let width = if facts.four_octet_as { Width::Four } else { Width::Two };
    let mut list = Writer::new(unknown, out);
    list.put(code::ORIGIN, 1, |out| {
        out.put_u8(match origin {
            Origin::Igp => 0,
            Origin::Egp => 1,
            Origin::Incomplete => 2,
        });
    });
    list.put(code::AS_PATH, as_path.written_length(width), |out| as_path.write(width, out));
    if let (NextHop::V4(address), true) = (next_hop, in_body) {
        list.put(code::NEXT_HOP, 4, |out| out.put_slice(&address.octets()));
    }
    if let Some(med) = med {
        list.put(code::MULTI_EXIT_DISC, 4, |out| out.put_u32(*med));
    }
    if let Some(preference) = local_pref {
        list.put(code::LOCAL_PREF, 4, |out| out.put_u32(*preference));
    }
    if *atomic_aggregate {
        list.put(code::ATOMIC_AGGREGATE, 0, |_| {});
    }
    if let Some(Aggregator { asn, address }) = aggregator {
        list.put(code::AGGREGATOR, if facts.four_octet_as { 8 } else { 6 }, |out| {
            match width {
                Width::Four => out.put_u32(asn.0),
                Width::Two => out.put_u16(asn.two_octets()),
            }
            out.put_slice(&address.octets());
        });
    }
    if !communities.is_empty() {
        list.put(code::COMMUNITIES, communities.len() * 4, |out| {
            communities.iter().for_each(|community| out.put_u32(community.0));
        });
    }
    if let Some(router) = originator_id {
        list.put(code::ORIGINATOR_ID, 4, |out| out.put_u32(router.to_bits()));
    }
    if !cluster_list.is_empty() {
        list.put(code::CLUSTER_LIST, cluster_list.len() * 4, |out| {
            cluster_list.iter().for_each(|cluster| out.put_u32(*cluster));
        });
    }
    if !extended_communities.is_empty() {
        list.put(code::EXTENDED_COMMUNITIES, extended_communities.len() * 8, |out| {
            extended_communities.iter().for_each(|community| out.put_slice(&community.0));
        });
    }
    // RFC 6793 §4.2.2: what two octets cannot say travels beside it.
    if !facts.four_octet_as {
        if let Some(path) = as_path.as4_path() {
            list.put(code::AS4_PATH, path.written_length(Width::Four), |out| {
                path.write(Width::Four, out);
            });
        }
        if let Some(Aggregator { asn: Asn(asn), address }) =
            aggregator.filter(|aggregator| aggregator.asn.0 > u32::from(u16::MAX))
        {
            list.put(code::AS4_AGGREGATOR, 8, |out| {
                out.put_u32(asn);
                out.put_slice(&address.octets());
            });
        }
    }
    if !large_communities.is_empty() {
        list.put(code::LARGE_COMMUNITIES, large_communities.len() * 12, |out| {
            for community in large_communities {
                out.put_u32(community.global);
                out.put_u32(community.local1);
                out.put_u32(community.local2);
            }
        });
    }
    if let Some(asn) = only_to_customer {
        list.put(code::ONLY_TO_CUSTOMER, 4, |out| out.put_u32(asn.0));
    }
    list.finish();
}

/// Writes attributes and puts the unknown ones in between, by code.
struct Writer<'a> {
    unknown: std::iter::Peekable<std::vec::IntoIter<&'a UnknownAttribute>>,
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    fn new(unknown: &'a [UnknownAttribute], out: &'a mut BytesMut) -> Writer<'a> {
        let mut unknown: Vec<&UnknownAttribute> = unknown.iter().collect();
        unknown.sort_by_key(|attribute| attribute.code);
        Writer { unknown: unknown.into_iter().peekable(), out }
    }

    fn put(&mut self, code: u8, length: usize, value: impl FnOnce(&mut BytesMut)) {
        while let Some(attribute) = self.unknown.next_if(|attribute| attribute.code < code) {
            put_unknown(attribute, self.out);
        }
        put_head(code, length, self.out);
        value(self.out);
    }

    fn finish(self) {
        self.unknown.for_each(|attribute| put_unknown(attribute, self.out));
    }
}

fn put_unknown(attribute: &UnknownAttribute, out: &mut BytesMut) {
    put_flags(attribute.flags, attribute.code, attribute.value.len(), out);
    out.put_slice(&attribute.value);
}

fn put_head(code: u8, length: usize, out: &mut BytesMut) {
    put_flags(kind(code).unwrap_or(flag::KIND), code, length, out);
}

fn put_flags(flags: u8, code: u8, length: usize, out: &mut BytesMut) {
    if let Ok(length) = u8::try_from(length) {
        out.put_slice(&[flags & !flag::EXTENDED_LENGTH, code, length]);
    } else {
        out.put_slice(&[flags | flag::EXTENDED_LENGTH, code]);
        put_length(length, out);
    }
}

/// Octets that [`put_head`] appends.
fn head_length(value: usize) -> usize {
    if value > usize::from(u8::MAX) { 4 } else { 3 }
}

/// A message holds at most 65535 octets, so no part of one is longer. (An attribute that is ends as
/// `AttributesTooLong`, whatever its head says.)
fn put_length(length: usize, out: &mut BytesMut) {
    out.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
}
