//! The operators' intents on disk.
//!
//! Two files, `intents.0` and `intents.1`, each hold all intents as text. A write goes into the one that is
//! *not* in force, in one piece, followed by one `fsync`; only then is it in force, because its sequence
//! number is the higher one. So whatever a crash or a power loss does to a write that was not answered, the
//! other file still has everything that was. A file looks like this:
//!
//! ```text
//! {"sequence":17}
//! {"format":"shunt-intents","version":1}
//! {"target":{"group":"payments"},"order":…}
//! {"intents":1,"checksum":"89abcdef"}
//! {"sequence":17}
//! ```
//!
//! The lines between are those of [`Intents::to_text`] with their checksum; a sequence number that is
//! not the same at both ends is a torn write.
//!
//! Why not one file, replaced by rename: that takes two flushes (file and directory) where this
//! takes one. On an ext4 virtual disk: 310 µs against 110 µs, of the 600 µs that an
//! order has until its UPDATE is out.

mod disk;
#[cfg(test)]
mod tests;
mod writer;

use std::io;

use serde::{Deserialize, Serialize};

pub use disk::StateDirectory;
pub use writer::Writer;

use crate::group::Intents;

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Zero,
    One,
}

/// What the store needs of a disk; the tests have one that loses power.
pub trait Disk {
    /// The whole file; empty if there is none yet.
    fn read(&self, slot: Slot) -> io::Result<Vec<u8>>;
    /// Makes the file be there, durably. It may be there already.
    fn create(&mut self, slot: Slot) -> io::Result<()>;
    /// Puts `bytes` in place of what the file holds.
    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written to the file will survive a power loss.
    fn sync(&mut self, slot: Slot) -> io::Result<()>;
    /// Moves a damaged file out of the way and says where it is now.
    fn set_aside(&mut self, slot: Slot) -> io::Result<String>;
}

/// Reads once, then writes.
pub struct Store<D> {
    disk: D,
    /// Holds what is in force; the next write goes to the other one.
    current: Slot,
    sequence: u64,
}

/// What was found at the start.
#[derive(Debug, PartialEq, Eq)]
pub struct Restored {
    pub intents: Intents,
    /// What an operator has to know: a sentence for each file that was set aside.
    pub damage: Vec<String>,
}

/// The first and the last line of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    sequence: u64,
}

impl<D: Disk> Store<D> {
    /// Reads what is in force. A damaged file is set aside, never silently ignored. The error is one
    /// of the disk: then nothing is known, and nothing was changed.
    pub fn open(mut disk: D) -> io::Result<(Store<D>, Restored)> {
        let mut whole = Vec::new();
        let mut damaged = Vec::new();
        for slot in [Slot::Zero, Slot::One] {
            let bytes = disk.read(slot)?;
            match parse(&bytes) {
                Ok(Some((sequence, intents))) => whole.push((sequence, slot, intents)),
                Ok(None) => {}
                Err(problem) => damaged.push((slot, problem)),
            }
        }
        let newest = whole.into_iter().max_by_key(|(sequence, _, _)| *sequence);
        let mut damage = Vec::new();
        for (slot, problem) in damaged {
            let place = disk.set_aside(slot)?;
            let consequence = match &newest {
                Some(_) => {
                    "the orders before it are in force; one given in the last moment may be missing"
                }
                None => "no order of an operator is in force, only what the configuration says",
            };
            damage.push(format!(
                "{} is damaged ({problem}) and was set aside as {place}: {consequence}; check with \
                 `shunt groups` and give the order again",
                slot.file_name()
            ));
        }
        let (sequence, current, intents) = newest.unwrap_or((0, Slot::One, Intents::default()));
        Ok((Store { disk, current, sequence }, Restored { intents, damage }))
    }

    /// Makes both files be there, so that the first order does not wait for it.
    pub fn prepare(&mut self) -> io::Result<()> {
        [Slot::Zero, Slot::One].into_iter().try_for_each(|slot| self.disk.create(slot))
    }

    /// Makes `text` ([`Intents::to_text`]) durable. After an error the earlier text is still in force.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        let slot = self.current.other();
        let sequence = self.sequence + 1;
        self.disk.write(slot, &file(sequence, text)?)?;
        self.disk.sync(slot)?;
        (self.current, self.sequence) = (slot, sequence);
        Ok(())
    }
}

fn file(sequence: u64, text: &str) -> io::Result<Vec<u8>> {
    let mark = serde_json::to_string(&Mark { sequence })?;
    Ok(format!("{mark}\n{text}{mark}\n").into_bytes())
}

/// The content of a file; `None` if nothing was ever written to it.
fn parse(bytes: &[u8]) -> Result<Option<(u64, Intents)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(None);
    }
    let torn = || "it was not written to its end".to_owned();
    let (first, rest) = text.split_once('\n').ok_or_else(torn)?;
    let (body, last) = rest.rsplit_once('\n').ok_or_else(torn)?;
    let mark = |line: &str| serde_json::from_str::<Mark>(line).map_err(|_| torn());
    let (Mark { sequence }, end) = (mark(first)?, mark(last)?);
    if sequence != end.sequence {
        return Err(torn());
    }
    let intents = Intents::from_text(&format!("{body}\n")).map_err(|damage| damage.to_string())?;
    Ok(Some((sequence, intents)))
}

impl Slot {
    fn other(self) -> Slot {
        match self {
            Slot::Zero => Slot::One,
            Slot::One => Slot::Zero,
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Slot::Zero => "intents.0",
            Slot::One => "intents.1",
        }
    }
}
