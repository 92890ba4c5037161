//! The kernel's links, addresses and routing table, over rtnetlink.
//!
//! One task owns three sockets: events come over the first, changes and their answers go over the second, dumps over the
//! third, so that none waits for another. Events are subscribed to before anything is dumped, so
//! nothing in between is missed. The task keeps no state of what it saw and decides nothing: [`crate::fib::Fib`] does, also when to dump.
//!
//! **Memory is bounded.** Reports go through the bounded channel given to [`spawn`]. While the agent is slow the task does
//! not read, events fill the socket, the kernel drops what does not fit and says so (ENOBUFS), and the agent gets `Lost`.
//! That is also why the messages are netlink-packet-route's but the sockets are not rtnetlink's or netlink-proto's: those
//! read the socket into unbounded channels, and do not show whether a dump was interrupted.
//!
//! **Dumps** are links, addresses, and nexthop objects and routes with our protocol number, these of our table, filtered by the kernel, in one
//! `DumpBegun … DumpDone`. One that the kernel marks as interrupted (NLM_F_DUMP_INTR) is begun anew. While routes are
//! dumped, changes and events go on. Links and addresses are read in one go, because an event about them
//! must not overtake a line that is older.
//!
//! **Events about our own changes are filtered out**: the results of [`Kernel::apply`] say the same. Two events
//! are not what they look like: a new route of another protocol that replaced one may have replaced ours, and
//! RTM_DELROUTE of one path of an IPv6 route does not say whether other paths remain, so it is reported as `Lost`.
//! So is a message that cannot be read.
//!
//! **Changes** go in batches of one `send`. The kernel works through a batch in order and answers what failed, and the
//! last. How each change is done:
//!
//! | change | flags | result |
//! |---|---|---|
//! | create | CREATE, EXCL | EEXIST if *any* route has the prefix and metric: foreign routes are never touched |
//! | replace | REPLACE | one step for the traffic; ENOENT if nothing has the key; takes whatever route has it |
//! | delete | | by prefix, table, metric and protocol: never a foreign route; ESRCH if there is none |
//!
//! Nexthop objects have the same three; a delete takes whatever has the id, and every route that leads to it.
//!
//! Several paths are one RTA_MULTIPATH in both families. IPv6 takes it with REPLACE too, from one path to many and back:
//! no path of the old route remains, and if a path is refused the old route stays. It differs from IPv4 in that a path
//! given twice is refused (EEXIST, even for a replace), and that paths without a gateway cannot be several.

mod change;
mod dump;
pub(super) mod message;
mod object;
pub(super) mod socket;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use netlink_packet_core::NLM_F_REPLACE;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

use crate::config;
use crate::fib::{Change, KernelError, Key, Observed, Route, Via};
use crate::types::Family;

use dump::Dump;
use message::{KernelRoute, Message, Requests};
use object::KernelObject;
use socket::{EventSocket, Read, RequestSocket};

/// Observations in one report, about: a millisecond of work for the agent.
const REPORT: usize = 250;
/// Before the sockets are opened again after an error.
const REOPEN: Duration = Duration::from_secs(1);

/// Which routes are ours, and how much may wait to be read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `rtm_protocol` of our routes.
    pub protocol: u8,
    pub table: u32,
    /// Bytes of events the kernel keeps for us; what does not fit costs a dump. Capped at net.core.rmem_max without
    /// CAP_NET_ADMIN.
    pub receive_buffer: usize,
}

impl From<&config::Kernel> for Settings {
    fn from(kernel: &config::Kernel) -> Settings {
        // About 10 000 events.
        Settings { protocol: kernel.protocol, table: kernel.table, receive_buffer: 8 << 20 }
    }
}

/// What the task tells the agent, in order.
#[derive(Debug)]
pub enum Report {
    Observed(Vec<Observed>),
    /// Results of [`Kernel::apply`], one per change. The changes of one call may come back in several reports.
    Applied(Vec<(Key, Result<(), KernelError>)>),
}

