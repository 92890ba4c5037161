//! What clients want of switches: a group to another site, all groups off a site, a plan of that, or something of a switch that
//! is in progress.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tonic::Status;

use super::switching::{Asked, Journal};
use super::{Action, Agent, OrderId, Owner};
use crate::api::v1;
use crate::config::Fleet;
use crate::group::{Epoch, Lock, nearest};
use crate::switch::{Ending, Event, Member, Order, Step, Transaction};
use crate::types::Time;

pub(super) const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);
/// Groups of an evacuation that move at a time.
const PARALLEL: usize = 4;
/// Another switch that is waited for is looked at again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// More than this at a time is refused.
const MOST: usize = 64;

/// What one client wants. Its members are switches, one for each group.
#[derive(Clone)]
pub(super) struct Campaign {
    owner: String,
    request: v1::SwitchRequest,
    /// Those that have not begun.
    waiting: VecDeque<Job>,
    /// Those in progress, by switch.
    running: BTreeMap<String, Job>,
    /// Groups that were not moved: what is to follow them does not begin.
    failed: BTreeSet<String>,
    /// Another switch is waited for until then.
    wait_until: Time,
    /// Plans are wanted, of all of them; they come first if they are to be compared.
    plans: Option<BTreeMap<String, Plan>>,
}

#[derive(Clone)]
struct Job {
    group: String,
    to: String,
    /// Not before.
    not_before: Option<Time>,
}

/// What a switch of a group would do, as far as the nodes have said.
#[derive(Clone)]
struct Plan {
    from: String,
    to: String,
    epoch: Epoch,
    obstacle: Option<String>,
    /// Nodes that have not answered yet.
    waiting: usize,
    nodes: Vec<v1::SwitchPlanNode>,
}

impl Agent {
    pub(super) fn switch_ordered(
        &mut self,
        order: OrderId,
        request: v1::SwitchRequest,
        owner: Owner,
        now: Time,
    ) {
        let result = match request.act.as_str() {
            "switch" | "evacuate" => self.begin_campaign(order, request, owner.0, now),
            "follow" | "resume" | "abort" | "approve" => {
                self.join_switches(order, &request, &owner.0, now)
            }
            other => Err(Status::invalid_argument(format!(
                "unknown act `{other}`; it is one of switch, evacuate, follow, resume, abort, approve"
            ))),
        };
        if let Err(status) = result {
            self.actions.push_back(Action::ProgressEnded { order, result: Err(status) });
        }
    }

    pub(super) fn plan_wanted(&mut self, order: OrderId, request: v1::SwitchRequest, now: Time) {
        match self.campaign(request, String::new(), now) {
            Ok(campaign) => {
                let plans = Some(BTreeMap::new());
                self.switching.campaigns.insert(order, Campaign { plans, ..campaign });
                self.go_on(order, now);
            }
            Err(status) => self.actions.push_back(Action::Planned { order, result: Err(status) }),
        }
    }

    fn begin_campaign(
        &mut self,
        order: OrderId,
        request: v1::SwitchRequest,
        owner: String,
        now: Time,
    ) -> Result<(), Status> {
        let must_compare = !request.digest.is_empty();
        let campaign = self.campaign(request, owner, now)?;
        let plans = must_compare.then(BTreeMap::new);
        self.switching.campaigns.insert(order, Campaign { plans, ..campaign });
        self.go_on(order, now);
        Ok(())
    }

    /// Checks what is wanted.
    fn campaign(
        &self,
        request: v1::SwitchRequest,
        owner: String,
        now: Time,
    ) -> Result<Campaign, Status> {
        if self.stopping.is_some() {
            return Err(Status::unavailable("the daemon is stopping"));
        }
        if self.switching.campaigns.len() >= MOST {
            let text = format!("{MOST} switches are in progress already; wait for them");
            return Err(Status::resource_exhausted(text));
        }
        let Some(fleet) = &self.config.fleet else {
            let text =
                "no [fleet] is configured here, so there are no nodes to switch: see docs/fleet.md";
            return Err(Status::failed_precondition(text));
        };
        for node in &request.without {
            known("node", node, fleet.nodes.keys())?;
        }
        if request.break_glass && request.reason.is_empty() {
            return Err(Status::invalid_argument("break-glass needs a reason"));
        }
        let jobs = match request.act.as_str() {
            "evacuate" => self.jobs_of_evacuation(&request, fleet)?,
            _ => self.jobs_of_switch(&request)?,
        };
        let job = |(group, to)| Job { group, to, not_before: None };
        Ok(Campaign {
            owner,
            waiting: jobs.into_iter().map(job).collect(),
            running: BTreeMap::new(),
            failed: BTreeSet::new(),
            wait_until: now + Duration::from_micros(request.wait_us),
            plans: None,
            request,
        })
    }

