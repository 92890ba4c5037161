use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::Socket;

use super::endpoint::Endpoint;
use super::message::Trouble;
use crate::types::Time;

/// Between two tries to open a socket.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The sockets that are read, one for each endpoint that somebody wants.
///
/// Each interface has sockets of its own, so a flood on one fills no buffer but its own.
pub struct Receivers {
    all: BTreeMap<Endpoint, Receiver>,
    /// When to try again to open what is not open.
    retry: Option<Time>,
}

struct Receiver {
    users: usize,
    socket: Option<Socket>,
    /// What was said about it last, by the error's number.
    said: Option<i32>,
}

impl Receivers {
    pub fn new() -> Receivers {
        Receivers { all: BTreeMap::new(), retry: None }
    }

    /// One more wants it.
    pub fn want(&mut self, endpoint: Endpoint, epoll: &Epoll, now: Time) -> Option<Trouble> {
        let closed = || Receiver { users: 0, socket: None, said: None };
        let receiver = self.all.entry(endpoint).or_insert_with(closed);
        receiver.users += 1;
        let trouble = receiver.open(endpoint, epoll);
        if receiver.socket.is_none() {
            self.retry.get_or_insert(now + RETRY_AFTER);
        }
        trouble
    }

    /// One less wants it.
    pub fn leave(&mut self, endpoint: Endpoint) {
        let Some(receiver) = self.all.get_mut(&endpoint) else { return };
        receiver.users = receiver.users.saturating_sub(1);
        if receiver.users == 0 {
            // A closed socket leaves the epoll set by itself.
            self.all.remove(&endpoint);
        }
    }

    pub fn socket(&self, endpoint: Endpoint) -> Option<&Socket> {
        self.all.get(&endpoint)?.socket.as_ref()
    }

    /// An interface is there, or is no more: one that comes back is another one for the sockets on it.
    pub fn link_changed(&mut self, interface: u32, there: bool, now: Time) {
        let on_it = self.all.iter_mut().filter(|(endpoint, _)| endpoint.interface == interface);
        for (_, receiver) in on_it {
            if !there {
                receiver.socket = None;
            }
            if receiver.socket.is_none() {
                self.retry = Some(now);
            }
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.retry
    }

    /// Tries again to open what is not open, if it is time to.
    pub fn retry(&mut self, epoll: &Epoll, now: Time, mut tell: impl FnMut(Trouble)) {
        if self.retry.is_none_or(|at| at > now) {
            return;
        }
        for (endpoint, receiver) in &mut self.all {
            if let Some(trouble) = receiver.open(*endpoint, epoll) {
                tell(trouble);
            }
        }
        let open = self.all.values().all(|receiver| receiver.socket.is_some());
        self.retry = (!open).then(|| now + RETRY_AFTER);
    }

    /// Reading failed. It is opened anew, as an interface that went down says so once.
    pub fn failed(&mut self, endpoint: Endpoint, error: &io::Error, now: Time) -> Option<Trouble> {
        let receiver = self.all.get_mut(&endpoint)?;
        receiver.socket = None;
        self.retry.get_or_insert(now + RETRY_AFTER);
        receiver.say(endpoint, error)
    }
}

impl Receiver {
    fn open(&mut self, endpoint: Endpoint, epoll: &Epoll) -> Option<Trouble> {
        if self.socket.is_some() {
            return None;
        }
        let event = EpollEvent::new(EpollFlags::EPOLLIN, endpoint.token());
        let opened = endpoint.open().and_then(|socket| {
            epoll.add(&socket, event)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                self.socket = Some(socket);
                self.said.take().map(|_| Trouble::Receiving { endpoint })
            }
            Err(error) => self.say(endpoint, &error),
        }
    }

    fn say(&mut self, endpoint: Endpoint, error: &io::Error) -> Option<Trouble> {
        let error = error.raw_os_error().unwrap_or(0);
        let new = self.said.replace(error) != Some(error);
        new.then_some(Trouble::NotReceiving { endpoint, error })
    }
}
