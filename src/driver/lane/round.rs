use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::attendant::{Attendant, Opened};
use super::datagram::Datagram;
use super::endpoint::{Endpoint, Service};
use super::links::Links;
use super::mail::queue;
use super::message::{Message, Request, Trouble};
use super::outbox::Outbox;
use super::receivers::Receivers;
use super::sessions::Sessions;
use super::{Shared, realtime};
use crate::bfd::{self, Hops};
use crate::driver::clock::Clock;
use crate::driver::guardian::Beat;
use crate::driver::syscalls::{self, AT_ONCE, Received};
use crate::fast::{Action, Event, Fast, Order};
use crate::types::Time;
use crate::vrrp;

/// Packets that one socket has taken from it in one round: more than fit into its buffer, so all that came before the
/// round began has been handed in when the timers fire. A millisecond of work at most.
const PER_ROUND: usize = 24 * AT_ONCE;
/// Sockets that are ready at a time. Should there be more, they have their turn in the next round.
const READY: usize = 256;
/// From the beginning of one round to that of the next, at most, while the thread sleeps between them although something may
/// come: it does so while rounds follow one another like that. What comes meanwhile is done at once, which costs a hundred
/// sessions at 10 ms a third less, and what is due is still done in time. A flood gets no more either than what fits
/// into a socket's buffer in each round.
const ROUND: Duration = Duration::from_millis(1);
/// The token of the eventfd; no endpoint has it.
const ORDERS: u64 = 0;

/// What the thread has, and nobody else.
pub struct Lane {
    clock: Clock,
    fast: Fast,
    shared: Arc<Shared>,
    receivers: Receivers,
    sessions: Sessions,
    links: Links,
    outbox: Outbox,
    attendant: Attendant,
    beat: Beat,
    requests: VecDeque<Request>,
    opened: VecDeque<Opened>,
    slots: Vec<Received>,
    stopping: bool,
}

