//! Messages that other implementations wrote: what another decoder says stands in them is what we
//! say, and what we write from it has the same octets. Sources: tests/data/bgp/README.md.

use std::collections::BTreeMap;
use std::fs;

use bytes::BytesMut;
use serde_json::{Map, Value, json};
use shunt::types::{Asn, Family, RouterId};
use shunt::wire::bgp::{
    Attributes, Capability, Message, NextHop, Nlri, Notification, Open, Origin, RefreshSubtype,
    SessionFacts, Update,
};

fn load(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/bgp/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn frame_of(entry: &Value) -> Vec<u8> {
    hex(entry["hex"].as_str().unwrap())
}

fn parse(frame: &[u8], facts: &SessionFacts) -> Message {
    Message::parse(frame, facts).unwrap_or_else(|error| panic!("{error}: {frame:02x?}"))
}

fn emit(message: &Message, facts: &SessionFacts) -> BytesMut {
    let mut out = BytesMut::new();
    message.emit(facts, &mut out);
    out
}

fn prefixes<'a>(nlri: impl IntoIterator<Item = &'a Nlri>) -> Vec<String> {
    nlri.into_iter().map(|route| route.prefix.to_string()).collect()
}

/// Attributes and capabilities in one order and one spelling, so that two encodings of the same
/// thing compare equal: flags without Partial and Extended Length, attributes by code, capabilities
/// out of their parameters. Unknown non-transitive attributes, which must not survive, are cut.
fn normal(frame: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut parts = Vec::new();
    match frame[18] {
        1 => {
            parts.push((0, 0, frame[19..28].to_vec()));
            let extended = frame[28] != 0 && frame[29] == 255;
            let mut rest = if extended { &frame[32..] } else { &frame[29..] };
            while !rest.is_empty() {
                let (head, length) = if extended {
                    (3, usize::from(u16::from_be_bytes([rest[1], rest[2]])))
                } else {
                    (2, usize::from(rest[1]))
                };
                let mut value = &rest[head..head + length];
                while !value.is_empty() {
                    let end = 2 + usize::from(value[1]);
                    parts.push((1, value[0], value[2..end].to_vec()));
                    value = &value[end..];
                }
                rest = &rest[head + length..];
            }
        }
        2 => {
            let withdrawn = usize::from(u16::from_be_bytes([frame[19], frame[20]]));
            let (field, rest) = frame[21..].split_at(withdrawn);
            parts.push((0, 0, field.to_vec()));
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            let (mut attributes, nlri) = rest[2..].split_at(length);
            parts.push((0, 1, nlri.to_vec()));
            while !attributes.is_empty() {
                let (head, length) = if attributes[0] & 0x10 != 0 {
                    (4, usize::from(u16::from_be_bytes([attributes[2], attributes[3]])))
                } else {
                    (3, usize::from(attributes[2]))
                };
                let (flags, code) = (attributes[0] & 0xc0, attributes[1]);
                let known = matches!(code, 1..=10 | 14..=18 | 32 | 35);
                if known || flags == 0xc0 {
                    let value = attributes[head..head + length].to_vec();
                    parts.push((flags, code, value));
                }
                attributes = &attributes[head + length..];
            }
            parts.sort();
        }
        _ => parts.push((0, 0, frame[19..].to_vec())),
    }
    parts
}

/// The octets come back: as they were, or as another spelling of the same.
fn assert_same_octets(frame: &[u8], message: &Message, facts: &SessionFacts) {
    let again = emit(message, facts);
    if let Message::Update(update) = message {
        // Attributes without routes say nothing, and we never write them.
        if update.withdrawn.is_empty() && update.announced.is_empty() && update.end_of_rib.is_none()
        {
            assert!(again.is_empty());
            return;
        }
    }
    assert_eq!(&parse(&again, facts), message);
    // FRR takes IPv4 prefixes back in MP_UNREACH_NLRI where RFC 8950 is negotiated; we use the body.
    if normal(frame).iter().any(|(_, code, value)| *code == 15 && value.starts_with(&[0, 1, 1])) {
        return;
    }
    assert_eq!(normal(&again), normal(frame), "\n{:02x?}\n{frame:02x?}", &again[..]);
    if !matches!(message, Message::Open(_) | Message::Update(_)) {
        assert_eq!(again, frame);
    }
}

fn origin(attributes: &Attributes) -> u8 {
    match attributes.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    }
}

fn next_hops(next_hop: &NextHop) -> Vec<String> {
    match next_hop {
        NextHop::V4(address) => vec![address.to_string()],
        NextHop::V6 { global, link_local } => [Some(global), link_local.as_ref()]
            .into_iter()
            .flatten()
            .map(|a| a.to_string())
            .collect(),
    }
}

