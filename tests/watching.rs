//! The agent between BFD and its clients, driven by hand: which sessions the lane is to have, and what its news do.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use shunt::agent::{Action, Agent, Event, PeerAction, PeerId, Start};
use shunt::bfd::{Change, Diagnostic, Order, Path, SessionId, Settings, State};
use shunt::bgp::{self, ConnectionId};
use shunt::config::{self, Config};
use shunt::fast::{self, Report};
use shunt::fib::Observed;
use shunt::group::Intents;
use shunt::types::{RouterId, Time, Wall};
use shunt::vrrp::Link;
use shunt::wire::bgp::{Message, Open};
use shunt::wire::ospf::{
    ALL_SPF_ROUTERS, AreaId, Body, ExtendedOptions, Hello, Options, Signature, Version, emit,
};

const CONFIGURATION: &str = r#"
[node]
name = "fw1"
site = "dc1"
asn = 64512
router-id = "192.0.2.1"
own-prefixes = ["203.0.113.0/24"]

[bfd.profile.fast]
transmit-interval = "10ms"
receive-interval = "10ms"

[neighbor.isp-a]
address = "10.0.1.9"
remote-as = 64496
import = "all"
export = "groups"
bfd = "default"

[neighbor.isp-b]
address = "2001:db8:1::9"
remote-as = 64497
import = "all"
export = "groups"
bfd = "fast"
bfd-strict = true

[neighbor.far]
address = "198.51.100.9"
local-address = "198.51.100.1"
remote-as = 64512
import = "all"
export = "groups"
bfd = "default"

[ospf]

[ospf.interface.e2]
network = "point-to-point"
bfd = "fast"

[bfd.session.twin]
address = "10.0.1.9"
profile = "fast"
router-id = "192.0.2.9"
"#;

/// What the lane has been told to have, and everything else that the agent wanted since it was last looked at.
struct Rig {
    agent: Agent,
    now: Time,
    sessions: BTreeMap<SessionId, Settings>,
    links: BTreeMap<u32, Link>,
    opens: BTreeMap<String, (PeerId, Open)>,
    actions: Vec<Action>,
}

fn parse(text: &str) -> Config {
    let mut no_secret = |_: &str| Err("there is none".to_owned());
    let parsed = config::parse(text, "shunt.toml", &mut no_secret);
    parsed.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(text, false)))
}

impl Rig {
    fn new(text: &str) -> Rig {
        let agent = Agent::new(Start {
            config: parse(text),
            intents: Intents::default(),
            health: String::new(),
            wall: Wall::from_micros(1_795_298_296_000_000),
            seed: 1,
            version: String::new(),
            configuration_path: String::new(),
            state_directory: String::new(),
            warnings: Vec::new(),
        });
        let mut rig = Rig {
            agent,
            now: Time::ZERO,
            sessions: BTreeMap::new(),
            links: BTreeMap::new(),
            opens: BTreeMap::new(),
            actions: Vec::new(),
        };
        rig.collect();
        rig
    }

    /// With e1 and e2 there.
    fn up(text: &str) -> Rig {
        let mut rig = Rig::new(text);
        let mut paths = rig.sessions.values().map(|settings| settings.path);
        assert!(paths.all(|path| matches!(path, Path::MultiHop { .. })), "no link is known");
        rig.kernel(Observed::DumpBegun);
        for index in [1, 2] {
            rig.link(index, true);
            for (address, network) in addresses(index) {
                rig.kernel(Observed::Address { interface: index, address, network });
            }
        }
        rig.kernel(Observed::DumpDone);
        rig
    }

    fn tell(&mut self, event: Event) {
        self.agent.handle(event, self.now);
        self.collect();
    }

    fn kernel(&mut self, observed: Observed) {
        self.tell(Event::Kernel(observed));
    }

    fn link(&mut self, index: u32, up: bool) {
        let name = format!("e{index}");
        self.kernel(Observed::Link { index, name, up, mtu: 1500 });
    }

