//! A pair of firewalls between a client's LAN (`inside`) and a server's (`outside`): on each a virtual router, both in one
//! sync group; strict connection tracking, and conntrackd over a third link.

use std::time::Instant;

use crate::lab::vrrp::{Instance, VrrpPeer, VrrpRouter};
use crate::lab::{Capture, Conntrackd, Net, Node, PATIENCE, Sessions, wait_for};

pub const SERVER: &str = "10.98.2.1";
/// The virtual routers' addresses.
pub const INSIDE: &str = "10.98.1.100";
pub const OUTSIDE: &str = "10.98.2.100";

const SESSIONS: usize = 200;

pub struct Pair<P> {
    /// The first one is to be Active when both are well.
    pub firewalls: [P; 2],
    pub sessions: Sessions,
    pub inside: Node,
    pub outside: Node,
    /// RSTs, at the client and at the server.
    resets: [Capture; 2],
    _conntrackd: [Conntrackd; 2],
    /// Last, so that it goes last.
    _net: Net,
}

impl<P: VrrpPeer> Pair<P> {
    /// Returns when all sessions go through the first one.
    #[track_caller]
    pub fn new(start: impl Fn(&Node, VrrpRouter) -> P) -> Pair<P> {
        let mut net = Net::new();
        let [client, server] = ["client", "server"].map(|name| net.node(name));
        let nodes = ["fw1", "fw2"].map(|name| net.node(name));
        let inside = net.lan("inside", 1, &[&client, &nodes[0], &nodes[1]]);
        let outside = net.lan("outside", 2, &[&server, &nodes[0], &nodes[1]]);
        net.link(&nodes[0], &nodes[1], 3);
        client.must("ip", &["route", "add", "default", "via", INSIDE]);
        server.must("ip", &["route", "add", "default", "via", OUTSIDE]);
        for node in &nodes {
            strict(node);
        }
        let conntrackd = [
            Conntrackd::start(&nodes[0], "fw2", "10.99.3.1", "10.99.3.2"),
            Conntrackd::start(&nodes[1], "fw1", "10.99.3.2", "10.99.3.1"),
        ];
        let resets = [(&client, "inside"), (&server, "outside")].map(|(node, interface)| {
            Capture::start(node, interface, "tcp[tcpflags] & tcp-rst != 0")
        });
        let firewalls = [(0, 150), (1, 100)].map(|(index, priority): (usize, u8)| {
            let node = &nodes[index];
            start(
                node,
                VrrpRouter {
                    number: u8::try_from(index).unwrap(),
                    instances: vec![
                        Instance::new("inside", "inside", 11, &["10.98.1.100/24"], priority),
                        Instance::new("outside", "outside", 12, &["10.98.2.100/24"], priority),
                    ],
                    together: true,
                    conntrackd: true,
                },
            )
        });
        active(&firewalls, 0);
        let sessions = Sessions::start(&client, &server, SERVER, SESSIONS);
        wait_for("all sessions at the other conntrackd", PATIENCE, || {
            match conntrackd[1].told()? {
                count if count >= SESSIONS => Ok(()),
                count => Err(format!("{count}")),
            }
        });
        Pair { firewalls, sessions, inside, outside, resets, _conntrackd: conntrackd, _net: net }
    }

    /// Waits until one of them is Active for both virtual routers.
    #[track_caller]
    pub fn active(&self, index: usize) {
        active(&self.firewalls, index);
    }

    /// Waits for an echo of each session since `from`. None has ended, and nobody has sent an RST.
    #[track_caller]
    pub fn survive(&self, from: Instant) {
        self.sessions.wait_echoes(from);
        let fared = self.sessions.fared(from);
        assert_eq!(fared.ended, [""; 0]);
        for resets in &self.resets {
            assert_eq!(resets.fields("tcp.flags.reset == 1", &["ip.src", "ip.dst"]), [""; 0]);
        }
        eprintln!("the longest stall of a session: {:?}", fared.stall);
    }
}

/// Lets begin only what begins with a SYN from inside, and through only what connection tracking knows. What is sent to
/// a virtual MAC address comes in by a macvlan, so a rule that names the interface would not match.
pub fn strict(node: &Node) {
    let file = node.write(
        "strict.nft",
        "table inet strict {\n  chain forward {\n    type filter hook forward priority 0; policy drop;\n    \
         ct state established,related accept\n    ct state invalid counter drop\n    \
         ip saddr 10.98.1.0/24 ct state new tcp flags & (fin | syn | rst | ack) == syn accept\n  }\n}\n",
    );
    node.must("nft", &["-f", &file]);
    node.must("sh", &["-c", "echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose"]);
}

#[track_caller]
fn active<P: VrrpPeer>(firewalls: &[P; 2], index: usize) {
    for name in ["inside", "outside"] {
        wait_for(&format!("Active {name} at firewall {}", index + 1), PATIENCE, || match firewalls
            [index]
            .role(name)?
        {
            role if role == "active" => Ok(()),
            role => Err(role),
        });
    }
}
