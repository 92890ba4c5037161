use super::TrackedObject;
use crate::group::Effect;
use crate::types::Prefix;

/// `[[group.NAME.rule]]`: what else a group follows. While the object is not as it should be, the announcement is lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub object: TrackedObject,
    pub effect: Effect,
    /// Of the group's prefixes; empty: all of them.
    pub prefixes: Vec<Prefix>,
}
