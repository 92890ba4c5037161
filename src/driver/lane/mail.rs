use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use crate::types::Time;

/// Messages between a thread that may wait and the lane, which may not.
///
/// The lock is held for moments only, but who holds it may be put to sleep meanwhile, and then the lane would wait for a
/// thread of lower priority. So the lane only ever tries. If it fails it comes back: for what it puts, by a timer; for what
/// it takes, because it is woken when the other side has let go.
pub struct Mailbox<T>(Mutex<VecDeque<T>>);

/// Messages that the lane leaves in a mailbox at most: some 100 kB.
const CAPACITY: usize = 1024;

/// After the other side was found at the mailbox, or the mailbox full.
const RETRY_AFTER: Duration = Duration::from_micros(200);

/// Room for as many messages as the lane may put: who takes gives an empty queue in exchange.
pub fn queue<T>() -> VecDeque<T> {
    VecDeque::with_capacity(CAPACITY)
}

impl<T> Mailbox<T> {
    pub fn new() -> Mailbox<T> {
        Mailbox(Mutex::new(queue()))
    }

    /// For a thread that may wait.
    pub fn put(&self, message: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(message);
    }

    /// All there is, in exchange for an empty [`queue`]. For a thread that may wait.
    pub fn take(&self, into: &mut VecDeque<T>) {
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), into);
    }

    /// As [`Mailbox::take`]; nothing if the other side is at it.
    pub fn try_take(&self, into: &mut VecDeque<T>) {
        match self.0.try_lock() {
            Ok(mut messages) => std::mem::swap(&mut *messages, into),
            Err(TryLockError::Poisoned(poisoned)) => {
                std::mem::swap(&mut *poisoned.into_inner(), into);
            }
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Puts as many as there is room for. Whether the other side is to be woken: there was nothing before.
    pub fn try_put(&self, from: &mut VecDeque<T>) -> bool {
        let mut messages = match self.0.try_lock() {
            Ok(messages) => messages,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let was_empty = messages.is_empty();
        while messages.len() < CAPACITY
            && let Some(message) = from.pop_front()
        {
            messages.push_back(message);
        }
        was_empty && !messages.is_empty()
    }
}

/// What the lane puts into a mailbox, with a pipe to wake the other side.
pub struct Outgoing<T> {
    unsent: VecDeque<T>,
    wake: File,
    retry: Option<Time>,
}

impl<T> Outgoing<T> {
    /// `wake` does not block.
    pub fn new(wake: File) -> Outgoing<T> {
        Outgoing { unsent: queue(), wake, retry: None }
    }

    /// What waits in the lane.
    pub fn unsent(&mut self) -> &mut VecDeque<T> {
        &mut self.unsent
    }

    /// Hands over what the other side has room for.
    pub fn flush(&mut self, mailbox: &Mailbox<T>, now: Time) {
        self.retry = None;
        if self.unsent.is_empty() {
            return;
        }
        if mailbox.try_put(&mut self.unsent) {
            // A pipe that is full wakes as well.
            let _ = self.wake.write(&[1]);
        }
        self.retry = (!self.unsent.is_empty()).then(|| now + RETRY_AFTER);
    }

    /// When to flush again.
    pub fn deadline(&self) -> Option<Time> {
        self.retry
    }
}
