//! Two VRRP routers on a LAN, and a host that sees all that they send to all.

use crate::lab::vrrp::{Instance, VrrpPeer, VrrpRouter};
use crate::lab::{Capture, Net, Node, PATIENCE, wait_for};

/// The addresses of the two.
pub const OWN: [&str; 2] = ["10.98.1.1", "10.98.1.2"];
/// The address that they share, of each family; and the link-local one.
pub const SHARED: [&str; 2] = ["10.98.1.100", "fd98:1::100"];
pub const SHARED_LINK_LOCAL: &str = "fe80::5100";
/// Of the virtual router of both families, `four` and `six`.
pub const VRID: u8 = 51;
/// Of the first and the second.
pub const PRIORITIES: [u8; 2] = [150, 120];

pub struct Segment<A, B> {
    pub first: A,
    pub second: B,
    pub nodes: [Node; 2],
    pub witness: Node,
    /// The ports are named `first`, `second` and `witness`.
    pub lan: Node,
    /// At the witness: advertisements, ARP and Neighbor Advertisements.
    pub capture: Capture,
    names: Vec<String>,
    /// Last, so that it goes last.
    _net: Net,
}

/// What both are configured with at first.
pub fn instances(priority: u8) -> Vec<Instance> {
    let [four, six] = SHARED;
    vec![
        Instance::new("four", "lan", VRID, &[&format!("{four}/24")], priority),
        Instance::new(
            "six",
            "lan",
            VRID,
            &[&format!("{SHARED_LINK_LOCAL}/64"), &format!("{six}/64")],
            priority,
        ),
    ]
}

impl<A: VrrpPeer, B: VrrpPeer> Segment<A, B> {
    #[track_caller]
    pub fn new(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) -> Segment<A, B> {
        Segment::with(first, second, |_, _| {})
    }

    /// With changes of what both are configured with; `0` is the first one. Starts the second one when the first is
    /// Active.
    #[track_caller]
    pub fn with(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
        change: impl Fn(usize, &mut VrrpRouter),
    ) -> Segment<A, B> {
        let mut net = Net::new();
        let nodes = ["first", "second"].map(|name| net.node(name));
        let witness = net.node("witness");
        let lan = net.lan("lan", 1, &[&nodes[0], &nodes[1], &witness]);
        for node in nodes.iter().chain([&witness]) {
            node.wait_link_local("lan");
        }
        let router = |index: usize| {
            let mut router =
                VrrpRouter { instances: instances(PRIORITIES[index]), ..VrrpRouter::default() };
            change(index, &mut router);
            router
        };
        let capture = Capture::start(
            &witness,
            "lan",
            "ip proto 112 or ip6 proto 112 or arp or (icmp6 and ip6[40] == 136)",
        );
        let names =
            router(0).instances.into_iter().map(|instance| instance.name).collect::<Vec<_>>();
        let first = first(&nodes[0], router(0));
        roles(&first, &names, "active");
        let second = second(&nodes[1], router(1));
        Segment { first, second, nodes, witness, lan, capture, names, _net: net }
    }

    /// Waits until the first is Active and the second is Backup.
    #[track_caller]
    pub fn first_is_active(&self) {
        roles(&self.first, &self.names, "active");
        roles(&self.second, &self.names, "backup");
    }

    /// The other way round. The first may be unable to say so: it is not asked if it is gone.
    #[track_caller]
    pub fn second_is_active(&self, first_is_there: bool) {
        roles(&self.second, &self.names, "active");
        if first_is_there {
            roles(&self.first, &self.names, "backup");
        }
    }

    /// The first one loses its role in every way, and gets it back: it is lowered, ends as told, stands still, is not
    /// heard, is killed.
    #[track_caller]
    pub fn move_both_ways(&mut self) {
        self.first_is_active();
        self.first.track(false);
        self.second_is_active(true);
        self.first.track(true);
        self.first_is_active();
        self.first.stop();
        self.second_is_active(false);
        self.first.start();
        self.first_is_active();
        self.first.freeze();
        self.second_is_active(false);
        self.first.thaw();
        self.first_is_active();
        self.lan.cut("first");
        self.second_is_active(false);
        self.lan.mend();
        self.first_is_active();
        self.first.kill();
        self.second_is_active(false);
        self.first.start();
        self.first_is_active();
    }

    /// How many frames match a filter.
    #[track_caller]
    pub fn count(&self, filter: &str) -> usize {
        self.fields(filter, &["frame.number"]).len()
    }

    /// Of the frames that match, with tabs between.
    pub fn fields(&self, filter: &str, fields: &[&str]) -> Vec<String> {
        self.capture.fields(filter, fields)
    }

    /// Waits until a frame matches.
    #[track_caller]
    pub fn saw(&self, filter: &str) {
        wait_for(&format!("frame: {filter}"), PATIENCE, || match self.count(filter) {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        });
    }

    /// Nothing that was sent by one of the two was malformed in tshark's eyes, and something was.
    #[track_caller]
    pub fn no_faults(&self) {
        assert!(self.count(&format!("vrrp && ip.src == {}", OWN[0])) > 0);
        assert!(self.count(&format!("vrrp && ip.src == {}", OWN[1])) > 0);
        for source in OWN {
            assert_eq!(self.capture.faults(source), [""; 0]);
        }
        let wrong = "(vrrp || arp || icmpv6) && (_ws.malformed || _ws.expert.severity >= 8388608)";
        let fields = ["frame.number", "_ws.col.Info", "_ws.expert.message"];
        assert_eq!(self.capture.fields(wrong, &fields), [""; 0]);
    }

    /// The witness gets answers from what they share.
    #[track_caller]
    pub fn answers(&self) {
        for (name, address) in [("four", SHARED[0]), ("six", SHARED[1])] {
            if self.names.iter().any(|one| one == name) {
                wait_for(&format!("answer of {address}"), PATIENCE, || {
                    self.witness.reaches(address)
                });
            }
        }
    }
}

#[track_caller]
fn roles(peer: &dyn VrrpPeer, names: &[String], expected: &str) {
    for name in names {
        wait_for(&format!("role {expected} of {name}"), PATIENCE, || match peer.role(name)? {
            role if role == expected => Ok(()),
            role => Err(role),
        });
    }
}
