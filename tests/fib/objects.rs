//! Routes that lead to nexthop objects.

use shunt::fib::{
    Change, Exit, Fate, Fib, Group, Key, Leg, Object, Observed, Route, Settings, Tier, Urgency, Via,
};
use shunt::types::{Family, Prefix, Time};

use crate::kernel::{Dump, Kernel};
use crate::{EEXIST, METRIC, at, error, hops, leg, prefix, settings};

/// A model and a kernel that know each other.
struct Pair {
    fib: Fib,
    kernel: Kernel,
    /// Everything that was changed.
    changes: Vec<Change>,
    now: Time,
}

impl Pair {
    fn new() -> Pair {
        Pair::on(Kernel::default())
    }

    /// The daemon's next life, on the kernel of the last one.
    fn on(kernel: Kernel) -> Pair {
        let fib = Fib::new(Settings { objects: true, ..settings() }, Time::ZERO);
        let mut pair = Pair { fib, kernel, changes: Vec::new(), now: Time::ZERO };
        pair.run();
        pair
    }

    /// Lets everything run until nothing is left to be done; the changes that took.
    fn run(&mut self) -> Vec<Change> {
        self.changes.clear();
        loop {
            while let Some(event) = self.kernel.events.pop_front() {
                self.fib.observe(event, self.now);
            }
            if self.fib.take_scan() {
                self.scan();
            }
            let changes = self.fib.poll(1000);
            if changes.is_empty() && self.fib.is_settled() {
                return self.changes.clone();
            }
            self.changes.extend(changes.clone());
            self.kernel.requests.extend(changes);
            while !self.kernel.requests.is_empty() {
                self.kernel.work();
            }
            while let Some((key, result)) = self.kernel.answers.pop_front() {
                self.fib.applied(key, result, self.now);
            }
        }
    }

    fn scan(&mut self) {
        for line in self.kernel.begin_dump() {
            self.fib.observe(line, self.now);
        }
        while !matches!(self.kernel.dump, Dump::None) {
            if let Some(line) = self.kernel.dump_step() {
                self.fib.observe(line, self.now);
            }
        }
    }

    fn want(&mut self, table: &[Prefix], tiers: &[&[u8]]) {
        for prefix in table {
            self.fib.want(*prefix, exit(tiers), Urgency::Bulk);
        }
    }

    fn lose(&mut self, source: u8) {
        self.fib.rewrite(|leg| match leg.source == u32::from(source) {
            true => Fate::Gone,
            false => Fate::Kept,
        });
    }

    /// Where packets to all of the table go; they agree.
    fn hops(&self, table: &[Prefix]) -> String {
        let way = |prefix: &Prefix| {
            let owned = self.kernel.routes.get(&(*prefix, METRIC));
            owned.map_or("nowhere".to_owned(), |owned| self.kernel.hops(&owned.via).to_string())
        };
        let first = way(&table[0]);
        assert!(table.iter().all(|prefix| way(prefix) == first));
        first
    }

    fn groups(&self) -> usize {
        self.kernel.objects.values().filter(|object| matches!(object, Object::Group(_))).count()
    }
}

fn exit(tiers: &[&[u8]]) -> Option<Exit> {
    let tier = |sources: &&[u8]| -> Tier { sources.iter().copied().map(leg).collect() };
    Exit::new(Family::Ipv4, tiers.iter().map(tier))
}

fn table() -> Vec<Prefix> {
    (0..100).map(|n| prefix(&format!("10.0.{n}.0/24"))).collect()
}

fn routes(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change.key(), Key::Route(_))).count()
}

const ONE: &str = "192.0.2.1 dev #7";
const TWO: &str = "192.0.2.2 dev #8";
const THREE: &str = "192.0.2.3 dev #7";

#[test]
fn a_lost_source_is_one_change_and_what_is_wanted_then_is_there_already() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1], &[2], &[3]]);
    let changes = pair.run();
    // Three hops, one group, and the group before its routes.
    assert_eq!((changes.len(), routes(&changes)), (104, 100));
    assert_eq!(pair.hops(&table), ONE);

    pair.lose(1);
    let changes = pair.run();
    assert!(matches!(changes[..], [Change::ReplaceObject { .. }]), "{changes:?}");
    assert_eq!(pair.hops(&table), TWO);
    // The agent has thought about it, prefix by prefix.
    pair.want(&table, &[&[2], &[3]]);
    assert_eq!(pair.run(), []);

    // The next loss is one change as well, although what was wanted is now known under another name.
    pair.lose(2);
    assert_eq!(routes(&pair.run()), 0);
    assert_eq!(pair.hops(&table), THREE);

    // Back again, a few at a time, from one group to another.
    pair.fib.sweep();
    pair.want(&table[..50], &[&[1], &[3]]);
    assert_eq!(routes(&pair.run()), 50);
    assert_eq!((pair.hops(&table[..50]), pair.hops(&table[50..])), (ONE.into(), THREE.into()));
    pair.want(&table[50..], &[&[1], &[3]]);
    assert_eq!(routes(&pair.run()), 50);
    assert_eq!(pair.hops(&table), ONE);
    assert_eq!(pair.groups(), 1, "the empty one is gone");
}

