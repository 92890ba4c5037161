use super::attribute::{code, name};
use super::attribute_list::{AttributeList, Problems, check_next_hop};
use super::multiprotocol::{Multiprotocol, Reach};
use super::{Attributes, NextHop, Nlri, Notification, Origin, SessionFacts};
use crate::types::Family;

/// The routes of one UPDATE (RFC 4271 §4.3), from its body and from MP_REACH_NLRI and
/// MP_UNREACH_NLRI (RFC 4760) alike, after the checks of RFC 7606.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Prefixes taken back: withdrawn by the sender, or announced with an error that RFC 7606
    /// answers with treat-as-withdraw. They come before what is announced.
    pub withdrawn: Vec<Nlri>,
    /// At most one entry per next hop that the message holds: the IPv4 body and MP_REACH_NLRI.
    pub announced: Vec<Announced>,
    /// An empty UPDATE or MP_UNREACH_NLRI (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// What was wrong and survived. Never sent.
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub attributes: Attributes,
    pub nlri: Vec<Nlri>,
}

/// One error in an UPDATE that did not end the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub reaction: Reaction,
    /// The attribute's code; `None` if the fault lies outside the attributes.
    pub attribute: Option<u8>,
    /// For a person: `MULTI_EXIT_DISC has length 3, not 4`.
    pub what: String,
}

/// RFC 7606 §2, the approaches short of a session reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// The attribute, or routes of a family that was not negotiated, are ignored.
    AttributeDiscard,
    TreatAsWithdraw,
}

/// The three fields of the body (RFC 4271 §4.3).
struct Body<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
}

