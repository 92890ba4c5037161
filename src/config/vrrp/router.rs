//! `[vrrp.NAME]`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use toml::de::DeValue;

use super::Vrrp;
use super::check;
use super::track;
use crate::config::address;
use crate::config::node::{NodeParts, router_id};
use crate::config::ospf::Ospf;
use crate::config::report::Report;
use crate::config::section::{Entry, Section, head};
use crate::config::tracked::Names;
use crate::config::value::{self, Wrong};
use crate::types::RouterId;
use crate::vrrp::{Checksum, MacKind, Version};

pub(in crate::config) const KEYS: &[&str] = &[
    "interface",
    "id",
    "version",
    "addresses",
    "priority",
    "interval",
    "preempt",
    "preempt-delay",
    "accept",
    "mac",
    "source-address",
    "unicast-peers",
    "checksum",
    "sync-group",
    "announcements",
    "announcement-interval",
    "twin",
    "track",
];

const MAC_KINDS: [(&str, MacKind); 2] =
    [("virtual", MacKind::Virtual), ("physical", MacKind::Physical)];

const CHECKSUMS: [(&str, Checksum); 2] =
    [("pseudo-header", Checksum::PseudoHeader), ("plain", Checksum::Plain)];

/// An advertisement that fits a frame of 1500 octets: IPv6 header, 8 octets, and 16 for each address.
const MOST_IPV6_ADDRESSES: usize = 90;

/// They are counted in one octet.
const MOST_IPV4_ADDRESSES: usize = 255;

const SECOND: Duration = Duration::from_secs(1);

