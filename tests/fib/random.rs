//! Whatever happens, in whatever order the news arrives.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use shunt::fib::{Change, Exit, Fate, Fib, Key, Object, Observed, Settings, Tier, Urgency, Via};
use shunt::types::{Prefix, Time};

use crate::kernel::{Dump, Kernel, Owned};
use crate::{METRIC, OLD_METRIC, hops, leg, prefix, settings};

#[derive(Clone, Debug)]
enum Op {
    /// Tiers of sources.
    Want {
        prefix: usize,
        tiers: Vec<Vec<u8>>,
    },
    /// Nothing is to go over what it said.
    LoseSource(u8),
    /// The link of gateways of this parity loses its carrier, or has it again.
    Carrier {
        odd: bool,
        up: bool,
    },
    Meddle {
        prefix: usize,
        old_metric: bool,
        ours: bool,
        gateways: Vec<u8>,
        silently: bool,
    },
    Poll(usize),
    Work(usize),
    Answers(usize),
    Events(usize),
    DumpSteps(usize),
    Lost,
    Sweep,
    Pass(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let gateways = || proptest::collection::vec(1..4u8, 0..3);
    prop_oneof![
        6 => (0..5usize, proptest::collection::vec(gateways(), 0..4))
            .prop_map(|(prefix, tiers)| Op::Want { prefix, tiers }),
        1 => (1..4u8).prop_map(Op::LoseSource),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(odd, up)| Op::Carrier { odd, up }),
        3 => (0..5usize, proptest::bool::weighted(0.2), any::<bool>(), gateways(), any::<bool>())
            .prop_map(|(prefix, old_metric, ours, gateways, silently)| {
                Op::Meddle { prefix, old_metric, ours, gateways, silently }
            }),
        4 => (0..4usize).prop_map(Op::Poll),
        4 => (0..4usize).prop_map(Op::Work),
        4 => (0..4usize).prop_map(Op::Answers),
        4 => (0..4usize).prop_map(Op::Events),
        4 => (0..4usize).prop_map(Op::DumpSteps),
        1 => Just(Op::Lost),
        1 => Just(Op::Sweep),
        2 => (0..3u64).prop_map(Op::Pass),
    ]
}

struct World {
    fib: Fib,
    kernel: Kernel,
    now: Time,
    prefixes: Vec<Prefix>,
    wanted: BTreeMap<Prefix, Exit>,
}

impl World {
    fn new(echo: bool, objects: bool) -> World {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.0.1/32", "2001:db8::/32", "::/0"];
        World {
            fib: Fib::new(Settings { objects, ..settings() }, Time::ZERO),
            kernel: Kernel { echo, ..Kernel::default() },
            now: Time::ZERO,
            prefixes: texts.iter().map(|text| prefix(text)).collect(),
            wanted: BTreeMap::new(),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Want { prefix, tiers } => {
                let prefix = self.prefixes[prefix];
                let tier = |sources: Vec<u8>| -> Tier { sources.into_iter().map(leg).collect() };
                let exit = Exit::new(prefix.family(), tiers.into_iter().map(tier));
                match &exit {
                    None => self.wanted.remove(&prefix),
                    Some(exit) => self.wanted.insert(prefix, exit.clone()),
                };
                self.fib.want(prefix, exit, Urgency::Bulk);
            }
            Op::LoseSource(lost) => self.fib.rewrite(|leg| match leg.source == u32::from(lost) {
                true => Fate::Gone,
                false => Fate::Kept,
            }),
            Op::Carrier { odd, up } => self.kernel.set_carrier(if odd { 7 } else { 8 }, up),
            Op::Meddle { prefix, old_metric, ours, gateways, silently } => {
                let (prefix, hops) = (self.prefixes[prefix], hops(&gateways));
                let metric = if old_metric { OLD_METRIC } else { METRIC };
                let owned = (!hops.is_empty()).then_some(Owned { ours, via: Via::Hops(hops) });
                if owned.as_ref().is_some_and(|owned| !owned.ours) {
                    self.take_key(prefix, metric, owned);
                } else {
                    self.kernel.meddle(prefix, metric, owned, silently);
                }
            }
            Op::Poll(limit) => {
                for change in self.fib.poll(limit) {
                    assert!(self.fib.is_ready());
                    let busy = |other: &Change| other.key() == change.key();
                    assert!(!self.kernel.requests.iter().any(busy), "two in flight");
                    self.kernel.requests.push_back(change);
                }
            }
            Op::Work(count) => (0..count).for_each(|_| self.kernel.work()),
            Op::Answers(count) => {
                for _ in 0..count {
                    if let Some((key, result)) = self.kernel.answers.pop_front() {
                        self.fib.applied(key, result, self.now);
                    }
                }
            }
            Op::Events(count) => {
                for _ in 0..count {
                    if let Some(event) = self.kernel.events.pop_front() {
                        self.fib.observe(event, self.now);
                    }
                }
            }
            Op::DumpSteps(count) => {
                if matches!(self.kernel.dump, Dump::None) && self.fib.take_scan() {
                    for line in self.kernel.begin_dump() {
                        self.fib.observe(line, self.now);
                    }
                }
                for _ in 0..count {
                    if let Some(line) = self.kernel.dump_step() {
                        self.fib.observe(line, self.now);
                    }
                }
            }
            Op::Lost => {
                self.kernel.events.clear();
                self.fib.observe(Observed::Lost, self.now);
            }
            Op::Sweep => self.fib.sweep(),
            Op::Pass(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.fib.tick(self.now);
            }
        }
    }

