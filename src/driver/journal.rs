use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::clock;
use crate::api::v1;

/// The latest events, for those who ask and those who follow. Every event is also a line of the log.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Kept>>);

struct Kept {
    events: VecDeque<v1::Event>,
    next: u64,
    live: broadcast::Sender<v1::Event>,
}

/// Events that are kept; a neighbour that flaps for a night does not push out the day before.
const KEPT: usize = 1000;
/// Events that a follower may be behind before it loses some.
const BEHIND: usize = 1024;

impl Journal {
    pub fn new() -> Journal {
        Journal(Arc::new(Mutex::new(Kept {
            events: VecDeque::with_capacity(KEPT),
            next: 1,
            live: broadcast::channel(BEHIND).0,
        })))
    }

    /// Numbers it, logs it, keeps it, tells the followers.
    pub fn record(&self, mut event: v1::Event) {
        let mut kept = self.lock();
        event.number = kept.next;
        kept.next += 1;
        if event.at.is_empty() {
            event.at = clock::wall().to_string();
        }
        let v1::Event { kind, subject, text, .. } = &event;
        let about = if subject.is_empty() { kind } else { &format!("{kind} {subject}") };
        match event.severity.as_str() {
            "error" => tracing::error!(target: "shunt::event", "{about}: {text}"),
            "warning" => tracing::warn!(target: "shunt::event", "{about}: {text}"),
            _ => tracing::info!(target: "shunt::event", "{about}: {text}"),
        }
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(event.clone());
        // An error says that nobody follows.
        let _ = kept.live.send(event);
    }

    /// Something that the driver itself found wrong.
    pub fn warn(&self, kind: &str, subject: &str, text: String) {
        self.tell("warning", kind, subject, text);
    }

    /// That it is right again.
    pub fn info(&self, kind: &str, subject: &str, text: String) {
        self.tell("info", kind, subject, text);
    }

    fn tell(&self, severity: &str, kind: &str, subject: &str, text: String) {
        self.record(v1::Event {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            text,
            severity: severity.to_owned(),
            ..v1::Event::default()
        });
    }

    /// The last `count` events (0: all that are kept), and all that come after them.
    pub fn follow(&self, count: u32) -> (Vec<v1::Event>, broadcast::Receiver<v1::Event>) {
        let kept = self.lock();
        let count = if count == 0 { KEPT } else { count as usize };
        let skip = kept.events.len().saturating_sub(count);
        (kept.events.iter().skip(skip).cloned().collect(), kept.live.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a follower gets in place of the events it was too slow for.
pub fn missed(count: u64) -> v1::Event {
    v1::Event {
        at: clock::wall().to_string(),
        kind: "daemon".to_owned(),
        subject: "events".to_owned(),
        text: format!("{count} events are missing here: they came faster than you read"),
        severity: "warning".to_owned(),
        ..v1::Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_events_are_kept_and_numbered_without_a_gap() {
        let journal = Journal::new();
        for number in 1..=KEPT as u64 + 5 {
            journal.warn("daemon", "test", format!("event {number}"));
        }
        let (all, _) = journal.follow(0);
        assert_eq!((all.len(), all[0].number, all[0].text.as_str()), (KEPT, 6, "event 6"));
        let (last, mut live) = journal.follow(2);
        assert_eq!(last.iter().map(|event| event.number).collect::<Vec<_>>(), [1004, 1005]);
        journal.warn("daemon", "test", "one more".to_owned());
        assert_eq!(live.try_recv().unwrap().number, 1006);
    }

    #[test]
    fn a_slow_follower_is_told_how_many_it_missed() {
        let journal = Journal::new();
        let (_, mut live) = journal.follow(0);
        for _ in 0..BEHIND + 3 {
            journal.warn("daemon", "test", String::new());
        }
        assert!(matches!(live.try_recv(), Err(broadcast::error::TryRecvError::Lagged(3))));
    }
}
