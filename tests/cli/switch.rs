//! What the pretended daemon says of switches: one story for each group's name.

#[path = "switch_plan.rs"]
mod plan;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use shunt::api::v1::*;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::{text, texts};

type News = mpsc::UnboundedSender<Result<SwitchProgress, Status>>;

/// What was asked, and whom to tell of an abort.
#[derive(Clone, Default)]
pub struct Switches {
    pub asked: Arc<Mutex<Vec<SwitchRequest>>>,
    going: Arc<Mutex<Option<News>>>,
    /// Something has changed since the first plan.
    pub moved_on: Arc<AtomicBool>,
}

fn of(group: &str) -> SwitchProgress {
    SwitchProgress {
        switch: format!("edge1-{group}"),
        group: text(group),
        from: text("dc1"),
        to: text("dc2"),
        ..SwitchProgress::default()
    }
}

fn step(group: &str, step: &str, took_us: u64, what: &str) -> SwitchProgress {
    SwitchProgress { step: text(step), state: text("done"), took_us, text: text(what), ..of(group) }
}

fn failed(group: &str, name: &str, took_us: u64, why: &str) -> SwitchProgress {
    SwitchProgress { state: text("failed"), ..step(group, name, took_us, why) }
}

fn back(progress: SwitchProgress) -> SwitchProgress {
    SwitchProgress { back: true, ..progress }
}

fn ended(group: &str, outcome: &str, why: &str, unheard: &[&str]) -> SwitchProgress {
    let ending = SwitchEnding {
        outcome: text(outcome),
        why: text(why),
        unheard: texts(unheard),
        epoch: 7,
        total_us: 1_934_000,
        vantages: Vec::new(),
        objective_us: 150_000,
    };
    SwitchProgress { ending: Some(ending), ..of(group) }
}

fn forth(group: &str) -> Vec<SwitchProgress> {
    vec![
        SwitchProgress { state: text("begun"), ..step(group, "survey", 0, "") },
        step(group, "survey", 3_100, "edge1, edge2, edge3 and edge4 have answered"),
        step(group, "gates", 412_000, "/usr/local/bin/replication-caught-up: lag 0 s"),
        step(group, "prepare", 4_200, ""),
        step(group, "raise", 38_000, "edge3 and edge4 announce 201"),
        step(group, "see", 212_000, ""),
    ]
}

fn committed(group: &str, unheard: &[&str]) -> Vec<SwitchProgress> {
    let vantage = |node: &str, lost, longest_us, session: &str| Vantage {
        node: text(node),
        probes: 38,
        lost,
        longest_us,
        session: text(session),
        answers_us: match lost {
            0 => [vec![410; 30], vec![900, 1700, 800, 420]].concat(),
            _ => [vec![430; 20], vec![0, 3500], vec![440; 12]].concat(),
        },
    };
    let mut ending = ended(group, "committed", "", unheard);
    ending.ending.as_mut().unwrap().vantages =
        vec![vantage("edge1", 0, 51_000, "kept"), vantage("edge3", 1, 104_000, "")];
    let mut all = forth(group);
    all.extend([
        step(group, "probe", 8_000, "answered by dc2"),
        step(group, "lower", 41_000, "edge1 and edge2 go by dc2"),
        step(group, "see alone", 180_000, ""),
        step(group, "probe alone", 7_000, "answered by dc2"),
        step(group, "commit", 5_000, ""),
        ending,
    ]);
    all
}

fn rolled_back(group: &str) -> Vec<SwitchProgress> {
    let mut all = forth(group);
    let why = "edge1: the service was answered by dc1";
    all.extend([
        failed(group, "probe", 5_000_000, why),
        back(step(group, "prepare", 4_000, "")),
        back(step(group, "lower", 39_000, "edge3 and edge4 go by dc1")),
        back(step(group, "commit", 4_000, "")),
        ended(group, "rolled-back", why, &[]),
    ]);
    all
}

fn refused(group: &str) -> Vec<SwitchProgress> {
    let why = "edge3: check web is down: status 503 instead of 200-299: \u{1b}[2J";
    vec![
        step(group, "survey", 3_100, "edge1, edge2, edge3 and edge4 have answered"),
        ended(group, "refused", why, &[]),
    ]
}

fn returned(story: Vec<SwitchProgress>) -> Vec<SwitchProgress> {
    let turn = |one: SwitchProgress| SwitchProgress { from: one.to, to: one.from, ..one };
    story.into_iter().map(turn).collect()
}

/// The service is away for longer than it may.
fn late(mut story: Vec<SwitchProgress>) -> Vec<SwitchProgress> {
    for ending in story.iter_mut().filter_map(|progress| progress.ending.as_mut()) {
        ending.vantages[1].longest_us = 151_000;
    }
    story
}

fn story(group: &str) -> Result<Vec<SwitchProgress>, Status> {
    Ok(match group {
        "payments" | "status" | "lost" | "kept" => committed(group, &[]),
        "tardy" => late(committed(group, &[])),
        "half" => committed(group, &["edge4"]),
        "reports" => rolled_back(group),
        "sick" => refused(group),
        // They wait: for an abort, or for ever.
        "slow" | "stuck" => forth(group),
        _ => {
            let text = format!("no group `{group}`; did you mean `payments`?");
            return Err(Status::not_found(text));
        }
    })
}

