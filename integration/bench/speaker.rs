//! A BGP speaker of our own that waits to be dialled: what arrives when, and a table to be sent.
//!
//! It says what a session needs (OPEN, and a KEEPALIVE for each that comes) and decides nothing. Messages are
//! read and made here byte by byte, so that no daemon is measured with its own code. IPv4 unicast only.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Node, PATIENCE, within};

/// The prefix that is announced and withdrawn where there is one only.
pub const SERVICE: &str = "198.51.100.7/32";
/// How a service's prefix begins in an UPDATE.
const SERVICES: [u8; 4] = [32, 198, 51, 100];

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const KEEPALIVE: u8 = 4;
/// Marker, length and type.
const HEADER: usize = 19;

pub struct Speaker {
    events: Receiver<Event>,
    counts: Arc<Mutex<Counts>>,
}

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
pub struct Sink(Arc<Mutex<TcpStream>>);

impl Sink {
    /// Waits until TCP has taken it all.
    pub fn write(&self, messages: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().write_all(messages)
    }
}

/// What was received in the current session.
#[derive(Clone, Copy)]
pub struct Counts {
    /// Prefixes announced, a prefix as often as it was.
    pub announced: usize,
    /// When the last of them came.
    pub last: Instant,
}

impl Speaker {
    /// Listens at `address`, port 179, inside `node`. Sessions follow one another.
    pub fn start(node: &Node, address: Ipv4Addr, asn: u16) -> Speaker {
        let listener = within(node, || TcpListener::bind((address, 179)).unwrap());
        let (sender, events) = channel();
        let counts = Arc::new(Mutex::new(Counts { announced: 0, last: Instant::now() }));
        let mine = counts.clone();
        // Ends with the process: the listener is dropped with its namespace.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // A session ends as the daemon does; the next one begins afresh.
                let _ = Session { stream, events: &sender, counts: &mine }.run(address, asn);
            }
        });
        Speaker { events, counts }
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

    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap()
    }
}

struct Session<'a> {
    stream: TcpStream,
    events: &'a Sender<Event>,
    counts: &'a Mutex<Counts>,
}

impl Session<'_> {
    fn run(mut self, address: Ipv4Addr, asn: u16) -> io::Result<()> {
        *self.counts.lock().unwrap() = Counts { announced: 0, last: Instant::now() };
        self.stream.set_nodelay(true)?;
        let sink = Sink(Arc::new(Mutex::new(self.stream.try_clone()?)));
        sink.write(&open(address, asn))?;
        let mut buffer = vec![0; 1 << 18];
        let mut filled = 0;
        let mut established = false;
        loop {
            let octets = self.stream.read(&mut buffer[filled..])?;
            let now = Instant::now();
            if octets == 0 {
                return Ok(());
            }
            filled += octets;
            let mut start = 0;
            let mut announced = 0;
            while let Some(message) = first_message(&buffer[start..filled]) {
                start += message.len();
                match message[HEADER - 1] {
                    OPEN => sink.write(&message_of(KEEPALIVE, &[]))?,
                    KEEPALIVE if !established => {
                        established = true;
                        // An error says that the measurement is over, here and below.
                        let _ = self.events.send(Event::Established(sink.clone()));
                    }
                    // Answered rather than sent by the clock; nobody measured answers it in turn.
                    KEEPALIVE => sink.write(&message_of(KEEPALIVE, &[]))?,
                    UPDATE => announced += self.update(&message[HEADER..], now),
                    other => eprintln!("message of type {other}: {:?}", &message[HEADER..]),
                }
            }
            buffer.copy_within(start..filled, 0);
            filled -= start;
            if announced > 0 {
                let mut counts = self.counts.lock().unwrap();
                counts.announced += announced;
                counts.last = now;
            }
        }
    }

    /// Gives the number of prefixes announced.
    fn update(&self, body: &[u8], now: Instant) -> usize {
        let (withdrawn, rest) = prefixed_by_length(body);
        let (_attributes, announced) = prefixed_by_length(rest);
        for nlri in prefixes(withdrawn) {
            if let Some(service) = service_of(nlri) {
                let _ = self.events.send(Event::Withdrawn(Change { at: now, service }));
            }
        }
        let mut count = 0;
        for nlri in prefixes(announced) {
            count += 1;
            if let Some(service) = service_of(nlri) {
                let _ = self.events.send(Event::Announced(Change { at: now, service }));
            }
        }
        count
    }
}

/// The first message in `bytes`, if it is there to its end.
fn first_message(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.get(16..18)?;
    bytes.get(..usize::from(u16::from_be_bytes([length[0], length[1]])))
}

/// What the first two octets give the length of, and what comes after it.
fn prefixed_by_length(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    bytes[2..].split_at(length)
}

/// The prefixes of a list, each with its length.
fn prefixes(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
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

fn message_of(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(HEADER + body.len()).unwrap().to_be_bytes());
    message.push(kind);
    message.extend(body);
    message
}

fn open(address: Ipv4Addr, asn: u16) -> Vec<u8> {
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

/// Prefixes that share one attribute set in a table, and one UPDATE.
const PER_SET: usize = 8;

/// Octets that are written at once, about.
const PIECE: usize = 1 << 16;

/// The UPDATEs of a table of `count` prefixes of length 24 from 20.0.0.0 on, in pieces of whole messages. Each
/// eight prefixes have an attribute set of their own; another `variant` has the same prefixes with other sets.
pub fn table(count: usize, next_hop: Ipv4Addr, asn: u16, variant: u32) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    let first = u32::from(Ipv4Addr::new(20, 0, 0, 0)) >> 8;
    let networks: Vec<u32> = (first..).take(count).collect();
    for (set, networks) in (variant..).zip(networks.chunks(PER_SET)) {
        // Spread over the numbers of public ASes.
        let hop = |salt: u32| 1000 + set.wrapping_mul(2_654_435_761).rotate_left(salt) % 60_000;
        let path = [u32::from(asn), hop(3), hop(11), hop(19)];
        let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 2 + 4 * 4, 2, 4];
        attributes.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
        attributes.extend([0x40, 3, 4]);
        attributes.extend(next_hop.octets());
        attributes.extend([0xc0, 8, 8]);
        for community in [set, variant] {
            attributes.extend((u32::from(asn) << 16 | (community & 0xffff)).to_be_bytes());
        }
        let mut body = vec![0, 0];
        body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
        body.extend(attributes);
        for network in networks {
            body.push(24);
            body.extend(&network.to_be_bytes()[1..]);
        }
        if out.last().is_some_and(|piece| piece.len() > PIECE) {
            out.push(Vec::new());
        }
        out.last_mut().expect("there is a piece").extend(message_of(UPDATE, &body));
    }
    out
}

/// How often progress is looked at; times are taken by the session itself.
pub const LOOK_EVERY: Duration = Duration::from_millis(2);
