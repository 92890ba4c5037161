use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use super::{AsPathPattern, CommunityPattern, LargeCommunityPattern, PrefixList, Route, Wanted};
use crate::types::{Asn, Family, Prefix, Validity};
use crate::wire::bgp::{Attributes, ExtendedCommunity, Origin};

/// What a rule asks of a route.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Fact(Fact),
    Attribute(AttributeCondition),
}

/// What can differ between routes of one attribute set.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// In one of the lists.
    Prefixes(Vec<Arc<PrefixList>>),
    Family(Family),
    /// The neighbours' names.
    LearnedFrom(Vec<String>),
    Rpki(Vec<Validity>),
}

/// What the attributes say. Of a list, one has to fit.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeCondition {
    AsPath(AsPathPattern),
    /// A set counts one, as in the decision (RFC 4271 §9.1.2.2).
    AsPathLength {
        least: u32,
        most: u32,
    },
    ContainsAs(Vec<Asn>),
    /// The AS where the route begins (RFC 6811 §2): none if the path is empty or ends in a set.
    OriginAs(Vec<Asn>),
    Origin(Vec<Origin>),
    NextHop(Vec<Prefix>),
    Communities(Wanted<CommunityPattern>),
    ExtendedCommunities(Wanted<ExtendedCommunity>),
    LargeCommunities(Wanted<LargeCommunityPattern>),
}

/// Attributes as a rule sees them, with the text of the AS path made when it is first asked for.
pub(super) struct View<'a> {
    pub attributes: Cow<'a, Attributes>,
    path: OnceCell<String>,
}

impl<'a> View<'a> {
    pub fn new(attributes: Cow<'a, Attributes>) -> View<'a> {
        View { attributes, path: OnceCell::new() }
    }
}

impl Fact {
    pub(super) fn holds(&self, route: &Route<'_>) -> bool {
        match self {
            Fact::Prefixes(lists) => {
                let mut ranges = lists.iter().flat_map(|list| &list.ranges);
                ranges.any(|range| range.contains(route.prefix))
            }
            Fact::Family(family) => route.prefix.family() == *family,
            Fact::LearnedFrom(names) => {
                route.learned_from.is_some_and(|from| names.iter().any(|name| name == from))
            }
            Fact::Rpki(wanted) => wanted.contains(&route.validity),
        }
    }
}

impl AttributeCondition {
    pub(super) fn holds(&self, view: &View<'_>) -> bool {
        let attributes = &*view.attributes;
        let path = &attributes.as_path;
        match self {
            AttributeCondition::AsPath(pattern) => {
                pattern.matches(view.path.get_or_init(|| path.to_string()))
            }
            AttributeCondition::AsPathLength { least, most } => {
                (*least..=*most).contains(&u32::try_from(path.length()).unwrap_or(u32::MAX))
            }
            AttributeCondition::ContainsAs(wanted) => {
                path.numbers().any(|number| wanted.contains(&number))
            }
            AttributeCondition::OriginAs(wanted) => {
                path.origin().is_some_and(|origin| wanted.contains(&origin))
            }
            AttributeCondition::Origin(wanted) => wanted.contains(&attributes.origin),
            AttributeCondition::NextHop(wanted) => {
                let address = attributes.next_hop.address();
                wanted.iter().any(|prefix| prefix.contains(address))
            }
            AttributeCondition::Communities(wanted) => wanted.holds(&attributes.communities),
            AttributeCondition::ExtendedCommunities(wanted) => {
                wanted.holds(&attributes.extended_communities)
            }
            AttributeCondition::LargeCommunities(wanted) => {
                wanted.holds(&attributes.large_communities)
            }
        }
    }
}

/// As in the configuration: `as-path-length 3 to 5`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Fact(fact) => fact.fmt(f),
            Condition::Attribute(condition) => condition.fmt(f),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Prefixes(lists) => {
                let names: Vec<String> = lists.iter().map(|list| list.to_string()).collect();
                f.write_str(&names.join(" or "))
            }
            Fact::Family(family) => write!(f, "family {family}"),
            Fact::LearnedFrom(names) => write!(f, "learned-from {}", names.join(" or ")),
            Fact::Rpki(wanted) => write!(f, "rpki {}", any(wanted)),
        }
    }
}

impl fmt::Display for AttributeCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttributeCondition::AsPath(pattern) => write!(f, "as-path {pattern}"),
            AttributeCondition::AsPathLength { least, most } => match (least, most) {
                (least, most) if least == most => write!(f, "as-path-length {least}"),
                (0, most) => write!(f, "as-path-length <= {most}"),
                (least, &u32::MAX) => write!(f, "as-path-length >= {least}"),
                (least, most) => write!(f, "as-path-length {least}-{most}"),
            },
            AttributeCondition::ContainsAs(wanted) => write!(f, "contains-as {}", any(wanted)),
            AttributeCondition::OriginAs(wanted) => write!(f, "origin-as {}", any(wanted)),
            AttributeCondition::Origin(wanted) => write!(f, "origin {}", any(wanted)),
            AttributeCondition::NextHop(wanted) => write!(f, "next-hop {}", any(wanted)),
            AttributeCondition::Communities(wanted) => write!(f, "communities {wanted}"),
            AttributeCondition::ExtendedCommunities(wanted) => {
                write!(f, "extended-communities {wanted}")
            }
            AttributeCondition::LargeCommunities(wanted) => {
                write!(f, "large-communities {wanted}")
            }
        }
    }
}

fn any<T: fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}
