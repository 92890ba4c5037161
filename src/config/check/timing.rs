//! How often a check is asked, how long an answer may take, and what it takes to change the verdict.

use std::time::Duration;

use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::value;
use crate::health::{Damping, Objective, Settings};

pub(super) const RUNS: &[&str] =
    &["interval", "fast-interval", "timeout", "rise", "fall", "jitter"];
pub(super) const CONNECTION: &[&str] = &["connect-timeout"];
pub(super) const SPEED: &[&str] = &["slow", "objective", "window"];
pub(super) const DAMPING: &[&str] = &["half-life", "hold-above", "release-below"];

const LEAST: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

/// A check is not asked again before it has answered or failed, unless it is in doubt. So a time longer than so many
/// intervals makes the interval a word only.
const MOST_INTERVALS: u32 = 10;

/// `is_switch`: what is asked about is put there by an operator, and is not doubted.
pub(super) fn read(section: &Section<'_>, is_switch: bool, report: &mut Report<'_>) -> Settings {
    let hour = Duration::from_secs(3600);
    let long = |key, report: &mut Report<'_>| {
        let read = |value| value::duration_within(value, LEAST..=hour, "from 10ms to 1h");
        section.get(key, report, read)
    };
    let short = |key, report: &mut Report<'_>| {
        let range = Duration::from_millis(1)..=60 * SECOND;
        let read = |value| value::duration_within(value, range, "from 1ms to 60s");
        section.get(key, report, read)
    };
    let interval = long("interval", report);
    let is_read = interval.is_some() || !section.has("interval");
    let interval = interval.unwrap_or(SECOND);
    let fast_interval = long("fast-interval", report);
    let timeout = short("timeout", report);
    let connect_timeout = short("connect-timeout", report);
    if is_read {
        check_intervals(section, interval, fast_interval, report);
        for (key, timeout) in [("timeout", timeout), ("connect-timeout", connect_timeout)] {
            check_timeout(section, key, timeout, interval, report);
        }
    }
    let (rise, fall) = if is_switch { (1, 1) } else { (2, 3) };
    let timeout = timeout.unwrap_or(SECOND.min(interval * MOST_INTERVALS));
    Settings {
        interval,
        fast_interval: fast_interval.unwrap_or(interval.min(Duration::from_millis(200))),
        connect_timeout: connect_timeout.unwrap_or(timeout),
        timeout,
        slow: short("slow", report),
        rise: section.number("rise", 1..=50, report).unwrap_or(rise),
        fall: section.number("fall", 1..=50, report).unwrap_or(fall),
        jitter: section.number("jitter", 0..=50, report).unwrap_or(10),
        objective: read_objective(section, short("objective", report), report),
        damping: read_damping(section, report),
        ..Settings::default()
    }
}

fn check_intervals(
    section: &Section<'_>,
    interval: Duration,
    fast_interval: Option<Duration>,
    report: &mut Report<'_>,
) {
    if fast_interval.is_none_or(|fast| fast <= interval) {
        return;
    }
    let draft = report
        .at(section.span_of("fast-interval"), "`fast-interval` is longer than `interval`")
        .label("would be slower while in doubt");
    match section.has("interval") {
        true => draft.related(section.span_of("interval"), "otherwise"),
        false => draft.help(format!("`interval` is {interval:?} unless it is given")),
    };
}

fn check_timeout(
    section: &Section<'_>,
    key: &str,
    timeout: Option<Duration>,
    interval: Duration,
    report: &mut Report<'_>,
) {
    if timeout.is_none_or(|timeout| timeout <= interval * MOST_INTERVALS) {
        return;
    }
    let draft = report
        .at(section.span_of(key), format!("`{key}` is longer than {MOST_INTERVALS} intervals"))
        .label("what hangs is found no sooner, however short the interval is")
        .help(format!("at most {:?}, or a longer `interval`", interval * MOST_INTERVALS));
    if section.has("interval") {
        draft.related(section.span_of("interval"), "the interval");
    }
}

fn read_objective(
    section: &Section<'_>,
    p95: Option<Duration>,
    report: &mut Report<'_>,
) -> Option<Objective> {
    let window = section.get("window", report, |value| value::number(value, 20..=1000));
    if section.has("window") && !section.has("objective") {
        report
            .at(section.span_of("window"), "`window` without `objective`")
            .label("has no effect")
            .help("add a line such as `objective = \"300ms\"`");
    }
    Some(Objective { p95: p95?, window: window.map_or(60, |window: u16| window.into()) })
}

fn read_damping(section: &Section<'_>, report: &mut Report<'_>) -> Option<Damping> {
    let day = Duration::from_secs(24 * 3600);
    let half_life = section.get("half-life", report, |value| {
        value::duration_within(value, SECOND..=day, "from 1s to 24h")
    });
    let change = u64::from(Damping::CHANGE);
    let hold_above = section.number("hold-above", change..=100 * change, report);
    let release_below = section.number("release-below", 100..=100 * change, report);
    if !section.has("half-life") {
        for key in ["hold-above", "release-below"].iter().filter(|key| section.has(key)) {
            report
                .at(section.span_of(key), format!("`{key}` without `half-life`"))
                .label("has no effect: nothing is damped")
                .help("add a line such as `half-life = \"60s\"`");
        }
    }
    let hold = hold_above.unwrap_or(2500);
    let release = release_below.unwrap_or(750);
    let are_read = |key, value: Option<u32>| value.is_some() || !section.has(key);
    if are_read("hold-above", hold_above)
        && are_read("release-below", release_below)
        && release >= hold
    {
        let key = if section.has("release-below") { "release-below" } else { "hold-above" };
        let draft = report
            .at(section.span_of(key), "`release-below` is not lower than `hold-above`")
            .label(format!("held from {hold} on, released below {release}"));
        if section.has("release-below") && section.has("hold-above") {
            draft.related(section.span_of("hold-above"), "held from here on");
        }
    }
    Some(Damping { half_life: half_life?, hold_above: hold, release_below: release })
}

/// What takes longer than a run may take has failed before it is slow.
pub(super) fn check_limit(section: &Section<'_>, settings: &Settings, report: &mut Report<'_>) {
    let limit = settings.limit();
    let times = [("slow", settings.slow), ("objective", settings.objective.map(|o| o.p95))];
    for (key, time) in times {
        if time.is_none_or(|time| time < limit) {
            continue;
        }
        let draft = report
            .at(section.span_of(key), format!("`{key}` is longer than an answer may take"))
            .label(format!("has no effect: a run has failed after {limit:?}"));
        if section.has("timeout") {
            draft.related(section.span_of("timeout"), "the timeout");
        }
    }
}
