//! What coordinators ask and nodes answer, as messages and as the core of switches has it.

use std::time::Duration;

use tonic::{Code, Status};

use super::text::micros;
use crate::api::v1;
use crate::group::{Epoch, Lock};
use crate::switch::{Answer, Facts, Failure, Request, Transaction};
use crate::types::{Preference, Wall};

pub(super) fn call(
    transaction: &Transaction,
    owner: &str,
    reason: &str,
    wanted: &Request,
) -> v1::FleetCall {
    let order = transaction.order();
    let mut call = v1::FleetCall {
        switch: order.switch.clone(),
        term: order.term,
        group: order.group.clone(),
        owner: owner.to_owned(),
        reason: reason.to_owned(),
        epoch: transaction.epoch().0,
        site: transaction.to().to_owned(),
        ..Default::default()
    };
    call.wanted = match wanted {
        Request::Survey => {
            call.site = order.to.clone();
            "survey"
        }
        Request::Prepare { lasts } => {
            call.lasts_us = micros(*lasts);
            "prepare"
        }
        Request::Hold { lasts } => {
            call.lasts_us = micros(*lasts);
            "hold"
        }
        Request::Raise { over } => {
            call.over = over.0.into();
            "raise"
        }
        Request::See { .. } => "see",
        Request::Probe { .. } => "probe",
        Request::Lower => "lower",
        Request::Release => "release",
        Request::Commit => "commit",
        Request::Abort => "abort",
    }
    .to_owned();
    call
}

pub(super) fn request(call: &v1::FleetCall) -> Result<Request, Status> {
    let lasts = Duration::from_micros(call.lasts_us);
    Ok(match call.wanted.as_str() {
        "survey" => Request::Survey,
        "prepare" => Request::Prepare { lasts },
        "hold" => Request::Hold { lasts },
        "raise" => {
            Request::Raise { over: preference(call.over).map_err(Status::invalid_argument)? }
        }
        "see" => Request::See { site: call.site.clone() },
        "probe" => Request::Probe { site: call.site.clone() },
        "lower" => Request::Lower,
        "release" => Request::Release,
        "commit" => Request::Commit,
        "abort" => Request::Abort,
        other => {
            let text = format!("`{other}` is not known here: is this node of another version?");
            return Err(Status::invalid_argument(text));
        }
    })
}

pub(super) fn facts(facts: &Facts) -> v1::FleetFacts {
    v1::FleetFacts {
        epoch: facts.epoch.0,
        at: facts.at.clone(),
        lock: facts.lock.as_ref().map(|lock| v1::FleetLock {
            switch: lock.switch.clone(),
            term: lock.term,
            epoch: lock.epoch.0,
            to: lock.to.clone(),
            until_us: lock.until.as_micros(),
        }),
        raised: facts.raised,
        announced: facts.announced.0.into(),
        obstacle: facts.obstacle.clone().unwrap_or_default(),
    }
}

fn read_facts(facts: v1::FleetFacts) -> Result<Facts, String> {
    let lock = |lock: v1::FleetLock| {
        let v1::FleetLock { switch, term, epoch, to, until_us } = lock;
        Lock { switch, term, epoch: Epoch(epoch), to, until: Wall::from_micros(until_us) }
    };
    Ok(Facts {
        epoch: Epoch(facts.epoch),
        at: facts.at,
        lock: facts.lock.map(lock),
        raised: facts.raised,
        announced: preference(facts.announced)?,
        obstacle: (!facts.obstacle.is_empty()).then_some(facts.obstacle),
    })
}

pub(super) fn preference(number: u32) -> Result<Preference, String> {
    u8::try_from(number).map(Preference).map_err(|_| format!("{number} is no preference"))
}

/// What a node answered to `wanted`.
pub(super) fn answer(
    wanted: &Request,
    result: Result<v1::FleetReply, Status>,
) -> Result<Answer, Failure> {
    let answer = result.map_err(failure)?.answer.unwrap_or_default();
    let read = match (wanted, answer.facts) {
        (Request::Survey, Some(facts)) => read_facts(facts).map(Answer::Surveyed),
        (Request::Survey, None) => Err("it says nothing of itself".to_owned()),
        (Request::Raise { .. }, _) => preference(answer.raised).map(Answer::Raised),
        _ => Ok(Answer::Done),
    };
    read.map_err(|problem| Failure::Refused(format!("its answer cannot be read: {problem}")))
}

fn failure(status: Status) -> Failure {
    let text = status.message().to_owned();
    match status.code() {
        Code::Aborted => Failure::Superseded,
        _ if is_refusal(&status) => Failure::Refused(text),
        _ => Failure::Unreachable(text),
    }
}

/// The node's own words; everything else says that it could not be asked.
pub(super) fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Aborted
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Internal
            | Code::ResourceExhausted
    )
}