enum Command {
    Apply(Vec<Change>),
    Rescan,
}

/// The way to the task. When it is dropped, the task ends; routes stay.
#[derive(Clone, Debug)]
pub struct Kernel {
    // Unbounded, so that the agent's loop never waits for the task that may be waiting for it. What is in here is bounded
    // by the agent: it has one change per prefix under way.
    commands: mpsc::UnboundedSender<Command>,
}

impl Kernel {
    /// Makes these changes, in this order but for replaced objects, which go before all that wait. Each is answered in a [`Report::Applied`].
    pub fn apply(&self, changes: Vec<Change>) {
        // The task ends before its handle only with the runtime.
        let _ = self.commands.send(Command::Apply(changes));
    }

    /// Dumps links, addresses and routes again, soon.
    pub fn rescan(&self) {
        let _ = self.commands.send(Command::Rescan);
    }
}

/// Starts the task on the current tokio runtime, in the network namespace of the current thread. Nothing is dumped before
/// the first [`Kernel::rescan`]. The task ends when the handle is dropped or the receiver of `to_agent` is closed.
///
/// # Errors
/// No netlink socket can be opened. Watching takes no privilege; without CAP_NET_ADMIN every change fails with EPERM.
pub fn spawn(settings: Settings, to_agent: mpsc::Sender<Report>) -> io::Result<Kernel> {
    let (commands, receiver) = mpsc::unbounded_channel();
    let task = Task {
        sockets: Sockets::open(&settings)?,
        settings,
        to_agent,
        commands: receiver,
        observed: Vec::new(),
        changes: VecDeque::new(),
        requests: Requests::default(),
        sequence: 0,
        dump: Dump::default(),
    };
    tokio::spawn(task.run());
    Ok(Kernel { commands })
}

struct Sockets {
    events: EventSocket,
    changes: RequestSocket,
    dumps: RequestSocket,
}

impl Sockets {
    fn open(settings: &Settings) -> io::Result<Sockets> {
        let changes = RequestSocket::open()?;
        let own = changes.number;
        let events = EventSocket::open(settings.receive_buffer, own, settings.protocol)?;
        Ok(Sockets { events, changes, dumps: RequestSocket::open()? })
    }
}

/// Why the task stops what it does.
enum Stop {
    /// Nobody wants it any more.
    Ended,
    /// A socket failed in a way it should not.
    Socket(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Socket(error)
    }
}

struct Task {
    settings: Settings,
    sockets: Sockets,
    to_agent: mpsc::Sender<Report>,
    commands: mpsc::UnboundedReceiver<Command>,
    /// To be reported.
    observed: Vec<Observed>,
    /// To be made.
    changes: VecDeque<Change>,
    requests: Requests,
    sequence: u32,
    dump: Dump,
}

impl Task {
    async fn run(mut self) {
        loop {
            let error = match self.serve().await {
                Ok(()) | Err(Stop::Ended) => return,
                Err(Stop::Socket(error)) => error,
            };
            warn!("a netlink socket failed and is opened again: {error}");
            loop {
                sleep(REOPEN).await;
                match Sockets::open(&self.settings) {
                    Ok(sockets) => break self.sockets = sockets,
                    Err(error) => warn!("cannot open a netlink socket: {error}"),
                }
            }
            self.observed.push(Observed::Lost);
            if self.dump.is_running() {
                self.dump = Dump::now();
            }
        }
    }

