//! Checks of real services, read and tried over the socket.

use std::net::Ipv4Addr;

use shunt::api::v1;
use tokio::net::TcpListener;
use tonic::Code;

use super::process::{Daemon, Home, address, eventually, node};

/// A check that is made once, and then not for an hour; and one that counts it.
fn config(to: &str) -> String {
    let address: Ipv4Addr = address();
    format!(
        "{}[check.web]\ntcp = \"{to}\"\nexpect = \"hello\"\ninterval = \"1h\"\nfast-interval = \"1h\"\n\
         [check.pool]\nbackends = [\"web\"]\nat-least = 1\n",
        node(64500, address)
    )
}

async fn check(daemon: &Daemon, name: &str) -> v1::Check {
    let request = v1::HealthRequest { name: name.to_owned() };
    let reply = daemon.client().await.health(request).await.unwrap().into_inner();
    reply.checks.into_iter().next().unwrap()
}

async fn attempt(daemon: &Daemon, name: &str) -> Result<v1::TryCheckReply, tonic::Status> {
    let request = v1::TryCheckRequest { name: name.to_owned() };
    Ok(daemon.client().await.try_check(request).await?.into_inner())
}

#[tokio::test]
async fn a_try_tells_what_happens_and_counts_for_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            stream.try_write(b"hello").unwrap();
        }
    });
    let daemon = Home::new(&config(&to)).start().await;
    let up = async || Some(check(&daemon, "web").await).filter(|check| check.state == "up");
    let first = eventually("it answers", up).await;
    assert_eq!((first.answered, first.failed, first.score), (1, 0, 100));

    let reply = attempt(&daemon, "web").await.unwrap();
    assert_eq!((reply.outcome.as_str(), reply.text.as_str()), ("answered", "\"hello\" received"));
    assert!(reply.steps[0].starts_with(&format!("connected to {to} after ")), "{:?}", reply.steps);
    assert!(reply.steps[1].starts_with("first octet after "), "{:?}", reply.steps);

    server.abort();
    let _ = server.await;
    for _ in 0..3 {
        let reply = attempt(&daemon, "web").await.unwrap();
        assert_eq!(reply.outcome, "failed");
        assert_eq!(reply.text, format!("connection refused by {to}"));
        let known = reply.check.unwrap();
        assert_eq!((known.state.as_str(), known.answered, known.failed), ("up", 1, 0));
    }
    let reply = attempt(&daemon, "pool").await.unwrap();
    assert_eq!(
        (reply.outcome.as_str(), reply.text.as_str()),
        ("failed", "0 of 1 answered, failed: web")
    );
    assert_eq!(reply.steps, [format!("web: failed: connection refused by {to}")]);
    assert_eq!(check(&daemon, "pool").await.state, "up");

    let refused = attempt(&daemon, "wep").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::NotFound, "no check `wep`; did you mean `web`?")
    );
}
