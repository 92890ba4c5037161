//! What the model makes of dumps and of links, and the walks over all routes that follow.

use std::time::Duration;

use super::{Entry, Fib, Scan};
use crate::fib::{Fate, Hop, Observed};
use crate::types::{Prefix, Time};

/// Reasons to scan that come in a burst make one scan.
const PAUSE: Duration = Duration::from_secs(1);
/// Routes that one call of [`Fib::poll`] looks at again, if many are to be looked at.
const PORTION: usize = 4096;

impl Fib {
    /// Looks at all entries again, a portion at a time.
    pub(super) fn review_all(&mut self) {
        self.review = Some(None);
        self.unblock_forgotten();
    }

    pub(super) fn review_some(&mut self) {
        let Some(after) = self.review else { return };
        let entries = self.table.iter_after(after).take(PORTION);
        let portion: Vec<(Prefix, bool)> =
            entries.map(|(prefix, entry)| (prefix, self.is_gone(entry))).collect();
        self.review =
            portion.last().filter(|_| portion.len() == PORTION).map(|(last, _)| Some(*last));
        for (prefix, gone) in portion {
            match gone {
                true => self.lose(prefix, self.settings.metric),
                false => self.settle(prefix),
            }
        }
    }

    /// It is thought to be in the kernel, but the last dump has not shown it, or what it leads to is no more.
    fn is_gone(&self, entry: &Entry) -> bool {
        let Some(way) = entry.observed else { return false };
        let unseen = entry.round != self.complete && entry.round != self.round;
        unseen || (way.is_object() && !self.objects.is_there(way.0.get()))
    }

    pub(super) fn observe_interface(&mut self, observed: &Observed, now: Time) {
        if let Some(dump) = &mut self.dump {
            dump.interfaces.observe(observed);
        }
        if !self.interfaces.observe(observed) {
            return;
        }
        self.interfaces_have_changed();
        match observed {
            Observed::Link { up: true, .. } | Observed::Address { .. } => {}
            // The kernel may have dropped routes over it without telling.
            Observed::Link { index, .. } | Observed::LinkGone { index } => {
                self.link_lost(*index);
                self.request_scan(now);
            }
            _ => self.request_scan(now),
        }
    }

    /// The kernel has taken the link's hops out of all groups, and those that had no others with all their routes.
    fn link_lost(&mut self, interface: u32) {
        self.rewrite(|leg| {
            let on_link = |hop: &Hop| hop.interface == interface;
            match leg.hops.as_slice().iter().any(on_link) {
                true => {
                    let left = leg.hops.as_slice().iter().filter(|hop| !on_link(hop));
                    Fate::Moved(left.copied().collect())
                }
                false => Fate::Kept,
            }
        });
        if self.objects.link_lost(interface) {
            self.review_all();
        }
    }

    /// What failed may work now.
    fn interfaces_have_changed(&mut self) {
        self.interfaces_changed = true;
        let waiting: Vec<Prefix> = self.retries.end_waits().collect();
        waiting.into_iter().for_each(|prefix| self.make_dirty(prefix));
        self.objects.end_waits();
    }

    pub(super) fn finish_dump(&mut self, now: Time) {
        let Some(dump) = self.dump.take() else { return };
        if self.interfaces != dump.interfaces {
            self.interfaces = dump.interfaces;
            self.interfaces_have_changed();
        }
        self.objects.dump_done();
        let round = self.round;
        let strays = self.strays.iter().filter(|(_, seen)| **seen != round);
        let lost: Vec<(Prefix, u32)> = strays.map(|(key, _)| *key).collect();
        for (prefix, metric) in lost {
            self.lose(prefix, metric);
        }
        self.complete = round;
        self.review_all();
        self.ready = true;
        let pause = match self.scan {
            Scan::Running { again: true } => PAUSE,
            _ => self.settings.rescan,
        };
        self.scan = Scan::At(now + pause);
    }

    pub(super) fn request_scan(&mut self, now: Time) {
        self.scan = match self.scan {
            Scan::At(at) => Scan::At(at.min(now + PAUSE)),
            Scan::Due => Scan::Due,
            Scan::Running { .. } => Scan::Running { again: true },
        };
    }
}
