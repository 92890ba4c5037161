use std::collections::BTreeMap;

use super::{Because, Effect, Levels, Need, Policy};
use crate::health::State;
use crate::types::Preference;

/// What counts of a check: its verdict, or what it was before a guard doubted it. Never unknown, as that is no reason to
/// do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub state: State,
    /// By how many steps it misses its objective: 0 to 3.
    pub grade: u8,
}

/// Something that lowers an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// As a clause: `interface eth1 is down`.
    pub what: String,
    pub effect: Effect,
}

/// What is left of a group's base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowered {
    pub preference: Preference,
    /// Something says that it is not to be announced at all.
    pub unwanted: bool,
    /// Something caps it: it is not well here, so nobody is to be outbid with it.
    pub capped: bool,
    pub because: Vec<Because>,
}

impl Counted {
    /// Of what is not known.
    pub const WELL: Counted = Counted { state: State::Up, grade: 0 };
}

impl Policy {
    /// The group's verdict by those of its checks. Score and grade are looked at apart: an instance that is late is not
    /// made good by another that is down.
    pub fn judge(&self, counted: impl Fn(&str) -> Counted) -> Counted {
        let all: Vec<Counted> = self.checks.iter().map(|name| counted(name)).collect();
        let late = |one: &Counted| if one.state == State::Down { 3 } else { one.grade };
        let state = self.pick(all.iter().map(|one| one.state).collect());
        let grade = self.pick(all.iter().map(late).collect());
        Counted { state: state.unwrap_or(State::Up), grade: grade.unwrap_or(0) }
    }

    /// The one that counts, of values that are the worse the larger they are.
    fn pick<T: Ord + Copy>(&self, mut all: Vec<T>) -> Option<T> {
        all.sort_unstable();
        match self.need {
            Need::All => all.last(),
            Need::Any => all.first(),
            Need::AtLeast(count) => all.get(count.clamp(1, all.len().max(1)) - 1),
        }
        .copied()
    }

    /// The checks that are as bad as the group is, or worse.
    pub fn to_blame(&self, judged: Counted, counted: impl Fn(&str) -> Counted) -> Vec<&str> {
        let blamed = |name: &&String| {
            let one = counted(name);
            match judged.state {
                State::Up | State::Unknown => one.grade >= judged.grade,
                State::Slow | State::Down => one.state >= judged.state,
            }
        };
        self.checks.iter().filter(blamed).map(String::as_str).collect()
    }

    /// What such a verdict does to the group.
    pub fn effects(&self, judged: Counted) -> Vec<Effect> {
        let late = self.on_late.saturating_mul(judged.grade);
        let late = (late > 0).then_some(Effect::LowerBy(late));
        match judged.state {
            State::Down => vec![self.on_down],
            State::Slow => self.on_slow.into_iter().chain(late).collect(),
            State::Up | State::Unknown => late.into_iter().collect(),
        }
    }
}

/// What the causes leave of a group's base at a site, by its bases at all of them.
///
/// Steps come first, then caps. A cap is one less for each site that has a higher base, so that sites that are all lowered
/// keep their order without knowing of each other. Nothing here takes an announcement away: where that is wanted, it is
/// lowered to `drain`, and the rest is up to the guard.
pub fn lower(
    bases: &BTreeMap<String, Preference>,
    site: &str,
    levels: &Levels,
    causes: &[Cause],
) -> Lowered {
    let base = bases.get(site).copied().unwrap_or_default();
    let mut lowered =
        Lowered { preference: base, unwanted: false, capped: false, because: Vec::new() };
    if !base.is_announced() {
        return lowered;
    }
    let ahead = bases.values().filter(|other| **other > base).count();
    let ahead = u8::try_from(ahead).unwrap_or(u8::MAX);
    for cause in causes {
        if let Effect::LowerBy(step) = cause.effect {
            let left = lowered.preference.0.saturating_sub(step).max(1);
            lowered.take(Preference(left), cause, levels);
        }
    }
    for cause in causes {
        let Effect::Level(level) = cause.effect else { continue };
        lowered.capped = true;
        let unwanted = !level.is_announced();
        let most = if unwanted { levels.drained() } else { level };
        let most = Preference(most.0.saturating_sub(ahead).max(1));
        if most < lowered.preference || (unwanted && !lowered.unwanted) {
            lowered.take(most.min(lowered.preference), cause, levels);
        }
        lowered.unwanted |= unwanted;
    }
    lowered
}

impl Lowered {
    fn take(&mut self, preference: Preference, cause: &Cause, levels: &Levels) {
        self.preference = preference;
        self.because.push(Because::Lowered {
            what: cause.what.clone(),
            preference,
            level: levels.describe(preference),
        });
    }

    /// It is announced no more.
    pub fn withdraw(&mut self, what: String, levels: &Levels) {
        self.take(
            Preference::NONE,
            &Cause { what, effect: Effect::Level(Preference::NONE) },
            levels,
        );
    }

