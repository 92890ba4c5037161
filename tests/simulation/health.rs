//! A service at two sites, and what becomes of it when it, the way to it, or who asks it fails.
//!
//! ```text
//!            core            takes the better announcement of 198.51.100.7/32
//!           /    \           OSPF, point-to-point
//!        dc1      dc2        base 200 and 100
//!         |        |
//!    10.9.1.1:80  10.9.2.1:80   each asks its own
//! ```

use std::time::Duration;

use shunt::api::v1;
use shunt::sim::{Answer, Link, LinkId, NodeId, Service, World};
use shunt::types::Rng;

const PAYMENTS: &str = "198.51.100.7/32";

pub(super) fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// The service at a site.
pub(super) fn web(site: usize) -> String {
    format!("10.9.{}.1:80", site + 1)
}

pub(super) struct Pair {
    pub world: World,
    core: NodeId,
    pub sites: [NodeId; 2],
    links: [LinkId; 2],
    /// Of announcements, counted so far.
    changes: [usize; 2],
}

/// A check each 100 ms, 50 ms in doubt. `group` is what the group has more, `more` any other sections.
pub(super) fn text(site: usize, group: &str, more: &str) -> String {
    let number = site + 1;
    format!(
        r#"
[node]
name = "dc{number}"
site = "dc{number}"
asn = 64500
router-id = "192.0.2.{number}"
own-prefixes = ["198.51.100.0/24"]
[kernel]
grace = "5s"
[ospf]
export = "groups"
[ospf.interface.e1]
network = "point-to-point"
[site.dc1]
routers = ["192.0.2.1"]
[site.dc2]
routers = ["192.0.2.2"]
[check.web]
tcp = "{web}"
interval = "100ms"
fast-interval = "50ms"
timeout = "200ms"
{more}
[group.payments]
prefixes = ["{PAYMENTS}"]
base = {{ dc1 = "primary", dc2 = "standby" }}
checks = ["web"]
{group}
"#,
        web = web(site),
    )
}

pub(super) const CORE: &str = r#"
[node]
name = "core"
site = "core"
asn = 64500
router-id = "192.0.2.9"
own-prefixes = ["198.51.100.0/24"]
[kernel]
grace = "5s"
[ospf]
[ospf.interface.e1]
network = "point-to-point"
[ospf.interface.e2]
network = "point-to-point"
"#;

impl Pair {
    pub fn new(seed: u64, group: &str, more: &str) -> Pair {
        Pair::of(seed, [0, 1].map(|site| text(site, group, more)))
    }

    pub fn of(seed: u64, texts: [String; 2]) -> Pair {
        let mut world = World::new(seed);
        let core = world.node(CORE);
        let sites = texts.map(|text| world.node(&text));
        let links = [0, 1].map(|site| {
            let (ours, theirs) = (format!("10.0.{site}.1/24"), format!("10.0.{site}.2/24"));
            world.link((core, &ours), (sites[site], &theirs), Link::default())
        });
        for node in [core, sites[0], sites[1]] {
            world.start(node);
            assert!(world.agent(node).is_some(), "a mistake in the configuration");
        }
        world.run_for(millis(20_000));
        let mut pair = Pair { world, core, sites, links, changes: [0, 0] };
        assert_eq!(pair.preferences(), [200, 100], "{}", pair.world.transcript());
        assert_eq!(pair.exit(), Some(0));
        // A random moment of everybody's intervals.
        let moment = Rng::new(seed).below(3000);
        pair.world.run_for(millis(moment));
        pair.changes = pair.counted();
        pair
    }

    fn serve(&mut self, site: usize, service: Service) {
        self.world.set_service(&web(site), service);
    }

    pub fn refuse(&mut self, site: usize) {
        self.serve(site, Service { answer: Answer::Bad, ..Service::default() });
    }

    pub fn recover(&mut self, site: usize) {
        self.serve(site, Service::default());
    }

    pub fn preferences(&self) -> [u32; 2] {
        self.sites.map(|node| announcement(&self.world, node).map_or(0, |own| own.preference))
    }

    /// The site that the core's kernel sends packets to.
    fn exit(&self) -> Option<usize> {
        exit(&self.world, self.core)
    }

