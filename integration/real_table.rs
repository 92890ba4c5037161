//! A real table, fed by GoBGP, goes through shuntd to BIRD and another GoBGP and comes out as it went in.
//!
//! What went in is what the feeding GoBGP says it sent, what came out is what the receivers say they got. Between the
//! two only this may differ: our AS is put in front, the next hop is ours, MULTI_EXIT_DISC, LOCAL_PREF and
//! non-transitive extended communities are gone, and routes with NO_EXPORT or NO_ADVERTISE stay away.
//!
//! The small tables of `tests/data/table` are always run. With `SHUNT_CORPORA` set to a directory that has
//! `mrt/rib-2010-full.mrt.bz2`, a full table is run as well:
//! `SHUNT_CORPORA=DIR cargo test --test interop real_table -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use ipnet::IpNet;
use serde_json::Value;

use crate::lab::{
    Bird, Capture, Gobgp, Net, Node, PATIENCE, Peer, Session, Shuntd, Speaker, bgpdump, wait_for,
};

/// Reserved for documentation (RFC 5398), so that no real path has them.
const EDGE: u32 = 64497;
const FEED: u32 = 64496;
const BIRD: u32 = 64498;
const SINK: u32 = 64499;

/// Attributes by BIRD's name for them, values in BIRD's notation, lists sorted.
type Attributes = BTreeMap<String, String>;
type Table = BTreeMap<String, Attributes>;

/// `(name, AS, number of the link)` of shuntd's three neighbours.
const NEIGHBORS: [(&str, u32, u8); 3] = [("feed", FEED, 1), ("bird", BIRD, 2), ("sink", SINK, 3)];

fn configuration(update_log: &str) -> String {
    let mut text = format!(
        r#"
[node]
name = "edge1"
site = "dc1"
asn = {EDGE}
router-id = "10.99.1.1"
own-prefixes = ["198.18.7.0/24"]

[kernel]
install = false

[mrt]
updates = "{update_log}"
keep = 1000
"#
    );
    for (name, asn, link) in NEIGHBORS {
        let policy = if name == "feed" {
            "import = \"all\"\nexport = \"none\""
        } else {
            "import = \"none\"\nexport = \"transit\""
        };
        for (family, address) in [(4, format!("10.99.{link}.2")), (6, format!("fd99:{link}::2"))] {
            text.push_str(&format!(
                "\n[neighbor.{name}{family}]\naddress = \"{address}\"\nremote-as = {asn}\nhold-time = \"30s\"\n\
                 connect-retry = \"1s\"\n{policy}\n"
            ));
        }
    }
    text
}

fn speaker(asn: u32, link: u8) -> Speaker {
    let sessions = [("10.99.", "."), ("fd99:", "::")].map(|(head, tail)| {
        let [local, remote] = [2, 1].map(|host| format!("{head}{link}{tail}{host}"));
        Session { passive: true, ..Session::new(&local, &remote, EDGE) }
    });
    Speaker {
        asn,
        router_id: format!("10.99.{link}.2").parse().unwrap(),
        sessions: sessions.into(),
        networks: Vec::new(),
    }
}

/// The prefixes of a TABLE_DUMP_V2 file, by family (RFC 6396 §4.3.2).
fn prefixes(mut file: &[u8]) -> [BTreeSet<String>; 2] {
    // Some real prefixes have bits behind their length.
    let net = |address: IpAddr, bits| IpNet::new(address, bits).unwrap().trunc().to_string();
    let mut all = [BTreeSet::new(), BTreeSet::new()];
    while let Some((head, rest)) = file.split_at_checked(12) {
        let length = u32::from_be_bytes(head[8..].try_into().unwrap()) as usize;
        let (body, rest) = rest.split_at(length);
        file = rest;
        let subtype = u16::from_be_bytes([head[6], head[7]]);
        // Behind the sequence number: the prefix length, and as many octets as it takes.
        let bits = body[4];
        let octets = &body[5..5 + usize::from(bits).div_ceil(8)];
        match subtype {
            2 => {
                let mut address = [0; 4];
                address[..octets.len()].copy_from_slice(octets);
                all[0].insert(net(Ipv4Addr::from(address).into(), bits));
            }
            4 => {
                let mut address = [0; 16];
                address[..octets.len()].copy_from_slice(octets);
                all[1].insert(net(Ipv6Addr::from(address).into(), bits));
            }
            _ => {}
        }
    }
    all
}

