//! Virtual routers on one LAN: whatever happens, when it is quiet again one of those that can hear each other is Active,
//! and it alone has the addresses.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use shunt::api::v1;
use shunt::sim::{Link, LinkId, NodeId, World};
use shunt::types::Rng;
use shunt::vrrp::State;

const GATEWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 100));

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Routers on a LAN, each with its priority.
struct Lan {
    world: World,
    routers: Vec<NodeId>,
    priorities: Vec<u8>,
    lan: LinkId,
}

fn configuration(number: usize, priority: u8, more: &str) -> String {
    format!(
        "[node]\nname = \"r{number}\"\nsite = \"dc1\"\nrouter-id = \"192.0.2.{number}\"\n\
         [kernel]\ngrace = \"500ms\"\n\
         [vrrp.gateway]\ninterface = \"e1\"\nid = 10\naddresses = [\"{GATEWAY}\"]\n\
         priority = {priority}\ninterval = \"100ms\"\n{more}\n"
    )
}

impl Lan {
    /// All running. `more` goes into everybody's section.
    fn up(seed: u64, priorities: &[u8], more: &str) -> Lan {
        let mut world = World::new(seed);
        let mut clocks = Rng::new(seed ^ 0xc10c);
        let configurations =
            (1..).zip(priorities).map(|(number, priority)| configuration(number, *priority, more));
        let routers: Vec<NodeId> = configurations.map(|text| world.node(&text)).collect();
        let addresses: Vec<String> =
            (1..=routers.len()).map(|number| format!("10.0.0.{number}/24")).collect();
        let ends: Vec<(NodeId, &str)> =
            routers.iter().copied().zip(addresses.iter().map(String::as_str)).collect();
        let lan = world.lan(&ends, Link::default());
        for router in &routers {
            world.set_clock(*router, 10_000 - clocks.below(20_001) as i32);
            world.start(*router);
        }
        let mut lan = Lan { world, routers, priorities: priorities.to_vec(), lan };
        lan.world.run_for(millis(3000));
        lan
    }

    fn release(&mut self, number: usize, released: bool) {
        let order = if released { "vrrp-release" } else { "vrrp-resume" };
        let (order, target) = (order.to_owned(), "gateway".to_owned());
        let request = v1::OrderRequest { order, target, ..Default::default() };
        self.world.request(self.routers[number], request);
    }

    fn active(&self) -> Vec<usize> {
        let is_active = |router: &NodeId| {
            let lane = self.world.lane(*router);
            lane.is_some_and(|lane| lane.routers.iter().any(|r| r.state == State::Active))
        };
        (0..self.routers.len()).filter(|number| is_active(&self.routers[*number])).collect()
    }

    /// Of a router, as it counts now: who is released has the least.
    fn priority(&self, number: usize) -> u8 {
        let lane = self.world.lane(self.routers[number]);
        let released = lane.is_none_or(|lane| lane.routers.iter().any(|router| router.released));
        if released { 1 } else { self.priorities[number] }
    }

    fn assert_one(&self, seed: u64) {
        let holders = self.world.holders(self.lan, GATEWAY);
        let active = self.active();
        let told = || format!("seed {seed} at {}:\n{}", self.world.now(), tail(&self.world));
        assert_eq!(active.len(), 1, "{}", told());
        assert_eq!(holders, [self.routers[active[0]]], "{}", told());
        assert_eq!(self.world.first_hop(self.lan, GATEWAY), Some(holders[0]), "{}", told());
    }

    /// Everything as it was meant to be.
    fn heal(&mut self) {
        self.world.mend(self.lan);
        self.world.set_loss(self.lan, 0);
        for router in self.routers.clone() {
            self.world.refuse_addresses(router, false);
            self.world.continue_process(router);
            if self.world.agent(router).is_none() {
                self.world.start(router);
            }
        }
    }

    /// One fault or order at random.
    fn disturb(&mut self, rng: &mut Rng) {
        let number = rng.below(self.routers.len() as u64) as usize;
        let router = self.routers[number];
        let runs = self.world.agent(router).is_some();
        match rng.below(12) {
            0 => self.world.kill(router),
            1 => self.world.power_off(router),
            2 => self.world.stop_process(router),
            3 => self.world.continue_process(router),
            4 => self.world.mute(self.lan, router),
            5 => self.world.cut(self.lan),
            6 => self.world.unplug(self.lan),
            7 => self.world.mend(self.lan),
            8 => self.world.set_loss(self.lan, 1 + rng.below(60)),
            9 => self.world.refuse_addresses(router, rng.chance(50)),
            10 if runs => self.release(number, rng.chance(50)),
            11 if runs => {
                self.world.kill(router);
                self.world.run_for(millis(rng.below(5)));
                self.world.start(router);
            }
            _ => {
                if !runs {
                    self.world.start(router);
                }
            }
        }
    }
}

