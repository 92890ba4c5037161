//! BMP: what a real collector hears of sessions and tables, and what Wireshark says of the octets.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::lab::{Bird, Capture, Net, PATIENCE, Peer, Pmbmpd, Session, Shuntd, Speaker, wait_for};

const EDGE: u32 = 64500;
const ISP: u32 = 64501;
const FED: [&str; 3] = ["203.0.113.0/24", "198.18.0.0/15", "2001:db8:900::/40"];
const SERVICE: [&str; 2] = ["198.51.100.7/32", "2001:db8:7::1/128"];
/// BIRD's addresses, by which its sessions go.
const BIRD: [&str; 2] = ["10.99.1.2", "fd99:1::2"];

fn configuration() -> String {
    let mut text = format!(
        r#"
[node]
name = "edge1"
site = "dc1"
asn = {EDGE}
router-id = "10.99.1.1"
own-prefixes = ["198.51.100.0/24", "2001:db8:7::/48"]

[kernel]
install = false

[group.payments]
prefixes = ["{}", "{}"]
base = {{ dc1 = "primary" }}

[bmp.archive]
address = "10.99.2.2"
monitor = ["in-post", "out-post", "loc-rib"]
"#,
        SERVICE[0], SERVICE[1]
    );
    for (name, address) in ["isp4", "isp6"].into_iter().zip(BIRD) {
        text += &format!(
            "\n[neighbor.{name}]\naddress = \"{address}\"\nremote-as = {ISP}\nconnect-retry = \"1s\"\n\
             hold-time = \"9s\"\ngraceful-restart = \"off\"\nimport = \"all\"\nexport = \"groups\"\n"
        );
    }
    text
}

/// Routes by table, peer and prefix; how far it is, their AS path and MED.
type Tables = BTreeMap<String, String>;

/// What a collector knows that has heard this, since it was last connected to.
fn known(heard: &[Value]) -> Tables {
    let mut tables = Tables::new();
    for event in heard {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let is = |key: &str| event[key].as_u64() == Some(1);
        let peer = text("peer_ip");
        match (text("event_type").as_str(), text("bmp_msg_type").as_str()) {
            ("log_init", _) => tables.clear(),
            (_, "peer_down") => tables.retain(|key, _| !key.contains(&format!(" {peer} "))),
            (_, "route_monitor") => {
                let table = match (is("is_loc"), is("is_out"), is("is_in") && is("is_post")) {
                    (true, false, false) => "loc",
                    (false, true, false) => "out",
                    (false, false, true) => "in",
                    other => panic!("{other:?}: {event}"),
                };
                let key = format!("{table} {peer} {}", text("ip_prefix"));
                match text("log_type").as_str() {
                    "update" => {
                        let med = event["med"].as_u64().unwrap_or(0);
                        tables.insert(key, format!("{} {med}", text("as_path")));
                    }
                    "withdraw" => assert!(tables.remove(&key).is_some(), "{key} was not there"),
                    // The end of the first transmission of a table.
                    _ => {}
                }
            }
            _ => {}
        }
    }
    tables
}

/// With the service announced at this MED, or not, and BIRD there, or not.
fn expected(med: Option<u32>, bird: bool) -> Tables {
    let mut tables = Tables::new();
    let mut add = |table: &str, peer: &str, prefix: &str, path: String| {
        tables.insert(format!("{table} {peer} {prefix}"), path);
    };
    for prefix in FED.into_iter().filter(|_| bird) {
        add("in", BIRD[usize::from(prefix.contains(':'))], prefix, format!("{ISP} 0"));
        add("loc", "0.0.0.0", prefix, format!("{ISP} 0"));
    }
    for (prefix, peer) in SERVICE.into_iter().zip(BIRD) {
        let Some(med) = med else { break };
        add("loc", "0.0.0.0", prefix, " 0".to_owned());
        if bird {
            add("out", peer, prefix, format!("{EDGE} {med}"));
        }
    }
    tables
}

