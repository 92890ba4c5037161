//! What the checks of a group do to it.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::check::Checks;
use super::effect;
use super::guard::Guard;
use super::mappings::LevelNames;
use super::reference::{self, CHECK};
use super::report::Report;
use super::section::Section;
use super::sites::Sight;
use super::value::{self, Wrong};
use crate::group::{Effect, Group, Need, OnAllDown, Policy};
use crate::health::Settings;

/// What means nothing without `checks`.
const CHECK_KEYS: &[&str] = &["need", "on-down", "on-slow", "on-late", "on-all-down"];

const ON_ALL_DOWN: [(&str, OnAllDown); 2] =
    [("keep", OnAllDown::Keep), ("withdraw", OnAllDown::Withdraw)];

/// What a policy refers to.
pub(super) struct Context<'a> {
    pub names: &'a LevelNames,
    pub checks: &'a Checks,
    pub guard: &'a Guard,
    pub sight: &'a Sight,
}

/// Completes `group`.
pub(super) fn read(
    section: &Section<'_>,
    group: &mut Group,
    context: &Context<'_>,
    report: &mut Report<'_>,
) {
    group.min_sites = section.number("min-sites", 0..=255, report);
    context.sight.check_min_sites(section, group, report);
    if !section.has("checks") {
        for key in CHECK_KEYS.iter().filter(|key| section.has(key)) {
            report
                .at(section.span_of(key), format!("`{key}` without `checks`"))
                .label("has no effect")
                .help("name what is checked: `checks = [\"web\"]`");
        }
        return;
    }
    group.health = read_policy(section, group, context, report);
}

fn read_policy(
    section: &Section<'_>,
    group: &Group,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Policy> {
    let known: BTreeSet<&str> = context.checks.keys().map(String::as_str).collect();
    let checks = reference::known_list(section, "checks", &CHECK, &known, report);
    let need = section.get("need", report, need).unwrap_or(Need::All);
    let on_down = effect::read(section, "on-down", context.names, report);
    let on_slow = effect::read(section, "on-slow", context.names, report);
    let on_late = effect::read_less(section, "on-late", report);
    let on_all_down =
        section.get("on-all-down", report, |value| value::choice(value, &ON_ALL_DOWN));
    for (key, effect) in [("on-down", on_down), ("on-slow", on_slow)] {
        effect::check(section, key, effect, group, report);
        context.sight.check_withdrawal(section, key, effect, group, report);
    }
    if let (Some(down), Some(slow)) = (on_down, on_slow)
        && is_more(slow, down)
    {
        report
            .at(section.span_of("on-slow"), "`on-slow` lowers more than `on-down`")
            .label("a slow answer would count as worse than none")
            .related(section.span_of("on-down"), "lowers less");
    }
    let checks = checks?;
    if let Need::AtLeast(least) = need
        && least > checks.len()
    {
        report
            .at(section.span_of("need"), "`need` is more than there are")
            .label("never enough")
            .related(
                section.span_of("checks"),
                format!("only {}", reference::count(checks.len(), &CHECK)),
            );
    }
    check_used(section, &checks, context.checks, report);
    check_witness(&checks, context.guard, report);
    Some(Policy {
        checks: reference::owned(Some(checks)),
        need,
        on_down: on_down.unwrap_or_else(|| effect::usual(context.names)),
        on_slow,
        on_late: on_late.unwrap_or(0),
        on_all_down: on_all_down.unwrap_or_default(),
    })
}

/// `"all"`, `"any"` or how many.
fn need(value: &DeValue<'_>) -> Result<Need, Wrong> {
    match value {
        DeValue::Integer(_) => value::number(value, 1..=u64::from(u16::MAX))
            .map(|least: u16| Need::AtLeast(least.into())),
        DeValue::String(_) => value::choice(value, &[("all", Need::All), ("any", Need::Any)]),
        other => Err(value::wrong_type(other, "\"all\", \"any\" or a number")),
    }
}

fn is_more(a: Effect, b: Effect) -> bool {
    match (a, b) {
        (Effect::Level(a), Effect::Level(b)) => a < b,
        (Effect::LowerBy(a), Effect::LowerBy(b)) => a > b,
        // It depends on the base.
        _ => false,
    }
}

/// What never comes has no effect: slow answers, and late ones, are known by a check that says what they are.
fn check_used(
    section: &Section<'_>,
    checks: &[Spanned<&str>],
    all: &Checks,
    report: &mut Report<'_>,
) {
    let settings: Option<Vec<&Settings>> =
        checks.iter().map(|check| all.get(*check.get_ref())?.as_ref()).collect();
    let Some(settings) = settings else { return };
    let missing = [
        ("on-slow", "slow", settings.iter().all(|settings| settings.slow.is_none())),
        ("on-late", "objective", settings.iter().all(|settings| settings.objective.is_none())),
    ];
    for (key, of_check, is_missing) in missing {
        if is_missing && section.has(key) {
            report
                .at(section.span_of(key), format!("`{key}`, but no check has `{of_check}`"))
                .label("has no effect")
                .related(section.span_of("checks"), format!("none of them has `{of_check}`"));
        }
    }
}

/// Without its only witness a node is blind, and what is checked then is not believed.
fn check_witness(checks: &[Spanned<&str>], guard: &Guard, report: &mut Report<'_>) {
    let [witness] = guard.witnesses.as_slice() else { return };
    if let Some(check) = checks.iter().find(|check| *check.get_ref() == witness) {
        report
            .at(check.span(), format!("`{witness}` is the only witness of [guard]"))
            .label("has no effect: while it is down, no check is believed")
            .help("add another witness, or another check of the same for the group");
    }
}
