use std::net::IpAddr;

use prefix_trie::PrefixMap;

use ipnet::{Ipv4Net, Ipv6Net};

use super::{Family, Prefix};

/// A map from prefixes to `T`, one trie per family, fit for a million entries: in a table as dense as the Internet's
/// an IPv4 prefix takes about 13 octets beside a `T` of 8 octets and 35 beside one of 24, because values
/// lie in blocks with room to grow. Walks are in the order of [`Prefix`].
#[derive(Clone)]
pub struct PrefixTable<T> {
    v4: PrefixMap<Ipv4Net, T>,
    v6: PrefixMap<Ipv6Net, T>,
}

impl<T> PrefixTable<T> {
    pub fn new() -> Self {
        PrefixTable { v4: PrefixMap::new(), v6: PrefixMap::new() }
    }

    /// Entries of one family.
    pub fn len(&self, family: Family) -> usize {
        match family {
            Family::Ipv4 => self.v4.len(),
            Family::Ipv6 => self.v6.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub fn get(&self, prefix: Prefix) -> Option<&T> {
        match prefix {
            Prefix::V4(net) => self.v4.get(&net),
            Prefix::V6(net) => self.v6.get(&net),
        }
    }

    pub fn get_mut(&mut self, prefix: Prefix) -> Option<&mut T> {
        match prefix {
            Prefix::V4(net) => self.v4.get_mut(&net),
            Prefix::V6(net) => self.v6.get_mut(&net),
        }
    }

    /// The entry of `prefix`, made if it is missing.
    pub fn get_or_default(&mut self, prefix: Prefix) -> &mut T
    where
        T: Default,
    {
        match prefix {
            Prefix::V4(net) => self.v4.entry(net).or_default(),
            Prefix::V6(net) => self.v6.entry(net).or_default(),
        }
    }

    /// The value that was there.
    pub fn insert(&mut self, prefix: Prefix, value: T) -> Option<T> {
        match prefix {
            Prefix::V4(net) => self.v4.insert(net, value),
            Prefix::V6(net) => self.v6.insert(net, value),
        }
    }

    pub fn remove(&mut self, prefix: Prefix) -> Option<T> {
        match prefix {
            Prefix::V4(net) => self.v4.remove(&net),
            Prefix::V6(net) => self.v6.remove(&net),
        }
    }

    pub fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &T)> {
        let v4 = self.v4.iter().map(|(net, value)| (Prefix::V4(net), value));
        v4.chain(self.v6.iter().map(|(net, value)| (Prefix::V6(net), value)))
    }

    /// Entries of one family.
    pub fn family(&self, family: Family) -> impl Iterator<Item = (Prefix, &T)> {
        let after = match family {
            Family::Ipv4 => None,
            Family::Ipv6 => Some(self.v6.iter().map(|(net, value)| (Prefix::V6(net), value))),
        };
        let v4 = match family {
            Family::Ipv4 => Some(self.v4.iter().map(|(net, value)| (Prefix::V4(net), value))),
            Family::Ipv6 => None,
        };
        v4.into_iter().flatten().chain(after.into_iter().flatten())
    }

    /// Entries behind `after`, from the start if there is none. `after` itself may be gone.
    pub fn iter_after(&self, after: Option<Prefix>) -> impl Iterator<Item = (Prefix, &T)> {
        let v4 = match after {
            None => Some(self.v4.iter()),
            Some(Prefix::V4(net)) => Some(self.v4.iter_from(&net, false)),
            Some(Prefix::V6(_)) => None,
        };
        let v6 = match after {
            Some(Prefix::V6(net)) => self.v6.iter_from(&net, false),
            _ => self.v6.iter(),
        };
        let v4 = v4.into_iter().flatten().map(|(net, value)| (Prefix::V4(net), value));
        v4.chain(v6.map(|(net, value)| (Prefix::V6(net), value)))
    }

    /// [`PrefixTable::iter_after`], to change the values.
    pub fn iter_after_mut(
        &mut self,
        after: Option<Prefix>,
    ) -> impl Iterator<Item = (Prefix, &mut T)> {
        let v4 = match after {
            None => Some(self.v4.iter_mut()),
            Some(Prefix::V4(net)) => Some(self.v4.iter_from_mut(&net, false)),
            Some(Prefix::V6(_)) => None,
        };
        let v6 = match after {
            Some(Prefix::V6(net)) => self.v6.iter_from_mut(&net, false),
            _ => self.v6.iter_mut(),
        };
        let v4 = v4.into_iter().flatten().map(|(net, value)| (Prefix::V4(net), value));
        v4.chain(v6.map(|(net, value)| (Prefix::V6(net), value)))
    }

    /// Entries that cover `address`, shortest prefix first.
    pub fn covering(&self, address: IpAddr) -> impl Iterator<Item = (Prefix, &T)> {
        self.above(Prefix::host(address))
    }

    /// Entries that cover every address of `prefix`, its own included, shortest prefix first.
    pub fn above(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, &T)> {
        let (v4, v6) = match prefix {
            Prefix::V4(net) => (Some(self.v4.cover(&net)), None),
            Prefix::V6(net) => (None, Some(self.v6.cover(&net))),
        };
        let v4 = v4.into_iter().flatten().map(|(net, value)| (Prefix::V4(net), value));
        v4.chain(v6.into_iter().flatten().map(|(net, value)| (Prefix::V6(net), value)))
    }

    /// Shows every value to `keep`, which may change it, and drops those it answers with false.
    pub fn retain(&mut self, mut keep: impl FnMut(Prefix, &mut T) -> bool) {
        let mut drop = Vec::new();
        let v4 = self.v4.iter_mut().map(|(net, value)| (Prefix::V4(net), value));
        let v6 = self.v6.iter_mut().map(|(net, value)| (Prefix::V6(net), value));
        for (prefix, value) in v4.chain(v6) {
            if !keep(prefix, value) {
                drop.push(prefix);
            }
        }
        for prefix in drop {
            self.remove(prefix);
        }
    }
}

impl<T> Default for PrefixTable<T> {
    fn default() -> Self {
        PrefixTable::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(prefixes: &[&str]) -> PrefixTable<()> {
        let mut table = PrefixTable::new();
        for prefix in prefixes {
            table.insert(prefix.parse().unwrap(), ());
        }
        table
    }

    fn names<'a>(entries: impl Iterator<Item = (Prefix, &'a ())>) -> Vec<String> {
        entries.map(|(prefix, ())| prefix.to_string()).collect()
    }