#[test]
fn pmbmpd_hears_of_sessions_and_tables() {
    let mut net = Net::new();
    let (edge, isp, archive) = (net.node("edge"), net.node("isp"), net.node("archive"));
    net.link(&edge, &isp, 1);
    net.link(&edge, &archive, 2);
    let mut capture = Capture::start(&edge, "archive", "tcp port 11019");
    let sessions = BIRD
        .into_iter()
        .zip(["10.99.1.1", "fd99:1::1"])
        .map(|(local, remote)| Session { passive: true, ..Session::new(local, remote, EDGE) });
    let speaker = Speaker {
        asn: ISP,
        router_id: "10.99.1.2".parse().unwrap(),
        sessions: sessions.collect(),
        networks: FED.map(str::to_owned).into(),
    };
    let mut bird = Bird::start(&isp, speaker);
    let mut pmbmpd = Pmbmpd::start(&archive);
    let mut shuntd = Shuntd::start(&edge, &configuration());
    let knows = |pmbmpd: &mut Pmbmpd, what: &str, wanted: Tables| {
        wait_for(what, PATIENCE, || match known(&pmbmpd.heard()?) {
            tables if tables == wanted => Ok(()),
            tables => Err(format!("{tables:#?}")),
        });
    };
    knows(&mut pmbmpd, "the tables", expected(Some(55), true));
    shuntd.order(&["prefer", "payments", "standby"]);
    knows(&mut pmbmpd, "another preference", expected(Some(155), true));
    shuntd.order(&["withdraw", "payments"]);
    knows(&mut pmbmpd, "no announcement", expected(None, true));
    shuntd.order(&["release", "payments"]);
    bird.kill();
    knows(&mut pmbmpd, "the end of the sessions", expected(Some(55), false));
    bird.start();
    knows(&mut pmbmpd, "the sessions again", expected(Some(55), true));

    // Another life of the collector begins with nothing.
    pmbmpd.kill();
    wait_for("warning", PATIENCE, || {
        let status = shuntd.ask(&["status"])?;
        let is_told = status.contains("collector archive is not connected");
        if is_told { Ok(()) } else { Err(status) }
    });
    let mut pmbmpd = Pmbmpd::start(&archive);
    knows(&mut pmbmpd, "the tables in another life", expected(Some(55), true));
    let status = shuntd.json(&["status"]).unwrap();
    assert_eq!(status["collectors"][0]["connected"], true);
    shuntd.signal(Signal::SIGTERM);
    wait_for("the last word", PATIENCE, || match pmbmpd.heard()?.last() {
        Some(last) if last["event_type"] == "log_close" => Ok(()),
        last => Err(format!("{last:?}")),
    });
    shuntd.stop();

    capture.stop();
    let types = capture.decoded("tcp.port==11019,bmp", "bmp", &["bmp.type"]);
    let types: Vec<&str> = types.iter().flat_map(|types| types.split(',')).collect();
    for (number, what) in
        [("0", "routes"), ("2", "down"), ("3", "up"), ("4", "begin"), ("5", "end")]
    {
        assert!(types.contains(&number), "no message of type {number} ({what}): {types:?}");
    }
    let faulty = "bmp && (_ws.malformed || _ws.expert.severity >= 6291456) && !tcp.analysis.flags";
    let fields = ["_ws.expert.message", "bmp.type", "bmp.peer.type"];
    for fault in capture.decoded("tcp.port==11019,bmp", faulty, &fields) {
        // tshark 4.0 takes the name of the table behind the OPENs of Loc-RIB (RFC 9069 §4.4) for one more message of BGP.
        // pmbmpd reads it. There is nothing else in these frames but the beginning, and nothing else is wrong.
        let [fault, kinds, peers] = fault.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{fault}")
        };
        assert_eq!(fault, "Malformed Packet (Exception occurred)");
        assert!(kinds.starts_with("4,3") && peers.starts_with('3'), "{kinds} {peers}");
    }
}
