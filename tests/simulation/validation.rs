//! Origin validation: what RPKI caches say decides which learned paths win, now and after each change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shunt::agent::Event;
use shunt::api::v1::{RoutesRequest, RpkiRequest};
use shunt::rpki::{CacheId, Report, Table as Vrps};
use shunt::types::{Asn, Prefix};
use shunt::wire::bgp::AsPath;
use shunt::wire::rtr::Vrp;

use crate::selecting::{ISP_A, ISP_B, Table, all, table, table_with};
use crate::topology::sees;

/// `10.0.0.0/8-16 64496`: what the caches say now; the changes are of these prefixes.
fn say(table: &mut Table, vrps: &[&str], changed: &[&str]) {
    let vrp = |text: &&str| {
        let (range, asn) = text.split_once(' ').unwrap();
        let (prefix, max_length) = range.split_once('-').unwrap();
        let (prefix, max_length) = (prefix.parse().unwrap(), max_length.parse().unwrap());
        Vrp { prefix, max_length, asn: Asn(asn.parse().unwrap()) }
    };
    let mut said = Vrps::default();
    said.replace(CacheId::new(0).unwrap(), vrps.iter().map(vrp).collect());
    let changed: BTreeSet<Prefix> = changed.iter().map(|prefix| prefix.parse().unwrap()).collect();
    let report = Report::Table { table: Arc::new(said), changed };
    table.world.deliver(table.edge, Event::Rpki(report));
    table.world.run_for(Duration::from_millis(10));
}

fn rejected(table: &Table) -> u64 {
    let agent = table.world.agent(table.edge).unwrap();
    let request = RpkiRequest { prefix: String::new(), origin_as: None };
    let reply = agent.rpki(&request, table.world.agent_now(table.edge)).unwrap();
    assert!(!reply.revalidating);
    reply.rejected_paths
}

fn is_in_kernel(table: &Table, prefix: &str) -> bool {
    let prefix: Prefix = prefix.parse().unwrap();
    table.world.kernel_routes(table.edge).iter().any(|route| route.prefix == prefix)
}

const INVALID: &str = "not used for the RPKI state of its origin";

fn unusable(prefix: &str, source: &str) -> String {
    format!("{prefix} {source} unusable {INVALID}")
}

#[test]
fn changed_vrps_act_on_the_routes_that_are_there() {
    let mut table = table();
    let of = |prefix: &str| RoutesRequest { longer: prefix.to_owned(), ..all() };
    assert!(is_in_kernel(&table, "10.2.0.0/16"));
    // AS 64499, behind the ISP B, may originate these; AS 64496 may not.
    let both = ["10.1.0.0/16-16 64499", "10.2.0.0/16-24 64499"];
    say(&mut table, &both, &["10.1.0.0/16", "10.2.0.0/16"]);
    let [a, c] = [unusable("10.1.0.0/16", "isp-a"), unusable("10.1.2.0/24", "isp-a")];
    table.shows(&of("10.1.0.0/16"), &["10.1.0.0/16 isp-b best", &a, &c]);
    table.shows(&of("10.2.0.0/16"), &[&unusable("10.2.0.0/16", "isp-a")]);
    assert!(!is_in_kernel(&table, "10.2.0.0/16"));
    assert_eq!(rejected(&table), 3);
    // What comes now is judged by what is said now.
    table.learn(ISP_A, "10.2.2.0/24", |_| ());
    table
        .learn(ISP_B, "10.2.0.0/16", |set| set.as_path = AsPath::sequence([64497, 64499].map(Asn)));
    table.shows(
        &of("10.2.0.0/16"),
        &[
            "10.2.0.0/16 isp-b best",
            &unusable("10.2.0.0/16", "isp-a"),
            &unusable("10.2.2.0/24", "isp-a"),
        ],
    );
    assert_eq!(rejected(&table), 4);
    // The ISP A may as well, but in one piece. Nobody was asked to send anything again.
    let more = [both[0], both[1], "10.2.0.0/16-16 64496"];
    say(&mut table, &more, &["10.2.0.0/16"]);
    let lost = "10.2.0.0/16 isp-b lost longer AS path (2, best has 1), against isp-a";
    table.shows(
        &of("10.2.0.0/16"),
        &["10.2.0.0/16 isp-a best", lost, &unusable("10.2.2.0/24", "isp-a")],
    );
    // Without data nothing is invalid.
    say(&mut table, &[], &["0.0.0.0/0", "::/0"]);
    table.shows(&of("10.2.0.0/16"), &["10.2.0.0/16 isp-a best", lost, "10.2.2.0/24 isp-a best"]);
    assert_eq!(rejected(&table), 0);
    assert!(is_in_kernel(&table, "10.2.2.0/24"));
}

