//! `[group.NAME.switch]`: how a group moves from site to site, and when it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use jiff::tz::Offset;
use toml::de::DeValue;

use super::check::Checks;
use super::groups::Sections;
use super::probe::ServiceProbe;
use super::reference::{self, CHECK, GROUP};
use super::report::Report;
use super::section::Section;
use super::value::{self, Wrong};
use crate::group::Group;
use crate::switch::{Freeze, NotFreeze};

pub(super) const KEYS: &[&str] = &[
    "gates",
    "before-hooks",
    "after-hooks",
    "command-timeout",
    "approval",
    "hold",
    "deadline",
    "after",
    "objective",
    "freeze",
    "time-zone",
    "hold-after-change",
    "gated-by",
];

/// How a group is switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switching {
    /// Commands, each a list of words. One after the other; each must end with 0 before anything is changed.
    pub gates: Vec<Vec<String>>,
    /// The same, when the gates have been passed.
    pub before: Vec<Vec<String>>,
    /// When the group has moved.
    pub after: Vec<Vec<String>>,
    /// Of each command.
    pub command_timeout: Duration,
    /// An operator must approve behind the gates.
    pub approval: bool,
    /// New connections are delayed for so long at most; `None`: not at all.
    pub hold: Option<Duration>,
    /// From the order to the commit.
    pub deadline: Duration,
    /// Groups that leave a site before this one.
    pub later_than: Vec<String>,
    /// How soon the service is to be there again, in a drill.
    pub objective: Option<Duration>,
    pub freezes: Vec<Freeze>,
    /// For so long after a change there is no other.
    pub hold_after_change: Duration,
    /// Checks that must be up, or slow.
    pub gated_by: Vec<String>,
    pub probe: Option<ServiceProbe>,
}

