//! What was on the wire, decoded by tshark.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::run::run;
use super::wait::{PATIENCE, wait_for};

/// tcpdump on one interface, from `start` until it is dropped.
pub struct Capture {
    daemon: Daemon,
    file: String,
}

/// A BGP UPDATE as tshark reads it. End-of-RIB markers are no updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub announced: Vec<String>,
    pub withdrawn: Vec<String>,
    /// Value in text by attribute type code; MP_REACH_NLRI's is its next hop, MP_UNREACH_NLRI is not listed.
    pub attributes: BTreeMap<u8, String>,
}

/// An LSA in a Link State Update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Microseconds, of the calendar.
    pub time: u64,
    /// LS type, link state id, advertising router.
    pub key: (u8, String, String),
    /// Without the sign: greater is newer.
    pub sequence: u32,
    /// Seconds; 3600 takes it out of the databases.
    pub age: u16,
    /// Of an AS-external-LSA, as is the tag.
    pub metric: Option<u32>,
    pub tag: Option<u32>,
}

impl Capture {
    /// Starts capturing, and returns when frames are really being recorded.
    #[track_caller]
    pub fn start(node: &Node, interface: &str, filter: &str) -> Capture {
        Capture::start_as(node, interface, interface, filter)
    }

    /// Under a name of its own, for a second one of the interface.
    #[track_caller]
    pub fn start_as(node: &Node, interface: &str, name: &str, filter: &str) -> Capture {
        let file = node.path(&format!("{name}.pcap"));
        let daemon = node.spawn(
            &format!("tcpdump-{name}"),
            "tcpdump",
            &[
                "-Z",
                "root",
                "-U",
                "--immediate-mode",
                "-s",
                "0",
                "-i",
                interface,
                "-w",
                &file,
                filter,
            ],
        );
        let mut capture = Capture { daemon, file };
        wait_for("capture", PATIENCE, || {
            capture.daemon.alive()?;
            let log = capture.daemon.log();
            if log.contains("listening on") { Ok(()) } else { Err(log) }
        });
        capture
    }

    /// Ends the capture; it can still be read.
    #[track_caller]
    pub fn stop(&mut self) {
        if self.daemon.alive().is_ok() {
            self.daemon.signal(Signal::SIGINT);
            self.daemon.wait();
        }
    }

