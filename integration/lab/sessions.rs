//! Traffic: TCP sessions between two nodes, each of which echoes all the time.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::namespace::within;
use super::node::Node;
use super::wait::wait_for;

const PORT: u16 = 7008;

/// Between an echo and the next question of a session.
const PAUSE: Duration = Duration::from_millis(100);

/// Sessions from a client to a server, until dropped.
pub struct Sessions {
    all: Arc<Mutex<Vec<Session>>>,
    /// Both sides end when it is gone.
    life: Option<watch::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Debug, Default)]
struct Session {
    /// When each echo had come, and how long it took.
    echoes: Vec<(Instant, Duration)>,
    /// Why it has ended.
    ended: Option<String>,
}

/// How sessions fared over some time.
#[derive(Clone, Debug)]
pub struct Fared {
    /// The reasons of those that have ended.
    pub ended: Vec<String>,
    /// The longest time that any of them waited for its echo.
    pub stall: Duration,
}

impl Sessions {
    /// Returns when `count` sessions have echoed.
    #[track_caller]
    pub fn start(client: &Node, server: &Node, address: &str, count: usize) -> Sessions {
        let all = Arc::new(Mutex::new(vec![Session::default(); count]));
        let (life, end) = watch::channel(());
        let address: SocketAddr = (address.parse::<std::net::IpAddr>().unwrap(), PORT).into();
        // A runtime for each side: its thread, and so its sockets, stay in the node's network.
        let (ready, listening) = std::sync::mpsc::channel();
        let serving = run(server, end.clone(), async move {
            let listener = TcpListener::bind(address).await.unwrap();
            ready.send(()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(echo(stream));
            }
        });
        listening.recv().unwrap();
        let log = all.clone();
        let asking = run(client, end, async move {
            let mut tasks = tokio::task::JoinSet::new();
            for index in 0..count {
                let log = log.clone();
                tasks.spawn(async move {
                    let ended = ask(address, index, &log).await;
                    log.lock().unwrap()[index].ended = Some(ended.to_string());
                });
            }
            while tasks.join_next().await.is_some() {}
        });
        let sessions = Sessions { all, life: Some(life), threads: vec![serving, asking] };
        sessions.wait_echoes(Instant::now());
        sessions
    }

    /// Waits until each session that has not ended has asked and been answered since `from`.
    #[track_caller]
    pub fn wait_echoes(&self, from: Instant) {
        wait_for("an echo of each session", Duration::from_secs(30), || {
            let all = self.all.lock().unwrap();
            let begun_since = |(came, took): &(Instant, Duration)| *came - *took >= from;
            let late = all.iter().filter(|session| {
                session.ended.is_none() && !session.echoes.last().is_some_and(begun_since)
            });
            match late.count() {
                0 => Ok(()),
                late => Err(format!("{late} of {} sessions wait", all.len())),
            }
        });
    }

    /// How they fared since `from`.
    pub fn fared(&self, from: Instant) -> Fared {
        let all = self.all.lock().unwrap();
        let waits = all.iter().flat_map(|session| &session.echoes);
        Fared {
            ended: all.iter().filter_map(|session| session.ended.clone()).collect(),
            stall: waits
                .filter(|(came, _)| *came >= from)
                .map(|(_, took)| *took)
                .max()
                .unwrap_or_default(),
        }
    }
}

/// Runs `work` in a node's network, on a thread of its own, until the other end of `end` is gone.
fn run(
    node: &Node,
    mut end: watch::Receiver<()>,
    work: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let node = node.clone();
    std::thread::spawn(move || {
        within(&node, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    _ = end.changed() => {}
                    () = work => {}
                }
            });
        });
    })
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 8];
    while stream.read_exact(&mut buffer).await.is_ok() && stream.write_all(&buffer).await.is_ok() {}
}

/// Asks until something goes wrong.
async fn ask(address: SocketAddr, index: usize, log: &Mutex<Vec<Session>>) -> io::Error {
    let work = async {
        let mut stream = TcpSocket::new_v4()?.connect(address).await?;
        stream.set_nodelay(true)?;
        // Not all at once.
        sleep(PAUSE * u32::try_from(index % 100).unwrap_or(0) / 100).await;
        for number in 0_u64.. {
            let asked = Instant::now();
            stream.write_all(&number.to_be_bytes()).await?;
            let mut answer = [0; 8];
            stream.read_exact(&mut answer).await?;
            if answer != number.to_be_bytes() {
                return Err(io::Error::other("another answer than was asked for"));
            }
            log.lock().unwrap()[index].echoes.push((Instant::now(), asked.elapsed()));
            sleep(PAUSE).await;
        }
        Ok(())
    };
    work.await.err().unwrap_or_else(|| io::Error::other("no end"))
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.life = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
