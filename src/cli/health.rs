use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;

use super::daemon::{Daemon, PATIENCE};
use super::failure::{Exit, Failure};
use super::order::with_progress;
use super::output::{
    self, BAD, BOLD, Cell, Column, GOOD, Output, Table, WARN, compact_age, compact_span, harmless,
    left, right, span,
};
use crate::api::v1::{
    Check, CheckSettings, HealthReply, HealthRequest, TryCheckReply, TryCheckRequest,
};

/// `shunt health [CHECK]`
pub async fn health(check: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let one = check.is_some();
    let reply = read(check.unwrap_or_default(), &daemon).await?;
    out.answer(&reply, |out| {
        match one {
            true => reply.checks.iter().try_for_each(|check| details(check, out))?,
            false => overview(&reply, out)?,
        }
        for guard in &reply.guards {
            writeln!(out, "{WARN}guard:{WARN:#} {}", harmless(guard))?;
        }
        Ok(())
    })?;
    Ok(())
}

async fn read(name: String, daemon: &Daemon) -> Result<HealthReply, Failure> {
    let request = HealthRequest { name };
    daemon.call(PATIENCE, async move |mut client| client.health(request).await).await
}

/// `shunt health try CHECK`
pub async fn try_check(name: String, daemon: Daemon, out: Output) -> Result<(), Failure> {
    // How long it may take is up to the check.
    let known = read(name.clone(), &daemon).await?;
    let limit = known.checks.first().map_or(0, |check| check.limit_us);
    let limit = Duration::from_micros(limit);
    let request = TryCheckRequest { name };
    let patience = limit.saturating_add(PATIENCE);
    let call = daemon.call(patience, async move |mut client| client.try_check(request).await);
    let reply = with_progress("the check's answer", limit, call).await?;
    let check = reply.check.as_ref().or(known.checks.first());
    out.answer(&reply, |out| print_try(&reply, check, out))?;
    match reply.outcome.as_str() {
        "answered" | "slow" => Ok(()),
        _ => Err(Failure::silent(Exit::NotWell)),
    }
}

fn print_try(reply: &TryCheckReply, check: Option<&Check>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(check) = check {
        let asks =
            [std::slice::from_ref(&check.asks), check.conditions.as_slice()].concat().join("; ");
        writeln!(out, "{BOLD}{}{BOLD:#}: {}", check.name, harmless(&asks))?;
    }
    for step in &reply.steps {
        writeln!(out, "  {}", harmless(step))?;
    }
    let (style, word) = match reply.outcome.as_str() {
        "answered" => (GOOD, "answered"),
        "slow" => (WARN, "answered slowly"),
        "failed" => (BAD, "failed"),
        _ => (WARN, "could not be asked"),
    };
    let took = time(reply.took_us);
    writeln!(out, "{style}{word}{style:#} after {took}: {}", harmless(&reply.text))?;
    if !reply.warning.is_empty() {
        writeln!(out, "{WARN}warning:{WARN:#} {}", harmless(&reply.warning))?;
    }
    let Some(check) = check else { return Ok(()) };
    let (style, age) = (state_style(check), time(check.state_us));
    let state = &check.state;
    let aside = aside(check);
    writeln!(
        out,
        "the verdict is {style}{state}{style:#} for {age}{aside}; it does not hear of this run"
    )
}

fn time(micros: u64) -> String {
    span(Duration::from_micros(micros))
}

