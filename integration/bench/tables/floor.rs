//! The floor: a relay in a process of its own that does only what cannot be left out. It parses what it reads, keeps the
//! routes in one hash table with shared attribute sets, and tells the takers with our AS and next hop put in. No
//! timers, no policy, no checks; of two feeds' routes that of the first is better.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use hashbrown::HashMap;

use crate::process::Line;
use crate::speaker::{
    HEADER, KEEPALIVE, OPEN, UPDATE, first_message, message_of, open, prefixed_by_length, prefixes,
};

const ASN: u16 = 65000;
/// Read at once.
const BUFFER: usize = 1 << 18;
/// Octets of a message without header, lengths and attributes (RFC 4271 §4.3).
const MOST_OCTETS: usize = 4096 - HEADER - 4;

/// How it is started: this program once more.
pub fn line(feeds: u8, takers: u8) -> Line {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let arguments = ["--bench", "--as-floor", &feeds.to_string(), &takers.to_string()];
    [program].into_iter().chain(arguments.map(str::to_owned)).collect()
}

/// Which feed, and what it sent; nothing once it has ended.
type Piece = (usize, Option<Vec<u8>>);

/// Runs until it is killed, or all feeds are gone.
pub fn run(feeds: u8, takers: u8) {
    let (sender, pieces) = sync_channel(4);
    for feed in 0..feeds {
        let stream = dial(feed);
        let sender = sender.clone();
        thread::spawn(move || read(&stream, feed.into(), &sender));
    }
    drop(sender);
    let takers = (feeds..feeds + takers).map(|n| Taker { stream: dial(n), out: Vec::new() });
    Relay { takers: takers.collect(), ..Relay::default() }.run(&pieces);
}

/// A session with neighbour `n`, which waits to be dialled.
fn dial(n: u8) -> TcpStream {
    let mut stream = loop {
        match TcpStream::connect((Ipv4Addr::new(10, 99, n, 2), 179)) {
            Ok(stream) => break stream,
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    };
    stream.set_nodelay(true).unwrap();
    stream.write_all(&open(Ipv4Addr::new(10, 99, n, 1), ASN)).unwrap();
    for expected in [OPEN, KEEPALIVE] {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).unwrap();
        assert_eq!(header[HEADER - 1], expected);
        let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
        stream.read_exact(&mut vec![0; length - HEADER]).unwrap();
        if expected == OPEN {
            stream.write_all(&message_of(KEEPALIVE, &[])).unwrap();
        }
    }
    stream
}

fn read(mut stream: &TcpStream, feed: usize, sender: &SyncSender<Piece>) {
    loop {
        let mut piece = vec![0; BUFFER];
        let octets = stream.read(&mut piece).unwrap_or(0);
        piece.truncate(octets);
        let ended = octets == 0;
        if sender.send((feed, (!ended).then_some(piece))).is_err() || ended {
            return;
        }
    }
}

struct Taker {
    stream: TcpStream,
    out: Vec<u8>,
}

#[derive(Default)]
struct Relay {
    /// Of each prefix the set that each of two feeds gives it, counted from 1; 0 is none.
    routes: HashMap<(u32, u8), [u32; 2]>,
    /// As received.
    sets: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
    takers: Vec<Taker>,
}

impl Relay {
    fn run(mut self, pieces: &Receiver<Piece>) {
        let mut rest: [Vec<u8>; 2] = Default::default();
        while let Ok((feed, piece)) = pieces.recv() {
            let Some(piece) = piece else {
                self.lost(feed);
                self.flush();
                continue;
            };
            let mut bytes = std::mem::take(&mut rest[feed]);
            bytes.extend(piece);
            let mut start = 0;
            while let Some(message) = first_message(&bytes[start..]) {
                start += message.len();
                if message[HEADER - 1] == UPDATE {
                    self.update(feed, &message[HEADER..]);
                }
            }
            bytes.drain(..start);
            rest[feed] = bytes;
            self.flush();
        }
    }

    fn update(&mut self, feed: usize, body: &[u8]) {
        let (_withdrawn, rest) = prefixed_by_length(body);
        let (attributes, announced) = prefixed_by_length(rest);
        let number = match self.numbers.get(attributes) {
            Some(number) => *number,
            None => {
                self.sets.push(attributes.to_vec());
                let number = u32::try_from(self.sets.len()).unwrap();
                self.numbers.insert(attributes.to_vec(), number);
                number
            }
        };
        let mut told = Vec::new();
        for nlri in prefixes(announced) {
            let route = self.routes.entry(key(nlri)).or_default();
            route[feed] = number;
            if route[..feed].iter().all(|better| *better == 0) {
                told.extend(nlri);
            }
        }
        self.tell(number, &told);
    }

    /// A feed is gone: what was its is the other's, or nobody's.
    fn lost(&mut self, feed: usize) {
        let mut changed = Vec::new();
        for (key, route) in &mut self.routes {
            let first = |route: &[u32; 2]| route.iter().copied().find(|number| *number != 0);
            let before = first(route);
            route[feed] = 0;
            let after = first(route);
            if before != after {
                changed.push((after.unwrap_or(0), *key));
            }
        }
        changed.sort_unstable();
        for same in changed.chunk_by(|one, other| one.0 == other.0) {
            let mut told = Vec::new();
            for (number, (address, length)) in same {
                if told.len() + 5 > MOST_OCTETS / 2 {
                    self.tell(*number, &std::mem::take(&mut told));
                }
                told.push(*length);
                let octets = usize::from(*length).div_ceil(8);
                told.extend(&address.to_be_bytes()[..octets]);
            }
            self.tell(same[0].0, &told);
        }
    }

    /// Puts prefixes of one set into an UPDATE for each taker; those of set 0 are withdrawn.
    fn tell(&mut self, number: u32, told: &[u8]) {
        if told.is_empty() {
            return;
        }
        let length = |octets: &[u8]| u16::try_from(octets.len()).unwrap().to_be_bytes();
        for taker in &mut self.takers {
            let mut body = Vec::with_capacity(told.len() + 128);
            match self.sets.get((number as usize).wrapping_sub(1)) {
                Some(set) => {
                    let set = ours(set);
                    body.extend([0, 0]);
                    body.extend(length(&set));
                    body.extend(set);
                    body.extend(told);
                }
                None => {
                    body.extend(length(told));
                    body.extend(told);
                    body.extend([0, 0]);
                }
            }
            taker.out.extend(message_of(UPDATE, &body));
        }
    }

    fn flush(&mut self) {
        for taker in &mut self.takers {
            // An error says that the measurement is over.
            let _ = taker.stream.write_all(&taker.out);
            taker.out.clear();
        }
    }
}

fn key(nlri: &[u8]) -> (u32, u8) {
    let mut octets = [0; 4];
    octets[..nlri.len() - 1].copy_from_slice(&nlri[1..]);
    (u32::from_be_bytes(octets), nlri[0])
}

/// A set as it is passed on: ORIGIN, AS_PATH and NEXT_HOP stand in front, as the speakers here send them.
fn ours(set: &[u8]) -> Vec<u8> {
    const PATH: usize = 4;
    let (length, hops) = (set[PATH + 2], set[PATH + 4]);
    let path_end = PATH + 3 + usize::from(length);
    let mut out = set[..PATH].to_vec();
    out.extend([0x40, 2, length + 4, 2, hops + 1]);
    out.extend(u32::from(ASN).to_be_bytes());
    out.extend(&set[PATH + 5..path_end]);
    out.extend([0x40, 3, 4, 10, 99, 0, 1]);
    out.extend(&set[path_end + 7..]);
    out
}
