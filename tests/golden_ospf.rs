//! OSPFv2 packets that other implementations wrote: what another decoder says stands in them is what we say, the
//! digests are those that the keys make, and what we write from it has the same octets. Sources:
//! tests/data/ospf/README.md.

use std::fs;
use std::net::Ipv4Addr;

use serde_json::Value;
use shunt::wire::ospf::{
    Algorithm, AuthenticationField, Body, ExternalLsa, Frame, GraceReason, Link, LinkKind, Lsa,
    LsaBody, LsaHeader, PacketKind, RouterLsa, Signature, emit,
};

const FILES: [&str; 3] = ["sessions.json", "authentication.json", "tcpdump.json"];

/// A captured packet.
struct Row {
    source: Ipv4Addr,
    packet: Vec<u8>,
    /// `field=value` as tshark has them, in the order of the packet.
    says: Vec<String>,
    algorithm: String,
    key: Vec<u8>,
}

fn load(file: &str) -> Vec<Row> {
    let path = format!("{}/tests/data/ospf/{file}", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| Row {
            source: text(&row["source"]).parse().unwrap(),
            packet: packet(&text(&row["hex"]), row["wrong_checksum"] == Value::Bool(true)),
            says: row["says"].as_array().unwrap().iter().map(text).collect(),
            algorithm: text(&row["algorithm"]),
            key: text(&row["key"]).into_bytes(),
        })
        .collect()
}

fn packet(hex: &str, wrong_checksum: bool) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let mut packet: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect();
    if wrong_checksum {
        let refused = Frame::parse(&packet).unwrap_err();
        assert_eq!(refused.name(), "bad-checksum");
        packet[12..14].copy_from_slice(&[0, 0]);
        let words = packet.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
        let sum: u32 = words.sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        packet[12..14].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
    packet
}

fn parse(packet: &[u8]) -> (Frame<'_>, Body) {
    let frame = Frame::parse(packet).unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
    let body = frame.body().unwrap_or_else(|error| panic!("{error}: {packet:02x?}"));
    if let Body::LinkStateUpdate(update) = &body {
        assert_eq!(update.refused, [], "{packet:02x?}");
    }
    (frame, body)
}

fn algorithm(name: &str) -> Algorithm {
    match name {
        "keyedmd5" => Algorithm::KeyedMd5,
        "hmacsha1" => Algorithm::HmacSha1,
        "hmacsha256" => Algorithm::HmacSha256,
        "hmacsha384" => Algorithm::HmacSha384,
        "hmacsha512" => Algorithm::HmacSha512,
        other => panic!("no algorithm {other}"),
    }
}

/// Collects `field=value` as tshark names them.
#[derive(Default)]
struct Says(Vec<String>);

impl Says {
    fn add(&mut self, field: &str, value: impl ToString) {
        self.0.push(format!("{field}={}", value.to_string()));
    }

    fn packet(&mut self, frame: &Frame<'_>, body: &Body) {
        let message = match frame.kind {
            PacketKind::Hello => 1,
            PacketKind::DatabaseDescription => 2,
            PacketKind::LinkStateRequest => 3,
            PacketKind::LinkStateUpdate => 4,
            PacketKind::LinkStateAcknowledgment => 5,
        };
        self.add("msg", message);
        self.add("srcrouter", frame.router_id);
        self.add("area_id", frame.area);
        match frame.authentication {
            AuthenticationField::Null => self.add("auth.type", 0),
            AuthenticationField::Simple(password) => {
                self.add("auth.type", 1);
                self.add("auth.simple", String::from_utf8_lossy(&password).trim_end_matches('\0'));
            }
            AuthenticationField::Cryptographic { key_id, digest_length, sequence } => {
                self.add("auth.type", 2);
                self.add("auth.crypt.key_id", key_id);
                self.add("auth.crypt.data_length", digest_length);
                self.add("auth.crypt.seq_nbr", sequence);
            }
            AuthenticationField::Extended { .. } => panic!("nobody here speaks RFC 7474"),
        }
        match body {
            Body::Hello(hello) => {
                self.add("hello.network_mask", hello.network_mask);
                self.add("hello.hello_interval", hello.hello_interval);
                self.add("v2.options", format!("{:#04x}", hello.options.0));
                self.add("hello.router_priority", hello.priority);
                self.add("hello.router_dead_interval", hello.dead_interval);
                self.add("hello.designated_router", hello.designated);
                self.add("hello.backup_designated_router", hello.backup);
                for neighbor in &hello.neighbors {
                    self.add("hello.active_neighbor", neighbor);
                }
            }
            Body::DatabaseDescription(description) => {
                self.add("db.interface_mtu", description.mtu);
                self.add("v2.options", format!("{:#04x}", description.options.0));
                self.add("dbd.i", u8::from(description.init));
                self.add("dbd.m", u8::from(description.more));
                self.add("dbd.ms", u8::from(description.master));
                self.add("db.dd_sequence", description.sequence);
                description.headers.iter().for_each(|header| self.header(header));
            }
            Body::LinkStateRequest(keys) => {
                for key in keys {
                    self.add("lsa", key.kind.0);
                    self.add("link_state_id", key.link_state_id);
                    self.add("advrouter", key.advertising_router);
                }
            }
            Body::LinkStateUpdate(update) => update.lsas.iter().for_each(|lsa| self.lsa(lsa)),
            Body::LinkStateAcknowledgment(headers) => {
                headers.iter().for_each(|header| self.header(header));
            }
        }
    }

