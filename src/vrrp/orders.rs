use super::router::VirtualRouter;
use super::{Order, Reason, Settings, State, Version, VirtualRouterId, Vrrp};
use crate::types::Time;

impl Vrrp {
    pub(super) fn ordered(&mut self, order: Order, now: Time) {
        match order {
            Order::Want { router, settings } => self.want(router, *settings, now),
            Order::Drop { router } => self.drop_router(router),
            Order::Adjust { router, by } => {
                let known = self.routers.iter_mut().find(|known| known.id == router);
                if let Some(router) = known {
                    router.adjusted = by;
                }
            }
            Order::Release { router, released } => self.release(router, released, now),
            Order::Announce { router } => self.announce(router, now),
            Order::Ready { ready } => self.ready = ready,
        }
        self.regroup(now);
        self.follow_links(now);
        self.settle(now);
    }

    fn want(&mut self, id: VirtualRouterId, settings: Settings, now: Time) {
        let at = match self.position(id) {
            Ok(index) => {
                let Some(router) = self.routers.get_mut(index) else { return };
                if is_same_router(&router.settings, &settings) {
                    self.configure(index, settings, now);
                    return;
                }
                let (adjusted, released) = (router.adjusted, router.released);
                router.shut_down(true, Reason::Started, now, &mut self.actions);
                let router = VirtualRouter::new(id, settings, now);
                if let Some(slot) = self.routers.get_mut(index) {
                    *slot = VirtualRouter { adjusted, released, ..router };
                }
                return;
            }
            Err(at) => at,
        };
        self.routers.insert(at, VirtualRouter::new(id, settings, now));
    }

    /// New settings that need no new beginning.
    fn configure(&mut self, index: usize, settings: Settings, now: Time) {
        let Some(router) = self.routers.get_mut(index) else { return };
        let before = std::mem::replace(&mut router.settings, settings);
        if before.interval == router.settings.interval {
            return;
        }
        match router.state {
            // The others wait for as long as they were told last.
            State::Active => router.advertise(now, &mut self.actions),
            State::Backup if router.settings.version == Version::V2 || router.active.is_none() => {
                router.active_interval = router.settings.interval;
            }
            State::Backup | State::Initialize => {}
        }
    }

    fn drop_router(&mut self, id: VirtualRouterId) {
        if let Ok(index) = self.position(id) {
            self.routers.remove(index).say_farewell(&mut self.actions);
        }
    }

    /// An Active that is to be released leaves at once, with its sync group.
    fn release(&mut self, id: VirtualRouterId, released: bool, now: Time) {
        let Ok(index) = self.position(id) else { return };
        let Some(unit) = self.routers.get(index).map(|router| router.unit) else { return };
        let before = self.routers.iter().any(|router| router.unit == unit && router.released);
        if let Some(router) = self.routers.get_mut(index) {
            router.released = released;
            if released && !before && router.state == State::Active {
                self.regroup(now);
                self.give_up(unit, Some(id), Reason::Released, now);
            }
        }
    }

    /// The addresses of an Active are on its interface.
    fn announce(&mut self, id: VirtualRouterId, now: Time) {
        let Ok(index) = self.position(id) else { return };
        let Some(router) = self.routers.get_mut(index) else { return };
        if router.state == State::Active {
            if router.claimed.is_none() {
                router.advertise(now, &mut self.actions);
            }
            let (times, interval) =
                (router.settings.announcements, router.settings.announcement_interval);
            router.announcer.start(times, interval, now);
            router.announce(&mut self.actions);
        }
    }

    /// The daemon ends.
    pub(super) fn stop(&mut self, now: Time) {
        for router in &mut self.routers {
            if router.state != State::Initialize {
                router.shut_down(true, Reason::Released, now, &mut self.actions);
            }
        }
        self.stopped = true;
        self.settle(now);
    }
}

/// Whether new settings are those of the same router to the others on the link.
fn is_same_router(before: &Settings, after: &Settings) -> bool {
    let identity = |settings: &Settings| {
        (settings.interface, settings.vrid, settings.version, settings.is_ipv6())
    };
    identity(before) == identity(after)
}