    fn reload(&mut self, text: &str) {
        self.tell(Event::Reconfigured(Box::new(parse(text))));
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.agent.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.agent.tick(self.now);
            self.collect();
        }
        self.now = end;
    }

    fn collect(&mut self) {
        while let Some(action) = self.agent.poll() {
            match &action {
                Action::Fast(fast::Order::Bfd(Order::Want { session, settings })) => {
                    let before = self.sessions.insert(*session, (**settings).clone());
                    assert!(before.is_none_or(|before| before.path == settings.path));
                    let mut paths: Vec<Path> = self.sessions.values().map(|s| s.path).collect();
                    paths.sort();
                    paths.dedup();
                    assert_eq!(paths.len(), self.sessions.len(), "one session for each path");
                }
                Action::Fast(fast::Order::Bfd(Order::Drop { session })) => {
                    assert!(self.sessions.remove(session).is_some(), "dropped but not there");
                }
                Action::Fast(fast::Order::Link { interface, link }) => {
                    match link.clone() {
                        Some(link) => self.links.insert(*interface, link),
                        None => self.links.remove(interface),
                    };
                }
                Action::AddPeer { peer, endpoint } => {
                    self.opens.insert(endpoint.name.clone(), (*peer, endpoint.open.clone()));
                }
                _ => {}
            }
            self.actions.push(action);
        }
    }

    fn session(&self, remote: &str) -> Option<SessionId> {
        let remote: IpAddr = remote.parse().unwrap();
        let mut found = self.sessions.iter().filter(|(_, of)| of.path.remote() == remote);
        let session = found.next().map(|(id, _)| *id);
        assert!(found.next().is_none());
        session
    }

    fn settings(&self, remote: &str) -> Settings {
        self.sessions[&self.session(remote).expect("a session")].clone()
    }

    /// The lane's news of the session with this neighbour.
    fn bfd(&mut self, remote: &str, state: State, remote_state: State, why: Diagnostic) {
        let session = self.session(remote).expect("a session");
        self.change(session, state, remote_state, why);
    }

    fn change(&mut self, session: SessionId, state: State, remote_state: State, why: Diagnostic) {
        let change = Change {
            session,
            state,
            diagnostic: why,
            remote_state,
            remote_diagnostic: Diagnostic::NONE,
            at: self.now,
        };
        self.tell(Event::Fast(Report::Bfd(change)));
    }

    fn bfd_up(&mut self, remote: &str) {
        self.bfd(remote, State::Up, State::Up, Diagnostic::NONE);
    }

    fn bfd_fails(&mut self, remote: &str) {
        self.bfd(remote, State::Down, State::Up, Diagnostic::DETECTION_TIME_EXPIRED);
    }

    /// Brings the BGP session with a neighbour up, on the connection of this number.
    fn establish(&mut self, name: &str, number: u64) {
        let (peer, open) = self.opens[name].clone();
        let neighbor = &self.agent.config().neighbors[name];
        let ours: IpAddr = match (neighbor.address, neighbor.local_address) {
            (_, Some(address)) => address,
            (IpAddr::V4(_), None) => "10.0.1.1".parse().unwrap(),
            (IpAddr::V6(_), None) => "2001:db8:1::1".parse().unwrap(),
        };
        let theirs = Open {
            asn: neighbor.remote_as,
            router_id: RouterId(Ipv4Addr::new(192, 0, 2, 100 + number as u8)),
            capabilities: open
                .capabilities
                .iter()
                .map(|capability| match capability {
                    shunt::wire::bgp::Capability::FourOctetAs(_) => {
                        shunt::wire::bgp::Capability::FourOctetAs(neighbor.remote_as)
                    }
                    other => other.clone(),
                })
                .collect(),
            ..open
        };
        let connection = ConnectionId(number);
        let (local, remote) = ((ours, 40000).into(), (neighbor.address, 179).into());
        for event in [
            bgp::Event::Dialled { connection, local, remote },
            bgp::Event::Received { connection, message: Message::Open(theirs) },
            bgp::Event::Received { connection, message: Message::Keepalive },
        ] {
            self.tell(Event::Peer { peer, event });
        }
        assert_eq!(self.state(name), "established");
        self.actions.clear();
    }

    fn state(&self, name: &str) -> String {
        let reply = self.agent.neighbors(name, self.now).unwrap();
        reply.neighbors[0].state.clone()
    }

    /// What was dialled since this was asked for.
    fn dialled(&mut self) -> Vec<String> {
        let actions = std::mem::take(&mut self.actions);
        let dials = actions.iter().filter_map(|action| match action {
            Action::Peer { peer, action: PeerAction::Dial } => {
                let mut names = self.opens.iter().filter(|(_, (id, _))| id == peer);
                names.next().map(|(name, _)| name.clone())
            }
            _ => None,
        });
        dials.collect()
    }

    /// Events for people since this was asked for.
    fn events(&mut self) -> Vec<String> {
        let actions = std::mem::take(&mut self.actions);
        let events = actions.iter().filter_map(|action| match action {
            Action::Report(event) if event.kind == "bfd" => {
                Some(format!("{}: {}: {}", event.severity, event.subject, event.text))
            }
            _ => None,
        });
        events.collect()
    }

    /// The OSPF neighbour on e2 says Hello.
    fn hello(&mut self, strict: bool) {
        let options = Options::EXTERNAL;
        let block = Options::LINK_LOCAL_SIGNALLING;
        let none = Ipv4Addr::UNSPECIFIED;
        let hello = Hello {
            network_mask: Ipv4Addr::new(255, 255, 255, 0),
            hello_interval: 10,
            options: if strict { options.with(block) } else { options },
            priority: 1,
            dead_interval: 40,
            designated: none,
            backup: none,
            neighbors: vec![RouterId(Ipv4Addr::new(192, 0, 2, 1))],
        };
        let source = Ipv4Addr::new(10, 0, 2, 9);
        let router_id = RouterId(Ipv4Addr::new(192, 0, 2, 9));
        let (body, area) = (Body::Hello(hello), AreaId::BACKBONE);
        let mut packet = emit(Version::V2, router_id, area, &body, &Signature::Null, source);
        if strict {
            ExtendedOptions::STRICT_BFD.emit(&Signature::Null, source, &mut packet);
        }
        let (destination, packet) = (ALL_SPF_ROUTERS, packet.freeze());
        self.tell(Event::PacketReceived { interface: 2, source, destination, packet });
    }

    fn ospf_state(&self) -> Option<String> {
        let neighbors = self.agent.ospf_neighbors(&Default::default(), self.now).ok()?.neighbors;
        neighbors.first().map(|neighbor| neighbor.state.clone())
    }
}

