//! Policies between running nodes: what comes in, what goes out, and what a reload changes without a reset.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shunt::agent::Event;
use shunt::rpki::{CacheId, Report, Table};
use shunt::sim::{Link, NodeId, World};

use shunt::types::Asn;
use shunt::wire::rtr::Vrp;

use crate::topology::*;

const TABLE: u32 = 500;

/// A feed with 10.0.0.0/32 to 10.0.1.243/32, a node in the middle, and a sink; the middle has these policies.
struct Scene {
    world: World,
    feed: NodeId,
    relay: NodeId,
    sink: NodeId,
}

fn relay(from_feed: &str, to_sink: &str, policies: &str) -> String {
    let text = Text::node("relay", "dc1", 64500, "192.0.2.2")
        .payments()
        .neighbor("feed", "10.254.0.1", 64496, &format!("import = \"all\"\n{from_feed}"))
        .neighbor("sink", "10.254.1.2", 64497, &format!("export = \"transit\"\n{to_sink}"))
        .done();
    format!("{text}\n{policies}")
}

fn scene(relay: &str) -> Scene {
    let mut world = World::new(1);
    let feed = Text::node("feed", "isp", 64496, "192.0.2.1").many(TABLE);
    let feed = feed.neighbor("relay", "10.254.0.2", 64500, "export = \"groups\"").done();
    let sink = Text::node("sink", "isp", 64497, "192.0.2.3");
    let sink = sink.neighbor("relay", "10.254.1.1", 64500, "import = \"all\"").done();
    let [feed, relay, sink] = [&feed, relay, &sink].map(|text| world.node(text));
    world.link((feed, "10.254.0.1/24"), (relay, "10.254.0.2/24"), Link::default());
    world.link((relay, "10.254.1.1/24"), (sink, "10.254.1.2/24"), Link::default());
    for node in [feed, relay, sink] {
        world.start(node);
    }
    world.run_for(Duration::from_secs(20));
    Scene { world, feed, relay, sink }
}

impl Scene {
    fn reload(&mut self, text: &str) {
        self.world.reload(self.relay, text).unwrap();
        self.world.run_for(Duration::from_secs(3));
        // No session was reset.
        for (node, name) in [(self.relay, "feed"), (self.relay, "sink")] {
            assert_eq!(neighbor(&self.world, node, name).established_count, 1);
        }
    }

    fn taken(&self) -> u64 {
        neighbor(&self.world, self.relay, "feed").prefixes_received
    }

    fn passed_on(&self) -> u64 {
        neighbor(&self.world, self.sink, "relay").prefixes_received
    }
}

const LOW: &str = r#"
[prefix-list.low]
prefixes = ["10.0.0.0/24 le 32"]
"#;

#[test]
fn an_import_policy_takes_what_it_accepts_as_it_has_changed_it() {
    let policy = format!(
        r#"{LOW}
[policy.in]
[[policy.in.rule]]
name = "low"
match = {{ prefix-list = "low", as-path = "^64496$" }}
set = {{ local-pref = 250, prepend = 2, communities = "64500:1", med = "none" }}
then = "accept"
"#
    );
    let mut scene = scene(&relay("import-policy = [\"in\"]", "", &policy));
    assert_eq!(scene.taken(), 256);
    let seen = sees(&scene.world, scene.relay, "10.0.0.7/32").unwrap();
    assert_eq!((seen.local_pref, seen.med), (Some(250), None));
    assert_eq!(seen.as_path, "64496 64496 64496");
    assert_eq!(seen.communities, ["64500:1"]);
    assert!(sees(&scene.world, scene.relay, "10.0.1.7/32").is_none());
    let feed = neighbor(&scene.world, scene.relay, "feed");
    assert_eq!(feed.import_policy, ["in"]);
    assert_eq!(feed.prefixes_rejected, 244);
    assert_eq!(feed.rejected_by[0].rule, "policy in, its default");
    assert_eq!(feed.rejected_by[0].routes, 244);
    // What is passed on is what was stored.
    let seen = sees(&scene.world, scene.sink, "10.0.0.7/32").unwrap();
    assert_eq!(seen.as_path, "64500 64496 64496 64496");
    assert_eq!(seen.communities, ["64500:1"]);
    // The feed moves its prefixes: the policy judges what it now says.
    scene.world.order(scene.feed, "withdraw", "many", "");
    scene.world.run_for(Duration::from_secs(2));
    assert_eq!(scene.taken(), 0);
}

