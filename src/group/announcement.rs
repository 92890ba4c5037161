use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Definitions, Follow, Intent, Intents, Lowered, Mark, Order, Placed, Target, bases};
use crate::types::{Preference, Prefix, Wall};

/// One prefix that this node may announce, with its preference and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub prefix: Prefix,
    /// `None` for a prefix that only an intent names.
    pub group: Option<String>,
    /// 0: not announced.
    pub preference: Preference,
    /// What its routes say of where the group is; `None`: it was never switched, or this site has no id.
    pub mark: Option<Mark>,
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
        /// A switch has decided at which site the best base is.
        placed: Option<Placed>,
    },
    /// A switch that is in progress outbids the other sites.
    Outbid {
        placed: Placed,
        preference: Preference,
        level: String,
    },
    /// Something is not as it should be.
    Lowered {
        /// As a clause: `check web is down: no answer within 1 s`.
        what: String,
        preference: Preference,
        level: String,
    },
    /// Less would be announced, or more, if a guard did not hold it back.
    Guarded {
        /// As a clause.
        guard: String,
        preference: Preference,
        level: String,
    },
    Operator {
        intent: Intent,
        preference: Preference,
        level: String,
    },
    /// The virtual router that the group follows is not Active here, and we would have announced more than that.
    Backup {
        /// By its configured name.
        router: String,
        preference: Preference,
        level: String,
    },
    /// A preferred announcer has vanished, and we would have announced less than it did.
    Survivor {
        raised: Raised,
        level: String,
    },
    /// The node is drained, and would have announced more than that.
    Drained {
        intent: Intent,
        preference: Preference,
        level: String,
    },
}

/// What decides beside the configuration and the intents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What health and rules, and the guards above them, leave of the bases; what is not in it is well.
    pub lowered: BTreeMap<Prefix, Lowered>,
    /// The virtual routers that are Active here, by their configured names.
    pub active: BTreeSet<String>,
    /// The prefixes whose preferred announcer has vanished.
    pub raised: BTreeMap<Prefix, Raised>,
    /// By group, the most that a node announces that has just started, and may have slept through a switch.
    pub disbelieved: BTreeMap<String, Preference>,
}

/// What it takes to attract the traffic of an announcer that is gone, before the network finds another way itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The least that beats what the announcer showed.
    pub preference: Preference,
    /// Who has vanished: `router 192.0.2.12 (inner2)`.
    pub over: String,
    pub since: Wall,
}

/// The preference of every prefix of every group, and of every prefix that an intent names.
///
/// In this order: the base; what health and rules lower, as far as the guards let them; the operators' intents, which
/// replace all of that; a prefix that is raised has at least that, if it is announced, not held down by a role or by its own
/// health, and the node not drained; a drain caps the rest; a group that follows a virtual router that is not Active here has
/// at most its `backup`, and less than it would have had.
///
/// An intent whose target is no longer configured, or no longer in our space, has no effect;
/// [`Definitions::target`] of its target is then an error that says why.
pub fn effective(
    definitions: Definitions<'_>,
    intents: &Intents,
    circumstances: &Circumstances,
    now: Wall,
) -> BTreeMap<Prefix, Announcement> {
    let mut announcements = BTreeMap::new();
    let mut held_down = BTreeMap::new();
    for (name, group) in definitions.groups {
        let placed = intents.placed(name);
        let bases = bases(group, placed.map(|placed| &placed.placement));
        let base = bases.get(definitions.site).copied().unwrap_or_default();
        for prefix in &group.prefixes {
            let mut announcement = Announcement {
                prefix: *prefix,
                group: Some(name.clone()),
                preference: base,
                mark: placed.and_then(|placed| definitions.mark(&placed.placement)),
                because: vec![Because::Base {
                    site: definitions.site.to_owned(),
                    preference: base,
                    level: definitions.levels.describe(base),
                    placed: placed.filter(|placed| placed.placement.site.is_some()).cloned(),
                }],
            };
            if let Some(lowered) = circumstances.lowered.get(prefix) {
                announcement.preference = lowered.preference;
                announcement.because.extend(lowered.because.iter().cloned());
            }
            if let Some(placed) = placed {
                announcement.outbid(placed, &definitions);
            }
            if let Some(most) = circumstances.disbelieved.get(name) {
                announcement.doubt(*most, &definitions);
            }
            for target in [Target::Group(name.clone()), Target::Prefix(*prefix)] {
                if let Some(intent) = intents.in_force(&target, now) {
                    announcement.apply(intent, base, &definitions);
                }
            }
            if let Some(follow) = &group.follow
                && !circumstances.active.contains(&follow.router)
            {
                held_down.insert(*prefix, follow);
            }
            announcements.insert(*prefix, announcement);
        }
    }
    for intent in intents.iter().filter(|intent| !intent.is_over(now)) {
        let Target::Prefix(prefix) = intent.target else { continue };
        if announcements.contains_key(&prefix) || !definitions.is_ours(prefix) {
            continue;
        }
        let mut announcement = Announcement {
            prefix,
            group: None,
            preference: Preference::NONE,
            mark: None,
            because: Vec::new(),
        };
        announcement.apply(intent, Preference::NONE, &definitions);
        announcements.insert(prefix, announcement);
    }
    let drain = intents.in_force(&Target::Node, now);
    if drain.is_none() {
        for (prefix, raised) in &circumstances.raised {
            let is_capped = circumstances.lowered.get(prefix).is_some_and(|lowered| lowered.capped);
            if is_capped || held_down.contains_key(prefix) {
                continue;
            }
            if let Some(announcement) = announcements.get_mut(prefix) {
                announcement.raise(raised, &definitions);
            }
        }
    }
    if let Some(intent) = drain {
        for announcement in announcements.values_mut() {
            announcement.drain(intent, &definitions);
        }
    }
    for (prefix, follow) in held_down {
        if let Some(announcement) = announcements.get_mut(&prefix) {
            announcement.back_up(follow, &definitions);
        }
    }
    announcements
}

