use std::time::{Duration, Instant};

use super::Failure;
use super::probe::Prober;
use super::report::in_millis;
use super::topology::CLIENTS;

/// A line is printed for what happened in so long.
const WINDOW: Duration = Duration::from_millis(500);

/// Probes as one client, until interrupted, and prints a line whenever the answering site changed or something was lost.
pub fn watch(client: &str) -> Result<(), Failure> {
    let Some((client, address)) = CLIENTS.into_iter().find(|(name, _)| *name == client) else {
        let names = CLIENTS.map(|(name, _)| name).join(", ");
        return Err(Failure::new(format!("no client {client}: there are {names}")));
    };
    let prober = Prober::start(client, address)?;
    let mut from = Instant::now();
    let mut before = None;
    loop {
        let to = from + WINDOW;
        let seen = prober.seen(from, to, "");
        let sites: Vec<String> = seen.sites.into_iter().collect();
        let answer = if sites.is_empty() { "nobody".to_owned() } else { sites.join(" and ") };
        if seen.lost > 0 || before.as_ref() != Some(&answer) {
            let lost = in_millis(seen.lost_for);
            println!("{client}: answered by {answer}, lost {lost} ms of {} ms", WINDOW.as_millis());
        }
        before = Some(answer);
        from = to;
    }
}
