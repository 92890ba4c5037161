use std::collections::BTreeMap;
use std::fmt;

use crate::types::Preference;
use crate::wire::bgp::{Community, LargeCommunity};

/// What a class of BGP neighbours, or an OSPF area, sees of a preference. This is the one place where "higher
/// attracts" becomes BGP's attributes and OSPF's metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(Kind);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// MED is 255 - preference, LOCAL_PREF is the preference, OSPF's metric a hundred times the MED.
    #[default]
    BuiltIn,
    /// A step holds from its preference up to the next one. Never empty.
    Steps(BTreeMap<Preference, Mapped>),
}

/// The attributes that express one preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// MULTI_EXIT_DISC; lower attracts. `None`: not sent.
    pub med: Option<u32>,
    /// How often our AS number is put into AS_PATH beyond the once that eBGP needs.
    pub prepend: u8,
    /// LOCAL_PREF, for iBGP neighbours only; higher attracts. `None`: the usual 100.
    pub local_pref: Option<u32>,
    pub communities: Vec<Community>,
    pub large_communities: Vec<LargeCommunity>,
    /// OSPF's metric; lower attracts. `None`: the built-in one.
    pub metric: Option<u32>,
}

/// By these two steps a higher preference would look worse to a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotMonotonic {
    pub lower: Preference,
    pub higher: Preference,
    /// As the key is written in the configuration: `med`, `prepend`, `local-pref`, `communities`, `metric`.
    pub attribute: &'static str,
    /// What the higher step does wrong: `has the larger med (50 against 10)`.
    pub problem: String,
}

/// LOCAL_PREF where none is set: what practically every router takes for one that is absent.
const USUAL_LOCAL_PREF: u32 = 100;

impl Mapping {
    pub const BUILT_IN: Mapping = Mapping(Kind::BuiltIn);

    /// Of at least one step (without any it is the built-in mapping); refused if it is not
    /// monotonic. A missing MED counts as 0, as receivers take it (RFC 4271 §9.1.2.2), a missing metric as the
    /// built-in one.
    pub fn new(steps: BTreeMap<Preference, Mapped>) -> Result<Mapping, NotMonotonic> {
        for ((lower, low), (higher, high)) in steps.iter().zip(steps.iter().skip(1)) {
            let (lower, higher) = (*lower, *higher);
            if let Some((attribute, problem)) =
                high.worse_than(low).or_else(|| high.farther_than(low, higher))
            {
                return Err(NotMonotonic { lower, higher, attribute, problem });
            }
        }
        Ok(Mapping(if steps.is_empty() { Kind::BuiltIn } else { Kind::Steps(steps) }))
    }

    /// What the neighbours of this class see of `preference`. Below the lowest step the lowest one
    /// holds. A preference of 0 is not announced at all; the caller does not ask for it.
    pub fn map(&self, preference: Preference) -> Mapped {
        match self.step(preference) {
            Some(step) => step.clone(),
            None => Mapped {
                med: Some(u32::from(Preference::MAX.0 - preference.0)),
                local_pref: Some(u32::from(preference.0)),
                ..Mapped::default()
            },
        }
    }

    /// What an OSPF area sees of `preference`, which is announced.
    pub fn metric(&self, preference: Preference) -> u32 {
        self.step(preference)
            .and_then(|step| step.metric)
            .unwrap_or_else(|| built_in_metric(preference))
    }

    /// The least preference whose metric is lower than `metric`, which another router shows the area; the most there is
    /// if none is.
    pub fn least_beating_metric(&self, metric: u32) -> Preference {
        let mut announced = (1..=Preference::MAX.0).map(Preference);
        announced.find(|preference| self.metric(*preference) < metric).unwrap_or(Preference::MAX)
    }

    /// The most preference that looks worse than `preference` both to BGP neighbours and to an OSPF area; 0 if none does.
    pub(super) fn below(&self, preference: Preference) -> Preference {
        let mut lower = (1..preference.0).rev().map(Preference);
        let differs = |lower: &Preference| {
            self.map(*lower) != self.map(preference)
                && self.metric(*lower) > self.metric(preference)
        };
        lower.find(differs).unwrap_or(Preference::NONE)
    }

    /// The least that looks better than `preference` to everybody; `None` if nothing does.
    pub(super) fn above(&self, preference: Preference) -> Option<Preference> {
        // By its definition: what is just below it, or less, has what `preference` looks like.
        let more = preference.0.checked_add(1)?..=Preference::MAX.0;
        more.map(Preference).find(|above| self.below(*above) >= preference)
    }

    fn step(&self, preference: Preference) -> Option<&Mapped> {
        let Kind::Steps(steps) = &self.0 else { return None };
        let step = steps.range(..=preference).next_back().or_else(|| steps.first_key_value());
        step.map(|(_, mapped)| mapped)
    }
}

