//! What the kernel of a node does with a prefix, now and over time.

use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::wait::{PATIENCE, wait_for};

impl Node {
    /// The next hops of the prefix in the kernel as `GATEWAY@INTERFACE`, sorted; none if there is no such route. Of
    /// several routes, those of the best metric.
    pub fn next_hops(&self, prefix: &str) -> Result<Vec<String>, String> {
        let text = self.run("ip", &["-j", "route", "show", prefix])?;
        let routes: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        let best = routes.iter().min_by_key(|route| route["metric"].as_u64().unwrap_or(0));
        let Some(best) = best else { return Ok(Vec::new()) };
        let hop = |hop: &Value| {
            let word = |key: &str| hop[key].as_str().unwrap_or("-").to_owned();
            format!("{}@{}", word("gateway"), word("dev"))
        };
        let mut hops: Vec<String> = hops_in_use(best).into_iter().map(hop).collect();
        hops.sort();
        Ok(hops)
    }

    /// Waits until exactly these are the next hops.
    #[track_caller]
    pub fn wait_next_hops(&self, prefix: &str, expected: &[&str]) {
        wait_for(
            &format!("next hops {expected:?} to {prefix} on {}", self.name()),
            PATIENCE,
            || {
                let hops = self.next_hops(prefix)?;
                if hops == expected { Ok(()) } else { Err(format!("{hops:?}")) }
            },
        );
    }
}

/// The hops of a route of `ip -j route show` that carry its traffic: all but the guard, which beside a weight of 255 has 1.
pub fn hops_in_use(route: &Value) -> Vec<&Value> {
    let Some(hops) = route["nexthops"].as_array() else { return vec![route] };
    let weight = |hop: &Value| hop["weight"].as_u64().unwrap_or(1);
    let most = hops.iter().map(weight).max();
    hops.iter().filter(|hop| Some(weight(hop)) == most).collect()
}

/// `ip monitor route` in a node, from `start` until it is dropped.
pub struct Monitor {
    daemon: Daemon,
}

impl Monitor {
    #[track_caller]
    pub fn start(node: &Node) -> Monitor {
        let daemon = node.spawn("monitor", "ip", &["-4", "-ts", "-o", "monitor", "route"]);
        let monitor = Monitor { daemon };
        // It says nothing when it is ready: show it something until it does.
        wait_for("monitor of routes", PATIENCE, || {
            node.must("ip", &["route", "add", "blackhole", "192.88.99.1/32", "proto", "77"]);
            node.must("ip", &["route", "del", "blackhole", "192.88.99.1/32", "proto", "77"]);
            if monitor.daemon.log().contains("192.88.99.1") { Ok(()) } else { Err(String::new()) }
        });
        monitor
    }

    /// Every change of the prefix so far: when, as `2026-01-31T12:00:00.000001`, and what, in the words of `ip`.
    pub fn changes(&self, prefix: &str) -> Vec<(String, String)> {
        let prefix = prefix.trim_end_matches("/32");
        let log = self.daemon.log();
        log.lines()
            .filter_map(|line| {
                let (time, what) = line.strip_prefix('[')?.split_once("] ")?;
                what.split_whitespace()
                    .any(|word| word == prefix)
                    .then(|| (time.to_owned(), what.to_owned()))
            })
            .collect()
    }
}
