use std::io::{self, Write};
use std::time::Duration;

use super::{full_name, hostname};
use crate::api::v1::{OspfDatabaseRequest, OspfLsa, OspfRouter};
use crate::cli::arguments::{LsaKind, LsaSelection};
use crate::cli::daemon::{Daemon, PATIENCE};
use crate::cli::failure::Failure;
use crate::cli::output::{
    self, BOLD, Cell, Column, GOOD, Output, PAGE, PLAIN, Table, WARN, harmless, left, right, span,
};

static COLUMNS: [Column; 8] = [
    left("TYPE"),
    left("ID"),
    left("ROUTER-ID"),
    left("HOSTNAME"),
    right("AGE"),
    left("SEQUENCE"),
    left("CHECKSUM"),
    left("OWN"),
];

/// `shunt ospf database`
pub async fn database(
    selection: LsaSelection,
    daemon: Daemon,
    mut out: Output,
) -> Result<(), Failure> {
    let request = OspfDatabaseRequest {
        r#type: selection.kind.map(LsaKind::name).unwrap_or_default(),
        prefix: selection.prefix.unwrap_or_default(),
        router: selection.router.unwrap_or_default(),
    };
    let mut stream =
        daemon.call(PATIENCE, async move |mut client| client.ospf_database(request).await).await?;
    let mut table = Table::new(&COLUMNS);
    let mut empty = true;
    while let Some(lsa) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        if out.json {
            out.json_line(&lsa)?;
        } else if selection.detail {
            details(&lsa, &mut out)?;
        } else {
            add(&mut table, &lsa);
            if table.pending() >= PAGE {
                table.print(&mut out)?;
            }
        }
        empty = false;
    }
    table.print(&mut out)?;
    if empty && !out.json {
        writeln!(out, "no such LSAs")?;
    }
    out.flush()?;
    Ok(())
}

fn add(table: &mut Table, lsa: &OspfLsa) {
    let nobody = OspfRouter::default();
    let router = lsa.router.as_ref().unwrap_or(&nobody);
    let own = match (lsa.own, lsa.waiting_us) {
        (false, _) => Cell::styled("no", PLAIN),
        (true, 0) => Cell::styled("yes", GOOD),
        (true, _) => Cell::styled("waiting", WARN),
    };
    table.row([
        lsa.r#type.clone().into(),
        lsa.id.clone().into(),
        router.router_id.clone().into(),
        hostname(router).into(),
        lsa.age_s.to_string().into(),
        lsa.sequence.clone().into(),
        lsa.checksum.clone().into(),
        own,
    ]);
}

fn details(lsa: &OspfLsa, out: &mut dyn Write) -> io::Result<()> {
    let OspfLsa { r#type, id, age_s, sequence, checksum, length, .. } = lsa;
    let router = full_name(lsa.router.as_ref());
    let ours = if lsa.own { ", ours" } else { "" };
    writeln!(out, "{BOLD}{type} {id}{BOLD:#} of {router}{ours}")?;
    let waiting = match lsa.waiting_us {
        0 => String::new(),
        waiting => format!("for its next instance, {}", span(Duration::from_micros(waiting))),
    };
    output::list(
        &[
            ("prefix", lsa.prefix.clone()),
            ("interface", lsa.interface.clone()),
            (
                "instance",
                format!("sequence {sequence}, checksum {checksum}, age {age_s} s, {length} octets"),
            ),
            ("options", lsa.options.join(", ")),
            ("waiting", waiting),
            ("body", harmless(&lsa.body.join("\n")).into_owned()),
        ],
        out,
    )
}