/// At most 25,500: a stub link has room for it too.
fn built_in_metric(preference: Preference) -> u32 {
    u32::from(Preference::MAX.0 - preference.0) * 100
}

impl Mapped {
    /// The first attribute by which a neighbour would like `self` less than `lower`.
    fn worse_than(&self, lower: &Mapped) -> Option<(&'static str, String)> {
        let (med, low_med) = (self.med.unwrap_or(0), lower.med.unwrap_or(0));
        if med > low_med {
            return Some(("med", format!("has the larger med ({med} against {low_med})")));
        }
        if self.prepend > lower.prepend {
            let (prepend, low) = (self.prepend, lower.prepend);
            return Some(("prepend", format!("prepends more ({prepend} against {low})")));
        }
        let local_pref = self.local_pref.unwrap_or(USUAL_LOCAL_PREF);
        let low_local_pref = lower.local_pref.unwrap_or(USUAL_LOCAL_PREF);
        if local_pref < low_local_pref {
            let problem =
                format!("has the smaller local-pref ({local_pref} against {low_local_pref})");
            return Some(("local-pref", problem));
        }
        let drains = |step: &Mapped| step.communities.contains(&Community::GRACEFUL_SHUTDOWN);
        if drains(self) && !drains(lower) {
            return Some(("communities", "carries graceful-shutdown alone".to_owned()));
        }
        None
    }

    /// Whether this step, which begins at `preference`, has a larger metric than `lower`, which ends there.
    fn farther_than(
        &self,
        lower: &Mapped,
        preference: Preference,
    ) -> Option<(&'static str, String)> {
        let below = Preference(preference.0.saturating_sub(1));
        let metric = self.metric.unwrap_or_else(|| built_in_metric(preference));
        let low = lower.metric.unwrap_or_else(|| built_in_metric(below));
        (metric > low)
            .then(|| ("metric", format!("has the larger metric ({metric} against {low})")))
    }
}