    fn jobs_of_switch(&self, request: &v1::SwitchRequest) -> Result<Vec<(String, String)>, Status> {
        if request.groups.is_empty() {
            return Err(Status::invalid_argument("no group is named"));
        }
        let names: BTreeSet<&String> = request.groups.iter().collect();
        for name in &names {
            known("group", name, self.config.groups.keys())?;
            let bases = self.config.groups.get(*name).map(|group| &group.base);
            known(
                &format!("site of group {name}"),
                &request.to,
                bases.into_iter().flat_map(|bases| bases.keys()),
            )?;
        }
        Ok(names.into_iter().map(|name| (name.clone(), request.to.clone())).collect())
    }

    fn jobs_of_evacuation(
        &self,
        request: &v1::SwitchRequest,
        fleet: &Fleet,
    ) -> Result<Vec<(String, String)>, Status> {
        let sites: BTreeSet<&String> = fleet.nodes.values().map(|node| &node.site).collect();
        known("site", &request.leave, sites.iter().copied())?;
        if !request.to.is_empty() {
            known("site", &request.to, sites.iter().copied())?;
        }
        if request.to == request.leave {
            let text = format!("{} is the site to leave", request.leave);
            return Err(Status::invalid_argument(text));
        }
        for name in &request.groups {
            known("group", name, self.config.groups.keys())?;
        }
        let mut jobs = Vec::new();
        for (name, group) in &self.config.groups {
            let placement = self.orders.in_force().placement(name).cloned().unwrap_or_default();
            let is_there = placement.at(group).as_ref() == Some(&request.leave);
            if !is_there || request.groups.contains(name) {
                continue;
            }
            let bases = placement.bases(group);
            let others = bases.iter().filter(|(site, base)| {
                **site != request.leave && base.is_announced() && sites.contains(site)
            });
            let best = others.max_by_key(|(_, base)| **base).map(|(site, _)| site.clone());
            let to = if request.to.is_empty() { best } else { Some(request.to.clone()) };
            match to {
                Some(to) if bases.contains_key(&to) => jobs.push((name.clone(), to)),
                _ => {
                    return Err(Status::failed_precondition(format!(
                        "group {name} has nowhere to go: leave it out with --except, or give it another base"
                    )));
                }
            }
        }
        match jobs.is_empty() {
            true => {
                let text = format!("no group is at {}: nothing is to be moved", request.leave);
                Err(Status::failed_precondition(text))
            }
            false => Ok(jobs),
        }
    }

    /// Something is wanted of switches in progress; the client hears of them from their beginning.
    fn join_switches(
        &mut self,
        order: OrderId,
        request: &v1::SwitchRequest,
        owner: &str,
        now: Time,
    ) -> Result<(), Status> {
        let switches = self.named_switches(request)?;
        if request.act == "abort" && !request.leave.is_empty() {
            for campaign in self.switching.campaigns.values_mut() {
                if campaign.request.leave == request.leave {
                    campaign.waiting.clear();
                }
            }
        }
        let mut running = BTreeMap::new();
        for (switch, group) in switches {
            let is_here = self.switching.coordinated.contains_key(&switch);
            match (request.act.as_str(), is_here) {
                ("abort", true) => {
                    let why = format!("aborted by {owner}");
                    self.switch_event(&switch, Event::Cancelled(why), now);
                }
                ("approve", true) => self.approve(&switch, owner, now)?,
                (_, true) => {}
                ("abort" | "resume", false) => {
                    let back = format!("aborted by {owner}");
                    let back = (request.act == "abort").then_some(back);
                    self.take_over_by_lock(&switch, &group, owner, request, back, now)?;
                }
                _ => {
                    return Err(Status::failed_precondition(format!(
                        "another node coordinates switch {switch}: ask that one, or take it over with `shunt switch resume`"
                    )));
                }
            }
            if let Some(coordinated) = self.switching.coordinated.get_mut(&switch) {
                coordinated.followers.insert(order);
                let to = coordinated.transaction.order().to.clone();
                for progress in coordinated.news.clone() {
                    let progress = Box::new(progress);
                    self.actions.push_back(Action::Progress { order, progress });
                }
                running.insert(switch, Job { group, to, not_before: None });
            }
        }
        let campaign = Campaign {
            owner: owner.to_owned(),
            request: request.clone(),
            waiting: VecDeque::new(),
            running,
            failed: BTreeSet::new(),
            wait_until: now,
            plans: None,
        };
        self.switching.campaigns.insert(order, campaign);
        self.go_on(order, now);
        Ok(())
    }

