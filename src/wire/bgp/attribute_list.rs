//! The path attributes of one UPDATE, each checked on its own (RFC 7606 §3, §4, §7).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bytes::Bytes;

use super::as_path::Width;
use super::attribute::{code, flag, kind, name};
use super::multiprotocol::{Multiprotocol, Reach, Unreach, is_host_v4, read_reach, read_unreach};
use super::{
    Aggregator, AsPath, Community, ExtendedCommunity, LargeCommunity, Notification, Origin,
    Problem, Reaction, SessionFacts, UnknownAttribute,
};
use crate::types::{Asn, RouterId};

/// What was wrong and does not end the session by itself.
#[derive(Default)]
pub(super) struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn discard(&mut self, attribute: Option<u8>, what: String) {
        self.0.push(Problem { reaction: Reaction::AttributeDiscard, attribute, what });
    }

    pub fn withdraw(&mut self, attribute: Option<u8>, what: String) {
        self.0.push(Problem { reaction: Reaction::TreatAsWithdraw, attribute, what });
    }

    /// The strongest reaction wins (RFC 7606 §3 h).
    pub fn withdraws(&self) -> bool {
        self.0.iter().any(|problem| problem.reaction == Reaction::TreatAsWithdraw)
    }
}

/// What the attributes say, before it is known which routes they belong to.
#[derive(Default)]
pub(super) struct AttributeList {
    seen: Seen,
    pub origin: Option<Origin>,
    pub as_path: Option<AsPath>,
    pub next_hop: Option<Ipv4Addr>,
    pub med: Option<u32>,
    pub local_pref: Option<u32>,
    pub atomic_aggregate: bool,
    pub aggregator: Option<Aggregator>,
    pub communities: Box<[Community]>,
    pub extended_communities: Box<[ExtendedCommunity]>,
    pub large_communities: Box<[LargeCommunity]>,
    pub originator_id: Option<RouterId>,
    pub cluster_list: Box<[u32]>,
    pub only_to_customer: Option<Asn>,
    pub unknown: Vec<UnknownAttribute>,
    pub reach: Option<Multiprotocol<Reach>>,
    pub unreach: Option<Multiprotocol<Unreach>>,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
    /// The last attribute runs past the end of the list.
    cut: bool,
}

/// One attribute, cut out of the list.
struct Raw<'a> {
    flags: u8,
    code: u8,
    value: &'a [u8],
    /// Flags, code, length and value.
    whole: &'a [u8],
}

impl<'a> Raw<'a> {
    fn split(list: &'a [u8]) -> Option<(Raw<'a>, &'a [u8])> {
        let [flags, code, ..] = list else {
            return None;
        };
        let (head, length) = match (flags & flag::EXTENDED_LENGTH != 0, list.get(2..)?) {
            (false, [length, ..]) => (3, usize::from(*length)),
            (true, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            _ => return None,
        };
        let (whole, rest) = list.split_at_checked(head + length)?;
        Some((Raw { flags: *flags, code: *code, value: whole.get(head..)?, whole }, rest))
    }

    /// A value of exactly `N` octets, or the complaint.
    fn exactly<const N: usize>(&self) -> Result<[u8; N], String> {
        self.value.try_into().map_err(|_| self.wrong_length(N))
    }

    /// A value of one or more pieces of `N` octets, or the complaint.
    fn pieces<const N: usize>(&self) -> Result<&'a [[u8; N]], String> {
        match self.value.as_chunks::<N>() {
            (pieces @ [_, ..], []) => Ok(pieces),
            _ => Err(format!(
                "{} has length {}, not a multiple of {N} above 0",
                name(self.code),
                self.value.len()
            )),
        }
    }

    fn wrong_length(&self, right: usize) -> String {
        format!("{} has length {}, not {right}", name(self.code), self.value.len())
    }
}

/// Which codes were there, malformed or not.
#[derive(Default)]
struct Seen([u64; 4]);

