//! `match` of a rule.

use std::collections::BTreeSet;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::Context;
use super::prefix_list::{PrefixLists, ranges};
use crate::config::reference::{self, Kind, NEIGHBOR};
use crate::config::report::Report;
use crate::config::section::{Section, Value};
use crate::config::value::{self, Wrong};
use crate::policy::{
    AsPathPattern, AttributeCondition, Condition, Fact, PrefixList, PrefixRange, Wanted,
};
use crate::types::{Asn, Family, Prefix, Validity};
use crate::wire::bgp::Origin;

pub(in crate::config) const KEYS: &[&str] = &[
    "prefix-list",
    "prefixes",
    "family",
    "learned-from",
    "rpki",
    "as-path",
    "as-path-length",
    "contains-as",
    "origin-as",
    "origin",
    "next-hop",
    "communities",
    "extended-communities",
    "large-communities",
];

const COMMUNITY_KEYS: &[&str] = &["any", "all", "none"];

const PREFIX_LIST: Kind = Kind { one: "prefix list", many: "prefix lists", head: "prefix-list" };

const FAMILIES: [(&str, Family); 2] = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

const VALIDITIES: [(&str, Validity); 3] =
    [("valid", Validity::Valid), ("invalid", Validity::Invalid), ("not-found", Validity::NotFound)];

const ORIGINS: [(&str, Origin); 3] =
    [("igp", Origin::Igp), ("egp", Origin::Egp), ("incomplete", Origin::Incomplete)];

