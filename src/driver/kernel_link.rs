use crate::agent::Event;
use crate::fib::{Change, KernelError};

/// The way to the kernel. Its task is still to come: every change is refused.
pub struct KernelLink;

impl KernelLink {
    pub fn rescan(&self) {}

    /// The event is the answer, if there is nobody else to give it.
    pub fn apply(&self, changes: &[Change]) -> Option<Event> {
        let refused = || KernelError { errno: libc::ENOTCONN, text: "not connected".to_owned() };
        let results = changes.iter().map(|change| (change.prefix(), Err(refused()))).collect();
        Some(Event::KernelApplied(results))
    }
}
