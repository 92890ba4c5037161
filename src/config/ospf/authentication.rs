//! How an interface's packets are authenticated, and `[[ospf.interface.NAME.key]]`.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::config::reference::{self, ReadSecret};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::value;
use crate::ospf::{Authentication, Key};
use crate::types::Wall;
use crate::wire::ospf::Algorithm;

pub(in crate::config) const KEYS: &[&str] =
    &["id", "algorithm", "file", "send-from", "send-until", "accept-from", "accept-until"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Simple,
    Cryptographic,
}

const METHODS: [(&str, Method); 3] =
    [("none", Method::None), ("simple", Method::Simple), ("cryptographic", Method::Cryptographic)];

const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("md5", Algorithm::KeyedMd5),
    ("hmac-sha-1", Algorithm::HmacSha1),
    ("hmac-sha-256", Algorithm::HmacSha256),
    ("hmac-sha-384", Algorithm::HmacSha384),
    ("hmac-sha-512", Algorithm::HmacSha512),
];

/// The keys of the section that go with one method only.
const METHOD_KEYS: [(&str, Method, &str); 3] = [
    ("password-file", Method::Simple, "simple"),
    ("extended-sequence", Method::Cryptographic, "cryptographic"),
    ("key", Method::Cryptographic, "cryptographic"),
];

/// The field of a packet that holds the password (RFC 2328 §D.3).
const PASSWORD_OCTETS: usize = 8;

/// The digest of keyed MD5 is over the packet and a key of this length (RFC 2328 §D.3).
const MD5_OCTETS: usize = 16;

