use std::net::IpAddr;

use super::target;
use crate::config::value::Wrong;

/// As much of a URL (RFC 3986) as a request is made of.
pub(super) struct Url {
    pub is_tls: bool,
    pub host: Host,
    pub port: u16,
    /// As it is written: for the field `Host`.
    pub authority: String,
    /// With the query; begins with `/`.
    pub path: String,
}

pub(super) enum Host {
    Address(IpAddr),
    Name(String),
}

pub(super) fn parse(text: &str) -> Result<Url, Wrong> {
    let wrong = |label: &str| {
        Wrong::new(format!("`{text}` cannot be asked"))
            .label(label)
            .help("written like \"http://192.0.2.80:8080/health\"")
    };
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| wrong("expected http:// or https://"))?;
    let (is_tls, usual_port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (false, 80),
        "https" => (true, 443),
        _ => return Err(wrong("expected http:// or https://")),
    };
    if !rest.chars().all(|c| c.is_ascii_graphic()) {
        return Err(wrong("spaces and letters beyond ASCII are written like `%20`"));
    }
    if rest.contains('#') {
        return Err(wrong("what is behind `#` is never sent to a server"));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(wrong("a user's name and password are not sent"));
    }
    let (host, port) = split(authority);
    let port = match port {
        None => usual_port,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(wrong("the port must be from 1 to 65535")),
        },
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() && bare.is_none() => {
            return Err(wrong("an IPv6 address goes in brackets"));
        }
        Ok(ip) => Host::Address(target::one_machine(ip)?),
        Err(_) if is_host_name(host) => Host::Name(host.to_owned()),
        Err(_) => return Err(wrong("neither an address nor a host's name")),
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { is_tls, host, port, authority: authority.to_owned(), path })
}

/// Host and port; an address in brackets has colons of its own.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            match host.contains(':') && !host.ends_with(']') {
                true => (authority, None),
                false => (host, Some(port)),
            }
        }
        _ => (authority, None),
    }
}

/// Labels of letters, digits and hyphens (RFC 1123 §2.1); the last has a letter, or it is an address that is misspelt.
pub(super) fn is_host_name(text: &str) -> bool {
    let labels = || text.strip_suffix('.').unwrap_or(text).split('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let has_letter = |label: &str| label.chars().any(|c| c.is_ascii_alphabetic());
    text.len() <= 253 && labels().all(is_label) && labels().next_back().is_some_and(has_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(bool, String, u16, String)> {
        let url = parse(text).ok()?;
        let host = match url.host {
            Host::Address(ip) => ip.to_string(),
            Host::Name(name) => name,
        };
        Some((url.is_tls, format!("{host} {}", url.authority), url.port, url.path))
    }

    #[test]
    fn a_url_says_where_and_what() {
        let url = |is_tls, host: &str, port, path: &str| {
            Some((is_tls, host.to_owned(), port, path.to_owned()))
        };
        assert_eq!(read("http://10.0.0.5"), url(false, "10.0.0.5 10.0.0.5", 80, "/"));
        assert_eq!(
            read("HTTPS://a.example:8443"),
            url(true, "a.example a.example:8443", 8443, "/")
        );
        assert_eq!(
            read("https://[2001:db8::5]/a/b?c=d&e"),
            url(true, "2001:db8::5 [2001:db8::5]", 443, "/a/b?c=d&e")
        );
        assert_eq!(read("http://[::1]:81?x"), url(false, "::1 [::1]:81", 81, "/?x"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "10.0.0.5/x",
            "ftp://10.0.0.5/",
            "http://",
            "http:///x",
            "http://:80/",
            "http://10.0.0.5:0/",
            "http://10.0.0.5:65536/",
            "http://10.0.0.5:/",
            "http://10.0.0.256/",
            "http://10.0.0.5./",
            "http://2001:db8::5/",
            "http://[2001:db8::5/",
            "http://[a.example]/",
            "http://0.0.0.0/",
            "http://224.0.0.5/",
            "http://me:secret@10.0.0.5/",
            "http://10.0.0.5/#top",
            "http://10.0.0.5/a b",
            "http://10.0.0.5/\r\nX: y",
            "http://-a.example/",
            "http://a..example/",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