    fn header(&mut self, header: &LsaHeader) {
        self.add("lsa.age", header.age);
        self.add("v2.options", format!("{:#04x}", header.options.0));
        self.add("lsa", header.key.kind.0);
        if !header.key.kind.is_opaque() {
            self.add("lsa.id", header.key.link_state_id);
        }
        self.add("advrouter", header.key.advertising_router);
        self.add("lsa.seqnum", format!("{:#010x}", header.sequence.0));
        self.add("lsa.chksum", format!("{:#06x}", header.checksum));
        self.add("lsa.length", header.length);
    }

    fn lsa(&mut self, lsa: &Lsa) {
        self.header(&lsa.header);
        match &lsa.body {
            LsaBody::Router(RouterLsa { virtual_link, boundary, border, translator, links }) => {
                self.add("v2.router.lsa.flags.n", u8::from(*translator));
                self.add("v2.router.lsa.flags.v", u8::from(*virtual_link));
                self.add("v2.router.lsa.flags.e", u8::from(*boundary));
                self.add("v2.router.lsa.flags.b", u8::from(*border));
                for Link { kind, id, data, metric } in links {
                    self.add("lsa.router.linkid", id);
                    self.add("lsa.router.linkdata", data);
                    let kind = match kind {
                        LinkKind::PointToPoint => 1,
                        LinkKind::Transit => 2,
                        LinkKind::Stub => 3,
                        LinkKind::Virtual => 4,
                    };
                    self.add("lsa.router.linktype", kind);
                    self.add("lsa.router.metric0", metric);
                }
            }
            LsaBody::Network(network) => {
                self.add("lsa.network.netmask", network.mask);
                for router in &network.routers {
                    self.add("lsa.network.attchrtr", router);
                }
            }
            LsaBody::Summary(summary) => {
                self.add("lsa.asbr.netmask", summary.mask);
                self.add("metric", summary.metric);
            }
            LsaBody::External(ExternalLsa { mask, type_2, metric, forwarding_address, tag }) => {
                self.add("lsa.asext.netmask", mask);
                self.add("lsa.asext.type", u8::from(*type_2));
                self.add("metric", metric);
                self.add("lsa.asext.fwdaddr", forwarding_address);
                self.add("lsa.asext.extrttag", tag);
            }
            LsaBody::RouterInformation(information) => {
                // The hostname stands before the capabilities in none of the captures.
                if let Some(capabilities) = information.capabilities {
                    self.add("ri.options", format!("{:#04x}", capabilities >> 24));
                }
                if let Some(hostname) = &information.hostname {
                    self.add("dynhostname", hostname);
                }
            }
            LsaBody::Grace(grace) => {
                self.add("v2.grace.period", grace.period);
                let reason = match grace.reason {
                    GraceReason::Unknown => 0,
                    GraceReason::SoftwareRestart => 1,
                    GraceReason::SoftwareUpgrade => 2,
                    GraceReason::SwitchToRedundantProcessor => 3,
                    GraceReason::Other(code) => code,
                };
                self.add("v2.grace.reason", reason);
                if let Some(address) = grace.address {
                    self.add("v2.grace.ip", address);
                }
            }
            LsaBody::Opaque => {}
        }
    }
}

