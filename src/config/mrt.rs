//! `[mrt]`: the messages of neighbours, kept for archives.

use std::time::Duration;

use super::report::Report;
use super::section::Section;
use super::value;

pub(super) const KEYS: &[&str] = &["updates", "rotate", "keep"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateLog {
    /// An absolute path.
    pub directory: String,
    /// A file is written for so long.
    pub rotate: Duration,
    /// So many files stay.
    pub keep: usize,
}

pub(super) fn read(root: &Section<'_>, report: &mut Report<'_>) -> Option<UpdateLog> {
    let section = Section::open("[mrt]".to_owned(), root.value("mrt")?, KEYS, report)?;
    let directory =
        section.require("updates", "updates = \"/var/lib/shunt/mrt\"", report, |value| {
            value::absolute_path(value::text(value)?)
        });
    let (minute, week) = (Duration::from_secs(60), Duration::from_secs(7 * 86_400));
    let rotate = |value| value::duration_within(value, minute..=week, "1m to 7d");
    let rotate = section.get("rotate", report, rotate).unwrap_or(15 * minute);
    let keep = section.number("keep", 1..=100_000, report).unwrap_or(96);
    Some(UpdateLog { directory: directory?, rotate, keep })
}
