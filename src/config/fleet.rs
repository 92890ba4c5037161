//! `[fleet]`: the nodes that switch groups together, and how they reach each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::address;
use super::node::{NodeParts, router_id};
use super::report::Report;
use super::section::{Entry, Section, head};
use super::value::{self, Wrong};
use crate::group::nearest;
use crate::types::RouterId;

pub(super) const KEYS: &[&str] =
    &["port", "listen", "certificate", "key", "ca", "operators", "node"];
pub(super) const NODE_KEYS: &[&str] = &["site", "addresses", "router-id"];

/// Where agents and remote clients connect.
pub const PORT: u16 = 7170;
const DIRECTORY: &str = "/etc/shunt/pki";

/// The same on all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    pub port: u16,
    /// Where this node listens.
    pub listen: Vec<IpAddr>,
    /// Files in PEM.
    pub certificate: String,
    pub key: String,
    pub ca: String,
    /// Names in certificates of clients that may write. `None`: those whose certificate says so.
    pub operators: Option<BTreeSet<String>>,
    /// By name. This node is one of them.
    pub nodes: BTreeMap<String, FleetNode>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetNode {
    pub site: String,
    /// Tried in turn. At least one.
    pub addresses: Vec<IpAddr>,
    pub router_id: RouterId,
}

/// As much of `[fleet]` as could be read.
#[derive(Default)]
pub(super) struct FleetParts<'t> {
    fleet: Option<Fleet>,
    pub members: Vec<Member<'t>>,
}

/// As much of `[fleet.node.NAME]` as the sites need.
pub(super) struct Member<'t> {
    pub name: &'t str,
    pub site: Option<Spanned<&'t str>>,
    pub router_id: Option<Spanned<RouterId>>,
}

impl Member<'_> {
    pub fn stands_in(&self, site: &str) -> bool {
        self.site.as_ref().is_some_and(|own| *own.get_ref() == site)
    }
}

impl<'t> FleetParts<'t> {
    /// `own_router_id` is OSPF's, where that is another one than BGP's.
    pub fn read(
        root: &Section<'t>,
        node: &NodeParts,
        own_router_id: Option<RouterId>,
        report: &mut Report<'_>,
    ) -> FleetParts<'t> {
        let section = root.value("fleet");
        let section =
            section.and_then(|value| Section::open("[fleet]".to_owned(), value, KEYS, report));
        let Some(section) = section else { return FleetParts::default() };
        let (mut nodes, mut members) = (BTreeMap::new(), Vec::new());
        // Whose each address and each router id was first.
        let (mut hosts, mut routers) = (BTreeMap::new(), BTreeMap::new());
        for Entry { key, key_span, value } in section.named("node", report) {
            if let Err(wrong) = value::wide_name(key) {
                wrong.report(key, key_span, report);
                continue;
            }
            let name = head("fleet.node", key);
            let Some(section) = Section::open(name, value, NODE_KEYS, report) else { continue };
            let (mut member, addresses) = read_node(key, &section, report);
            for host in addresses.iter().flatten() {
                own(key, host, &mut hosts, "the address", report);
            }
            if let Some(id) = &member.router_id
                && !own(key, id, &mut routers, "the router id", report)
            {
                member.router_id = None;
            }
            if node.name.as_deref() == Some(key) {
                check_own(&member, node, own_router_id, report);
            }
            let (site, router_id) = (&member.site, &member.router_id);
            if let (Some(site), Some(id), Some(addresses)) = (site, router_id, addresses) {
                let (site, addresses) = ((*site.get_ref()).to_owned(), value::inner(addresses));
                let node = FleetNode { site, addresses, router_id: *id.get_ref() };
                nodes.insert(key.to_owned(), node);
            }
            members.push(member);
        }
        check_has_own(&section, node, &members, report);
        FleetParts { fleet: read_fleet(&section, node, nodes, report), members }
    }

    pub fn complete(self) -> Option<Fleet> {
        self.fleet
    }
}

