use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{Levels, Mapping, Mark, Placement, SiteId, Target, nearest};
use crate::ospf::How;
use crate::types::{Preference, Prefix, PrefixError};

/// Service prefixes that always move together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub prefixes: Vec<Prefix>,
    /// Per site. A site that is not named has 0: it does not announce the group by itself.
    pub base: BTreeMap<String, Preference>,
    /// As what the prefixes are announced into an OSPF area, where there is one. A prefix of no group is
    /// announced as the default says.
    pub ospf: How,
    /// External route tag; a stub link has none.
    pub ospf_tag: u32,
    pub follow: Option<Follow>,
    /// Whether we outbid an announcer that has vanished; `None`: no.
    pub on_loss: Option<OnLoss>,
    /// What its checks do to it; `None`: it has none.
    pub health: Option<Policy>,
    /// So many other sites must announce the group before anything but an operator withdraws it here. `None`: 1.
    pub min_sites: Option<u8>,
}

/// What the verdicts of a group's checks do to its preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// By name. At least one.
    pub checks: Vec<String>,
    pub need: Need,
    pub on_down: Effect,
    /// `None`: nothing.
    pub on_slow: Option<Effect>,
    /// By how much each grade by which an objective is missed lowers it; 0: not at all.
    pub on_late: u8,
    pub on_all_down: OnAllDown,
}

/// Whose verdict counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The worst.
    All,
    /// The best.
    Any,
    /// That of so many that are at least as good; from 1.
    AtLeast(usize),
}

/// What happens to a preference. Nothing raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No more than this; 0: not announced.
    Level(Preference),
    /// So much less, but never nothing.
    LowerBy(u8),
}

/// What to do with a group that is down here, and that no other site announces any better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAllDown {
    /// The checks may be wrong.
    #[default]
    Keep,
    /// An answer that it is not there beats none.
    Withdraw,
}

/// The group goes with the role of a virtual router (VRRP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// By its configured name.
    pub router: String,
    /// The most that is announced while it is not Active here, where it is always less than what an Active would
    /// announce; 0: nothing.
    pub backup: Preference,
}

/// What to do when a preferred announcer of the group has vanished: announce more than it did, at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnLoss {
    /// How long it must have been back before we announce no more than before.
    pub return_after: Duration,
}

impl Group {
    pub fn base(&self, site: &str) -> Preference {
        self.base.get(site).copied().unwrap_or(Preference::NONE)
    }
}

/// What the configuration of this node says about groups.
#[derive(Clone, Copy, Debug)]
pub struct Definitions<'a> {
    /// This node's.
    pub site: &'a str,
    /// The space that everything announced lies in.
    pub own_prefixes: &'a [Prefix],
    pub levels: &'a Levels,
    /// By class.
    pub mappings: &'a BTreeMap<String, Mapping>,
    pub groups: &'a BTreeMap<String, Group>,
    /// By site, of those that have one.
    pub site_ids: &'a BTreeMap<String, SiteId>,
}

/// Why a text on a command names nothing that can be announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownTarget {
    /// Not the name of a group, and not written as a prefix.
    Name { given: String, suggestion: Option<String>, groups: Vec<String> },
    /// Bits behind the prefix length.
    HostBits { given: String, meant: Prefix },
    /// Not in our address space.
    NotOurs { prefix: Prefix, own: Vec<Prefix> },
}

