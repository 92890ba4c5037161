use std::borrow::Cow;
use std::io::Write;

use super::arguments::{AddressFamily, Selection};
use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::ospf;
use super::output::{Cell, Column, DIM, GOOD, Output, PAGE, PLAIN, Table, WARN, left, right};
use crate::api::v1::{Path, Route, RoutesRequest};

static COLUMNS: [Column; 7] = [
    left("PREFIX"),
    left("STANDING"),
    left("FROM"),
    left("NEXT-HOP"),
    left("FIB"),
    right("MED"),
    left("AS-PATH"),
];

static OF_LOST: [Column; 5] =
    [left("PREFIX"), left("STANDING"), left("FROM"), left("NEXT-HOP"), left("REASON")];

/// `shunt routes`
pub async fn routes(selection: Selection, daemon: Daemon, mut out: Output) -> Result<(), Failure> {
    let family = match selection.family {
        None => "",
        Some(AddressFamily::Ipv4) => "ipv4",
        Some(AddressFamily::Ipv6) => "ipv6",
    };
    let request = RoutesRequest {
        longer: selection.longer.unwrap_or_default(),
        neighbor: selection.neighbor.unwrap_or_default(),
        family: family.to_owned(),
        best: selection.best,
        lost: selection.lost,
        community: selection.community.unwrap_or_default(),
    };
    let mut stream =
        daemon.call(PATIENCE, async move |mut client| client.routes(request).await).await?;
    let mut table = Table::new(if selection.lost { &OF_LOST } else { &COLUMNS });
    while let Some(route) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        if out.json {
            out.json_line(&route)?;
            continue;
        }
        for path in &route.paths {
            table.row(cells(&route, path, selection.lost));
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

fn cells(route: &Route, path: &Path, lost: bool) -> Vec<Cell> {
    let style = match path.standing.as_str() {
        "best" => GOOD,
        "multipath" => PLAIN,
        "lost" => DIM,
        _ => WARN,
    };
    let stale = if path.stale { ",stale" } else { "" };
    let mut cells = vec![
        route.prefix.clone().into(),
        Cell::styled(format!("{}{stale}", path.standing), style),
        path.source.clone().into(),
        next_hop(path).into(),
    ];
    if lost {
        cells.push(path.reason.clone().into());
        return cells;
    }
    let used = matches!(path.standing.as_str(), "best" | "multipath");
    let attributes = path.attributes.as_ref();
    let med = attributes.and_then(|known| known.med).map(|med| med.to_string());
    let as_path = attributes.map(|known| known.as_path.clone());
    cells.extend([
        if used && route.installed { "yes" } else { "no" }.into(),
        med.unwrap_or_default().into(),
        as_path.unwrap_or_default().into(),
    ]);
    cells
}

fn next_hop(path: &Path) -> String {
    match (&path.attributes, &path.ospf) {
        (Some(attributes), _) => attributes.next_hop.clone(),
        (None, Some(found)) => {
            let hops: Vec<Cow<str>> = found.next_hops.iter().map(ospf::next_hop).collect();
            hops.join(",")
        }
        (None, None) => String::new(),
    }
}
