//! The log of updates: what neighbours send stands in MRT files, octet by octet.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use bytes::BytesMut;
use nix::sys::signal::Signal;
use shunt::api::v1::{ReloadRequest, StatusRequest, UpdateLogStatus};
use shunt::types::{Asn, Wall};
use shunt::wire::bgp::{Message, Notification};
use shunt::wire::mrt::{Ends, emit_message, emit_state_change};

use super::process::{Daemon, Home, address, eventually, neighbor, node};
use super::speaker::{Speaker, announce, encode};
use tokio::io::AsyncWriteExt;

struct Logged {
    daemon: Daemon,
    speaker: Speaker,
    own: Ipv4Addr,
    isp: Ipv4Addr,
    directory: String,
}

fn config(own: Ipv4Addr, isp: Ipv4Addr, directory: &str) -> String {
    node(64500, own)
        + &neighbor("isp", 64501, own, isp, "passive = true")
        + &format!("[mrt]\nupdates = \"{directory}\"\n")
}

/// A daemon that logs into a directory which is not there yet, and a neighbour that dials it.
async fn logged(directory: impl Fn(&Home) -> String) -> Logged {
    let (own, isp) = (address(), address());
    let home = Home::new("");
    let directory = directory(&home);
    home.configure(&config(own, isp, &directory));
    let daemon = home.start().await;
    let mut speaker = Speaker::dial(64501, isp, own, None).await;
    speaker.establish().await;
    daemon.established("isp").await;
    Logged { daemon, speaker, own, isp, directory }
}

impl Logged {
    async fn status(&self) -> UpdateLogStatus {
        let status = self.daemon.client().await.status(StatusRequest {}).await.unwrap();
        status.into_inner().update_log.unwrap()
    }

    /// The records of all files, the times set to zero: they are those of now.
    fn records(&self) -> Vec<Vec<u8>> {
        let mut files: Vec<_> =
            fs::read_dir(&self.directory).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut records = Vec::new();
        for file in files {
            let octets = fs::read(file).unwrap();
            let mut rest = octets.as_slice();
            while !rest.is_empty() {
                let length = 12 + u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize;
                let (record, others) = rest.split_at(length);
                let mut record = record.to_vec();
                record[..4].fill(0);
                record[12..16].fill(0);
                records.push(record);
                rest = others;
            }
        }
        records
    }
}

#[tokio::test]
async fn what_a_neighbour_sends_stands_in_the_log_as_it_came() {
    let mut logged = logged(|home| home.path().join("mrt/of/isp").display().to_string()).await;
    let update = announce(64501, logged.isp, "203.0.113.0/24", 7);
    // An UPDATE whose ORIGIN is 9: treated as withdrawn, and logged as it is.
    let mut faulty = announce(64501, logged.isp, "203.0.113.128/25", 7);
    let origin = faulty.windows(4).position(|four| four == [0x40, 1, 1, 0]).unwrap();
    faulty[origin + 3] = 9;
    let keepalive = encode(&Message::Keepalive);
    let farewell = encode(&Message::Notification(Notification {
        code: 6,
        subcode: 2,
        data: Default::default(),
    }));
    let all = [&update[..], &faulty, &keepalive, &farewell].concat();
    logged.speaker.stream.write_all(&all).await.unwrap();

    let ends = Ends {
        peer_asn: Asn(64501),
        local_asn: Asn(64500),
        peer: IpAddr::V4(logged.isp),
        local: IpAddr::V4(logged.own),
    };
    let message = |octets: &[u8], four_octet_as| {
        let mut record = BytesMut::new();
        emit_message(Wall::from_micros(0), &ends, four_octet_as, octets, &mut record);
        record.to_vec()
    };
    let state = |old, new| {
        let mut record = BytesMut::new();
        emit_state_change(Wall::from_micros(0), &ends, old, new, &mut record);
        record.to_vec()
    };
    let greeting = logged.speaker.greeting();
    let open = &greeting[..greeting.len() - keepalive.len()];
    let mut expected = vec![
        // AS numbers have two octets until the OPEN is read.
        message(open, false),
        message(&update, true),
        message(&faulty, true),
        message(&farewell, true),
        state(5, 6),
    ];
    expected.sort();
    let all_there = async || {
        let mut found = logged.records();
        // Which steps there are to the session, and between which messages they come, is its business.
        found.retain(|record| record[7] != 5 || record[12..].ends_with(&[0, 5, 0, 6]));
        found.sort();
        (found == expected).then_some(())
    };
    eventually("all is in the log", all_there).await;
    let status = logged.status().await;
    assert_eq!((status.lost, status.error.as_str()), (0, ""));
    assert!(status.file.starts_with(&logged.directory), "{status:?}");
    assert_eq!(status.records, logged.records().len() as u64);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_told_and_harms_nothing() {
    let mut logged = logged(|home| home.path().join("mrt").display().to_string()).await;
    // A file stands where the next directory would be.
    let config = logged.daemon.home().path().join("shunt.toml");
    let text = fs::read_to_string(&config).unwrap();
    let file = logged.daemon.home().path().join("file");
    fs::write(&file, "").unwrap();
    let elsewhere = file.join("mrt").display().to_string();
    logged.daemon.home().configure(&text.replace(&logged.directory, &elsewhere));
    logged.daemon.client().await.reload(ReloadRequest {}).await.unwrap();
    let update = announce(64501, logged.isp, "203.0.113.0/24", 7);
    logged.speaker.stream.write_all(&update).await.unwrap();
    logged.daemon.learns("isp", &["203.0.113.0/24 Some(7) 64501"]).await;
    let told = async || logged.status().await.error.contains("no file can be made").then_some(());
    eventually("it is told", told).await;
    assert_eq!(logged.status().await.lost, 1);
    assert!(logged.daemon.log().contains("no file can be made"), "{}", logged.daemon.log());
    // Back to where it can.
    logged.daemon.home().configure(&text);
    logged.daemon.signal(Signal::SIGHUP);
    let update = announce(64501, logged.isp, "203.0.113.0/24", 8);
    let written = async || {
        logged.speaker.stream.write_all(&update).await.unwrap();
        (logged.status().await.records > 0).then_some(())
    };
    eventually("it is written again", written).await;
}
