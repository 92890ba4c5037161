//! Runs of checks: a task for each, with its own deadline, so that none waits for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::inbox::{Inbox, Input};
use crate::agent::Event;
use crate::health::{CheckId, Outcome, Run, Settings};

/// All runs that are not over.
pub struct Checks {
    inbox: Inbox,
    running: BTreeMap<CheckId, Vec<AbortHandle>>,
}

impl Checks {
    pub fn new(inbox: Inbox) -> Checks {
        Checks { inbox, running: BTreeMap::new() }
    }

    /// Makes a run, then tells [`Event::CheckEnded`].
    pub fn ask(&mut self, run: Run, settings: Arc<Settings>) {
        let inbox = self.inbox.clone();
        let task = tokio::spawn(async move {
            let (outcome, _) = ask(&settings).await;
            // An error says that the daemon ends.
            let _ = inbox.control.send(Input::Event(Event::CheckEnded { run, outcome })).await;
        });
        let running = self.running.entry(run.check).or_default();
        running.retain(|task| !task.is_finished());
        running.push(task.abort_handle());
    }

    /// Ends all runs of a check.
    pub fn forget(&mut self, check: CheckId) {
        for task in self.running.remove(&check).unwrap_or_default() {
            task.abort();
        }
    }
}

/// Makes one run. Gives the way to its outcome as well, step by step.
pub async fn ask(settings: &Settings) -> (Outcome, Vec<String>) {
    let text = format!("{:?} cannot be asked yet", settings.method);
    (Outcome::NotAsked(text), Vec::new())
}
