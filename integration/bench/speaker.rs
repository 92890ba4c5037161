//! A BGP speaker of our own, which waits to be dialled if it is not to dial: what arrives when, and a table to be sent.
//!
//! It says what a session needs (OPEN, and a KEEPALIVE for each that comes) and decides nothing. Messages are
//! read and made here byte by byte, so that no daemon is measured with its own code. IPv4 unicast only.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Node, PATIENCE, within};

/// The prefix that is announced and withdrawn where there is one only.
pub const SERVICE: &str = "198.51.100.7/32";
/// How a service's prefix begins in an UPDATE.
const SERVICES: [u8; 4] = [32, 198, 51, 100];

pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const KEEPALIVE: u8 = 4;
/// Marker, length and type.
pub const HEADER: usize = 19;

pub struct Speaker {
    events: Receiver<Event>,
    shared: Arc<Shared>,
}

/// What a speaker and its sessions have in common.
struct Shared {
    counts: Mutex<Counts>,
    /// What is received, if it is to be kept.
    record: Mutex<Option<Record>>,
    /// No further session is wanted.
    refuses: AtomicBool,
    /// Those that came up.
    sessions: AtomicUsize,
}

impl Shared {
    fn new() -> Arc<Shared> {
        Arc::new(Shared {
            counts: Mutex::new(Counts::zero()),
            record: Mutex::new(None),
            refuses: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
        })
    }
}

/// Octets of whole messages as they were received, and when.
pub type Record = Vec<(Instant, Vec<u8>)>;

/// Something that somebody waits for; the time is taken when the octets have been read.
#[derive(Debug)]
pub enum Event {
    /// The session is up.
    Established(Sink),
    /// A service was announced.
    Announced(Change),
    /// A service was withdrawn.
    Withdrawn(Change),
}

#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub at: Instant,
    /// The last octet of the service's prefix, a /32 of 198.51.100.0/24.
    pub service: u8,
}

/// The way to the neighbour. Whole messages only: the session answers keepalives in between.
#[derive(Clone, Debug)]
pub struct Sink {
    stream: Arc<Mutex<TcpStream>>,
    /// The same; to end what somebody else is writing to.
    end: Arc<TcpStream>,
}

impl Sink {
    /// Waits until TCP has taken it all.
    pub fn write(&self, messages: &[u8]) -> io::Result<()> {
        self.stream.lock().unwrap().write_all(messages)
    }

    /// Ends the session without a word.
    pub fn close(&self) {
        // An error says that it has ended already.
        let _ = self.end.shutdown(Shutdown::Both);
    }
}

/// What was received in the current session.
#[derive(Clone, Copy)]
pub struct Counts {
    /// Prefixes announced, a prefix as often as it was.
    pub announced: usize,
    /// Prefixes withdrawn, in the same way.
    pub withdrawn: usize,
    /// When the last of them came.
    pub last: Instant,
    /// For how long nothing at all was received, at the most.
    pub silence: Duration,
}

impl Counts {
    fn zero() -> Counts {
        let last = Instant::now();
        Counts { announced: 0, withdrawn: 0, last, silence: Duration::ZERO }
    }
}