    /// Each turn does a little of everything there is to do, so that neither a large dump nor many changes
    /// keep the rest waiting.
    async fn serve(&mut self) -> Result<(), Stop> {
        loop {
            while let Ok(command) = self.commands.try_recv() {
                self.take_command(command);
            }
            if !self.changes.is_empty() {
                self.apply_batch().await?;
            }
            self.dump_some()?;
            self.take_events()?;
            self.flush().await?;
            if self.changes.is_empty() && !self.dump.is_running() && !self.wait().await? {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sleeps until there is something to do; false when nothing will ever be again.
    async fn wait(&mut self) -> Result<bool, Stop> {
        let due = self.dump.due();
        tokio::select! {
            read = self.sockets.events.read() => {
                let read = read?;
                self.take_event(&read);
            }
            command = self.commands.recv() => match command {
                Some(command) => self.take_command(command),
                None => return Ok(false),
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            () = self.to_agent.closed() => return Ok(false),
        }
        Ok(true)
    }

    fn take_command(&mut self, command: Command) {
        match command {
            // A lost exit does not wait behind the routes of a full table: it has no order with them.
            Command::Apply(changes) => {
                let (urgent, rest): (Vec<Change>, Vec<Change>) = changes
                    .into_iter()
                    .partition(|change| matches!(change, Change::ReplaceObject { .. }));
                urgent.into_iter().rev().for_each(|change| self.changes.push_front(change));
                self.changes.extend(rest);
            }
            Command::Rescan => self.dump = Dump::now(),
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Hands over what was observed. Waits while the agent is busy.
    async fn flush(&mut self) -> Result<(), Stop> {
        if self.observed.is_empty() {
            return Ok(());
        }
        let report = Report::Observed(std::mem::take(&mut self.observed));
        self.report(report).await
    }

    async fn report(&self, report: Report) -> Result<(), Stop> {
        self.to_agent.send(report).await.map_err(|_| Stop::Ended)
    }
}

/// Events.
impl Task {
    /// Takes what events there are, up to a report's worth.
    fn take_events(&mut self) -> io::Result<()> {
        while self.observed.len() < REPORT {
            match self.sockets.events.read_now()? {
                Read::Empty => break,
                read => self.take_event(&read),
            }
        }
        Ok(())
    }

    fn take_event(&mut self, read: &Read) {
        match read {
            Read::Empty => {}
            Read::Lost => self.observed.push(Observed::Lost),
            Read::Datagram => {
                for raw in self.sockets.events.messages() {
                    let is_replacement = raw.flags() & NLM_F_REPLACE != 0;
                    let observed = message::decode(&raw)
                        .and_then(|message| event(message, is_replacement, &self.settings));
                    // Of a burst of losses one is enough.
                    if observed.is_some() && observed.as_ref() != self.observed.last() {
                        self.observed.extend(observed);
                    }
                }
            }
        }
    }
}

/// What an event means for the agent, if anything.
fn event(message: Message, is_replacement: bool, settings: &Settings) -> Option<Observed> {
    match message {
        Message::Interface(observed) => Some(observed),
        Message::Unreadable => Some(Observed::Lost),
        Message::Route(KernelRoute { table, .. })
        | Message::RouteGone(KernelRoute { table, .. })
            if table != settings.table =>
        {
            None
        }
        Message::Route(KernelRoute { protocol, route, .. }) => {
            if protocol == settings.protocol {
                Some(Observed::Route(route))
            } else {
                let Route { prefix, metric, .. } = route;
                is_replacement.then_some(Observed::RouteGone { prefix, metric })
            }
        }
        Message::RouteGone(KernelRoute { protocol, route, .. }) => {
            let Route { prefix, metric, via } = route;
            let one = matches!(via, Via::Hops(hops) if hops.as_slice().len() == 1);
            if protocol != settings.protocol {
                None
            } else if prefix.family() == Family::Ipv6 && one {
                Some(Observed::Lost)
            } else {
                Some(Observed::RouteGone { prefix, metric })
            }
        }
        Message::Object(KernelObject { protocol, id, object }) => {
            (protocol == settings.protocol).then_some(Observed::Object { id, object })
        }
        Message::ObjectGone(KernelObject { protocol, id, .. }) => {
            (protocol == settings.protocol).then_some(Observed::ObjectGone { id })
        }
        Message::Answer { .. } => None,
    }
}
