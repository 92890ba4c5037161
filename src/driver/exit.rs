use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why the daemon ends, other than by order. `Display` is the sentence for standard error.
///
/// | code | meaning |
/// |---|---|
/// | 0 | stopped by a signal, sessions closed |
/// | 1 | anything else |
/// | 2 | wrong command line |
/// | 3 | the configuration has mistakes or cannot be read |
/// | 4 | another daemon serves this socket or holds this state directory |
/// | 5 | the BGP port is in use |
/// | 6 | a privilege is missing |
/// | 7 | the state directory or the socket's directory cannot be used |
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    #[error("the configuration {} cannot be read: {problem}", path.display())]
    ConfigurationUnreadable { path: PathBuf, problem: String },

    /// The mistakes as [`crate::config::Mistake::render`] shows them, and in one line for the log.
    #[error("{rendered}")]
    Configuration { rendered: String, line: String },

    #[error(
        "another shuntd{} already serves {}: stop it first, or give this one another --socket, --state and \
         configuration", pid.map_or(String::new(), |pid| format!(" (pid {pid})")), socket.display()
    )]
    SocketInUse { socket: PathBuf, pid: Option<u32> },

    #[error(
        "another shuntd keeps its state in {}: stop it first, or give this one another --state",
        path.display()
    )]
    StateInUse { path: PathBuf },

    #[error(
        "cannot listen on {address}: the port is in use, perhaps by another BGP daemon (bird, bgpd, gobgpd, \
         another shuntd); `ss -ltnp 'sport = :{}'` names it; stop it, or set listen.addresses or listen.port",
        address.port()
    )]
    PortInUse { address: SocketAddr },

    #[error(
        "cannot listen on {address}: ports below 1024 need the capability CAP_NET_BIND_SERVICE; start shuntd as \
         root or by a unit with AmbientCapabilities=CAP_NET_BIND_SERVICE, or set listen.port above 1023"
    )]
    PortNeedsPrivilege { address: SocketAddr },

    #[error(
        "VRRP cannot be run: {problem}; it needs the capability CAP_NET_RAW and sockets of the families AF_INET, AF_INET6 \
         and AF_PACKET; start shuntd as root or by a unit with AmbientCapabilities=CAP_NET_RAW (and with those in \
         RestrictAddressFamilies=, if it has that), or have no vrrp in the configuration"
    )]
    VrrpNeedsPrivilege { problem: String },

    #[error("cannot listen on {address}: {problem}; correct listen.addresses")]
    Listen { address: SocketAddr, problem: String },

    #[error(
        "cannot listen on {address} for the fleet: {problem}; correct fleet.listen or fleet.port"
    )]
    Fleet { address: SocketAddr, problem: String },

    #[error("no permission to use {}: {problem}; start shuntd as its owner or as root", path.display())]
    SocketNeedsPrivilege { path: PathBuf, problem: String },

    #[error(
        "the state directory {} cannot be used: {problem}; make it, readable and writable for this user, or \
         give another --state", path.display()
    )]
    State { path: PathBuf, problem: String },

    #[error(
        "the socket {} cannot be made: {problem}; make its directory, or give another --socket",
        path.display()
    )]
    Socket { path: PathBuf, problem: String },

    #[error("{0}")]
    Other(String),
}

impl Exit {
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Exit::Other(_) | Exit::Listen { .. } | Exit::Fleet { .. } => 1,
            Exit::ConfigurationUnreadable { .. } | Exit::Configuration { .. } => 3,
            Exit::SocketInUse { .. } | Exit::StateInUse { .. } => 4,
            Exit::PortInUse { .. } => 5,
            Exit::PortNeedsPrivilege { .. }
            | Exit::SocketNeedsPrivilege { .. }
            | Exit::VrrpNeedsPrivilege { .. } => 6,
            Exit::State { .. } | Exit::Socket { .. } => 7,
        })
    }
}

/// The system's message without its number, to go on a sentence with.
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _number)) => text.to_lowercase(),
        None => text,
    }
}
