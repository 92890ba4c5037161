use std::collections::BTreeMap;

use crate::types::Time;
use crate::wire::ospf::{Lsa, LsaKey};

/// The link-state database: at most one instance of each LSA (RFC 2328 §12.2).
#[derive(Clone, Debug, Default)]
pub struct Database {
    lsas: BTreeMap<LsaKey, Entry>,
}

/// An instance as it was installed.
#[derive(Clone, Debug)]
pub struct Entry {
    pub lsa: Lsa,
    pub installed: Time,
}

impl Database {
    pub fn get(&self, key: &LsaKey) -> Option<&Entry> {
        self.lsas.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.lsas.values()
    }
}

impl Entry {
    /// LS age at `now`, at most MaxAge (RFC 2328 §12.1.1).
    pub fn age(&self, now: Time) -> u16 {
        let elapsed = now.since(self.installed).as_secs();
        let age = u64::from(self.lsa.header.age & 0x7fff) + elapsed;
        u16::try_from(age).unwrap_or(MAX_AGE).min(MAX_AGE)
    }
}

/// Seconds (RFC 2328 Appendix B).
pub const MAX_AGE: u16 = 3600;
