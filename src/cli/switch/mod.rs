//! `shunt switch`, `shunt evacuate` and their plans: what is asked of the node, and when to ask the operator first.
//!
//! - `arguments`: what may be typed.
//! - `plan`: a plan, from the node or a file, in words.
//! - `follow`: the stream of what happens, Ctrl-C, and what the end means.
//! - `progress`: a line for each step.
//! - `drill`: there and back, with `alarm`, which ends it, and `report`, what it came to.
//! - `status`: the switches in progress.

mod alarm;
mod arguments;
mod drill;
mod follow;
mod plan;
mod progress;
mod report;
mod status;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

pub use arguments::{
    DrillArguments, EvacuateArguments, PlannedEvacuation, PlannedSwitch, SwitchArguments,
};
use arguments::{How, One, PlanFile, SwitchCommand, What, Which};
pub use drill::drill;
pub use progress::vantages;

use super::daemon::{Daemon, PATIENCE};
use super::failure::{Exit, Failure};
use super::order::with_progress;
use super::output::Output;
use crate::api::v1::{PlanSwitchReply, SwitchRequest};

/// `shunt switch GROUP --to SITE`, `shunt switch status|follow|resume|abort|approve`
pub async fn switch(
    arguments: SwitchArguments,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let SwitchArguments { mut groups, named, to, plan, what, how, command } = arguments;
    match command {
        Some(SwitchCommand::Status { group }) => return status::status(group, daemon, out).await,
        Some(SwitchCommand::Follow(one)) => return join("follow", one, &daemon, out).await,
        Some(SwitchCommand::Resume(one)) => return join("resume", one, &daemon, out).await,
        Some(SwitchCommand::Abort(one)) => return join("abort", one, &daemon, out).await,
        Some(SwitchCommand::Approve(one)) => return join("approve", one, &daemon, out).await,
        None => {}
    }
    groups.extend(named);
    let wanted = match plan {
        Some(file) => Wanted::planned(&file, "switch")?,
        None => Wanted::new(to_switch(groups, to.unwrap_or_default(), what)),
    };
    wanted.carry_out(how, &daemon, out).await
}

/// `shunt evacuate SITE`
pub async fn evacuate(
    arguments: EvacuateArguments,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let EvacuateArguments { site, which, parallel, plan, what, how } = arguments;
    let mut wanted = match plan {
        Some(file) => Wanted::planned(&file, "evacuate")?,
        None => Wanted::new(to_evacuate(site.unwrap_or_default(), which, what)),
    };
    wanted.request.parallel = parallel;
    wanted.carry_out(how, &daemon, out).await
}

/// `shunt plan switch GROUP --to SITE`
pub async fn plan_switch(
    planned: PlannedSwitch,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let PlannedSwitch { groups, to, what, file } = planned;
    show_plan(to_switch(groups, to, what), file, &daemon, out).await
}

/// `shunt plan evacuate SITE`
pub async fn plan_evacuation(
    planned: PlannedEvacuation,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let PlannedEvacuation { site, which, what, file } = planned;
    show_plan(to_evacuate(site, which, what), file, &daemon, out).await
}

fn to_switch(groups: Vec<String>, to: String, what: What) -> SwitchRequest {
    let What { without, deadline } = what;
    let deadline_us = microseconds(deadline);
    SwitchRequest {
        act: "switch".to_owned(),
        groups,
        to,
        without,
        deadline_us,
        ..SwitchRequest::default()
    }
}

fn to_evacuate(leave: String, which: Which, what: What) -> SwitchRequest {
    let Which { except, to } = which;
    SwitchRequest {
        act: "evacuate".to_owned(),
        leave,
        ..to_switch(except, to.unwrap_or_default(), what)
    }
}

/// 0 for no time, as in the requests.
fn microseconds(time: Option<Duration>) -> u64 {
    time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1))
}

/// Has to do with a switch in progress.
async fn join(act: &str, one: One, daemon: &Daemon, out: Output) -> Result<(), Failure> {
    let One { group, reason } = one;
    let groups = group.into_iter().collect();
    let request = SwitchRequest { act: act.to_owned(), groups, reason, ..SwitchRequest::default() };
    follow::follow(request, daemon, out).await
}

