use std::fmt;
use std::str::FromStr;

use crate::types::{Prefix, PrefixError};

/// A prefix and the lengths of those inside it that are meant: `10.0.0.0/8 ge 16 le 24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixRange {
    prefix: Prefix,
    shortest: u8,
    longest: u8,
}

/// Why a text is not a range of prefixes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixRangeError {
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    #[error("`{0}` is not a range of prefixes: written like 10.0.0.0/8 ge 16 le 24")]
    Syntax(String),
    #[error("`{text}` matches nothing: {why}")]
    Impossible { text: String, why: String },
}

/// Prefixes that a policy names, by a name or in the rule itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixList {
    /// `None`: it stands in the rule itself.
    pub name: Option<String>,
    pub ranges: Vec<PrefixRange>,
}

impl PrefixRange {
    pub fn contains(&self, prefix: Prefix) -> bool {
        self.prefix.covers(prefix) && self.lengths().contains(&prefix.length())
    }

    /// Whether some prefix is in both.
    pub fn overlaps(&self, other: &PrefixRange) -> bool {
        (self.prefix.covers(other.prefix) || other.prefix.covers(self.prefix))
            && self.shortest.max(other.shortest) <= self.longest.min(other.longest)
    }

    /// What its prefixes lie in.
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    pub fn lengths(&self) -> std::ops::RangeInclusive<u8> {
        self.shortest..=self.longest
    }
}

impl FromStr for PrefixRange {
    type Err = PrefixRangeError;

    fn from_str(text: &str) -> Result<PrefixRange, PrefixRangeError> {
        let syntax = || PrefixRangeError::Syntax(text.to_owned());
        let impossible = |why: String| PrefixRangeError::Impossible { text: text.to_owned(), why };
        let mut words = text.split_whitespace();
        let prefix: Prefix = words.next().ok_or_else(syntax)?.parse()?;
        let words: Vec<&str> = words.collect();
        let (ge, le) = match words.as_slice() {
            [] => (None, None),
            ["ge", ge] => (Some(*ge), None),
            ["le", le] => (None, Some(*le)),
            ["ge", ge, "le", le] => (Some(*ge), Some(*le)),
            _ => return Err(syntax()),
        };
        let number = |word: &str| word.parse::<u8>().map_err(|_| syntax());
        let (ge, le) = (ge.map(number).transpose()?, le.map(number).transpose()?);
        let (length, max) = (prefix.length(), prefix.family().max_length());
        let shortest = ge.unwrap_or(length);
        let longest = le.unwrap_or(if ge.is_some() { max } else { length });
        if shortest < length {
            return Err(impossible(format!("no prefix of length {shortest} is inside {prefix}")));
        }
        if longest > max {
            let family = prefix.family();
            return Err(impossible(format!("the longest prefix of {family} has {max} bits")));
        }
        if longest < shortest {
            return Err(impossible(format!("no length is from {shortest} to {longest}")));
        }
        Ok(PrefixRange { prefix, shortest, longest })
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, max) = (self.prefix.length(), self.prefix.family().max_length());
        self.prefix.fmt(f)?;
        if self.shortest != length {
            write!(f, " ge {}", self.shortest)?;
        }
        // Alone, `ge` goes up to the longest.
        let implied = if self.shortest == length { length } else { max };
        if self.longest != implied {
            write!(f, " le {}", self.longest)?;
        }
        Ok(())
    }
}

/// `prefix-list bogons`, or the ranges.
impl fmt::Display for PrefixList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "prefix-list {name}"),
            None => {
                let ranges: Vec<String> = self.ranges.iter().map(PrefixRange::to_string).collect();
                write!(f, "prefixes {}", ranges.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> PrefixRange {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_read_as_they_are_written() {
        for text in [
            "10.0.0.0/8",
            "10.0.0.0/8 le 24",
            "10.0.0.0/8 ge 16",
            "10.0.0.0/8 ge 16 le 16",
            "0.0.0.0/0 ge 25",
            "2001:db8::/32 ge 48 le 64",
        ] {
            assert_eq!(range(text).to_string(), text);
        }
        assert_eq!(range("10.0.0.0/8 ge 8").to_string(), "10.0.0.0/8 le 32");
        assert_eq!(range("10.0.0.0/8 ge 9 le 32").to_string(), "10.0.0.0/8 ge 9");
    }

    #[test]
    fn a_range_holds_the_lengths_it_says() {
        let holds = |text: &str, prefix: &str| range(text).contains(prefix.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.0.0.0/8") && !holds("10.0.0.0/8", "10.0.0.0/9"));
        assert!(
            holds("10.0.0.0/8 ge 16", "10.1.0.0/16") && holds("10.0.0.0/8 ge 16", "10.1.1.1/32")
        );
        assert!(!holds("10.0.0.0/8 ge 16", "10.0.0.0/15"));
        assert!(holds("10.0.0.0/8 le 9", "10.0.0.0/8") && !holds("10.0.0.0/8 le 9", "10.0.0.0/10"));
        assert!(!holds("10.0.0.0/8 le 32", "11.0.0.0/16"));
        assert!(!holds("0.0.0.0/0 le 32", "::/0"));
    }

    #[test]
    fn what_matches_nothing_is_refused() {
        let error = |text: &str| text.parse::<PrefixRange>().unwrap_err().to_string();
        assert!(error("10.0.0.0/8 ge 7").contains("no prefix of length 7 is inside 10.0.0.0/8"));
        assert!(error("10.0.0.0/8 le 33").contains("has 32 bits"));
        assert!(error("10.0.0.0/8 ge 20 le 19").contains("from 20 to 19"));
        assert!(error("10.0.0.0/8 le 24 ge 16").contains("written like"));
        assert!(error("10.1.0.0/8 le 24").contains("the prefix is 10.0.0.0/8"));
        assert!(error("").contains("not a range"));
    }
}