/// Groups of a site, at the same time: a step of each in turn.
fn in_turn(stories: Vec<Vec<SwitchProgress>>) -> Vec<SwitchProgress> {
    let mut stories: Vec<_> = stories.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(stories.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            return all;
        }
    }
}

impl Switches {
    pub fn switch(
        &self,
        request: SwitchRequest,
    ) -> Result<impl Stream<Item = Result<SwitchProgress, Status>> + Send + use<>, Status> {
        self.asked.lock().unwrap().push(request.clone());
        let (news, told) = mpsc::unbounded_channel();
        let tell = |all: Vec<SwitchProgress>| {
            all.into_iter().for_each(|progress| news.send(Ok(progress)).unwrap());
        };
        let fresh = || self.plan(SwitchRequest { digest: String::new(), ..request.clone() });
        if !request.digest.is_empty() && request.digest != fresh()?.digest {
            let text = "edge3 would announce 198.51.100.7/32 with med 50 now, not 0 as planned; nothing was changed";
            return Err(Status::aborted(text));
        }
        match (request.act.as_str(), request.groups.first().map(String::as_str)) {
            ("switch" | "evacuate", _) if request.to == "dc3" => {
                return Err(Status::not_found("no site `dc3`; did you mean `dc2`?"));
            }
            // The way back of a drill.
            ("switch", Some(group)) if request.to == "dc1" => {
                if group == "lost" || (group == "kept" && !request.break_glass) {
                    tell(returned(refused(group)));
                } else {
                    tell(returned(committed(group, &[])));
                }
            }
            ("switch", Some(group)) => {
                tell(story(group)?);
                if matches!(group, "slow" | "stuck") {
                    *self.going.lock().unwrap() = Some(news);
                }
            }
            ("evacuate", _) => {
                tell(in_turn(vec![committed("payments", &[]), rolled_back("reports")]))
            }
            ("abort", Some("edge1-stuck")) => {}
            ("abort", Some("payments")) => tell(committed("payments", &[])),
            ("abort", _) => {
                let Some(going) = self.going.lock().unwrap().take() else {
                    return Err(Status::failed_precondition("no switch is in progress"));
                };
                let why = "aborted by root (uid 0)";
                for progress in
                    [back(step("slow", "abort", 9_000, "")), ended("slow", "rolled-back", why, &[])]
                {
                    going.send(Ok(progress.clone())).unwrap();
                    tell(vec![progress]);
                }
            }
            ("follow", _) => {
                let waiting = SwitchProgress {
                    state: text("waiting"),
                    text: text("approval by another operator: `shunt switch approve payments`"),
                    ..step("payments", "before", 0, "")
                };
                tell(vec![waiting.clone(), waiting]);
                tell(committed("payments", &[]).split_off(2));
            }
            _ => tell(committed("payments", &[])),
        }
        Ok(UnboundedReceiverStream::new(told).map(|news| news))
    }
}

impl Switches {
    pub fn plan(&self, request: SwitchRequest) -> Result<PlanSwitchReply, Status> {
        if request.to == "dc3" {
            return Err(Status::not_found("no site `dc3`; did you mean `dc2`?"));
        }
        let groups = match request.act.as_str() {
            "evacuate" => texts(&["payments", "reports"]),
            _ => request.groups.clone(),
        };
        let plans = groups.iter().map(|group| SwitchPlan {
            group: group.clone(),
            from: text(if request.to == "dc1" { "dc2" } else { "dc1" }),
            to: text("dc2"),
            epoch: if self.moved_on.load(Ordering::Relaxed) { 8 } else { 7 },
            digest: String::new(),
            prefixes: texts(&["198.51.100.7/32", "2001:db8:7::1/128"]),
            nodes: plan::nodes(),
            obstacles: match group.as_str() {
                "sick" => texts(&["edge3: check web is down: status 503 instead of 200-299"]),
                _ => Vec::new(),
            },
            exits: plan::exits(),
            checks: plan::checks(),
            sessions: texts(&[
                "Traffic from BGP neighbors comes in by edge3 (dc2) instead of edge1, edge2 (dc1).",
                "1 of 2 routers of the area send it to another exit.",
            ]),
        });
        let plans = plans.map(|plan| SwitchPlan { digest: plan.computed_digest(), ..plan });
        let (plans, digest) = (plans.collect(), String::new());
        let reply = PlanSwitchReply { plans, digest, request: Some(request) };
        Ok(PlanSwitchReply { digest: reply.computed_digest(), ..reply })
    }
}

pub fn in_progress() -> SwitchesReply {
    let payments = SwitchInProgress {
        switch: text("edge1-payments"),
        group: text("payments"),
        from: text("dc1"),
        to: text("dc2"),
        epoch: 7,
        step: text("see alone"),
        back: false,
        owner: text("alice (uid 1000)"),
        reason: text("ticket 4711"),
        until: text("2026-11-22T00:00:40.000250Z"),
    };
    let reports = SwitchInProgress {
        switch: text("edge3-reports"),
        group: text("reports"),
        step: String::new(),
        epoch: 3,
        reason: String::new(),
        ..payments.clone()
    };
    SwitchesReply { switches: vec![payments, reports] }
}
