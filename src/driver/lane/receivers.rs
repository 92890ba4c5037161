use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::Socket;

use super::attendant::{Attendant, Opened};
use super::endpoint::{Endpoint, Service};
use super::message::Trouble;
use crate::types::Time;

/// Between two tries to open a socket.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The sockets that are read, one for each endpoint that somebody wants.
///
/// Each interface has sockets of its own, so a flood on one fills no buffer but its own.
pub struct Receivers {
    epoll: Epoll,
    all: BTreeMap<Endpoint, Receiver>,
    /// When to try again to open what is not open.
    retry: Option<Time>,
}

struct Receiver {
    users: usize,
    socket: Option<Socket>,
    /// The attendant is at it.
    opening: bool,
    /// What was said about it last, by the error's number.
    said: Option<i32>,
}

impl Receivers {
    pub fn new(epoll: Epoll) -> Receivers {
        Receivers { epoll, all: BTreeMap::new(), retry: None }
    }

    /// Where they are waited for.
    pub fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// One more wants it.
    pub fn want(
        &mut self,
        endpoint: Endpoint,
        attendant: &mut Attendant,
        now: Time,
    ) -> Option<Trouble> {
        let closed = || Receiver { users: 0, socket: None, opening: false, said: None };
        let receiver = self.all.entry(endpoint).or_insert_with(closed);
        receiver.users += 1;
        let trouble = receiver.open(endpoint, &self.epoll, attendant);
        self.retry_later(endpoint, now);
        trouble
    }

    /// One less wants it.
    pub fn leave(&mut self, endpoint: Endpoint, attendant: &mut Attendant) {
        let Some(receiver) = self.all.get_mut(&endpoint) else { return };
        receiver.users = receiver.users.saturating_sub(1);
        if receiver.users == 0 {
            receiver.close(endpoint, &self.epoll, attendant);
            self.all.remove(&endpoint);
        }
    }

    /// The attendant has tried to open one.
    pub fn opened(
        &mut self,
        (endpoint, result): Opened,
        attendant: &mut Attendant,
        now: Time,
    ) -> Option<Trouble> {
        let wanted = |receiver: &&mut Receiver| receiver.socket.is_none();
        let Some(receiver) = self.all.get_mut(&endpoint).filter(wanted) else {
            // It was given up, or given up and wanted again.
            result.into_iter().for_each(|socket| attendant.close(socket));
            return None;
        };
        receiver.opening = false;
        let trouble = receiver.take(endpoint, result, &self.epoll);
        self.retry_later(endpoint, now);
        trouble
    }

    fn retry_later(&mut self, endpoint: Endpoint, now: Time) {
        if self.all.get(&endpoint).is_some_and(Receiver::is_closed) {
            self.retry.get_or_insert(now + RETRY_AFTER);
        }
    }

    pub fn socket(&self, endpoint: Endpoint) -> Option<&Socket> {
        self.all.get(&endpoint)?.socket.as_ref()
    }

    /// An interface is there, or is no more: one that comes back is another one for the sockets on it.
    pub fn link_changed(
        &mut self,
        interface: u32,
        there: bool,
        attendant: &mut Attendant,
        now: Time,
    ) {
        let on_it = self.all.iter_mut().filter(|(endpoint, _)| endpoint.interface == interface);
        for (endpoint, receiver) in on_it {
            if !there {
                receiver.close(*endpoint, &self.epoll, attendant);
            }
            if receiver.is_closed() {
                self.retry = Some(now);
            }
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.retry
    }

    /// Tries again to open what is not open, if it is time to.
    pub fn retry(&mut self, attendant: &mut Attendant, now: Time, mut tell: impl FnMut(Trouble)) {
        if self.retry.is_none_or(|at| at > now) {
            return;
        }
        for (endpoint, receiver) in &mut self.all {
            if let Some(trouble) = receiver.open(*endpoint, &self.epoll, attendant) {
                tell(trouble);
            }
        }
        let closed = self.all.values().any(Receiver::is_closed);
        self.retry = closed.then(|| now + RETRY_AFTER);
    }

    /// Reading failed. It is opened anew.
    pub fn failed(
        &mut self,
        endpoint: Endpoint,
        error: &io::Error,
        attendant: &mut Attendant,
        now: Time,
    ) -> Option<Trouble> {
        let receiver = self.all.get_mut(&endpoint)?;
        receiver.close(endpoint, &self.epoll, attendant);
        let trouble = receiver.say(endpoint, error);
        self.retry_later(endpoint, now);
        trouble
    }
}

impl Receiver {
    fn is_closed(&self) -> bool {
        self.socket.is_none() && !self.opening
    }

    fn open(
        &mut self,
        endpoint: Endpoint,
        epoll: &Epoll,
        attendant: &mut Attendant,
    ) -> Option<Trouble> {
        if !self.is_closed() {
            return None;
        }
        if endpoint.service == Service::Vrrp {
            self.opening = true;
            attendant.open(endpoint);
            return None;
        }
        self.take(endpoint, endpoint.open(), epoll)
    }

    fn take(
        &mut self,
        endpoint: Endpoint,
        opened: io::Result<Socket>,
        epoll: &Epoll,
    ) -> Option<Trouble> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, endpoint.token());
        let added = opened.and_then(|socket| {
            epoll.add(&socket, event)?;
            Ok(socket)
        });
        match added {
            Ok(socket) => {
                self.socket = Some(socket);
                self.said.take().map(|_| Trouble::Receiving { endpoint })
            }
            Err(error) => self.say(endpoint, &error),
        }
    }

    fn close(&mut self, endpoint: Endpoint, epoll: &Epoll, attendant: &mut Attendant) {
        if let Some(socket) = self.socket.take() {
            // The attendant has it open for a while.
            let _ = epoll.delete(&socket);
            if endpoint.service == Service::Vrrp {
                attendant.close(socket);
            }
        }
    }

    fn say(&mut self, endpoint: Endpoint, error: &io::Error) -> Option<Trouble> {
        let error = error.raw_os_error().unwrap_or(0);
        let new = self.said.replace(error) != Some(error);
        new.then_some(Trouble::NotReceiving { endpoint, error })
    }
}
