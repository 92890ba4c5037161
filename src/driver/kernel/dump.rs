//! Reading all links, addresses, and objects and routes of ours.

use std::io;
use std::time::Duration;

use netlink_packet_core::NLM_F_DUMP_INTR;
use tokio::time::Instant;
use tracing::warn;

use super::Task;
use super::message::{self, Message, Subject};
use super::object::KernelObject;
use super::socket::Read;
use crate::fib::{Object, Observed};
use crate::types::Family;

/// The wait before an interrupted dump is begun anew doubles from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LAST_WAIT: Duration = Duration::from_secs(2);

/// How far the dump is.
#[derive(Default)]
pub(super) enum Dump {
    #[default]
    None,
    /// To be begun, after so many attempts that failed.
    Due { at: Instant, attempts: u32 },
    /// The routes of `family` are being read, as answers to request `sequence`.
    Routes { family: Family, sequence: u32, attempts: u32 },
}

impl Dump {
    pub fn now() -> Dump {
        Dump::Due { at: Instant::now(), attempts: 0 }
    }

    fn again(attempts: u32) -> Dump {
        let wait = FIRST_WAIT.saturating_mul(1 << attempts.min(10)).min(LAST_WAIT);
        Dump::Due { at: Instant::now() + wait, attempts: attempts + 1 }
    }

    pub fn is_running(&self) -> bool {
        matches!(self, Dump::Routes { .. })
    }

    pub fn due(&self) -> Option<Instant> {
        match self {
            Dump::Due { at, .. } => Some(*at),
            Dump::None | Dump::Routes { .. } => None,
        }
    }
}

/// How reading a part of a dump went.
enum Part {
    More,
    Whole,
    /// What was read may have changed meanwhile, or the kernel gave up.
    Void,
}

impl Task {
    /// Does the next piece of the dump, if there is one to do.
    pub(super) fn dump_some(&mut self) -> io::Result<()> {
        self.dump = match self.dump {
            Dump::Due { at, attempts } if at <= Instant::now() => self.begin_dump(attempts)?,
            Dump::Routes { family, sequence, attempts } => match self.read_part(sequence)? {
                Part::More => return Ok(()),
                Part::Void => Dump::again(attempts),
                Part::Whole if family == Family::Ipv4 => {
                    self.dump_routes(Family::Ipv6, attempts)?
                }
                Part::Whole => {
                    self.observed.push(Observed::DumpDone);
                    Dump::None
                }
            },
            Dump::None | Dump::Due { .. } => return Ok(()),
        };
        Ok(())
    }

    fn begin_dump(&mut self, attempts: u32) -> io::Result<Dump> {
        self.observed.push(Observed::DumpBegun);
        // Of the namespace that the daemon runs in. It is not there before Linux 5.4.
        let compat_mode = std::fs::read_to_string("/proc/sys/net/ipv4/nexthop_compat_mode");
        let on = compat_mode.is_ok_and(|mode| mode.trim() == "1");
        self.observed.push(Observed::CompatMode(on));
        for subject in [Subject::Links, Subject::Addresses, Subject::Objects] {
            let sequence = self.request_dump(subject)?;
            loop {
                match self.read_part(sequence)? {
                    Part::More => {}
                    Part::Whole => break,
                    Part::Void => return Ok(Dump::again(attempts)),
                }
            }
        }
        // The kernel shows objects by their ids, the agent wants to know the members before the groups.
        let is_group = |observed: &Observed| {
            matches!(observed, Observed::DumpedObject { object: Object::Group(_), .. })
        };
        let groups: Vec<Observed> = self.observed.extract_if(.., |seen| is_group(seen)).collect();
        self.observed.extend(groups);
        self.dump_routes(Family::Ipv4, attempts)
    }

    fn dump_routes(&mut self, family: Family, attempts: u32) -> io::Result<Dump> {
        let (protocol, table) = (self.settings.protocol, self.settings.table);
        let sequence = self.request_dump(Subject::Routes { family, protocol, table })?;
        Ok(Dump::Routes { family, sequence, attempts })
    }

    fn request_dump(&mut self, subject: Subject) -> io::Result<u32> {
        let sequence = self.next_sequence();
        self.requests.clear();
        self.requests.dump(sequence, subject);
        // A dump that was given up may not be read to its end: the kernel makes only one at a time per socket.
        self.sockets.dumps.drain()?;
        self.sockets.dumps.send(&self.requests)?;
        Ok(sequence)
    }

    /// Takes one datagram of the dump that answers request `sequence`.
    fn read_part(&mut self, sequence: u32) -> io::Result<Part> {
        match self.sockets.dumps.read()? {
            Read::Datagram => {}
            Read::Empty | Read::Lost => return Ok(Part::Void),
        }
        for raw in self.sockets.dumps.messages().filter(|raw| raw.sequence_number() == sequence) {
            if raw.flags() & NLM_F_DUMP_INTR != 0 {
                return Ok(Part::Void);
            }
            match message::decode(&raw) {
                Some(Message::Interface(observed)) => self.observed.push(observed),
                // Filtered by the kernel already, if it is not older than 4.20.
                Some(Message::Route(route))
                    if route.protocol == self.settings.protocol
                        && route.table == self.settings.table =>
                {
                    self.observed.push(Observed::Dumped(route.route));
                }
                Some(Message::Object(KernelObject { protocol, id, object }))
                    if protocol == self.settings.protocol =>
                {
                    self.observed.push(Observed::DumpedObject { id, object });
                }
                // Before Linux 5.3, or one that was built without.
                Some(Message::Answer { errno: libc::EOPNOTSUPP, .. }) => {
                    self.observed.push(Observed::NoObjects);
                    return Ok(Part::Whole);
                }
                // A table is made with its first route.
                Some(Message::Answer { errno: 0 | libc::ENOENT, .. }) => return Ok(Part::Whole),
                Some(Message::Answer { errno, text }) => {
                    let text = text.unwrap_or_default();
                    warn!(
                        errno,
                        text,
                        "the kernel does not show its links, addresses or routes; trying again"
                    );
                    return Ok(Part::Void);
                }
                // What cannot be read is as if it were not there: a route that is nevertheless wanted ends as a conflict.
                Some(
                    Message::Route(_)
                    | Message::RouteGone(_)
                    | Message::Object(_)
                    | Message::ObjectGone(_)
                    | Message::Unreadable,
                )
                | None => {}
            }
        }
        Ok(Part::More)
    }
}
