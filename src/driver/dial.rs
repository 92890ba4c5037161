use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::sockopt;
use crate::agent::PeerEndpoint;

/// How long a neighbour may take to answer a SYN: room for two retransmissions.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Opens a TCP connection to a neighbour. The error is a sentence.
pub async fn dial(endpoint: &PeerEndpoint) -> Result<TcpStream, String> {
    let remote = SocketAddr::new(endpoint.address, endpoint.port);
    let at = format!("{} port {}", endpoint.address, endpoint.port);
    let socket = socket(endpoint).map_err(|(step, error)| format!("{step}: {error}"))?;
    match timeout(ANSWER_WITHIN, socket.connect(remote)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(format!("connection refused: nothing listens on {at}, or it does not know us"))
        }
        Ok(Err(error)) => Err(format!("{at}: {error}")),
        Err(_) => Err(format!(
            "no answer from {at} within {} s{}",
            ANSWER_WITHIN.as_secs(),
            match (&endpoint.md5, endpoint.min_ttl) {
                (Some(_), _) =>
                    "; a TCP-MD5 key that is not the same on both sides looks like this",
                (None, Some(_)) => "; ttl-security on one side only looks like this",
                (None, None) => "",
            }
        )),
    }
}

/// The error names the step.
fn socket(endpoint: &PeerEndpoint) -> Result<TcpSocket, (String, io::Error)> {
    let step = |text: &str| {
        let text = text.to_owned();
        move |error| (text, error)
    };
    let domain = Domain::for_address(SocketAddr::new(endpoint.address, endpoint.port));
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))
        .map_err(step("no socket"))?;
    socket.set_tcp_nodelay(true).map_err(step("TCP_NODELAY"))?;
    sockopt::set_ttl(&socket, endpoint.address, endpoint.ttl).map_err(step("the TTL"))?;
    if let Some(least) = endpoint.min_ttl {
        sockopt::set_min_ttl(&socket, endpoint.address, least).map_err(step("ttl-security"))?;
    }
    if let Some(key) = &endpoint.md5 {
        sockopt::set_md5_key(&socket, endpoint.address, Some(key))
            .map_err(step("the TCP-MD5 key cannot be set"))?;
    }
    if let Some(local) = endpoint.local_address {
        socket
            .bind(&SocketAddr::new(local, 0).into())
            .map_err(step(&format!("local-address {local} cannot be used")))?;
    }
    Ok(TcpSocket::from_std_stream(socket.into()))
}