    /// A guard keeps it as it is.
    pub fn hold(&mut self, guard: String, levels: &Levels) {
        let preference = self.preference;
        self.because.push(Because::Guarded {
            guard,
            preference,
            level: levels.describe(preference),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Group, OnAllDown};

    fn policy(need: Need) -> Policy {
        Policy {
            checks: ["a", "b", "c"].map(str::to_owned).into(),
            need,
            on_down: Effect::Level(Preference(10)),
            on_slow: Some(Effect::LowerBy(20)),
            on_late: 30,
            on_all_down: OnAllDown::Keep,
        }
    }

    fn counted(states: [(State, u8); 3]) -> impl Fn(&str) -> Counted {
        move |name| {
            let (state, grade) = states[usize::from(name.as_bytes()[0] - b'a')];
            Counted { state, grade }
        }
    }

    #[test]
    fn the_worst_the_best_or_the_nth_best_check_counts() {
        use State::{Down, Slow, Up};
        let judge = |need, states| {
            let judged = policy(need).judge(counted(states));
            (judged.state, judged.grade)
        };
        let mixed = [(Down, 0), (Up, 1), (Slow, 0)];
        assert_eq!(judge(Need::All, mixed), (Down, 3));
        assert_eq!(judge(Need::Any, mixed), (Up, 0));
        assert_eq!(judge(Need::AtLeast(2), mixed), (Slow, 1));
        assert_eq!(judge(Need::AtLeast(3), mixed), (Down, 3));
        // The only one that serves is late; that the others are down does not make it good.
        assert_eq!(judge(Need::Any, [(Down, 0), (Up, 2), (Down, 0)]), (Up, 2));
        assert_eq!(judge(Need::All, [(Up, 0), (Up, 0), (Up, 0)]), (Up, 0));
    }

    #[test]
    fn who_is_to_blame_is_as_bad_as_the_group() {
        use State::{Down, Slow, Up};
        let blamed = |need, states| {
            let (policy, counted) = (policy(need), counted(states));
            let judged = policy.judge(&counted);
            policy.to_blame(judged, &counted).join(" ")
        };
        assert_eq!(blamed(Need::All, [(Down, 0), (Up, 0), (Slow, 0)]), "a");
        assert_eq!(blamed(Need::AtLeast(2), [(Down, 0), (Up, 0), (Slow, 0)]), "a c");
        assert_eq!(blamed(Need::All, [(Up, 0), (Up, 2), (Up, 1)]), "b");
    }

    #[test]
    fn verdicts_have_effects_and_grades_are_steps() {
        let effects = |state, grade| policy(Need::All).effects(Counted { state, grade });
        assert_eq!(effects(State::Down, 3), [Effect::Level(Preference(10))]);
        assert_eq!(effects(State::Slow, 2), [Effect::LowerBy(20), Effect::LowerBy(60)]);
        assert_eq!(effects(State::Up, 1), [Effect::LowerBy(30)]);
        assert_eq!(effects(State::Up, 0), []);
    }

    /// At dc1 200, dc2 100, dc3 50, dc4 nothing.
    fn at(site: &str, effects: &[Effect]) -> Lowered {
        let base = [("dc1", 200), ("dc2", 100), ("dc3", 50)];
        let group = Group {
            base: base.map(|(site, base)| (site.to_owned(), Preference(base))).into(),
            ..Group::default()
        };
        let causes: Vec<Cause> = effects
            .iter()
            .map(|effect| Cause { what: "x is down".to_owned(), effect: *effect })
            .collect();
        lower(&group.base, site, &Levels::default(), &causes)
    }

    #[test]
    fn sites_that_are_lowered_alike_keep_their_order_and_stay() {
        let level = |site, level| at(site, &[Effect::Level(Preference(level))]).preference.0;
        assert_eq!(["dc1", "dc2", "dc3", "dc4"].map(|site| level(site, 10)), [10, 9, 8, 0]);
        assert_eq!(["dc1", "dc2", "dc3"].map(|site| level(site, 2)), [2, 1, 1]);
        // A cap raises nothing.
        assert_eq!(["dc1", "dc2", "dc3"].map(|site| level(site, 150)), [150, 100, 50]);
        let step = |site, step| at(site, &[Effect::LowerBy(step)]).preference.0;
        assert_eq!(["dc1", "dc2", "dc3", "dc4"].map(|site| step(site, 60)), [140, 40, 1, 0]);
    }

    #[test]
    fn steps_come_before_caps_and_only_what_lowers_is_named() {
        let lowered =
            at("dc1", &[Effect::Level(Preference(120)), Effect::LowerBy(50), Effect::LowerBy(50)]);
        assert_eq!((lowered.preference.0, lowered.because.len()), (100, 2));
        assert!(lowered.capped && !lowered.unwanted);
        let texts: Vec<String> = lowered.because.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["x is down: 150", "x is down: standby (100)"]);
    }

    #[test]
    fn what_is_to_be_withdrawn_is_drained_first() {
        let none = Effect::Level(Preference::NONE);
        let lowered = at("dc2", &[none, Effect::Level(Preference(10))]);
        assert_eq!((lowered.preference.0, lowered.unwanted), (9, true));
        // Also where it is that low already.
        let lowered = at("dc2", &[Effect::LowerBy(99), none]);
        assert_eq!((lowered.preference.0, lowered.unwanted, lowered.because.len()), (1, true, 2));
    }
}
