use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::{Pin, pin};

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::timeout_at;

use super::connect::{self, Stream};
use super::course::{Answer, Course, Fault, contains, shown};
use super::tls::Protocol;
use crate::health::{Http, Method};

/// No more is read of a body.
const MOST_OCTETS: usize = Method::MOST_OCTETS;

/// One request on a connection of its own, and its answer.
pub async fn ask(course: &mut Course<'_>, http: &Http) -> Result<Answer, Fault> {
    let (stream, warning) =
        connect::open(course, http.to, http.tls.as_ref(), Protocol::Http1).await?;
    let text = timeout_at(course.deadline(), exchange(course, stream, http)).await;
    let text = course.in_time(text, http.to)?;
    Ok(Answer { text, warning })
}

async fn exchange(course: &mut Course<'_>, stream: Stream, http: &Http) -> Result<String, Fault> {
    let request = request(http).map_err(|error| {
        Fault::NotAsked(format!("no request can be made of host and path: {error}"))
    })?;
    let broken = |error: hyper::Error| broken(http.to, &error);
    let (mut requests, connection) = http1::Builder::new()
        .max_buf_size(MOST_OCTETS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let answer = async {
        let response = requests.send_request(request).await.map_err(broken)?;
        course.answers(format_args!("status {}", response.status().as_u16()));
        check_head(http, &response)?;
        let status = response.status().as_u16();
        Ok(format!("status {status}{}", check_body(http, response.into_body()).await?))
    };
    // The connection works only while it is polled. It may end before its last octets have been looked at.
    let (mut answer, connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        text = &mut answer => text,
        _ = connection => answer.await,
    }
}

fn request(http: &Http) -> Result<Request<String>, impl Error> {
    Request::builder()
        .method(if http.head { hyper::Method::HEAD } else { hyper::Method::GET })
        .uri(&http.path)
        .header(HOST, &http.host)
        .header(USER_AGENT, concat!("shunt/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(String::new())
}

fn check_head(http: &Http, response: &Response<Incoming>) -> Result<(), Fault> {
    let status = response.status().as_u16();
    if !http.status.iter().any(|range| range.contains(&status)) {
        let wanted = ranges(&http.status);
        return Err(Fault::Failed(format!("status {status} instead of {wanted}")));
    }
    let Some((name, text)) = &http.header else { return Ok(()) };
    let mut values = response.headers().get_all(name).iter().peekable();
    if values.peek().is_none() {
        return Err(Fault::Failed(format!("there is no header field {name}")));
    }
    let first = values.peek().map(|value| shown(value.as_bytes())).unwrap_or_default();
    match values.any(|value| contains(value.as_bytes(), 0, text.as_bytes())) {
        true => Ok(()),
        false => {
            let text = shown(text.as_bytes());
            Err(Fault::Failed(format!("{text} is not in the header field {name}: {first}")))
        }
    }
}

fn ranges(ranges: &[RangeInclusive<u16>]) -> String {
    let texts: Vec<String> = ranges
        .iter()
        .map(|range| match range.start() == range.end() {
            true => range.start().to_string(),
            false => format!("{}-{}", range.start(), range.end()),
        })
        .collect();
    texts.join(", ")
}

/// Reads the body to its end, or as much of it as is read at all. Goes on with the status.
async fn check_body(http: &Http, mut body: Incoming) -> Result<String, Fault> {
    let mut kept = Vec::new();
    let mut octets = 0;
    while octets < MOST_OCTETS {
        let frame = match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => break,
            Some(frame) => frame.map_err(|error| broken(http.to, &error))?,
        };
        let Ok(data) = frame.into_data() else { continue };
        if http.body.is_some() {
            let room = MOST_OCTETS - octets;
            kept.extend_from_slice(data.get(..room).unwrap_or(&data));
        }
        octets += data.len();
    }
    let is_cut = octets >= MOST_OCTETS;
    match &http.body {
        Some(text) if !contains(&kept, 0, text.as_bytes()) => {
            let (text, kept) = (shown(text.as_bytes()), shown(&kept));
            let part =
                if is_cut { format!("first {MOST_OCTETS} octets of the ") } else { String::new() };
            Err(Fault::Failed(format!("{text} is not in the {part}body: {kept}")))
        }
        _ if is_cut => Ok(format!(", cut after {MOST_OCTETS} octets")),
        _ => Ok(String::new()),
    }
}

/// What an error of an exchange means.
pub fn broken(to: SocketAddr, error: &hyper::Error) -> Fault {
    if error.is_parse_too_large() {
        return Fault::Failed(format!("the header of the answer of {to} has no end"));
    }
    if let Some(error) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        return Fault::of(error, format_args!("the connection to {to} broke"));
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Fault::Failed(format!("{to} closed the connection before the end of the answer"));
    }
    Fault::Failed(format!("{to} gives no proper answer: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::super::testing::{closed, failed, not_asked, run, server, settings, well};
    use super::*;
    use crate::health::{Outcome, Settings};

    fn http(to: SocketAddr) -> Http {
        Http {
            to,
            tls: None,
            head: false,
            host: "web.example".to_owned(),
            path: "/health?x=1".to_owned(),
            status: vec![200..=299],
            header: None,
            body: None,
        }
    }

    fn get(to: SocketAddr) -> Settings {
        settings(Method::Http(Box::new(http(to))))
    }

    fn with(http: Http) -> Settings {
        settings(Method::Http(Box::new(http)))
    }

    async fn request(stream: &mut TcpStream) -> String {
        let mut octets = Vec::new();
        while !octets.ends_with(b"\r\n\r\n") {
            octets.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(octets).unwrap()
    }

    /// A server that answers each request with this, and then does nothing.
    async fn answering(answer: &'static str) -> SocketAddr {
        server(move |mut stream| async move {
            request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\nX-Ready: yes, very\r\nContent-Length: 7\r\n\r\nall ok\n";

    #[tokio::test]
    async fn one_request_is_made_as_configured() {
        let (requests, mut made) = mpsc::unbounded_channel();
        let to = server(move |mut stream| {
            let requests = requests.clone();
            async move {
                requests.send(request(&mut stream).await).unwrap();
                stream.write_all(FINE.as_bytes()).await.unwrap();
            }
        });
        let to = to.await;
        assert_eq!(well(&get(to)).await, "status 200");
        let lines = "GET /health?x=1 HTTP/1.1\r\nhost: web.example\r\nuser-agent: shunt/0.1.0\r\n\
                     connection: close\r\n\r\n";
        assert_eq!(made.recv().await.unwrap(), lines);
    }

    #[tokio::test]
    async fn only_the_head_may_be_asked_for() {
        let to = server(async |mut stream: TcpStream| {
            assert!(request(&mut stream).await.starts_with("HEAD /health?x=1 HTTP/1.1\r\n"));
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let settings = with(Http { head: true, ..http(to.await) });
        assert_eq!(well(&settings).await, "status 200");
    }

    #[tokio::test]
    async fn status_header_and_body_are_compared() {
        let to = answering(FINE).await;
        let status =
            |status: &[RangeInclusive<u16>]| with(Http { status: status.to_vec(), ..http(to) });
        assert_eq!(well(&status(&[300..=399, 200..=200])).await, "status 200");
        let text = failed(&status(&[201..=299, 404..=404])).await;
        assert_eq!(text, "status 200 instead of 201-299, 404");

        let header = |name: &str, text: &str| {
            with(Http { header: Some((name.to_owned(), text.to_owned())), ..http(to) })
        };
        assert_eq!(well(&header("x-ready", "yes")).await, "status 200");
        let text = failed(&header("X-Ready", "no")).await;
        assert_eq!(text, "\"no\" is not in the header field X-Ready: \"yes, very\"");
        assert_eq!(failed(&header("X-Other", "")).await, "there is no header field X-Other");

        let body = |text: &str| with(Http { body: Some(text.to_owned()), ..http(to) });
        assert_eq!(well(&body("l ok\n")).await, "status 200");
        assert_eq!(failed(&body("bad")).await, "\"bad\" is not in the body: \"all ok\\n\"");
    }

    #[tokio::test]
    async fn an_answer_may_come_in_small_pieces() {
        let to = server(async |mut stream: TcpStream| {
            request(&mut stream).await;
            let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                          2\r\nwe\r\n3\r\nll!\r\n0\r\n\r\n";
            for octet in answer.bytes() {
                stream.write_u8(octet).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
        let settings = with(Http { body: Some("well".to_owned()), ..http(to.await) });
        let (outcome, steps) = run(&settings).await;
        assert!(matches!(outcome, Outcome::Answered { .. }), "{outcome:?}");
        let begins = ["connected to 127.0.0.1:", "status 200 after ", "status 200 after "];
        assert!(steps.iter().zip(begins).all(|(step, begin)| step.starts_with(begin)), "{steps:?}");
        assert_eq!(steps.len(), 3);
    }

    #[tokio::test]
    async fn who_does_not_answer_in_time_has_failed() {
        let short = |to| Settings { timeout: Duration::from_millis(50), ..get(to) };
        let silent = server(async |_stream| std::future::pending().await).await;
        let text = failed(&short(silent)).await;
        let wanted = format!("no answer from {silent} within 50 ms (connected to {silent} after ");
        assert!(text.starts_with(&wanted), "{text}");

        let half = answering("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nall").await;
        let text = failed(&short(half)).await;
        let wanted = format!("no end of the answer from {half} within 50 ms (status 200 after ");
        assert!(text.starts_with(&wanted), "{text}");
    }

    #[tokio::test]
    async fn who_closes_or_talks_otherwise_has_failed() {
        let nobody = closed().await;
        assert_eq!(failed(&get(nobody)).await, format!("connection refused by {nobody}"));

        let closing = server(async |mut stream| drop(request(&mut stream).await)).await;
        let text = format!("{closing} closed the connection before the end of the answer");
        assert_eq!(failed(&get(closing)).await, text);

        let mail = answering("220 mail.example ESMTP\r\n").await;
        let text = failed(&get(mail)).await;
        assert!(text.starts_with(&format!("{mail} gives no proper answer: ")), "{text}");
    }

    /// A server that answers with `begin`, and then `again` and again.
    async fn endless(begin: &'static str, again: &'static str) -> SocketAddr {
        server(move |mut stream: TcpStream| async move {
            request(&mut stream).await;
            stream.write_all(begin.as_bytes()).await.unwrap();
            while stream.write_all(again.as_bytes()).await.is_ok() {}
        })
        .await
    }

    #[tokio::test]
    async fn an_answer_without_end_is_ended() {
        let wanted = |to| format!("the header of the answer of {to} has no end");
        let fields = endless("HTTP/1.1 200 OK\r\n", "X-Field: value\r\n").await;
        assert_eq!(failed(&get(fields)).await, wanted(fields));
        let field = endless("HTTP/1.1 200 OK\r\nX-Field: ", "value").await;
        assert_eq!(failed(&get(field)).await, wanted(field));

        let body = endless("HTTP/1.1 200 OK\r\n\r\n", "no end\n").await;
        assert_eq!(well(&get(body)).await, "status 200, cut after 65536 octets");
        let text = failed(&with(Http { body: Some("ok".to_owned()), ..http(body) })).await;
        let wanted = "\"ok\" is not in the first 65536 octets of the body: \"no end";
        assert!(text.starts_with(wanted), "{text}");

        let chunks = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;x=").await;
        let short = Settings { timeout: Duration::from_millis(500), ..get(chunks) };
        failed(&short).await;
    }

    #[tokio::test]
    async fn what_cannot_be_a_request_is_not_asked() {
        let to = answering(FINE).await;
        let text = not_asked(&with(Http { host: "web\nexample".to_owned(), ..http(to) })).await;
        assert!(text.starts_with("no request can be made of host and path: "), "{text}");
    }
}