#[test]
fn a_changed_import_policy_judges_again_without_a_reset() {
    let policy = |rule: &str| format!("{LOW}\n[policy.in]\ndefault = \"accept\"\n{rule}");
    let reject = "[[policy.in.rule]]\nmatch = { prefix-list = \"low\" }\nthen = \"reject\"\n";
    let with = |rule: &str| relay("import-policy = [\"in\"]", "", &policy(rule));
    let mut scene = scene(&with(""));
    assert_eq!((scene.taken(), scene.passed_on()), (500, 501));
    scene.reload(&with(reject));
    assert_eq!((scene.taken(), scene.passed_on()), (244, 245));
    assert_eq!(scene.world.kernel_routes(scene.relay).len(), 244);
    let raised = reject.replace("then = \"reject\"", "set = { local-pref = 7 }\nthen = \"next\"");
    scene.reload(&with(&raised));
    assert_eq!((scene.taken(), scene.passed_on()), (500, 501));
    assert_eq!(sees(&scene.world, scene.relay, "10.0.0.7/32").unwrap().local_pref, Some(7));
    assert_eq!(sees(&scene.world, scene.relay, "10.0.1.7/32").unwrap().local_pref, None);
    assert!(neighbor(&scene.world, scene.relay, "feed").rejected_by.is_empty());
    // Without the policy everything is as it was sent.
    scene.reload(&relay("", "", &policy(&raised)));
    assert_eq!(sees(&scene.world, scene.relay, "10.0.0.7/32").unwrap().local_pref, None);
}

#[test]
fn an_export_policy_decides_what_a_neighbor_gets_and_how_it_looks() {
    let policies = |own: &str| {
        format!(
            r#"{LOW}
[mapping.quiet]
primary = {{ med = 900 }}

[policy.out]
[[policy.out.rule]]
name = "own"
match = {{ as-path = "^$" }}
set = {{ communities = "64500:2", {own} }}
then = "accept"

[[policy.out.rule]]
name = "low"
match = {{ prefix-list = "low", learned-from = "feed" }}
set = {{ med = 33, prepend = 2, large-communities = "64500:1:1", local-pref = 5 }}
then = "accept"

[policy.no-sevens]
default = "accept"
[[policy.no-sevens.rule]]
name = "seven"
match = {{ prefixes = ["10.0.0.7/32"] }}
then = "reject"
"#
        )
    };
    let with = |policy: &str, own: &str| relay("", policy, &policies(own));
    let out = "export-policy = [\"no-sevens\", \"out\"]";
    let mut scene = scene(&with(out, "med = 11"));
    assert_eq!(scene.passed_on(), 255 + 1);
    let seen = |scene: &Scene, prefix| sees(&scene.world, scene.sink, prefix);
    let low = seen(&scene, "10.0.0.8/32").unwrap();
    assert_eq!((low.as_path.as_str(), low.med), ("64500 64500 64500 64496", Some(33)));
    assert_eq!((low.large_communities, low.local_pref), (vec!["64500:1:1".to_owned()], None));
    assert!(seen(&scene, "10.0.0.7/32").is_none() && seen(&scene, "10.0.1.0/32").is_none());
    let own = seen(&scene, "198.51.100.7/32").unwrap();
    assert_eq!((own.as_path.as_str(), own.med), ("64500", Some(11)));
    assert_eq!(own.communities, ["64500:2"]);
    // Why says who did it.
    let because = |scene: &Scene, prefix: &str| {
        let agent = scene.world.agent(scene.relay).unwrap();
        let why = agent.why(prefix, scene.world.agent_now(scene.relay)).unwrap();
        why.sent.into_iter().find(|sent| sent.neighbor == "sink").unwrap().because
    };
    assert_eq!(because(&scene, "10.0.0.7/32"), "rejected by policy no-sevens, rule seven");
    assert_eq!(
        because(&scene, "10.0.0.8/32"),
        "the best learned path, passed on; its policies: local-pref 5, med 33, prepend 2, add \
         large community 64500:1:1"
    );
    assert!(
        because(&scene, "198.51.100.7/32")
            .ends_with("; its policies: med 11, add community 64500:2")
    );

    // Another class, and a policy less: only what differs goes out.
    let before = neighbor(&scene.world, scene.relay, "sink").updates_sent;
    scene.reload(&with("export-policy = [\"out\"]", "class = \"quiet\""));
    assert_eq!(scene.passed_on(), 256 + 1);
    assert_eq!(seen(&scene, "198.51.100.7/32").unwrap().med, Some(900));
    assert_eq!(neighbor(&scene.world, scene.relay, "sink").updates_sent - before, 2);

    // Without policies.
    scene.reload(&with("", "class = \"quiet\""));
    assert_eq!(scene.passed_on(), 501);
    let low = seen(&scene, "10.0.0.8/32").unwrap();
    assert_eq!((low.as_path.as_str(), low.med), ("64500 64496", None));

    // And what is rejected is withdrawn, our own as well; an order says why nobody is told.
    let nothing = with("export-policy = [\"nothing\"]", "med = 1") + "\n[policy.nothing]\n";
    scene.reload(&nothing);
    assert_eq!(scene.passed_on(), 0);
    assert_eq!(because(&scene, "198.51.100.7/32"), "rejected by policy nothing, its default");
    let id = scene.world.order(scene.relay, "prefer", "payments", "standby");
    scene.world.run_for(Duration::from_secs(10));
    let reply = scene.world.answer(scene.relay, id).unwrap().as_ref().unwrap();
    let delivery = reply.deliveries.iter().find(|delivery| delivery.neighbor == "sink").unwrap();
    assert_eq!(delivery.prefixes.len(), 0, "{delivery:?}");
}

