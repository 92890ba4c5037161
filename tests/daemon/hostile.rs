//! Neighbours and strangers that do not behave. Nothing they send may disturb the others.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shunt::api::v1::{OrderRequest, StatusRequest};
use shunt::types::Rng;
use shunt::wire::bgp::Message;
use tokio::io::AsyncWriteExt;

use super::process::{Daemon, Home, SOON, address, eventually, neighbor, node};
use super::speaker::{Speaker, announce, is_closed_silently};

/// A daemon at an address, and two passive neighbours at theirs: `well` (AS 64501) and `bad` (AS 64502).
struct Scene {
    daemon: Daemon,
    here: Ipv4Addr,
    well: Ipv4Addr,
    bad: Ipv4Addr,
}

impl Scene {
    async fn start(more: &str, groups: &str) -> Scene {
        let (here, well, bad) = (address(), address(), address());
        let passive = format!("passive = true\n{more}");
        let config = node(64500, here)
            + &neighbor("well", 64501, here, well, "passive = true")
            + &neighbor("bad", 64502, here, bad, &passive)
            + groups;
        Scene { daemon: Home::new(&config).start().await, here, well, bad }
    }

    async fn dial_well(&self) -> Speaker {
        let mut speaker = Speaker::dial(64501, self.well, self.here, None).await;
        speaker.establish().await;
        speaker
    }

    async fn dial_bad(&self) -> Speaker {
        Speaker::dial(64502, self.bad, self.here, None).await
    }
}

/// A group whose UPDATE is more than a kilobyte.
fn many() -> String {
    let prefixes: Vec<String> =
        (0..250).map(|number| format!("\"198.51.100.{number}/32\"")).collect();
    format!("[group.many]\nprefixes = [{}]\nbase = {{ dc1 = \"drain\" }}\n", prefixes.join(", "))
}