impl<'a> Body<'a> {
    fn split(body: &'a [u8]) -> Option<Body<'a>> {
        let (length, rest) = body.split_first_chunk::<2>()?;
        let (withdrawn, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (attributes, nlri) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        Some(Body { withdrawn, attributes, nlri })
    }
}

impl Update {
    /// Reads the body. The error is what RFC 7606 still answers by ending the session.
    pub(super) fn parse(body: &[u8], facts: &SessionFacts) -> Result<Update, Notification> {
        // RFC 7606 §3 b.
        let body = Body::split(body).ok_or_else(Notification::malformed_attribute_list)?;
        let mut problems = Problems::default();
        let mut list = AttributeList::read(body.attributes, facts, &mut problems)?;

        // RFC 7606 §3 i, j.
        let path_ids = facts.has_path_ids(Family::Ipv4);
        let read = |field| {
            Nlri::read_all(field, Family::Ipv4, path_ids)
                .map_err(|_| Notification::invalid_network_field())
        };
        let mut withdrawn = read(body.withdrawn)?;
        let mut nlri = read(body.nlri)?;
        let in_body = !withdrawn.is_empty() || !nlri.is_empty();
        let mut reach = list.reach.take();
        let reaches = !nlri.is_empty() || reach.as_ref().is_some_and(announces);

        if in_body && !facts.has(Family::Ipv4) {
            problems.discard(None, "IPv4 routes in the body, which were not negotiated".to_owned());
            withdrawn.clear();
            nlri.clear();
        }
        if reaches {
            check_mandatory(&list, !nlri.is_empty(), &mut problems);
        } else if list.has_more_than_unreach() && problems.withdraws() {
            // RFC 7606 §5.2: an error may have hidden the routes that it spoils.
            return Err(Notification::malformed_attribute_list());
        }

        ignore_multicast(&mut nlri, &mut problems);
        if let Some(Multiprotocol { routes: Some(routes), .. }) = &mut reach {
            ignore_multicast(&mut routes.nlri, &mut problems);
        }

        let unreach = list.unreach.take();
        let end_of_rib = if in_body || list.has_more_than_unreach() {
            None
        } else {
            match &unreach {
                None => Some(Family::Ipv4).filter(|family| facts.has(*family)),
                Some(found) => found
                    .routes
                    .as_ref()
                    .filter(|routes| routes.nlri.is_empty())
                    .map(|routes| routes.family),
            }
        };
        if let Some(routes) = unreach.and_then(|found| found.routes) {
            append(&mut withdrawn, routes.nlri);
        }

        let reach = reach.and_then(|found| found.routes).filter(|reach| !reach.nlri.is_empty());
        if reach.as_ref().is_some_and(|reach| reach.next_hop.is_none()) {
            let what = "MP_REACH_NLRI has a next hop that is not the address of a host";
            problems.withdraw(Some(code::MP_REACH_NLRI), what.to_owned());
        }
        let mut announced = Vec::new();
        if problems.withdraws() {
            append(&mut withdrawn, nlri);
            append(&mut withdrawn, reach.map(|reach| reach.nlri).unwrap_or_default());
        } else {
            announced = list.announce(nlri, reach);
        }
        Ok(Update { withdrawn, announced, end_of_rib, problems: problems.0 })
    }
}

/// Appends without copying where there is nothing yet.
fn append(to: &mut Vec<Nlri>, mut more: Vec<Nlri>) {
    if to.is_empty() {
        *to = more;
    } else {
        to.append(&mut more);
    }
}

/// RFC 4271 §6.3: a prefix that cannot be a unicast route is ignored, the others stay.
fn ignore_multicast(nlri: &mut Vec<Nlri>, problems: &mut Problems) {
    nlri.retain(|route| {
        let multicast = route.prefix.is_multicast();
        if multicast {
            problems.discard(None, format!("{} is a multicast prefix", route.prefix));
        }
        !multicast
    });
}

/// Whether the attribute holds prefixes, ours or not.
fn announces(found: &Multiprotocol<Reach>) -> bool {
    found.routes.as_ref().is_none_or(|reach| !reach.nlri.is_empty())
}

/// RFC 7606 §3 d, and the address in NEXT_HOP, which only counts for routes in the body
/// (RFC 4760 §3).
fn check_mandatory(list: &AttributeList, in_body: bool, problems: &mut Problems) {
    let next_hop = in_body.then_some(code::NEXT_HOP);
    for code in [code::ORIGIN, code::AS_PATH].into_iter().chain(next_hop) {
        if !list.has(code) {
            problems.withdraw(Some(code), format!("{} is missing", name(code)));
        }
    }
    if in_body {
        check_next_hop(list, problems);
    }
}

impl AttributeList {
    /// The routes with their attributes. Nothing is wrong with either by now.
    fn announce(self, nlri: Vec<Nlri>, reach: Option<Reach>) -> Vec<Announced> {
        let reach = reach.and_then(|reach| Some((reach.next_hop?, reach.nlri)));
        let body = self.next_hop.map(NextHop::V4).filter(|_| !nlri.is_empty());
        match (body, reach) {
            (None, None) => Vec::new(),
            (Some(next_hop), None) => {
                vec![Announced { attributes: self.attributes(next_hop), nlri }]
            }
            (None, Some((next_hop, nlri))) => {
                vec![Announced { attributes: self.attributes(next_hop), nlri }]
            }
            (Some(next_hop), Some((other, more))) => {
                let attributes = self.attributes(next_hop);
                let others = Attributes { next_hop: other, ..attributes.clone() };
                vec![Announced { attributes, nlri }, Announced { attributes: others, nlri: more }]
            }
        }
    }

    fn attributes(self, next_hop: NextHop) -> Attributes {
        Attributes {
            origin: self.origin.unwrap_or(Origin::Incomplete),
            as_path: self.as_path.unwrap_or_default(),
            next_hop,
            med: self.med,
            local_pref: self.local_pref,
            atomic_aggregate: self.atomic_aggregate,
            aggregator: self.aggregator,
            communities: self.communities,
            extended_communities: self.extended_communities,
            large_communities: self.large_communities,
            originator_id: self.originator_id,
            cluster_list: self.cluster_list,
            only_to_customer: self.only_to_customer,
            unknown: self.unknown.into(),
        }
    }
}
