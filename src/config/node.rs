use std::net::IpAddr;

use crate::types::{Asn, Prefix, RouterId};

/// `[node]`: who this machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub site: String,
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
