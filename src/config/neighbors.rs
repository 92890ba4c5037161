//! Reads `[neighbor.*]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::address;
use super::bfd::{self, Profiles};
use super::node::as_number;
use super::policy::{Direction, Policies, read_chain};
use super::reference::{self, ReadSecret, read_class};
use super::report::Report;
use super::section::{Entry, Section};
use super::value::{self, Wrong};
use super::{Export, GracefulRestart, Import, Kernel, Listen, Neighbor, Ttl};
use crate::types::{Asn, Family};
use crate::wire::bgp::Role;

pub(super) const KEYS: &[&str] = &[
    "address",
    "remote-as",
    "local-address",
    "port",
    "passive",
    "families",
    "next-hop-ipv4",
    "next-hop-ipv6",
    "class",
    "import",
    "export",
    "import-policy",
    "export-policy",
    "rpki",
    "role",
    "role-strict",
    "hold-time",
    "connect-retry",
    "send-hold-time",
    "maximum-prefixes",
    "graceful-restart",
    "ttl-security",
    "multihop",
    "password-file",
    "bfd",
    "bfd-strict",
    "bfd-multihop",
    "shutdown",
];

/// What the checks need of the rest of the file; `None` where it could not be read.
pub(super) struct Context<'a> {
    pub asn: Option<Asn>,
    pub listen: Option<&'a Listen>,
    pub classes: &'a BTreeSet<&'a str>,
    pub profiles: &'a Profiles,
    pub policies: &'a Policies,
    pub kernel: Option<&'a Kernel>,
    /// Whether an RPKI cache is configured.
    pub has_caches: bool,
}

/// RFC 9003 §2.
const SHUTDOWN_OCTETS: usize = 255;