fn addresses(index: u32) -> [(IpAddr, shunt::types::Prefix); 2] {
    [
        (format!("10.0.{index}.1"), format!("10.0.{index}.0/24")),
        (format!("2001:db8:{index}::1"), format!("2001:db8:{index}::/64")),
    ]
    .map(|(address, network)| (address.parse().unwrap(), network.parse().unwrap()))
}

const A: &str = "10.0.1.9";
const B: &str = "2001:db8:1::9";
const FAR: &str = "198.51.100.9";
const OSPF: &str = "10.0.2.9";

#[test]
fn there_is_one_session_for_each_path_with_the_quickest_profile() {
    let mut rig = Rig::up(CONFIGURATION);
    assert_eq!(rig.sessions.len(), 3);
    let (local, remote) = ("10.0.1.1".parse().unwrap(), A.parse().unwrap());
    let a = rig.settings(A);
    assert_eq!(a.path, Path::SingleHop { interface: 1, local, remote });
    assert_eq!(a.transmit_interval, Duration::from_millis(10), "twin's, which is shorter");
    let b = rig.settings(B).path;
    assert_eq!(b.local(), "2001:db8:1::1".parse::<IpAddr>().unwrap());
    let far = rig.settings(FAR).path;
    assert_eq!(far.local(), "198.51.100.1".parse::<IpAddr>().unwrap());
    assert!(matches!(far, Path::MultiHop { .. }));
    // Without twin it is isp-a's, and the same session.
    let before = rig.session(A);
    rig.reload(CONFIGURATION.split("[bfd.session.twin]").next().unwrap());
    assert_eq!(rig.session(A), before);
    assert_eq!(rig.settings(A).transmit_interval, Duration::from_millis(50));
}

