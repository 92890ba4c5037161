//! `[group.NAME.probe]`: what the service of a group is asked through the routes, and how its answer tells the site.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::check;
use super::report::Report;
use super::section::Section;
use super::value::{self, Wrong};
use crate::group::{Group, nearest};
use crate::health::{Method, Origin, Settings};

pub(super) const KEYS: &[&str] = &[
    "tcp",
    "http",
    "grpc",
    "icmp",
    "send",
    "expect",
    "address",
    "method",
    "status",
    "header",
    "body",
    "service",
    "tls",
    "server-name",
    "verify",
    "ca-file",
    "connect-timeout",
    "timeout",
    "source-address",
    "interface",
    "mark",
    "answer",
];

/// What the service of a group is asked, from every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceProbe {
    /// Wherever the answer comes from.
    pub anywhere: Arc<Settings>,
    /// By site: the same, where only an answer from there is well. Empty: an answer does not say where it comes from.
    pub by_site: BTreeMap<String, Arc<Settings>>,
}

impl ServiceProbe {
    pub(super) fn read(
        group_section: &Section<'_>,
        group: &Group,
        report: &mut Report<'_>,
    ) -> Option<ServiceProbe> {
        let section = group_section.below("probe", KEYS, report)?;
        let settings = check::read_probe(&section, report);
        let answers = read_answers(&section, group, report);
        let mut settings = settings?;
        settings.origin.traffic_class = Origin::NETWORK_CONTROL;
        check_target(&section, &settings.method, group, report);
        let mut by_site = BTreeMap::new();
        if let Some(answers) = answers.filter(|_| can_tell(&section, &settings.method, report)) {
            let of = |answer: String| {
                Arc::new(Settings {
                    method: expecting(&settings.method, answer),
                    ..settings.clone()
                })
            };
            by_site = answers.into_iter().map(|(site, answer)| (site, of(answer))).collect();
        }
        let anywhere = Arc::new(Settings { method: anywhere(&settings.method), ..settings });
        Some(ServiceProbe { anywhere, by_site })
    }

    /// Where a connection to the service is made to; `None`: it has none.
    pub fn socket(&self) -> Option<SocketAddr> {
        match &self.anywhere.method {
            Method::Tcp { to, .. } | Method::Grpc { to, .. } => Some(*to),
            Method::Http(http) => Some(http.to),
            _ => None,
        }
    }
}

/// What is asked is the group, not something that stays where it is.
fn check_target(section: &Section<'_>, method: &Method, group: &Group, report: &mut Report<'_>) {
    let key = match method {
        Method::Tcp { .. } => "tcp",
        Method::Grpc { .. } => "grpc",
        Method::Http(_) if section.has("address") => "address",
        Method::Http(_) => "http",
        _ => "icmp",
    };
    let Some(ip) = method.address() else { return };
    if group.prefixes.is_empty() || group.prefixes.iter().any(|prefix| prefix.contains(ip)) {
        return;
    }
    let prefixes: Vec<String> = group.prefixes.iter().map(ToString::to_string).collect();
    report
        .at(section.span_of(key), format!("{ip} is not in the group"))
        .label("would be asked wherever the group is")
        .help(format!("the group's prefixes are: {}", prefixes.join(", ")));
}

type Answers = BTreeMap<String, String>;

/// What an answer has in it, for each site of the group.
fn read_answers(section: &Section<'_>, group: &Group, report: &mut Report<'_>) -> Option<Answers> {
    if !section.has("answer") {
        return None;
    }
    let mut answers: BTreeMap<&str, (&str, Range<usize>)> = BTreeMap::new();
    for entry in section.entries("answer", report) {
        if !group.base.is_empty() && !group.base.contains_key(entry.key) {
            let sites: Vec<&str> = group.base.keys().map(String::as_str).collect();
            report
                .at(entry.key_span, format!("unknown site `{}`", entry.key))
                .label(format!("`base` of the group has: {}", sites.join(", ")))
                .did_you_mean(nearest(entry.key, sites));
            continue;
        }
        match text(entry.value.get_ref()) {
            Ok(text) => drop(answers.insert(entry.key, (text, entry.value.span()))),
            Err(wrong) => wrong.report(entry.key, entry.value.span(), report),
        }
    }
    let span = section.span_of("answer");
    for site in group.base.keys() {
        let is_given = section.value("answer").and_then(|value| value.get_ref().as_table());
        if is_given.is_some_and(|table| !table.contains_key(site.as_str())) {
            report
                .at(span.clone(), format!("`answer` says nothing of {site}"))
                .label("each site of the group has a text of its own");
        }
    }
    for (site, (text, span)) in &answers {
        let within = answers.iter().find(|(other, (longer, _))| {
            *other != site && longer.contains(text) && (longer != text || *other < site)
        });
        if let Some((other, (_, related))) = within {
            report
                .at(span.clone(), format!("the answer of {other} contains that of {site}"))
                .label("would not tell one from the other")
                .related(related.clone(), format!("of {other}"));
        }
    }
    Some(answers.into_iter().map(|(site, (text, _))| (site.to_owned(), text.to_owned())).collect())
}

fn text<'t>(value: &'t DeValue<'t>) -> Result<&'t str, Wrong> {
    match value::text(value)? {
        "" => Err(Wrong::new("the answer of {key} is empty").label("expected a text")),
        text => Ok(text),
    }
}

/// Whether an answer of this method can tell a site.
fn can_tell(section: &Section<'_>, method: &Method, report: &mut Report<'_>) -> bool {
    let span = section.value("answer").map(Spanned::span).unwrap_or_default();
    let second = |key: &str, report: &mut Report<'_>| {
        report
            .at(section.span_of(key), format!("`{key}` beside `answer`"))
            .label("a second text in the same place")
            .related(span.clone(), "looks for one text for each site");
        false
    };
    match method {
        Method::Tcp { expect: Some(_), .. } => second("expect", report),
        Method::Tcp { .. } => true,
        Method::Http(http) if names_field(method) => http.header.is_some(),
        Method::Http(http) if http.head => {
            report
                .at(span.clone(), "`answer` of a HEAD request")
                .label("never found: there is no body")
                .help("name the field that tells the site: `header = \"X-Site\"`");
            false
        }
        Method::Http(http) if http.body.is_some() => second("body", report),
        Method::Http(_) => true,
        _ => {
            report
                .at(span.clone(), "`answer` where the answer has no text")
                .label("has no effect: it is for tcp and http");
            false
        }
    }
}

/// Whether a header field is named and nothing said of its content: there the answer is.
fn names_field(method: &Method) -> bool {
    let Method::Http(http) = method else { return false };
    http.header.as_ref().is_some_and(|(_, content)| content.is_empty())
}

fn expecting(method: &Method, answer: String) -> Method {
    let mut method = method.clone();
    let in_field = names_field(&method);
    match &mut method {
        Method::Tcp { expect, .. } => *expect = Some(answer.into_bytes()),
        Method::Http(http) if in_field => {
            http.header.iter_mut().for_each(|(_, content)| content.clone_from(&answer));
        }
        Method::Http(http) => http.body = Some(answer),
        _ => {}
    }
    method
}

/// Sends nothing that nobody reads the answer of.
fn anywhere(method: &Method) -> Method {
    match method {
        Method::Tcp { to, expect: None, .. } => {
            Method::Tcp { to: *to, send: Vec::new(), expect: None }
        }
        other => other.clone(),
    }
}