    /// How often each site has changed its announcement.
    fn counted(&self) -> [usize; 2] {
        self.sites.map(|node| {
            let events = self.world.events(node).iter();
            events.filter(|event| event.kind == "announcement").count()
        })
    }

    /// The same, since the last call.
    pub fn changed(&mut self) -> [usize; 2] {
        let counted = self.counted();
        let before = std::mem::replace(&mut self.changes, counted);
        [0, 1].map(|site| self.changes[site] - before[site])
    }

    /// Lets time go by, in which at every instant a site announces the service and the core has a way to one.
    pub fn guarded(&mut self, span: Duration) {
        let (core, sites) = (self.core, self.sites);
        let gone = self.world.run_until(span, |world| {
            let announced =
                |node: &NodeId| announcement(world, *node).is_some_and(|own| own.preference > 0);
            !sites.iter().any(announced) || exit(world, core).is_none()
        });
        assert!(!gone, "no site announces it any more\n{}", self.world.transcript());
    }

    fn until_exit(&mut self, site: usize) -> Duration {
        let (from, core) = (self.world.now(), self.core);
        let reached = self.world.run_until(millis(60_000), |world| exit(world, core) == Some(site));
        assert!(reached, "{:?}\n{}", self.preferences(), self.world.transcript());
        self.world.now() - from
    }

    pub fn because(&self, site: usize) -> Vec<String> {
        announcement(&self.world, self.sites[site]).map(|own| own.because).unwrap_or_default()
    }

    pub fn status(&self, site: usize) -> v1::StatusReply {
        let node = self.sites[site];
        self.world.agent(node).unwrap().status(self.world.agent_now(node))
    }
}

pub(super) fn announcement(world: &World, node: NodeId) -> Option<v1::Announcement> {
    let groups = world.agent(node)?.groups("payments", world.agent_now(node)).ok()?;
    groups.groups.first()?.announcements.first().cloned()
}

fn exit(world: &World, core: NodeId) -> Option<usize> {
    let routes = world.kernel_routes(core);
    let route = routes.iter().find(|route| route.prefix.to_string() == PAYMENTS)?;
    let hop = route.hops.as_slice().first()?;
    match hop.gateway {
        std::net::IpAddr::V4(gateway) => Some(gateway.octets()[2].into()),
        std::net::IpAddr::V6(_) => None,
    }
}

fn never() -> Service {
    Service { answer: Answer::Never, ..Service::default() }
}

/// Both kinds of death, at any moment: the other site has the traffic within the time that is promised.
#[test]
fn what_refuses_or_hangs_moves_to_the_other_site_and_back() {
    for seed in 0..12 {
        for service in [never(), Service { answer: Answer::Bad, ..Service::default() }] {
            let mut pair = Pair::new(seed, "", "");
            pair.serve(0, service);
            let took = pair.until_exit(1);
            // An interval to ask, two timeouts at worst, two more runs, and the network's 20 ms.
            assert!(took <= millis(100 + 200 + 50 * 3 + 200 + 20), "{took:?}");
            pair.guarded(millis(30_000));
            assert_eq!((pair.preferences(), pair.changed()), ([10, 100], [1, 0]));
            let because = pair.because(0);
            assert!(because[1].starts_with("check web is down: "), "{because:?}");
            assert!(because[1].ends_with(": drain (10)"), "{because:?}");
            pair.recover(0);
            let took = pair.until_exit(0);
            assert!(took <= millis(400), "{took:?}");
            pair.guarded(millis(30_000));
            assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [1, 0]));
            // Away and back, and nothing of it at the other site.
            let told = |site: usize| pair.world.ledger(pair.sites[site]).iter();
            let why: Vec<&str> = told(0).map(|entry| entry.why.as_str()).collect();
            let [away, back] = why.as_slice() else { panic!("{why:?}") };
            assert!(away.contains("-> drain (10): check web is down: "), "{away}");
            assert!(back.contains("drain (10) -> primary (200)"), "{back}");
            assert_eq!(told(1).count(), 0);
        }
    }
}

