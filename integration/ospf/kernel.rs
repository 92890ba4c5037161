//! Learned routes in our kernel: equal-cost paths, changes, and the choice between OSPF and BGP.

use super::scene::{
    Meeting, PEER, SHUNT, UPSTREAM, adjacent, computes, frr_and_bird, link, router,
};
use crate::lab::ospf::{Attached, Computed, OspfBird, OspfFrr, OspfPeer, OspfRouter, OspfShunt};
use crate::lab::{Bird, Net, Node, PATIENCE, Peer, Session, Speaker, wait_for};

mod learned_routes {
    use super::*;

    #[track_caller]
    fn come_change_and_go<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let mut meeting = Meeting::with(start, |_, theirs| {
            theirs.external.tag = 99;
            theirs.external.kind = 1;
        });
        meeting.full();
        let tagged = Computed { kind: "external-1", cost: 30, type_2_metric: None, tag: 99 };
        computes(&meeting.shunt, UPSTREAM, tagged);
        meeting.peer.announce(&["192.0.2.0/24", "192.0.2.128/25"]);
        for prefix in ["192.0.2.0/24", "192.0.2.128/25"] {
            meeting.here.wait_next_hops(prefix, &["10.99.0.2@peer"]);
        }
        meeting.peer.withdraw(&["192.0.2.0/24"]);
        meeting.here.wait_next_hops("192.0.2.0/24", &[]);
        meeting.here.wait_next_hops("192.0.2.128/25", &["10.99.0.2@peer"]);

        // A restart of ours finds its routes again; one that is gone meanwhile is swept.
        meeting.shunt.kill();
        meeting.peer.withdraw(&["192.0.2.128/25"]);
        meeting.here.wait_next_hops("192.0.2.128/25", &["10.99.0.2@peer"]);
        meeting.shunt.start();
        meeting.here.wait_next_hops("192.0.2.128/25", &[]);
        meeting.full();
    }

    frr_and_bird!(come_change_and_go);
}

/// Two links of one cost to FRR and BIRD, which announce one prefix alike.
#[test]
fn equal_cost_paths() {
    let mut net = Net::new();
    let [here, frr, bird] = ["shunt", "frr", "bird"].map(|name| net.node(name));
    net.link(&here, &frr, 1);
    net.link(&here, &bird, 2);
    let shunt = OspfShunt::start(&here, router(SHUNT, vec![link("frr"), link("bird")]));
    let announcer = |id: &str| {
        let mut router = router(id, vec![link("shunt")]);
        router.externals = vec![UPSTREAM.to_owned()];
        router
    };
    let mut frr = OspfFrr::start(&frr, announcer(PEER));
    let mut bird = OspfBird::start(&bird, announcer("10.255.0.3"));
    here.wait_next_hops(UPSTREAM, &["10.99.1.2@frr", "10.99.2.2@bird"]);
    bird.configure(|router| router.external.metric = 21);
    here.wait_next_hops(UPSTREAM, &["10.99.1.2@frr"]);
    bird.configure(|router| router.external.metric = 20);
    here.wait_next_hops(UPSTREAM, &["10.99.1.2@frr", "10.99.2.2@bird"]);
    frr.withdraw(&[UPSTREAM]);
    here.wait_next_hops(UPSTREAM, &["10.99.2.2@bird"]);
    bird.kill();
    here.wait_next_hops(UPSTREAM, &[]);
    adjacent(&shunt, PEER, "full/ptp");
}

/// A prefix by BGP and by OSPF: the distances decide, and may be changed.
#[test]
fn distance_decides_between_bgp_and_ospf() {
    let mut net = Net::new();
    let [here, inside, isp] = ["shunt", "inside", "isp"].map(|name| net.node(name));
    net.link(&here, &inside, 1);
    net.link(&here, &isp, 2);
    let mut theirs = router(PEER, vec![link("shunt")]);
    theirs.externals = vec![UPSTREAM.to_owned(), "192.0.2.0/24".to_owned()];
    let mut frr = OspfFrr::start(&inside, theirs);
    let isp = Bird::start(
        &isp,
        Speaker {
            asn: 65001,
            router_id: "10.99.2.2".parse().unwrap(),
            sessions: vec![Session {
                passive: true,
                ..Session::new("10.99.2.2", "10.99.2.1", 65000)
            }],
            networks: vec![UPSTREAM.to_owned()],
        },
    );
    let neighbor = "[neighbor.isp]\naddress = \"10.99.2.2\"\nremote-as = 65001\nimport = \"all\"\nexport = \"none\"\n";
    let attached: Vec<Attached> = vec![link("inside")];
    let mut shunt = OspfShunt::with(&here, router(SHUNT, attached), neighbor);
    wait_for("session with the ISP", PATIENCE, || {
        let neighbor = shunt.shuntd.neighbor("isp")?;
        if neighbor["state"] == "established" { Ok(()) } else { Err(neighbor.to_string()) }
    });
    here.wait_next_hops("192.0.2.0/24", &["10.99.1.2@inside"]);
    here.wait_next_hops(UPSTREAM, &["10.99.2.2@isp"]);
    let why = shunt.order(&["why", UPSTREAM]);
    assert!(why.contains("distance"), "{why}");

    shunt.write(|_, more| more.push_str("[distance]\nebgp = 115\n"));
    shunt.order(&["reload"]);
    here.wait_next_hops(UPSTREAM, &["10.99.1.2@inside"]);
    // What is left takes over, either way.
    frr.withdraw(&[UPSTREAM]);
    here.wait_next_hops(UPSTREAM, &["10.99.2.2@isp"]);
    frr.announce(&[UPSTREAM]);
    here.wait_next_hops(UPSTREAM, &["10.99.1.2@inside"]);
    shunt.write(|_, more| more.truncate(neighbor.len()));
    shunt.order(&["reload"]);
    here.wait_next_hops(UPSTREAM, &["10.99.2.2@isp"]);
    isp.shut("10.99.2.1".parse().unwrap(), "enough");
    here.wait_next_hops(UPSTREAM, &["10.99.1.2@inside"]);
}
