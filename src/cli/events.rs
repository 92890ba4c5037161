use std::io::{self, Write};

use super::daemon::{Daemon, PATIENCE};
use super::failure::{Exit, Failure};
use super::output::{BAD, DIM, Output, PLAIN, WARN, harmless};
use crate::api::v1::{Event, EventsRequest};

/// `shunt events [--follow] [--last N]`
pub async fn events(
    follow: bool,
    last: Option<u32>,
    daemon: Daemon,
    mut out: Output,
) -> Result<(), Failure> {
    let request = EventsRequest { follow, last: last.unwrap_or(0) };
    let mut stream =
        daemon.call(PATIENCE, async move |mut client| client.events(request).await).await?;
    let mut previous = None;
    while let Some(event) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        if let Some(missed) = missed(previous, event.number) {
            tell_missed(missed, &mut out)?;
        }
        previous = Some(event.number);
        if out.json {
            out.json_line(&event)?;
        } else {
            print(&event, &mut out)?;
        }
        if follow {
            out.flush()?;
        }
    }
    out.flush()?;
    if follow {
        return Err(Failure::new(Exit::NoDaemon, "the daemon has stopped: no more events"));
    }
    Ok(())
}

/// How many events are missing between two that came one after the other: the daemon drops what a
/// slow reader has not taken in time. Numbers that do not grow come from a daemon started anew.
fn missed(previous: Option<u64>, number: u64) -> Option<u64> {
    let missing = number.checked_sub(previous?)?.checked_sub(1)?;
    (missing > 0).then_some(missing)
}

/// Within the text where the gap is; beside the JSON, whose numbers show it too.
fn tell_missed(missed: u64, out: &mut Output) -> io::Result<()> {
    if out.json {
        return writeln!(io::stderr(), "warning: {missed} events missed");
    }
    writeln!(out, "{WARN}-- {missed} events missed --{WARN:#}")
}

fn print(event: &Event, out: &mut dyn Write) -> io::Result<()> {
    let Event { at, kind, subject, text, severity, .. } = event;
    let style = match severity.as_str() {
        "error" => BAD,
        "warning" => WARN,
        _ => PLAIN,
    };
    // Fractions of a second come in different lengths.
    write!(out, "{DIM}{at:27}{DIM:#}  {style}{severity:7}{style:#}  {kind}")?;
    if !subject.is_empty() {
        write!(out, " {subject}")?;
    }
    // One line for each event; `--json` has all of a longer text.
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " ..." } else { "" };
    writeln!(out, ": {}{more}", harmless(first))
}

#[cfg(test)]
mod tests {
    use super::missed;

    #[test]
    fn a_gap_in_the_numbers_is_counted() {
        assert_eq!(missed(None, 40), None);
        assert_eq!(missed(Some(40), 41), None);
        assert_eq!(missed(Some(40), 44), Some(3));
        assert_eq!(missed(Some(40), 1), None);
        assert_eq!(missed(Some(40), 40), None);
    }
}
