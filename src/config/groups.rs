//! `[levels]`, `[mapping.*]` and `[group.*]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::node::NodeParts;
use super::report::Report;
use super::section::{Entry, Section, Value, entries};
use super::value::{self, Wrong};
use crate::group::{Group, Levels, Mapped, Mapping};
use crate::ospf::How;
use crate::types::{Preference, Prefix};
use crate::wire::bgp::{Community, LargeCommunity};

pub(super) const GROUP_KEYS: &[&str] = &["prefixes", "base", "ospf", "ospf-tag"];
pub(super) const STEP_KEYS: &[&str] =
    &["med", "prepend", "local-pref", "communities", "large-communities", "metric"];

const HOW: [(&str, How); 3] =
    [("external-1", How::External1), ("external-2", How::External2), ("stub", How::Stub)];

/// 24 bits, and all ones is LSInfinity: unreachable (RFC 2328 Appendix B).
const LARGEST_METRIC: u64 = 0xff_fffe;

/// The levels, and the names of those that could not be read: to use one of these is no second mistake.
pub(super) struct LevelNames {
    pub levels: Levels,
    faulty: BTreeSet<String>,
}

impl LevelNames {
    pub fn read(root: &Section<'_>, report: &mut Report<'_>) -> LevelNames {
        let mut names = LevelNames { levels: Levels::default(), faulty: BTreeSet::new() };
        for Entry { key, key_span, value } in root.entries("levels", report) {
            let is_number = key.chars().all(|c| c.is_ascii_digit());
            let name = match value::narrow_name(key) {
                Ok(_) if is_number => Err(Wrong::new(format!("`{key}` cannot be a name"))
                    .label("a level's name needs a letter")),
                other => other,
            };
            let preference = value::number(value.get_ref(), 1..=255);
            match (name, preference) {
                (Ok(name), Ok(preference)) => names.levels.insert(&name, Preference(preference)),
                (Err(wrong), _) => wrong.report(key, key_span, report),
                (Ok(name), Err(wrong)) => {
                    wrong.report(key, value.span(), report);
                    names.faulty.insert(name);
                }
            }
        }
        names
    }

    fn preference(
        &self,
        text: &str,
        span: Range<usize>,
        report: &mut Report<'_>,
    ) -> Option<Preference> {
        if self.faulty.contains(text) {
            return None;
        }
        match self.levels.preference(text) {
            Ok(preference) => Some(preference),
            Err(unknown) => {
                report
                    .at(span, format!("unknown level `{text}`"))
                    .label(format!("the levels are: {}", unknown.names.join(", ")))
                    .did_you_mean(unknown.suggestion.as_deref());
                None
            }
        }
    }

    /// A level's name or a number from 0 to 255.
    fn read_value(
        &self,
        key: &str,
        value: &Value<'_>,
        report: &mut Report<'_>,
    ) -> Option<Preference> {
        match value.get_ref() {
            DeValue::String(text) => self.preference(text, value.span(), report),
            DeValue::Integer(_) => value::number(value.get_ref(), 0..=255)
                .map(Preference)
                .map_err(|wrong| wrong.report(key, value.span(), report))
                .ok(),
            other => {
                value::wrong_type(other, "a level or a number").report(key, value.span(), report);
                None
            }
        }
    }
}

/// The classes there are, also those that could not be read (`None`).
pub(super) fn read_mappings(
    root: &Section<'_>,
    names: &LevelNames,
    report: &mut Report<'_>,
) -> BTreeMap<String, Option<Mapping>> {
    let mut mappings = BTreeMap::from([("default".to_owned(), Some(Mapping::BUILT_IN))]);
    for entry in root.named("mapping", report) {
        match value::narrow_name(entry.key) {
            Ok(name) => {
                mappings.insert(name, read_mapping(&entry, names, report));
            }
            Err(wrong) => wrong.report(entry.key, entry.key_span, report),
        }
    }
    mappings
}