/// When the next intent ends, and [`effective`] may give something else without any event.
pub fn next_expiry(intents: &Intents, now: Wall) -> Option<Wall> {
    intents.iter().filter(|intent| !intent.is_over(now)).filter_map(|intent| intent.expires).min()
}

impl Announcement {
    /// A switch in progress goes before health, rules and guards.
    fn outbid(&mut self, placed: &Placed, definitions: &Definitions<'_>) {
        let Some(raised) = &placed.placement.raised else { return };
        self.preference = raised.preference;
        self.because.push(Because::Outbid {
            placed: placed.clone(),
            preference: self.preference,
            level: definitions.levels.describe(self.preference),
        });
    }

    /// It may have slept through a switch.
    fn doubt(&mut self, most: Preference, definitions: &Definitions<'_>) {
        if self.preference > most {
            self.preference = most;
            self.because.push(Because::Guarded {
                guard: "just started, and the other nodes have not said yet where the group is"
                    .to_owned(),
                preference: most,
                level: definitions.levels.describe(most),
            });
        }
    }

    fn apply(&mut self, intent: &Intent, base: Preference, definitions: &Definitions<'_>) {
        self.preference = match intent.order {
            Order::Announce(Some(preference)) | Order::Prefer(preference) => preference,
            Order::Announce(None) if base.is_announced() => base,
            // `primary` is built in, so the second case is never reached.
            Order::Announce(None) => {
                definitions.levels.preference("primary").unwrap_or(Preference::MAX)
            }
            Order::Withdraw => Preference::NONE,
            Order::Drain => self.preference.min(definitions.levels.drained()),
            // Of virtual routers only.
            Order::Release => self.preference,
        };
        self.because.push(Because::Operator {
            intent: intent.clone(),
            preference: self.preference,
            level: definitions.levels.describe(self.preference),
        });
    }

    /// Both nodes of a pair are given the same orders, and the Active one has to stay ahead, or traffic comes to both.
    fn back_up(&mut self, follow: &Follow, definitions: &Definitions<'_>) {
        if self.preference.is_announced() {
            self.preference = follow.backup.min(definitions.below(self.preference));
            self.because.push(Because::Backup {
                router: follow.router.clone(),
                preference: self.preference,
                level: definitions.levels.describe(self.preference),
            });
        }
    }

    /// What is higher already, or not announced, stays as it is.
    fn raise(&mut self, raised: &Raised, definitions: &Definitions<'_>) {
        if self.preference.is_announced() && self.preference < raised.preference {
            self.preference = raised.preference;
            self.because.push(Because::Survivor {
                raised: raised.clone(),
                level: definitions.levels.describe(raised.preference),
            });
        }
    }

