//! What-if for the area when several routers change what they announce, one change behind the other.

use ipnet::Ipv4Net;

use super::Router;
use super::plan::{Announcing, Way};
use super::table::Candidates;
use crate::types::{RouterId, Time};

/// What the routers of the area do with the traffic for these prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moves {
    /// All that are treated alike.
    pub prefixes: Vec<Ipv4Net>,
    /// Those that we reach, ourselves included, by router id.
    pub routers: Vec<MovedRouter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedRouter {
    pub router_id: RouterId,
    /// Now, and after each change; those to the first of the prefixes. `None`: it has no route there.
    pub ways: Vec<Option<Way>>,
}

/// The announcements that decide at each moment; with the prefix, unless they are of the one that is asked for.
type Deciding = Vec<Option<(Option<Ipv4Net>, Candidates)>>;

impl Router {
    /// What would come of each change, on the database as it is now otherwise. Changes nothing. Prefixes that the same
    /// routers announce in the same way are looked at once.
    pub fn moves(&self, changes: &[(Ipv4Net, Vec<Announcing>)], now: Time) -> Vec<Moves> {
        self.with_area(now, |area| {
            let mut alike: Vec<(Deciding, Vec<Ipv4Net>)> = Vec::new();
            for (prefix, moments) in changes {
                let insteads = moments.iter().map(|m| Some(self.instead(&area.view, *prefix, m)));
                let deciding: Deciding = std::iter::once(None)
                    .chain(insteads)
                    .map(|instead| {
                        let (matched, candidates) = area.matched(*prefix, instead.as_ref())?;
                        Some(((matched != *prefix).then_some(matched), candidates))
                    })
                    .collect();
                match alike.iter_mut().find(|(known, _)| *known == deciding) {
                    Some((_, prefixes)) => prefixes.push(*prefix),
                    None => alike.push((deciding, vec![*prefix])),
                }
            }
            let moves = |(deciding, prefixes): (Deciding, Vec<Ipv4Net>)| {
                let first = prefixes.first().copied().unwrap_or_default();
                let ways: Vec<_> = deciding
                    .into_iter()
                    .map(|deciding| match deciding {
                        Some((matched, candidates)) => {
                            area.ways_to(matched.unwrap_or(first), candidates)
                        }
                        None => Default::default(),
                    })
                    .collect();
                let routers = area.reached().map(|(at, router_id)| MovedRouter {
                    router_id,
                    ways: ways.iter().map(|ways| ways.get(&at).cloned()).collect(),
                });
                Moves { routers: routers.collect(), prefixes }
            };
            alike.into_iter().map(moves).collect()
        })
    }
}
