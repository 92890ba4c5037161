//! Whatever a server sends, a run comes to its end, and says something that can be shown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::course::contains;
use super::testing::{run, server, settings, well};
use crate::health::{Http, Method, Outcome, Settings, Tls};
use crate::types::Rng;

const CASES: u64 = 300;

const LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nX-Ready: yes\r\nContent-Length: 5\r\n\r\nready";
const CHUNKS: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2;x=y\r\ndy\r\n0\r\n\r\n";
/// SETTINGS, HEADERS (:status 200, content-type), DATA with `status: SERVING`, HEADERS (grpc-status 0) of HTTP/2.
const SERVING: &[u8] = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\
    \x00\x00\x14\x01\x04\x00\x00\x00\x01\x88\x0f\x10\x10application/grpc\
    \x00\x00\x07\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02\x08\x01\
    \x00\x00\x0f\x01\x05\x00\x00\x00\x01\x00\x0bgrpc-status\x010";
/// The begin of a ServerHello.
const HELLO: &[u8] =
    b"\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03abcdefghijklmnopqrstuvwxyz012345\x00\x13\x01\x00";

fn http(to: SocketAddr, tls: Option<Tls>) -> Settings {
    settings(Method::Http(Box::new(Http {
        to,
        tls,
        head: false,
        host: "web.example".to_owned(),
        path: "/".to_owned(),
        status: vec![200..=299],
        header: None,
        body: Some("ready".to_owned()),
    })))
}

fn all(to: SocketAddr) -> [Settings; 4] {
    let tls = Tls {
        server_name: "web.example".to_owned(),
        verify: false,
        ca_file: None,
        expiry_warning: Duration::ZERO,
    };
    let expect = Some(b"ready".to_vec());
    [
        settings(Method::Tcp { to, send: b"hello".to_vec(), expect }),
        http(to, None),
        http(to, Some(tls)),
        settings(Method::Grpc { to, service: "payments".to_owned(), tls: None }),
    ]
}

/// A good answer of which some octets are others, are missing, or come twice; or nothing of the kind.
fn draw(rng: &mut Rng) -> Vec<u8> {
    let count = |rng: &mut Rng, most: usize| rng.below(most as u64 + 1) as usize;
    let good: &[&[u8]] = &[LENGTH, CHUNKS, SERVING, HELLO, b""];
    let mut octets = good[count(rng, good.len() - 1)].to_vec();
    for _ in 0..count(rng, 6) {
        let place = count(rng, octets.len());
        match rng.below(4) {
            0 => octets.truncate(place),
            1 => octets.insert(place, rng.below(256) as u8),
            2 => octets.extend_from_within(place..),
            _ => octets
                .iter_mut()
                .skip(place)
                .take(1)
                .for_each(|octet| *octet = rng.below(256) as u8),
        }
    }
    if rng.below(4) == 0 {
        let more = count(rng, 2000);
        octets.extend((0..more).map(|_| rng.below(256) as u8));
    }
    octets
}

#[tokio::test]
async fn whatever_a_server_sends_a_run_comes_to_its_end() {
    let answer = Arc::new(Mutex::new(Vec::new()));
    let sent = answer.clone();
    let to = server(move |mut stream| {
        let answer = sent.lock().unwrap().clone();
        async move {
            // The whole question, which in HTTP/2 comes in pieces.
            let mut question = Vec::new();
            while stream.read_buf(&mut question).await.unwrap_or(0) > 0 {
                if !question.starts_with(b"PRI ") || contains(&question, 0, b"payments") {
                    break;
                }
            }
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            // Until the other side has read it.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let all = all(to);
    // What is changed is right before.
    for (good, place) in [(LENGTH, 0), (LENGTH, 1), (CHUNKS, 1), (SERVING, 3)] {
        *answer.lock().unwrap() = good.to_vec();
        well(&all[place]).await;
    }
    let mut rng = Rng::new(5);
    for case in 0..CASES {
        let octets = draw(&mut rng);
        *answer.lock().unwrap() = octets.clone();
        for settings in &all {
            let ended = timeout(Duration::from_secs(60), run(settings)).await;
            let (outcome, steps) = ended.unwrap_or_else(|_| panic!("case {case}: {octets:?}"));
            let text = match outcome {
                Outcome::Answered { text, .. } | Outcome::Failed(text) => text,
                Outcome::NotAsked(text) => panic!("case {case}: {text}"),
            };
            for text in steps.iter().chain([&text]) {
                let is_fit = text.len() < 1000 && !text.chars().any(char::is_control);
                assert!(is_fit && !text.is_empty(), "case {case}: {text:?}");
            }
        }
    }
}
