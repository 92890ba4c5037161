//! What a new configuration would change, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::reload::needs_new_peer;
use super::{Agent, neighbor};
use crate::config::{BfdProfile, BfdSession, Config, Fleet, Vrrp};
use crate::ospf::{InterfaceSettings, Settings};

impl Agent {
    /// What a new configuration would change, a sentence each. Changes nothing.
    pub fn preview_reload(&self, new: &Config) -> Vec<String> {
        changes(&self.config, new)
    }
}

fn changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    if old.node != new.node {
        changes.push(if old.node.asn != new.node.asn || old.node.router_id != new.node.router_id {
            "node: AS number or router id changes, every session is reset".to_owned()
        } else {
            "node: changes".to_owned()
        });
    }
    if old.levels != new.levels {
        changes.push("levels: change".to_owned());
    }
    let mappings = old.mappings.keys().chain(new.mappings.keys()).collect::<BTreeSet<_>>();
    for class in mappings {
        if old.mapping(class) != new.mapping(class) {
            changes.push(format!("mapping {class}: changes"));
        }
    }
    for change in difference("group", &old.groups, &new.groups) {
        changes.push(change);
    }
    changes.extend(health_changes(old, new));
    for (name, neighbor) in &old.neighbors {
        match new.neighbors.get(name) {
            None => changes.push(format!("neighbor {name}: removed, its session ends")),
            Some(changed) if changed == neighbor => {}
            Some(changed) if needs_new_peer(neighbor, changed) => {
                changes.push(format!(
                    "neighbor {name}: connects differently, its session is made anew"
                ));
            }
            Some(changed) => {
                let before = neighbor::settings(old, neighbor);
                let after = neighbor::settings(new, changed);
                changes.push(format!(
                    "neighbor {name}: changes, its session {}",
                    if before.keeps_session(&after) { "stays as it is" } else { "is reset" }
                ));
            }
        }
    }
    for name in new.neighbors.keys().filter(|name| !old.neighbors.contains_key(*name)) {
        changes.push(format!("neighbor {name}: added"));
    }
    for change in difference("rpki cache", &old.rpki_caches, &new.rpki_caches) {
        changes.push(change);
    }
    changes.extend(ospf_changes(old, new));
    changes.extend(bfd_changes(old, new));
    changes.extend(vrrp_changes(old, new));
    if old.takeover != new.takeover {
        changes.push("takeover: changes".to_owned());
    }
    if old.distances != new.distances {
        changes.push("distance: changes".to_owned());
    }
    if old.listen != new.listen {
        changes.push("listen: changes".to_owned());
    }
    changes.extend(difference("collector", &old.collectors, &new.collectors));
    changes.extend(optional("mrt", old.update_log.as_ref(), new.update_log.as_ref()));
    if old.kernel != new.kernel {
        changes
            .push("kernel: changes need a restart of the daemon; the old settings stay".to_owned());
    }
    changes
}

/// What decides on preferences by itself.
fn health_changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    // Rules that come and go with their group are no news.
    let stay = old.groups.keys().filter(|name| new.groups.contains_key(*name));
    for name in stay {
        if old.rules.get(name) != new.rules.get(name) {
            changes.push(format!("group {name}: its rules change"));
        }
        if old.switching.get(name) != new.switching.get(name) {
            changes.push(format!("group {name}: how it is switched changes"));
        }
    }
    let (anew, unknown) = (", its verdict begins anew", ", its verdict is forgotten");
    changes.extend(described("check", &old.checks, &new.checks, unknown, |_, _| anew));
    changes.extend(difference("site", &old.sites, &new.sites));
    changes.extend(fleet_changes(old.fleet.as_ref(), new.fleet.as_ref()));
    changes.extend(optional("isolation", old.isolation.as_ref(), new.isolation.as_ref()));
    if old.guard != new.guard {
        changes.push("guard: changes".to_owned());
    }
    changes
}

fn fleet_changes(old: Option<&Fleet>, new: Option<&Fleet>) -> Vec<String> {
    let (Some(was), Some(is)) = (old, new) else {
        return optional("fleet", old, new).into_iter().collect();
    };
    let rest = |fleet: &Fleet| Fleet { nodes: BTreeMap::new(), ..fleet.clone() };
    let mut changes = difference("fleet node", &was.nodes, &is.nodes);
    changes.extend(optional("fleet", Some(&rest(was)), Some(&rest(is))));
    changes
}

/// A section that there is once or not.
fn optional<T: PartialEq>(section: &str, old: Option<&T>, new: Option<&T>) -> Option<String> {
    let what = match (old, new) {
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        (was, is) if was != is => "changes",
        _ => return None,
    };
    Some(format!("{section}: {what}"))
}

