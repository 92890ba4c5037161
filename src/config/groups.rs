//! `[group.*]`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::mappings::LevelNames;
use super::node::NodeParts;
use super::reference::{self, ROUTER};
use super::report::Report;
use super::section::{Entry, Section};
use super::value;
use crate::group::{Follow, Group, OnLoss};
use crate::ospf::How;
use crate::types::{Preference, Prefix};

pub(super) const KEYS: &[&str] = &[
    "prefixes",
    "base",
    "ospf",
    "ospf-tag",
    "follow",
    "backup",
    "on-loss",
    "return-after",
    "checks",
    "need",
    "on-down",
    "on-slow",
    "on-late",
    "on-all-down",
    "min-sites",
    "rule",
    "switch",
    "probe",
];

/// By name.
pub(super) type Sections<'t> = BTreeMap<String, Section<'t>>;

const HOW: [(&str, How); 3] =
    [("external-1", How::External1), ("external-2", How::External2), ("stub", How::Stub)];

/// The groups, and their sections: what checks do to them is read when these are known.
pub(super) fn read<'t>(
    root: &Section<'t>,
    node: &NodeParts,
    names: &LevelNames,
    report: &mut Report<'_>,
) -> (BTreeMap<String, Group>, Sections<'t>) {
    let mut groups = BTreeMap::new();
    let mut sections = Sections::new();
    let routers = root.names(&["vrrp"]);
    // Where each prefix was named first.
    let mut taken: BTreeMap<Prefix, (String, Range<usize>)> = BTreeMap::new();
    for entry in root.named("group", report) {
        if let Err(wrong) = value::narrow_name(entry.key) {
            wrong.report(entry.key, entry.key_span, report);
            continue;
        }
        let name = format!("[group.{}]", entry.key);
        let Some(section) = Section::open(name, entry.value, KEYS, report) else { continue };
        section.report_missing("prefixes", "prefixes = [\"198.51.100.7/32\"]", report);
        let prefixes = section.list("prefixes", report, value::prefix);
        if prefixes.as_ref().is_some_and(Vec::is_empty) {
            report
                .at(section.span_of("prefixes"), format!("{} has an empty list", section.name))
                .label("a group has at least one prefix");
        }
        let prefixes = prefixes.unwrap_or_default();
        for prefix in &prefixes {
            check_prefix(entry.key, prefix, node, &mut taken, report);
        }
        let base = read_base(&section, node, names, report);
        let follow =
            read_backup(&section, node.site.as_deref(), &base, names, report).and_then(|backup| {
                let router = reference::known(&section, "follow", &ROUTER, &routers, report)?;
                Some(Follow { router, backup })
            });
        let group = Group {
            follow,
            on_loss: read_on_loss(&section, root.has("ospf"), report),
            prefixes: value::inner(prefixes),
            base,
            ospf: section
                .get("ospf", report, |value| value::choice(value, &HOW))
                .unwrap_or_default(),
            ospf_tag: section.number("ospf-tag", 0..=u64::from(u32::MAX), report).unwrap_or(0),
            health: None,
            min_sites: None,
        };
        if group.ospf == How::Stub && section.has("ospf-tag") {
            report
                .at(section.span_of("ospf-tag"), "`ospf-tag` of a stub link")
                .label("has no effect: only external routes have a tag")
                .related(section.span_of("ospf"), "announced as a stub link");
        }
        groups.insert(entry.key.to_owned(), group);
        sections.insert(entry.key.to_owned(), section);
    }
    (groups, sections)
}

fn check_prefix(
    group: &str,
    prefix: &Spanned<Prefix>,
    node: &NodeParts,
    taken: &mut BTreeMap<Prefix, (String, Range<usize>)>,
    report: &mut Report<'_>,
) {
    let (span, prefix) = (prefix.span(), *prefix.get_ref());
    if let Some(own) = &node.own_prefixes
        && !own.iter().any(|own| own.covers(prefix))
    {
        let own: Vec<String> = own.iter().map(Prefix::to_string).collect();
        report
            .at(span.clone(), format!("{prefix} is outside our own address space"))
            .label("in none of own-prefixes")
            .help(if own.is_empty() {
                "list our address space in [node]: `own-prefixes = [\"198.51.100.0/24\"]`"
                    .to_owned()
            } else {
                format!("own-prefixes in [node] has: {}", own.join(", "))
            });
    }
    match taken.get(&prefix) {
        Some((other, first)) => {
            report
                .at(span, format!("{prefix} belongs to two groups"))
                .label(format!("here to `{group}`"))
                .related(first.clone(), format!("and here to `{other}`"))
                .help("a prefix moves with one group only");
        }
        None => {
            taken.insert(prefix, (group.to_owned(), span));
        }
    }
}

