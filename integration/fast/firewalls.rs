//! The gateway of the hosts, the area's way to them and the routes of a BGP neighbour: they are at the same firewall, before
//! and after the loss of the one that is active, and after its return.
//!
//! ```text
//! client ── inside ─┬─ fw1 ─┬─ outside ─┬─ core ── server
//!                   └─ fw2 ─┘           └─ isp
//! ```
//!
//! The firewalls are one virtual router inside; `core` is a router of the area, `isp` a BGP neighbour. What comes back by
//! the other firewall is dropped there, as its connection tracking expects a connection's packets from the beginning.

use std::time::{Duration, Instant};

use super::pair::strict;
use super::watch::TIMERS;
use crate::lab::bfd::shunt_profile;
use crate::lab::ospf::{Attached, Network, OspfBird, OspfFrr, OspfPeer, OspfRouter};
use crate::lab::vrrp::{Instance, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{
    Bird, Conntrackd, Frr, Net, Node, PATIENCE, Peer, Session, Sessions, Speaker, wait_for,
};
use crate::ospf::scene::router;

/// What the hosts inside have as gateway, and their network.
const GATEWAY: &str = "10.98.1.100";
const INSIDE: &str = "10.98.1.0/24";
/// Of a group that follows the virtual router.
const SERVICE: &str = "198.51.100.7/32";
const SERVER: &str = "10.99.5.2";
/// The firewalls' addresses outside.
const OUTSIDE: [&str; 2] = ["10.98.2.3", "10.98.2.4"];
const SESSIONS: usize = 100;
/// A session that waits so long had its two directions at different firewalls.
const ASTRAY: Duration = Duration::from_secs(5);

struct Scene<C, I> {
    firewalls: [VrrpShunt; 2],
    sessions: Sessions,
    isp: I,
    core_node: Node,
    /// With ports `fw1` and `fw2`.
    inside: Node,
    outside: Node,
    _core: C,
    _conntrackd: [Conntrackd; 2],
    /// Last, so that it goes last.
    _net: Net,
}

fn firewall(node: &Node, number: u8) -> VrrpShunt {
    // The area's way back changes a little later than ours there, with BIRD up to five seconds after the adjacency is
    // Full. So it is a route that is tracked, and preemption waits.
    let router = VrrpRouter {
        number,
        instances: vec![Instance {
            interval: 10,
            preempt_delay: 2,
            virtual_mac: true,
            ..Instance::new("inside", "inside", 11, &["10.98.1.100/24"], 150 - 50 * number)
        }],
        conntrackd: true,
        ..VrrpRouter::default()
    };
    let more = format!(
        "{}
[levels]
second = 150
[mapping.core]
primary = {{ metric = 100 }}
second = {{ metric = 500 }}
[mapping.isp]
primary = {{ med = 10 }}
second = {{ med = 50 }}
[group.service]
prefixes = [\"{SERVICE}\"]
base = {{ fw1 = \"primary\", fw2 = \"primary\" }}
follow = \"inside\"
backup = \"second\"
on-loss = \"raise\"
return-after = \"1s\"
[[vrrp.inside.track]]
route = \"10.99.5.0/24\"
lower-by = 60
[ospf]
area = \"0.0.0.0\"
export = \"groups\"
class = \"core\"
[ospf.interface.outside]
network = \"broadcast\"
priority = 0
hello-interval = \"1s\"
dead-interval = \"4s\"
bfd = \"fast\"
[ospf.interface.inside]
passive = true
follow = \"inside\"
backup-cost = 1000
[neighbor.isp]
address = \"10.98.2.2\"
remote-as = 65001
class = \"isp\"
import = \"none\"
export = \"groups\"
connect-retry = \"1s\"
bfd = \"fast\"
",
        shunt_profile(node, TIMERS, None)
    );
    VrrpShunt::with(node, router, &more)
}

impl<C: OspfPeer, I: Peer> Scene<C, I> {
    #[track_caller]
    fn new(
        core: impl Fn(&Node, OspfRouter) -> C,
        isp: impl Fn(&Node, Speaker) -> I,
    ) -> Scene<C, I> {
        let mut net = Net::new();
        let [client, server, core_node, isp_node, fw1, fw2] =
            ["client", "server", "core", "isp", "fw1", "fw2"].map(|name| net.node(name));
        let inside = net.lan("inside", 1, &[&client, &fw1, &fw2]);
        let outside = net.lan("outside", 2, &[&core_node, &isp_node, &fw1, &fw2]);
        net.link(&fw1, &fw2, 3);
        net.link(&core_node, &server, 5);
        client.must("ip", &["route", "add", "default", "via", GATEWAY]);
        server.must("ip", &["route", "add", "default", "via", "10.99.5.1"]);
        for node in [&fw1, &fw2] {
            strict(node);
        }
        let conntrackd = [
            Conntrackd::start(&fw1, "fw2", "10.99.3.1", "10.99.3.2"),
            Conntrackd::start(&fw2, "fw1", "10.99.3.2", "10.99.3.1"),
        ];
        let mut area = Attached::new("outside", Network::Broadcast);
        area.bfd = Some(TIMERS);
        let core = core(
            &core_node,
            router("10.255.0.9", vec![area, Attached::new("server", Network::Passive)]),
        );
        let isp = isp(
            &isp_node,
            Speaker {
                asn: 65001,
                router_id: "10.255.0.8".parse().unwrap(),
                sessions: OUTSIDE
                    .map(|firewall| Session {
                        bfd: Some(TIMERS),
                        ..Session::new("10.98.2.2", firewall, 65000)
                    })
                    .into(),
                networks: Vec::new(),
            },
        );
        let firewalls = [firewall(&fw1, 0), firewall(&fw2, 1)];
        at(&firewalls, &core_node, &isp, 0);
        let sessions = Sessions::start(&client, &server, SERVER, SESSIONS);
        wait_for("all sessions at the other conntrackd", PATIENCE, || {
            match conntrackd[1].told()? {
                count if count >= SESSIONS => Ok(()),
                count => Err(format!("{count}")),
            }
        });
        Scene {
            firewalls,
            sessions,
            isp,
            core_node,
            inside,
            outside,
            _core: core,
            _conntrackd: conntrackd,
            _net: net,
        }
    }

    /// `change` moves all to the first or second firewall, and all sessions go on.
    #[track_caller]
    fn moves_to(&mut self, index: usize, change: impl FnOnce(&mut Scene<C, I>)) {
        let began = Instant::now();
        change(self);
        at(&self.firewalls, &self.core_node, &self.isp, index);
        let moved = began.elapsed();
        let settled = Instant::now();
        self.sessions.wait_echoes(settled);
        let fared = self.sessions.fared(began);
        assert_eq!(fared.ended, [""; 0]);
        assert!(fared.stall < ASTRAY, "{:?}", fared.stall);
        eprintln!("at {index} after {moved:?}; the longest stall of a session: {:?}", fared.stall);
        // And there they stay.
        at(&self.firewalls, &self.core_node, &self.isp, index);
    }
}

/// Waits until one of them is the gateway, the area's way to the hosts and to the service, and the way of BGP.
#[track_caller]
fn at(firewalls: &[VrrpShunt; 2], core: &Node, isp: &dyn Peer, index: usize) {
    wait_for(&format!("the gateway at firewall {}", index + 1), PATIENCE, || {
        match firewalls[index].role("inside")? {
            role if role == "active" => Ok(()),
            role => Err(role),
        }
    });
    let hop = format!("{}@outside", OUTSIDE[index]);
    for prefix in [INSIDE, SERVICE] {
        core.wait_next_hops(prefix, &[&hop]);
    }
    wait_for(&format!("BGP's way over {}", OUTSIDE[index]), PATIENCE, || {
        match isp.route(SERVICE)? {
            Some(seen) if seen.next_hop == OUTSIDE[index] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

#[track_caller]
fn move_as_one<C: OspfPeer, I: Peer>(
    core: impl Fn(&Node, OspfRouter) -> C,
    isp: impl Fn(&Node, Speaker) -> I,
) {
    let mut scene = Scene::new(core, isp);
    scene.moves_to(1, |scene| scene.firewalls[0].kill());
    scene.moves_to(0, |scene| scene.firewalls[0].start());
    scene.moves_to(1, |scene| scene.firewalls[0].freeze());
    scene.moves_to(0, |scene| scene.firewalls[0].thaw());
    scene.moves_to(1, |scene| scene.firewalls[0].stop());
    scene.moves_to(0, |scene| scene.firewalls[0].start());
    scene.moves_to(1, |scene| scene.inside.down("fw1"));
    scene.moves_to(0, |scene| scene.inside.up("fw1"));
    // Its way to the area: a gateway without routes would be none.
    scene.moves_to(1, |scene| scene.outside.cut("fw1"));
    scene.moves_to(0, |scene| scene.outside.mend());
}

#[test]
fn move_as_one_before_frr() {
    move_as_one(OspfFrr::start, Bird::start);
}

#[test]
fn move_as_one_before_bird() {
    move_as_one(OspfBird::start, Frr::start);
}
