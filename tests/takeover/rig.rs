use std::time::Duration;

use shunt::agent::{Action, Agent, CommandId, Event, OrderId, Owner, Start, VirtualAddresses};
use shunt::api::v1;
use shunt::config::{self, Config};
use shunt::fast::{self, Report};
use shunt::fib::Observed;
use shunt::group::Intents;
use shunt::types::{Time, Wall};
use shunt::vrrp::{Change, Order, Reason, State, VirtualRouterId};

/// Two virtual routers of one sync group, the outer and the inner side of a firewall, and what goes with them.
const CONFIGURATION: &str = r#"
[node]
name = "fw1"
site = "dc1"
asn = 64512
router-id = "192.0.2.1"
own-prefixes = ["203.0.113.0/24"]

[group.web]
prefixes = ["203.0.113.7/32"]
base = { dc1 = 200 }
follow = "outside"
backup = 50

[vrrp.outside]
interface = "e1"
id = 1
addresses = ["10.0.1.1"]
interval = "100ms"
sync-group = "fw"

[[vrrp.outside.track]]
interface = "e2"
lower-by = 30

[[vrrp.outside.track]]
file = "/run/ok"
lower-by = 20

[vrrp.inside]
interface = "e2"
id = 2
addresses = ["10.0.2.1"]
interval = "100ms"
sync-group = "fw"

[takeover]
commit = ["/sbin/commit", "now"]
after = [["/sbin/after"], ["/sbin/then"]]
release = [["/sbin/release"]]
"#;

pub const OTHER: &str = "10.0.1.3";

/// Inside and outside, in the order of their names.
const ROUTERS: [VirtualRouterId; 2] = [VirtualRouterId(1), VirtualRouterId(2)];

/// An agent, and everything it has wanted.
pub struct Rig {
    pub agent: Agent,
    pub now: Time,
    pub actions: Vec<Action>,
    /// All that the lane was told of virtual routers.
    pub ordered: Vec<Order>,
    answers: Vec<v1::OrderReply>,
    orders: u64,
}

pub fn config() -> Config {
    let mut no_secret = |_: &str| Err("there is none".to_owned());
    let parsed = config::parse(CONFIGURATION, "shunt.toml", &mut no_secret);
    parsed.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(CONFIGURATION, false)))
}

impl Rig {
    /// With both interfaces there.
    pub fn new() -> Rig {
        let agent = Agent::new(Start {
            config: config(),
            intents: Intents::default(),
            health: String::new(),
            wall: Wall::from_micros(1_795_298_296_000_000),
            seed: 1,
            version: String::new(),
            configuration_path: String::new(),
            state_directory: String::new(),
            warnings: Vec::new(),
        });
        let mut rig = Rig {
            agent,
            now: Time::ZERO,
            actions: Vec::new(),
            ordered: Vec::new(),
            answers: Vec::new(),
            orders: 0,
        };
        rig.collect();
        rig.tell(Event::Kernel(Observed::DumpBegun));
        for index in [1, 2] {
            rig.link(index, true);
            rig.tell(Event::Kernel(Observed::Address {
                interface: index,
                address: format!("10.0.{index}.2").parse().unwrap(),
                network: format!("10.0.{index}.0/24").parse().unwrap(),
            }));
        }
        rig.tell(Event::Kernel(Observed::DumpDone));
        rig.lane(State::Backup, Reason::Started, None);
        rig
    }

    pub fn link(&mut self, index: u32, up: bool) {
        let name = format!("e{index}");
        self.tell(Event::Kernel(Observed::Link { index, name, up, mtu: 1500 }));
    }

    pub fn tell(&mut self, event: Event) {
        self.agent.handle(event, self.now);
        self.collect();
    }

