use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, StdoutLock, Write};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

pub const PLAIN: Style = Style::new();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = Style::new().fg_color(Some(colour(AnsiColor::Green)));
pub const WARN: Style = Style::new().fg_color(Some(colour(AnsiColor::Yellow)));
pub const BAD: Style = Style::new().fg_color(Some(colour(AnsiColor::Red)));

const fn colour(colour: AnsiColor) -> clap::builder::styling::Color {
    clap::builder::styling::Color::Ansi(colour)
}

/// Standard output, gathered and written in one go. Styles are dropped on the way unless it is a
/// terminal that wants them (`NO_COLOR`, `CLICOLOR_FORCE` and `TERM` are heeded).
pub struct Output {
    pub json: bool,
    styled: bool,
    pending: Vec<u8>,
    out: StdoutLock<'static>,
}

/// Gathered before it is written.
const GATHERED: usize = 64 * 1024;

impl Output {
    pub fn new(json: bool) -> Output {
        let out = io::stdout().lock();
        let styled = AutoStream::choice(&out) != ColorChoice::Never;
        Output { json, styled, pending: Vec::with_capacity(1024), out }
    }

    /// Prints a whole answer: as JSON if that was asked for, else by `text`.
    pub fn answer<T: Serialize>(
        mut self,
        reply: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json {
            serde_json::to_writer_pretty(&mut self, reply)?;
            self.write_all(b"\n")?;
        } else {
            text(&mut self)?;
        }
        self.flush()
    }

    /// Prints one message of a stream as a line of JSON.
    pub fn json_line<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        serde_json::to_writer(&mut *self, message)?;
        self.write_all(b"\n")
    }

    /// Writes octets that are not text.
    pub fn raw(&mut self, octets: &[u8]) -> io::Result<()> {
        self.out.write_all(octets)
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.styled || self.json {
            self.out.write_all(&self.pending)?;
        } else {
            self.out.write_all(&anstream::adapter::strip_bytes(&self.pending).into_vec())?;
        }
        self.pending.clear();
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        // At the end of a line, so that no style is torn apart.
        if self.pending.len() >= GATHERED && bytes.ends_with(b"\n") {
            self.write_out()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.out.flush()
    }
}

/// Rows of a stream that are aligned together: a whole table may be too big to hold.
pub const PAGE: usize = 500;

/// One column's heading and whether its cells stand at the right (numbers).
pub struct Column {
    heading: &'static str,
    right: bool,
}

pub const fn left(heading: &'static str) -> Column {
    Column { heading, right: false }
}

pub const fn right(heading: &'static str) -> Column {
    Column { heading, right: true }
}

pub struct Cell {
    text: Cow<'static, str>,
    style: Style,
}

impl Cell {
    pub fn styled(text: impl Into<Cow<'static, str>>, style: Style) -> Cell {
        Cell { text: text.into(), style }
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::styled(text, PLAIN)
    }
}

/// Rows in aligned columns, two blanks apart, without borders. Nothing is ever cut or wrapped, so
/// that scripts may split at blanks: an empty cell is printed as `-`.
///
/// Rows may be printed in several goes; columns then only grow.
pub struct Table {
    columns: &'static [Column],
    widths: Vec<usize>,
    rows: Vec<Vec<Cell>>,
    headed: bool,
}

impl Table {
    pub fn new(columns: &'static [Column]) -> Table {
        let widths = columns.iter().map(|column| column.heading.len()).collect();
        Table { columns, widths, rows: Vec::new(), headed: false }
    }

    /// Adds a row with one cell per column.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let mut cells = cells.into();
        for (cell, width) in cells.iter_mut().zip(&mut self.widths) {
            if cell.text.is_empty() {
                cell.text = Cow::Borrowed("-");
            }
            *width = (*width).max(cell.text.chars().count());
        }
        self.rows.push(cells);
    }

    /// Whether no row was ever added.
    pub fn is_empty(&self) -> bool {
        !self.headed && self.rows.is_empty()
    }

    /// Rows added and not yet printed.
    pub fn pending(&self) -> usize {
        self.rows.len()
    }

    /// Prints the rows added since the last time, below the headings if it is the first.
    pub fn print(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.headed && !self.rows.is_empty() {
            self.headed = true;
            let headings: Vec<Cell> =
                self.columns.iter().map(|column| Cell::styled(column.heading, BOLD)).collect();
            self.line(&headings, out)?;
        }
        for row in std::mem::take(&mut self.rows) {
            self.line(&row, out)?;
        }
        Ok(())
    }

    fn line(&self, cells: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        let mut owed = 0; // Blanks before the next cell: none end up at the end of a line.
        for ((cell, column), &width) in cells.iter().zip(self.columns).zip(&self.widths) {
            let fill = width.saturating_sub(cell.text.chars().count());
            let (before, after) = if column.right { (fill, 0) } else { (0, fill) };
            let style = cell.style;
            write!(out, "{:1$}{style}{2}{style:#}", "", owed + before, cell.text)?;
            owed = after + 2;
        }
        writeln!(out)
    }
}