    /// tshark on what has been recorded so far.
    #[track_caller]
    fn tshark(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", "-r", &self.file];
        all.extend(arguments);
        match run("tshark", &all) {
            Ok(text) => text,
            // It ends with an error when the last frame is being written just now, after showing the others.
            Err(text) if text.contains("appears to have been cut short") => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// One line per frame that `filter` selects, its `fields` separated by tabs.
    #[track_caller]
    pub fn fields(&self, filter: &str, fields: &[&str]) -> Vec<String> {
        let mut arguments = vec!["-Y", filter, "-T", "fields"];
        for field in fields {
            arguments.extend(["-e", field]);
        }
        self.tshark(&arguments).lines().map(str::to_owned).collect()
    }

    /// The same for a protocol that has no port of its own: `decode` says which one, as `tcp.port==11019,bmp`.
    #[track_caller]
    pub fn decoded(&self, decode: &str, filter: &str, fields: &[&str]) -> Vec<String> {
        let mut arguments = vec!["-d", decode, "-Y", filter, "-T", "fields"];
        for field in fields {
            arguments.extend(["-e", field]);
        }
        self.tshark(&arguments).lines().map(str::to_owned).collect()
    }

    /// What tshark finds wrong in the frames from `source`: malformed packets, and errors of the protocols in them.
    #[track_caller]
    pub fn faults(&self, source: &str) -> Vec<String> {
        let filter =
            format!("{} && (_ws.malformed || _ws.expert.severity >= 8388608)", from(source));
        self.fields(&filter, &["frame.number", "_ws.col.Info", "_ws.expert.message"])
    }

    /// What stood behind the IP header of every packet from `source`, in order, with its time in microseconds of the
    /// calendar. Ethernet and IPv4.
    #[track_caller]
    pub fn payloads(&self, source: &str) -> Vec<(u64, Vec<u8>)> {
        let source: std::net::Ipv4Addr = source.parse().unwrap();
        let file = std::fs::read(&self.file).unwrap();
        let mut rest = file.get(24..).unwrap_or_default();
        let mut payloads = Vec::new();
        while let Some((record, behind)) = rest.split_first_chunk::<16>() {
            let number =
                |at: usize| u64::from(u32::from_ne_bytes(record[at..at + 4].try_into().unwrap()));
            // The last one may be half written.
            let Some((frame, behind)) =
                behind.split_at_checked(usize::try_from(number(8)).unwrap())
            else {
                break;
            };
            let packet = &frame[14..];
            if packet[12..16] == source.octets() {
                let end = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                let payload = packet[usize::from(packet[0] & 0xf) * 4..end].to_vec();
                payloads.push((number(0) * 1_000_000 + number(4), payload));
            }
            rest = behind;
        }
        payloads
    }

    /// How often `source` has begun a database exchange: Database Descriptions with the I bit.
    #[track_caller]
    pub fn exchanges_begun(&self, source: &str) -> usize {
        let begins = |payload: &Vec<u8>| payload[1] == 2 && payload[27] & 4 != 0;
        self.payloads(source).iter().filter(|(_, payload)| begins(payload)).count()
    }

    /// Every LSA that `source` has sent in an Update, in order, retransmissions included.
    #[track_caller]
    pub fn instances(&self, source: &str) -> Vec<Instance> {
        let packets = self.payloads(source);
        let updates = packets.iter().filter(|(_, payload)| payload[1] == 4);
        updates.flat_map(|(time, payload)| instances(*time, payload)).collect()
    }

    /// The BGP messages sent by `source`, in order, as tshark's JSON.
    #[track_caller]
    pub fn messages(&self, source: &str) -> Vec<Value> {
        let filter = format!("bgp && {} && !tcp.analysis.retransmission", from(source));
        let text = self.tshark(&["-Y", &filter, "-T", "json", "--no-duplicate-keys", "-J", "bgp"]);
        if text.trim().is_empty() {
            return Vec::new();
        }
        let frames: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("tshark: {error}: {text}"));
        frames.iter().flat_map(|frame| many(&frame["_source"]["layers"]["bgp"])).collect()
    }

    /// The UPDATEs sent by `source`, in order.
    #[track_caller]
    pub fn updates(&self, source: &str) -> Vec<Update> {
        let messages = self.messages(source);
        let updates = messages.iter().filter(|message| message["bgp.type"] == "2").map(update);
        updates
            .filter(|update| !update.announced.is_empty() || !update.withdrawn.is_empty())
            .collect()
    }

    /// Waits until `source` has sent these UPDATEs, and no other.
    #[track_caller]
    pub fn all_updates(&self, source: &str, expected: &[Update]) {
        wait_for("exactly the expected UPDATEs", PATIENCE, || {
            let updates = self.updates(source);
            if updates == expected {
                Ok(())
            } else {
                Err(format!("{updates:#?}\nexpected: {expected:#?}"))
            }
        });
    }
}

/// The LSAs of one Update (RFC 2328 A.3.5, A.4.1, A.4.5).
fn instances(time: u64, payload: &[u8]) -> Vec<Instance> {
    let mut rest = &payload[28..];
    let mut instances = Vec::new();
    // A digest may follow.
    for _ in 0..u32::from_be_bytes(payload[24..28].try_into().unwrap()) {
        let four = |at: usize| -> [u8; 4] { rest[at..at + 4].try_into().unwrap() };
        let address = |at: usize| std::net::Ipv4Addr::from(four(at)).to_string();
        instances.push(Instance {
            time,
            key: (rest[3], address(4), address(8)),
            sequence: u32::from_be_bytes(four(12)) ^ 0x8000_0000,
            age: u16::from_be_bytes([rest[0], rest[1]]),
            metric: (rest[3] == 5).then(|| u32::from_be_bytes(four(24)) & 0xff_ffff),
            tag: (rest[3] == 5).then(|| u32::from_be_bytes(four(32))),
        });
        rest = &rest[usize::from(u16::from_be_bytes([rest[18], rest[19]]))..];
    }
    instances
}

/// A display filter for the sender.
fn from(source: &str) -> String {
    let address: IpAddr = source.parse().unwrap();
    if address.is_ipv4() {
        format!("ip.src == {address}")
    } else {
        format!("ipv6.src == {address}")
    }
}

/// tshark writes one thing as an object and several as a list.
fn many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Every value below `value` whose key is `key`, in order.
fn find(value: &Value, key: &str) -> Vec<Value> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, inner)| if name == key { many(inner) } else { find(inner, key) })
            .collect(),
        Value::Array(list) => list.iter().flat_map(|inner| find(inner, key)).collect(),
        _ => Vec::new(),
    }
}

