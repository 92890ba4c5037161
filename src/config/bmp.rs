//! `[bmp.NAME]`: collectors that hear of sessions and tables (RFC 7854).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address;
use super::report::Report;
use super::section::{Entry, Section, head};
use super::value::{self, Wrong};
use crate::wire::bmp::Table;

pub(super) const KEYS: &[&str] = &["address", "port", "local-address", "monitor"];

/// Of no standard; what collectors listen on if they are not told otherwise.
const PORT: u16 = 11_019;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    pub address: IpAddr,
    pub port: u16,
    pub local_address: Option<IpAddr>,
    /// At least one.
    pub tables: BTreeSet<Table>,
}

pub(super) fn read(
    root: &Section<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Option<Collector>> {
    let mut collectors = BTreeMap::new();
    for Entry { key, key_span, value } in root.named("bmp", report) {
        if let Err(wrong) = value::wide_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        let section = Section::open(head("bmp", key), value, KEYS, report);
        collectors.insert(key.to_owned(), section.and_then(|section| one(&section, report)));
    }
    collectors
}

fn one(section: &Section<'_>, report: &mut Report<'_>) -> Option<Collector> {
    let address =
        section.require("address", "address = \"192.0.2.9\"", report, address::wide_unicast);
    let port = section.number("port", 1..=u64::from(u16::MAX), report).unwrap_or(PORT);
    let local_address = section.get("local-address", report, address::wide_unicast);
    if let (Some(remote), Some(local)) = (address, local_address)
        && remote.is_ipv4() != local.is_ipv4()
    {
        report
            .at(section.span_of("local-address"), "`local-address` is of another address family")
            .label(format!("`address` is {}", address::family(remote)));
    }
    section.report_missing("monitor", "monitor = [\"in-post\", \"loc-rib\"]", report);
    let words = [("in-post", Table::In), ("out-post", Table::Out), ("loc-rib", Table::Local)];
    let tables = section.list("monitor", report, |value| value::choice(value, &words));
    let tables: BTreeSet<Table> = value::inner(tables?).into_iter().collect();
    if tables.is_empty() {
        Wrong::new("`monitor` names no table")
            .help("the tables are: in-post, out-post, loc-rib")
            .report("monitor", section.span_of("monitor"), report);
    }
    Some(Collector { address: address?, port, local_address, tables })
}
