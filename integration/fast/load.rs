//! Nothing that the agent has to do delays BFD and VRRP.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::feed::{Sender, Table};
use crate::lab::bfd::{BfdBird, BfdPath, BfdPeer, BfdRouter, Timers, shunt_profile};
use crate::lab::vrrp::{Instance, Keepalived, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{Capture, Cores, Net, PATIENCE, wait_for};
use crate::speaker::Speaker;

const PREFIXES: usize = 200_000;
const MINUTE: Duration = Duration::from_secs(60);

/// While tables come in again and again, each time with other attributes, all routes are shown again and again, and the
/// disk has to flush all the time: for a minute BFD with packets each 50 ms, or as many milliseconds as `SHUNT_INTERVAL`
/// says, stays up, and so does the role of a virtual router with advertisements each 100 ms. What the agent does then takes
/// it far longer than BFD may be silent. The peers run with real-time priority, as they would fail by themselves otherwise.
/// 10 ms want a machine of which nobody else takes anything: with two cores and other tests beside, the cores themselves
/// are away for longer.
#[test]
fn delays_neither_bfd_nor_vrrp() {
    let mut net = Net::new();
    let [busy, feed, bird_node, backup_node] =
        ["busy", "feed", "bird", "backup"].map(|name| net.node(name));
    net.link(&busy, &feed, 0);
    let _lan = net.lan("lan", 1, &[&busy, &bird_node, &backup_node]);
    let interval = interval();
    let quick = Timers::new(interval, 3);
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
        if (seen.state.as_str(), seen.detection) == ("up", 3 * u64::from(interval)) {
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

    let cores = Cores::watch();
    let stop = AtomicBool::new(false);
    let (mut tables, mut shown, mut flushed) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let table = Table::new(PREFIXES);
            let address = "10.99.0.2".parse().unwrap();
            let variants = [0, 1]
                .map(|variant| table.updates(Sender { address, asn: 65001, hops: 4, variant }));
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

    // A kernel that is never preempted (PREEMPT_NONE), or that shares its cores with other machines, keeps even what has
    // real-time priority waiting on one of them: what happens then says nothing of the lane.
    let stalls = cores.stalls(Duration::from_millis(interval.into()));
    // Seconds that it takes to be up again.
    let after = 5.0 * f64::from(interval) / 1000.0;
    let excused = |at: &f64| stalls.iter().any(|(begin, end)| (*begin..end + after).contains(at));
    let not_up = format!("bfd.sta != 3 && frame.number > {bfd_from}");
    let not_up = watched.fields(&not_up, &["frame.time_epoch"]);
    let not_up = not_up.iter().map(|time| time.parse::<f64>().unwrap());
    let (after_stalls, ours): (Vec<f64>, Vec<f64>) = not_up.partition(excused);
    println!("{} stalls of a core, {} packets after them", stalls.len(), after_stalls.len());
    assert_eq!(ours, [0.0; 0], "not Up while the cores did what they should: {stalls:?}");
    let packets = format!("bfd && ip.src == 10.98.1.1 && frame.number > {bfd_from}");
    let fewest = MINUTE.as_millis() * 4 / 5 / u128::from(interval);
    assert!(watched.fields(&packets, &["frame.number"]).len() as u128 > fewest);
    let others = format!("vrrp && ip.src == 10.98.1.3 && frame.number > {vrrp_from}");
    assert_eq!(capture.fields(&others, &["frame.time_relative", "vrrp.prio"]), [""; 0]);
    assert_eq!(backup.role("four").unwrap(), "backup");
    assert_eq!(bird.session("10.98.1.1").unwrap().state, "up");
}

fn interval() -> u16 {
    match std::env::var("SHUNT_INTERVAL") {
        Ok(text) => text.parse().expect("SHUNT_INTERVAL is a number of milliseconds"),
        Err(_) => 50,
    }
}
