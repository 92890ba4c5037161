//! BFD packets that other implementations wrote: what another decoder says stands in them is what we say, their
//! passwords and digests are those that the keys make, and what we write from it has the same octets. Sources:
//! tests/data/bfd/README.md.

use std::fs;

use serde_json::Value;
use shunt::wire::bfd::{Algorithm, Packet, State};
use smallvec::SmallVec;

const FILES: [&str; 3] = ["sessions.json", "authentication.json", "tcpdump.json"];

/// A captured UDP payload.
struct Row {
    packet: Vec<u8>,
    /// `field=value` as tshark has them, in the order of the packet.
    says: Vec<String>,
    /// What its authentication section was made with, if we know.
    key: Option<String>,
}

fn load(file: &str) -> Vec<Row> {
    let path = format!("{}/tests/data/bfd/{file}", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| Row {
            packet: octets(row["hex"].as_str().unwrap()),
            says: row["says"].as_array().unwrap().iter().map(text).collect(),
            key: row.get("key").map(text),
        })
        .collect()
}

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// As tshark has it, which takes the flags with the state.
fn says(packet: &Packet, octets: &[u8]) -> Vec<String> {
    let state = match packet.state {
        State::AdminDown => 0,
        State::Down => 1,
        State::Init => 2,
        State::Up => 3,
    };
    let flags = [
        packet.poll,
        packet.final_bit,
        packet.control_plane_independent,
        packet.authentication.is_some(),
        packet.demand,
    ];
    let flags = flags.iter().fold(0, |bits, flag| bits << 1 | u8::from(*flag)) << 1;
    let mut says = vec![
        format!("diag={:#04x}", packet.diagnostic.0),
        format!("sta={state:#04x}"),
        format!("flags={:#04x}", state << 6 | flags),
        format!("detect_time_multiplier={}", packet.multiplier),
        format!("message_length={}", octets.len()),
        format!("my_discriminator={:#010x}", packet.my_discriminator),
        format!("your_discriminator={:#010x}", packet.your_discriminator),
        format!("desired_min_tx_interval={}", packet.desired_min_tx.as_micros()),
        format!("required_min_rx_interval={}", packet.required_min_rx.as_micros()),
        format!("required_min_echo_interval={}", packet.required_min_echo_rx.as_micros()),
    ];
    if let Some(section) = packet.authentication {
        let kind = match section.algorithm {
            Algorithm::Simple => 1,
            Algorithm::KeyedMd5 => 2,
            Algorithm::MeticulousMd5 => 3,
            Algorithm::KeyedSha1 => 4,
            Algorithm::MeticulousSha1 => 5,
        };
        says.push(format!("auth.type={kind}"));
        says.push(format!("auth.len={}", octets.len() - 24));
        says.push(format!("auth.key={}", section.key_id));
        if kind != 1 {
            says.push(format!("auth.seq_num={:#010x}", section.sequence));
        }
    }
    says
}

fn parse(octets: &[u8]) -> Packet {
    Packet::parse(octets).unwrap_or_else(|malformed| panic!("{malformed}: {octets:02x?}"))
}

#[test]
fn another_decoder_says_the_same() {
    for row in FILES.iter().flat_map(|file| load(file)) {
        assert_eq!(says(&parse(&row.packet), &row.packet), row.says, "{:02x?}", row.packet);
    }
}

#[test]
fn the_same_octets_are_written() {
    let mut written = 0;
    for row in FILES.iter().flat_map(|file| load(file)) {
        let packet = parse(&row.packet);
        if packet.authentication.is_some() && row.key.is_none() {
            continue;
        }
        let mut out = SmallVec::new();
        packet.emit(row.key.unwrap_or_default().as_bytes(), &mut out);
        assert_eq!(out[..], row.packet[..]);
        assert!(!out.spilled(), "nothing is allocated");
        written += 1;
    }
    assert!(written > 60, "{written}");
}

#[test]
fn a_password_or_digest_is_made_by_one_key_only() {
    let mut algorithms = Vec::new();
    for row in load("authentication.json") {
        let packet = parse(&row.packet);
        let key = row.key.unwrap();
        assert!(packet.verify(&row.packet, key.as_bytes()), "{:?}", packet.authentication);
        assert!(!packet.verify(&row.packet, b"another key"));
        let longer = [&row.packet[..], b"more"].concat();
        assert!(packet.verify(&longer, key.as_bytes()), "what follows is not covered");
        let algorithm = packet.authentication.unwrap().algorithm;
        // A password covers nothing but itself.
        let covered = if algorithm == Algorithm::Simple { 27 } else { 0 };
        for octet in covered..row.packet.len() {
            let mut changed = row.packet.clone();
            changed[octet] ^= 0x01;
            assert!(!packet.verify(&changed, key.as_bytes()), "octet {octet}");
        }
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    assert_eq!(algorithms.len(), 5, "{algorithms:?}");
}
