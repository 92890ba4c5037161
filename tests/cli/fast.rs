//! What the pretended daemon says about BFD and VRRP: it is one of two firewalls.

use super::{text, texts};
use shunt::api::v1::*;
use tonic::Status;

pub fn status() -> FastStatus {
    FastStatus {
        not_realtime: String::new(),
        not_locked: text("operation not permitted"),
        lag: Some(FastLag { p50_us: 31, p99_us: 255, worst_us: 1_840, samples: 7_201_334 }),
        bfd_sessions: 3,
        bfd_up: 2,
        routers: 2,
        routers_active: 1,
    }
}

fn counted(pairs: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    pairs.iter().map(|(name, count)| (text(name), *count)).collect()
}

pub fn sessions() -> Vec<BfdSession> {
    let edge2 = BfdSession {
        address: text("10.0.1.2"),
        local_address: text("10.0.1.1"),
        interface: text("eth1"),
        clients: texts(&["neighbor edge2", "ospf eth1"]),
        state: text("up"),
        state_us: 7_380_500_000,
        diagnostic: text("detection time expired"),
        remote_state: text("up"),
        local_discriminator: 0x1f9a_0c03,
        remote_discriminator: 7,
        desired_transmit_us: 50_000,
        required_receive_us: 50_000,
        multiplier: 3,
        transmit_us: 50_000,
        detection_us: 500_000,
        remote_multiplier: 5,
        authentication: text("meticulous-sha1"),
        key_id: Some(3),
        sent: 147_612,
        received: 147_598,
        ups: 2,
        downs: 1,
        dropped: counted(&[("bad-digest", 0), ("ttl", 4)]),
        ..BfdSession::default()
    };
    let far = BfdSession {
        address: text("203.0.113.9"),
        local_address: text("192.0.2.1"),
        interface: String::new(),
        multihop: true,
        min_ttl: 250,
        clients: texts(&["session far"]),
        state: text("down"),
        state_us: 4_200_000,
        remote_state: text("down"),
        diagnostic: text("neighbor signaled session down"),
        remote_diagnostic: text("path down"),
        transmit_us: 1_000_000,
        detection_us: 0,
        authentication: text("none"),
        key_id: None,
        dropped: counted(&[]),
        ..edge2.clone()
    };
    let isp_b = BfdSession {
        address: text("2001:db8:ffff::254"),
        local_address: text("2001:db8:ffff::1"),
        interface: text("eth2"),
        clients: texts(&["neighbor isp-b"]),
        state: text("up"),
        state_us: 12_000_000,
        ups: 1,
        downs: 0,
        diagnostic: String::new(),
        detection_us: 150_000,
        remote_multiplier: 3,
        authentication: text("none"),
        key_id: None,
        ..edge2.clone()
    };
    vec![edge2, isp_b, far]
}

pub fn bfd(name: &str) -> Result<BfdReply, Status> {
    let mut sessions = sessions();
    let named = |client: &String| client.ends_with(&format!(" {name}"));
    sessions.retain(|session| {
        name.is_empty() || session.address == name || session.clients.iter().any(named)
    });
    if sessions.is_empty() {
        return Err(Status::not_found(format!("no BFD session `{name}`; did you mean `far`?")));
    }
    Ok(BfdReply { sessions, dropped: counted(&[("zero-your-discriminator", 12)]) })
}

fn release() -> Intent {
    Intent {
        target: text("inside"),
        order: text("vrrp-release"),
        owner: text("root (uid 0)"),
        reason: text("kernel update"),
        since: text("2026-11-21T22:00:00Z"),
        expires: text("2026-11-21T22:30:00Z"),
        ..Intent::default()
    }
}

