//! The compiled policies agree with an interpreter that is as plain as can be, on random policies and routes. The universe is
//! small, so that what is asked for and what is there meet often.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use shunt::policy::{
    AttributeCondition, Chain, Changes, Condition, Edit, Edits, Fact, Policy, PrefixList, Route,
    Rule, Then, Verdict, Wanted,
};
use shunt::types::{Asn, Family, Prefix, Validity};
use shunt::wire::bgp::{AsPath, Attributes, Community, NextHop, Origin, Segment};

/// A condition as the interpreter knows it.
#[derive(Clone, Debug)]
enum Asked {
    /// Address bits from the top, how many of them, shortest, longest.
    Prefixes(Vec<(u32, u8, u8, u8)>),
    Family(Family),
    From(Vec<&'static str>),
    Rpki(Vec<Validity>),
    Path(usize),
    Length(u32, u32),
    Contains(Vec<u32>),
    OriginAs(Vec<u32>),
    Origin(Vec<Origin>),
    NextHop(Vec<u8>),
    Communities {
        any: Vec<(u16, Option<u16>)>,
        none: Vec<(u16, Option<u16>)>,
    },
}

#[derive(Clone, Debug)]
struct Done {
    local_pref: Option<Option<u32>>,
    med: Option<Option<u32>>,
    prepend: u8,
    clear: bool,
    removed: Vec<(u16, Option<u16>)>,
    added: Vec<u16>,
}

#[derive(Clone, Debug)]
struct Term {
    asked: Vec<Asked>,
    done: Done,
    then: Then,
}

/// Patterns over AS paths, and what they mean.
type Meaning = fn(&[u32]) -> bool;
const PATTERNS: [(&str, Meaning); 6] = [
    ("^$", |path| path.is_empty()),
    ("_2_", |path| path.contains(&2)),
    ("^1_", |path| path.first() == Some(&1)),
    ("_12$", |path| path.last() == Some(&12)),
    ("_1_2_", |path| path.windows(2).any(|pair| pair == [1, 2])),
    ("^(1 )*3", |path| {
        path.iter().find(|number| **number != 1).is_some_and(|n| n.to_string().starts_with('3'))
    }),
];

const NUMBERS: [u32; 5] = [1, 2, 3, 12, 33];
const NAMES: [&str; 3] = ["isp-a", "isp-b", "customer"];
const PREPENDED: Asn = Asn(3);

#[derive(Clone, Debug)]
struct Given {
    address: u32,
    length: u8,
    v6: bool,
    from: Option<&'static str>,
    validity: Validity,
    attributes: Attributes,
}

fn number_lists() -> impl Strategy<Value = Vec<u32>> {
    subsequence(NUMBERS.to_vec(), 1..=2)
}

fn community_patterns(size: std::ops::Range<usize>) -> BoxedStrategy<Vec<(u16, Option<u16>)>> {
    prop::collection::vec((1..3u16, prop::option::of(1..4u16)), size).boxed()
}

fn ranges() -> impl Strategy<Value = (u32, u8, u8, u8)> {
    (any::<u32>(), 0..6u8, 0..6u8, 0..6u8).prop_map(|(address, length, ge, le)| {
        let (shortest, longest) = (length.max(ge), length.max(ge).max(le));
        (address & mask(length), length, shortest, longest)
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let validities = vec![Validity::Valid, Validity::Invalid, Validity::NotFound];
    let origins = vec![Origin::Igp, Origin::Egp, Origin::Incomplete];
    prop_oneof![
        3 => prop::collection::vec(ranges(), 1..4).prop_map(Asked::Prefixes),
        1 => select(&Family::ALL[..]).prop_map(Asked::Family),
        1 => subsequence(NAMES.to_vec(), 1..=2).prop_map(Asked::From),
        1 => subsequence(validities, 1..=2).prop_map(Asked::Rpki),
        2 => (0..PATTERNS.len()).prop_map(Asked::Path),
        1 => (0..4u32, 0..3u32).prop_map(|(least, more)| Asked::Length(least, least + more)),
        1 => number_lists().prop_map(Asked::Contains),
        1 => number_lists().prop_map(Asked::OriginAs),
        1 => subsequence(origins, 1..=2).prop_map(Asked::Origin),
        1 => subsequence(vec![1, 2, 3], 1..=2).prop_map(Asked::NextHop),
        2 => (community_patterns(0..3), community_patterns(0..2))
            .prop_map(|(any, none)| Asked::Communities { any, none }),
    ]
}

fn done() -> impl Strategy<Value = Done> {
    let number = || prop::option::weighted(0.2, prop::option::of(0..3u32));
    let edits =
        (prop::bool::weighted(0.1), community_patterns(0..2), prop::collection::vec(0..5u16, 0..2));
    (number(), number(), prop_oneof![4 => Just(0u8), 1 => 1..3u8], edits).prop_map(
        |(local_pref, med, prepend, (clear, removed, added))| Done {
            local_pref,
            med,
            prepend,
            clear,
            removed,
            added,
        },
    )
}

fn terms() -> impl Strategy<Value = Vec<Term>> {
    let then = select(vec![Then::Next, Then::Next, Then::Accept, Then::Reject]);
    let term = (prop::collection::vec(asked(), 0..3), done(), then);
    prop::collection::vec(term.prop_map(|(asked, done, then)| Term { asked, done, then }), 0..6)
}

fn given() -> impl Strategy<Value = Given> {
    let validity = select(vec![Validity::Valid, Validity::Invalid, Validity::NotFound]);
    let prefix = (any::<u32>(), 0..6u8, prop::bool::weighted(0.2));
    let path = (prop::collection::vec(select(NUMBERS.to_vec()), 0..4), prop::bool::weighted(0.1));
    let origin = select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]);
    let communities = prop::collection::vec((1..3u32, 1..4u32), 0..3);
    let set = (path, origin, 1..4u8, communities);
    let strategy = (prefix, prop::option::of(select(NAMES.to_vec())), validity, set);
    strategy.prop_map(|((address, length, v6), from, validity, set)| {
        let ((path, ends_in_set), origin, hop, communities) = set;
        let mut attributes = Attributes::originated(NextHop::V4([192, 0, 2, hop].into()));
        attributes.as_path = AsPath::sequence(path.into_iter().map(Asn));
        if ends_in_set {
            let set = Segment::Set(Box::new([Asn(2)]));
            attributes.as_path.0 = attributes.as_path.0.iter().cloned().chain([set]).collect();
        }
        attributes.origin = origin;
        attributes.communities =
            communities.iter().map(|(high, low)| Community(high << 16 | low)).collect();
        Given { address: address & mask(length), length, v6, from, validity, attributes }
    })
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

// The interpreter.

/// The route as changed, or `None` if it is rejected.
fn interpret(policies: &[(Vec<Term>, bool)], given: &Given) -> Option<Attributes> {
    let mut now = given.attributes.clone();
    for (terms, default) in policies {
        let mut accepted = *default;
        for term in terms {
            if !term.asked.iter().all(|asked| fits(asked, given, &now)) {
                continue;
            }
            perform(&term.done, &mut now);
            match term.then {
                Then::Next => continue,
                Then::Accept => accepted = true,
                Then::Reject => accepted = false,
            }
            break;
        }
        if !accepted {
            return None;
        }
    }
    Some(now)
}

fn fits(asked: &Asked, given: &Given, now: &Attributes) -> bool {
    let path: Vec<u32> = now.as_path.numbers().map(|asn| asn.0).collect();
    let ends_in_set = matches!(now.as_path.0.last(), Some(Segment::Set(_)));
    match asked {
        Asked::Prefixes(ranges) => ranges.iter().any(|(address, length, shortest, longest)| {
            !given.v6
                && given.length >= *length
                && given.address & mask(*length) == *address
                && (shortest..=longest).contains(&&given.length)
        }),
        Asked::Family(family) => (*family == Family::Ipv6) == given.v6,
        Asked::From(names) => given.from.is_some_and(|from| names.contains(&from)),
        Asked::Rpki(wanted) => wanted.contains(&given.validity),
        // The text of a set has braces, which the meanings do not know.
        Asked::Path(pattern) => match ends_in_set {
            true => PATTERNS[*pattern]
                .0
                .parse::<shunt::policy::AsPathPattern>()
                .unwrap()
                .matches(&now.as_path.to_string()),
            false => PATTERNS[*pattern].1(&path),
        },
        // All sets here have one member.
        Asked::Length(least, most) => (*least as usize..=*most as usize).contains(&path.len()),
        Asked::Contains(numbers) => numbers.iter().any(|number| path.contains(number)),
        Asked::OriginAs(numbers) => {
            !ends_in_set && path.last().is_some_and(|last| numbers.contains(last))
        }
        Asked::Origin(wanted) => wanted.contains(&now.origin),
        Asked::NextHop(last) => {
            last.iter().any(|last| now.next_hop == NextHop::V4([192, 0, 2, *last].into()))
        }
        Asked::Communities { any, none } => {
            let has = |pattern: &(u16, Option<u16>)| now.communities.iter().any(|c| is(pattern, c));
            (any.is_empty() || any.iter().any(has)) && !none.iter().any(has)
        }
    }
}

fn is((high, low): &(u16, Option<u16>), community: &Community) -> bool {
    community.0 >> 16 == u32::from(*high)
        && low.is_none_or(|low| community.0 & 0xffff == u32::from(low))
}

fn perform(done: &Done, now: &mut Attributes) {
    if let Some(value) = done.local_pref {
        now.local_pref = value;
    }
    if let Some(value) = done.med {
        now.med = value;
    }
    for _ in 0..done.prepend {
        now.as_path = now.as_path.prepended(PREPENDED, 1);
    }
    let mut communities = now.communities.to_vec();
    if done.clear {
        communities.clear();
    }
    communities.retain(|community| !done.removed.iter().any(|pattern| is(pattern, community)));
    for low in &done.added {
        let community = Community(1 << 16 | u32::from(*low));
        if !communities.contains(&community) {
            communities.push(community);
        }
    }
    now.communities = communities.into();
}

// The same in the words of the product.

fn policy(terms: &[Term], accepts_by_default: bool) -> Arc<Policy> {
    let rule = |(index, term): (usize, &Term)| Rule {
        name: index.to_string(),
        conditions: term.asked.iter().map(condition).collect(),
        changes: changes(&term.done),
        then: term.then,
    };
    let rules = terms.iter().enumerate().map(rule).collect();
    Arc::new(Policy { name: "random".to_owned(), rules, accepts_by_default })
}

fn condition(asked: &Asked) -> Condition {
    let numbers = |numbers: &[u32]| numbers.iter().copied().map(Asn).collect();
    match asked {
        Asked::Prefixes(ranges) => {
            let range = |(address, length, shortest, longest): &(u32, u8, u8, u8)| {
                let prefix = Prefix::new(std::net::Ipv4Addr::from(*address).into(), *length);
                format!("{} ge {shortest} le {longest}", prefix.unwrap()).parse().unwrap()
            };
            let ranges = ranges.iter().map(range).collect();
            Condition::Fact(Fact::Prefixes(vec![Arc::new(PrefixList { name: None, ranges })]))
        }
        Asked::Family(family) => Condition::Fact(Fact::Family(*family)),
        Asked::From(names) => {
            Condition::Fact(Fact::LearnedFrom(names.iter().map(ToString::to_string).collect()))
        }
        Asked::Rpki(wanted) => Condition::Fact(Fact::Rpki(wanted.clone())),
        Asked::Path(pattern) => {
            Condition::Attribute(AttributeCondition::AsPath(PATTERNS[*pattern].0.parse().unwrap()))
        }
        Asked::Length(least, most) => {
            Condition::Attribute(AttributeCondition::AsPathLength { least: *least, most: *most })
        }
        Asked::Contains(list) => {
            Condition::Attribute(AttributeCondition::ContainsAs(numbers(list)))
        }
        Asked::OriginAs(list) => Condition::Attribute(AttributeCondition::OriginAs(numbers(list))),
        Asked::Origin(wanted) => Condition::Attribute(AttributeCondition::Origin(wanted.clone())),
        Asked::NextHop(last) => {
            let host = |last: &u8| Prefix::host([192, 0, 2, *last].into());
            Condition::Attribute(AttributeCondition::NextHop(last.iter().map(host).collect()))
        }
        Asked::Communities { any, none } => {
            let texts = |patterns: &[(u16, Option<u16>)]| {
                patterns.iter().map(|pattern| text(pattern).parse().unwrap()).collect()
            };
            let wanted = Wanted { any: texts(any), all: Vec::new(), none: texts(none) };
            Condition::Attribute(AttributeCondition::Communities(wanted))
        }
    }
}

fn text((high, low): &(u16, Option<u16>)) -> String {
    format!("{high}:{}", low.map_or("*".to_owned(), |low| low.to_string()))
}

fn changes(done: &Done) -> Changes {
    let mut edits: Vec<_> = done.clear.then_some(Edit::Clear).into_iter().collect();
    edits.extend(done.removed.iter().map(|pattern| Edit::Remove(text(pattern).parse().unwrap())));
    edits.extend(done.added.iter().map(|low| Edit::Add(Community(1 << 16 | u32::from(*low)))));
    Changes {
        local_pref: done.local_pref,
        med: done.med,
        prepend: done.prepend,
        communities: Edits(edits),
        ..Changes::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn compiled_policies_agree_with_the_interpreter(
        policies in prop::collection::vec((terms(), any::<bool>()), 0..3),
        routes in prop::collection::vec(given(), 1..8),
    ) {
        let chain = policies.iter().map(|(terms, default)| policy(terms, *default)).collect();
        let chain = Chain::new(chain);
        for given in &routes {
            let address = match given.v6 {
                false => std::net::Ipv4Addr::from(given.address).into(),
                true => std::net::Ipv6Addr::from(u128::from(given.address) << 96).into(),
            };
            let prefix = Prefix::new(address, given.length).unwrap();
            let route = Route { prefix, learned_from: given.from, validity: given.validity };
            let facts = chain.facts(&route);
            let verdict = chain.evaluate(&given.attributes, &facts, Some(PREPENDED));
            let result = match &verdict {
                Verdict::Rejected(_) => None,
                Verdict::Accepted(changes) => {
                    let mut changed = given.attributes.clone();
                    changes.apply(&mut changed, Some(PREPENDED));
                    Some(changed)
                }
            };
            prop_assert_eq!(result, interpret(&policies, given));
            // What is explained is what happens.
            prop_assert_eq!(chain.explain(&given.attributes, &route, Some(PREPENDED)).0, verdict);
        }
    }
}
