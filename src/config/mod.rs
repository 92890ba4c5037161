//! The configuration file: TOML text → [`Config`], a value that is known to be consistent.
//!
//! [`parse`] is pure. It never opens a file: what `password-file` names is read by a closure of the
//! caller, so that the daemon, `shunt check` and the tests go through the same checks. It does not stop at the
//! first fault: every [`Mistake`] of the text is collected, with its place and a proposal, and a
//! text with any mistake gives no `Config` at all. So a bad reload leaves what runs alone.
//!
//! How it works:
//!
//! - The text becomes a table with spans. Each section of the file is read by one function of its own
//!   file (`node`, `mappings`, `neighbors`, …) through [`section::Section`], which takes keys by type
//!   and reports unknown ones, wrong types and values out of range at their span.
//! - A value that could not be read is `None` from there on and is not reported a second time. Checks
//!   between values (a neighbour's address family, a group's prefix and `own-prefixes`) run where all
//!   they need was read.
//! - Names are resolved while reading: a level becomes a [`Preference`](crate::types::Preference), a
//!   mapping is checked to be monotonic, and what was left out has its default. Readers of a `Config` never
//!   see the text again.
//!
//! Everything is in ordered maps and has `PartialEq`: a reload compares two values, and touches the
//! neighbours that differ.

mod address;
mod bfd;
mod bmp;
mod check;
mod distance;
mod effect;
mod fleet;
mod group_policy;
mod groups;
mod guard;
mod isolation;
mod kernel;
mod mappings;
mod mistake;
mod mrt;
mod neighbor;
mod neighbors;
mod node;
mod ospf;
mod policy;
mod probe;
mod reference;
mod report;
mod rpki;
mod rule;
mod section;
mod sites;
mod switching;
mod takeover;
mod tracked;
mod value;
mod vrrp;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::DeTable;

pub use crate::types::Secret;
pub use bfd::{BfdProfile, BfdSession, BfdUse};
pub use bmp::Collector;
pub use fleet::{Fleet, FleetNode, PORT as FLEET_PORT};
pub use guard::{Correlated, Guard};
pub use isolation::Isolation;
pub use kernel::{Kernel, OnExit};
pub use mistake::{Mistake, Place};
pub use mrt::UpdateLog;
pub use neighbor::{Export, GracefulRestart, Import, Neighbor, Ttl};
pub use node::{Listen, Node};
pub use ospf::{Ospf, OspfExport};
pub use probe::ServiceProbe;
pub use rule::Rule;
pub use switching::Switching;
pub use takeover::Takeover;
pub use tracked::{Command, TrackedObject};
pub use vrrp::{Track, Vrrp};

use fleet::FleetParts;
use mappings::LevelNames;
use node::NodeParts;
use policy::PrefixLists;
use report::Report;
use section::Section;
use sites::Sight;

use crate::group::{Definitions, Group, Levels, Mapping, SiteId};
use crate::health;
use crate::ospf::Settings;
use crate::policy::Policy;
use crate::rib::Distances;
use crate::types::RouterId;

const KEYS: &[&str] = &[
    "node",
    "listen",
    "levels",
    "mapping",
    "group",
    "check",
    "isolation",
    "site",
    "fleet",
    "guard",
    "neighbor",
    "prefix-list",
    "policy",
    "ospf",
    "rpki",
    "bfd",
    "vrrp",
    "takeover",
    "distance",
    "kernel",
    "mrt",
    "bmp",
];

/// A whole configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub node: Node,
    pub listen: Listen,
    pub levels: Levels,
    /// By class. `default` is always there.
    pub mappings: BTreeMap<String, Mapping>,
    pub groups: BTreeMap<String, Group>,
    /// By group; a group without rules is not in it.
    pub rules: BTreeMap<String, Vec<Rule>>,
    /// Of every group.
    pub switching: BTreeMap<String, Switching>,
    /// By name.
    pub checks: BTreeMap<String, health::Settings>,
    /// The router ids of each site's nodes. Those that no site has are one more site together.
    pub sites: BTreeMap<String, BTreeSet<RouterId>>,
    /// How routes name the sites, of those that have a name for that.
    pub site_ids: BTreeMap<String, SiteId>,
    pub fleet: Option<Fleet>,
    pub isolation: Option<Isolation>,
    pub guard: Guard,
    /// By name.
    pub neighbors: BTreeMap<String, Neighbor>,
    /// By name.
    pub policies: BTreeMap<String, Arc<Policy>>,
    pub ospf: Option<Ospf>,
    /// By name.
    pub rpki_caches: BTreeMap<String, crate::rpki::Settings>,
    /// By name. `default` is always there.
    pub bfd_profiles: BTreeMap<String, BfdProfile>,
    /// By name.
    pub bfd_sessions: BTreeMap<String, BfdSession>,
    /// By name.
    pub vrrp: BTreeMap<String, Vrrp>,
    pub takeover: Takeover,
    pub distances: Distances,
    pub kernel: Kernel,
    pub update_log: Option<UpdateLog>,
    /// By name.
    pub collectors: BTreeMap<String, Collector>,
}

