use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::inbox::{Inbox, Input};
use super::plain;
use crate::agent::{CollectorEvent, Event};
use crate::config::Collector;

/// The connections to collectors, on a thread of their own: a table goes out to each of them, and nothing shall wait for that.
///
/// The agent hands over as much as it has counted as taken, so what waits here is bounded.
pub struct Collectors {
    /// The thread ends with this.
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Set(BTreeMap<String, Collector>),
    Send { collector: String, connection: u64, bytes: Bytes },
}

/// What is to be written, with the number of the connection it is for.
type ToWrite = (u64, Bytes);

const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// Between attempts.
const RETRY: Duration = Duration::from_secs(5);
/// A collector that takes nothing for so long is given up.
const TAKES_WITHIN: Duration = Duration::from_secs(60);

impl Collectors {
    pub fn start(inbox: Inbox) -> io::Result<Collectors> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (orders, given) = mpsc::unbounded_channel();
        thread::Builder::new()
            .name("collectors".to_owned())
            .spawn(move || runtime.block_on(work(given, inbox)))?;
        Ok(Collectors { orders })
    }

    /// These are connected to from now on, by name.
    pub fn set(&self, collectors: BTreeMap<String, Collector>) {
        self.order(Order::Set(collectors));
    }

    pub fn send(&self, collector: String, connection: u64, bytes: Bytes) {
        self.order(Order::Send { collector, connection, bytes });
    }

    fn order(&self, order: Order) {
        // An error says that the thread is gone, and with it the daemon.
        let _ = self.orders.send(order);
    }
}

async fn work(mut orders: mpsc::UnboundedReceiver<Order>, inbox: Inbox) {
    let mut tasks: BTreeMap<String, (Collector, mpsc::UnboundedSender<ToWrite>)> = BTreeMap::new();
    while let Some(order) = orders.recv().await {
        match order {
            // A task that is dropped here ends when it has written what waits.
            Order::Set(wanted) => {
                tasks.retain(|name, (settings, _)| wanted.get(name) == Some(settings));
                for (name, settings) in wanted {
                    tasks.entry(name.clone()).or_insert_with(|| {
                        let (to_write, writes) = mpsc::unbounded_channel();
                        let told = Told { name, inbox: inbox.clone() };
                        tokio::spawn(serve(settings.clone(), writes, told));
                        (settings, to_write)
                    });
                }
            }
            Order::Send { collector, connection, bytes } => {
                if let Some((_, to_write)) = tasks.get(&collector) {
                    // An error says that the task has just ended.
                    let _ = to_write.send((connection, bytes));
                }
            }
        }
    }
}

struct Told {
    name: String,
    inbox: Inbox,
}

impl Told {
    async fn tell(&self, event: CollectorEvent) {
        let input = Input::Event(Event::Collector { collector: self.name.clone(), event });
        // An error says that the daemon ends.
        let _ = self.inbox.control.send(input).await;
    }
}

/// One collector, connection after connection, until nobody wants to write to it any more.
async fn serve(settings: Collector, mut writes: mpsc::UnboundedReceiver<ToWrite>, told: Told) {
    for connection in 1.. {
        let reason = match timeout(DIAL_WITHIN, dial(&settings)).await {
            Ok(Ok(stream)) => {
                told.tell(CollectorEvent::Connected { connection }).await;
                match converse(stream, connection, &mut writes, &told).await {
                    Ok(()) => return,
                    Err(reason) => reason,
                }
            }
            Ok(Err(error)) => plain(&error),
            Err(_) => "no answer".to_owned(),
        };
        told.tell(CollectorEvent::Closed { reason }).await;
        let pause = sleep(RETRY);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                // For the connection that is gone.
                write = writes.recv() => if write.is_none() { return },
            }
        }
    }
}

/// Writes until nobody wants to write any more; the error is why it ended before.
async fn converse(
    stream: TcpStream,
    connection: u64,
    writes: &mut mpsc::UnboundedReceiver<ToWrite>,
    told: &Told,
) -> Result<(), String> {
    let (reader, mut writer) = stream.into_split();
    let closed = closed(reader);
    tokio::pin!(closed);
    loop {
        let write = tokio::select! {
            write = writes.recv() => write,
            Err(error) = &mut closed => return Err(plain(&error)),
        };
        let Some((of, bytes)) = write else {
            let _ = timeout(RETRY, writer.shutdown()).await;
            return Ok(());
        };
        if of != connection {
            continue;
        }
        let written = tokio::select! {
            written = timeout(TAKES_WITHIN, writer.write_all(&bytes)) => written,
            Err(error) = &mut closed => return Err(plain(&error)),
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(plain(&error)),
            Err(_) => return Err(format!("takes nothing for {} s", TAKES_WITHIN.as_secs())),
        }
        told.tell(CollectorEvent::Written { connection, octets: bytes.len() }).await;
    }
}

/// Waits for the end. A collector has nothing to say (RFC 7854 §3.2); what it says is not looked at.
async fn closed(mut reader: OwnedReadHalf) -> io::Result<Infallible> {
    let mut ignored = [0; 1024];
    loop {
        if reader.read(&mut ignored).await? == 0 {
            return Err(io::Error::other("closed by the collector"));
        }
    }
}

async fn dial(settings: &Collector) -> io::Result<TcpStream> {
    let socket = match settings.address.is_ipv4() {
        true => TcpSocket::new_v4()?,
        false => TcpSocket::new_v6()?,
    };
    if let Some(local) = settings.local_address {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(SocketAddr::new(settings.address, settings.port)).await
}
