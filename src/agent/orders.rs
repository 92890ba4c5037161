//! An operator's write, from the request to its answer.
//!
//! 1. *Requested*: checked, and put into a copy of the intents, which goes to the disk
//!    ([`Action::StoreIntents`](super::Action::StoreIntents)). Nothing is announced yet.
//! 2. *Durable*: the copy becomes what is in force; the agent settles, neighbours are sent what changed.
//! 3. *Sent*: each neighbour that was sent something is awaited until its TCP has acknowledged it. A virtual router is
//!    awaited until it has changed its role.
//! 4. *Answered*: all have, or the session was lost, or the order's time is up. The order stands in
//!    every case; the answer says who has it.
//!
//! Orders may overlap: each is stored with all before it, so a later version on disk covers them.
//! If the disk refuses one version, all orders not yet durable fail, and what is in force is
//! stored again, so that the file never holds an order that was refused.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ipnet::Ipv4Net;

use super::{OrderId, Owner, PeerId};
use crate::api::v1;
use crate::config::Config;
use crate::group::{Intent, Intents, Order, Placed, Placement, Target, nearest};
use crate::types::{Prefix, RouterId, Time, Wall};

/// How long an order waits for acknowledgements if the client names no time.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// More orders than this in progress at once are refused: a client that floods us gets an error,
/// not our memory.
const MAX_IN_PROGRESS: usize = 1024;

/// Longest owner's reason that is kept, in bytes.
const MAX_REASON: usize = 1000;

/// Longest `--for`: ten years. No calendar writes down the end of much longer ones, and what cannot be written
/// down cannot be read at the next start.
const MAX_FOR_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// The intents, and the orders on their way.
#[derive(Clone)]
pub(super) struct Orders {
    /// What decides now. Always on disk.
    in_force: Intents,
    /// With the orders that are being stored.
    requested: Intents,
    version: u64,
    storing: VecDeque<Storing>,
    pub awaiting: BTreeMap<OrderId, Awaiting>,
}

/// An order whose intent is not on disk yet.
#[derive(Clone)]
struct Storing {
    order: OrderId,
    is_move: bool,
    /// Durable once this version is.
    version: u64,
    /// All intents, with this order's.
    intents: Intents,
    target: Target,
    arrived: Time,
    wait: bool,
    timeout: Duration,
}

/// An order whose intent is durable and to be put in force.
#[derive(Clone)]
pub(super) struct Durable {
    pub order: OrderId,
    /// It is a move of a switch, not an operator's order.
    pub is_move: bool,
    pub target: Target,
    pub arrived: Time,
    pub wait: bool,
    pub timeout: Duration,
}

/// An order in force that waits for its neighbours.
#[derive(Clone)]
pub(super) struct Awaiting {
    pub arrived: Time,
    pub durable: Duration,
    pub deadline: Time,
    pub unchanged: bool,
    pub prefixes: Vec<Prefix>,
    pub deliveries: BTreeMap<PeerId, Delivery>,
    /// Neighbours whose TCP has not acknowledged yet.
    pub missing: BTreeSet<PeerId>,
    /// OSPF neighbours by interface and router id.
    pub area: BTreeMap<(u32, RouterId), Delivery>,
    /// What not all of them have acknowledged yet.
    pub unflooded: Vec<Ipv4Net>,
    /// The virtual router that the order is for.
    pub router: Option<RouterOrder>,
}

/// An order for a virtual router.
#[derive(Clone)]
pub(super) struct RouterOrder {
    pub name: String,
    /// Its role is not waited for any more.
    pub waits: bool,
    /// From the request's arrival until it had done what was ordered.
    pub settled: Option<Duration>,
}

#[derive(Clone)]
pub(super) struct Delivery {
    /// The name; the neighbour itself may be gone from the configuration by the time of the answer.
    pub neighbor: String,
    pub outcome: &'static str,
    pub prefixes: Vec<v1::DeliveredPrefix>,
    /// From the request's arrival.
    pub acknowledged: Duration,
}

/// What a request wants of the intents.
enum Change {
    Insert(Intent),
    Remove(Target),
}

impl Orders {
    pub fn new(intents: Intents) -> Orders {
        Orders {
            requested: intents.clone(),
            in_force: intents,
            version: 0,
            storing: VecDeque::new(),
            awaiting: BTreeMap::new(),
        }
    }

