//! `[ospf.interface.NAME]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::de::DeValue;

use super::{OspfFollow, authentication};
use crate::config::address::unicast_ipv4;
use crate::config::bfd::{self, BfdUse, Profiles};
use crate::config::reference::{self, ROUTER, ReadSecret};
use crate::config::report::Report;
use crate::config::section::{Entry, Section, entries, head};
use crate::config::value::{self, Wrong};
use crate::ospf::{InterfaceSettings, NetworkKind, Watch};

pub(in crate::config) const KEYS: &[&str] = &[
    "network",
    "passive",
    "cost",
    "hello-interval",
    "dead-interval",
    "retransmit-interval",
    "transmit-delay",
    "priority",
    "mtu-ignore",
    "address",
    "authentication",
    "password-file",
    "extended-sequence",
    "key",
    "bfd",
    "bfd-strict",
    "follow",
    "backup-cost",
];

/// Those that mean something where no packet is sent.
const LOOPBACK_KEYS: &[&str] = &["network", "cost", "address", "follow", "backup-cost"];

const NETWORKS: [(&str, NetworkKind); 3] = [
    ("broadcast", NetworkKind::Broadcast),
    ("point-to-point", NetworkKind::PointToPoint),
    ("loopback", NetworkKind::Loopback),
];

/// More than the way around over the other firewall costs, in most networks.
const BACKUP_COST: u16 = 1000;

const SECOND: Duration = Duration::from_secs(1);

/// What is said of interfaces, by their names.
#[derive(Default)]
pub(super) struct Interfaces {
    pub settings: BTreeMap<String, InterfaceSettings>,
    pub bfd: BTreeMap<String, BfdUse>,
    pub follow: BTreeMap<String, OspfFollow>,
}

