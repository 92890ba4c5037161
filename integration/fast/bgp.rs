//! BFD for BGP: what it takes down, and what not.

use nix::sys::signal::Signal;

use super::watch::TIMERS;
use crate::edge::address;
use crate::lab::bfd::{BfdSeen, Timers, shunt_profile};
use crate::lab::{
    Bird, Capture, Frr, Net, Node, PATIENCE, Peer, Session, Shuntd, Speaker, wait_for,
};

/// What the peer announces.
const UPSTREAM: &str = "192.0.2.0/24";

/// A BGP peer with BFD.
trait Watcher: Peer {
    /// Its BFD session with an address.
    fn watches(&self, remote: &str) -> Result<BfdSeen, String>;
    /// Begins to watch the neighbour.
    fn watch(&mut self, timers: Timers);
}

impl Watcher for Frr {
    fn watches(&self, remote: &str) -> Result<BfdSeen, String> {
        Frr::watches(self, remote)
    }

    fn watch(&mut self, timers: Timers) {
        Frr::watch(self, timers);
    }
}

impl Watcher for Bird {
    fn watches(&self, remote: &str) -> Result<BfdSeen, String> {
        Bird::watches(self, remote)
    }

    fn watch(&mut self, timers: Timers) {
        Bird::watch(self, timers);
    }
}

/// Where the peers meet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// On the LAN, over IPv4 and over IPv6.
    Link,
    /// By their loopbacks.
    FarAway,
}

impl Where {
    /// Our addresses and the peer's, a session for each pair.
    fn ends(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Where::Link => &[("10.98.1.1", "10.98.1.2"), ("fd98:1::1", "fd98:1::2")],
            Where::FarAway => &[("10.255.0.1", "10.255.0.2")],
        }
    }
}

struct Meeting<P> {
    place: Where,
    shuntd: Shuntd,
    peer: P,
    here: Node,
    there: Node,
    /// With ports `here` and `there`.
    lan: Node,
    /// At our side.
    capture: Capture,
    /// Last, so that it goes last.
    _net: Net,
}

impl<P: Watcher> Meeting<P> {
    /// Both watch the other; returns when all is up.
    #[track_caller]
    fn new(start: impl Fn(&Node, Speaker) -> P, place: Where) -> Meeting<P> {
        let meeting = Meeting::with(start, place, "", Some(TIMERS));
        meeting.up();
        meeting.watched();
        meeting
    }

    /// With more keys of our neighbours, and a peer that may have no BFD; waits for nothing.
    #[track_caller]
    fn with(
        start: impl Fn(&Node, Speaker) -> P,
        place: Where,
        more: &str,
        bfd: Option<Timers>,
    ) -> Meeting<P> {
        let mut net = Net::new();
        let [here, there] = ["here", "there"].map(|name| net.node(name));
        let lan = net.lan("lan", 1, &[&here, &there]);
        for (node, own, other, via) in [(&here, 1, 2, "10.98.1.2"), (&there, 2, 1, "10.98.1.1")] {
            node.wait_link_local("lan");
            node.address("lo", &format!("10.255.0.{own}/32"));
            node.must("ip", &["route", "add", &format!("10.255.0.{other}"), "via", via]);
        }
        let capture =
            Capture::start(&here, "lan", "tcp port 179 or udp port 3784 or udp port 4784");
        let session = |&(ours, theirs): &(&str, &str)| Session {
            multihop: place == Where::FarAway,
            bfd,
            ..Session::new(theirs, ours, 65000)
        };
        let speaker = Speaker {
            asn: 65001,
            router_id: "10.255.0.2".parse().unwrap(),
            sessions: place.ends().iter().map(session).collect(),
            networks: vec![UPSTREAM.to_owned()],
        };
        let peer = start(&there, speaker);
        let shuntd = Shuntd::start(&here, &configuration(&here, place, more));
        Meeting { place, shuntd, peer, here, there, lan, capture, _net: net }
    }

