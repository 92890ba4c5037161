use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::api::v1::{SwitchEnding, SwitchProgress, Vantage};
use crate::cli::output::{
    BAD, BOLD, Column, DIM, GOOD, PLAIN, Table, WARN, compact_span, harmless, left, right, span,
};

/// A line for each step. With several switches each line begins with its group, as they run side by side.
pub struct Lines {
    several: bool,
    /// Of the longest group's name so far.
    width: usize,
    /// What was said last of each switch, so that nothing is said twice.
    last: BTreeMap<String, Last>,
    /// A hint without a newline stands on the terminal.
    hint: bool,
}

#[derive(Default)]
struct Last {
    back: bool,
    /// What it waits for.
    waiting: String,
}

impl Lines {
    pub fn new(several: bool) -> Lines {
        Lines { several, width: 0, last: BTreeMap::new(), hint: false }
    }

    /// `first`: nothing was heard of this switch before.
    pub fn print(
        &mut self,
        progress: &SwitchProgress,
        first: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.clear_hint();
        let SwitchProgress { switch, group, from, to, back, .. } = progress;
        self.width = self.width.max(group.chars().count());
        if first && !(from.is_empty() && to.is_empty()) {
            match self.several {
                true => writeln!(out, "{BOLD}{group:0$}{BOLD:#}  from {from} to {to}", self.width)?,
                false => writeln!(out, "{BOLD}{group}{BOLD:#}: from {from} to {to}")?,
            }
        }
        let last = self.last.remove(switch).unwrap_or_default();
        if *back && !last.back && !progress.step.is_empty() {
            self.margin(group, out)?;
            writeln!(out, "{WARN}back to {from}{WARN:#}")?;
        }
        self.step(progress, &last, out)?;
        let waiting = match progress.state.as_str() {
            "waiting" => progress.text.clone(),
            _ => String::new(),
        };
        self.last.insert(switch.clone(), Last { back: *back, waiting });
        match &progress.ending {
            Some(ending) => self.end(progress, ending, out),
            None => Ok(()),
        }
    }

    fn margin(&self, group: &str, out: &mut dyn Write) -> io::Result<()> {
        match self.several {
            true => write!(out, "{group:0$}  ", self.width),
            false => write!(out, "  "),
        }
    }

    fn step(
        &mut self,
        progress: &SwitchProgress,
        last: &Last,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let SwitchProgress { group, step, state, text, .. } = progress;
        let text = harmless(text);
        let took = span(Duration::from_micros(progress.took_us));
        let (style, took) = match state.as_str() {
            _ if step.is_empty() => return Ok(()),
            "begun" => return self.show_hint(group, step),
            "waiting" if last.waiting == progress.text => return Ok(()),
            "waiting" => (DIM, String::new()),
            "failed" => (BAD, took),
            _ => (PLAIN, took),
        };
        let text = match state.as_str() {
            "waiting" => format!("waiting for {text}"),
            "failed" if text.is_empty() => "failed".to_owned(),
            "failed" => format!("failed: {text}"),
            _ => text.into_owned(),
        };
        let mut lines = text.lines();
        self.margin(group, out)?;
        let first = lines.next().unwrap_or_default();
        let line = format!("{step:11} {took:>8}  {first}");
        writeln!(out, "{style}{}{style:#}", line.trim_end())?;
        for line in lines {
            self.margin(group, out)?;
            writeln!(out, "{:22}{line}", "")?;
        }
        Ok(())
    }

    fn end(
        &mut self,
        progress: &SwitchProgress,
        ending: &SwitchEnding,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let SwitchProgress { group, from, to, .. } = progress;
        let after = span(Duration::from_micros(ending.total_us));
        if self.several {
            write!(out, "{group:0$}  ", self.width)?;
        } else {
            write!(out, "{BOLD}{group}{BOLD:#} ")?;
        }
        match ending.outcome.as_str() {
            "committed" => writeln!(
                out,
                "is {GOOD}at {to}{GOOD:#}: committed after {after}, epoch {}",
                ending.epoch
            )?,
            "rolled-back" => {
                writeln!(out, "is {WARN}at {from}, as before{WARN:#}: rolled back after {after}")?;
            }
            "taken-over" => writeln!(out, "is {WARN}switched by another node now{WARN:#}")?,
            _ => writeln!(out, "was {WARN}not switched{WARN:#}: nothing was changed")?,
        }
        if !ending.unheard.is_empty() {
            self.margin(group, out)?;
            writeln!(out, "{WARN}not heard by {} yet{WARN:#}", ending.unheard.join(", "))?;
        }
        vantages(&ending.vantages, out)
    }

    /// On a terminal, what is being done now.
    fn show_hint(&mut self, group: &str, step: &str) -> io::Result<()> {
        let mut terminal = io::stderr();
        if terminal.is_terminal() {
            self.hint = true;
            // Only a hint: nothing is lost if it cannot be shown.
            let _ = match self.several {
                true => write!(terminal, "{group}  {step} ..."),
                false => write!(terminal, "  {step} ..."),
            };
        }
        Ok(())
    }

    pub fn clear_hint(&mut self) {
        if std::mem::take(&mut self.hint) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// What the service looked like from each node.
pub fn vantages(vantages: &[Vantage], out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 5] =
        [left("VANTAGE"), right("PROBES"), right("LOST"), right("LONGEST"), left("SESSION")];
    let mut table = Table::new(&COLUMNS);
    for Vantage { node, probes, lost, longest_us, session, .. } in vantages {
        table.row([
            node.clone().into(),
            probes.to_string().into(),
            lost.to_string().into(),
            compact_span(*longest_us).into(),
            session.clone().into(),
        ]);
    }
    table.print(out)
}
