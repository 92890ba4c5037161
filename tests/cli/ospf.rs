//! What the pretended daemon says about OSPF: it is edge1, in an area with edge2 and two cores.

use super::{text, texts};
use shunt::api::v1::*;
use tonic::Status;

pub fn status() -> OspfStatus {
    OspfStatus {
        router_id: text("192.0.2.1"),
        area: text("0.0.0.0"),
        area_type: text("normal"),
        interfaces_up: 3,
        interfaces_configured: 4,
        neighbors_full: 2,
        neighbors_known: 3,
        lsas: 9,
        routes: 5,
        stub_router: String::new(),
        mismatches: vec![mismatch()],
        refused_lsas: [(text("too-soon"), 2)].into(),
    }
}

pub fn mismatch() -> OspfMismatch {
    OspfMismatch {
        interface: text("eth2"),
        address: text("10.0.2.9"),
        what: text("hello-interval"),
        since: text("2026-11-21T19:57:03Z"),
        text: text("10.0.2.9 on eth2: hello interval is 5 s, ours is 10 s"),
    }
}

/// The order of `shunt drain` in force.
pub fn drain() -> Intent {
    Intent {
        order: text("drain"),
        owner: text("root (uid 0)"),
        reason: text("kernel update"),
        since: text("2026-11-21T22:00:00Z"),
        expires: text("2026-11-22T00:00:00Z"),
        ..Intent::default()
    }
}

fn router(router_id: &str, hostname: &str) -> Option<OspfRouter> {
    Some(OspfRouter { router_id: text(router_id), hostname: text(hostname) })
}

fn edge1() -> Option<OspfRouter> {
    router("192.0.2.1", "edge1")
}

fn edge2() -> Option<OspfRouter> {
    router("192.0.2.2", "edge2")
}

/// Whether a router goes by this host name or router id.
pub fn is(router: Option<&OspfRouter>, name: &str) -> bool {
    router.is_some_and(|router| router.router_id == name || router.hostname == name)
}

pub fn interfaces() -> Vec<OspfInterface> {
    let counted =
        |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| (text(name), *count)).collect();
    let eth1 = OspfInterface {
        name: text("eth1"),
        state: text("backup"),
        address: text("10.0.1.1/24"),
        network: text("broadcast"),
        cost: 10,
        priority: 1,
        designated: text("10.0.1.2"),
        backup: text("10.0.1.1"),
        hello_interval_us: 10_000_000,
        dead_interval_us: 40_000_000,
        retransmit_interval_us: 5_000_000,
        transmit_delay_s: 1,
        mtu: 1500,
        authentication: text("hmac-sha-256"),
        key_id: Some(3),
        neighbors: 2,
        neighbors_full: 2,
        received: counted(&[("hello", 1476), ("link-state-update", 31)]),
        sent: counted(&[("hello", 738), ("link-state-request", 0), ("link-state-update", 12)]),
        discarded: counted(&[("digest", 4), ("older-instance", 1)]),
        ..OspfInterface::default()
    };
    vec![
        OspfInterface {
            name: text("eth2"),
            state: text("point-to-point"),
            address: text("10.0.2.1/30"),
            network: text("point-to-point"),
            designated: String::new(),
            backup: String::new(),
            hello_interval_us: 333_000,
            dead_interval_us: 1_000_000,
            authentication: text("none"),
            key_id: None,
            neighbors: 1,
            neighbors_full: 0,
            ..eth1.clone()
        },
        OspfInterface {
            name: text("eth3"),
            state: text("absent"),
            reason: text("the kernel has no interface of this name"),
            network: text("broadcast"),
            cost: 10,
            key_overdue: true,
            authentication: text("md5"),
            hello_interval_us: 10_000_000,
            dead_interval_us: 40_000_000,
            ..OspfInterface::default()
        },
        OspfInterface {
            name: text("lo"),
            state: text("passive"),
            address: text("192.0.2.1/32"),
            network: text("loopback"),
            ..OspfInterface::default()
        },
        eth1,
    ]
}

pub fn neighbors() -> OspfNeighborsReply {
    let edge2 = OspfNeighbor {
        router: edge2(),
        interface: text("eth1"),
        address: text("10.0.1.2"),
        state: text("full"),
        state_us: 7_380_500_000,
        dead_us: 31_400_000,
        priority: 1,
        designated: text("10.0.1.2"),
        backup: text("10.0.1.1"),
        options: texts(&["E", "O"]),
        requests: 0,
        retransmissions: 1,
        helping_us: 0,
    };
    let core1 = OspfNeighbor {
        router: router("10.255.0.11", "core1"),
        address: text("10.0.1.11"),
        helping_us: 95_000_000,
        ..edge2.clone()
    };
    let core2 = OspfNeighbor {
        // A host name that is no word and would reset the terminal.
        router: router("10.255.0.12", "c 2\u{1b}c"),
        interface: text("eth2"),
        address: text("10.0.2.2"),
        state: text("exstart"),
        state_us: 4_200_000,
        dead_us: 900_000,
        designated: String::new(),
        backup: String::new(),
        ..edge2.clone()
    };
    OspfNeighborsReply { neighbors: vec![edge2, core1, core2], mismatches: vec![mismatch()] }
}

