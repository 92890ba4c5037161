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

#[cfg(test)]
mod tests {
    use super::super::tests::fleet;
    use super::*;

    fn named(names: &[&str]) -> Identity {
        Identity::Named(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_certificate_says_what_one_may_do() {
        let fleet = fleet();
        let name = || "alice".to_owned();
        let role = |identity: Identity| identity.role(&fleet);
        assert_eq!(role(Identity::Operator(name())), Ok(Role::Operator(name())));
        assert_eq!(role(Identity::Reader(name())), Ok(Role::Reader(name())));
        let edge1 = "edge1".to_owned();
        assert_eq!(role(Identity::Node(edge1.clone())), Ok(Role::Node(edge1.clone())));
        assert!(role(Identity::Node(name())).is_err());
        // Who is called as a node is none for it.
        assert_eq!(role(Identity::Operator(edge1.clone())), Ok(Role::Operator(edge1)));
    }

    #[test]
    fn a_list_of_operators_leaves_out_all_others() {
        let operators = Some(["alice", "Bob B."].map(str::to_owned).into());
        let fleet = Fleet { operators, ..fleet() };
        let role = |identity: Identity| identity.role(&fleet).unwrap();
        let (alice, carol) = ("alice".to_owned(), "carol".to_owned());
        assert_eq!(role(Identity::Operator(alice.clone())), Role::Operator(alice.clone()));
        assert_eq!(role(Identity::Operator(carol.clone())), Role::Reader(carol));
        // What a certificate does not grant the list does not either.
        assert_eq!(role(Identity::Reader(alice.clone())), Role::Reader(alice));
    }

    #[test]
    fn of_another_authority_names_decide() {
        let operators = Some(["alice", "Bob B."].map(str::to_owned).into());
        let listed = Fleet { operators, ..fleet() };
        let role = |names: &[&str]| named(names).role(&listed).unwrap();
        assert_eq!(role(&["Bob B."]), Role::Operator("Bob B.".to_owned()));
        assert_eq!(role(&["web", "edge2"]), Role::Node("edge2".to_owned()));
        assert_eq!(role(&["web", "www.example.com"]), Role::Reader("web".to_owned()));
        // Without a list nobody of them writes.
        assert_eq!(named(&["alice"]).role(&fleet()), Ok(Role::Reader("alice".to_owned())));
        assert!(named(&["web", "edge2"]).is_node("edge2"));
        assert!(!Identity::Operator("edge2".to_owned()).is_node("edge2"));
    }
}
