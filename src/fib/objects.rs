//! The nexthop objects of the kernel: wanted, observed, and the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exit::Exit;
use super::retries::Retries;
use super::{Change, Failure, Group, Hop, Hops, KernelError, Members, Object};
use crate::types::Time;

/// Our ids begin here ("SH" and two zero octets), far from those that the kernel and other daemons count from 1.
const FIRST_ID: u32 = 0x5348_0000;

/// Beside a guard's 1 so much that of the buckets none is left for the guard, while one way in use has carrier.
const WEIGHT: u8 = u8::MAX;

/// See the [module](super) for groups and their members.
#[derive(Clone)]
pub(super) struct Objects {
    hops: BTreeMap<Hop, HopObject>,
    hop_ids: BTreeMap<u32, Hop>,
    groups: BTreeMap<u32, GroupObject>,
    /// The group for new routes of an exit. Others may have come to the same exit.
    by_exit: BTreeMap<Arc<Exit>, u32>,
    /// Of an earlier life, and as good as it was left.
    unclaimed: BTreeMap<Members, u32>,
    /// Ours and of no use.
    strays: BTreeMap<u32, u8>,
    next_id: u32,
    /// Groups to look at.
    dirty: BTreeSet<u32>,
    in_flight: BTreeMap<u32, Change>,
    retries: Retries<u32>,
    /// Something may have lost its last use.
    unused: bool,
    /// Number of the last dump.
    round: u8,
    /// Of which events or answers have come since the running dump began.
    newer: BTreeSet<u32>,
}

#[derive(Clone)]
struct HopObject {
    id: u32,
    observed: bool,
    round: u8,
}

#[derive(Clone)]
struct GroupObject {
    /// What decides its members; `None` if it is of an earlier life and nobody has wanted it yet.
    exit: Option<Arc<Exit>>,
    resilient: bool,
    observed: Option<Members>,
    /// The hops in use, as observed.
    hops: Arc<Hops>,
    /// It is of an earlier life.
    inherited: bool,
    /// Routes that lead to it, or are being changed to.
    uses: usize,
    round: u8,
}

impl Objects {
    pub fn new() -> Objects {
        Objects {
            hops: BTreeMap::new(),
            hop_ids: BTreeMap::new(),
            groups: BTreeMap::new(),
            by_exit: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
            strays: BTreeMap::new(),
            next_id: FIRST_ID,
            dirty: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            retries: Retries::new(),
            unused: false,
            round: 0,
            newer: BTreeSet::new(),
        }
    }

    /// Whether an id may be one of ours.
    pub fn is_ours(id: u32) -> bool {
        id >= FIRST_ID
    }

    /// The group for routes to this exit, if there is one.
    pub fn find(&self, exit: &Arc<Exit>) -> Option<u32> {
        self.by_exit.get(exit).copied()
    }

    /// The group for routes to this exit, made or taken over if there is none.
    pub fn group_of(&mut self, exit: &Arc<Exit>) -> u32 {
        if let Some(id) = self.by_exit.get(exit) {
            return *id;
        }
        let claimed = self.known_members(exit, true).or_else(|| self.known_members(exit, false));
        if let Some(id) = claimed.and_then(|members| self.unclaimed.get(&members).copied()) {
            self.claim(id, exit);
            return id;
        }
        let id = self.new_id();
        let group = GroupObject {
            exit: Some(Arc::clone(exit)),
            resilient: exit.guard().is_some(),
            observed: None,
            hops: Arc::default(),
            inherited: false,
            uses: 0,
            round: self.round,
        };
        self.groups.insert(id, group);
        self.by_exit.insert(Arc::clone(exit), id);
        self.dirty.insert(id);
        id
    }

    /// Whether a route that leads to `id` serves as one to `exit`; `roughly`: one of an earlier life may lack the backup.
    pub fn serves(&mut self, id: u32, exit: &Arc<Exit>, hops: &Hops, roughly: bool) -> bool {
        let Some(group) = self.groups.get(&id) else { return false };
        match &group.exit {
            Some(own) if Arc::ptr_eq(own, exit) || own.is_as_good_as(exit) => return true,
            Some(_) => {}
            None => {
                let members = self.known_members(exit, group.resilient);
                if members.is_some()
                    && members == group.observed
                    && !self.by_exit.contains_key(exit)
                {
                    self.claim(id, exit);
                    return true;
                }
            }
        }
        roughly && group.inherited && *group.hops == *hops
    }