#[test]
fn five_percent_loss_moves_nothing_for_long() {
    for seed in 0..12 {
        let mut pair = Pair::new(seed, "", "");
        for site in [0, 1] {
            pair.serve(site, Service { loss: 5, ..Service::default() });
        }
        pair.guarded(millis(120_000));
        let changes = pair.changed();
        assert!(changes.iter().all(|count| *count <= 6), "{changes:?}");
        for site in [0, 1] {
            pair.recover(site);
        }
        pair.guarded(millis(5000));
        assert_eq!((pair.preferences(), pair.exit()), ([200, 100], Some(0)));
    }
}

#[test]
fn what_has_become_slow_is_less_preferred_and_still_announced() {
    for seed in 0..8 {
        let mut pair = Pair::new(seed, "on-slow = \"-120\"", "slow = \"100ms\"");
        pair.serve(0, Service { delay: millis(150), ..Service::default() });
        pair.until_exit(1);
        pair.guarded(millis(20_000));
        assert_eq!((pair.preferences(), pair.changed()), ([80, 100], [1, 0]));
        assert!(pair.because(0)[1].starts_with("check web is slow: well, 15"));
        pair.recover(0);
        pair.until_exit(0);
    }
}

#[test]
fn a_late_service_goes_down_by_steps() {
    let more = "objective = \"20ms\"\nwindow = 20";
    let mut pair = Pair::new(1, "on-late = \"-30\"", more);
    for (delay, preference) in [(25, 170), (45, 140), (90, 110), (0, 200)] {
        pair.serve(0, Service { delay: millis(delay), ..Service::default() });
        pair.guarded(millis(10_000));
        assert_eq!((pair.preferences(), pair.exit()), ([preference, 100], Some(0)), "{delay} ms");
    }
}

/// `web` of this configuration counts eight backends.
fn farm(site: usize) -> String {
    let mut more = String::new();
    for backend in 1..=8 {
        more += &format!(
            "[check.b{backend}]\ntcp = \"10.9.{}.{}:80\"\ninterval = \"100ms\"\n\
             fast-interval = \"50ms\"\ntimeout = \"200ms\"\n",
            site + 1,
            10 + backend
        );
    }
    let names: Vec<String> = (1..=8).map(|backend| format!("\"b{backend}\"")).collect();
    let farm = format!("backends = [{}]\nat-least = 6\n", names.join(", "));
    let text = text(site, "", &more);
    let (before, rest) = text.split_once("tcp = ").unwrap();
    let (_, rest) = rest.split_once("timeout = \"200ms\"\n").unwrap();
    format!("{before}{farm}{rest}")
}

#[test]
fn one_bad_backend_of_eight_changes_nothing_and_three_do() {
    for seed in 0..5 {
        let mut pair = Pair::of(seed, [farm(0), farm(1)]);
        pair.world.set_service("10.9.1.13:80", never());
        pair.guarded(millis(20_000));
        assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [0, 0]));
        pair.world.set_service("10.9.1.14:80", never());
        pair.guarded(millis(20_000));
        assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [0, 0]));
        pair.world.set_service("10.9.1.15:80", never());
        pair.until_exit(1);
        assert!(pair.because(0)[1].contains("5 of 8 are up, down: b3, b4, b5"));
    }
}

/// Only the way of the checks fails; the service does well. Without a witness the other site is the better choice; with one
/// nothing is done at all.
#[test]
fn a_failed_way_of_the_checks() {
    let witness = "[check.gateway]\nicmp = \"10.9.9.9\"\ninterval = \"100ms\"\n\
                   fast-interval = \"50ms\"\ntimeout = \"200ms\"\n\
                   [guard]\nwitnesses = [\"gateway\"]\n";
    for seed in 0..12 {
        let mut pair = Pair::new(seed, "", "");
        pair.world.set_check_loss(pair.sites[0], 100);
        pair.until_exit(1);
        pair.guarded(millis(20_000));
        assert_eq!((pair.preferences(), pair.changed()), ([10, 100], [1, 0]));

        let mut pair = Pair::new(seed, "", witness);
        pair.world.set_check_loss(pair.sites[0], 100);
        pair.guarded(millis(20_000));
        assert_eq!((pair.preferences(), pair.exit()), ([200, 100], Some(0)));
        assert!(pair.changed()[0] <= 2, "what was done in the first moment is taken back");
        let warnings = pair.status(0).warnings;
        assert!(
            warnings.iter().any(|warning| warning.starts_with(
                "guard: blind: no witness answers (gateway), so what the checks say does not count"
            )),
            "{warnings:?}"
        );
        assert!(pair.because(0)[1].starts_with("guard: blind"), "{:?}", pair.because(0));
        pair.world.set_check_loss(pair.sites[0], 0);
        pair.guarded(millis(20_000));
        assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [0, 0]));
        assert_eq!(pair.because(0).len(), 1);
        // And what is down without that is so again.
        pair.refuse(0);
        pair.until_exit(1);
    }
}