    /// Those that a client means, by the name of the switch or of its group.
    fn named_switches(&self, request: &v1::SwitchRequest) -> Result<Vec<(String, String)>, Status> {
        let all = self.switches().switches;
        let mut named = Vec::new();
        for name in &request.groups {
            let is_it = |one: &&v1::SwitchInProgress| one.switch == *name || one.group == *name;
            match all.iter().find(is_it) {
                Some(one) => named.push((one.switch.clone(), one.group.clone())),
                None => {
                    let names = all.iter().flat_map(|one| [&one.switch, &one.group]);
                    known("switch in progress", name, names)?;
                }
            }
        }
        match (request.groups.is_empty(), all.as_slice()) {
            (false, _) => Ok(named),
            (true, [one]) => Ok(vec![(one.switch.clone(), one.group.clone())]),
            (true, []) => {
                Err(Status::not_found("no switch is in progress, as far as this node knows"))
            }
            (true, many) => {
                let names: Vec<&str> = many.iter().map(|one| one.group.as_str()).collect();
                let text =
                    format!("several switches are in progress, of {}: name one", names.join(", "));
                Err(Status::invalid_argument(text))
            }
        }
    }

    /// Takes over what another node coordinates, or has coordinated: what it was is known by the lock.
    fn take_over_by_lock(
        &mut self,
        switch: &str,
        group: &str,
        owner: &str,
        request: &v1::SwitchRequest,
        back: Option<String>,
        now: Time,
    ) -> Result<(), Status> {
        let placement = self.orders.in_force().placement(group);
        let Some(lock) = placement.and_then(|placement| placement.lock.clone()) else {
            return Err(Status::not_found(format!("switch {switch} is over")));
        };
        let Lock { switch, term, to, .. } = lock;
        let job = Job { group: group.to_owned(), to, not_before: None };
        let mut order = self.order_of(switch, &job, request);
        order.term = term;
        let (owner, reason) = (owner.to_owned(), request.reason.clone());
        let (begun, step) = (self.wall(now), Step::Survey);
        self.take_switch_over(Journal { order, owner, reason, begun, step, back }, false, now);
        Ok(())
    }

    /// What is ordered for a group, of all its nodes.
    fn order_of(&self, switch: String, job: &Job, request: &v1::SwitchRequest) -> Order {
        let bases = self.config.groups.get(&job.group).map(|group| &group.base);
        let has_base = |site: &String| bases.is_some_and(|bases| bases.contains_key(site));
        let nodes = self.config.fleet.iter().flat_map(|fleet| &fleet.nodes);
        let nodes = nodes.filter(|(_, node)| has_base(&node.site)).map(|(name, node)| {
            let excused = request.without.contains(name);
            (name.clone(), Member { site: node.site.clone(), excused })
        });
        let switching = self.config.switching.get(&job.group).cloned().unwrap_or_default();
        let deadline = match request.deadline_us {
            0 => switching.deadline,
            micros => Duration::from_micros(micros).min(LONGEST_DEADLINE),
        };
        Order {
            switch,
            term: 1,
            group: job.group.clone(),
            to: job.to.clone(),
            nodes: nodes.collect(),
            hold: switching.hold.is_some(),
            probe: switching.probe.is_some(),
            break_glass: request.break_glass,
            only_survey: false,
            drill: request.drill,
            deadline,
        }
    }

