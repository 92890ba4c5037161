//! What lowers an announcement, and by how much.

use toml::de::DeValue;

use super::mappings::LevelNames;
use super::report::Report;
use super::section::Section;
use super::value::Wrong;
use crate::group::{Effect, Group};
use crate::types::Preference;

/// `"drain"`, `100`, `"none"` or `"-50"`.
pub(super) fn read(
    section: &Section<'_>,
    key: &str,
    names: &LevelNames,
    report: &mut Report<'_>,
) -> Option<Effect> {
    let value = section.value(key)?;
    if let Some(by) = less(value.get_ref()) {
        return by
            .map(Effect::LowerBy)
            .map_err(|wrong| wrong.report(key, value.span(), report))
            .ok();
    }
    match value.get_ref().as_str() {
        Some("none") => Some(Effect::Level(Preference::NONE)),
        _ => names.read_value(key, value, report).map(Effect::Level),
    }
}

/// A level that is not below what any site announces never lowers anything.
pub(super) fn check(
    section: &Section<'_>,
    key: &str,
    effect: Option<Effect>,
    group: &Group,
    report: &mut Report<'_>,
) {
    let Some(Effect::Level(level)) = effect else { return };
    let highest = group.base.values().copied().max().filter(|base| base.is_announced());
    if let Some(highest) = highest.filter(|highest| level >= *highest) {
        report
            .at(section.span_of(key), format!("`{key}` is not lower than any base of the group"))
            .label(format!("lowers nothing: no site announces more than {highest}"));
    }
}

/// What happens if nothing else is said: as if the node were drained.
pub(super) fn usual(names: &LevelNames) -> Effect {
    Effect::Level(names.levels.preference("drain").unwrap_or(Preference(10)))
}

/// `"-20"` only.
pub(super) fn read_less(section: &Section<'_>, key: &str, report: &mut Report<'_>) -> Option<u8> {
    section.get(key, report, |value| {
        less(value).unwrap_or_else(|| {
            Err(Wrong::new("{key} must say by how much to lower")
                .label("not a number with a minus")
                .help("written like \"-20\""))
        })
    })
}

/// What is behind the minus; `None` if there is none.
fn less(value: &DeValue<'_>) -> Option<Result<u8, Wrong>> {
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) => number.as_str(),
        _ => return None,
    };
    let by = text.strip_prefix('-')?.parse::<u8>().ok().filter(|by| (1..=254).contains(by));
    Some(by.ok_or_else(|| Wrong::new("{key} must be from -1 to -254").label("out of range")))
}
