use super::Router;
use crate::types::Time;
use crate::wire::ospf::{LsaBody, LsaKey};

impl Router {
    /// What the database holds under `key` changed: another content, new, or gone. `old`: what was there.
    pub(super) fn lsa_changed(&mut self, _key: LsaKey, _old: Option<&LsaBody>, _now: Time) {}

    pub(super) fn calculation_tick(&mut self, _now: Time) {}

    pub(super) fn calculation_deadline(&self) -> Option<Time> {
        None
    }
}
