use shunt::config::{Correlated, Isolation};

use crate::{BASE, check, check_text, good, ms, read};

/// Without it the neighbor is all that could tell of other sites.
const OSPF: &str = "[ospf.interface.eth1]\n[ospf.interface.eth2]\npassive = true\n";

#[test]
fn what_guards_is_read() {
    let config = good(
        "min-sites = 3\n[guard]\nwitnesses = [\"web\"]\ncorrelated = 5\n[isolation]\n\
         neighbors = [\"isp-a\"]\nospf-interfaces = [\"eth1\"]\n[site.dc1]\nrouters = [\"192.0.2.11\"]\n\
         [site.dc2]\nrouters = [\"192.0.2.21\"]\n[site.dc3]\nrouters = [\"192.0.2.31\"]",
    );
    assert_eq!(config.guard.witnesses, ["web"]);
    let correlated = Correlated { more_than: 5, within: ms(10_000), freeze: ms(300_000) };
    assert_eq!(config.guard.correlated, Some(correlated));
    let isolation =
        Isolation { neighbors: vec!["isp-a".to_owned()], ospf_interfaces: vec!["eth1".to_owned()] };
    assert_eq!(config.isolation, Some(isolation));
    assert_eq!(config.groups["shop"].min_sites, Some(3));
    assert_eq!(config.sites.len(), 3);
    assert_eq!(good("min-sites = 0").groups["shop"].min_sites, Some(0));
}

/// Nothing is withdrawn in favour of others that cannot be seen: who asks for it is told.
#[test]
fn other_sites_are_seen_by_ospf_or_bgp() {
    let with = |import: &str, lines: &str| {
        let neighbor = format!("remote-as = 64501\n{import}");
        let text = BASE.replacen(OSPF, "", 1).replacen("remote-as = 64501\n", &neighbor, 1);
        text + lines
    };
    let reads = |import: &str, lines: &str| read(&with(import, lines)).is_ok();
    let withdrawn = "checks = [\"web\"]\non-down = \"none\"\n";
    assert!(!reads("import = \"default-only\"\n", withdrawn));
    assert!(reads("import = \"all\"\n", withdrawn));
    assert!(reads("", &format!("{withdrawn}min-sites = 0\n")));
    assert!(reads("", "checks = [\"web\"]\non-all-down = \"withdraw\"\n"), "an explicit wish");
    good(withdrawn);
    good("min-sites = 1");
    // OSPF version 2 tells of IPv4 only.
    let ipv6 = BASE.replacen("203.0.113.0/24", "2001:db8::/48", 1).replacen(
        "203.0.113.7/32\", \"203.0.113.8/32",
        "2001:db8::7/128",
        1,
    );
    assert!(read(&ipv6).is_ok() && read(&(ipv6 + withdrawn)).is_err());

    check_text(
        &with("", withdrawn),
        r#"
error: `on-down` withdraws, but no other site can be seen
  --> shunt.toml:24:11
   |
24 | on-down = "none"
   |           ^^^^^^ never withdrawn: another site must announce it first
   |
   = help: others are seen by [ospf] (IPv4) and by neighbors with `import = "all"`; `min-sites = 0` withdraws without looking
"#,
    );
    check_text(
        &with("", "min-sites = 1\n"),
        r#"
error: `min-sites` where no other site can be seen
  --> shunt.toml:23:13
   |
23 | min-sites = 1
   |             ^ nothing would ever be withdrawn: no routes to the group are learned
   |
   = help: others are seen by [ospf] (IPv4) and by neighbors with `import = "all"`; `min-sites = 0` withdraws without looking
"#,
    );
    check_text(
        &with("", "[[group.shop.rule]]\nneighbor = \"isp-a\"\nthen = 0\n"),
        r#"
error: `then` withdraws, but no other site can be seen
  --> shunt.toml:25:8
   |
25 | then = 0
   |        ^ never withdrawn: another site must announce it first
   |
   = help: others are seen by [ospf] (IPv4) and by neighbors with `import = "all"`; `min-sites = 0` withdraws without looking
"#,
    );
}

#[test]
fn isolation_names_upstreams() {
    check(
        r#"[isolation]"#,
        r#"
error: [isolation] names no upstream
  --> shunt.toml:26:1
   |
26 | [isolation]
   | ^^^^^^^^^^^ this node would never be isolated
   |
   = help: add a line such as `neighbors = ["isp-a", "isp-b"]`
"#,
    );
    check(
        r#"[isolation]
neighbors = ["isp-b"]
ospf-interfaces = ["eth2"]"#,
        r#"
error: unknown neighbor `isp-b`
  --> shunt.toml:27:14
   |
27 | neighbors = ["isp-b"]
   |              ^^^^^^^ the neighbors are: isp-a
   |
   = help: did you mean `isp-a`?

error: `eth2` never has an OSPF neighbor
  --> shunt.toml:28:20
   |
28 | ospf-interfaces = ["eth2"]
   |                    ^^^^^^ a passive or loopback interface: always down
"#,
    );
    check(
        r#"[isolation]
neighbors = []"#,
        r#"
error: `neighbors` is empty
  --> shunt.toml:27:13
   |
27 | neighbors = []
   |             ^^ expected at least one neighbor
"#,
    );
}

