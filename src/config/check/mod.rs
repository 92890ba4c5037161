//! `[check.*]`: what is asked, how often, and what counts as an answer.

mod backends;
mod http;
mod method;
mod origin;
mod target;
mod timing;
mod tls;
mod url;

use std::collections::BTreeMap;

use super::report::Report;
use super::section::{Section, head};
use super::value;
use crate::health::{Method, Settings};

/// By name, also those that could not be read (`None`).
pub(super) type Checks = BTreeMap<String, Option<Settings>>;

pub(super) const KEYS: &[&str] = &[
    "tcp",
    "http",
    "grpc",
    "icmp",
    "dns",
    "command",
    "file",
    "backends",
    "send",
    "expect",
    "address",
    "method",
    "status",
    "header",
    "body",
    "service",
    "tls",
    "server-name",
    "verify",
    "ca-file",
    "expiry-warning",
    "name",
    "record",
    "present",
    "at-least",
    "interval",
    "fast-interval",
    "connect-timeout",
    "timeout",
    "slow",
    "rise",
    "fall",
    "jitter",
    "objective",
    "window",
    "half-life",
    "hold-above",
    "release-below",
    "source-address",
    "interface",
    "mark",
];

/// A way of asking.
struct Kind {
    /// Its key says what is asked.
    key: &'static str,
    /// The keys that may stand beside it.
    own: &'static [&'static str],
    shared: &'static [&'static [&'static str]],
}

const KINDS: [Kind; 8] = [
    Kind { key: "tcp", own: &["send", "expect"], shared: CONNECTED },
    Kind {
        key: "http",
        own: &["address", "method", "status", "header", "body"],
        shared: CONNECTED_BY_TLS,
    },
    Kind { key: "grpc", own: &["service", "tls"], shared: CONNECTED_BY_TLS },
    Kind {
        key: "icmp",
        own: &[],
        shared: &[timing::RUNS, timing::SPEED, timing::DAMPING, origin::KEYS],
    },
    Kind {
        key: "dns",
        own: &["name", "record", "expect"],
        shared: &[timing::RUNS, timing::SPEED, timing::DAMPING, origin::KEYS],
    },
    Kind { key: "command", own: &[], shared: &[timing::RUNS, timing::SPEED, timing::DAMPING] },
    Kind { key: "file", own: &["present"], shared: &[timing::RUNS, timing::DAMPING] },
    Kind { key: "backends", own: &["at-least"], shared: &[timing::DAMPING] },
];

const CONNECTED: &[&[&str]] =
    &[timing::RUNS, timing::CONNECTION, timing::SPEED, timing::DAMPING, origin::KEYS];

const CONNECTED_BY_TLS: &[&[&str]] =
    &[timing::RUNS, timing::CONNECTION, timing::SPEED, timing::DAMPING, origin::KEYS, tls::KEYS];

impl Kind {
    fn takes(&self, key: &str) -> bool {
        self.own.contains(&key) || self.shared.iter().any(|keys| keys.contains(&key))
    }
}

pub(super) fn read(root: &Section<'_>, report: &mut Report<'_>) -> Checks {
    let mut checks = Checks::new();
    let entries = root.named("check", report);
    let others = backends::Others::new(&entries);
    for entry in entries {
        if let Err(wrong) = value::narrow_name(entry.key) {
            wrong.report(entry.key, entry.key_span, report);
            continue;
        }
        let section = Section::open(head("check", entry.key), entry.value, KEYS, report);
        let settings = section.and_then(|section| read_one(&section, entry.key, &others, report));
        checks.insert(entry.key.to_owned(), settings);
    }
    checks
}

fn read_one(
    section: &Section<'_>,
    name: &str,
    others: &backends::Others<'_>,
    report: &mut Report<'_>,
) -> Option<Settings> {
    let kind = read_kind(section, &KINDS, report)?;
    let settings = timing::read(section, kind.key == "file", report);
    let method = match kind.key {
        "tcp" | "http" | "grpc" | "icmp" => read_reached(kind, section, report),
        "dns" => method::dns(section, report),
        "command" => method::command(section, report),
        "file" => method::file(section, report),
        _ => backends::read(section, name, others, report),
    };
    let origin = origin::read(section, kind.key, method.as_ref(), report);
    let settings = Settings { method: method?, origin, ..settings };
    if kind.takes("slow") {
        timing::check_limit(section, &settings, report);
    }
    Some(settings)
}

/// What a probe asks: the first kinds only, as a group has addresses and nothing else.
pub(super) fn read_probe(section: &Section<'_>, report: &mut Report<'_>) -> Option<Settings> {
    let kind = read_kind(section, KINDS.get(..4)?, report)?;
    let settings = timing::read(section, false, report);
    let method = read_reached(kind, section, report);
    let origin = origin::read(section, kind.key, method.as_ref(), report);
    Some(Settings { method: method?, origin, ..settings })
}

fn read_reached(kind: &Kind, section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    match kind.key {
        "tcp" => method::tcp(section, report),
        "http" => http::read(section, report),
        "grpc" => method::grpc(section, report),
        _ => method::icmp(section, report),
    }
}

/// What is asked: exactly one thing, of these kinds.
fn read_kind(
    section: &Section<'_>,
    kinds: &'static [Kind],
    report: &mut Report<'_>,
) -> Option<&'static Kind> {
    let mut given = kinds.iter().filter(|kind| section.has(kind.key));
    let Some(kind) = given.next() else {
        report
            .at(section.span.clone(), format!("{} asks nothing", section.name))
            .label("nothing to check")
            .help(format!("one of: {}", keys(kinds.iter())));
        return None;
    };
    let others: Vec<&Kind> = given.collect();
    for other in &others {
        let draft = report
            .at(section.span_of(other.key), format!("`{}` beside `{}`", other.key, kind.key))
            .label("a check asks one thing")
            .related(section.span_of(kind.key), "asks this");
        if kinds.len() == KINDS.len() {
            draft.help("add another section [check.NAME]");
        }
    }
    if !others.is_empty() {
        return None;
    }
    let stray = |key: &&&str| section.has(key) && **key != kind.key && !kind.takes(key);
    for key in KEYS.iter().filter(stray) {
        let of = keys(kinds.iter().filter(|kind| kind.takes(key)));
        report
            .at(section.span_of(key), format!("`{key}` beside `{}`", kind.key))
            .label(format!("has no effect: it is for {of}"))
            .related(section.span_of(kind.key), "what is asked");
    }
    Some(kind)
}

fn keys<'k>(kinds: impl Iterator<Item = &'k Kind>) -> String {
    kinds.map(|kind| kind.key).collect::<Vec<_>>().join(", ")
}