fn read_mapping(class: &Entry<'_>, names: &LevelNames, report: &mut Report<'_>) -> Option<Mapping> {
    let table = class.value.get_ref().as_table()?;
    if table.is_empty() {
        report
            .at(class.value.span(), format!("mapping `{}` has no steps", class.key))
            .help("add a line such as `primary = { med = 0 }`");
        return None;
    }
    let mut steps = BTreeMap::new();
    let mut places: BTreeMap<Preference, (Entry<'_>, Section<'_>)> = BTreeMap::new();
    let mut whole = true;
    for entry in entries(table) {
        let preference = names.preference(entry.key, entry.key_span.clone(), report);
        let section =
            Section::open(format!("step `{}`", entry.key), entry.value, STEP_KEYS, report);
        let (Some(preference), Some(section)) = (preference, section) else {
            whole = false;
            continue;
        };
        if let Some((earlier, _)) = places.get(&preference) {
            report
                .at(entry.key_span, format!("two steps for preference {preference}"))
                .label("again here")
                .related(earlier.key_span.clone(), "first here");
            whole = false;
            continue;
        }
        match read_step(&section, report) {
            Some(mapped) => {
                steps.insert(preference, mapped);
                places.insert(preference, (entry, section));
            }
            None => whole = false,
        }
    }
    if !whole {
        return None;
    }
    match Mapping::new(steps) {
        Ok(mapping) => Some(mapping),
        Err(refused) => {
            let (low, _) = places.get(&refused.lower)?;
            let (high, section) = places.get(&refused.higher)?;
            let span = if section.has(refused.attribute) {
                section.span_of(refused.attribute)
            } else {
                high.key_span.clone()
            };
            report
                .at(
                    span,
                    format!(
                        "step `{}` ({}) would look worse to a neighbor than step `{}` ({})",
                        high.key, refused.higher, low.key, refused.lower
                    ),
                )
                .label(format!("it {}", refused.problem))
                .related(low.key_span.clone(), "the lower step")
                .help("a higher preference must never attract less");
            None
        }
    }
}

fn read_step(step: &Section<'_>, report: &mut Report<'_>) -> Option<Mapped> {
    let any = || 0..=u64::from(u32::MAX);
    let med = step.number("med", any(), report);
    let local_pref = step.number("local-pref", any(), report);
    let prepend = step.number("prepend", 0..=32, report);
    let metric = step.number("metric", 0..=LARGEST_METRIC, report);
    let communities = step.list("communities", report, value::explained::<Community>);
    let large_communities =
        step.list("large-communities", report, value::explained::<LargeCommunity>);
    let read = [
        ("med", med.is_some()),
        ("local-pref", local_pref.is_some()),
        ("prepend", prepend.is_some()),
        ("communities", communities.is_some()),
        ("large-communities", large_communities.is_some()),
        ("metric", metric.is_some()),
    ];
    read.iter().all(|(key, read)| *read || !step.has(key)).then(|| Mapped {
        med,
        prepend: prepend.unwrap_or(0),
        local_pref,
        communities: inner(communities.unwrap_or_default()),
        large_communities: inner(large_communities.unwrap_or_default()),
        metric,
    })
}

pub(super) fn read_groups(
    root: &Section<'_>,
    node: &NodeParts,
    names: &LevelNames,
    report: &mut Report<'_>,
) -> BTreeMap<String, Group> {
    let mut groups = BTreeMap::new();
    // Where each prefix was named first.
    let mut taken: BTreeMap<Prefix, (String, Range<usize>)> = BTreeMap::new();
    for entry in root.named("group", report) {
        if let Err(wrong) = value::narrow_name(entry.key) {
            wrong.report(entry.key, entry.key_span, report);
            continue;
        }
        let name = format!("[group.{}]", entry.key);
        let Some(section) = Section::open(name, entry.value, GROUP_KEYS, report) else { continue };
        if !section.has("prefixes") {
            report
                .at(section.span.clone(), format!("{} has no `prefixes`", section.name))
                .label("`prefixes` is missing")
                .help("add a line such as `prefixes = [\"198.51.100.7/32\"]`");
        }
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
        let group = Group {
            follow: None,
            on_loss: None,
            prefixes: inner(prefixes),
            base: read_base(&section, node, names, report),
            ospf: section
                .get("ospf", report, |value| value::choice(value, &HOW))
                .unwrap_or_default(),
            ospf_tag: section.number("ospf-tag", 0..=u64::from(u32::MAX), report).unwrap_or(0),
        };
        if group.ospf == How::Stub && section.has("ospf-tag") {
            report
                .at(section.span_of("ospf-tag"), "`ospf-tag` of a stub link")
                .label("has no effect: only external routes have a tag")
                .related(section.span_of("ospf"), "announced as a stub link");
        }
        groups.insert(entry.key.to_owned(), group);
    }
    groups
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

fn folded(site: &str) -> String {
    site.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn inner<T>(values: Vec<Spanned<T>>) -> Vec<T> {
    values.into_iter().map(Spanned::into_inner).collect()
}