/// Whatever it is that is to be done, a site is announced, and the first one is still preferred.
#[test]
fn what_is_down_everywhere_stays_in_its_order() {
    for on_down in ["", "on-down = \"none\"", "on-down = \"-50\""] {
        for seed in 0..10 {
            let mut pair = Pair::new(seed, on_down, "");
            pair.refuse((seed % 2) as usize);
            pair.guarded(millis(seed * 331));
            pair.refuse((1 - seed % 2) as usize);
            pair.guarded(millis(30_000));
            let preferences = pair.preferences();
            match on_down {
                "" => assert_eq!(preferences, [10, 9]),
                "on-down = \"-50\"" => assert_eq!(preferences, [150, 50]),
                // The second one is not needed, as the first announces it better.
                _ => assert_eq!(preferences, [10, 0], "{}", pair.world.transcript()),
            }
            assert_eq!(pair.exit(), Some(0));
            let changes = pair.changed();
            assert!(changes.iter().all(|count| *count <= 4), "{changes:?}");
            for site in [0, 1] {
                pair.recover(site);
                pair.guarded(millis(10_000));
            }
            assert_eq!((pair.preferences(), pair.exit()), ([200, 100], Some(0)));
        }
    }
}

#[test]
fn the_last_site_stays_and_says_why() {
    let mut pair = Pair::new(1, "on-down = \"none\"", "");
    // The only other site cannot be reached.
    pair.world.unplug(pair.links[1]);
    pair.world.run_for(millis(60_000));
    pair.refuse(0);
    pair.guarded(millis(20_000));
    assert_eq!(pair.preferences()[0], 10);
    let because = pair.because(0);
    assert_eq!(
        because.last().unwrap(),
        "guard: min-sites: not withdrawn, as no other site announces it any better and 1 must: \
         drain (10)"
    );
    let held = "guard: 198.51.100.7/32 would be withdrawn, but min-sites keeps it: too few other \
                sites announce it any better";
    assert!(pair.status(0).warnings.iter().any(|warning| warning == held));
    // The other one is back: now it may go. And when that goes again, it comes back at once.
    pair.world.mend(pair.links[1]);
    pair.world.run_for(millis(60_000));
    assert_eq!((pair.preferences(), pair.exit()), ([0, 100], Some(1)));
    assert!(!pair.status(0).warnings.iter().any(|warning| warning == held));
    pair.refuse(1);
    pair.guarded(millis(20_000));
    assert_eq!((pair.preferences(), pair.exit()), ([10, 0], Some(0)));
}

#[test]
fn down_everywhere_is_withdrawn_if_that_is_said() {
    let mut pair = Pair::new(1, "on-all-down = \"withdraw\"", "");
    pair.refuse(0);
    pair.guarded(millis(20_000));
    assert_eq!((pair.preferences(), pair.exit()), ([10, 100], Some(1)));
    pair.refuse(1);
    pair.world.run_for(millis(20_000));
    assert_eq!((pair.preferences(), pair.exit()), ([0, 0], None));
    assert_eq!(
        pair.because(0).last().unwrap(),
        "down here, and no other site announces it any better (on-all-down = \"withdraw\"): \
         not announced (0)"
    );
    pair.recover(1);
    pair.until_exit(1);
    pair.recover(0);
    pair.until_exit(0);
    assert_eq!(pair.preferences(), [200, 100]);
}

