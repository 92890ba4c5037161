use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use socket2::{Protocol, Type};
use tokio::time::timeout_at;

use super::connect::{receive, report_errors, socket};
use super::course::{Answer, Course, Fault};
use crate::driver::syscalls;
use crate::health::{Query, RecordType};

// One question and its answer are some hundred octets of RFC 1035 §4; the libraries for it bring resolvers, and tens of crates.

/// An answer by UDP without EDNS is no longer (RFC 1035 §2.3.4).
const LARGEST: usize = 512;
/// So many answers to something else are ignored.
const MOST_IGNORED: usize = 64;
const HEADER: usize = 12;
/// Of names, in octets (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: usize = 63;
/// Class IN.
const INTERNET: u16 = 1;
/// Query type A, AAAA, SOA.
const A: u16 = 1;
const SOA: u16 = 6;
const AAAA: u16 = 28;
/// Flags of a header.
const IS_ANSWER: u16 = 0x8000;
const TRUNCATED: u16 = 0x0200;
const RECURSION_WANTED: u16 = 0x0100;

/// Asks a DNS server one question.
pub async fn ask(course: &mut Course<'_>, query: &Query) -> Result<Answer, Fault> {
    let server = query.server;
    let broken = |error| Fault::of(&error, format_args!("{server} cannot be asked"));
    let [high, low, ..] = RandomState::new().hash_one(server).to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let question = question(&query.name, query.record)
        .ok_or_else(|| Fault::NotAsked(format!("`{}` is no name of the DNS", query.name)))?;
    let socket = socket(server.ip(), Type::DGRAM, Protocol::UDP, &course.settings.origin)?;
    report_errors(&socket, server.ip())?;
    socket.connect(&server.into()).map_err(broken)?;
    socket.send(&message(id, &question)).map_err(broken)?;
    let socket = syscalls::watch(socket).map_err(broken)?;
    let deadline = course.deadline();
    let reply = async {
        let mut buffer = [0; LARGEST];
        for _ in 0..MOST_IGNORED {
            let count = receive(&socket, &mut buffer).await.map_err(broken)?;
            match Reply::parse(buffer.get(..count).unwrap_or_default(), id, &question) {
                Ok(reply) => return judge(query, &reply),
                Err(Unfit::NotOurs(why)) => course.step(format_args!("an answer {why} came")),
                Err(Unfit::Broken) => {
                    return Err(Fault::Failed(format!("the answer of {server} is malformed")));
                }
            }
        }
        Err(Fault::Failed(format!("{server} answers again and again what was not asked")))
    };
    let received = timeout_at(deadline, reply).await;
    course.in_time(received, server)
}

fn judge(query: &Query, reply: &Reply) -> Result<Answer, Fault> {
    let Query { server, name, record, expect } = query;
    if reply.code != 0 {
        return Err(Fault::Failed(format!("{server} answers {} for {name}", code(reply.code))));
    }
    let Some(expected) = expect else {
        let records = match reply.records {
            0 => "no record".to_owned(),
            1 => format!("one {}", text(*record)),
            some => format!("{some} {}", text(*record)),
        };
        return Ok(format!("{records} for {name}").into());
    };
    if reply.addresses.contains(expected) {
        return Ok(format!("{name} is {expected}").into());
    }
    let all: Vec<String> = reply.addresses.iter().map(IpAddr::to_string).collect();
    let there = match all.is_empty() {
        true => "has no address".to_owned(),
        false => format!("is {}", all.join(", ")),
    };
    let cut = if reply.is_truncated { ", truncated" } else { "" };
    Err(Fault::Failed(format!("{name} {there} and not {expected}, says {server}{cut}")))
}

fn text(record: RecordType) -> &'static str {
    match record {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Soa => "SOA",
    }
}

fn code(code: u8) -> String {
    match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        code => format!("error {code}"),
    }
}

/// Name, type and class. `None` if it is no name.
fn question(name: &str, record: RecordType) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    for label in name.strip_suffix('.').unwrap_or(name).split('.').filter(|_| name != ".") {
        let length = u8::try_from(label.len()).ok();
        octets.push(length.filter(|length| (1..=LONGEST_LABEL).contains(&usize::from(*length)))?);
        octets.extend(label.bytes());
    }
    octets.push(0);
    if octets.len() > LONGEST_NAME {
        return None;
    }
    octets.extend(kind(record).to_be_bytes());
    octets.extend(INTERNET.to_be_bytes());
    Some(octets)
}

fn kind(record: RecordType) -> u16 {
    match record {
        RecordType::A => A,
        RecordType::Aaaa => AAAA,
        RecordType::Soa => SOA,
    }
}

