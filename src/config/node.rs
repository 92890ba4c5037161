use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::report::Report;
use super::section::Section;
use super::value::{self, Wrong};
use crate::types::{Asn, Prefix, RouterId};

/// `[node]`: who this machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub site: String,
    /// 0, which is nobody's, where none is given: then there is no neighbour.
    pub asn: Asn,
    pub router_id: RouterId,
    /// Every prefix that is ever announced lies in one of these.
    pub own_prefixes: Vec<Prefix>,
}

/// `[listen]`: where neighbours may dial us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Empty: accept no connections.
    pub addresses: Vec<IpAddr>,
    pub port: u16,
}

pub(super) const NODE_KEYS: &[&str] = &["name", "site", "asn", "router-id", "own-prefixes"];
pub(super) const LISTEN_KEYS: &[&str] = &["addresses", "port"];

/// As much of `[node]` as could be read.
#[derive(Default)]
pub(super) struct NodeParts {
    pub name: Option<String>,
    pub site: Option<String>,
    pub asn: Option<Asn>,
    pub router_id: Option<RouterId>,
    pub own_prefixes: Option<Vec<Prefix>>,
}

impl NodeParts {
    pub fn read(root: &Section<'_>, report: &mut Report<'_>) -> NodeParts {
        let Some(value) = root.value("node") else {
            report
                .at(0..0, "the configuration has no [node]")
                .help("add [node] with name, site, asn and router-id");
            return NodeParts::default();
        };
        let Some(node) = Section::open("[node]".to_owned(), value, NODE_KEYS, report) else {
            return NodeParts::default();
        };
        let name = |value| value::wide_name(value::text(value)?);
        NodeParts {
            name: node.require("name", "name = \"edge1\"", report, name),
            site: node.require("site", "site = \"dc1\"", report, name),
            asn: if root.has("neighbor") {
                node.require("asn", "asn = 64500", report, as_number)
            } else {
                node.get("asn", report, as_number)
            },
            router_id: node.require("router-id", "router-id = \"192.0.2.1\"", report, router_id),
            own_prefixes: if node.has("own-prefixes") {
                node.list("own-prefixes", report, own_prefix).map(value::inner)
            } else {
                Some(Vec::new())
            },
        }
    }

    pub fn complete(self) -> Option<Node> {
        Some(Node {
            name: self.name?,
            site: self.site?,
            asn: self.asn.unwrap_or_default(),
            router_id: self.router_id?,
            own_prefixes: self.own_prefixes?,
        })
    }
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            addresses: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            port: 179,
        }
    }
}

impl Listen {
    pub(super) fn read(root: &Section<'_>, report: &mut Report<'_>) -> Option<Listen> {
        let mut listen = Listen::default();
        let Some(value) = root.value("listen") else { return Some(listen) };
        let section = Section::open("[listen]".to_owned(), value, LISTEN_KEYS, report)?;
        if let Some(port) = section.number("port", 1..=65535, report) {
            listen.port = port;
        }
        if section.has("addresses") {
            let address = |value| value::parsed(value, "an address", "\"0.0.0.0\" or \"::\"");
            let addresses = section.list("addresses", report, address)?;
            listen.addresses = value::inner(addresses);
        }
        Some(listen)
    }
}

/// Numbers that no neighbour may have are refused: 0 (RFC 7607), AS_TRANS (RFC 6793 §9), and the
/// last of two and of four octets (RFC 7300).
pub(super) fn as_number(value: &toml::de::DeValue<'_>) -> Result<Asn, Wrong> {
    let number = value::number(value, 1..=u64::from(u32::MAX))?;
    match number {
        23456 | 65535 | u32::MAX => {
            Err(Wrong::new(format!("AS {number} is reserved and cannot take part in BGP"))
                .label("reserved")
                .help("private numbers are 64512 to 65534 and 4200000000 to 4294967294"))
        }
        _ => Ok(Asn(number)),
    }
}

pub(super) fn router_id(value: &toml::de::DeValue<'_>) -> Result<RouterId, Wrong> {
    let id = RouterId(value::parsed(value, "four numbers, like an IPv4 address", "192.0.2.1")?);
    if id.is_valid() {
        Ok(id)
    } else {
        // RFC 6286 §2.1.
        Err(Wrong::new("{key} cannot be 0.0.0.0").label("must not be zero"))
    }
}

fn own_prefix(value: &toml::de::DeValue<'_>) -> Result<Prefix, Wrong> {
    let prefix = value::prefix(value)?;
    if prefix.is_default() {
        return Err(Wrong::new(format!("`{prefix}` cannot be our own address space"))
            .label("this is the whole of the address family"));
    }
    Ok(prefix)
}