#[test]
fn one_hertz_of_flapping_is_damped() {
    for seed in 0..8 {
        let mut pair = Pair::new(seed, "", "half-life = \"60s\"");
        pair.serve(0, Service { flaps: Some(millis(500)), ..Service::default() });
        pair.guarded(millis(120_000));
        let changes = pair.changed();
        assert!(changes[0] <= 5 && changes[1] == 0, "{changes:?}");
        assert_eq!((pair.preferences(), pair.exit()), ([10, 100], Some(1)));
        pair.recover(0);
        pair.guarded(millis(250_000));
        assert_eq!((pair.preferences(), pair.changed()[0]), ([200, 100], 1));
    }
}

#[test]
fn a_hung_command_is_down_and_delays_nothing() {
    let more = "[check.ask]\ncommand = [\"/bin/ask\"]\ninterval = \"100ms\"\n\
                fast-interval = \"50ms\"\ntimeout = \"500ms\"\n";
    let texts = [0, 1].map(|site| {
        text(site, "", more).replace("checks = [\"web\"]", "checks = [\"web\", \"ask\"]")
    });
    let mut pair = Pair::of(1, texts);
    pair.world.set_service("/bin/ask", never());
    pair.guarded(millis(10_000));
    // It is the same command at both sites.
    assert_eq!((pair.preferences(), pair.exit()), ([10, 9], Some(0)));
    assert!(pair.because(0)[1].starts_with("check ask is down: no answer within 500ms"));
    pair.world.set_service("/bin/ask", Service::default());
    pair.guarded(millis(10_000));
    // The other check goes on.
    pair.world.set_service("/bin/ask", never());
    pair.guarded(millis(3000));
    pair.refuse(0);
    pair.guarded(millis(1000));
    assert!(pair.because(0)[1].contains("check web is down"), "{:?}", pair.because(0));
}

/// A stopped process hears of nothing; what it then learns at once says nothing of the services.
#[test]
fn a_frozen_prober_moves_nothing() {
    for seed in 0..12 {
        for span in [400, 1500, 8_000] {
            let mut pair = Pair::new(seed, "", "");
            pair.world.stop_process(pair.sites[0]);
            pair.guarded(millis(span));
            pair.world.continue_process(pair.sites[0]);
            pair.guarded(millis(10_000));
            assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [0, 0]), "{span}");
        }
    }
}

/// One failure would be enough, and one is on its way: but nobody was there to see whether an answer came.
#[test]
fn what_is_lost_while_the_prober_stands_still_moves_nothing() {
    for seed in 0..12 {
        for span in [1500, 8_000] {
            let mut pair = Pair::new(seed, "", "fall = 1\n");
            pair.serve(0, never());
            // An interval, and less than the timeout.
            pair.guarded(millis(100));
            pair.world.stop_process(pair.sites[0]);
            pair.recover(0);
            pair.guarded(millis(span));
            pair.world.continue_process(pair.sites[0]);
            pair.guarded(millis(10_000));
            assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [0, 0]), "{span}");
        }
    }
}

#[test]
fn an_operator_goes_before_health() {
    let mut pair = Pair::new(1, "", "");
    pair.refuse(0);
    pair.until_exit(1);
    pair.world.order(pair.sites[0], "prefer", "payments", "primary");
    pair.until_exit(0);
    let because = pair.because(0);
    assert!(because[1].starts_with("check web is down") && because[2].starts_with("operator"));
    pair.world.order(pair.sites[0], "release", "payments", "");
    pair.until_exit(1);
}

