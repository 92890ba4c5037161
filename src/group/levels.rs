use std::collections::BTreeMap;
use std::fmt;

use super::nearest;
use crate::types::Preference;

/// Names for preferences. Several names may stand for one preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels(BTreeMap<String, Preference>);

/// Neither a level's name nor a number from 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownLevel {
    pub given: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
    /// All names there are.
    pub names: Vec<String>,
}

impl Default for Levels {
    /// `primary` 200, `standby` 100, `drain` 10.
    fn default() -> Levels {
        Levels(
            [("primary", 200), ("standby", 100), ("drain", 10)]
                .map(|(name, number)| (name.to_owned(), Preference(number)))
                .into(),
        )
    }
}

impl Levels {
    /// Adds a name, or gives an existing one another preference.
    pub fn insert(&mut self, name: &str, preference: Preference) {
        self.0.insert(name.to_owned(), preference);
    }

    /// By name or number: `standby`, `100`.
    pub fn preference(&self, text: &str) -> Result<Preference, UnknownLevel> {
        if let Some(preference) = self.0.get(text) {
            return Ok(*preference);
        }
        text.parse().map(Preference).map_err(|_| UnknownLevel {
            given: text.to_owned(),
            suggestion: nearest(text, self.0.keys().map(String::as_str)).map(str::to_owned),
            names: self.0.keys().cloned().collect(),
        })
    }

    /// The most that a drained node announces: the level `drain`, which is built in.
    pub fn drained(&self) -> Preference {
        self.0.get("drain").copied().unwrap_or(Preference(10))
    }

    /// The name of a preference; of several the first in the alphabet.
    pub fn name(&self, preference: Preference) -> Option<&str> {
        self.0.iter().find(|(_, named)| **named == preference).map(|(name, _)| name.as_str())
    }

    /// For people: `standby (100)`, `150`, `not announced (0)`.
    pub fn describe(&self, preference: Preference) -> String {
        match self.name(preference) {
            Some(name) => format!("{name} ({preference})"),
            None if !preference.is_announced() => "not announced (0)".to_owned(),
            None => preference.to_string(),
        }
    }
}

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown level `{}`; ", self.given)?;
        match &self.suggestion {
            Some(name) => write!(f, "did you mean `{name}`?"),
            None => {
                write!(f, "use a number from 0 to 255 or one of: {}", self.names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_found_by_name_and_by_number() {
        let mut levels = Levels::default();
        levels.insert("half", Preference(150));
        levels.insert("primary", Preference(220));
        assert_eq!(levels.preference("primary"), Ok(Preference(220)));
        assert_eq!(levels.preference("0"), Ok(Preference(0)));
        assert_eq!(levels.describe(Preference(150)), "half (150)");
        assert_eq!(levels.describe(Preference(200)), "200");
        assert_eq!(levels.describe(Preference(0)), "not announced (0)");
    }

    #[test]
    fn an_unknown_level_says_which_there_are() {
        let levels = Levels::default();
        let message = |text: &str| levels.preference(text).unwrap_err().to_string();
        assert_eq!(message("standbye"), "unknown level `standbye`; did you mean `standby`?");
        assert_eq!(
            message("256"),
            "unknown level `256`; use a number from 0 to 255 or one of: drain, primary, standby"
        );
    }
}