impl Definitions<'_> {
    /// What the operator names: `payments` or `198.51.100.7/32`.
    pub fn target(&self, text: &str) -> Result<Target, UnknownTarget> {
        if self.groups.contains_key(text) {
            return Ok(Target::Group(text.to_owned()));
        }
        match text.parse::<Prefix>() {
            Ok(prefix) if self.is_ours(prefix) => Ok(Target::Prefix(prefix)),
            Ok(prefix) => Err(UnknownTarget::NotOurs { prefix, own: self.own_prefixes.to_vec() }),
            Err(PrefixError::HostBits { given, meant }) => {
                Err(UnknownTarget::HostBits { given, meant })
            }
            Err(PrefixError::Syntax(given)) => Err(self.unknown_name(given)),
        }
    }

    fn unknown_name(&self, given: String) -> UnknownTarget {
        let suggestion = match given.parse() {
            // An address: the length was forgotten.
            Ok(address) => Some(Prefix::host(address).to_string()),
            Err(_) => {
                let groups = self.groups.keys().map(String::as_str);
                nearest(&given, groups).map(str::to_owned)
            }
        };
        UnknownTarget::Name { given, suggestion, groups: self.groups.keys().cloned().collect() }
    }

    /// The most that everybody sees as less than `preference`; 0 if there is no such level but not to announce.
    pub(super) fn below(&self, preference: Preference) -> Preference {
        let all = self.mappings.values();
        let below = all.map(|mapping| mapping.below(preference)).min();
        below.unwrap_or_else(|| Mapping::BUILT_IN.below(preference))
    }

    /// The least that everybody sees as more than `preference`; `None` if there is no such level.
    pub fn above(&self, preference: Preference) -> Option<Preference> {
        let classes =
            self.mappings.values().chain(self.mappings.is_empty().then_some(&Mapping::BUILT_IN));
        let above: Option<Vec<Preference>> =
            classes.map(|mapping| mapping.above(preference)).collect();
        above?.into_iter().max()
    }

    /// How routes say where a group is.
    pub(super) fn mark(&self, placement: &Placement) -> Option<Mark> {
        let (epoch, at) = placement.shown();
        Some(Mark { site: *self.site_ids.get(at?)?, epoch })
    }

    /// Whether `prefix` lies in our address space.
    pub fn is_ours(&self, prefix: Prefix) -> bool {
        self.own_prefixes.iter().any(|own| own.covers(prefix))
    }
}

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnknownTarget::Name { given, suggestion: Some(meant), .. } => {
                write!(f, "no group or prefix `{given}`; did you mean `{meant}`?")
            }
            UnknownTarget::Name { given, groups, .. } if groups.is_empty() => write!(
                f,
                "no group or prefix `{given}`; no groups are configured, \
                 a prefix is written like 198.51.100.7/32"
            ),
            UnknownTarget::Name { given, groups, .. } => write!(
                f,
                "no group or prefix `{given}`; the groups are: {}; \
                 a prefix is written like 198.51.100.7/32",
                groups.join(", ")
            ),
            UnknownTarget::HostBits { given, meant } => write!(
                f,
                "`{given}` has bits set behind the prefix length; did you mean `{meant}`?"
            ),
            UnknownTarget::NotOurs { prefix, own } if own.is_empty() => {
                write!(f, "{prefix} is not ours to announce: `own-prefixes` in [node] is empty")
            }
            UnknownTarget::NotOurs { prefix, own } => {
                write!(f, "{prefix} is not ours to announce; own-prefixes has: ")?;
                f.write_str(&own.iter().map(Prefix::to_string).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_group_or_a_prefix_of_ours() {
        let own = ["198.51.100.0/24", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let groups = ["payments", "web"].map(|name| (name.to_owned(), Group::default())).into();
        let levels = Levels::default();
        let definitions = Definitions {
            site: "dc1",
            own_prefixes: &own,
            levels: &levels,
            mappings: &BTreeMap::new(),
            groups: &groups,
            site_ids: &BTreeMap::new(),
        };
        assert_eq!(definitions.target("web"), Ok(Target::Group("web".to_owned())));
        let prefix = "198.51.100.7/32";
        assert_eq!(definitions.target(prefix), Ok(Target::Prefix(prefix.parse().unwrap())));

        let refused = |text| definitions.target(text).unwrap_err().to_string();
        assert_eq!(refused("paymnts"), "no group or prefix `paymnts`; did you mean `payments`?");
        assert_eq!(
            refused("mail"),
            "no group or prefix `mail`; the groups are: payments, web; \
             a prefix is written like 198.51.100.7/32"
        );
        assert_eq!(
            refused("198.51.100.7"),
            "no group or prefix `198.51.100.7`; did you mean `198.51.100.7/32`?"
        );
        assert_eq!(
            refused("198.51.100.7/24"),
            "`198.51.100.7/24` has bits set behind the prefix length; \
             did you mean `198.51.100.0/24`?"
        );
        assert_eq!(
            refused("203.0.113.7/32"),
            "203.0.113.7/32 is not ours to announce; own-prefixes has: \
             198.51.100.0/24, 2001:db8::/32"
        );
        assert_eq!(
            refused("198.51.0.0/16"),
            "198.51.0.0/16 is not ours to announce; own-prefixes has: \
             198.51.100.0/24, 2001:db8::/32"
        );
    }
}
