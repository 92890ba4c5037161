use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a prefix should attract traffic to this node: higher attracts, 0 is not announced.
///
/// The number has no meaning to a protocol. Each protocol inverts or maps it in one function of
/// its own (for BGP: `group::mapping`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Preference(pub u8);

impl Preference {
    /// Not announced.
    pub const NONE: Preference = Preference(0);
    pub const MAX: Preference = Preference(255);

    pub fn is_announced(self) -> bool {
        self != Preference::NONE
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
