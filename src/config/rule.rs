use std::collections::BTreeMap;
use std::ops::Range;

use super::groups::Sections;
use super::mappings::LevelNames;
use super::report::Report;
use super::section::Section;
use super::sites::Sight;
use super::tracked::{self, Names, TrackedObject};
use super::{effect, value};
use crate::group::{Effect, Group};
use crate::types::Prefix;

/// `[[group.NAME.rule]]`: what else a group follows. While the object is not as it should be, the announcement is lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub object: TrackedObject,
    pub effect: Effect,
    /// Of the group's prefixes; empty: all of them.
    pub prefixes: Vec<Prefix>,
}

pub(super) const KEYS: &[&str] = &[
    "interface",
    "route",
    "neighbor",
    "ospf-interface",
    "bfd",
    "check",
    "vrrp",
    "isolated",
    "then",
    "prefixes",
];

/// Each says what is followed.
const OBJECTS: &[&str] =
    &["interface", "route", "neighbor", "ospf-interface", "bfd", "check", "vrrp", "isolated"];

/// What a rule refers to.
pub(super) struct Context<'a> {
    pub levels: &'a LevelNames,
    pub tracked: &'a Names<'a>,
    pub sight: &'a Sight,
}

/// By group.
pub(super) fn read(
    sections: &Sections<'_>,
    groups: &BTreeMap<String, Group>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Vec<Rule>> {
    let mut all = BTreeMap::new();
    for (name, section) in sections {
        let Some(group) = groups.get(name) else { continue };
        let mut placed: Vec<(Rule, Range<usize>)> = Vec::new();
        for rule in section.repeated("rule", KEYS, report) {
            let Some((rule, span)) = read_one(&rule, section, group, context, report) else {
                continue;
            };
            if let Some((_, first)) = placed.iter().find(|(other, _)| is_same(other, &rule)) {
                report
                    .at(span.clone(), "two rules of a group follow the same")
                    .label("again here")
                    .related(first.clone(), "first here");
            }
            placed.push((rule, span));
        }
        if !placed.is_empty() {
            let rules = placed.into_iter().map(|(rule, _)| rule).collect();
            all.insert(name.clone(), rules);
        }
    }
    all
}

/// Whether some prefix would be lowered twice.
fn is_same(a: &Rule, b: &Rule) -> bool {
    let covers = |rule: &Rule, prefix| rule.prefixes.is_empty() || rule.prefixes.contains(prefix);
    a.object == b.object
        && (a.prefixes.is_empty()
            || b.prefixes.is_empty()
            || a.prefixes.iter().any(|p| covers(b, p)))
}

/// The rule, and where its object stands. `group` has the section `of`.
fn read_one(
    section: &Section<'_>,
    of: &Section<'_>,
    group: &Group,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<(Rule, Range<usize>)> {
    let then = effect::read(section, "then", context.levels, report);
    effect::check(section, "then", then, group, report);
    context.sight.check_withdrawal(section, "then", then, group, report);
    let prefixes = section.list("prefixes", report, value::prefix);
    if prefixes.as_ref().is_some_and(Vec::is_empty) {
        report
            .at(section.span_of("prefixes"), "`prefixes` is empty")
            .label("the rule would lower nothing")
            .help("leave it out for all prefixes of the group");
    }
    for prefix in prefixes.iter().flatten() {
        if !group.prefixes.contains(prefix.get_ref()) {
            report
                .at(prefix.span(), format!("{} is not a prefix of the group", prefix.get_ref()))
                .label("the rule would not lower it")
                .related(of.span_of("prefixes"), "the group's prefixes");
        }
    }
    let (key, object) = tracked::read(section, OBJECTS, "rule", context.tracked, report)?;
    let effect = then.unwrap_or_else(|| effect::usual(context.levels));
    let prefixes = value::inner(prefixes.unwrap_or_default());
    Some((Rule { object, effect, prefixes }, section.span_of(key)))
}
