//! `[ospf]`: this node as a router of one area.

mod announcing;
pub(super) mod authentication;
pub(super) mod interface;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use toml::de::DeValue;

use super::bfd::{BfdUse, Profiles};
use super::node::{NodeParts, router_id};
use super::reference::{ReadSecret, read_class};
use super::report::Report;
use super::section::Section;
use super::value::{self, Wrong};
use crate::group::Group;
use crate::ospf::{Area, AreaKind, Settings, SpfDelays};
use crate::wire::ospf::AreaId;

pub(super) const KEYS: &[&str] = &[
    "area",
    "area-type",
    "router-id",
    "hostname",
    "export",
    "class",
    "min-ls-interval",
    "spf-initial-delay",
    "spf-short-delay",
    "spf-long-delay",
    "spf-time-to-learn",
    "spf-hold-down",
    "interface",
];

/// What the area hears of us, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Ospf {
    /// All but the number of paths, which is the kernel's: [`Config::ospf_settings`](super::Config::ospf_settings)
    /// gives the whole.
    pub(super) settings: Settings,
    /// `None`: not configured, so nothing is announced (as RFC 8212 has it for BGP).
    pub export: Option<OspfExport>,
    /// Of the mapping; [`Config::mapping`](super::Config::mapping) has it.
    pub class: String,
    /// By the interface's name: those whose neighbours have a BFD session.
    pub bfd: BTreeMap<String, BfdUse>,
    /// By the interface's name: those whose cost goes with the role of a virtual router.
    pub follow: BTreeMap<String, OspfFollow>,
}

/// The keys `follow` and `backup-cost` of an OSPF interface: so that the traffic towards its network comes to the
/// firewall that is Active, which knows the connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OspfFollow {
    /// `[vrrp.NAME]`.
    pub router: String,
    /// While that is not Active here; more than the usual cost.
    pub backup_cost: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OspfExport {
    None,
    /// What the groups and the operators announce.
    Groups,
}

/// What the checks need of the rest of the file.
pub(super) struct Context<'a> {
    pub node: &'a NodeParts,
    pub classes: &'a BTreeSet<&'a str>,
    pub groups: &'a BTreeMap<String, Group>,
    pub profiles: &'a Profiles,
}

const AREA_KINDS: [(&str, AreaKind); 3] =
    [("normal", AreaKind::Normal), ("stub", AreaKind::Stub), ("nssa", AreaKind::Nssa)];

const EXPORT: [(&str, OspfExport); 2] =
    [("none", OspfExport::None), ("groups", OspfExport::Groups)];

/// The neighbours' MinLSArrival of 1 s, and room for jitter on the way to them.
const MIN_LS_INTERVAL: Duration = Duration::from_millis(1050);

impl Ospf {
    /// `None` also where something that is reported is missing.
    pub(super) fn read(
        root: &Section<'_>,
        context: &Context<'_>,
        read_secret: &mut ReadSecret<'_>,
        report: &mut Report<'_>,
    ) -> Option<Ospf> {
        let value = root.value("ospf")?;
        let section = Section::open("[ospf]".to_owned(), value, KEYS, report)?;
        let area = read_area(&section, report);
        let router_id = section.get("router-id", report, router_id).or(context.node.router_id);
        let hostname =
            section.get("hostname", report, |value| value::wide_name(value::text(value)?));
        let export = section.get("export", report, |value| value::choice(value, &EXPORT));
        let class = read_class(&section, context.classes, report);
        // No more than what RFC 2328 Appendix B has for it.
        let intervals = Duration::ZERO..=Duration::from_secs(5);
        let min_ls_interval = section.get("min-ls-interval", report, |value| {
            value::duration_within(value, intervals, "from 0s (off) to 5s")
        });
        let spf = read_spf_delays(&section, report);
        let interfaces = interface::read(root, &section, context.profiles, read_secret, report);
        if !section.has("interface") {
            report
                .at(section.span.clone(), "[ospf] has no interface")
                .label("a router without neighbors")
                .help("add a section such as [ospf.interface.eth1]");
        }
        if export == Some(OspfExport::Groups) {
            announcing::check(root, &section, area, &class, context.groups, report);
        }
        let hostname = hostname.or_else(|| context.node.name.clone());
        Some(Ospf {
            settings: Settings {
                router_id: router_id?,
                hostname: hostname?,
                area,
                interfaces: interfaces.settings,
                spf,
                min_ls_interval: min_ls_interval.unwrap_or(MIN_LS_INTERVAL),
                max_paths: 1,
            },
            export,
            class,
            bfd: interfaces.bfd,
            follow: interfaces.follow,
        })
    }
}

