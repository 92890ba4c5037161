use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::connect;
use super::course::{Answer, Course, Fault, contains, shown};
use crate::health::Method;

/// Connects; sends; waits for a text.
pub async fn ask(
    course: &mut Course<'_>,
    to: SocketAddr,
    send: &[u8],
    expect: Option<&[u8]>,
) -> Result<Answer, Fault> {
    let stream = connect::tcp(course, to).await?;
    if send.is_empty() && expect.is_none() {
        return Ok("connected".to_owned().into());
    }
    let talked = timeout_at(course.deadline(), talk(course, stream, to, send, expect)).await;
    course.in_time(talked, to)
}

async fn talk(
    course: &mut Course<'_>,
    mut stream: TcpStream,
    to: SocketAddr,
    send: &[u8],
    expect: Option<&[u8]>,
) -> Result<Answer, Fault> {
    let broken = |error| Fault::of(&error, format_args!("the connection to {to} broke"));
    stream.write_all(send).await.map_err(broken)?;
    let Some(expected) = expect else { return Ok("connected and sent".to_owned().into()) };
    let mut octets = Vec::new();
    loop {
        let known = octets.len();
        let room = Method::MOST_OCTETS - known;
        let count = (&mut stream).take(room as u64).read_buf(&mut octets).await;
        let count = count.map_err(broken)?;
        if known == 0 && count > 0 {
            course.answers("first octet");
        }
        if contains(&octets, known, expected) {
            return Ok(format!("{} received", shown(expected)).into());
        }
        let what = match count {
            0 if known == 0 => format!("{to} closed the connection without an answer"),
            0 => format!("{} is not in the answer of {to}: {}", shown(expected), shown(&octets)),
            _ if octets.len() >= Method::MOST_OCTETS => format!(
                "{} is not in the first {} octets of {to}: {}",
                shown(expected),
                Method::MOST_OCTETS,
                shown(&octets)
            ),
            _ => continue,
        };
        return Err(Fault::Failed(what));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::super::testing::{closed, failed, not_asked, run, server, settings, well};
    use super::*;
    use crate::health::{Origin, Outcome, Settings};

    fn connect(to: SocketAddr) -> Settings {
        settings(Method::Tcp { to, send: Vec::new(), expect: None })
    }

    fn ping(to: SocketAddr) -> Settings {
        let (send, expect) = (b"PING\r\n".to_vec(), Some(b"PONG".to_vec()));
        settings(Method::Tcp { to, send, expect })
    }

    #[tokio::test]
    async fn a_connection_is_enough_where_nothing_is_expected() {
        let to = server(async |_stream| {}).await;
        assert_eq!(well(&connect(to)).await, "connected");
        let nobody = closed().await;
        assert_eq!(failed(&connect(nobody)).await, format!("connection refused by {nobody}"));
        let send = Method::Tcp { to, send: b"QUIT\r\n".to_vec(), expect: None };
        assert_eq!(well(&settings(send)).await, "connected and sent");
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_connection() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let to = socket.local_addr().unwrap().as_socket().unwrap();
        let _first = TcpStream::connect(to).await.unwrap();
        let settings = Settings { connect_timeout: Duration::from_millis(50), ..connect(to) };
        assert_eq!(failed(&settings).await, format!("no connection to {to} within 50 ms"));
    }

    #[tokio::test]
    async fn what_is_expected_may_come_late_and_in_pieces() {
        let to = server(async |mut stream: TcpStream| {
            let mut octets = [0; 6];
            stream.read_exact(&mut octets).await.unwrap();
            assert_eq!(&octets, b"PING\r\n");
            for octet in *b"+PONG" {
                stream.write_u8(octet).await.unwrap();
                stream.flush().await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let (outcome, steps) = run(&ping(to.await)).await;
        assert!(matches!(&outcome, Outcome::Answered { text, .. } if text == "\"PONG\" received"));
        assert!(steps[1].starts_with("first octet after "), "{steps:?}");
    }

    #[tokio::test]
    async fn something_else_is_named() {
        let other = server(async |mut stream: TcpStream| {
            stream.write_all(b"-ERR\x07").await.unwrap();
            let _ = stream.read_exact(&mut [0; 6]).await;
        });
        let other = other.await;
        let text = failed(&ping(other)).await;
        assert_eq!(text, format!("\"PONG\" is not in the answer of {other}: \"-ERR\\u{{7}}\""));

        let closing = server(async |mut stream| drop(stream.read_exact(&mut [0; 6]).await)).await;
        let text = failed(&ping(closing)).await;
        assert_eq!(text, format!("{closing} closed the connection without an answer"));

        let silent = server(async |_stream| std::future::pending().await).await;
        let settings = Settings { timeout: Duration::from_millis(50), ..ping(silent) };
        let text = failed(&settings).await;
        let wanted = format!("no answer from {silent} within 50 ms (connected to {silent} after ");
        assert!(text.starts_with(&wanted), "{text}");

        let flood = server(
            async |mut stream: TcpStream| {
                while stream.write_all(&[b'x'; 1000]).await.is_ok() {}
            },
        );
        let flood = flood.await;
        let text = failed(&ping(flood)).await;
        let wanted = format!("\"PONG\" is not in the first 65536 octets of {flood}: \"xxx");
        assert!(text.starts_with(&wanted), "{text}");
    }

    #[tokio::test]
    async fn a_run_comes_from_where_the_settings_say() {
        let to = server(async |mut stream: TcpStream| {
            let from = stream.peer_addr().unwrap().ip().to_string();
            stream.write_all(from.as_bytes()).await.unwrap();
        });
        let expect = Some(b"127.0.0.5".to_vec());
        let mut settings = settings(Method::Tcp { to: to.await, send: Vec::new(), expect });
        failed(&settings).await;
        settings.origin.address = Some("127.0.0.5".parse().unwrap());
        settings.origin.interface = Some("lo".to_owned());
        well(&settings).await;

        settings.origin.interface = Some("nowhere0".to_owned());
        let text = not_asked(&settings).await;
        assert_eq!(text, "interface nowhere0 cannot be used: no such device");
        let address = Some("192.0.2.1".parse().unwrap());
        settings.origin = Origin { address, ..Origin::default() };
        let text = not_asked(&settings).await;
        let wanted = "source address 192.0.2.1 cannot be used: cannot assign requested address";
        assert_eq!(text, wanted);
    }
}