/// No UPDATE and no LSA while nothing changes, however much is asked.
#[test]
fn without_another_verdict_nothing_is_sent() {
    let neighbor = "[neighbor.core]\naddress = \"10.0.0.1\"\nremote-as = 64500\n\
                    import = \"all\"\nexport = \"groups\"\n";
    let mut texts = [text(0, "", neighbor), text(1, "", "")];
    texts[0] =
        texts[0].replace("fast-interval = \"50ms\"", "fast-interval = \"50ms\"\nslow = \"80ms\"");
    let mut world = World::new(7);
    let listens = "[neighbor.dc1]\naddress = \"10.0.0.2\"\nremote-as = 64500\n\
                   import = \"all\"\nexport = \"groups\"\n";
    let core = world.node(&format!("{CORE}{listens}"));
    let sites = texts.map(|text| world.node(&text));
    for site in [0, 1] {
        let (ours, theirs) = (format!("10.0.{site}.1/24"), format!("10.0.{site}.2/24"));
        world.link((core, &ours), (sites[site], &theirs), Link::default());
    }
    for node in [core, sites[0], sites[1]] {
        world.start(node);
    }
    world.run_for(millis(60_000));
    let sent = |world: &World| {
        let agent = world.agent(sites[0]).unwrap();
        let now = world.agent_now(sites[0]);
        let neighbors = agent.neighbors("core", now).unwrap();
        let request = v1::OspfDatabaseRequest::default();
        let (lsas, _) = agent.ospf_database(&request, None, 1000, now).unwrap();
        let lsas: Vec<String> = lsas.into_iter().map(|lsa| lsa.id + &lsa.sequence).collect();
        (neighbors.neighbors[0].updates_sent, lsas)
    };
    let before = sent(&world);
    assert!(before.0 > 0);
    let (runs, events) = (world.runs(sites[0]), world.events(sites[0]).len());
    // Every kind of result that is not one too many: slow, lost, refused now and then.
    for moment in 0..600 {
        let service = match moment % 6 {
            0 => Service { delay: millis(90), ..Service::default() },
            3 => Service { answer: Answer::Bad, ..Service::default() },
            _ => Service::default(),
        };
        world.set_service("10.9.1.1:80", service);
        world.run_for(millis(if moment % 3 == 0 { 60 } else { 300 }));
    }
    assert!(world.runs(sites[0]) - runs > 1200, "{}", world.runs(sites[0]) - runs);
    assert_eq!(sent(&world), before);
    assert_eq!(world.events(sites[0]).len(), events, "{:?}", world.events(sites[0]).last());
}

/// Whatever happens to the services, at both sites and at any time: a site is always announced, and in the end all is as
/// it was.
#[test]
fn whatever_services_do_a_site_is_announced() {
    let policies = [
        ("", ""),
        ("on-down = \"none\"", ""),
        ("on-down = \"none\"\non-slow = \"-120\"", "slow = \"100ms\""),
        ("on-down = \"none\"", "half-life = \"2s\""),
    ];
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let (group, more) = policies[(seed % 4) as usize];
        let mut pair = Pair::new(seed, group, more);
        for _ in 0..25 {
            let site = rng.below(2) as usize;
            match rng.below(9) {
                0 | 1 => pair.refuse(site),
                2 => pair.serve(site, never()),
                3 => pair.serve(site, Service { delay: millis(150), ..Service::default() }),
                4 => pair.serve(site, Service { flaps: Some(millis(700)), ..Service::default() }),
                5 => pair.serve(site, Service { loss: 20, ..Service::default() }),
                6 => {
                    pair.world.stop_process(pair.sites[site]);
                    pair.guarded(millis(rng.below(3000)));
                    pair.world.continue_process(pair.sites[site]);
                }
                7 => {
                    let percent = rng.below(2) * 100;
                    pair.world.set_check_loss(pair.sites[site], percent);
                }
                _ => pair.recover(site),
            }
            pair.guarded(millis(rng.below(6000)));
        }
        for site in [0, 1] {
            pair.world.set_check_loss(pair.sites[site], 0);
            pair.recover(site);
        }
        pair.guarded(millis(60_000));
        assert_eq!((pair.preferences(), pair.exit()), ([200, 100], Some(0)), "seed {seed}");
    }
}

/// A restart makes nothing look well that is down.
#[test]
fn a_restart_remembers_what_is_down() {
    let mut pair = Pair::new(1, "", "");
    pair.refuse(0);
    pair.until_exit(1);
    pair.world.run_for(millis(3000));
    let node = pair.sites[0];
    pair.world.kill(node);
    pair.world.run_for(millis(2000));
    pair.world.start(node);
    pair.guarded(millis(60_000));
    assert_eq!((pair.preferences(), pair.exit()), ([10, 100], Some(1)));
    let moved = pair.world.events(node).iter().filter(|event| event.kind == "announcement");
    assert_eq!(moved.count(), 1, "announced as drained from the start");
    pair.recover(0);
    pair.until_exit(0);
}

