//! Checks that count others.

use std::collections::BTreeSet;

use crate::config::reference::{self, CHECK};
use crate::config::report::Report;
use crate::config::section::{Entry, Section};
use crate::health::Method;

/// What the file says of other checks.
pub(super) struct Others<'t> {
    names: BTreeSet<&'t str>,
    /// Those of them that count others.
    counting: BTreeSet<&'t str>,
}

impl<'t> Others<'t> {
    pub fn new(entries: &[Entry<'t>]) -> Others<'t> {
        let counts = |entry: &&Entry<'t>| {
            let table = entry.value.get_ref().as_table();
            table.is_some_and(|table| table.contains_key("backends"))
        };
        Others {
            names: entries.iter().map(|entry| entry.key).collect(),
            counting: entries.iter().filter(counts).map(|entry| entry.key).collect(),
        }
    }
}

pub(super) fn read(
    section: &Section<'_>,
    name: &str,
    others: &Others<'_>,
    report: &mut Report<'_>,
) -> Option<Method> {
    let of = reference::known_list(section, "backends", &CHECK, &others.names, report);
    section.report_missing("at-least", "at-least = 2", report);
    let at_least = section.number("at-least", 1..=u64::from(u16::MAX), report);
    let of = of?;
    for backend in &of {
        let other = *backend.get_ref();
        if other == name {
            report.at(backend.span(), "a check counts itself").label("would wait for itself");
        } else if others.counting.contains(other) {
            report
                .at(backend.span(), format!("backends of backends: `{other}` counts others itself"))
                .label("expected a check that asks")
                .help("name its backends here");
        }
    }
    let at_least = at_least.map(|n: u16| usize::from(n))?;
    if at_least > of.len() {
        report
            .at(section.span_of("at-least"), "`at-least` is more than there are")
            .label("never up")
            .related(
                section.span_of("backends"),
                format!("only {}", reference::count(of.len(), &CHECK)),
            );
    }
    Some(Method::Backends { of: reference::owned(Some(of)), at_least })
}