impl Seen {
    /// False if the code was there already.
    fn insert(&mut self, code: u8) -> bool {
        let [word, bit] = [usize::from(code >> 6), usize::from(code & 63)];
        let known = self.0[word] & 1 << bit != 0;
        self.0[word] |= 1 << bit;
        !known
    }

    fn has(&self, code: u8) -> bool {
        self.0[usize::from(code >> 6)] & 1 << (code & 63) != 0
    }
}

impl AttributeList {
    /// Reads the Path Attributes field. What ends the session is the error.
    pub fn read(
        mut rest: &[u8],
        facts: &SessionFacts,
        problems: &mut Problems,
    ) -> Result<AttributeList, Notification> {
        let mut list = AttributeList::default();
        while !rest.is_empty() {
            let Some((raw, behind)) = Raw::split(rest) else {
                // The prefixes in these two cannot be found (RFC 7606 §5.3).
                if matches!(rest.get(1), Some(&(code::MP_REACH_NLRI | code::MP_UNREACH_NLRI))) {
                    return Err(Notification::malformed_attribute_list());
                }
                // RFC 7606 §4: the prefixes are still found by the Total Path Attribute Length.
                list.cut = true;
                let what = "the last attribute runs past the Total Path Attribute Length";
                problems.withdraw(rest.get(1).copied(), what.to_owned());
                break;
            };
            rest = behind;
            if list.seen.insert(raw.code) {
                list.take(&raw, facts, problems)?;
            } else if matches!(raw.code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
                // RFC 7606 §3 g.
                return Err(Notification::malformed_attribute_list());
            } else {
                let what = format!("{} appears again; the first one counts", name(raw.code));
                problems.discard(Some(raw.code), what);
            }
        }
        if !facts.four_octet_as {
            list.merge_four_octet_numbers();
        }
        list.unknown.sort_by_key(|attribute| attribute.code);
        Ok(list)
    }

    pub fn has(&self, code: u8) -> bool {
        self.seen.has(code)
    }

    /// Whether there is anything but MP_UNREACH_NLRI, readable or not.
    pub fn has_more_than_unreach(&self) -> bool {
        let mut others = Seen(self.seen.0);
        others.0[0] &= !(1 << code::MP_UNREACH_NLRI);
        self.cut || others.0 != [0; 4]
    }

    fn take(
        &mut self,
        raw: &Raw<'_>,
        facts: &SessionFacts,
        problems: &mut Problems,
    ) -> Result<(), Notification> {
        let Some(kind) = kind(raw.code) else {
            return self.take_unknown(raw);
        };
        // RFC 7606 §7.5, §7.9, §7.10: from an external neighbour not even looked at.
        let internal =
            matches!(raw.code, code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST);
        if internal && facts.ebgp {
            let what = format!("{} from an external neighbour", name(raw.code));
            problems.discard(Some(raw.code), what);
            return Ok(());
        }
        if raw.flags & flag::KIND != kind {
            // RFC 7606 §5.3 for these two, §3 c for the others.
            if matches!(raw.code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
                return Err(Notification::optional_attribute_error(raw.whole));
            }
            let what = format!("{} has flags 0x{:02x}", name(raw.code), raw.flags);
            problems.withdraw(Some(raw.code), what);
            return Ok(());
        }
        match raw.code {
            code::MP_REACH_NLRI => {
                let reach = read_reach(raw.value, facts)
                    .map_err(|_| Notification::optional_attribute_error(raw.whole))?;
                note_unnegotiated(raw.code, &reach, problems);
                self.reach = Some(reach);
            }
            code::MP_UNREACH_NLRI => {
                let unreach = read_unreach(raw.value, facts)
                    .map_err(|_| Notification::optional_attribute_error(raw.whole))?;
                note_unnegotiated(raw.code, &unreach, problems);
                self.unreach = Some(unreach);
            }
            // RFC 7606 §7.6, §7.7 and RFC 6793 §6: discarded where malformed.
            code::ATOMIC_AGGREGATE | code::AGGREGATOR | code::AS4_PATH | code::AS4_AGGREGATOR => {
                if let Err(what) = self.take_discardable(raw, facts) {
                    problems.discard(Some(raw.code), what);
                }
            }
            _ => {
                if let Err(what) = self.take_known(raw, facts) {
                    problems.withdraw(Some(raw.code), what);
                }
            }
        }
        Ok(())
    }

