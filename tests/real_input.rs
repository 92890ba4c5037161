//! Real routing data, read through the codec and compared line by line with what bgpdump says.
//!
//! The small files lie in tests/data/mrt. With `SHUNT_CORPORA` set to a directory of larger ones
//! (`mrt/bgpdump/*.gz` with `*.expect.gz` beside them, `mrt/rib-2010-full.mrt.bz2` with its text),
//! those are read too: `SHUNT_CORPORA=DIR cargo test --release --test real_input -- --nocapture`.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::BytesMut;
use flate2::read::MultiGzDecoder;
use shunt::types::{Family, Prefix};
use shunt::wire::bgp::{
    Announced, Attributes, Community, Message, Nlri, Origin, SessionFacts, Update,
};

fn unpack(path: &Path) -> Vec<u8> {
    let name = path.display();
    let mut bytes = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
            MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        }
        Some("bz2") => {
            let output = Command::new("bzip2").arg("-dc").arg(path).output().unwrap();
            bytes = output.stdout;
        }
        _ => bytes = std::fs::read(path).unwrap(),
    }
    bytes
}

/// Reads numbers and addresses off the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        head
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn address(&mut self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => Ipv4Addr::from(<[u8; 4]>::try_from(self.take(4)).unwrap()).into(),
            Family::Ipv6 => Ipv6Addr::from(<[u8; 16]>::try_from(self.take(16)).unwrap()).into(),
        }
    }
}

/// One MRT record (RFC 6396 §2).
struct Record<'a> {
    time: u32,
    kind: u16,
    subtype: u16,
    body: &'a [u8],
}

/// The records of a file; one that is cut off at the end is left out.
fn records(mut file: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        if file.len() < 12 {
            return None;
        }
        let mut cursor = Cursor(file);
        let (time, kind, subtype) = (cursor.u32(), cursor.u16(), cursor.u16());
        let length = cursor.u32() as usize;
        if cursor.0.len() < length {
            return None;
        }
        let body = cursor.take(length);
        file = cursor.0;
        Some(Record { time, kind, subtype, body })
    })
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(body.len() + 19).unwrap().to_be_bytes());
    message.push(2);
    message.extend(body);
    message
}

fn facts(four_octet_as: bool, add_path: bool) -> SessionFacts {
    SessionFacts {
        // LOCAL_PREF is compared as well.
        ebgp: false,
        four_octet_as,
        extended_message: true,
        families: Family::ALL.to_vec(),
        extended_next_hop: true,
        add_path: if add_path { Family::ALL.to_vec() } else { Vec::new() },
    }
}

/// What was read of one file.
#[derive(Default, Debug)]
struct Count {
    messages: usize,
    routes: usize,
    withdrawn: usize,
    problems: BTreeMap<String, usize>,
    resets: usize,
    /// Announcements whose octets were written and read again.
    rewritten: usize,
}

struct Reader {
    lines: Vec<String>,
    count: Count,
    /// Peers of TABLE_DUMP_V2, by index.
    peers: Vec<(IpAddr, u32)>,
}

impl Reader {
    fn read(file: &[u8]) -> Reader {
        let mut reader = Reader { lines: Vec::new(), count: Count::default(), peers: Vec::new() };
        for record in records(file) {
            reader.record(&record);
        }
        reader
    }

    fn record(&mut self, record: &Record<'_>) {
        let mut body = Cursor(record.body);
        match (record.kind, record.subtype) {
            // BGP, long deprecated (RFC 6396 §B.2.2): MSG_UPDATE.
            (5, 1) => {
                let peer_as = u32::from(body.u16());
                let peer = body.address(Family::Ipv4);
                body.take(6);
                self.update(
                    "BGP",
                    record.time,
                    peer,
                    peer_as,
                    &frame(body.0),
                    &facts(false, false),
                );
            }
            (12, subtype) => self.table_dump(record.time, subtype, body),
            (13, 1) => self.peer_index(body),
            (13, 2 | 4 | 8 | 10) => self.rib_entries(record.time, record.subtype, body),
            (16 | 17, 1 | 4) => {
                if record.kind == 17 {
                    body.take(4);
                }
                let wide = record.subtype == 4;
                let peer_as = if wide { body.u32() } else { u32::from(body.u16()) };
                body.take(if wide { 4 } else { 2 } + 2);
                let family = if body.u16() == 1 { Family::Ipv4 } else { Family::Ipv6 };
                let peer = body.address(family);
                body.address(family);
                if body.0[18] == 2 {
                    let facts = facts(wide, false);
                    self.update("BGP4MP", record.time, peer, peer_as, body.0, &facts);
                }
            }
            _ => {}
        }
    }

