use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;

use super::{full_name, hostname};
use crate::api::v1::{OspfNeighbor, OspfNeighborsReply, OspfNeighborsRequest, OspfRouter};
use crate::cli::daemon::{Daemon, PATIENCE};
use crate::cli::failure::Failure;
use crate::cli::output::{
    self, BOLD, Cell, Column, GOOD, Output, PLAIN, Table, WARN, compact_age, compact_span,
    harmless, left, right, span,
};

/// `shunt ospf neighbors [ROUTER] [--interface NAME]`
pub async fn neighbors(
    router: Option<String>,
    interface: Option<String>,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let one = router.is_some();
    let request = OspfNeighborsRequest {
        interface: interface.unwrap_or_default(),
        router: router.unwrap_or_default(),
    };
    let reply =
        daemon.call(PATIENCE, async move |mut client| client.ospf_neighbors(request).await).await?;
    out.answer(&reply, |out| {
        match one {
            true => reply.neighbors.iter().try_for_each(|neighbor| details(neighbor, out))?,
            false => overview(&reply, out)?,
        }
        for mismatch in &reply.mismatches {
            writeln!(out, "{WARN}warning:{WARN:#} {}", harmless(&mismatch.text))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn overview(reply: &OspfNeighborsReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 8] = [
        left("HOSTNAME"),
        left("ROUTER-ID"),
        left("INTERFACE"),
        left("ADDRESS"),
        left("STATE"),
        left("ROLE"),
        right("SINCE"),
        right("DEAD"),
    ];
    let mut table = Table::new(&COLUMNS);
    let nobody = OspfRouter::default();
    for neighbor in &reply.neighbors {
        let router = neighbor.router.as_ref().unwrap_or(&nobody);
        table.row([
            hostname(router).into(),
            router.router_id.clone().into(),
            neighbor.interface.clone().into(),
            neighbor.address.clone().into(),
            Cell::styled(neighbor.state.clone(), state_style(neighbor)),
            role(neighbor).into(),
            compact_age(neighbor.state_us).into(),
            compact_span(neighbor.dead_us).into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no OSPF neighbors are heard")?;
    }
    for neighbor in reply.neighbors.iter().filter(|neighbor| neighbor.helping_us > 0) {
        let name = full_name(neighbor.router.as_ref());
        writeln!(out, "{WARN}{name}:{WARN:#} {}", helping(neighbor))?;
    }
    Ok(())
}

/// What it is on its network, by what it says itself.
fn role(neighbor: &OspfNeighbor) -> &'static str {
    let OspfNeighbor { address, designated, backup, .. } = neighbor;
    match (designated.as_str(), backup.as_str()) {
        ("", "") => "",
        (designated, _) if designated == address => "dr",
        (_, backup) if backup == address => "backup",
        _ => "dr-other",
    }
}

/// Two routers that are neither DR nor BDR stay at 2-way, and that is well.
fn state_style(neighbor: &OspfNeighbor) -> Style {
    match (neighbor.state.as_str(), role(neighbor)) {
        ("full", _) => GOOD,
        ("2-way", "dr-other") => PLAIN,
        _ => WARN,
    }
}

fn helping(neighbor: &OspfNeighbor) -> String {
    let left = span(Duration::from_micros(neighbor.helping_us));
    format!("restarts gracefully and is kept for {left} more (RFC 3623)")
}

fn details(neighbor: &OspfNeighbor, out: &mut dyn Write) -> io::Result<()> {
    let OspfNeighbor { interface, address, state, .. } = neighbor;
    let name = full_name(neighbor.router.as_ref());
    let style = state_style(neighbor);
    let age = span(Duration::from_micros(neighbor.state_us));
    writeln!(
        out,
        "{BOLD}{name}{BOLD:#}, {address} on {interface}: {style}{state}{style:#} for {age}"
    )?;
    output::list(
        &[
            ("role", role(neighbor).to_owned()),
            ("priority", neighbor.priority.to_string()),
            ("designated router", neighbor.designated.clone()),
            ("backup", neighbor.backup.clone()),
            ("dead in", span(Duration::from_micros(neighbor.dead_us))),
            ("options", neighbor.options.join(", ")),
            (
                "database",
                format!(
                    "{} wanted from it, {} not acknowledged by it",
                    output::count(neighbor.requests.into(), "LSA", "LSAs"),
                    neighbor.retransmissions
                ),
            ),
            ("restart", if neighbor.helping_us > 0 { helping(neighbor) } else { String::new() }),
        ],
        out,
    )
}
