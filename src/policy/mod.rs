//! Policies: which routes a neighbour's import and export let through, and what they change.
//!
//! ```text
//!  [policy.NAME] … = Policy ─┐
//!  [policy.NAME] … = Policy ─┴─ Chain::new ──> Chain
//!                                                │ facts(prefix, neighbour, RPKI state)    per route, one walk of a trie
//!                                                └ evaluate(attributes, facts) ──> Verdict     per set and facts
//! ```
//!
//! **Data.** A [`Policy`] is an ordered list of [`Rule`]s: [`Condition`]s which must all hold, [`Changes`], and what
//! comes [`Then`]. A [`Chain`] is the policies that a neighbour names for one direction. A rule that rejects ends all of it;
//! one that accepts ends its policy, and the next policy of the chain goes on with the changes made so far. Where no rule
//! decides, the policy's default does. A chain of none accepts.
//!
//! **Rules see changes.** A rule's conditions are asked of the attributes as the rules before it have left them. The prefix,
//! the neighbour and the RPKI state never change.
//!
//! **Cost.** Routes share attribute sets, about eight of a full table each. What can differ between the routes of a set is a
//! [`Fact`]: the prefix and its family, who it was learned from, its RPKI state. All facts that a chain asks for are bits of
//! one [`Facts`], so that [`Chain::evaluate`] is a function of the attribute set and the facts, and is called once for each
//! pair. All prefix lists of a chain are one trie. A chain that asks for attributes only has no facts, and costs nothing
//! per route.
//!
//! **On import** the attributes are those that `rib::import` made of the set; **on export** they are the set as it is in the
//! RIB, before our AS and next hop are put in, and our own announcements have an empty path.

mod as_path;
mod chain;
mod changes;
mod communities;
mod condition;
mod prefixes;

pub use as_path::AsPathPattern;
pub use chain::{By, Chain, Facts, Route, Step, Verdict};
pub use changes::{Changes, Edit, Edits};
pub use communities::{CommunityPattern, LargeCommunityPattern, Pattern, Wanted};
pub use condition::{AttributeCondition, Condition, Fact};
pub use prefixes::{PrefixList, PrefixRange, PrefixRangeError};

/// An ordered list of rules with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: String,
    pub rules: Vec<Rule>,
    /// What becomes of a route that no rule decided on.
    pub accepts_by_default: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub name: String,
    /// All must hold. Of none: for every route.
    pub conditions: Vec<Condition>,
    pub changes: Changes,
    pub then: Then,
}

/// What comes behind a rule that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Accept,
    Reject,
    /// The next rule.
    Next,
}