fn tail(world: &World) -> String {
    let lines: Vec<&str> = world.transcript().lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[test]
fn the_highest_priority_has_the_addresses() {
    let mut lan = Lan::up(1, &[100, 200, 150], "");
    lan.assert_one(1);
    assert_eq!(lan.active(), [1]);
    lan.world.power_off(lan.routers[1]);
    let silent = lan.world.now();
    assert!(lan.world.run_until(millis(1000), |world| {
        world.first_hop(lan.lan, GATEWAY) == Some(lan.routers[2])
    }));
    // 3 intervals and the skew of priority 150, the kernel's time, and 1 % of clock.
    let taken = lan.world.now().since(silent);
    assert!(taken <= millis(300 + 42 + 10), "{taken:?}");
    lan.assert_one(1);
}

/// Two routers between two LANs, with a virtual router on each: a sync group.
#[test]
fn a_sync_group_is_active_in_one_place() {
    for seed in 3000..3020 {
        let mut rng = Rng::new(seed ^ 0x5ec);
        let mut world = World::new(seed);
        let section = |lan: u32, priority: u8| {
            format!(
                "[vrrp.lan{lan}]\ninterface = \"e{lan}\"\nid = 10\naddresses = [\"10.0.{lan}.100\"]\n\
                 priority = {priority}\ninterval = \"100ms\"\nsync-group = \"both\"\n"
            )
        };
        let routers = [(1, 150), (2, 100)].map(|(number, priority)| {
            let second = section(2, priority);
            let text = configuration(number, priority, "sync-group = \"both\"");
            // The first section is that of the LAN of the other tests.
            world.node(&(text + &second))
        });
        let [a, b] = routers;
        let lans = [
            world.lan(&[(a, "10.0.0.1/24"), (b, "10.0.0.2/24")], Link::default()),
            world.lan(&[(a, "10.0.2.1/24"), (b, "10.0.2.2/24")], Link::default()),
        ];
        let addresses = [GATEWAY, "10.0.2.100".parse().unwrap()];
        for router in routers {
            world.set_clock(router, 10_000 - rng.below(20_001) as i32);
            world.start(router);
        }
        world.run_for(millis(3000));
        for _ in 0..10 {
            for _ in 0..1 + rng.below(5) {
                let (lan, router) = (lans[rng.below(2) as usize], routers[rng.below(2) as usize]);
                match rng.below(7) {
                    0 => world.kill(router),
                    1 => world.stop_process(router),
                    2 => world.continue_process(router),
                    3 => world.mute(lan, router),
                    4 => world.unplug(lan),
                    5 => world.mend(lan),
                    _ => world.set_loss(lan, rng.below(60)),
                }
                world.run_for(millis(rng.below(500)));
            }
            for lan in lans {
                world.mend(lan);
                world.set_loss(lan, 0);
            }
            for router in routers {
                world.continue_process(router);
                if world.agent(router).is_none() {
                    world.start(router);
                }
            }
            world.run_for(millis(2500));
            for (lan, address) in lans.into_iter().zip(addresses) {
                let holders = world.holders(lan, address);
                assert_eq!(holders, [a], "seed {seed}:\n{}", tail(&world));
                assert_eq!(world.first_hop(lan, address), Some(a), "seed {seed}");
            }
        }
    }
}

/// Schedules of faults, each followed by quiet.
fn schedules(seeds: Range<u64>, rounds: u64, priorities: &[u8], more: &str) {
    for seed in seeds {
        let mut rng = Rng::new(seed ^ 0x6a7e);
        let mut lan = Lan::up(seed, priorities, more);
        lan.assert_one(seed);
        for _ in 0..rounds {
            for _ in 0..1 + rng.below(5) {
                lan.disturb(&mut rng);
                lan.world.run_for(millis(rng.below(500)));
            }
            lan.heal();
            lan.world.run_for(millis(1500));
            if lan.world.holders(lan.lan, GATEWAY).is_empty() {
                // What a kernel has refused is tried again after ten seconds.
                lan.world.run_for(millis(10_000));
            }
            lan.assert_one(seed);
        }
    }
}

#[test]
fn one_of_two_is_active_after_any_faults() {
    schedules(0..100, 10, &[200, 100], "preempt = false");
}

#[test]
fn one_of_three_is_active_after_any_faults() {
    schedules(1000..1100, 10, &[100, 100, 150], "preempt-delay = \"300ms\"");
}

/// The hosts' caches follow, though only who has the address can correct them.
#[test]
fn one_of_three_is_found_by_its_own_mac_address_after_any_faults() {
    schedules(4000..4040, 10, &[100, 100, 150], "mac = \"physical\"");
}

/// With preemption it is the one that it should be.
#[test]
fn the_best_of_three_is_active_after_any_faults() {
    for seed in 2000..2030 {
        let mut rng = Rng::new(seed ^ 0xbe57);
        let mut lan = Lan::up(seed, &[100, 150, 150], "");
        for _ in 0..8 {
            for _ in 0..1 + rng.below(5) {
                lan.disturb(&mut rng);
                lan.world.run_for(millis(rng.below(500)));
            }
            lan.heal();
            lan.world.run_for(millis(12_000));
            lan.assert_one(seed);
            // Of equal ones it is the one that was first.
            let highest = (0..3).map(|number| lan.priority(number)).max();
            let active = lan.priority(lan.active()[0]);
            assert_eq!(Some(active), highest, "seed {seed}:\n{}", tail(&lan.world));
        }
    }
}
