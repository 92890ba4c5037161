//! What passes on the interfaces of a site: the checks of its service, and what it announces.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Node, within};

pub const SERVICE_PORT: u16 = 8080;
const BGP: u16 = 179;
const TCP: u8 = 6;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

/// What is kept of a packet.
#[derive(Clone, Copy)]
enum Packet {
    /// Between a check, which has this port, and the service.
    Check { port: u16, from_service: bool, flags: u8, is_empty: bool },
    /// The prefix is announced or withdrawn.
    Announced,
}

/// All packets of a site, from the start until this value ends.
pub struct Wire {
    packets: Arc<Mutex<Vec<(Instant, Packet)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Checks are those that come from the address of the service itself, as what is asked within a host does; routes are
    /// told from `router`.
    pub fn start(node: &Node, service: Ipv4Addr, router: Ipv4Addr) -> Wire {
        let socket = within(node, || {
            // ETH_P_ALL: what goes out as well.
            let all = i32::from(3_u16.to_be());
            Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(all))).unwrap()
        });
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let packets = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, stopped) = (packets.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                let Ok(length) = (&socket).read(&mut buffer) else { continue };
                let at = Instant::now();
                if let Some(packet) = parse(&buffer[..length], service, router) {
                    kept.lock().unwrap().push((at, packet));
                }
            }
        });
        Wire { packets, stop, thread: Some(thread) }
    }

    /// When the first check failed after the fault, as far as it is seen from outside, and when the service was announced
    /// otherwise.
    pub fn since(&self, fault: Instant) -> (Option<Instant>, Option<Instant>) {
        let (mut failed, mut announced) = (None, None);
        // Those that have had something of an answer.
        let mut answered = BTreeSet::new();
        for &(at, packet) in self.packets.lock().unwrap().iter() {
            match packet {
                Packet::Announced if at >= fault => announced = announced.or(Some(at)),
                Packet::Announced => {}
                Packet::Check { port, flags, .. } if flags & SYN != 0 => {
                    answered.remove(&port);
                }
                Packet::Check { port, from_service: true, is_empty: false, .. } => {
                    answered.insert(port);
                }
                // Refused or broken off by the service, or given up by the check.
                Packet::Check { port, flags, .. }
                    if flags & (FIN | RST) != 0 && at >= fault && !answered.contains(&port) =>
                {
                    failed = failed.or(Some(at));
                }
                Packet::Check { .. } => {}
            }
        }
        (failed, announced)
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        self.packets.lock().unwrap().clear();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Of an IPv4 packet.
fn parse(octets: &[u8], service: Ipv4Addr, router: Ipv4Addr) -> Option<Packet> {
    let address = |at: usize| {
        let octets: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let (source, destination) = (address(12)?, address(16)?);
    let header = usize::from(octets.first()? & 0xf) * 4;
    if octets[0] >> 4 != 4 || octets[9] != TCP {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
    let tcp = octets.get(header..total)?;
    let port = |at: usize| Some(u16::from_be_bytes([*tcp.get(at)?, *tcp.get(at + 1)?]));
    let (from, to) = (port(0)?, port(2)?);
    let flags = *tcp.get(13)?;
    let text = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    if (source, destination) == (service, service) {
        let from_service = from == SERVICE_PORT;
        let port = if from_service { to } else { from };
        return Some(Packet::Check { port, from_service, flags, is_empty: text.is_empty() });
    }
    let [a, b, c, d] = service.octets();
    let prefix = [32, a, b, c, d];
    let is_told = destination == router
        && (from == BGP || to == BGP)
        && text.windows(prefix.len()).any(|window| window == prefix);
    is_told.then_some(Packet::Announced)
}
