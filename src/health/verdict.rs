use std::fmt;

use super::Penalty;
use crate::types::Time;

/// From the best to the worst, but for `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Unknown,
    Up,
    Slow,
    Down,
}

/// What is thought of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    /// The last that was not unknown: what counts until more is known.
    pub known: Option<State>,
    /// Steps by which the objective is missed: 0 to 3.
    pub grade: u8,
    /// 100: all is well; 0: down.
    pub score: u8,
    /// Why, as a sentence: of the last result that counted.
    pub reason: String,
    /// Of the state.
    pub since: Time,
    /// Of the last good answer.
    pub warning: Option<String>,
    /// The state is the worst of late because it changed too often.
    pub held: Option<Penalty>,
}

impl Verdict {
    pub(super) fn unknown(now: Time) -> Verdict {
        Verdict {
            state: State::Unknown,
            known: None,
            grade: 0,
            score: score(State::Unknown, 0),
            reason: "not asked yet".to_owned(),
            since: now,
            warning: None,
            held: None,
        }
    }

    /// Whether the service can be used, as far as we know.
    pub fn serves(&self) -> bool {
        matches!(self.state, State::Up | State::Slow)
    }

    /// What preferences may follow.
    pub(super) fn essence(&self) -> (State, u8, u8, bool) {
        (self.state, self.grade, self.score, self.held.is_some())
    }
}

/// In few steps, so that preferences follow in few steps too.
pub(super) fn score(state: State, grade: u8) -> u8 {
    let graded = 100_u8.saturating_sub(grade.saturating_mul(25));
    match state {
        State::Unknown | State::Up => graded,
        State::Slow => graded.min(50),
        State::Down => 0,
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Unknown => "unknown",
            State::Up => "up",
            State::Slow => "slow",
            State::Down => "down",
        })
    }
}
