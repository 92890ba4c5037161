use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Disk, Store};

/// The thread that waits for the disk, so that nothing else has to.
///
/// There is at most one text waiting: a later one takes its place, and the answer for the later one
/// covers it.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Option<(u64, String)>,
    closed: bool,
}

impl Writer {
    /// `stored` is called on the thread with the outcome for a version; the error is a sentence.
    pub fn start<D: Disk + Send + 'static>(
        mut store: Store<D>,
        mut stored: impl FnMut(u64, Result<(), String>) + Send + 'static,
    ) -> std::io::Result<Writer> {
        let shared = Arc::new(Shared::default());
        let mine = shared.clone();
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
            if let Err(error) = store.prepare() {
                tracing::error!("the state directory cannot be written: {error}");
            }
            while let Some((version, text)) = mine.take() {
                stored(version, store.write(&text).map_err(|error| error.to_string()));
            }
        })?;
        Ok(Writer { shared, thread: Some(thread) })
    }

    pub fn store(&self, version: u64, text: String) {
        self.shared.lock().waiting = Some((version, text));
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next text; `None` when there will be none.
    fn take(&self) -> Option<(u64, String)> {
        let mut state = self.lock();
        loop {
            match state.waiting.take() {
                Some(waiting) => return Some(waiting),
                None if state.closed => return None,
                None => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Drop for Writer {
    /// Writes what still waits.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
