//! One neighbour misbehaves, with real sockets: the daemon answers as the RFCs say, names the fault, and nobody else
//! notices. `malformed.rs` has the attributes that make a route withdrawn.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::lab::{
    Bird, Capture, Exabgp, Net, Node, PATIENCE, Peer, Session, Shuntd, Speaker, wait_for,
};

/// shuntd, and the two sides of it.
const EDGE: u32 = 65000;
const ODD: u32 = 65001;
const GOOD: u32 = 65002;

const NODE: &str = r#"
[node]
name = "edge1"
site = "dc1"
asn = 65000
router-id = "10.99.1.1"
own-prefixes = ["198.51.100.0/24"]

[kernel]
install = false

[neighbor.good]
address = "10.99.2.2"
remote-as = 65002
import = "none"
export = "transit"
connect-retry = "1s"
"#;

/// A neighbour on link 1 that dials, and whose routes are taken.
fn odd(name: &str, address: &str, more: &str) -> String {
    format!(
        "\n[neighbor.{name}]\naddress = \"{address}\"\nremote-as = {ODD}\npassive = true\nimport = \"all\"\n{more}\n"
    )
}

fn good(node: &Node) -> Bird {
    let session = Session { passive: true, ..Session::new("10.99.2.2", "10.99.2.1", EDGE) };
    let router_id = "10.99.2.2".parse().unwrap();
    Bird::start(
        node,
        Speaker { asn: GOOD, router_id, sessions: vec![session], networks: Vec::new() },
    )
}

#[track_caller]
fn wait_state(shuntd: &Shuntd, name: &str, state: &str) {
    wait_for(&format!("{name} {state}"), PATIENCE, || {
        let neighbor = shuntd.neighbor(name)?;
        if neighbor["state"] == state { Ok(()) } else { Err(neighbor.to_string()) }
    });
}

/// The good neighbour's only session still stands, on both sides.
#[track_caller]
fn untouched(shuntd: &Shuntd, bird: &Bird) {
    let neighbor = shuntd.neighbor("good").unwrap();
    assert_eq!(neighbor["state"], "established", "{neighbor}");
    assert_eq!(neighbor["established_count"], 1, "{neighbor}");
    assert_eq!(neighbor["last_down"], "", "{neighbor}");
    assert_eq!(bird.state("10.99.2.1".parse().unwrap()).unwrap(), "Established");
}

#[track_caller]
fn bird_has(bird: &Bird, prefix: &str) {
    wait_for(&format!("{prefix} at BIRD"), PATIENCE, || {
        bird.route(prefix)?.map(drop).ok_or("no route".to_owned())
    });
}

#[track_caller]
fn bird_lacks(bird: &Bird, prefix: &str) {
    wait_for(&format!("withdrawal of {prefix} at BIRD"), PATIENCE, || {
        match bird.route(prefix)? {
            None => Ok(()),
            Some(seen) => Err(format!("{seen:?}")),
        }
    });
}

// --- A speaker of octets

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(19 + body.len()).unwrap().to_be_bytes());
    message.push(kind);
    message.extend(body);
    message
}

/// An OPEN with IPv4 unicast and four-octet AS numbers, version and all as given.
fn open(version: u8, asn: u16, hold_time: u16, id: [u8; 4]) -> Vec<u8> {
    let capabilities = [&[1, 4, 0, 1, 0, 1, 65, 4, 0, 0], &asn.to_be_bytes()[..]].concat();
    let length = u8::try_from(capabilities.len()).unwrap();
    let mut body = vec![version];
    body.extend(asn.to_be_bytes());
    body.extend(hold_time.to_be_bytes());
    body.extend(id);
    body.extend([length + 2, 2, length]);
    body.extend(capabilities);
    message(1, &body)
}

/// The OPEN that everyone sends; hold time 0, so that no timer gets in the way.
fn good_open() -> Vec<u8> {
    open(4, 65001, 0, [10, 99, 1, 2])
}

fn keepalive() -> Vec<u8> {
    message(4, &[])
}

