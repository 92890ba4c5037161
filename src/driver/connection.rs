use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::inbox::{Inbox, Input};
use super::syscalls;
use super::update_log::Logged;
use crate::agent::{Event, PeerEndpoint, PeerId};
use crate::bgp::{self, ConnectionId};
use crate::wire::bgp::Decoder;

/// Octets that may wait for one neighbour. The agent stops handing over routes long before; what is left can
/// only mean that the neighbour does not read, while keepalives and withdrawals pile up.
const QUEUE_LIMIT: usize = 16 << 20;
/// Octets that TCP takes beyond what the neighbour's window lets it send. With the megabytes of the system's buffer an
/// urgent UPDATE would wait behind all of them, and a neighbour that does not read would go unnoticed for long: what
/// TCP has taken counts as written (RFC 9687).
const UNSENT: u32 = 64 << 10;
/// One read. Larger than any message, so that a burst costs few calls.
const READ: usize = 64 << 10;
/// How long a close waits for the queue to drain, and then for the neighbour to close as well.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// A TCP connection with its two tasks: one reads and decodes, one writes what could not be written at once.
pub struct Connection {
    pub peer: PeerId,
    shared: Arc<Shared>,
    reader: AbortHandle,
}

/// What the tasks, the loop and the watch for acknowledgements have of a connection.
pub struct Shared {
    stream: TcpStream,
    queue: Mutex<Queue>,
    /// Something waits to be written, or the connection is to close.
    changed: Notify,
    closing: AtomicBool,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    octets: usize,
    /// Octets ever queued, and ever taken by TCP.
    queued: u64,
    written: u64,
}

/// Held by each connection until it is closed: the receiver's end says when the last one is.
pub type Open = mpsc::Sender<Infallible>;

/// More octets wait than a neighbour that reads could leave.
#[derive(Debug)]
pub struct QueueFull;

/// What is sent must go out at once, with the TTL that the neighbour expects, and what comes from too far
/// away is dropped.
pub fn prepare(stream: &TcpStream, endpoint: &PeerEndpoint, remote: IpAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    syscalls::set_ttl(stream, remote, endpoint.ttl)?;
    match endpoint.min_ttl {
        Some(least) => syscalls::set_min_ttl(stream, remote, least),
        None => Ok(()),
    }
}

impl Connection {
    pub fn start(
        stream: TcpStream,
        connection: ConnectionId,
        peer: PeerId,
        endpoint: &PeerEndpoint,
        logged: Logged,
        inbox: &Inbox,
        open: Open,
    ) -> Connection {
        let shared = Arc::new(Shared {
            stream,
            queue: Mutex::default(),
            changed: Notify::new(),
            closing: AtomicBool::new(false),
        });
        let report = Report { connection, peer, inbox: inbox.clone() };
        let decoder = Decoder::new(endpoint.open.clone());
        let reader =
            tokio::spawn(read(shared.clone(), decoder, logged, report.clone())).abort_handle();
        tokio::spawn(write(shared.clone(), report, open));
        Connection { peer, shared, reader }
    }

    /// Queues; [`Shared::flush`] writes.
    pub fn send(&self, bytes: Bytes) -> Result<(), QueueFull> {
        let mut queue = self.shared.lock();
        if queue.octets + bytes.len() > QUEUE_LIMIT {
            return Err(QueueFull);
        }
        queue.octets += bytes.len();
        queue.queued += bytes.len() as u64;
        queue.chunks.push_back(bytes);
        Ok(())
    }

