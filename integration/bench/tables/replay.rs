//! What a neighbour was told, looked at afterwards: when it was complete, and whether it is right.

use std::collections::HashMap;
use std::time::Instant;

use crate::feed::{LOWER, UPPER};
use crate::speaker::{HEADER, Record, UPDATE, first_message, prefixed_by_length, prefixes};

/// AS_PATH and COMMUNITIES (RFC 4271 §4.3, RFC 1997).
const AS_PATH: u8 = 2;
const COMMUNITIES: u8 = 8;
/// In the attribute's flags: the length has two octets.
const EXTENDED_LENGTH: u8 = 0x10;

/// A table that was waited for.
pub struct Outcome {
    /// When the first UPDATE had been read.
    pub first: Option<Instant>,
    /// When the last prefix had been told rightly.
    pub all: Option<Instant>,
    /// UPDATEs, all of them.
    pub updates: usize,
    /// Prefixes that are told wrongly at the end, or not.
    pub wrong: usize,
}

/// Reads a record of what was to become `wanted`: each prefix with its set, as the neighbour of AS `asn` sent it.
pub fn replay(record: &Record, wanted: &HashMap<&[u8], u32>, asn: u16) -> Outcome {
    let mut outcome = Outcome { first: None, all: None, updates: 0, wrong: 0 };
    let mut right: HashMap<&[u8], bool> = wanted.keys().map(|nlri| (*nlri, false)).collect();
    for (at, bytes) in record {
        let mut rest = bytes.as_slice();
        while let Some(message) = first_message(rest) {
            rest = &rest[message.len()..];
            if message[HEADER - 1] != UPDATE {
                continue;
            }
            outcome.updates += 1;
            outcome.first.get_or_insert(*at);
            let (withdrawn, body) = prefixed_by_length(&message[HEADER..]);
            let (attributes, announced) = prefixed_by_length(body);
            for nlri in prefixes(withdrawn) {
                right.entry(nlri).and_modify(|is| *is = false);
            }
            let told = numbers(attributes);
            for nlri in prefixes(announced) {
                let Some(is) = right.get_mut(nlri) else { continue };
                let now = told == Some((asn, wanted[nlri]));
                if now && !*is {
                    outcome.all = Some(*at);
                }
                *is = now;
            }
        }
    }
    outcome.wrong = right.values().filter(|is| !**is).count();
    outcome
}

/// Which neighbour sent it, and which of its sets it is.
fn numbers(mut attributes: &[u8]) -> Option<(u16, u32)> {
    let (mut through, mut set) = (None, 0);
    while let [flags, kind, rest @ ..] = attributes {
        let (value, others) = if flags & EXTENDED_LENGTH != 0 {
            prefixed_by_length(rest)
        } else {
            rest[1..].split_at(usize::from(rest[0]))
        };
        attributes = others;
        match *kind {
            // A sequence: its type, its length, our AS, the neighbour's AS.
            AS_PATH => through = value.get(8..10).map(|two| u16::from_be_bytes([two[0], two[1]])),
            COMMUNITIES => {
                for community in value.chunks_exact(4) {
                    let half = |at: usize| u16::from_be_bytes([community[at], community[at + 1]]);
                    match half(0) {
                        LOWER => set |= u32::from(half(2)),
                        UPPER => set |= u32::from(half(2)) << 16,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some((through?, set))
}
