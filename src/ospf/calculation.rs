use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::{Route, Router};
use crate::types::Time;
use crate::wire::ospf::{LsaBody, LsaKey};

/// The routes, and what is to be computed when (RFC 2328 §16).
#[derive(Clone, Debug, Default)]
pub(super) struct Calculation {
    routes: BTreeMap<Ipv4Net, Route>,
}

impl Router {
    /// The content of a database entry changed: it is in the database already, or gone. `old` is what was there. Not
    /// for a mere refresh.
    pub(super) fn lsa_changed(&mut self, _key: LsaKey, _old: Option<&LsaBody>, _now: Time) {}

    /// Something that decides about next hops changed, and perhaps no LSA: an adjacency became or left Full, an
    /// interface's state, cost or addresses, the settings.
    pub(super) fn next_hops_changed(&mut self, _now: Time) {}

    /// Computes what is due. To be called at the end of whatever may have changed the database, and at the deadline.
    pub(super) fn calculation_tick(&mut self, _now: Time) {}

    pub(super) fn calculation_deadline(&self) -> Option<Time> {
        None
    }

    /// The routes as they were told last, by prefix.
    pub fn routes(&self) -> impl Iterator<Item = (Ipv4Net, &Route)> {
        self.calculation.routes.iter().map(|(&prefix, route)| (prefix, route))
    }
}