    pub fn in_force(&self) -> &Intents {
        &self.in_force
    }

    /// Checks a request and enters it. Gives the version and text to be stored.
    pub fn request(
        &mut self,
        order: OrderId,
        request: &v1::OrderRequest,
        owner: &Owner,
        config: &Config,
        now: Time,
        wall: Wall,
    ) -> Result<Option<(u64, String)>, tonic::Status> {
        self.has_room()?;
        let change = change(request, owner, config, wall)?;
        let target = match &change {
            Change::Insert(intent) => intent.target.clone(),
            Change::Remove(target) => target.clone(),
        };
        match change {
            Change::Insert(intent) => {
                self.requested.insert(intent);
            }
            Change::Remove(target) => {
                if self.requested.remove(&target).is_none() {
                    return Ok(None);
                }
            }
        }
        self.version += 1;
        let timeout = match request.timeout_us {
            0 => DEFAULT_TIMEOUT,
            micros => Duration::from_micros(micros),
        };
        self.storing.push_back(Storing {
            order,
            is_move: false,
            version: self.version,
            intents: self.requested.clone(),
            target,
            arrived: now,
            wait: !request.no_wait,
            timeout,
        });
        Ok(Some((self.version, self.requested.to_text())))
    }

    /// Where a group is, with what is being stored.
    pub fn requested_placement(&self, group: &str) -> Placement {
        self.requested.placement(group).cloned().unwrap_or_default()
    }

    /// Enters where a group is, and waits so long for neighbours that have to know of it. Gives the version and text to be stored.
    pub fn place(
        &mut self,
        order: OrderId,
        group: &str,
        placed: Placed,
        timeout: Option<Duration>,
        now: Time,
    ) -> Result<(u64, String), tonic::Status> {
        self.has_room()?;
        self.requested.place(group, placed);
        self.version += 1;
        self.storing.push_back(Storing {
            order,
            is_move: true,
            version: self.version,
            intents: self.requested.clone(),
            target: Target::Group(group.to_owned()),
            arrived: now,
            wait: timeout.is_some(),
            timeout: timeout.unwrap_or_default(),
        });
        Ok((self.version, self.requested.to_text()))
    }

    /// Puts in force at once where a group is. That was heard, or a time was over: it needs no disk to be true. Gives what to
    /// store.
    pub fn learn(&mut self, group: &str, placed: &Placed) -> (u64, String) {
        self.in_force.place(group, placed.clone());
        self.requested.place(group, placed.clone());
        for storing in &mut self.storing {
            storing.intents.place(group, placed.clone());
        }
        self.version += 1;
        (self.version, self.requested.to_text())
    }

    /// Writes down what a coordinator is about to do, or that it has ended. Gives what to store.
    pub fn journal(&mut self, switch: &str, text: Option<String>) -> (u64, String) {
        self.in_force.journal(switch, text.clone());
        self.requested.journal(switch, text.clone());
        for storing in &mut self.storing {
            storing.intents.journal(switch, text.clone());
        }
        self.version += 1;
        (self.version, self.requested.to_text())
    }

    fn has_room(&self) -> Result<(), tonic::Status> {
        match self.storing.len() + self.awaiting.len() {
            ..MAX_IN_PROGRESS => Ok(()),
            _ => Err(tonic::Status::resource_exhausted(format!(
                "{MAX_IN_PROGRESS} orders are in progress already; wait for their answers"
            ))),
        }
    }

    /// Up to `version` all is on disk: puts it in force and tells which orders that are.
    pub fn stored(&mut self, version: u64) -> Vec<Durable> {
        let mut durable = Vec::new();
        while self.storing.front().is_some_and(|storing| storing.version <= version) {
            let Some(storing) = self.storing.pop_front() else { break };
            self.in_force = storing.intents;
            durable.push(Durable {
                order: storing.order,
                is_move: storing.is_move,
                target: storing.target,
                arrived: storing.arrived,
                wait: storing.wait,
                timeout: storing.timeout,
            });
        }
        durable
    }

    /// The disk refused: gives the orders that failed, and what to store instead.
    pub fn refused(&mut self, version: u64) -> (Vec<OrderId>, Option<(u64, String)>) {
        if self.storing.front().is_none_or(|storing| storing.version > version) {
            // Of an earlier failure, whose orders have been told.
            return (Vec::new(), None);
        }
        let failed = self.storing.drain(..).map(|storing| storing.order).collect();
        self.requested = self.in_force.clone();
        self.version += 1;
        (failed, Some((self.version, self.requested.to_text())))
    }

