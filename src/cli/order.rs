use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::arguments::{Because, Expiry, Wait};
use super::attributes;
use super::daemon::{Daemon, PATIENCE};
use super::failure::{Exit, Failure};
use super::groups;
use super::ospf;
use super::output::{self, BAD, BOLD, Cell, Column, GOOD, Output, PLAIN, Table, WARN, left, right};
use crate::api::v1::{Announcement, Delivery, Intent, OrderReply, OrderRequest};

/// What the operator wants changed: announce, withdraw, prefer or release; drain or undrain.
pub struct Order {
    pub order: &'static str,
    /// Empty for the whole node.
    pub target: String,
    pub level: Option<String>,
    pub because: Because,
    pub expiry: Expiry,
    pub wait: Wait,
}

impl Order {
    /// Gives the order to the daemon and prints who has seen it.
    pub async fn give(self, daemon: Daemon, out: Output) -> Result<(), Failure> {
        let node = self.target.is_empty();
        let Wait { no_wait, timeout } = self.wait;
        let request = OrderRequest {
            target: self.target,
            order: self.order.to_owned(),
            level: self.level.unwrap_or_default(),
            reason: self.because.reason,
            for_seconds: seconds(&self.expiry),
            no_wait,
            timeout_us: u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX).max(1),
        };
        let patience = if no_wait { PATIENCE } else { timeout.saturating_add(PATIENCE) };
        let call = daemon.call(patience, async move |mut client| client.order(request).await);
        let reply = with_progress("the neighbors' acknowledgements", timeout, call).await?;

        let missing = unacknowledged(&reply, timeout);
        out.answer(&reply, |out| print(&reply, node, out))?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Unacknowledged,
            format!("the order is in force, but {}", missing.join(", and ")),
        )
        .advise("It goes out as soon as the neighbor reads or comes back: see `shunt neighbors`, `shunt ospf neighbors`."))
    }
}

/// A fraction of a second is rounded up: 0 would mean that the order never expires.
pub fn seconds(expiry: &Expiry) -> u64 {
    let up = |span: Duration| span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
    expiry.expires_after.map_or(0, up)
}

/// Awaits `call`; tells a person at a terminal what it waits for when that takes over a second.
pub async fn with_progress<T>(what: &str, timeout: Duration, call: impl Future<Output = T>) -> T {
    let mut call = std::pin::pin!(call);
    let second = tokio::time::sleep(Duration::from_secs(1));
    tokio::select! {
        // First the answer: it is nearly always there within the second.
        biased;
        reply = &mut call => return reply,
        () = second => {}
    }
    let mut terminal = io::stderr();
    let shown = terminal.is_terminal();
    if shown {
        let limit = output::span(timeout);
        // Only a hint: nothing is lost if it cannot be shown.
        let _ = write!(terminal, "waiting for {what}, up to {limit} ...");
    }
    let reply = call.await;
    if shown {
        let _ = write!(terminal, "\r\x1b[K");
    }
    reply
}

fn is_missing(delivery: &Delivery) -> bool {
    matches!(delivery.outcome.as_str(), "timeout" | "lost")
}