pub fn routers() -> Vec<VrrpRouter> {
    let inside = VrrpRouter {
        name: text("inside"),
        interface: text("eth1"),
        vrid: 51,
        version: 3,
        addresses: texts(&["10.0.1.100", "10.0.1.101"]),
        state: text("active"),
        state_us: 7_380_500_000,
        reason: text("active-down"),
        role: text("active"),
        priority: 150,
        configured_priority: 200,
        active: text("10.0.1.1"),
        active_priority: 150,
        interval_us: 100_000,
        active_interval_us: 100_000,
        active_down_us: 341_000,
        preempt: true,
        preempt_delay_us: 10_000_000,
        mac: text("00:00:5e:00:01:33"),
        checksum: text("pseudo-header"),
        sync_group: text("firewall"),
        tracks: vec![
            VrrpTrack {
                object: text("command /usr/lib/shunt/check"),
                up: false,
                lower_by: 50,
                text: text("exit code 1: no route\u{1b}[2J"),
            },
            VrrpTrack {
                object: text("interface eth3"),
                up: true,
                lower_by: 100,
                text: String::new(),
            },
        ],
        assigned: true,
        split: text("2026-11-21T20:01:09.5Z"),
        takeovers: 3,
        sent: 73_805,
        received: 12,
        dropped: counted(&[("bad-checksum", 1)]),
        mismatches: counted(&[("interval", 2)]),
        ..VrrpRouter::default()
    };
    let outside = VrrpRouter {
        name: text("outside"),
        interface: text("eth2"),
        vrid: 52,
        addresses: texts(&["fe80::5200", "2001:db8::1"]),
        state: text("backup"),
        state_us: 4_200_000,
        reason: text("higher-priority"),
        role: text("backup"),
        priority: 1,
        configured_priority: 100,
        released: true,
        release: Some(Intent { target: text("outside"), ..release() }),
        active: text("fe80::2"),
        active_priority: 200,
        active_interval_us: 1_000_000,
        active_down_us: 3_609_000,
        preempt: false,
        accept: true,
        mac: String::new(),
        checksum: String::new(),
        sync_group: String::new(),
        tracks: Vec::new(),
        assigned: false,
        fault: text("cannot add 2001:db8::1 to eth2: no buffer space"),
        split: String::new(),
        ..inside.clone()
    };
    vec![inside, outside]
}

pub fn vrrp(name: &str) -> Result<VrrpReply, Status> {
    let mut routers = routers();
    routers.retain(|router| name.is_empty() || router.name == name);
    if routers.is_empty() {
        return Err(unknown(name));
    }
    Ok(VrrpReply { routers, dropped: counted(&[("ttl", 0), ("no-such-vrid", 5)]) })
}

fn unknown(name: &str) -> Status {
    Status::not_found(format!("no virtual router `{name}`; did you mean `inside`?"))
}

/// The reply to an order for a virtual router.
pub fn order(request: &OrderRequest) -> Result<OrderReply, Status> {
    let released = request.order == "vrrp-release";
    let name = request.target.as_str();
    let settled = OrderReply {
        durable_us: 412,
        total_us: 118_700,
        router: Some(VrrpOutcome {
            name: text(name),
            role: text("backup"),
            active: text("10.0.1.2"),
            release: released.then(release),
            settled_us: 118_650,
        }),
        ..OrderReply::default()
    };
    let with = |change: &dyn Fn(&mut VrrpOutcome)| {
        let mut reply = settled.clone();
        reply.router.iter_mut().for_each(change);
        reply
    };
    match (name, released) {
        ("inside", _) if request.no_wait => Ok(with(&|router| {
            router.role = text("releasing");
            router.active.clear();
            router.settled_us = 0;
        })),
        ("inside", _) => Ok(settled),
        // It never was released, or has no partner.
        ("outside", false) => Ok(OrderReply { unchanged: true, ..settled }),
        ("outside", true) => Ok(with(&|router| router.role = text("active"))),
        ("stuck", _) => Ok(with(&|router| {
            router.role = text("releasing");
            router.settled_us = 0;
        })),
        (name, _) => Err(unknown(name)),
    }
}
