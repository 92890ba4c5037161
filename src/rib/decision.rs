//! Which path or route wins, and where packets go.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::rank::Rank;
use super::routes::{Paths, Stored};
use super::{IgpRoute, Reached, Reason, Resolved, Rib, Source, SourceId, SourceKind, Unusable};
use crate::types::Prefix;
use crate::wire::bgp::Attributes;

/// One path of a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    pub source: SourceId,
    pub attributes: &'a Arc<Attributes>,
    /// Not heard again since its source was marked stale (RFC 4724 §4.2, RFC 7313 §4).
    pub stale: bool,
    /// Where its packets go; `None` for our own announcement.
    pub hop: Result<Option<&'a Reached>, Unusable>,
}

/// What can win a prefix.
#[derive(Clone, Copy, Debug)]
pub enum Route<'a> {
    /// Learned by BGP, or our own announcement.
    Bgp(Path<'a>),
    Igp(&'a IgpRoute),
}

/// A path or route and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub route: Route<'a>,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Best,
    /// As good as the best one by all that counts; shares the traffic.
    Multipath,
    /// `against` is the source of what it lost to: the best path of BGP, or what beat that.
    Lost {
        reason: Reason,
        against: SourceId,
    },
    Unusable(Unusable),
}

type Hops = SmallVec<[Resolved; 4]>;
pub(super) type Ranked<'a> = SmallVec<[(Rank, Path<'a>); 4]>;

impl Route<'_> {
    pub fn source(&self) -> SourceId {
        match self {
            Route::Bgp(path) => path.source,
            Route::Igp(_) => SourceId::IGP,
        }
    }
}