impl Speaker {
    /// Listens at `address`, port 179, inside `node`. Sessions follow one another.
    pub fn start(node: &Node, address: Ipv4Addr, asn: u16) -> Speaker {
        let listener = within(node, || TcpListener::bind((address, 179)).unwrap());
        let (sender, events) = channel();
        let shared = Shared::new();
        let mine = shared.clone();
        // Ends with the process: the listener is dropped with its namespace.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if mine.refuses.load(Ordering::Relaxed) {
                    continue;
                }
                // A session ends as the daemon does; the next one begins afresh.
                let _ = Session { stream, events: &sender, shared: &mine }.run(address, asn);
            }
        });
        Speaker { events, shared }
    }

    /// Dials the daemon at `remote` from inside `node`. One session.
    pub fn dial(node: &Node, remote: Ipv4Addr, address: Ipv4Addr, asn: u16) -> io::Result<Speaker> {
        let remote = SocketAddr::from((remote, 179));
        let stream = within(node, || TcpStream::connect_timeout(&remote, DIALLED))?;
        let (sender, events) = channel();
        let shared = Shared::new();
        let mine = shared.clone();
        // Ends with the session.
        thread::spawn(move || {
            let _ = Session { stream, events: &sender, shared: &mine }.run(address, asn);
        });
        Ok(Speaker { events, shared })
    }

    /// From now on, who dials is hung up on.
    pub fn refuse(&self) {
        self.shared.refuses.store(true, Ordering::Relaxed);
    }

    /// Keeps what is received from now on.
    pub fn record(&self) {
        *self.shared.record.lock().unwrap() = Some(Record::new());
    }

    /// What was received since [`Speaker::record`]; no more is kept.
    pub fn recorded(&self) -> Record {
        self.shared.record.lock().unwrap().take().unwrap_or_default()
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, wanted: impl Fn(Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Err(_) => panic!("no {what} within {PATIENCE:?}"),
            }
        }
    }

    /// Waits for the next session; gives the way to send it a table.
    #[track_caller]
    pub fn established(&self) -> Sink {
        self.wait("session", |event| match event {
            Event::Established(sink) => Some(sink),
            _ => None,
        })
    }

    /// When a service was announced next.
    #[track_caller]
    pub fn announced(&self) -> Instant {
        self.wait("announcement", |event| match event {
            Event::Announced(change) => Some(change.at),
            _ => None,
        })
    }

    /// When a service was withdrawn next.
    #[track_caller]
    pub fn withdrawn(&self) -> Instant {
        self.wait("withdrawal", |event| match event {
            Event::Withdrawn(change) => Some(change.at),
            _ => None,
        })
    }

    /// What comes next, if anything does within `patience`.
    pub fn next(&self, patience: Duration) -> Option<Event> {
        self.events.recv_timeout(patience).ok()
    }

    /// How often a session has come up.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::Relaxed)
    }

    pub fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap()
    }
}

struct Session<'a> {
    stream: TcpStream,
    events: &'a Sender<Event>,
    shared: &'a Shared,
}

