use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Intent, Placed, Placement, Target};
use crate::types::Wall;

/// What operators have ordered: at most one intent for each target, where the groups are that were ever switched, and the
/// journals of the switches that this node coordinates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intents {
    orders: BTreeMap<Target, Intent>,
    /// By group.
    placed: BTreeMap<String, Placed>,
    /// By switch. As the coordinator wrote it, who alone reads it.
    journals: BTreeMap<String, String>,
}

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
    #[serde(default, skip_serializing_if = "is_zero")]
    placements: usize,
    #[serde(default, skip_serializing_if = "is_zero")]
    journals: usize,
    checksum: String,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The line of a group that was switched.
#[derive(Serialize, Deserialize)]
struct PlacementLine {
    /// The group.
    placement: String,
    #[serde(flatten)]
    placed: Placed,
}

/// The line of a switch in progress.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalLine {
    /// The switch.
    journal: String,
    text: String,
}

const FORMAT: &str = "shunt-intents";
const VERSION: u32 = 1;

impl Intents {
    /// Takes the place of what was ordered for the same target before, which is returned.
    pub fn insert(&mut self, intent: Intent) -> Option<Intent> {
        self.orders.insert(intent.target.clone(), intent)
    }

    pub fn remove(&mut self, target: &Target) -> Option<Intent> {
        self.orders.remove(target)
    }

    pub fn get(&self, target: &Target) -> Option<&Intent> {
        self.orders.get(target)
    }

    /// The intent for `target`, unless it is over.
    pub fn in_force(&self, target: &Target, now: Wall) -> Option<&Intent> {
        self.get(target).filter(|intent| !intent.is_over(now))
    }

    /// Takes out and returns those that are over.
    pub fn remove_expired(&mut self, now: Wall) -> Vec<Intent> {
        let (over, rest) = std::mem::take(&mut self.orders)
            .into_iter()
            .partition(|(_, intent)| intent.is_over(now));
        self.orders = rest;
        let over: BTreeMap<Target, Intent> = over;
        over.into_values().collect()
    }

