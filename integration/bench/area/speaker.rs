//! A router in this process that knows a large area, and is the neighbour of a daemon under measure.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use shunt::ospf::{Action, Address, Event, Link as Port};
use shunt::types::Time;
use shunt::wire::ospf::{ALL_SPF_ROUTERS, Lsa};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use crate::fed::{Fed, settings};
use crate::lab::{Node, within};

/// How long the router's timers may have to wait.
const LOOK_EVERY: Duration = Duration::from_millis(2);

struct Inner {
    fed: Fed,
    socket: Socket,
    interface: u32,
    begin: Instant,
}

impl Inner {
    /// Lets time pass, and sends what there is to send.
    fn work(&mut self, event: Option<Event>) {
        self.fed.now = Time::ZERO + self.begin.elapsed();
        let router = &mut self.fed.router;
        if let Some(event) = event {
            router.handle(event, self.fed.now);
        }
        router.tick(self.fed.now);
        if router.has_converged() {
            // There is no kernel to wait for.
            router.handle(Event::ForwardingReady, self.fed.now);
        }
        while let Some(action) = router.poll() {
            match action {
                Action::Send { interface, destination, packet, .. }
                    if interface == self.interface =>
                {
                    // What is lost is sent again.
                    let to = SocketAddrV4::new(destination, 0);
                    let _ = self.socket.send_to(&packet, &to.into());
                }
                _ => {}
            }
        }
    }
}

pub struct Speaker {
    inner: Arc<Mutex<Inner>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// On the interface of `node` that has this address, in a /24; Hellos every second, dead interval four.
    pub fn start(node: &Node, interface: &str, address: Ipv4Addr) -> Speaker {
        let index = node.must("cat", &[&format!("/sys/class/net/{interface}/ifindex")]);
        let index: u32 = index.trim().parse().unwrap();
        let socket = within(node, || {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(89))).unwrap();
            socket.bind_device(Some(interface.as_bytes())).unwrap();
            let group = InterfaceIndexOrAddress::Index(index);
            socket.join_multicast_v4_n(&ALL_SPF_ROUTERS, &group).unwrap();
            socket.set_multicast_loop_v4(false).unwrap();
            socket.set_recv_buffer_size(4 << 20).unwrap();
            socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
            socket
        });
        let mut settings = settings();
        let mut link = settings.interfaces["eth0"].clone();
        link.hello_interval = Duration::from_secs(1);
        link.dead_interval = Duration::from_secs(4);
        link.retransmit_interval = Duration::from_secs(5);
        settings.interfaces.insert(interface.to_owned(), link);
        let fed = Fed::new(settings);
        let mut receiver = socket.try_clone().unwrap();
        let mut inner = Inner { fed, socket, interface: index, begin: Instant::now() };
        let network = format!("{address}/24").parse::<ipnet::Ipv4Net>().unwrap().trunc();
        let addresses = vec![Address { address, network }];
        let link = Some(Port { index, up: true, mtu: 1500, addresses });
        inner.work(Some(Event::LinkChanged { name: interface.to_owned(), link }));
        let inner = Arc::new(Mutex::new(inner));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (inner.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while !ended.load(Ordering::Relaxed) {
                let packet =
                    receiver.read(&mut buffer).ok().and_then(|size| packet(&buffer[..size]));
                let event = packet.map(|(source, destination, packet)| Event::PacketReceived {
                    interface: index,
                    source,
                    destination,
                    packet,
                });
                shared.lock().unwrap().work(event);
            }
        });
        Speaker { inner, stop, thread: Some(thread) }
    }

    /// Gives the area these LSAs.
    pub fn flood(&self, lsas: &[Lsa]) {
        let mut inner = self.inner.lock().unwrap();
        inner.fed.now = Time::ZERO + inner.begin.elapsed();
        inner.fed.flood(lsas);
        inner.work(None);
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Source, destination and what is behind the IP header.
fn packet(bytes: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, Bytes)> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let address = |at: usize| -> Option<Ipv4Addr> {
        let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    Some((address(12)?, address(16)?, Bytes::copy_from_slice(bytes.get(header..)?)))
}
