//! A web server in a node, that does as it is told.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::lab::{Node, within};

/// What its health is asked for by.
pub const HEALTH: &str = "/health";

const HALF_A_SECOND: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With its node's name.
    Well,
    /// The same, so much later.
    Late(Duration),
    /// The same in these words, now and then with more octets.
    Said(String),
    /// Connections are accepted, and that is all.
    Never,
    /// Nobody listens.
    Refused,
    /// Nobody listens for half a second of each second.
    Flapping,
    /// Only who asks for its health gets a 503.
    Ill,
}

/// Until it is dropped.
pub struct Service {
    answer: Option<watch::Sender<Answer>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Returns when it listens, at all addresses.
    #[track_caller]
    pub fn start(node: &Node, port: u16) -> Service {
        let (answer, answers) = watch::channel(Answer::Well);
        let (ready, listening) = std::sync::mpsc::channel();
        let node = node.clone();
        let thread = std::thread::spawn(move || {
            within(&node, || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(serve(node.name(), port, answers, || {
                    let _ = ready.send(());
                }));
            });
        });
        listening.recv().unwrap();
        Service { answer: Some(answer), thread: Some(thread) }
    }

    /// From now on. Who still waits for an answer does not get one.
    pub fn set(&self, answer: Answer) {
        self.answer.as_ref().unwrap().send(answer).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.answer = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(name: &str, port: u16, mut answers: watch::Receiver<Answer>, listening: impl Fn()) {
    let mut listener = None;
    loop {
        let answer = answers.borrow_and_update().clone();
        let closed = match answer {
            Answer::Flapping => listener.is_some(),
            _ => answer == Answer::Refused,
        };
        if closed {
            listener = None;
        } else if listener.is_none() {
            listener = Some(listen(port).await);
        }
        listening();
        let mut connections = JoinSet::new();
        let accepting = async {
            let Some(listener) = &listener else { return std::future::pending().await };
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_one(stream, name.to_owned(), answer.clone()));
                while connections.try_join_next().is_some() {}
            }
        };
        // All connections end with what they answered.
        tokio::select! {
            () = accepting => {}
            changed = answers.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(HALF_A_SECOND), if answer == Answer::Flapping => {}
        }
    }
}

async fn listen(port: u16) -> TcpListener {
    loop {
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await {
            Ok(listener) => return listener,
            // A program that another test starts has a copy of the last one, for a moment.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn answer_one(mut stream: TcpStream, name: String, answer: Answer) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => request.extend(&buffer[..length]),
            _ => return,
        }
    }
    let of_health = request.starts_with(format!("GET {HEALTH} ").as_bytes());
    let (status, body) = match answer {
        Answer::Never => {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return;
        }
        Answer::Late(time) => {
            tokio::time::sleep(time).await;
            ("200 OK", name)
        }
        Answer::Said(words) => ("200 OK", words),
        Answer::Ill if of_health => ("503 Service Unavailable", name),
        _ => ("200 OK", name),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
}
