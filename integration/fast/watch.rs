//! Two BFD speakers on a LAN that watch each other three times: over IPv4, over IPv6, and by their loopbacks as if they
//! were several hops away.

use crate::lab::bfd::{Authentication, BfdPath, BfdPeer, BfdRouter, BfdSeen, Timers};
use crate::lab::{Capture, Net, Node, PATIENCE, wait_for};

/// The addresses of each, a session each.
pub const ENDS: [[&str; 3]; 2] =
    [["10.98.1.1", "fd98:1::1", "10.255.0.1"], ["10.98.1.2", "fd98:1::2", "10.255.0.2"]];

/// A tenth of a second each way, and three may be missed.
pub const TIMERS: Timers = Timers::new(100, 3);

pub struct Watch {
    pub nodes: [Node; 2],
    /// What connects them, with ports named `first` and `second`.
    pub lan: Node,
    /// At the first one.
    pub capture: Capture,
    /// Last, so that it goes last.
    _net: Net,
}

impl Watch {
    #[track_caller]
    pub fn new() -> Watch {
        let mut net = Net::new();
        let nodes = ["first", "second"].map(|name| net.node(name));
        let lan = net.lan("lan", 1, &[&nodes[0], &nodes[1]]);
        for (node, (own, other)) in nodes.iter().zip([(ENDS[0], ENDS[1]), (ENDS[1], ENDS[0])]) {
            node.address("lo", &format!("{}/32", own[2]));
            node.must("ip", &["route", "add", other[2], "via", other[0], "src", own[2]]);
            node.wait_link_local("lan");
        }
        let capture = Capture::start(&nodes[0], "lan", "udp port 3784 or udp port 4784");
        Watch { nodes, lan, capture, _net: net }
    }

    /// What one of them is configured with.
    pub fn router(index: usize, authentication: Option<Authentication>) -> BfdRouter {
        let paths = ENDS[index].iter().zip(ENDS[1 - index]);
        let sessions = paths.enumerate().map(|(kind, (local, remote))| match kind {
            2 => BfdPath::multi(local, remote),
            _ => BfdPath::single("lan", local, remote),
        });
        BfdRouter { timers: TIMERS, authentication, sessions: sessions.collect() }
    }

    /// Waits until the first, or the second, is seen in a state by the other one, in all three sessions.
    #[track_caller]
    pub fn state(peer: &dyn BfdPeer, index: usize, expected: &str) {
        for remote in ENDS[index] {
            wait_for(&format!("session {expected} with {remote}"), PATIENCE, || {
                let seen = peer.session(remote)?;
                if seen.state == expected { Ok(()) } else { Err(format!("{seen:?}")) }
            });
        }
    }

    /// Waits until it is up and has these intervals, in milliseconds.
    #[track_caller]
    pub fn timers(peer: &dyn BfdPeer, index: usize, transmit: u64, detection: u64) {
        let expected = BfdSeen { state: "up".to_owned(), transmit, detection };
        for remote in ENDS[index] {
            wait_for(&format!("{expected:?} with {remote}"), PATIENCE, || {
                let seen = peer.session(remote)?;
                if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
            });
        }
    }

    /// How many packets match a filter.
    #[track_caller]
    pub fn count(&self, filter: &str) -> usize {
        self.capture.fields(&format!("bfd && ({filter})"), &["frame.number"]).len()
    }

    /// Waits until one of them has sent a packet that matches, in all three sessions.
    #[track_caller]
    pub fn sent(&self, index: usize, filter: &str) {
        for source in ENDS[index] {
            let filter = format!("{} && {filter}", from(source));
            wait_for(&format!("packet: {filter}"), PATIENCE, || match self.count(&filter) {
                0 => Err("none".to_owned()),
                _ => Ok(()),
            });
        }
    }

    /// A session that has come up and gone down sends in other states than Up, with the timers of one that is up.
    #[track_caller]
    pub fn never_down_since(&self, number: u64) {
        let down = format!("frame.number > {number} && bfd.sta != 3");
        let fields = ["frame.number", "ip.src", "ipv6.src", "bfd.sta", "bfd.diag"];
        assert_eq!(self.capture.fields(&down, &fields), [""; 0]);
    }

    /// The number of the last frame so far.
    #[track_caller]
    pub fn last(&self) -> u64 {
        let numbers = self.capture.fields("bfd", &["frame.number"]);
        numbers.last().map_or(0, |number| number.parse().unwrap())
    }

    /// Nothing that the first one sent was malformed in tshark's eyes.
    #[track_caller]
    pub fn no_faults(&self) {
        for source in ENDS[0] {
            assert!(self.count(&from(source)) > 0, "{source} has sent nothing");
            assert_eq!(self.capture.faults(source), [""; 0]);
        }
    }
}

/// A display filter for the sender.
pub fn from(source: &str) -> String {
    if source.contains(':') {
        format!("ipv6.src == {source}")
    } else {
        format!("ip.src == {source}")
    }
}

/// Makes one test of the current module per peer from a function over how the peer is started.
macro_rules! frr_and_bird {
    ($scenario:ident) => {
        #[test]
        fn frr() {
            $scenario(crate::lab::bfd::BfdFrr::start);
        }

        #[test]
        fn bird() {
            $scenario(crate::lab::bfd::BfdBird::start);
        }
    };
}
pub(crate) use frr_and_bird;
