//! A pair of firewalls: first hop, OSPF and addresses move together, whatever becomes of the Active.
//!
//! ```text
//!           core ──── 198.51.100.1/32
//!          /    \
//!        fw1    fw2      point-to-point, OSPF with BFD
//!          \    /
//!     10.0.0.0/24        the inside: virtual router 10.0.0.100, and a host
//! ```

use std::net::IpAddr;
use std::time::Duration;

use shunt::agent::Event;
use shunt::api::v1;
use shunt::sim::{Link, LinkId, NodeId, World};
use shunt::types::Rng;

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn gateway() -> IpAddr {
    "10.0.0.100".parse().unwrap()
}

struct Site {
    world: World,
    core: NodeId,
    host: NodeId,
    firewalls: [NodeId; 2],
    inside: LinkId,
    outside: [LinkId; 2],
}

const COMMON: &str = "own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ngrace = \"5s\"\n\
    [bfd.profile.fast]\ntransmit-interval = \"20ms\"\nreceive-interval = \"20ms\"\n";

/// Of the core's equally good ways the first one counts, so it has to be the Backup's that is worse.
#[test]
fn a_backup_that_never_was_active_attracts_nothing() {
    let mut world = World::new(5);
    let core = world.node(&core_text());
    let [first, second] = [2, 1].map(|number| world.node(&firewall_text(number)));
    let host = world.node("");
    let ends = [(first, "10.0.0.1/24"), (second, "10.0.0.2/24"), (host, "10.0.0.10/24")];
    world.lan(&ends, Link::default());
    world.link((core, "10.1.1.1/24"), (first, "10.1.1.2/24"), Link::default());
    world.link((core, "10.1.2.1/24"), (second, "10.1.2.2/24"), Link::default());
    world.set_gateway(host, gateway());
    for node in [core, first, second] {
        world.start(node);
    }
    world.run_for(millis(12_000));
    assert_eq!(ways(&world, host, core), [Some(second); 2], "{}", world.transcript());
}

fn core_text() -> String {
    format!(
        "[node]\nname = \"core\"\nsite = \"dc1\"\nrouter-id = \"192.0.2.1\"\n{COMMON}\
         [group.g]\nprefixes = [\"198.51.100.1/32\"]\nbase = {{ dc1 = \"primary\" }}\n\
         [ospf]\nexport = \"groups\"\n\
         [ospf.interface.e1]\nnetwork = \"point-to-point\"\nbfd = \"fast\"\n\
         [ospf.interface.e2]\nnetwork = \"point-to-point\"\nbfd = \"fast\"\n"
    )
}

fn firewall_text(number: usize) -> String {
    let priority = if number == 1 { 150 } else { 100 };
    format!(
        "[node]\nname = \"fw{number}\"\nsite = \"dc1\"\nrouter-id = \"192.0.2.1{number}\"\n{COMMON}\
         [takeover]\ncommit = [\"/bin/commit\"]\nafter = [[\"/bin/after\"]]\nrelease = [[\"/bin/release\"]]\n\
         [vrrp.inside]\ninterface = \"e1\"\nid = 1\naddresses = [\"10.0.0.100\"]\n\
         priority = {priority}\ninterval = \"100ms\"\npreempt-delay = \"2s\"\n\
         [[vrrp.inside.track]]\nospf-interface = \"e2\"\nlower-by = 60\n\
         [ospf]\n[ospf.interface.e1]\npassive = true\nfollow = \"inside\"\nbackup-cost = 1000\n\
         [ospf.interface.e2]\nnetwork = \"point-to-point\"\nbfd = \"fast\"\n"
    )
}

impl Site {
    fn up(seed: u64) -> Site {
        let mut world = World::new(seed);
        let core = world.node(&core_text());
        let firewalls = [1, 2].map(|number| world.node(&firewall_text(number)));
        let host = world.node("");
        let [fw1, fw2] = firewalls;
        let ends = [(fw1, "10.0.0.1/24"), (fw2, "10.0.0.2/24"), (host, "10.0.0.10/24")];
        let inside = world.lan(&ends, Link::default());
        let outside = [
            world.link((core, "10.1.1.1/24"), (fw1, "10.1.1.2/24"), Link::default()),
            world.link((core, "10.1.2.1/24"), (fw2, "10.1.2.2/24"), Link::default()),
        ];
        world.set_gateway(host, gateway());
        let mut clocks = Rng::new(seed ^ 0xf1);
        for node in [core, fw1, fw2] {
            world.set_clock(node, 10_000 - clocks.below(20_001) as i32);
            world.start(node);
        }
        world.run_for(millis(12_000));
        let site = Site { world, core, host, firewalls, inside, outside };
        assert_eq!(site.ways(), [Some(fw1), Some(fw1)], "{}", site.world.transcript());
        site
    }

