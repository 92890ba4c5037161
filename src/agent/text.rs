//! Path attributes, announcements and intents as the API shows them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::v1;
use crate::group::{Intent, Levels, Mapped, Order};
use crate::ospf::{Announced, How};
use crate::wire::bgp::{Attributes, NextHop};

/// Every attribute as text; what is absent stays unset or empty.
pub(super) fn attributes(attributes: &Attributes) -> v1::Attributes {
    v1::Attributes {
        origin: attributes.origin.to_string(),
        as_path: attributes.as_path.to_string(),
        next_hop: next_hop(&attributes.next_hop),
        med: attributes.med,
        local_pref: attributes.local_pref,
        communities: attributes.communities.iter().map(ToString::to_string).collect(),
        extended_communities: texts(&attributes.extended_communities),
        large_communities: texts(&attributes.large_communities),
        atomic_aggregate: attributes.atomic_aggregate,
        aggregator: attributes
            .aggregator
            .map(|aggregator| format!("{} {}", aggregator.asn, aggregator.address))
            .unwrap_or_default(),
        only_to_customer: attributes.only_to_customer.map(|asn| asn.0),
        unknown: attributes
            .unknown
            .iter()
            .map(|raw| {
                let hex: String = raw.value.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("type {} flags {:#04x}: {hex}", raw.code, raw.flags)
            })
            .collect(),
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn next_hop(next_hop: &NextHop) -> String {
    match next_hop {
        // Our own announcements have none before they go to a neighbour.
        hop if hop.address().is_unspecified() => String::new(),
        hop => hop.to_string(),
    }
}

/// `med 100, prepend 2, community graceful-shutdown`.
pub(super) fn mapped(mapped: &Mapped, internal: bool) -> String {
    let mut parts = Vec::new();
    parts.extend(mapped.local_pref.filter(|_| internal).map(|n| format!("local-pref {n}")));
    parts.extend(mapped.med.map(|med| format!("med {med}")));
    if mapped.prepend > 0 && !internal {
        parts.push(format!("prepend {}", mapped.prepend));
    }
    parts.extend(mapped.communities.iter().map(|community| format!("community {community}")));
    parts.extend(mapped.large_communities.iter().map(|large| format!("large community {large}")));
    if parts.is_empty() { "nothing special".to_owned() } else { parts.join(", ") }
}

pub(super) fn ospf_announcement(announced: &Announced, lsa: String) -> v1::OspfAnnouncement {
    let how = match announced.how {
        How::External1 => "external-1",
        How::External2 => "external-2",
        How::Stub => "stub",
    };
    v1::OspfAnnouncement { lsa, how: how.to_owned(), metric: announced.metric, tag: announced.tag }
}

/// `prefer standby (100) by alice (uid 1000), reason "…", until …`.
pub(super) fn intent(intent: &Intent, levels: &Levels) -> String {
    let order = match intent.order {
        Order::Announce(None) => "announce".to_owned(),
        Order::Announce(Some(level)) => format!("announce at {}", levels.describe(level)),
        Order::Withdraw => "withdraw".to_owned(),
        Order::Prefer(level) => format!("prefer {}", levels.describe(level)),
        Order::Drain => "drain".to_owned(),
        Order::Release => "release".to_owned(),
    };
    let reason = intent.reason.as_ref().map(|reason| format!(", reason {reason:?}"));
    let until = intent.expires.map(|expires| format!(", until {expires}"));
    let (reason, until) = (reason.unwrap_or_default(), until.unwrap_or_default());
    format!("{order} by {}{reason}{until}", intent.owner)
}

/// A span as the API has it.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Counters as the API has them.
pub(super) fn counters(counters: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    counters.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}