pub(super) fn read(
    root: &Section<'_>,
    ospf: &Section<'_>,
    profiles: &Profiles,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Interfaces {
    let mut interfaces = Interfaces::default();
    let routers = root.names(&["vrrp"]);
    for Entry { key, key_span, value } in ospf.named("interface", report) {
        if let Err(wrong) = value::interface(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        if let Some(inner) = below_a_dot(value.get_ref()) {
            report
                .at(inner.key_span, format!("`{}` is no key of an interface", inner.key))
                .label("behind a dot")
                .help(format!(
                    "a name with a dot goes in quotes: [ospf.interface.\"{key}.{}\"]",
                    inner.key
                ));
            continue;
        }
        let head = head("ospf.interface", key);
        let Some(section) = Section::open(head, value, KEYS, report) else { continue };
        let mut settings = read_one(key, &section, read_secret, report);
        if let Some(bfd) = read_bfd(&settings, &section, profiles, report) {
            settings.bfd = if bfd.strict { Watch::Strict } else { Watch::On };
            interfaces.bfd.insert(key.to_owned(), bfd);
        }
        if let Some(follow) = read_follow(&settings, &section, &routers, report) {
            interfaces.follow.insert(key.to_owned(), follow);
        }
        interfaces.settings.insert(key.to_owned(), settings);
    }
    interfaces
}

/// TOML makes of `[ospf.interface.eth0.100]` a section in a section.
fn below_a_dot<'t>(interface: &'t DeValue<'t>) -> Option<Entry<'t>> {
    let inner = entries(interface.as_table()?);
    inner.into_iter().find(|entry| !KEYS.contains(&entry.key) && entry.value.get_ref().is_table())
}

fn read_one(
    name: &str,
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> InterfaceSettings {
    let network = read_network(name, section, report);
    let passive = section.boolean("passive", report).unwrap_or(false);
    let cost = section.number("cost", 1..=65535, report).unwrap_or(10);
    let (hello_interval, dead_interval) = read_intervals(section, report);
    let range = Duration::from_millis(100)..=Duration::from_secs(3600);
    let retransmit_interval = section.get("retransmit-interval", report, |value| {
        value::duration_within(value, range, "from 100ms to 1h")
    });
    let transmit_delay = section.get("transmit-delay", report, transmit_delay).unwrap_or(1);
    let priority = section.number("priority", 0..=255, report).unwrap_or(1);
    let mtu_ignore = section.boolean("mtu-ignore", report).unwrap_or(false);
    let address = section.get("address", report, unicast_ipv4);
    let authentication = authentication::read(section, read_secret, report);
    InterfaceSettings {
        network,
        passive,
        cost,
        hello_interval,
        dead_interval,
        retransmit_interval: retransmit_interval.unwrap_or(Duration::from_secs(5)),
        transmit_delay,
        priority,
        mtu_ignore,
        address,
        authentication,
        bfd: Watch::Off,
    }
}

fn read_bfd(
    settings: &InterfaceSettings,
    section: &Section<'_>,
    profiles: &Profiles,
    report: &mut Report<'_>,
) -> Option<BfdUse> {
    let bfd = bfd::read_use(section, &[], profiles, report)?;
    if settings.passive {
        report
            .at(section.span_of("bfd"), "`bfd` on a passive interface")
            .label("has no effect: there are no neighbors")
            .related(section.span_of("passive"), "passive");
    }
    let dead_interval = settings.dead_interval;
    bfd::check_sooner(&bfd, "dead-interval", dead_interval, section, profiles, report);
    Some(bfd)
}

/// The cost goes with the role of a virtual router.
fn read_follow(
    settings: &InterfaceSettings,
    section: &Section<'_>,
    routers: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> Option<OspfFollow> {
    let router = reference::known(section, "follow", &ROUTER, routers, report);
    let backup_cost = section.number("backup-cost", 1..=65535, report);
    if section.has("backup-cost") && !section.has("follow") {
        report
            .at(section.span_of("backup-cost"), "`backup-cost` without `follow`")
            .label("has no effect")
            .help("name the virtual router: `follow = \"inside\"`");
    }
    let read = backup_cost.is_some() || !section.has("backup-cost");
    let backup_cost = backup_cost.unwrap_or(BACKUP_COST);
    if section.has("follow") && read && backup_cost <= settings.cost {
        let at = if section.has("backup-cost") { "backup-cost" } else { "follow" };
        let draft = report
            .at(section.span_of(at), "`backup-cost` must be higher than `cost`")
            .label(format!("{backup_cost} is not higher than {}", settings.cost));
        if section.has("cost") {
            draft.related(section.span_of("cost"), "while it is active");
        }
    }
    Some(OspfFollow { router: router?, backup_cost })
}

fn read_network(name: &str, section: &Section<'_>, report: &mut Report<'_>) -> NetworkKind {
    let network = section.get("network", report, |value| value::choice(value, &NETWORKS));
    let is_loopback = name == "lo";
    if let Some(other) = network
        && is_loopback
        && other != NetworkKind::Loopback
    {
        report
            .at(section.span_of("network"), "`lo` is a loopback interface")
            .label("nobody is behind it")
            .help("leave `network` out");
    }
    let usual = if is_loopback { NetworkKind::Loopback } else { NetworkKind::Broadcast };
    let network = network.unwrap_or(usual);
    let without_effect: Vec<&str> = match network {
        NetworkKind::Broadcast => Vec::new(),
        NetworkKind::PointToPoint => vec!["priority"],
        NetworkKind::Loopback => {
            KEYS.iter().copied().filter(|key| !LOOPBACK_KEYS.contains(key)).collect()
        }
    };
    for key in without_effect.into_iter().filter(|key| section.has(key)) {
        let (kind, reason) = match network {
            NetworkKind::Loopback => ("loopback", "nothing is sent there"),
            _ => ("point-to-point", "there is no designated router"),
        };
        report
            .at(section.span_of(key), format!("`{key}` on a {kind} interface"))
            .label(format!("has no effect: {reason}"));
    }
    network
}

/// The hello interval, and the dead interval that goes with it.
fn read_intervals(section: &Section<'_>, report: &mut Report<'_>) -> (Duration, Duration) {
    let hello = section.get("hello-interval", report, hello_interval);
    let dead = section.get("dead-interval", report, dead_interval);
    let read = hello.is_some() || !section.has("hello-interval");
    let hello = hello.unwrap_or(10 * SECOND);
    let is_fast = hello < SECOND;
    if let Some(dead) = dead
        && read
    {
        let span = section.span_of("dead-interval");
        let draft = if is_fast && dead != SECOND {
            report
                .at(span, "with several Hellos a second `dead-interval` is 1s")
                .label("not 1s")
                .help("leave `dead-interval` out")
        } else if dead <= hello {
            report
                .at(span, "`dead-interval` must be longer than `hello-interval`")
                .label(format!("not longer than {hello:?}"))
                .help("the usual is four times as long")
        } else {
            return (hello, dead);
        };
        if section.has("hello-interval") {
            draft.related(section.span_of("hello-interval"), "the interval of Hellos");
        }
    }
    (hello, dead.unwrap_or(if is_fast { SECOND } else { hello * 4 }))
}

/// On the wire are whole seconds, and 0 for several Hellos a second: then neighbours reckon with a number of them
/// in the one second of the dead interval.
fn hello_interval(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let range = Duration::from_millis(100)..=65535 * SECOND;
    let interval = value::duration_within(value, range, "from 100ms to 65535s")?;
    if interval < SECOND && !SECOND.as_nanos().is_multiple_of(interval.as_nanos()) {
        return Err(Wrong::new("below a second {key} must be a part of one")
            .label("does not divide 1s")
            .help("one of \"500ms\", \"250ms\", \"200ms\", \"125ms\" and \"100ms\""));
    }
    if interval > SECOND {
        whole_seconds(interval)?;
    }
    Ok(interval)
}

fn dead_interval(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    // Four times the longest hello interval.
    let interval = value::duration_within(value, SECOND..=262_140 * SECOND, "from 1s to 262140s")?;
    whole_seconds(interval).map(|()| interval)
}

/// InfTransDelay. It must leave an LSA alive: MaxAge is 3600 s.
fn transmit_delay(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let delay = value::duration_within(value, SECOND..=3599 * SECOND, "from 1s to 3599s")?;
    whole_seconds(delay).map(|()| delay.as_secs() as u16)
}

fn whole_seconds(interval: Duration) -> Result<(), Wrong> {
    match interval.subsec_nanos() {
        0 => Ok(()),
        _ => Err(Wrong::new("{key} must be in whole seconds").label("has a part of a second")),
    }
}
