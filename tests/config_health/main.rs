//! Checks, what follows from them, and what guards that: read, and every mistake shown with its place and what to do.

mod answers;
mod checks;
mod group;
mod guard;
mod rule;
mod timing;

use std::net::SocketAddr;
use std::time::Duration;

use shunt::config::{Config, Correlated, Mistake, Rule, Secret, TrackedObject, parse};
use shunt::group::{Effect, Need, OnAllDown, Policy};
use shunt::health::{Damping, Method, Objective, Origin, Settings};
use shunt::types::{Preference, RouterId};

/// Each mistake is made by adding to this file, or by changing it.
const BASE: &str = r#"[node]
name = "edge1"
site = "dc1"
asn = 64500
router-id = "192.0.2.11"
own-prefixes = ["203.0.113.0/24"]
[check.web]
http = "http://10.0.0.80/health"
slow = "300ms"
[check.db]
tcp = "10.0.0.5:5432"
objective = "50ms"
[neighbor.isp-a]
address = "10.2.0.1"
remote-as = 64501
[ospf.interface.eth1]
[ospf.interface.eth2]
passive = true
[vrrp.inside]
interface = "eth3"
id = 10
addresses = ["10.1.0.1"]
[group.shop]
prefixes = ["203.0.113.7/32", "203.0.113.8/32"]
base = { dc1 = "primary", dc2 = "standby" }
"#;

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |_| Err("cannot be read: no such file".to_owned()))
}

/// `BASE` with lines at the end, which belong to `[group.shop]` up to the next head.
#[track_caller]
fn good(lines: &str) -> Config {
    let text = format!("{BASE}{lines}\n");
    read(&text).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(&text, false)))
}

/// The mistakes of that, as they are shown.
#[track_caller]
fn check(lines: &str, expected: &str) {
    check_text(&format!("{BASE}{lines}\n"), expected);
}

#[track_caller]
fn check_text(text: &str, expected: &str) {
    let mistakes = read(text).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.render(text, false)).collect();
    assert_eq!(shown.join("\n\n"), expected.trim_matches('\n'));
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good("checks = [\"web\"]");
    let web = &config.checks["web"];
    assert_eq!((web.interval, web.fast_interval), (ms(1000), ms(200)));
    assert_eq!((web.connect_timeout, web.timeout, web.slow), (ms(1000), ms(1000), Some(ms(300))));
    assert_eq!((web.rise, web.fall, web.jitter), (2, 3, 10));
    assert_eq!((web.objective, web.damping, &web.origin), (None, None, &Origin::default()));
    let Method::Http(http) = &web.method else { panic!("{:?}", web.method) };
    assert_eq!(http.to, "10.0.0.80:80".parse::<SocketAddr>().unwrap());
    assert_eq!((http.host.as_str(), http.path.as_str()), ("10.0.0.80", "/health"));
    assert_eq!((http.head, http.status.as_slice()), (false, [200..=299].as_slice()));
    assert_eq!((&http.header, &http.body, &http.tls), (&None, &None, &None));
    assert_eq!(config.checks["db"].objective, Some(Objective { p95: ms(50), window: 60 }));

    let group = &config.groups["shop"];
    let policy = Policy {
        checks: vec!["web".to_owned()],
        need: Need::All,
        on_down: Effect::Level(Preference(10)),
        on_slow: None,
        on_late: 0,
        on_all_down: OnAllDown::Keep,
    };
    assert_eq!((&group.health, group.min_sites), (&Some(policy), None));
    assert!(config.rules.is_empty() && config.sites.is_empty() && config.isolation.is_none());
    assert!(config.guard.witnesses.is_empty() && config.guard.correlated.is_none());
    assert_eq!(good("").groups["shop"].health, None);
}

/// The agent is drained to the same level, whatever it is called.
#[test]
fn down_is_as_drained_as_the_file_says() {
    let config = good("checks = [\"web\"]\n[levels]\ndrain = 7");
    let policy = config.groups["shop"].health.as_ref().unwrap();
    assert_eq!(policy.on_down, Effect::Level(Preference(7)));
}

#[test]
fn the_example_is_what_its_comments_say() {
    let text = include_str!("../../config/service.toml");
    let config = parse(text, "", &mut |_| Secret::from_file(b"key", 0o600));
    let config = config.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(text, false)));

    let group = &config.groups["web"];
    let policy = Policy {
        checks: ["web", "pool", "open"].map(str::to_owned).to_vec(),
        need: Need::All,
        on_down: Effect::Level(Preference(10)),
        on_slow: Some(Effect::LowerBy(50)),
        on_late: 20,
        on_all_down: OnAllDown::Keep,
    };
    assert_eq!((&group.health, group.min_sites), (&Some(policy), Some(1)));
    let storage = Rule {
        object: TrackedObject::Interface("eth3".to_owned()),
        effect: Effect::LowerBy(30),
        prefixes: vec!["198.51.100.8/32".parse().unwrap()],
    };
    let isolated = Rule {
        object: TrackedObject::Isolated,
        effect: Effect::Level(Preference(10)),
        prefixes: Vec::new(),
    };
    assert_eq!(config.rules["web"], [storage, isolated]);

    let web = &config.checks["web"];
    assert_eq!((web.interval, web.fast_interval, web.timeout), (ms(1000), ms(100), ms(500)));
    assert_eq!((web.rise, web.fall, web.slow), (5, 3, Some(ms(300))));
    assert_eq!(web.objective, Some(Objective { p95: ms(150), window: 300 }));
    let damping = Damping { half_life: ms(60_000), hold_above: 2500, release_below: 750 };
    assert_eq!(web.damping, Some(damping));
    let Method::Http(http) = &web.method else { panic!("{:?}", web.method) };
    assert_eq!(
        (http.to.to_string().as_str(), http.host.as_str()),
        ("10.0.0.80:443", "www.example.com")
    );
    assert_eq!(http.status, [200..=200, 204..=204]);
    let tls = http.tls.as_ref().unwrap();
    assert_eq!((tls.server_name.as_str(), tls.verify), ("www.example.com", true));
    assert_eq!(tls.expiry_warning, Duration::from_secs(14 * 24 * 3600));
    let Method::Backends { of, at_least } = &config.checks["pool"].method else { panic!() };
    assert_eq!((of.len(), *at_least), (8, 6));
    let open = &config.checks["open"];
    assert_eq!((open.rise, open.fall), (1, 1), "a switch is believed at once");

    let correlated = Correlated { more_than: 3, within: ms(10_000), freeze: ms(300_000) };
    assert_eq!(config.guard.correlated, Some(correlated));
    assert_eq!(config.guard.witnesses, ["gateway", "resolver"]);
    assert_eq!(config.isolation.unwrap().neighbors, ["isp-a", "isp-b"]);
    let router = |text: &str| RouterId(text.parse().unwrap());
    let dc2 = [router("192.0.2.21"), router("192.0.2.22")].into();
    assert_eq!((config.sites.len(), &config.sites["dc2"]), (2, &dc2));
}

/// A reload compares settings: what is written otherwise but means the same keeps its verdict.
#[test]
fn the_same_said_otherwise_is_the_same() {
    let settings =
        |lines: &str| -> Settings { good(&format!("[check.new]\n{lines}")).checks["new"].clone() };
    assert_eq!(
        settings("icmp = \"10.0.0.6\""),
        settings("icmp = \"10.0.0.6\"\ninterval = \"1000ms\"\nfall = 3")
    );
    assert_ne!(settings("icmp = \"10.0.0.6\""), settings("icmp = \"10.0.0.6\"\nfall = 4"));
}