impl Config {
    /// For the router of the area, if there is to be one.
    pub fn ospf_settings(&self) -> Option<Settings> {
        let settings = self.ospf.as_ref()?.settings.clone();
        Some(Settings { max_paths: usize::from(self.kernel.max_paths), ..settings })
    }

    pub fn definitions(&self) -> Definitions<'_> {
        Definitions {
            site: &self.node.site,
            own_prefixes: &self.node.own_prefixes,
            levels: &self.levels,
            mappings: &self.mappings,
            groups: &self.groups,
            site_ids: &self.site_ids,
        }
    }

    /// The mapping of a class that a [`Neighbor`] of this configuration has.
    pub fn mapping(&self, class: &str) -> &Mapping {
        self.mappings.get(class).unwrap_or(&Mapping::BUILT_IN)
    }

    /// The profile that a user of BFD in this configuration names.
    pub fn bfd_profile(&self, name: &str) -> &BfdProfile {
        self.bfd_profiles.get(name).unwrap_or(&BfdProfile::BUILT_IN)
    }
}

/// Reads a configuration.
///
/// `path` is only shown in mistakes. `read_secret` is given the text of a `password-file`, resolves it
/// against the configuration's directory, and answers with [`Secret::from_file`] or with a sentence that goes
/// on after the file's name: `cannot be read: permission denied`. The mistakes are in the order of the text.
pub fn parse(
    text: &str,
    path: &str,
    read_secret: &mut dyn FnMut(&str) -> Result<Secret, String>,
) -> Result<Config, Vec<Mistake>> {
    let mut report = Report::new(path, text);
    let (table, faults) = DeTable::parse_recoverable(text);
    if !faults.is_empty() {
        // What could be read past a fault of syntax is guesswork: not worth reporting on.
        for fault in faults {
            let span = fault.span().unwrap_or(0..0);
            report.at(span, format!("not valid TOML: {}", fault.message()));
        }
        return Err(report.into_mistakes());
    }
    let root = Section::root(table.get_ref(), KEYS, &mut report);
    let node = NodeParts::read(&root, &mut report);
    let listen = Listen::read(&root, &mut report);
    let names = LevelNames::read(&root, &mut report);
    let mappings = mappings::read(&root, &names, &mut report);
    let (mut groups, group_sections) = groups::read(&root, &node, &names, &mut report);
    let bfd = bfd::open(&root, &mut report);
    let profiles = bfd::profile::read(bfd.as_ref(), read_secret, &mut report);
    let bfd_sessions = bfd::session::read(bfd.as_ref(), node.router_id, &profiles, &mut report);
    let classes = mappings.keys().map(String::as_str).collect();
    let context = policy::Context {
        lists: &PrefixLists::read(&root, &mut report),
        neighbors: &root.names(&["neighbor"]),
        classes: &classes,
        has_rpki: !root.names(&["rpki", "cache"]).is_empty(),
    };
    let policies = policy::read(&root, &context, &mut report);
    let rpki_caches = rpki::read(&root, &mut report);
    let kernel = Kernel::read(&root, &mut report);
    let neighbors = neighbors::read(
        &root,
        &neighbors::Context {
            asn: node.asn,
            listen: listen.as_ref(),
            classes: &classes,
            profiles: &profiles,
            policies: &policies,
            has_caches: !rpki_caches.is_empty(),
            kernel: kernel.as_ref(),
        },
        read_secret,
        &mut report,
    );
    let context =
        ospf::Context { node: &node, classes: &classes, groups: &groups, profiles: &profiles };
    let ospf = Ospf::read(&root, &context, read_secret, &mut report);
    let own_router_id = ospf.as_ref().map(|ospf| ospf.settings.router_id);
    let fleet = FleetParts::read(&root, &node, own_router_id, &mut report);
    let context = sites::Context { node: &node, own_router_id, members: &fleet.members };
    let (sites, site_ids) = sites::read(&root, &context, &mut report);
    let sight = Sight::new(&root, &node, &sites, &neighbors);
    let tracked = tracked::Names::read(&root, ospf.as_ref());
    let isolation = Isolation::read(&root, &tracked, &mut report);
    let guard = Guard::read(&root, &tracked, &mut report);
    let checks = check::read(&root, &mut report);
    let context =
        group_policy::Context { names: &names, checks: &checks, guard: &guard, sight: &sight };
    for (name, section) in &group_sections {
        if let Some(group) = groups.get_mut(name) {
            group_policy::read(section, group, &context, &mut report);
        }
    }
    guard.check_shared(&root, &groups, &mut report);
    let context = rule::Context { levels: &names, tracked: &tracked, sight: &sight };
    let rules = rule::read(&group_sections, &groups, &context, &mut report);
    let switching = switching::read(&group_sections, &groups, &checks, &mut report);
    let vrrp = vrrp::read(&root, &node, ospf.as_ref(), &tracked, &mut report);
    let takeover = Takeover::read(&root, &vrrp, &mut report);
    let distances = distance::read(&root, &mut report);
    let update_log = mrt::read(&root, &mut report);
    let collectors = bmp::read(&root, &mut report);

    let mistakes = report.into_mistakes();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    // With no mistake reported, everything was read.
    match (node.complete(), listen, takeover, distances, kernel) {
        (Some(node), Some(listen), Some(takeover), Some(distances), Some(kernel)) => Ok(Config {
            node,
            listen,
            levels: names.levels,
            mappings: whole(mappings),
            groups,
            rules,
            switching,
            checks: whole(checks),
            sites,
            site_ids,
            fleet: fleet.complete(),
            isolation,
            guard,
            neighbors,
            policies: whole(policies),
            ospf,
            rpki_caches,
            bfd_profiles: whole(profiles),
            bfd_sessions,
            vrrp,
            takeover,
            distances,
            kernel,
            update_log,
            collectors: whole(collectors),
        }),
        _ => Err(mistakes),
    }
}

