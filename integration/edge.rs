//! The usual scene: an edge node with shuntd, AS 65000, and one ISP, AS 65001, with a session per address family.

use std::net::IpAddr;

use crate::lab::{Capture, Net, Node, PATIENCE, Peer, Seen, Session, Shuntd, Speaker, wait_for};

/// shuntd's addresses, IPv4 and IPv6.
pub const EDGE: [&str; 2] = ["10.99.0.1", "fd99::1"];
/// The ISP's addresses.
pub const ISP: [&str; 2] = ["10.99.0.2", "fd99::2"];
/// shuntd's names for the sessions with the ISP.
pub const NEIGHBORS: [&str; 2] = ["isp4", "isp6"];
/// The prefixes of group `payments`.
pub const SERVICE: [&str; 2] = ["198.51.100.7/32", "2001:db8:7::1/128"];
/// What the ISP announces.
pub const UPSTREAM: [&str; 2] = ["192.0.2.0/24", "2001:db8:ffff::/48"];

/// How the two are to meet.
#[derive(Clone, Copy, Default)]
pub struct Meeting {
    /// shuntd waits and the ISP dials; otherwise the other way round.
    pub edge_waits: bool,
    pub md5: bool,
    pub gtsm: bool,
}

pub struct Edge<P> {
    pub shuntd: Shuntd,
    pub isp: P,
    pub capture: Capture,
    /// Where shuntd runs.
    pub node: Node,
    /// Where the ISP runs.
    pub isp_node: Node,
    /// Last, so that it goes last.
    _net: Net,
}

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const SECRET: &str = "open sesame";

/// shuntd's configuration; `more` goes into every neighbour's table.
pub fn configuration(meeting: Meeting, more: &str) -> String {
    let mut text = format!(
        r#"
[node]
name = "edge1"
site = "dc1"
asn = 65000
router-id = "10.99.0.1"
own-prefixes = ["198.51.100.0/24", "2001:db8::/32"]

[mapping.isp]
primary = {{ med = 0 }}
standby = {{ med = 100, prepend = 2, communities = ["65000:100"], large-communities = ["65000:1:100"] }}
drain = {{ med = 200, prepend = 3, communities = ["graceful-shutdown"] }}

[group.payments]
prefixes = ["{}", "{}"]
base = {{ dc1 = "primary", dc2 = "standby" }}
"#,
        SERVICE[0], SERVICE[1]
    );
    for (name, remote) in NEIGHBORS.iter().zip(ISP) {
        text.push_str(&format!(
            "\n[neighbor.{name}]\naddress = \"{remote}\"\nremote-as = 65001\nclass = \"isp\"\nimport = \"all\"\n\
             export = \"groups\"\nhold-time = \"9s\"\nconnect-retry = \"1s\"\npassive = {}\n{}{}{more}\n",
            meeting.edge_waits,
            if meeting.md5 { "password-file = \"isp.secret\"\n" } else { "" },
            if meeting.gtsm { "ttl-security = 1\n" } else { "" },
        ));
    }
    text
}

/// The ISP's side of the same.
fn speaker(meeting: Meeting) -> Speaker {
    let session = |family: usize| Session {
        passive: !meeting.edge_waits,
        password: meeting.md5.then(|| SECRET.replace(' ', "-")),
        gtsm: meeting.gtsm,
        ..Session::new(ISP[family], EDGE[family], 65000)
    };
    Speaker {
        asn: 65001,
        router_id: "10.99.0.2".parse().unwrap(),
        sessions: vec![session(0), session(1)],
        networks: UPSTREAM.map(str::to_owned).into(),
    }
}

