use std::fmt;

use super::{CommunityPattern, LargeCommunityPattern, Pattern};
use crate::types::Asn;
use crate::wire::bgp::{Attributes, Community, ExtendedCommunity, LargeCommunity};

/// What a policy does to a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// An announcement of our own looks as this class of neighbours gets it. Comes before all else.
    pub class: Option<String>,
    /// `Some(None)`: taken away.
    pub local_pref: Option<Option<u32>>,
    /// `Some(None)`: taken away.
    pub med: Option<Option<u32>>,
    /// So many times more.
    pub prepend: u8,
    pub communities: Edits<CommunityPattern, Community>,
    pub extended_communities: Edits<ExtendedCommunity, ExtendedCommunity>,
    pub large_communities: Edits<LargeCommunityPattern, LargeCommunity>,
}

/// Changes to the communities of a route, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Edits<P, C>(pub Vec<Edit<P, C>>);

#[derive(Clone, Debug, PartialEq)]
pub enum Edit<P, C> {
    Clear,
    Remove(P),
    Add(C),
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }

    /// Also changes what `later` does, which comes behind it.
    pub(super) fn extend(&mut self, later: &Changes) {
        if later.class.is_some() {
            self.class.clone_from(&later.class);
        }
        self.local_pref = later.local_pref.or(self.local_pref);
        self.med = later.med.or(self.med);
        self.prepend = self.prepend.saturating_add(later.prepend);
        self.communities.0.extend_from_slice(&later.communities.0);
        self.extended_communities.0.extend_from_slice(&later.extended_communities.0);
        self.large_communities.0.extend_from_slice(&later.large_communities.0);
    }

    /// Changes attributes, but for the class. `prepended` is the number that goes in front of the path; without one, or
    /// inside our AS, none does.
    pub fn apply(&self, attributes: &mut Attributes, prepended: Option<Asn>) {
        if let Some(local_pref) = self.local_pref {
            attributes.local_pref = local_pref;
        }
        if let Some(med) = self.med {
            attributes.med = med;
        }
        if let Some(asn) = prepended.filter(|_| self.prepend > 0) {
            attributes.as_path = attributes.as_path.prepended(asn, self.prepend.into());
        }
        self.communities.apply(&mut attributes.communities);
        self.extended_communities.apply(&mut attributes.extended_communities);
        self.large_communities.apply(&mut attributes.large_communities);
    }
}

impl<P, C> Default for Edits<P, C> {
    fn default() -> Edits<P, C> {
        Edits(Vec::new())
    }
}

impl<P: Pattern<C>, C: Copy + PartialEq> Edits<P, C> {
    fn apply(&self, communities: &mut Box<[C]>) {
        if self.0.is_empty() {
            return;
        }
        let mut list = communities.to_vec();
        for edit in &self.0 {
            match edit {
                Edit::Clear => list.clear(),
                Edit::Remove(pattern) => list.retain(|community| !pattern.matches(community)),
                Edit::Add(community) if !list.contains(community) => list.push(*community),
                Edit::Add(_) => {}
            }
        }
        *communities = list.into();
    }
}

/// `local-pref 200, prepend 2, add community 64500:1`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.class.as_ref().map(|class| format!("class {class}")));
        let mut number = |name: &str, value: Option<Option<u32>>| match value {
            Some(Some(value)) => parts.push(format!("{name} {value}")),
            Some(None) => parts.push(format!("no {name}")),
            None => {}
        };
        number("local-pref", self.local_pref);
        number("med", self.med);
        if self.prepend > 0 {
            parts.push(format!("prepend {}", self.prepend));
        }
        parts.extend(self.communities.texts("communities", "community"));
        parts.extend(self.extended_communities.texts("extended communities", "extended community"));
        parts.extend(self.large_communities.texts("large communities", "large community"));
        f.write_str(&parts.join(", "))
    }
}

impl<P: fmt::Display, C: fmt::Display> Edits<P, C> {
    fn texts(&self, many: &str, one: &str) -> Vec<String> {
        let text = |edit: &Edit<P, C>| match edit {
            Edit::Clear => format!("no {many}"),
            Edit::Remove(pattern) => format!("remove {one} {pattern}"),
            Edit::Add(community) => format!("add {one} {community}"),
        };
        self.0.iter().map(text).collect()
    }
}