#[test]
fn a_router_stands_in_one_site() {
    check(
        r#"[site.dc2]"#,
        r#"
error: [site.dc2] has no `routers`
  --> shunt.toml:26:1
   |
26 | [site.dc2]
   | ^^^^^^^^^^ `routers` is missing
   |
   = help: add a line such as `routers = ["192.0.2.21"]`
"#,
    );
    check(
        r#"[site.dc2]
routers = []"#,
        r#"
error: `routers` is empty
  --> shunt.toml:27:11
   |
27 | routers = []
   |           ^^ expected at least one router id
"#,
    );
    check(
        r#"[site.DC-1]
routers = ["192.0.2.12"]"#,
        r#"
error: unknown site `DC-1`
  --> shunt.toml:26:7
   |
26 | [site.DC-1]
   |       ^^^^ [node] spells it otherwise
   |
   = help: did you mean `dc1`?
"#,
    );
    check(
        r#"[site.dc2]
routers = ["192.0.2.11"]"#,
        r#"
error: 192.0.2.11 is this node
  --> shunt.toml:27:12
   |
27 | routers = ["192.0.2.11"]
   |            ^^^^^^^^^^^^ not in dc2, says `site` of [node]
"#,
    );
    check(
        r#"[site.dc2]
routers = ["192.0.2.21"]
[site.dc3]
routers = ["192.0.2.31", "192.0.2.21"]"#,
        r#"
error: router 192.0.2.21 stands in two sites
  --> shunt.toml:29:26
   |
27 | routers = ["192.0.2.21"]
   |            ------------ and here in `dc2`
28 | [site.dc3]
29 | routers = ["192.0.2.31", "192.0.2.21"]
   |                          ^^^^^^^^^^^^ here in `dc3`
"#,
    );
    check(
        r#"[site.dc2]
routers = ["edge2", "0.0.0.0"]"#,
        r#"
error: `routers` must be four numbers, like an IPv4 address
  --> shunt.toml:27:12
   |
27 | routers = ["edge2", "0.0.0.0"]
   |            ^^^^^^^ not four numbers, like an IPv4 address
   |
   = help: written like 192.0.2.1

error: `routers` cannot be 0.0.0.0
  --> shunt.toml:27:21
   |
27 | routers = ["edge2", "0.0.0.0"]
   |                     ^^^^^^^^^ must not be zero
"#,
    );
}

#[test]
fn min_sites_can_be_reached() {
    check(
        r#"min-sites = 2"#,
        r#"
error: `min-sites` is more than there are other sites
  --> shunt.toml:26:13
   |
26 | min-sites = 2
   |             ^ never so many: 1 at most
   |
   = help: name the routers of each site in [site.NAME]; all others are one more site
"#,
    );
    check(
        r#"min-sites = 4
[site.dc1]
routers = ["192.0.2.11"]
[site.dc2]
routers = ["192.0.2.21"]
[site.dc3]
routers = ["192.0.2.31"]"#,
        r#"
error: `min-sites` is more than there are other sites
  --> shunt.toml:26:13
   |
26 | min-sites = 4
   |             ^ never so many: 3 at most
   |
   = help: name the routers of each site in [site.NAME]; all others are one more site
"#,
    );
    check(
        r#"min-sites = 256"#,
        r#"
error: `min-sites` must be from 0 to 255
  --> shunt.toml:26:13
   |
26 | min-sites = 256
   |             ^^^ out of range
"#,
    );
}

#[test]
fn a_witness_is_another_check() {
    check(
        r#"[guard]
witnesses = ["gateway"]"#,
        r#"
error: unknown check `gateway`
  --> shunt.toml:27:14
   |
27 | witnesses = ["gateway"]
   |              ^^^^^^^^^ the checks are: db, web
   |
   = help: add a section [check.gateway]
"#,
    );
    check(
        r#"checks = ["db", "web"]
[guard]
witnesses = ["web"]"#,
        r#"
error: `web` is the only witness of [guard]
  --> shunt.toml:26:17
   |
26 | checks = ["db", "web"]
   |                 ^^^^^ has no effect: while it is down, no check is believed
   |
   = help: add another witness, or another check of the same for the group
"#,
    );
}

#[test]
fn a_freeze_has_a_reason() {
    check(
        r#"[guard]
within = "1m"
freeze = "1m""#,
        r#"
error: `within` without `correlated`
  --> shunt.toml:27:10
   |
27 | within = "1m"
   |          ^^^^ has no effect: no number of changes is too many
   |
   = help: add a line such as `correlated = 3`

error: `freeze` without `correlated`
  --> shunt.toml:28:10
   |
28 | freeze = "1m"
   |          ^^^^ has no effect: no number of changes is too many
   |
   = help: add a line such as `correlated = 3`
"#,
    );
    check(
        r#"[guard]
correlated = 0
within = "100ms"
freeze = "2d""#,
        r#"
error: `correlated` must be from 1 to 1000
  --> shunt.toml:27:14
   |
27 | correlated = 0
   |              ^ out of range

error: `within` must be from 1s to 10m
  --> shunt.toml:28:10
   |
28 | within = "100ms"
   |          ^^^^^^^ out of range

error: `freeze` must be from 1s to 24h
  --> shunt.toml:29:10
   |
29 | freeze = "2d"
   |          ^^^^ out of range
"#,
    );
}

/// Else the check could never change anything.
#[test]
fn groups_that_share_a_check_are_no_correlation() {
    let shared = |more_than: usize, need: &str| {
        format!(
            "checks = [\"web\", \"db\"]\n\
             [group.other]\nprefixes = [\"203.0.113.9/32\"]\nchecks = [\"db\"]\n\
             [group.third]\nprefixes = [\"203.0.113.10/32\"]\nchecks = [\"web\", \"db\"]\nneed = {need}\n\
             [guard]\ncorrelated = {more_than}"
        )
    };
    good(&shared(3, "\"all\""));
    good(&shared(2, "\"any\""));
    check(
        &shared(2, "\"all\""),
        r#"
error: `correlated` is less than the groups that share a check
  --> shunt.toml:35:14
   |
35 | correlated = 2
   |              ^ `db` alone would freeze its 3 groups each time
   |
   = help: at least 3
"#,
    );
}
