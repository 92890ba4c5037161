//! Rounds in which all take their turn, so that what else the machine does hits all alike.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use shunt::types::Rng;

/// What is measured: a row of the table.
pub trait Row: Copy {
    fn name(self) -> &'static str;

    /// Takes minutes where the others take seconds, so it is measured in the first round only.
    fn slow(self) -> bool {
        false
    }
}

/// Whether any measurement has failed.
static FAILED: AtomicBool = AtomicBool::new(false);

pub fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// What the columns of a table hold.
pub struct Columns(pub &'static [&'static str]);

/// Measures each row `count` times, in another order each time, and prints the median of each column with its ratio to
/// that of the first row.
pub fn measure<R: Row>(
    rows: &[R],
    count: usize,
    columns: Columns,
    mut once: impl FnMut(R) -> Vec<f64>,
) {
    let mut rng = Rng::new(1);
    let mut all: Vec<(R, Vec<Vec<f64>>)> = rows.iter().map(|row| (*row, Vec::new())).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    for round in 0..count {
        for index in &order {
            let (row, found) = &mut all[*index];
            if round == 0 || !row.slow() {
                // One that fails must not take the others' figures with it. It has ended what it started.
                match catch_unwind(AssertUnwindSafe(|| once(*row))) {
                    Ok(values) => {
                        eprintln!("round {}: {}: {values:.3?}", round + 1, row.name());
                        found.push(values);
                    }
                    Err(_) => {
                        eprintln!("round {}: {}: FAILED", round + 1, row.name());
                        FAILED.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
        for last in (1..order.len()).rev() {
            order.swap(last, rng.below(last as u64 + 1) as usize);
        }
    }
    let cells = |first: &str, rest: Vec<String>| println!("| {first} | {} |", rest.join(" | "));
    cells("", columns.0.iter().map(|name| (*name).to_owned()).collect());
    println!("|---|{}", "---:|".repeat(columns.0.len()));
    let medians = |found: &[Vec<f64>]| -> Vec<f64> {
        (0..columns.0.len()).map(|at| median(found.iter().map(|values| values[at]))).collect()
    };
    let reference = all.first().map(|(_, found)| medians(found)).unwrap_or_default();
    for (row, found) in &all {
        let values = medians(found);
        let texts = values.iter().zip(&reference).map(|(value, first)| {
            if value.is_nan() {
                "–".to_owned()
            } else if value == first || *first == 0.0 {
                number(*value)
            } else {
                format!("{} (×{})", number(*value), number(value / first))
            }
        });
        cells(row.name(), texts.collect());
    }
}

/// Of an even number the lower one.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits, or what is counted as it is.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        counted if counted.fract() == 0.0 => 0,
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}
