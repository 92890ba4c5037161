//! `[[vrrp.NAME.track]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Track;
use crate::config::ospf::Ospf;
use crate::config::reference::{self, INTERFACE, NEIGHBOR, SESSION};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::{Command, TrackedObject, value};
use crate::ospf::NetworkKind;

pub(in crate::config) const KEYS: &[&str] = &[
    "interface",
    "route",
    "neighbor",
    "ospf-interface",
    "bfd",
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
    &["interface", "route", "neighbor", "ospf-interface", "bfd", "file", "command"];

/// How a command is run.
const COMMAND_KEYS: &[&str] = &["interval", "timeout", "rise", "fall"];

/// To the least there is, whatever the priority: it is never too little for the other node to take over.
const LOWER_BY: u8 = 254;

/// What can be tracked by its name.
pub(super) struct Names<'t> {
    neighbors: BTreeSet<&'t str>,
    ospf_interfaces: BTreeSet<&'t str>,
    /// Those of them that have no neighbours.
    silent: BTreeSet<String>,
    sessions: BTreeSet<&'t str>,
}

impl<'t> Names<'t> {
    pub fn read(root: &Section<'t>, ospf: Option<&Ospf>) -> Names<'t> {
        let interfaces = ospf.into_iter().flat_map(|ospf| &ospf.settings.interfaces);
        let silent = interfaces
            .filter(|(_, settings)| settings.passive || settings.network == NetworkKind::Loopback);
        Names {
            neighbors: root.names(&["neighbor"]),
            ospf_interfaces: root.names(&["ospf", "interface"]),
            silent: silent.map(|(name, _)| name.clone()).collect(),
            sessions: root.names(&["bfd", "session"]),
        }
    }
}

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
        let Some((key, object)) = read_object(&section, names, report) else { continue };
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

fn read_object(
    section: &Section<'_>,
    names: &Names<'_>,
    report: &mut Report<'_>,
) -> Option<(&'static str, TrackedObject)> {
    let mut given = OBJECTS.iter().copied().filter(|key| section.has(key));
    let Some(key) = given.next() else {
        report
            .at(section.span.clone(), format!("{} has nothing to track", section.name))
            .label("no object")
            .help(format!("one of: {}", OBJECTS.join(", ")));
        return None;
    };
    for other in given {
        report
            .at(section.span_of(other), format!("`{other}` beside `{key}`"))
            .label("one object for each track")
            .related(section.span_of(key), "tracks this")
            .help(format!("add another section {}", section.name));
    }
    if key != "command" {
        for key in COMMAND_KEYS.iter().filter(|key| section.has(key)) {
            report
                .at(section.span_of(key), format!("`{key}` without `command`"))
                .label("has no effect");
        }
    }
    let name =
        |kind, names, report: &mut Report<'_>| reference::known(section, key, kind, names, report);
    let object = match key {
        "interface" => TrackedObject::Interface(
            section.get(key, report, |value| value::interface(value::text(value)?))?,
        ),
        "route" => TrackedObject::Route(section.get(key, report, value::prefix)?),
        "neighbor" => TrackedObject::Neighbor(name(&NEIGHBOR, &names.neighbors, report)?),
        "ospf-interface" => {
            let interface = name(&INTERFACE, &names.ospf_interfaces, report)?;
            if names.silent.contains(&interface) {
                report
                    .at(section.span_of(key), format!("`{interface}` never has an OSPF neighbor"))
                    .label("a passive or loopback interface: always down");
            }
            TrackedObject::OspfInterface(interface)
        }
        "bfd" => TrackedObject::Bfd(name(&SESSION, &names.sessions, report)?),
        "file" => TrackedObject::File(
            section.get(key, report, |value| value::absolute_path(value::text(value)?))?,
        ),
        _ => TrackedObject::Command(read_command(section, report)?),
    };
    Some((key, object))
}

fn read_command(section: &Section<'_>, report: &mut Report<'_>) -> Option<Command> {
    let words = section.get("command", report, value::command);
    let least = Duration::from_millis(100);
    let interval = section.get("interval", report, |value| {
        value::duration_within(value, least..=Duration::from_secs(3600), "from 100ms to 1h")
    });
    let timeout = section.get("timeout", report, |value| {
        value::duration_within(value, least..=Duration::from_secs(60), "from 100ms to 60s")
    });
    let rise = section.number("rise", 1..=255, report).unwrap_or(2);
    let fall = section.number("fall", 1..=255, report).unwrap_or(2);
    let is_read = interval.is_some() || !section.has("interval");
    let interval = interval.unwrap_or(Duration::from_secs(1));
    if is_read && timeout.is_some_and(|timeout| timeout > interval) {
        let draft = report
            .at(section.span_of("timeout"), "`timeout` must not be longer than `interval`")
            .label(format!("longer than {interval:?}"));
        if section.has("interval") {
            draft.related(section.span_of("interval"), "the next run begins");
        }
    }
    Some(Command {
        words: words?,
        interval,
        timeout: timeout.unwrap_or_else(|| interval.min(Duration::from_secs(60))),
        rise,
        fall,
    })
}