/// Reads only who is in the fleet, and where: also of a file with nothing else, for who calls from elsewhere. `None`: it has no
/// fleet.
pub fn parse_fleet(text: &str, path: &str) -> Result<Option<Fleet>, Vec<Mistake>> {
    let mut report = Report::new(path, text);
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(fault) => {
            report.at(fault.span().unwrap_or(0..0), format!("not valid TOML: {}", fault.message()));
            return Err(report.into_mistakes());
        }
    };
    // What else is in it is for the daemon.
    let root = Section::root(table.get_ref(), KEYS, &mut Report::new(path, text));
    let fleet = FleetParts::read(&root, &NodeParts::default(), None, &mut report);
    match report.into_mistakes() {
        none if none.is_empty() => Ok(fleet.complete()),
        mistakes => Err(mistakes),
    }
}

fn whole<T>(sections: BTreeMap<String, Option<T>>) -> BTreeMap<String, T> {
    sections.into_iter().filter_map(|(name, section)| Some((name, section?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTATION: &str = include_str!("../../docs/configuration.md");

    /// The part of the documentation under one of its headings.
    fn part(heading: &str) -> &'static str {
        DOCUMENTATION
            .split("\n## ")
            .find_map(|part| part.strip_prefix(heading))
            .unwrap_or_else(|| panic!("no part about {heading}"))
    }

    #[test]
    fn the_documentation_has_each_key_and_no_other() {
        let sections = [
            ("`[node]`", node::NODE_KEYS),
            ("`[listen]`", node::LISTEN_KEYS),
            ("`[mapping.NAME]`", mappings::STEP_KEYS),
            ("`[group.NAME]`", groups::KEYS),
            ("`[[group.NAME.rule]]`", rule::KEYS),
            ("`[group.NAME.switch]`", switching::KEYS),
            ("`[group.NAME.probe]`", probe::KEYS),
            ("`[check.NAME]`", check::KEYS),
            ("`[isolation]`", isolation::KEYS),
            ("`[site.NAME]`", sites::KEYS),
            ("`[fleet]`", fleet::KEYS),
            ("`[fleet.node.NAME]`", fleet::NODE_KEYS),
            ("`[guard]`", guard::KEYS),
            ("`[neighbor.NAME]`", neighbors::KEYS),
            ("`[prefix-list.NAME]`", policy::prefix_list::KEYS),
            ("`[policy.NAME]`", policy::KEYS),
            ("`[[policy.NAME.rule]]`", policy::RULE_KEYS),
            ("`[policy.NAME.rule.match]`", policy::conditions::KEYS),
            ("`[policy.NAME.rule.set]`", policy::changes::KEYS),
            ("`[ospf]`", ospf::KEYS),
            ("`[ospf.interface.NAME]`", ospf::interface::KEYS),
            ("`[[ospf.interface.NAME.key]]`", ospf::authentication::KEYS),
            ("`[rpki.cache.NAME]`", rpki::KEYS),
            ("`[bfd.profile.NAME]`", bfd::profile::KEYS),
            ("`[[bfd.profile.NAME.key]]`", bfd::profile::KEY_KEYS),
            ("`[bfd.session.NAME]`", bfd::session::KEYS),
            ("`[vrrp.NAME]`", vrrp::router::KEYS),
            ("`[[vrrp.NAME.track]]`", vrrp::track::KEYS),
            ("`[takeover]`", takeover::KEYS),
            ("`[distance]`", distance::DISTANCE_KEYS),
            ("`[kernel]`", kernel::KERNEL_KEYS),
            ("`[mrt]`", mrt::KEYS),
            ("`[bmp.NAME]`", bmp::KEYS),
        ];
        for (heading, keys) in sections {
            let documented: BTreeSet<&str> = part(heading)
                .lines()
                .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
                .map(|(key, _)| key)
                .collect();
            assert_eq!(documented, keys.iter().copied().collect(), "{heading}");
        }
        // And each section has its part.
        for key in KEYS {
            let plain = format!("\n## `[{key}]`");
            let named = format!("\n## `[{key}.");
            assert!(DOCUMENTATION.contains(&plain) || DOCUMENTATION.contains(&named), "{key}");
        }
    }

    #[test]
    fn the_examples_of_the_documentation_are_one_good_configuration() {
        let text: String = DOCUMENTATION
            .split("```toml\n")
            .skip(1)
            .filter_map(|block| block.split("```").next())
            .collect();
        let config =
            read(&text).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(&text, false)));
        assert!(config.neighbors["isp-a"].password.is_some());
        assert_eq!(config.kernel.on_exit, OnExit::Withdraw);
    }

    fn read(text: &str) -> Result<Config, Vec<Mistake>> {
        parse(text, "shunt.toml", &mut |_| Secret::from_file(b"key", 0o600))
    }

    /// Nothing an editor can leave behind makes the reader or the drawing of its mistakes panic.
    #[test]
    fn a_file_damaged_anywhere_is_read_or_shown() {
        let texts = [
            include_str!("../../config/edge.toml"),
            include_str!("../../config/second-level.toml"),
            include_str!("../../config/firewall.toml"),
            include_str!("../../config/service.toml"),
        ];
        let places = texts
            .iter()
            .flat_map(|text| text.char_indices().step_by(19).map(move |(at, old)| (text, at, old)));
        for (text, at, old) in places {
            for new in ["", "\"", "é\t\u{7}", "\r\n[", "9999999999999999999999"] {
                let damaged = [&text[..at], new, &text[at + old.len_utf8()..]].concat();
                for mistake in read(&damaged).err().unwrap_or_default() {
                    assert!(mistake.render(&damaged, true).contains("shunt.toml:"));
                }
            }
        }
    }

    /// The file may have changed between reading it and showing the mistake.
    #[test]
    fn a_mistake_is_shown_beside_a_text_it_is_not_of() {
        let mistakes = read("[node]\nasn = 0").unwrap_err();
        let shown = mistakes.iter().map(|mistake| mistake.render("", false)).collect::<String>();
        assert!(shown.contains("`asn` must be from 1"), "{shown}");
    }
}
