//! Two daemons that peer with each other, and what a reload does to them.

use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use shunt::api::v1::{EventsRequest, ReloadRequest};
use tonic::Code;

use super::process::{Daemon, Home, address, eventually, neighbor, node};
use super::speaker::is_closed_silently;

fn config(asn: u32, local: Ipv4Addr, remote_asn: u32, remote: Ipv4Addr, more: &str) -> String {
    node(asn, local) + &neighbor(&format!("as{remote_asn}"), remote_asn, local, remote, more)
}

async fn pair(more: &str) -> (Daemon, Daemon) {
    let (a, b) = (address(), address());
    let first = Home::new(&config(64500, a, 64501, b, more)).start().await;
    let second = Home::new(&config(64501, b, 64500, a, more)).start().await;
    first.established("as64501").await;
    second.established("as64500").await;
    (first, second)
}

#[tokio::test]
async fn what_one_announces_the_other_learns() {
    let (first, second) = pair("").await;
    let reply = first.order("announce", "198.51.100.7/32", "").await.unwrap();
    let [delivery] = &reply.deliveries[..] else { panic!("{reply:?}") };
    assert_eq!(
        (delivery.neighbor.as_str(), delivery.outcome.as_str()),
        ("as64501", "acknowledged")
    );
    assert!(reply.durable_us > 0 && delivery.acknowledged_us >= reply.durable_us, "{reply:?}");
    second.learns("as64500", &["198.51.100.7/32 Some(55) 64500"]).await;

    first.order("prefer", "198.51.100.7/32", "standby").await.unwrap();
    second.learns("as64500", &["198.51.100.7/32 Some(155) 64500"]).await;
    assert!(first.order("prefer", "198.51.100.7/32", "standby").await.unwrap().unchanged);

    first.order("withdraw", "198.51.100.7/32", "").await.unwrap();
    second.learns("as64500", &[]).await;

    let refused = first.order("announce", "203.0.113.1/32", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
}

#[tokio::test]
async fn an_order_survives_the_daemon_and_is_announced_again() {
    let (first, second) = pair("").await;
    first.order("announce", "198.51.100.7/32", "150").await.unwrap();
    second.learns("as64500", &["198.51.100.7/32 Some(105) 64500"]).await;
    let home = first.kill();
    second.learns("as64500", &[]).await;
    // The socket of the killed daemon is taken over.
    let first = home.start().await;
    second.learns("as64500", &["198.51.100.7/32 Some(105) 64500"]).await;
    drop(first);
}

#[tokio::test]
async fn events_are_told_as_they_happen() {
    let (first, second) = pair("").await;
    let request = EventsRequest { follow: true, last: 1 };
    let mut events = first.client().await.events(request).await.unwrap().into_inner();
    let mut last = events.message().await.unwrap().unwrap().number;
    drop(second.kill());
    loop {
        let event = events.message().await.unwrap().unwrap();
        assert_eq!(event.number, last + 1);
        last = event.number;
        if event.kind == "neighbor" && event.text.contains("down") {
            assert_eq!(event.subject, "as64501");
            break;
        }
    }
}

#[tokio::test]
async fn a_bad_reload_leaves_everything_and_a_good_one_touches_what_changed() {
    let (first, second) = pair("").await;
    let good = std::fs::read_to_string(first.home().path().join("shunt.toml")).unwrap();

    first.home().configure(&good.replace("remote-as = 64501", "remote-as = \"many\""));
    let refused = first.client().await.reload(ReloadRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("shunt.toml:15:13"), "{}", refused.message());
    // The same by signal: the refusal is an event.
    first.signal(Signal::SIGHUP);
    let refusals = async || (first.log().matches("reload refused").count() == 2).then_some(());
    eventually("two refusals in the log", refusals).await;

    first.home().configure(&format!(
        "{good}[group.payments]\nprefixes = [\"198.51.100.9/32\"]\nbase = {{ dc1 = \"drain\" }}\n"
    ));
    let reply = first.client().await.reload(ReloadRequest {}).await.unwrap().into_inner();
    assert!(reply.changes.iter().any(|change| change.contains("payments")), "{reply:?}");
    second.learns("as64500", &["198.51.100.9/32 Some(245) 64500"]).await;
    let neighbor = first.neighbor("as64501").await;
    assert_eq!((neighbor.state.as_str(), neighbor.established_count), ("established", 1));

    // Another address to listen on, and the neighbour shut down, by signal.
    let other = address();
    let listen = format!("[\"{}\"]", neighbor.local_address);
    assert!(good.contains(&listen), "{listen}");
    first.home().configure(
        &good
            .replace(&listen, &format!("[\"{other}\"]"))
            .replace("connect-retry", "shutdown = \"moving\"\nconnect-retry"),
    );
    first.signal(Signal::SIGHUP);
    let down = async || second.neighbor("as64500").await.last_down.contains("moving").then_some(());
    eventually("the neighbour is told why", down).await;
    assert!(is_closed_silently(address(), other).await);

    // All addresses at once take the port from the one that there is.
    first.home().configure(&good.replace(&listen, "[\"0.0.0.0\"]"));
    let refused = first.client().await.reload(ReloadRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    assert!(refused.message().contains("only a restart"), "{}", refused.message());
}

#[tokio::test]
async fn a_stop_is_a_goodbye() {
    let (mut first, second) = pair("").await;
    first.signal(Signal::SIGTERM);
    assert_eq!(first.ended().await.code(), Some(0));
    let told = async || {
        let last_down = second.neighbor("as64500").await.last_down;
        last_down.contains("Administrative Shutdown").then_some(())
    };
    eventually("the neighbour is told why", told).await;
}

#[tokio::test]
async fn md5_and_gtsm_hold_between_daemons() {
    let (a, b) = (address(), address());
    let more = "password-file = \"key\"\nttl-security = 1";
    let first = Home::new(&node(64500, a));
    let second = Home::new(&node(64501, b));
    for (home, key) in [(&first, "one\n"), (&second, "two\n")] {
        let path = home.path().join("key");
        std::fs::write(&path, key).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    first.configure(&config(64500, a, 64501, b, more));
    second.configure(&config(64501, b, 64500, a, more));
    let (first, second) = (first.start().await, second.start().await);
    let no_answer = async || {
        first.neighbor("as64501").await.last_error.contains("a different TCP-MD5 key").then_some(())
    };
    eventually("nobody answers", no_answer).await;
    assert_eq!(second.neighbor("as64500").await.established_count, 0);

    // The key is read again on reload.
    std::fs::write(second.home().path().join("key"), "one\n").unwrap();
    second.client().await.reload(ReloadRequest {}).await.unwrap();
    first.established("as64501").await;
    second.established("as64500").await;
    assert!(first.neighbor("as64501").await.md5);
}