    fn claim(&mut self, id: u32, exit: &Arc<Exit>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.exit = Some(Arc::clone(exit));
        if let Some(members) = &group.observed {
            self.unclaimed.remove(members);
        }
        self.by_exit.insert(Arc::clone(exit), id);
        self.dirty.insert(id);
    }

    pub fn is_there(&self, id: u32) -> bool {
        self.groups.get(&id).is_some_and(|group| group.observed.is_some())
    }

    pub fn is_known(&self, id: u32) -> bool {
        self.groups.contains_key(&id)
    }

    /// The hops that a route to it uses.
    pub fn hops_of(&self, id: u32) -> Option<&Arc<Hops>> {
        self.groups.get(&id).filter(|group| group.observed.is_some()).map(|group| &group.hops)
    }

    pub fn used(&mut self, id: u32) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.uses += 1;
        }
    }

    pub fn unused(&mut self, id: u32) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.uses = group.uses.saturating_sub(1);
            self.unused |= group.uses == 0;
        }
    }

    /// The exits of groups are these now.
    pub fn rewrite(&mut self, rewritten: &BTreeMap<Arc<Exit>, Arc<Exit>>) {
        for (id, group) in &mut self.groups {
            let Some(old) = &group.exit else { continue };
            let Some(new) = rewritten.get(old) else { continue };
            if self.by_exit.get(old) == Some(id) {
                self.by_exit.remove(old);
            }
            self.by_exit.entry(Arc::clone(new)).or_insert(*id);
            group.exit = Some(Arc::clone(new));
            self.dirty.insert(*id);
        }
    }

    /// All exits that groups stand for.
    pub fn exits(&self) -> impl Iterator<Item = &Arc<Exit>> {
        self.groups.values().filter_map(|group| group.exit.as_ref())
    }

    /// Why a group is not there, or not as it should be.
    pub fn failure_of(&self, id: u32) -> Option<&Failure> {
        let exit = self.groups.get(&id)?.exit.as_ref()?;
        let hops = exit.hops();
        let mut members = hops.0.iter().filter_map(|hop| self.hops.get(hop));
        self.retries.get(id).or_else(|| members.find_map(|hop| self.retries.get(hop.id)))
    }

    /// The hop or the group with this id, as a person knows it, and what is wrong with it.
    pub fn failure(&self, id: u32) -> Option<(String, &Failure)> {
        let hops = match self.hop_ids.get(&id) {
            Some(hop) => hop.to_string(),
            None => self.groups.get(&id)?.exit.as_ref()?.hops().to_string(),
        };
        Some((hops, self.retries.get(id)?))
    }

    pub fn failed(&self) -> usize {
        self.retries.len()
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.in_flight.is_empty()
    }

    pub fn tick(&mut self, now: Time) {
        while let Some(id) = self.retries.next_due(now) {
            self.look_at(id);
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.retries.deadline()
    }

    /// What failed may work now.
    pub fn end_waits(&mut self) {
        for id in self.retries.end_waits() {
            self.look_at(id);
        }
    }

    /// A group, or those that want the hop.
    fn look_at(&mut self, id: u32) {
        match self.hop_ids.get(&id).copied() {
            Some(hop) => self.look_at_users(hop),
            None => _ = self.dirty.insert(id),
        }
        self.unused |= self.strays.contains_key(&id);
    }

    fn look_at_users(&mut self, hop: Hop) {
        let uses = |exit: &Arc<Exit>| exit.all_hops().any(|other| other == hop);
        let groups = self.groups.iter();
        let users = groups.filter(|(_, group)| group.exit.as_ref().is_some_and(uses));
        self.dirty.extend(users.map(|(id, _)| *id));
    }

    fn new_id(&mut self) -> u32 {
        let id = self.next_id;
        // Two thousand million objects in one life are more than there will be.
        self.next_id = self.next_id.wrapping_add(1).max(FIRST_ID);
        id
    }

    /// The members for an exit, if its hops have their ids already. A guard that is not there is left out.
    fn known_members(&self, exit: &Exit, resilient: bool) -> Option<Members> {
        let weight = if resilient { WEIGHT } else { 1 };
        let hops = exit.hops();
        let used = hops.0.iter().map(|hop| self.hops.get(hop).map(|known| (known.id, weight)));
        let guard = exit.guard().filter(|_| resilient).and_then(|hop| self.hops.get(&hop));
        let guard = guard.filter(|hop| hop.observed).map(|hop| Some((hop.id, 1)));
        used.chain(guard).collect()
    }
}