pub fn database() -> Vec<OspfLsa> {
    let ours = OspfLsa {
        r#type: text("router"),
        id: text("192.0.2.1"),
        router: edge1(),
        age_s: 112,
        sequence: text("0x80000007"),
        checksum: text("0x5ac1"),
        length: 60,
        options: texts(&["E"]),
        own: true,
        body: texts(&[
            "AS boundary router",
            "transit network of DR 10.0.1.2, our address 10.0.1.1, metric 10",
            "stub network 192.0.2.1/32, metric 1",
            "stub network 10.0.2.0/30, metric 10",
        ]),
        ..OspfLsa::default()
    };
    let external = |router, own, age_s, metric| OspfLsa {
        r#type: text("external"),
        id: text("198.51.100.7"),
        router,
        prefix: text("198.51.100.7/32"),
        age_s,
        sequence: text("0x80000002"),
        checksum: text("0x19e0"),
        length: 36,
        own,
        body: vec![format!("external-2, metric {metric}, forwarding address 0.0.0.0, tag 0")],
        ..ours.clone()
    };
    vec![
        OspfLsa {
            id: text("192.0.2.2"),
            router: edge2(),
            age_s: 1_804,
            sequence: text("0x80000013"),
            checksum: text("0xa20f"),
            own: false,
            body: texts(&["AS boundary router"]),
            ..ours.clone()
        },
        ours.clone(),
        external(edge2(), false, 640, 10_500),
        OspfLsa { waiting_us: 400_000, ..external(edge1(), true, 0, 5_500) },
    ]
}

fn hop(gateway: &str, interface: &str) -> OspfNextHop {
    OspfNextHop { interface: text(interface), gateway: text(gateway) }
}

fn path(kind: &str, cost: u32, hops: &[OspfNextHop], exits: Vec<Option<OspfRouter>>) -> OspfPath {
    OspfPath {
        kind: text(kind),
        cost,
        next_hops: hops.to_vec(),
        exits: exits.into_iter().flatten().collect(),
        ..OspfPath::default()
    }
}

pub fn routes() -> Vec<OspfRoute> {
    let (edge2_hop, core_hop) = (hop("10.0.1.2", "eth1"), hop("10.0.1.11", "eth1"));
    let route = |prefix: &str, path| OspfRoute { prefix: text(prefix), path: Some(path) };
    let default = path(
        "external-2",
        20,
        std::slice::from_ref(&core_hop),
        vec![router("10.255.0.11", "core1")],
    );
    vec![
        route("0.0.0.0/0", OspfPath { type_2_cost: 100, tag: 7, ..default }),
        route(
            "192.0.2.2/32",
            path("intra-area", 11, std::slice::from_ref(&edge2_hop), vec![edge2()]),
        ),
        route(
            "10.9.0.0/16",
            path("inter-area", 30, &[edge2_hop, core_hop], vec![router("10.255.0.11", "")]),
        ),
    ]
}

/// OSPF's path among those of 0.0.0.0/0.
pub fn default_route() -> Path {
    Path {
        source: text("ospf"),
        standing: text("lost"),
        reason: text("higher distance (110, best has 20), against isp-a"),
        ospf: routes().swap_remove(0).path,
        ..Path::default()
    }
}

fn announcement(metric: u32) -> OspfAnnouncement {
    OspfAnnouncement {
        lsa: text("external 198.51.100.7 of 192.0.2.1"),
        how: text("external-2"),
        metric,
        tag: 0,
    }
}

pub fn sent() -> OspfSent {
    OspfSent {
        announcement: Some(announcement(15_500)),
        because: text("class inside, level standby (100): metric 15500"),
        waiting_us: 400_000,
        unacknowledged: texts(&["ospf:edge2%eth1", "ospf:core1%eth1"]),
    }
}

pub fn acknowledged(metric: u32) -> Delivery {
    Delivery {
        neighbor: text("ospf:edge2%eth1"),
        outcome: text("acknowledged"),
        prefixes: vec![DeliveredPrefix {
            prefix: text("198.51.100.7/32"),
            attributes: None,
            ospf: Some(announcement(metric)),
        }],
        acknowledged_us: 1_301,
    }
}

/// `edge2` announces the prefix as standby, this node as primary.
pub fn plan(prefix: &str, level: &str) -> Result<PlanReply, Status> {
    if prefix != "198.51.100.7/32" {
        return Err(Status::not_found(format!("{prefix} is not announced by this node")));
    }
    let (preference, metric, moves) = match level {
        "standby" => (100, 15_500, true),
        // Not announced; the metric is of no meaning.
        "0" => (0, 5_500, true),
        _ => (200, 5_500, false),
    };
    let to = |exit: Option<OspfRouter>, type_2_cost, cost| {
        Some(PlanWay {
            matched: text(prefix),
            kind: text("external-2"),
            cost,
            type_2_cost,
            exits: exit.into_iter().collect(),
            first_hops: Vec::new(),
        })
    };
    let core = |core, to_edge1, to_edge2| PlanRouter {
        router: core,
        own: false,
        before: to(edge1(), 5_500, to_edge1),
        after: if moves { to(edge2(), 10_500, to_edge2) } else { to(edge1(), 5_500, to_edge1) },
        moves,
    };
    let stays = |router: Option<OspfRouter>, own, before, after| PlanRouter {
        before: to(router.clone(), before, 0),
        after: to(router.clone(), after, 0),
        router,
        own,
        moves: false,
    };
    let mut reply = PlanReply {
        prefix: text(prefix),
        preference,
        level: text(level),
        preference_before: 200,
        level_before: text("primary"),
        before: Some(announcement(5_500)),
        after: Some(announcement(metric)),
        routers: vec![
            stays(edge1(), true, 5_500, metric),
            stays(edge2(), false, 10_500, 10_500),
            core(router("10.255.0.11", "core1"), 10, 10),
            core(router("10.255.0.12", ""), 20, 30),
        ],
    };
    if preference == 0 {
        // One follows a shorter prefix then, and one has not even that.
        reply.level.clear();
        reply.after = None;
        reply.routers[2].after.as_mut().unwrap().matched = text("198.51.100.0/24");
        reply.routers[3].after = None;
    }
    Ok(reply)
}
