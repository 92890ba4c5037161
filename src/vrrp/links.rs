use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Action, Link, Reason, Settings, State, Vrrp};
use crate::types::Time;

/// The kernel's interfaces by their indexes, and where we listen.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    known: BTreeMap<u32, Link>,
    /// By interface, and whether for IPv6.
    sockets: BTreeMap<(u32, bool), Socket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Asked,
    Open,
    Failed,
}

impl Links {
    fn is_up(&self, interface: u32) -> bool {
        self.known.get(&interface).is_some_and(|link| link.up)
    }

    /// The address that a virtual router sends from, or why it cannot be run.
    fn usable(
        &self,
        settings: &Settings,
        is_virtual: impl Fn(&IpAddr) -> bool,
    ) -> Result<IpAddr, Reason> {
        let primary = self.primary(settings, is_virtual).ok_or(Reason::NoLink)?;
        match self.sockets.get(&(settings.interface, settings.is_ipv6())) {
            Some(Socket::Open) => Ok(primary),
            Some(Socket::Failed) => Err(Reason::NoSocket),
            Some(Socket::Asked) | None => Err(Reason::Started),
        }
    }

    /// The primary IPvX address (RFC 9568 §1.7): of all that are really the interface's, the one that is configured, or
    /// else the first. For IPv6 that is the link-local one (§7.2). `None`: the virtual router cannot be run.
    fn primary(&self, settings: &Settings, is_virtual: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
        let link = self.known.get(&settings.interface).filter(|link| link.up)?;
        let usable = |address: &&IpAddr| match (address, settings.source) {
            (address, Some(source)) => **address == source,
            (IpAddr::V4(_), None) => !settings.is_ipv6(),
            (IpAddr::V6(v6), None) => settings.is_ipv6() && v6.is_unicast_link_local(),
        };
        link.addresses.iter().filter(usable).find(|address| !is_virtual(address)).copied()
    }
}

impl Vrrp {
    pub(super) fn set_link(&mut self, interface: u32, link: Option<Link>, now: Time) {
        match link {
            Some(link) => self.links.known.insert(interface, link),
            None => self.links.known.remove(&interface),
        };
        self.follow_links(now);
    }

    pub(super) fn set_socket(&mut self, interface: u32, ipv6: bool, open: bool, now: Time) {
        // One that was given up meanwhile is nobody's.
        if let Some(socket) = self.links.sockets.get_mut(&(interface, ipv6)) {
            *socket = if open { Socket::Open } else { Socket::Failed };
            self.follow_links(now);
        }
    }

    /// Starts every virtual router whose interface can be used now, and shuts down those whose cannot any more.
    pub(super) fn follow_links(&mut self, now: Time) {
        for index in 0..self.routers.len() {
            let Some(router) = self.routers.get(index) else { continue };
            let interface = router.settings.interface;
            // An address that an owner lends is the interface's own.
            let is_virtual = |address: &IpAddr| {
                self.routers.iter().any(|router| {
                    router.settings.interface == interface
                        && router.settings.priority != 255
                        && router.settings.addresses.contains(address)
                })
            };
            let usable = self.links.usable(&router.settings, is_virtual);
            let farewell = self.links.is_up(interface);
            let Some(router) = self.routers.get_mut(index) else { continue };
            match (router.state, usable) {
                (State::Initialize, Ok(primary)) => {
                    router.primary = Some(primary);
                    router.start(now, &mut self.actions);
                }
                (State::Backup | State::Active, Ok(primary)) => router.primary = Some(primary),
                (State::Initialize, Err(why)) if router.reason == why => {}
                (_, Err(why)) => {
                    // It says farewell from the address that it had.
                    router.shut_down(farewell, why, now, &mut self.actions);
                    router.primary = None;
                }
            }
        }
        self.follow_sockets();
    }

    /// Listens on every interface that is there and has a virtual router of the family.
    fn follow_sockets(&mut self) {
        let wanted: BTreeSet<(u32, bool)> = self
            .routers
            .iter()
            .map(|router| (router.settings.interface, router.settings.is_ipv6()))
            .filter(|(interface, _)| self.links.known.contains_key(interface))
            .collect();
        let sockets = &mut self.links.sockets;
        sockets.retain(|&(interface, ipv6), _| {
            let kept = wanted.contains(&(interface, ipv6));
            if !kept {
                self.actions.push_back(Action::Close { interface, ipv6 });
            }
            kept
        });
        for (interface, ipv6) in wanted {
            if let Entry::Vacant(socket) = sockets.entry((interface, ipv6)) {
                socket.insert(Socket::Asked);
                self.actions.push_back(Action::Open { interface, ipv6 });
            }
        }
    }
}
