//! Work inside a node's namespace, in this process.

use std::fs::File;
use std::net::Ipv4Addr;

use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Protocol, Socket, Type};

use super::node::Node;

/// Runs `work` on a thread that is in the node's network. A socket made there stays there, whoever uses it later.
#[track_caller]
pub fn within<T: Send>(node: &Node, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/run/netns/{}", node.namespace())).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(&namespace, CloneFlags::CLONE_NEWNET)
                .expect("entering a network namespace needs root");
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A raw socket that sends packets of one protocol from a node, beside the daemon there and under its address.
pub struct Forger {
    socket: Socket,
}

impl Forger {
    #[track_caller]
    pub fn new(node: &Node, interface: &str) -> Forger {
        Forger::of_protocol(node, interface, 89, 1)
    }

    #[track_caller]
    pub fn of_protocol(node: &Node, interface: &str, protocol: i32, ttl: u32) -> Forger {
        let socket = within(node, || {
            let socket =
                Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(protocol))).unwrap();
            socket.bind_device(Some(interface.as_bytes())).unwrap();
            socket.set_multicast_loop_v4(false).unwrap();
            socket.set_multicast_ttl_v4(ttl).unwrap();
            socket
        });
        Forger { socket }
    }

    /// Sends what is to stand behind the IP header.
    #[track_caller]
    pub fn send(&self, destination: &str, packet: &[u8]) {
        let destination: Ipv4Addr = destination.parse().unwrap();
        let sent = self.socket.send_to(packet, &std::net::SocketAddrV4::new(destination, 0).into());
        assert_eq!(sent.unwrap(), packet.len());
    }
}
