//! A kernel table and nexthop objects, by the rules of Linux.

use std::collections::{BTreeMap, VecDeque};

use shunt::fib::{Change, Group, Hops, KernelError, Key, Object, Observed, Route, Via};
use shunt::types::Prefix;

use crate::{EEXIST, ENOENT, ESRCH, error};

const EINVAL: i32 = 22;

/// A key is a prefix and a metric; one route per key.
#[derive(Default)]
pub struct Kernel {
    pub routes: BTreeMap<(Prefix, u32), Owned>,
    /// By id.
    pub objects: BTreeMap<u32, Object>,
    pub requests: VecDeque<Change>,
    pub answers: VecDeque<(Key, Result<(), KernelError>)>,
    pub events: VecDeque<Observed>,
    pub dump: Dump,
    /// Whether our own requests are echoed as events.
    pub echo: bool,
    /// Interfaces without carrier.
    pub down: Vec<u32>,
    /// It is older than these groups.
    pub refuses_resilient: bool,
}

/// What a running dump looks at next.
#[derive(Default)]
pub enum Dump {
    #[default]
    None,
    Objects(VecDeque<Observed>),
    After(Option<(Prefix, u32)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    pub ours: bool,
    pub via: Via,
}

impl Kernel {
    /// Carries out the oldest request.
    pub fn work(&mut self) {
        let Some(change) = self.requests.pop_front() else { return };
        let (key, result) = (change.key(), self.make(change));
        let result = result.map(|event| {
            if self.echo {
                self.events.push_back(event);
            }
        });
        self.answers.push_back((key, result));
    }

    fn make(&mut self, change: Change) -> Result<Observed, KernelError> {
        let known = |via: &Via| match via {
            Via::Object(id) if !self.objects.contains_key(id) => Err(error(EINVAL)),
            _ => Ok(()),
        };
        Ok(match change {
            Change::Create(route) => {
                known(&route.via)?;
                let key = (route.prefix, route.metric);
                if self.routes.contains_key(&key) {
                    return Err(error(EEXIST));
                }
                self.routes.insert(key, Owned { ours: true, via: route.via.clone() });
                Observed::Route(route)
            }
            Change::Replace(route) => {
                known(&route.via)?;
                let there = self.routes.get_mut(&(route.prefix, route.metric));
                let owned = there.ok_or(error(ENOENT))?;
                // Linux would replace it; that this never happens is what is tested.
                assert!(owned.ours, "a foreign route was replaced");
                owned.via = route.via.clone();
                Observed::Route(route)
            }
            Change::Delete { prefix, metric } => {
                let there = self.routes.get(&(prefix, metric));
                there.filter(|owned| owned.ours).ok_or(error(ESRCH))?;
                self.routes.remove(&(prefix, metric));
                Observed::RouteGone { prefix, metric }
            }
            Change::CreateObject { id, object } => {
                self.check(&object)?;
                if self.objects.contains_key(&id) {
                    return Err(error(EEXIST));
                }
                self.objects.insert(id, object.clone());
                Observed::Object { id, object }
            }
            Change::ReplaceObject { id, object } => {
                self.check(&object)?;
                let there = self.objects.get_mut(&id).ok_or(error(ENOENT))?;
                if let (Object::Group(old), Object::Group(new)) = (&*there, &object) {
                    assert_eq!(old.resilient, new.resilient, "the kernel never changes that");
                }
                *there = object.clone();
                Observed::Object { id, object }
            }
            Change::DeleteObject { id } => {
                self.objects.remove(&id).ok_or(error(ENOENT))?;
                self.gone(id);
                Observed::ObjectGone { id }
            }
        })
    }

    fn check(&self, object: &Object) -> Result<(), KernelError> {
        let fine = match object {
            Object::Hop(hop) => !self.down.contains(&hop.interface),
            Object::Group(group) => {
                let mut members = group.members.iter();
                let known = !group.resilient || !self.refuses_resilient;
                known && members.all(|(id, _)| matches!(self.objects.get(id), Some(Object::Hop(_))))
            }
            Object::Other => true,
        };
        if fine { Ok(()) } else { Err(error(EINVAL)) }
    }