/// The conditions, of which there is at least one. `None` if one of them could not be read.
pub(super) fn read(
    name: String,
    value: &Value<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Condition>> {
    let section = Section::open(name, value, KEYS, report)?;
    let given: Vec<&str> = KEYS.iter().copied().filter(|key| section.has(key)).collect();
    if given.is_empty() {
        report
            .at(value.span(), format!("{} is empty", section.name))
            .label("asks for nothing")
            .help("for a rule that fits every route leave `match` out");
        return None;
    }
    let mut conditions = Vec::with_capacity(given.len());
    for key in &given {
        conditions.extend(read_one(key, &section, context, report));
    }
    if conditions.len() < given.len() {
        return None;
    }
    check(&conditions, &section, report);
    Some(conditions)
}

fn read_one(
    key: &str,
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Condition> {
    let fact = |fact| Some(Condition::Fact(fact));
    let attribute = |condition| Some(Condition::Attribute(condition));
    match key {
        "prefix-list" => fact(Fact::Prefixes(named_lists(section, context.lists, report)?)),
        "prefixes" => {
            let list = PrefixList { name: None, ranges: ranges(section, report)? };
            fact(Fact::Prefixes(vec![Arc::new(list)]))
        }
        "family" => {
            let family = section.get(key, report, |value| value::choice(value, &FAMILIES))?;
            fact(Fact::Family(family))
        }
        "learned-from" => {
            let names = section.one_or_more(key, report, value::text)?;
            let known = reference::all_known(&names, &NEIGHBOR, context.neighbors, report);
            known.then_some(())?;
            fact(Fact::LearnedFrom(reference::owned(Some(names))))
        }
        "rpki" => fact(Fact::Rpki(validities(section, context, report)?)),
        "as-path" => {
            let pattern = section.get(key, report, as_path)?;
            attribute(AttributeCondition::AsPath(pattern))
        }
        "as-path-length" => {
            let (least, most) = section.get(key, report, length)?;
            attribute(AttributeCondition::AsPathLength { least, most })
        }
        "contains-as" => attribute(AttributeCondition::ContainsAs(numbers(key, section, report)?)),
        "origin-as" => attribute(AttributeCondition::OriginAs(numbers(key, section, report)?)),
        "origin" => {
            let origins =
                section.one_or_more(key, report, |value| value::choice(value, &ORIGINS))?;
            attribute(AttributeCondition::Origin(value::inner(origins)))
        }
        "next-hop" => {
            let hops = section.one_or_more(key, report, next_hop)?;
            attribute(AttributeCondition::NextHop(value::inner(hops)))
        }
        "communities" => attribute(AttributeCondition::Communities(wanted(key, section, report)?)),
        "extended-communities" => {
            attribute(AttributeCondition::ExtendedCommunities(wanted(key, section, report)?))
        }
        _ => attribute(AttributeCondition::LargeCommunities(wanted(key, section, report)?)),
    }
}

fn named_lists(
    section: &Section<'_>,
    lists: &PrefixLists,
    report: &mut Report<'_>,
) -> Option<Vec<Arc<PrefixList>>> {
    let names = section.one_or_more("prefix-list", report, value::text)?;
    let known: BTreeSet<&str> = lists.0.keys().map(String::as_str).collect();
    reference::all_known(&names, &PREFIX_LIST, &known, report).then_some(())?;
    names.iter().map(|name| lists.0.get(*name.get_ref())?.clone()).collect()
}

fn validities(
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Validity>> {
    let wanted = section.one_or_more("rpki", report, |value| value::choice(value, &VALIDITIES))?;
    if !context.has_rpki {
        report
            .at(section.span_of("rpki"), "`rpki` without a cache that says what is valid")
            .label("every route is not-found")
            .help("add a section [rpki.cache.NAME]");
        return None;
    }
    if wanted.len() == VALIDITIES.len() {
        report
            .at(section.span_of("rpki"), "`rpki` names all there is")
            .label("fits every route")
            .help("leave it out");
        return None;
    }
    Some(value::inner(wanted))
}

fn as_path(value: &DeValue<'_>) -> Result<AsPathPattern, Wrong> {
    let text = value::text(value)?;
    text.parse().map_err(|problem: String| {
        Wrong::new(format!("`{text}` is not a pattern for AS paths")).label(problem).help(
            "written like \"^64500_\", \"_64500$\" or \"_64500_\", where `_` stands for an end of \
             a number",
        )
    })
}

/// Least and most: `3`, `"<= 5"`, `">= 3"`, `"< 5"`, `"> 3"`, `"3-5"`.
fn length(value: &DeValue<'_>) -> Result<(u32, u32), Wrong> {
    let most = u64::from(u16::MAX);
    if matches!(value, DeValue::Integer(_)) {
        let number = value::number(value, 0..=most)?;
        return Ok((number, number));
    }
    let Some(text) = value.as_str() else {
        return Err(value::wrong_type(value, "a number or a comparison"));
    };
    let number = |text: &str| text.trim().parse::<u16>().ok().map(u32::from);
    let range = if let Some(rest) = text.strip_prefix("<=") {
        number(rest).map(|most| (0, most))
    } else if let Some(rest) = text.strip_prefix(">=") {
        number(rest).map(|least| (least, u32::MAX))
    } else if let Some(rest) = text.strip_prefix('<') {
        number(rest).map(|above| match above.checked_sub(1) {
            Some(most) => (0, most),
            None => (1, 0),
        })
    } else if let Some(rest) = text.strip_prefix('>') {
        number(rest).map(|below| (below + 1, u32::MAX))
    } else {
        text.split_once('-').and_then(|(least, most)| Some((number(least)?, number(most)?)))
    };
    match range {
        None => Err(Wrong::new("{key} must be a number or a comparison")
            .label("not a comparison of lengths")
            .help("written like 3, \"<= 5\", \"> 10\" or \"3-5\"")),
        Some((least, most)) if least > most => {
            Err(Wrong::new("{key} matches nothing").label("no path has such a length"))
        }
        Some(range) => Ok(range),
    }
}

fn numbers(key: &str, section: &Section<'_>, report: &mut Report<'_>) -> Option<Vec<Asn>> {
    let number = |value| value::number(value, 1..=u64::from(u32::MAX)).map(Asn);
    section.one_or_more(key, report, number).map(value::inner)
}

/// An address, or a prefix that it lies in.
fn next_hop(value: &DeValue<'_>) -> Result<Prefix, Wrong> {
    match value::text(value)?.parse() {
        Ok(address) => Ok(Prefix::host(address)),
        Err(_) => value::prefix(value),
    }
}

/// A pattern, a list of which one has to fit, or a table.
fn wanted<P>(key: &str, section: &Section<'_>, report: &mut Report<'_>) -> Option<Wanted<P>>
where
    P: Ord + Clone + std::fmt::Display + std::str::FromStr<Err: std::fmt::Display>,
{
    let value = section.value(key)?;
    if !value.get_ref().is_table() {
        let any = section.one_or_more(key, report, value::explained::<P>)?;
        return Some(Wanted { any: value::inner(any), all: Vec::new(), none: Vec::new() });
    }
    let table =
        Section::open(format!("`{key}` of {}", section.name), value, COMMUNITY_KEYS, report)?;
    let mut whole = true;
    let mut list = |key: &str, report: &mut Report<'_>| -> Vec<Spanned<P>> {
        let list = table.one_or_more(key, report, value::explained::<P>);
        whole &= list.is_some() || !table.has(key);
        list.unwrap_or_default()
    };
    let (any, all) = (list("any", report), list("all", report));
    let none = list("none", report);
    whole.then_some(())?;
    if any.is_empty() && all.is_empty() && none.is_empty() {
        report.at(value.span(), format!("`{key}` is empty")).label("asks for nothing");
        return None;
    }
    let is_excluded =
        |pattern: &&Spanned<P>| none.iter().any(|no| no.get_ref() == pattern.get_ref());
    let excluded = all
        .iter()
        .find(is_excluded)
        .or_else(|| any.iter().all(|pattern| is_excluded(&pattern)).then(|| any.first()).flatten());
    if let Some(excluded) = excluded {
        report
            .at(excluded.span(), format!("`{key}` matches nothing"))
            .label("wanted here")
            .related(table.span_of("none"), "and excluded here");
        return None;
    }
    Some(Wanted { any: value::inner(any), all: value::inner(all), none: value::inner(none) })
}

/// Conditions that exclude each other.
fn check(conditions: &[Condition], section: &Section<'_>, report: &mut Report<'_>) {
    let family = conditions.iter().find_map(|condition| match condition {
        Condition::Fact(Fact::Family(family)) => Some(*family),
        _ => None,
    });
    let lists = |key: &str| -> Vec<&PrefixRange> {
        let is_named = key == "prefix-list";
        let lists = conditions.iter().filter_map(|condition| match condition {
            Condition::Fact(Fact::Prefixes(lists)) => Some(lists),
            _ => None,
        });
        let lists = lists.flatten().filter(|list| list.name.is_some() == is_named);
        lists.flat_map(|list| &list.ranges).collect()
    };
    let (named, inline) = (lists("prefix-list"), lists("prefixes"));
    for (key, ranges) in [("prefix-list", &named), ("prefixes", &inline)] {
        if let Some(family) = family
            && section.has(key)
            && !ranges.iter().any(|range| range.prefix().family() == family)
        {
            report
                .at(section.span_of("family"), format!("no prefix of {key} is {family}"))
                .label("the rule matches nothing")
                .related(section.span_of(key), "all of the other family");
        }
    }
    let both = section.has("prefix-list") && section.has("prefixes");
    if both && !named.iter().any(|named| inline.iter().any(|inline| named.overlaps(inline))) {
        report
            .at(section.span_of("prefixes"), "no prefix is in both `prefixes` and `prefix-list`")
            .label("the rule matches nothing")
            .related(section.span_of("prefix-list"), "nothing of it is there");
    }
    let is_empty_path = conditions.iter().any(|condition| {
        matches!(condition, Condition::Attribute(AttributeCondition::AsPathLength { most: 0, .. }))
    });
    for key in ["contains-as", "origin-as"] {
        if is_empty_path && section.has(key) {
            report
                .at(section.span_of(key), format!("`{key}` of an empty path"))
                .label("the rule matches nothing")
                .related(section.span_of("as-path-length"), "no AS is in such a path");
        }
    }
}
