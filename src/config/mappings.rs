//! `[levels]` and `[mapping.*]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::DeValue;

use super::report::Report;
use super::section::{Entry, Section, Value, entries};
use super::value::{self, Wrong};
use crate::group::{Levels, Mapped, Mapping};
use crate::types::Preference;
use crate::wire::bgp::{Community, LargeCommunity};

pub(super) const STEP_KEYS: &[&str] =
    &["med", "prepend", "local-pref", "communities", "large-communities", "metric"];

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
                Ok(_) if key == "none" => {
                    Err(Wrong::new("`none` cannot be a level").label("stands for 0: not announced"))
                }
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
    pub fn read_value(
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
pub(super) fn read(
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
        communities: value::inner(communities.unwrap_or_default()),
        large_communities: value::inner(large_communities.unwrap_or_default()),
        metric,
    })
}
