//! What other implementations sent as virtual routers: what another decoder says stands in an advertisement is what we
//! say, and what we write from it has the same octets; the frames around it, and those that announce an address, are like
//! ours. Sources: tests/data/vrrp/README.md.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;
use shunt::types::Mac;
use shunt::wire::ethernet::{self, Frame};
use shunt::wire::vrrp::{Advertisement, Checksum, Malformed, Version};
use shunt::wire::{arp, neighbor_discovery};
use smallvec::SmallVec;

const FILES: [&str; 2] = ["advertisements.json", "tcpdump.json"];

struct Row {
    from: String,
    /// From the Ethernet destination on.
    frame: Vec<u8>,
    /// `field=value` as tshark has them.
    says: Vec<String>,
}

/// What is inside of a frame.
struct Datagram<'a> {
    source: IpAddr,
    destination: IpAddr,
    payload: &'a [u8],
}

fn load(file: &str) -> Vec<Row> {
    let path = format!("{}/tests/data/vrrp/{file}", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| Row {
            from: text(&row["from"]),
            frame: octets(row["frame"].as_str().unwrap()),
            says: row["says"].as_array().unwrap().iter().map(text).collect(),
        })
        .collect()
}

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn number(octets: &[u8]) -> usize {
    usize::from(u16::from_be_bytes(octets.try_into().unwrap()))
}

fn ipv6(octets: &[u8]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap()))
}

fn ipv4(octets: &[u8]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).unwrap()))
}

fn source_mac(frame: &[u8]) -> Mac {
    Mac(frame[6..12].try_into().unwrap())
}

/// Cuts off the Ethernet and IP headers, and what fills the frame up.
fn datagram(frame: &[u8]) -> Datagram<'_> {
    match number(&frame[12..14]) {
        0x0800 => Datagram {
            source: ipv4(&frame[26..30]),
            destination: ipv4(&frame[30..34]),
            payload: &frame[34..14 + number(&frame[16..18])],
        },
        0x86dd => Datagram {
            source: ipv6(&frame[22..38]),
            destination: ipv6(&frame[38..54]),
            payload: &frame[54..54 + number(&frame[18..20])],
        },
        other => panic!("EtherType {other:#06x}"),
    }
}

fn parse(frame: &[u8]) -> Result<(Advertisement, Checksum), Malformed> {
    let Datagram { source, destination, payload } = datagram(frame);
    Advertisement::parse(payload, source, destination)
}

fn says(advertisement: &Advertisement, payload: &[u8]) -> Vec<String> {
    let (version, interval) = match advertisement.version {
        Version::V2 => (2, format!("adver_int={}", advertisement.interval / 100)),
        Version::V3 => (3, format!("short_adver_int={}", advertisement.interval)),
    };
    let mut says = vec![
        format!("version={version}"),
        "type=1".to_owned(),
        format!("virt_rtr_id={}", advertisement.vrid),
        format!("prio={}", advertisement.priority),
        format!("addr_count={}", advertisement.addresses.len()),
        interval,
        format!("checksum={:#06x}", number(&payload[6..8])),
        "checksum.status=1".to_owned(),
    ];
    says.extend(advertisement.addresses.iter().map(|address| match address {
        IpAddr::V4(address) => format!("ip_addr={address}"),
        IpAddr::V6(address) => format!("ipv6_addr={address}"),
    }));
    says
}

#[test]
fn another_decoder_says_the_same() {
    let (mut v2, mut v3, mut v6) = (0, 0, 0);
    for row in FILES.iter().flat_map(|file| load(file)) {
        let (advertisement, checksum) = parse(&row.frame).unwrap();
        assert_eq!(says(&advertisement, datagram(&row.frame).payload), row.says);
        match (advertisement.version, advertisement.addresses[0]) {
            (Version::V2, _) => v2 += 1,
            (Version::V3, IpAddr::V4(_)) => v3 += 1,
            (Version::V3, IpAddr::V6(_)) => v6 += 1,
        }
        // All of them took RFC 5798 to mean a pseudo-header over IPv4 too.
        let expected = if advertisement.version == Version::V2 {
            Checksum::Plain
        } else {
            Checksum::PseudoHeader
        };
        assert_eq!(checksum, expected);
    }
    assert!(v2 >= 10 && v3 >= 10 && v6 >= 10, "{v2} {v3} {v6}");
}

