//! The kernel's side of the virtual routers: macvlans, addresses, settings of interfaces, and a packet filter.
//!
//! One thread does all of it, so that neither the agent nor the lane waits for the kernel's lock on its network devices. It
//! has a netlink socket of its own; a takeover is one system call of one batch. Whatever was told last about a virtual
//! router is what is made so, and each order is answered with what is the case then.
//!
//! - **With a virtual MAC**: a macvlan from configuration on, which is down while the virtual router is Backup. A macvlan
//!   that is up takes what is addressed to its MAC, which a switch floods, and would route it twice. Active: up, then
//!   the addresses. Back: the addresses away, which is told, and then down, which takes the kernel up to 15 ms. Until then
//!   nothing waits for it.
//! - **With the physical MAC**: the addresses come to the interface itself.
//!
//! **What an earlier life left behind** is removed at the start, before anything else: macvlans by their alias, which also
//! keeps the settings of the interface below (see macvlan.rs), addresses by their protocol. They are not taken over: who
//! dies is not Active any more, and another node is.
//!
//! **What others remove** is seen (watch.rs) and told as not assigned, so that the agent can act. While shuntd is dead or does
//! not live, the guardian removes the addresses.

mod change;
mod filter;
mod macvlan;
mod netlink;
mod sysctl;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

pub use change::{Change, LinkAddress};
pub use netlink::Netlink;

use super::guardian::{Beat, Guardian, Kept};
use crate::agent::{Event, VirtualAddresses};
use crate::vrrp::VirtualRouterId;
use filter::Filter;
use netlink::Held;
use sysctl::Before;