fn overview(reply: &HealthReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 8] = [
        left("CHECK"),
        left("STATE"),
        right("SINCE"),
        right("SCORE"),
        right("GRADE"),
        right("P95"),
        right("PENALTY"),
        left("USED BY"),
    ];
    let mut table = Table::new(&COLUMNS);
    for check in &reply.checks {
        let p95 = match check.p95_us {
            0 => String::new(),
            micros => compact_span(micros),
        };
        let penalty = match (check.penalty, check.held) {
            (0, false) => String::new(),
            (points, false) => points.to_string(),
            (points, true) => format!("{points},held"),
        };
        let users: Vec<&str> = check.used_by.iter().map(|user| short(user)).collect();
        table.row([
            check.name.clone().into(),
            Cell::styled(check.state.clone(), state_style(check)),
            compact_age(check.state_us).into(),
            check.score.to_string().into(),
            check.grade.to_string().into(),
            p95.into(),
            penalty.into(),
            users.join(", ").into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no checks are configured")?;
    }
    for check in &reply.checks {
        let name = &check.name;
        if check.state != "up" {
            writeln!(out, "{WARN}{name}:{WARN:#} {}{}", harmless(&check.reason), aside(check))?;
        }
        if !check.warning.is_empty() {
            writeln!(out, "{WARN}{name}:{WARN:#} {}", harmless(&check.warning))?;
        }
    }
    Ok(())
}

/// The name of what follows a check.
fn short(user: &str) -> &str {
    user.rsplit_once(' ').map_or(user, |(_, name)| name)
}

fn state_style(check: &Check) -> Style {
    match check.state.as_str() {
        "up" => GOOD,
        "down" => BAD,
        _ => WARN,
    }
}

/// What else is to be known of a state that is not up.
fn aside(check: &Check) -> String {
    match (check.known.as_str(), check.state.as_str()) {
        _ if check.held => format!("; held for {} more, if it is quiet", time(check.held_us)),
        ("", "unknown") => "; counts as up".to_owned(),
        (known, "unknown") => format!("; counts as {known}, as it was before"),
        _ => String::new(),
    }
}

fn details(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    let Check { name, state, .. } = check;
    let (style, age) = (state_style(check), time(check.state_us));
    writeln!(out, "{BOLD}{name}{BOLD:#}: {style}{state}{style:#} for {age}{}", aside(check))?;
    let settings = check.settings.clone().unwrap_or_default();
    let score = match check.grade {
        0 => check.score.to_string(),
        grade => format!("{}, grade {grade}", check.score),
    };
    let runs = format!(
        "{} answered, {} failed, {} not asked",
        check.answered, check.failed, check.not_asked
    );
    output::list(
        &[
            ("last result", harmless(&check.reason).into_owned()),
            ("asks", harmless(&check.asks).into_owned()),
            ("conditions", harmless(&check.conditions.join("\n")).into_owned()),
            ("from", from(&settings)),
            ("interval", interval(&settings)),
            ("timeouts", timeouts(&settings)),
            ("changes", thresholds(&settings)),
            ("slow", optional(settings.slow_us, |slow| format!("later than {slow}"))),
            ("objective", objective(check, &settings)),
            ("damping", damping(check, &settings)),
            ("score", score),
            ("runs", if settings.interval_us == 0 { String::new() } else { runs }),
            ("changed", output::count(check.changes, "time", "times")),
            ("used by", check.used_by.join(", ")),
            ("warning", harmless(&check.warning).into_owned()),
        ],
        out,
    )
}

fn optional(micros: u64, text: impl FnOnce(String) -> String) -> String {
    if micros == 0 { String::new() } else { text(time(micros)) }
}

fn from(settings: &CheckSettings) -> String {
    let mut parts = Vec::new();
    let CheckSettings { source_address, interface, mark, .. } = settings;
    parts.extend((!source_address.is_empty()).then(|| source_address.clone()));
    parts.extend((!interface.is_empty()).then(|| format!("interface {interface}")));
    parts.extend((*mark > 0).then(|| format!("mark {mark}")));
    parts.join(", ")
}

fn interval(settings: &CheckSettings) -> String {
    optional(settings.interval_us, |interval| {
        let fast = time(settings.fast_interval_us);
        format!("{interval}, up to {} % sooner; {fast} while in doubt", settings.jitter)
    })
}

fn timeouts(settings: &CheckSettings) -> String {
    let connection =
        optional(settings.connect_timeout_us, |limit| format!("{limit} for the connection, "));
    optional(settings.timeout_us, |limit| format!("{connection}{limit} for the answer"))
}

fn thresholds(settings: &CheckSettings) -> String {
    optional(settings.interval_us, |_| {
        let fall = output::count(settings.fall.into(), "failure", "failures");
        let rise = output::count(settings.rise.into(), "answer", "answers");
        format!("down after {fall}, up after {rise} in a row")
    })
}

fn objective(check: &Check, settings: &CheckSettings) -> String {
    optional(settings.objective_us, |objective| {
        let now = match check.p95_us {
            0 => "too few answers yet".to_owned(),
            micros => format!("now {}", time(micros)),
        };
        format!("95 % of {} answers within {objective}, {now}", settings.window)
    })
}

fn damping(check: &Check, settings: &CheckSettings) -> String {
    optional(settings.half_life_us, |half_life| {
        let CheckSettings { hold_above, release_below, .. } = settings;
        format!(
            "penalty {}, halves in {half_life}, held from {hold_above} until below {release_below}",
            check.penalty
        )
    })
}