#[test]
fn the_lane_knows_all_links_and_their_addresses() {
    let mut rig = Rig::up(CONFIGURATION);
    rig.kernel(Observed::Link { index: 7, name: "other".to_owned(), up: false, mtu: 1500 });
    let all = addresses(1).map(|(address, _)| address).to_vec();
    assert_eq!(rig.links[&1], Link { up: true, addresses: all });
    assert_eq!(rig.links[&7], Link { up: false, addresses: vec![] });
    rig.link(1, false);
    assert!(!rig.links[&1].up);
    rig.kernel(Observed::LinkGone { index: 7 });
    assert!(!rig.links.contains_key(&7));
}

#[test]
fn a_failure_takes_down_who_uses_the_session_and_nobody_else() {
    let mut rig = Rig::up(CONFIGURATION);
    rig.establish("isp-a", 1);
    rig.establish("far", 2);
    // One that never was up takes nothing down.
    rig.bfd(A, State::Init, State::Down, Diagnostic::NONE);
    rig.bfd(A, State::Down, State::Down, Diagnostic::DETECTION_TIME_EXPIRED);
    assert_eq!(rig.events(), [""; 0]);
    rig.bfd_up(A);
    assert_eq!(rig.events(), ["info: isp-a, twin (10.0.1.9 on e1): up"]);
    assert_eq!(rig.state("isp-a"), "established");
    rig.bfd_fails(A);
    let down = "warning: isp-a, twin (10.0.1.9 on e1): down: detection time expired";
    assert_eq!(rig.events(), [down]);
    assert_ne!(rig.state("isp-a"), "established");
    assert_eq!(rig.state("far"), "established");
    let shown = rig.agent.neighbors("isp-a", rig.now).unwrap().neighbors[0].last_down.clone();
    assert!(shown.contains("Cease / BFD Down"), "{shown}");
    // What it says while it is down is no news.
    for state in [State::Init, State::Down, State::Init, State::Down] {
        rig.bfd(A, state, State::Down, Diagnostic::NEIGHBOR_SIGNALED_DOWN);
    }
    assert_eq!(rig.events(), [""; 0]);
    rig.bfd_up(A);
    assert_eq!(rig.dialled(), ["isp-a"], "at once");
}

/// RFC 5882 §3.2.
#[test]
fn what_the_other_side_shuts_down_on_purpose_is_no_failure() {
    let mut rig = Rig::up(CONFIGURATION);
    rig.establish("isp-a", 1);
    rig.bfd_up(A);
    rig.events();
    rig.bfd(A, State::Down, State::AdminDown, Diagnostic::NEIGHBOR_SIGNALED_DOWN);
    let text = "info: isp-a, twin (10.0.1.9 on e1): the other side has shut it down; what uses it \
                goes on without";
    assert_eq!(rig.events(), [text]);
    assert_eq!(rig.state("isp-a"), "established");
    // And what comes of it later is none either, until it was up again.
    rig.bfd(A, State::Down, State::Down, Diagnostic::DETECTION_TIME_EXPIRED);
    assert_eq!(rig.state("isp-a"), "established");
    rig.bfd_up(A);
    rig.bfd_fails(A);
    assert_ne!(rig.state("isp-a"), "established");
}