#[test]
fn a_path_that_leaves_is_not_preferred_by_a_policy() {
    let policy = r#"
[policy.in]
default = "accept"
[[policy.in.rule]]
set = { local-pref = 300 }
then = "next"
"#;
    let feed = Text::node("feed", "isp", 64496, "192.0.2.1").many(1).neighbor(
        "relay",
        "10.0.0.1",
        64500,
        "export = \"groups\"\nclass = \"leaving\"",
    );
    let feed =
        feed.done() + "[mapping.leaving]\nprimary = { communities = [\"graceful-shutdown\"] }\n";
    let relay = |policy: &str| {
        let relay = Text::node("relay", "dc1", 64500, "192.0.2.2");
        let more = "import = \"all\"\nimport-policy = [\"in\"]";
        relay.neighbor("feed", "10.0.0.2", 64496, more).done() + policy
    };
    let mut pair = pair_of(1, Link::default(), &relay(policy), &feed);
    pair.world.start(pair.edge);
    pair.world.start(pair.isp);
    pair.world.run_for(Duration::from_secs(5));
    let local_pref = |pair: &Pair| sees(&pair.world, pair.edge, "10.0.0.0/32").unwrap().local_pref;
    assert_eq!(local_pref(&pair), Some(0));
    // Who takes the mark off says that it is not to count.
    let deaf = policy.replace("300 }", "300, communities = { remove = \"graceful-shutdown\" } }");
    pair.world.reload(pair.edge, &relay(&deaf)).unwrap();
    pair.world.run_for(Duration::from_secs(2));
    assert_eq!(local_pref(&pair), Some(300));
}

#[test]
fn an_export_policy_hears_of_changed_rpki_states() {
    let policy = r#"
[rpki.cache.validator]
address = "192.0.2.99"
port = 323

[policy.out]
default = "accept"
[[policy.out.rule]]
name = "invalid"
match = { rpki = "invalid" }
then = "reject"
[[policy.out.rule]]
match = { rpki = "valid" }
set = { communities = "64500:10" }
then = "accept"
"#;
    let mut scene = scene(&relay("rpki = \"ignore\"", "export-policy = [\"out\"]", policy));
    assert_eq!(scene.passed_on(), 501);
    let say = |scene: &mut Scene, vrps: &[(&str, u8, u32)]| {
        let mut said = Table::default();
        let vrp = |(prefix, max_length, asn): &(&str, u8, u32)| Vrp {
            prefix: prefix.parse().unwrap(),
            max_length: *max_length,
            asn: Asn(*asn),
        };
        said.replace(CacheId::new(0).unwrap(), vrps.iter().map(vrp).collect());
        let changed = BTreeSet::from(["10.0.0.0/23".parse().unwrap()]);
        let report = Report::Table { table: Arc::new(said), changed };
        scene.world.deliver(scene.relay, Event::Rpki(report));
        scene.world.run_for(Duration::from_secs(2));
    };
    // The AS 64496 may announce the lower half, and somebody else the rest.
    say(&mut scene, &[("10.0.0.0/24", 32, 64496), ("10.0.1.0/24", 32, 1)]);
    assert_eq!(scene.passed_on(), 256 + 1);
    let seen = sees(&scene.world, scene.sink, "10.0.0.7/32").unwrap();
    assert_eq!(seen.communities, ["64500:10"]);
    say(&mut scene, &[]);
    assert_eq!(scene.passed_on(), 501);
    let seen = sees(&scene.world, scene.sink, "10.0.0.7/32").unwrap();
    assert!(seen.communities.is_empty());
}