    /// Writes what TCP takes now, leaves the rest to the writing task, and says how much it was.
    pub fn flush(&self) -> usize {
        let (written, rest) = self.shared.flush();
        // An error is reported by the writing task, which runs into it as well.
        if !matches!(rest, Ok(Rest::Nothing)) {
            self.shared.changed.notify_one();
        }
        written
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Closes once the queue is written, within a bound. Nothing is read any more.
    pub fn close(self) {
        self.reader.abort();
        self.shared.closing.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

enum Rest {
    Nothing,
    Waits,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self) -> (usize, io::Result<Rest>) {
        const SLICES: usize = 64;
        let mut queue = self.lock();
        let mut total = 0;
        while queue.octets > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (slice, chunk) in slices.iter_mut().zip(&queue.chunks) {
                *slice = IoSlice::new(chunk);
            }
            let used = queue.chunks.len().min(SLICES);
            match self.stream.try_write_vectored(slices.get(..used).unwrap_or_default()) {
                Ok(octets) => {
                    queue.advance(octets);
                    total += octets;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (total, Ok(Rest::Waits));
                }
                Err(error) => return (total, Err(error)),
            }
        }
        (total, Ok(Rest::Nothing))
    }

    /// Octets queued so far: what an acknowledgement now would have to cover.
    pub fn queued(&self) -> u64 {
        self.lock().queued
    }

    /// Whether the neighbour's TCP has acknowledged the first `octets`. An error means that it never will.
    pub fn has_acknowledged(&self, octets: u64) -> io::Result<bool> {
        // In this order: what is written in between counts as unacknowledged.
        let written = self.lock().written;
        if written < octets {
            return Ok(false);
        }
        let unacknowledged = syscalls::unacknowledged(&self.stream)?;
        Ok(written.saturating_sub(unacknowledged) >= octets)
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl Queue {
    fn advance(&mut self, mut octets: usize) {
        self.octets -= octets;
        self.written += octets as u64;
        while octets > 0 {
            let Some(first) = self.chunks.front_mut() else { return };
            let taken = octets.min(first.len());
            first.advance(taken);
            if first.is_empty() {
                self.chunks.pop_front();
            }
            octets -= taken;
        }
    }
}

/// Where the tasks of a connection tell what happened.
#[derive(Clone)]
struct Report {
    connection: ConnectionId,
    peer: PeerId,
    inbox: Inbox,
}

impl Report {
    async fn event(&self, event: bgp::Event) {
        let input = Input::Event(Event::Peer { peer: self.peer, event });
        // An error says that the daemon ends.
        let _ = self.inbox.messages.send(input).await;
    }

    async fn closed(&self, reason: String) {
        self.event(bgp::Event::Closed { connection: self.connection, reason }).await;
    }
}

async fn read(shared: Arc<Shared>, mut decoder: Decoder, logged: Logged, report: Report) {
    let connection = report.connection;
    let mut buffer = BytesMut::with_capacity(READ);
    loop {
        buffer.clear();
        if let Err(error) = shared.stream.readable().await {
            return report.closed(error.to_string()).await;
        }
        match shared.stream.try_read_buf(&mut buffer) {
            Ok(0) => return report.closed("closed by the neighbour".to_owned()).await,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return report.closed(error.to_string()).await,
        }
        // An operator at the other end may wait for our acknowledgement, which Linux would otherwise delay by 40 ms.
        // The option lasts for one acknowledgement. Without it nothing is wrong but the wait.
        let _ = socket2::SockRef::from(&shared.stream).set_tcp_quickack(true);
        decoder.feed(&buffer);
        while let Some(result) = decoder.next_seen(|message, facts| logged.see(message, facts)) {
            match result {
                Ok(message) => report.event(bgp::Event::Received { connection, message }).await,
                // Nothing after it can be understood.
                Err(notification) => {
                    return report.event(bgp::Event::Malformed { connection, notification }).await;
                }
            }
        }
    }
}

async fn write(shared: Arc<Shared>, report: Report, _open: Open) {
    while !shared.is_closing() {
        shared.changed.notified().await;
        while !shared.is_closing() {
            let (written, rest) = shared.flush();
            if written > 0 {
                let octets = written;
                report.event(bgp::Event::Written { connection: report.connection, octets }).await;
            }
            match rest {
                Ok(Rest::Nothing) => break,
                Ok(Rest::Waits) => tokio::select! {
                    ready = shared.stream.writable() => match ready {
                        Ok(()) => {}
                        Err(error) => return report.closed(error.to_string()).await,
                    },
                    () = shared.changed.notified() => {}
                },
                Err(error) => return report.closed(error.to_string()).await,
            }
        }
    }
    let _ = timeout(CLOSE_WITHIN, last_words(&shared)).await;
}

/// Writes what is queued, ends our direction, and reads until the neighbour ends its own: a socket that is
/// closed with unread octets resets the connection, and the reset may overtake our NOTIFICATION.
async fn last_words(shared: &Shared) -> io::Result<()> {
    while let Rest::Waits = shared.flush().1? {
        shared.stream.writable().await?;
    }
    socket2::SockRef::from(&shared.stream).shutdown(std::net::Shutdown::Write)?;
    let mut buffer = BytesMut::with_capacity(READ);
    loop {
        buffer.clear();
        shared.stream.readable().await?;
        match shared.stream.try_read_buf(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

/// Both ends of a connection, without the form `::ffff:192.0.2.1`.
pub fn ends(stream: &TcpStream) -> io::Result<(SocketAddr, SocketAddr)> {
    let canonical =
        |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    Ok((canonical(stream.local_addr()?), canonical(stream.peer_addr()?)))
}