    /// Waits until all sessions are established, as both see it, and the route is here.
    #[track_caller]
    fn up(&self) {
        for (number, (ours, _)) in self.place.ends().iter().enumerate() {
            wait_for("established session", PATIENCE, || {
                let neighbor = self.shuntd.neighbor(&format!("n{number}"))?;
                if neighbor["state"] == "established" { Ok(()) } else { Err(neighbor.to_string()) }
            });
            wait_for("established session at the peer", PATIENCE, || {
                match self.peer.state(address(ours))? {
                    state if state == "Established" => Ok(()),
                    state => Err(state),
                }
            });
        }
        self.learned(true);
    }

    /// Waits until the peer's BFD sessions are up.
    #[track_caller]
    fn watched(&self) {
        for (ours, _) in self.place.ends() {
            wait_for(&format!("BFD session with {ours}"), PATIENCE, || {
                let seen = self.peer.watches(ours)?;
                if seen.state == "up" { Ok(()) } else { Err(format!("{seen:?}")) }
            });
        }
    }

    #[track_caller]
    fn learned(&self, present: bool) {
        wait_for(&format!("route {UPSTREAM} to be present: {present}"), PATIENCE, || {
            let routes = self.shuntd.routes()?;
            let found = routes.iter().any(|route| route["prefix"] == UPSTREAM);
            if found == present { Ok(()) } else { Err(format!("{routes:?}")) }
        });
    }

    /// Waits until no session is established any more and the route is gone: long before the hold time is over.
    #[track_caller]
    fn down(&self) {
        let began = std::time::Instant::now();
        for number in 0..self.place.ends().len() {
            wait_for("end of a session", PATIENCE, || {
                let neighbor = self.shuntd.neighbor(&format!("n{number}"))?;
                if neighbor["state"] != "established" { Ok(()) } else { Err(neighbor.to_string()) }
            });
        }
        self.learned(false);
        let took = began.elapsed().as_millis();
        assert!(took < 3000, "the failure was noticed after {took} ms, as if by the hold time");
    }

    /// How many NOTIFICATIONs Cease/BFD Down (RFC 9384) we sent. Where both know graceful restart with RFC 8538, it goes
    /// within a Hard Reset, so that nothing is retained.
    #[track_caller]
    fn ceased(&self) -> usize {
        let ours: Vec<String> =
            self.place.ends().iter().map(|(ours, _)| super::watch::from(ours)).collect();
        let filter = format!(
            "bgp.type == 3 && bgp.notify.major_error == 6 && (bgp.notify.minor_error_cease == 10 || \
             (bgp.notify.minor_error_cease == 9 && bgp.notify.minor_data == 06:0a)) && \
             !tcp.analysis.retransmission && ({})",
            ours.join(" || ")
        );
        self.capture.fields(&filter, &["frame.number"]).len()
    }

    /// Nothing that we sent was malformed in tshark's eyes.
    #[track_caller]
    fn no_faults(&self) {
        for (ours, _) in self.place.ends() {
            let filter = format!(
                "{} && (bgp || bfd) && (_ws.malformed || _ws.expert.severity >= 8388608)",
                super::watch::from(ours)
            );
            let fields = ["frame.number", "_ws.col.Info", "_ws.expert.message"];
            assert_eq!(self.capture.fields(&filter, &fields), [""; 0]);
        }
    }
}

fn configuration(node: &Node, place: Where, more: &str) -> String {
    let mut text =
        "[node]\nname = \"edge1\"\nsite = \"dc1\"\nasn = 65000\nrouter-id = \"10.255.0.1\"\n\
                    own-prefixes = [\"198.51.100.0/24\"]\n"
            .to_owned();
    text.push_str(&shunt_profile(node, TIMERS, None));
    for (number, (ours, theirs)) in place.ends().iter().enumerate() {
        text.push_str(&format!(
            "\n[neighbor.n{number}]\naddress = \"{theirs}\"\nlocal-address = \"{ours}\"\nremote-as = 65001\nimport = \"all\"\n\
             export = \"none\"\nconnect-retry = \"1s\"\nbfd = \"fast\"\n{}{more}\n",
            if place == Where::FarAway { "multihop = 8\n" } else { "" },
        ));
    }
    text
}

