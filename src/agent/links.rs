//! What a change of the kernel's links and addresses does to everybody else, at once: carrier loss ends what goes over the
//! link, long before a timer or TCP would.

use std::collections::BTreeMap;

use super::{Action, Agent, PeerId};
use crate::bgp;
use crate::fast;
use crate::rib::Connected;
use crate::types::Time;
use crate::vrrp;
use crate::wire::bgp::NextHop;

#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// As the lane knows them.
    told: BTreeMap<u32, vrrp::Link>,
    /// The link that a BGP neighbour is on, by index and name. It stays when only the addresses go.
    near: BTreeMap<PeerId, (u32, String)>,
    /// The kernel has told all that it had at the start.
    known: bool,
}

impl Agent {
    pub(super) fn settle_links(&mut self, now: Time) {
        if !self.fib.take_interfaces_changed() {
            return;
        }
        self.tell_lane();
        let interfaces = self.fib.interfaces();
        let connected = Connected::new(interfaces.connected(), interfaces.addresses());
        self.neighbors_on_links(&connected, now);
        // What that changes is the next portion of bulk work.
        self.rib.set_connected(connected);
        self.links_changed(now);
        self.sessions.stale = true;
        self.routers_changed(now);
    }

    /// Tells the lane of all links, whoever is on them.
    fn tell_lane(&mut self) {
        let links = self.fib.interfaces().links().map(|(index, link)| {
            let addresses = link.addresses.iter().map(|(address, _)| *address).collect();
            (index, vrrp::Link { up: link.up, addresses })
        });
        let links: BTreeMap<u32, vrrp::Link> = links.collect();
        let before = std::mem::replace(&mut self.links.told, links.clone());
        let gone = before.keys().filter(|index| !links.contains_key(*index));
        let gone = gone.map(|interface| (*interface, None));
        let changed = links.iter().filter(|(index, link)| before.get(*index) != Some(*link));
        let changed = changed.map(|(interface, link)| (*interface, Some(link.clone())));
        for (interface, link) in gone.chain(changed) {
            self.actions.push_back(Action::Fast(fast::Order::Link { interface, link }));
        }
    }

    /// The sessions of neighbours on a link that is down or gone end at once, of iBGP too; when it is back, they are
    /// dialled at once.
    fn neighbors_on_links(&mut self, connected: &Connected, now: Time) {
        let at_start = !std::mem::replace(&mut self.links.known, self.fib.is_ready());
        let (mut near, mut events) = (BTreeMap::new(), Vec::new());
        for neighbor in self.neighbors.values() {
            let before = self.links.near.get(&neighbor.id);
            let before = before.map(|(index, name)| (*index, name.clone()));
            let lost = before.as_ref().filter(|(index, _)| !self.link_is_up(*index)).cloned();
            let now_on = connected.resolve(&NextHop::from(neighbor.config.address)).ok();
            let now_on = now_on.map(|on| (on.interface, self.link_name(on.interface)));
            if let Some((_, link)) = &lost {
                events.push((neighbor.id, bgp::Event::LinkLost { link: link.clone() }));
            }
            if now_on.is_some() && (lost.is_some() || before.is_none()) && !at_start {
                events.push((neighbor.id, bgp::Event::LinkBack));
            }
            let kept = before.filter(|_| lost.is_none());
            near.extend(now_on.or(kept).map(|on| (neighbor.id, on)));
        }
        self.links.near = near;
        for (peer, event) in events {
            self.session_event(peer, event, now);
        }
    }

    fn link_is_up(&self, interface: u32) -> bool {
        self.fib.interfaces().link(interface).is_some_and(|link| link.up)
    }
}