    /// An object is gone: it leaves its groups, empty ones go too, and so do their routes, without a word.
    fn gone(&mut self, gone: u32) {
        let mut empty = Vec::new();
        for (id, object) in &mut self.objects {
            if let Object::Group(group) = object {
                group.members.retain(|(member, _)| *member != gone);
                if group.members.is_empty() {
                    empty.push(*id);
                }
            }
        }
        self.routes.retain(|_, owned| owned.via != Via::Object(gone));
        for id in empty {
            self.objects.remove(&id);
            self.gone(id);
        }
    }

    pub fn set_carrier(&mut self, interface: u32, up: bool) {
        self.down.retain(|down| *down != interface);
        if !up {
            self.down.push(interface);
            let on_link =
                |object: &Object| matches!(object, Object::Hop(hop) if hop.interface == interface);
            let gone = self.objects.iter().filter(|(_, object)| on_link(object));
            for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.objects.remove(&id);
                self.gone(id);
            }
        }
        self.events.push_back(link(interface, up));
    }

    /// Where packets go that a route leads.
    pub fn hops(&self, via: &Via) -> Hops {
        let id = match via {
            Via::Hops(hops) => return hops.clone(),
            Via::Object(id) => id,
        };
        let Some(Object::Group(Group { members, .. })) = self.objects.get(id) else {
            panic!("{id} is no group")
        };
        let most = members.iter().map(|(_, weight)| *weight).max();
        let used = members.iter().filter(|(_, weight)| Some(*weight) == most);
        let hop = |id: &u32| match self.objects.get(id) {
            Some(Object::Hop(hop)) => *hop,
            other => panic!("{other:?}"),
        };
        used.map(|(id, _)| hop(id)).collect()
    }

    /// Somebody else changes the table.
    pub fn meddle(&mut self, prefix: Prefix, metric: u32, owned: Option<Owned>, silently: bool) {
        let old = match &owned {
            Some(owned) => self.routes.insert((prefix, metric), owned.clone()),
            None => self.routes.remove(&(prefix, metric)),
        };
        let event = match (owned, old) {
            (Some(Owned { ours: true, via }), _) => Observed::Route(Route { prefix, via, metric }),
            (_, Some(Owned { ours: true, .. })) => Observed::RouteGone { prefix, metric },
            _ => return,
        };
        if !silently {
            self.events.push_back(event);
        }
    }

    pub fn begin_dump(&mut self) -> Vec<Observed> {
        let dumped = |(id, object): (&u32, &Object)| Observed::DumpedObject {
            id: *id,
            object: object.clone(),
        };
        let is_hop = |(_, object): &(&u32, &Object)| matches!(object, Object::Hop(_));
        let hops = self.objects.iter().filter(is_hop).map(dumped);
        let groups = self.objects.iter().filter(|line| !is_hop(line)).map(dumped);
        self.dump = Dump::Objects(hops.chain(groups).collect());
        // Links are read in one go.
        let links = [7, 8].map(|index| link(index, !self.down.contains(&index)));
        [Observed::DumpBegun].into_iter().chain(links).collect()
    }

    /// One step of a running dump.
    pub fn dump_step(&mut self) -> Option<Observed> {
        use std::ops::Bound::{Excluded, Unbounded};
        if let Dump::Objects(lines) = &mut self.dump {
            match lines.pop_front() {
                Some(line) => return Some(line),
                None => self.dump = Dump::After(None),
            }
        }
        let Dump::After(after) = &self.dump else { return None };
        let from = after.map_or(Unbounded, Excluded);
        let mut rest = self.routes.range((from, Unbounded)).filter(|(_, owned)| owned.ours);
        match rest.next() {
            Some((key, owned)) => {
                let route = Route { prefix: key.0, via: owned.via.clone(), metric: key.1 };
                self.dump = Dump::After(Some(*key));
                Some(Observed::Dumped(route))
            }
            None => {
                self.dump = Dump::None;
                Some(Observed::DumpDone)
            }
        }
    }
}

pub fn link(index: u32, up: bool) -> Observed {
    Observed::Link { index, name: format!("eth{index}"), up, mtu: 1500 }
}