mod failures {
    use super::*;

    #[track_caller]
    fn take_bgp_down<P: Watcher>(start: impl Fn(&Node, Speaker) -> P, place: Where) {
        let mut meeting = Meeting::new(start, place);
        let sessions = place.ends().len();
        // It stands still, and its kernel still acknowledges.
        meeting.there.freeze();
        meeting.down();
        wait_for("Cease/BFD Down", PATIENCE, || match meeting.ceased() {
            count if count >= sessions => Ok(()),
            count => Err(format!("{count}")),
        });
        meeting.there.thaw();
        meeting.up();
        meeting.watched();
        // Nothing passes, and no carrier tells.
        meeting.lan.cut("there");
        meeting.down();
        meeting.lan.mend();
        meeting.up();
        meeting.watched();
        meeting.peer.kill();
        meeting.down();
        meeting.peer.start();
        meeting.up();
        meeting.watched();
        // We stand still: the peer notices.
        meeting.shuntd.signal(Signal::SIGSTOP);
        for (ours, _) in place.ends() {
            wait_for("end of the session at the peer", PATIENCE, || {
                match meeting.peer.state(address(ours))? {
                    state if state == "Established" => Err(state),
                    _ => Ok(()),
                }
            });
        }
        meeting.shuntd.signal(Signal::SIGCONT);
        meeting.up();
        meeting.no_faults();
    }

    #[test]
    fn frr_on_the_link() {
        take_bgp_down(Frr::start, Where::Link);
    }

    #[test]
    fn bird_on_the_link() {
        take_bgp_down(Bird::start, Where::Link);
    }

    #[test]
    fn frr_far_away() {
        take_bgp_down(Frr::start, Where::FarAway);
    }

    #[test]
    fn bird_far_away() {
        take_bgp_down(Bird::start, Where::FarAway);
    }
}

/// The carrier of our own link.
#[test]
fn a_lost_carrier_takes_bgp_down() {
    let meeting = Meeting::new(Bird::start, Where::Link);
    meeting.lan.down("here");
    meeting.down();
    meeting.lan.up("here");
    meeting.here.wait_link_local("lan");
    meeting.up();
    meeting.watched();
}

/// The other side says that it does not want BFD any more (RFC 5882 §4.2).
#[test]
fn admin_down_is_no_failure() {
    let meeting = Meeting::new(Frr::start, Where::Link);
    meeting.peer.shut_bfd(true);
    let said = "bfd.sta == 0 && ip.src == 10.98.1.2";
    wait_for("AdminDown", PATIENCE, || match meeting.capture.fields(said, &["frame.number"]) {
        frames if frames.is_empty() => Err("none".to_owned()),
        _ => Ok(()),
    });
    let answered = "bfd.sta == 1 && ip.src == 10.98.1.1 && bfd.diag == 3";
    wait_for("Down", PATIENCE, || match meeting.capture.fields(answered, &["frame.number"]) {
        frames if frames.is_empty() => Err("none".to_owned()),
        _ => Ok(()),
    });
    meeting.up();
    meeting.peer.shut_bfd(false);
    meeting.watched();
    meeting.up();
    for number in 0..2 {
        let neighbor = meeting.shuntd.neighbor(&format!("n{number}")).unwrap();
        assert_eq!(neighbor["established_count"], 1, "{neighbor}");
    }
    assert_eq!(meeting.ceased(), 0);
}

/// How many BFD packets we have sent.
#[track_caller]
fn asked<P>(meeting: &Meeting<P>) -> usize {
    meeting.capture.fields("bfd && ip.src == 10.98.1.1", &["frame.number"]).len()
}

#[track_caller]
fn wait_asked<P>(meeting: &Meeting<P>, count: usize) {
    wait_for("BFD packets", PATIENCE, || match asked(meeting) {
        asked if asked >= count => Ok(()),
        asked => Err(format!("{asked} of {count}")),
    });
}

mod without_an_answer {
    use super::*;