    fn update(
        &mut self,
        label: &str,
        time: u32,
        peer: IpAddr,
        peer_as: u32,
        message: &[u8],
        facts: &SessionFacts,
    ) {
        self.count.messages += 1;
        let Some(update) = self.parse(message, facts) else {
            return;
        };
        for route in &update.withdrawn {
            self.lines.push(format!("{label}|{time}|W|{peer}|{peer_as}|{}", route.prefix));
        }
        for Announced { attributes, nlri } in &update.announced {
            let rest = attribute_columns(label, attributes);
            for route in nlri {
                self.lines
                    .push(format!("{label}|{time}|A|{peer}|{peer_as}|{}|{rest}", route.prefix));
            }
        }
    }

    fn parse(&mut self, message: &[u8], facts: &SessionFacts) -> Option<Update> {
        let parsed = match Message::parse(message, facts) {
            Ok(parsed) => parsed,
            Err(_) => {
                self.count.resets += 1;
                return None;
            }
        };
        let Message::Update(update) = &parsed else { panic!("{parsed:?}") };
        for problem in &update.problems {
            *self.count.problems.entry(problem.what.clone()).or_default() += 1;
        }
        self.count.withdrawn += update.withdrawn.len();
        self.count.routes += update.announced.iter().map(|routes| routes.nlri.len()).sum::<usize>();
        // Written and read again, the routes are the same.
        if let [routes] = update.announced.as_slice() {
            let mut again = BytesMut::new();
            Message::Update(Update { announced: vec![routes.clone()], ..Update::default() })
                .emit(facts, &mut again);
            match Message::parse(&again, facts) {
                Ok(Message::Update(second)) => assert_eq!(second.announced, update.announced),
                other => panic!("{other:?} from {routes:?}"),
            }
            self.count.rewritten += 1;
        }
        let Message::Update(update) = parsed else { unreachable!() };
        Some(update)
    }

    /// TABLE_DUMP (RFC 6396 §4.2): one route in each record, AS numbers of two octets.
    fn table_dump(&mut self, time: u32, subtype: u16, mut body: Cursor<'_>) {
        let family = if subtype == 1 { Family::Ipv4 } else { Family::Ipv6 };
        body.take(4);
        let prefix = Prefix::new(body.address(family), body.0[0]).unwrap();
        body.take(1 + 1 + 4);
        let peer = body.address(family);
        let peer_as = u32::from(body.u16());
        let length = usize::from(body.u16());
        let attributes = body.take(length);
        self.route("TABLE_DUMP", time, (peer, peer_as), prefix, None, attributes, false);
    }

    fn peer_index(&mut self, mut body: Cursor<'_>) {
        body.take(4);
        let name = usize::from(body.u16());
        body.take(name);
        for _ in 0..body.u16() {
            let kind = body.u8();
            body.take(4);
            let family = if kind & 1 == 0 { Family::Ipv4 } else { Family::Ipv6 };
            let address = body.address(family);
            let asn = if kind & 2 == 0 { u32::from(body.u16()) } else { body.u32() };
            self.peers.push((address, asn));
        }
    }

    /// RIB_IPV4_UNICAST and so on (RFC 6396 §4.3.2; with path identifiers RFC 8050 §4).
    fn rib_entries(&mut self, time: u32, subtype: u16, mut body: Cursor<'_>) {
        let family = if matches!(subtype, 2 | 8) { Family::Ipv4 } else { Family::Ipv6 };
        let add_path = subtype >= 8;
        body.take(4);
        let length = body.u8();
        let octets = body.take(usize::from(length.div_ceil(8)));
        let address = match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::from(padded::<4>(octets))),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(padded::<16>(octets))),
        };
        let prefix = Prefix::new(address, length).unwrap();
        let label = if add_path { "TABLE_DUMP2_AP" } else { "TABLE_DUMP2" };
        for _ in 0..body.u16() {
            let peer = self.peers[usize::from(body.u16())];
            let _originated = body.u32();
            let path_id = add_path.then(|| body.u32());
            let length = usize::from(body.u16());
            let attributes = body.take(length);
            self.route(label, time, peer, prefix, path_id, attributes, true);
        }
    }

    /// A table's route is made an UPDATE again, and that is read.
    #[allow(clippy::too_many_arguments)]
    fn route(
        &mut self,
        label: &str,
        time: u32,
        (peer, peer_as): (IpAddr, u32),
        prefix: Prefix,
        path_id: Option<u32>,
        attributes: &[u8],
        wide: bool,
    ) {
        self.count.messages += 1;
        let message = as_update(prefix, path_id, attributes);
        let Some(update) = self.parse(&message, &facts(wide, path_id.is_some())) else {
            return;
        };
        for Announced { attributes, nlri } in &update.announced {
            assert_eq!(nlri, &[Nlri { prefix, path_id }]);
            let rest = attribute_columns(label, attributes);
            let path_id = path_id.map(|id| format!("|{id}")).unwrap_or_default();
            self.lines.push(format!("{label}|{time}|B|{peer}|{peer_as}|{prefix}{path_id}|{rest}"));
        }
    }
}

fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut all = [0; N];
    all[..octets.len()].copy_from_slice(octets);
    all
}

/// Tables cut MP_REACH_NLRI down to the next hop (RFC 6396 §4.3.4): it is made whole again.
fn as_update(prefix: Prefix, path_id: Option<u32>, mut attributes: &[u8]) -> Vec<u8> {
    let mut nlri: Vec<u8> = path_id.map(u32::to_be_bytes).into_iter().flatten().collect();
    nlri.push(prefix.length());
    let octets = match prefix.address() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    nlri.extend(&octets[..usize::from(prefix.length().div_ceil(8))]);
    let mut list = Vec::new();
    while !attributes.is_empty() {
        let mut cursor = Cursor(attributes);
        let (flags, code) = (cursor.u8(), cursor.u8());
        let length = if flags & 0x10 != 0 { cursor.u16().into() } else { cursor.u8().into() };
        let value = cursor.take(length);
        if code == 14 {
            // Some collectors write the whole attribute, with AFI and SAFI, but for the prefix.
            let next_hop = if value[0] == 0 { &value[3..] } else { value };
            let next_hop = &next_hop[..1 + usize::from(next_hop[0])];
            let mut value = prefix.family().afi().to_be_bytes().to_vec();
            value.push(1);
            value.extend(next_hop);
            value.push(0);
            value.extend(&nlri);
            list.extend([0x80, 14, u8::try_from(value.len()).unwrap()]);
            list.extend(value);
        } else {
            list.extend(&attributes[..attributes.len() - cursor.0.len()]);
        }
        attributes = cursor.0;
    }
    let mut body = vec![0, 0];
    body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    body.extend(list);
    if prefix.family() == Family::Ipv4 {
        body.extend(nlri);
    }
    frame(&body)
}

/// The columns of `bgpdump -m` behind the prefix.
fn attribute_columns(label: &str, attributes: &Attributes) -> String {
    let origin = match attributes.origin {
        Origin::Igp => "IGP",
        Origin::Egp => "EGP",
        Origin::Incomplete => "INCOMPLETE",
    };
    let communities: Vec<String> = attributes.communities.iter().map(community).collect();
    let communities = match label {
        // The oldest format has no column for them.
        "BGP" => String::new(),
        _ => format!("{}|", communities.join(" ")),
    };
    format!(
        "{}|{origin}|{}|{}|{}|{communities}{}|{}|",
        attributes.as_path,
        attributes.next_hop.address(),
        attributes.local_pref.unwrap_or(0),
        attributes.med.unwrap_or(0),
        if attributes.atomic_aggregate { "AG" } else { "NAG" },
        attributes.aggregator.map(|by| format!("{} {}", by.asn, by.address)).unwrap_or_default(),
    )
}

/// bgpdump names three communities, the last one in its own way.
fn community(community: &Community) -> String {
    match *community {
        Community::NO_EXPORT => "no-export".to_owned(),
        Community::NO_ADVERTISE => "no-advertise".to_owned(),
        Community(0xffff_ff03) => "local-AS".to_owned(),
        Community(bits) => format!("{}:{}", bits >> 16, bits & 0xffff),
    }
}

/// The lines of bgpdump about routes. A collector's own routes have no attributes at all, for which
/// bgpdump makes some up; they are left out. So are the withdrawals of the oldest format, where
/// bgpdump prints the peer's address in place of the prefix.
fn expected(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text)
        .lines()
        .filter(|line| !line.contains("|STATE|") && !line.contains("|B|0.0.0.0|0|"))
        .filter(|line| !is_old_withdrawal(line))
        .map(|line| line.split('|').map(canonical).collect::<Vec<_>>().join("|"))
        .collect()
}