pub(super) fn read(
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Authentication {
    let method = section.get("authentication", report, |value| value::choice(value, &METHODS));
    let is_known = method.is_some() || !section.has("authentication");
    let method = method.unwrap_or(Method::None);
    let password = reference::secret(section, "password-file", read_secret, report);
    let extended = section.boolean("extended-sequence", report).unwrap_or(false);
    let keys = read_keys(section, read_secret, report);
    if extended && keys.iter().any(|key| key.algorithm == Algorithm::KeyedMd5) {
        report
            .at(section.span_of("extended-sequence"), "`extended-sequence` with an MD5 key")
            .label("is for HMAC only")
            .help("RFC 7474 extends the HMAC algorithms of RFC 5709: give the key one of these");
    }
    if is_known {
        check(method, section, report);
    }
    if let Some(password) = &password
        && password.expose().len() > PASSWORD_OCTETS
    {
        report
            .at(section.span_of("password-file"), "the password is too long")
            .label(format!("{} octets in this file's first line", password.expose().len()))
            .help(format!("a packet has room for {PASSWORD_OCTETS} octets (RFC 2328 §D.3)"));
    }
    match (method, password) {
        (Method::Simple, Some(password)) => Authentication::Simple(password),
        (Method::Cryptographic, _) => Authentication::Cryptographic { keys, extended },
        (Method::None | Method::Simple, _) => Authentication::Null,
    }
}

/// Each key of the section belongs to the method, and what the method needs is there.
fn check(method: Method, section: &Section<'_>, report: &mut Report<'_>) {
    for (key, wanted, word) in METHOD_KEYS {
        if method == wanted || !section.has(key) {
            continue;
        }
        let draft = report
            .at(section.span_of(key), format!("`{key}` without {word} authentication"))
            .label("has no effect")
            .help(format!("`authentication = \"{word}\"` turns it on"));
        if section.has("authentication") {
            draft.related(section.span_of("authentication"), "another one is chosen here");
        }
    }
    let (key, example) = match method {
        Method::None => return,
        Method::Simple => {
            ("password-file", "add a line such as `password-file = \"eth1.secret\"`".to_owned())
        }
        Method::Cryptographic => (
            "key",
            format!("add a section {} with id, algorithm and file", section.repeated_head("key")),
        ),
    };
    if !section.has(key) {
        report
            .at(section.span_of("authentication"), format!("{} has no `{key}`", section.name))
            .label("needs one")
            .help(example);
    }
}

fn read_keys(
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Vec<Key> {
    let mut keys = Vec::new();
    // Where each id was given first.
    let mut taken: BTreeMap<u8, Range<usize>> = BTreeMap::new();
    for section in section.repeated("key", KEYS, report) {
        let id = section.require("id", "id = 1", report, |value| value::number(value, 1..=255));
        if let Some(id) = id {
            let span = section.span_of("id");
            match taken.get(&id) {
                Some(first) => {
                    report
                        .at(span, format!("two keys have the id {id}"))
                        .label("again here")
                        .related(first.clone(), "first here");
                }
                None => {
                    taken.insert(id, span);
                }
            }
        }
        keys.extend(read_key(id, &section, read_secret, report));
    }
    keys
}

fn read_key(
    id: Option<u8>,
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Option<Key> {
    let algorithm = section.require("algorithm", "algorithm = \"hmac-sha-256\"", report, |value| {
        value::choice(value, &ALGORITHMS)
    });
    let example = "file = \"eth1.secret\"";
    let secret = reference::required_secret(section, "file", example, read_secret, report);
    if algorithm == Some(Algorithm::KeyedMd5)
        && let Some(secret) = &secret
        && secret.expose().len() > MD5_OCTETS
    {
        report
            .at(section.span_of("file"), "the key is too long for MD5")
            .label(format!("{} octets in this file's first line", secret.expose().len()))
            .related(section.span_of("algorithm"), format!("at most {MD5_OCTETS} octets"))
            .help("routers would cut it off, or refuse it (RFC 2328 §D.3)");
    }
    let times = LIFETIME_KEYS.map(|key| section.get(key, report, value::time));
    check_lifetimes(times, section, report);
    let [send_from, send_until, accept_from, accept_until] = times;
    let (send, accept) = (lifetime(send_from, send_until), lifetime(accept_from, accept_until));
    Some(Key { id: id?, algorithm: algorithm?, secret: secret?, send, accept })
}

const LIFETIME_KEYS: [&str; 4] = ["send-from", "send-until", "accept-from", "accept-until"];

/// What is left out is no bound. `None`: always.
fn lifetime(from: Option<Wall>, until: Option<Wall>) -> Option<Range<Wall>> {
    if from.is_none() && until.is_none() {
        return None;
    }
    let from = from.unwrap_or(Wall::from_micros(i64::MIN));
    Some(from..until.unwrap_or(Wall::from_micros(i64::MAX)))
}

/// `times` are in the order of [`LIFETIME_KEYS`].
fn check_lifetimes(times: [Option<Wall>; 4], section: &Section<'_>, report: &mut Report<'_>) {
    let [send_from, send_until, accept_from, accept_until] = times;
    let ranges = [
        ("send-from", send_from, "send-until", send_until),
        ("accept-from", accept_from, "accept-until", accept_until),
    ];
    for (from_key, from, until_key, until) in ranges {
        if from.zip(until).is_some_and(|(from, until)| until <= from) {
            report
                .at(
                    section.span_of(until_key),
                    format!("`{until_key}` must be later than `{from_key}`"),
                )
                .label("never in force")
                .related(section.span_of(from_key), "begins here");
        }
    }
    // RFC 2328 §D.3: a key is accepted before the first router sends with it, and until after the last one does.
    let is_early = send_from.zip(accept_from).is_some_and(|(send, accept)| send < accept);
    let is_late = send_until.zip(accept_until).is_some_and(|(send, accept)| send > accept);
    let pairs = [
        (is_early, "send-from", "accept-from", accept_from, "not accepted yet"),
        (is_late, "send-until", "accept-until", accept_until, "no longer accepted"),
    ];
    for (is_outside, send_key, accept_key, accept, problem) in pairs {
        let is_always_sent = accept.is_some() && !section.has(send_key);
        if !is_outside && !is_always_sent {
            continue;
        }
        let message = format!("the key is sent when it is {problem}");
        let draft = if is_always_sent {
            report
                .at(section.span_of(accept_key), message)
                .label(format!("there is no `{send_key}`"))
        } else {
            report
                .at(section.span_of(send_key), message)
                .label(format!("`{accept_key}` does not cover this"))
                .related(section.span_of(accept_key), "accepted")
        };
        draft.help("accept a key from before the first router sends with it until after the last");
    }
}