#[test]
fn a_strict_neighbour_begins_when_bfd_is_up_or_off_on_purpose() {
    for (state, remote) in [(State::Up, State::Up), (State::Down, State::AdminDown)] {
        let mut rig = Rig::up(CONFIGURATION);
        rig.wait(Duration::from_secs(300));
        assert!(!rig.dialled().contains(&"isp-b".to_owned()));
        rig.bfd(B, state, remote, Diagnostic::NONE);
        assert_eq!(rig.dialled(), ["isp-b"]);
        rig.establish("isp-b", 1);
        // That it is no longer off is no failure, but who begins has to wait again.
        if state == State::Down {
            rig.bfd(B, State::Down, State::Down, Diagnostic::NONE);
            assert_eq!(rig.state("isp-b"), "established");
        } else {
            rig.bfd_fails(B);
            assert_ne!(rig.state("isp-b"), "established");
            rig.wait(Duration::from_secs(300));
            assert!(!rig.dialled().contains(&"isp-b".to_owned()));
        }
    }
}

#[test]
fn a_strict_neighbour_that_comes_to_a_session_that_is_up_need_not_wait() {
    let with_session = CONFIGURATION.replace("[neighbor.isp-b]", "[neighbor.isp-c]");
    let more = format!("{with_session}\n[bfd.session.b]\naddress = \"{B}\"\nprofile = \"fast\"\n");
    let without = more.replace("bfd-strict = true", "").replace(
        "remote-as = 64497\nimport = \"all\"\nexport = \"groups\"\nbfd = \"fast\"",
        "remote-as = 64497\nimport = \"all\"\nexport = \"groups\"\nshutdown = \"\"",
    );
    let mut rig = Rig::up(&without);
    rig.bfd_up(B);
    let before = rig.session(B);
    rig.actions.clear();
    rig.reload(&more);
    assert_eq!(rig.session(B), before);
    assert_eq!(rig.dialled(), ["isp-c"]);
}

#[test]
fn a_reload_changes_and_ends_sessions_without_touching_bgp() {
    let mut rig = Rig::up(CONFIGURATION);
    rig.establish("isp-a", 1);
    rig.bfd_up(A);
    let before = rig.session(A);
    let slower = CONFIGURATION.replace("\"10ms\"", "\"20ms\"");
    rig.reload(&slower);
    assert_eq!(rig.session(A), before);
    assert_eq!(rig.settings(A).receive_interval, Duration::from_millis(20));
    // The key goes, then the session of its own, which then goes too.
    let without = slower.replacen("bfd = \"default\"", "", 1);
    rig.reload(&without);
    assert_eq!(rig.session(A), before);
    rig.reload(without.split("[bfd.session.twin]").next().unwrap());
    assert_eq!(rig.session(A), None);
    assert_eq!(rig.state("isp-a"), "established");
    // News of it that were under way are nobody's.
    rig.change(before.unwrap(), State::Down, State::Down, Diagnostic::DETECTION_TIME_EXPIRED);
    assert_eq!(rig.state("isp-a"), "established");
    // And a session that comes again is another one.
    rig.reload(CONFIGURATION);
    assert_ne!(rig.session(A), before);
    assert_eq!(rig.state("isp-a"), "established");
    // A neighbour that is shut down is not watched.
    let shut = CONFIGURATION.replacen("remote-as = 64497", "remote-as = 64497\nshutdown = \"\"", 1);
    rig.reload(&shut);
    assert_eq!(rig.session(B), None);
}

