use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::condition::View;
use super::{Changes, Condition, Fact, Policy, Rule, Then};
use crate::types::{Asn, Prefix, PrefixTable, Validity};
use crate::wire::bgp::Attributes;

/// The policies of one neighbour in one direction, one behind the other. Without any, all is accepted as it is.
///
/// Cheap to clone. Equal if the policies are.
#[derive(Clone, Default)]
pub struct Chain(Arc<Compiled>);

/// What a route is beside its attributes.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    pub prefix: Prefix,
    /// The name of the neighbour that we have it from; none if it is our own.
    pub learned_from: Option<&'a str>,
    /// Only looked at if [`Chain::looks_at_validity`].
    pub validity: Validity,
}

/// Which of a chain's [`Fact`]s hold, a bit each. Routes of one attribute set with equal facts have one [`Verdict`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facts(SmallVec<[u64; 2]>);

/// What became of a route.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Accepted(Changes),
    Rejected(By),
}

/// The rule of a chain that decided, or the policy's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct By {
    policy: usize,
    rule: Option<usize>,
}

/// How a rule met a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<'a> {
    pub policy: &'a Policy,
    /// `None`: no rule decided, but the policy's default.
    pub rule: Option<&'a Rule>,
    /// The rule's conditions, and whether each held.
    pub conditions: Vec<(&'a Condition, bool)>,
}

/// A rule, or a default, and the attributes as it sees them.
struct Asked<'a, 'v> {
    policy: &'a Policy,
    rule: Option<&'a Rule>,
    /// Of the rule's conditions.
    bits: &'v [Option<usize>],
    view: &'v View<'v>,
}

#[derive(Default)]
struct Compiled {
    policies: Vec<Arc<Policy>>,
    /// Of each policy, each rule, each condition: the bit of a fact.
    bits: Vec<Vec<Vec<Option<usize>>>>,
    /// By bit, each once.
    facts: Vec<Fact>,
    /// All ranges of all lists, so that one walk answers for every list.
    ranges: PrefixTable<SmallVec<[Lengths; 1]>>,
    looks_at_validity: bool,
}

/// The lengths that one range of prefixes has, and the fact it belongs to.
#[derive(Clone, Copy)]
struct Lengths {
    shortest: u8,
    longest: u8,
    bit: u32,
}

impl Chain {
    pub fn new(policies: Vec<Arc<Policy>>) -> Chain {
        let mut compiled = Compiled::default();
        for policy in &policies {
            let rules = policy.rules.iter().map(|rule| {
                let bit = |condition: &Condition| match condition {
                    Condition::Fact(fact) => Some(compiled.bit(fact)),
                    Condition::Attribute(_) => None,
                };
                rule.conditions.iter().map(bit).collect()
            });
            let rules = rules.collect();
            compiled.bits.push(rules);
        }
        Chain(Arc::new(Compiled { policies, ..compiled }))
    }

    pub fn is_empty(&self) -> bool {
        self.0.policies.is_empty()
    }

