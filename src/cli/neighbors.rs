use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;

use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{
    self, BAD, BOLD, Cell, Column, GOOD, Output, PLAIN, Table, WARN, compact_age, harmless, left,
    right,
};
use crate::api::v1::{Neighbor, NeighborsReply, NeighborsRequest, RefreshRequest};

/// `shunt neighbors [NAME]`
pub async fn neighbors(name: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let one = name.is_some();
    let request = NeighborsRequest { name: name.unwrap_or_default() };
    let reply =
        daemon.call(PATIENCE, async move |mut client| client.neighbors(request).await).await?;
    out.answer(&reply, |out| {
        if one {
            reply.neighbors.iter().try_for_each(|neighbor| details(neighbor, out))
        } else {
            overview(&reply, out)
        }
    })?;
    Ok(())
}

/// `shunt refresh [NAME]`
pub async fn refresh(neighbor: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let request = RefreshRequest { neighbor: neighbor.unwrap_or_default() };
    let reply =
        daemon.call(PATIENCE, async move |mut client| client.refresh(request).await).await?;
    out.answer(&reply, |out| match reply.asked.as_slice() {
        [] => writeln!(out, "no neighbor is established that understands route refresh"),
        asked => writeln!(out, "asked {} to send their routes again", asked.join(", ")),
    })?;
    Ok(())
}

fn overview(reply: &NeighborsReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 8] = [
        left("NAME"),
        left("ADDRESS"),
        right("AS"),
        left("STATE"),
        right("SINCE"),
        right("RECV"),
        right("REJ"),
        right("SENT"),
    ];
    let mut table = Table::new(&COLUMNS);
    for neighbor in &reply.neighbors {
        table.row([
            neighbor.name.clone().into(),
            neighbor.address.clone().into(),
            neighbor.remote_as.to_string().into(),
            Cell::styled(neighbor.state.clone(), state_style(&neighbor.state)),
            compact_age(neighbor.state_us).into(),
            neighbor.prefixes_received.to_string().into(),
            neighbor.prefixes_rejected.to_string().into(),
            neighbor.prefixes_sent.to_string().into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no neighbors are configured")?;
    }
    for neighbor in reply.neighbors.iter().filter(|neighbor| neighbor.state != "established") {
        for problem in [&neighbor.last_error, &neighbor.last_down] {
            if !problem.is_empty() {
                writeln!(out, "{WARN}{}:{WARN:#} {}", neighbor.name, harmless(problem))?;
                break;
            }
        }
    }
    Ok(())
}

fn state_style(state: &str) -> Style {
    match state {
        "established" => GOOD,
        "shutdown" => PLAIN,
        "opensent" | "openconfirm" => WARN,
        _ => BAD,
    }
}

fn details(neighbor: &Neighbor, out: &mut dyn Write) -> io::Result<()> {
    let Neighbor { name, address, remote_as, state, .. } = neighbor;
    let style = state_style(state);
    let age = output::span(Duration::from_micros(neighbor.state_us));
    writeln!(
        out,
        "{BOLD}{name}{BOLD:#}, {address}, AS {remote_as}: {style}{state}{style:#} for {age}"
    )?;
    let or_missing = |policy: &str, effect: &str| match policy {
        "" => format!("not configured: nothing is {effect} (RFC 8212)"),
        policy => policy.to_owned(),
    };
    let timers = match (neighbor.hold_time_s, neighbor.keepalive_s) {
        _ if neighbor.state != "established" => String::new(),
        (0, _) => "off (hold time 0)".to_owned(),
        (hold, keepalive) => format!("hold time {hold} s, keepalive {keepalive} s"),
    };
    let mut security = Vec::new();
    if neighbor.md5 {
        security.push("TCP-MD5".to_owned());
    }
    if neighbor.ttl_security > 0 {
        let hops = output::count(neighbor.ttl_security.into(), "hop", "hops");
        security.push(format!("TTL security, {hops}"));
    }
    let rejected_by: Vec<String> = neighbor
        .rejected_by
        .iter()
        .map(|by| format!("{} rejected by {}", by.routes, by.rule))
        .collect();
    let last_down = match (neighbor.last_down.as_str(), neighbor.last_down_at.as_str()) {
        ("", _) => String::new(),
        (why, at) => format!("{} at {}", harmless(why), output::moment(at)),
    };
    output::list(
        &[
            ("local address", neighbor.local_address.clone()),
            ("router id", neighbor.router_id.clone()),
            ("timers", timers),
            ("families", neighbor.families.join(", ")),
            ("capabilities", neighbor.capabilities.join(", ")),
            ("class", neighbor.class.clone()),
            ("import", or_missing(&neighbor.import, "imported")),
            ("export", or_missing(&neighbor.export, "exported")),
            ("import policy", neighbor.import_policy.join(", ")),
            ("export policy", neighbor.export_policy.join(", ")),
            ("role", neighbor.role.clone()),
            ("security", security.join(", ")),
            (
                "prefixes",
                format!(
                    "{} received, {} rejected, {} sent",
                    neighbor.prefixes_received, neighbor.prefixes_rejected, neighbor.prefixes_sent
                ),
            ),
            ("", rejected_by.join("\n")),
            (
                "updates",
                format!("{} received, {} sent", neighbor.updates_received, neighbor.updates_sent),
            ),
            (
                "messages",
                format!("{} received, {} sent", neighbor.messages_received, neighbor.messages_sent),
            ),
            ("sessions", format!("{} since start", neighbor.established_count)),
            ("last down", last_down),
            ("last error", harmless(&neighbor.last_error).into_owned()),
            (
                "problems",
                match neighbor.update_problems {
                    0 => String::new(),
                    problems => format!("{problems} in UPDATEs since start (RFC 7606)"),
                },
            ),
            ("", harmless(&neighbor.problems.join("\n")).into_owned()),
        ],
        out,
    )
}