#[test]
fn a_lost_link_ends_what_is_on_it_whatever_goes_first() {
    // Carrier loss leaves the addresses; `ip link set down` takes those of IPv6; the link may go as a whole.
    for kind in 0..3 {
        let mut rig = Rig::up(CONFIGURATION);
        rig.establish("isp-a", 1);
        rig.bfd_up(B);
        rig.establish("isp-b", 2);
        rig.establish("far", 3);
        if kind == 1 {
            let (address, network) = addresses(1)[1];
            rig.kernel(Observed::AddressGone { interface: 1, address, network });
            assert_eq!(rig.state("isp-b"), "established");
        }
        match kind {
            2 => rig.kernel(Observed::LinkGone { index: 1 }),
            _ => rig.link(1, false),
        }
        for name in ["isp-a", "isp-b"] {
            assert_ne!(rig.state(name), "established", "{kind}: {name}");
            let shown = rig.agent.neighbors(name, rig.now).unwrap().neighbors[0].last_down.clone();
            assert_eq!(shown, "the link e1 is down");
        }
        assert_eq!(rig.state("far"), "established", "who knows which way it goes");
        // The lane has seen it as well. When the link comes back, who is strict waits for BFD.
        if rig.session(B).is_some() {
            rig.bfd(B, State::Down, State::Up, Diagnostic::PATH_DOWN);
        }
        rig.wait(Duration::from_secs(60));
        rig.actions.clear();
        rig.link(1, true);
        for (address, network) in addresses(1) {
            rig.kernel(Observed::Address { interface: 1, address, network });
        }
        assert_eq!(rig.dialled(), ["isp-a"], "{kind}");
        rig.bfd_up(B);
        assert_eq!(rig.dialled(), ["isp-b"], "{kind}");
    }
}

#[test]
fn an_ospf_neighbour_has_a_session_that_outlives_it_for_a_while() {
    let mut rig = Rig::up(CONFIGURATION);
    assert_eq!(rig.session(OSPF), None);
    rig.hello(false);
    let session = rig.session(OSPF).expect("both hear each other");
    assert_eq!(rig.settings(OSPF).path.local(), "10.0.2.1".parse::<IpAddr>().unwrap());
    rig.bfd_up(OSPF);
    rig.bfd_fails(OSPF);
    assert_eq!(rig.ospf_state(), None);
    // AdminDown would tell the other side to take it for no failure.
    assert_eq!(rig.session(OSPF), Some(session));
    rig.wait(Duration::from_secs(29));
    assert_eq!(rig.session(OSPF), Some(session));
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.session(OSPF), None, "it stays away");

    // One that is back has its session, whatever became of it.
    rig.hello(false);
    rig.bfd_up(OSPF);
    rig.bfd_fails(OSPF);
    rig.bfd_up(OSPF);
    rig.hello(false);
    let session = rig.session(OSPF);
    rig.wait(Duration::from_secs(35));
    assert_eq!(rig.session(OSPF), session);
    // Dead for another reason: no failure that BFD would have to tell.
    rig.wait(Duration::from_secs(10));
    assert_eq!((rig.ospf_state(), rig.session(OSPF)), (None, None));

    // The key goes with the interface's neighbour just lost.
    rig.hello(false);
    rig.bfd_up(OSPF);
    rig.bfd_fails(OSPF);
    let without = CONFIGURATION.replace("point-to-point\"\nbfd = \"fast\"", "point-to-point\"");
    rig.reload(&without);
    assert_eq!(rig.session(OSPF), None);
}

#[test]
fn a_strict_ospf_neighbour_has_its_session_first() {
    let strict = CONFIGURATION.replace(
        "point-to-point\"\nbfd = \"fast\"",
        "point-to-point\"\nbfd = \"fast\"\nbfd-strict = true",
    );
    let mut rig = Rig::up(&strict);
    rig.hello(true);
    assert_eq!(rig.ospf_state().as_deref(), Some("init"));
    rig.bfd_up(OSPF);
    assert_eq!(rig.ospf_state().as_deref(), Some("exstart"));
    // After a failure again; the session is there already when it comes back.
    rig.bfd_fails(OSPF);
    rig.hello(true);
    assert_eq!(rig.ospf_state().as_deref(), Some("init"));
    rig.bfd_up(OSPF);
    assert_eq!(rig.ospf_state().as_deref(), Some("exstart"));
    rig.bfd_fails(OSPF);
    rig.bfd_up(OSPF);
    rig.hello(true);
    assert_eq!(rig.ospf_state().as_deref(), Some("exstart"), "it was up before the Hello");
}

