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
        next_hop(path).into(),
        if used && route.installed { "yes" } else { "no" }.into(),
        attributes
            .and_then(|known| known.med)
            .map(|med| med.to_string())
            .unwrap_or_default()
            .into(),
        attributes.map(|known| known.as_path.clone()).unwrap_or_default().into(),
    ]);
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