#[test]
fn the_kernel_moves_the_routes_of_a_link_to_the_guard_and_the_model_follows() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1], &[2]]);
    pair.run();
    pair.kernel.set_carrier(7, false);
    assert_eq!(pair.hops(&table), TWO, "before anybody was told");
    assert_eq!(routes(&pair.run()), 0);
    pair.want(&table, &[&[2]]);
    assert_eq!(routes(&pair.run()), 0);
    assert_eq!(pair.fib.route(table[0]).unwrap().observed.unwrap().to_string(), TWO);
    // A scan finds nothing else.
    pair.scan();
    assert_eq!(pair.run(), []);
}

#[test]
fn routes_without_a_guard_go_with_their_link_and_are_made_again_at_once() {
    let (mut pair, table) = (Pair::new(), table());
    // The backup is on the same link.
    pair.want(&table, &[&[1], &[3]]);
    pair.run();
    pair.kernel.set_carrier(7, false);
    assert_eq!(pair.hops(&table), "nowhere");
    pair.want(&table, &[&[2]]);
    let changes = pair.run();
    assert_eq!(routes(&changes), 100, "{changes:?}");
    assert_eq!(pair.hops(&table), TWO);
    assert_eq!(pair.fib.totals().failed, 0);
}

#[test]
fn a_next_hop_that_resolves_elsewhere_is_one_change() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1], &[2]]);
    pair.run();
    let moved = Leg { hops: hops(&[3]), ..leg(1) };
    pair.fib.rewrite(|leg| match leg.next_hop == moved.next_hop {
        true => Fate::Moved(moved.hops.clone()),
        false => Fate::Kept,
    });
    let changes = pair.run();
    assert_eq!(routes(&changes), 0, "{changes:?}");
    assert_eq!(pair.hops(&table), THREE);
    let exit = Exit::new(Family::Ipv4, [Tier::from_iter([moved]), Tier::from_iter([leg(2)])]);
    for prefix in &table {
        pair.fib.want(*prefix, exit.clone(), Urgency::Bulk);
    }
    assert_eq!(pair.run(), []);
}

#[test]
fn a_backup_that_is_learned_later_is_there_when_it_is_needed() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1]]);
    pair.run();
    // Before the sweep as well: this is our own life.
    pair.want(&table, &[&[1], &[2]]);
    pair.run();
    pair.lose(1);
    assert_eq!(routes(&pair.run()), 0);
    assert_eq!(pair.hops(&table), TWO);
}

#[test]
fn routes_of_an_earlier_life_without_a_backup_follow_what_is_wanted() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1]]);
    pair.run();
    let mut next = Pair::on(pair.kernel);
    next.want(&table, &[&[1], &[2]]);
    next.run();
    // Its group does not know of a backup: what is wanted comes under the number that it had before.
    next.lose(1);
    next.want(&table, &[&[2]]);
    next.run();
    assert_eq!(next.hops(&table), TWO);
}

#[test]
fn a_way_that_nothing_can_replace_is_left_until_the_agent_says_so() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1]]);
    pair.run();
    pair.lose(1);
    assert_eq!(pair.run(), []);
    assert_eq!(pair.hops(&table), ONE);
}

#[test]
fn the_next_life_takes_everything_over_without_a_change() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1], &[2]]);
    pair.run();
    let mut next = Pair::on(pair.kernel);
    assert_eq!(next.changes, []);
    // Of the two neighbours one is faster.
    next.want(&table, &[&[1]]);
    assert_eq!(routes(&next.run()), 0, "the way is right, and the guard may come");
    next.want(&table, &[&[1], &[2]]);
    assert_eq!(routes(&next.run()), 0);
    next.fib.sweep();
    assert_eq!(next.run().len(), 0);
    next.lose(1);
    assert!(matches!(next.run()[0], Change::ReplaceObject { .. }));
    assert_eq!((routes(&next.changes), next.hops(&table).as_str()), (0, TWO));
}

