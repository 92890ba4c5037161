//! New connections to a group are delayed while it moves: the kernel drops the first packet (SYN) of each, which the client
//! sends again after a second, and then after longer and longer.
//!
//! They are dropped where they come in, before connection tracking (prerouting, priority `raw`): what is only delayed leaves no
//! entry there, and what is translated to another address later still has the group's. Both what is forwarded and what is for
//! this node comes that way. Packets of established connections are no SYNs. The agents' own questions to the service are let
//! through: they carry the traffic class of network control ([`Origin::NETWORK_CONTROL`](crate::health::Origin::NETWORK_CONTROL)).
//!
//! All that is held is in one table of nftables, which is made anew at each change, in one transaction. The prefixes are
//! elements with a timeout: when shuntd is killed, the kernel itself lets go of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::commands::PATH;
use super::exit::plain;
use super::inbox::{Inbox, Input};
use crate::agent::Event;
use crate::types::{Family, Prefix};

/// The task that tells the kernel what is held.
pub struct Holds {
    orders: UnboundedSender<Order>,
    task: JoinHandle<()>,
}

struct Order {
    group: String,
    prefixes: Vec<Prefix>,
    lasts: Option<Duration>,
}

/// What is held, by group.
#[derive(Default)]
pub struct Table {
    held: BTreeMap<String, Held>,
}

#[derive(Clone)]
struct Held {
    prefixes: Vec<Prefix>,
    until: Instant,
}

/// `nft` takes some milliseconds.
const WITHIN: Duration = Duration::from_secs(2);

impl Holds {
    /// `sweep`: what an earlier life may have left is removed first.
    pub fn start(inbox: Inbox, sweep: bool) -> Holds {
        let (orders, mut wanted) = mpsc::unbounded_channel::<Order>();
        let task = tokio::spawn(async move {
            let mut table = Table::default();
            if sweep {
                // An error says that there is no nft, or no privilege: then nothing was left either.
                let _ = table.clear().await;
            }
            while let Some(Order { group, prefixes, lasts }) = wanted.recv().await {
                let result = table.set(&group, prefixes, lasts).await;
                // An error says that the daemon ends.
                let _ = inbox.control.send(Input::Event(Event::Held { group, result })).await;
            }
            if table.holds() {
                // An error leaves it to the timeouts.
                let _ = table.clear().await;
            }
        });
        Holds { orders, task }
    }

    /// Delays new connections to these prefixes for so long, in place of what the group had; `None`: not any more. Then tells
    /// [`Event::Held`].
    pub fn set(&self, group: String, prefixes: Vec<Prefix>, lasts: Option<Duration>) {
        // An error says that the daemon ends.
        let _ = self.orders.send(Order { group, prefixes, lasts });
    }

    /// Lets go of everything.
    pub async fn end(self) {
        drop(self.orders);
        // Late is too late: the timeouts do the same.
        let _ = timeout(WITHIN, self.task).await;
    }
}

impl Table {
    /// As [`Holds::set`]. If it is not possible, all is as before.
    pub async fn set(
        &mut self,
        group: &str,
        prefixes: Vec<Prefix>,
        lasts: Option<Duration>,
    ) -> Result<(), String> {
        let now = Instant::now();
        let mut held = self.held.clone();
        held.retain(|_, held| held.until > now);
        let known = held.remove(group).is_some();
        match lasts {
            Some(lasts) => {
                held.insert(group.to_owned(), Held { prefixes, until: now + lasts });
            }
            // It has ended by itself, or never was.
            None if !known => return Ok(()),
            None => {}
        }
        apply(&script(&held, now))
            .await
            .map_err(|problem| format!("new connections cannot be held: {problem}"))?;
        self.held = held;
        Ok(())
    }

    /// Removes all of it, and what somebody else has left of it.
    pub async fn clear(&mut self) -> Result<(), String> {
        self.held.clear();
        apply(&script(&self.held, Instant::now())).await
    }

    fn holds(&self) -> bool {
        self.held.values().any(|held| held.until > Instant::now())
    }
}

