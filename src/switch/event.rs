//! What a coordinator is told, and what it wants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::group::{Epoch, Lock};
use crate::types::Preference;

/// What an operator wants, and how it is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Unique over all nodes.
    pub switch: String,
    /// Greater for each who resumes it.
    pub term: u32,
    pub group: String,
    pub to: String,
    /// All nodes of the group, by name.
    pub nodes: BTreeMap<String, Member>,
    /// New connections are delayed from before the raise to after the last look.
    pub hold: bool,
    /// The service is probed from the nodes, through the routes that they have.
    pub probe: bool,
    /// Goes on where the target is not fit or the rules forbid it.
    pub break_glass: bool,
    /// Ends behind the survey.
    pub only_survey: bool,
    /// It is one way of a drill.
    #[serde(default)]
    pub drill: bool,
    /// For all steps up to the commit.
    pub deadline: Duration,
}

/// A node of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub site: String,
    /// It is asked, and not waited for.
    pub excused: bool,
}

/// A request to a node, to tell its answer from a late one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a node is asked to do. Each may arrive twice, and is answered when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Survey,
    /// Takes the lock for so long from its arrival.
    Prepare {
        lasts: Duration,
    },
    /// Delays new connections, for so long at most.
    Hold {
        lasts: Duration,
    },
    /// Announces what everybody prefers to this, and waits until the neighbours have it.
    Raise {
        over: Preference,
    },
    /// Waits until its best exit for the group is at this site.
    See {
        site: String,
    },
    /// Asks the service, until an answer comes from this site.
    Probe {
        site: String,
    },
    Lower,
    Release,
    Commit,
    Abort,
}

/// What a node knows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The greatest that its placement has, settled or raised.
    pub epoch: Epoch,
    /// The site that has the best base by its placement.
    pub at: String,
    pub lock: Option<Lock>,
    /// It outbids the others now.
    pub raised: bool,
    pub announced: Preference,
    /// Why it should not be switched from or to here, as a clause: an operator's order, a freeze window, a sick service.
    pub obstacle: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Surveyed(Facts),
    /// Announces so much now.
    Raised(Preference),
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer, for this reason. Asked again while there is time.
    Unreachable(String),
    /// It will not do it.
    Refused(String),
    /// It goes by a coordinator of a greater term.
    Superseded,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Answered {
        node: String,
        request: RequestId,
        result: Result<Answer, Failure>,
    },
    /// The commands of [`Action::Run`] are over.
    CommandsEnded {
        step: Step,
        result: Result<(), String>,
    },
    /// The operator wants it undone, for this reason.
    Cancelled(String),
    /// [`Action::Journal`] was not possible.
    NotJournalled(String),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make it durable that this step is about to be done; what follows waits for that.
    Journal {
        step: Step,
        back: Option<String>,
        epoch: Epoch,
    },
    Ask {
        node: String,
        request: RequestId,
        wanted: Request,
        /// Of the way that it is on, and where that leads.
        epoch: Epoch,
        to: String,
    },
    /// The answer is not wanted any more.
    Forget {
        node: String,
        request: RequestId,
    },
    /// Run the commands of a step, then [`Event::CommandsEnded`].
    Run {
        step: Step,
    },
    /// A step is over.
    Told {
        step: Step,
        took: Duration,
        problem: Option<String>,
    },
    Ended(Ending),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was changed. `locked`: as another switch of the group is in progress. `unheard` may keep the lock to its end.
    Refused { why: String, locked: bool, unheard: BTreeSet<String> },
    /// The group is at the target. `unheard` have not said so.
    Committed { unheard: BTreeSet<String> },
    /// The group is where it was.
    RolledBack { why: String, unheard: BTreeSet<String> },
    /// Only the survey was wanted. Why it is better not begun, if so.
    Surveyed { obstacle: Option<String> },
    /// Another coordinator goes on with it.
    TakenOver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Survey,
    Gates,
    Before,
    Prepare,
    Hold,
    Raise,
    /// After the raise.
    See,
    Probe,
    Lower,
    /// After the others were lowered.
    SeeAlone,
    ProbeAlone,
    Release,
    After,
    Commit,
    /// Lets go where nothing was raised.
    Abort,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Survey => "survey",
            Step::Gates => "gates",
            Step::Before => "before",
            Step::Prepare => "prepare",
            Step::Hold => "hold",
            Step::Raise => "raise",
            Step::See => "see",
            Step::Probe => "probe",
            Step::Lower => "lower",
            Step::SeeAlone => "see alone",
            Step::ProbeAlone => "probe alone",
            Step::Release => "release",
            Step::After => "after",
            Step::Commit => "commit",
            Step::Abort => "abort",
        })
    }
}