    /// Which firewall forwards what the host sends, and what comes for it.
    fn ways(&self) -> [Option<NodeId>; 2] {
        ways(&self.world, self.host, self.core)
    }

    /// Until both directions go through a firewall after a fault.
    fn until_both(&mut self, firewall: usize, fault: impl FnOnce(&mut World)) -> Duration {
        let (host, core, wanted) = (self.host, self.core, Some(self.firewalls[firewall]));
        let from = self.world.now();
        fault(&mut self.world);
        let both = |world: &World| ways(world, host, core) == [wanted, wanted];
        let reached = self.world.run_until(millis(20_000), both);
        assert!(reached, "{:?}\n{}", self.ways(), self.world.transcript());
        self.world.now().since(from)
    }

    /// The longest time without a way in one of the directions, looked at every millisecond.
    fn longest_gap(&mut self, span: Duration) -> Duration {
        let (mut longest, mut gap) = (0, 0);
        for _ in 0..span.as_millis() {
            self.world.run_for(millis(1));
            gap = if self.ways().contains(&None) { gap + 1 } else { 0 };
            longest = longest.max(gap);
        }
        millis(longest)
    }

    /// Nothing moves any more, and one has the address.
    fn assert_settled(&mut self, firewall: usize) {
        self.world.run_for(millis(6000));
        let wanted = self.firewalls[firewall];
        assert_eq!(self.ways(), [Some(wanted); 2], "{}", self.world.transcript());
        assert_eq!(self.world.holders(self.inside, gateway()), [wanted]);
    }

    fn commands(&self, firewall: usize) -> Vec<&str> {
        let commands = self.world.commands(self.firewalls[firewall]).iter();
        commands.map(|words| words[0].as_str()).collect()
    }
}

fn ways(world: &World, host: NodeId, core: NodeId) -> [Option<NodeId>; 2] {
    let first = |from: NodeId, to: &str| {
        let way = world.trace(from, to.parse().unwrap())?;
        way.first().copied()
    };
    [first(host, "10.1.1.1").or_else(|| first(host, "10.1.2.1")), first(core, "10.0.0.10")]
}

/// The commit, and what the kernel takes for the addresses.
const HANDOVER: Duration = Duration::from_millis(7);

fn release() -> v1::OrderRequest {
    v1::OrderRequest {
        order: "vrrp-release".to_owned(),
        target: "inside".to_owned(),
        ..Default::default()
    }
}

/// What becomes of a pair that loses packets and is stopped, killed and cut.
pub fn story(seed: u64) -> String {
    let mut site = Site::up(seed);
    let [fw1, fw2] = site.firewalls;
    site.world.set_loss(site.inside, 20);
    site.world.stop_process(fw1);
    site.world.run_for(millis(1000));
    site.world.continue_process(fw1);
    site.world.cut(site.outside[1]);
    site.world.run_for(millis(1000));
    site.world.kill(fw2);
    site.world.run_for(millis(1000));
    site.world.start(fw2);
    site.world.mend(site.outside[1]);
    site.world.run_for(millis(5000));
    site.world.transcript().to_owned()
}

/// Three intervals, the skew of priority 100, the commit's 5 ms, the kernel's time, clocks 1 % slow, and what OSPF takes.
const SILENT: Duration = Duration::from_millis(300 + 61 + 10 + 30);

#[test]
fn a_killed_firewall_is_replaced_by_the_other_one() {
    for seed in 0..3 {
        let mut site = Site::up(seed);
        let fw1 = site.firewalls[0];
        let taken = site.until_both(1, |world| world.kill(fw1));
        assert!(taken <= SILENT, "{taken:?}");
        site.assert_settled(1);
        assert_eq!(site.commands(1), ["/bin/commit", "/bin/after"]);
        // Back, it takes over once it can forward and the delay is over.
        site.until_both(0, |world| world.start(fw1));
        site.assert_settled(0);
    }
}

