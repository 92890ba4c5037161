//! Traffic: a stream of numbered datagrams from one node, and who answered which.

use std::io::ErrorKind;
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::namespace::within;
use super::node::Node;

const PORT: u16 = 7007;
const INTERVAL: Duration = Duration::from_millis(2);
/// How long an answer may take before its probe counts as lost.
const PATIENCE: Duration = Duration::from_secs(1);

impl Node {
    /// Whether anybody answers at an address: with the RST of a port where nobody listens.
    pub fn reaches(&self, address: &str) -> Result<(), String> {
        let address: std::net::IpAddr = address.parse().unwrap();
        let dialled =
            within(self, || TcpStream::connect_timeout(&(address, PORT).into(), PATIENCE));
        match dialled {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => Err(format!("{address}: {other:?}")),
        }
    }
}

/// Answers every datagram to an address of a node with the node's name, until it is dropped.
pub struct Responder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    #[track_caller]
    pub fn start(node: &Node, address: &str) -> Responder {
        let socket = within(node, || UdpSocket::bind((address, PORT))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (name, ended) = (node.name().to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
                let mut answer = buffer[..length.min(8)].to_vec();
                answer.extend(name.as_bytes());
                // Without a way back the answer is lost, as it is to be counted.
                let _ = socket.send_to(&answer, client);
            }
        });
        Responder { stop, thread: Some(thread) }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Datagrams from a node to a service, until it is dropped.
pub struct Prober {
    log: Arc<Mutex<Vec<Probe>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// When it was sent, and who has answered.
type Probe = (Instant, Option<String>);

impl Prober {
    /// One every two milliseconds.
    #[track_caller]
    pub fn start(node: &Node, source: &str, service: &str) -> Prober {
        Prober::every(INTERVAL, node, source, service)
    }

    #[track_caller]
    pub fn every(interval: Duration, node: &Node, source: &str, service: &str) -> Prober {
        let socket = within(node, || UdpSocket::bind((source, 0))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let receiver = socket.try_clone().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let service = (service.parse::<std::net::Ipv4Addr>().unwrap(), PORT);
        let (sent, ended) = (log.clone(), stop.clone());
        let sending = std::thread::spawn(move || {
            let mut next = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let number = {
                    let mut log = sent.lock().unwrap();
                    log.push((Instant::now(), None));
                    log.len() as u64 - 1
                };
                // Without a route the probe is lost, as it is to be counted.
                let _ = socket.send_to(&number.to_be_bytes(), service);
                next = (next + interval).max(Instant::now());
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let (answered, ended) = (log.clone(), stop.clone());
        let receiving = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while !ended.load(Ordering::Relaxed) {
                let Ok(length) = receiver.recv(&mut buffer) else { continue };
                let Some((number, name)) = buffer[..length].split_first_chunk::<8>() else {
                    continue;
                };
                let number = usize::try_from(u64::from_be_bytes(*number)).unwrap();
                answered.lock().unwrap()[number].1 =
                    Some(String::from_utf8_lossy(name).into_owned());
            }
        });
        Prober { log, stop, threads: vec![sending, receiving] }
    }

    /// How many probes went out since `from` and before `to`, how many of them were lost, and who answered, in order.
    pub fn seen(&self, from: Instant, to: Instant) -> (usize, usize, Vec<String>) {
        std::thread::sleep((to + PATIENCE).saturating_duration_since(Instant::now()));
        let log = self.log.lock().unwrap();
        let probes: Vec<_> = log.iter().filter(|(sent, _)| (from..to).contains(sent)).collect();
        let mut names: Vec<String> = probes.iter().filter_map(|(_, name)| name.clone()).collect();
        let lost = probes.len() - names.len();
        names.dedup();
        (probes.len(), lost, names)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