#[test]
fn another_decoder_says_the_same() {
    let mut types = [0; 12];
    for row in FILES.iter().flat_map(|file| load(file)) {
        let (frame, body) = parse(&row.packet);
        let mut says = Says::default();
        says.packet(&frame, &body);
        assert_eq!(says.0, row.says, "{:02x?}", row.packet);
        if let Body::LinkStateUpdate(update) = &body {
            update.lsas.iter().for_each(|lsa| types[usize::from(lsa.header.key.kind.0)] += 1);
        }
    }
    for kind in [1, 2, 3, 4, 5, 7, 9, 10] {
        assert!(types[kind] > 0, "no LSA of type {kind}: {types:?}");
    }
}

#[test]
fn the_same_octets_are_written() {
    for row in FILES.iter().flat_map(|file| load(file)) {
        let (frame, body) = parse(&row.packet);
        let signature = match frame.authentication {
            AuthenticationField::Null => Signature::Null,
            AuthenticationField::Simple(password) => Signature::Simple(password),
            AuthenticationField::Cryptographic { key_id, sequence, .. } => {
                let algorithm = algorithm(&row.algorithm);
                Signature::Cryptographic { key_id, algorithm, key: &row.key, sequence }
            }
            AuthenticationField::Extended { .. } => panic!("nobody here speaks RFC 7474"),
        };
        let written =
            emit(frame.version, frame.router_id, frame.area, &body, &signature, row.source);
        assert_eq!(written[..], row.packet[..]);
    }
}

/// Also its length and checksum. Opaque ones are left out whose content we keep without reading all of it.
#[test]
fn an_lsa_made_anew_has_the_same_octets() {
    let mut made = 0;
    for row in ["sessions.json", "authentication.json"].iter().flat_map(|file| load(file)) {
        let (_, Body::LinkStateUpdate(update)) = parse(&row.packet) else { continue };
        for lsa in update.lsas {
            let header = lsa.header;
            let again =
                Lsa::new(header.age, header.options, header.key, header.sequence, lsa.body.clone());
            assert_eq!(again, lsa);
            made += 1;
        }
    }
    assert!(made > 90, "{made}");
}

#[test]
fn a_digest_is_made_by_one_key_only() {
    let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
    for row in load("authentication.json") {
        let (frame, _) = parse(&row.packet);
        if row.algorithm == "simple" {
            assert!(frame.has_password(b"sitekey\0"));
            assert!(!frame.has_password(b"sitekex\0"));
            assert!(!frame.verify(Algorithm::KeyedMd5, &row.key, row.source));
            continue;
        }
        let algorithm = algorithm(&row.algorithm);
        assert!(!frame.has_password(&[0; 8]));
        assert!(frame.verify(algorithm, &row.key, row.source), "{}", row.algorithm);
        assert!(frame.verify(algorithm, &row.key, elsewhere), "AuType 2 does not cover the source");
        assert!(!frame.verify(algorithm, b"another key", row.source), "{}", row.algorithm);
        for other in [Algorithm::KeyedMd5, Algorithm::HmacSha1, Algorithm::HmacSha256] {
            assert!(other == algorithm || !frame.verify(other, &row.key, row.source));
        }
        for octet in [4, 20, 24, row.packet.len() - 1] {
            let mut changed = row.packet.clone();
            changed[octet] ^= 0x10;
            let frame = Frame::parse(&changed).unwrap();
            assert!(!frame.verify(algorithm, &row.key, row.source), "octet {octet}");
        }
    }
}

/// A block for link-local signalling behind packet and digest (RFC 5613 §2), as Cisco's routers send it.
#[test]
fn what_follows_a_packet_is_ignored() {
    const BLOCK: [u8; 12] = [0xff, 0xf6, 0, 3, 0, 1, 0, 4, 0, 0, 0, 1];
    for row in FILES.iter().flat_map(|file| load(file)) {
        let (frame, body) = parse(&row.packet);
        let longer = [&row.packet[..], &BLOCK].concat();
        let (same_frame, same_body) = parse(&longer);
        assert_eq!((same_frame.kind, same_body), (frame.kind, body));
        if !row.algorithm.is_empty() && row.algorithm != "simple" {
            assert!(same_frame.verify(algorithm(&row.algorithm), &row.key, row.source));
        }
    }
}