/// Makes the table what it is to be, whatever it was.
fn script(held: &BTreeMap<String, Held>, now: Instant) -> String {
    let mut text = "add table inet shunt\ndelete table inet shunt\n".to_owned();
    if held.is_empty() {
        return text;
    }
    let (mut sets, mut rules) = (String::new(), String::new());
    for (group, Held { prefixes, until }) in held {
        for family in [Family::Ipv4, Family::Ipv6] {
            let elements = elements(prefixes, family, until.saturating_duration_since(now));
            if elements.is_empty() {
                continue;
            }
            let (ip, address, version) = match family {
                Family::Ipv4 => ("ip", "ipv4_addr", 4),
                Family::Ipv6 => ("ip6", "ipv6_addr", 6),
            };
            // With a digit in front of nothing that nft knows: a group may have the name of a keyword.
            let set = format!("ipv{version}-{group}");
            // Writing to a String cannot fail.
            let _ = writeln!(
                sets,
                "set {set} {{ type {address}; flags interval, timeout; elements = {{ {elements} }} }}"
            );
            let _ = writeln!(
                rules,
                "tcp flags & (fin | syn | rst | ack) == syn {ip} dscp != cs6 {ip} daddr @{set} counter drop"
            );
        }
    }
    let chain = "type filter hook prerouting priority raw; policy accept;";
    let _ = writeln!(text, "table inet shunt {{\n{sets}chain hold {{ {chain}\n{rules}}}\n}}");
    text
}

/// Those of a family, without those that are inside others: elements must not overlap.
fn elements(prefixes: &[Prefix], family: Family, lasts: Duration) -> String {
    let millis = lasts.as_millis().max(1);
    let inside =
        |prefix: &Prefix| prefixes.iter().any(|other| other != prefix && other.covers(*prefix));
    let elements: Vec<String> = prefixes
        .iter()
        .filter(|prefix| prefix.family() == family && !inside(prefix))
        .map(|prefix| format!("{prefix} timeout {millis}ms"))
        .collect();
    elements.join(", ")
}

async fn apply(script: &str) -> Result<(), String> {
    let output = timeout(WITHIN, nft(script)).await;
    let output = output.map_err(|_| format!("nft took more than {} s", WITHIN.as_secs()))?;
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no nft (package nftables)".to_owned(),
        _ => format!("nft: {}", plain(&error)),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("nft: {}", line.trim().trim_start_matches("/dev/stdin:")))
}

async fn nft(script: &str) -> io::Result<Output> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // An error says that it has ended: why, it says itself.
        let _ = input.write_all(script.as_bytes()).await;
    }
    child.wait_with_output().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_set_and_a_rule_for_each_group_and_family() {
        let now = Instant::now();
        let prefixes = ["203.0.113.7/32", "203.0.114.0/24", "203.0.114.9/32", "2001:db8::7/128"];
        let prefixes: Vec<Prefix> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
        let until = now + Duration::from_millis(2500);
        let held = [
            ("payments".to_owned(), Held { prefixes: prefixes.clone(), until }),
            ("tcp".to_owned(), Held { prefixes: prefixes[..1].to_vec(), until: now }),
        ];
        let expected = "\
add table inet shunt
delete table inet shunt
table inet shunt {
set ipv4-payments { type ipv4_addr; flags interval, timeout; elements = { 203.0.113.7/32 timeout 2500ms, 203.0.114.0/24 timeout 2500ms } }
set ipv6-payments { type ipv6_addr; flags interval, timeout; elements = { 2001:db8::7/128 timeout 2500ms } }
set ipv4-tcp { type ipv4_addr; flags interval, timeout; elements = { 203.0.113.7/32 timeout 1ms } }
chain hold { type filter hook prerouting priority raw; policy accept;
tcp flags & (fin | syn | rst | ack) == syn ip dscp != cs6 ip daddr @ipv4-payments counter drop
tcp flags & (fin | syn | rst | ack) == syn ip6 dscp != cs6 ip6 daddr @ipv6-payments counter drop
tcp flags & (fin | syn | rst | ack) == syn ip dscp != cs6 ip daddr @ipv4-tcp counter drop
}
}
";
        assert_eq!(script(&held.into(), now), expected);
        let nothing = "add table inet shunt\ndelete table inet shunt\n";
        assert_eq!(script(&BTreeMap::new(), now), nothing);
    }
}
