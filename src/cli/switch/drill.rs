use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::alarm::{Alarm, Stop};
use super::arguments::{DrillArguments, What};
use super::progress::Lines;
use super::report::{Report, Way};
use super::{ask_plan, can_ask, confirmed, microseconds, to_switch};
use crate::api::v1::{SwitchProgress, SwitchRequest};
use crate::cli::daemon::{Client, Daemon, PATIENCE};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, harmless, span};

/// The way back is tried so often.
const ATTEMPTS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);
/// The way back waits so long for another switch.
const WAIT: Duration = Duration::from_secs(10);

/// `shunt drill GROUP --to SITE`
pub async fn drill(arguments: DrillArguments, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let DrillArguments { group, to, stay, alarm, yes, reason } = arguments;
    let what = What { without: Vec::new(), deadline: None };
    let mut request = to_switch(vec![group.clone()], to.clone(), what);
    request.drill = true;
    request.reason.clone_from(&reason);
    if !yes {
        can_ask(&out, "Add --yes, or look at the plan first with `shunt plan switch`.")?;
        let plan = ask_plan(&request, &daemon).await?;
        request.digest.clone_from(&plan.digest);
        let question = format!("Switch {group} to {to}, and back after {}?", span(stay));
        if !confirmed(&question, &plan)? {
            return Err(Failure::failed("nothing was changed"));
        }
    }
    let drill = Drill {
        alarm: Alarm::new(&daemon, &group, &alarm).await?,
        daemon: &daemon,
        lines: Lines::new(false),
        out,
        report: Report { group, to, ..Report::default() },
        reason,
        stopped: None,
    };
    drill.run(request, stay).await
}

struct Drill<'a> {
    daemon: &'a Daemon,
    alarm: Alarm<'a>,
    lines: Lines,
    out: Output,
    report: Report,
    reason: String,
    /// Why it ends before its time.
    stopped: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    There,
    Back,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Last<'a> {
    drill: &'a Report,
}