    /// Another program's route gets the key, whether it was free or ours. Only where the model knows what is there and
    /// hears of it at once: between the kernel's word and our hearing it, a replace can hit
    /// anything, and nobody can help that.
    fn take_key(&mut self, prefix: Prefix, metric: u32, owned: Option<Owned>) {
        let busy = self.kernel.requests.iter().any(|change| change.key() == Key::Route(prefix))
            || self.kernel.answers.iter().any(|(other, _)| *other == Key::Route(prefix));
        if busy || !matches!(self.kernel.dump, Dump::None) {
            return;
        }
        self.apply(Op::Events(1000));
        let there = self.kernel.routes.get(&(prefix, METRIC)).filter(|owned| owned.ours);
        let there = there.map(|owned| self.kernel.hops(&owned.via));
        let believed = self.fib.route(prefix).and_then(|view| view.observed.cloned());
        if there.as_ref() == believed.as_deref() {
            self.kernel.meddle(prefix, metric, owned, false);
            self.apply(Op::Events(1000));
        }
    }

    /// Lets everything run until nothing is left to be done.
    fn run_dry(&mut self) {
        for _ in 0..100 {
            self.apply(Op::Events(1000));
            self.apply(Op::DumpSteps(1000));
            self.apply(Op::Poll(1000));
            self.apply(Op::Work(1000));
            self.apply(Op::Answers(1000));
            if self.kernel.events.is_empty() && self.fib.is_settled() {
                return;
            }
        }
        panic!("never settles: {:?}", self.fib.totals());
    }

    /// All links are up, and the agent says again what it wants, as it does when something has changed.
    fn recover(&mut self) {
        for odd in [true, false] {
            self.apply(Op::Carrier { odd, up: true });
        }
        self.apply(Op::Events(1000));
        for (prefix, exit) in self.wanted.clone() {
            self.fib.want(prefix, Some(exit), Urgency::Bulk);
        }
    }

    /// Unless somebody else has the key, what is in the kernel is what is wanted.
    fn check(&self) {
        for prefix in &self.prefixes {
            let key = (*prefix, METRIC);
            let there = self.kernel.routes.get(&key);
            let view = self.fib.route(*prefix);
            match there {
                Some(owned) if !owned.ours => {
                    let failed = view.as_ref().is_some_and(|view| view.failure.is_some());
                    assert_eq!(
                        failed,
                        self.wanted.contains_key(prefix),
                        "{prefix}: conflict shown"
                    );
                }
                there => {
                    let there = there.map(|owned| self.kernel.hops(&owned.via));
                    let wanted = self.wanted.get(prefix).map(Exit::hops);
                    assert_eq!(there, wanted, "{prefix} in the kernel");
                    let believed = view.as_ref().and_then(|view| view.observed.cloned());
                    assert_eq!(believed.as_deref(), there.as_ref(), "{prefix} in the model");
                }
            }
            // A stray may be all there is while the wanted route is in conflict.
            let stray = self.kernel.routes.get(&(*prefix, OLD_METRIC));
            let failed = view.as_ref().is_some_and(|view| view.failure.is_some());
            assert!(failed || !stray.is_some_and(|owned| owned.ours), "{prefix}: old metric");
        }
        let members = |object: &&Object| matches!(object, Object::Group(_));
        let groups = self.kernel.objects.values().filter(members).count();
        assert!(groups <= self.wanted.len(), "{:?}", self.kernel.objects);
        let totals = self.fib.totals();
        assert_eq!((totals.wanted, totals.adopted), (self.wanted.len(), 0));
        let observed =
            self.prefixes.iter().filter_map(|prefix| self.fib.route(*prefix)?.observed.cloned());
        assert_eq!(totals.observed, observed.count());
    }
}

proptest! {
    /// Whatever happens, in whatever order the news arrives: after one more scan the kernel has what
    /// is wanted, and foreign routes are as they were.
    #[test]
    fn model_and_kernel_converge(
        ops in proptest::collection::vec(any_op(), 0..120),
        echo in any::<bool>(),
        objects in any::<bool>(),
    ) {
        let mut world = World::new(echo, objects);
        for op in ops {
            world.apply(op);
        }
        world.recover();
        world.run_dry();
        // Past the longest wait and the safety-net scan.
        for _ in 0..3 {
            world.apply(Op::Pass(700));
            world.run_dry();
        }
        world.check();
    }

    /// Without losses, and with one stream for answers and events, no safety net is needed: the model only scans when it
    /// asks to within seconds.
    #[test]
    fn without_losses_the_safety_net_is_not_needed(
        ops in proptest::collection::vec(any_op(), 0..120),
        echo in any::<bool>(),
        objects in any::<bool>(),
    ) {
        let mut world = World::new(echo, objects);
        world.run_dry();
        for op in ops {
            match op {
                Op::Meddle { silently: true, .. } | Op::Lost => {}
                // All that the kernel says is heard in its order.
                Op::Work(_) => {
                    world.apply(Op::Work(1));
                    world.apply(Op::Answers(1));
                    world.apply(Op::Events(1000));
                }
                Op::Meddle { .. } | Op::Carrier { .. } => {
                    world.apply(op);
                    world.apply(Op::Events(1000));
                }
                _ => world.apply(op),
            }
        }
        world.recover();
        world.apply(Op::Sweep);
        world.run_dry();
        for _ in 0..80 {
            world.apply(Op::Pass(1));
            world.run_dry();
        }
        world.check();
    }
}
