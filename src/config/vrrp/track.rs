//! `[[vrrp.NAME.track]]`.

use std::collections::BTreeMap;

use super::Track;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::tracked::{self, Names, TrackedObject};

pub(in crate::config) const KEYS: &[&str] = &[
    "interface",
    "route",
    "neighbor",
    "ospf-interface",
    "bfd",
    "check",
    "file",
    "command",
    "lower-by",
    "interval",
    "timeout",
    "rise",
    "fall",
];

/// Each says what is tracked.
const OBJECTS: &[&str] =
    &["interface", "route", "neighbor", "ospf-interface", "bfd", "check", "file", "command"];

/// To the least there is, whatever the priority: it is never too little for the other node to take over.
const LOWER_BY: u8 = 254;

/// `interface` is that of the virtual router.
pub(super) fn read(
    router: &Section<'_>,
    interface: &str,
    names: &Names<'_>,
    report: &mut Report<'_>,
) -> Vec<Track> {
    let mut tracks = Vec::new();
    // Where each object was named first.
    let mut taken = BTreeMap::new();
    for section in router.repeated("track", KEYS, report) {
        let lower_by = section.number("lower-by", 1..=254, report).unwrap_or(LOWER_BY);
        let Some((key, object)) = tracked::read(&section, OBJECTS, "track", names, report) else {
            continue;
        };
        let span = section.span_of(key);
        if object == TrackedObject::Interface(interface.to_owned()) {
            report
                .at(span.clone(), "the virtual router's own interface is tracked")
                .label("has no effect: without it there is no virtual router")
                .related(router.span_of("interface"), "its interface");
        }
        match taken.get(&object) {
            Some(first) => {
                let draft = report.at(span, "the same is tracked twice");
                draft.label("again here").related(std::ops::Range::clone(first), "first here");
            }
            None => {
                taken.insert(object.clone(), span);
            }
        }
        tracks.push(Track { object, lower_by });
    }
    tracks
}