    #[track_caller]
    fn nothing_is_held_back<P: Watcher>(start: impl Fn(&Node, Speaker) -> P) {
        let meeting = Meeting::with(start, Where::Link, "", None);
        meeting.up();
        wait_asked(&meeting, asked(&meeting) + 4);
        meeting.up();
        assert_eq!(meeting.ceased(), 0);
    }

    #[test]
    fn frr() {
        nothing_is_held_back(Frr::start);
    }

    #[test]
    fn bird() {
        nothing_is_held_back(Bird::start);
    }
}

mod strict {
    use super::*;

    /// Without BFD no session; with it there is one.
    #[track_caller]
    fn waits_for_bfd<P: Watcher>(start: impl Fn(&Node, Speaker) -> P) {
        let mut meeting = Meeting::with(start, Where::Link, "bfd-strict = true", None);
        // About as many seconds, in which the session would have come up.
        wait_asked(&meeting, 5);
        for number in 0..2 {
            let neighbor = meeting.shuntd.neighbor(&format!("n{number}")).unwrap();
            assert_eq!(neighbor["established_count"], 0, "{neighbor}");
        }
        meeting.peer.watch(TIMERS);
        meeting.watched();
        meeting.up();
        meeting.there.freeze();
        meeting.down();
        meeting.there.thaw();
        meeting.up();
    }

    /// Seconds from the return of BFD until both sessions are established. Slow BFD sends one packet a second, and the
    /// peers dial every two.
    const SOON: u64 = 15;

    /// Both have BFD, and its packets do not reach the peer at first. `ours`, `theirs`: who waits to be dialled.
    #[track_caller]
    fn begins_with_bfd<P: Watcher>(start: impl Fn(&Node, Speaker) -> P, ours: bool, theirs: bool) {
        let start = |node: &Node, mut speaker: Speaker| {
            node.lose("udp dport 3784");
            for session in &mut speaker.sessions {
                session.passive = theirs;
            }
            start(node, speaker)
        };
        let more = format!("bfd-strict = true\npassive = {ours}");
        let meeting = Meeting::with(start, Where::Link, &more, Some(TIMERS));
        wait_asked(&meeting, 5);
        if ours {
            let dialled = "tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == 10.98.1.2";
            wait_for("that the peer dials", PATIENCE, || {
                match meeting.capture.fields(dialled, &["frame.number"]).len() {
                    0 => Err("it does not".to_owned()),
                    _ => Ok(()),
                }
            });
        }
        for number in 0..2 {
            let neighbor = meeting.shuntd.neighbor(&format!("n{number}")).unwrap();
            assert_eq!(neighbor["established_count"], 0, "{neighbor}");
        }
        let healed = std::time::Instant::now();
        meeting.there.heal();
        meeting.up();
        let took = healed.elapsed();
        println!("established {took:?} after the first BFD packet");
        assert!(took.as_secs() < SOON, "{took:?}");
        // FRR then makes its BFD sessions anew, which takes a session down once more.
        meeting.watched();
        meeting.no_faults();
    }

    #[test]
    fn frr_that_waits() {
        begins_with_bfd(Frr::start, false, true);
    }

    #[test]
    fn bird_that_waits() {
        begins_with_bfd(Bird::start, false, true);
    }

    #[test]
    fn frr_that_is_waited_for() {
        begins_with_bfd(Frr::start, true, false);
    }

    #[test]
    fn bird_that_is_waited_for() {
        begins_with_bfd(Bird::start, true, false);
    }

    /// Its own times, after which it would dial again a minute later: we do not wait for that.
    #[test]
    fn bird_with_its_own_patience() {
        let options = "error wait time 60, 300; connect delay time 5; connect retry time 120;";
        let start = |node: &Node, speaker: Speaker| Bird::with(node, speaker, options);
        begins_with_bfd(start, false, false);
    }

    #[test]
    fn frr() {
        waits_for_bfd(Frr::start);
    }

    #[test]
    fn bird() {
        waits_for_bfd(Bird::start);
    }
}
