use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use super::clock::Clock;
use super::inbox::{Inbox, Input};
use crate::agent;
use crate::rpki::{Action, CacheId, Client, Event, Settings};
use crate::types::Rng;
use crate::wire::rtr::Decoder;

/// The RPKI client, for the task that owns the agent. It has a thread of its own: a cache sends half a million VRPs at
/// once, and no route shall wait for them.
pub struct Rpki {
    /// The thread ends with this.
    wanted: mpsc::UnboundedSender<BTreeMap<String, Settings>>,
}

const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// One read.
const READ: usize = 64 << 10;
/// Reads that wait to be worked off; what else a cache sends waits in TCP.
const WAITING: usize = 4;

impl Rpki {
    pub fn start(inbox: Inbox, clock: Clock, seed: u64) -> io::Result<Rpki> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (wanted, configurations) = mpsc::unbounded_channel();
        let (heard, events) = mpsc::channel(WAITING);
        let work = Work {
            client: Client::new(Rng::new(seed)),
            clock,
            inbox,
            heard,
            connections: BTreeMap::new(),
            attempts: 0,
        };
        thread::Builder::new()
            .name("rpki".to_owned())
            .spawn(move || runtime.block_on(work.run(configurations, events)))?;
        Ok(Rpki { wanted })
    }

    /// These caches from now on, by name.
    pub fn configure(&self, caches: BTreeMap<String, Settings>) {
        // An error says that the thread is gone, and with it the daemon.
        let _ = self.wanted.send(caches);
    }
}

/// What happened on the way to a cache; the number tells it from an earlier connection.
type Heard = (CacheId, u64, Event);

struct Work {
    client: Client,
    clock: Clock,
    inbox: Inbox,
    heard: mpsc::Sender<Heard>,
    /// The latest of each cache, and what is to be written there.
    connections: BTreeMap<CacheId, (u64, mpsc::UnboundedSender<Bytes>)>,
    attempts: u64,
}

impl Work {
    async fn run(
        mut self,
        mut configurations: mpsc::UnboundedReceiver<BTreeMap<String, Settings>>,
        mut events: mpsc::Receiver<Heard>,
    ) {
        loop {
            let due = self.client.deadline().map(|at| self.clock.instant(at));
            let due = async {
                match due {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                wanted = configurations.recv() => match wanted {
                    Some(wanted) => self.client.configure(&wanted, self.clock.now()),
                    None => return,
                },
                Some((cache, attempt, event)) = events.recv() => {
                    let current = self.connections.get(&cache).map(|(attempt, _)| *attempt);
                    if current == Some(attempt) {
                        self.client.handle(cache, event, self.clock.now());
                    }
                }
                () = due => self.client.tick(self.clock.now()),
            }
            self.carry_out().await;
        }
    }

    async fn carry_out(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Dial { cache, settings } => {
                    self.attempts += 1;
                    let (to_write, written) = mpsc::unbounded_channel();
                    self.connections.insert(cache, (self.attempts, to_write));
                    let teller =
                        Teller { heard: self.heard.clone(), cache, attempt: self.attempts };
                    tokio::spawn(connection(settings, written, teller));
                }
                Action::Send { cache, octets } => {
                    if let Some((_, to_write)) = self.connections.get(&cache) {
                        // An error says that the connection is gone, which is told.
                        let _ = to_write.send(octets);
                    }
                }
                // Its task ends when it has written what waits.
                Action::Close { cache } => drop(self.connections.remove(&cache)),
                Action::Report(report) => {
                    let input = Input::Event(agent::Event::Rpki(report));
                    // An error says that the daemon ends.
                    let _ = self.inbox.control.send(input).await;
                }
            }
        }
    }
}

struct Teller {
    heard: mpsc::Sender<Heard>,
    cache: CacheId,
    attempt: u64,
}

impl Teller {
    async fn tell(&self, event: Event) {
        // An error says that the daemon ends.
        let _ = self.heard.send((self.cache, self.attempt, event)).await;
    }
}

/// One connection, from the dial to its end.
async fn connection(
    settings: Settings,
    mut to_write: mpsc::UnboundedReceiver<Bytes>,
    teller: Teller,
) {
    let stream = match timeout(DIAL_WITHIN, dial(&settings)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(reason)) => return teller.tell(Event::DialFailed { reason }).await,
        Err(_) => {
            let reason = format!("no answer within {} s", DIAL_WITHIN.as_secs());
            return teller.tell(Event::DialFailed { reason }).await;
        }
    };
    teller.tell(Event::Dialled).await;
    let (mut reading, mut writing) = stream.into_split();
    let read = async {
        let mut decoder = Decoder::default();
        let mut buffer = BytesMut::with_capacity(READ);
        loop {
            buffer.clear();
            let reason = match reading.read_buf(&mut buffer).await {
                Ok(0) => "closed by the cache".to_owned(),
                Ok(_) => {
                    decoder.feed(&buffer);
                    let mut pdus = Vec::new();
                    while let Some(result) = decoder.next() {
                        match result {
                            Ok(pdu) => pdus.push(pdu),
                            Err(report) => {
                                teller.tell(Event::Received(pdus)).await;
                                return teller.tell(Event::Malformed(report)).await;
                            }
                        }
                    }
                    teller.tell(Event::Received(pdus)).await;
                    continue;
                }
                Err(error) => error.to_string(),
            };
            return teller.tell(Event::Closed { reason }).await;
        }
    };
    let write = async {
        while let Some(octets) = to_write.recv().await {
            // The reader runs into the error as well.
            let _ = writing.write_all(&octets).await;
        }
        let _ = writing.shutdown().await;
    };
    tokio::select! {
        // Also when nothing more comes there may be a last word to write.
        () = async { read.await; std::future::pending().await } => {}
        () = write => {}
    }
}

/// The error is a sentence.
async fn dial(settings: &Settings) -> Result<TcpStream, String> {
    let Settings { address, port, local_address } = *settings;
    let socket = match address.is_ipv4() {
        true => TcpSocket::new_v4(),
        false => TcpSocket::new_v6(),
    }
    .map_err(|error| format!("no socket: {error}"))?;
    if let Some(local) = local_address {
        socket
            .bind(SocketAddr::new(local, 0))
            .map_err(|error| format!("local-address {local} cannot be used: {error}"))?;
    }
    socket.connect(SocketAddr::new(address, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("connection refused: nothing listens on {address} port {port}")
        }
        _ => format!("{address} port {port}: {error}"),
    })
}