/// Changes to be made, and what came of them.
impl Objects {
    /// Changes to be made now. They count as in flight until [`Objects::applied`].
    pub fn poll(&mut self, changes: &mut Vec<Change>) {
        for id in std::mem::take(&mut self.dirty) {
            if !self.in_flight.contains_key(&id) && !self.retries.is_waiting(id) {
                self.poll_group(id, changes);
            }
        }
    }

    fn poll_group(&mut self, id: u32, changes: &mut Vec<Change>) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(exit) = group.exit.clone() else { return };
        let resilient = group.resilient;
        let hops = exit.hops();
        let mut ready = true;
        for hop in hops.0 {
            ready &= self.provide(hop, changes);
        }
        // These are made as well, for after a loss nothing shall have to be made, but the group does without them if it must.
        let guard = exit.guard().filter(|_| resilient);
        for hop in exit.backup_hops() {
            let there = self.provide(hop, changes);
            let coming =
                self.hops.get(&hop).is_some_and(|hop| self.in_flight.contains_key(&hop.id));
            ready &= there || !coming || Some(hop) != guard;
        }
        let Some(members) = self.known_members(&exit, resilient).filter(|_| ready) else { return };
        let Some(group) = self.groups.get(&id) else { return };
        let object = |members| Object::Group(Group { members, resilient });
        let change = match &group.observed {
            Some(observed) if *observed == members => return,
            Some(_) => Change::ReplaceObject { id, object: object(members) },
            None => Change::CreateObject { id, object: object(members) },
        };
        self.send(id, change, changes);
    }

    /// Sees to it that there is an object for the hop; whether there is one already.
    fn provide(&mut self, hop: Hop, changes: &mut Vec<Change>) -> bool {
        let (id, observed) = match self.hops.get(&hop) {
            Some(known) => (known.id, known.observed),
            None => {
                let id = self.new_id();
                self.hops.insert(hop, HopObject { id, observed: false, round: self.round });
                self.hop_ids.insert(id, hop);
                (id, false)
            }
        };
        if !observed && !self.in_flight.contains_key(&id) && !self.retries.is_waiting(id) {
            self.send(id, Change::CreateObject { id, object: Object::Hop(hop) }, changes);
        }
        observed
    }

    fn send(&mut self, id: u32, change: Change, changes: &mut Vec<Change>) {
        self.in_flight.insert(id, change.clone());
        changes.push(change);
    }

    /// Deletes what nobody uses; `needed` groups are waited for. To be called when no route is being changed.
    pub fn poll_unused(
        &mut self,
        needed: impl Fn(u32) -> bool,
        swept: bool,
        changes: &mut Vec<Change>,
    ) {
        if !self.unused || !self.is_settled() || !swept {
            return;
        }
        self.unused = false;
        let idle = |(id, group): &(&u32, &GroupObject)| group.uses == 0 && !needed(**id);
        let groups: Vec<u32> = self.groups.iter().filter(idle).map(|(id, _)| *id).collect();
        for id in groups {
            // One that was never there is only forgotten. From now on nobody finds it.
            if self.is_there(id) {
                self.send(id, Change::DeleteObject { id }, changes);
            }
            self.forget_group(id);
        }
        if !changes.is_empty() {
            // Members after their groups.
            self.unused = true;
            return;
        }
        let mut used: BTreeSet<u32> = BTreeSet::new();
        for group in self.groups.values() {
            used.extend(group.observed.iter().flatten().map(|(id, _)| *id));
            let hops = group.exit.iter().flat_map(|exit| exit.all_hops());
            used.extend(hops.filter_map(|hop| self.hops.get(&hop)).map(|hop| hop.id));
        }
        let hops = self.hop_ids.keys().chain(self.strays.keys());
        let idle: Vec<u32> = hops.filter(|id| !used.contains(*id)).copied().collect();
        for id in idle {
            let hop = self.hop_ids.remove(&id);
            let there = hop.and_then(|hop| self.hops.remove(&hop)).is_none_or(|hop| hop.observed);
            self.strays.remove(&id);
            self.retries.forgive(id);
            if there {
                self.send(id, Change::DeleteObject { id }, changes);
            }
        }
    }

    /// The kernel's answer. The group that has just come to be there, and whether others may have the id.
    pub fn applied(&mut self, id: u32, result: Result<(), KernelError>, now: Time) -> Answered {
        let Some(change) = self.in_flight.remove(&id) else { return Answered::Nothing };
        self.newer.insert(id);
        match (change, result) {
            (
                Change::CreateObject { object, .. } | Change::ReplaceObject { object, .. },
                Ok(()),
            ) => {
                self.retries.forgive(id);
                self.see(id, object);
                if self.groups.contains_key(&id) {
                    // Whoever asked for it may want something else by now.
                    self.unused = true;
                    return Answered::There(id);
                }
            }
            (Change::CreateObject { .. }, Err(error)) if error.is_taken() => {
                self.move_away(id);
                return Answered::Taken;
            }
            (Change::ReplaceObject { .. }, Err(error)) if error.is_missing() => {
                self.lose(id);
                return Answered::Lost;
            }
            (Change::DeleteObject { .. }, Err(error)) if !error.is_missing() => {
                self.strays.insert(id, self.round);
                self.retries.fail(id, error, now);
            }
            (Change::CreateObject { object: Object::Group(group), .. }, Err(_))
                if group.resilient =>
            {
                // Linux has these since 5.13; without a guard it may work.
                if let Some(group) = self.groups.get_mut(&id) {
                    group.resilient = false;
                }
                self.dirty.insert(id);
            }
            (Change::DeleteObject { .. }, _) => self.unused = true,
            (_, Err(error)) => {
                self.retries.fail(id, error, now);
                // Groups may do without it.
                self.look_at(id);
            }
            (Change::Create(_) | Change::Replace(_) | Change::Delete { .. }, Ok(())) => {}
        }
        Answered::Nothing
    }

    /// Another id for what was to have this one.
    fn move_away(&mut self, id: u32) {
        if let Some(hop) = self.hop_ids.remove(&id) {
            self.hops.remove(&hop);
            self.look_at_users(hop);
        } else if let Some(exit) = self.groups.get(&id).and_then(|group| group.exit.clone()) {
            self.forget_group(id);
            self.group_of(&exit);
        }
    }

    fn forget_group(&mut self, id: u32) {
        let Some(group) = self.groups.remove(&id) else { return };
        self.unused = true;
        self.retries.forgive(id);
        if let Some(exit) = group.exit
            && self.by_exit.get(&exit) == Some(&id)
        {
            self.by_exit.remove(&exit);
        }
        if let Some(members) = group.observed
            && self.unclaimed.get(&members) == Some(&id)
        {
            self.unclaimed.remove(&members);
        }
    }
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Nothing,
    There(u32),
    /// Somebody has the id.
    Taken,
    /// Groups are gone, with all their routes.
    Lost,
}

