use std::io::Write;

use super::arguments::{AddressFamily, Selection};
use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{Cell, Column, DIM, GOOD, Output, PLAIN, Table, WARN, left, right};
use crate::api::v1::{Path, Route, RoutesRequest};

/// Rows that are aligned together: a whole table may be too big to hold.
const PAGE: usize = 500;

static COLUMNS: [Column; 7] = [
    left("PREFIX"),
    left("STANDING"),
    left("FROM"),
    left("NEXT-HOP"),
    left("FIB"),
    right("MED"),
    left("AS-PATH"),
];

/// `shunt routes`
pub async fn routes(selection: Selection, daemon: Daemon, mut out: Output) -> Result<(), Failure> {
    let family = match selection.family {
        None => "",
        Some(AddressFamily::Ipv4) => "ipv4",
        Some(AddressFamily::Ipv6) => "ipv6",
    };
    let request = RoutesRequest {
        within: selection.within.unwrap_or_default(),
        neighbor: selection.neighbor.unwrap_or_default(),
        family: family.to_owned(),
        best: selection.best,
    };
    let mut stream =
        daemon.call(PATIENCE, async move |mut client| client.routes(request).await).await?;
    let mut table = Table::new(&COLUMNS);
    while let Some(route) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        if out.json {
            out.json_line(&route)?;
            continue;
        }
        for path in &route.paths {
            add(&mut table, &route, path);
        }
        if table.pending() >= PAGE {
            table.print(&mut out)?;
        }
    }
    table.print(&mut out)?;
    if table.is_empty() && !out.json {
        writeln!(out, "no routes")?;
    }
    out.flush()?;
    Ok(())
}

fn add(table: &mut Table, route: &Route, path: &Path) {
    let style = match path.standing.as_str() {
        "best" => GOOD,
        "multipath" => PLAIN,
        "lost" => DIM,
        _ => WARN,
    };
    let stale = if path.stale { ",stale" } else { "" };
    let used = matches!(path.standing.as_str(), "best" | "multipath");
    let attributes = path.attributes.as_ref();
    table.row([
        route.prefix.clone().into(),
        Cell::styled(format!("{}{stale}", path.standing), style),
        path.source.clone().into(),
        attributes.map(|known| known.next_hop.clone()).unwrap_or_default().into(),
        if used && route.installed { "yes" } else { "no" }.into(),
        attributes
            .and_then(|known| known.med)
            .map(|med| med.to_string())
            .unwrap_or_default()
            .into(),
        attributes.map(|known| known.as_path.clone()).unwrap_or_default().into(),
    ]);
}