fn message(id: u16, question: &[u8]) -> Vec<u8> {
    // Identifier, flags, and how many questions, answers, authorities and additional records there are.
    let header = [id, RECURSION_WANTED, 1, 0, 0, 0].map(u16::to_be_bytes);
    [header.as_flattened(), question].concat()
}

/// An answer to our question.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    /// RCODE.
    code: u8,
    is_truncated: bool,
    /// Of the type that was asked for.
    records: usize,
    addresses: Vec<IpAddr>,
}

#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    /// Of somebody else, or to another question.
    NotOurs(&'static str),
    Broken,
}

impl Reply {
    fn parse(octets: &[u8], id: u16, question: &[u8]) -> Result<Reply, Unfit> {
        let mut reader = Reader(octets);
        let [found, flags, questions, answers, _, _] = reader.header().ok_or(Unfit::Broken)?;
        if flags & IS_ANSWER == 0 || found != id {
            return Err(Unfit::NotOurs("with another identifier"));
        }
        let [_, low] = flags.to_be_bytes();
        let mut reply = Reply {
            code: low & 0x0f,
            is_truncated: flags & TRUNCATED != 0,
            records: 0,
            addresses: Vec::new(),
        };
        // Who does not understand the question may leave it out.
        if questions == 0 && reply.code != 0 {
            return Ok(reply);
        }
        let asked = reader.take(question.len());
        if questions != 1 || !asked.is_some_and(|asked| asked.eq_ignore_ascii_case(question)) {
            return Err(Unfit::NotOurs("to another question"));
        }
        let wanted = question.split_last_chunk::<4>().map(|(_, [high, low, ..])| [*high, *low]);
        let wanted = wanted.map(u16::from_be_bytes);
        for _ in 0..answers {
            match reader.record() {
                Some((kind, data)) => reply.count(kind, data, wanted),
                None if reply.is_truncated => break,
                None => return Err(Unfit::Broken),
            }
        }
        Ok(reply)
    }

