use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::progress::vantages;
use crate::api::v1::SwitchEnding;
use crate::cli::failure::Failure;
use crate::cli::output::{BAD, BOLD, GOOD, harmless, span};

/// Columns of a chart, at most.
const WIDTH: usize = 60;
/// From the fastest answer on, each twice as slow as the one before.
const LEVELS: &[u8] = b".:-=+*#";

/// What a drill came to.
#[derive(Default, Serialize)]
pub struct Report {
    pub group: String,
    pub from: String,
    pub to: String,
    /// `passed`, `not-passed`, `not-begun` or `not-back`
    pub verdict: &'static str,
    /// Why it was not passed.
    pub problems: Vec<String>,
    /// Nodes that have not heard of its end.
    pub unheard: Vec<String>,
    pub stayed_us: u64,
    /// The longest time in which a node got no answer; unset if no node has asked.
    pub recovery_us: Option<u64>,
    /// What the configuration wants of it; 0: nothing.
    pub objective_us: u64,
    pub ways: Vec<Way>,
}

/// One of its switches.
#[derive(Default, Serialize)]
pub struct Way {
    pub from: String,
    pub to: String,
    /// The step that has failed last.
    pub failed: Option<String>,
    pub ending: SwitchEnding,
}

impl Report {
    pub fn judge(&mut self, stopped: Option<String>, failure: Option<&Failure>) {
        self.problems.extend(stopped);
        let all = || self.ways.iter().flat_map(|way| &way.ending.vantages);
        // Without a lost question the service was never away, only not asked.
        let away = |one: &crate::api::v1::Vantage| if one.lost > 0 { one.longest_us } else { 0 };
        self.recovery_us = all().map(away).max();
        self.objective_us = self.ways.iter().map(|way| way.ending.objective_us).max().unwrap_or(0);
        if let Some(last) = self.ways.last() {
            self.unheard.clone_from(&last.ending.unheard);
        }
        for way in self.ways.iter().filter(|way| way.ending.outcome == "rolled-back") {
            let why = harmless(&way.ending.why);
            self.problems.push(format!("the way to {} was rolled back: {why}", way.to));
        }
        if let Some(failure) = failure {
            self.verdict = match self.ways.first().map(|way| way.ending.outcome.as_str()) {
                Some("refused") => "not-begun",
                _ => "not-back",
            };
            self.problems.push(failure.message().to_owned());
            return;
        }
        let objective = Duration::from_micros(self.objective_us);
        match self.recovery_us {
            _ if objective.is_zero() => {}
            None => self.problems.push(format!(
                "nobody has measured whether the service is there again within {}: give the group a probe",
                span(objective)
            )),
            Some(recovery) if recovery > self.objective_us => self.problems.push(format!(
                "the service was away for {}, the objective is {}",
                span(Duration::from_micros(recovery)),
                span(objective)
            )),
            Some(_) => {}
        }
        self.verdict = if self.problems.is_empty() { "passed" } else { "not-passed" };
    }

    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out)?;
        for way in &self.ways {
            let Way { from, to, ending, .. } = way;
            let took = span(Duration::from_micros(ending.total_us));
            writeln!(out, "{BOLD}{from} to {to}{BOLD:#}: {}, {took}", ending.outcome)?;
            if ending.vantages.is_empty() {
                writeln!(out, "  no node has asked the service")?;
            }
            vantages(&ending.vantages, out)?;
            charts(ending, out)?;
        }
        let recovery = self.recovery_us.map(|recovery| span(Duration::from_micros(recovery)));
        let objective = match self.objective_us {
            0 => "no objective".to_owned(),
            objective => format!("objective {}", span(Duration::from_micros(objective))),
        };
        writeln!(
            out,
            "recovery time {}, {objective}",
            recovery.unwrap_or_else(|| "not measured".to_owned())
        )?;
        let style = if self.verdict == "passed" { GOOD } else { BAD };
        writeln!(out, "drill of {}: {style}{}{style:#}", self.group, self.verdict)
    }
}

/// What each node saw, from left to right.
fn charts(ending: &SwitchEnding, out: &mut dyn Write) -> io::Result<()> {
    let all = || ending.vantages.iter().flat_map(|one| &one.answers_us).filter(|took| **took > 0);
    let Some(fastest) = all().min() else { return Ok(()) };
    let slowest = all().max().unwrap_or(fastest);
    let width = ending.vantages.iter().map(|one| one.node.chars().count()).max().unwrap_or(0);
    for one in ending.vantages.iter().filter(|one| !one.answers_us.is_empty()) {
        writeln!(out, "  {:width$} |{}|", one.node, chart(&one.answers_us, *fastest))?;
    }
    let [fastest, slowest] =
        [fastest, slowest].map(|took| span(Duration::from_micros(u64::from(*took))));
    writeln!(
        out,
        "  {:width$}  . {fastest}, each of :-=+*# twice that, slowest {slowest}; x no answer",
        ""
    )
}

/// A character for some answers in a row: of the worst of them.
fn chart(answers: &[u32], fastest: u32) -> String {
    let columns = answers.chunks(answers.len().div_ceil(WIDTH).max(1));
    let level = |took: u32| (took / fastest.max(1)).checked_ilog2().unwrap_or(0) as usize;
    let column = |some: &[u32]| match some.iter().max() {
        _ if some.contains(&0) => 'x',
        slowest => {
            let level = level(slowest.copied().unwrap_or(0));
            LEVELS.get(level).or(LEVELS.last()).map_or(' ', |level| char::from(*level))
        }
    };
    columns.map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_show_the_worst_of_each_column() {
        assert_eq!(chart(&[100, 199, 200, 0, 1600, 1_000_000], 100), "..:x+#");
        let mut many = vec![100; 600];
        many[300] = 0;
        many[599] = 450;
        let chart = chart(&many, 100);
        assert_eq!(chart.len(), WIDTH);
        assert_eq!((chart.find('x'), chart.find('-')), (Some(30), Some(59)));
    }
}
