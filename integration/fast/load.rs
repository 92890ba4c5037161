//! Nothing that the agent has to do delays BFD and VRRP.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lab::bfd::{BfdBird, BfdPath, BfdPeer, BfdRouter, Timers, shunt_profile};
use crate::lab::vrrp::{Instance, Keepalived, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{Capture, Net, PATIENCE, wait_for};
use crate::speaker::{Speaker, table};

const PREFIXES: usize = 200_000;
/// Seconds without a packet of the peer that sends one each 10 ms, and what it takes to be up again after them.
const STALL: f64 = 0.02;
const AFTER: f64 = 0.05;
const MINUTE: Duration = Duration::from_secs(60);

/// While tables come in again and again, each time with other attributes, all routes are shown again and again, and the
/// disk has to flush all the time: for a minute BFD with packets each 10 ms stays up, and so does the role of a virtual
/// router with advertisements each 100 ms. The peers run with real-time priority, as they would fail by themselves
/// otherwise.
#[test]
fn delays_neither_bfd_nor_vrrp() {
    let mut net = Net::new();
    let [busy, feed, bird_node, backup_node] =
        ["busy", "feed", "bird", "backup"].map(|name| net.node(name));
    net.link(&busy, &feed, 0);
    let _lan = net.lan("lan", 1, &[&busy, &bird_node, &backup_node]);
    let quick = Timers::new(10, 3);
    let capture = Capture::start(&backup_node, "lan", "udp port 3784 or proto 112");
    let watched = Capture::start(&bird_node, "lan", "udp port 3784 or proto 112");

    let speaker = Speaker::start(&feed, "10.99.0.2".parse().unwrap(), 65001);
    let router = |priority| VrrpRouter {
        instances: vec![Instance {
            interval: 10,
            ..Instance::new("four", "lan", 51, &["10.98.1.100/24"], priority)
        }],
        ..VrrpRouter::default()
    };
    let more = format!(
        "{}\n[bfd.session.bird]\naddress = \"10.98.1.2\"\nprofile = \"fast\"\n\n[neighbor.feed]\naddress = \"10.99.0.2\"\n\
         remote-as = 65001\nimport = \"all\"\nexport = \"none\"\nconnect-retry = \"1s\"\n",
        shunt_profile(&busy, quick, None)
    );
    let shunt = VrrpShunt::with(&busy, router(150), &more);
    // Before there is another: as long as the feed has not sent all it has, we would not take the role away from it.
    wait_for("Active", PATIENCE, || match shunt.role("four")? {
        role if role == "active" => Ok(()),
        role => Err(role),
    });
    let bird = BfdBird::start(
        &bird_node,
        BfdRouter {
            timers: quick,
            authentication: None,
            sessions: vec![BfdPath::single("lan", "10.98.1.2", "10.98.1.1")],
        },
    );
    let backup = Keepalived::start(&backup_node, router(100));
    let sink = speaker.established();
    wait_for("BFD", PATIENCE, || {
        let seen = bird.session("10.98.1.1")?;
        if (seen.state.as_str(), seen.detection) == ("up", 30) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    });
    backup_node.hasten();
    let number = |capture: &Capture, filter: &str| {
        capture.fields(filter, &["frame.number"]).last().cloned().unwrap_or("0".to_owned())
    };
    let (bfd_from, vrrp_from) = (number(&watched, "bfd"), number(&capture, "vrrp"));

    let stop = AtomicBool::new(false);
    let (mut tables, mut shown, mut flushed) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let variants = [0, 77_777]
                .map(|variant| table(PREFIXES, "10.99.0.2".parse().unwrap(), 65001, variant));
            for pieces in variants.iter().cycle() {
                for piece in pieces {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    sink.write(piece).unwrap();
                }
                tables += 1;
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                shown += shunt.shuntd.ask(&["routes"]).map_or(0, |text| text.lines().count());
            }
        });
        scope.spawn(|| {
            let mut file = File::create(busy.path("state/busy")).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(&[0xa5; 1 << 20]).unwrap();
                file.sync_all().unwrap();
                flushed += 1;
                if flushed % 64 == 0 {
                    file.set_len(0).unwrap();
                }
            }
        });
        let until = Instant::now() + MINUTE;
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            std::thread::sleep(rest.min(Duration::from_secs(1)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{tables} tables, {shown} routes shown, {flushed} MiB flushed");
    assert!(tables > 0 && shown > 0 && flushed > 0);

    // The peer has real-time priority too, and nothing else to do. Where it is silent as well, the machine stood still: a
    // kernel that is never preempted (PREEMPT_NONE) has both wait while it writes to a disk.
    let seen = |filter: &str| -> Vec<(f64, bool)> {
        let filter = format!("{filter} && frame.number > {bfd_from}");
        let frames = watched.fields(&filter, &["frame.time_relative", "bfd.sta"]);
        let read = |frame: &String| {
            let (seconds, state) = frame.split_once('\t').unwrap();
            (seconds.parse().unwrap(), state == "0x03")
        };
        frames.iter().map(read).collect()
    };
    let sent = seen("bfd && ip.src == 10.98.1.2");
    // One that is not Up may be silent for a second.
    let stalls = sent.windows(2).filter(|pair| pair[0].1 && pair[1].0 - pair[0].0 > STALL);
    let stalls: Vec<(f64, f64)> = stalls.map(|pair| (pair[0].0, pair[1].0 + AFTER)).collect();
    let excused = |at: f64| stalls.iter().any(|(begin, end)| (*begin..*end).contains(&at));
    let (after_stalls, ours): (Vec<(f64, bool)>, Vec<(f64, bool)>) =
        seen("bfd.sta != 3").into_iter().partition(|(at, _)| excused(*at));
    println!("{} stalls of the machine, {} packets after them", stalls.len(), after_stalls.len());
    assert!(ours.is_empty(), "not Up while the machine went on: {ours:?}");
    let packets = format!("bfd && ip.src == 10.98.1.1 && frame.number > {bfd_from}");
    assert!(watched.fields(&packets, &["frame.number"]).len() > 5000);
    let others = format!("vrrp && ip.src == 10.98.1.3 && frame.number > {vrrp_from}");
    assert_eq!(capture.fields(&others, &["frame.time_relative", "vrrp.prio"]), [""; 0]);
    assert_eq!(backup.role("four").unwrap(), "backup");
    assert_eq!(bird.session("10.98.1.1").unwrap().state, "up");
}
