//! A full table: a million IPv4 prefixes over 125 000 attribute sets, and what the RIB, an Adj-RIB-Out and the
//! model of the kernel's routes take for it in processor time and memory.
//!
//!     cargo bench --bench rib
//!
//! Without `--bench` (as `cargo test --benches` runs it) it is a check on a small table.

mod counting;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use counting::live;
use shunt::config;
use shunt::fib::{self, Exit, Fib, Hop, Leg, Observed, Settings};
use shunt::policy::{Chain, Route};
use shunt::rib::export::{Neighbor, export, withheld};
use shunt::rib::{
    self, AdjRibOut, Connected, Resolved, Rib, Source, SourceId, SourceKind, Told, Urgency,
};
use shunt::types::{Asn, Family, Prefix, Rng, RouterId, Time, Validity};
use shunt::wire::bgp::{AsPath, Attributes, Community, NextHop};

/// Processor time of this process: what a busy machine gives to others does not count.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, which lives over the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs `work` and prints the processor time and memory it took per route.
fn measure<T>(what: &str, routes: usize, work: impl FnOnce() -> T) -> T {
    let (memory, start) = (live(), cpu());
    let result = work();
    let (took, grown) = (cpu() - start, live() - memory);
    let per_route = took.as_nanos() as f64 / routes as f64;
    let octets = grown as f64 / routes as f64;
    println!(
        "{what:<44} {:>8.1} ms {per_route:>8.0} ns/route {octets:>8.1} octets/route",
        millis(took)
    );
    result
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// Distinct prefixes with about the length mix of the default-free zone, crowded into 30 000 blocks of 16 bits as there,
/// in the order of announcement. Neighbours in the list, which share an attribute set, mostly share their block.
fn prefixes(count: usize, rng: &mut Rng) -> Vec<Prefix> {
    let blocks: Vec<u32> =
        (0..30_000).map(|_| (0x0100 + rng.below(0xdf00 - 0x0100) as u32) << 16).collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut prefixes = Vec::with_capacity(count);
    let mut block = 0;
    while prefixes.len() < count {
        if rng.chance(30) {
            block = blocks[rng.below(30_000) as usize];
        }
        let length = match rng.below(100) {
            0..60 => 24,
            60..72 => 23,
            72..84 => 22,
            84..90 => 21,
            90..95 => 20,
            95..98 => 19,
            _ => 16,
        };
        let address = Ipv4Addr::from_bits(block + rng.below(1 << 16) as u32);
        let prefix = Prefix::new(IpAddr::V4(address), length);
        if let Some(prefix) = prefix.filter(|prefix| seen.insert(*prefix)) {
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// As a neighbour would send it: a path of four, two communities.
fn attributes(next_hop: Ipv4Addr, first: u32, rng: &mut Rng) -> Attributes {
    let mut attributes = Attributes::originated(NextHop::V4(next_hop));
    let path = [first, 3356, 1 + rng.below(400_000) as u32, 1 + rng.below(400_000) as u32];
    attributes.as_path = AsPath::sequence(path.map(Asn));
    attributes.communities =
        Box::new([Community(first << 16), Community(rng.below(1 << 31) as u32)]);
    attributes
}

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (routes, sets) = if full { (1_000_000, 125_000) } else { (8_000, 1_000) };
    println!("{routes} IPv4 prefixes over {sets} attribute sets");
    let mut rng = Rng::new(1);
    let prefixes = prefixes(routes, &mut rng);
    let network = Prefix::new(IpAddr::from([192, 0, 2, 0]), 24);
    let mut rib = Rib::new();
    rib.set_connected(Connected::new(network.map(|network| (network, 2)), []));
    let neighbors = [(SourceId(1), 64496), (SourceId(2), 64497)];
    for (id, asn) in neighbors {
        let address = Ipv4Addr::new(192, 0, 2, id.0 as u8);
        rib.add_source(id, Source::neighbor(true, RouterId(address), IpAddr::V4(address)));
        let received: Vec<Attributes> =
            (0..sets).map(|_| attributes(address, asn, &mut rng)).collect();
        measure(&format!("neighbour {}: intern and learn", id.0), routes, || {
            let per_set = routes.div_ceil(sets);
            for (set, prefixes) in received.into_iter().zip(prefixes.chunks(per_set)) {
                let set = rib.intern(set);
                for prefix in prefixes {
                    rib.learn(id, *prefix, Arc::clone(&set));
                }
            }
        });
        measure(
            "  changes taken",
            routes,
            || {
                while !black_box(rib.take_changes(1000)).is_empty() {}
            },
        );
        let best = || prefixes.iter().filter(|prefix| rib.best(**prefix).is_some()).count();
        assert_eq!(measure("  best path of each prefix", routes, best), routes);
    }
    measure("gateways of each prefix, two paths each", routes, || {
        for prefix in &prefixes {
            black_box(rib.hops(*prefix, 8));
        }
    });
    measure("longest match of each network address", routes, || {
        for prefix in &prefixes {
            black_box(rib.longest_match(prefix.address()));
        }
    });

    measure_policies(&rib, &prefixes);

    let mut out = AdjRibOut::new();
    let to = Neighbor { id: SourceId(3), kind: SourceKind::Ebgp, own_asn: Asn(64512), role: None };
    let ours = NextHop::V4(Ipv4Addr::new(192, 0, 2, 254));
    measure("told to a neighbour, all pending", routes, || {
        for prefix in rib.page(None, usize::MAX) {
            let Some(best) = rib.best(prefix) else { continue };
            let (set, from) = (Arc::clone(best.attributes), best.source);
            if withheld(&set, from, SourceKind::Ebgp, &to).is_none() {
                out.set(prefix, Some(Told::Passed(set)), Urgency::Bulk);
            }
        }
    });
    let groups = measure("  drained and exported", routes, || {
        let mut groups = 0;
        loop {
            let batch = out.drain(1000);
            if batch.is_empty() {
                break groups;
            }
            groups += batch.announced.len();
            for (told, _) in &batch.announced {
                let Told::Passed(set) = told else { continue };
                black_box(export(set, &to, ours));
            }
        }
    });
    println!("  in {groups} groups of one attribute set");
    measure("  route refresh, drained", routes, || {
        out.resend(Family::Ipv4);
        while !black_box(out.drain(1000)).is_empty() {}
    });
    drop(out);

    let (grace, rescan) = (Duration::from_secs(60), Duration::from_secs(600));
    let settings = Settings { metric: 20, grace, rescan, objects: true };
    let mut fib = Fib::new(settings, Time::ZERO);
    fib.observe(Observed::DumpBegun, Time::ZERO);
    fib.observe(Observed::DumpDone, Time::ZERO);
    measure("kernel model: wanted, created, acknowledged", routes, || {
        for prefix in &prefixes {
            let hop = |hop: &Resolved| Hop { gateway: hop.gateway, interface: hop.interface };
            let leg = |leg: &rib::Leg| Leg {
                source: leg.source.0,
                next_hop: leg.next_hop,
                hops: leg.hops.iter().map(hop).collect(),
            };
            let tiers = rib.tiers(*prefix, 1, Exit::TIERS);
            let tiers = tiers.iter().map(|tier| tier.iter().map(leg).collect());
            fib.want(*prefix, Exit::new(prefix.family(), tiers), fib::Urgency::Bulk);
            for change in fib.poll(100) {
                fib.applied(change.key(), Ok(()), Time::ZERO);
            }
        }
    });
    assert!(fib.is_settled());
    drop(fib);

    let near = Prefix::new(IpAddr::from([192, 0, 2, 2]), 32);
    measure("a connected network goes: next hops, changes", routes, || {
        rib.set_connected(Connected::new(near.map(|network| (network, 2)), []));
        black_box(rib.take_changes(usize::MAX));
    });
    measure("neighbour 1 is lost", routes, || rib.remove_source(SourceId(1)));
    measure("  changes taken, best path of each", routes, || {
        for prefix in rib.take_changes(usize::MAX) {
            black_box(rib.best(prefix));
        }
    });
    rib.remove_source(SourceId(2));
    measure("neighbour 2 is lost, the table is empty", routes, || {
        while rib.has_changes() {
            black_box(rib.take_changes(2000));
        }
    });
    assert!(rib.is_empty());
}

/// The import policies of `config/policies.toml`, the same with a prefix list of 10 000 entries more.
fn measure_policies(rib: &Rib, prefixes: &[Prefix]) {
    let example = include_str!("../config/policies.toml");
    let many: Vec<String> = (0..10_000)
        .map(|n| format!("\"{} le 32\"", Prefix::host(Ipv4Addr::from_bits(0xf000_0000 + n).into())))
        .collect();
    let list = "[prefix-list.length]\nprefixes = [";
    let long = example.replace(list, &format!("{list}{}, ", many.join(", ")));
    let chain = |text: &str| -> Chain {
        let config =
            config::parse(text, "", &mut |_| Err(String::new())).unwrap_or_else(|mistakes| {
                panic!("{mistakes:?}");
            });
        config.neighbors["isp-a"].import_policy.clone()
    };
    for (name, chain) in [("policies", chain(example)), ("policies, 10 000 prefixes", chain(&long))]
    {
        let route = |prefix: &Prefix| Route {
            prefix: *prefix,
            learned_from: Some("isp-a"),
            validity: Validity::NotFound,
        };
        measure(&format!("{name}: facts of each route"), prefixes.len(), || {
            for prefix in prefixes {
                black_box(chain.facts(&route(prefix)));
            }
        });
        measure("  verdict of each set", prefixes.len(), || {
            let mut last = None;
            for prefix in prefixes {
                let Some(best) = rib.best(*prefix) else { continue };
                if last != Some(Arc::as_ptr(best.attributes)) {
                    last = Some(Arc::as_ptr(best.attributes));
                    let facts = chain.facts(&route(prefix));
                    black_box(chain.evaluate(best.attributes, &facts, Some(Asn(64496))));
                }
            }
        });
    }
}