    #[test]
    fn walks_are_in_the_order_of_prefixes_and_resume_behind_any_prefix() {
        let table = table(&[
            "2001:db8::/32",
            "10.0.0.0/8",
            "10.0.0.0/16",
            "9.0.0.0/8",
            "::/0",
            "0.0.0.0/0",
        ]);
        let all = names(table.iter());
        assert_eq!(
            all,
            ["0.0.0.0/0", "9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "::/0", "2001:db8::/32"]
        );
        for (at, prefix) in all.iter().enumerate() {
            assert_eq!(names(table.iter_after(Some(prefix.parse().unwrap()))), all[at + 1..]);
        }
        assert_eq!(names(table.iter_after(None)), all);
        assert_eq!(names(table.iter_after(Some("9.128.0.0/9".parse().unwrap()))), all[2..]);
        assert_eq!(names(table.family(Family::Ipv6)), all[4..]);
        assert_eq!(names(table.family(Family::Ipv4)), all[..4]);
    }

    #[test]
    fn covering_prefixes_come_shortest_first() {
        let table = table(&["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "::/0"]);
        assert_eq!(
            names(table.covering("10.1.2.3".parse().unwrap())),
            ["10.0.0.0/8", "10.1.0.0/16"]
        );
        assert_eq!(names(table.above("10.0.0.0/15".parse().unwrap())), ["10.0.0.0/8"]);
        assert_eq!(names(table.above("::/0".parse().unwrap())), ["::/0"]);
    }
}