impl Drill<'_> {
    async fn run(mut self, request: SwitchRequest, stay: Duration) -> Result<(), Failure> {
        let there = self.way(request, Direction::There).await?;
        let (outcome, why) = (there.ending.outcome.clone(), there.ending.why.clone());
        self.report.from.clone_from(&there.from);
        self.report.ways.push(there);
        match outcome.as_str() {
            "committed" => {}
            "refused" => {
                let message = format!("nothing was changed: {}", harmless(&why));
                return self.end(Err(Failure::failed(message)));
            }
            "rolled-back" => return self.end(Ok(())),
            _ => return Err(self.astray("another node has taken the switch over")),
        }
        let arrived = Instant::now();
        if self.stopped.is_none() {
            self.stay(stay).await?;
        }
        self.report.stayed_us = microseconds(Some(arrived.elapsed()));
        match self.back().await {
            Err(failure) if failure.exit() == Exit::Left => Err(failure),
            result => self.end(result),
        }
    }

    async fn stay(&mut self, stay: Duration) -> Result<(), Failure> {
        if !self.out.json {
            writeln!(self.out, "stays for {}", span(stay))?;
            self.out.flush()?;
        }
        tokio::select! {
            stop = self.alarm.fires() => self.stop(stop, "going back at once"),
            () = sleep(stay) => {}
        }
        Ok(())
    }

    fn stop(&mut self, stop: Stop, what: &str) {
        self.lines.clear_hint();
        let why = match stop {
            Stop::Alarm(why) => format!("alarm: {why}"),
            Stop::Signal => "interrupted".to_owned(),
        };
        eprintln!("{}: {what}", harmless(&why));
        self.stopped.get_or_insert(why);
    }

    /// Moves the group back, whatever is against that but a gate.
    async fn back(&mut self) -> Result<(), Failure> {
        let from = self.report.from.clone();
        let mut problem = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                eprintln!("the way back has failed: {problem}: once more");
                sleep(AGAIN).await;
            }
            // Rules that hold after each change would keep it there.
            let break_glass = self.stopped.is_some() || attempt > 0;
            let why = self.stopped.as_deref().unwrap_or("the drill is over");
            let reason = match self.reason.as_str() {
                "" => format!("way back: {why}"),
                reason => format!("{reason}; way back: {why}"),
            };
            let request = SwitchRequest {
                act: "switch".to_owned(),
                groups: vec![self.report.group.clone()],
                to: from.clone(),
                wait_us: microseconds(Some(WAIT)),
                drill: true,
                break_glass,
                reason,
                ..SwitchRequest::default()
            };
            problem = match self.way(request, Direction::Back).await {
                Ok(way) => {
                    let (outcome, why) = (way.ending.outcome.clone(), way.ending.why.clone());
                    let by_gate = way.failed.as_deref() == Some("gates");
                    if outcome != "refused" {
                        self.report.ways.push(way);
                    }
                    match outcome.as_str() {
                        "committed" => return Ok(()),
                        "taken-over" => "another node has taken it over".to_owned(),
                        // What it guards is worth more than the drill.
                        "refused" if by_gate => {
                            let message = format!("a gate is against the way back: {why}");
                            return Err(self.astray(&message));
                        }
                        _ => harmless(&why).into_owned(),
                    }
                }
                Err(failure) if failure.exit() == Exit::Left => return Err(failure),
                Err(failure) => failure.message().to_owned(),
            };
            // It may have come back without us.
            if self.place().await == Some(from.clone()) {
                return Ok(());
            }
        }
        Err(self.astray(&problem))
    }

    /// Where the group is, as far as that can be asked.
    async fn place(&self) -> Option<String> {
        let what = What { without: Vec::new(), deadline: None };
        let groups = vec![self.report.group.clone()];
        let request = to_switch(groups, self.report.from.clone(), what);
        let call = async move |mut client: Client| client.plan_switch(request).await;
        let reply = self.daemon.call(PATIENCE, call).await.ok()?;
        reply.plans.first().map(|plan| plan.from.clone())
    }

    /// One switch, up to its end. On the way there what is against it undoes it.
    async fn way(&mut self, request: SwitchRequest, direction: Direction) -> Result<Way, Failure> {
        let order = async move |mut client: Client| client.switch(request).await;
        let mut stream = self.daemon.call(PATIENCE, order).await?;
        let mut way = Way::default();
        let mut switch = String::new();
        loop {
            let message = tokio::select! {
                biased;
                message = stream.message() => message,
                stop = self.alarm.fires() => {
                    self.stopped_on_the_way(stop, direction, &switch).await?;
                    continue;
                }
            };
            let lost = |drill: &Self, why: &str| match direction {
                Direction::There => drill.astray(why),
                Direction::Back => Failure::new(Exit::Astray, why),
            };
            let progress = match message {
                Ok(Some(progress)) => progress,
                Ok(None) => return Err(lost(self, "the node has not said how the switch ended")),
                Err(status) => return Err(lost(self, self.daemon.refused(&status).message())),
            };
            let first = switch.is_empty();
            self.tell(&progress, first)?;
            let SwitchProgress { switch: id, from, to, step, state, ending, .. } = progress;
            (switch, way.from, way.to) = (id, from, to);
            if direction == Direction::There {
                self.report.from.clone_from(&way.from);
            }
            if state == "failed" {
                way.failed = Some(step);
            }
            if let Some(ending) = ending {
                return Ok(Way { ending, ..way });
            }
        }
    }

    async fn stopped_on_the_way(
        &mut self,
        stop: Stop,
        direction: Direction,
        switch: &str,
    ) -> Result<(), Failure> {
        let is_signal = matches!(stop, Stop::Signal);
        if is_signal && self.stopped.is_some() {
            let message = format!("this command ends, the switch of {} goes on", self.report.group);
            return Err(Failure::new(Exit::Left, message).advise(format!(
                "See with `shunt switch status` what becomes of it. If it stays where it is: `shunt switch {} --to {}`",
                self.report.group, self.report.from
            )));
        }
        if direction == Direction::Back {
            self.stop(stop, "it is on its way back already");
            return Ok(());
        }
        self.stop(stop, "putting everything back");
        let name = if switch.is_empty() { &self.report.group } else { switch };
        let request = SwitchRequest {
            act: "abort".to_owned(),
            groups: vec![name.to_owned()],
            reason: self.stopped.clone().unwrap_or_default(),
            ..SwitchRequest::default()
        };
        let order = async move |mut client: Client| client.switch(request).await;
        // What comes of it is told in our own stream. If it is too late, the group goes back from there.
        if let Err(failure) = self.daemon.call(PATIENCE, order).await {
            eprintln!("it cannot be undone any more: {}", failure.message());
        }
        Ok(())
    }

    fn tell(&mut self, progress: &SwitchProgress, first: bool) -> Result<(), Failure> {
        match self.out.json {
            true => self.out.json_line(progress)?,
            false => self.lines.print(progress, first, &mut self.out)?,
        }
        self.out.flush()?;
        Ok(())
    }

    /// The group is not where it was, or nobody knows.
    fn astray(&self, why: &str) -> Failure {
        let Report { group, from, to, .. } = &self.report;
        let home = if from.is_empty() { "the site where it was" } else { from };
        let message =
            format!("{group} IS NOT BACK at {home}, it may be at {to}: {}", harmless(why));
        Failure::new(Exit::Astray, message).advise(format!(
            "Look where it is: `shunt switch status`, `shunt groups {group}`, at several nodes.\n\
             Then move it back: `shunt switch {group} --to {home}`; against rules and gates with --break-glass --reason TEXT."
        ))
    }

    /// Prints what it came to.
    fn end(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        self.report.judge(self.stopped.take(), result.as_ref().err());
        match self.out.json {
            true => self.out.json_line(&Last { drill: &self.report })?,
            false => self.report.print(&mut self.out)?,
        }
        self.out.flush()?;
        result?;
        let Report { problems, unheard, group, from, .. } = &self.report;
        if !problems.is_empty() {
            let message = format!("the drill was not passed: {}", problems.join("; "));
            return Err(Failure::new(Exit::NotPassed, message)
                .advise(format!("{group} is at {from}, as before.")));
        }
        if !unheard.is_empty() {
            let message =
                format!("{group} is at {from}, but {} has not heard of it yet", unheard.join(", "));
            return Err(Failure::new(Exit::Unheard, message));
        }
        Ok(())
    }
}