/// The kernel of a stopped process forwards and answers; its guardian takes the address away.
#[test]
fn a_stopped_firewall_is_replaced_and_comes_back_as_backup() {
    for seed in 10..13 {
        let mut site = Site::up(seed);
        let fw1 = site.firewalls[0];
        let taken = site.until_both(1, |world| world.stop_process(fw1));
        assert!(taken <= SILENT, "{taken:?}");
        site.world.run_for(millis(500));
        assert_eq!(site.world.holders(site.inside, gateway()), [site.firewalls[1]]);
        site.world.run_for(millis(5000));
        site.world.continue_process(fw1);
        site.world.run_for(millis(100));
        assert_eq!(site.world.holders(site.inside, gateway()), [site.firewalls[1]]);
        site.assert_settled(0);
    }
}

#[test]
fn a_firewall_without_power_is_replaced() {
    for seed in 20..23 {
        let mut site = Site::up(seed);
        let fw1 = site.firewalls[0];
        let taken = site.until_both(1, |world| world.power_off(fw1));
        assert!(taken <= SILENT, "{taken:?}");
        site.assert_settled(1);
    }
}

/// Without the link to the core it is no gateway: what it tracks lowers its priority at once.
#[test]
fn a_firewall_without_its_core_gives_the_gateway_away() {
    for seed in 30..33 {
        let mut site = Site::up(seed);
        let link = site.outside[0];
        let taken = site.until_both(1, |world| world.cut(link));
        // BFD's detection time, the next advertisement, the commit, and the area. Who was Backup all the time does not wait
        // for the delay of two seconds.
        assert!(taken <= millis(60 + 101 + 7 + 110), "{taken:?}");
        site.assert_settled(1);
        site.until_both(0, |world| world.mend(link));
        site.assert_settled(0);
    }
}

/// The role is handed over before the daemon ends.
#[test]
fn a_clean_stop_hands_over() {
    for seed in 40..43 {
        let mut site = Site::up(seed);
        let fw1 = site.firewalls[0];
        let taken = site.until_both(1, |world| {
            world.deliver(fw1, Event::StopWanted);
        });
        assert!(taken <= millis(200), "{taken:?}");
        site.assert_settled(1);
        assert!(site.world.agent(fw1).is_none(), "it has stopped");
    }
}

/// The old firewall has a way until the new one says that it is Active: from then on frames come to that one, which has the
/// commit of 5 ms to do before it takes them.
#[test]
fn a_clean_stop_and_a_release_leave_no_gap() {
    let mut site = Site::up(45);
    let [fw1, fw2] = site.firewalls;
    site.world.request(fw1, release());
    let gap = site.longest_gap(millis(1000));
    assert!(gap <= HANDOVER, "release {gap:?}");
    site.assert_settled(1);
    site.world.deliver(fw2, Event::StopWanted);
    let gap = site.longest_gap(millis(1000));
    assert!(gap <= HANDOVER, "stop {gap:?}\n{}", site.world.transcript());
    site.assert_settled(0);
}

#[test]
fn a_released_firewall_keeps_out_until_it_is_resumed() {
    for seed in 50..53 {
        let mut site = Site::up(seed);
        let fw1 = site.firewalls[0];
        let taken = site.until_both(1, |world| {
            world.request(fw1, release());
        });
        assert!(taken <= millis(200), "{taken:?}");
        site.assert_settled(1);
        assert_eq!(site.commands(0).last(), Some(&"/bin/release"));
        site.until_both(0, |world| {
            world.request(fw1, v1::OrderRequest { order: "vrrp-resume".to_owned(), ..release() });
        });
        site.assert_settled(0);
    }
}

/// Who dies while the other one is released: better a released gateway than none.
#[test]
fn a_released_firewall_is_better_than_none() {
    let mut site = Site::up(60);
    let [fw1, fw2] = site.firewalls;
    site.until_both(1, |world| {
        world.request(fw1, release());
    });
    site.until_both(0, |world| world.power_off(fw2));
    site.assert_settled(0);
    site.until_both(1, |world| world.start(fw2));
    site.assert_settled(1);
}
