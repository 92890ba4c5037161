use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

use crate::wire::bgp::{Community, CommunityError, ExtendedCommunity, LargeCommunity};

/// Something that says of a community whether it is meant.
pub trait Pattern<C>: fmt::Display {
    fn matches(&self, community: &C) -> bool;
}

/// `64500:100`, `64500:*`, `64500:100-199`, or a well-known name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommunityPattern(Parts);

/// `64500:1:100`, where each number can be `*` or a range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LargeCommunityPattern(Parts);

/// Which communities of a route are wanted: one of `any`, each of `all`, none of `none`.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted<P> {
    pub any: Vec<P>,
    pub all: Vec<P>,
    pub none: Vec<P>,
}

/// The numbers of a community.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parts {
    text: String,
    /// From, to.
    ranges: SmallVec<[(u32, u32); 3]>,
}

impl Parts {
    fn read(text: &str, count: usize, max: u32) -> Option<Parts> {
        let range = |part: &str| {
            let number = |text: &str| {
                let plain = text.bytes().all(|digit| digit.is_ascii_digit());
                text.parse::<u32>().ok().filter(|number| plain && *number <= max)
            };
            match part.split_once('-') {
                _ if part == "*" => Some((0, max)),
                Some((from, to)) => {
                    Some((number(from)?, number(to)?)).filter(|(from, to)| from <= to)
                }
                None => number(part).map(|number| (number, number)),
            }
        };
        let ranges: SmallVec<[(u32, u32); 3]> =
            text.split(':').map(range).collect::<Option<_>>()?;
        (ranges.len() == count).then(|| Parts { text: text.to_owned(), ranges })
    }

    fn hold(&self, numbers: &[u32]) -> bool {
        let pairs = self.ranges.iter().zip(numbers);
        pairs.into_iter().all(|((from, to), number)| (from..=to).contains(&number))
    }
}

impl Pattern<Community> for CommunityPattern {
    fn matches(&self, community: &Community) -> bool {
        self.0.hold(&[community.0 >> 16, community.0 & 0xffff])
    }
}

impl Pattern<LargeCommunity> for LargeCommunityPattern {
    fn matches(&self, community: &LargeCommunity) -> bool {
        self.0.hold(&[community.global, community.local1, community.local2])
    }
}

impl Pattern<ExtendedCommunity> for ExtendedCommunity {
    fn matches(&self, community: &ExtendedCommunity) -> bool {
        self == community
    }
}

impl FromStr for CommunityPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<CommunityPattern, String> {
        if let Some(parts) = Parts::read(text, 2, u16::MAX.into()) {
            return Ok(CommunityPattern(parts));
        }
        // By its name.
        let community: Community = text.parse().map_err(|_: CommunityError| {
            format!(
                "`{text}` names no communities: write ASN:NUMBER, where each can be `*` or a range \
                 such as 100-199, or a well-known name"
            )
        })?;
        let ranges = [community.0 >> 16, community.0 & 0xffff].map(|number| (number, number));
        Ok(CommunityPattern(Parts { text: text.to_owned(), ranges: SmallVec::from_slice(&ranges) }))
    }
}

impl FromStr for LargeCommunityPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<LargeCommunityPattern, String> {
        Parts::read(text, 3, u32::MAX).map(LargeCommunityPattern).ok_or_else(|| {
            format!(
                "`{text}` names no large communities: write ASN:NUMBER:NUMBER, where each can be \
                 `*` or a range such as 100-199"
            )
        })
    }
}

impl fmt::Display for CommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for LargeCommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl<P> Wanted<P> {
    pub fn holds<C>(&self, communities: &[C]) -> bool
    where
        P: Pattern<C>,
    {
        let has = |pattern: &P| communities.iter().any(|community| pattern.matches(community));
        (self.any.is_empty() || self.any.iter().any(has))
            && self.all.iter().all(has)
            && !self.none.iter().any(has)
    }
}

/// `64500:1 or 64500:2; all of 64500:3, 64500:4; none of 64500:5`.
impl<P: fmt::Display> fmt::Display for Wanted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |patterns: &[P]| patterns.iter().map(P::to_string).collect::<Vec<_>>();
        let mut parts = Vec::new();
        if !self.any.is_empty() {
            parts.push(texts(&self.any).join(" or "));
        }
        if !self.all.is_empty() {
            parts.push(format!("all of {}", texts(&self.all).join(", ")));
        }
        if !self.none.is_empty() {
            parts.push(format!("none of {}", texts(&self.none).join(", ")));
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_one_community_or_many() {
        let matches = |pattern: &str, community: &str| {
            let pattern: CommunityPattern = pattern.parse().unwrap();
            pattern.matches(&community.parse().unwrap())
        };
        assert!(matches("65000:100", "65000:100") && !matches("65000:100", "65000:101"));
        assert!(matches("65000:*", "65000:0") && !matches("65000:*", "65001:0"));
        assert!(matches("*:666", "1:666"));
        assert!(matches("65000:100-199", "65000:199") && !matches("65000:100-199", "65000:200"));
        assert!(matches("no-export", "no-export") && matches("65535:*", "no-export"));
        let large: LargeCommunityPattern = "65000:1-2:*".parse().unwrap();
        assert!(large.matches(&"65000:2:77".parse().unwrap()));
        assert!(!large.matches(&"65000:3:77".parse().unwrap()));
        for text in ["65000", "65536:1", "1:2:3", "1:200-100", "1:-", "blackhol", "1:+2", ":"] {
            assert!(text.parse::<CommunityPattern>().is_err(), "{text}");
        }
        for text in ["1:2", "1:2:3:4", "1:2:4294967296"] {
            assert!(text.parse::<LargeCommunityPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn any_all_and_none_hold_together() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let wanted = |any: &[&str], all: &[&str], none: &[&str]| Wanted::<CommunityPattern> {
            any: patterns(any),
            all: patterns(all),
            none: patterns(none),
        };
        let holds = |wanted: Wanted<CommunityPattern>, have: &[&str]| {
            let have: Vec<Community> = have.iter().map(|text| text.parse().unwrap()).collect();
            wanted.holds(&have)
        };
        assert!(holds(wanted(&["1:1", "1:2"], &[], &[]), &["1:2"]));
        assert!(!holds(wanted(&["1:1", "1:2"], &[], &[]), &[]));
        assert!(holds(wanted(&[], &["1:1", "1:2"], &[]), &["1:2", "1:1"]));
        assert!(!holds(wanted(&[], &["1:1", "1:2"], &[]), &["1:2"]));
        assert!(holds(wanted(&[], &[], &["1:1"]), &[]));
        assert!(!holds(wanted(&["1:2"], &[], &["1:*"]), &["1:2"]));
        let text = wanted(&["1:1", "1:2"], &["1:3"], &["1:*"]).to_string();
        assert_eq!(text, "1:1 or 1:2; all of 1:3; none of 1:*");
    }
}
