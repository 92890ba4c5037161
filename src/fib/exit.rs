use std::net::IpAddr;

use smallvec::SmallVec;

use super::{Hop, Hops};
use crate::types::Family;

/// Where packets go, and where else if that fails: all that routes which share a fate have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit {
    family: Family,
    /// Best first, none of them empty. More than [`Exit::TIERS`] are of no use.
    tiers: SmallVec<[Tier; 2]>,
}

/// Legs that are used together, in equal shares.
pub type Tier = SmallVec<[Leg; 1]>;

/// A way out, and what it stands and falls with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// Who told us of it, by the RIB's number.
    pub source: u32,
    /// What resolves to the hops; `None` if they do not depend on anything.
    pub next_hop: Option<IpAddr>,
    pub hops: Hops,
}

/// What becomes of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Kept,
    Gone,
    /// It goes over these hops now. Empty ones are as good as gone.
    Moved(Hops),
}

impl Exit {
    /// The one in use, its backup, and the backup's: after a loss there still is a backup.
    pub const TIERS: usize = 3;

    /// Legs without hops and tiers without legs are left out; `None` if nothing is left.
    pub fn new(family: Family, tiers: impl IntoIterator<Item = Tier>) -> Option<Exit> {
        let usable = |mut tier: Tier| {
            tier.retain(|leg| !leg.hops.is_empty());
            tier
        };
        let tiers = tiers.into_iter().map(usable).filter(|tier| !tier.is_empty());
        let tiers: SmallVec<[Tier; 2]> = tiers.take(Exit::TIERS).collect();
        (!tiers.is_empty()).then_some(Exit { family, tiers })
    }

    /// One that nothing can replace.
    pub fn plain(family: Family, hops: Hops) -> Option<Exit> {
        let leg = Leg { source: u32::MAX, next_hop: None, hops };
        Exit::new(family, [Tier::from_iter([leg])])
    }

    pub fn family(&self) -> Family {
        self.family
    }

    /// Those in use.
    pub fn hops(&self) -> Hops {
        self.tiers
            .first()
            .into_iter()
            .flatten()
            .flat_map(|leg| leg.hops.0.iter().copied())
            .collect()
    }

    /// All those of the backups.
    pub(super) fn backup_hops(&self) -> impl Iterator<Item = Hop> {
        self.hops_from(1)
    }

    /// Those in use and those of the backups.
    pub(super) fn all_hops(&self) -> impl Iterator<Item = Hop> {
        self.hops_from(0)
    }

    fn hops_from(&self, tier: usize) -> impl Iterator<Item = Hop> {
        let legs = self.tiers.iter().skip(tier).flatten();
        legs.flat_map(|leg| leg.hops.0.iter().copied())
    }

    /// A hop of the backup on a link that no hop in use is on: what is left if their links go down.
    pub(super) fn guard(&self) -> Option<Hop> {
        let used = self.hops();
        let elsewhere = |hop: &Hop| used.0.iter().all(|other| other.interface != hop.interface);
        self.backup_hops().find(elsewhere)
    }

    /// The same way with the same backup. What the backup's backup is does not matter as long as there is one at all.
    pub(super) fn is_as_good_as(&self, other: &Exit) -> bool {
        let near = |exit: &Exit| exit.tiers.len().min(Exit::TIERS - 1);
        let (this, that) = (near(self), near(other));
        self.family == other.family && self.tiers.get(..this) == other.tiers.get(..that)
    }

    /// With every leg after its fate. `None` if nothing changes, or nothing would be left: a way that may still work is
    /// better than none.
    pub(super) fn rewritten(&self, fate: &impl Fn(&Leg) -> Fate) -> Option<Exit> {
        let mut changed = false;
        let mut rewrite = |leg: &Leg| match fate(leg) {
            Fate::Kept => Some(leg.clone()),
            Fate::Gone => {
                changed = true;
                None
            }
            Fate::Moved(hops) => {
                changed |= leg.hops != hops;
                Some(Leg { hops, ..leg.clone() })
            }
        };
        let tiers: SmallVec<[Tier; 2]> =
            self.tiers.iter().map(|tier| tier.iter().filter_map(&mut rewrite).collect()).collect();
        if !changed {
            return None;
        }
        Exit::new(self.family, tiers)
    }
}
