use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;

use super::Failure;

/// Answers every datagram with itself and the name of the site behind it, and every connection with the name.
pub fn run(address: SocketAddr, site: &str) -> Result<(), Failure> {
    let failed = |error| Failure::of(format!("responder on {address}"), error);
    let datagrams = UdpSocket::bind(address).map_err(failed)?;
    let connections = TcpListener::bind(address).map_err(failed)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            for connection in connections.incoming().flatten() {
                // Whoever hangs up early has had enough.
                let _ = writeln!(&connection, "{site}");
            }
        });
        let mut buffer = [0; 64];
        loop {
            // Room is left for the site's name.
            let (length, from) = datagrams.recv_from(&mut buffer[..32]).map_err(failed)?;
            let end = (length + site.len()).min(buffer.len());
            buffer[length..end].copy_from_slice(&site.as_bytes()[..end - length]);
            // A client that cannot be reached now misses its answer, which is what it counts.
            let _ = datagrams.send_to(&buffer[..end], from);
        }
    })
}
