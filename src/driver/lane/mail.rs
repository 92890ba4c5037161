use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, TryLockError};

/// Messages between a thread that may wait and the lane, which may not.
///
/// The lock is held for moments only, but who holds it may be put to sleep meanwhile, and then the lane would wait for a
/// thread of lower priority. So the lane only ever tries. If it fails it comes back: for what it puts, by a timer; for what
/// it takes, because it is woken when the other side has let go.
pub struct Mailbox<T>(Mutex<VecDeque<T>>);

/// Messages that the lane leaves in a mailbox at most: some 100 kB.
const CAPACITY: usize = 1024;

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