impl Lane {
    pub fn new(
        fast: Fast,
        clock: Clock,
        seed: u64,
        shared: Arc<Shared>,
        outbox: Outbox,
        attendant: Attendant,
        beat: Beat,
    ) -> io::Result<Lane> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&shared.wake, EpollEvent::new(EpollFlags::EPOLLIN, ORDERS))?;
        // Here it shows if the kernel does not know it.
        syscalls::wait(&epoll, &mut [EpollEvent::empty()], Some(Duration::ZERO))?;
        Ok(Lane {
            clock,
            fast,
            shared,
            receivers: Receivers::new(epoll),
            sessions: Sessions::new(seed),
            links: Links::new(),
            outbox,
            attendant,
            beat,
            requests: queue(),
            opened: queue(),
            slots: (0..AT_ONCE).map(|_| Received::empty()).collect(),
            stopping: false,
        })
    }

    /// Runs until it is told to stop, and has sent its last words.
    pub fn run(mut self) {
        let locked = realtime::lock_memory();
        let realtime = realtime::claim_priority();
        self.outbox.push(Message::Started { realtime, locked });
        let mut events = [EpollEvent::empty(); READY];
        let mut now = self.clock.now();
        let mut busy = false;
        while !self.stopping {
            self.outbox.flush(&self.shared.told, now);
            self.attendant.flush(&self.shared, now);
            let deadline = self.deadline();
            if busy {
                let round = now + ROUND;
                let until = deadline.map_or(round, |at| at.min(round));
                thread::sleep(until.since(self.clock.now()));
            }
            let timeout = deadline.map(|at| at.since(self.clock.now()));
            // It did not fail at the beginning, and none of its reasons to fail can come later.
            let ready =
                syscalls::wait(self.receivers.epoll(), &mut events, timeout).unwrap_or_default();
            // Before the sockets are read: what is not read now came later than this.
            let begun = self.clock.now();
            busy = begun < now + 2 * ROUND;
            now = begun;
            let mut requested = false;
            for event in ready {
                match Endpoint::from_token(event.data()) {
                    Some(endpoint) => self.receive(endpoint, now),
                    None => requested = true,
                }
            }
            if requested {
                self.take_requests(now);
            }
            self.fast.tick(now);
            self.receivers.retry(&mut self.attendant, now, |trouble| {
                self.outbox.push(Message::Trouble(trouble));
            });
            self.carry_out(now);
        }
        self.outbox.flush(&self.shared.told, now);
    }

    fn deadline(&self) -> Option<Time> {
        let Lane { fast, receivers, outbox, attendant, .. } = self;
        let own = [outbox.deadline(), attendant.deadline()];
        own.into_iter().chain([fast.deadline(), receivers.deadline()]).flatten().min()
    }

    fn receive(&mut self, endpoint: Endpoint, now: Time) {
        for _ in 0..PER_ROUND / AT_ONCE {
            let Some(socket) = self.receivers.socket(endpoint) else { return };
            let received = match syscalls::receive(socket, &mut self.slots) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.receiver_failed(endpoint, &error, now),
            };
            for received in received {
                if let Some(event) = event(endpoint, received) {
                    self.fast.handle(event, now);
                }
            }
            if received.len() < AT_ONCE {
                return;
            }
        }
    }

    fn receiver_failed(&mut self, endpoint: Endpoint, error: &io::Error, now: Time) {
        if let Some(trouble) = self.receivers.failed(endpoint, error, &mut self.attendant, now) {
            self.outbox.push(Message::Trouble(trouble));
        }
        self.tell_opened(endpoint, now);
    }

    /// VRRP is run only where there are sockets for it.
    fn tell_opened(&mut self, endpoint: Endpoint, now: Time) {
        let Endpoint { service, interface, ipv6 } = endpoint;
        if service == Service::Vrrp {
            let open = self.receivers.socket(endpoint).is_some();
            self.fast.handle(Event::VrrpOpened { interface, ipv6, open }, now);
        }
    }

    fn take_requests(&mut self, now: Time) {
        // An error says that somebody else has read it, and there is nobody else.
        let _ = self.shared.wake.read();
        self.shared.opened.try_take(&mut self.opened);
        while let Some(opened) = self.opened.pop_front() {
            let endpoint = opened.0;
            if let Some(trouble) = self.receivers.opened(opened, &mut self.attendant, now) {
                self.outbox.push(Message::Trouble(trouble));
            }
            // Who hears the others and cannot be heard would be as bad.
            match self.links.can_send(endpoint.interface) {
                Ok(()) => self.tell_opened(endpoint, now),
                Err(error) => self.receiver_failed(endpoint, &error, now),
            }
        }
        self.shared.requests.try_take(&mut self.requests);
        while let Some(request) = self.requests.pop_front() {
            match request {
                Request::Order(order) => {
                    self.stopping |= order == Order::Stop;
                    if let Order::Link { interface, link } = &order {
                        let there = link.is_some();
                        self.links.link_changed(*interface, there, &mut self.attendant);
                        let attendant = &mut self.attendant;
                        self.receivers.link_changed(*interface, there, attendant, now);
                    }
                    self.fast.handle(Event::Ordered(order), now);
                }
                Request::Snapshot(answer) => {
                    let snapshot = Box::new(self.fast.snapshot(now));
                    self.outbox.push(Message::Snapshot(answer, snapshot));
                }
            }
        }
    }

    fn carry_out(&mut self, now: Time) {
        while let Some(action) = self.fast.poll() {
            let trouble = match action {
                Action::Report(report) => {
                    self.outbox.push(Message::Report(report));
                    None
                }
                Action::Bfd(action) => self.carry_out_bfd(action, now),
                Action::Vrrp(action) => self.carry_out_vrrp(action, now),
            };
            if let Some(trouble) = trouble {
                self.outbox.push(Message::Trouble(trouble));
            }
        }
    }

    fn carry_out_bfd(&mut self, action: bfd::Action, now: Time) -> Option<Trouble> {
        match action {
            bfd::Action::Open { session, path } => {
                let endpoint = self.sessions.open(session, path, now);
                self.receivers.want(endpoint, &mut self.attendant, now)
            }
            bfd::Action::Close { session } => {
                if let Some(endpoint) = self.sessions.close(session) {
                    self.receivers.leave(endpoint, &mut self.attendant);
                }
                None
            }
            bfd::Action::Send { session, packet } => self.sessions.send(session, &packet, now),
            // Fast makes a report of it.
            bfd::Action::Changed(_) => None,
        }
    }

    fn carry_out_vrrp(&mut self, action: vrrp::Action, now: Time) -> Option<Trouble> {
        match action {
            vrrp::Action::Open { interface, ipv6 } => {
                self.links.open(interface, ipv6);
                self.receivers.want(Endpoint::vrrp(interface, ipv6), &mut self.attendant, now)
            }
            vrrp::Action::Close { interface, ipv6 } => {
                self.links.close(interface, ipv6, &mut self.attendant);
                self.receivers.leave(Endpoint::vrrp(interface, ipv6), &mut self.attendant);
                None
            }
            vrrp::Action::Send { .. } => {
                // The others count from now on, and the guardian with them.
                self.beat.beat();
                self.links.send(&action, &mut self.attendant, now)
            }
            vrrp::Action::AnnounceAddress { .. } => {
                self.links.send(&action, &mut self.attendant, now)
            }
            // Fast makes reports of them.
            vrrp::Action::Changed(_) | vrrp::Action::AnotherActive { .. } => None,
        }
    }
}

/// What arrived, for the core whose it is.
fn event(endpoint: Endpoint, received: &Received) -> Option<Event<'_>> {
    let datagram = match endpoint {
        Endpoint { service: Service::Vrrp, ipv6: false, interface } => {
            Datagram::with_header(interface, received.octets())?
        }
        _ => Datagram::with_control(received)?,
    };
    let Datagram { interface, source, destination, ttl, packet } = datagram;
    let hops = match endpoint.service {
        Service::BfdSingleHop => Hops::Single,
        Service::BfdMultiHop => Hops::Multi,
        Service::Vrrp => {
            let received = vrrp::Received { interface, source, destination, ttl, packet };
            return Some(Event::Vrrp(received));
        }
    };
    let received = bfd::Received { hops, interface, source, destination, ttl, packet };
    Some(Event::Bfd(received))
}