/// What becomes of the OSPF router.
fn ospf_changes(old: &Config, new: &Config) -> Vec<String> {
    let (was, is) = match (old.ospf_settings(), new.ospf_settings()) {
        (None, None) => return Vec::new(),
        (None, Some(_)) => return vec!["ospf: added".to_owned()],
        (Some(_), None) => return vec!["ospf: removed, its adjacencies end".to_owned()],
        (Some(was), Some(is)) => (was, is),
    };
    if (was.router_id, was.area) != (is.router_id, is.area) {
        let text = "ospf: router id or area changes, its adjacencies are made anew";
        return vec![text.to_owned()];
    }
    let mut changes =
        difference("ospf interface", &ospf_interfaces(old, &was), &ospf_interfaces(new, &is));
    let rest = |settings: Settings| Settings { interfaces: BTreeMap::new(), ..settings };
    let said = |config: &Config| config.ospf.as_ref().map(|o| (o.export, o.class.clone()));
    if rest(was) != rest(is) || said(old) != said(new) {
        changes.push("ospf: changes".to_owned());
    }
    changes
}

/// What is configured of each interface, with what the router is not told.
fn ospf_interfaces<'a>(
    config: &'a Config,
    settings: &'a Settings,
) -> BTreeMap<String, impl PartialEq + use<'a>> {
    let with_others = |(name, interface): (&String, &'a InterfaceSettings)| {
        let ospf = config.ospf.as_ref();
        let bfd = ospf.and_then(|ospf| ospf.bfd.get(name));
        let follow = ospf.and_then(|ospf| ospf.follow.get(name));
        (name.clone(), (interface, bfd, follow))
    };
    settings.interfaces.iter().map(with_others).collect()
}

fn bfd_changes(old: &Config, new: &Config) -> Vec<String> {
    let profile = |was: &BfdProfile, is: &BfdProfile| {
        if was.authentication == is.authentication {
            ", its sessions take it over while they are up"
        } else {
            ", its sessions stay up only if the other side has the keys"
        }
    };
    let path = |session: &BfdSession| {
        (session.address, session.local_address, session.interface.clone(), session.multihop)
    };
    let session = |was: &BfdSession, is: &BfdSession| {
        if path(was) == path(is) { ", it stays as it is" } else { ", it begins anew" }
    };
    let mut changes = Vec::new();
    changes.extend(described("bfd profile", &old.bfd_profiles, &new.bfd_profiles, "", profile));
    changes.extend(described("bfd session", &old.bfd_sessions, &new.bfd_sessions, "", session));
    changes
}

fn vrrp_changes(old: &Config, new: &Config) -> Vec<String> {
    // What makes it another one to the others on the link, as the core has it.
    let identity = |vrrp: &Vrrp| (vrrp.interface.clone(), vrrp.vrid, vrrp.version, vrrp.is_ipv6());
    let router = |was: &Vrrp, is: &Vrrp| {
        if identity(was) != identity(is) {
            ", it begins anew as another one"
        } else if was.sync_group != is.sync_group {
            ", its role is taken anew with its sync group"
        } else if was.priority != is.priority {
            ", its role is as the new priority says"
        } else {
            ", its role stays as it is"
        }
    };
    described("vrrp", &old.vrrp, &new.vrrp, ", its addresses go", router)
}

/// Sections that have names. `removed` and what `changed` gives are what follows from that, behind a comma.
fn described<T: PartialEq>(
    kind: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    removed: &str,
    changed: impl Fn(&T, &T) -> &'static str,
) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (old.get(name), new.get(name)) {
            (Some(_), None) => Some(format!("{kind} {name}: removed{removed}")),
            (None, Some(_)) => Some(format!("{kind} {name}: added")),
            (Some(was), Some(is)) if was != is => {
                Some(format!("{kind} {name}: changes{}", changed(was, is)))
            }
            _ => None,
        })
        .collect()
}

