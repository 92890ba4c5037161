use std::time::Duration;

use toml::de::DeValue;

use super::url::is_host_name;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::value::{self, Wrong};
use crate::health::Tls;

pub(super) const KEYS: &[&str] = &["server-name", "verify", "ca-file", "expiry-warning"];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// `name` is what the server is called if nothing else is said. `why_not` says why there is no TLS, if there is none.
pub(super) fn read(
    section: &Section<'_>,
    is_tls: bool,
    name: &str,
    why_not: &str,
    report: &mut Report<'_>,
) -> Option<Tls> {
    let server_name = section.get("server-name", report, server_name);
    let verify = section.boolean("verify", report).unwrap_or(true);
    let ca_file = section.get("ca-file", report, |value| value::absolute_path(value::text(value)?));
    let expiry_warning = section.get("expiry-warning", report, |value| {
        value::duration_within(value, Duration::ZERO..=365 * DAY, "from 0s to 365d")
    });
    if !is_tls {
        for key in KEYS.iter().filter(|key| section.has(key)) {
            report
                .at(section.span_of(key), format!("`{key}` without TLS"))
                .label(format!("has no effect: {why_not}"));
        }
        return None;
    }
    if !verify && section.has("ca-file") {
        report
            .at(section.span_of("ca-file"), "`ca-file` with `verify = false`")
            .label("has no effect")
            .related(section.span_of("verify"), "takes any certificate");
    }
    Some(Tls {
        server_name: server_name.unwrap_or_else(|| name.to_owned()),
        verify,
        ca_file,
        expiry_warning: expiry_warning.unwrap_or(14 * DAY),
    })
}

/// A certificate is for a name or for an address.
fn server_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = value::text(value)?;
    match is_host_name(text) || text.parse::<std::net::IpAddr>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new(format!("`{text}` is not a host's name"))
            .label("no certificate is for it")
            .help("written like \"www.example.com\"")),
    }
}