/// An UPDATE from AS 65001 by way of 10.99.1.2, with more attributes as given.
fn update(nlri: &[u8], more: &[u8]) -> Vec<u8> {
    let origin = [0x40, 1, 1, 0];
    let as_path = [0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
    let next_hop = [0x40, 3, 4, 10, 99, 1, 2];
    let attributes = [&origin[..], &as_path, &next_hop, more].concat();
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    message(2, &[&[0, 0], &length[..], &attributes, nlri].concat())
}

/// 192.0.2.0/24.
const PREFIX: &[u8] = &[24, 192, 0, 2];

/// Connects from an address inside a node; the socket stays there.
fn connect(node: &Node, local: &str, remote: &str) -> std::io::Result<TcpStream> {
    let namespace = std::fs::File::open(format!("/run/netns/{}", node.namespace()))?;
    let [local, remote]: [SocketAddr; 2] =
        [format!("{local}:0"), format!("{remote}:179")].map(|text| text.parse().unwrap());
    let dial = move || {
        nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET)?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&local.into())?;
        socket.connect(&remote.into())?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(TcpStream::from(socket))
    };
    // A thread's namespace is its own.
    std::thread::spawn(dial).join().unwrap()
}

/// The next message, its type and its body; `None` at the end of the connection.
fn receive(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 19];
    stream.read_exact(&mut head).ok()?;
    let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
    let mut body = vec![0; length - 19];
    stream.read_exact(&mut body).ok()?;
    Some((head[18], body))
}

/// Opens a session as it should be.
#[track_caller]
fn establish(node: &Node, local: &str, remote: &str) -> TcpStream {
    let mut stream = connect(node, local, remote).unwrap();
    stream.write_all(&good_open()).unwrap();
    assert_eq!(receive(&mut stream).unwrap().0, 1);
    stream.write_all(&keepalive()).unwrap();
    assert_eq!(receive(&mut stream).unwrap().0, 4);
    stream
}

/// edge with links 1 to `odd` and 2 to `good`.
fn net() -> (Net, Node, Node, Node) {
    let mut net = Net::new();
    let [edge, odd, good] = ["edge", "odd", "good"].map(|name| net.node(name));
    net.link(&edge, &odd, 1);
    net.link(&edge, &good, 2);
    (net, edge, odd, good)
}

#[test]
fn octets_may_come_one_by_one_or_all_at_once() {
    let (_net, edge, node, good_node) = net();
    node.address("edge", "10.99.1.3/24");
    let config = [NODE, &odd("slow", "10.99.1.2", ""), &odd("hasty", "10.99.1.3", "")].concat();
    let shuntd = Shuntd::start(&edge, &config);
    let bird = good(&good_node);
    wait_state(&shuntd, "good", "established");

    let mut slow = connect(&node, "10.99.1.2", "10.99.1.1").unwrap();
    let capture = Capture::start(&node, "edge", "tcp dst port 179 and src host 10.99.1.2");
    let all = [good_open(), keepalive(), update(PREFIX, &[])].concat();
    for octet in &all {
        slow.write_all(&[*octet]).unwrap();
        // A pace at which TCP does not put them together again; nothing waits for this.
        std::thread::sleep(Duration::from_millis(1));
    }
    wait_state(&shuntd, "slow", "established");
    bird_has(&bird, "192.0.2.0/24");
    wait_for("segments of one octet", PATIENCE, || {
        let segments = capture.fields("tcp.len == 1", &["frame.number"]).len();
        if segments > all.len() / 2 { Ok(()) } else { Err(format!("{segments} of {}", all.len())) }
    });

    // Everything before a word of the other side was read.
    let mut hasty = connect(&node, "10.99.1.3", "10.99.1.1").unwrap();
    let mut open = good_open();
    open[27] = 3;
    let all = [open, keepalive(), update(&[24, 192, 0, 3], &[])].concat();
    hasty.write_all(&all).unwrap();
    wait_state(&shuntd, "hasty", "established");
    bird_has(&bird, "192.0.3.0/24");

    for name in ["slow", "hasty"] {
        let neighbor = shuntd.neighbor(name).unwrap();
        assert_eq!(neighbor["prefixes_received"], 1, "{neighbor}");
        assert_eq!(neighbor["established_count"], 1, "{neighbor}");
    }
    drop((slow, hasty));
    bird_lacks(&bird, "192.0.2.0/24");
    bird_lacks(&bird, "192.0.3.0/24");
    untouched(&shuntd, &bird);
}

/// What a neighbour does wrong and what it is told.
struct Fault {
    /// Within an established session that has announced 192.0.2.0/24; otherwise instead of an OPEN.
    established: bool,
    octets: Vec<u8>,
    code: u8,
    subcode: u8,
    /// The NOTIFICATION's data, if that is fixed.
    data: Option<Vec<u8>>,
    /// What `shunt neighbors` says.
    words: &'static str,
}

