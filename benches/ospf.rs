//! An area of 1,000 routers and 10,000 externals: what its routes, a change of one of them and a plan take.
//!
//!     cargo bench --bench ospf_routes
//!
//! Without `--bench` (as `cargo test --benches` runs it) it is a check on a small area.

mod counting;
mod fed;

use std::net::Ipv4Addr;
use std::time::Duration;

use counting::live;
use fed::{Fed, externals, id, lsa, routers, settings};
use shunt::ospf::{Action, Announced, How};
use shunt::wire::ospf::{Link, LinkKind, LsaBody, LsaType, RouterLsa};

/// Processor time of this process: what a busy machine gives to others does not count.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, which lives over the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn measure<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = cpu();
    let result = work();
    println!("{what:<60} {:>9.3} ms", (cpu() - start).as_secs_f64() * 1000.0);
    result
}

/// The router that is measured.
struct Bench(Fed);

impl Bench {
    /// How many routes changed.
    fn drain(&mut self) -> usize {
        let actions = std::iter::from_fn(|| self.0.router.poll());
        actions.filter(|action| matches!(action, Action::RouteChanged { .. })).count()
    }

    fn wait(&mut self, span: Duration) {
        self.0.now += span;
        self.0.router.tick(self.0.now);
    }
}

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (routers_count, externals_count) = if full { (1000, 10_000) } else { (20, 100) };
    let mut bench = Bench(Fed::new(settings()));
    bench.wait(Duration::from_secs(4));
    bench.drain();

    let area = routers(routers_count);
    let table = externals(externals_count, routers_count, 20, 0);
    let count = area.len() + table.len();
    let before = live();
    measure("database: receive, check and install every LSA", || {
        bench.0.flood(&area);
        bench.0.flood(&table);
    });
    bench.drain();
    let grown = live() - before;
    println!("{:<60} {:>9.1} octets", "database: memory of each LSA", grown as f64 / count as f64);
    let before = live();
    // The topology changed, so it waits for the back-off; the wait itself is no processor time.
    let told = measure("first run: shortest paths and all routes", || {
        bench.wait(Duration::from_millis(1100));
        bench.drain()
    });
    let grown = live() - before;
    println!("{:<60} {:>9.1} octets", "routes: memory of each", grown as f64 / told as f64);
    assert!(told as u32 >= externals_count, "{told} routes");

    let mut links = match &area[1].body {
        LsaBody::Router(lsa) => lsa.links.clone(),
        _ => Vec::new(),
    };
    let stub = Ipv4Addr::new(9, 9, 9, 9);
    links.push(Link { kind: LinkKind::Stub, id: stub, data: Ipv4Addr::BROADCAST, metric: 1 });
    let body = LsaBody::Router(RouterLsa { boundary: true, links, ..RouterLsa::default() });
    bench.wait(Duration::from_secs(5));
    bench.drain();
    bench.0.flood(&[lsa(LsaType::ROUTER, id(2).0, id(2), 1, body)]);
    let told = measure("next run: one router-LSA changed", || {
        bench.wait(Duration::from_millis(20));
        bench.drain()
    });
    assert_eq!(told, 1);

    let changed = externals(1, routers_count, 30, 1);
    let told = measure("one external changed: from its packet to its route", || {
        bench.0.flood(&changed);
        bench.drain()
    });
    assert_eq!(told, 1);

    let changed = externals(externals_count, routers_count, 40, 2);
    bench.wait(Duration::from_secs(2));
    bench.drain();
    let told = measure("all externals changed, 20 to a packet", || {
        bench.0.flood(&changed);
        bench.drain()
    });
    assert_eq!(told as u32, externals_count);

    let announced = Some(Announced { metric: 10, how: How::External2, tag: 0 });
    let prefix = "192.0.0.0/24".parse().unwrap_or_default();
    let plan = measure("plan for one prefix, all routers", || {
        bench.0.router.plan(&[(prefix, announced)], bench.0.now)
    });
    assert_eq!(plan[0].routers.len() as u32, routers_count + 1);
    // All but the one that announces it as well.
    let moved = plan[0].routers.iter().filter(|router| router.before != router.after).count();
    assert_eq!(moved as u32, routers_count);
}
