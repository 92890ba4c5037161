//! Ten thousand externals each way.

use super::scene::{Meeting, PEER, PEER_ADDRESS, SHUNT, adjacent, frr_and_bird};
use crate::lab::ospf::{OspfPeer, OspfRouter};
use crate::lab::{Node, PATIENCE, wait_for};

const MANY: usize = 10_000;

/// Neighbouring networks, so that no two have one link state id.
fn prefixes(first: u8) -> Vec<String> {
    (0..MANY).map(|n| format!("{first}.{}.{}.0/24", n / 250, n % 250)).collect()
}

#[track_caller]
fn pass_both_ways<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
    let mut meeting = Meeting::with(start, |ours, theirs| {
        ours.externals.extend(prefixes(20));
        theirs.externals.extend(prefixes(30));
    });
    meeting.full();
    let count = |node: &Node, first: &str| -> Result<usize, String> {
        let routes = node.run("ip", &["route", "show"])?;
        let via = |line: &&str| line.starts_with(first) && line.contains(" via ");
        Ok(routes.lines().filter(via).count())
    };
    let wait_both = |ours: usize, theirs: usize| {
        wait_for("all of the other's routes in both kernels", PATIENCE, || {
            let counts = (count(&meeting.there, "20.")?, count(&meeting.here, "30.")?);
            if counts == (ours, theirs) { Ok(()) } else { Err(format!("{counts:?}")) }
        });
    };
    wait_both(MANY, MANY);
    // A whole group moves and goes with one order.
    meeting.shunt.order(&["withdraw", "own", "--no-wait"]);
    wait_both(0, MANY);
    meeting.shunt.order(&["release", "own", "--no-wait"]);
    wait_both(MANY, MANY);

    // Nobody lost the adjacency over it, and what we sent (at the start, after it, gone, back) was not so fast that it had to be sent again.
    adjacent(&meeting.shunt, PEER, "full/ptp");
    adjacent(&meeting.peer, SHUNT, "full/ptp");
    let exchanges = meeting.capture.exchanges_begun(PEER_ADDRESS);
    assert!(exchanges <= 3, "the database exchange began anew: {exchanges} times");
    let sent = meeting.capture.instances("10.99.0.1");
    let own = sent.iter().filter(|one| one.key.0 == 5 && one.key.2 == SHUNT).count();
    assert!(own < MANY * 5, "{own} instances sent for 4 x {MANY} changes");
    meeting.no_faults();

    // The peer takes its own away when it dies.
    meeting.peer.kill();
    wait_for("none of the peer's routes", PATIENCE, || match count(&meeting.here, "30.")? {
        0 => Ok(()),
        left => Err(left.to_string()),
    });
}

frr_and_bird!(pass_both_ways);
