//! `shunt ospf`: one file per thing shown, and what they share.

mod database;
mod interfaces;
mod neighbors;
mod routes;

use std::borrow::Cow;

use super::arguments::OspfCommand;
use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Output, harmless};
use crate::api::v1::{OspfAnnouncement, OspfNextHop, OspfPath, OspfRouter};

pub async fn ospf(command: OspfCommand, daemon: Daemon, out: Output) -> Result<(), Failure> {
    match command {
        OspfCommand::Interfaces { name } => interfaces::interfaces(name, daemon, out).await,
        OspfCommand::Neighbors { router, interface } => {
            neighbors::neighbors(router, interface, daemon, out).await
        }
        OspfCommand::Database(selection) => database::database(selection, daemon, out).await,
        OspfCommand::Routes { within, router } => routes::routes(within, router, daemon, out).await,
    }
}

/// A host name as one harmless word: another router has chosen it. Empty if it tells none.
pub fn hostname(router: &OspfRouter) -> String {
    harmless(&router.hostname.replace(char::is_whitespace, "_")).into_owned()
}

/// The host name, or the router id where none is told.
pub fn name(router: &OspfRouter) -> String {
    match hostname(router) {
        name if name.is_empty() => router.router_id.clone(),
        name => name,
    }
}

/// `fw2 10.255.0.2`, for sentences.
fn full_name(router: Option<&OspfRouter>) -> String {
    let Some(router) = router else { return "unknown".to_owned() };
    match hostname(router) {
        name if name.is_empty() => router.router_id.clone(),
        name => format!("{name} {}", router.router_id),
    }
}

/// `fw1,fw2`
pub fn names(routers: &[OspfRouter]) -> String {
    routers.iter().map(name).collect::<Vec<String>>().join(",")
}

/// `external-2 metric 15500, tag 7`
pub fn summary(announcement: &OspfAnnouncement) -> String {
    let OspfAnnouncement { how, metric, tag, .. } = announcement;
    match tag {
        0 => format!("{how} metric {metric}"),
        tag => format!("{how} metric {metric}, tag {tag}"),
    }
}

/// A cost as it is compared: `15500+20` is a type 2 metric and the way to the exit, which only decides among equal
/// metrics.
pub fn cost(kind: &str, cost: u32, type_2_cost: u32) -> String {
    match kind {
        "external-2" => format!("{type_2_cost}+{cost}"),
        _ => cost.to_string(),
    }
}

/// `10.0.0.2%eth1`, or the interface alone on a network that it is attached to.
pub fn next_hop(hop: &OspfNextHop) -> Cow<'_, str> {
    match hop.gateway.as_str() {
        "" => Cow::Borrowed(&hop.interface),
        gateway => Cow::Owned(format!("{gateway}%{}", hop.interface)),
    }
}

/// Everything about a path, for `shunt why`.
pub fn full(path: &OspfPath) -> String {
    let hops: Vec<Cow<str>> = path.next_hops.iter().map(next_hop).collect();
    let exits: Vec<String> = path.exits.iter().map(|exit| full_name(Some(exit))).collect();
    let mut parts =
        vec![format!("{}, cost {}", path.kind, cost(&path.kind, path.cost, path.type_2_cost))];
    for (what, values) in [("next hop", hops.join(" ")), ("exit", exits.join(", "))] {
        if !values.is_empty() {
            parts.push(format!("{what} {values}"));
        }
    }
    if path.tag != 0 {
        parts.push(format!("tag {}", path.tag));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_is_one_harmless_word() {
        let router = |hostname: &str| OspfRouter {
            router_id: "10.255.0.2".to_owned(),
            hostname: hostname.to_owned(),
        };
        assert_eq!(name(&router("fw2")), "fw2");
        assert_eq!(name(&router("")), "10.255.0.2");
        assert_eq!(name(&router("fw 2\n\u{1b}[2J")), "fw_2_\\u{1b}[2J");
        assert_eq!(full_name(Some(&router("fw2"))), "fw2 10.255.0.2");
    }
}
