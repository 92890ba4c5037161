//! The lines of the ledger: each is chained to all before it, so that none can be changed, taken out or put in without it being
//! seen.
//!
//! ```text
//! 5891b5b5…  {"number":1,"at":"2026-11-22T14:00:00Z",…}
//! ```
//!
//! A line is a hash, a blank and a text. The hash is SHA-256, in hexadecimal, of the hash of the line before (of the first line
//! nothing) and the text. What the chain cannot show is that the last lines are missing, or that all was written anew: for that
//! somebody else has to know the newest hash.

use super::digest;

/// The end of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Of the newest line; "" if there is none.
    pub hash: String,
    pub lines: u64,
}

/// What there is to say of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// As the last whole line says.
    pub chain: Chain,
    /// Octets of whole lines. What is behind them was not written to its end.
    pub whole: usize,
    /// The first line that is wrong.
    pub wrong: Option<Wrong>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {why}")]
pub struct Wrong {
    /// From 1.
    pub line: u64,
    pub why: &'static str,
}

impl Chain {
    /// The next line, with its end.
    pub fn line(&self, text: &str) -> String {
        format!("{} {text}\n", self.next_hash(text))
    }

    /// The chain with that line.
    pub fn with(&self, text: &str) -> Chain {
        Chain { hash: self.next_hash(text), lines: self.lines + 1 }
    }

    fn next_hash(&self, text: &str) -> String {
        digest(&[self.hash.as_bytes(), text.as_bytes()])
    }
}

/// Hash and text of a line.
pub fn split(line: &[u8]) -> Option<(&str, &str)> {
    let (hash, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_hash.then_some((hash, text))
}

/// Looks whether all is as it was written.
pub fn audit(ledger: &[u8]) -> Audit {
    let mut audit = Audit { chain: Chain::default(), whole: 0, wrong: None };
    let mut rest = ledger;
    while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        if after.is_empty() && line.contains(&0) {
            // What a power loss leaves of the last line may well have an end.
            return audit;
        }
        let found = split(line);
        let why = match found {
            None => Some("is none of a ledger"),
            Some((hash, text)) if audit.chain.next_hash(text) != hash => Some(
                "does not fit to those before it: it was changed, or something is missing there",
            ),
            Some(_) => None,
        };
        audit.chain.lines += 1;
        let line = audit.chain.lines;
        audit.wrong = audit.wrong.or(why.map(|why| Wrong { line, why }));
        // Later lines are looked at for themselves.
        if let Some((hash, _)) = found {
            hash.clone_into(&mut audit.chain.hash);
        }
        audit.whole += end + 1;
        rest = after;
    }
    audit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(texts: &[&str]) -> String {
        let mut chain = Chain::default();
        let mut ledger = String::new();
        for text in texts {
            ledger.push_str(&chain.line(text));
            chain = chain.with(text);
        }
        ledger
    }

    const TEXTS: [&str; 4] = ["{\"a\":1}", "{\"b\":2}", "{\"c\":\"é\"}", "{}"];

    #[test]
    fn what_was_written_is_whole() {
        let ledger = ledger(&TEXTS);
        let audit = audit(ledger.as_bytes());
        assert_eq!((audit.whole, audit.wrong), (ledger.len(), None));
        assert_eq!(audit.chain.lines, 4);
        let (hash, text) = split(ledger.lines().next_back().unwrap().as_bytes()).unwrap();
        assert_eq!((audit.chain.hash.as_str(), text), (hash, "{}"));
        // printf '{"a":1}' | sha256sum
        let first = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        assert!(ledger.starts_with(&format!("{first} {{")), "{ledger}");
        assert_eq!(super::audit(b""), Audit { chain: Chain::default(), whole: 0, wrong: None });
    }

    #[test]
    fn a_change_of_any_byte_is_found_in_its_line() {
        let whole = ledger(&TEXTS);
        for at in 0..whole.len() {
            let line =
                whole.as_bytes()[..at].iter().filter(|octet| **octet == b'\n').count() as u64;
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            let audit = audit(&bytes);
            // Without the end of the last line it is torn, which is no lie.
            let torn = at + 1 == whole.len();
            match audit.wrong {
                None => assert!(torn && audit.whole < whole.len(), "octet {at}"),
                Some(wrong) => assert_eq!(wrong.line, line + 1, "octet {at}"),
            }
        }
    }

    #[test]
    fn a_line_taken_out_put_in_or_moved_is_found() {
        let whole = ledger(&TEXTS);
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for (order, wrong) in
            [(&[0, 2, 3][..], 2), (&[1, 2, 3], 1), (&[0, 1, 1, 2, 3], 3), (&[0, 2, 1, 3], 2)]
        {
            let text: String = order.iter().map(|at| lines[*at]).collect();
            assert_eq!(audit(text.as_bytes()).wrong.unwrap().line, wrong, "{order:?}");
        }
    }

    #[test]
    fn a_tail_that_was_not_written_to_its_end_is_torn_and_not_wrong() {
        let whole = ledger(&TEXTS);
        let last = whole.trim_end().rfind('\n').unwrap() + 1;
        for end in last..whole.len() {
            let audit = audit(&whole.as_bytes()[..end]);
            assert_eq!((audit.whole, audit.wrong), (last, None), "cut at {end}");
            assert_eq!(audit.chain.lines, 3);
            // Sectors that were never written.
            let mut zeros = whole.as_bytes()[..end].to_vec();
            zeros.resize(whole.len() - 1, 0);
            zeros.push(b'\n');
            if end < whole.len() - 1 {
                let audit = super::audit(&zeros);
                assert_eq!((audit.whole, audit.wrong), (last, None), "zeros from {end}");
            }
        }
    }

    #[test]
    fn after_a_wrong_line_the_chain_goes_on() {
        let mut text = ledger(&TEXTS).replace("\"b\":2", "\"b\":3");
        let before = audit(text.as_bytes());
        text.push_str(&before.chain.line("{\"more\":1}"));
        let after = audit(text.as_bytes());
        assert_eq!(after.wrong, before.wrong);
        assert_eq!((after.chain.lines, after.wrong.unwrap().line), (5, 2));
    }
}