    /// What is lower already, or not announced, stays as it is.
    fn drain(&mut self, intent: &Intent, definitions: &Definitions<'_>) {
        let most = definitions.levels.drained();
        if self.preference > most {
            self.preference = most;
            self.because.push(Because::Drained {
                intent: intent.clone(),
                preference: most,
                level: definitions.levels.describe(most),
            });
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Base { site, level, placed, .. } => {
                write!(f, "base of site {site}: {level}")?;
                let Some(Placed { placement, owner, since, .. }) = placed else { return Ok(()) };
                let (at, epoch) = (placement.site.as_deref().unwrap_or_default(), placement.epoch);
                write!(
                    f,
                    ", switched to {at} by {owner}, epoch {epoch}, since {}",
                    since.to_seconds()
                )
            }
            Because::Outbid { placed, level, .. } => {
                write!(f, "switch by {} is in progress: raised to {level}", placed.owner)?;
                write!(f, ", since {}", placed.since.to_seconds())
            }
            Because::Lowered { what, level, .. } => write!(f, "{what}: {level}"),
            Because::Guarded { guard, level, .. } => write!(f, "guard: {guard}: {level}"),
            Because::Operator { intent, level, .. } => {
                write!(f, "operator {}: ", intent.owner)?;
                match intent.order {
                    Order::Announce(_) => write!(f, "announce at {level}")?,
                    Order::Withdraw => f.write_str("withdraw")?,
                    Order::Prefer(_) => write!(f, "prefer {level}")?,
                    Order::Drain => write!(f, "drain, so {level}")?,
                    Order::Release => f.write_str("release")?,
                }
                write_circumstances(intent, f)
            }
            Because::Backup { router, level, .. } => {
                write!(f, "virtual router {router} is not active here: {level}")
            }
            Because::Survivor { raised, level } => {
                let Raised { over, since, .. } = raised;
                write!(f, "{over} has vanished: raised to {level}, since {}", since.to_seconds())
            }
            Because::Drained { intent, level, .. } => {
                write!(f, "operator {}: drain of this node, so {level}", intent.owner)?;
                write_circumstances(intent, f)
            }
        }
    }
}

