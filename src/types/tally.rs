use std::collections::BTreeMap;

use smallvec::SmallVec;

/// How often something happened, by a word for it. There are few words, so that a list does.
#[derive(Clone, Debug, Default)]
pub struct Tally(SmallVec<[(&'static str, u64); 16]>);

impl Tally {
    pub fn count(&mut self, word: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => self.0.push((word, 1)),
        }
    }

    pub fn to_map(&self) -> BTreeMap<&'static str, u64> {
        self.0.iter().copied().collect()
    }
}
