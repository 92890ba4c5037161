//! Clients that read long answers slowly, or not at all.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use shunt::api::v1::RoutesRequest;
use shunt::types::{Asn, Prefix};
use shunt::wire::bgp::{Announced, AsPath, Attributes, Message, NextHop, Nlri, Update};
use tokio::io::AsyncWriteExt;

use super::process::{Daemon, Home, address, eventually, neighbor, node};
use super::speaker::{Speaker, encode};

/// So many that their text (some 6 MiB) does not fit into what lies between the daemon and a client.
const ROUTES: u32 = 60_000;

/// UPDATEs with routes of 10.0.0.0/8, some hundred in each.
fn table() -> Vec<u8> {
    let mut attributes = Attributes::originated(NextHop::V4(Ipv4Addr::new(192, 0, 2, 9)));
    attributes.as_path = AsPath::sequence([Asn(64501)]);
    let all: Vec<Nlri> = (0..ROUTES)
        .map(|number| Nlri::from(Prefix::host(Ipv4Addr::from(0x0a00_0000 + number).into())))
        .collect();
    let updates = all.chunks(500).map(|nlri| {
        let announced = Announced { attributes: attributes.clone(), nlri: nlri.to_vec() };
        encode(&Message::Update(Update { announced: vec![announced], ..Update::default() }))
    });
    updates.collect::<Vec<_>>().concat()
}

/// Resident memory, in KiB.
fn memory(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// CPU time that the process has used, in ticks of 10 ms.
fn cpu(daemon: &Daemon) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let (_, behind_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test]
async fn a_client_that_does_not_read_its_routes_costs_nothing() {
    let (own, isp) = (address(), address());
    let config = node(64500, own) + &neighbor("isp", 64501, own, isp, "passive = true");
    let daemon = Home::new(&config).start().await;
    let mut speaker = Speaker::dial(64501, isp, own, None).await;
    speaker.establish().await;
    speaker.stream.write_all(&table()).await.unwrap();
    let all_there = async || {
        (daemon.neighbor("isp").await.prefixes_received == u64::from(ROUTES)).then_some(())
    };
    eventually("the table is there", all_there).await;

    let before = memory(&daemon);
    let mut streams = Vec::new();
    for _ in 0..4 {
        let routes = daemon.client().await.routes(RoutesRequest::default()).await.unwrap();
        let mut routes = routes.into_inner();
        assert_eq!(routes.message().await.unwrap().unwrap().prefix, "10.0.0.0/32");
        streams.push(routes);
    }
    // Each has what the connection holds; from there on nothing is done for them.
    let stands_still = async || {
        let used = cpu(&daemon);
        tokio::time::sleep(Duration::from_millis(300)).await;
        (cpu(&daemon) - used <= 1).then_some(())
    };
    eventually("nothing is done for clients that do not read", stands_still).await;
    let grown = memory(&daemon).saturating_sub(before);
    assert!(grown < 8 * 1024, "four clients that do not read cost {grown} KiB");
    let ordered = Instant::now();
    daemon.order("announce", "198.51.100.7/32", "").await.unwrap();
    assert!(ordered.elapsed() < Duration::from_secs(1), "{:?}", ordered.elapsed());

    // One that goes on reading gets all the rest.
    let mut routes = streams.pop().unwrap();
    for number in 1..ROUTES {
        let expected = Ipv4Addr::from(0x0a00_0000 + number);
        assert_eq!(routes.message().await.unwrap().unwrap().prefix, format!("{expected}/32"));
    }
    // Announced since it began.
    assert_eq!(routes.message().await.unwrap().unwrap().prefix, "198.51.100.7/32");
    assert!(routes.message().await.unwrap().is_none());
}
