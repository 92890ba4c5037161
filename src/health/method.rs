use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a check asks. There are no names to be resolved in it: a check of one service shall not fail with another, the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// A connection is set up; then, if there is something to `send`, it is sent, and if something is `expected`, it must come
    /// within the first [`Method::MOST_OCTETS`].
    Tcp {
        to: SocketAddr,
        send: Vec<u8>,
        expect: Option<Vec<u8>>,
    },
    Http(Box<Http>),
    /// `grpc.health.v1.Health/Check` of a service, empty for the whole server, must say SERVING.
    Grpc {
        to: SocketAddr,
        service: String,
        tls: Option<Tls>,
    },
    /// An ICMP or ICMPv6 echo.
    Icmp {
        to: IpAddr,
    },
    Dns(Query),
    /// Exit code 0 is well. Run without a shell.
    Command {
        words: Vec<String>,
    },
    /// An operator's switch.
    File {
        path: String,
        /// Whether it is well while the file is there, or while it is not.
        present_is_up: bool,
    },
    /// Other checks, by name, of which so many must be up or slow. Asks nothing itself.
    Backends {
        of: Vec<String>,
        at_least: usize,
    },
}

/// One request by HTTP/1.1, on a connection of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    pub to: SocketAddr,
    pub tls: Option<Tls>,
    /// Only the head of the answer is wanted: HEAD instead of GET.
    pub head: bool,
    /// `Host`.
    pub host: String,
    /// With the query.
    pub path: String,
    /// Any of them is well.
    pub status: Vec<RangeInclusive<u16>>,
    /// This header field must be there, and contain the text.
    pub header: Option<(String, String)>,
    /// This text must be within the first [`Method::MOST_OCTETS`] of the body.
    pub body: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// For SNI, and what the certificate must be for.
    pub server_name: String,
    /// Whether the certificate must be valid.
    pub verify: bool,
    /// PEM; `None`: the system's.
    pub ca_file: Option<String>,
    /// A certificate that ends sooner is a warning.
    pub expiry_warning: Duration,
}

/// A question to a DNS server by UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub server: SocketAddr,
    pub name: String,
    pub record: RecordType,
    /// One of the answers must be this; `None`: any answer without an error.
    pub expect: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    A,
    Aaaa,
    Soa,
}

impl Method {
    /// No more than this is read of an answer's body, a banner, or a command's output.
    pub const MOST_OCTETS: usize = 64 << 10;

    /// Who is asked; `None`: nobody over the network.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Method::Tcp { to, .. } | Method::Grpc { to, .. } => Some(to.ip()),
            Method::Http(http) => Some(http.to.ip()),
            Method::Icmp { to } => Some(*to),
            Method::Dns(query) => Some(query.server.ip()),
            Method::Command { .. } | Method::File { .. } | Method::Backends { .. } => None,
        }
    }
}
