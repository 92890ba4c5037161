//! What the priority of a virtual router or the announcement of a group follows.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::ospf::Ospf;
use super::reference::{self, CHECK, INTERFACE, NEIGHBOR, ROUTER, SESSION};
use super::report::Report;
use super::section::Section;
use super::value::{self, Wrong};
use crate::ospf::NetworkKind;
use crate::types::Prefix;

/// Something that is as it should be, or is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackedObject {
    /// Up with carrier.
    Interface(String),
    /// There is a route to exactly this prefix, of any neighbour or of OSPF.
    Route(Prefix),
    /// The BGP neighbour of that name is established.
    Neighbor(String),
    /// At least one OSPF neighbour is Full on the interface of that name.
    OspfInterface(String),
    /// The session of `[bfd.session.NAME]` is up.
    Bfd(String),
    /// `[check.NAME]` is not down.
    Check(String),
    /// The virtual router of that name is Active here.
    Vrrp(String),
    /// At least one of the upstreams of `[isolation]` is up: this node is *not* isolated.
    Isolated,
    /// The file is there.
    File(String),
    /// A command ends with 0.
    Command(Command),
}

/// A command: no shell, killed with its children when its time is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    /// Never empty; the first is an absolute path.
    pub words: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    /// In a row, to count as up or as down.
    pub rise: u8,
    pub fall: u8,
}

/// As an operator would name it: `interface eth1`, `file /run/ok`.
impl fmt::Display for TrackedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrackedObject::Interface(name) => write!(f, "interface {name}"),
            TrackedObject::Route(prefix) => write!(f, "route {prefix}"),
            TrackedObject::Neighbor(name) => write!(f, "neighbor {name}"),
            TrackedObject::OspfInterface(name) => write!(f, "OSPF on {name}"),
            TrackedObject::Bfd(name) => write!(f, "BFD session {name}"),
            TrackedObject::Check(name) => write!(f, "check {name}"),
            TrackedObject::Vrrp(name) => write!(f, "virtual router {name}"),
            TrackedObject::Isolated => f.write_str("upstreams"),
            TrackedObject::File(path) => write!(f, "file {path}"),
            TrackedObject::Command(command) => write!(f, "command {}", command.words.join(" ")),
        }
    }
}

/// How a command is run.
const COMMAND_KEYS: &[&str] = &["interval", "timeout", "rise", "fall"];

/// What can be tracked by its name.
pub(super) struct Names<'t> {
    pub checks: BTreeSet<&'t str>,
    pub neighbors: BTreeSet<&'t str>,
    pub ospf_interfaces: BTreeSet<&'t str>,
    /// Those of them that have no neighbours.
    silent: BTreeSet<String>,
    sessions: BTreeSet<&'t str>,
    routers: BTreeSet<&'t str>,
    has_isolation: bool,
}

impl<'t> Names<'t> {
    pub fn read(root: &Section<'t>, ospf: Option<&Ospf>) -> Names<'t> {
        let interfaces = ospf.into_iter().flat_map(|ospf| &ospf.settings.interfaces);
        let silent = interfaces
            .filter(|(_, settings)| settings.passive || settings.network == NetworkKind::Loopback);
        Names {
            checks: root.names(&["check"]),
            neighbors: root.names(&["neighbor"]),
            ospf_interfaces: root.names(&["ospf", "interface"]),
            silent: silent.map(|(name, _)| name.clone()).collect(),
            sessions: root.names(&["bfd", "session"]),
            routers: root.names(&["vrrp"]),
            has_isolation: root.has("isolation"),
        }
    }

    /// An interface that never has a neighbour is always down.
    pub fn check_heard(&self, name: &str, span: std::ops::Range<usize>, report: &mut Report<'_>) {
        if self.silent.contains(name) {
            report
                .at(span, format!("`{name}` never has an OSPF neighbor"))
                .label("a passive or loopback interface: always down");
        }
    }
}

/// The object of a section, with its key: one of `objects`. `what` the section is in a word.
pub(super) fn read(
    section: &Section<'_>,
    objects: &[&'static str],
    what: &str,
    names: &Names<'_>,
    report: &mut Report<'_>,
) -> Option<(&'static str, TrackedObject)> {
    let mut given = objects.iter().copied().filter(|key| section.has(key));
    let Some(key) = given.next() else {
        report
            .at(section.span.clone(), format!("{} has nothing to track", section.name))
            .label("no object")
            .help(format!("one of: {}", objects.join(", ")));
        return None;
    };
    for other in given {
        report
            .at(section.span_of(other), format!("`{other}` beside `{key}`"))
            .label(format!("one object for each {what}"))
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
            names.check_heard(&interface, section.span_of(key), report);
            TrackedObject::OspfInterface(interface)
        }
        "bfd" => TrackedObject::Bfd(name(&SESSION, &names.sessions, report)?),
        "check" => TrackedObject::Check(name(&CHECK, &names.checks, report)?),
        "vrrp" => TrackedObject::Vrrp(name(&ROUTER, &names.routers, report)?),
        "isolated" => read_isolated(section, names, report)?,
        "file" => TrackedObject::File(
            section.get(key, report, |value| value::absolute_path(value::text(value)?))?,
        ),
        _ => TrackedObject::Command(read_command(section, report)?),
    };
    Some((key, object))
}

fn read_isolated(
    section: &Section<'_>,
    names: &Names<'_>,
    report: &mut Report<'_>,
) -> Option<TrackedObject> {
    let only_true = |value| match value::boolean(value)? {
        true => Ok(()),
        false => Err(Wrong::new("{key} is true, or left out").label("tracks nothing")),
    };
    section.get("isolated", report, only_true)?;
    if !names.has_isolation {
        report
            .at(section.span_of("isolated"), "`isolated` without [isolation]")
            .label("nobody says which the upstreams are")
            .help("add [isolation] with a line such as `neighbors = [\"isp-a\", \"isp-b\"]`");
    }
    Some(TrackedObject::Isolated)
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
