//! The log: one line per fact on standard error.
//!
//! Lines are handed to a thread, so that a reader of standard error that has stopped reading stops
//! nothing here: when the queue is full, lines are dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for standard error.
const QUEUE: usize = 4096;
/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_millis(500);

enum Line {
    Text(Vec<u8>),
    Flush(SyncSender<()>),
}

#[derive(Clone)]
struct Lines {
    queue: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

static LINES: OnceLock<Lines> = OnceLock::new();

/// Starts the log. `filter` is written like `info,shunt::driver=debug`; the error is a sentence.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| format!("--log `{filter}` is no filter: {error}"))?;
    let (queue, lines) = sync_channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = dropped.clone();
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write(&lines, &counter, &mut io::stderr()))
        .map_err(|error| format!("the thread of the log cannot be started: {error}"))?;
    let lines = LINES.get_or_init(|| Lines { queue, dropped }).clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(lines)
        .try_init()
        .map_err(|error| format!("the log cannot be started: {error}"))
}

/// Waits a little until the lines so far are written.
pub fn flush() {
    let Some(lines) = LINES.get() else { return };
    let (done, wait) = sync_channel(1);
    let until = Instant::now() + FLUSH;
    if lines.queue.try_send(Line::Flush(done)).is_ok() {
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn write(lines: &Receiver<Line>, dropped: &AtomicU64, out: &mut impl Write) {
    for line in lines {
        match line {
            // There is nobody to tell that standard error is closed.
            Line::Text(text) => drop(out.write_all(&text)),
            Line::Flush(done) => drop(done.send(())),
        }
        match dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            count => drop(writeln!(out, "{count} lines of the log were dropped here")),
        }
    }
}

/// One line, queued when it is complete.
struct Pending {
    lines: Lines,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Pending;

    fn make_writer(&'a self) -> Pending {
        Pending { lines: self.clone(), text: Vec::new() }
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let line = Line::Text(std::mem::take(&mut self.text));
        if let Err(TrySendError::Full(_)) = self.lines.queue.try_send(line) {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_lines_and_says_how_many() {
        let (queue, waiting) = sync_channel(2);
        let lines = Lines { queue, dropped: Arc::new(AtomicU64::new(0)) };
        for number in 1..=5 {
            writeln!(lines.make_writer(), "line {number}").unwrap();
        }
        let dropped = lines.dropped.clone();
        drop(lines);
        let mut out = Vec::new();
        write(&waiting, &dropped, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "line 1\n3 lines of the log were dropped here\nline 2\n"
        );
    }
}
