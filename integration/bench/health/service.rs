//! The service whose faults are measured: a process of its own, so that it can be killed and stopped.

use std::net::SocketAddrV4;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::lab::{Node, within};
use crate::process::Process;
use crate::product::run;
use crate::server::{listen, serve};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL: the kernel refuses connections.
    Dead,
    /// SIGSTOP: the kernel takes connections in, and nobody answers.
    Silent,
}

impl Fault {
    pub const ALL: [Fault; 2] = [Fault::Dead, Fault::Silent];

    pub fn name(self) -> &'static str {
        match self {
            Fault::Dead => "dead",
            Fault::Silent => "accepts, says nothing",
        }
    }
}

/// A service at one site. It answers with the site's name.
pub struct Service {
    node: Node,
    address: SocketAddrV4,
    process: Option<Process>,
}

impl Service {
    pub fn start(node: &Node, address: SocketAddrV4) -> Service {
        let mut service = Service { node: node.clone(), address, process: None };
        service.run();
        service
    }

    fn run(&mut self) {
        let program = std::env::current_exe().unwrap();
        let line = [
            program.to_str().unwrap(),
            "--serve",
            &self.address.to_string(),
            "--body",
            self.node.name(),
        ];
        self.process = Some(run(&self.node, "service", &line));
    }

    pub fn hurt(&self, fault: Fault) -> Instant {
        let now = Instant::now();
        let process = self.process.as_ref().expect("it runs");
        process.signal(match fault {
            Fault::Dead => Signal::SIGKILL,
            Fault::Silent => Signal::SIGSTOP,
        });
        now
    }

    /// Another process takes its place.
    pub fn heal(&mut self) {
        self.process = None;
        self.run();
    }
}

/// What the process does that [`Service`] starts. It never ends by itself.
pub fn be(address: SocketAddrV4, body: &str) {
    serve(&listen(address), body, |_| true);
}

/// A client's answer.
pub struct Answer {
    pub asked: Instant,
    pub at: Instant,
    /// The site that gave it.
    pub by: String,
}

/// A client that asks again and again, by a new connection each time and whatever became of those before.
pub struct Client {
    answers: Receiver<Answer>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Who has no answer by then goes away.
const PATIENCE: Duration = Duration::from_secs(1);

impl Client {
    pub fn start(node: &Node, to: SocketAddrV4, every: Duration) -> Client {
        let (sender, answers) = mpsc::channel();
        let (stop, mut stopped) = oneshot::channel();
        let work = async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = &mut stopped => return,
                    _ = ticks.tick() => {}
                }
                let sender = sender.clone();
                tokio::spawn(async move {
                    let asked = Instant::now();
                    if let Ok(Ok(by)) = timeout(PATIENCE, ask(to)).await {
                        // An error says that nobody waits any more.
                        let _ = sender.send(Answer { asked, at: Instant::now(), by });
                    }
                });
            }
        };
        let node = node.clone();
        let thread = thread::spawn(move || {
            within(&node, || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(work);
            });
        });
        Client { answers, stop: Some(stop), thread: Some(thread) }
    }

    pub fn next(&self, patience: Duration) -> Option<Answer> {
        self.answers.recv_timeout(patience).ok()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn ask(to: SocketAddrV4) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned());
    body.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}