pub(in crate::config) fn read(
    root: &Section<'_>,
    node: &NodeParts,
    ospf: Option<&Ospf>,
    names: &Names<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Vrrp> {
    let router_id = ospf.map(|ospf| ospf.settings.router_id).or(node.router_id);
    let mut routers = Vec::new();
    for Entry { key, key_span, value } in root.named("vrrp", report) {
        if let Err(wrong) = value::narrow_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        let Some(section) = Section::open(head("vrrp", key), value, KEYS, report) else { continue };
        if let Some(router) = read_one(&section, router_id, names, report) {
            check::alone(&router, &section, report);
            routers.push(check::Placed { name: key, router, section });
        }
    }
    check::together(&routers, report);
    routers.into_iter().map(|placed| (placed.name.to_owned(), placed.router)).collect()
}

/// `None` if a key that others depend on is missing or wrong.
fn read_one(
    section: &Section<'_>,
    own_router_id: Option<RouterId>,
    names: &Names<'_>,
    report: &mut Report<'_>,
) -> Option<Vrrp> {
    let interface = section.require("interface", "interface = \"eth1\"", report, |value| {
        value::interface(value::text(value)?)
    });
    let vrid = section.require("id", "id = 1", report, |value| value::number(value, 1..=255));
    let version = section.number("version", 2..=3, report);
    let addresses = read_addresses(section, report);
    let priority = section.number("priority", 1..=255, report).unwrap_or(100);
    let version = match version {
        Some(2) => Some(Version::V2),
        Some(_) => Some(Version::V3),
        None => (!section.has("version")).then_some(Version::V3),
    };
    let interval = section.get("interval", report, |value| interval(value, version));
    let preempt = section.boolean("preempt", report).unwrap_or(true);
    let hour = Duration::from_secs(3600);
    let preempt_delay = section.get("preempt-delay", report, |value| {
        value::duration_within(value, Duration::ZERO..=hour, "from 0s to 1h")
    });
    let accept = section.boolean("accept", report).unwrap_or(true);
    let mac = section.get("mac", report, |value| value::choice(value, &MAC_KINDS));
    let source = section.get("source-address", report, address::unicast);
    let unicast_peers = section.list("unicast-peers", report, address::unicast);
    let checksum = section.get("checksum", report, |value| value::choice(value, &CHECKSUMS));
    let sync_group =
        section.get("sync-group", report, |value| value::narrow_name(value::text(value)?));
    let announcements = section.number("announcements", 1..=255, report).unwrap_or(5);
    let announcement_interval = section.get("announcement-interval", report, |value| {
        let range = Duration::from_millis(10)..=60 * SECOND;
        value::duration_within(value, range, "from 10ms to 60s")
    });
    let twin = section.get("twin", report, router_id);
    if twin.is_some() && twin == own_router_id {
        report
            .at(section.span_of("twin"), "`twin` is our own router id")
            .label("expected that of the other node");
    }
    let interface = interface?;
    let tracks = track::read(section, &interface, names, report);
    Some(Vrrp {
        interface,
        vrid: vrid?,
        version: version?,
        addresses: addresses?,
        priority,
        interval: interval.unwrap_or(SECOND),
        preempt,
        preempt_delay: preempt_delay.unwrap_or(Duration::ZERO),
        accept,
        mac: mac.unwrap_or(MacKind::Virtual),
        source,
        unicast_peers: value::inner(unicast_peers.unwrap_or_default()),
        checksum: checksum.unwrap_or(Checksum::PseudoHeader),
        sync_group,
        announcements,
        announcement_interval: announcement_interval.unwrap_or(SECOND),
        twin,
        tracks,
    })
}

/// At least one, all of one family.
fn read_addresses(section: &Section<'_>, report: &mut Report<'_>) -> Option<Vec<IpAddr>> {
    section.report_missing("addresses", "addresses = [\"192.0.2.1\"]", report);
    let addresses = section.list("addresses", report, address::unicast)?;
    let Some(first) = addresses.first() else {
        report
            .at(section.span_of("addresses"), "`addresses` is empty")
            .label("a virtual router has at least one address");
        return None;
    };
    let is_ipv6 = first.get_ref().is_ipv6();
    if let Some(other) = addresses.iter().find(|other| other.get_ref().is_ipv6() != is_ipv6) {
        report
            .at(other.span(), "addresses of both families")
            .label("of the other family")
            .related(first.span(), "of one family")
            .help("a virtual router has one family: add another section, perhaps with the same id");
        return None;
    }
    if is_ipv6 && !address::is_link_local(*first.get_ref()) {
        report
            .at(first.span(), "the first IPv6 address of a virtual router must be link-local")
            .label("not link-local")
            .help("put one such as \"fe80::1\" first: hosts know their gateway by it (RFC 9568 §5.2.9)");
    }
    let most = if is_ipv6 { MOST_IPV6_ADDRESSES } else { MOST_IPV4_ADDRESSES };
    if addresses.len() > most {
        report
            .at(section.span_of("addresses"), format!("more than {most} addresses"))
            .label(format!("{} addresses", addresses.len()))
            .help("an advertisement has room for no more: add another virtual router");
    }
    Some(value::inner(addresses))
}

/// In version 3 centiseconds in 12 bits, in version 2 seconds in an octet.
fn interval(value: &DeValue<'_>, version: Option<Version>) -> Result<Duration, Wrong> {
    const CENTISECOND: Duration = Duration::from_millis(10);
    let (step, most, bounds) = match version {
        Some(Version::V2) => (SECOND, 255, "from 1s to 255s, in whole seconds"),
        Some(Version::V3) => (CENTISECOND, 4095, "from 10ms to 40.95s, in steps of 10ms"),
        None => return value::duration(value),
    };
    let interval = value::duration(value)?;
    let is_whole = interval.as_nanos().is_multiple_of(step.as_nanos());
    if is_whole && (step..=step * most).contains(&interval) {
        return Ok(interval);
    }
    let wrong = Wrong::new(format!("{{key}} must be {bounds}")).label("cannot be advertised");
    Err(match version {
        Some(Version::V2) => wrong.help("version 3 has parts of a second"),
        _ => wrong,
    })
}