    /// Begins what can begin, and ends what has nothing more to do.
    fn go_on(&mut self, order: OrderId, now: Time) {
        while let Some((job, campaign)) = self.next_job(order) {
            let first = campaign.failed.iter().find(|group| self.follows(&job.group, group));
            if let Some(first) = first.filter(|_| campaign.plans.is_none()) {
                let why = format!("{first} was not moved, and {} goes after it", job.group);
                self.refuse_job(order, &job, why);
                continue;
            }
            let number = self.switching.calls.number();
            let begun = self.wall(now).as_micros() / 1000;
            let switch = format!("{}-{}-{number}", self.config.node.name, begun);
            let mut ordered = self.order_of(switch.clone(), &job, &campaign.request);
            ordered.only_survey = campaign.plans.is_some();
            let (owner, reason) = (campaign.owner.clone(), campaign.request.reason.clone());
            if let Some(campaign) = self.switching.campaigns.get_mut(&order) {
                campaign.running.insert(switch, job);
            }
            self.begin_switch(ordered, owner, reason, order, now);
        }
        self.end_campaign(order, now);
    }

    /// Takes the first that need not wait any more.
    fn next_job(&mut self, order: OrderId) -> Option<(Job, Campaign)> {
        let campaign = self.switching.campaigns.get(&order)?;
        let parallel = match campaign.request.parallel {
            0 => PARALLEL,
            parallel => parallel as usize,
        };
        if campaign.running.len() >= parallel {
            return None;
        }
        let unmoved = || campaign.waiting.iter().chain(campaign.running.values());
        let is_free = |job: &Job| {
            let is_first = !unmoved().any(|other| self.follows(&job.group, &other.group));
            job.not_before.is_none() && (is_first || campaign.plans.is_some())
        };
        let next = campaign.waiting.iter().position(is_free)?;
        let campaign = self.switching.campaigns.get_mut(&order)?;
        let job = campaign.waiting.remove(next)?;
        Some((job, campaign.clone()))
    }

    /// Whether an evacuation moves `group` only when `other` has moved.
    fn follows(&self, group: &str, other: &str) -> bool {
        let switching = self.config.switching.get(group);
        switching.is_some_and(|switching| switching.later_than.iter().any(|first| first == other))
    }

    fn refuse_job(&mut self, order: OrderId, job: &Job, why: String) {
        let Some(campaign) = self.switching.campaigns.get_mut(&order) else { return };
        campaign.failed.insert(job.group.clone());
        let ending = v1::SwitchEnding { outcome: "refused".to_owned(), why, ..Default::default() };
        let progress = Box::new(v1::SwitchProgress {
            group: job.group.clone(),
            to: job.to.clone(),
            ending: Some(ending),
            ..Default::default()
        });
        self.actions.push_back(Action::Progress { order, progress });
    }

    /// Whether the switch of a campaign was refused because of another one, and is begun again later.
    pub(super) fn goes_on_waiting(
        &mut self,
        order: OrderId,
        switch: &str,
        ending: &Ending,
        now: Time,
    ) -> bool {
        let Some(campaign) = self.switching.campaigns.get_mut(&order) else { return false };
        let is_locked = matches!(ending, Ending::Refused { locked: true, .. });
        if !is_locked || campaign.wait_until <= now || campaign.plans.is_some() {
            return false;
        }
        let Some(job) = campaign.running.remove(switch) else { return false };
        campaign.waiting.push_back(Job { not_before: Some(now + AGAIN), ..job });
        true
    }

    /// A switch that a campaign has begun, or follows, has ended, and the client knows.
    pub(super) fn member_ended(
        &mut self,
        order: OrderId,
        switch: &str,
        transaction: &Transaction,
        ending: &Ending,
        now: Time,
    ) {
        let Some(campaign) = self.switching.campaigns.get_mut(&order) else { return };
        let Some(job) = campaign.running.remove(switch) else { return };
        if campaign.plans.is_some() {
            self.surveyed(order, &job, transaction, ending);
        } else if !matches!(ending, Ending::Committed { .. }) {
            campaign.failed.insert(job.group);
        }
        self.go_on(order, now);
    }

