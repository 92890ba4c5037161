//! `[bfd.profile.NAME]` and `[[bfd.profile.NAME.key]]`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::{BfdProfile, Profiles};
use crate::bfd::{Algorithm, Authentication, Key};
use crate::config::reference::{self, ReadSecret};
use crate::config::report::Report;
use crate::config::section::{Entry, Section, head};
use crate::config::value;

pub(in crate::config) const KEYS: &[&str] =
    &["transmit-interval", "receive-interval", "multiplier", "authentication", "key"];

pub(in crate::config) const KEY_KEYS: &[&str] = &["id", "file"];

const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("simple", Algorithm::Simple),
    ("keyed-md5", Algorithm::KeyedMd5),
    ("meticulous-md5", Algorithm::MeticulousMd5),
    ("keyed-sha1", Algorithm::KeyedSha1),
    ("meticulous-sha1", Algorithm::MeticulousSha1),
];

/// `default` is among them.
pub(in crate::config) fn read(
    bfd: Option<&Section<'_>>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Profiles {
    let mut profiles = BTreeMap::from([("default".to_owned(), Some(BfdProfile::BUILT_IN))]);
    let Some(bfd) = bfd else { return profiles };
    for Entry { key, key_span, value } in bfd.named("profile", report) {
        match value::narrow_name(key) {
            Ok(name) => {
                let section = Section::open(head("bfd.profile", key), value, KEYS, report);
                let profile = section.and_then(|section| read_one(&section, read_secret, report));
                profiles.insert(name, profile);
            }
            Err(wrong) => wrong.report(key, key_span, report),
        }
    }
    profiles
}

/// `None` if an interval or the multiplier is wrong.
fn read_one(
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Option<BfdProfile> {
    let mut profile = BfdProfile::BUILT_IN;
    let mut whole = true;
    let intervals = [
        ("transmit-interval", &mut profile.transmit_interval),
        ("receive-interval", &mut profile.receive_interval),
    ];
    for (key, interval) in intervals {
        let range = Duration::from_millis(5)..=Duration::from_secs(60);
        let within = |value| value::duration_within(value, range, "from 5ms to 60s");
        match section.get(key, report, within) {
            Some(read) => *interval = read,
            None => whole &= !section.has(key),
        }
    }
    match section.number("multiplier", 1..=255, report) {
        Some(multiplier) => profile.multiplier = multiplier,
        None => whole &= !section.has("multiplier"),
    }
    profile.authentication = read_authentication(section, read_secret, report);
    whole.then_some(profile)
}

fn read_authentication(
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Option<Authentication> {
    let algorithm =
        section.get("authentication", report, |value| value::choice(value, &ALGORITHMS));
    let keys = read_keys(algorithm, section, read_secret, report);
    if section.has("key") && !section.has("authentication") {
        report
            .at(section.span_of("key"), "`key` without `authentication`")
            .label("has no effect")
            .help("add a line such as `authentication = \"meticulous-sha1\"`");
    }
    if section.has("authentication") && !section.has("key") {
        report
            .at(section.span_of("authentication"), format!("{} has no `key`", section.name))
            .label("needs one")
            .help(format!("add a section {} with id and file", section.repeated_head("key")));
    }
    Some(Authentication { algorithm: algorithm?, keys })
}

fn read_keys(
    algorithm: Option<Algorithm>,
    section: &Section<'_>,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Vec<Key> {
    let mut keys = Vec::new();
    // Where each id was given first.
    let mut taken: BTreeMap<u8, Range<usize>> = BTreeMap::new();
    for section in section.repeated("key", KEY_KEYS, report) {
        let id = section.require("id", "id = 1", report, |value| value::number(value, 0..=255));
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
        let secret = reference::required_secret(
            &section,
            "file",
            "file = \"bfd.secret\"",
            read_secret,
            report,
        );
        if let (Some(secret), Some(algorithm)) = (&secret, algorithm)
            && secret.expose().len() > octets(algorithm)
        {
            report
                .at(section.span_of("file"), "the key is too long")
                .label(format!("{} octets in this file's first line", secret.expose().len()))
                .help(format!("{} octets at most (RFC 5880 §4.2 to 4.4)", octets(algorithm)));
        }
        keys.extend(id.zip(secret).map(|(id, secret)| Key { id, secret }));
    }
    keys
}

/// What there is room for, in the packet or in front of the digest.
fn octets(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Simple | Algorithm::KeyedMd5 | Algorithm::MeticulousMd5 => 16,
        Algorithm::KeyedSha1 | Algorithm::MeticulousSha1 => 20,
    }
}