async fn ask_plan(request: &SwitchRequest, daemon: &Daemon) -> Result<PlanSwitchReply, Failure> {
    let request = request.clone();
    let call = daemon.call(PATIENCE, async move |mut client| client.plan_switch(request).await);
    with_progress("the other nodes", PATIENCE, call).await
}

async fn show_plan(
    request: SwitchRequest,
    file: PlanFile,
    daemon: &Daemon,
    out: Output,
) -> Result<(), Failure> {
    let reply = ask_plan(&request, daemon).await?;
    if let Some(path) = &file.out {
        plan::write(path, &reply)?;
    }
    out.answer(&reply, |out| plan::print(&reply, out))?;
    Ok(())
}

/// A switch or an evacuation, and its plan if there is one already.
struct Wanted {
    request: SwitchRequest,
    plan: Option<PlanSwitchReply>,
}

impl Wanted {
    fn new(request: SwitchRequest) -> Wanted {
        Wanted { request, plan: None }
    }

    /// What a file asks for; the world has to be as it was.
    fn planned(path: &Path, act: &str) -> Result<Wanted, Failure> {
        let plan = plan::read(path)?;
        let request = plan.request.clone().unwrap_or_default();
        if request.act != act {
            let message = format!("{} is not for `shunt {act}`", path.display());
            return Err(Failure::new(Exit::Usage, message)
                .advise(format!("It was planned for `shunt {}`.", request.act)));
        }
        Ok(Wanted {
            request: SwitchRequest { digest: plan.digest.clone(), ..request },
            plan: Some(plan),
        })
    }

    async fn carry_out(mut self, how: How, daemon: &Daemon, out: Output) -> Result<(), Failure> {
        let How { dry_run, yes, reason, break_glass, wait } = how;
        let reason = reason.unwrap_or_default();
        let wait_us = microseconds(wait);
        self.request = SwitchRequest { reason, break_glass, wait_us, ..self.request };
        if dry_run {
            return self.try_dry(daemon, out).await;
        }
        if !yes {
            can_ask(&out, "Add --yes, or look at it first with --dry-run.")?;
            let plan = match &self.plan {
                Some(plan) => plan,
                None => self.plan.insert(ask_plan(&self.request, daemon).await?),
            };
            // What was shown is carried out, and nothing else.
            self.request.digest.clone_from(&plan.digest);
            if !confirmed(&question(&self.request, plan), plan)? {
                return Err(Failure::failed("nothing was changed"));
            }
        }
        follow::follow(self.request, daemon, out).await
    }

    async fn try_dry(self, daemon: &Daemon, out: Output) -> Result<(), Failure> {
        let fresh = ask_plan(&self.request, daemon).await?;
        out.answer(&fresh, |out| plan::print(&fresh, out))?;
        if self.plan.is_some_and(|plan| plan.digest != fresh.digest) {
            return Err(Failure::new(Exit::Stale, "the world is not as it was planned for")
                .advise("Above is what would be done now. Plan anew with `shunt plan`."));
        }
        let against = fresh.plans.iter().flat_map(|plan| {
            plan.obstacles.iter().map(|obstacle| format!("{}: {obstacle}", plan.group))
        });
        let against: Vec<String> = against.collect();
        match against.is_empty() || self.request.break_glass {
            true => Ok(()),
            false => Err(Failure::failed(format!("it would be refused: {}", against.join("; ")))),
        }
    }
}

/// Whether there is somebody at a terminal.
fn can_ask(out: &Output, otherwise: &str) -> Result<(), Failure> {
    if out.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = "nobody can be asked whether to go on, and --yes is missing";
        return Err(Failure::new(Exit::Usage, message).advise(otherwise));
    }
    Ok(())
}

fn question(request: &SwitchRequest, plan: &PlanSwitchReply) -> String {
    let groups = plan.plans.iter().map(|plan| plan.group.as_str());
    let groups: Vec<&str> = groups.collect();
    match request.act.as_str() {
        "evacuate" => format!("Evacuate {} ({})?", request.leave, groups.join(", ")),
        _ => format!("Switch {} to {}?", groups.join(", "), request.to),
    }
}

/// Shows the plan and asks, beside the answer, which is the progress.
fn confirmed(question: &str, plan: &PlanSwitchReply) -> io::Result<bool> {
    let mut terminal = anstream::stderr();
    plan::print(plan, &mut terminal)?;
    write!(terminal, "\n{question} [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
