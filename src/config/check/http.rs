//! `http` and what stands beside it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::method::searched;
use super::target;
use super::tls;
use super::url::{self, Host};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::value::{self, Wrong};
use crate::health::{Http, Method};

/// Of GET, and HEAD: whether only the head of the answer is wanted.
const METHODS: [(&str, bool); 2] = [("get", false), ("head", true)];

pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Method> {
    let url = section.get("http", report, |value| url::parse(value::text(value)?));
    let address = section.get("address", report, target::address);
    let head = section.get("method", report, |value| value::choice(value, &METHODS));
    let head = head.unwrap_or(false);
    let status = read_status(section, report);
    let header = section.get("header", report, header);
    let body = section.get("body", report, |value| searched(value).map(str::to_owned));
    if head && section.has("body") {
        report
            .at(section.span_of("body"), "`body` of a HEAD request")
            .label("never found: there is no body")
            .related(section.span_of("method"), "only the head is asked for");
    }
    let url = url?;
    let (ip, name) = match &url.host {
        Host::Address(ip) => {
            if section.has("address") {
                report
                    .at(section.span_of("address"), "`address` beside a URL that has one")
                    .label("has no effect")
                    .related(section.span_of("http"), "asks this address")
                    .help("put the name into the URL if the service is to hear it");
            }
            (Some(*ip), ip.to_string())
        }
        Host::Name(name) => {
            if !section.has("address") {
                report
                    .at(section.span_of("http"), format!("{} has no `address`", section.name))
                    .label(format!("`{name}` is a name, and names are not looked up"))
                    .help("add a line such as `address = \"192.0.2.80\"`: a check shall not fail with the DNS");
            }
            (address, name.clone())
        }
    };
    let tls = tls::read(section, url.is_tls, &name, "the URL begins with http://", report);
    Some(Method::Http(Box::new(Http {
        to: SocketAddr::new(ip?, url.port),
        tls,
        head,
        host: url.authority,
        path: url.path,
        status,
        header,
        body,
    })))
}

fn read_status(section: &Section<'_>, report: &mut Report<'_>) -> Vec<RangeInclusive<u16>> {
    let ranges =
        section.list("status", report, |value| status(value).map(RangeInclusive::into_inner));
    if ranges.as_ref().is_some_and(Vec::is_empty) {
        report.at(section.span_of("status"), "`status` is empty").label("no answer would be well");
    }
    let usual = || vec![(200, 299)];
    let ranges = ranges.map_or_else(usual, value::inner);
    ranges.into_iter().map(|(first, last)| first..=last).collect()
}

/// 204, `"204"` or `"200-299"`.
fn status(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, Wrong> {
    // Informational answers (1xx) are followed by the one that counts (RFC 9110 §15.2).
    const KNOWN: RangeInclusive<u16> = 200..=599;
    let wrong = || {
        Wrong::new("{key} must be numbers from 200 to 599, or ranges of them")
            .label("no status of an answer")
            .help("written like 204 or \"200-299\"")
    };
    let (first, last) = match value.as_str() {
        None => {
            let code = value::number(value, 0..=u64::from(u16::MAX)).map_err(|_| wrong())?;
            (code, code)
        }
        Some(text) => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let code = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong());
            (code(first)?, code(last)?)
        }
    };
    match KNOWN.contains(&first) && KNOWN.contains(&last) && first <= last {
        true => Ok(first..=last),
        false => Err(wrong()),
    }
}

/// `"X-Ready: yes"`, or the name alone.
fn header(value: &DeValue<'_>) -> Result<(String, String), Wrong> {
    let text = value::text(value)?;
    let (name, content) = text.split_once(':').unwrap_or((text, ""));
    // A token (RFC 9110 §5.6.2).
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(Wrong::new(format!("`{name}` is not the name of a header field"))
            .label("expected NAME: TEXT")
            .help("written like \"X-Ready: yes\""));
    }
    Ok((name.to_owned(), content.trim().to_owned()))
}
