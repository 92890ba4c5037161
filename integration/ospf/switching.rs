//! Two sites announce one address; a third router's kernel goes to the better one.

use std::time::Duration;

use super::scene::{SERVICE, adjacent, link, no_faults, router};
use crate::lab::ospf::{Attached, Network, OspfPeer, OspfRouter, OspfShunt};
use crate::lab::{Capture, Instance, Monitor, Net, Node, PATIENCE, wait_for};

pub const DC1: &str = "10.255.0.1";
pub const DC2: &str = "10.255.0.2";
pub const CORE: &str = "10.255.0.3";

/// Neighbours that drop a change of an LSA for MinLSArrival get it 5 s later. FRR and BIRD compute within a second.
const PROMPT: Duration = Duration::from_secs(3);

pub const GROUP: &str = r#"
[mapping.inside]
"1" = { metric = 5000 }
drain = { metric = 4000 }
standby = { metric = 3000 }
primary = { metric = 2000 }
"220" = { metric = 1000 }
"240" = { metric = 500 }

[group.payments]
prefixes = ["198.51.100.7/32"]
base = { dc1 = "primary", dc2 = "standby" }
"#;

/// `dc1` and `dc2` with shuntd, each linked to `core`, a peer: 10.99.1.0/24 and 10.99.2.0/24 with core as .1.
pub struct Sites<P> {
    pub dc1: OspfShunt,
    pub dc2: OspfShunt,
    pub core: P,
    pub at_core: Node,
    /// At the core, towards each site.
    pub captures: [Capture; 2],
    /// Last, so that it goes last.
    _net: Net,
}

impl<P: OspfPeer> Sites<P> {
    #[track_caller]
    pub fn start(start: impl Fn(&Node, OspfRouter) -> P) -> Sites<P> {
        let mut net = Net::new();
        let [at_core, dc1, dc2] = ["core", "dc1", "dc2"].map(|name| net.node(name));
        net.link(&at_core, &dc1, 1);
        net.link(&at_core, &dc2, 2);
        // Clients: somewhere behind the core.
        at_core.address("lo", "192.0.2.1/32");
        for (site, n) in [(&dc1, 1), (&dc2, 2)] {
            site.address("lo", &format!("10.255.0.{n}/32"));
            site.address("lo", SERVICE);
        }
        let lo = || Attached::new("lo", Network::Passive);
        let captures = ["dc1", "dc2"].map(|name| Capture::start(&at_core, name, "proto 89"));
        let core = start(&at_core, router(CORE, vec![link("dc1"), link("dc2"), lo()]));
        // No `lo` here: what is announced is decided by the group alone.
        let site =
            |node: &Node, id: &str| OspfShunt::with(node, router(id, vec![link("core")]), GROUP);
        let sites = Sites {
            dc1: site(&dc1, DC1),
            dc2: site(&dc2, DC2),
            core,
            at_core,
            captures,
            _net: net,
        };
        sites.full();
        sites.goes_to(1);
        sites
    }

    /// Waits until all are Full, and each site knows that the others are, and has a way to the clients.
    #[track_caller]
    pub fn full(&self) {
        for (site, id, n) in [(&self.dc1, DC1, 1), (&self.dc2, DC2, 2)] {
            adjacent(site, CORE, "full/ptp");
            adjacent(&self.core, id, "full/ptp");
            site.node.wait_next_hops("192.0.2.1/32", &[&format!("10.99.{n}.1@core")]);
            // FRR and BIRD hold a second link in their router-LSA back for MinLSInterval.
            wait_for("both links of the core in its LSA", PATIENCE, || {
                let command = ["--json", "ospf", "database", "--type", "router", "--router", CORE];
                let shown = site.shuntd.ask(&command)?;
                let has = |id| shown.contains(&format!("link to router {id} "));
                if has(DC1) && has(DC2) { Ok(()) } else { Err(shown) }
            });
        }
    }

    /// Waits until the core's kernel sends to the site with this number, and to it only.
    #[track_caller]
    pub fn goes_to(&self, site: u8) {
        self.at_core.wait_next_hops(SERVICE, &[&format!("10.99.{site}.2@dc{site}")]);
    }

