use std::fmt::Display;
use std::io;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::error::Elapsed;

use super::Shared;
use crate::driver::exit::plain;
use crate::health::{Outcome, Settings};

/// One run on its way.
pub struct Course<'a> {
    pub settings: &'a Settings,
    pub shared: &'a Shared,
    begun: Instant,
    /// When the answer must have come. Later, once a connection is set up.
    deadline: Instant,
    steps: Vec<String>,
    /// A part of the answer is here.
    answering: bool,
}

/// What was answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub warning: Option<String>,
}

impl From<String> for Answer {
    fn from(text: String) -> Answer {
        Answer { text, warning: None }
    }
}

/// Why there is no good answer, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Failed(String),
    /// For a reason of our own.
    NotAsked(String),
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Outcome {
        match fault {
            Fault::Failed(text) => Outcome::Failed(text),
            Fault::NotAsked(text) => Outcome::NotAsked(text),
        }
    }
}

impl Fault {
    /// An error of a socket that is in use.
    pub fn of(error: &io::Error, what: impl Display) -> Fault {
        let text = format!("{what}: {}", plain(error));
        if is_ours(error) { Fault::NotAsked(text) } else { Fault::Failed(text) }
    }
}

/// Whether something is wrong here: too few descriptors, ports or memory, an address that is gone, a packet filter.
fn is_ours(error: &io::Error) -> bool {
    const OURS: [i32; 11] = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EACCES,
        libc::EPERM,
        libc::EADDRNOTAVAIL,
        libc::EADDRINUSE,
        libc::EAGAIN,
        libc::ENODEV,
        libc::EAFNOSUPPORT,
    ];
    error.raw_os_error().is_some_and(|number| OURS.contains(&number))
}

impl<'a> Course<'a> {
    pub fn new(settings: &'a Settings, shared: &'a Shared) -> Course<'a> {
        let begun = Instant::now();
        let deadline = begun + settings.timeout;
        Course { settings, shared, begun, deadline, steps: Vec::new(), answering: false }
    }

    /// When a connection must have been set up.
    pub fn connect_deadline(&self) -> Instant {
        self.begun + self.settings.connect_timeout
    }

    /// When the answer must have come.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes down a step, with the time it was done after.
    pub fn step(&mut self, what: impl Display) {
        self.steps.push(format!("{what} after {}", span(self.begun.elapsed())));
    }

    /// Takes down what has no time.
    pub fn note(&mut self, what: impl Display) {
        self.steps.push(what.to_string());
    }

    /// A connection is set up: the answer's time begins.
    pub fn connected(&mut self) {
        self.deadline = Instant::now() + self.settings.timeout;
    }

    /// A first part of the answer is here.
    pub fn answers(&mut self, what: impl Display) {
        self.answering = true;
        self.step(what);
    }

    /// What was waited for until [`Course::deadline`], the answer of `whom`.
    pub fn in_time<T>(
        &self,
        result: Result<Result<T, Fault>, Elapsed>,
        whom: impl Display,
    ) -> Result<T, Fault> {
        result.unwrap_or_else(|_| {
            let what = if self.answering { "no end of the answer" } else { "no answer" };
            let limit = span(self.settings.timeout);
            let text = format!("{what} from {whom} within {limit}");
            Err(Fault::Failed(match self.steps.last() {
                Some(step) => format!("{text} ({step})"),
                None => text,
            }))
        })
    }

    /// The outcome and the steps.
    pub fn end(mut self, result: Result<Answer, Fault>) -> (Outcome, Vec<String>) {
        let took = self.begun.elapsed();
        let outcome = match result {
            Ok(Answer { text, warning }) => {
                self.step(&text);
                Outcome::Answered { took, text, warning }
            }
            Err(Fault::Failed(text)) => Outcome::Failed(text),
            Err(Fault::NotAsked(text)) => Outcome::NotAsked(text),
        };
        (outcome, self.steps)
    }
}

/// `1 s`, `1.5 s`, `250 ms`, `0.3 ms`.
pub fn span(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        1_000_000.. => format!("{} s", (time.as_secs_f64() * 100.0).round() / 100.0),
        10_000.. => format!("{} ms", micros / 1000),
        _ => format!("{} ms", (time.as_secs_f64() * 10_000.0).round() / 10.0),
    }
}

/// Octets of others, as they can be shown: escaped, and cut if there are many.
pub fn shown(octets: &[u8]) -> String {
    const MOST: usize = 60;
    match octets.get(..MOST) {
        Some(first) if octets.len() > MOST => {
            format!("\"{}…\"", String::from_utf8_lossy(first).escape_debug())
        }
        _ => format!("\"{}\"", String::from_utf8_lossy(octets).escape_debug()),
    }
}

/// Where the text is; looks only at places that reach into what is behind `known`, where it was looked for before.
pub fn contains(octets: &[u8], known: usize, text: &[u8]) -> bool {
    let from = known.saturating_sub(text.len().saturating_sub(1));
    let rest = octets.get(from..).unwrap_or_default();
    text.is_empty() || rest.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let texts = [12, 340, 9_960, 10_900, 999_999, 1_000_000, 1_500_000, 61_234_000]
            .map(|micros| span(Duration::from_micros(micros)));
        assert_eq!(
            texts,
            ["0 ms", "0.3 ms", "10 ms", "10 ms", "999 ms", "1 s", "1.5 s", "61.23 s"]
        );
    }

    #[test]
    fn what_others_send_is_harmless_and_short() {
        assert_eq!(shown(b"a\x1b[31m\"\xff"), "\"a\\u{1b}[31m\\\"\u{fffd}\"");
        assert_eq!(shown(&[b'x'; 61]).chars().count(), 63);
    }

    #[test]
    fn a_text_is_found_over_a_seam() {
        assert!(contains(b"abcPONG", 5, b"PONG"));
        assert!(!contains(b"PONGabc", 5, b"PONG"), "found before");
        assert!(contains(b"", 0, b""));
        assert!(!contains(b"PON", 0, b"PONG"));
    }
}