/// An UPDATE in the words of the tshark facts, as far as the message has them.
fn facts_of(update: &Update) -> BTreeMap<&'static str, Value> {
    let mut found = BTreeMap::new();
    found.insert("withdrawn", json!(prefixes(&update.withdrawn)));
    let routes = update.announced.iter().flat_map(|routes| &routes.nlri);
    found.insert("announced", json!(prefixes(routes)));
    let Some(routes) = update.announced.last() else {
        return found;
    };
    let attributes = &routes.attributes;
    found.insert("origin", json!(origin(attributes)));
    found.insert("as_path", json!(attributes.as_path.to_string()));
    found.insert("next_hop", json!(next_hops(&attributes.next_hop)));
    found.insert("med", json!(attributes.med));
    found.insert("local_pref", json!(attributes.local_pref));
    found.insert("atomic_aggregate", json!(attributes.atomic_aggregate));
    found.insert(
        "aggregator",
        json!(attributes.aggregator.map(|by| format!("{} {}", by.asn, by.address))),
    );
    let numbers = |c: u32| format!("{}:{}", c >> 16, c & 0xffff);
    let communities = attributes.communities.iter().map(|c| numbers(c.0));
    found.insert("communities", json!(communities.collect::<Vec<_>>()));
    let extended = attributes.extended_communities.iter().map(|c| c.to_string());
    found.insert("extended_communities", json!(extended.collect::<Vec<_>>()));
    let large = attributes.large_communities.iter().map(|c| c.to_string());
    found.insert("large_communities", json!(large.collect::<Vec<_>>()));
    found
}

fn list(said: &Map<String, Value>, keys: [&str; 2]) -> Value {
    let items = keys.iter().filter_map(|key| said.get(*key)?.as_array()).flatten();
    Value::Array(items.cloned().collect())
}

/// tshark's words for extended communities are its own; those it has no number for are left out.
fn extended_as_ours(said: &Value) -> Option<String> {
    let text = said.as_str()?;
    let text = text
        .strip_prefix("Route Target: ")
        .map(|rest| format!("rt:{rest}"))
        .or_else(|| text.strip_prefix("Route Origin: ").map(|rest| format!("soo:{rest}")))?;
    Some(text)
}

