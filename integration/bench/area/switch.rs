//! How long a command takes until a third router's kernel forwards by it.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::command;
use crate::product::{Product, service};
use crate::sites::{Sites, gateway};
use crate::statistics::{Spans, head, ms, row};

/// Rounds before those that count.
const WARM_UP: usize = 2;

/// How long an LSA is left alone before it is changed again. BIRD waits 5 s for it (MinLSInterval), neighbours drop it
/// within 1 s (MinLSArrival).
fn pause(announcer: Product) -> Duration {
    match announcer {
        Product::Bird => Duration::from_millis(5500),
        Product::Shunt | Product::Frr => Duration::from_millis(1500),
    }
}

/// Both sites' LSAs of one service.
#[derive(Clone, Copy)]
struct Service {
    number: usize,
    raised: bool,
    changed: Instant,
}

struct Scene {
    announcer: Product,
    observer: Product,
    sites: Sites,
    services: Vec<Service>,
    /// The next service to switch.
    next: usize,
    all: Spans,
    switches: Spans,
    reversals: Spans,
}

impl Scene {
    fn start(announcer: Product, observer: Product) -> Scene {
        let count = announcer.services();
        let changed = Instant::now();
        Scene {
            announcer,
            observer,
            sites: Sites::start(announcer, observer, count),
            services: (0..count).map(|number| Service { number, raised: false, changed }).collect(),
            next: 0,
            all: Spans::default(),
            switches: Spans::default(),
            reversals: Spans::default(),
        }
    }

    /// Gives the time at which the command began, and the command: it may wait longer than we do.
    fn order(&self, site: usize, service: usize, raised: bool) -> (Instant, Child) {
        let site = &self.sites.sites[site];
        let line = site.product.command(&site.role, service, raised);
        let mut command = command(&line);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        (start, command.spawn().unwrap())
    }

    /// As `order`, until the third router's kernel goes to `to`; gives how long that took.
    fn timed(&mut self, site: usize, service: usize, raised: bool, to: usize) -> (Duration, Child) {
        let (start, child) = self.order(site, service, raised);
        let seen = self.sites.watch.goes(self::service(service), Some(gateway(to)));
        (seen - start, child)
    }

    /// Puts what has been left alone for long enough back to the usual metrics, the second site first: nothing moves.
    fn lower(&mut self, number: usize) {
        let service = self.services[number];
        if service.raised && service.changed.elapsed() >= pause(self.announcer) {
            for site in [1, 0] {
                finish(self.order(site, service.number, false).1);
            }
            self.services[number] = Service { raised: false, changed: Instant::now(), ..service };
        }
    }

    fn lower_all(&mut self) {
        (0..self.services.len()).for_each(|number| self.lower(number));
    }

    /// The next service, when none of its LSAs has changed for long enough.
    fn ready(&mut self) -> usize {
        let number = self.next;
        self.next = (self.next + 1) % self.services.len();
        loop {
            self.lower(number);
            let service = self.services[number];
            let left = pause(self.announcer).saturating_sub(service.changed.elapsed());
            if !service.raised && left.is_zero() {
                return number;
            }
            thread::sleep(left);
        }
    }

    /// The second site is raised, and as soon as traffic is there the first.
    fn switch(&mut self, counts: bool) {
        let number = self.ready();
        let (there, first) = self.timed(1, number, true, 1);
        let (back, second) = self.timed(0, number, true, 0);
        if counts {
            self.all.push(there);
            self.all.push(back);
            self.switches.push(there);
            self.reversals.push(back);
        }
        finish(first);
        finish(second);
        self.services[number] = Service { number, raised: true, changed: Instant::now() };
    }

    /// The second site is raised, and as soon as traffic is there lowered again: the same LSA.
    fn there_and_back(&mut self) {
        let number = self.ready();
        let (there, first) = self.timed(1, number, true, 1);
        let (back, second) = self.timed(1, number, false, 0);
        self.switches.push(there);
        self.reversals.push(back);
        finish(first);
        finish(second);
        self.services[number].changed = Instant::now();
    }
}

fn finish(mut child: Child) {
    let status = child.wait().unwrap();
    assert!(status.success(), "a command ended with {status}");
}

fn scenes(products: &[Product], observers: &[Product]) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for &observer in observers {
        for &announcer in products {
            scenes.push(Scene::start(announcer, observer));
        }
    }
    scenes
}

/// Switches in turn, so that what else the machine does hits all alike; meanwhile the others' LSAs rest.
pub fn measure(products: &[Product], observers: &[Product], changes: usize) {
    let mut scenes = scenes(products, observers);
    for round in 0..WARM_UP + (changes / 2).max(1) {
        for number in 0..scenes.len() {
            scenes[number].switch(round >= WARM_UP);
            scenes.iter_mut().for_each(Scene::lower_all);
        }
    }
    println!(
        "\nCommand to the change in the third router's kernel, ms, {changes} changes, half of them reversals at once:\n"
    );
    head(["announced by", "third router", "p50", "p99", "worst", "switch p50", "reversal p50"]);
    for scene in &scenes {
        let cells = [
            scene.all.percentile(50),
            scene.all.percentile(99),
            scene.all.percentile(100),
            scene.switches.percentile(50),
            scene.reversals.percentile(50),
        ];
        let [middle, late, worst, there, back] = cells.map(ms);
        let names = [scene.announcer.name(), scene.observer.name()];
        row([names[0], names[1], &middle, &late, &worst, &there, &back]);
    }
}

/// The worst that can be asked for: the reversal changes the LSA that has just been changed.
pub fn measure_same(products: &[Product], observers: &[Product], rounds: usize) {
    let mut scenes = scenes(products, observers);
    // They mostly wait, each for itself.
    thread::scope(|scope| {
        for scene in &mut scenes {
            scope.spawn(|| (0..rounds).for_each(|_| scene.there_and_back()));
        }
    });
    println!(
        "\nThe same LSA changed again at once: command to the change in the third router's kernel, ms, {rounds} times:\n"
    );
    head(["announced by", "third router", "switch p50", "back p50", "back worst"]);
    for scene in &scenes {
        let [there, back, worst] = [
            scene.switches.percentile(50),
            scene.reversals.percentile(50),
            scene.reversals.percentile(100),
        ]
        .map(ms);
        row([scene.announcer.name(), scene.observer.name(), &there, &back, &worst]);
    }
}
