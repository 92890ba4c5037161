//! OSPF on the interfaces: a raw socket with two tasks for each that the router has opened.
//!
//! One task reads, and hands packets into the lane of messages. It has at most one packet waiting outside the lane, as each
//! BGP neighbour has, so that interfaces and neighbours are served in turn; meanwhile packets wait in the socket's
//! receive buffer. What is sent goes out at once. Only what the interface does not take now waits in a queue, which the
//! other task empties. OSPF sends again what is not acknowledged, so a queue that is full drops its oldest packet.

mod datagram;
mod socket;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

pub use datagram::Datagram;
pub use socket::RawSocket;

use super::connection::Open;
use super::inbox::{Inbox, Input};
use super::journal::Journal;
use crate::agent::{Event, OspfAction};

/// Packets that may wait for one interface: a whole database of 10,000 LSAs at an MTU of 1500 and some.
const QUEUE_LIMIT: usize = 1024;
/// Between two tries to open a socket, and two reports of the same trouble.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// A full send buffer is looked at again after this; readiness would not tell, as a raw socket is refused by another
/// measure. Some 400 kB fit in: with those a link of 1 Gbit/s is busy for 3 ms.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(2);
/// After reading failed: what an interface that is down says once must not become a loop.
const PAUSE: Duration = Duration::from_millis(100);
/// How long what is queued may take when the interface is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// The interfaces that the OSPF router has opened, by index.
pub(super) struct OspfSockets {
    inbox: Inbox,
    journal: Journal,
    open: Open,
    interfaces: BTreeMap<u32, Interface>,
}

struct Interface {
    name: String,
    /// Member of AllDRouters.
    designated: bool,
    /// Or when opening it failed last, and why.
    socket: Result<Running, (Instant, String)>,
}

/// A socket with its tasks. Dropped, it sends what is queued and ends.
struct Running {
    shared: Arc<Shared>,
    reader: AbortHandle,
}

struct Shared {
    name: String,
    socket: RawSocket,
    queue: Mutex<VecDeque<Outgoing>>,
    /// Something waits to be sent, or the socket is to close.
    changed: Notify,
    closing: AtomicBool,
    trouble: Mutex<Trouble>,
    journal: Journal,
}

struct Outgoing {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    packet: Bytes,
}

/// Packets that were not sent: counted, and reported once in a while.
#[derive(Default)]
struct Trouble {
    dropped: u64,
    reported: Option<Instant>,
}

impl OspfSockets {
    pub(super) fn new(inbox: Inbox, journal: Journal, open: Open) -> OspfSockets {
        OspfSockets { inbox, journal, open, interfaces: BTreeMap::new() }
    }

    /// Gives an event for the agent if it is told now whether an interface can be used.
    pub(super) fn carry_out(&mut self, action: OspfAction) -> Option<Event> {
        match action {
            OspfAction::Open { interface, name } => return self.open(interface, name),
            OspfAction::Close { interface } => drop(self.interfaces.remove(&interface)),
            OspfAction::Designated { interface, member } => self.set_designated(interface, member),
            OspfAction::Send { interface, source, destination, packet } => {
                return self.send(interface, Outgoing { source, destination, packet });
            }
        }
        None
    }

    /// Begins to receive. If it fails it is tried again when there is something to send.
    fn open(&mut self, index: u32, name: String) -> Option<Event> {
        let before = Err((Instant::now(), String::new()));
        let interface = Interface { name, designated: false, socket: before };
        self.interfaces.insert(index, interface);
        self.start(index)
    }

    fn start(&mut self, index: u32) -> Option<Event> {
        let interface = self.interfaces.get_mut(&index)?;
        let opened = RawSocket::open(index).and_then(|socket| {
            if interface.designated {
                socket.set_designated(true)?;
            }
            Ok(socket)
        });
        let error = match opened {
            Ok(socket) => {
                let shared = Arc::new(Shared {
                    name: interface.name.clone(),
                    socket,
                    queue: Mutex::default(),
                    changed: Notify::new(),
                    closing: AtomicBool::new(false),
                    trouble: Mutex::default(),
                    journal: self.journal.clone(),
                });
                let reading = read(shared.clone(), index, self.inbox.clone());
                let reader = tokio::spawn(reading).abort_handle();
                tokio::spawn(write(shared.clone(), self.open.clone()));
                interface.socket = Ok(Running { shared, reader });
                return Some(Event::InterfaceOpened { interface: index, result: Ok(()) });
            }
            Err(error) => reason(&error),
        };
        let said = matches!(&interface.socket, Err((_, before)) if *before == error);
        interface.socket = Err((Instant::now(), error.clone()));
        if said {
            return None;
        }
        let text = format!("OSPF cannot run there: {error}");
        self.journal.warn("interface", &interface.name, text);
        Some(Event::InterfaceOpened { interface: index, result: Err(error) })
    }