fn faults() -> Vec<Fault> {
    let fault = |established, octets: &[u8], code, subcode, data: Option<&[u8]>, words| Fault {
        established,
        octets: octets.to_vec(),
        code,
        subcode,
        data: data.map(<[u8]>::to_vec),
        words,
    };
    let header = |length: u16, kind: u8| [&[0xff; 16][..], &length.to_be_bytes(), &[kind]].concat();
    let id = [10, 99, 1, 2];
    let beyond_end = {
        let mut open = good_open();
        // The capability list says it is longer than the OPEN is.
        let at = open.len() - 13;
        open[at] += 1;
        open
    };
    let attributes_beyond_end = message(2, &[0, 0, 0, 200, 0x40, 1, 1, 0]);
    let well_known = [0x40, 200, 1, 7];
    vec![
        fault(false, b"GET / HTTP/1.1\r\nHost: 10.99.1.1\r\n\r\n", 1, 1, None, "Not Synchronized"),
        fault(false, &[0; 64], 1, 1, None, "Not Synchronized"),
        fault(false, &header(18, 4), 1, 2, Some(&[0, 18]), "Bad Message Length"),
        fault(false, &header(4097, 1), 1, 2, Some(&[16, 1]), "Bad Message Length"),
        fault(false, &header(65535, 2), 1, 2, Some(&[255, 255]), "Bad Message Length"),
        fault(false, &message(4, &[0]), 1, 2, Some(&[0, 20]), "Bad Message Length"),
        fault(false, &header(19, 77), 1, 3, Some(&[77]), "Bad Message Type"),
        fault(false, &open(3, 65001, 90, id), 2, 1, Some(&[0, 4]), "Unsupported Version"),
        fault(false, &open(4, 65009, 90, id), 2, 2, None, "Bad Peer AS"),
        fault(false, &open(4, 65001, 90, [0; 4]), 2, 3, None, "Bad BGP Identifier"),
        fault(false, &open(4, 65001, 2, id), 2, 6, None, "Unacceptable Hold Time"),
        fault(false, &beyond_end, 2, 0, None, "OPEN"),
        // RFC 6608: the subcode names the state.
        fault(false, &keepalive(), 5, 1, None, "OpenSent"),
        fault(false, &update(PREFIX, &[]), 5, 1, None, "OpenSent"),
        fault(true, &good_open(), 5, 3, None, "Established"),
        fault(true, &header(4097, 2), 1, 2, Some(&[16, 1]), "Bad Message Length"),
        fault(true, &attributes_beyond_end, 3, 1, None, "Malformed Attribute List"),
        fault(true, &update(&[33, 192, 0, 2, 0, 0], &[]), 3, 10, None, "Invalid Network Field"),
        fault(
            true,
            &update(PREFIX, &well_known),
            3,
            2,
            Some(&well_known),
            "Unrecognized Well-known Attribute",
        ),
    ]
}

#[test]
fn garbage_is_answered_by_its_name() {
    let (_net, edge, node, good_node) = net();
    let faults = faults();
    let mut config = NODE.to_owned();
    // Each from a neighbour of its own: after a fault one has to wait.
    let address = |number: usize| format!("10.99.1.{}", number + 10);
    for number in 0..faults.len() {
        node.address("edge", &format!("{}/24", address(number)));
        config.push_str(&odd(&format!("odd{number}"), &address(number), ""));
    }
    let shuntd = Shuntd::start(&edge, &config);
    let bird = good(&good_node);
    wait_state(&shuntd, "good", "established");
    for (number, fault) in faults.iter().enumerate() {
        let what = format!("fault {number}, {}", fault.words);
        let mut stream = if fault.established {
            let mut stream = establish(&node, &address(number), "10.99.1.1");
            stream.write_all(&update(PREFIX, &[])).unwrap();
            bird_has(&bird, "192.0.2.0/24");
            stream
        } else {
            connect(&node, &address(number), "10.99.1.1").unwrap()
        };
        stream.write_all(&fault.octets).unwrap();
        let body = loop {
            match receive(&mut stream) {
                Some((3, body)) => break body,
                Some(_) => {}
                None => panic!("{what}: the connection ended without a NOTIFICATION"),
            }
        };
        assert_eq!(body[..2], [fault.code, fault.subcode], "{what}: {body:?}");
        if let Some(data) = &fault.data {
            assert_eq!(body[2..], data[..], "{what}");
        }
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "{what}: something after the NOTIFICATION");
        let name = format!("odd{number}");
        wait_for(&format!("words for {what}"), PATIENCE, || {
            let neighbor = shuntd.neighbor(&name)?;
            let key = if fault.established { "last_down" } else { "last_error" };
            let down = neighbor[key].as_str().unwrap_or_default();
            if down.contains(fault.words) { Ok(()) } else { Err(neighbor.to_string()) }
        });
        if fault.established {
            bird_lacks(&bird, "192.0.2.0/24");
        }
    }
    untouched(&shuntd, &bird);
}