impl Rib {
    /// BGP's own winner: the best usable path, our own announcement included. It is what neighbours hear of, also where
    /// the interior protocol's route is the one in use: packets that come for it find a way all the same.
    pub fn best(&self, prefix: Prefix) -> Option<Path<'_>> {
        self.best_of(prefix, self.table.get(prefix)?)
    }

    /// Where packets go, to at most `max` gateways: as the best path and those of equal cost say, or the interior
    /// protocol's route. None where there is no route, or packets for the prefix end here.
    pub fn hops(&self, prefix: Prefix, max: usize) -> SmallVec<[Resolved; 4]> {
        let own_in_igp = self.own_in_igp.contains(&prefix);
        self.hops_by(prefix, self.table.get(prefix), own_in_igp, max)
    }

    /// [`Rib::hops`] if we announced the prefix, or did not, and the area of the interior protocol heard of it, or did not.
    pub fn hops_if(
        &self,
        prefix: Prefix,
        announced: bool,
        own_in_igp: bool,
        max: usize,
    ) -> SmallVec<[Resolved; 4]> {
        let paths = self.paths_if(prefix, announced);
        self.hops_by(prefix, Some(&paths).filter(|paths| !paths.is_empty()), own_in_igp, max)
    }

    fn hops_by(
        &self,
        prefix: Prefix,
        paths: Option<&Paths>,
        own_in_igp: bool,
        max: usize,
    ) -> SmallVec<[Resolved; 4]> {
        let mut hops = Hops::new();
        let igp = self.igp.get(prefix);
        let ranked = match (paths, igp) {
            // The way of nearly all prefixes of a full table.
            (Some(paths), None) if paths.len() == 1 => {
                let best = self.best_of(prefix, paths);
                if let Some(Path { hop: Ok(Some(reached)), .. }) = best {
                    share(&mut hops, reached, max);
                }
                return hops;
            }
            (Some(paths), _) => self.ranked(prefix, paths),
            (None, _) => Ranked::new(),
        };
        let best = ranked.first().map(|(rank, _)| rank).filter(|rank| !rank.unusable);
        match (best, igp) {
            (Some(best), igp)
                if igp.is_none_or(|_| self.igp_loses_to(own_in_igp, best).is_some()) =>
            {
                for (rank, path) in &ranked {
                    if let (true, Ok(Some(reached))) = (rank.is_equal_cost(best), path.hop) {
                        share(&mut hops, reached, max);
                    }
                }
            }
            (_, igp) => hops.extend(igp.iter().flat_map(|igp| &igp.hops).take(max).copied()),
        }
        hops
    }

    /// Every path and route of the prefix, each with what became of it: the one in use first, then BGP's in their order.
    /// `max_hops` is the limit of [`Rib::hops`].
    pub fn candidates(&self, prefix: Prefix, max_hops: usize) -> Vec<Candidate<'_>> {
        let ranked =
            self.table.get(prefix).map(|paths| self.ranked(prefix, paths)).unwrap_or_default();
        let igp = self.igp.get(prefix);
        let first = ranked.first().filter(|(rank, _)| !rank.unusable);
        let own_in_igp = self.own_in_igp.contains(&prefix);
        let igp_lost = first
            .and_then(|(best, path)| Some((self.igp_loses_to(own_in_igp, best)?, path.source)));
        let beaten = igp.is_some() && igp_lost.is_none();
        let mut hops = Hops::new();
        let mut candidates = Vec::with_capacity(ranked.len() + 1);
        for (at, (rank, path)) in ranked.iter().enumerate() {
            let standing = match (path.hop, first) {
                (Err(why), _) => Standing::Unusable(why),
                (Ok(_), Some((best, _))) if beaten && rank.is_equal_cost(best) => {
                    let (this, best) = (self.distance(rank), self.distances.ospf);
                    let reason = match rank.learned {
                        true => Reason::Distance { this, best },
                        false => Reason::Elsewhere,
                    };
                    Standing::Lost { reason, against: SourceId::IGP }
                }
                (Ok(reached), _) if at == 0 => {
                    if let Some(reached) = reached {
                        share(&mut hops, reached, max_hops);
                    }
                    Standing::Best
                }
                (Ok(Some(reached)), Some((best, _)))
                    if rank.is_equal_cost(best) && share(&mut hops, reached, max_hops) =>
                {
                    Standing::Multipath
                }
                (Ok(_), Some((best, path))) => {
                    Standing::Lost { reason: rank.worse_by(best), against: path.source }
                }
                // Usable ones come first.
                (Ok(_), None) => continue,
            };
            candidates.push(Candidate { route: Route::Bgp(*path), standing });
        }
        if let Some(igp) = igp {
            let route = Route::Igp(igp);
            match igp_lost {
                None => candidates.insert(0, Candidate { route, standing: Standing::Best }),
                Some((reason, against)) => {
                    let standing = Standing::Lost { reason, against };
                    candidates.push(Candidate { route, standing });
                }
            }
        }
        candidates
    }

    /// The longest prefix with a usable path or route that holds `address`.
    pub fn longest_match(&self, address: IpAddr) -> Option<Prefix> {
        let covering: SmallVec<[(Prefix, &Paths); 8]> = self.table.covering(address).collect();
        let mut longest_first = covering.into_iter().rev();
        let bgp = longest_first.find(|(prefix, paths)| self.best_of(*prefix, paths).is_some());
        let igp = self.igp.covering(address).last();
        let found = [bgp.map(|(prefix, _)| prefix), igp.map(|(prefix, _)| prefix)];
        found.into_iter().flatten().max_by_key(|prefix| prefix.length())
    }

    /// Up to `limit` prefixes behind `after`, in order: a walk in portions, between which anything may change.
    pub fn page(&self, after: Option<Prefix>, limit: usize) -> Vec<Prefix> {
        self.behind(after).take(limit).collect()
    }

    /// The same of those that `root` covers, `after` being one of them.
    pub fn page_below(&self, root: Prefix, after: Prefix, limit: usize) -> Vec<Prefix> {
        self.behind(Some(after)).take_while(|prefix| root.covers(*prefix)).take(limit).collect()
    }

    fn behind(&self, after: Option<Prefix>) -> impl Iterator<Item = Prefix> {
        let mut bgp = self.table.iter_after(after).map(|(prefix, _)| prefix).peekable();
        let mut igp = self.igp.iter_after(after).map(|(prefix, _)| prefix).peekable();
        std::iter::from_fn(move || match (bgp.peek(), igp.peek()) {
            (Some(one), Some(other)) if one == other => {
                bgp.next();
                igp.next()
            }
            (Some(one), Some(other)) if one > other => igp.next(),
            (Some(_), _) => bgp.next(),
            (None, _) => igp.next(),
        })
    }

    /// Why the interior protocol's route loses to BGP's winner; `None`: it wins.
    pub(super) fn igp_loses_to(&self, own_in_igp: bool, best: &Rank) -> Option<Reason> {
        if !best.learned {
            return own_in_igp.then_some(Reason::Own);
        }
        let (this, best) = (self.distances.ospf, self.distance(best));
        match this.cmp(&best) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(Reason::Protocol),
            std::cmp::Ordering::Greater => Some(Reason::Distance { this, best }),
        }
    }

    /// Of a learned path.
    fn distance(&self, rank: &Rank) -> u8 {
        if rank.internal { self.distances.ibgp } else { self.distances.ebgp }
    }

    fn best_of<'a>(&'a self, prefix: Prefix, paths: &'a Paths) -> Option<Path<'a>> {
        if let [only] = paths.as_slice() {
            let (_, path) = self.path(prefix, only)?;
            return path.hop.is_ok().then_some(path);
        }
        let ranked = paths.iter().filter_map(|stored| self.rank(prefix, stored));
        let (_, path) = ranked.filter(|(rank, _)| !rank.unusable).min_by_key(|(rank, _)| *rank)?;
        Some(path)
    }

    /// All paths, best first.
    pub(super) fn ranked<'a>(&'a self, prefix: Prefix, paths: &'a Paths) -> Ranked<'a> {
        let mut ranked: Ranked<'a> =
            paths.iter().filter_map(|stored| self.rank(prefix, stored)).collect();
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        ranked
    }

    fn rank<'a>(&'a self, prefix: Prefix, stored: &'a Stored) -> Option<(Rank, Path<'a>)> {
        let (source, path) = self.path(prefix, stored)?;
        Some((Rank::new(&path, source), path))
    }

    fn path<'a>(&'a self, prefix: Prefix, stored: &'a Stored) -> Option<(&'a Source, Path<'a>)> {
        let family = prefix.family();
        let known = self.sources.get(&stored.source).filter(|known| known.has(family, stored))?;
        let hop = match known.source.kind {
            _ if !stored.eligible => Err(Unusable::InvalidOrigin),
            SourceKind::Local => Ok(None),
            SourceKind::Ebgp | SourceKind::Ibgp => {
                self.next_hops.get(&stored.attributes.next_hop).map(Some)
            }
        };
        let stale = known.is_stale(family, stored);
        let path = Path { source: stored.source, attributes: &stored.attributes, stale, hop };
        Some((&known.source, path))
    }
}

/// Adds the gateways of a next hop to those in use, as many as there may be; whether there was a new one.
fn share(hops: &mut Hops, reached: &Reached, max: usize) -> bool {
    let before = hops.len();
    for hop in &reached.hops {
        if hops.len() < max && !hops.contains(hop) {
            hops.push(*hop);
        }
    }
    hops.len() > before
}