impl fmt::Display for NotMonotonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotMonotonic { lower, higher, problem, .. } = self;
        write!(f, "preference {higher} would look worse than {lower}: it {problem}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(med: u32, prepend: u8) -> Mapped {
        Mapped { med: Some(med), prepend, ..Mapped::default() }
    }

    fn mapping(steps: &[(u8, Mapped)]) -> Result<Mapping, NotMonotonic> {
        Mapping::new(steps.iter().map(|(p, mapped)| (Preference(*p), mapped.clone())).collect())
    }

    #[test]
    fn the_built_in_mapping_inverts_the_preference() {
        let mapped = Mapping::default().map(Preference(200));
        assert_eq!((mapped.med, mapped.local_pref, mapped.prepend), (Some(55), Some(200), 0));
        assert_eq!(Mapping::default().map(Preference(255)).med, Some(0));
    }

    #[test]
    fn what_is_below_looks_worse_to_all() {
        let below = |mapping: &Mapping, p| mapping.below(Preference(p)).0;
        let built_in = Mapping::default();
        assert_eq!([255, 100, 2, 1].map(|p| below(&built_in, p)), [254, 99, 1, 0]);
        // The lowest step holds below as well: there is nothing less to be told.
        let steps = [(10, step(200, 3)), (100, step(100, 2)), (200, step(0, 0))];
        let by_bgp = mapping(&steps).unwrap();
        assert_eq!(
            [255, 200, 150, 100, 99, 10].map(|p| below(&by_bgp, p)),
            [199, 199, 99, 99, 0, 0]
        );
        let metric = |p, med, metric| (p, Mapped { metric: Some(metric), ..step(med, 0) });
        let in_area = mapping(&[metric(10, 0, 50), metric(100, 0, 40), metric(200, 0, 40)]);
        assert_eq!([200, 100].map(|p| below(in_area.as_ref().unwrap(), p)), [99, 99]);
    }

    #[test]
    fn what_is_above_looks_better_to_all() {
        let above = |mapping: &Mapping, p| mapping.above(Preference(p)).map(|above| above.0);
        let built_in = Mapping::default();
        assert_eq!([0, 1, 100, 254].map(|p| above(&built_in, p)), [1, 2, 101, 255].map(Some));
        assert_eq!(above(&built_in, 255), None);
        let steps = [(10, step(200, 3)), (100, step(100, 2)), (200, step(0, 0))];
        let by_bgp = mapping(&steps).unwrap();
        assert_eq!(
            [0, 10, 99, 100, 199].map(|p| above(&by_bgp, p)),
            [1, 100, 100, 200, 200].map(Some)
        );
        assert_eq!(above(&by_bgp, 200), None);
        let metric = |p, med, metric| (p, Mapped { metric: Some(metric), ..step(med, 0) });
        let in_area = mapping(&[metric(10, 0, 50), metric(100, 0, 40), metric(200, 0, 40)]);
        assert_eq!([10, 100].map(|p| above(in_area.as_ref().unwrap(), p)), [Some(100), None]);
    }

    #[test]
    fn a_step_holds_up_to_the_next() {
        let mapping = mapping(&[(10, step(200, 3)), (100, step(100, 2)), (200, step(0, 0))]);
        let med = |p| mapping.as_ref().unwrap().map(Preference(p)).med;
        assert_eq!(
            [1, 10, 99, 100, 199, 200, 255].map(med),
            [200, 200, 200, 100, 100, 0, 0].map(Some)
        );
    }

    #[test]
    fn a_higher_preference_may_not_look_worse() {
        let refused = |low: Mapped, high: Mapped| {
            let error = mapping(&[(100, low), (200, high)]).unwrap_err();
            (error.attribute, error.to_string())
        };
        let head = "preference 200 would look worse than 100: it ";
        assert_eq!(
            refused(Mapped::default(), step(1, 0)),
            ("med", format!("{head}has the larger med (1 against 0)"))
        );
        assert_eq!(
            refused(step(5, 1), step(5, 2)),
            ("prepend", format!("{head}prepends more (2 against 1)"))
        );
        assert_eq!(
            refused(Mapped::default(), Mapped { local_pref: Some(99), ..Mapped::default() }),
            ("local-pref", format!("{head}has the smaller local-pref (99 against 100)"))
        );
        let draining =
            Mapped { communities: vec![Community::GRACEFUL_SHUTDOWN], ..Mapped::default() };
        assert_eq!(
            refused(Mapped::default(), draining.clone()),
            ("communities", format!("{head}carries graceful-shutdown alone"))
        );
        assert!(mapping(&[(100, draining.clone()), (200, draining)]).is_ok());
    }

    fn metric(metric: u32) -> Mapped {
        Mapped { metric: Some(metric), ..Mapped::default() }
    }

    #[test]
    fn the_metric_of_an_area_falls_as_the_preference_rises() {
        let built_in = |p| Mapping::BUILT_IN.metric(Preference(p));
        assert_eq!([1, 10, 100, 200, 255].map(built_in), [25_400, 24_500, 15_500, 5_500, 0]);

        let steps = mapping(&[(10, metric(10_000)), (100, metric(1000)), (200, metric(100))]);
        let steps = steps.unwrap();
        let of = |p| steps.metric(Preference(p));
        assert_eq!(
            [1, 10, 99, 100, 199, 200, 255].map(of),
            [10_000, 10_000, 10_000, 1000, 1000, 100, 100]
        );

        // Steps that say nothing of OSPF leave it what is built in, also between them.
        let for_bgp = mapping(&[(100, step(100, 0)), (200, step(0, 0))]).unwrap();
        assert_eq!(
            [50, 100, 150, 200].map(|p| for_bgp.metric(Preference(p))),
            [20_500, 15_500, 10_500, 5_500]
        );
    }

    #[test]
    fn the_least_preference_that_beats_another_announcer() {
        let built_in = Mapping::BUILT_IN;
        // Equal is not better.
        assert_eq!(built_in.least_beating_metric(built_in.metric(Preference(200))).0, 201);
        assert_eq!(built_in.least_beating_metric(5_501).0, 200);
        assert_eq!(built_in.least_beating_metric(u32::MAX).0, 1);
        // Nothing is better than that.
        assert_eq!(built_in.least_beating_metric(0), Preference::MAX);

        let steps = mapping(&[(10, metric(10_000)), (100, metric(1000)), (200, metric(100))]);
        let steps = steps.unwrap();
        let least = |metric| steps.least_beating_metric(metric).0;
        assert_eq!([20_000, 10_000, 1000, 100].map(least), [1, 100, 200, 255]);
    }

    /// Whatever is accepted, also with steps that have no metric, is monotonic at every preference; and what is not
    /// would not be: the built-in metric is 5600 at 199, the last preference of the lower step.
    #[test]
    fn an_accepted_mapping_never_has_a_larger_metric_for_more() {
        let choices = [
            None,
            Some(0),
            Some(100),
            Some(5_600),
            Some(15_499),
            Some(15_500),
            Some(15_600),
            Some(60_000),
        ];
        let mut refused = 0;
        for low in choices {
            for high in choices {
                let steps = [(100, low), (200, high)]
                    .map(|(p, metric)| (p, Mapped { metric, ..Mapped::default() }));
                match mapping(&steps) {
                    Ok(mapping) => {
                        let metrics: Vec<u32> =
                            (1..=255).map(|p| mapping.metric(Preference(p))).collect();
                        assert!(metrics.is_sorted_by(|a, b| a >= b), "{low:?} {high:?}");
                    }
                    Err(error) => {
                        assert_eq!(error.attribute, "metric");
                        refused += 1;
                    }
                }
            }
        }
        assert_eq!(refused, 27);
    }
}
