use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Intent, Target};
use crate::types::Wall;

/// What operators have ordered: at most one intent for each target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intents(BTreeMap<Target, Intent>);

/// Why a text is not a whole, undamaged file of intents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Damaged {
    /// From 1.
    pub line: usize,
    pub problem: String,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
}

/// The last line. It covers all bytes before it, so a text that was cut or changed shows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    intents: usize,
    checksum: String,
}

const FORMAT: &str = "shunt-intents";
const VERSION: u32 = 1;

impl Intents {
    /// Takes the place of what was ordered for the same target before, which is returned.
    pub fn insert(&mut self, intent: Intent) -> Option<Intent> {
        self.0.insert(intent.target.clone(), intent)
    }

    pub fn remove(&mut self, target: &Target) -> Option<Intent> {
        self.0.remove(target)
    }

    pub fn get(&self, target: &Target) -> Option<&Intent> {
        self.0.get(target)
    }

    /// The intent for `target`, unless it is over.
    pub fn in_force(&self, target: &Target, now: Wall) -> Option<&Intent> {
        self.get(target).filter(|intent| !intent.is_over(now))
    }

    /// Takes out and returns those that are over.
    pub fn remove_expired(&mut self, now: Wall) -> Vec<Intent> {
        let (over, rest) =
            std::mem::take(&mut self.0).into_iter().partition(|(_, intent)| intent.is_over(now));
        self.0 = rest;
        let over: BTreeMap<Target, Intent> = over;
        over.into_values().collect()
    }

    /// By target: groups by name, then prefixes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Intent> {
        self.0.values()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One JSON object a line: a header, the intents, and a checksum over all of it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        push_line(&mut text, &Header { format: FORMAT.to_owned(), version: VERSION });
        for intent in self.iter() {
            push_line(&mut text, intent);
        }
        let checksum = checksum(&text);
        push_line(&mut text, &Footer { intents: self.len(), checksum });
        text
    }

    /// All of what [`Intents::to_text`] wrote, or an error: never a part of it.
    pub fn from_text(text: &str) -> Result<Intents, Damaged> {
        let damaged = |line, problem: String| Damaged { line, problem };
        let last = text.lines().count().max(1);
        let cut = || damaged(last, "the file is cut off: its last line is missing".to_owned());

        let (first, _) = text.split_once('\n').ok_or_else(cut)?;
        let header: Header = serde_json::from_str(first)
            .map_err(|error| damaged(1, format!("not a file of intents: {error}")))?;
        if header.format != FORMAT {
            return Err(damaged(1, format!("not a file of intents, but of `{}`", header.format)));
        }
        if header.version != VERSION {
            let problem = format!("version {} is not known here, only {VERSION}", header.version);
            return Err(damaged(1, problem));
        }

        let body_and_footer = text.strip_suffix('\n').ok_or_else(cut)?;
        let footer_at = body_and_footer.rfind('\n').map_or(0, |newline| newline + 1);
        let (body, footer) = body_and_footer.split_at(footer_at);
        let footer: Footer = serde_json::from_str(footer).map_err(|_| cut())?;
        if footer.checksum != checksum(body) {
            return Err(damaged(
                last,
                "the checksum does not match: a line was changed".to_owned(),
            ));
        }

        let mut intents = Intents::default();
        for (index, line) in body.lines().enumerate().skip(1) {
            let intent: Intent = serde_json::from_str(line)
                .map_err(|error| damaged(index + 1, format!("not an intent: {error}")))?;
            if let Some(earlier) = intents.insert(intent) {
                let problem = format!("a second intent for {}", earlier.target);
                return Err(damaged(index + 1, problem));
            }
        }
        if intents.len() != footer.intents {
            let problem = format!("{} intents, but {} were written", intents.len(), footer.intents);
            return Err(damaged(last, problem));
        }
        Ok(intents)
    }
}

fn push_line(text: &mut String, value: &impl Serialize) {
    // Strings, numbers and maps with string keys only: this cannot fail.
    if let Ok(line) = serde_json::to_string(value) {
        text.push_str(&line);
        text.push('\n');
    }
}

/// CRC-32 as of Ethernet and gzip, so that other tools can compute it: eight hexadecimal digits.
fn checksum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    format!("{:08x}", !crc)
}