    /// Lets time go by, with every timer that comes due.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.agent.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.agent.tick(self.now);
            self.collect();
        }
        self.now = end;
    }

    fn collect(&mut self) {
        while let Some(action) = self.agent.poll() {
            match &action {
                Action::Fast(fast::Order::Vrrp(order)) => self.ordered.push(order.clone()),
                Action::Answer { answer, .. } => {
                    self.answers.extend(answer.clone().map(|reply| *reply))
                }
                _ => {}
            }
            self.actions.push(action);
        }
    }

    /// The lane reports both routers alike, one after the other.
    pub fn lane(&mut self, state: State, reason: Reason, active: Option<&str>) {
        for router in ROUTERS {
            self.report(router, state, reason, active);
        }
    }

    pub fn report(
        &mut self,
        router: VirtualRouterId,
        state: State,
        reason: Reason,
        active: Option<&str>,
    ) {
        let change = Change {
            router,
            state,
            reason,
            active: active.map(|address| address.parse().unwrap()),
            active_priority: 100,
            at: self.now,
        };
        self.tell(Event::Fast(Report::Vrrp(change)));
    }

    /// Takes what was wanted since the last call: what the kernel's side is to have, commands, orders to the lane, in
    /// words.
    pub fn take(&mut self) -> Vec<String> {
        let actions = std::mem::take(&mut self.actions);
        let words = actions.iter().filter_map(|action| match action {
            Action::SetAddresses { wanted: Some(addresses), .. } => {
                let VirtualAddresses { name, assigned, .. } = addresses.as_ref();
                Some(format!("{name} {}", if *assigned { "assigned" } else { "not assigned" }))
            }
            Action::SetAddresses { router, wanted: None } => Some(format!("{} gone", router.0)),
            Action::Run { words, .. } => Some(words.join(" ")),
            Action::Fast(fast::Order::Vrrp(order)) => match order {
                Order::Announce { router } => Some(format!("announce {}", router.0)),
                Order::Release { router, released } => {
                    Some(format!("release {} {released}", router.0))
                }
                Order::Adjust { router, by } => Some(format!("adjust {} {by}", router.0)),
                Order::Drop { router } => Some(format!("drop {}", router.0)),
                Order::Want { .. } | Order::Ready { .. } => None,
            },
            Action::Fast(fast::Order::Stop) => Some("stop".to_owned()),
            Action::Stopped => Some("stopped".to_owned()),
            _ => None,
        });
        words.collect()
    }

    pub fn has_command(&self) -> Option<CommandId> {
        self.actions.iter().rev().find_map(|action| match action {
            Action::Run { command, .. } => Some(*command),
            _ => None,
        })
    }

    /// Everything that runs ends well, and what comes after it.
    pub fn commands_end(&mut self) {
        let mut last = None;
        while let Some(command) = self.has_command().filter(|command| Some(*command) != last) {
            self.command_ends(command, Ok(""));
            last = Some(command);
        }
    }

    pub fn command_ends(&mut self, command: CommandId, result: Result<&str, &str>) {
        let result = result.map(str::to_owned).map_err(str::to_owned);
        self.tell(Event::CommandEnded { command, result });
    }

    /// The kernel has done what was wanted of both routers.
    pub fn kernel(&mut self, assigned: bool) {
        for router in ROUTERS {
            self.tell(Event::AddressesSet { router, assigned, result: Ok(()) });
        }
    }

    pub fn events(&self, kind: &str) -> Vec<String> {
        let of_kind = self.actions.iter().filter_map(|action| match action {
            Action::Report(event) if event.kind == kind => Some(event),
            _ => None,
        });
        of_kind.map(|event| format!("{}: {}", event.subject, event.text)).collect()
    }

    pub fn preference(&self) -> u32 {
        let groups = self.agent.groups("web", self.now).unwrap();
        groups.groups[0].announcements[0].preference
    }

    pub fn order(&mut self, order: &str, target: &str, seconds: u64) {
        self.orders += 1;
        let request = v1::OrderRequest {
            order: order.to_owned(),
            target: target.to_owned(),
            for_seconds: seconds,
            ..Default::default()
        };
        let owner = Owner("operator (uid 0)".to_owned());
        self.tell(Event::Ordered { order: OrderId(self.orders), request, owner });
        let stored = self.actions.iter().rev().find_map(|action| match action {
            Action::StoreIntents { version, .. } => Some(*version),
            _ => None,
        });
        let version = stored.expect("the order is stored");
        self.tell(Event::IntentsStored { version, result: Ok(()) });
    }

    /// To the orders so far.
    pub fn answers(&self) -> &[v1::OrderReply] {
        &self.answers
    }

    /// Active, with everything that belongs to it.
    pub fn active() -> Rig {
        let mut rig = Rig::new();
        rig.lane(State::Active, Reason::ActiveDown, Some("10.0.1.2"));
        let commit = rig.has_command().expect("a commit");
        rig.command_ends(commit, Ok(""));
        rig.kernel(true);
        assert_eq!(rig.preference(), 200);
        rig.commands_end();
        rig.take();
        rig
    }
}
