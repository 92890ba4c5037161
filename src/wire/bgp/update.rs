use super::Attributes;
use crate::types::{Family, Prefix};

/// The routes of one UPDATE (RFC 4271 §4.3), from its body and from MP_REACH_NLRI and MP_UNREACH_NLRI
/// (RFC 4760) alike, after the checks of RFC 7606.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Prefixes taken back: withdrawn by the sender, or announced with an error that RFC 7606
    /// answers with treat-as-withdraw. They come before what is announced.
    pub withdrawn: Vec<Nlri>,
    /// At most one entry per next hop that the message holds: the IPv4 body and MP_REACH_NLRI.
    pub announced: Vec<Announced>,
    /// An empty UPDATE or MP_UNREACH_NLRI (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// What was wrong and survived. Never sent.
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub attributes: Attributes,
    pub nlri: Vec<Nlri>,
}

/// One prefix on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nlri {
    pub prefix: Prefix,
    /// RFC 7911; `None` where the session has no path identifiers.
    pub path_id: Option<u32>,
}

impl From<Prefix> for Nlri {
    fn from(prefix: Prefix) -> Nlri {
        Nlri { prefix, path_id: None }
    }
}

/// One error in an UPDATE that did not end the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub reaction: Reaction,
    /// The attribute's code; `None` if the fault lies outside the attributes.
    pub attribute: Option<u8>,
    /// For a person: `MED has length 3, not 4`.
    pub what: String,
}

/// RFC 7606 §2, the approaches short of a session reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    AttributeDiscard,
    TreatAsWithdraw,
}
