//! The messages of neighbours and the states of their sessions in MRT files (RFC 6396 §4.4), for archives.
//!
//! A connection's task hands in each message as it came, before it is understood; the loop that owns the agent hands in
//! states. Both only append to a buffer in memory: a thread of its own takes all of it and writes. What the disk does not take in
//! time is lost and counted, as nobody waits for it. If no log is configured, a message costs one look at a flag.

mod file;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::BytesMut;

use super::clock;
use super::journal::Journal;
use crate::agent::StateChange;
use crate::api::v1;
use crate::bgp::State;
use crate::config;
use crate::wire::bgp::{HEADER_LENGTH, SessionFacts};
use crate::wire::mrt::{Ends, emit_message, emit_state_change};
use file::Files;

/// Octets that wait for the disk. As many may be on their way to it.
const WAITING: usize = 8 << 20;

/// The log. When it is dropped, what waits is written.
pub struct UpdateLog {
    tap: Tap,
    thread: Option<thread::JoinHandle<()>>,
}

/// Where messages are handed in.
#[derive(Clone)]
pub struct Tap {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    on: AtomicBool,
    log: Mutex<Log>,
    changed: Condvar,
}

#[derive(Default)]
struct Log {
    settings: Option<config::UpdateLog>,
    waiting: BytesMut,
    /// Records that wait.
    count: u64,
    status: v1::UpdateLogStatus,
    closed: bool,
}

/// What the task of a connection has of it.
pub struct Logged {
    pub tap: Tap,
    pub ends: Ends,
}

impl Logged {
    /// A neighbour has sent this. Keepalives say nothing, and are left out.
    pub fn see(&self, message: &[u8], facts: &SessionFacts) {
        if self.tap.is_on() && message.len() > HEADER_LENGTH {
            self.tap.received(&self.ends, facts.four_octet_as, message);
        }
    }
}

impl UpdateLog {
    pub fn start(journal: Journal) -> io::Result<UpdateLog> {
        let tap = Tap { shared: Arc::default() };
        let mine = tap.clone();
        let thread = thread::Builder::new()
            .name("update-log".to_owned())
            .spawn(move || mine.write(&journal))?;
        Ok(UpdateLog { tap, thread: Some(thread) })
    }

    pub fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Takes other settings; `None`: there is no log any more.
    pub fn configure(&self, settings: Option<&config::UpdateLog>) {
        let mut log = self.tap.shared.lock();
        if log.settings.as_ref() != settings {
            log.settings = settings.cloned();
            log.status = v1::UpdateLogStatus::default();
        }
        self.tap.shared.on.store(settings.is_some(), Ordering::Relaxed);
    }

    /// A session is in another state.
    pub fn state_changed(&self, change: &StateChange) {
        let StateChange { ends, old, new } = change;
        self.tap.append(0, |records| {
            emit_state_change(clock::wall(), ends, number(*old), number(*new), records);
        });
    }
}

impl Drop for UpdateLog {
    fn drop(&mut self) {
        self.tap.shared.lock().closed = true;
        self.tap.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Tap {
    fn is_on(&self) -> bool {
        self.shared.on.load(Ordering::Relaxed)
    }

    fn received(&self, ends: &Ends, four_octet_as: bool, message: &[u8]) {
        self.append(message.len(), |records| {
            emit_message(clock::wall(), ends, four_octet_as, message, records);
        });
    }

    /// `None` if there is no log.
    pub fn status(&self) -> Option<v1::UpdateLogStatus> {
        let log = self.shared.lock();
        let settings = log.settings.as_ref()?;
        let mut status = log.status.clone();
        status.directory.clone_from(&settings.directory);
        Some(status)
    }

    fn append(&self, octets: usize, record: impl FnOnce(&mut BytesMut)) {
        let mut log = self.shared.lock();
        if log.settings.is_none() {
            return;
        }
        if log.waiting.len() + octets > WAITING {
            log.status.lost += 1;
            return;
        }
        // The thread takes all that there is: only of the first it has to be told.
        if log.waiting.is_empty() {
            self.shared.changed.notify_one();
        }
        log.count += 1;
        record(&mut log.waiting);
    }

    /// The thread.
    fn write(&self, journal: &Journal) {
        let mut files = Files::default();
        let (mut failing, mut lost) = (false, 0);
        loop {
            let mut log = self.shared.lock();
            while log.waiting.is_empty() && !log.closed {
                let changed = self.shared.changed.wait(log);
                log = changed.unwrap_or_else(PoisonError::into_inner);
            }
            if log.waiting.is_empty() {
                return;
            }
            let (records, count) =
                (std::mem::take(&mut log.waiting), std::mem::take(&mut log.count));
            let Some(settings) = log.settings.clone() else { continue };
            drop(log);
            let result = files.write(&settings, &records, clock::wall());
            let mut log = self.shared.lock();
            let status = &mut log.status;
            match &result {
                Ok(file) => {
                    status.file.clone_from(file);
                    status.records += count;
                    status.error.clear();
                }
                Err(error) => {
                    status.lost += count;
                    status.error.clone_from(error);
                }
            }
            let lost_now = status.lost;
            drop(log);
            let failed = result.is_err();
            match result {
                Err(error) if !failing => journal.warn("mrt", "", error),
                Ok(file) if failing => journal.info("mrt", "", format!("{file} is written again")),
                Ok(_) if lost_now > lost => {
                    let text = format!("the disk is slow: {} records are lost", lost_now - lost);
                    journal.warn("mrt", "", text);
                }
                _ => {}
            }
            (failing, lost) = (failed, lost_now);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As RFC 6396 §4.4.4 counts.
fn number(state: State) -> u16 {
    match state {
        State::Idle => 1,
        State::Connect => 2,
        State::Active => 3,
        State::OpenSent => 4,
        State::OpenConfirm => 5,
        State::Established => 6,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::types::Asn;

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        // No thread takes anything: a disk that stands still.
        let log = UpdateLog { tap: Tap { shared: Arc::default() }, thread: None };
        let address = "192.0.2.1".parse().unwrap();
        let ends = Ends { peer_asn: Asn(1), local_asn: Asn(2), peer: address, local: address };
        let logged = Logged { tap: log.tap(), ends };
        let message = [0xff; 4096];
        let see = || logged.see(&message, &SessionFacts::default());
        see();
        assert_eq!(log.tap.status(), None);
        assert!(log.tap.shared.lock().waiting.is_empty(), "nothing is kept without a log");

        let settings = config::UpdateLog {
            directory: "/nonexistent".to_owned(),
            rotate: Duration::from_secs(60),
            keep: 1,
        };
        log.configure(Some(&settings));
        let count = 3000;
        (0..count).for_each(|_| see());
        let kept = log.tap.shared.lock().count;
        assert_eq!(kept, 2032, "so many records of 32 and 4096 octets fit");
        assert_eq!(log.tap.status().unwrap().lost, count - kept);
    }
}
