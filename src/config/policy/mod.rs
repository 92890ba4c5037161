//! `[prefix-list.*]` and `[policy.*]`: what routes a neighbour's import and export let through.

pub(super) mod changes;
pub(super) mod conditions;
pub(super) mod prefix_list;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

pub(super) use prefix_list::PrefixLists;

use super::reference::{self, Kind};
use super::report::Report;
use super::section::{Entry, Section};
use super::value;
use crate::policy::{Chain, Policy, Rule, Then};

pub(super) const KEYS: &[&str] = &["default", "rule"];
pub(super) const RULE_KEYS: &[&str] = &["name", "match", "set", "then"];

const POLICY: Kind = Kind { one: "policy", many: "policies", head: "policy" };

const DEFAULTS: [(&str, bool); 2] = [("accept", true), ("reject", false)];
const THEN: [(&str, Then); 3] =
    [("accept", Then::Accept), ("reject", Then::Reject), ("next", Then::Next)];

/// By name, also those that could not be read (`None`).
pub(super) type Policies = BTreeMap<String, Option<Arc<Policy>>>;

/// What a policy refers to.
pub(super) struct Context<'a> {
    pub lists: &'a PrefixLists,
    pub neighbors: &'a BTreeSet<&'a str>,
    pub classes: &'a BTreeSet<&'a str>,
    /// Whether there is somebody who says what is valid.
    pub has_rpki: bool,
}

/// Which way the routes of a chain go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Import,
    Export,
}

pub(super) fn read(root: &Section<'_>, context: &Context<'_>, report: &mut Report<'_>) -> Policies {
    let mut policies = Policies::new();
    for Entry { key, key_span, value } in root.named("policy", report) {
        if let Err(wrong) = value::wide_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        let section = Section::open(super::section::head("policy", key), value, KEYS, report);
        let policy = section.and_then(|section| read_one(key, &section, context, report));
        policies.insert(key.to_owned(), policy.map(Arc::new));
    }
    policies
}

fn read_one(
    name: &str,
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Policy> {
    let default = section.get("default", report, |value| value::choice(value, &DEFAULTS));
    let mut rules = Vec::new();
    let mut whole = default.is_some() || !section.has("default");
    let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut last: Option<Range<usize>> = None;
    let sections = section.repeated("rule", RULE_KEYS, report);
    whole &= !sections.is_empty() || !section.has("rule");
    for (index, section) in sections.iter().enumerate() {
        if let Some(last) = &last {
            report
                .at(section.span.clone(), "a rule that is never reached")
                .label("no route comes here")
                .related(last.clone(), "decides on every route that comes to it");
        }
        let Some(rule) = read_rule(index, section, context, report) else {
            whole = false;
            continue;
        };
        if section.has("name") {
            let span = section.span_of("name");
            if let Some(first) = names.insert(rule.name.clone(), span.clone()) {
                report
                    .at(span, format!("two rules with the name `{}`", rule.name))
                    .label("again here")
                    .related(first, "first here");
            }
        }
        last = (rule.conditions.is_empty() && rule.then != Then::Next)
            .then(|| section.span_of("then"));
        rules.push(rule);
    }
    let accepts_by_default = default.unwrap_or(false);
    whole.then(|| Policy { name: name.to_owned(), rules, accepts_by_default })
}

fn read_rule(
    index: usize,
    section: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let name = section.get("name", report, |value| value::wide_name(value::text(value)?));
    let title = match &name {
        Some(name) => format!("rule {name}"),
        None => format!("rule {}", index + 1),
    };
    let then =
        section.require("then", "then = \"accept\"", report, |value| value::choice(value, &THEN));
    let conditions = match section.value("match") {
        Some(value) => conditions::read(format!("`match` of {title}"), value, context, report),
        None => Some(Vec::new()),
    };
    let changes = match section.value("set") {
        Some(value) => changes::read(format!("`set` of {title}"), value, context, report),
        None => Some(Default::default()),
    };
    let read = name.is_some() || !section.has("name");
    let (then, conditions, changes) = (then?, conditions?, changes?);
    if then == Then::Reject && section.has("set") {
        report
            .at(section.span_of("set"), "a rule that rejects changes nothing")
            .label("has no effect")
            .related(section.span_of("then"), "the route ends here");
    }
    let name = name.unwrap_or_else(|| (index + 1).to_string());
    read.then_some(Rule { name, conditions, changes, then })
}

/// The policies that a neighbour names, in the order given. `does` is whether the neighbour has any routes in this direction.
pub(super) fn read_chain(
    section: &Section<'_>,
    direction: Direction,
    has_routes: bool,
    policies: &Policies,
    report: &mut Report<'_>,
) -> Chain {
    let (key, plain, example) = match direction {
        Direction::Import => ("import-policy", "import", "import = \"all\""),
        Direction::Export => ("export-policy", "export", "export = \"transit\""),
    };
    let known = policies.keys().map(String::as_str).collect();
    let Some(names) = reference::known_list(section, key, &POLICY, &known, report) else {
        return Chain::default();
    };
    if !has_routes {
        let draft = report
            .at(section.span_of(key), format!("`{key}` without routes"))
            .label("has no effect");
        match section.has(plain) {
            true => draft.related(section.span_of(plain), "lets nothing through"),
            false => {
                draft.help(format!("add `{example}`: the policies decide on what it lets through"))
            }
        };
    }
    let mut chain = Vec::new();
    for name in &names {
        // One with mistakes of its own has been reported.
        let Some(Some(policy)) = policies.get(*name.get_ref()) else { continue };
        let classed = policy.rules.iter().find(|rule| rule.changes.class.is_some());
        if let (Direction::Import, Some(rule)) = (direction, classed) {
            report
                .at(name.span(), format!("policy `{}` sets a class on import", policy.name))
                .label(format!("`class` of rule {} has no effect on learned routes", rule.name))
                .help("a class is how announcements of our own look: for `export-policy`");
        }
        chain.push(Arc::clone(policy));
    }
    Chain::new(chain)
}