/// Compares one decoded message with what tshark says. `ebgp`: LOCAL_PREF is not taken.
fn assert_as_tshark(message: &Message, said: &Value, ebgp: bool) {
    let said = said.as_object().unwrap();
    let number = |key: &str| said.get(key).and_then(Value::as_u64);
    match message {
        Message::Open(open) => {
            assert_eq!(said["type"], 1);
            assert_eq!(Some(u64::from(open.hold_time)), number("hold_time"));
            assert_eq!(json!(open.router_id.to_string()), said["id"]);
            assert_eq!(Some(u64::from(open.asn.two_octets())), number("my_as"));
            let codes: Vec<u8> = open.capabilities.iter().map(Capability::code).collect();
            assert_eq!(json!(codes), said["capabilities"]);
        }
        Message::Notification(notification) => {
            assert_eq!(said["type"], 3);
            assert_eq!(Some(u64::from(notification.code)), number("code"));
            assert_eq!(Some(u64::from(notification.subcode)), number("subcode"));
            assert_eq!(notification.communication(), said.get("text").and_then(Value::as_str));
        }
        Message::Keepalive => assert_eq!(said["type"], 4),
        Message::RouteRefresh(refresh) => {
            assert_eq!(said["type"], 5);
            let subtype = match refresh.subtype {
                RefreshSubtype::Request => 0,
                RefreshSubtype::Begin => 1,
                RefreshSubtype::End => 2,
                RefreshSubtype::Unknown(subtype) => u64::from(subtype),
            };
            assert_eq!(
                (Some(u64::from(refresh.afi)), Some(u64::from(refresh.safi)), Some(subtype)),
                (number("afi"), number("safi"), number("subtype"))
            );
        }
        Message::Update(update) => {
            assert_eq!(said["type"], 2);
            let found = facts_of(update);
            assert_eq!(found["withdrawn"], list(said, ["withdrawn", "unreach"]));
            assert_eq!(found["announced"], list(said, ["body", "reach"]));
            let empty = said.len() <= 4 && update.withdrawn.is_empty();
            let marker =
                said.get("unreach_family").map_or("1/1", |family| family.as_str().unwrap());
            let family = if marker == "1/1" { Family::Ipv4 } else { Family::Ipv6 };
            assert_eq!(
                update.end_of_rib,
                (empty || said.get("unreach") == Some(&json!([])))
                    .then_some(family)
                    .filter(|_| update.announced.is_empty() && update.withdrawn.is_empty())
            );
            if update.announced.is_empty() {
                return;
            }
            let next_hop = match said.get("reach_next_hop") {
                Some(addresses) => addresses.clone(),
                None => json!([said["next_hop"]]),
            };
            assert_eq!(found["next_hop"], next_hop);
            let path = said.get("as4_path").or_else(|| said.get("as_path"));
            assert_eq!(found["as_path"], *path.unwrap_or(&json!("")));
            let aggregator = said.get("as4_aggregator").or_else(|| said.get("aggregator"));
            assert_eq!(found["aggregator"], *aggregator.unwrap_or(&Value::Null));
            assert_eq!(found["origin"], said["origin"]);
            let local_pref = said.get("local_pref").filter(|_| !ebgp);
            assert_eq!(found["local_pref"], *local_pref.unwrap_or(&Value::Null));
            assert_eq!(found["med"], *said.get("med").unwrap_or(&Value::Null));
            assert_eq!(found["atomic_aggregate"], json!(said.contains_key("atomic_aggregate")));
            for key in ["communities", "large_communities"] {
                assert_eq!(found[key], *said.get(key).unwrap_or(&json!([])));
            }
            let extended: Vec<String> = said
                .get("extended_communities")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(extended_as_ours)
                .collect();
            let ours = found["extended_communities"].as_array().unwrap();
            assert_eq!(
                ours.iter().filter(|c| !c.as_str().unwrap().starts_with("0x")).collect::<Vec<_>>(),
                extended.iter().collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn captured_sessions_read_as_tshark_says_and_come_back() {
    let entries = load("sessions.json");
    let sessions = entries.iter().map(|entry| entry["session"].as_u64().unwrap()).max().unwrap();
    let mut kinds = BTreeMap::new();
    for session in 0..=sessions {
        let entries: Vec<&Value> =
            entries.iter().filter(|entry| entry["session"] == session).collect();
        let opens: BTreeMap<&str, Open> = entries
            .iter()
            .filter(|entry| entry["tshark"]["type"] == 1)
            .map(|entry| match parse(&frame_of(entry), &SessionFacts::default()) {
                Message::Open(open) => (entry["from"].as_str().unwrap(), open),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(opens.len(), 2);
        for entry in entries {
            let from = entry["from"].as_str().unwrap();
            let (_, receiver) = opens.iter().find(|(name, _)| **name != from).unwrap();
            let facts = SessionFacts::negotiate(receiver, &opens[from]);
            let frame = frame_of(entry);
            let message = parse(&frame, &facts);
            assert_as_tshark(&message, &entry["tshark"], facts.ebgp);
            assert_same_octets(&frame, &message, &facts);
            *kinds.entry((from, frame[18])).or_insert(0) += 1;
        }
    }
    // Every type, and UPDATEs of every implementation.
    for kind in 1..=5 {
        assert!(kinds.keys().any(|(_, found)| *found == kind), "type {kind}");
    }
    for from in ["bird", "frr", "gobgp", "openbgpd"] {
        assert!(kinds.contains_key(&(from, 2)), "{from}");
    }
}

#[test]
fn tcpdump_captures_read_as_tshark_says() {
    for entry in load("tcpdump.json") {
        let facts = SessionFacts {
            ebgp: false,
            four_octet_as: entry["tshark"]["two_octet_as"] != true,
            extended_message: true,
            families: Family::ALL.to_vec(),
            extended_next_hop: true,
            add_path: Vec::new(),
        };
        let frame = frame_of(&entry);
        let name = entry["file"].as_str().unwrap();
        // BGPsec puts BGPSEC_PATH in the place of AS_PATH (RFC 8205 §4.1): without it, the routes
        // are withdrawn.
        let mut said = entry["tshark"].clone();
        if name == "bgp-extended-optional-parameters-length.pcapng" {
            // This tshark does not know RFC 9072; these are read from the octets by hand.
            said["capabilities"] = json!([1, 1, 128, 2, 70, 65, 6, 69, 73, 64, 71]);
        }
        let message = parse(&frame, &facts);
        if let Message::Update(update) = &message
            && !update.problems.is_empty()
        {
            assert_eq!(name, "bgp-bgpsec.pcap", "{update:?}");
            assert!(update.announced.is_empty());
            continue;
        }
        assert_as_tshark(&message, &said, false);
        // Filters behind a ROUTE-REFRESH (RFC 5291) are not kept.
        if name != "bgp-orf.pcapng" {
            assert_same_octets(&frame, &message, &facts);
        }
    }
}

#[test]
fn exabgp_encodings_read_as_exabgp_says_and_come_back() {
    for entry in load("exabgp.json") {
        let said = &entry["update"];
        let text = entry.to_string();
        let add_path =
            if text.contains("path-information") { vec![Family::Ipv4] } else { Vec::new() };
        let facts = SessionFacts {
            ebgp: false,
            four_octet_as: true,
            families: Family::ALL.to_vec(),
            add_path,
            ..SessionFacts::default()
        };
        let frame = frame_of(&entry);
        if text.contains("attribute-0x99-") {
            // ExaBGP takes an unknown well-known attribute; RFC 4271 §6.3 does not.
            let error = Message::parse(&frame, &facts).unwrap_err();
            assert_eq!((error.code, error.subcode), (3, 2));
            continue;
        }
        let message = parse(&frame, &facts);
        let Message::Update(update) = &message else { panic!("{message:?}") };
        assert_eq!(update.problems, [], "{text}");

        let mut announced = Vec::new();
        for routes in &update.announced {
            let attributes = &routes.attributes;
            let next_hop = attributes.next_hop.address().to_string();
            announced.extend(prefixes(&routes.nlri).into_iter().map(|p| (next_hop.clone(), p)));
            for (name, value) in said["attribute"].as_object().into_iter().flatten() {
                assert_eq!(
                    exabgp_attribute(name, value, attributes).as_ref(),
                    Some(value),
                    "{name} {text}"
                );
            }
        }
        let mut expected = Vec::new();
        for by_next_hop in said["announce"].as_object().into_iter().flat_map(Map::values) {
            for (next_hop, routes) in by_next_hop.as_object().unwrap() {
                for route in routes.as_array().unwrap() {
                    expected.push((next_hop.clone(), route["nlri"].as_str().unwrap().to_owned()));
                }
            }
        }
        assert_eq!(announced, expected, "{text}");
        let withdrawn: Vec<&str> = said["withdraw"]
            .as_object()
            .into_iter()
            .flat_map(Map::values)
            .flat_map(|routes| routes.as_array().unwrap())
            .map(|route| route["nlri"].as_str().unwrap())
            .collect();
        assert_eq!(prefixes(&update.withdrawn), withdrawn, "{text}");
        assert_same_octets(&frame, &message, &facts);
    }
}

/// Our value in ExaBGP's words.
fn exabgp_attribute(name: &str, said: &Value, ours: &Attributes) -> Option<Value> {
    Some(match name {
        "origin" => json!(ours.origin.to_string()),
        "med" => json!(ours.med),
        "local-preference" => json!(ours.local_pref),
        "as-path" => {
            let numbers: Vec<u32> = ours.as_path.numbers().map(|asn| asn.0).collect();
            json!({"0": {"element": "as-sequence", "value": numbers}})
        }
        "community" => {
            let halves = ours.communities.iter().map(|c| [c.0 >> 16, c.0 & 0xffff]);
            json!(halves.collect::<Vec<_>>())
        }
        "extended-community" => {
            // ExaBGP adds a text; the number says it all.
            let texts = said.as_array()?.iter().map(|community| &community["string"]);
            let both = ours.extended_communities.iter().zip(texts).map(
                |(community, text)| json!({"value": u64::from_be_bytes(community.0), "string": text}),
            );
            Value::Array(both.collect())
        }
        // `attribute-CODE-FLAGS`: one that neither knows.
        _ => {
            let code = u8::from_str_radix(name.strip_prefix("attribute-0x")?.get(..2)?, 16).ok()?;
            let kept = ours.unknown.iter().find(|attribute| attribute.code == code);
            match kept {
                Some(attribute) => {
                    let digits = attribute.value.iter().map(|octet| format!("{octet:02X}"));
                    json!(format!("0x{}", digits.collect::<String>()))
                }
                // Not transitive: gone.
                None => said.clone(),
            }
        }
    })
}

#[test]
fn golden_octets_of_our_own_values() {
    // What FRR and BIRD send for the same, written out by hand from RFC 4271, 2918, 7313.
    let open = Message::Open(Open {
        asn: Asn(4_200_000_001),
        hold_time: 9,
        router_id: RouterId::from_bits(0x0a63_0001),
        capabilities: vec![
            Capability::multiprotocol(Family::Ipv6),
            Capability::FourOctetAs(Asn(4_200_000_001)),
        ],
    });
    let facts = SessionFacts::default();
    let marker = "ff".repeat(16);
    for (message, octets) in [
        (
            open,
            "002b01045ba000090a6300010e020c01040002000141\
                04fa56ea01",
        ),
        (Message::Keepalive, "001304"),
        (
            Message::Notification(Notification::administrative_shutdown("bye")),
            "00190306020362796 5",
        ),
    ] {
        let octets: String = octets.split_whitespace().collect();
        assert_eq!(emit(&message, &facts), hex(&format!("{marker}{octets}")));
    }
}