fn unacknowledged(reply: &OrderReply, timeout: Duration) -> Vec<String> {
    let with = |outcome: &str| {
        let deliveries = reply.deliveries.iter().filter(|delivery| delivery.outcome == outcome);
        let names: Vec<&str> = deliveries.map(|delivery| delivery.neighbor.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let late = with("timeout")
        .map(|names| format!("not acknowledged within {} by {names}", output::span(timeout)));
    let lost = with("lost").map(|names| format!("the session with {names} was lost meanwhile"));
    late.into_iter().chain(lost).collect()
}

fn print(reply: &OrderReply, node: bool, out: &mut dyn Write) -> io::Result<()> {
    match &reply.drain {
        None if node => writeln!(out, "{BOLD}node{BOLD:#}: not drained")?,
        None => {}
        Some(intent) if node && !reply.unchanged => {
            writeln!(out, "{BOLD}node{BOLD:#}: drained{}", by_whom(intent))?;
        }
        // It also keeps other orders from what they want.
        Some(intent) => {
            let order = groups::order_in_words(intent);
            writeln!(out, "{BOLD}node{BOLD:#}: {WARN}drained{WARN:#}, {order}")?;
        }
    }
    let mut rest = reply.announcements.as_slice();
    while let Some((first, others)) = rest.split_first() {
        // A group's prefixes normally share preference and order: one line for all of them.
        let same = others.iter().take_while(|other| alike(first, other)).count();
        rest = &others[same..];
        let name = if first.group.is_empty() || (same == 0 && !others.is_empty()) {
            &first.prefix
        } else {
            &first.group
        };
        write!(out, "{BOLD}{name}{BOLD:#}: ")?;
        let level = groups::level(first.preference, &first.level);
        match &first.intent {
            // It may have orders of its own, which are not what this is about.
            _ if node => writeln!(out, "{level}")?,
            None => writeln!(out, "{level}, no order in force")?,
            Some(intent) if reply.unchanged => {
                writeln!(out, "already {level}, {}", groups::order_in_words(intent))?;
            }
            // The operator knows what has just been ordered.
            Some(intent) => writeln!(out, "{level}{}", by_whom(intent))?,
        }
    }
    deliveries(&reply.deliveries, out)?;
    if reply.unchanged {
        return Ok(());
    }
    write!(out, "on disk after {}", output::span(Duration::from_micros(reply.durable_us)))?;
    let acknowledged = |delivery: &Delivery| delivery.outcome == "acknowledged";
    if reply.deliveries.iter().any(acknowledged) && !reply.deliveries.iter().any(is_missing) {
        let total = output::span(Duration::from_micros(reply.total_us));
        write!(out, ", acknowledged by all after {total}")?;
    }
    writeln!(out)?;
    if reply.deliveries.iter().all(|delivery| delivery.outcome == "not-established") {
        writeln!(out, "{WARN}no neighbor is established: nobody has seen it yet{WARN:#}")?;
    }
    Ok(())
}

/// `, ordered by root (uid 0) until 2026-11-22T00:00:00Z`
pub fn by_whom(intent: &Intent) -> String {
    let Intent { owner, expires, .. } = intent;
    match expires.as_str() {
        "" => format!(", ordered by {owner}"),
        expires => format!(", ordered by {owner} until {}", output::moment(expires)),
    }
}

fn alike(one: &Announcement, other: &Announcement) -> bool {
    !one.group.is_empty()
        && one.group == other.group
        && one.preference == other.preference
        && one.intent == other.intent
}

fn deliveries(deliveries: &[Delivery], out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 4] =
        [left("NEIGHBOR"), left("OUTCOME"), right("AFTER"), left("ATTRIBUTES")];
    let mut table = Table::new(&COLUMNS);
    for delivery in deliveries {
        let style = match delivery.outcome.as_str() {
            "acknowledged" => GOOD,
            "timeout" | "lost" => BAD,
            "not-established" => WARN,
            _ => PLAIN,
        };
        let after = match delivery.acknowledged_us {
            0 => String::new(),
            after => output::compact_span(after),
        };
        let mut row = |what: String| {
            table.row([
                delivery.neighbor.clone().into(),
                Cell::styled(delivery.outcome.clone(), style),
                after.clone().into(),
                what.into(),
            ]);
        };
        if delivery.prefixes.is_empty() {
            row(String::new());
        }
        for sent in &delivery.prefixes {
            let what = match (&sent.attributes, &sent.ospf) {
                (Some(attributes), _) => attributes::summary(attributes),
                (None, Some(announcement)) => ospf::summary(announcement),
                (None, None) => "withdrawn".to_owned(),
            };
            row(format!("{} {what}", sent.prefix));
        }
    }
    table.print(out)
}
