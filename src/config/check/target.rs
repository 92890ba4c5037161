//! Who is asked. Names are never looked up: a check of one service shall not fail with another, the DNS.

use std::net::{IpAddr, SocketAddr};

use toml::de::DeValue;

use super::url::is_host_name;
use crate::config::address;
use crate::config::value::{self, Wrong};

/// `192.0.2.80`.
pub(super) fn address(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
    let text = value::text(value)?;
    match text.parse() {
        Ok(ip) => one_machine(ip),
        Err(_) => Err(wrong(text, "an address", "192.0.2.80")),
    }
}

/// `192.0.2.80:5432`, `[2001:db8::80]:5432`. Where there is a usual port it may be left out.
pub(super) fn socket(value: &DeValue<'_>, usual_port: Option<u16>) -> Result<SocketAddr, Wrong> {
    let text = value::text(value)?;
    if let Ok(socket) = text.parse::<SocketAddr>() {
        if socket.port() == 0 {
            return Err(Wrong::new(format!("`{text}` has port 0")).label("expected 1 to 65535"));
        }
        return Ok(SocketAddr::new(one_machine(socket.ip())?, socket.port()));
    }
    match (text.parse::<IpAddr>(), usual_port) {
        (Ok(ip), Some(port)) => Ok(SocketAddr::new(one_machine(ip)?, port)),
        (Ok(ip), None) => Err(Wrong::new(format!("`{text}` has no port"))
            .label("expected an address and a port")
            .help(format!("written like \"{}\"", SocketAddr::new(ip, 5432)))),
        (Err(_), Some(_)) => Err(wrong(text, "an address", "192.0.2.53")),
        (Err(_), None) => Err(wrong(text, "an address and a port", "192.0.2.80:5432")),
    }
}

pub(super) fn one_machine(ip: IpAddr) -> Result<IpAddr, Wrong> {
    address::check_unicast(ip)?;
    Ok(ip)
}

fn wrong(text: &str, what: &str, example: &str) -> Wrong {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    Wrong::new(format!("`{text}` is not {what}"))
        .label(match is_host_name(host) {
            true => "names are not looked up: a check shall not fail with the DNS".to_owned(),
            false => format!("expected {what}"),
        })
        .help(format!("written like \"{example}\""))
}
