//! Spans of time and what to say of them.

use std::time::Duration;

/// Measured spans of one kind.
#[derive(Clone, Default)]
pub struct Spans(Vec<Duration>);

impl Spans {
    pub fn push(&mut self, span: Duration) {
        self.0.push(span);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The span that `percent` of all do not exceed (nearest rank); zero if there is none.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

/// Milliseconds with two digits behind the point.
pub fn ms(span: Duration) -> String {
    format!("{:.2}", span.as_secs_f64() * 1000.0)
}

/// A row of a Markdown table.
pub fn row<const N: usize>(cells: [&str; N]) {
    println!("| {} |", cells.join(" | "));
}

/// The head of a Markdown table: the first column is text, the others are numbers.
pub fn head<const N: usize>(cells: [&str; N]) {
    row(cells);
    println!("|---|{}", "---:|".repeat(N - 1));
}
