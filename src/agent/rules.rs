//! What speaks against switching a group now, whoever wants it: its rules. Break-glass overrules them.

use super::Agent;
use crate::switch::frozen;
use crate::types::Time;

impl Agent {
    /// Why the group is not to be switched to `to` now, as a clause that says when or how it could be; the first of its rules that
    /// is against it.
    pub(super) fn rules_against(&self, group: &str, to: &str, now: Time) -> Option<String> {
        self.is_frozen(group, now)
            .or_else(|| self.has_just_moved(group, now))
            .or_else(|| self.is_gated(group))
            .or_else(|| self.leaves_too_few_sites(group, to))
    }

    fn is_frozen(&self, group: &str, now: Time) -> Option<String> {
        let freezes = &self.config.switching.get(group)?.freezes;
        let (freeze, until) = frozen(freezes, self.wall(now))?;
        let (window, until) = (&freeze.text, until.to_seconds());
        Some(format!("no switches until {until}: {group} is frozen (`{window}`)"))
    }

    fn has_just_moved(&self, group: &str, now: Time) -> Option<String> {
        let hold = self.config.switching.get(group)?.hold_after_change;
        let placed = self.orders.in_force().placed(group)?;
        placed.placement.shown().1?;
        let until = placed.since + hold;
        let (since, until_text) = (placed.since.to_seconds(), until.to_seconds());
        (self.wall(now) < until).then(|| {
            format!("no switches until {until_text}: {group} was switched at {since} (`hold-after-change`)")
        })
    }

    fn is_gated(&self, group: &str) -> Option<String> {
        let gates = &self.config.switching.get(group)?.gated_by;
        gates.iter().find_map(|check| {
            let verdict = self.checks.health.verdict(check)?;
            let (state, reason) = (verdict.state, &verdict.reason);
            (!verdict.serves()).then(|| {
                format!(
                    "no switches until check {check} is up, which is {state}: {reason} (`gated-by`)"
                )
            })
        })
    }

    /// The site that the group leaves looks who else could serve it, beside the target, which speaks for itself.
    fn leaves_too_few_sites(&self, group: &str, to: &str) -> Option<String> {
        let configured = self.config.groups.get(group)?;
        let least = usize::from(configured.min_sites.filter(|least| *least > 1)?);
        let placement = self.orders.in_force().placement(group).cloned().unwrap_or_default();
        let at = placement.at(configured)?;
        if self.config.node.site != at || at == to {
            return None;
        }
        let counted = configured.prefixes.iter().map(|prefix| 1 + self.further_sites(*prefix, to));
        let fewest = counted.min().filter(|sites| *sites < least)?;
        Some(format!(
            "without {at} only {fewest} of the {least} sites that `min-sites` wants could serve {group}: switch when another one \
             announces it as more than drained"
        ))
    }
}
