use ipnet::Ipv4Net;

use super::{Announced, RouteKind, Router};
use crate::types::{RouterId, Time};

/// What every router of the area would do with the traffic for one prefix, before a change and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub prefix: Ipv4Net,
    /// Those that we reach, ourselves included, by router id.
    pub routers: Vec<PlannedRouter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRouter {
    pub router_id: RouterId,
    /// As its router information LSA says (RFC 5642).
    pub hostname: Option<String>,
    /// `None`: it has no route there.
    pub before: Option<Way>,
    pub after: Option<Way>,
}

/// Where a router's traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The longest prefix that covers the one asked for: that one itself, if anybody announces it.
    pub matched: Ipv4Net,
    pub kind: RouteKind,
    /// As in [`super::Route`].
    pub cost: u32,
    pub type_2_cost: u32,
    /// The routers where the traffic leaves the area's paths, sorted.
    pub exits: Vec<RouterId>,
    /// The routers it is given to first, sorted. Empty where the router itself is the exit.
    pub first_hops: Vec<RouterId>,
}

impl Router {
    /// What would come of announcing each prefix as told (`None`: not at all), on the database as it is now. Changes
    /// nothing.
    pub fn plan(&self, _changes: &[(Ipv4Net, Option<Announced>)], _now: Time) -> Vec<Plan> {
        Vec::new()
    }
}