fn sorted(words: impl Iterator<Item = String>) -> String {
    words.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An attribute of GoBGP's JSON; left out are the numbers and lists that are zero or empty.
fn gobgp_attribute(attribute: &Value) -> (String, String) {
    let number = |key: &str| attribute[key].as_u64().unwrap_or(0);
    let text = |key: &str| attribute[key].as_str().unwrap_or_default().to_owned();
    let (name, value) = match attribute["type"].as_u64().unwrap() {
        1 => ("origin", ["IGP", "EGP", "Incomplete"][number("value") as usize].to_owned()),
        2 => {
            let segments = list(&attribute["as_paths"]).iter().map(|segment| {
                let words: Vec<String> =
                    list(&segment["asns"]).iter().map(Value::to_string).collect();
                match segment["segment_type"].as_u64() {
                    Some(2) => words.join(" "),
                    Some(1) => format!("{{{}}}", words.join(" ")),
                    other => panic!("AS_PATH segment of type {other:?}"),
                }
            });
            ("as_path", segments.collect::<Vec<_>>().join(" "))
        }
        3 | 14 => ("next_hop", text("nexthop")),
        4 => ("med", number("metric").to_string()),
        5 => ("local_pref", number("value").to_string()),
        6 => ("atomic_aggr", String::new()),
        7 => ("aggregator", format!("{} AS{}", text("address"), number("as"))),
        8 => {
            let all = list(&attribute["communities"]).iter().filter_map(Value::as_u64);
            ("community", sorted(all.map(|word| format!("({},{})", word >> 16, word & 0xffff))))
        }
        16 => ("ext_community", sorted(list(&attribute["value"]).iter().map(extended_community))),
        32 => {
            let all = list(&attribute["value"]).iter();
            let all = all.map(|word| {
                format!("({}, {}, {})", word["ASN"], word["LocalData1"], word["LocalData2"])
            });
            ("large_community", sorted(all))
        }
        code => return (format!("{code:02x}"), attribute.to_string()),
    };
    (name.to_owned(), value)
}

fn extended_community(value: &Value) -> String {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    match (number("type"), number("subtype")) {
        (0..=2, subtype @ (2 | 3)) => {
            let kind = if subtype == 2 { "rt" } else { "ro" };
            format!("({kind}, {})", value["value"].as_str().unwrap().replace(':', ", "))
        }
        // Origin validation state (RFC 8097): not transitive.
        (0x43, 0) => format!("(generic, 0x43000000, 0x{:x})", number("value")),
        other => panic!("extended community {other:?}: {value}"),
    }
}

/// `gobgp neighbor X adj-in` or `adj-out`.
fn gobgp_table(gobgp: &Gobgp, neighbor: &str, which: &str) -> Result<Table, String> {
    let family = if neighbor.contains(':') { "ipv6" } else { "ipv4" };
    let text = gobgp.ask(&["neighbor", neighbor, which, "-a", family, "-j"])?;
    let shown: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    let all = shown.as_object().into_iter().flatten();
    let all = all.map(|(prefix, paths)| {
        assert_eq!(list(paths).len(), 1, "{prefix}: {paths}");
        (prefix.clone(), list(&paths[0]["attrs"]).iter().map(gobgp_attribute).collect())
    });
    Ok(all.collect())
}

/// `birdc show route all`.
fn bird_table(bird: &Bird, family: usize) -> Result<Table, String> {
    let text = bird.ask(&format!("show route table master{family} all where source = RTS_BGP"))?;
    // Long lists go on in the next line.
    let text = text.replace("\n\t\t", " ");
    let mut table = Table::new();
    let mut current: Option<&mut Attributes> = None;
    for line in text.lines() {
        if line.contains(" unicast [") {
            let prefix = line.split_whitespace().next().unwrap_or_default();
            assert!(prefix.contains('/') && !table.contains_key(prefix), "second path: {line}");
            current = Some(table.entry(prefix.to_owned()).or_default());
        } else if let Some(attribute) = line.strip_prefix("\tBGP.") {
            let (name, value) = attribute.split_once(':').expect("a name and a value");
            let value = value.trim();
            let value = match name {
                // The link-local next hop stands behind the global one.
                "next_hop" => value.split(' ').next().unwrap_or_default().to_owned(),
                "community" | "large_community" | "ext_community" => sorted(tuples(value)),
                _ => value.to_owned(),
            };
            current.as_mut().expect("a prefix").insert(name.to_owned(), value);
        }
    }
    Ok(table)
}

/// `(a,b) (c,d)`, cut into its tuples.
fn tuples(list: &str) -> impl Iterator<Item = String> {
    list.split_inclusive(')').map(|tuple| tuple.trim().to_owned())
}

/// What a receiver on this link must have, if `fed` is what the feed sent.
fn expected(fed: &Table, next_hop: &str) -> Table {
    let mut out = Table::new();
    for (prefix, attributes) in fed {
        let communities = attributes.get("community").map_or("", String::as_str);
        let withheld = ["(65535,65281)", "(65535,65282)", "(65535,65283)"];
        if withheld.iter().any(|community| communities.contains(community)) {
            continue;
        }
        let mut attributes = attributes.clone();
        attributes.remove("med");
        attributes.remove("local_pref");
        attributes.insert("next_hop".into(), next_hop.into());
        let path = attributes.get_mut("as_path").expect("every path has one");
        path.insert_str(0, &format!("{EDGE} "));
        if let Some(all) = attributes.remove("ext_community") {
            // Bit 0x40 of the type: not beyond this AS.
            let transitive = tuples(&all).filter(|tuple| !tuple.starts_with("(generic, 0x4"));
            let rest = sorted(transitive);
            if !rest.is_empty() {
                attributes.insert("ext_community".into(), rest);
            }
        }
        out.insert(prefix.clone(), attributes);
    }
    out
}

/// A route of the feed in the columns of `bgpdump -m` that follow the peer. Lists are sorted.
fn archived(prefix: &str, attributes: &Attributes) -> Vec<String> {
    let attribute = |name: &str| attributes.get(name).cloned().unwrap_or_default();
    let communities = attribute("community");
    let communities = tuples(&communities).map(|tuple| community_by_bgpdump(&tuple));
    let aggregator = attribute("aggregator");
    let aggregator = match aggregator.split_once(" AS") {
        Some((address, asn)) => format!("{asn} {address}"),
        None => String::new(),
    };
    let med = attributes.get("med").map_or("0", String::as_str);
    let is_atomic = attributes.contains_key("atomic_aggr");
    vec![
        prefix.to_owned(),
        sets_with_commas(&attribute("as_path")),
        attribute("origin").to_uppercase(),
        attribute("next_hop"),
        "0".to_owned(),
        med.to_owned(),
        sorted(communities),
        if is_atomic { "AG" } else { "NAG" }.to_owned(),
        aggregator,
        String::new(),
    ]
}

/// `1 {2 3}` as `1 {2,3}`.
fn sets_with_commas(path: &str) -> String {
    let mut inside = false;
    let cut = path.chars().map(|c| {
        inside = c == '{' || (inside && c != '}');
        if inside && c == ' ' { ',' } else { c }
    });
    cut.collect()
}

/// `(64500,7)` as `64500:7`, and three by name.
fn community_by_bgpdump(tuple: &str) -> String {
    match tuple {
        "(65535,65281)" => "no-export".to_owned(),
        "(65535,65282)" => "no-advertise".to_owned(),
        "(65535,65283)" => "local-AS".to_owned(),
        _ => tuple.trim_matches(['(', ')']).replace(',', ":"),
    }
}

/// A line of `bgpdump -m`, what follows the peer: IPv6 as everybody writes it, communities sorted.
fn canonical(line: &[String]) -> Vec<String> {
    let mut columns = line.to_vec();
    let prefix: IpNet = columns[0].parse().unwrap();
    let next_hop: IpAddr = columns[3].parse().unwrap();
    columns[0] = prefix.to_string();
    columns[3] = next_hop.to_string();
    columns[6] = sorted(columns[6].split_whitespace().map(str::to_owned));
    columns
}

/// The differences between two tables, the first few in words.
#[track_caller]
fn assert_same(what: &str, found: &Table, wanted: &Table) {
    let all: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let different: Vec<String> = all
        .into_iter()
        .filter(|prefix| found.get(*prefix) != wanted.get(*prefix))
        .map(|prefix| {
            format!("{prefix}\n  wanted {:?}\n  found  {:?}", wanted.get(prefix), found.get(prefix))
        })
        .collect();
    assert!(
        different.is_empty(),
        "{what}: {} of {} prefixes differ:\n{}",
        different.len(),
        wanted.len(),
        different[..different.len().min(10)].join("\n")
    );
}

struct Scene {
    feed: Gobgp,
    shuntd: Shuntd,
    bird: Bird,
    sink: Gobgp,
    bird_link: Capture,
    patience: Duration,
    edge: Node,
    /// Last, so that it goes last.
    _net: Net,
}

impl Scene {
    #[track_caller]
    fn new(patience: Duration) -> Scene {
        let mut net = Net::new();
        let edge = net.node("edge");
        let nodes: Vec<Node> = NEIGHBORS
            .map(|(name, _, link)| {
                let node = net.node(name);
                net.link(&edge, &node, link);
                node
            })
            .into();
        let bird_link = Capture::start(&edge, "bird", "tcp port 179");
        let feed = Gobgp::start(&nodes[0], speaker(FEED, 1));
        let bird = Bird::start(&nodes[1], speaker(BIRD, 2));
        let sink = Gobgp::start(&nodes[2], speaker(SINK, 3));
        let shuntd = Shuntd::start(&edge, &configuration(&edge.path("log")));
        let scene = Scene { feed, shuntd, bird, sink, bird_link, patience, edge, _net: net };
        scene.established();
        scene
    }

    #[track_caller]
    fn established(&self) {
        for (name, ..) in NEIGHBORS {
            for family in [4, 6] {
                wait_for(&format!("session {name}{family}"), PATIENCE, || {
                    let neighbor = self.shuntd.neighbor(&format!("{name}{family}"))?;
                    match neighbor["state"].as_str() {
                        Some("established") => Ok(()),
                        _ => Err(neighbor.to_string()),
                    }
                });
            }
        }
    }

    fn count(&self, neighbor: &str, what: &str) -> Result<u64, String> {
        let neighbor = self.shuntd.neighbor(neighbor)?;
        neighbor[what].as_u64().ok_or(neighbor.to_string())
    }

    /// Lets the feed announce these files, IPv4 if the family is 4.
    #[track_caller]
    fn inject(&self, files: &[String], family: u8) {
        let (other, next_hop) =
            if family == 4 { ("--no-ipv6", "10.99.1.2") } else { ("--no-ipv4", "fd99:1::2") };
        for file in files {
            let arguments =
                ["mrt", "inject", "global", file, "--only-best", other, "--nexthop", next_hop];
            self.feed.ask(&arguments).unwrap();
        }
    }

    /// Everything the feed sent has come out at both receivers, unchanged but for what has to. Gives the numbers of
    /// routes that went in and came out.
    #[track_caller]
    fn compare(&self, family: usize) -> (usize, usize) {
        // shuntd's addresses as the three see them.
        let [to_feed, to_bird, to_sink] = if family == 4 {
            ["10.99.1.1", "10.99.2.1", "10.99.3.1"]
        } else {
            ["fd99:1::1", "fd99:2::1", "fd99:3::1"]
        };
        let fed = gobgp_table(&self.feed, to_feed, "adj-out").unwrap();
        let (at_bird, at_sink) = (expected(&fed, to_bird), expected(&fed, to_sink));
        let [feed, bird, sink] = NEIGHBORS.map(|(name, ..)| format!("{name}{family}"));
        for (name, what, wanted) in [
            (&feed, "prefixes_received", fed.len()),
            (&bird, "prefixes_sent", at_bird.len()),
            (&sink, "prefixes_sent", at_sink.len()),
        ] {
            wait_for(&format!("{wanted} {what} of {name}"), self.patience, || {
                match self.count(name, what)? {
                    count if count == wanted as u64 => Ok(()),
                    count => Err(count.to_string()),
                }
            });
        }
        let found =
            wait_for("all routes at the second GoBGP", self.patience, || {
                match gobgp_table(&self.sink, to_sink, "adj-in")? {
                    table if table.len() == at_sink.len() => Ok(table),
                    table => Err(table.len().to_string()),
                }
            });
        assert_same("second GoBGP", &found, &at_sink);
        let mut found = wait_for("all routes at BIRD", self.patience, || {
            match bird_table(&self.bird, family)? {
                table if table.len() == at_bird.len() => Ok(table),
                table => Err(table.len().to_string()),
            }
        });
        for attributes in found.values_mut() {
            // BIRD's own default; the other receiver shows that none was sent.
            assert_eq!(attributes.remove("local_pref").as_deref(), Some("100"));
        }
        assert_same("BIRD", &found, &at_bird);
        (fed.len(), found.len())
    }

    /// What shuntd dumps is what the feed has sent it, says bgpdump.
    #[track_caller]
    fn compare_archive(&self) {
        let file = self.edge.path("rib.mrt");
        let started = Instant::now();
        let said = self.shuntd.order(&["mrt", "dump", &file]);
        println!("{} after {:?}", said.trim(), started.elapsed());
        let mut found = [BTreeSet::new(), BTreeSet::new()];
        for line in bgpdump(&file) {
            let peer = if line[5].contains(':') { "fd99:1::2" } else { "10.99.1.2" };
            assert_eq!(line[..1], ["TABLE_DUMP2"]);
            assert_eq!(line[2..5], ["B", peer, &FEED.to_string()]);
            let new = found[usize::from(line[5].contains(':'))].insert(canonical(&line[5..]));
            assert!(new, "twice: {line:?}");
        }
        self.compare_log(&found);
        for (found, neighbor) in found.iter().zip(["10.99.1.1", "fd99:1::1"]) {
            let fed = gobgp_table(&self.feed, neighbor, "adj-out").unwrap();
            let wanted: BTreeSet<Vec<String>> =
                fed.iter().map(|(prefix, attributes)| archived(prefix, attributes)).collect();
            let missing: Vec<_> = wanted.difference(found).take(5).collect();
            let surplus: Vec<_> = found.difference(&wanted).take(5).collect();
            let length = (wanted.len(), found.len());
            assert_eq!(*found, wanted, "{length:?} wanted {missing:#?} found {surplus:#?}");
        }
    }

    /// The log of updates, from its beginning on, leads to the same table.
    #[track_caller]
    fn compare_log(&self, wanted: &[BTreeSet<Vec<String>>; 2]) {
        let logged = || -> Result<[BTreeSet<Vec<String>>; 2], String> {
            let mut files: Vec<_> = std::fs::read_dir(self.edge.path("log"))
                .map_err(|error| error.to_string())?
                .map(|file| file.unwrap().path().display().to_string())
                .collect();
            files.sort();
            let mut tables: [BTreeMap<String, Vec<String>>; 2] = Default::default();
            for line in files.iter().flat_map(|file| bgpdump(file)) {
                assert_eq!(line[0], "BGP4MP_ET");
                let table = &mut tables[usize::from(line[3].contains(':'))];
                match (line[2].as_str(), line[3].as_str()) {
                    ("A", "10.99.1.2" | "fd99:1::2") => {
                        let columns = canonical(&line[5..]);
                        table.insert(columns[0].clone(), columns);
                    }
                    ("W", "10.99.1.2" | "fd99:1::2") => {
                        let prefix: IpNet = line[5].parse().unwrap();
                        table.remove(&prefix.to_string());
                    }
                    // The end of a session is the end of all its routes.
                    ("STATE", _) if line[5] == "6" => table.clear(),
                    _ => {}
                }
            }
            Ok(tables.map(|table| table.into_values().collect()))
        };
        wait_for("the table in the log", self.patience, || match logged()? {
            tables if tables == *wanted => Ok(()),
            tables => Err(format!("{} and {}", tables[0].len(), tables[1].len())),
        });
    }

    /// Nothing is left at the receivers.
    #[track_caller]
    fn empty(&self) {
        let mut slowest = Duration::ZERO;
        wait_for("withdrawal of all at BIRD", self.patience, || {
            let asked = Instant::now();
            self.shuntd.ask(&["status"])?;
            slowest = slowest.max(asked.elapsed());
            match self.bird.ask("show route count")? {
                text if text.contains("Total: 0 of 0 routes") => Ok(()),
                text => Err(text),
            }
        });
        for neighbor in ["10.99.3.1", "fd99:3::1"] {
            wait_for("withdrawal of all at the second GoBGP", self.patience, || match gobgp_table(
                &self.sink, neighbor, "adj-in",
            )?
            .len()
            {
                0 => Ok(()),
                count => Err(format!("{count} left")),
            });
        }
        println!("meanwhile the slowest answer of shuntd took {slowest:?}");
        assert_eq!(self.shuntd.routes().unwrap(), [Value::Null; 0]);
        for name in ["bird4", "bird6", "sink4", "sink6"] {
            assert_eq!(self.count(name, "prefixes_sent").unwrap(), 0);
            assert_eq!(self.count(name, "established_count").unwrap(), 1);
        }
    }
}

#[test]
fn comes_out_as_it_went_in() {
    let mut scene = Scene::new(PATIENCE);
    let mut wanted = [BTreeSet::new(), BTreeSet::new()];
    let mut files = Vec::new();
    for name in ["ris-2010-07-01", "ris-2016-08-11", "routeviews6-2015-11-01"] {
        let path = format!("{}/tests/data/table/{name}.mrt.gz", env!("CARGO_MANIFEST_DIR"));
        let mut table = Vec::new();
        GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut table).unwrap();
        for (all, more) in wanted.iter_mut().zip(prefixes(&table)) {
            all.extend(more);
        }
        let path = scene.edge.path(&format!("{name}.mrt"));
        // The last record of a file is never announced: here it is a repetition.
        std::fs::write(&path, table.repeat(2)).unwrap();
        files.push(path);
    }
    for life in 0..2 {
        for (family, wanted) in [(4, &wanted[0]), (6, &wanted[1])] {
            let mut before = usize::MAX;
            wait_for("whole table in the feed", PATIENCE, || {
                let neighbor = if family == 4 { "10.99.1.1" } else { "fd99:1::1" };
                let fed = gobgp_table(&scene.feed, neighbor, "adj-out")?;
                let fed: BTreeSet<String> = fed.into_keys().collect();
                if fed == *wanted {
                    return Ok(());
                }
                // Nothing yet, or it stands still: GoBGP 3.10 forgets the last records of a file.
                if fed.is_empty() || fed.len() == before {
                    scene.inject(&files, family);
                }
                before = fed.len();
                let missing: Vec<_> = wanted.difference(&fed).take(10).collect();
                Err(format!("{} of {}, without {missing:?}", fed.len(), wanted.len()))
            });
        }
        for family in [4, 6] {
            let (fed, found) = scene.compare(family);
            println!("life {life}, IPv{family}: {fed} routes in, {found} out");
        }
        scene.compare_archive();
        scene.feed.kill();
        scene.empty();
        scene.feed.start();
        scene.established();
    }
    scene.bird_link.stop();
    for source in ["ip.src == 10.99.2.1", "ipv6.src == fd99:2::1"] {
        // Warnings of tshark, too. Those of TCP are about the kernel, not about us.
        let faulty = format!(
            "bgp && {source} && (_ws.malformed || _ws.expert.severity >= 6291456) && !tcp.analysis.flags"
        );
        let seen = scene.bird_link.fields(&faulty, &["frame.number", "_ws.expert.message"]);
        assert_eq!(seen, [""; 0]);
        let updates =
            scene.bird_link.fields(&format!("bgp.type == 2 && {source}"), &["frame.number"]);
        assert!(updates.len() > 10, "the capture has {} frames with UPDATEs", updates.len());
    }
}

/// A full table of 323,487 prefixes, if it is there.
#[test]
fn full_table_comes_out_as_it_went_in() {
    let Ok(corpora) = std::env::var("SHUNT_CORPORA") else {
        println!("SHUNT_CORPORA is not set: no full table");
        return;
    };
    let mut scene = Scene::new(Duration::from_secs(300));
    let path = scene.edge.path("full.mrt");
    let packed = Path::new(&corpora).join("mrt/rib-2010-full.mrt.bz2");
    let script = format!("bzip2 -dc '{}' >'{path}'", packed.display());
    let unpacked = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(unpacked.success(), "cannot unpack {}", packed.display());
    let start = Instant::now();
    scene.inject(&[path], 4);
    println!("fed after {:?}", start.elapsed());
    let (fed, found) = scene.compare(4);
    println!("{fed} routes in, {found} out after {:?}", start.elapsed());
    assert!(fed > 320_000);
    scene.compare_archive();
    scene.feed.kill();
    let start = Instant::now();
    scene.empty();
    println!("all withdrawn after {:?}", start.elapsed());
}
