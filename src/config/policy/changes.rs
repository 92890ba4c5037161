//! `set` of a rule.

use std::fmt::Display;
use std::str::FromStr;

use toml::de::DeValue;

use super::Context;
use crate::config::reference::{self, CLASS};
use crate::config::report::Report;
use crate::config::section::{Section, Value};
use crate::config::value::{self, Wrong};
use crate::policy::{Changes, Edit, Edits};

pub(in crate::config) const KEYS: &[&str] = &[
    "local-pref",
    "med",
    "prepend",
    "communities",
    "extended-communities",
    "large-communities",
    "class",
];

const COMMUNITY_KEYS: &[&str] = &["clear", "remove", "add"];

/// `None` if something could not be read.
pub(super) fn read(
    name: String,
    value: &Value<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Changes> {
    let section = Section::open(name, value, KEYS, report)?;
    let local_pref = section.get("local-pref", report, number_or_none);
    let med = section.get("med", report, number_or_none);
    let prepend = section.number("prepend", 1..=32, report);
    let class = reference::known(&section, "class", &CLASS, context.classes, report);
    let communities = edits("communities", &section, report);
    let extended_communities = edits("extended-communities", &section, report);
    let large_communities = edits("large-communities", &section, report);
    let read = [
        ("local-pref", local_pref.is_some()),
        ("med", med.is_some()),
        ("prepend", prepend.is_some()),
        ("class", class.is_some()),
        ("communities", communities.is_some()),
        ("extended-communities", extended_communities.is_some()),
        ("large-communities", large_communities.is_some()),
    ];
    if !read.iter().all(|(key, read)| *read || !section.has(key)) {
        return None;
    }
    let changes = Changes {
        class,
        local_pref,
        med,
        prepend: prepend.unwrap_or(0),
        communities: communities.unwrap_or_default(),
        extended_communities: extended_communities.unwrap_or_default(),
        large_communities: large_communities.unwrap_or_default(),
    };
    if changes.is_empty() {
        report.at(value.span(), format!("{} is empty", section.name)).label("changes nothing");
        return None;
    }
    Some(changes)
}

/// A number, or `"none"`: taken away.
fn number_or_none(value: &DeValue<'_>) -> Result<Option<u32>, Wrong> {
    match value.as_str() {
        Some("none") => Ok(None),
        _ => value::number(value, 0..=u64::from(u32::MAX)).map(Some).map_err(|wrong| {
            match wrong.help {
                Some(_) => wrong,
                None => wrong.help("or \"none\" to take it away"),
            }
        }),
    }
}

/// A list of those to add, or a table.
fn edits<P, C>(key: &str, section: &Section<'_>, report: &mut Report<'_>) -> Option<Edits<P, C>>
where
    P: Ord + Clone + FromStr<Err: Display>,
    C: Ord + Clone + FromStr<Err: Display>,
{
    let value = section.value(key)?;
    if !value.get_ref().is_table() {
        let added = section.one_or_more(key, report, value::explained::<C>)?;
        return Some(Edits(value::inner(added).into_iter().map(Edit::Add).collect()));
    }
    let table =
        Section::open(format!("`{key}` of {}", section.name), value, COMMUNITY_KEYS, report)?;
    let clear = table.boolean("clear", report);
    let removed = table.one_or_more("remove", report, value::explained::<P>);
    let added = table.one_or_more("add", report, value::explained::<C>);
    let read =
        [("clear", clear.is_some()), ("remove", removed.is_some()), ("add", added.is_some())];
    if !read.iter().all(|(key, read)| *read || !table.has(key)) {
        return None;
    }
    if clear == Some(true) && table.has("remove") {
        report
            .at(table.span_of("remove"), "nothing is left to remove")
            .label("has no effect")
            .related(table.span_of("clear"), "takes all of them away");
    }
    let mut edits: Vec<Edit<P, C>> = Vec::new();
    edits.extend((clear == Some(true)).then_some(Edit::Clear));
    edits.extend(value::inner(removed.unwrap_or_default()).into_iter().map(Edit::Remove));
    edits.extend(value::inner(added.unwrap_or_default()).into_iter().map(Edit::Add));
    Some(Edits(edits))
}
