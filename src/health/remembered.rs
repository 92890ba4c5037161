use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Penalty, State};
use crate::types::Wall;

/// What is left of a check that is no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// If that was slow or down.
    pub known: Option<State>,
    pub penalty: Option<Penalty>,
}

/// What is remembered over a restart, by the names of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<String, Remembered>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    at: Wall,
    checks: BTreeMap<String, Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Known>,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    held: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Known {
    Slow,
    Down,
}

const FORMAT: &str = "shunt-health";
const VERSION: u32 = 1;

impl Remembered {
    /// The same, so much later.
    pub(super) fn aged(self, by: Duration) -> Remembered {
        let penalty = self.penalty.map(|penalty| Penalty { age: penalty.age + by, ..penalty });
        Remembered { penalty, ..self }
    }
}

impl Memory {
    /// One JSON object.
    pub fn to_text(&self, now: Wall) -> String {
        let line = |remembered: &Remembered| Line {
            known: match remembered.known {
                Some(State::Slow) => Some(Known::Slow),
                Some(State::Down) => Some(Known::Down),
                Some(State::Up | State::Unknown) | None => None,
            },
            points: remembered.penalty.map(|penalty| penalty.points),
            held: remembered.penalty.is_some_and(|penalty| penalty.held),
        };
        let checks = self.0.iter().map(|(name, of)| (name.clone(), line(of))).collect();
        let file = File { format: FORMAT.to_owned(), version: VERSION, at: now, checks };
        // Nothing in it has a form that JSON does not have.
        serde_json::to_string(&file).unwrap_or_default() + "\n"
    }

    /// What [`Memory::to_text`] wrote at another time; the empty text is an empty memory. An error says why it is of no
    /// use.
    pub fn from_text(text: &str, now: Wall) -> Result<Memory, String> {
        if text.is_empty() {
            return Ok(Memory::default());
        }
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if (file.format.as_str(), file.version) != (FORMAT, VERSION) {
            return Err(format!("it is `{}`, version {}", file.format, file.version));
        }
        let age = now.since(file.at);
        let remembered = |line: Line| Remembered {
            known: line.known.map(|known| match known {
                Known::Slow => State::Slow,
                Known::Down => State::Down,
            }),
            penalty: line.points.map(|points| Penalty { points, age, held: line.held }),
        };
        Ok(Memory(file.checks.into_iter().map(|(name, line)| (name, remembered(line))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_read_as_it_was_written_and_older() {
        let penalty =
            |age| Some(Penalty { points: 2500, age: Duration::from_secs(age), held: true });
        let memory = |age| {
            Memory(BTreeMap::from([
                ("a".to_owned(), Remembered { known: Some(State::Down), penalty: penalty(age) }),
                ("b".to_owned(), Remembered { known: Some(State::Slow), penalty: None }),
            ]))
        };
        let written = Wall::from_micros(1_795_298_296_000_250);
        let text = memory(0).to_text(written);
        assert_eq!(
            text,
            "{\"format\":\"shunt-health\",\"version\":1,\"at\":\"2026-11-21T21:58:16.000250Z\",\
             \"checks\":{\"a\":{\"known\":\"down\",\"points\":2500,\"held\":true},\
             \"b\":{\"known\":\"slow\"}}}\n"
        );
        let later = written + Duration::from_secs(60);
        assert_eq!(Memory::from_text(&text, later), Ok(memory(60)));
        // A clock that was set back makes nothing younger.
        assert_eq!(Memory::from_text(&text, Wall::from_micros(0)), Ok(memory(0)));
    }

    #[test]
    fn what_is_damaged_is_an_error_and_nothing_is_no_memory() {
        let now = Wall::from_micros(0);
        assert_eq!(Memory::from_text("", now), Ok(Memory::default()));
        assert!(Memory::from_text("{\"format\":\"shunt-health\",", now).is_err());
        let other = Memory::default().to_text(now).replace("\"version\":1", "\"version\":2");
        assert_eq!(
            Memory::from_text(&other, now),
            Err("it is `shunt-health`, version 2".to_owned())
        );
    }
}