#[test]
fn attributes_are_dropped_or_passed_on_as_their_flags_say() {
    let (_net, edge, odd_node, good_node) = net();
    let config = [NODE, &odd("odd", "10.99.1.2", "")].concat();
    let shuntd = Shuntd::start(&edge, &config);
    let capture = Capture::start(&edge, "good", "tcp port 179");
    let bird = good(&good_node);
    let exabgp = Exabgp::start(
        &odd_node,
        Speaker {
            asn: ODD,
            router_id: "10.99.1.2".parse().unwrap(),
            sessions: vec![Session::new("10.99.1.2", "10.99.1.1", EDGE)],
            networks: Vec::new(),
        },
    );
    wait_state(&shuntd, "odd", "established");
    wait_state(&shuntd, "good", "established");

    // Attribute, its code, and the name under which it is complained about, if it is.
    let dropped = [
        ("[ 0x06 0x40 0x01 ]", 6, "ATOMIC_AGGREGATE"), // of one octet
        ("[ 0x07 0xc0 0x00000a0a0a0a0a ]", 7, "AGGREGATOR"), // of seven octets
        ("[ 0x09 0x80 0x0a000001 ]", 9, "ORIGINATOR_ID"), // the same
        ("[ 0x0a 0x80 0x0a000001 ]", 10, "CLUSTER_LIST"), // the same
        ("[ 0xf8 0x80 0x0a0b ]", 0xf8, ""),            // unknown, optional, not transitive
    ];
    let passed = [
        ("[ 0xf7 0xc0 0x0a0b ]", 0xf7), // unknown, optional, transitive
        ("[ 0xf9 0xe0 0x0c ]", 0xf9),   // the same, and somebody before us did not know it either
    ];
    let withdrawn = [
        ("[ 0x10 0xc0 0x00020000000a00 ]", "EXTENDED_COMMUNITIES"), // of seven octets
        ("[ 0x20 0xc0 0x0000000a0000000a000000 ]", "LARGE_COMMUNITY"), // of eleven octets
        ("[ 0x23 0xc0 0x000001 ]", "OTC"),                          // of three octets
        ("[ 0x08 0xc0 0x00000a ]", "COMMUNITIES"),                  // of three octets
    ];
    let mut attributes = Vec::new();
    attributes.extend(dropped.map(|(attribute, ..)| attribute));
    attributes.extend(passed.map(|(attribute, _)| attribute));
    attributes.extend(withdrawn.map(|(attribute, _)| attribute));
    let prefix = |number: usize| format!("192.0.2.{}/28", number * 16);
    for (number, attribute) in attributes.iter().enumerate() {
        exabgp.order(&format!(
            "announce route {} next-hop self attribute {attribute}",
            prefix(number)
        ));
    }
    // Behind them all, one that is in order.
    exabgp.order("announce route 203.0.113.0/24 next-hop self");
    bird_has(&bird, "203.0.113.0/24");
    let come_through = dropped.len() + passed.len();
    for number in 0..come_through {
        bird_has(&bird, &prefix(number));
    }
    for (number, attribute) in attributes.iter().enumerate().skip(come_through) {
        assert_eq!(bird.route(&prefix(number)).unwrap(), None, "{attribute}");
    }

    // What is on the wire: dropped attributes are gone, the others are as they came, marked as partial.
    let updates = wait_for("all UPDATEs in the capture", PATIENCE, || {
        let updates = capture.updates("10.99.2.1");
        let count: usize = updates.iter().map(|update| update.announced.len()).sum();
        if count == come_through + 1 { Ok(updates) } else { Err(format!("{updates:?}")) }
    });
    let attribute = |number: usize, code: u8| {
        let prefix = prefix(number);
        let update = updates.iter().find(|update| update.announced.contains(&prefix));
        update.expect("the prefix was sent").attributes.get(&code).cloned()
    };
    for (number, (text, code, _)) in dropped.iter().enumerate() {
        assert_eq!(attribute(number, *code), None, "{text}");
    }
    for (number, (text, code)) in passed.iter().enumerate() {
        let sent = attribute(dropped.len() + number, *code).expect("it is passed on");
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["bgp.update.path_attribute.flags"], "0xe0", "{text}: {sent}");
    }
    assert_eq!(capture.faults("10.99.2.1"), [""; 0]);

    // Every complaint names the attribute; the session goes on.
    let neighbor = shuntd.neighbor("odd").unwrap();
    let complained = dropped.iter().map(|(.., name)| *name).filter(|name| !name.is_empty());
    let complained: Vec<&str> = complained.chain(withdrawn.map(|(_, name)| name)).collect();
    assert_eq!(neighbor["update_problems"], complained.len(), "{neighbor}");
    let problems: Vec<&str> =
        neighbor["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for name in &complained {
        assert!(problems.iter().any(|problem| problem.contains(name)), "{name} in {problems:?}");
    }
    let shown = shuntd.order(&["neighbors", "odd"]);
    assert!(shown.contains("LARGE_COMMUNITY"), "{shown}");
    assert_eq!(neighbor["state"], "established");
    assert_eq!(neighbor["established_count"], 1);
    untouched(&shuntd, &bird);
}