fn read_area(section: &Section<'_>, report: &mut Report<'_>) -> Area {
    let id = section.get("area", report, area_id);
    let kind = section.get("area-type", report, |value| value::choice(value, &AREA_KINDS));
    let kind = kind.unwrap_or(AreaKind::Normal);
    let is_backbone = id == Some(AreaId::BACKBONE) || !section.has("area");
    if is_backbone && kind != AreaKind::Normal {
        let draft = report
            .at(section.span_of("area-type"), "the backbone is always a normal area")
            .label("not for area 0.0.0.0 (RFC 2328 §3.6)");
        if section.has("area") {
            draft.related(section.span_of("area"), "the backbone");
        } else {
            draft.help("name the area: `area = \"0.0.0.1\"`");
        }
        return Area { id: AreaId::BACKBONE, kind: AreaKind::Normal };
    }
    Area { id: id.unwrap_or(AreaId::BACKBONE), kind }
}

fn area_id(value: &DeValue<'_>) -> Result<AreaId, Wrong> {
    if value.as_integer().is_some() {
        return value::number(value, 0..=u64::from(u32::MAX)).map(AreaId);
    }
    let address = value.as_str().and_then(|text| text.parse::<Ipv4Addr>().ok());
    address.map(|address| AreaId(address.to_bits())).ok_or_else(|| {
        Wrong::new("{key} must be one number, or four like an IPv4 address")
            .label("not an area")
            .help("written like 1 or \"0.0.0.1\"")
    })
}

/// RFC 8405 §3: the hold-down is longer than the time to learn; and no delay is shorter than the one before.
fn read_spf_delays(section: &Section<'_>, report: &mut Report<'_>) -> SpfDelays {
    let usual = SpfDelays::default();
    let mut read = |key, usual| {
        let range = Duration::ZERO..=Duration::from_secs(60);
        let within = |value| value::duration_within(value, range, "from 0s to 60s");
        section.get(key, report, within).unwrap_or(usual)
    };
    let delays = SpfDelays {
        initial: read("spf-initial-delay", usual.initial),
        short: read("spf-short-delay", usual.short),
        long: read("spf-long-delay", usual.long),
        time_to_learn: read("spf-time-to-learn", usual.time_to_learn),
        hold_down: read("spf-hold-down", usual.hold_down),
    };
    let pairs = [
        ("spf-initial-delay", delays.initial, "spf-short-delay", delays.short, false),
        ("spf-short-delay", delays.short, "spf-long-delay", delays.long, false),
        ("spf-time-to-learn", delays.time_to_learn, "spf-hold-down", delays.hold_down, true),
    ];
    for (lesser, low, greater, high, strictly) in pairs {
        if low < high || (low == high && !strictly) {
            continue;
        }
        // One of the two is there: the defaults are in order.
        let (at, other) = if section.has(greater) { (greater, lesser) } else { (lesser, greater) };
        let than = if at == greater { "longer" } else { "shorter" };
        let problem = match strictly {
            true => format!("`{at}` must be {than} than `{other}`"),
            false => format!("`{at}` must not be {} than `{other}`", opposite(than)),
        };
        let value = if other == lesser { low } else { high };
        let draft =
            report.at(section.span_of(at), problem).label(format!("`{other}` is {value:?}"));
        if section.has(other) {
            draft.related(section.span_of(other), "this one");
        }
    }
    delays
}

fn opposite(comparison: &str) -> &'static str {
    if comparison == "longer" { "shorter" } else { "longer" }
}