/// Many routes below many prefixes that changed, some of which lie in each other: no route is left out.
#[test]
fn every_route_below_what_changed_is_looked_at() {
    let mut table = table();
    for third in 0..3 {
        for last in 0..=255 {
            table.learn(ISP_A, &format!("10.5.{third}.{last}/32"), |_| ());
        }
    }
    table.learn(ISP_A, "10.5.0.0/16", |_| ());
    table.learn(ISP_A, "10.4.0.0/16", |_| ());
    let changed = ["10.5.0.0/16", "10.5.1.0/24", "10.5.2.7/32", "2001:db8::/32"];
    say(&mut table, &["10.5.0.0/16-32 1", "10.5.1.0/24-24 1", "10.5.2.7/32-32 64496"], &changed);
    assert_eq!(rejected(&table), 3 * 256);
    // Only those that changed: what is said of the rest is new, but was not told as such.
    say(&mut table, &["0.0.0.0/0-32 1"], &["10.5.2.0/24"]);
    assert_eq!(rejected(&table), 3 * 256 + 1);
    say(&mut table, &["0.0.0.0/0-32 1"], &["0.0.0.0/0"]);
    // With the seven paths that were there before.
    assert_eq!(rejected(&table), 7 + 2 + 3 * 256);
}

/// A policy that looks decides alone, each time by what was received: nothing of what it did before is left.
#[test]
fn a_policy_that_looks_at_the_state_is_asked_again() {
    let policy = "[rpki.cache.any]\naddress = \"192.0.2.53\"\n\
         [policy.origins]\ndefault = \"accept\"\n\
         [[policy.origins.rule]]\nmatch = { rpki = \"invalid\", prefixes = [\"10.2.0.0/16\"] }\nthen = \"reject\"\n\
         [[policy.origins.rule]]\nmatch = { rpki = \"valid\" }\nset = { local-pref = 200, prepend = 2 }\nthen = \"accept\"\n";
    let mut table = table_with("import-policy = [\"origins\"]", policy);
    let of = |prefix: &str| RoutesRequest { longer: prefix.to_owned(), ..all() };
    let path = |table: &Table, prefix: &str| {
        let seen = sees(&table.world, table.edge, prefix).unwrap();
        (seen.as_path, seen.local_pref)
    };
    let as_received = ("64496".to_owned(), None);
    let changed = ("64496 64496 64496".to_owned(), Some(200));
    assert_eq!(path(&table, "10.2.0.0/16"), as_received);
    let all_changed = ["0.0.0.0/0"];
    for _ in 0..2 {
        say(&mut table, &["10.0.0.0/8-16 64496"], &all_changed);
        assert_eq!(path(&table, "10.2.0.0/16"), changed);
        // Again, and it is not changed again.
        say(&mut table, &["10.0.0.0/8-17 64496"], &all_changed);
        assert_eq!(path(&table, "10.2.0.0/16"), changed);
        say(&mut table, &["10.2.0.0/16-16 1", "10.0.0.0/15-16 1"], &all_changed);
        table.shows(&of("10.2.0.0/16"), &[&unusable("10.2.0.0/16", "isp-a")]);
        // Invalid as well, but the policy lets it be.
        assert_eq!(path(&table, "10.0.0.0/8"), as_received);
        assert_eq!(path(&table, "10.1.0.0/16"), as_received);
        say(&mut table, &[], &all_changed);
        assert_eq!(path(&table, "10.2.0.0/16"), as_received);
    }
    // What is received while it is invalid comes back as well.
    say(&mut table, &["10.2.0.0/16-16 1"], &all_changed);
    table.learn(ISP_A, "10.2.0.0/16", |set| set.med = Some(7));
    table.shows(&of("10.2.0.0/16"), &[&unusable("10.2.0.0/16", "isp-a")]);
    say(&mut table, &[], &all_changed);
    let seen = sees(&table.world, table.edge, "10.2.0.0/16").unwrap();
    assert_eq!((seen.med, seen.local_pref), (Some(7), None));
}
