use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{Preference, Prefix, Wall};

/// What an order is for. A group and a prefix of it are different targets: the prefix's own
/// intent goes before its group's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// This node, with all that it announces.
    Node,
    Group(String),
    Prefix(Prefix),
    /// A virtual router (VRRP), by its configured name.
    Router(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// At this preference; without one at the group's base, or as primary where the base is 0.
    Announce(Option<Preference>),
    Withdraw,
    Prefer(Preference),
    /// At most at the level `drain`, whatever else is ordered. For [`Target::Node`].
    Drain,
    /// Be Backup as long as somebody else can be Active. For [`Target::Router`].
    Release,
}

/// An operator's order, in force until it is released, replaced, or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    pub target: Target,
    pub order: Order,
    /// Who: `alice (uid 1000)`.
    pub owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub since: Wall,
    /// From this moment on the order no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Wall>,
}

impl Intent {
    pub fn is_over(&self, now: Wall) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // With a blank, so that it is no group's name.
            Target::Node => f.write_str("this node"),
            Target::Group(name) => name.fmt(f),
            Target::Prefix(prefix) => prefix.fmt(f),
            // With a blank as well.
            Target::Router(name) => write!(f, "virtual router {name}"),
        }
    }
}