#[test]
fn the_next_life_sweeps_what_nobody_wants_and_objects_last() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table[..50], &[&[1], &[2]]);
    pair.want(&table[50..], &[&[3]]);
    pair.run();
    let mut next = Pair::on(pair.kernel);
    next.want(&table[..50], &[&[1], &[2]]);
    next.fib.sweep();
    let changes = next.run();
    assert_eq!(routes(&changes), 50);
    assert_eq!(routes(&changes[..50]), 50, "a deleted object would take its routes with it");
    assert_eq!((next.groups(), next.kernel.objects.len(), next.kernel.routes.len()), (1, 3, 50));
}

#[test]
fn plain_routes_of_an_earlier_release_are_replaced_after_the_sweep_only() {
    let (mut kernel, table) = (Kernel::default(), table());
    for prefix in &table {
        let route = Route { prefix: *prefix, via: Via::Hops(hops(&[1])), metric: METRIC };
        kernel.requests.push_back(Change::Create(route));
        kernel.work();
    }
    kernel.answers.clear();
    let mut pair = Pair::on(kernel);
    pair.want(&table, &[&[1], &[2]]);
    assert_eq!(pair.run(), []);
    pair.fib.sweep();
    let changes = pair.run();
    let replaced = changes.iter().filter(|change| matches!(change, Change::Replace(_)));
    assert_eq!(replaced.count(), 100);
}

#[test]
fn an_id_that_somebody_else_has_is_left_to_them() {
    let mut pair = Pair::new();
    let table = table();
    pair.want(&table, &[&[1]]);
    let theirs = pair.fib.poll(1000);
    let [Change::CreateObject { id, .. }] = theirs[..] else { panic!("{theirs:?}") };
    pair.fib.applied(Key::Object(id), Err(error(EEXIST)), at(0));
    let changes = pair.run();
    assert!(changes.iter().all(|change| change.key() != Key::Object(id)), "{changes:?}");
    assert_eq!(pair.hops(&table), ONE);
}

#[test]
fn a_group_that_others_delete_is_made_again_with_its_routes() {
    let (mut pair, table) = (Pair::new(), table());
    pair.want(&table, &[&[1], &[2]]);
    pair.run();
    let is_group = |(_, object): &(&u32, &Object)| matches!(object, Object::Group(_));
    let id = *pair.kernel.objects.iter().find(is_group).unwrap().0;
    pair.kernel.objects.remove(&id);
    pair.kernel.routes.clear();
    pair.kernel.events.push_back(Observed::ObjectGone { id });
    assert_eq!(routes(&pair.run()), 100);
    assert_eq!(pair.hops(&table), ONE);
}

#[test]
fn where_there_are_no_resilient_groups_routes_do_without_guards() {
    let (mut pair, table) = (Pair::new(), table());
    pair.kernel.refuses_resilient = true;
    pair.want(&table, &[&[1], &[2]]);
    pair.run();
    assert_eq!(pair.hops(&table), ONE);
    let resilient =
        |object: &Object| matches!(object, Object::Group(Group { resilient: true, .. }));
    assert!(!pair.kernel.objects.values().any(resilient));
    pair.lose(1);
    assert_eq!(pair.run().len(), 1);
    assert_eq!(pair.hops(&table), TWO);
}

#[test]
fn where_there_are_no_objects_at_all_routes_have_hops_of_their_own() {
    let mut fib = Fib::new(Settings { objects: true, ..settings() }, Time::ZERO);
    fib.want(prefix("10.0.0.0/8"), exit(&[&[1], &[2]]), Urgency::Bulk);
    for line in [Observed::DumpBegun, Observed::NoObjects, Observed::DumpDone] {
        fib.observe(line, at(0));
    }
    let route = Route { prefix: prefix("10.0.0.0/8"), via: Via::Hops(hops(&[1])), metric: METRIC };
    assert_eq!(fib.poll(9), [Change::Create(route)]);
}

#[test]
fn our_own_routes_go_first_and_the_bulk_last() {
    let mut pair = Pair::new();
    let [bulk, interior, own] = [&table()[..3], &[prefix("10.9.0.0/16")], &[prefix("10.8.0.0/16")]];
    for (table, urgency) in
        [(bulk, Urgency::Bulk), (interior, Urgency::Interior), (own, Urgency::Own)]
    {
        for prefix in table {
            pair.fib.want(*prefix, exit(&[&[1]]), urgency);
        }
    }
    let order: Vec<Key> = pair.run().iter().map(Change::key).collect();
    let expected: Vec<Key> = [own, interior, bulk].concat().into_iter().map(Key::Route).collect();
    assert_eq!(order[2..], expected, "after the hop and the group");
}