impl Session<'_> {
    fn run(mut self, address: Ipv4Addr, asn: u16) -> io::Result<()> {
        *self.shared.counts.lock().unwrap() = Counts::zero();
        self.stream.set_nodelay(true)?;
        // A daemon that takes nothing any more must not hold up the end of a benchmark.
        self.stream.set_write_timeout(Some(STUCK))?;
        let sink = Sink {
            stream: Arc::new(Mutex::new(self.stream.try_clone()?)),
            end: Arc::new(self.stream.try_clone()?),
        };
        sink.write(&open(address, asn))?;
        let mut buffer = vec![0; 1 << 18];
        let mut filled = 0;
        let mut established = false;
        let mut heard = Instant::now();
        let mut answered = Some(heard);
        loop {
            let octets = self.stream.read(&mut buffer[filled..])?;
            let now = Instant::now();
            let silence = now - std::mem::replace(&mut heard, now);
            if octets == 0 {
                return Ok(());
            }
            filled += octets;
            let mut start = 0;
            let (mut announced, mut withdrawn) = (0, 0);
            while let Some(message) = first_message(&buffer[start..filled]) {
                start += message.len();
                match message[HEADER - 1] {
                    OPEN => sink.write(&message_of(KEEPALIVE, &[]))?,
                    KEEPALIVE if !established => {
                        established = true;
                        self.shared.sessions.fetch_add(1, Ordering::Relaxed);
                        // An error says that the measurement is over, here and below.
                        let _ = self.events.send(Event::Established(sink.clone()));
                    }
                    // Answered rather than sent by the clock; nobody measured answers it in turn.
                    KEEPALIVE => answered = None,
                    UPDATE => {
                        let (more, fewer) = self.update(&message[HEADER..], now);
                        announced += more;
                        withdrawn += fewer;
                    }
                    other => eprintln!("message of type {other}: {:?}", &message[HEADER..]),
                }
            }
            if let Some(record) = self.shared.record.lock().unwrap().as_mut() {
                record.push((now, buffer[..start].to_vec()));
            }
            // Who sends UPDATEs sends no KEEPALIVEs (RFC 4271 §4.4), and waits for ours all the same.
            if established && answered.is_none_or(|last| now - last > ANSWER_EVERY) {
                sink.write(&message_of(KEEPALIVE, &[]))?;
                answered = Some(now);
            }
            buffer.copy_within(start..filled, 0);
            filled -= start;
            let mut counts = self.shared.counts.lock().unwrap();
            counts.silence = counts.silence.max(silence);
            if announced + withdrawn > 0 {
                counts.announced += announced;
                counts.withdrawn += withdrawn;
                counts.last = now;
            }
        }
    }

    /// Gives the number of prefixes announced, and of those withdrawn.
    fn update(&self, body: &[u8], now: Instant) -> (usize, usize) {
        let (withdrawn, rest) = prefixed_by_length(body);
        let (_attributes, announced) = prefixed_by_length(rest);
        let (mut more, mut fewer) = (0, 0);
        for nlri in prefixes(withdrawn) {
            fewer += 1;
            if let Some(service) = service_of(nlri) {
                let _ = self.events.send(Event::Withdrawn(Change { at: now, service }));
            }
        }
        for nlri in prefixes(announced) {
            more += 1;
            if let Some(service) = service_of(nlri) {
                let _ = self.events.send(Event::Announced(Change { at: now, service }));
            }
        }
        (more, fewer)
    }
}

/// The first message in `bytes`, if it is there to its end.
pub fn first_message(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.get(16..18)?;
    bytes.get(..usize::from(u16::from_be_bytes([length[0], length[1]])))
}

/// What the first two octets give the length of, and what comes after it.
pub fn prefixed_by_length(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    bytes[2..].split_at(length)
}

/// The prefixes of a list, each with its length.
pub fn prefixes(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let octets = 1 + usize::from(list.first()?.div_ceil(8));
        let (first, rest) = list.split_at(octets);
        list = rest;
        Some(first)
    })
}

fn service_of(nlri: &[u8]) -> Option<u8> {
    nlri.strip_prefix(&SERVICES)?.first().copied()
}

pub fn message_of(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(HEADER + body.len()).unwrap().to_be_bytes());
    message.push(kind);
    message.extend(body);
    message
}

pub fn open(address: Ipv4Addr, asn: u16) -> Vec<u8> {
    let mut body = vec![4];
    body.extend(asn.to_be_bytes());
    body.extend(HOLD_TIME.to_be_bytes());
    body.extend(address.octets());
    // Multiprotocol IPv4 unicast, and AS numbers of four octets.
    let mut capabilities = vec![1, 4, 0, 1, 0, 1, 65, 4];
    capabilities.extend(u32::from(asn).to_be_bytes());
    let length = u8::try_from(capabilities.len()).unwrap();
    body.extend([length + 2, 2, length]);
    body.extend(capabilities);
    message_of(OPEN, &body)
}

/// Seconds. The daemons propose less, and theirs counts.
const HOLD_TIME: u16 = 240;

/// Half of the KEEPALIVE interval of the shortest hold time.
const ANSWER_EVERY: Duration = Duration::from_millis(500);

/// A daemon that has not answered by then is tried again.
const DIALLED: Duration = Duration::from_secs(1);

/// TCP has taken nothing for so long.
const STUCK: Duration = Duration::from_secs(120);

/// How often progress is looked at; times are taken by the session itself.
pub const LOOK_EVERY: Duration = Duration::from_millis(2);
