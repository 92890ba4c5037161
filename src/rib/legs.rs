//! Where packets of a prefix go, and where they would go without whom: for the kernel.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::decision::Ranked;
use super::{Reached, Resolved, Rib, SourceId};
use crate::types::Prefix;

/// A path or route that is used, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    pub source: SourceId,
    /// `None` for the interior protocol: its hops depend on no other route.
    pub next_hop: Option<IpAddr>,
    pub hops: SmallVec<[Resolved; 1]>,
}

/// Those of equal cost.
pub type Tier = SmallVec<[Leg; 1]>;

impl Rib {
    /// Next hops that resolve differently and whose prefixes [`Rib::take_changes`] has not begun to name, and where they
    /// lead now.
    pub fn moved_next_hops(&self) -> impl Iterator<Item = (IpAddr, Option<&Reached>)> {
        self.next_hops.moved().map(|(next_hop, reached)| (next_hop.address(), reached))
    }

    /// Where packets for the prefix go, as [`Rib::hops`] says, then where they would go if all of these were lost, and so
    /// on: at most `count` tiers, each with at most `max` gateways. None where there is no route, or packets for the prefix
    /// end here.
    pub fn tiers(&self, prefix: Prefix, max: usize, count: usize) -> SmallVec<[Tier; 2]> {
        let mut tiers = SmallVec::new();
        let ranked = self.table.get(prefix).map(|paths| self.ranked(prefix, paths));
        let ranked: Ranked<'_> = ranked.unwrap_or_default();
        let mut rest = ranked.as_slice();
        let mut igp = self.igp.get(prefix);
        let own_in_igp = self.own_in_igp.contains(&prefix);
        while tiers.len() < count {
            let best = rest.first().map(|(rank, _)| rank).filter(|rank| !rank.unusable);
            let tier: Tier = match (best, igp) {
                (Some(best), _)
                    if igp.is_none() || self.igp_loses_to(own_in_igp, best).is_some() =>
                {
                    // All equal ones lie together, as the order is that of their ranks.
                    let equal =
                        rest.iter().take_while(|(rank, _)| rank.is_equal_cost(best)).count();
                    let (used, later) = rest.split_at(equal);
                    rest = later;
                    limited(used, max)
                }
                (_, Some(route)) => {
                    igp = None;
                    let hops = route.hops.iter().take(max).copied().collect();
                    Tier::from_iter([Leg { source: SourceId::IGP, next_hop: None, hops }])
                }
                (_, None) => break,
            };
            // Our own announcement has no gateway, and while there is one nothing else counts.
            if tier.is_empty() {
                break;
            }
            tiers.push(tier);
        }
        tiers
    }
}

/// The legs of these paths with at most `max` gateways. Paths over the same gateways are legs of their own: one can
/// be lost without the other.
fn limited(paths: &[(super::rank::Rank, super::Path<'_>)], max: usize) -> Tier {
    let mut all: SmallVec<[Resolved; 4]> = SmallVec::new();
    let mut tier = Tier::new();
    for (_, path) in paths {
        let Ok(Some(reached)) = path.hop else { continue };
        let mut hops = reached.hops.clone();
        hops.retain(|hop| {
            let known = all.contains(hop);
            if !known && all.len() < max {
                all.push(*hop);
            }
            known || all.contains(hop)
        });
        if !hops.is_empty() {
            let next_hop = Some(path.attributes.next_hop.address());
            tier.push(Leg { source: path.source, next_hop, hops });
        }
    }
    tier
}