/// Two sites that hear of each other by BGP alone.
#[test]
fn what_other_sites_announce_is_also_seen_by_bgp() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        let sites = [0, 1].map(|site| {
            let other = 2 - site;
            let neighbor = format!(
                "[neighbor.other]\naddress = \"10.0.0.{other}\"\nremote-as = 64500\n\
                 import = \"all\"\nexport = \"groups\"\n"
            );
            let text = text(site, "on-down = \"none\"", &neighbor);
            let (before, rest) = text.split_once("[ospf]").unwrap();
            let (_, rest) = rest.split_once("network = \"point-to-point\"\n").unwrap();
            world.node(&format!("{before}{rest}"))
        });
        world.link((sites[0], "10.0.0.1/24"), (sites[1], "10.0.0.2/24"), Link::default());
        for site in sites {
            world.start(site);
        }
        let preferences = |world: &World| {
            sites.map(|node| announcement(world, node).map_or(0, |own| own.preference))
        };
        world.run_for(millis(30_000 + seed * 77));
        assert_eq!(preferences(&world), [200, 100]);
        let guarded = |world: &mut World, span| {
            let gone = world.run_until(millis(span), |world| preferences(world) == [0, 0]);
            assert!(!gone, "{}", world.transcript());
        };
        let bad = Service { answer: Answer::Bad, ..Service::default() };
        world.set_service(&web(0), bad);
        guarded(&mut world, 1500);
        assert_eq!(preferences(&world), [10, 100], "others have to see it first");
        guarded(&mut world, 5000);
        assert_eq!(preferences(&world), [0, 100]);
        world.set_service(&web(1), bad);
        guarded(&mut world, 10_000);
        assert_eq!(preferences(&world), [10, 0]);
        world.set_service(&web(1), Service::default());
        guarded(&mut world, 10_000);
        assert_eq!(preferences(&world), [0, 100]);
    }
}

/// Two other nodes change at once where one may: what our own checks say then does not count.
#[test]
fn too_many_other_nodes_at_once_freeze_as_well() {
    let guard = "[guard]\ncorrelated = 1\nwithin = \"10s\"\nfreeze = \"60s\"\n";
    let mut world = World::new(3);
    let core = world.node(&format!("{CORE}[ospf.interface.e3]\nnetwork = \"point-to-point\"\n"));
    let sites = [0, 1, 2].map(|site| {
        let text = text(site, "", if site == 0 { guard } else { "" });
        world.node(&text.replace("dc2 = \"standby\" }", "dc2 = \"standby\", dc3 = 50 }"))
    });
    for (site, node) in sites.into_iter().enumerate() {
        let (ours, theirs) = (format!("10.0.{site}.1/24"), format!("10.0.{site}.2/24"));
        world.link((core, &ours), (node, &theirs), Link::default());
    }
    for node in [core, sites[0], sites[1], sites[2]] {
        world.start(node);
    }
    world.run_for(millis(30_000));
    let preferences =
        |world: &World| sites.map(|node| announcement(world, node).map_or(0, |own| own.preference));
    assert_eq!(preferences(&world), [200, 100, 50]);
    assert!(
        world.events(sites[0]).iter().all(|event| event.kind != "guard"),
        "not at the start: {}",
        world.transcript()
    );
    let bad = Service { answer: Answer::Bad, ..Service::default() };
    world.set_service(&web(1), bad);
    world.set_service(&web(2), bad);
    world.run_for(millis(3000));
    world.set_service(&web(0), bad);
    world.run_for(millis(3000));
    assert_eq!(preferences(&world), [200, 9, 8]);
    let because = announcement(&world, sites[0]).unwrap().because;
    let frozen = "guard: frozen: more than 1 nodes changed within 10 s, so what the checks say does \
                  not count until ";
    assert!(because[1].starts_with(frozen), "{because:?}");
    assert!(because[1].contains(": check web is down: connection refused: "), "{because:?}");
    world.run_for(millis(60_000));
    assert_eq!(preferences(&world), [10, 9, 8]);
}

/// Five groups with a check each.
pub(super) fn five(guard: &str) -> [String; 2] {
    [0, 1].map(|site| {
        let mut more = guard.to_owned();
        for group in 1..=5 {
            more += &format!(
                "[check.c{group}]\ntcp = \"10.9.1.{}:80\"\ninterval = \"100ms\"\n\
                 fast-interval = \"50ms\"\ntimeout = \"200ms\"\n\
                 [group.g{group}]\nprefixes = [\"198.51.100.{}/32\"]\n\
                 base = {{ dc1 = \"primary\", dc2 = \"standby\" }}\nchecks = [\"c{group}\"]\n",
                20 + group,
                20 + group
            );
        }
        text(site, "", &more)
    })
}

