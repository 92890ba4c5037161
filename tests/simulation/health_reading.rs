//! What operators read about checks and guards.

use std::time::Duration;

use shunt::agent::{Agent, Event};
use shunt::api::v1;
use shunt::health::{CheckId, Outcome, Run};
use shunt::sim::{Answer, NodeId, Service, World};
use shunt::types::Time;
use tonic::Code;

const NODE: &str = r#"
[node]
name = "edge1"
site = "dc1"
asn = 64500
router-id = "192.0.2.1"
own-prefixes = ["198.51.100.0/24"]
"#;

const SERVICE: &str = r#"
[ospf]
export = "groups"
[ospf.interface.e1]
network = "point-to-point"
[group.web]
prefixes = ["198.51.100.7/32"]
base = { dc1 = "primary" }
checks = ["pool", "web"]
on-down = "none"
[[group.web.rule]]
check = "web"
then = "-10"
[[group.web.rule]]
check = "gateway"
[check.web]
tcp = "10.0.0.80:6379"
send = "PING\r\n"
expect = "PONG"
interval = "1s"
fast-interval = "100ms"
timeout = "500ms"
slow = "300ms"
objective = "5ms"
window = 40
half-life = "60s"
hold-above = 2500
source-address = "192.0.2.1"
mark = 7
[check.pool]
backends = ["s1", "s2"]
at-least = 1
[check.s1]
tcp = "10.0.0.81:80"
timeout = "700ms"
[check.s2]
tcp = "10.0.0.82:80"
[check.gateway]
icmp = "10.0.0.1"
[guard]
witnesses = ["gateway"]
"#;

const TARGET: &str = "10.0.0.80:6379";

struct Edge {
    world: World,
    node: NodeId,
}

impl Edge {
    fn new(sections: &str) -> Edge {
        let mut world = World::new(5);
        let node = world.node(&format!("{NODE}{sections}"));
        world.start(node);
        assert!(world.agent(node).is_some(), "a mistake in the configuration");
        Edge { world, node }
    }

    fn wait(&mut self, seconds: u64) {
        self.world.run_for(Duration::from_secs(seconds));
    }

    fn answer(&mut self, target: &str, answer: Answer) {
        self.world.set_service(target, Service { answer, ..Service::default() });
    }

    fn ask<T>(&self, question: impl Fn(&Agent, Time) -> T) -> T {
        question(self.world.agent(self.node).unwrap(), self.world.agent_now(self.node))
    }

    fn health(&self, name: &str) -> Result<v1::HealthReply, tonic::Status> {
        let request = v1::HealthRequest { name: name.to_owned() };
        self.ask(|agent, now| agent.health(&request, now))
    }

    fn check(&self, name: &str) -> v1::Check {
        self.health(name).unwrap().checks.remove(0)
    }

    fn status(&self) -> v1::StatusReply {
        self.ask(|agent, now| agent.status(now))
    }

    /// Without those that are about the kernel.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.status().warnings;
        warnings.retain(|text| text.starts_with("check ") || text.starts_with("guard: "));
        warnings
    }
}

#[test]
fn a_check_is_shown_with_what_it_asks_and_who_follows_it() {
    let mut edge = Edge::new(SERVICE);
    edge.wait(60);
    let all = edge.health("").unwrap();
    let names: Vec<&str> = all.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["gateway", "pool", "s1", "s2", "web"]);
    assert_eq!(all.guards, [""; 0]);
    let users: Vec<String> = all.checks.iter().map(|check| check.used_by.join(", ")).collect();
    assert_eq!(users, ["group web, witness", "group web", "check pool", "check pool", "group web"]);

    let web = edge.check("web");
    assert_eq!((web.state.as_str(), web.known.as_str(), web.score, web.grade), ("up", "", 100, 0));
    assert!((55..60).contains(&(web.state_us / 1_000_000)), "{}", web.state_us);
    assert_eq!(
        (web.method.as_str(), web.asks.as_str()),
        ("tcp", "TCP connection to 10.0.0.80:6379")
    );
    assert_eq!(web.conditions, ["\"PING\\r\\n\" is sent", "\"PONG\" is answered"]);
    assert!((1..5_000).contains(&web.p95_us), "{}", web.p95_us);
    assert!((55..70).contains(&web.answered), "{}", web.answered);
    assert_eq!(
        (web.failed, web.not_asked, web.changes, web.penalty, web.held),
        (0, 0, 1, 0, false)
    );
    let settings = web.settings.unwrap();
    assert_eq!((settings.interval_us, settings.fast_interval_us), (1_000_000, 100_000));
    assert_eq!((settings.connect_timeout_us, settings.timeout_us), (500_000, 500_000));
    assert_eq!((settings.slow_us, settings.objective_us, settings.window), (300_000, 5_000, 40));
    assert_eq!((settings.half_life_us, settings.hold_above), (60_000_000, 2500));
    assert_eq!((settings.source_address.as_str(), settings.mark), ("192.0.2.1", 7));
    assert_eq!(web.limit_us, 1_000_000);

    let pool = edge.check("pool");
    assert_eq!((pool.asks.as_str(), pool.reason.as_str()), ("checks s1, s2", "2 of 2 are up"));
    assert_eq!(pool.limit_us, 2_000_000, "the longest of both");
    assert_eq!(pool.settings, Some(v1::CheckSettings::default()));
    let expected = v1::HealthStatus { checks: 5, up: 5, ..v1::HealthStatus::default() };
    assert_eq!((edge.status().health, edge.warnings()), (Some(expected), Vec::new()));

    let refused = edge.health("wev").unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::NotFound, "no check `wev`; did you mean `web`?")
    );
}

