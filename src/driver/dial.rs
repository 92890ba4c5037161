use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::syscalls;
use crate::agent::PeerEndpoint;

/// Opens a TCP connection to a neighbour, for as long as the session lets it try. The error is a sentence.
pub async fn dial(endpoint: &PeerEndpoint) -> Result<TcpStream, String> {
    let remote = SocketAddr::new(endpoint.address, endpoint.port);
    let at = format!("{} port {}", endpoint.address, endpoint.port);
    let socket = socket(endpoint).map_err(|(step, error)| format!("{step}: {error}"))?;
    socket.connect(remote).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("connection refused: nothing listens on {at}, or it does not know us")
        }
        _ => format!("{at}: {error}"),
    })
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
    syscalls::set_ttl(&socket, endpoint.address, endpoint.ttl).map_err(step("the TTL"))?;
    if let Some(least) = endpoint.min_ttl {
        syscalls::set_min_ttl(&socket, endpoint.address, least).map_err(step("ttl-security"))?;
    }
    if let Some(key) = &endpoint.md5 {
        syscalls::set_md5_key(&socket, endpoint.address, Some(key))
            .map_err(step("the TCP-MD5 key cannot be set"))?;
    }
    if let Some(local) = endpoint.local_address {
        socket
            .bind(&SocketAddr::new(local, 0).into())
            .map_err(step(&format!("local-address {local} cannot be used")))?;
    }
    Ok(TcpSocket::from_std_stream(socket.into()))
}
