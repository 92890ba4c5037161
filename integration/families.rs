//! Both address families over one session, whichever of them carries it.

use crate::edge::{EDGE, ISP, SERVICE, UPSTREAM, address};
use crate::lab::{Bird, Capture, Net, PATIENCE, Peer, Session, Shuntd, Speaker, wait_for};

/// BIRD meets shuntd over one session of family number `carrier`. `ours` goes into shuntd's neighbour, `channel` is
/// BIRD's channel for the other family. Gives the next hops that BIRD shows for our prefixes, IPv4 and IPv6.
#[track_caller]
fn both_over(carrier: usize, ours: &str, channel: &str) -> [String; 2] {
    let (_net, edge, isp) = Net::pair("edge", "isp");
    let capture = Capture::start(&edge, "isp", "tcp port 179");
    let speaker = Speaker {
        asn: 65001,
        router_id: "10.99.0.2".parse().unwrap(),
        sessions: vec![Session {
            passive: true,
            ..Session::new(ISP[carrier], EDGE[carrier], 65000)
        }],
        networks: UPSTREAM.map(str::to_owned).into(),
    };
    let bird = Bird::with(&isp, speaker, channel);
    let shuntd = Shuntd::start(
        &edge,
        &format!(
            r#"
[node]
name = "edge1"
site = "dc1"
asn = 65000
router-id = "10.99.0.1"
own-prefixes = ["198.51.100.0/24", "2001:db8::/32"]

[group.payments]
prefixes = ["{}", "{}"]
base = {{ dc1 = "primary" }}

[neighbor.isp]
address = "{}"
remote-as = 65001
families = ["ipv4", "ipv6"]
import = "all"
export = "groups"
{ours}
"#,
            SERVICE[0], SERVICE[1], ISP[carrier]
        ),
    );
    let next_hops = SERVICE.map(|prefix| {
        wait_for(&format!("{prefix} at BIRD"), PATIENCE, || {
            bird.route(prefix)?.ok_or("no route".to_owned())
        })
        .next_hop
    });
    for prefix in UPSTREAM {
        wait_for(&format!("{prefix} at shuntd"), PATIENCE, || {
            let routes = shuntd.routes()?;
            if routes.iter().any(|route| route["prefix"] == prefix) {
                Ok(())
            } else {
                Err(format!("{routes:?}"))
            }
        });
    }
    assert_eq!(bird.state(address(EDGE[carrier])).unwrap(), "Established");
    assert_eq!(capture.faults(EDGE[carrier]), [""; 0]);
    next_hops
}

#[test]
fn ipv6_over_ipv4() {
    let next_hops = both_over(
        0,
        "next-hop-ipv6 = \"fd99::1\"",
        "ipv6 { import all; export where source = RTS_STATIC; next hop address fd99::2; };",
    );
    assert_eq!(next_hops, EDGE);
}

#[test]
fn ipv4_over_ipv6_with_a_configured_next_hop() {
    let next_hops = both_over(
        1,
        "next-hop-ipv4 = \"10.99.0.1\"",
        "ipv4 { import all; export where source = RTS_STATIC; next hop address 10.99.0.2; };",
    );
    assert_eq!(next_hops, EDGE);
}

/// RFC 8950: an IPv4 prefix with an IPv6 next hop.
#[test]
fn ipv4_over_ipv6_with_an_ipv6_next_hop() {
    let next_hops = both_over(
        1,
        "",
        "ipv4 { import all; export where source = RTS_STATIC; extended next hop on; };",
    );
    assert_eq!(next_hops, ["fd99::1"; 2]);
}