/// RFC 5883 §4.1: the addresses make the session, whatever its clients want of the TTL.
#[test]
fn over_several_hops_the_least_wish_about_the_ttl_counts() {
    let text = format!(
        "{CONFIGURATION}\n[bfd.session.also]\naddress = \"{FAR}\"\nlocal-address = \"198.51.100.1\"\n\
         multihop = 3\nprofile = \"fast\"\n"
    );
    let rig = Rig::up(&text);
    let settings = rig.settings(FAR);
    assert!(matches!(settings.path, Path::MultiHop { min_ttl: 1, .. }), "{settings:?}");
    assert_eq!(settings.transmit_interval, Duration::from_millis(10));
}

/// A virtual address that comes and goes must not make another session of it.
#[test]
fn of_two_addresses_the_lowest_is_ours() {
    let mut rig = Rig::up(CONFIGURATION);
    let before = rig.session(A);
    let (address, network) = ("10.0.1.250".parse().unwrap(), "10.0.1.0/24".parse().unwrap());
    rig.kernel(Observed::Address { interface: 1, address, network });
    assert_eq!(rig.session(A), before);
    rig.kernel(Observed::AddressGone { interface: 1, address, network });
    assert_eq!(rig.session(A), before);
}

#[test]
fn nothing_begins_while_the_daemon_ends() {
    let mut rig = Rig::up(CONFIGURATION);
    rig.bfd_up(B);
    rig.actions.clear();
    rig.tell(Event::StopWanted);
    rig.wait(Duration::from_millis(1));
    let stop = |action: &Action| matches!(action, Action::Fast(fast::Order::Stop));
    assert_eq!(rig.actions.iter().filter(|action| stop(action)).count(), 1);
    let before = rig.sessions.clone();
    rig.reload(&format!(
        "{CONFIGURATION}\n[bfd.session.also]\naddress = \"10.0.2.7\"\nprofile = \"fast\"\n"
    ));
    rig.hello(false);
    rig.link(1, false);
    rig.link(1, true);
    assert_eq!(rig.sessions, before);
    assert_eq!(rig.dialled(), [""; 0]);
}

/// Nothing is left of what comes and goes a thousand times, and no order is given twice.
#[test]
fn flapping_links_sessions_and_reloads_leave_nothing_behind() {
    let mut rig = Rig::up(CONFIGURATION);
    let without = CONFIGURATION.replace("bfd = \"fast\"\nbfd-strict = true", "");
    for round in 0..1000 {
        rig.now += Duration::from_micros(100);
        match round % 7 {
            0 => rig.link(1, false),
            1 => rig.link(1, true),
            2 => rig.hello(false),
            3 => rig.reload(&without),
            4 => rig.reload(CONFIGURATION),
            5 => rig.link(2, false),
            _ => rig.link(2, true),
        }
        let ids: Vec<SessionId> = rig.sessions.keys().copied().collect();
        for session in ids {
            for state in [State::Up, State::Down, State::Up] {
                rig.change(session, state, State::Up, Diagnostic::DETECTION_TIME_EXPIRED);
            }
        }
    }
    rig.reload(CONFIGURATION);
    rig.link(1, true);
    rig.link(2, true);
    rig.wait(Duration::from_secs(60));
    assert_eq!(rig.sessions.len(), 3, "{:?}", rig.sessions);
}

#[test]
fn who_cannot_be_watched_is_named() {
    let text = CONFIGURATION
        .replace("address = \"10.0.1.9\"\nremote-as", "address = \"10.0.9.9\"\nremote-as");
    let rig = Rig::up(&text);
    let warnings = rig.agent.status(rig.now).warnings;
    let of =
        |warning: &&String| warning.starts_with("neighbor isp-a is not watched by BFD: 10.0.9.9");
    assert_eq!(warnings.iter().filter(of).count(), 1, "{warnings:?}");
}