    fn set_designated(&mut self, index: u32, member: bool) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        interface.designated = member;
        if let Ok(running) = &interface.socket
            && let Err(error) = running.shared.socket.set_designated(member)
        {
            let verb = if member { "join" } else { "leave" };
            let text = format!("OSPF cannot {verb} 224.0.0.6 there: {}", reason(&error));
            self.journal.warn("interface", &interface.name, text);
        }
    }

    fn send(&mut self, index: u32, outgoing: Outgoing) -> Option<Event> {
        match &self.interfaces.get(&index)?.socket {
            Ok(running) => running.shared.send(outgoing),
            Err((failed, _)) if failed.elapsed() >= RETRY_AFTER => return self.start(index),
            Err(_) => {}
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.reader.abort();
        self.shared.closing.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Outgoing>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn send(&self, outgoing: Outgoing) {
        let mut queue = self.queue();
        if queue.len() >= QUEUE_LIMIT {
            queue.pop_front();
            self.dropped("it does not take them as fast as they come");
        }
        queue.push_back(outgoing);
        drop(queue);
        if !self.flush() {
            self.changed.notify_one();
        }
    }

    /// Sends in order what the interface takes now. Whether that was all.
    fn flush(&self) -> bool {
        let mut queue = self.queue();
        while let Some(Outgoing { source, destination, packet }) = queue.front() {
            match self.socket.try_send(*source, *destination, packet) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => self.dropped(&format!("to {destination}: {}", reason(&error))),
            }
            queue.pop_front();
        }
        true
    }

    fn dropped(&self, why: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.dropped += 1;
        if trouble.reported.is_none_or(|at| at.elapsed() >= RETRY_AFTER) {
            let text = format!("{} OSPF packets were not sent: {why}", trouble.dropped);
            *trouble = Trouble { dropped: 0, reported: Some(Instant::now()) };
            self.journal.warn("interface", &self.name, text);
        }
    }
}

async fn read(shared: Arc<Shared>, interface: u32, inbox: Inbox) {
    let mut buffer = vec![0; RawSocket::LARGEST];
    let mut said = None;
    loop {
        match shared.socket.receive(&mut buffer).await {
            Ok(Datagram { source, destination, packet }) => {
                said = None;
                let event = Event::PacketReceived { interface, source, destination, packet };
                // An error says that the daemon ends.
                let _ = inbox.messages.send(Input::Event(event)).await;
            }
            Err(error) => {
                if said != Some(error.raw_os_error()) {
                    let text = format!("OSPF cannot read there: {}", reason(&error));
                    shared.journal.warn("interface", &shared.name, text);
                }
                said = Some(error.raw_os_error());
                sleep(PAUSE).await;
            }
        }
    }
}

/// `_open` says to the end that there may be something to send.
async fn write(shared: Arc<Shared>, _open: Open) {
    while !shared.is_closing() {
        shared.changed.notified().await;
        while !shared.is_closing() && !shared.flush() {
            sleep(SEND_AGAIN_AFTER).await;
        }
    }
    // The router's last words may be in the queue.
    let rest = async {
        while !shared.flush() {
            sleep(SEND_AGAIN_AFTER).await;
        }
    };
    let _ = timeout(CLOSE_WITHIN, rest).await;
}

/// What is wrong and what to do.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "not permitted: shuntd needs CAP_NET_RAW, and the packet filter has to let IP protocol 89 pass"
                .to_owned()
        }
        Some(libc::ENODEV | libc::ENXIO) => "the interface is gone".to_owned(),
        Some(libc::ENETDOWN) => "the interface is down".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::advance;

    use super::*;

    /// Nobody has as many interfaces. For root it does not exist, for others it is not permitted.
    const GONE: u32 = 0x7fff_fff0;

    #[tokio::test(start_paused = true)]
    async fn an_interface_that_cannot_be_opened_is_reported_once_and_tried_again() {
        let (inbox, _lanes) = Inbox::new();
        let journal = Journal::new();
        let mut sockets = OspfSockets::new(inbox, journal.clone(), mpsc::channel(1).0);
        let open = || OspfAction::Open { interface: GONE, name: "eth9".to_owned() };
        let send = || OspfAction::Send {
            interface: GONE,
            source: Ipv4Addr::LOCALHOST,
            destination: Ipv4Addr::LOCALHOST,
            packet: Bytes::new(),
        };
        let failed = |sockets: &OspfSockets| match &sockets.interfaces[&GONE].socket {
            Ok(_) => panic!("it is there"),
            Err((at, _)) => *at,
        };
        let said = || journal.follow(0).0;

        let told = sockets.carry_out(open());
        assert!(matches!(told, Some(Event::InterfaceOpened { interface: GONE, result: Err(_) })));
        let events = said();
        assert_eq!((events.len(), events[0].subject.as_str()), (1, "eth9"));
        assert!(events[0].text.starts_with("OSPF cannot run there: "), "{}", events[0].text);

        let first = failed(&sockets);
        advance(RETRY_AFTER / 2).await;
        sockets.carry_out(send());
        assert_eq!(failed(&sockets), first, "too early");
        advance(RETRY_AFTER / 2).await;
        assert!(sockets.carry_out(send()).is_none(), "the agent knows");
        assert_eq!(failed(&sockets), first + RETRY_AFTER);
        assert_eq!(said().len(), 1, "the same again is no news");

        // The router asks anew: the link has come back.
        sockets.carry_out(OspfAction::Close { interface: GONE });
        sockets.carry_out(send());
        sockets.carry_out(OspfAction::Designated { interface: GONE, member: true });
        assert_eq!(said().len(), 1);
        sockets.carry_out(open());
        assert_eq!(said().len(), 2);
    }

    #[test]
    fn a_missing_capability_is_named() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        assert!(reason(&refused).contains("CAP_NET_RAW"));
    }
}
