use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::connection::Shared;

/// Watches for TCP acknowledgements, on a thread of its own and only while somebody waits.
///
/// The kernel tells nobody when an acknowledgement comes, so it is asked: after 50 µs at first, a network's
/// round trip, then less and less often. Timers of the runtime cannot do that, they count milliseconds.
pub struct Watch(Sender<Waiting>);

/// Who waits, for what.
pub struct Waiting {
    pub connection: Arc<Shared>,
    /// The first octets of the connection that must be acknowledged.
    pub octets: u64,
    /// Called once, unless the connection ends before.
    pub then: Box<dyn FnOnce() + Send>,
}

const FIRST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(5);

impl Watch {
    pub fn start() -> io::Result<Watch> {
        let (sender, receiver) = channel();
        thread::Builder::new().name("acknowledge".to_owned()).spawn(move || watch(&receiver))?;
        Ok(Watch(sender))
    }

    pub fn wait(&self, waiting: Waiting) {
        // The thread lives as long as this does.
        let _ = self.0.send(waiting);
    }
}

fn watch(receiver: &Receiver<Waiting>) {
    let mut all: Vec<Waiting> = Vec::new();
    let mut pause = FIRST;
    loop {
        let next = match all.is_empty() {
            true => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => receiver.recv_timeout(pause),
        };
        match next {
            Ok(waiting) => {
                all.push(waiting);
                pause = FIRST;
            }
            Err(RecvTimeoutError::Timeout) => pause = (pause * 3 / 2).min(LONGEST),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for index in (0..all.len()).rev() {
            let done = all.get(index).is_none_or(|waiting| {
                waiting.connection.is_closing()
                    || waiting.connection.has_acknowledged(waiting.octets).unwrap_or(true)
            });
            if done {
                let waiting = all.swap_remove(index);
                if matches!(waiting.connection.has_acknowledged(waiting.octets), Ok(true)) {
                    (waiting.then)();
                }
            }
        }
    }
}
