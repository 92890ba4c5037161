use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use super::reference::{self, CHECK};
use super::report::Report;
use super::section::Section;
use super::tracked::Names;
use super::value;
use crate::group::{Group, Need};

/// `[guard]`: when this node doubts itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Checks of what always answers, by name. When there are some and none of them is up, this node is blind: what it
    /// thinks of anything else counts as unknown.
    pub witnesses: Vec<String>,
    /// `None`: whatever many changes there are, each is made.
    pub correlated: Option<Correlated>,
}

/// Too many changes at once say more of who sees them than of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correlated {
    /// Groups here, or nodes seen elsewhere.
    pub more_than: usize,
    pub within: Duration,
    /// For so long nothing changes by itself.
    pub freeze: Duration,
}

pub(super) const KEYS: &[&str] = &["witnesses", "correlated", "within", "freeze"];

const SECOND: Duration = Duration::from_secs(1);

impl Guard {
    pub(super) fn read(root: &Section<'_>, names: &Names<'_>, report: &mut Report<'_>) -> Guard {
        let section = root
            .value("guard")
            .and_then(|value| Section::open("[guard]".to_owned(), value, KEYS, report));
        let Some(section) = section else { return Guard::default() };
        let witnesses = reference::known_list(&section, "witnesses", &CHECK, &names.checks, report);
        let more_than = section.number("correlated", 1..=1000, report);
        let within = section.get("within", report, |value| {
            value::duration_within(value, SECOND..=600 * SECOND, "from 1s to 10m")
        });
        let freeze = section.get("freeze", report, |value| {
            value::duration_within(value, SECOND..=24 * 3600 * SECOND, "from 1s to 24h")
        });
        if !section.has("correlated") {
            for key in ["within", "freeze"].iter().filter(|key| section.has(key)) {
                report
                    .at(section.span_of(key), format!("`{key}` without `correlated`"))
                    .label("has no effect: no number of changes is too many")
                    .help("add a line such as `correlated = 3`");
            }
        }
        let correlated = more_than.map(|more_than: u16| Correlated {
            more_than: more_than.into(),
            within: within.unwrap_or(10 * SECOND),
            freeze: freeze.unwrap_or(300 * SECOND),
        });
        Guard { witnesses: reference::owned(witnesses), correlated }
    }
    /// What one check alone changes is no correlation.
    pub(super) fn check_shared(
        &self,
        root: &Section<'_>,
        groups: &BTreeMap<String, Group>,
        report: &mut Report<'_>,
    ) {
        let section = root.value("guard").and_then(|value| value.get_ref().as_table());
        let span = section.and_then(|section| section.get("correlated")).map(Spanned::span);
        let (Some(span), Some(correlated)) = (span, self.correlated) else { return };
        let mut of_check: BTreeMap<&str, usize> = BTreeMap::new();
        for policy in groups.values().filter_map(|group| group.health.as_ref()) {
            // Where others can stand in for it, it alone changes nothing.
            if policy.need == Need::All || policy.checks.len() == 1 {
                policy.checks.iter().for_each(|check| *of_check.entry(check).or_default() += 1);
            }
        }
        let most = of_check.iter().max_by_key(|(_, groups)| **groups);
        if let Some((check, groups)) = most.filter(|(_, groups)| **groups > correlated.more_than) {
            report
                .at(span, "`correlated` is less than the groups that share a check")
                .label(format!("`{check}` alone would freeze its {groups} groups each time"))
                .help(format!("at least {groups}"));
        }
    }
}