fn read_base(
    group: &Section<'_>,
    node: &NodeParts,
    names: &LevelNames,
    report: &mut Report<'_>,
) -> BTreeMap<String, Preference> {
    let mut base = BTreeMap::new();
    for Entry { key: site, key_span, value } in group.entries("base", report) {
        if let Err(wrong) = value::wide_name(site) {
            wrong.report(site, key_span, report);
            continue;
        }
        // There is no list of sites to check against: other sites' names stand only here. But one that
        // is ours up to case and separators is ours, misspelt, and the group would never be announced.
        if let Some(ours) = &node.site
            && site != ours
            && folded(site) == folded(ours)
        {
            report
                .at(key_span, format!("unknown site `{site}`"))
                .label("[node] spells it otherwise")
                .did_you_mean(Some(ours));
        }
        if let Some(preference) = names.read_value(site, value, report) {
            base.insert(site.to_owned(), preference);
        }
    }
    base
}

/// How much is announced where the virtual router that the group follows is not Active. `None` also where it follows
/// none.
fn read_backup(
    group: &Section<'_>,
    site: Option<&str>,
    base: &BTreeMap<String, Preference>,
    names: &LevelNames,
    report: &mut Report<'_>,
) -> Option<Preference> {
    if !group.has("follow") {
        if group.has("backup") {
            report
                .at(group.span_of("backup"), "`backup` without `follow`")
                .label("has no effect")
                .help("name the virtual router: `follow = \"inside\"`");
        }
        return None;
    }
    let Some(value) = group.value("backup") else {
        report
            .at(group.span_of("follow"), format!("{} has no `backup`", group.name))
            .label("`backup` is missing")
            .help("add `backup = \"none\"`, or a level that is lower than the base");
        return None;
    };
    let backup = match value.get_ref().as_str() {
        Some("none") => Preference::NONE,
        _ => names.read_value("backup", value, report)?,
    };
    // A site without a base announces by orders only, which may be for anything.
    let usual = site.and_then(|site| base.get(site)).filter(|usual| usual.is_announced());
    if usual.is_some_and(|usual| backup >= *usual) {
        report
            .at(value.span(), "`backup` is not lower than the base of this site")
            .label("the role would make no difference here")
            .related(group.span_of("base"), "the base");
    }
    Some(backup)
}

fn read_on_loss(group: &Section<'_>, has_ospf: bool, report: &mut Report<'_>) -> Option<OnLoss> {
    let words = [("raise", true), ("keep", false)];
    let raises = group.get("on-loss", report, |value| value::choice(value, &words));
    let day = Duration::from_secs(24 * 3600);
    let return_after = group.get("return-after", report, |value| {
        value::duration_within(value, Duration::ZERO..=day, "from 0s to 24h")
    });
    if group.has("return-after") && (raises == Some(false) || !group.has("on-loss")) {
        let draft = report
            .at(group.span_of("return-after"), "`return-after` without `on-loss = \"raise\"`")
            .label("has no effect: nothing was raised");
        if group.has("on-loss") {
            draft.related(group.span_of("on-loss"), "keeps what is announced");
        }
    }
    if raises == Some(true) && !has_ospf {
        // BGP's routes go with the session of who dies.
        report
            .at(group.span_of("on-loss"), "`on-loss = \"raise\"` without [ospf]")
            .label("has no effect: it is for what an area is told");
    }
    let return_after = return_after.unwrap_or(Duration::from_secs(60));
    raises?.then_some(OnLoss { return_after })
}

/// What is the same site to a reader.
pub(super) fn folded(site: &str) -> String {
    site.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}
