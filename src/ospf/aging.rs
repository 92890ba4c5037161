use super::Router;
use crate::types::Time;

impl Router {
    pub(super) fn flooding_tick(&mut self, _now: Time) {}

    pub(super) fn flooding_deadline(&self) -> Option<Time> {
        None
    }
}
