//! `[rpki.cache.NAME]`: from where we learn who may originate which prefix.

use std::collections::BTreeMap;

use super::address;
use super::report::Report;
use super::section::{Entry, Section, head};
use super::value;
use crate::rpki::{CacheId, Settings};

pub(super) const KEYS: &[&str] = &["address", "port", "local-address"];

/// RFC 8210 §9.
const PORT: u16 = 323;

pub(super) fn read(root: &Section<'_>, report: &mut Report<'_>) -> BTreeMap<String, Settings> {
    let mut caches = BTreeMap::new();
    let section = root
        .value("rpki")
        .and_then(|value| Section::open("[rpki]".to_owned(), value, &["cache"], report));
    let Some(section) = section else { return caches };
    for Entry { key, key_span, value } in section.named("cache", report) {
        if let Err(wrong) = value::wide_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        let section = Section::open(head("rpki.cache", key), value, KEYS, report);
        let Some(section) = section else { continue };
        let Some(cache) = read_one(&section, report) else { continue };
        let same = |other: &Settings| (other.address, other.port) == (cache.address, cache.port);
        if let Some((other, _)) = caches.iter().find(|(_, other)| same(other)) {
            report
                .at(section.span_of("address"), format!("the same cache as `{other}`"))
                .label("says the same")
                .help("another cache is of use when it can fail alone");
        } else if caches.len() >= CacheId::MOST {
            report
                .at(key_span, format!("more than {} caches", CacheId::MOST))
                .label("two or three that fail alone are enough");
        }
        caches.insert(key.to_owned(), cache);
    }
    caches
}

fn read_one(section: &Section<'_>, report: &mut Report<'_>) -> Option<Settings> {
    let address =
        section.require("address", "address = \"192.0.2.53\"", report, address::wide_unicast);
    let port = section.number("port", 1..=65535, report).unwrap_or(PORT);
    let local_address = section.get("local-address", report, address::wide_unicast);
    let address = address?;
    if let Some(local) = local_address
        && local.is_ipv4() != address.is_ipv4()
    {
        report
            .at(section.span_of("local-address"), "`local-address` is of the other address family")
            .label(format!("not {}", address::family(address)))
            .related(section.span_of("address"), "the cache's address");
    }
    Some(Settings { address, port, local_address })
}
