//! What operators read about BFD and VRRP: the lane's word, and what the agent knows beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use shunt::agent::{Action, Agent, Event, Start};
use shunt::api::v1;
use shunt::bfd::{self, Diagnostic};
use shunt::config;
use shunt::fast::{Lag, Order, Snapshot};
use shunt::fib::Observed;
use shunt::group::Intents;
use shunt::types::{Time, Wall};
use shunt::vrrp::{self, Reason, State};
use tonic::Code;

use crate::rig::{OTHER, Rig};

fn snapshot() -> Snapshot {
    Snapshot {
        sessions: Vec::new(),
        bfd: bfd::Counters::default(),
        routers: Vec::new(),
        vrrp: vrrp::Counters { dropped: [("ttl", 7)].into() },
        lag: Lag::default(),
    }
}

/// As the lane has them: what was ordered, in this state.
fn routers(rig: &Rig, state: State) -> Snapshot {
    let wanted = rig.ordered.iter().filter_map(|order| match order {
        vrrp::Order::Want { router, settings } => Some((*router, settings.as_ref().clone())),
        _ => None,
    });
    let routers = wanted.map(|(router, settings)| vrrp::Summary {
        router,
        priority: settings.priority - 30,
        settings,
        state,
        since: Time::ZERO,
        reason: Reason::ActiveDown,
        released: false,
        active: Some("10.0.1.2".parse().unwrap()),
        active_priority: 70,
        active_interval: Duration::from_millis(100),
        active_down_interval: Duration::from_millis(340),
        takeovers: 1,
        sent: 10,
        received: 20,
        dropped: [("bad-checksum", 3)].into(),
        mismatches: BTreeMap::new(),
    });
    Snapshot { routers: routers.collect(), ..snapshot() }
}

fn vrrp(rig: &Rig, name: &str, snapshot: &Snapshot) -> Result<v1::VrrpReply, tonic::Status> {
    let request = v1::VrrpRequest { name: name.to_owned() };
    rig.agent.vrrp(&request, snapshot, rig.now)
}

#[test]
fn a_virtual_router_is_shown_with_its_name_and_what_goes_with_it() {
    let mut rig = Rig::active();
    rig.wait(Duration::from_secs(5));
    let reply = vrrp(&rig, "", &routers(&rig, State::Active)).unwrap();
    assert_eq!(reply.dropped, [("ttl".to_owned(), 7)].into());
    let names: Vec<&str> = reply.routers.iter().map(|router| router.name.as_str()).collect();
    assert_eq!(names, ["inside", "outside"]);
    let outside = &reply.routers[1];
    assert_eq!((outside.interface.as_str(), outside.vrid, outside.version), ("e1", 1, 3));
    assert_eq!(outside.addresses, ["10.0.1.1"]);
    assert_eq!(outside.mac, "00:00:5e:00:01:01");
    assert_eq!((outside.state.as_str(), outside.role.as_str()), ("active", "active"));
    assert_eq!((outside.reason.as_str(), outside.state_us), ("active-down", 5_000_000));
    assert_eq!((outside.priority, outside.configured_priority), (70, 100));
    assert!(outside.assigned && !outside.released && outside.fault.is_empty());
    assert_eq!(outside.sync_group, "fw");
    let tracks: Vec<(&str, bool, u32)> = outside
        .tracks
        .iter()
        .map(|track| (track.object.as_str(), track.up, track.lower_by))
        .collect();
    assert_eq!(tracks, [("interface e2", true, 30), ("file /run/ok", true, 20)]);
    assert_eq!(outside.dropped, [("bad-checksum".to_owned(), 3)].into());

    let one = vrrp(&rig, "inside", &snapshot()).unwrap();
    assert_eq!(one.routers.len(), 1);
    assert_eq!(one.routers[0].state, "initialize", "the lane does not know of it");
    let refused = vrrp(&rig, "insid", &snapshot()).unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(refused.message(), "no virtual router `insid`; did you mean `inside`?");
}