/// What the kernel says.
impl Objects {
    pub fn dump_begun(&mut self, round: u8) {
        self.round = round;
        self.newer.clear();
    }

    /// A line of a dump; what came since the dump began is newer.
    pub fn dumped(&mut self, id: u32, object: Object) {
        if Objects::is_ours(id) && !self.newer.contains(&id) {
            self.see(id, object);
        }
    }

    pub fn event(&mut self, id: u32, object: Object) {
        if Objects::is_ours(id) {
            self.newer.insert(id);
            self.see(id, object);
        }
    }

    /// What the dump did not show is gone; whether groups are.
    pub fn dump_done(&mut self) -> bool {
        let round = self.round;
        self.strays.retain(|_, seen| *seen == round);
        let hops = self.hops.values().filter(|hop| hop.observed && hop.round != round);
        let groups = self.groups.iter();
        let groups = groups.filter(|(_, group)| group.observed.is_some() && group.round != round);
        let gone: Vec<u32> = hops.map(|hop| hop.id).chain(groups.map(|(id, _)| *id)).collect();
        let mut lost = false;
        for id in gone {
            lost |= self.lose(id);
        }
        self.unused = true;
        lost
    }

    /// The kernel takes every hop on the link with it, and groups that have no other; whether there were any.
    pub fn link_lost(&mut self, interface: u32) -> bool {
        let on_link =
            |(hop, known): &(&Hop, &HopObject)| hop.interface == interface && known.observed;
        let gone: Vec<u32> = self.hops.iter().filter(on_link).map(|(_, known)| known.id).collect();
        let mut lost = false;
        for id in gone {
            lost |= self.lose(id);
        }
        lost
    }

