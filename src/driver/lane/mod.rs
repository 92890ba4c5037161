//! The lane of BFD and VRRP: a thread that owns [`Fast`], and nothing in which it could have to wait for another.
//!
//! ```text
//!   pump, server                        lane thread
//!   Lane::order ────> requests ────┐
//!                     eventfd ─────┤    one round: wait for a socket, a request or the time (epoll_pwait2)
//!   told.next() <─── told, pipe <──┤               read the sockets, take requests, tick, carry out
//!                                  └─── Fast
//! ```
//!
//! - **round.rs** is the thread. **realtime.rs** asks for its priority and for the memory to be locked.
//! - **endpoint.rs** and **receivers.rs** are the sockets that are read; **datagram.rs** is what comes out of them.
//!   **attendant.rs** is a thread that opens and closes those with which that may take long.
//! - **sessions.rs** sends for BFD, **links.rs** for VRRP; **complaint.rs** counts what cannot be sent.
//! - **mail.rs** is what goes between the threads, and **outbox.rs** what the lane keeps for the agent while that is busy;
//!   **message.rs** has the messages.
//!
//! While nothing changes the thread allocates nothing, so it asks the allocator's locks for nothing either. It writes no log
//! and reads no file.

mod attendant;
mod complaint;
mod datagram;
mod endpoint;
mod links;
mod mail;
mod message;
mod outbox;
mod realtime;
mod receivers;
mod round;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::clock::Clock;
use super::guardian::Beat;
use super::journal::Journal;
use crate::agent;
use crate::fast::{Fast, Order, Snapshot};
use crate::types::Rng;
pub use endpoint::vrrp_is_permitted;

use attendant::{Attendant, Opened, Work};
use mail::{Mailbox, queue};
use message::{Message, Request};
use outbox::Outbox;

/// How long a snapshot may take. It takes some microseconds, but the thread may be gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Between two looks whether the thread has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What both sides have.
struct Shared {
    requests: Mailbox<Request>,
    /// Wakes the lane.
    wake: EventFd,
    told: Mailbox<Message>,
    /// For the attendant, and from it.
    work: Mailbox<Work>,
    opened: Mailbox<Opened>,
}

/// The way to the lane.
#[derive(Clone)]
pub struct Lane(Arc<Shared>);

/// What comes from the lane.
pub struct Told {
    shared: Arc<Shared>,
    taken: VecDeque<Message>,
    wake: pipe::Receiver,
    journal: Journal,
    thread: thread::JoinHandle<()>,
}

/// Starts the thread. Must be called within a runtime.
pub fn start(clock: Clock, seed: u64, beat: Beat, journal: Journal) -> io::Result<(Lane, Told)> {
    let (wake, waker) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
    let shared = Arc::new(Shared {
        requests: Mailbox::new(),
        wake: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
        told: Mailbox::new(),
        work: Mailbox::new(),
        opened: Mailbox::new(),
    });
    let fast = Fast::new(Rng::new(seed));
    let outbox = Outbox::new(File::from(waker));
    let attendant = Attendant::start(shared.clone())?;
    let lane = round::Lane::new(fast, clock, seed, shared.clone(), outbox, attendant, beat)?;
    let thread = thread::Builder::new().name("fast".to_owned()).stack_size(realtime::STACK);
    let thread = thread.spawn(move || {
        let _guard = AbortOnPanic;
        lane.run();
    })?;
    let wake = pipe::Receiver::from_owned_fd(wake)?;
    let reports = Told { shared: shared.clone(), taken: queue(), wake, journal, thread };
    Ok((Lane(shared), reports))
}

/// A daemon that is Active and does not say so is worse than none: the guardian cleans up, and it is started again.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

impl Lane {
    /// Orders are taken in turn. The lane takes all there are in one round, so they need no bound.
    pub fn order(&self, order: Order) {
        self.put(Request::Order(order));
    }

    /// Everything as it is now; `None` if the lane has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (answer, answered) = oneshot::channel();
        self.put(Request::Snapshot(answer));
        timeout(ANSWER_WITHIN, answered).await.ok()?.ok()
    }

    fn put(&self, request: Request) {
        self.0.requests.put(request);
        // It fails if the counter is full: the lane has been woken often enough.
        let _ = self.0.wake.write(1);
    }
}

impl Told {
    /// What the agent is to know next. Gives nothing when the lane has ended. May be dropped at any point.
    pub async fn next(&mut self) -> Option<agent::Event> {
        loop {
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            self.wake.readable().await.ok()?;
            match self.wake.try_read(&mut [0; 64]) {
                Ok(0) => return None,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return None,
                _ => self.shared.told.take(&mut self.taken),
            }
        }
    }

    /// As [`Told::next`], of what has been taken already.
    pub fn try_next(&mut self) -> Option<agent::Event> {
        loop {
            match self.taken.pop_front()? {
                Message::Report(report) => return Some(agent::Event::Fast(report)),
                Message::Started { realtime, locked } => {
                    return Some(agent::Event::LaneStarted { realtime, locked });
                }
                Message::Trouble(trouble) if trouble.is_over() => {
                    self.journal.info("interface", &trouble.subject(), trouble.text());
                }
                Message::Trouble(trouble) => {
                    self.journal.warn("interface", &trouble.subject(), trouble.text());
                }
                Message::Snapshot(answer, snapshot) => drop(answer.send(*snapshot)),
            }
        }
    }

    /// Waits until the thread has ended, after [`Order::Stop`].
    pub async fn ended(&self, within: Duration) -> bool {
        let ended = async {
            while !self.thread.is_finished() {
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(within, ended).await.is_ok()
    }
}