    /// By target: the node, groups by name, then prefixes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Intent> {
        self.orders.values()
    }

    pub fn len(&self) -> usize {
        self.orders.len()
    }

    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Takes the place of what was known of the group.
    pub fn place(&mut self, group: &str, placed: Placed) {
        self.placed.insert(group.to_owned(), placed);
    }

    /// Where a group is, and who said so; `None`: it was never switched.
    pub fn placed(&self, group: &str) -> Option<&Placed> {
        self.placed.get(group)
    }

    pub fn placement(&self, group: &str) -> Option<&Placement> {
        self.placed(group).map(|placed| &placed.placement)
    }

    /// All groups that were ever switched.
    pub fn placements(&self) -> impl Iterator<Item = (&str, &Placed)> {
        self.placed.iter().map(|(group, placed)| (group.as_str(), placed))
    }

    /// What the coordinator of a switch is about to do; `None`: it has come to an end.
    pub fn journal(&mut self, switch: &str, text: Option<String>) {
        match text {
            Some(text) => self.journals.insert(switch.to_owned(), text),
            None => self.journals.remove(switch),
        };
    }

    /// Of all switches that this node coordinates.
    pub fn journals(&self) -> &BTreeMap<String, String> {
        &self.journals
    }

    /// One JSON object a line: a header, the intents, and a checksum over all of it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        push_line(&mut text, &Header { format: FORMAT.to_owned(), version: VERSION });
        for intent in self.iter() {
            push_line(&mut text, intent);
        }
        for (group, placed) in self.placements() {
            let (placement, placed) = (group.to_owned(), placed.clone());
            push_line(&mut text, &PlacementLine { placement, placed });
        }
        for (switch, journal) in &self.journals {
            let (journal, line) = (switch.clone(), journal.clone());
            push_line(&mut text, &JournalLine { journal, text: line });
        }
        let footer = Footer {
            intents: self.len(),
            placements: self.placed.len(),
            journals: self.journals.len(),
            checksum: checksum(&text),
        };
        push_line(&mut text, &footer);
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
            if line.starts_with("{\"placement\":") {
                let PlacementLine { placement, placed } = serde_json::from_str(line)
                    .map_err(|error| damaged(index + 1, format!("not a placement: {error}")))?;
                if intents.placed.insert(placement.clone(), placed).is_some() {
                    let problem = format!("a second placement of {placement}");
                    return Err(damaged(index + 1, problem));
                }
                continue;
            }
            if line.starts_with("{\"journal\":") {
                let JournalLine { journal, text } = serde_json::from_str(line)
                    .map_err(|error| damaged(index + 1, format!("not a journal: {error}")))?;
                intents.journals.insert(journal, text);
                continue;
            }
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
        if intents.placed.len() != footer.placements {
            let (is, was) = (intents.placed.len(), footer.placements);
            return Err(damaged(last, format!("{is} placements, but {was} were written")));
        }
        if intents.journals.len() != footer.journals {
            let (is, was) = (intents.journals.len(), footer.journals);
            return Err(damaged(last, format!("{is} journals, but {was} were written")));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Order;
    use crate::types::Preference;

    fn sample() -> Intents {
        let mut intents = Intents::default();
        let intent = |target, order| Intent {
            target,
            order,
            owner: "alice (uid 1000)".to_owned(),
            reason: None,
            since: Wall::from_micros(1_795_298_296_000_250),
            expires: None,
        };
        intents.insert(Intent {
            reason: Some("a \"line\"\nand one more, été".to_owned()),
            expires: Some(Wall::from_micros(1_795_305_496_000_000)),
            ..intent(Target::Group("payments".to_owned()), Order::Prefer(Preference(100)))
        });
        for (prefix, order) in [
            ("198.51.100.8/32", Order::Withdraw),
            ("198.51.100.9/32", Order::Announce(None)),
            ("2001:db8::9/128", Order::Announce(Some(Preference(7)))),
        ] {
            intents.insert(intent(Target::Prefix(prefix.parse().unwrap()), order));
        }
        intents
    }

    #[test]
    fn the_text_is_readable_and_read_back() {
        let mut intents = Intents::default();
        let prefix = Target::Prefix("198.51.100.8/32".parse().unwrap());
        intents.insert(sample().get(&prefix).unwrap().clone());
        assert_eq!(
            intents.to_text(),
            r#"{"format":"shunt-intents","version":1}
{"target":{"prefix":"198.51.100.8/32"},"order":"withdraw","owner":"alice (uid 1000)","since":"2026-11-21T21:58:16.000250Z"}
{"intents":1,"checksum":"5060bd80"}
"#
        );
        for intents in [Intents::default(), intents, sample()] {
            assert_eq!(Intents::from_text(&intents.to_text()), Ok(intents));
        }
    }

    fn placed(text: &str) -> Placed {
        serde_json::from_str(text).unwrap()
    }

    const SETTLED: &str = r#"{"epoch":3,"site":"dc2","owner":"alice (uid 1000)","since":"2026-11-21T21:58:16.000250Z"}"#;
    const RAISED: &str = r#"{"epoch":3,"site":"dc2","raised":{"preference":201,"epoch":4,"site":"dc1"},"lock":{"switch":"edge1-17","term":1,"epoch":4,"to":"dc1","until":"2026-11-21T21:59:16.000250Z"},"owner":"alice (uid 1000)","reason":"back","since":"2026-11-21T21:58:16.000250Z"}"#;

    #[test]
    fn placements_are_written_last_and_read_back() {
        let mut intents = sample();
        intents.place("payments", placed(RAISED));
        intents.place("web", placed(SETTLED));
        let text = intents.to_text();
        let line = |group: &str, of: &str| format!("{{\"placement\":\"{group}\",{}", &of[1..]);
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        assert!(last[0].starts_with(r#"{"intents":4,"placements":2,"checksum":""#), "{}", last[0]);
        assert_eq!(last[1..], [line("web", SETTLED), line("payments", RAISED)]);
        assert_eq!(Intents::from_text(&text), Ok(intents));
    }

    #[test]
    fn a_drain_is_written_first_and_read_back() {
        let mut intents = sample();
        intents.insert(Intent {
            target: Target::Node,
            order: Order::Drain,
            owner: "alice (uid 1000)".to_owned(),
            reason: Some("new disks".to_owned()),
            since: Wall::from_micros(1_795_298_296_000_250),
            expires: Some(Wall::from_micros(1_795_305_496_000_000)),
        });
        let text = intents.to_text();
        assert_eq!(
            text.lines().nth(1),
            Some(
                r#"{"target":"node","order":"drain","owner":"alice (uid 1000)","reason":"new disks","since":"2026-11-21T21:58:16.000250Z","expires":"2026-11-21T23:58:16.000000Z"}"#
            )
        );
        assert_eq!(Intents::from_text(&text), Ok(intents));
    }

    /// Written before a node could be drained.
    #[test]
    fn a_file_of_an_earlier_version_is_read() {
        let text = concat!(
            r#"{"format":"shunt-intents","version":1}"#,
            "\n",
            r#"{"target":{"group":"payments"},"order":{"prefer":100},"owner":"alice (uid 1000)","reason":"move","since":"2026-11-21T21:58:16.000250Z","expires":"2026-11-21T23:58:16.000000Z"}"#,
            "\n",
            r#"{"target":{"prefix":"198.51.100.9/32"},"order":{"announce":null},"owner":"alice (uid 1000)","since":"2026-11-21T21:58:16.000250Z"}"#,
            "\n",
            r#"{"intents":2,"checksum":"724d4c97"}"#,
            "\n",
        );
        let intents = Intents::from_text(text).unwrap();
        assert_eq!(intents.to_text(), text);
        let orders: Vec<Order> = intents.iter().map(|intent| intent.order).collect();
        assert_eq!(orders, [Order::Prefer(Preference(100)), Order::Announce(None)]);
    }

    #[test]
    fn a_text_cut_anywhere_is_an_error() {
        let text = sample().to_text();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(Intents::from_text(&text[..end]).is_err(), "cut at {end}");
            // What is left of a sector that was never written.
            let zeros = "\0".repeat(text.len() - end);
            assert!(Intents::from_text(&(text[..end].to_owned() + &zeros)).is_err());
        }
    }

    #[test]
    fn a_change_of_any_byte_is_an_error() {
        let text = sample().to_text();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                if let Ok(changed) = String::from_utf8(bytes) {
                    assert!(Intents::from_text(&changed).is_err(), "bit {bit} of byte {at}");
                }
            }
        }
    }

    #[test]
    fn damage_is_said_with_its_line() {
        let message = |text: &str| Intents::from_text(text).unwrap_err().to_string();
        let text = sample().to_text();
        assert_eq!(message(""), "line 1: the file is cut off: its last line is missing");
        assert_eq!(message(&text[..200]), "line 2: the file is cut off: its last line is missing");
        assert_eq!(
            message(&text.replace("uid 1000", "uid 1001")),
            "line 6: the checksum does not match: a line was changed"
        );
        assert_eq!(
            message(&text.replace("\"version\":1", "\"version\":2")),
            "line 1: version 2 is not known here, only 1"
        );
        assert!(message("x = 1\n").starts_with("line 1: not a file of intents: "));
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(checksum("123456789"), "cbf43926");
    }

    #[test]
    fn what_is_over_is_taken_out_once() {
        let mut intents = sample();
        let end = Wall::from_micros(1_795_305_496_000_000);
        assert_eq!(intents.remove_expired(end).len(), 1);
        assert_eq!((intents.remove_expired(end).len(), intents.len()), (0, 3));
    }
}
