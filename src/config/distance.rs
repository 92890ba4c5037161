//! `[distance]`: which protocol's route to a prefix is taken.

use super::report::Report;
use super::section::Section;
use crate::rib::Distances;

pub(super) const DISTANCE_KEYS: &[&str] = &["ebgp", "ibgp", "ospf"];

pub(super) fn read(root: &Section<'_>, report: &mut Report<'_>) -> Option<Distances> {
    let usual = Distances::default();
    let Some(value) = root.value("distance") else { return Some(usual) };
    let section = Section::open("[distance]".to_owned(), value, DISTANCE_KEYS, report)?;
    // 0 is that of our own announcements.
    let mut read = |key, usual| section.number(key, 1..=255, report).unwrap_or(usual);
    Some(Distances {
        ebgp: read("ebgp", usual.ebgp),
        ibgp: read("ibgp", usual.ibgp),
        ospf: read("ospf", usual.ospf),
    })
}
