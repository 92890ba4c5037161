//! What checks ask, as the API shows it.

use std::net::SocketAddr;

use crate::health::{Http, Method, Query, RecordType, Tls};

/// The word for it in the configuration.
pub(super) fn kind(method: &Method) -> &'static str {
    match method {
        Method::Tcp { .. } => "tcp",
        Method::Http(_) => "http",
        Method::Grpc { .. } => "grpc",
        Method::Icmp { .. } => "icmp",
        Method::Dns(_) => "dns",
        Method::Command { .. } => "command",
        Method::File { .. } => "file",
        Method::Backends { .. } => "backends",
    }
}

/// `GET https://www.example.com/health at 10.0.0.80:443`.
pub(super) fn asks(method: &Method) -> String {
    match method {
        Method::Tcp { to, .. } => format!("TCP connection to {to}"),
        Method::Http(http) => request(http),
        Method::Grpc { to, service, tls } => {
            let service = if service.is_empty() { "the server" } else { service };
            let way = if tls.is_some() { " by TLS" } else { "" };
            format!("gRPC health of {service} at {to}{way}")
        }
        Method::Icmp { to } => format!("ICMP echo of {to}"),
        Method::Dns(Query { server, name, record, .. }) => {
            let record = match record {
                RecordType::A => "A",
                RecordType::Aaaa => "AAAA",
                RecordType::Soa => "SOA",
            };
            format!("DNS {record} of {name} at {server}")
        }
        Method::Command { words } => format!("command {}", words.join(" ")),
        Method::File { path, .. } => format!("file {path}"),
        Method::Backends { of, .. } => format!("checks {}", of.join(", ")),
    }
}

fn request(http: &Http) -> String {
    let Http { to, tls, head, host, path, .. } = http;
    let verb = if *head { "HEAD" } else { "GET" };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let at = if names(host, *to) { String::new() } else { format!(" at {to}") };
    format!("{verb} {scheme}://{host}{path}{at}")
}

/// Whether a URL's host tells already who is asked.
fn names(host: &str, to: SocketAddr) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == to.to_string() || bare.parse() == Ok(to.ip())
}

/// What the answer has to be, and what is sent for it.
pub(super) fn conditions(method: &Method) -> Vec<String> {
    let text = |octets: &[u8]| format!("{:?}", String::from_utf8_lossy(octets));
    match method {
        Method::Tcp { send, expect, .. } => {
            let sent = (!send.is_empty()).then(|| format!("{} is sent", text(send)));
            let expect = expect.as_ref().map(|expect| format!("{} is answered", text(expect)));
            sent.into_iter().chain(expect).collect()
        }
        Method::Http(http) => {
            let header = http.header.as_ref().map(|(name, text)| match text.as_str() {
                "" => format!("header field {name}"),
                text => format!("{text:?} in header field {name}"),
            });
            let body = http.body.as_ref().map(|text| format!("{text:?} in the body"));
            let tls = http.tls.as_ref().map(certificate);
            std::iter::once(status(http)).chain(header).chain(body).chain(tls).collect()
        }
        Method::Grpc { tls, .. } => {
            std::iter::once("SERVING".to_owned()).chain(tls.as_ref().map(certificate)).collect()
        }
        Method::Icmp { .. } => Vec::new(),
        Method::Dns(Query { expect: Some(expect), .. }) => {
            vec![format!("one of the answers is {expect}")]
        }
        Method::Dns(_) => vec!["answered without an error".to_owned()],
        Method::Command { .. } => vec!["exit code 0".to_owned()],
        Method::File { present_is_up: true, .. } => vec!["it is there".to_owned()],
        Method::File { present_is_up: false, .. } => vec!["it is not there".to_owned()],
        Method::Backends { of, at_least } => {
            vec![format!("{at_least} of {} up or slow", of.len())]
        }
    }
}

fn status(http: &Http) -> String {
    let range = |range: &std::ops::RangeInclusive<u16>| match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    };
    format!("status {}", http.status.iter().map(range).collect::<Vec<String>>().join(", "))
}

fn certificate(tls: &Tls) -> String {
    let Tls { server_name, verify, ca_file, .. } = tls;
    match (verify, ca_file) {
        (false, _) => format!("any certificate, asked as {server_name}"),
        (true, None) => format!("certificate for {server_name}"),
        (true, Some(file)) => format!("certificate for {server_name} by {file}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn http(host: &str, to: &str) -> Http {
        Http {
            to: to.parse().unwrap(),
            tls: None,
            head: false,
            host: host.to_owned(),
            path: "/health?x=1".to_owned(),
            status: vec![200..=299, 304..=304],
            header: None,
            body: None,
        }
    }

    #[test]
    fn a_request_says_where_it_goes_once() {
        let asked = |host, to| asks(&Method::Http(Box::new(http(host, to))));
        assert_eq!(asked("10.0.0.5:8080", "10.0.0.5:8080"), "GET http://10.0.0.5:8080/health?x=1");
        assert_eq!(asked("10.0.0.5", "10.0.0.5:80"), "GET http://10.0.0.5/health?x=1");
        assert_eq!(
            asked("[2001:db8::5]", "[2001:db8::5]:80"),
            "GET http://[2001:db8::5]/health?x=1"
        );
        assert_eq!(
            asked("www.example.com", "10.0.0.5:80"),
            "GET http://www.example.com/health?x=1 at 10.0.0.5:80"
        );
    }

    #[test]
    fn conditions_are_what_the_answer_has_to_be() {
        let tls = Tls {
            server_name: "www.example.com".to_owned(),
            verify: true,
            ca_file: None,
            expiry_warning: Duration::ZERO,
        };
        let method = Method::Http(Box::new(Http {
            tls: Some(tls),
            header: Some(("X-Ready".to_owned(), String::new())),
            body: Some("\u{1b}ok".to_owned()),
            ..http("www.example.com", "10.0.0.5:443")
        }));
        assert_eq!(
            conditions(&method),
            [
                "status 200-299, 304",
                "header field X-Ready",
                "\"\\u{1b}ok\" in the body",
                "certificate for www.example.com"
            ]
        );
        let tcp = Method::Tcp {
            to: "10.0.0.5:6379".parse().unwrap(),
            send: b"PING\r\n".to_vec(),
            expect: Some(b"PONG".to_vec()),
        };
        assert_eq!(conditions(&tcp), ["\"PING\\r\\n\" is sent", "\"PONG\" is answered"]);
    }
}