    /// Asks the nodes what they would do.
    fn surveyed(&mut self, order: OrderId, job: &Job, transaction: &Transaction, ending: &Ending) {
        let obstacle = match ending {
            Ending::Surveyed { obstacle } => obstacle.clone(),
            Ending::Refused { why, .. } => Some(why.clone()),
            _ => None,
        };
        let (from, to) = (transaction.from().to_owned(), job.to.clone());
        let epoch = transaction.epoch();
        let nodes = transaction.facts().keys().cloned().collect::<Vec<_>>();
        let plan = Plan { from, to, epoch, obstacle, waiting: nodes.len(), nodes: Vec::new() };
        if let Some(Campaign { plans: Some(plans), .. }) = self.switching.campaigns.get_mut(&order)
        {
            plans.insert(job.group.clone(), plan);
        }
        for node in nodes {
            let call = v1::FleetCall {
                group: job.group.clone(),
                wanted: "preview".to_owned(),
                epoch: epoch.0,
                site: job.to.clone(),
                over: transaction.highest().0.into(),
                ..Default::default()
            };
            let asked = Asked::Preview { order, group: job.group.clone() };
            self.ask_node(&node, asked, v1::FleetRequest { call: Some(call), placements: None });
        }
    }

    /// A node has said what it would do.
    pub(super) fn previewed(
        &mut self,
        order: OrderId,
        group: &str,
        result: Result<Box<v1::FleetReply>, Status>,
        now: Time,
    ) {
        let Some(Campaign { plans: Some(plans), .. }) = self.switching.campaigns.get_mut(&order)
        else {
            return;
        };
        let Some(plan) = plans.get_mut(group) else { return };
        plan.waiting = plan.waiting.saturating_sub(1);
        match result {
            Ok(reply) => plan.nodes.extend(reply.answer.and_then(|answer| answer.plan)),
            Err(status) => plan.obstacle = Some(status.message().to_owned()),
        }
        self.end_campaign(order, now);
    }

    /// Tells the client that all is over, if it is, or goes on to carry out what was planned.
    fn end_campaign(&mut self, order: OrderId, now: Time) {
        let Some(campaign) = self.switching.campaigns.get(&order) else { return };
        let plans = campaign.plans.as_ref();
        let is_planned = plans.is_none_or(|plans| plans.values().all(|plan| plan.waiting == 0));
        if !campaign.waiting.is_empty() || !campaign.running.is_empty() || !is_planned {
            return;
        }
        let Some(campaign) = self.switching.campaigns.remove(&order) else { return };
        let Campaign { plans: Some(plans), request, owner, .. } = campaign else {
            return self.actions.push_back(Action::ProgressEnded { order, result: Ok(()) });
        };
        let plans = plans.into_iter().map(|(group, plan)| {
            let Plan { from, to, epoch, obstacle, mut nodes, .. } = plan;
            nodes.sort_by(|one, other| (&one.site, &one.node).cmp(&(&other.site, &other.node)));
            self.switch_plan(&group, &from, &to, epoch, nodes, obstacle, now)
        });
        let reply = self.plans_reply(plans.collect(), &request);
        if request.digest.is_empty() {
            let result = Ok(Box::new(reply));
            return self.actions.push_back(Action::Planned { order, result });
        }
        if reply.digest != request.digest {
            let text = "the plan is stale: what would happen now is not what it says. Plan again, and look what has changed";
            let result = Err(Status::aborted(text));
            return self.actions.push_back(Action::ProgressEnded { order, result });
        }
        let request = v1::SwitchRequest { digest: String::new(), ..request };
        if let Err(status) = self.begin_campaign(order, request, owner, now) {
            self.actions.push_back(Action::ProgressEnded { order, result: Err(status) });
        }
    }

    pub(super) fn campaigns_tick(&mut self, now: Time) {
        let mut due = Vec::new();
        for (order, campaign) in &mut self.switching.campaigns {
            for job in &mut campaign.waiting {
                if job.not_before.is_some_and(|at| at <= now) {
                    job.not_before = None;
                    due.push(*order);
                }
            }
        }
        for order in due {
            self.go_on(order, now);
        }
    }

    /// When a switch that waits for another one is tried again.
    pub(super) fn campaigns_due(&self) -> Option<Time> {
        let waiting = self.switching.campaigns.values().flat_map(|campaign| &campaign.waiting);
        waiting.filter_map(|job| job.not_before).min()
    }
}

/// Refuses a name that nobody has.
fn known<'a>(
    what: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<(), Status> {
    let names: BTreeSet<&str> = names.into_iter().map(String::as_str).collect();
    if names.contains(name) {
        return Ok(());
    }
    let help = match (nearest(name, names.iter().copied()), names.is_empty()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, true) => "there is none".to_owned(),
        (None, false) => {
            let names: Vec<&str> = names.into_iter().collect();
            format!("there are: {}", names.join(", "))
        }
    };
    Err(Status::not_found(format!("no {what} `{name}`; {help}")))
}