#[test]
fn what_is_down_and_what_a_guard_keeps_are_warnings() {
    let mut edge = Edge::new(SERVICE);
    assert_eq!(edge.warnings(), [""; 0], "nothing is known yet");
    edge.wait(20);
    edge.answer(TARGET, Answer::Bad);
    edge.wait(10);
    let kept = "198.51.100.7/32 would be withdrawn, but min-sites keeps it: too few other sites \
                announce it any better";
    assert_eq!(
        edge.warnings(),
        [format!("guard: {kept}"), "check web (group web) is down: connection refused".to_owned()]
    );
    assert_eq!(edge.health("web").unwrap().guards, [kept]);
    let web = edge.check("web");
    assert_eq!((web.state.as_str(), web.score), ("down", 0));
    assert!((900..=1000).contains(&web.penalty), "{}", web.penalty);
    let expected = v1::HealthStatus { checks: 5, up: 4, down: 1, ..v1::HealthStatus::default() };
    assert_eq!(edge.status().health, Some(expected));

    for _ in 0..2 {
        edge.answer(TARGET, Answer::Good);
        edge.wait(5);
        edge.answer(TARGET, Answer::Bad);
        edge.wait(5);
    }
    edge.answer(TARGET, Answer::Good);
    edge.wait(5);
    let web = edge.check("web");
    assert_eq!((web.state.as_str(), web.held), ("down", true));
    // From some 2700 points, some seconds ago, to 750.
    assert!((60_000_000..120_000_000).contains(&web.held_us), "{}", web.held_us);
    assert_eq!(edge.status().health.unwrap().held, 1);
    let warnings = edge.warnings();
    let begin = "check web (group web) is down, and held as it changes too often: ";
    assert!(warnings.iter().any(|text| text.starts_with(begin)), "{warnings:?}");
}

#[test]
fn what_cannot_be_asked_counts_as_before() {
    let mut edge = Edge::new(
        "[check.web]\ntcp = \"10.0.0.80:6379\"\nfall = 1\ninterval = \"10s\"\ntimeout = \"60s\"\n",
    );
    edge.wait(15);
    edge.answer(TARGET, Answer::Never);
    let (node, before) = (edge.node, edge.world.runs(edge.node));
    let begins = |world: &World| world.runs(node) > before;
    assert!(edge.world.run_until(Duration::from_secs(20), begins));
    let run = Run { check: CheckId(1), number: before + 1 };
    let outcome = Outcome::NotAsked("no permission".to_owned());
    edge.world.deliver(node, Event::CheckEnded { run, outcome });
    edge.world.run_for(Duration::from_millis(1));
    let web = edge.check("web");
    assert_eq!((web.state.as_str(), web.known.as_str(), web.not_asked), ("unknown", "up", 1));
    assert_eq!(edge.warnings(), ["check web is unknown, so it counts as up: no permission"]);
}

#[test]
fn of_many_that_are_down_some_are_named() {
    let checks =
        (10..25).map(|n| format!("[check.s{n}]\nfile = \"/etc/closed{n}\"\npresent = \"up\"\n"));
    let mut edge = Edge::new(&checks.collect::<String>());
    edge.wait(20);
    let warnings = edge.warnings();
    assert_eq!(warnings.len(), 10);
    assert_eq!(warnings[0], "check s10 is down: is not there");
    let more = "5 more checks are not as they should be: see `shunt health`".to_owned();
    assert!(edge.status().warnings.contains(&more), "{:?}", edge.status().warnings);
    assert_eq!(edge.status().health.unwrap().down, 15);
}

#[test]
fn what_is_to_be_tried_comes_with_what_it_counts() {
    let edge = Edge::new(SERVICE);
    let to_try = |name: &str| edge.ask(|agent, _| agent.check_to_try(name));
    let pool = to_try("pool").unwrap();
    let names: Vec<&str> = pool.backends.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["s1", "s2"]);
    assert_eq!(pool.backends[0].1.timeout, Duration::from_millis(700));
    let web = to_try("web").unwrap();
    assert_eq!((web.backends.len(), web.settings.timeout), (0, Duration::from_millis(500)));
    assert_eq!(to_try("wev").unwrap_err().code(), Code::NotFound);
}
