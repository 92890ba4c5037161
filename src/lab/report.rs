use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = Style::new().fg_color(Some(colour(AnsiColor::Green))).bold();
const BAD: Style = Style::new().fg_color(Some(colour(AnsiColor::Red))).bold();

const fn colour(colour: AnsiColor) -> clap::builder::styling::Color {
    clap::builder::styling::Color::Ansi(colour)
}

/// What the demo came to; its JSON is the output of `--json`.
#[derive(Default, Serialize)]
pub struct Report {
    pub steps: Vec<Step>,
    /// Every step came to what it should.
    pub good: bool,
}

#[derive(Serialize)]
pub struct Step {
    pub title: String,
    /// What was done, as `edge1$ shunt prefer payments standby`.
    pub commands: Vec<String>,
    /// What a firewall that took the gateway over has in its event log of that.
    pub events: Vec<String>,
    pub expected_site: String,
    pub clients: Vec<Client>,
}

/// The step as one client saw it.
#[derive(Serialize)]
pub struct Client {
    pub name: String,
    /// The nodes that packets to the service pass at the end of the step.
    pub path: Vec<String>,
    /// Who answered during the step.
    pub answered_by: Vec<String>,
    /// Who answers at its end; empty if nobody or not only one does.
    pub site: String,
    pub moved_after_ms: Option<f64>,
    pub sent: usize,
    pub lost: usize,
    pub lost_ms: f64,
    /// From left to right: `.` the expected site answered, `o` another one, `x` nobody at some time.
    pub chart: String,
    /// Nobody was to answer at the beginning of the step, so what was lost says nothing.
    pub first: bool,
}

impl Step {
    pub fn is_good(&self) -> bool {
        self.clients.iter().all(|client| client.site == self.expected_site)
    }
}

/// Tells what happens while it happens, unless JSON was asked for.
pub struct Narrator {
    pub silent: bool,
}

impl Narrator {
    pub fn text(&self, text: &str) -> io::Result<()> {
        self.say(|out| writeln!(out, "{text}"))
    }

    pub fn title(&self, number: usize, title: &str, words: &str) -> io::Result<()> {
        self.say(|out| {
            writeln!(out, "{BOLD}{number}. {title}{BOLD:#}")?;
            words.lines().try_for_each(|line| writeln!(out, "   {line}"))?;
            writeln!(out)
        })
    }

    pub fn command(&self, node: &str, command: &str) -> io::Result<()> {
        self.say(|out| writeln!(out, "   {node}$ {BOLD}{command}{BOLD:#}"))
    }

    pub fn output(&self, text: &str) -> io::Result<()> {
        self.say(|out| text.lines().try_for_each(|line| writeln!(out, "   {DIM}{line}{DIM:#}")))
    }

    pub fn outcome(&self, step: &Step) -> io::Result<()> {
        self.say(|out| {
            writeln!(out)?;
            step.clients.iter().try_for_each(|client| outcome(client, &step.expected_site, out))?;
            writeln!(out)
        })
    }

    fn say(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if self.silent {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        write(&mut out)?;
        out.flush()
    }
}

fn outcome(client: &Client, expected: &str, out: &mut dyn Write) -> io::Result<()> {
    let path = client.path.join(" > ");
    if client.site != expected {
        let saw = if client.answered_by.is_empty() {
            "nobody answered".to_owned()
        } else {
            format!("answered by {}", client.answered_by.join(", "))
        };
        return writeln!(out, "   {path}: {BAD}{saw}{BAD:#}, but {expected} was to answer");
    }
    write!(out, "   {path}: {expected} answers")?;
    let after = client.moved_after_ms.unwrap_or_default();
    if client.first {
        return writeln!(out, ", first after {}", millis(after));
    }
    // From the first probe on: it answered all the time.
    if client.answered_by.len() > 1 || client.lost > 0 {
        write!(out, " from {} on", millis(after))?;
    }
    let style = if client.lost == 0 { GOOD } else { BAD };
    writeln!(
        out,
        ", {style}lost {}{style:#} ({} of {} probes)",
        millis(client.lost_ms),
        client.lost,
        client.sent
    )?;
    writeln!(out, "     |{}|", client.chart)
}

pub fn in_millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

/// `0 ms`, `3.2 ms`, `1207 ms`: no more digits than can be meant.
fn millis(ms: f64) -> String {
    if ms > 0.0 && ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(site: &str, answered_by: &[&str], lost: usize) -> String {
        let client = Client {
            name: "client-a".to_owned(),
            path: vec!["client-a".to_owned(), "isp-a".to_owned()],
            answered_by: answered_by.iter().map(|site| (*site).to_owned()).collect(),
            site: site.to_owned(),
            moved_after_ms: Some(12.3),
            sent: 1000,
            lost,
            lost_ms: lost as f64 * 1.05,
            chart: "oox.".to_owned(),
            first: false,
        };
        let mut out = Vec::new();
        outcome(&client, "dc2", &mut out).unwrap();
        anstream::adapter::strip_bytes(&out).into_vec().into_iter().map(char::from).collect()
    }

    #[test]
    fn what_a_client_saw_is_one_line() {
        assert_eq!(
            seen("dc2", &["dc1", "dc2"], 3),
            "   client-a > isp-a: dc2 answers from 12 ms on, lost 3.2 ms (3 of 1000 probes)\n     |oox.|\n"
        );
        assert_eq!(
            seen("dc2", &["dc2"], 0),
            "   client-a > isp-a: dc2 answers, lost 0 ms (0 of 1000 probes)\n     |oox.|\n"
        );
        assert_eq!(
            seen("", &[], 1000),
            "   client-a > isp-a: nobody answered, but dc2 was to answer\n"
        );
    }
}
