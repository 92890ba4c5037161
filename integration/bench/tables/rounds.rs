//! Rounds in which all take their turn, so that what else the machine does hits all alike.

use shunt::types::Rng;

use crate::contender::Contender;

/// What the columns of a table hold.
pub struct Columns(pub &'static [&'static str]);

/// Measures each contender `count` times, in another order each time, and prints the median of each column with its
/// ratio to the first contender's.
pub fn measure(
    contenders: &[Contender],
    count: usize,
    columns: Columns,
    mut once: impl FnMut(Contender) -> Vec<f64>,
) {
    let mut rng = Rng::new(1);
    let mut all: Vec<(Contender, Vec<Vec<f64>>)> =
        contenders.iter().map(|contender| (*contender, Vec::new())).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    for round in 0..count {
        for index in &order {
            let (contender, found) = &mut all[*index];
            if round == 0 || !contender.slow() {
                let values = once(*contender);
                eprintln!("round {}: {}: {values:.3?}", round + 1, contender.name());
                found.push(values);
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
    for (contender, found) in &all {
        let values = medians(found);
        let texts = values.iter().zip(&reference).map(|(value, first)| {
            if found.is_empty() || value == first {
                number(*value)
            } else {
                format!("{} (×{})", number(*value), number(value / first))
            }
        });
        cells(contender.name(), texts.collect());
    }
}

/// Of an even number the lower one.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}
