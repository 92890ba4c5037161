use std::collections::BTreeMap;
use std::fmt;

use super::{Definitions, Intent, Intents, Order, Target};
use crate::types::{Preference, Prefix, Wall};

/// One prefix that this node may announce, with its preference and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub prefix: Prefix,
    /// `None` for a prefix that only an intent names.
    pub group: Option<String>,
    /// 0: not announced.
    pub preference: Preference,
    /// From the weakest reason to the one that decided, which is the last.
    pub because: Vec<Because>,
}

/// One reason in the chain. `Display` gives the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    Base {
        site: String,
        preference: Preference,
        /// As people write it: `primary (200)`.
        level: String,
    },
    Operator {
        intent: Intent,
        preference: Preference,
        level: String,
    },
}

/// The preference of every prefix of every group, and of every prefix that an intent names.
/// An intent whose target is no longer configured, or no longer in our space, has no effect.
pub fn effective(
    definitions: Definitions<'_>,
    intents: &Intents,
    now: Wall,
) -> BTreeMap<Prefix, Announcement> {
    let mut announcements = BTreeMap::new();
    for (name, group) in definitions.groups {
        let base = group.base(definitions.site);
        for prefix in &group.prefixes {
            let mut announcement = Announcement {
                prefix: *prefix,
                group: Some(name.clone()),
                preference: base,
                because: vec![Because::Base {
                    site: definitions.site.to_owned(),
                    preference: base,
                    level: definitions.levels.describe(base),
                }],
            };
            for target in [Target::Group(name.clone()), Target::Prefix(*prefix)] {
                if let Some(intent) = intents.in_force(&target, now) {
                    announcement.apply(intent, base, &definitions);
                }
            }
            announcements.insert(*prefix, announcement);
        }
    }
    for intent in intents.iter().filter(|intent| !intent.is_over(now)) {
        let Target::Prefix(prefix) = intent.target else { continue };
        if announcements.contains_key(&prefix) || !definitions.is_ours(prefix) {
            continue;
        }
        let mut announcement =
            Announcement { prefix, group: None, preference: Preference::NONE, because: Vec::new() };
        announcement.apply(intent, Preference::NONE, &definitions);
        announcements.insert(prefix, announcement);
    }
    announcements
}

/// When the next intent ends, and [`effective`] may give something else without any event.
pub fn next_expiry(intents: &Intents, now: Wall) -> Option<Wall> {
    intents.iter().filter(|intent| !intent.is_over(now)).filter_map(|intent| intent.expires).min()
}

impl Announcement {
    fn apply(&mut self, intent: &Intent, base: Preference, definitions: &Definitions<'_>) {
        self.preference = match intent.order {
            Order::Announce(Some(preference)) | Order::Prefer(preference) => preference,
            Order::Announce(None) if base.is_announced() => base,
            // `primary` is built in, so the second case is never reached.
            Order::Announce(None) => {
                definitions.levels.preference("primary").unwrap_or(Preference::MAX)
            }
            Order::Withdraw => Preference::NONE,
        };
        self.because.push(Because::Operator {
            intent: intent.clone(),
            preference: self.preference,
            level: definitions.levels.describe(self.preference),
        });
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Base { site, level, .. } => write!(f, "base of site {site}: {level}"),
            Because::Operator { intent, level, .. } => {
                write!(f, "operator {}: ", intent.owner)?;
                match intent.order {
                    Order::Announce(_) => write!(f, "announce at {level}")?,
                    Order::Withdraw => f.write_str("withdraw")?,
                    Order::Prefer(_) => write!(f, "prefer {level}")?,
                }
                if let Some(reason) = &intent.reason {
                    write!(f, ", reason \"{reason}\"")?;
                }
                if let Some(expires) = intent.expires {
                    write!(f, ", until {expires}")?;
                }
                write!(f, ", since {}", intent.since)
            }
        }
    }
}