    fn count(&mut self, kind: u16, data: &[u8], wanted: Option<u16>) {
        if wanted == Some(kind) {
            self.records += 1;
        }
        self.addresses.extend(match kind {
            A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        });
    }
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*taken))
    }

    fn header(&mut self) -> Option<[u16; HEADER / 2]> {
        let mut header = [0; HEADER / 2];
        for field in &mut header {
            *field = self.number()?;
        }
        Some(header)
    }

    /// Type and data of a resource record.
    fn record(&mut self) -> Option<(u16, &'a [u8])> {
        self.skip_name()?;
        let kind = self.number()?;
        // Class and TTL.
        self.take(6)?;
        let length = self.number()?;
        Some((kind, self.take(length.into())?))
    }

    /// A name ends with the root, or with a pointer to the rest of it (RFC 1035 §4.1.4).
    fn skip_name(&mut self) -> Option<()> {
        loop {
            let (&length, rest) = self.0.split_first()?;
            self.0 = rest;
            match length {
                0 => return Some(()),
                0xc0.. => return self.take(1).map(drop),
                length => self.take(length.into())?,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::net::UdpSocket;

    use super::super::testing::{failed, not_asked, run, settings, well};
    use super::*;
    use crate::health::{Method, Settings};

    const NAME: &str = "db.example.";

    /// A server that answers each query with what `answers` make of it.
    async fn server(answers: fn(&[u8]) -> Vec<Vec<u8>>) -> std::net::SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (count, from) = socket.recv_from(&mut buffer).await.unwrap();
                for answer in answers(&buffer[..count]) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        address
    }

    fn query(server: std::net::SocketAddr, expect: Option<&str>) -> Settings {
        let expect = expect.map(|address| address.parse().unwrap());
        let name = NAME.to_owned();
        settings(Method::Dns(Query { server, name, record: RecordType::A, expect }))
    }

    /// With flags and answer records behind the question.
    fn answer(query: &[u8], flags: u16, records: &[&[u8]]) -> Vec<u8> {
        let mut octets = query.to_vec();
        octets[2..4].copy_from_slice(&flags.to_be_bytes());
        octets[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        octets.extend(records.concat());
        octets
    }

    /// A CNAME to a name of its own, and the address of that: pointers, as BIND 9 writes them.
    const ALIAS: &[u8] = b"\xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x06\x03db2\xc0\x0f";
    const ADDRESS: &[u8] = b"\xc0\x28\0\x01\0\x01\0\0\x0e\x10\0\x04\x0a\0\0\x07";

    fn good(query: &[u8]) -> Vec<Vec<u8>> {
        vec![answer(query, 0x8580, &[ALIAS, ADDRESS])]
    }

    #[tokio::test]
    async fn the_address_that_is_expected_is_well() {
        let server = server(good).await;
        assert_eq!(well(&query(server, Some("10.0.0.7"))).await, "db.example. is 10.0.0.7");
        assert_eq!(well(&query(server, None)).await, "one A for db.example.");
        let text = failed(&query(server, Some("10.0.0.8"))).await;
        let wanted = format!("db.example. is 10.0.0.7 and not 10.0.0.8, says {server}");
        assert_eq!(text, wanted);
    }

    #[tokio::test]
    async fn an_error_of_the_server_is_named() {
        let unknown = server(|query| vec![answer(query, 0x8183, &[])]).await;
        let text = failed(&query(unknown, None)).await;
        assert_eq!(text, format!("{unknown} answers NXDOMAIN for db.example."));
        // Without the question.
        let strange = server(|query| {
            let mut octets = query[..HEADER].to_vec();
            octets[2..6].copy_from_slice(&[0x81, 0x81, 0, 0]);
            vec![octets]
        });
        let strange = strange.await;
        let text = failed(&query(strange, None)).await;
        assert_eq!(text, format!("{strange} answers FORMERR for db.example."));
        let empty = server(|query| vec![answer(query, 0x8180, &[])]).await;
        assert_eq!(well(&query(empty, None)).await, "no record for db.example.");
        let text = failed(&query(empty, Some("10.0.0.7"))).await;
        let wanted = format!("db.example. has no address and not 10.0.0.7, says {empty}");
        assert_eq!(text, wanted);
    }

    #[tokio::test]
    async fn answers_to_something_else_are_no_answers() {
        let wrong = |query: &[u8]| {
            let mut answers = good(query);
            answers[0][0] ^= 1;
            answers
        };
        let forger = server(wrong).await;
        let mut settings = query(forger, None);
        settings.timeout = std::time::Duration::from_millis(50);
        let text = failed(&settings).await;
        let wanted =
            format!("no answer from {forger} within 50 ms (an answer with another identifier came");
        assert!(text.starts_with(&wanted), "{text}");

        let late = server(|query| {
            let mut other = good(query).remove(0);
            other[HEADER + 1] = b'x';
            vec![other, good(query).remove(0)]
        });
        let (outcome, steps) = run(&query(late.await, Some("10.0.0.7"))).await;
        assert!(matches!(outcome, crate::health::Outcome::Answered { .. }), "{outcome:?}");
        assert!(steps[0].starts_with("an answer to another question came after "), "{steps:?}");

        let flood = server(|query| vec![query.to_vec(); 100]).await;
        let text = failed(&query(flood, None)).await;
        assert_eq!(text, format!("{flood} answers again and again what was not asked"));
    }

    #[tokio::test]
    async fn where_nobody_listens_it_is_refused() {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let text = failed(&query(free, None)).await;
        assert_eq!(text, format!("{free} cannot be asked: connection refused"));
    }

    #[tokio::test]
    async fn a_broken_answer_is_one() {
        let broken = server(|query| {
            let mut answers = good(query);
            answers[0].pop();
            answers
        });
        let broken = broken.await;
        let text = failed(&query(broken, None)).await;
        assert_eq!(text, format!("the answer of {broken} is malformed"));
    }

    #[tokio::test]
    async fn what_is_no_name_is_not_asked() {
        for name in ["a..b", "", &"a".repeat(64), &"abc.".repeat(64)] {
            let server = "127.0.0.1:53".parse().unwrap();
            let (name, record, expect) = (name.to_owned(), RecordType::Soa, None);
            let text = format!("`{name}` is no name of the DNS");
            let query = Query { server, name, record, expect };
            assert_eq!(not_asked(&settings(Method::Dns(query))).await, text);
        }
        assert_eq!(question(".", RecordType::Soa).unwrap(), [0, 0, 6, 0, 1]);
        assert!(question(&"abc.".repeat(63), RecordType::A).is_some());
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let question = question(NAME, RecordType::A).unwrap();
            let _ = Reply::parse(&octets, 7, &question);
            // A good answer of which one octet is another, and the rest is missing or something else.
            let [good] = good(&message(7, &question)).try_into().unwrap();
            for place in 0..good.len() {
                let mut octets = [&good[..place], &octets[..]].concat();
                let _ = Reply::parse(&octets, 7, &question);
                octets.extend(&good[octets.len().min(good.len())..]);
                let _ = Reply::parse(&octets, 7, &question);
            }
            // Behind a header that is ours.
            let _ = Reply::parse(&answer(&message(7, &question), 0x8180, &[&octets, &[]]), 7, &question);
        }
    }
}
