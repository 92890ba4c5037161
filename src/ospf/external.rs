//! What we announce: prefixes as AS-external LSAs, NSSA LSAs or stub links.
//!
//! An external has a link state id that must be different for each of ours. The prefix's first address is the usual
//! one, but 10.0.0.0/8, 10.0.0.0/16 and 10.0.0.0/32 have the same. Whoever reads it takes the prefix from id *and*
//! mask, so any address of the prefix serves (RFC 2328 Appendix E). So a prefix gets its first address, if that is
//! taken its last, and so on downwards from there; and an id that is given stays, as moving it would replace two LSAs
//! instead of one. Only a longer prefix, which has fewer addresses to choose from, puts a shorter one out if all of its
//! own are taken. What is left without any has more announcements within than addresses: that one cannot be announced,
//! by anybody, and is noted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::links::{MAX_LINK_METRIC, MAX_STUB_ANNOUNCEMENTS};
use super::{Announced, AreaKind, How, InterfaceState, NetworkKind, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{ExternalLsa, LinkKind, LsaBody, LsaKey, LsaType, Options};

/// LSInfinity - 1: the highest metric that still is one (RFC 2328 Appendix B).
const MAX_EXTERNAL_METRIC: u32 = 0xff_fffe;

/// Our announcements and the link state ids of those that are externals.
#[derive(Clone, Debug, Default)]
pub(super) struct Externals {
    announcements: BTreeMap<Ipv4Net, Announced>,
    /// How many of them are stub links.
    stubs: usize,
    /// Of externals, and of those that were until their flush is complete.
    by_id: BTreeMap<Ipv4Addr, Ipv4Net>,
    by_prefix: BTreeMap<Ipv4Net, Ipv4Addr>,
    /// Externals for which there is no id.
    without_id: BTreeSet<Ipv4Net>,
    /// Of our type 7: where traffic is to be sent to, if we have an address.
    forwarding_address: Option<Ipv4Addr>,
}

impl Externals {
    pub(super) fn ids(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.by_id.keys().copied()
    }

    fn external(&self, prefix: &Ipv4Net) -> Option<&Announced> {
        self.announcements.get(prefix).filter(|announced| announced.how != How::Stub)
    }

    /// Gives the prefix a link state id. Ids whose LSA is to change are added to `changed`.
    fn assign(&mut self, prefix: Ipv4Net, changed: &mut Vec<Ipv4Addr>) {
        if self.by_prefix.contains_key(&prefix) {
            return;
        }
        let Some(id) = self.choose(&prefix) else {
            self.without_id.insert(prefix);
            return;
        };
        let before = self.by_id.insert(id, prefix);
        self.by_prefix.insert(prefix, id);
        self.without_id.remove(&prefix);
        changed.push(id);
        if let Some(before) = before {
            self.by_prefix.remove(&before);
            if self.external(&before).is_some() {
                // Shorter than this one, so this ends.
                self.assign(before, changed);
            }
        }
    }

    /// A free address of the prefix; else one whose prefix is withdrawn; else that of the shortest prefix.
    fn choose(&self, prefix: &Ipv4Net) -> Option<Ipv4Addr> {
        let (first, last) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
        let candidates =
            || [first].into_iter().chain((first..=last).rev()).map(Ipv4Addr::from_bits);
        let mut fallback: Option<(u8, Ipv4Addr)> = None;
        for id in candidates() {
            let Some(holder) = self.by_id.get(&id) else { return Some(id) };
            let length = match self.external(holder) {
                Some(_) => holder.prefix_len() + 1,
                None => 0,
            };
            if length <= prefix.prefix_len() && fallback.is_none_or(|(best, _)| length < best) {
                fallback = Some((length, id));
            }
        }
        fallback.map(|(_, id)| id)
    }

    /// The LSA of this id is gone from all databases, or was never sent.
    fn release(&mut self, id: Ipv4Addr, changed: &mut Vec<Ipv4Addr>) {
        let withdrawn = self.by_id.get(&id).copied().filter(|p| self.external(p).is_none());
        let Some(prefix) = withdrawn else { return };
        self.by_id.remove(&id);
        self.by_prefix.remove(&prefix);
        for waiting in std::mem::take(&mut self.without_id) {
            self.assign(waiting, changed);
        }
    }
}

impl Router {
    pub(super) fn announcement_changed(
        &mut self,
        prefix: Ipv4Net,
        announced: Option<Announced>,
        _now: Time,
    ) {
        let prefix = prefix.trunc();
        let externals = &mut self.origination.externals;
        let before = match announced {
            Some(announced) => externals.announcements.insert(prefix, announced),
            None => externals.announcements.remove(&prefix),
        };
        if before == announced {
            return;
        }
        let is_stub = |announced: Option<Announced>| announced.is_some_and(|a| a.how == How::Stub);
        let (was_stub, stub) = (is_stub(before), is_stub(announced));
        externals.stubs += usize::from(stub);
        externals.stubs -= usize::from(was_stub);
        if stub && !was_stub && externals.stubs > MAX_STUB_ANNOUNCEMENTS {
            let text = format!(
                "{prefix} is one stub link too many: the router-LSA has room for {MAX_STUB_ANNOUNCEMENTS}, and not all \
                 are announced; announce some as external"
            );
            self.note("ospf".to_owned(), text, true);
        }
        self.gathered();
        if was_stub || stub {
            let router = self.router_key();
            self.origination.stale.insert(router);
        }
        let external = announced.is_some_and(|announced| announced.how != How::Stub);
        let kind = self.external_type();
        let externals = &mut self.origination.externals;
        let had_no_id = externals.without_id.clone();
        let mut changed = Vec::new();
        if external {
            externals.assign(prefix, &mut changed);
        } else {
            externals.without_id.remove(&prefix);
        }
        let have_no_id: Vec<_> = externals.without_id.difference(&had_no_id).copied().collect();
        if let Some(&id) = self.origination.externals.by_prefix.get(&prefix) {
            changed.push(id);
            let sent = self.database.get(&self.own_key(kind, id)).is_some();
            if !external && !sent {
                self.origination.externals.release(id, &mut changed);
            }
        }
        self.externals_stale(changed);
        for prefix in have_no_id {
            let text = format!(
                "{prefix} cannot be announced: each of its addresses is the link state id of an announcement within \
                 it; withdraw one of those (RFC 2328 Appendix E)"
            );
            self.note("ospf".to_owned(), text, true);
        }
    }

    /// The flush of our external with this id is complete.
    pub(super) fn external_removed(&mut self, id: Ipv4Addr) {
        let mut changed = Vec::new();
        self.origination.externals.release(id, &mut changed);
        self.externals_stale(changed);
    }

    fn externals_stale(&mut self, ids: Vec<Ipv4Addr>) {
        let kind = self.external_type();
        let keys: Vec<_> = ids.into_iter().map(|id| self.own_key(kind, id)).collect();
        self.origination.stale.extend(keys);
    }

    /// What our externals are in this area.
    pub(super) fn external_type(&self) -> LsaType {
        match self.settings.area.kind {
            AreaKind::Nssa => LsaType::NSSA,
            AreaKind::Normal | AreaKind::Stub => LsaType::EXTERNAL,
        }
    }

    /// What our external with this id is to say.
    pub(super) fn external_lsa(&self, id: Ipv4Addr) -> Option<(Options, LsaBody)> {
        let externals = &self.origination.externals;
        let prefix = externals.by_id.get(&id)?;
        let announced = self.effective(externals.external(prefix)?);
        let (options, forwarding_address) = match self.settings.area.kind {
            AreaKind::Normal => (Options::EXTERNAL, Ipv4Addr::UNSPECIFIED),
            // Without an address to forward to it may not be translated (RFC 3101 §2.3).
            AreaKind::Nssa => match externals.forwarding_address {
                Some(address) => (Options::NSSA, address),
                None => (Options::default(), Ipv4Addr::UNSPECIFIED),
            },
            AreaKind::Stub => return None,
        };
        let external = ExternalLsa {
            mask: prefix.netmask(),
            type_2: announced.how == How::External2,
            metric: announced.metric,
            forwarding_address,
            tag: announced.tag,
        };
        Some((options, LsaBody::External(external)))
    }

    /// What goes out of an announcement: while we start, neighbours may have older LSAs of ours and send us traffic that
    /// we have no routes for, so the metric is the worst one.
    fn effective(&self, announced: &Announced) -> Announced {
        let worst = match announced.how {
            How::Stub => MAX_LINK_METRIC.into(),
            How::External1 | How::External2 => MAX_EXTERNAL_METRIC,
        };
        let metric = if self.is_starting() { worst } else { announced.metric.min(worst) };
        Announced { metric, ..*announced }
    }

    /// Prefixes announced as stub links, with their metrics.
    pub(super) fn stub_announcements(&self) -> impl Iterator<Item = (Ipv4Net, u16)> + '_ {
        let announcements = self.origination.externals.announcements.iter();
        announcements
            .filter(|(_, announced)| announced.how == How::Stub)
            .take(MAX_STUB_ANNOUNCEMENTS)
            .map(|(&prefix, announced)| {
                let metric = self.effective(announced).metric;
                (prefix, u16::try_from(metric).unwrap_or(MAX_LINK_METRIC))
            })
    }

    /// RFC 3101 §2.3: an address of ours in the area, that of a loopback if there is one.
    pub(super) fn forwarding_address_changed(&mut self) {
        if self.settings.area.kind != AreaKind::Nssa {
            return;
        }
        let address = self
            .interfaces
            .values()
            .filter(|interface| interface.state != InterfaceState::Down)
            .filter_map(|interface| {
                let (address, _) = interface.address?;
                Some((interface.settings.network != NetworkKind::Loopback, address))
            })
            .filter(|(_, address)| !address.is_loopback())
            .min()
            .map(|(_, address)| address);
        if address != self.origination.externals.forwarding_address {
            self.origination.externals.forwarding_address = address;
            self.externals_stale(self.origination.externals.ids().collect());
        }
    }

    /// What we are to announce for a prefix, as [`super::Event::AnnouncementChanged`] said last.
    pub fn wanted(&self, prefix: Ipv4Net) -> Option<Announced> {
        self.origination.externals.announcements.get(&prefix.trunc()).copied()
    }

    /// What is announced for a prefix, with the LSA that says so; and until when that has to wait, if it does.
    pub fn announced(&self, prefix: Ipv4Net) -> Option<(LsaKey, Announced, Option<Time>)> {
        let prefix = prefix.trunc();
        let externals = &self.origination.externals;
        let announced = self.effective(externals.announcements.get(&prefix)?);
        let key = match announced.how {
            How::Stub => self.router_key(),
            How::External1 | How::External2 => {
                self.own_key(self.external_type(), *externals.by_prefix.get(&prefix)?)
            }
        };
        Some((key, announced, self.origination.pacing.waiting.get(key)))
    }

    /// Neighbours in Exchange or greater that have not acknowledged what is announced for the prefix now, or that it is
    /// not announced any more; all of them while that waits to be sent.
    pub fn unacknowledged(&self, prefix: Ipv4Net, _now: Time) -> Vec<(u32, RouterId)> {
        let prefix = prefix.trunc();
        let externals = &self.origination.externals;
        let announced = externals.announcements.get(&prefix);
        let external = externals.by_prefix.get(&prefix);
        let stub = announced.is_some_and(|announced| announced.how == How::Stub);
        let external = external.map(|&id| self.own_key(self.external_type(), id));
        // What was a stub link and is withdrawn has left no trace but the router-LSA.
        let router = (stub || external.is_none()).then(|| self.router_key());
        let mut neighbors = BTreeSet::new();
        for key in external.into_iter().chain(router) {
            let waits = self.origination.stale.contains(&key)
                || self.origination.pacing.waiting.get(key).is_some()
                || self.database.get(&key).is_none();
            if waits && !(stub && self.says_stub(prefix)) {
                return self.exchanging_or_more().collect();
            }
            neighbors.extend(self.unacknowledged_of(key));
        }
        neighbors.into_iter().collect()
    }

    /// Whether our router-LSA has the stub link as it is announced now, whatever else of it has to wait.
    fn says_stub(&self, prefix: Ipv4Net) -> bool {
        let announced = self.origination.externals.announcements.get(&prefix);
        let wanted = announced.map(|announced| self.effective(announced).metric);
        let Some(entry) = self.database.get(&self.router_key()) else { return false };
        let LsaBody::Router(router) = &entry.lsa.body else { return false };
        router.links.iter().any(|link| {
            link.kind == LinkKind::Stub
                && link.id == prefix.network()
                && link.data == prefix.netmask()
                && Some(u32::from(link.metric)) == wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: [&str; 7] = [
        "10.0.0.0/8",
        "10.0.0.0/16",
        "10.0.0.0/24",
        "10.0.0.0/32",
        "10.255.255.255/32",
        "10.0.255.255/32",
        "10.0.0.255/32",
    ];

    fn announce(externals: &mut Externals, prefix: Ipv4Net) {
        let announced = Announced { metric: 1, how: How::External2, tag: 0 };
        externals.announcements.insert(prefix, announced);
        externals.assign(prefix, &mut Vec::new());
    }

    fn withdraw(externals: &mut Externals, prefix: Ipv4Net) {
        externals.announcements.remove(&prefix);
        externals.without_id.remove(&prefix);
        if let Some(&id) = externals.by_prefix.get(&prefix) {
            externals.release(id, &mut Vec::new());
        }
    }

    /// Each announcement has an id of its own within itself.
    fn check(externals: &Externals) {
        assert_eq!(externals.by_prefix.len(), externals.announcements.len());
        for prefix in externals.announcements.keys() {
            let id = externals.by_prefix[prefix];
            assert!(prefix.contains(&id), "{prefix} has {id}");
            assert_eq!(externals.by_id[&id], *prefix);
        }
    }

    /// All orders of `items`, by Heap's algorithm.
    fn orders(items: &mut Vec<Ipv4Net>, count: usize, seen: &mut impl FnMut(&[Ipv4Net])) {
        if count <= 1 {
            return seen(items);
        }
        for index in 0..count {
            orders(items, count - 1, seen);
            items.swap(if count.is_multiple_of(2) { index } else { 0 }, count - 1);
        }
    }

    #[test]
    fn colliding_prefixes_have_ids_of_their_own_in_every_order() {
        let mut prefixes: Vec<Ipv4Net> = FIRST.iter().map(|text| text.parse().unwrap()).collect();
        let count = prefixes.len();
        let mut tried = 0;
        orders(&mut prefixes, count, &mut |order| {
            let mut externals = Externals::default();
            for prefix in order {
                announce(&mut externals, *prefix);
                check(&externals);
            }
            // Out in another order than in.
            for step in 0..count {
                withdraw(&mut externals, order[(step * 3 + tried) % count]);
                check(&externals);
            }
            assert!(externals.by_id.is_empty());
            tried += 1;
        });
        assert_eq!(tried, 5040);
    }

    #[test]
    fn an_id_that_is_given_stays_unless_a_longer_prefix_has_no_other() {
        let mut externals = Externals::default();
        let [short, long, host] =
            ["10.0.0.0/16", "10.0.0.0/24", "10.0.0.255/32"].map(|text| text.parse().unwrap());
        announce(&mut externals, short);
        announce(&mut externals, long);
        assert_eq!(externals.by_prefix[&short], Ipv4Addr::new(10, 0, 0, 0));
        assert_eq!(externals.by_prefix[&long], Ipv4Addr::new(10, 0, 0, 255));
        announce(&mut externals, host);
        assert_eq!(externals.by_prefix[&host], Ipv4Addr::new(10, 0, 0, 255));
        assert_eq!(externals.by_prefix[&long], Ipv4Addr::new(10, 0, 0, 254));
        withdraw(&mut externals, short);
        assert_eq!(externals.by_prefix[&long], Ipv4Addr::new(10, 0, 0, 254));
    }
}
