//! What is asked, where that takes a few keys only.

use std::net::IpAddr;

use toml::de::DeValue;

use super::target;
use super::tls;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::value::{self, Wrong};
use crate::health::{Method, Query, RecordType};

const RECORDS: [(&str, RecordType); 3] =
    [("A", RecordType::A), ("AAAA", RecordType::Aaaa), ("SOA", RecordType::Soa)];

/// Whether a file that is there means up.
const PRESENT: [(&str, bool); 2] = [("down", false), ("up", true)];

pub(super) fn tcp(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    let to = section.get("tcp", report, |value| target::socket(value, None));
    let octets = |text: &str| text.as_bytes().to_vec();
    let send = section.get("send", report, |value| searched(value).map(octets));
    let expect = section.get("expect", report, |value| searched(value).map(octets));
    // A probe has its texts by site.
    if section.has("send") && !section.has("expect") && !section.has("answer") {
        report
            .at(section.span_of("send"), "`send` without `expect`")
            .label("nothing is waited for")
            .help("add a line such as `expect = \"PONG\"`");
    }
    Some(Method::Tcp { to: to?, send: send.unwrap_or_default(), expect })
}

pub(super) fn grpc(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    let to = section.get("grpc", report, |value| target::socket(value, None));
    let service = section.get("service", report, service).unwrap_or_default();
    let is_tls = section.boolean("tls", report).unwrap_or(false);
    let name = to.map(|to| to.ip().to_string()).unwrap_or_default();
    let tls = tls::read(section, is_tls, &name, "add `tls = true`", report);
    Some(Method::Grpc { to: to?, service, tls })
}

pub(super) fn icmp(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    let to = section.get("icmp", report, target::address)?;
    Some(Method::Icmp { to })
}

pub(super) fn dns(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    let server = section.get("dns", report, |value| target::socket(value, Some(53)));
    let name = section.require("name", "name = \"www.example.com.\"", report, domain_name);
    let record = section.get("record", report, |value| value::choice(value, &RECORDS));
    let record = record.unwrap_or(RecordType::A);
    let address = |value| value::parsed::<IpAddr>(value, "an address", "\"192.0.2.80\"");
    let expect = section.get("expect", report, address);
    let meant = match expect {
        Some(IpAddr::V4(_)) => RecordType::A,
        Some(IpAddr::V6(_)) => RecordType::Aaaa,
        None => record,
    };
    if meant != record {
        let draft = report
            .at(section.span_of("expect"), "`expect` is not in such an answer")
            .label(match meant {
                RecordType::A => "an IPv4 address is in a record of type A",
                _ => "an IPv6 address is in a record of type AAAA",
            });
        match section.has("record") {
            true => draft.related(section.span_of("record"), "asks for this"),
            false => draft.help("add `record = \"AAAA\"`"),
        };
    }
    Some(Method::Dns(Query { server: server?, name: name?, record, expect }))
}

pub(super) fn command(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    Some(Method::Command { words: section.get("command", report, value::command)? })
}

pub(super) fn file(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    let path = section.get("file", report, |value| value::absolute_path(value::text(value)?));
    let present = section.get("present", report, |value| value::choice(value, &PRESENT));
    Some(Method::File { path: path?, present_is_up: present.unwrap_or(false) })
}

/// A text that is sent, or looked for in an answer.
pub(super) fn searched<'t>(value: &'t DeValue<'t>) -> Result<&'t str, Wrong> {
    const MOST: usize = 4096;
    match value::text(value)? {
        "" => Err(Wrong::new("{key} is empty").label("expected a text")),
        text if text.len() > MOST => {
            Err(Wrong::new(format!("{{key}} is longer than {MOST} octets"))
                .label(format!("{} octets", text.len())))
        }
        text => Ok(text),
    }
}

/// `payments`, `example.payments.v1.Payments`. Empty: the server as a whole.
fn service(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = value::text(value)?;
    match text.len() <= 255 && text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new("{key} must be a service's name")
            .label("expected at most 255 letters, without spaces")),
    }
}

/// Labels of 1 to 63 octets, 255 in all with their lengths (RFC 1035 §2.3.4).
fn domain_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = value::text(value)?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_graphic() && c != '\\')
    };
    let labels = text.strip_suffix('.').unwrap_or(text);
    match text == "." || (labels.len() <= 253 && labels.split('.').all(is_label)) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new(format!("`{text}` is not a domain name"))
            .label("cannot be asked for")
            .help("written like \"www.example.com.\"")),
    }
}