/// The same where nothing else follows.
fn difference<T: PartialEq>(
    kind: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> Vec<String> {
    described(kind, old, new, "", |_, _| "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, parse};

    const TEXT: &str = include_str!("../../config/firewall.toml");

    fn read(text: &str) -> Config {
        let read = parse(text, "", &mut |_| Secret::from_file(b"key", 0o600));
        read.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(text, false)))
    }

    /// What the example changes to with `from` replaced by `to`, and what it says of the way back.
    fn changed(from: &str, to: &str) -> [Vec<String>; 2] {
        assert!(TEXT.contains(from), "`{from}` is not in the file");
        let [old, new] = [read(TEXT), read(&TEXT.replacen(from, to, 1))];
        [changes(&old, &new), changes(&new, &old)]
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert_eq!(changed(from, to)[0], [expected]);
    }

    #[test]
    fn a_node_of_the_fleet_comes_and_goes() {
        let fleet = |port: u16, last: &str| {
            format!(
                "[node]\nname = \"a\"\nsite = \"dc1\"\nrouter-id = \"192.0.2.1\"\n[site.dc1]\nid = 1\n\
                 [fleet]\nport = {port}\n[fleet.node.a]\nsite = \"dc1\"\naddresses = [\"192.0.2.1\"]\n\
                 router-id = \"192.0.2.1\"\n[fleet.node.b]\nsite = \"dc1\"\n\
                 addresses = [\"192.0.2.{last}\"]\nrouter-id = \"192.0.2.2\"\n"
            )
        };
        let (one, other) = (read(&fleet(7170, "2")), read(&fleet(7171, "3")));
        assert_eq!(changes(&one, &other), ["fleet node b: changes", "fleet: changes"]);
        let alone = Config { fleet: None, ..one.clone() };
        assert_eq!(changes(&alone, &one), ["fleet: added"]);
        assert_eq!(changes(&one, &alone), ["fleet: removed"]);
    }

    #[test]
    fn a_virtual_router_says_what_becomes_of_its_role() {
        check(
            "priority = 150",
            "priority = 120",
            "vrrp outside: changes, its role is as the new priority says",
        );
        check(
            "interval = \"100ms\"",
            "interval = \"200ms\"",
            "vrrp outside: changes, its role stays as it is",
        );
        check("id = 1\n", "id = 2\n", "vrrp outside: changes, it begins anew as another one");
        check("lower-by = 60", "lower-by = 70", "vrrp inside: changes, its role stays as it is");
        let third = "[vrrp.third]\ninterface = \"eth4\"\nid = 1\naddresses = [\"10.9.0.1\"]\n\
                     preempt-delay = \"30s\"\nsync-group = \"firewall\"\n[vrrp.outside]";
        let [added, removed] = changed("[vrrp.outside]", third);
        assert_eq!(added, ["vrrp third: added"]);
        assert_eq!(removed, ["vrrp third: removed, its addresses go"]);
        let alone = "sync-group = \"firewall\"\n# The twin: 192.0.2.11.";
        // Of two, each is alone then.
        let text = TEXT.replacen("sync-group = \"firewall\"\n\n", "\n", 1);
        let text = text.replacen(alone, "", 1);
        let text = text.replacen("conntrackd =", "# conntrackd =", 1);
        assert_eq!(
            changes(&read(TEXT), &read(&text)),
            [
                "vrrp inside: changes, its role is taken anew with its sync group",
                "vrrp outside: changes, its role is taken anew with its sync group",
                "takeover: changes",
            ]
        );
    }

    #[test]
    fn bfd_says_what_becomes_of_its_sessions() {
        check(
            "multiplier = 3",
            "multiplier = 4",
            "bfd profile core: changes, its sessions take it over while they are up",
        );
        check(
            "meticulous-sha1",
            "keyed-sha1",
            "bfd profile core: changes, its sessions stay up only if the other side has the keys",
        );
        check("multihop = 3", "multihop = 4", "bfd session twin: changes, it begins anew");
        check(
            "router-id = \"192.0.2.12\"\n\n[ospf]",
            "[ospf]",
            "bfd session twin: changes, it stays as it is",
        );
    }

    #[test]
    fn what_an_interface_has_beside_its_router_is_a_change_of_it() {
        check("bfd-strict = true", "bfd-strict = false", "ospf interface eth1: changes");
        check("backup-cost = 1000", "backup-cost = 2000", "ospf interface eth3: changes");
    }

    #[test]
    fn what_decides_on_preferences_says_what_changes() {
        let text = include_str!("../../config/service.toml");
        let check = |from: &str, to: &str, forth: &[&str], back: &[&str]| {
            assert!(text.contains(from), "`{from}` is not in the file");
            let [old, new] = [read(text), read(&text.replacen(from, to, 1))];
            assert_eq!(changes(&old, &new), forth, "{to}");
            assert_eq!(changes(&new, &old), back, "{from}");
        };
        let same = |from, to, expected| check(from, to, &[expected], &[expected]);
        same("slow = \"300ms\"", "slow = \"400ms\"", "check web: changes, its verdict begins anew");
        same("on-slow = \"-50\"", "on-slow = \"-40\"", "group web: changes");
        same("then = \"-30\"", "then = \"-31\"", "group web: its rules change");
        let freeze = "[group.web.switch]\nfreeze = [\"22:00 - 06:00\"]\n[guard]";
        same("[guard]", freeze, "group web: how it is switched changes");
        same("\"192.0.2.22\"]", "\"192.0.2.23\"]", "site dc2: changes");
        same("correlated = 3", "correlated = 4", "guard: changes");
        same("neighbors = [\"isp-a\", \"isp-b\"]", "neighbors = [\"isp-a\"]", "isolation: changes");
        check(
            "[guard]",
            "[check.new]\nicmp = \"192.0.2.99\"\n[guard]",
            &["check new: added"],
            &["check new: removed, its verdict is forgotten"],
        );
    }

    #[test]
    fn the_commands_of_a_takeover_change_without_more() {
        check("conntrackd/conntrackd.conf", "other.conf", "takeover: changes");
        check("return-after = \"2m\"", "return-after = \"3m\"", "group intranet: changes");
        let [none, _] = changed("multiplier = 3", "multiplier = 3 ");
        assert!(none.is_empty());
    }
}
