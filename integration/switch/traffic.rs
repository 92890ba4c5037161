//! What clients see of the services while groups move.

use std::time::{Duration, Instant};

use super::sites::{CLIENTS, Lab};
use crate::lab::Prober;

/// From one datagram of a client to a service to the next.
const INTERVAL: Duration = Duration::from_millis(5);

/// Datagrams of each client to each group.
pub struct Traffic(Vec<Stream>);

struct Stream {
    client: &'static str,
    group: &'static str,
    prober: Prober,
}

impl Traffic {
    #[track_caller]
    pub fn start(lab: &Lab) -> Traffic {
        let clients = lab.clients.iter().zip(CLIENTS);
        let streams = clients.flat_map(|(node, (client, _, n))| {
            lab.plan.groups.iter().map(move |group| {
                let source = format!("10.99.{n}.2");
                let prober = Prober::every(INTERVAL, node, &source, group.address());
                Stream { client, group: group.name, prober }
            })
        });
        Traffic(streams.collect())
    }

    /// Since `from` nothing was lost outside, and at most a second inside; the groups are answered by `app` now, the others by
    /// nobody else than before.
    #[track_caller]
    pub fn moved(&self, what: &str, from: Instant, app: &str, groups: &[&str]) {
        let to = Instant::now();
        let mut lines = Vec::new();
        for Stream { client, group, prober } in &self.0 {
            let (sent, lost, names) = prober.seen(from, to);
            let missing = INTERVAL * u32::try_from(lost).unwrap();
            lines.push(format!(
                "{client} to {group}: {lost} of {sent} lost ({missing:?}), answered by {names:?}"
            ));
            let last = names.last().map(String::as_str);
            let is_well = match groups.contains(group) {
                // While the way to the site moves, too, a datagram may overtake the one before it.
                true => names[0] != app && last == Some(app),
                false => names.len() == 1,
            };
            let most = if *client == "office" { Duration::from_secs(1) } else { Duration::ZERO };
            assert!(is_well && missing <= most, "{what}: {}", lines.join("\n"));
        }
        println!("{what}: {}", lines.join("; "));
    }
}