#[tokio::test]
async fn a_neighbour_that_sends_single_octets_is_understood() {
    let scene = Scene::start("", "").await;
    let mut slow = scene.dial_bad().await;
    let octets = [slow.greeting(), announce(64502, scene.bad, "203.0.113.0/24", 7)].concat();
    for octet in octets {
        slow.stream.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    scene.daemon.learns("bad", &["203.0.113.0/24 Some(7) 64502"]).await;
}

#[tokio::test]
async fn an_update_in_the_same_read_as_the_open_is_taken() {
    let scene = Scene::start("", "").await;
    let mut quick = scene.dial_bad().await;
    let octets = [quick.greeting(), announce(64502, scene.bad, "203.0.113.0/24", 7)].concat();
    quick.stream.write_all(&octets).await.unwrap();
    scene.daemon.learns("bad", &["203.0.113.0/24 Some(7) 64502"]).await;
}

#[tokio::test]
async fn a_stranger_is_closed_without_a_word() {
    let scene = Scene::start("", "").await;
    assert!(is_closed_silently(address(), scene.here).await);
    let logged = async || scene.daemon.log().contains("no neighbour's address").then_some(());
    eventually("the stranger is in the log", logged).await;
}

#[tokio::test]
async fn garbage_is_answered_and_harms_nobody() {
    let scene = Scene::start("", "").await;
    let _well = scene.dial_well().await;
    let mut rng = Rng::new(5);
    for round in 0..20 {
        let mut bad = scene.dial_bad().await;
        let mut octets = if round % 2 == 0 { bad.greeting() } else { Vec::new() };
        octets.extend((0..64 << 10).map(|_| rng.next_u64() as u8));
        // The daemon may close while this is still writing.
        let _ = bad.stream.write_all(&octets).await;
        let answer = bad.notification().await.expect("a NOTIFICATION");
        // Connection Not Synchronized; soon after it such a neighbour is only rejected.
        let rejected = (answer.code, answer.subcode) == (6, 5) && round > 0;
        assert!((answer.code, answer.subcode) == (1, 1) || rejected, "{answer} in round {round}");
    }
    let well = scene.daemon.neighbor("well").await;
    assert_eq!((well.state.as_str(), well.established_count), ("established", 1));
}

#[tokio::test]
async fn connections_that_the_neighbour_closes_leave_nothing_behind() {
    let scene = Scene::start("", "").await;
    let before = scene.daemon.sockets();
    for _ in 0..10 {
        let mut bad = scene.dial_bad().await;
        assert!(matches!(bad.read().await, Some(Message::Open(_))));
    }
    eventually("all sockets are closed", async || (scene.daemon.sockets() <= before).then_some(()))
        .await;
}

#[tokio::test]
async fn clients_that_say_nothing_leave_descriptors_for_neighbours() {
    let scene = Scene::start("", "").await;
    let before = scene.daemon.sockets();
    let socket = scene.daemon.home().socket();
    // More than the daemon takes at a time, fewer than the kernel lets wait.
    let connect = |_| std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let silent: Vec<_> = (0..200).map(connect).collect();
    let mut well = scene.dial_well().await;
    // Another client waits for its turn.
    let turn = async { scene.daemon.client().await.status(StatusRequest {}).await };
    assert!(tokio::time::timeout(Duration::from_millis(300), turn).await.is_err());
    assert!(scene.daemon.sockets() <= before + 130, "{}", scene.daemon.sockets());
    drop(silent);
    well.stream.write_all(&announce(64501, scene.well, "203.0.113.0/24", 7)).await.unwrap();
    scene.daemon.learns("well", &["203.0.113.0/24 Some(7) 64501"]).await;
}

#[tokio::test]
async fn a_neighbour_that_stops_reading_delays_nobody_and_is_dropped() {
    let scene = Scene::start("hold-time = \"0s\"\nsend-hold-time = \"2s\"", &many()).await;
    let mut well = scene.dial_well().await;
    let _reading = tokio::spawn(async move { while well.read().await.is_some() {} });
    let mut deaf = Speaker::dial(64502, scene.bad, scene.here, Some(2048)).await;
    deaf.establish().await;

    // From here on `deaf` reads nothing. Orders go on until its window and our buffers are full and the send hold timer
    // has ended the session.
    let request = |number: u32, no_wait: bool| OrderRequest {
        target: "many".to_owned(),
        order: "prefer".to_owned(),
        level: (1 + number % 255).to_string(),
        no_wait,
        timeout_us: 1_000_000,
        ..OrderRequest::default()
    };
    let mut client = scene.daemon.client().await;
    let until = Instant::now() + SOON;
    let mut stuck = 0;
    for number in 0.. {
        assert!(Instant::now() < until, "the session was never ended");
        let wait = number % 50 == 49;
        let reply = client.order(request(number, !wait)).await.unwrap().into_inner();
        let outcome = |name: &str| {
            let delivery = reply.deliveries.iter().find(|delivery| delivery.neighbor == name);
            delivery.map(|delivery| delivery.outcome.clone()).unwrap_or_default()
        };
        if wait {
            assert_eq!(outcome("well"), "acknowledged", "{reply:?}");
            stuck += u32::from(outcome("bad") == "timeout");
        }
        if outcome("bad") == "not-established" {
            break;
        }
    }
    assert!(stuck > 0, "the neighbour was never stuck");
    let bad = scene.daemon.neighbor("bad").await;
    assert!(bad.last_down.contains("Send Hold Timer"), "{}", bad.last_down);
    assert_eq!(scene.daemon.neighbor("well").await.established_count, 1);
}

#[tokio::test]
async fn a_flood_of_updates_delays_neither_orders_nor_keepalives() {
    let scene = Scene::start("", "").await;
    // Three seconds are the shortest hold time: the daemon must get its keepalives out, and take ours in.
    let mut well = Speaker::dial(64501, scene.well, scene.here, None).await.with_hold_time(3);
    well.establish().await;
    let mut flood = scene.dial_bad().await;
    flood.establish().await;

    let done = Arc::new(AtomicBool::new(false));
    let flooding = tokio::spawn({
        let (done, next_hop) = (done.clone(), scene.bad);
        async move {
            let bursts: Vec<Vec<u8>> = (0..2)
                .map(|med| {
                    (0..2000_u32)
                        .map(|number| {
                            let [_, _, high, low] = number.to_be_bytes();
                            announce(64502, next_hop, &format!("10.{high}.{low}.0/24"), med)
                        })
                        .collect::<Vec<_>>()
                        .concat()
                })
                .collect();
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) {
                flood.stream.write_all(&bursts[sent % 2]).await.unwrap();
                sent += 1;
            }
            sent
        }
    });
    let (mut reading, mut writing) = well.stream.into_split();
    let alive = tokio::spawn(async move {
        use super::speaker::encode;
        use tokio::io::AsyncReadExt;
        let mut buffer = [0; 4096];
        loop {
            // Keepalives come every second; a silence of the hold time would end the session.
            match tokio::time::timeout(Duration::from_secs(3), reading.read(&mut buffer)).await {
                Ok(Ok(length)) if length > 0 => {}
                other => return format!("{other:?}"),
            }
            writing.write_all(&encode(&shunt::wire::bgp::Message::Keepalive)).await.unwrap();
        }
    });

    let until = Instant::now() + Duration::from_secs(7);
    let mut slowest = Duration::ZERO;
    let mut level = 0;
    while Instant::now() < until {
        level = level % 255 + 1;
        let begun = Instant::now();
        let reply = scene.daemon.order("prefer", "198.51.100.0/24", &level.to_string()).await;
        let well =
            reply.unwrap().deliveries.into_iter().find(|delivery| delivery.neighbor == "well");
        assert_eq!(well.unwrap().outcome, "acknowledged");
        slowest = slowest.max(begun.elapsed());
    }
    assert!(!alive.is_finished(), "{:?}", alive.await);
    done.store(true, Ordering::Relaxed);
    assert!(flooding.await.unwrap() > 2, "that was no flood");
    assert!(slowest < Duration::from_secs(2), "an order took {slowest:?}");
    assert_eq!(scene.daemon.neighbor("well").await.established_count, 1);
}