pub(super) fn read(
    root: &Section<'_>,
    context: &Context<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Neighbor> {
    let mut neighbors = BTreeMap::new();
    // Where each address was named first.
    let mut taken: BTreeMap<IpAddr, Range<usize>> = BTreeMap::new();
    for Entry { key, key_span, value } in root.named("neighbor", report) {
        if let Err(wrong) = value::wide_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        let name = format!("[neighbor.{key}]");
        let Some(section) = Section::open(name, value, KEYS, report) else { continue };
        let neighbor = read_one(&section, context, read_secret, report);
        if let Some(neighbor) = neighbor {
            let span = section.span_of("address");
            match taken.get(&neighbor.address) {
                Some(first) => {
                    report
                        .at(span, format!("two neighbors have the address {}", neighbor.address))
                        .label("again here")
                        .related(first.clone(), "first here");
                }
                None => {
                    taken.insert(neighbor.address, span);
                }
            }
            neighbors.insert(key.to_owned(), neighbor);
        }
    }
    neighbors
}

/// `None` if a key that others depend on is missing or wrong.
fn read_one(
    section: &Section<'_>,
    context: &Context<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Option<Neighbor> {
    let address =
        section.require("address", "address = \"192.0.2.254\"", report, address::wide_unicast);
    let remote_as = section.require("remote-as", "remote-as = 64496", report, as_number);
    let hold_time = section.get("hold-time", report, hold_time);
    let hold_time = hold_time.unwrap_or(Duration::from_secs(90));
    let import = section.get("import", report, |value| value::choice(value, &IMPORT));
    let password = reference::secret(section, "password-file", read_secret, report);
    let ttl = read_ttl(section, report);
    let families = section.list("families", report, |value| value::choice(value, &FAMILIES));
    let local_address = section.get("local-address", report, address::wide_unicast);
    let next_hop_ipv4 = section.get("next-hop-ipv4", report, address::unicast_ipv4);
    let next_hop_ipv6 = section.get("next-hop-ipv6", report, address::wide_ipv6);
    let class = read_class(section, context.classes, report);
    let export = section.get("export", report, |value| value::choice(value, &EXPORT));
    let imports = matches!(import, Some(Import::All | Import::DefaultOnly));
    let import_policy = read_chain(section, Direction::Import, imports, context.policies, report);
    let exports = matches!(export, Some(Export::Groups | Export::Transit));
    let export_policy = read_chain(section, Direction::Export, exports, context.policies, report);
    let rejects_invalid = section.get("rpki", report, |value| value::choice(value, &RPKI));
    let role = section.get("role", report, |value| value::choice(value, &ROLES));
    let role_strict = section.boolean("role-strict", report).unwrap_or(false);
    let port = section.number("port", 1..=65535, report).unwrap_or(179);
    let passive = section.boolean("passive", report).unwrap_or(false);
    let connect_retry = section.get("connect-retry", report, connect_retry);
    let send_hold_time = section.get("send-hold-time", report, |value| {
        value::duration_within(value, Duration::ZERO..=DAY, "from 0s (off) to 24h")
    });
    let maximum_prefixes = section.number("maximum-prefixes", 1..=u64::from(u32::MAX), report);
    let graceful_restart =
        section.get("graceful-restart", report, |value| value::choice(value, &GRACEFUL_RESTART));
    let bfd = bfd::read_use(section, &["bfd-multihop"], context.profiles, report);
    let bfd_multihop = section.boolean("bfd-multihop", report);
    let shutdown = section.get("shutdown", report, shutdown);

    let (address, remote_as) = (address?, remote_as?);
    if families.as_ref().is_some_and(Vec::is_empty) {
        report
            .at(section.span_of("families"), "`families` is empty")
            .label("expected \"ipv4\", \"ipv6\" or both");
    }
    let families = match families {
        Some(families) => families.into_iter().map(Spanned::into_inner).collect(),
        None => BTreeSet::from([family_of(address)]),
    };
    let internal = context.asn == Some(remote_as);
    let neighbor = Neighbor {
        address,
        remote_as,
        internal,
        local_address,
        port,
        passive,
        families,
        next_hop_ipv4,
        next_hop_ipv6,
        class,
        import,
        export,
        // Inside an AS its edges have looked already, and a policy that looks decides by itself.
        rejects_invalid: rejects_invalid.unwrap_or(!internal && !import_policy.looks_at_validity()),
        import_policy,
        export_policy,
        role,
        role_strict,
        hold_time,
        connect_retry: connect_retry.unwrap_or(Duration::from_secs(5)),
        // RFC 9687 recommends the greater of 8 minutes and twice the hold time.
        send_hold_time: send_hold_time
            .unwrap_or_else(|| Duration::from_secs(8 * 60).max(hold_time * 2)),
        maximum_prefixes: maximum_prefixes.unwrap_or(match import {
            Some(Import::DefaultOnly) => 16,
            Some(Import::All | Import::None) | None => 1_000_000,
        }),
        graceful_restart: graceful_restart.unwrap_or(GracefulRestart::Helper),
        ttl,
        password,
        bfd_multihop: bfd.is_some()
            && bfd_multihop.unwrap_or_else(|| may_be_far_away(internal, ttl)),
        bfd,
        shutdown,
    };
    check(&neighbor, section, context, report);
    check_bfd(&neighbor, section, context, report);
    Some(neighbor)
}

/// Whether the neighbour need not be on the link.
fn may_be_far_away(internal: bool, ttl: Ttl) -> bool {
    match ttl {
        Ttl::Usual => internal,
        Ttl::Security { hops } => hops > 1,
        Ttl::Multihop { .. } => true,
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

const IMPORT: [(&str, Import); 3] =
    [("none", Import::None), ("default-only", Import::DefaultOnly), ("all", Import::All)];

const EXPORT: [(&str, Export); 3] =
    [("none", Export::None), ("groups", Export::Groups), ("transit", Export::Transit)];

/// Whether routes with an invalid origin are rejected.
const RPKI: [(&str, bool); 2] = [("reject-invalid", true), ("ignore", false)];

const FAMILIES: [(&str, Family); 2] = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

const GRACEFUL_RESTART: [(&str, GracefulRestart); 3] = [
    ("off", GracefulRestart::Off),
    ("helper", GracefulRestart::Helper),
    ("restart", GracefulRestart::Restart),
];

const ROLES: [(&str, Role); 5] = [
    ("provider", Role::Provider),
    ("customer", Role::Customer),
    ("peer", Role::Peer),
    ("route-server", Role::RouteServer),
    ("route-server-client", Role::RouteServerClient),
];

fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}

/// Checks between the values of one neighbour, and between it and the rest of the file.
fn check(
    neighbor: &Neighbor,
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) {
    let family = family_of(neighbor.address);
    let name = &section.name;
    if let Some(local) = neighbor.local_address
        && family_of(local) != family
    {
        report
            .at(section.span_of("local-address"), "`local-address` is of the other address family")
            .label(format!("not {family}"))
            .related(section.span_of("address"), format!("the neighbor's address is {family}"));
    }
    if neighbor.passive
        && let Some(listen) = context.listen
        && !listen.addresses.iter().any(|address| family_of(*address) == family)
    {
        report
            .at(
                section.span_of("passive"),
                format!("{name} waits for connections that nobody accepts"),
            )
            .label(format!("[listen] has no {family} address"))
            .help("add an address in [listen], or let us dial: `passive = false`");
    }
    check_next_hops(neighbor, family, section, report);
    if neighbor.internal {
        if section.has("role") {
            // RFC 9234 §4: roles are between different autonomous systems.
            report
                .at(section.span_of("role"), "a role on an iBGP neighbor")
                .label("roles are for eBGP (RFC 9234)")
                .related(section.span_of("remote-as"), "our own AS number: iBGP");
        }
        if section.has("multihop") {
            report
                .at(section.span_of("multihop"), "`multihop` on an iBGP neighbor")
                .label("has no effect: iBGP may cross any number of hops")
                .related(section.span_of("remote-as"), "our own AS number: iBGP");
        }
    }
    if section.has("rpki") && neighbor.rejects_invalid && !context.has_caches {
        report
            .at(section.span_of("rpki"), "`rpki = \"reject-invalid\"` without a cache")
            .label("has no effect: nothing says what is valid")
            .help("add a section such as [rpki.cache.validator]");
    }
    if neighbor.graceful_restart == GracefulRestart::Restart
        && context.kernel.is_some_and(|kernel| !kernel.install)
    {
        report
            .at(
                section.span_of("graceful-restart"),
                "`graceful-restart = \"restart\"` without routes in the kernel",
            )
            .label("nothing forwards while we restart")
            .help("without `install = false` in [kernel], or \"helper\" here");
    }
    if neighbor.role_strict && !section.has("role") {
        report
            .at(section.span_of("role-strict"), "`role-strict` without a role")
            .label("nothing to be strict about")
            .help("add our own role, such as `role = \"customer\"`");
    }
    // RFC 9687: it must not end a session that the neighbour still has time to answer.
    if !neighbor.send_hold_time.is_zero() && neighbor.send_hold_time <= neighbor.hold_time {
        report
            .at(
                section.span_of("send-hold-time"),
                "`send-hold-time` must be longer than `hold-time`",
            )
            .label(format!("not longer than {}s", neighbor.hold_time.as_secs()))
            .help("or \"0s\" to turn it off");
    }
}

fn check_bfd(
    neighbor: &Neighbor,
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) {
    let Some(bfd) = &neighbor.bfd else { return };
    if !neighbor.hold_time.is_zero() {
        let hold_time = neighbor.hold_time;
        bfd::check_sooner(bfd, "hold-time", hold_time, section, context.profiles, report);
    }
    // Both ends configure the addresses of such a session (RFC 5883 §3).
    if neighbor.bfd_multihop && !section.has("local-address") {
        let key = if section.has("bfd-multihop") { "bfd-multihop" } else { "bfd" };
        report
            .at(section.span_of(key), "BFD over several hops needs our own address")
            .label("`local-address` is missing")
            .help("add it, or `bfd-multihop = false` if the neighbor is on the link");
    }
}

/// A family's own next hop can be left out where our address on the session serves, and for IPv4
/// over IPv6 (RFC 8950).
fn check_next_hops(
    neighbor: &Neighbor,
    family: Family,
    section: &Section<'_>,
    report: &mut Report<'_>,
) {
    let announces = matches!(neighbor.export, Some(Export::Groups | Export::Transit));
    if announces
        && family == Family::Ipv4
        && neighbor.families.contains(&Family::Ipv6)
        && !section.has("next-hop-ipv6")
    {
        report
            .at(section.span_of("families"), format!("{} has no next hop for ipv6", section.name))
            .label("ipv6 over an IPv4 session")
            .help("add our IPv6 address on that link: `next-hop-ipv6 = \"2001:db8::1\"`");
    }
    for (key, family) in [("next-hop-ipv4", Family::Ipv4), ("next-hop-ipv6", Family::Ipv6)] {
        if section.has(key) && !neighbor.families.contains(&family) {
            let draft = report
                .at(section.span_of(key), format!("`{key}` without the family {family}"))
                .label("has no effect");
            if section.has("families") {
                draft.related(section.span_of("families"), format!("{family} is not here"));
            } else {
                draft.help("add `families = [\"ipv4\", \"ipv6\"]`");
            }
        }
    }
}

fn read_ttl(section: &Section<'_>, report: &mut Report<'_>) -> Ttl {
    let hops = section.number("ttl-security", 1..=254, report);
    let ttl = section.number("multihop", 2..=255, report);
    if section.has("ttl-security") && section.has("multihop") {
        report
            .at(section.span_of("multihop"), "`multihop` and `ttl-security` exclude each other")
            .label("sends with a small TTL")
            .related(section.span_of("ttl-security"), "sends with TTL 255")
            .help("for a neighbor N hops away `ttl-security = N` is enough");
    }
    match (hops, ttl) {
        (Some(hops), _) => Ttl::Security { hops },
        (None, Some(ttl)) => Ttl::Multihop { ttl },
        (None, None) => Ttl::Usual,
    }
}

/// RFC 4271 §4.2: zero, or at least three seconds.
fn hold_time(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let span = value::duration(value)?;
    match (span.as_secs(), span.subsec_nanos()) {
        (0 | 3..=65535, 0) => Ok(span),
        _ => Err(Wrong::new("{key} must be 0s or from 3s to 65535s, in whole seconds")
            .label("not allowed by RFC 4271")
            .help("the usual value is \"90s\"; \"0s\" turns keepalives off")),
    }
}

fn connect_retry(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let range = Duration::from_millis(100)..=Duration::from_secs(120);
    value::duration_within(value, range, "from 100ms to 120s")
}

fn shutdown(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = value::text(value)?;
    if text.len() > SHUTDOWN_OCTETS {
        return Err(Wrong::new(format!("{{key}} is longer than {SHUTDOWN_OCTETS} octets"))
            .label(format!("{} octets", text.len()))
            .help("RFC 9003 has room for no more"));
    }
    Ok(text.to_owned())
}
