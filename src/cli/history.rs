use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::daemon::{Client, Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{BAD, BOLD, DIM, GOOD, Output, PLAIN, WARN, count, harmless, moment, span};
use super::switch::vantages;
use crate::api::v1::{AuditReply, AuditRequest, HistoryRequest, LedgerEntry, LedgerStep};
use crate::driver::plain;
use crate::switch::ledger;

/// `shunt history [GROUP] [--last N]`
pub async fn history(
    group: Option<String>,
    last: Option<u32>,
    daemon: Daemon,
    mut out: Output,
) -> Result<(), Failure> {
    let request =
        HistoryRequest { group: group.unwrap_or_default(), last: last.unwrap_or_default() };
    let call = async move |mut client: Client| client.history(request).await;
    let mut stream = daemon.call(PATIENCE, call).await?;
    let mut is_empty = true;
    while let Some(entry) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        is_empty = false;
        match out.json {
            true => out.json_line(&entry)?,
            false => print(&entry, &mut out)?,
        }
    }
    if is_empty && !out.json {
        writeln!(out, "the ledger has no entry of that")?;
    }
    out.flush()?;
    Ok(())
}

fn print(entry: &LedgerEntry, out: &mut dyn Write) -> io::Result<()> {
    let LedgerEntry { number, at, node, kind, switch, group, from, to, epoch, .. } = entry;
    write!(out, "{DIM}{}{DIM:#}  {number}  {BOLD}{kind}{BOLD:#}", moment(at))?;
    if !group.is_empty() {
        write!(out, " of {BOLD}{}{BOLD:#}", harmless(group))?;
    }
    match (from.as_str(), to.as_str()) {
        ("", "") => {}
        ("", to) => write!(out, " to {}", harmless(to))?,
        (from, to) => write!(out, " from {} to {}", harmless(from), harmless(to))?,
    }
    let (style, outcome) = match entry.outcome.as_str() {
        "" => (PLAIN, String::new()),
        "committed" => (GOOD, ": committed".to_owned()),
        "rolled-back" => (WARN, ": rolled back".to_owned()),
        other => (WARN, format!(": {}", harmless(other))),
    };
    write!(out, "{style}{outcome}{style:#}")?;
    if entry.total_us > 0 {
        write!(out, " after {}", span(Duration::from_micros(entry.total_us)))?;
    }
    writeln!(out)?;
    for (what, text) in [("why", &entry.why), ("by", &entry.owner), ("reason", &entry.reason)] {
        if !text.is_empty() {
            writeln!(out, "  {what}: {}", harmless(text))?;
        }
    }
    if entry.break_glass {
        writeln!(out, "  {BAD}break-glass: against rules, gates and health{BAD:#}")?;
    }
    if !entry.unheard.is_empty() {
        writeln!(out, "  {WARN}not heard by {} then{WARN:#}", entry.unheard.join(", "))?;
    }
    steps(&entry.steps, out)?;
    vantages(&entry.vantages, out)?;
    let mut rest = vec![format!("node {}", harmless(node))];
    if *epoch > 0 {
        rest.push(format!("epoch {epoch}"));
    }
    if !switch.is_empty() {
        rest.push(format!("id {}", harmless(switch)));
    }
    writeln!(out, "  {DIM}{}, hash {}{DIM:#}", rest.join(", "), entry.hash)
}

/// `survey 3.1 ms, raise 38 ms, probe failed after 5 s, back: lower 39 ms`
fn steps(steps: &[LedgerStep], out: &mut dyn Write) -> io::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut was_back = false;
    let mut texts = Vec::with_capacity(steps.len());
    for LedgerStep { step, back, failed, took_us, .. } in steps {
        let turn = if *back && !was_back { "back: " } else { "" };
        was_back = *back;
        let failed = if *failed { "failed after " } else { "" };
        texts.push(format!("{turn}{step} {failed}{}", span(Duration::from_micros(*took_us))));
    }
    writeln!(out, "  steps: {}", texts.join(", "))
}

/// `shunt audit verify`
pub async fn audit(daemon: Daemon, out: Output) -> Result<(), Failure> {
    let call = async move |mut client: Client| client.audit(AuditRequest {}).await;
    let reply = daemon.call(PATIENCE, call).await?;
    verdict(&reply, out)
}

/// `shunt audit verify FILE`
pub fn audit_file(path: &Path, out: Output) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| {
        Failure::failed(format!("cannot read {}: {}", path.display(), plain(&error)))
    })?;
    let audit = ledger::audit(&bytes);
    let torn = bytes.len() - audit.whole;
    let problem = match audit.wrong {
        Some(wrong) => wrong.to_string(),
        None if torn > 0 => format!("line {} was not written to its end", audit.chain.lines + 1),
        None => String::new(),
    };
    let reply = AuditReply {
        file: path.display().to_string(),
        entries: audit.chain.lines,
        hash: audit.chain.hash,
        problem,
    };
    verdict(&reply, out)
}

fn verdict(reply: &AuditReply, out: Output) -> Result<(), Failure> {
    let AuditReply { file, entries, hash, problem } = reply;
    out.answer(reply, |out| {
        let entries = count(*entries, "entry", "entries");
        match (problem.is_empty(), hash.as_str()) {
            (false, _) => Ok(()),
            (true, "") => writeln!(out, "{file}: {entries}"),
            (true, hash) => writeln!(
                out,
                "{file}: {entries}, {GOOD}as they were written{GOOD:#}; the last has the hash {hash}"
            ),
        }
    })?;
    if problem.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("{file}: {problem}"))
        .advise("Compare with a copy, or with the hashes that others have noted."))
}