    /// An object is gone; whether that took groups with it.
    pub fn lose(&mut self, id: u32) -> bool {
        self.newer.insert(id);
        self.strays.remove(&id);
        if self.groups.contains_key(&id) {
            return self.lose_group(id);
        }
        let Some(hop) = self.hop_ids.remove(&id) else { return false };
        // If it comes back it is another object.
        self.hops.remove(&hop);
        self.retries.forgive(id);
        let mut lost = false;
        for group in self.groups.keys().copied().collect::<Vec<_>>() {
            lost |= self.lose_member(group, id);
        }
        lost
    }

    fn lose_member(&mut self, id: u32, member: u32) -> bool {
        let Some(group) = self.groups.get_mut(&id) else { return false };
        let Some(observed) = &mut group.observed else {
            self.dirty.insert(id);
            return false;
        };
        if observed.iter().all(|(other, _)| *other != member) {
            return false;
        }
        if self.unclaimed.get(observed) == Some(&id) {
            self.unclaimed.remove(observed);
        }
        observed.retain(|(other, _)| *other != member);
        if observed.is_empty() {
            return self.lose_group(id);
        }
        let left = observed.clone();
        let resilient = group.resilient;
        self.see_group(id, Group { members: left, resilient });
        false
    }

    /// Nothing that led to it is there any more. What wants it gets another one.
    fn lose_group(&mut self, id: u32) -> bool {
        let there = self.is_there(id);
        self.in_flight.remove(&id);
        self.forget_group(id);
        there
    }

    fn see(&mut self, id: u32, object: Object) {
        self.next_id = self.next_id.max(id.saturating_add(1));
        match object {
            Object::Hop(hop) => match self.hops.get_mut(&hop) {
                Some(known) if known.id == id => {
                    (known.observed, known.round) = (true, self.round);
                    self.look_at(id);
                }
                Some(_) => _ = self.strays.insert(id, self.round),
                None => {
                    self.hops.insert(hop, HopObject { id, observed: true, round: self.round });
                    self.hop_ids.insert(id, hop);
                }
            },
            Object::Group(group) => self.see_group(id, group),
            Object::Other => _ = self.strays.insert(id, self.round),
        }
    }

    fn see_group(&mut self, id: u32, Group { members, resilient }: Group) {
        // Those that weigh least beside others are guards.
        let weight = members.iter().map(|(_, weight)| *weight).max().unwrap_or(1);
        let used = members.iter().filter(|(_, w)| *w == weight);
        let hops: Hops = used.filter_map(|(id, _)| self.hop_ids.get(id).copied()).collect();
        let round = self.round;
        let group = self.groups.entry(id).or_insert_with(|| GroupObject {
            exit: None,
            resilient,
            observed: None,
            hops: Arc::default(),
            inherited: true,
            uses: 0,
            round,
        });
        (group.resilient, group.round, group.hops) = (resilient, round, Arc::new(hops));
        if group.exit.is_none() {
            if let Some(before) = &group.observed
                && self.unclaimed.get(before) == Some(&id)
            {
                self.unclaimed.remove(before);
            }
            self.unclaimed.insert(members.clone(), id);
        }
        group.observed = Some(members);
        self.dirty.insert(id);
    }
}