    /// In their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.policies.iter().map(|policy| policy.name.as_str())
    }

    /// Whether [`Route::validity`] makes a difference.
    pub fn looks_at_validity(&self) -> bool {
        self.0.looks_at_validity
    }

    /// What the chain has to know of a route beside its attributes.
    pub fn facts(&self, route: &Route<'_>) -> Facts {
        let compiled = &*self.0;
        let mut facts = Facts(SmallVec::from_elem(0, compiled.facts.len().div_ceil(64)));
        if compiled.facts.is_empty() {
            return facts;
        }
        let length = route.prefix.length();
        for (_, ranges) in compiled.ranges.above(route.prefix) {
            for range in ranges {
                if (range.shortest..=range.longest).contains(&length) {
                    facts.set(range.bit as usize);
                }
            }
        }
        for (bit, fact) in compiled.facts.iter().enumerate() {
            if !matches!(fact, Fact::Prefixes(_)) && fact.holds(route) {
                facts.set(bit);
            }
        }
        facts
    }

    /// What becomes of the routes of an attribute set with these facts. `prepended` is the number that prepending puts in
    /// front, if it does.
    pub fn evaluate(
        &self,
        attributes: &Attributes,
        facts: &Facts,
        prepended: Option<Asn>,
    ) -> Verdict {
        self.run(attributes, facts, prepended, &mut |_| ())
    }

    /// The same, with each rule that was asked and each default that decided.
    pub fn explain(
        &self,
        attributes: &Attributes,
        route: &Route<'_>,
        prepended: Option<Asn>,
    ) -> (Verdict, Vec<Step<'_>>) {
        let facts = self.facts(route);
        let mut steps = Vec::new();
        let verdict = self.run(attributes, &facts, prepended, &mut |asked| {
            let Asked { policy, rule, bits, view } = asked;
            let conditions = rule.iter().flat_map(|rule| &rule.conditions).zip(bits);
            let conditions = conditions
                .map(|(condition, bit)| (condition, holds(condition, *bit, view, &facts)))
                .collect();
            steps.push(Step { policy, rule, conditions });
        });
        (verdict, steps)
    }

    /// `policy from-isp, rule bogons`.
    pub fn describe(&self, by: By) -> String {
        let Some(policy) = self.0.policies.get(by.policy) else { return String::new() };
        match by.rule.and_then(|rule| policy.rules.get(rule)) {
            Some(rule) => format!("policy {}, rule {}", policy.name, rule.name),
            None => format!("policy {}, its default", policy.name),
        }
    }

    /// `seen` hears of every rule before it is applied, and of every default.
    fn run<'a>(
        &'a self,
        attributes: &Attributes,
        facts: &Facts,
        prepended: Option<Asn>,
        seen: &mut dyn FnMut(Asked<'a, '_>),
    ) -> Verdict {
        let mut changes = Changes::default();
        let mut view = View::new(Cow::Borrowed(attributes));
        for (policy_index, (policy, bits)) in self.0.policies.iter().zip(&self.0.bits).enumerate() {
            let mut decision = None;
            for (index, (rule, bits)) in policy.rules.iter().zip(bits).enumerate() {
                seen(Asked { policy, rule: Some(rule), bits, view: &view });
                let mut conditions = rule.conditions.iter().zip(bits);
                if !conditions.all(|(condition, bit)| holds(condition, *bit, &view, facts)) {
                    continue;
                }
                if !rule.changes.is_empty() {
                    changes.extend(&rule.changes);
                    let mut changed = attributes.clone();
                    changes.apply(&mut changed, prepended);
                    view = View::new(Cow::Owned(changed));
                }
                decision = match rule.then {
                    Then::Next => continue,
                    Then::Accept => Some((true, Some(index))),
                    Then::Reject => Some((false, Some(index))),
                };
                break;
            }
            let (accepted, rule) = decision.unwrap_or_else(|| {
                seen(Asked { policy, rule: None, bits: &[], view: &view });
                (policy.accepts_by_default, None)
            });
            if !accepted {
                return Verdict::Rejected(By { policy: policy_index, rule });
            }
        }
        Verdict::Accepted(changes)
    }
}

fn holds(condition: &Condition, bit: Option<usize>, view: &View<'_>, facts: &Facts) -> bool {
    match condition {
        Condition::Fact(_) => bit.is_some_and(|bit| facts.has(bit)),
        Condition::Attribute(condition) => condition.holds(view),
    }
}

impl Compiled {
    /// The bit of a fact.
    fn bit(&mut self, fact: &Fact) -> usize {
        if let Some(bit) = self.facts.iter().position(|known| known == fact) {
            return bit;
        }
        let bit = self.facts.len();
        if let Fact::Prefixes(lists) = fact {
            for range in lists.iter().flat_map(|list| &list.ranges) {
                let (shortest, longest) = range.lengths().into_inner();
                let lengths = Lengths { shortest, longest, bit: bit as u32 };
                self.ranges.get_or_default(range.prefix()).push(lengths);
            }
        }
        self.looks_at_validity |= matches!(fact, Fact::Rpki(_));
        self.facts.push(fact.clone());
        bit
    }
}

impl Facts {
    fn set(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word & 1 << (bit % 64) != 0)
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Chain) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.policies == other.0.policies
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
