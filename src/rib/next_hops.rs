use std::collections::{BTreeMap, BTreeSet};

use smallvec::{SmallVec, smallvec};

use super::{Connected, IgpMetric, IgpRoute, Resolved, Unusable};
use crate::types::{Prefix, PrefixTable};
use crate::wire::bgp::NextHop;

/// The next hops of interned sets, resolved.
///
/// A next hop in a connected network is reached directly, whatever the interior protocol says of it. Any other is
/// reached as the longest route of the interior protocol says, but never over the default route: a next hop that only
/// the default route reaches is as good as unknown. A route of BGP resolves no next hop, so no path resolves through
/// itself, and what BGP chooses never changes what resolves.
#[derive(Clone, Default)]
pub(super) struct NextHops {
    connected: Connected,
    resolved: BTreeMap<NextHop, Result<Reached, Unusable>>,
    /// Those that resolve differently since [`NextHops::take_moved`].
    moved: BTreeSet<NextHop>,
}

/// Where packets to a next hop go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The next hop itself, or the gateways on the way to it. Never empty.
    pub hops: SmallVec<[Resolved; 1]>,
    /// 0 in a connected network.
    pub metric: IgpMetric,
}

impl NextHops {
    /// Follows a next hop from now on.
    pub fn add(&mut self, next_hop: NextHop, igp: &PrefixTable<IgpRoute>) {
        let connected = &self.connected;
        self.resolved.entry(next_hop).or_insert_with(|| resolve(&next_hop, connected, igp));
    }

    /// Follows only these any longer.
    pub fn retain(&mut self, used: &BTreeSet<NextHop>) {
        self.resolved.retain(|next_hop, _| used.contains(next_hop));
    }

    /// Where packets to it go. One that is not followed leads nowhere.
    pub fn get(&self, next_hop: &NextHop) -> Result<&Reached, Unusable> {
        match self.resolved.get(next_hop) {
            Some(Ok(reached)) => Ok(reached),
            Some(Err(why)) => Err(*why),
            None => Err(Unusable::Unreachable(next_hop.address())),
        }
    }

    /// Links or addresses have changed.
    pub fn set_connected(&mut self, connected: Connected, igp: &PrefixTable<IgpRoute>) {
        self.connected = connected;
        self.resolve_all(igp);
    }

    /// Resolves all of them anew.
    pub fn resolve_all(&mut self, igp: &PrefixTable<IgpRoute>) {
        for (next_hop, reached) in &mut self.resolved {
            let now = resolve(next_hop, &self.connected, igp);
            if *reached != now {
                *reached = now;
                self.moved.insert(*next_hop);
            }
        }
    }

    /// The interior route to `prefix` has changed, come or gone.
    pub fn resolve_within(&mut self, prefix: Prefix, igp: &PrefixTable<IgpRoute>) {
        // They lie together, since the order of next hops begins with their addresses.
        let behind = self.resolved.range_mut(NextHop::from(prefix.address())..);
        for (next_hop, reached) in behind {
            if !prefix.contains(next_hop.address()) {
                break;
            }
            let now = resolve(next_hop, &self.connected, igp);
            if *reached != now {
                *reached = now;
                self.moved.insert(*next_hop);
            }
        }
    }

    pub fn have_moved(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Those, and where they lead now.
    pub fn moved(&self) -> impl Iterator<Item = (NextHop, Option<&Reached>)> {
        self.moved.iter().map(|next_hop| (*next_hop, self.get(next_hop).ok()))
    }

    pub fn take_moved(&mut self) -> BTreeSet<NextHop> {
        std::mem::take(&mut self.moved)
    }
}

fn resolve(
    next_hop: &NextHop,
    connected: &Connected,
    igp: &PrefixTable<IgpRoute>,
) -> Result<Reached, Unusable> {
    match connected.resolve(next_hop) {
        Ok(hop) => Ok(Reached { hops: smallvec![hop], metric: IgpMetric::default() }),
        Err(why @ Unusable::Unreachable(address)) => {
            let routes = igp.covering(address).filter(|(prefix, _)| !prefix.is_default());
            let (_, longest) = routes.last().ok_or(why)?;
            Ok(Reached { hops: longest.hops.clone(), metric: longest.distance_to_hop() })
        }
        Err(why) => Err(why),
    }
}
