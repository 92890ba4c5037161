use std::fmt;

use crate::config::Fleet;
use crate::driver::certificate::{self, Names};

/// Whose a certificate is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// `shunt:node:edge1`
    Node(String),
    /// `shunt:operator:alice`
    Operator(String),
    /// `shunt:reader:bob`
    Reader(String),
    /// Of an authority that knows nothing of roles: the common name, then the DNS names. At least one.
    Named(Vec<String>),
}

/// What who has a certificate may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// What nodes ask each other, and read.
    Node(String),
    /// Everything that a client can.
    Operator(String),
    /// Read.
    Reader(String),
}

impl Identity {
    /// `None` if the certificate names nobody.
    pub fn of(certificate: &[u8]) -> Option<Identity> {
        let Names { common_name, dns, uris, is_authority } = certificate::names(certificate)?;
        if is_authority {
            return None;
        }
        if let Some(words) = uris.iter().find_map(|uri| uri.strip_prefix("shunt:")) {
            // What we do not know is not what we take it for.
            let (role, name) = words.split_once(':')?;
            let name = Some(name.to_owned()).filter(|name| !name.is_empty())?;
            return match role {
                "node" => Some(Identity::Node(name)),
                "operator" => Some(Identity::Operator(name)),
                "reader" => Some(Identity::Reader(name)),
                _ => None,
            };
        }
        let names: Vec<String> = common_name.into_iter().chain(dns).collect();
        (!names.is_empty()).then_some(Identity::Named(names))
    }

    /// Whether it is a certificate of that node.
    pub fn is_node(&self, node: &str) -> bool {
        match self {
            Identity::Node(name) => name == node,
            Identity::Named(names) => names.iter().any(|name| name == node),
            Identity::Operator(_) | Identity::Reader(_) => false,
        }
    }

    /// The error is a sentence.
    pub fn role(&self, fleet: &Fleet) -> Result<Role, String> {
        let may_write = |name: &str| fleet.operators.as_ref().map(|names| names.contains(name));
        Ok(match self {
            Identity::Node(name) if fleet.nodes.contains_key(name) => Role::Node(name.clone()),
            Identity::Node(name) => {
                return Err(format!(
                    "your certificate is of the node `{name}`, which is not in the fleet here"
                ));
            }
            Identity::Operator(name) if may_write(name).unwrap_or(true) => {
                Role::Operator(name.clone())
            }
            Identity::Operator(name) | Identity::Reader(name) => Role::Reader(name.clone()),
            Identity::Named(names) => {
                let has = |known: &dyn Fn(&str) -> bool| names.iter().find(|name| known(name));
                if let Some(name) = has(&|name| fleet.nodes.contains_key(name)) {
                    Role::Node(name.clone())
                } else if let Some(name) = has(&|name| may_write(name) == Some(true)) {
                    Role::Operator(name.clone())
                } else {
                    Role::Reader(names.first().cloned().unwrap_or_default())
                }
            }
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Node(name) => write!(f, "node {name}"),
            Identity::Operator(name) => write!(f, "operator {name}"),
            Identity::Reader(name) => write!(f, "reader {name}"),
            Identity::Named(names) => f.write_str(&names.join(", ")),
        }
    }
}