    /// Drops intents that are over; gives them, and what to store. That they are over needs no disk to be true.
    pub fn expire(&mut self, wall: Wall) -> (Vec<Intent>, Option<(u64, String)>) {
        let over = self.in_force.remove_expired(wall);
        if over.is_empty() {
            return (over, None);
        }
        self.requested.remove_expired(wall);
        for storing in &mut self.storing {
            storing.intents.remove_expired(wall);
        }
        self.version += 1;
        (over, Some((self.version, self.requested.to_text())))
    }

    /// Nobody waits for this order's answer any more.
    pub fn abandon(&mut self, order: OrderId) {
        self.awaiting.remove(&order);
    }

    /// The earliest time at which an order stops waiting.
    pub fn deadline(&self) -> Option<Time> {
        self.awaiting.values().map(|awaiting| awaiting.deadline).min()
    }
}

fn change(
    request: &v1::OrderRequest,
    owner: &Owner,
    config: &Config,
    wall: Wall,
) -> Result<Change, tonic::Status> {
    let invalid = |text: String| tonic::Status::invalid_argument(text);
    let of_node = matches!(request.order.as_str(), "drain" | "undrain");
    if of_node && !(request.target.is_empty() && request.level.is_empty()) {
        let text =
            format!("{} is of the whole node: it takes no target and no level", request.order);
        return Err(invalid(text));
    }
    let of_router = matches!(request.order.as_str(), "vrrp-release" | "vrrp-resume");
    if of_router && !request.level.is_empty() {
        return Err(invalid(format!("{} takes no level", request.order)));
    }
    let target = if of_node {
        Target::Node
    } else if of_router {
        virtual_router(&request.target, config)?
    } else {
        config
            .definitions()
            .target(&request.target)
            .map_err(|unknown| tonic::Status::not_found(unknown.to_string()))?
    };
    let level = match request.level.as_str() {
        "" => None,
        text => Some(config.levels.preference(text).map_err(|error| invalid(error.to_string()))?),
    };
    if request.reason.len() > MAX_REASON {
        return Err(invalid(format!("the reason is longer than {MAX_REASON} bytes")));
    }
    if request.for_seconds > MAX_FOR_SECONDS {
        return Err(invalid(
            "the order is to end more than ten years from now; without an end it holds until it is released"
                .to_owned(),
        ));
    }
    let order = match (request.order.as_str(), level) {
        ("release" | "undrain" | "vrrp-resume", _) => return Ok(Change::Remove(target)),
        ("vrrp-release", _) => Order::Release,
        ("drain", _) => Order::Drain,
        ("announce" | "prefer", Some(level)) if !level.is_announced() => {
            return Err(invalid(format!(
                "level `{}` means not announced; to take {target} back, withdraw it",
                request.level
            )));
        }
        ("announce", level) => Order::Announce(level),
        ("withdraw", None) => Order::Withdraw,
        ("withdraw", Some(_)) => return Err(invalid("withdraw takes no level".to_owned())),
        ("prefer", Some(level)) => Order::Prefer(level),
        ("prefer", None) => {
            return Err(invalid("prefer needs a level: a name or a number 1..=255".to_owned()));
        }
        (other, _) => {
            return Err(invalid(format!(
                "unknown order `{other}`; it is one of announce, withdraw, prefer, release, drain, undrain, vrrp-release, vrrp-resume"
            )));
        }
    };
    Ok(Change::Insert(Intent {
        target,
        order,
        owner: owner.0.clone(),
        reason: (!request.reason.is_empty()).then(|| request.reason.clone()),
        since: wall,
        expires: (request.for_seconds > 0).then(|| wall + Duration::from_secs(request.for_seconds)),
    }))
}

fn virtual_router(name: &str, config: &Config) -> Result<Target, tonic::Status> {
    if config.vrrp.contains_key(name) {
        return Ok(Target::Router(name.to_owned()));
    }
    let names: Vec<&str> = config.vrrp.keys().map(String::as_str).collect();
    let help = match (nearest(name, names.iter().copied()), names.is_empty()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, true) => "none is configured".to_owned(),
        (None, false) => format!("there are: {}", names.join(", ")),
    };
    Err(tonic::Status::not_found(format!("no virtual router `{name}`; {help}")))
}
