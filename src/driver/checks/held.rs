//! A connection that is held as long as it stands, to see whether sessions live on while routes move.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Protocol, SockRef, TcpKeepalive, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::connect::socket;
use super::course::Fault;
use crate::health::Origin;

const CONNECT: Duration = Duration::from_secs(5);
/// The least that TCP has: whether the other end still knows the connection is asked this often.
const KEEPALIVE: Duration = Duration::from_secs(1);
const UNANSWERED: u32 = 3;

pub async fn connect(to: SocketAddr, origin: &Origin) -> Result<TcpStream, Fault> {
    let socket = socket(to.ip(), Type::STREAM, Protocol::TCP, origin)?;
    let connect = TcpSocket::from_std_stream(socket.into()).connect(to);
    let stream = timeout(CONNECT, connect).await;
    let late = |_| Fault::Failed(format!("no connection to {to} within {} s", CONNECT.as_secs()));
    let failed = |error| Fault::of(&error, format_args!("no connection to {to}"));
    let stream = stream.map_err(late)?.map_err(failed)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let keepalive = keepalive.with_retries(UNANSWERED);
    let set = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    set.map_err(|error| Fault::of(&error, "TCP keepalives cannot be set"))?;
    Ok(stream)
}

/// Waits for the end of it.
pub async fn last(mut stream: TcpStream) -> Fault {
    let mut octets = [0; 4096];
    loop {
        match stream.read(&mut octets).await {
            Ok(0) => return Fault::NotAsked("the other side has closed it".to_owned()),
            // A banner, or whatever it says.
            Ok(_) => {}
            Err(error) => return Fault::Failed(format!("the connection broke: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What ends a connection to a server that does this.
    async fn ended(server: impl AsyncFnOnce(TcpStream)) -> Fault {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let stream = connect(to, &Origin::default()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        tokio::join!(last(stream), server(accepted)).0
    }

    #[tokio::test]
    async fn it_stands_until_it_breaks_or_is_closed() {
        let closed = ended(async |mut stream| stream.write_all(b"220 hello\r\n").await.unwrap());
        assert!(matches!(closed.await, Fault::NotAsked(_)), "in good order");
        let reset =
            ended(async |stream| SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap());
        assert!(matches!(reset.await, Fault::Failed(_)));
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(connect(to, &Origin::default()).await, Err(Fault::Failed(_))));
    }
}