fn read_fleet(
    section: &Section<'_>,
    node: &NodeParts,
    nodes: BTreeMap<String, FleetNode>,
    report: &mut Report<'_>,
) -> Option<Fleet> {
    let name = node.name.as_deref().unwrap_or_default();
    let mut file = |key: &str, usual: String| {
        let path = section.get(key, report, |value| value::absolute_path(value::text(value)?));
        path.unwrap_or(usual)
    };
    let certificate = file("certificate", format!("{DIRECTORY}/{name}.crt"));
    let key = file("key", format!("{DIRECTORY}/{name}.key"));
    let ca = file("ca", format!("{DIRECTORY}/ca.crt"));
    let listen = match section.has("listen") {
        true => {
            let example = "\"0.0.0.0\" or \"::\"";
            let address = |value| value::parsed(value, "an address", example);
            let listen = section.list("listen", report, address);
            not_empty(section, "listen", listen.as_deref(), "address", report);
            value::inner(listen?)
        }
        false => nodes.get(name).map(|node| node.addresses.clone()).unwrap_or_default(),
    };
    let operators = section.list("operators", report, operator);
    let operators = operators
        .map(|names| value::inner(names).into_iter().map(str::to_owned).collect::<BTreeSet<_>>());
    let port = section.number("port", 1..=65535, report).unwrap_or(PORT);
    Some(Fleet { port, listen, certificate, key, ca, operators, nodes })
}

fn read_node<'t>(
    name: &'t str,
    section: &Section<'t>,
    report: &mut Report<'_>,
) -> (Member<'t>, Option<Vec<Spanned<IpAddr>>>) {
    let site = section.require("site", "site = \"dc1\"", report, |value| {
        value::wide_name(value::text(value)?)?;
        value::text(value)
    });
    section.report_missing("addresses", "addresses = [\"192.0.2.1\"]", report);
    let addresses = section.list("addresses", report, address::wide_unicast);
    not_empty(section, "addresses", addresses.as_deref(), "address", report);
    let id = section.require("router-id", "router-id = \"192.0.2.1\"", report, router_id);
    let site = site.map(|site| Spanned::new(section.span_of("site"), site));
    let id = id.map(|id| Spanned::new(section.span_of("router-id"), id));
    (Member { name, site, router_id: id }, addresses)
}

fn not_empty<T>(
    section: &Section<'_>,
    key: &str,
    list: Option<&[T]>,
    what: &str,
    report: &mut Report<'_>,
) {
    if list.is_some_and(<[T]>::is_empty) {
        report
            .at(section.span_of(key), format!("`{key}` is empty"))
            .label(format!("expected at least one {what}"));
    }
}

/// What only one node can have: whether it has.
fn own<'t, T: Copy + Ord + std::fmt::Display>(
    name: &'t str,
    value: &Spanned<T>,
    taken: &mut BTreeMap<T, (&'t str, Range<usize>)>,
    what: &str,
    report: &mut Report<'_>,
) -> bool {
    let (value, span) = (*value.get_ref(), value.span());
    match taken.get(&value) {
        Some((other, first)) => {
            report
                .at(span, format!("two nodes have {what} {value}"))
                .label(format!("here `{name}`"))
                .related(first.clone(), format!("and here `{other}`"));
            false
        }
        None => {
            taken.insert(value, (name, span));
            true
        }
    }
}

/// What the fleet says of this node is what `[node]` says.
fn check_own(
    member: &Member<'_>,
    node: &NodeParts,
    own_router_id: Option<RouterId>,
    report: &mut Report<'_>,
) {
    if let (Some(site), Some(ours)) = (&member.site, &node.site)
        && site.get_ref() != ours
    {
        report
            .at(site.span(), format!("`{}` is this node", member.name))
            .label(format!("in `{ours}`, says `site` of [node]"));
    }
    if let (Some(id), Some(ours)) = (&member.router_id, node.router_id)
        && *id.get_ref() != ours
        && Some(*id.get_ref()) != own_router_id
    {
        report
            .at(id.span(), format!("`{}` is this node", member.name))
            .label(format!("its router id is {ours}, says [node]"));
    }
}

fn check_has_own(
    section: &Section<'_>,
    node: &NodeParts,
    members: &[Member<'_>],
    report: &mut Report<'_>,
) {
    let Some(name) = &node.name else { return };
    if members.iter().any(|member| member.name == name) {
        return;
    }
    let others = members.iter().map(|member| member.name);
    let draft = report
        .at(section.span.clone(), format!("the fleet has no node `{name}`, which is this node"))
        .label("each node must be in the fleet, with the name that [node] says");
    match nearest(name, others) {
        Some(meant) => draft.help(format!("did you mean `{name}` instead of `{meant}`?")),
        None => draft.help(format!("add a section {}", head("fleet.node", name))),
    };
}

/// A name in a certificate may be anything.
fn operator<'t>(value: &'t DeValue<'t>) -> Result<&'t str, Wrong> {
    let text = value::text(value)?;
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(Wrong::new("an operator must have a name").label("not a name")),
        false => Ok(text),
    }
}