/// The way to the thread. Dropped, it waits until nothing of ours is left in the kernel.
pub struct Addresses {
    orders: Sender<Input>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the thread is told.
enum Input {
    Set {
        router: VirtualRouterId,
        wanted: Option<Box<VirtualAddresses>>,
    },
    /// Something happened to this link, or perhaps to any.
    Suspect(Option<u32>),
    GuardianEnded,
    Stop,
}

impl Addresses {
    /// Starts the thread, which at first removes what an earlier life has left. `program` is run as the guardian, with
    /// [`super::guardian::ARGUMENT`]; `tell` gets [`Event::AddressesSet`], and may wait.
    ///
    /// # Errors
    /// No netlink socket, pipe or thread.
    pub fn start(
        program: PathBuf,
        tell: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<(Addresses, Beat)> {
        let (orders, inputs) = channel();
        let ended = orders.clone();
        let (guardian, beat) = Guardian::new(program, move || {
            // An error says that the daemon ends.
            let _ = ended.send(Input::GuardianEnded);
        })?;
        let suspect = orders.clone();
        watch::start(move |index| suspect.send(Input::Suspect(index)).is_ok())?;
        let worker = Worker {
            netlink: Netlink::open()?,
            guardian,
            filter: Filter::default(),
            routers: BTreeMap::new(),
            below: BTreeMap::new(),
            tell: Box::new(tell),
        };
        let builder = thread::Builder::new().name("addresses".to_owned());
        let thread = Some(builder.spawn(move || worker.run(&inputs))?);
        Ok((Addresses { orders, thread }, beat))
    }

    /// Makes it so, and tells.
    pub fn set(&self, router: VirtualRouterId, wanted: Option<Box<VirtualAddresses>>) {
        // The thread lives as long as this does.
        let _ = self.orders.send(Input::Set { router, wanted });
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        let _ = self.orders.send(Input::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    netlink: Netlink,
    guardian: Guardian,
    filter: Filter,
    routers: BTreeMap<VirtualRouterId, Router>,
    /// What interfaces with IPv4 virtual routers were like before, by index.
    below: BTreeMap<u32, Below>,
    tell: Box<dyn FnMut(Event) + Send>,
}

struct Router {
    wanted: Box<VirtualAddresses>,
    /// With a virtual MAC, once it is made.
    macvlan: Option<Macvlan>,
    /// What the kernel has of it.
    assigned: Vec<IpAddr>,
}

struct Macvlan {
    index: u32,
    name: String,
    is_up: bool,
}

struct Below {
    name: String,
    before: Before,
}

impl Router {
    /// The interface that gets the addresses.
    fn index(&self) -> u32 {
        self.macvlan.as_ref().map_or(self.wanted.interface, |macvlan| macvlan.index)
    }

    fn on_link(&self, address: IpAddr) -> LinkAddress {
        LinkAddress { index: self.index(), is_macvlan: self.macvlan.is_some(), address }
    }

    fn is_assigned(&self) -> bool {
        !self.assigned.is_empty()
    }

    fn is_to_go_down(&self) -> bool {
        !self.is_assigned() && self.macvlan.as_ref().is_some_and(|macvlan| macvlan.is_up)
    }

    /// Whether it only has to change its addresses to become this one.
    fn is_like(&self, wanted: &VirtualAddresses) -> bool {
        let key = |all: &VirtualAddresses| {
            (all.interface, all.mac, all.vrid, macvlan::is_ipv6(all), all.name.clone())
        };
        key(&self.wanted) == key(wanted)
    }
}

impl Worker {
    fn run(mut self, inputs: &Receiver<Input>) {
        if let Err(error) = self.sweep() {
            tracing::warn!("what an earlier life may have left of virtual routers stays: {error}");
        }
        while let Some(input) = self.next(inputs) {
            match input {
                Input::Set { router, wanted } => {
                    let result = self.set(router, wanted);
                    let assigned = self.routers.get(&router).is_some_and(Router::is_assigned);
                    (self.tell)(Event::AddressesSet { router, assigned, result });
                }
                Input::Suspect(index) => self.verify(index),
                Input::GuardianEnded => self.restart_guardian(),
                Input::Stop => break,
            }
        }
        let all: Vec<VirtualRouterId> = self.routers.keys().copied().collect();
        for router in all {
            if let Err(error) = self.set(router, None) {
                tracing::warn!("at the end: {error}");
            }
        }
    }

    /// Waits for the next order, and has the macvlans that are out of use down while there is none.
    fn next(&mut self, inputs: &Receiver<Input>) -> Option<Input> {
        loop {
            match inputs.try_recv() {
                Ok(input) => return Some(input),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let idle = self.routers.iter().find(|(_, router)| router.is_to_go_down());
            let Some((&id, _)) = idle else { return inputs.recv().ok() };
            self.set_down(id);
        }
    }

    fn set_down(&mut self, id: VirtualRouterId) {
        let Some(router) = self.routers.get_mut(&id) else { return };
        let Some(macvlan) = &mut router.macvlan else { return };
        macvlan.is_up = false;
        match self.netlink.apply(&[Change::Down { index: macvlan.index }]) {
            Ok(()) => self.guardian.forget(id),
            Err(refusal) => {
                let result = Err(format!("{}: {}", macvlan.name, refusal.text));
                (self.tell)(Event::AddressesSet { router: id, assigned: false, result });
            }
        }
    }

    /// Removes the macvlans and addresses of an earlier life, and restores the settings below them.
    fn sweep(&mut self) -> Result<(), String> {
        let links = self.netlink.links().map_err(|error| error.to_string())?;
        let held = self.netlink.addresses().map_err(|error| error.to_string())?;
        let mut changes = Vec::new();
        let mut below = BTreeMap::new();
        for link in &links {
            let Some(before) = link.alias.as_deref().and_then(macvlan::read_alias) else {
                continue;
            };
            tracing::info!("removes {}, which an earlier life has left", link.name);
            changes.push(Change::Delete { index: link.index });
            let name = links.iter().find(|other| Some(other.index) == link.parent);
            below.extend(name.map(|other| other.name.clone()).zip(before));
        }
        // Those of the macvlans go with them.
        for &Held { index, address, .. } in held.iter().filter(|held| held.ours) {
            changes.push(Change::Remove(LinkAddress { index, is_macvlan: false, address }));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.netlink.apply(&changes).map_err(|refusal| refusal.text)?;
        for (name, before) in below {
            before.restore(&name)?;
        }
        self.filter.sweep()
    }

    fn set(
        &mut self,
        id: VirtualRouterId,
        wanted: Option<Box<VirtualAddresses>>,
    ) -> Result<(), String> {
        let mut removed = Ok(());
        let mut router = self.routers.remove(&id);
        if let Some(old) = &mut router
            && wanted.as_ref().is_none_or(|wanted| !old.is_like(wanted))
        {
            removed = self.remove(id, old);
            router = None;
        }
        let Some(wanted) = wanted else {
            return removed.and(self.set_filter(None));
        };
        // Now, as there is time. It is needed when they are assigned.
        self.guardian.ensure();
        let filtered = self.set_filter(Some(&wanted));
        let mut router = match router {
            Some(old) => Router { wanted, ..old },
            None => Router { wanted, macvlan: None, assigned: Vec::new() },
        };
        let made = self.make(id, &mut router);
        self.routers.insert(id, router);
        removed.and(made).and(filtered)
    }

    /// What is not accepted is dropped; `changed` counts beside the others.
    fn set_filter(&mut self, changed: Option<&VirtualAddresses>) -> Result<(), String> {
        let others = self.routers.values().map(|router| &*router.wanted);
        let dropping = others.chain(changed).filter(|wanted| !wanted.accept);
        self.filter.set(dropping.flat_map(|wanted| wanted.addresses.iter().copied()).collect())
    }

    fn make(&mut self, id: VirtualRouterId, router: &mut Router) -> Result<(), String> {
        let before = self.before(&router.wanted)?;
        self.ensure_macvlan(router, before)?;
        self.prepare_below(&router.wanted, before)?;
        if !router.wanted.assigned {
            return self.unassign(id, router);
        }
        match self.assign(id, router) {
            Err(Refused { is_gone: true, .. }) if router.macvlan.is_some() => {
                // Somebody else has removed the macvlan.
                router.macvlan = None;
                router.assigned.clear();
                self.ensure_macvlan(router, before)?;
                self.assign(id, router).map_err(|refused| refused.text)
            }
            result => result.map_err(|refused| refused.text),
        }
    }

    /// What the interface was like before its first IPv4 virtual router.
    fn before(&self, wanted: &VirtualAddresses) -> Result<Option<Before>, String> {
        if macvlan::is_ipv6(wanted) {
            return Ok(None);
        }
        let known = self.below.get(&wanted.interface).map(|below| Ok(below.before));
        let before = known.unwrap_or_else(|| Before::of(&wanted.interface_name));
        before.map(Some).map_err(|error| format!("{}: {error}", wanted.interface_name))
    }

    /// After the macvlan was made, whose alias keeps what was before. With a physical MAC a crash leaves the little that is
    /// changed.
    fn prepare_below(
        &mut self,
        wanted: &VirtualAddresses,
        before: Option<Before>,
    ) -> Result<(), String> {
        let Some(before) = before else { return Ok(()) };
        let name = wanted.interface_name.clone();
        before.prepare(&name, wanted.mac.is_some())?;
        self.below.entry(wanted.interface).or_insert(Below { name, before });
        Ok(())
    }

    /// Makes the macvlan, if there is to be one and is none.
    fn ensure_macvlan(
        &mut self,
        router: &mut Router,
        before: Option<Before>,
    ) -> Result<(), String> {
        let wanted = &router.wanted;
        let (Some(mac), None) = (wanted.mac, &router.macvlan) else { return Ok(()) };
        let (parent, below) = (wanted.interface, wanted.interface_name.as_str());
        let problem = |text: String| format!("{below}: {text}");
        let ipv6 = macvlan::is_ipv6(wanted);
        let alias = macvlan::alias(&wanted.name, before);
        let mut made = Err(String::new());
        for name in macvlan::names(wanted) {
            let changes = [
                Change::CreateMacvlan { name: name.clone(), parent, mac },
                Change::Describe { name: name.clone(), alias: alias.clone() },
            ];
            // One by one: the second must not be done to what somebody else has made.
            let result = self.netlink.apply(&changes[..1]);
            let is_taken = matches!(&result, Err(refusal) if refusal.errno == libc::EEXIST);
            made = result
                .and_then(|()| self.netlink.apply(&changes[1..]))
                .map(|()| name)
                .map_err(|refusal| refusal.text);
            if !is_taken {
                break;
            }
        }
        let name = made.map_err(problem)?;
        let index = nix::net::if_::if_nametoindex(name.as_str())
            .map_err(|error| problem(format!("{name}: {error}")))?;
        let prepared = macvlan::prepare(&name, below, ipv6);
        router.macvlan = Some(Macvlan { index, name, is_up: false });
        if prepared.is_err() {
            // To be made anew when it is wanted again.
            let _ = self.delete_macvlan(router);
        }
        prepared
    }

    fn assign(&mut self, id: VirtualRouterId, router: &mut Router) -> Result<(), Refused> {
        let index = router.index();
        let wanted = &router.wanted;
        // Before the kernel has them: there is no moment in which nobody would remove them.
        self.guardian.keep(&Kept {
            router: id,
            index,
            is_macvlan: router.macvlan.is_some(),
            addresses: wanted.addresses.clone(),
            deadman: wanted.deadman,
        });
        let mut changes = Vec::new();
        if let Some(macvlan) = &mut router.macvlan {
            macvlan.is_up = true;
            changes.push(Change::Up { index });
        }
        let stale = router.assigned.iter().filter(|old| !wanted.addresses.contains(old));
        changes.extend(stale.map(|&old| Change::Remove(router.on_link(old))));
        changes.extend(wanted.addresses.iter().map(|&new| Change::Add(router.on_link(new))));
        router.assigned.clone_from(&wanted.addresses);
        if let Err(refusal) = self.netlink.apply(&changes) {
            // All or nothing: the others of the segment must not get answers from half a virtual router.
            let _ = self.unassign(id, router);
            let is_gone = refusal.errno == libc::ENODEV;
            let text = format!("{}: {}", router.wanted.interface_name, refusal.text);
            return Err(Refused { is_gone, text });
        }
        if let Some(macvlan) = &router.macvlan {
            // Again, as it may have changed below since the macvlan was made.
            let ipv6 = macvlan::is_ipv6(&router.wanted);
            macvlan::forward_like(&macvlan.name, &router.wanted.interface_name, ipv6)
                .map_err(|text| Refused { is_gone: false, text })?;
        }
        Ok(())
    }

    fn unassign(&mut self, id: VirtualRouterId, router: &mut Router) -> Result<(), String> {
        if !router.is_assigned() {
            return Ok(());
        }
        let removed = router.assigned.iter().map(|&old| Change::Remove(router.on_link(old)));
        self.netlink.apply(&removed.collect::<Vec<_>>()).map_err(|refusal| refusal.text)?;
        router.assigned.clear();
        if router.macvlan.is_none() {
            self.guardian.forget(id);
        }
        Ok(())
    }

    /// Nothing of it stays.
    fn remove(&mut self, id: VirtualRouterId, router: &mut Router) -> Result<(), String> {
        let unassigned = self.unassign(id, router);
        let deleted = self.delete_macvlan(router);
        self.guardian.forget(id);
        unassigned.and(deleted).and(self.leave_below(&router.wanted))
    }

    fn delete_macvlan(&mut self, router: &mut Router) -> Result<(), String> {
        let Some(macvlan) = router.macvlan.take() else { return Ok(()) };
        let deleted = self.netlink.apply(&[Change::Delete { index: macvlan.index }]);
        deleted.map_err(|refusal| refusal.text)
    }

    /// Restores the settings of the interface after the last one.
    fn leave_below(&mut self, left: &VirtualAddresses) -> Result<(), String> {
        let index = left.interface;
        let mut others = self.routers.values().map(|router| &router.wanted);
        if others.any(|other| other.interface == index && !macvlan::is_ipv6(other)) {
            return Ok(());
        }
        let Some(Below { name, before }) = self.below.remove(&index) else { return Ok(()) };
        before.restore(&netlink::name_of(index).unwrap_or(name))
    }

    /// Tells of virtual routers that have lost their addresses.
    fn verify(&mut self, suspect: Option<u32>) {
        let is_suspect = |router: &Router| suspect.is_none_or(|index| index == router.index());
        if !self.routers.values().any(|router| router.is_assigned() && is_suspect(router)) {
            // Should a macvlan be gone that is not in use, the next assignment finds out.
            return;
        }
        let (Ok(links), Ok(held)) = (self.netlink.links(), self.netlink.addresses()) else {
            return;
        };
        for (&id, router) in &mut self.routers {
            if !router.is_assigned() || !is_suspect(router) {
                continue;
            }
            let index = router.index();
            let link = links.iter().find(|link| link.index == index);
            let name = link.map_or(router.wanted.interface_name.as_str(), |link| &link.name);
            let is_held = |address: &IpAddr| {
                held.iter().any(|held| held.index == index && held.address == *address)
            };
            let why = match (link, router.assigned.iter().find(|address| !is_held(address))) {
                (None, _) => "its interface was removed".to_owned(),
                (Some(link), _) if router.macvlan.is_some() && !link.up => {
                    format!("{name} was set down")
                }
                (_, Some(address)) => format!("{address} was removed from {name}"),
                _ => continue,
            };
            router.assigned.retain(is_held);
            if link.is_none() {
                router.macvlan = None;
            }
            let result = Err(format!("{why}, and not by this process"));
            (self.tell)(Event::AddressesSet { router: id, assigned: false, result });
        }
    }

    fn restart_guardian(&mut self) {
        let assigned = self.routers.iter().filter(|(_, router)| router.is_assigned());
        let kept = assigned.map(|(&id, router)| Kept {
            router: id,
            index: router.index(),
            is_macvlan: router.macvlan.is_some(),
            addresses: router.assigned.clone(),
            deadman: router.wanted.deadman,
        });
        self.guardian.restart(&kept.collect::<Vec<_>>());
    }
}

/// Why addresses were not assigned.
struct Refused {
    /// The interface is no more.
    is_gone: bool,
    text: String,
}
