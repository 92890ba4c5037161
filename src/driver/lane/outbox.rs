use std::fs::File;

use super::mail::{Mailbox, Outgoing};
use super::message::Message;
use crate::bfd;
use crate::fast::Report;
use crate::types::Time;
use crate::vrrp::VirtualRouterId;

/// What waits in the lane at most before reports about the same are merged: ten changes of each of a hundred.
const LIMIT: usize = 1000;
/// What the lane has to tell. It never waits for the other side, and loses no latest state.
pub struct Outbox(Outgoing<Message>);

/// What a later report makes superfluous.
#[derive(PartialEq)]
enum About {
    Session(bfd::SessionId),
    Router(VirtualRouterId),
    AnotherActive(VirtualRouterId),
}

impl Outbox {
    pub fn new(wake: File) -> Outbox {
        Outbox(Outgoing::new(wake))
    }

    pub fn push(&mut self, message: Message) {
        let unsent = self.0.unsent();
        if unsent.len() >= LIMIT {
            let Some(new) = about(&message) else {
                // Nothing that the agent's state hangs on; who asked for a snapshot sees that none comes.
                return;
            };
            unsent.retain(|old| about(old).is_none_or(|old| old != new));
        }
        unsent.push_back(message);
    }

    pub fn flush(&mut self, mailbox: &Mailbox<Message>, now: Time) {
        self.0.flush(mailbox, now);
    }

    pub fn deadline(&self) -> Option<Time> {
        self.0.deadline()
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
