use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

use super::mail::{Mailbox, queue};
use super::message::Message;
use crate::bfd;
use crate::fast::Report;
use crate::types::Time;
use crate::vrrp::VirtualRouterId;

/// What waits in the lane at most before reports about the same are merged: ten changes of each of a hundred.
const LIMIT: usize = 1000;
/// After the other side was found at the mailbox.
const RETRY_AFTER: Duration = Duration::from_micros(200);

/// What the lane has to tell. It never waits for the other side, and loses no latest state.
pub struct Outbox {
    unsent: VecDeque<Message>,
    /// Wakes the other side.
    wake: File,
    retry: Option<Time>,
}

/// What a later report makes superfluous.
#[derive(PartialEq)]
enum About {
    Session(bfd::SessionId),
    Router(VirtualRouterId),
    AnotherActive(VirtualRouterId),
}

impl Outbox {
    pub fn new(wake: File) -> Outbox {
        Outbox { unsent: queue(), wake, retry: None }
    }

    pub fn push(&mut self, message: Message) {
        if self.unsent.len() >= LIMIT {
            let Some(new) = about(&message) else {
                // Nothing that the agent's state hangs on; who asked for a snapshot sees that none comes.
                return;
            };
            self.unsent.retain(|old| about(old).is_none_or(|old| old != new));
        }
        self.unsent.push_back(message);
    }

    /// Hands over what the other side has room for.
    pub fn flush(&mut self, mailbox: &Mailbox<Message>, now: Time) {
        self.retry = None;
        if self.unsent.is_empty() {
            return;
        }
        if mailbox.try_put(&mut self.unsent) {
            // A pipe that is full wakes as well.
            let _ = self.wake.write(&[1]);
        }
        if !self.unsent.is_empty() {
            self.retry = Some(now + RETRY_AFTER);
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.retry
    }
}

fn about(message: &Message) -> Option<About> {
    match message {
        Message::Report(Report::Bfd(change)) => Some(About::Session(change.session)),
        Message::Report(Report::Vrrp(change)) => Some(About::Router(change.router)),
        Message::Report(Report::AnotherActive { router, .. }) => {
            Some(About::AnotherActive(*router))
        }
        Message::Started { .. } | Message::Trouble(_) | Message::Snapshot(..) => None,
    }
}
