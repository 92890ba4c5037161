//! What other routers announce for a prefix of ours.

use ipnet::Ipv4Net;

use super::{How, Router};
use crate::types::RouterId;

/// Another router that announces a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherAnnouncer {
    pub router: RouterId,
    pub how: How,
    /// Of its announcement alone, without the way there.
    pub metric: u32,
    /// External route tag; 0 where there is none.
    pub tag: u32,
}

impl Router {
    /// Who else announces exactly this prefix, by the link-state database: also who cannot be reached any more, until
    /// its LSAs are too old.
    pub fn other_announcers(&self, prefix: Ipv4Net) -> Vec<OtherAnnouncer> {
        let this = self.settings.router_id;
        let calculation = &self.calculation;
        let externals = calculation.externals.of(prefix).iter().map(|(key, lsa)| {
            let how = if lsa.type_2 { How::External2 } else { How::External1 };
            OtherAnnouncer { router: key.advertising_router, how, metric: lsa.metric, tag: lsa.tag }
        });
        let mut others: Vec<OtherAnnouncer> =
            externals.chain(calculation.stub_announcers(prefix)).collect();
        others.retain(|other| other.router != this);
        others
    }

    /// What the way from another router to us costs, by the last computation, if no link between the two is there: so
    /// much farther away than that one we are for other routers at most. `None` if there is no such way.
    pub fn way_from(&self, router: RouterId) -> Option<u32> {
        self.calculation.way(router, self.settings.router_id)
    }

    /// Whether [`Router::other_announcers`] or [`Router::reaches`] may say something else than at the last call.
    pub fn take_announcers_stale(&mut self) -> bool {
        std::mem::take(&mut self.calculation.announcers_stale)
    }

    /// Whether there is a way to a router of the area, by the last computation.
    pub fn reaches(&self, router: RouterId) -> bool {
        self.calculation.reaches(router)
    }
}