fn write_circumstances(intent: &Intent, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(reason) = &intent.reason {
        // Escaped: it is a stranger's text on the operator's terminal.
        write!(f, ", reason {reason:?}")?;
    }
    if let Some(expires) = intent.expires {
        write!(f, ", until {}", expires.to_seconds())?;
    }
    write!(f, ", since {}", intent.since.to_seconds())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::group::{Cause, Effect, Group, Levels, lower};

    const NOW: Wall = Wall::from_micros(1_795_298_296_000_250);

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn intent(target: Target, order: Order) -> Intent {
        Intent {
            target,
            order,
            owner: "alice (uid 1000)".to_owned(),
            reason: None,
            since: NOW,
            expires: None,
        }
    }

    fn payments() -> Target {
        Target::Group("payments".to_owned())
    }

    /// What is announced at `site`, where payments is at home in dc1 and has a second prefix.
    fn at(site: &str, intents: &Intents, now: Wall) -> BTreeMap<Prefix, Announcement> {
        let group = Group {
            prefixes: vec![prefix("198.51.100.7/32"), prefix("198.51.100.8/32")],
            base: [("dc1".to_owned(), Preference(200)), ("dc2".to_owned(), Preference(100))].into(),
            ..Group::default()
        };
        let definitions = Definitions {
            site,
            own_prefixes: &[prefix("198.51.100.0/24")],
            levels: &Levels::default(),
            mappings: &BTreeMap::new(),
            site_ids: &BTreeMap::new(),
            groups: &[("payments".to_owned(), group)].into(),
        };
        effective(definitions, intents, &Circumstances::default(), now)
    }

    fn of(intents: impl IntoIterator<Item = Intent>) -> Intents {
        let mut all = Intents::default();
        for intent in intents {
            all.insert(intent);
        }
        all
    }

    #[test]
    fn without_intents_each_site_has_its_base() {
        let base =
            |site| at(site, &Intents::default(), NOW)[&prefix("198.51.100.7/32")].preference.0;
        assert_eq!(["dc1", "dc2", "dc3"].map(base), [200, 100, 0]);
    }

    #[test]
    fn a_prefix_intent_goes_before_a_group_intent_before_the_base() {
        let intents = of([
            intent(payments(), Order::Prefer(Preference(10))),
            intent(Target::Prefix(prefix("198.51.100.7/32")), Order::Withdraw),
        ]);
        let announcements = at("dc1", &intents, NOW);
        let seven = &announcements[&prefix("198.51.100.7/32")];
        assert_eq!(seven.preference, Preference::NONE);
        let because: Vec<String> = seven.because.iter().map(Because::to_string).collect();
        assert_eq!(
            because,
            [
                "base of site dc1: primary (200)",
                "operator alice (uid 1000): prefer drain (10), since 2026-11-21T21:58:16Z",
                "operator alice (uid 1000): withdraw, since 2026-11-21T21:58:16Z",
            ]
        );
        assert_eq!(announcements[&prefix("198.51.100.8/32")].preference, Preference(10));
    }

    #[test]
    fn announce_means_the_base_or_else_primary() {
        let preference = |site, order| {
            let intents = of([intent(payments(), order)]);
            at(site, &intents, NOW)[&prefix("198.51.100.7/32")].preference.0
        };
        assert_eq!(preference("dc2", Order::Announce(None)), 100);
        assert_eq!(preference("dc3", Order::Announce(None)), 200);
        assert_eq!(preference("dc3", Order::Announce(Some(Preference(50)))), 50);
    }

    #[test]
    fn a_prefix_of_no_group_is_announced_if_it_is_ours() {
        let intents = of(["198.51.100.128/25", "203.0.113.0/24"]
            .map(|text| intent(Target::Prefix(prefix(text)), Order::Announce(None))));
        let announcements = at("dc1", &intents, NOW);
        let adhoc = &announcements[&prefix("198.51.100.128/25")];
        assert_eq!((adhoc.preference, &adhoc.group), (Preference(200), &None));
        assert!(!announcements.contains_key(&prefix("203.0.113.0/24")));
    }

    #[test]
    fn an_intent_ends_at_its_time() {
        let end = NOW + Duration::from_secs(7200);
        let intents = of([Intent {
            reason: Some("move\u{7}".to_owned()),
            expires: Some(end),
            ..intent(payments(), Order::Prefer(Preference(100)))
        }]);
        let before = Wall::from_micros(end.as_micros() - 1);
        let announced = &at("dc1", &intents, before)[&prefix("198.51.100.7/32")];
        assert_eq!(announced.preference, Preference(100));
        assert_eq!(
            announced.because[1].to_string(),
            "operator alice (uid 1000): prefer standby (100), reason \"move\\u{7}\", \
             until 2026-11-21T23:58:16Z, since 2026-11-21T21:58:16Z"
        );
        assert_eq!(next_expiry(&intents, before), Some(end));
        let announced = &at("dc1", &intents, end)[&prefix("198.51.100.7/32")];
        assert_eq!((announced.preference, announced.because.len()), (Preference(200), 1));
        assert_eq!(next_expiry(&intents, end), None);
    }

    #[test]
    fn a_drain_caps_what_is_announced_and_raises_nothing() {
        let prefix_of = |text: &str| Target::Prefix(prefix(text));
        let drain =
            Intent { reason: Some("new disks".to_owned()), ..intent(Target::Node, Order::Drain) };
        let intents = of([
            drain,
            intent(prefix_of("198.51.100.8/32"), Order::Prefer(Preference(5))),
            intent(prefix_of("198.51.100.9/32"), Order::Announce(None)),
            intent(prefix_of("198.51.100.10/32"), Order::Withdraw),
        ]);
        let announcements = at("dc1", &intents, NOW);
        let preference = |text| announcements[&prefix(text)].preference.0;
        // The base of 200, an order that is lower already, an ad-hoc prefix, one that is not announced.
        let last = ["7", "8", "9", "10"].map(|host| format!("198.51.100.{host}/32"));
        assert_eq!(last.each_ref().map(|text| preference(text)), [10, 5, 10, 0]);

        let because = |text| {
            let because = &announcements[&prefix(text)].because;
            because.iter().map(Because::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            because("198.51.100.7/32"),
            [
                "base of site dc1: primary (200)",
                "operator alice (uid 1000): drain of this node, so drain (10), \
                 reason \"new disks\", since 2026-11-21T21:58:16Z",
            ]
        );
        // It is named only where it decided.
        assert_eq!(because("198.51.100.8/32").len(), 2);
        assert_eq!(because("198.51.100.10/32").len(), 1);
        // A site that announces nothing goes on announcing nothing.
        assert_eq!(at("dc3", &intents, NOW)[&prefix("198.51.100.7/32")].preference.0, 0);
    }

    const WEB: &str = "198.51.100.20/32";

    /// What is announced of a group with base 200 that follows a virtual router, at standby where that is not Active.
    fn following(circumstances: &Circumstances, intents: &Intents) -> Announcement {
        let follow = Follow { router: "inside".to_owned(), backup: Preference(100) };
        let group = Group {
            prefixes: vec![prefix(WEB)],
            base: [("dc1".to_owned(), Preference(200))].into(),
            follow: Some(follow),
            ..Group::default()
        };
        let definitions = Definitions {
            site: "dc1",
            own_prefixes: &[prefix("198.51.100.0/24")],
            levels: &Levels::default(),
            mappings: &BTreeMap::new(),
            site_ids: &BTreeMap::new(),
            groups: &[("web".to_owned(), group)].into(),
        };
        effective(definitions, intents, circumstances, NOW).remove(&prefix(WEB)).unwrap()
    }

    /// Somebody at 220 has vanished who announced what `WEB` and `198.51.100.7/32` are.
    fn raised() -> BTreeMap<Prefix, Raised> {
        let raised = Raised {
            preference: Preference(221),
            over: "router 192.0.2.12 (inner2)".to_owned(),
            since: NOW,
        };
        [WEB, "198.51.100.7/32"].map(|text| (prefix(text), raised.clone())).into()
    }

    fn texts(announcement: &Announcement) -> Vec<String> {
        announcement.because.iter().map(Because::to_string).collect()
    }

    #[test]
    fn a_group_goes_with_the_role_of_its_virtual_router() {
        let active = Circumstances { active: ["inside".to_owned()].into(), ..Default::default() };
        let announced = following(&active, &Intents::default());
        assert_eq!((announced.preference, announced.because.len()), (Preference(200), 1));

        let other = Circumstances { active: ["outside".to_owned()].into(), ..Default::default() };
        for backup in [Circumstances::default(), other] {
            let announced = following(&backup, &Intents::default());
            assert_eq!(announced.preference, Preference(100));
            assert_eq!(
                texts(&announced),
                [
                    "base of site dc1: primary (200)",
                    "virtual router inside is not active here: standby (100)",
                ]
            );
        }
    }

    /// The role is a bound, for orders too; where they say less, an Active that was given the same still has more.
    #[test]
    fn an_order_for_a_group_holds_within_its_role() {
        let backup = Circumstances::default();
        let ordered = |order| {
            let of = of([intent(Target::Group("web".to_owned()), order)]);
            following(&backup, &of)
        };
        assert_eq!(ordered(Order::Prefer(Preference(250))).preference, Preference(100));
        for level in [50, 100] {
            let lower = ordered(Order::Prefer(Preference(level)));
            assert_eq!((lower.preference, lower.because.len()), (Preference(level - 1), 3));
        }
        assert_eq!(ordered(Order::Prefer(Preference(1))).preference, Preference::NONE);
        assert_eq!(ordered(Order::Withdraw).preference, Preference::NONE);
    }

    #[test]
    fn a_survivor_outbids_who_has_vanished() {
        let circumstances = Circumstances {
            active: ["inside".to_owned()].into(),
            raised: raised(),
            ..Default::default()
        };
        let announced = following(&circumstances, &Intents::default());
        assert_eq!(announced.preference, Preference(221));
        assert_eq!(
            texts(&announced),
            [
                "base of site dc1: primary (200)",
                "router 192.0.2.12 (inner2) has vanished: raised to 221, \
                 since 2026-11-21T21:58:16Z",
            ]
        );
        // Above an order as well, unless that is more already or says not to announce at all.
        let ordered = |order| {
            let of = of([intent(Target::Group("web".to_owned()), order)]);
            following(&circumstances, &of).preference.0
        };
        assert_eq!(ordered(Order::Prefer(Preference(50))), 221);
        assert_eq!(ordered(Order::Prefer(Preference(230))), 230);
        assert_eq!(ordered(Order::Withdraw), 0);
    }

    #[test]
    fn a_node_that_is_drained_or_not_active_is_no_survivor() {
        let active = ["inside".to_owned()].into();
        let drained = of([intent(Target::Node, Order::Drain)]);
        let announced =
            following(&Circumstances { active, raised: raised(), ..Default::default() }, &drained);
        assert_eq!((announced.preference, announced.because.len()), (Preference(10), 2));

        let backup = Circumstances { raised: raised(), ..Default::default() };
        assert_eq!(following(&backup, &Intents::default()).preference, Preference(100));
        // Also where the role takes nothing away, as the order is lower.
        let order = intent(Target::Prefix(prefix(WEB)), Order::Prefer(Preference(50)));
        assert_eq!(following(&backup, &of([order])).preference, Preference(49));
        // Drained with its twin it is behind that as well.
        assert_eq!(following(&backup, &drained).preference, Preference(9));
    }

    /// `WEB`, Active here, when its checks cap it at 10 or step it down to 150.
    fn lowered(effect: Effect, raised: BTreeMap<Prefix, Raised>) -> Circumstances {
        let base = [("dc1".to_owned(), Preference(200))].into();
        let group = Group { base, ..Group::default() };
        let cause = Cause { what: "check web is down: refused".to_owned(), effect };
        let lowered = lower(&group.base, "dc1", &Levels::default(), &[cause]);
        Circumstances {
            lowered: [(prefix(WEB), lowered)].into(),
            active: ["inside".to_owned()].into(),
            raised,
            disbelieved: BTreeMap::new(),
        }
    }

    #[test]
    fn health_goes_before_the_base_and_an_order_before_health() {
        let down = lowered(Effect::Level(Preference(10)), BTreeMap::new());
        let announced = following(&down, &Intents::default());
        assert_eq!(announced.preference, Preference(10));
        assert_eq!(
            texts(&announced),
            ["base of site dc1: primary (200)", "check web is down: refused: drain (10)"]
        );
        let ordered = |order| {
            let of = of([intent(Target::Group("web".to_owned()), order)]);
            following(&down, &of).preference.0
        };
        assert_eq!(ordered(Order::Prefer(Preference(150))), 150);
        assert_eq!(ordered(Order::Announce(None)), 200);
        assert_eq!(ordered(Order::Withdraw), 0);
    }

    #[test]
    fn nobody_is_outbid_with_what_is_down_here() {
        let down = lowered(Effect::Level(Preference(10)), raised());
        assert_eq!(following(&down, &Intents::default()).preference, Preference(10));
        let slow = lowered(Effect::LowerBy(50), raised());
        assert_eq!(following(&slow, &Intents::default()).preference, Preference(221));
    }

    #[test]
    fn a_drain_ends_at_its_time() {
        let end = NOW + Duration::from_secs(60);
        let intents = of([Intent { expires: Some(end), ..intent(Target::Node, Order::Drain) }]);
        let announced = |now| at("dc1", &intents, now)[&prefix("198.51.100.7/32")].clone();
        assert_eq!(announced(NOW).preference, Preference(10));
        assert_eq!(next_expiry(&intents, NOW), Some(end));
        assert_eq!((announced(end).preference, announced(end).because.len()), (Preference(200), 1));
    }

    /// A drained node has its own level `drain`, which can be given another number.
    #[test]
    fn a_drain_goes_by_the_configured_level() {
        let mut levels = Levels::default();
        levels.insert("drain", Preference(20));
        let group = Group {
            prefixes: vec![prefix("198.51.100.7/32")],
            base: [("dc1".to_owned(), Preference(200))].into(),
            ..Group::default()
        };
        let definitions = Definitions {
            site: "dc1",
            own_prefixes: &[prefix("198.51.100.0/24")],
            levels: &levels,
            mappings: &BTreeMap::new(),
            site_ids: &BTreeMap::new(),
            groups: &[("payments".to_owned(), group)].into(),
        };
        let drained = of([intent(Target::Node, Order::Drain)]);
        let announcements = effective(definitions, &drained, &Circumstances::default(), NOW);
        assert_eq!(announcements[&prefix("198.51.100.7/32")].preference, Preference(20));
    }
}
