use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;

use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{
    self, BAD, BOLD, Cell, Column, GOOD, Output, Table, WARN, compact_age, compact_span, counters,
    left, right, span,
};
use crate::api::v1::{BfdReply, BfdRequest, BfdSession};

/// `shunt bfd [NAME]`
pub async fn bfd(name: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let one = name.is_some();
    let request = BfdRequest { name: name.unwrap_or_default() };
    let reply = daemon.call(PATIENCE, async move |mut client| client.bfd(request).await).await?;
    out.answer(&reply, |out| match one {
        true => reply.sessions.iter().try_for_each(|session| details(session, out)),
        false => overview(&reply, out),
    })?;
    Ok(())
}

fn overview(reply: &BfdReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 7] = [
        left("ADDRESS"),
        left("INTERFACE"),
        left("STATE"),
        right("SINCE"),
        right("TRANSMIT"),
        right("DETECT"),
        left("CLIENTS"),
    ];
    let mut table = Table::new(&COLUMNS);
    for session in &reply.sessions {
        let detection = match session.detection_us {
            0 => String::new(),
            micros => compact_span(micros),
        };
        table.row([
            session.address.clone().into(),
            session.interface.clone().into(),
            Cell::styled(session.state.clone(), state_style(session)),
            compact_age(session.state_us).into(),
            compact_span(session.transmit_us).into(),
            detection.into(),
            session
                .clients
                .iter()
                .map(|client| short(client))
                .collect::<Vec<&str>>()
                .join(", ")
                .into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no BFD sessions are wanted")?;
    }
    for session in reply.sessions.iter().filter(|session| session.state != "up") {
        if let Some(why) = why_not_up(session) {
            writeln!(out, "{WARN}{}:{WARN:#} {why}", session.address)?;
        }
    }
    match counters(&reply.dropped) {
        dropped if dropped.is_empty() => Ok(()),
        dropped => writeln!(out, "packets of no session: {dropped}"),
    }
}

/// The name of a client; of OSPF not the interface, which is in a column of its own.
fn short(client: &str) -> &str {
    match client.split_once(' ') {
        Some(("ospf", _)) => "ospf",
        Some((_, name)) => name,
        None => client,
    }
}

/// A session that the other side does not want yet is no failure.
fn state_style(session: &BfdSession) -> Style {
    match (session.state.as_str(), session.downs) {
        ("up", _) => GOOD,
        ("down", 1..) => BAD,
        _ => WARN,
    }
}

fn why_not_up(session: &BfdSession) -> Option<String> {
    let BfdSession { diagnostic, remote_state, remote_diagnostic, .. } = session;
    Some(match (diagnostic.as_str(), remote_state.as_str(), remote_diagnostic.as_str()) {
        (_, "", _) => "nothing is heard of it".to_owned(),
        (_, "admin-down", _) => "the other side has shut it down".to_owned(),
        ("", ..) => return None,
        (ours, _, "") => ours.to_owned(),
        (ours, _, theirs) => format!("{ours}; the other side says: {theirs}"),
    })
}

fn details(session: &BfdSession, out: &mut dyn Write) -> io::Result<()> {
    let BfdSession { address, interface, local_address, state, .. } = session;
    let time = |micros| span(Duration::from_micros(micros));
    let way = match interface.as_str() {
        "" => format!("from {local_address}"),
        interface => format!("on {interface}"),
    };
    let (style, age) = (state_style(session), time(session.state_us));
    writeln!(out, "{BOLD}{address}{BOLD:#} {way}: {style}{state}{style:#} for {age}")?;
    let hops = match session.multihop {
        true => format!("many, TTL {} at least", session.min_ttl),
        false => "one".to_owned(),
    };
    let agreed = match session.detection_us {
        0 => format!("sent every {}, nothing expected", time(session.transmit_us)),
        detection => format!(
            "sent every {}, gone after {} ({} packets)",
            time(session.transmit_us),
            time(detection),
            session.remote_multiplier
        ),
    };
    let authentication = match session.key_id {
        Some(key) => format!("{}, key {key}", session.authentication),
        None => session.authentication.clone(),
    };
    let heard = !session.remote_state.is_empty();
    let other = [session.remote_state.as_str(), session.remote_diagnostic.as_str()];
    let other: Vec<&str> = other.into_iter().filter(|text| !text.is_empty()).collect();
    output::list(
        &[
            ("clients", session.clients.join(", ")),
            ("our address", local_address.clone()),
            ("hops", hops),
            ("last failure", session.diagnostic.clone()),
            ("other side", if heard { other.join(", ") } else { "not heard".to_owned() }),
            (
                "wanted",
                format!(
                    "sent every {}, received every {}, multiplier {}",
                    time(session.desired_transmit_us),
                    time(session.required_receive_us),
                    session.multiplier
                ),
            ),
            ("agreed", agreed),
            ("authentication", authentication),
            (
                "discriminators",
                format!(
                    "{:#010x} ours, {:#010x} theirs",
                    session.local_discriminator, session.remote_discriminator
                ),
            ),
            ("packets", format!("{} sent, {} received", session.sent, session.received)),
            (
                "changes",
                format!(
                    "{} up, {} down",
                    output::count(session.ups, "time", "times"),
                    output::count(session.downs, "time", "times")
                ),
            ),
            ("dropped", counters(&session.dropped)),
        ],
        out,
    )
}