/// Names and values below each other; values without text are left out.
pub fn list(pairs: &[(&str, String)], out: &mut dyn Write) -> io::Result<()> {
    let shown = || pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = shown().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in shown() {
        for (number, line) in value.lines().enumerate() {
            writeln!(out, "  {:width$}  {line}", if number == 0 { name } else { "" })?;
        }
    }
    Ok(())
}

/// A span for people, in at most two units: `1.2 ms`, `4.5 s`, `12m 5s`, `3d 4h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.as_micros() < 1000 => format!("{} us", span.as_micros()),
        0 => format!("{:.1} ms", span.as_secs_f64() * 1e3).replace(".0 ms", " ms"),
        1..10 => format!("{:.1} s", span.as_secs_f64()).replace(".0 s", " s"),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `span` of a reply's microseconds, without a blank inside, for a column.
pub fn compact_span(microseconds: u64) -> String {
    span(Duration::from_micros(microseconds)).replace(' ', "")
}

/// An age for a column: whole seconds at least, `12s`, `2h3m`.
pub fn compact_age(microseconds: u64) -> String {
    compact_span(microseconds - microseconds % 1_000_000).replace("0us", "0s")
}

/// A text that a stranger may have written (a neighbor's shutdown message, an operator's reason),
/// fit for a terminal: control characters are shown as escapes, lines are kept.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n';
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| match harmful(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// A calendar time of a reply without the fraction of its second.
pub fn moment(at: &str) -> Cow<'_, str> {
    match at.split_once('.') {
        Some((seconds, _)) => Cow::Owned(format!("{seconds}Z")),
        None => Cow::Borrowed(at),
    }
}

/// `12 hello, 3 link-state-update`: what was counted at all.
pub fn counters(counters: &BTreeMap<String, u64>) -> String {
    let counted = counters.iter().filter(|(_, count)| **count > 0);
    counted.map(|(name, count)| format!("{count} {name}")).collect::<Vec<String>>().join(", ")
}

/// `1 prefix`, `2 prefixes`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_at_most_two_units() {
        for (microseconds, expected) in [
            (0, "0 us"),
            (999, "999 us"),
            (1_240, "1.2 ms"),
            (300_000, "300 ms"),
            (4_500_000, "4.5 s"),
            (5_000_000, "5 s"),
            (59_900_000, "59 s"),
            (725_000_000, "12m 5s"),
            (7_384_000_000, "2h 3m"),
            (273_600_000_000, "3d 4h"),
        ] {
            assert_eq!(span(Duration::from_micros(microseconds)), expected);
        }
    }

    #[test]
    fn moments_are_whole_seconds() {
        assert_eq!(moment("2026-11-21T22:52:31.435435Z"), "2026-11-21T22:52:31Z");
        assert_eq!(moment("2026-11-21T22:52:31Z"), "2026-11-21T22:52:31Z");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(harmless("née\nbye"), "née\nbye");
        assert_eq!(harmless("\u{1b}[2J\r\u{9b}x"), "\\u{1b}[2J\\r\\u{9b}x");
    }

    #[test]
    fn columns_align_without_blanks_at_the_end_and_keep_their_width() {
        static COLUMNS: [Column; 3] = [left("NAME"), right("SENT"), left("NOTE")];
        let mut table = Table::new(&COLUMNS);
        let mut out = Vec::new();
        table.row(["isp-a".into(), "12345".into(), "".into()]);
        table.row(["b".into(), "1".into(), "x y".into()]);
        table.print(&mut out).unwrap();
        table.row(["c".into(), "2".into(), "z".into()]);
        table.print(&mut out).unwrap();
        let text = anstream::adapter::strip_bytes(&out).into_vec();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "NAME    SENT  NOTE\nisp-a  12345  -\nb          1  x y\nc          2  z\n"
        );
    }
}
