use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};

/// A regular expression over the text of an AS path: `64500 64501 {64502,64503}`.
///
/// It matches anywhere unless it is anchored. `_` stands, as in other routers, for what divides numbers: a space, a
/// comma, a bracket, or either end.
#[derive(Clone)]
pub struct AsPathPattern {
    text: String,
    regex: Regex,
}

/// What `_` stands for.
const BOUNDARY: &str = r"(?:^|$|[ ,{}()\[\]])";

impl AsPathPattern {
    /// `path` is the text of a path.
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path.as_bytes())
    }
}

impl FromStr for AsPathPattern {
    /// What is wrong with it.
    type Err = String;

    fn from_str(text: &str) -> Result<AsPathPattern, String> {
        let mut expanded = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '_' => expanded.push_str(BOUNDARY),
                '\\' => match letters.next() {
                    Some(escaped) if escaped == 'd' || escaped.is_ascii_punctuation() => {
                        expanded.extend(['\\', escaped]);
                    }
                    Some(other) => return Err(format!("`\\{other}` is not known")),
                    None => return Err("ends with a `\\`".to_owned()),
                },
                '0'..='9' | ' ' | ',' => expanded.push(letter),
                other if "^$.*+?|()[]{}-".contains(other) => expanded.push(other),
                other => return Err(format!("an AS path has numbers, and no `{other}`")),
            }
        }
        let regex = RegexBuilder::new(&expanded).unicode(false).build().map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        })?;
        Ok(AsPathPattern { text: text.to_owned(), regex })
    }
}

impl PartialEq for AsPathPattern {
    fn eq(&self, other: &AsPathPattern) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for AsPathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for AsPathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_over_whole_numbers_where_it_says_so() {
        let matches =
            |pattern: &str, path: &str| pattern.parse::<AsPathPattern>().unwrap().matches(path);
        for path in ["650", "650 1", "1 650 2", "1 650", "1 {650,2}", "1 {2,650}", "(650) 1"] {
            assert!(matches("_650_", path), "{path}");
        }
        for path in ["", "6500", "1650", "1 6500 2", "{6501,1650}"] {
            assert!(!matches("_650_", path), "{path}");
        }
        assert!(matches("^$", "") && !matches("^$", "1"));
        assert!(matches("^65001_", "65001 2") && !matches("^65001_", "2 65001"));
        assert!(matches("_65001$", "2 65001") && !matches("_65001$", "65001 2"));
        assert!(matches("^1_2_3$", "1 2 3") && !matches("^1_2_3$", "1 2 2 3"));
        assert!(matches(r"^(\d+)( \d+){2}$", "1 22 333") && !matches(r"^(\d+)( \d+){2}$", "1 22"));
        assert!(matches("^(64512|64513)( 7)*$", "64513 7 7"));
        assert!(matches(r"\{1,2\}$", "9 {1,2}"));
    }

    #[test]
    fn what_no_path_can_hold_is_refused() {
        let error = |pattern: &str| pattern.parse::<AsPathPattern>().unwrap_err();
        assert_eq!(error("AS65000"), "an AS path has numbers, and no `A`");
        assert_eq!(error(r"\w+"), r"`\w` is not known");
        assert_eq!(error("(1"), "unclosed group");
        assert_eq!(
            error("1{70000}{70000}"),
            "Compiled regex exceeds size limit of 10485760 bytes."
        );
    }
}
