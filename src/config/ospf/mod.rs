//! `[ospf]`: this node as a router of one area.

use crate::ospf::Settings;

/// What the area hears of us, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Ospf {
    /// All but the number of paths, which is the kernel's: [`Config::ospf_settings`](super::Config::ospf_settings)
    /// gives the whole.
    pub(super) settings: Settings,
    /// `None`: not configured, so nothing is announced (as RFC 8212 has it for BGP).
    pub export: Option<OspfExport>,
    /// Of the mapping; [`Config::mapping`](super::Config::mapping) has it.
    pub class: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OspfExport {
    None,
    /// What the groups and the operators announce.
    Groups,
}