#[test]
fn an_order_for_a_virtual_router_is_answered_when_the_role_has_changed() {
    let mut rig = Rig::active();
    rig.order("vrrp-release", "outside", 1800);
    assert_eq!(rig.answers().len(), 0, "the lane has not released it");
    rig.now += Duration::from_millis(7);
    rig.lane(State::Backup, Reason::Released, Some(OTHER));
    rig.kernel(false);
    let answers = rig.answers();
    let outcome = answers[0].router.as_ref().unwrap();
    assert_eq!((outcome.name.as_str(), outcome.role.as_str()), ("outside", "backup"));
    assert_eq!((outcome.active.as_str(), outcome.settled_us), (OTHER, 7_000));
    assert!(!answers[0].unchanged && answers[0].deliveries.is_empty());
    let release = outcome.release.as_ref().unwrap();
    assert_eq!((release.target.as_str(), release.order.as_str()), ("outside", "vrrp-release"));
    assert_eq!(release.owner, "operator (uid 0)");
    let shown = vrrp(&rig, "outside", &routers(&rig, State::Backup)).unwrap();
    assert_eq!(shown.routers[0].release.as_ref(), Some(release));
    assert!(shown.routers[0].released);

    // The other member goes with it, by nobody's order.
    let shown = vrrp(&rig, "inside", &routers(&rig, State::Backup)).unwrap();
    assert!(shown.routers[0].released && shown.routers[0].release.is_none());

    rig.order("vrrp-resume", "outside", 0);
    let answers = rig.answers();
    let outcome = answers[1].router.as_ref().unwrap();
    assert_eq!((outcome.role.as_str(), outcome.release.as_ref()), ("backup", None));
    assert_eq!(outcome.settled_us, 0, "at once");
    assert!(!answers[1].unchanged);
}

#[test]
fn an_order_that_nobody_takes_over_is_answered_all_the_same() {
    let mut rig = Rig::active();
    rig.order("vrrp-release", "outside", 0);
    rig.wait(Duration::from_secs(4));
    let answers = rig.answers();
    let outcome = answers[0].router.as_ref().unwrap();
    assert_eq!((outcome.role.as_str(), outcome.active.as_str()), ("active", "10.0.1.2"));
    assert!(outcome.release.is_some() && outcome.settled_us > 500_000);
}

#[test]
fn what_is_wrong_with_the_lane_and_the_addresses_is_a_warning() {
    let mut rig = Rig::active();
    rig.tell(Event::LaneStarted {
        realtime: Err("operation not permitted".to_owned()),
        locked: Ok(()),
    });
    let lane = snapshot();
    let status = rig.agent.fast_status(Some(&lane)).unwrap();
    assert_eq!(status.not_realtime, "operation not permitted");
    assert_eq!(status.not_locked, "");
    assert_eq!((status.routers, status.routers_active), (2, 2));
    assert_eq!(status.lag.unwrap().samples, 0);
    assert_eq!(
        rig.agent.fast_warnings(Some(&lane), rig.now),
        ["BFD and VRRP have no real-time priority, so a busy machine can make them late: \
             operation not permitted"]
    );

    rig.tell(Event::LaneStarted { realtime: Ok(()), locked: Ok(()) });
    assert_eq!(rig.agent.fast_warnings(Some(&lane), rig.now), Vec::<String>::new());
    let status = rig.agent.fast_status(None).unwrap();
    assert_eq!(status.lag, None);
    let warnings = rig.agent.fast_warnings(None, rig.now);
    assert_eq!(warnings, ["the thread of BFD and VRRP does not answer"]);

    rig.link(2, false);
    rig.lane(State::Initialize, Reason::NoLink, None);
    let warnings = rig.agent.fast_warnings(Some(&lane), rig.now);
    assert!(warnings.contains(&"virtual router inside does not run: e2 is down".to_owned()));
}

const SESSIONS: &str = r#"
[node]
name = "fw1"
site = "dc1"
asn = 64512
router-id = "192.0.2.1"
own-prefixes = ["203.0.113.0/24"]

[neighbor.core]
address = "10.0.1.9"
remote-as = 64496
bfd = "default"

[bfd.session.far]
address = "192.0.2.9"
local-address = "192.0.2.1"
multihop = 6

[bfd.session.lost]
address = "10.9.9.9"
"#;

