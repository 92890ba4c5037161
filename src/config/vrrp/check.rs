//! Checks between the values of a virtual router, and between virtual routers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Vrrp;
use crate::config::address;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::group::nearest;
use crate::vrrp::Version;

/// The priority of the owner of the addresses (RFC 9568 §6.1).
const OWNER: u8 = 255;

/// A virtual router with its section of the file.
pub(super) struct Placed<'t> {
    pub name: &'t str,
    pub router: Vrrp,
    pub section: Section<'t>,
}

/// Of one virtual router.
pub(super) fn alone(router: &Vrrp, section: &Section<'_>, report: &mut Report<'_>) {
    if router.version == Version::V2 && router.is_ipv6() {
        report
            .at(section.span_of("addresses"), "IPv6 addresses in version 2")
            .label("IPv6 is in version 3 only")
            .related(section.span_of("version"), "version 2 (RFC 3768)");
    }
    if section.has("checksum") && (router.version == Version::V2 || router.is_ipv6()) {
        report
            .at(section.span_of("checksum"), "`checksum` is for IPv4 in version 3")
            .label("has no effect: there is one kind only here");
    }
    if router.priority == OWNER {
        check_owner(router, section, report);
    } else if !router.preempt && section.has("preempt-delay") {
        report
            .at(section.span_of("preempt-delay"), "`preempt-delay` without preemption")
            .label("has no effect")
            .related(section.span_of("preempt"), "turned off");
    }
    check_source(router, section, report);
    check_peers(router, section, report);
}

fn check_owner(router: &Vrrp, section: &Section<'_>, report: &mut Report<'_>) {
    let without_effect = [
        ("preempt", !router.preempt, "the owner always preempts"),
        ("preempt-delay", section.has("preempt-delay"), "the owner preempts at once"),
        ("accept", !router.accept, "the owner always answers"),
        ("track", section.has("track"), "the owner always has priority 255"),
    ];
    for (key, _, reason) in without_effect.iter().filter(|(_, given, _)| *given) {
        report
            .at(section.span_of(key), format!("`{key}` of the owner of the addresses"))
            .label(format!("has no effect: {reason} (RFC 9568 §6.1)"))
            .related(section.span_of("priority"), "the owner's priority")
            .help("a router that does not have the addresses itself has 254 at most");
    }
}

fn check_source(router: &Vrrp, section: &Section<'_>, report: &mut Report<'_>) {
    let Some(source) = router.source else { return };
    let span = section.span_of("source-address");
    if source.is_ipv6() != router.is_ipv6() {
        report
            .at(span, "`source-address` is of the other address family")
            .label(format!("not {}", router.family()))
            .related(section.span_of("addresses"), "the virtual router's");
    } else if router.addresses.contains(&source) && router.priority != OWNER {
        report
            .at(span, "`source-address` is an address of the virtual router")
            .label("we have it only while we are active")
            .help("name an address of the interface itself");
    } else if source.is_ipv6() && router.unicast_peers.is_empty() && !address::is_link_local(source)
    {
        report
            .at(span, "`source-address` must be link-local")
            .label("not link-local (RFC 9568 §5.1.2.1)");
    }
}

fn check_peers(router: &Vrrp, section: &Section<'_>, report: &mut Report<'_>) {
    let span = || section.span_of("unicast-peers");
    if section.has("unicast-peers") && router.unicast_peers.is_empty() {
        report
            .at(span(), "`unicast-peers` is empty")
            .label("nobody would hear us")
            .help("leave it out for multicast");
    }
    let is_other = |peer: &&IpAddr| peer.is_ipv6() != router.is_ipv6();
    if let Some(peer) = router.unicast_peers.iter().find(is_other) {
        report
            .at(span(), format!("{peer} is of the other address family"))
            .label(format!("not {}", router.family()))
            .related(section.span_of("addresses"), "the virtual router's");
    }
    let is_ours = |peer: &&IpAddr| router.addresses.contains(peer) || router.source == Some(**peer);
    if let Some(peer) = router.unicast_peers.iter().find(is_ours) {
        report
            .at(span(), format!("{peer} is not another node"))
            .label("an address of the virtual router, or our own")
            .help("name the other node's own address on the link");
    }
}

/// Of all virtual routers, in the order of the text.
pub(super) fn together(routers: &[Placed<'_>], report: &mut Report<'_>) {
    check_ids(routers, report);
    check_addresses(routers, report);
    let mut groups: BTreeMap<&str, Vec<&Placed<'_>>> = BTreeMap::new();
    for placed in routers {
        if let Some(group) = &placed.router.sync_group {
            groups.entry(group).or_default().push(placed);
        }
    }
    for (group, members) in &groups {
        let others = groups.keys().copied().filter(|other| other != group);
        check_group(group, members, others, routers, report);
    }
}

/// Ids are unique on a link, for each family.
fn check_ids(routers: &[Placed<'_>], report: &mut Report<'_>) {
    let mut taken = BTreeMap::new();
    for Placed { router, section, .. } in routers {
        let id = (&router.interface, router.vrid, router.is_ipv6());
        let span = section.span_of("id");
        let Some(first) = taken.get(&id) else {
            taken.insert(id, span);
            continue;
        };
        let (family, interface, vrid) = (router.family(), &router.interface, router.vrid);
        report
            .at(span, format!("two {family} virtual routers on {interface} have the id {vrid}"))
            .label("again here")
            .related(std::ops::Range::clone(first), "first here");
    }
}

/// A link-local address may be on several links.
fn check_addresses(routers: &[Placed<'_>], report: &mut Report<'_>) {
    let mut taken = BTreeMap::new();
    for Placed { router, section, .. } in routers {
        for address in &router.addresses {
            let link = address::is_link_local(*address).then_some(&router.interface);
            let span = section.span_of("addresses");
            let Some(first) = taken.get(&(address, link)) else {
                taken.insert((address, link), span);
                continue;
            };
            report
                .at(span, format!("two virtual routers have the address {address}"))
                .label("again here")
                .related(std::ops::Range::clone(first), "first here");
        }
    }
}

/// The members of a sync group change together, so what decides on a change is the same for them.
fn check_group<'a>(
    group: &str,
    members: &[&Placed<'_>],
    others: impl Iterator<Item = &'a str>,
    routers: &[Placed<'_>],
    report: &mut Report<'_>,
) {
    let Some((first, rest)) = members.split_first() else { return };
    let key = "sync-group";
    if rest.is_empty() {
        let meant = nearest(group, others);
        report
            .at(first.section.span_of(key), format!("sync group `{group}` has one member"))
            .label("there is nothing to keep in step with")
            .did_you_mean(meant);
    }
    if routers.iter().any(|placed| placed.name == group) {
        report
            .at(first.section.span_of(key), format!("`{group}` is a virtual router as well"))
            .label("a sync group has another name");
    }
    for other in rest {
        let (a, b) = (&first.router, &other.router);
        let differing = [
            ("preempt", a.preempt != b.preempt),
            ("preempt-delay", a.preempt_delay != b.preempt_delay),
        ];
        for (key, _) in differing.iter().filter(|(_, differs)| *differs) {
            report
                .at(
                    other.section.span_of(key),
                    format!("the members of sync group `{group}` differ in `{key}`"),
                )
                .label(format!("of {}", other.section.name))
                .related(first.section.span_of(key), format!("of {}", first.section.name))
                .help("they change their roles together: give all of them the same");
        }
    }
}