impl<P: Peer> Edge<P> {
    /// Starts the capture, then the side that waits, then the one that dials; returns when both sessions are up.
    #[track_caller]
    pub fn meet(start: impl Fn(&Node, Speaker) -> P, meeting: Meeting) -> Edge<P> {
        let (net, edge, isp_node) = Net::pair("edge", "isp");
        let capture = Capture::start(&edge, "isp", "tcp port 179");
        let secret = edge.write("isp.secret", &format!("{}\n", SECRET.replace(' ', "-")));
        std::fs::set_permissions(secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let ours = || Shuntd::start(&edge, &configuration(meeting, ""));
        let theirs = || start(&isp_node, speaker(meeting));
        let (shuntd, isp) = if meeting.edge_waits {
            let shuntd = ours();
            (shuntd, theirs())
        } else {
            let isp = theirs();
            (ours(), isp)
        };
        let edge = Edge { shuntd, isp, capture, node: edge, isp_node, _net: net };
        edge.established();
        edge
    }

    /// Waits until both sides call both sessions established.
    #[track_caller]
    pub fn established(&self) {
        for (name, ours) in NEIGHBORS.iter().zip(EDGE) {
            wait_for(&format!("established session {name}"), PATIENCE, || {
                let neighbor = self.shuntd.neighbor(name)?;
                if neighbor["state"] == "established" { Ok(()) } else { Err(neighbor.to_string()) }
            });
            wait_for(
                &format!("established session with {ours} at the ISP"),
                PATIENCE,
                || match self.isp.state(address(ours))? {
                    state if state == "Established" => Ok(()),
                    state => Err(state),
                },
            );
        }
    }

    /// Waits until a session has left the state established at shuntd, and gives what it shows then.
    #[track_caller]
    pub fn down(&self, name: &str) -> serde_json::Value {
        wait_for(&format!("end of session {name}"), PATIENCE, || {
            let neighbor = self.shuntd.neighbor(name)?;
            if neighbor["state"] != "established" {
                Ok(neighbor)
            } else {
                Err(neighbor.to_string())
            }
        })
    }

    /// Waits until the ISP's best route for a prefix is the one that `wanted` accepts.
    #[track_caller]
    pub fn isp_sees(&self, prefix: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        wait_for(&format!("wanted route {prefix} at the ISP"), PATIENCE, || {
            match self.isp.route(prefix)? {
                Some(seen) if wanted(&seen) => Ok(seen),
                other => Err(format!("{other:?}")),
            }
        })
    }

    #[track_caller]
    pub fn isp_lacks(&self, prefix: &str) {
        wait_for(&format!("withdrawal of {prefix} at the ISP"), PATIENCE, || {
            match self.isp.route(prefix)? {
                None => Ok(()),
                Some(seen) => Err(format!("{seen:?}")),
            }
        });
    }

    /// Waits until shuntd has the prefix from the ISP, or has it no more.
    #[track_caller]
    pub fn learned(&self, prefix: &str, present: bool) {
        wait_for(&format!("route {prefix} to be present: {present}"), PATIENCE, || {
            let routes = self.shuntd.routes()?;
            let found = routes.iter().any(|route| route["prefix"] == prefix);
            if found == present { Ok(()) } else { Err(format!("{routes:?}")) }
        });
    }

    /// Nothing that shuntd sent was malformed in tshark's eyes.
    #[track_caller]
    pub fn no_faults(&self) {
        for ours in EDGE {
            assert_eq!(self.capture.faults(ours), [""; 0]);
        }
    }
}

/// Makes one test of the current module per peer, each named after it, from a function over how the peer is started.
macro_rules! every_peer {
    ($scenario:ident) => {
        #[test]
        fn frr() {
            $scenario(crate::lab::Frr::start);
        }

        #[test]
        fn bird() {
            $scenario(crate::lab::Bird::start);
        }

        #[test]
        fn gobgp() {
            $scenario(crate::lab::Gobgp::start);
        }

        #[test]
        fn openbgpd() {
            $scenario(crate::lab::Openbgpd::start);
        }

        #[test]
        fn exabgp() {
            $scenario(crate::lab::Exabgp::start);
        }
    };
}
pub(crate) use every_peer;