/// An agent with two sessions, and what the lane says of them: the first one is up.
fn sessions() -> (Agent, Snapshot) {
    let mut no_secret = |_: &str| Err("there is none".to_owned());
    let config = config::parse(SESSIONS, "shunt.toml", &mut no_secret)
        .unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(SESSIONS, false)));
    let mut agent = Agent::new(Start {
        config,
        intents: Intents::default(),
        health: String::new(),
        wall: Wall::from_micros(1_795_298_296_000_000),
        seed: 1,
        version: String::new(),
        configuration_path: String::new(),
        state_directory: String::new(),
        warnings: Vec::new(),
    });
    let now = Time::ZERO;
    for observed in [
        Observed::DumpBegun,
        Observed::Link { index: 3, name: "eth1".to_owned(), up: true, mtu: 1500 },
        Observed::Address {
            interface: 3,
            address: "10.0.1.1".parse().unwrap(),
            network: "10.0.1.0/24".parse().unwrap(),
        },
        Observed::DumpDone,
    ] {
        agent.handle(Event::Kernel(observed), now);
    }
    let mut summaries = Vec::new();
    while let Some(action) = agent.poll() {
        let Action::Fast(Order::Bfd(bfd::Order::Want { session, settings })) = action else {
            continue;
        };
        let near = matches!(settings.path, bfd::Path::SingleHop { .. });
        summaries.push(bfd::Summary {
            session,
            settings: *settings,
            state: if near { bfd::State::Up } else { bfd::State::Down },
            since: now,
            diagnostic: if near { Diagnostic::NONE } else { Diagnostic::DETECTION_TIME_EXPIRED },
            remote_state: if near { bfd::State::Up } else { bfd::State::Down },
            remote_diagnostic: Diagnostic::NONE,
            local_discriminator: session.0,
            remote_discriminator: if near { 9 } else { 0 },
            transmit_interval: Duration::from_millis(50),
            detection_time: Duration::from_millis(150),
            remote_multiplier: 3,
            sent: 100,
            received: 99,
            ups: 1,
            downs: u64::from(!near),
            dropped: [("ttl", 2)].into(),
        });
    }
    assert_eq!(summaries.len(), 2);
    (agent, Snapshot { sessions: summaries, ..snapshot() })
}

#[test]
fn a_session_is_shown_with_what_uses_it() {
    let (agent, lane) = sessions();
    let read = |name: &str| {
        let request = v1::BfdRequest { name: name.to_owned() };
        agent.bfd(&request, &lane, Time::from_micros(1_500))
    };
    assert_eq!(read("").unwrap().sessions.len(), 2);
    for name in ["core", "eth1", "10.0.1.9"] {
        let sessions = read(name).unwrap().sessions;
        assert_eq!(sessions.len(), 1, "{name}");
        assert_eq!(sessions[0].clients, ["neighbor core"]);
        assert_eq!((sessions[0].interface.as_str(), sessions[0].multihop), ("eth1", false));
        assert_eq!((sessions[0].local_address.as_str(), sessions[0].state_us), ("10.0.1.1", 1_500));
        assert_eq!((sessions[0].state.as_str(), sessions[0].remote_state.as_str()), ("up", "up"));
        assert_eq!((sessions[0].transmit_us, sessions[0].detection_us), (50_000, 150_000));
        assert_eq!((sessions[0].authentication.as_str(), sessions[0].key_id), ("none", None));
    }
    let far = &read("far").unwrap().sessions[0];
    assert_eq!((far.interface.as_str(), far.multihop, far.min_ttl), ("", true, 250));
    assert_eq!(far.diagnostic, "detection time expired");
    let refused = read("fra").unwrap_err();
    assert_eq!(refused.message(), "no BFD session `fra`; did you mean `far`?");
    let refused = read("lost").unwrap_err();
    assert_eq!(refused.message(), "there is no BFD session for `lost`");
}

#[test]
fn a_session_that_is_not_up_is_a_warning() {
    let (mut agent, lane) = sessions();
    agent.handle(Event::LaneStarted { realtime: Ok(()), locked: Ok(()) }, Time::ZERO);
    let status = agent.fast_status(Some(&lane)).unwrap();
    assert_eq!((status.bfd_sessions, status.bfd_up), (2, 1));
    assert_eq!(
        agent.fast_warnings(Some(&lane), Time::ZERO),
        [
            "BFD session with 192.0.2.9 (session far) is not up: detection time expired",
            "BFD session lost cannot begin: no interface leads to 10.9.9.9",
        ]
    );
}