#[test]
fn the_same_octets_are_written() {
    for row in FILES.iter().flat_map(|file| load(file)) {
        let Datagram { source, destination, payload } = datagram(&row.frame);
        let (advertisement, checksum) = parse(&row.frame).unwrap();
        let mut out = SmallVec::new();
        advertisement.emit(checksum, source, destination, &mut out);
        assert_eq!(out[..], *payload);
    }
}

#[test]
fn a_password_is_refused() {
    for row in load("passwords.json") {
        assert_eq!(parse(&row.frame).unwrap_err().name(), "bad-authentication-type");
    }
}

#[test]
fn a_changed_octet_is_seen() {
    for row in load("advertisements.json") {
        let Datagram { source, destination, payload } = datagram(&row.frame);
        for octet in 0..payload.len() {
            let mut changed = payload.to_vec();
            changed[octet] ^= 0x01;
            assert!(Advertisement::parse(&changed, source, destination).is_err(), "octet {octet}");
        }
    }
}

/// FRR's frames differ from ours only in what identifies a packet (RFC 6864) or a flow.
#[test]
fn the_frame_around_it_is_the_same() {
    let mut compared = 0;
    for mut row in load("advertisements.json") {
        if row.from != "FRR vrrpd" {
            continue;
        }
        let Datagram { source, destination, payload } = datagram(&row.frame);
        let mac = source_mac(&row.frame);
        let mut out = Frame::new();
        ethernet::advertisement(mac, None, source, destination, payload, &mut out);
        assert!(!out.spilled(), "nothing is allocated");
        if source.is_ipv4() {
            let sum = |frame: &[u8]| number(&frame[18..20]) + number(&frame[24..26]);
            // The one's complement sum of both is the same: what the identification adds, the checksum takes away.
            let carried = |sum: usize| (sum & 0xffff) + (sum >> 16);
            assert_eq!(carried(sum(&row.frame)), carried(sum(&out)));
            for at in [18, 24] {
                row.frame[at..at + 2].copy_from_slice(&out[at..at + 2]);
            }
        } else {
            row.frame[15] &= 0xf0;
            row.frame[16..18].fill(0);
        }
        assert_eq!(out[..], row.frame[..]);
        compared += 1;
    }
    assert!(compared >= 6, "{compared}");
}

#[test]
fn an_address_is_announced_as_others_do() {
    let (mut requests, mut advertisements) = (0, 0);
    for mut row in load("announcements.json") {
        let mac = source_mac(&row.frame);
        let mut out = Frame::new();
        if row.frame[12..14] == [0x08, 0x06] {
            let IpAddr::V4(address) = ipv4(&row.frame[28..32]) else {
                panic!("{row:?}", row = row.says)
            };
            arp::gratuitous(mac, address, &mut out);
            // The target's MAC address in a request, which nobody looks at: they have the broadcast address there.
            row.frame[32..38].copy_from_slice(&mac.0);
            requests += 1;
        } else {
            let IpAddr::V6(address) = ipv6(&row.frame[22..38]) else {
                panic!("{row:?}", row = row.says)
            };
            neighbor_discovery::unsolicited(mac, address, &mut out);
            if row.from == "keepalived" {
                // It knows only from the kernel whether it is a router, and here it was none.
                row.frame[56..58].copy_from_slice(&out[56..58]);
                row.frame[58] |= 0x80;
            }
            advertisements += 1;
        }
        assert_eq!(out[..], row.frame[..], "{:?}", row.says);
    }
    assert!(requests >= 3 && advertisements >= 4, "{requests} {advertisements}");
}