    /// The attributes whose errors make the routes withdrawn. The error is the complaint.
    fn take_known(&mut self, raw: &Raw<'_>, facts: &SessionFacts) -> Result<(), String> {
        match raw.code {
            code::ORIGIN => {
                let [value] = raw.exactly::<1>()?;
                self.origin = Some(match value {
                    0 => Origin::Igp,
                    1 => Origin::Egp,
                    2 => Origin::Incomplete,
                    _ => return Err(format!("ORIGIN has the undefined value {value}")),
                });
            }
            code::AS_PATH => {
                let width = if facts.four_octet_as { Width::Four } else { Width::Two };
                let path =
                    AsPath::read(raw.value, width).map_err(|what| format!("AS_PATH {what}"))?;
                // RFC 5065 §5 and RFC 7607 §2; the reaction is that of RFC 7606 §3 e.
                if facts.ebgp && path.has_confederation() {
                    return Err(
                        "AS_PATH from an external neighbour has confederation segments".to_owned()
                    );
                }
                if path.contains(Asn(0)) {
                    return Err("AS_PATH contains AS 0".to_owned());
                }
                self.as_path = Some(path);
            }
            code::NEXT_HOP => self.next_hop = Some(Ipv4Addr::from(raw.exactly::<4>()?)),
            code::MULTI_EXIT_DISC => self.med = Some(u32::from_be_bytes(raw.exactly()?)),
            code::LOCAL_PREF => self.local_pref = Some(u32::from_be_bytes(raw.exactly()?)),
            code::COMMUNITIES => {
                let pieces = raw.pieces::<4>()?;
                self.communities =
                    pieces.iter().map(|piece| Community(u32::from_be_bytes(*piece))).collect();
            }
            code::ORIGINATOR_ID => {
                self.originator_id = Some(RouterId::from_bits(u32::from_be_bytes(raw.exactly()?)));
            }
            code::CLUSTER_LIST => {
                let pieces = raw.pieces::<4>()?;
                self.cluster_list = pieces.iter().map(|piece| u32::from_be_bytes(*piece)).collect();
            }
            code::EXTENDED_COMMUNITIES => {
                let pieces = raw.pieces::<8>()?;
                self.extended_communities =
                    pieces.iter().map(|piece| ExtendedCommunity(*piece)).collect();
            }
            code::LARGE_COMMUNITIES => {
                // RFC 8092 §5: redundant values are removed.
                let mut seen = BTreeSet::new();
                let pieces = raw.pieces::<12>()?;
                self.large_communities = pieces
                    .iter()
                    .map(large_community)
                    .filter(|community| pieces.len() == 1 || seen.insert(*community))
                    .collect();
            }
            code::ONLY_TO_CUSTOMER => {
                self.only_to_customer = Some(Asn(u32::from_be_bytes(raw.exactly()?)));
            }
            _ => {}
        }
        Ok(())
    }