impl Default for Switching {
    fn default() -> Switching {
        Switching {
            gates: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            command_timeout: Duration::from_secs(30),
            approval: false,
            hold: None,
            deadline: Duration::from_secs(60),
            later_than: Vec::new(),
            objective: None,
            freezes: Vec::new(),
            hold_after_change: Duration::ZERO,
            gated_by: Vec::new(),
            probe: None,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Of every group.
pub(super) fn read(
    sections: &Sections<'_>,
    groups: &BTreeMap<String, Group>,
    checks: &Checks,
    report: &mut Report<'_>,
) -> BTreeMap<String, Switching> {
    let mut orders = Orders::new();
    let names: BTreeSet<&str> = groups.keys().map(String::as_str).collect();
    let checks: BTreeSet<&str> = checks.keys().map(String::as_str).collect();
    let mut all = BTreeMap::new();
    for (name, group_section) in sections {
        let Some(group) = groups.get(name) else { continue };
        let section = group_section.below("switch", KEYS, report);
        let mut switching = match &section {
            Some(section) => read_one(section, &checks, report),
            None => Switching::default(),
        };
        if let Some(section) = section {
            let after = reference::known_list(&section, "after", &GROUP, &names, report);
            let after = after.into_iter().flatten();
            let after = after.map(|group| (group.get_ref().to_string(), group.span()));
            orders.insert(name.clone(), after.collect());
        }
        let after = orders.get(name).into_iter().flatten();
        switching.later_than = after.map(|(group, _)| group.clone()).collect();
        switching.probe = ServiceProbe::read(group_section, group, report);
        all.insert(name.clone(), switching);
    }
    report_circles(&orders, report);
    all
}

fn read_one(section: &Section<'_>, checks: &BTreeSet<&str>, report: &mut Report<'_>) -> Switching {
    let usual = Switching::default();
    let within = |key: &str, least, most, bounds: &str, report: &mut Report<'_>| {
        section.get(key, report, |value| value::duration_within(value, least..=most, bounds))
    };
    let commands = |key, report: &mut Report<'_>| {
        section.get(key, report, value::commands).unwrap_or_default()
    };
    let deadline = within("deadline", SECOND, HOUR, "from 1s to 1h", report);
    let deadline = deadline.unwrap_or(usual.deadline);
    let millis = Duration::from_millis;
    let timeout = within("command-timeout", millis(100), HOUR, "from 100ms to 1h", report);
    if timeout.is_some_and(|timeout| timeout > deadline) {
        let draft = report
            .at(section.span_of("command-timeout"), "`command-timeout` is longer than `deadline`")
            .label("has no effect: the switch is over before");
        match section.has("deadline") {
            true => draft.related(section.span_of("deadline"), "of the whole switch"),
            false => draft.help(format!("`deadline` is {deadline:?} unless it is given")),
        };
    }
    let offset = section.get("time-zone", report, offset).unwrap_or(Offset::UTC);
    if section.has("time-zone") && !section.has("freeze") {
        report
            .at(section.span_of("time-zone"), "`time-zone` without `freeze`")
            .label("has no effect")
            .help("add a line such as `freeze = [\"Fri 16:00 - Mon 08:00\"]`");
    }
    let freezes = section.list("freeze", report, value::text).unwrap_or_default();
    let freezes = freezes.into_iter().filter_map(|text| {
        let parsed = Freeze::parse(text.get_ref(), offset);
        parsed.map_err(|why| report_freeze(text.get_ref(), text.span(), why, report)).ok()
    });
    let freezes = freezes.collect();
    let day = 24 * HOUR;
    Switching {
        gates: commands("gates", report),
        before: commands("before-hooks", report),
        after: commands("after-hooks", report),
        command_timeout: timeout.unwrap_or(usual.command_timeout),
        approval: section.boolean("approval", report).unwrap_or(false),
        hold: within("hold", millis(100), 30 * SECOND, "from 100ms to 30s", report),
        deadline,
        later_than: Vec::new(),
        objective: within("objective", millis(10), HOUR, "from 10ms to 1h", report),
        freezes,
        hold_after_change: within(
            "hold-after-change",
            Duration::ZERO,
            30 * day,
            "from 0s to 30d",
            report,
        )
        .unwrap_or(usual.hold_after_change),
        gated_by: reference::owned(reference::known_list(
            section, "gated-by", &CHECK, checks, report,
        )),
        probe: None,
    }
}

fn report_freeze(text: &str, span: Range<usize>, why: NotFreeze, report: &mut Report<'_>) {
    report.at(span, format!("`{text}` is no window of time")).label(why.to_string()).help(
        "written like \"Fri 16:00 - Mon 08:00\", \"07:30 - 18:00\" or \"2026-12-20 00:00 - 2027-01-04 08:00\"",
    );
}

/// `+01:00`.
fn offset(value: &DeValue<'_>) -> Result<Offset, Wrong> {
    let text = value::text(value)?;
    let wrong = || {
        Wrong::new(format!("`{text}` is no offset from UTC"))
            .label("expected hours and minutes; there are no names of zones, and no summer time")
            .help("written like \"+01:00\" or \"-08:00\"")
    };
    let is_ahead = match text.get(..1) {
        Some("+") => true,
        Some("-") => false,
        _ => return Err(wrong()),
    };
    let number = |text: &str, most: i32| {
        let number = text.parse().ok().filter(|number| (0..=most).contains(number));
        number.filter(|_| text.len() == 2).ok_or_else(wrong)
    };
    let (hours, minutes) = text.get(1..).unwrap_or_default().split_once(':').ok_or_else(wrong)?;
    let seconds = number(hours, 14)? * 3600 + number(minutes, 59)? * 60;
    Offset::from_seconds(if is_ahead { seconds } else { -seconds }).map_err(|_| wrong())
}

/// By group: those that it comes after, with the places where that is said.
type Orders = BTreeMap<String, Vec<(String, Range<usize>)>>;

/// Groups that come after each other would never begin.
fn report_circles(orders: &Orders, report: &mut Report<'_>) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for group in orders.keys() {
        let (mut path, mut seen) = (Vec::new(), BTreeSet::new());
        if told.contains(group.as_str()) || !leads_back(group, group, orders, &mut path, &mut seen)
        {
            continue;
        }
        told.extend(path.iter().map(|(name, _)| *name));
        let names: Vec<&str> = path.iter().map(|(name, _)| *name).collect();
        if let Some((_, span)) = path.first() {
            report
                .at(span.clone(), format!("{group} comes after itself"))
                .label(format!("after {}", names.join(", which comes after ")));
        }
    }
}

/// Whether there is a way from `at` to `group`, and which one.
fn leads_back<'o>(
    group: &str,
    at: &str,
    orders: &'o Orders,
    path: &mut Vec<(&'o str, Range<usize>)>,
    seen: &mut BTreeSet<&'o str>,
) -> bool {
    for (next, span) in orders.get(at).into_iter().flatten() {
        if !seen.insert(next) {
            continue;
        }
        path.push((next, span.clone()));
        if next == group || leads_back(group, next, orders, path, seen) {
            return true;
        }
        path.pop();
    }
    false
}
