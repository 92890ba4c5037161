//! Routes that lead to nexthop objects.

use std::time::Duration;

use shunt::fib::{Exit, Fate, Fib, Leg, Tier, Urgency};
use shunt::types::Prefix;

use super::{Driven, hop, in_namespace, index, ip};

const ROUTES: usize = 200;

fn table() -> impl Iterator<Item = Prefix> {
    (0..ROUTES).map(|n| format!("198.18.{n}.0/24").parse().unwrap())
}

/// The first is used, the others are its backups. Each link has a source of its number.
fn exit(gateways: &[&str]) -> Option<Exit> {
    let leg = |text: &&str| {
        let hop = hop(text);
        let hops = [hop].into_iter().collect();
        Tier::from_iter([Leg { source: hop.interface, next_hop: None, hops }])
    };
    let first = table().next()?;
    Exit::new(first.family(), gateways.iter().map(leg))
}

fn want(driven: &mut Driven, gateways: &[&str]) {
    for prefix in table() {
        driven.fib.want(prefix, exit(gateways), Urgency::Bulk);
    }
}

/// The interface that the kernel sends packets for all of the table to, and how many routes there are.
fn way() -> (String, usize) {
    let text = ip("route show proto 201");
    let routes = text.lines().filter(|line| line.starts_with("198.18.")).count();
    let mut interfaces: Vec<String> = table()
        .map(|prefix| {
            let answer = ip(&format!("route get {}", prefix.address()));
            answer.split_whitespace().skip_while(|word| *word != "dev").nth(1).unwrap().to_owned()
        })
        .collect();
    interfaces.dedup();
    (interfaces.join(" "), routes)
}

fn installed(fib: &Fib) -> bool {
    fib.is_ready() && fib.totals().observed == ROUTES
}

#[test]
fn the_kernel_moves_all_routes_of_a_lost_link_to_the_guard_by_itself() {
    in_namespace(async || {
        let mut driven = Driven::new(true);
        want(&mut driven, &["10.0.1.2@east", "10.0.2.2@west"]);
        driven.until(installed).await;
        assert_eq!(way(), ("east".to_owned(), ROUTES), "the guard carries nothing");

        // Nobody is told before the kernel has done it.
        ip("link set east-far down");
        let begun = std::time::Instant::now();
        while ip("nexthop show").contains("dev east") {
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(way(), ("west".to_owned(), ROUTES));
        let east = index("east");
        let is_down = |fib: &Fib| fib.interfaces().link(east).is_some_and(|link| !link.up);
        driven.until(|fib| installed(fib) && is_down(fib)).await;
        assert_eq!(way(), ("west".to_owned(), ROUTES));
    });
}

#[test]
fn all_routes_of_a_lost_source_move_by_one_change() {
    in_namespace(async || {
        let mut driven = Driven::new(true);
        want(&mut driven, &["10.0.1.2@east", "10.0.2.2@west"]);
        driven.until(installed).await;
        let east = index("east");
        driven.fib.rewrite(|leg| if leg.source == east { Fate::Gone } else { Fate::Kept });
        driven.until(installed).await;
        assert_eq!(way(), ("west".to_owned(), ROUTES));
        want(&mut driven, &["10.0.2.2@west"]);
        assert!(driven.fib.poll(usize::MAX).is_empty());
    });
}

#[test]
fn the_next_life_finds_groups_and_routes_and_changes_nothing() {
    in_namespace(async || {
        let gateways = ["10.0.1.2@east", "10.0.2.2@west"];
        let mut driven = Driven::new(true);
        want(&mut driven, &gateways);
        driven.until(installed).await;
        let before = (ip("nexthop show"), ip("route show proto 201"));
        drop(driven);

        let mut driven = Driven::new(true);
        want(&mut driven, &gateways);
        driven.until(installed).await;
        driven.fib.sweep();
        driven.until(installed).await;
        assert_eq!((ip("nexthop show"), ip("route show proto 201")), before);

        // What nobody wants goes, objects last.
        for prefix in table() {
            driven.fib.want(prefix, None, Urgency::Bulk);
        }
        driven.until(|fib| fib.totals().observed == 0 && fib.totals().groups == 0).await;
        assert_eq!(ip("route show proto 201"), "");
    });
}
