//! TCP sessions whose way moves, and whose server does not.

use std::time::{Duration, Instant};

use super::sites::{Lab, Others, Plan, group};
use crate::lab::Sessions;

/// What all sessions may wait for their echo: two retransmissions of TCP, the first after 200 ms.
const STALL: Duration = Duration::from_secs(1);

/// 100 sessions from outside and 100 from inside, while their groups go there and back.
#[track_caller]
fn go_on(others: Others) {
    let anybody = |name, host| {
        let mut group = group(name, host);
        group.more = format!("[group.{name}.probe]\nhttp = \"http://198.51.100.{host}/\"\n");
        group
    };
    let groups = vec![anybody("payments", 7), anybody("web", 9)];
    let lab = Lab::new(Plan { others, groups, one_server: true, small_disk: None });
    let sessions =
        [("outside1", "198.51.100.7"), ("office", "198.51.100.9")].map(|(client, address)| {
            (client, Sessions::start(lab.client(client), &lab.apps[0], address, 100))
        });
    for (to, site) in [("dc2", 2), ("dc1", 1)] {
        let from = Instant::now();
        let ended = lab.order("fw2", &["switch", "payments", "web", "--to", to, "--yes"]);
        ended.committed(&["payments", "web"]);
        let moved = Instant::now();
        for group in ["payments", "web"] {
            lab.is_at(group, site);
        }
        for (client, sessions) in &sessions {
            sessions.wait_echoes(moved);
            let fared = sessions.fared(from);
            println!(
                "100 sessions of {client} to {to}: {} ended, longest wait {:?}",
                fared.ended.len(),
                fared.stall
            );
            assert!(fared.ended.is_empty(), "{client}: {:?}", fared.ended);
            assert!(fared.stall <= STALL, "{client}: {:?}", fared.stall);
        }
    }
}

#[test]
fn go_on_between_our_own() {
    go_on(Others::Shunt);
}

#[test]
fn go_on_between_frr() {
    go_on(Others::Frr);
}
