use std::borrow::Cow;
use std::io::Write;

use super::{cost, names, next_hop};
use crate::api::v1::{OspfPath, OspfRoute, OspfRoutesRequest};
use crate::cli::daemon::{Daemon, PATIENCE};
use crate::cli::failure::Failure;
use crate::cli::output::{Column, Output, PAGE, Table, left, right};

static COLUMNS: [Column; 6] =
    [left("PREFIX"), left("KIND"), right("COST"), right("TAG"), left("NEXT-HOPS"), left("EXITS")];

/// `shunt ospf routes`
pub async fn routes(
    within: Option<String>,
    router: Option<String>,
    daemon: Daemon,
    mut out: Output,
) -> Result<(), Failure> {
    let request = OspfRoutesRequest {
        within: within.unwrap_or_default(),
        router: router.unwrap_or_default(),
    };
    let mut stream =
        daemon.call(PATIENCE, async move |mut client| client.ospf_routes(request).await).await?;
    let mut table = Table::new(&COLUMNS);
    while let Some(route) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        if out.json {
            out.json_line(&route)?;
            continue;
        }
        add(&mut table, &route);
        if table.pending() >= PAGE {
            table.print(&mut out)?;
        }
    }
    table.print(&mut out)?;
    if table.is_empty() && !out.json {
        writeln!(out, "no OSPF routes")?;
    }
    out.flush()?;
    Ok(())
}

fn add(table: &mut Table, route: &OspfRoute) {
    let none = OspfPath::default();
    let path = route.path.as_ref().unwrap_or(&none);
    let hops: Vec<Cow<str>> = path.next_hops.iter().map(next_hop).collect();
    table.row([
        route.prefix.clone().into(),
        path.kind.clone().into(),
        cost(&path.kind, path.cost, path.type_2_cost).into(),
        path.tag.to_string().into(),
        hops.join(",").into(),
        names(&path.exits).into(),
    ]);
}