    /// The attributes that are dropped where malformed. The error is the complaint.
    fn take_discardable(&mut self, raw: &Raw<'_>, facts: &SessionFacts) -> Result<(), String> {
        let not_zero = |aggregator: Aggregator| {
            // RFC 7607 §2.
            if aggregator.asn.is_valid() {
                Ok(aggregator)
            } else {
                Err(format!("{} contains AS 0", name(raw.code)))
            }
        };
        match raw.code {
            code::ATOMIC_AGGREGATE => {
                raw.exactly::<0>()?;
                self.atomic_aggregate = true;
            }
            code::AGGREGATOR if facts.four_octet_as => {
                self.aggregator = Some(not_zero(aggregator(raw.exactly()?))?);
            }
            code::AGGREGATOR => {
                let [a, b, address @ ..] = raw.exactly::<6>()?;
                self.aggregator = Some(not_zero(Aggregator {
                    asn: Asn(u32::from(u16::from_be_bytes([a, b]))),
                    address: Ipv4Addr::from(address),
                })?);
            }
            // RFC 6793 §4.1: a speaker of four octets has no business sending these two.
            code::AS4_PATH | code::AS4_AGGREGATOR if facts.four_octet_as => {
                return Err(format!("{} on a session of four-octet numbers", name(raw.code)));
            }
            code::AS4_PATH => {
                let path = AsPath::read(raw.value, Width::Four)
                    .map_err(|what| format!("AS4_PATH {what}"))?;
                if path.0.is_empty() {
                    return Err("AS4_PATH is empty".to_owned());
                }
                if path.contains(Asn(0)) {
                    return Err("AS4_PATH contains AS 0".to_owned());
                }
                // RFC 6793 §6: confederation segments are cut out, the rest counts.
                self.as4_path =
                    Some(if path.has_confederation() { path.unconfederated() } else { path });
            }
            code::AS4_AGGREGATOR => {
                self.as4_aggregator = Some(not_zero(aggregator(raw.exactly()?))?);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_unknown(&mut self, raw: &Raw<'_>) -> Result<(), Notification> {
        if raw.flags & flag::OPTIONAL == 0 {
            // RFC 4271 §6.3; RFC 7606 leaves this one as it is.
            return Err(Notification::unrecognized_well_known_attribute(raw.whole));
        }
        if raw.flags & flag::TRANSITIVE != 0 {
            self.unknown.push(UnknownAttribute {
                flags: flag::KIND | flag::PARTIAL,
                code: raw.code,
                value: Bytes::copy_from_slice(raw.value),
            });
        }
        Ok(())
    }

    /// Puts back the numbers that did not fit in two octets (RFC 6793 §4.2.3).
    fn merge_four_octet_numbers(&mut self) {
        let as4_path = self.as4_path.take();
        if let (Some(aggregator), Some(as4)) = (&mut self.aggregator, self.as4_aggregator.take()) {
            if aggregator.asn != Asn::TRANS {
                // An old speaker aggregated again behind the new one: both are out of date.
                return;
            }
            *aggregator = as4;
        }
        if let (Some(path), Some(as4)) = (self.as_path.take_if(|_| as4_path.is_some()), as4_path) {
            self.as_path = Some(path.merged(&as4));
        }
    }
}

/// RFC 4760 §8 lets only negotiated families be sent. Others are ignored, which is the mildest
/// reading of §7: it deletes what was learned in that family, and nothing was.
fn note_unnegotiated<T>(code: u8, found: &Multiprotocol<T>, problems: &mut Problems) {
    if found.routes.is_none() {
        let Multiprotocol { afi, safi, .. } = found;
        let what = format!("{} for family {afi}/{safi}, which was not negotiated", name(code));
        problems.discard(Some(code), what);
    }
}

fn aggregator([a, b, c, d, address @ ..]: [u8; 8]) -> Aggregator {
    Aggregator { asn: Asn(u32::from_be_bytes([a, b, c, d])), address: Ipv4Addr::from(address) }
}

fn large_community(piece: &[u8; 12]) -> LargeCommunity {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *piece;
    LargeCommunity {
        global: u32::from_be_bytes([a, b, c, d]),
        local1: u32::from_be_bytes([e, f, g, h]),
        local2: u32::from_be_bytes([i, j, k, l]),
    }
}

/// Complains about a NEXT_HOP that cannot be used for the routes of the body.
pub(super) fn check_next_hop(list: &AttributeList, problems: &mut Problems) {
    if let Some(address) = list.next_hop.filter(|address| !is_host_v4(*address)) {
        let what = format!("NEXT_HOP {address} is not the address of a host");
        problems.withdraw(Some(code::NEXT_HOP), what);
    }
}