    /// The same, as fast as it has to be.
    #[track_caller]
    fn goes_promptly_to(&self, site: u8) {
        wait_for(&format!("traffic at dc{site}"), PROMPT, || {
            let hops = self.at_core.next_hops(SERVICE)?;
            if hops == [format!("10.99.{site}.2@dc{site}")] {
                Ok(())
            } else {
                Err(format!("{hops:?}"))
            }
        });
    }

    pub fn site(&self, number: u8) -> &OspfShunt {
        if number == 1 { &self.dc1 } else { &self.dc2 }
    }

    /// No neighbour had a reason to drop an instance of a site's own LSAs (MinLSArrival, RFC 2328 §13 (5a)), and all
    /// was well-formed.
    #[track_caller]
    fn never_too_early(&self) {
        for (site, capture) in (1..).zip(&self.captures) {
            let source = format!("10.99.{site}.2");
            let own = format!("10.255.0.{site}");
            let instances = capture.instances(&source);
            let mut last = std::collections::BTreeMap::<_, &Instance>::new();
            for instance in instances.iter().filter(|instance| instance.key.2 == own) {
                if let Some(before) = last.get(&instance.key) {
                    if instance.sequence <= before.sequence && instance.age < 3600 {
                        continue; // sent again
                    }
                    let apart = instance.time - before.time;
                    assert!(apart >= 1_000_000, "{apart} µs between {before:?} and {instance:?}");
                }
                last.insert(instance.key.clone(), instance);
            }
            no_faults(capture, &source);
        }
    }
}

mod planned {
    use super::*;
    use crate::ospf::scene::frr_and_bird;

    /// The target is raised, then the source lowered; at once the reversal, twice.
    #[track_caller]
    fn switch_and_its_reversal_are_prompt<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let sites = Sites::start(start);
        let monitor = Monitor::start(&sites.at_core);
        sites.dc2.order(&["prefer", "payments", "220", "--no-wait"]);
        sites.goes_promptly_to(2);
        // Traffic is there now, so nothing moves any more. The reversal raises what was not touched yet.
        sites.dc1.order(&["prefer", "payments", "240", "--no-wait"]);
        sites.goes_promptly_to(1);
        sites.dc2.order(&["prefer", "payments", "standby", "--no-wait"]);
        sites.goes_to(1);
        sites.dc1.order(&["prefer", "payments", "primary", "--no-wait"]);
        sites.goes_to(1);
        sites.never_too_early();
        // The kernel went there and back, and nowhere else in between.
        let changes = monitor.changes(SERVICE);
        assert_eq!(changes.len(), 2, "{changes:?}");
    }

    frr_and_bird!(switch_and_its_reversal_are_prompt);
}

mod fifty_times {
    use super::*;
    use crate::ospf::scene::frr_and_bird;

    /// Back and forth with no delay: the kernel ends at the last one, and nothing is sent that is dropped.
    #[track_caller]
    fn back_and_forth_ends_right<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let sites = Sites::start(start);
        for end in [2, 1] {
            for number in 1..=25 {
                let target = if number % 2 == 1 { end } else { 3 - end };
                sites.site(target).order(&["prefer", "payments", "primary", "--no-wait"]);
                sites.site(3 - target).order(&["prefer", "payments", "standby", "--no-wait"]);
            }
            sites.goes_promptly_to(end);
        }
        // It stays so: no instance is still under way.
        for site in [&sites.dc1, &sites.dc2] {
            wait_for("acknowledgement of the last instance", PROMPT, || {
                let sent = &site.shuntd.json(&["why", SERVICE])?["ospf"];
                let waits = sent["waiting_us"] != 0
                    || sent["unacknowledged"].as_array().is_none_or(|list| !list.is_empty());
                if waits { Err(sent.to_string()) } else { Ok(()) }
            });
        }
        sites.goes_to(1);
        sites.never_too_early();
    }

    frr_and_bird!(back_and_forth_ends_right);
}
