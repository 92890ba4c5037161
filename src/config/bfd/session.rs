//! `[bfd.session.NAME]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use super::{BfdSession, Profiles};
use crate::config::address;
use crate::config::node::router_id;
use crate::config::reference::{self, PROFILE};
use crate::config::report::Report;
use crate::config::section::{Entry, Section, head};
use crate::config::value;
use crate::types::RouterId;

pub(in crate::config) const KEYS: &[&str] =
    &["address", "local-address", "interface", "multihop", "profile", "router-id"];

pub(in crate::config) fn read(
    bfd: Option<&Section<'_>>,
    own_router_id: Option<RouterId>,
    profiles: &Profiles,
    report: &mut Report<'_>,
) -> BTreeMap<String, BfdSession> {
    let mut sessions: BTreeMap<String, BfdSession> = BTreeMap::new();
    let Some(bfd) = bfd else { return sessions };
    let mut places: Vec<(BfdSession, Range<usize>)> = Vec::new();
    for Entry { key, key_span, value } in bfd.named("session", report) {
        if let Err(wrong) = value::wide_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        let section = Section::open(head("bfd.session", key), value, KEYS, report);
        let Some(section) = section else { continue };
        let Some(session) = read_one(&section, own_router_id, profiles, report) else { continue };
        let span = section.span_of("address");
        if let Some((_, first)) = places.iter().find(|(other, _)| is_same_path(other, &session)) {
            report
                .at(
                    span.clone(),
                    format!("two sessions watch the same path to {}", session.address),
                )
                .label("again here")
                .related(first.clone(), "first here")
                .help("there is one session for each path: whoever asks for it shares it");
        }
        places.push((session.clone(), span));
        sessions.insert(key.to_owned(), session);
    }
    sessions
}

/// On the link the other's address tells sessions apart, and the interface where that is given; over several hops both
/// addresses do.
fn is_same_path(a: &BfdSession, b: &BfdSession) -> bool {
    let same_interface = match (&a.interface, &b.interface) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    let same_hops = match (a.multihop, b.multihop) {
        (None, None) => same_interface,
        (Some(_), Some(_)) => a.local_address == b.local_address,
        _ => false,
    };
    a.address == b.address && same_hops
}

fn read_one(
    section: &Section<'_>,
    own_router_id: Option<RouterId>,
    profiles: &Profiles,
    report: &mut Report<'_>,
) -> Option<BfdSession> {
    let address = section.require("address", "address = \"192.0.2.2\"", report, address::unicast);
    let local_address = section.get("local-address", report, address::unicast);
    let interface = section.get("interface", report, |value| value::interface(value::text(value)?));
    let multihop = section.number("multihop", 1..=255, report);
    let names: BTreeSet<&str> = profiles.keys().map(String::as_str).collect();
    let profile = reference::known(section, "profile", &PROFILE, &names, report);
    let router_id = section.get("router-id", report, router_id);
    if router_id.is_some() && router_id == own_router_id {
        report
            .at(section.span_of("router-id"), "`router-id` is our own")
            .label("expected that of the router at the other end");
    }
    let session = BfdSession {
        address: address?,
        local_address,
        interface,
        multihop,
        profile: profile.unwrap_or_else(|| "default".to_owned()),
        router_id,
    };
    check(&session, section, report);
    Some(session)
}

fn check(session: &BfdSession, section: &Section<'_>, report: &mut Report<'_>) {
    if let Some(local) = session.local_address {
        if local.is_ipv4() != session.address.is_ipv4() {
            report
                .at(
                    section.span_of("local-address"),
                    "`local-address` is of the other address family",
                )
                .label(format!("not {}", address::family(session.address)))
                .related(section.span_of("address"), "the other side's");
        } else if local == session.address {
            report
                .at(section.span_of("local-address"), "both ends have the same address")
                .label("ours")
                .related(section.span_of("address"), "the other side's");
        }
    }
    let link_local = address::is_link_local(session.address);
    if section.has("multihop") {
        if section.has("interface") {
            report
                .at(section.span_of("interface"), "`interface` of a multihop session")
                .label("has no effect: routing decides")
                .related(section.span_of("multihop"), "over several hops");
        }
        if !section.has("local-address") {
            report
                .at(section.span_of("multihop"), "a multihop session needs our own address")
                .label("`local-address` is missing")
                .help(format!("add a line such as {}", example_of_local(session.address)));
        }
        if link_local {
            report
                .at(section.span_of("address"), "a link-local address over several hops")
                .label("means nothing behind the link")
                .related(section.span_of("multihop"), "over several hops");
        }
    } else if link_local && !section.has("interface") {
        report
            .at(section.span_of("address"), format!("{} is a link-local address", session.address))
            .label("does not say on which link")
            .help("add a line such as `interface = \"eth1\"`");
    }
}

fn example_of_local(remote: IpAddr) -> &'static str {
    match remote {
        IpAddr::V4(_) => "`local-address = \"192.0.2.1\"`",
        IpAddr::V6(_) => "`local-address = \"2001:db8::1\"`",
    }
}
