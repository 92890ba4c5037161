//! What most scenes begin with, and what they wait for.

use crate::lab::ospf::{Attached, Computed, Network, OspfPeer, OspfRouter, OspfShunt};
use crate::lab::{Capture, Net, Node, PATIENCE, wait_for};

/// The router ids of shuntd and of the peer that it meets.
pub const SHUNT: &str = "10.255.0.1";
pub const PEER: &str = "10.255.0.2";
/// Their addresses on the link between them.
pub const SHUNT_ADDRESS: &str = "10.99.0.1";
pub const PEER_ADDRESS: &str = "10.99.0.2";
/// What shuntd announces.
pub const SERVICE: &str = "198.51.100.7/32";
/// What the peer announces.
pub const UPSTREAM: &str = "203.0.113.0/24";

/// A router with these interfaces and nothing else.
pub fn router(id: &str, attached: Vec<Attached>) -> OspfRouter {
    OspfRouter { router_id: id.to_owned(), attached, ..OspfRouter::default() }
}

/// An interface of a link to one other node, named after it.
pub fn link(other: &str) -> Attached {
    Attached::new(other, Network::PointToPoint)
}

/// shuntd and one peer with a link between them; each announces one prefix.
pub struct Meeting<P> {
    pub shunt: OspfShunt,
    pub peer: P,
    pub capture: Capture,
    /// Where they run.
    pub here: Node,
    pub there: Node,
    /// Last, so that it goes last.
    _net: Net,
}

impl<P: OspfPeer> Meeting<P> {
    #[track_caller]
    pub fn new(start: impl Fn(&Node, OspfRouter) -> P) -> Meeting<P> {
        let meeting = Meeting::with(start, |_, _| {});
        meeting.full();
        meeting
    }

    /// With changes of both configurations, shuntd's first; waits for nothing.
    #[track_caller]
    pub fn with(
        start: impl Fn(&Node, OspfRouter) -> P,
        change: impl FnOnce(&mut OspfRouter, &mut OspfRouter),
    ) -> Meeting<P> {
        let (net, here, there) = Net::pair("shunt", "peer");
        let mut ours = router(SHUNT, vec![link("peer")]);
        ours.externals = vec![SERVICE.to_owned()];
        let mut theirs = router(PEER, vec![link("shunt")]);
        theirs.externals = vec![UPSTREAM.to_owned()];
        change(&mut ours, &mut theirs);
        let capture = Capture::start(&here, "peer", "proto 89");
        let peer = start(&there, theirs);
        let shunt = OspfShunt::start(&here, ours);
        Meeting { shunt, peer, capture, here, there, _net: net }
    }

    /// Waits until both call the other Full, and each has the other's prefix in its kernel.
    #[track_caller]
    pub fn full(&self) {
        adjacent(&self.shunt, PEER, "full/ptp");
        adjacent(&self.peer, SHUNT, "full/ptp");
        self.here.wait_next_hops(UPSTREAM, &["10.99.0.2@peer"]);
        self.there.wait_next_hops(SERVICE, &["10.99.0.1@shunt"]);
    }

    /// As `full`, and the peer is ready for a break.
    #[track_caller]
    pub fn settled(&self) {
        self.full();
        wait_for("quiet at the peer", PATIENCE, || self.peer.is_settled());
    }

    /// Nothing that shuntd sent was malformed in tshark's eyes.
    #[track_caller]
    pub fn no_faults(&self) {
        no_faults(&self.capture, SHUNT_ADDRESS);
    }
}

/// Nothing that came from `source` was malformed or fragmented.
#[track_caller]
pub fn no_faults(capture: &Capture, source: &str) {
    let sent = capture.fields(&format!("ospf && ip.src == {source}"), &["frame.number"]);
    assert!(!sent.is_empty(), "{source} has sent no OSPF packet");
    assert_eq!(capture.faults(source), [""; 0]);
    let fragments = format!("ip.src == {source} && (ip.flags.mf == 1 || ip.frag_offset > 0)");
    assert_eq!(capture.fields(&fragments, &["frame.number"]), [""; 0]);
}

#[track_caller]
pub fn adjacent(router: &dyn OspfPeer, neighbor: &str, expected: &str) {
    wait_for(&format!("adjacency {expected} with {neighbor}"), PATIENCE, || {
        let state = router.adjacency(neighbor)?;
        if state == expected { Ok(()) } else { Err(state) }
    });
}

/// Waits until the neighbour is unknown, or in a state below 2-way.
#[track_caller]
pub fn lost(router: &dyn OspfPeer, neighbor: &str) {
    wait_for(&format!("loss of {neighbor}"), PATIENCE, || match router.adjacency(neighbor) {
        Ok(state) if !state.starts_with("init") && !state.starts_with("down") => Err(state),
        _ => Ok(()),
    });
}

#[track_caller]
pub fn computes(router: &dyn OspfPeer, prefix: &str, expected: Computed) {
    wait_for(&format!("{prefix} as {expected:?}"), PATIENCE, || match router.route(prefix)? {
        Some(route) if route == expected => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[track_caller]
pub fn lacks(router: &dyn OspfPeer, prefix: &str) {
    wait_for(&format!("no route to {prefix}"), PATIENCE, || match router.route(prefix)? {
        None => Ok(()),
        Some(route) => Err(format!("{route:?}")),
    });
}

/// Makes one test of the current module per peer from a function over how the peer is started.
macro_rules! frr_and_bird {
    ($scenario:ident) => {
        #[test]
        fn frr() {
            $scenario(crate::lab::ospf::OspfFrr::start);
        }

        #[test]
        fn bird() {
            $scenario(crate::lab::ospf::OspfBird::start);
        }
    };
}
pub(crate) use frr_and_bird;