/// Routes that are announced to a neighbour that does not read, each with attributes of its own.
const ROUTES: u32 = 100_000;
/// Resident memory of the daemon with them, in octets. Measured: see the printed line.
const MEMORY: u64 = 300 << 20;

#[test]
fn a_neighbor_that_does_not_read_holds_up_nobody() {
    let (mut net, edge, deaf_node, good_node) = net();
    let feed_node = net.node("feed");
    net.link(&edge, &feed_node, 3);
    let config = format!(
        r#"{NODE}
[neighbor.deaf]
address = "10.99.1.2"
remote-as = {ODD}
passive = true
import = "none"
export = "transit"
hold-time = "0s"
send-hold-time = "15s"

[neighbor.feed]
address = "10.99.3.2"
remote-as = {ODD}
passive = true
import = "all"
export = "none"
"#
    );
    let shuntd = Shuntd::start(&edge, &config);
    let bird = good(&good_node);
    wait_state(&shuntd, "good", "established");
    let deaf = establish(&deaf_node, "10.99.1.2", "10.99.1.1");
    wait_state(&shuntd, "deaf", "established");

    let mut feed = establish(&feed_node, "10.99.3.2", "10.99.3.1");
    let start = Instant::now();
    let announcer = std::thread::spawn(move || {
        let mut all = Vec::new();
        for route in 0..ROUTES {
            let [_, a, b, c] = route.to_be_bytes();
            // COMMUNITIES: sixty of them, the first one unlike any other route's. All routes together are more than
            // the write queue and the buffers of TCP hold.
            let mut communities = vec![0xc0, 8, 240, 1, a, b, c];
            communities.extend([0xfd, 0xe9, 0, 1].repeat(59));
            all.extend(update(&[32, 20 + a, b, c, 1], &communities));
        }
        feed.write_all(&all).unwrap();
        feed
    });
    let mut most = 0;
    wait_for("all routes at BIRD", Duration::from_secs(180), || {
        most = most.max(shuntd.resident());
        let shown = bird.ask("show route count")?;
        if shown.contains(&format!("Total: {ROUTES} of {ROUTES} routes")) {
            Ok(())
        } else {
            Err(shown)
        }
    });
    println!("all {ROUTES} routes at BIRD after {:?}", start.elapsed());
    wait_for("end of the deaf session", PATIENCE, || {
        most = most.max(shuntd.resident());
        let neighbor = shuntd.neighbor("deaf")?;
        let down = neighbor["last_down"].as_str().unwrap_or_default();
        if down.contains("Send Hold Timer Expired") { Ok(()) } else { Err(neighbor.to_string()) }
    });
    // Not for want of memory: what waits for it is limited long before.
    println!("deaf session ended after {:?}, at most {} MiB resident", start.elapsed(), most >> 20);
    assert!(most < MEMORY, "{most} octets resident");
    let neighbor = shuntd.neighbor("feed").unwrap();
    assert_eq!(neighbor["prefixes_received"], ROUTES, "{neighbor}");
    assert_eq!(neighbor["established_count"], 1, "{neighbor}");
    untouched(&shuntd, &bird);
    drop(deaf);

    // The feed goes; BIRD is told of every route.
    drop(announcer.join().unwrap());
    // Meanwhile the daemon goes on answering: it is seen in the middle of it.
    let mut seen = Vec::new();
    wait_for("withdrawal of all at BIRD", PATIENCE, || {
        for _ in 0..5 {
            seen.push(shuntd.neighbor("good")?["prefixes_sent"].as_u64().unwrap_or(0));
        }
        let shown = bird.ask("show route count")?;
        if shown.contains("Total: 0 of 0 routes") { Ok(()) } else { Err(shown) }
    });
    println!("routes of BIRD seen during the withdrawal: {seen:?}");
    assert!(seen.iter().any(|count| (1..u64::from(ROUTES)).contains(count)), "{seen:?}");
    untouched(&shuntd, &bird);
}