fn is_old_withdrawal(line: &str) -> bool {
    line.starts_with("BGP|") && line.contains("|W|")
}

/// bgpdump shortens also a single group of zeros, which RFC 5952 §4.2.2 does not.
fn canonical(column: &str) -> String {
    let (address, length) = column.split_once('/').unwrap_or((column, ""));
    match address.parse::<Ipv6Addr>() {
        Ok(address) if length.is_empty() => address.to_string(),
        Ok(address) => format!("{address}/{length}"),
        Err(_) => column.to_owned(),
    }
}

/// The lines that only one side has.
fn difference(ours: &[String], theirs: &[String]) -> Vec<String> {
    let mut tally: BTreeMap<&str, i64> = BTreeMap::new();
    ours.iter().for_each(|line| *tally.entry(line).or_default() += 1);
    theirs.iter().for_each(|line| *tally.entry(line).or_default() -= 1);
    tally
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(line, count)| format!("{} {line}", if count > 0 { "ours:  " } else { "theirs:" }))
        .collect()
}

fn compare(data: &Path, expectation: &[u8]) -> (Count, Vec<String>) {
    let mut reader = Reader::read(&unpack(data));
    reader.lines.retain(|line| !is_old_withdrawal(line));
    let theirs = expected(expectation);
    let differing = difference(&reader.lines, &theirs);
    println!(
        "{}: {} lines of bgpdump, {} differ; {:?}",
        data.file_name().unwrap().display(),
        theirs.len(),
        differing.len(),
        reader.count
    );
    (reader.count, differing)
}

fn in_repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mrt").join(name)
}

#[test]
fn collected_routes_read_as_bgpdump_says() {
    for name in [
        "updates.20020722.2238",
        "bview.64k_stream_overflow",
        "bview.ipv4_unicast_add_path",
        "ris.rrc06.updates.1427846400",
        "routeviews.jinx.updates.1427846400",
    ] {
        let data = in_repository(&format!("{name}.gz"));
        let expectation = unpack(&in_repository(&format!("{name}.expect.gz")));
        let (count, differing) = compare(&data, &expectation);
        assert_eq!(differing, Vec::<String>::new(), "{name}");
        assert_eq!(count.resets, 0, "{name}");
        assert!(count.rewritten > 0);
    }
}

/// Additional cover, from files too large for the repository.
#[test]
fn large_collections_read_as_bgpdump_says() {
    let Some(corpora) = std::env::var_os("SHUNT_CORPORA") else {
        println!("SHUNT_CORPORA is not set: the large collections were not read");
        return;
    };
    let mrt = Path::new(&corpora).join("mrt");
    // (data, what bgpdump printed; or else it is asked, lines that differ)
    let files = [
        // RFC 7607 §2 discards an AGGREGATOR with AS 0: eight of them, seen from both sides.
        ("bgpdump/bview.20020722.2337.gz", "bgpdump/bview.20020722.2337.gz.expect.gz", 16),
        // Multicast routes (SAFI 2) are not negotiated by us and ignored.
        ("bgpdump/updates.20070211.0141.gz", "bgpdump/updates.20070211.0141.gz.expect.gz", 150),
        ("bgpdump/updates.20160811.1600.gz", "bgpdump/updates.20160811.1600.gz.expect.gz", 0),
        ("rib-2010-full.mrt.bz2", "rib-2010-full.txt.gz", 0),
        // AGGREGATOR with AS 0 again.
        ("bgpkit-ris/updates.19991214.1621.gz", "", 182),
        ("bgpkit-ris/updates.20000102.2014.gz", "", 0),
        ("gobgpdump-arch0.mrt.gz", "", 280),
        // The last record is cut off; bgpdump prints 17 routes of it.
        ("rib6.20151101.0600_firstMB.bz2", "", 17),
    ];
    let mut wrong = Vec::new();
    for (data, expectation, known) in files {
        let data = mrt.join(data);
        let expectation = if expectation.is_empty() {
            Command::new("bgpdump").arg("-m").arg(&data).output().expect("bgpdump").stdout
        } else {
            unpack(&mrt.join(expectation))
        };
        let (_, differing) = compare(&data, &expectation);
        if differing.len() != known {
            differing.iter().take(20).for_each(|line| println!("  {line}"));
            wrong.push(data);
        }
    }
    assert_eq!(wrong, Vec::<PathBuf>::new());
}