#[test]
fn too_many_groups_at_once_freeze_and_raise_an_alarm() {
    let guard = "[guard]\ncorrelated = 3\nwithin = \"10s\"\nfreeze = \"60s\"\n";
    let mut pair = Pair::of(1, five(guard));
    let node = pair.sites[0];
    let drained = |world: &World| {
        let groups = world.agent(node).unwrap().groups("", world.agent_now(node)).unwrap().groups;
        groups.iter().filter(|group| group.announcements[0].preference == 10).count()
    };
    for group in 1..=5 {
        let service = Service { answer: Answer::Bad, ..Service::default() };
        pair.world.set_service(&format!("10.9.1.{}:80", 20 + group), service);
    }
    pair.world.run_for(millis(30_000));
    assert_eq!(drained(&pair.world), 3);
    let frozen = "guard: frozen: more than 3 groups changed within 10 s, so what the checks say does \
                  not count until ";
    assert!(pair.status(0).warnings.iter().any(|warning| warning.starts_with(frozen)));
    let alarm = |event: &&v1::Event| {
        event.kind == "guard" && event.severity == "warning" && event.text.starts_with("frozen: ")
    };
    assert_eq!(pair.world.events(node).iter().filter(alarm).count(), 1);
    // Orders work, and nothing is raised either.
    pair.world.order(node, "prefer", "payments", "drain");
    pair.world.run_for(millis(1000));
    assert_eq!(drained(&pair.world), 4);
    for group in 1..=5 {
        pair.world.set_service(&format!("10.9.1.{}:80", 20 + group), Service::default());
    }
    pair.world.run_for(millis(20_000));
    assert_eq!(drained(&pair.world), 4);
    // And when it is over, all is as the checks say.
    pair.world.run_for(millis(40_000));
    assert_eq!(drained(&pair.world), 1);
    assert!(!pair.status(0).warnings.iter().any(|warning| warning.starts_with(frozen)));
}

/// All upstreams are gone: lowered at once, by the event and not by a look now and then.
#[test]
fn an_isolated_node_lowers_itself_at_once() {
    let rule = "[[group.payments.rule]]\nisolated = true\nthen = \"drain\"\n\
                [isolation]\nospf-interfaces = [\"e1\"]\n";
    let mut pair = Pair::new(1, rule, "");
    pair.world.unplug(pair.links[0]);
    let node = pair.sites[0];
    let drained = pair.world.run_until(millis(5), |world| {
        announcement(world, node).is_some_and(|own| own.preference == 10)
    });
    assert!(drained, "{:?}", pair.because(0));
    assert_eq!(
        pair.because(0).last().unwrap(),
        "this node is isolated: no upstream is up: drain (10)"
    );
    assert!(pair.until_exit(1) > Duration::ZERO);
    pair.world.mend(pair.links[0]);
    pair.until_exit(0);
    assert_eq!(pair.preferences(), [200, 100]);
}

#[test]
fn a_rule_holds_for_the_prefixes_that_it_names() {
    let group = "[[group.payments.rule]]\nroute = \"0.0.0.0/0\"\nthen = \"-150\"\n\
                 prefixes = [\"198.51.100.8/32\"]\n";
    let texts = [0, 1].map(|site| {
        let two = format!("prefixes = [\"{PAYMENTS}\", \"198.51.100.8/32\"]");
        text(site, group, "")
            .replace(&format!("prefixes = [\"{PAYMENTS}\"]\nbase"), &(two + "\nbase"))
    });
    let pair = Pair::of(1, texts);
    let node = pair.sites[0];
    let agent = pair.world.agent(node).unwrap();
    let groups = agent.groups("payments", pair.world.agent_now(node)).unwrap();
    let announcements = &groups.groups[0].announcements;
    assert_eq!(announcements.iter().map(|own| own.preference).collect::<Vec<_>>(), [200, 50]);
    assert_eq!(announcements[1].because.last().unwrap(), "route 0.0.0.0/0 is absent: 50");
}