fn words(value: &Value, key: &str) -> Vec<String> {
    find(value, key).iter().map(|word| word.as_str().unwrap_or_default().to_owned()).collect()
}

/// The prefixes below `value`, in tshark's words for each family.
fn prefixes(value: &Value) -> Vec<String> {
    let lengths = find(value, "bgp.prefix_length");
    let mut addresses = words(value, "bgp.nlri_prefix");
    addresses.extend(words(value, "bgp.withdrawn_prefix"));
    for family in ["ipv4", "ipv6"] {
        addresses.extend(words(value, &format!("bgp.mp_reach_nlri_{family}_prefix")));
        addresses.extend(words(value, &format!("bgp.mp_unreach_nlri_{family}_prefix")));
    }
    assert_eq!(lengths.len(), addresses.len(), "prefixes in {value:#}");
    addresses
        .iter()
        .zip(lengths)
        .map(|(address, length)| format!("{address}/{}", length.as_str().unwrap_or_default()))
        .collect()
}

fn update(message: &Value) -> Update {
    let mut update = Update {
        announced: prefixes(&message["bgp.update.nlri"]),
        withdrawn: prefixes(&message["bgp.update.withdrawn_routes"]),
        attributes: BTreeMap::new(),
    };
    for attribute in many(&message["bgp.update.path_attributes"]["bgp.update.path_attribute"]) {
        let name =
            |name: &str| words(&attribute, &format!("bgp.update.path_attribute.{name}")).join(" ");
        let code = name("type_code").parse().unwrap_or(0);
        let value = match code {
            1 => name("origin"),
            2 => name("as_path_segment.as4"),
            3 => name("next_hop"),
            4 => name("multi_exit_disc"),
            5 => name("local_pref"),
            8 => {
                let pairs = words(&attribute, "bgp.update.path_attribute.community_as")
                    .into_iter()
                    .zip(words(&attribute, "bgp.update.path_attribute.community_value"))
                    .map(|(high, low)| format!("{high}:{low}"));
                // Well-known ones stand apart, as one number.
                let known = words(&attribute, "bgp.update.path_attribute.community_wellknown");
                let known = known.iter().filter_map(|word| {
                    let number = u32::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
                    Some(format!("{}:{}", number >> 16, number & 0xffff))
                });
                pairs.chain(known).collect::<Vec<_>>().join(" ")
            }
            14 => {
                update.announced.extend(prefixes(&attribute));
                let hops = ["ipv4", "ipv6"].iter().flat_map(|family| {
                    words(
                        &attribute,
                        &format!("bgp.update.path_attribute.mp_reach_nlri.next_hop.{family}"),
                    )
                });
                hops.collect::<Vec<_>>().join(" ")
            }
            15 => {
                update.withdrawn.extend(prefixes(&attribute));
                continue;
            }
            32 => {
                let part = |name: &str| words(&attribute, &format!("bgp.large_communities.{name}"));
                let parts = part("ga").into_iter().zip(part("ldp1")).zip(part("ldp2"));
                parts
                    .map(|((ga, one), two)| format!("{ga}:{one}:{two}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            _ => attribute.to_string(),
        };
        update.attributes.insert(code, value);
    }
    update
}
