//! Malformed attributes from one neighbour (ExaBGP, which can send any): RFC 7606 in the whole daemon.

use crate::edge::address;
use crate::lab::{Bird, Exabgp, Net, PATIENCE, Peer, Session, Shuntd, Speaker, wait_for};

const CONFIGURATION: &str = r#"
[node]
name = "edge1"
site = "dc1"
asn = 65000
router-id = "10.99.1.1"
own-prefixes = ["198.51.100.0/24"]

[neighbor.odd]
address = "10.99.1.2"
remote-as = 65001
passive = true
import = "all"
export = "none"

[neighbor.good]
address = "10.99.2.2"
remote-as = 65002
import = "none"
export = "transit"
"#;

fn speaker(asn: u32, link: u8, passive: bool) -> Speaker {
    let (local, remote) = (format!("10.99.{link}.2"), format!("10.99.{link}.1"));
    Speaker {
        asn,
        router_id: local.parse().unwrap(),
        sessions: vec![Session { passive, ..Session::new(&local, &remote, 65000) }],
        networks: Vec::new(),
    }
}

#[test]
fn no_other_neighbor_is_hurt() {
    let mut net = Net::new();
    let [edge, odd, good] = ["edge", "odd", "good"].map(|name| net.node(name));
    net.link(&edge, &odd, 1);
    net.link(&edge, &good, 2);
    let shuntd = Shuntd::start(&edge, CONFIGURATION);
    let exabgp = Exabgp::start(&odd, speaker(65001, 1, false));
    let bird = Bird::start(&good, speaker(65002, 2, true));
    for name in ["odd", "good"] {
        wait_for(&format!("session {name}"), PATIENCE, || {
            let neighbor = shuntd.neighbor(name)?;
            if neighbor["state"] == "established" { Ok(()) } else { Err(neighbor.to_string()) }
        });
    }

    // Each malformed announcement follows a good one of the same prefix, which it takes away (treat as withdraw).
    let malformed = [
        ("192.0.2.0/28", "attribute [ 0x04 0xc0 0x0000000a ]"), // MULTI_EXIT_DISC with the flags of a transitive attribute
        ("192.0.2.16/28", "attribute [ 0x04 0x80 0x00000a ]"),  // MULTI_EXIT_DISC of three octets
        ("192.0.2.32/28", "attribute [ 0x01 0x40 0x03 ]"),      // ORIGIN 3
        ("192.0.2.48/28", "attribute [ 0x08 0xc0 0x00000a ]"),  // COMMUNITIES of three octets
    ];
    for (prefix, _) in malformed {
        exabgp.order(&format!("announce route {prefix} next-hop self"));
    }
    for (prefix, _) in malformed {
        wait_for(&format!("{prefix} at BIRD"), PATIENCE, || {
            bird.route(prefix)?.ok_or("no route".to_owned())
        });
    }
    for (prefix, attribute) in malformed {
        exabgp.order(&format!("announce route {prefix} next-hop self {attribute}"));
    }
    // Behind them one with an attribute that nobody knows, optional and transitive: it goes through.
    exabgp.order("announce route 192.0.2.64/28 next-hop self attribute [ 0xf7 0xc0 0x0a0b ]");
    wait_for("route with an unknown attribute at BIRD", PATIENCE, || {
        let shown = bird.ask("show route for 192.0.2.64/28 all")?;
        let unknown = shown.lines().any(|line| line.contains("BGP.f7") && line.contains("0a 0b"));
        if unknown { Ok(()) } else { Err(shown) }
    });
    for (prefix, attribute) in malformed {
        wait_for(&format!("withdrawal of {prefix} with {attribute}"), PATIENCE, || {
            match bird.route(prefix)? {
                None => Ok(()),
                Some(seen) => Err(format!("{seen:?}")),
            }
        });
    }
    for name in ["odd", "good"] {
        let neighbor = shuntd.neighbor(name).unwrap();
        assert_eq!(
            (&neighbor["state"], &neighbor["established_count"]),
            (&"established".into(), &1.into())
        );
    }
    let neighbor = shuntd.neighbor("odd").unwrap();
    assert_eq!(neighbor["update_problems"], malformed.len(), "{neighbor}");
    assert_eq!(bird.state(address("10.99.2.1")).unwrap(), "Established");
}
