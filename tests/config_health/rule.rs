use shunt::config::{Rule, TrackedObject};
use shunt::group::Effect;
use shunt::types::Preference;

use crate::{check, good};

#[test]
fn each_kind_of_object_is_read() {
    let others =
        "[bfd.session.far]\naddress = \"192.0.2.12\"\n[isolation]\nneighbors = [\"isp-a\"]\n";
    let rule = |lines: &str| {
        let mut config = good(&format!("{others}[[group.shop.rule]]\n{lines}"));
        config.rules.remove("shop").unwrap().remove(0)
    };
    let name = |name: &str| name.to_owned();
    for (lines, object) in [
        ("interface = \"eth7\"", TrackedObject::Interface(name("eth7"))),
        ("route = \"0.0.0.0/0\"", TrackedObject::Route("0.0.0.0/0".parse().unwrap())),
        ("neighbor = \"isp-a\"", TrackedObject::Neighbor(name("isp-a"))),
        ("ospf-interface = \"eth1\"", TrackedObject::OspfInterface(name("eth1"))),
        ("bfd = \"far\"", TrackedObject::Bfd(name("far"))),
        ("check = \"db\"", TrackedObject::Check(name("db"))),
        ("vrrp = \"inside\"", TrackedObject::Vrrp(name("inside"))),
        ("isolated = true", TrackedObject::Isolated),
    ] {
        let effect = Effect::Level(Preference(10));
        assert_eq!(rule(lines), Rule { object, effect, prefixes: Vec::new() }, "{lines}");
    }
    let one = rule("check = \"db\"\nthen = \"-5\"\nprefixes = [\"203.0.113.8/32\"]");
    assert_eq!(
        (one.effect, one.prefixes),
        (Effect::LowerBy(5), vec!["203.0.113.8/32".parse().unwrap()])
    );
}

#[test]
fn rules_are_in_the_order_of_the_file() {
    // One object may have different effects on different prefixes.
    let config = good(
        "[[group.shop.rule]]\nneighbor = \"isp-a\"\nprefixes = [\"203.0.113.8/32\"]\n\
         [[group.shop.rule]]\nneighbor = \"isp-a\"\nprefixes = [\"203.0.113.7/32\"]\nthen = \"-1\"",
    );
    let effects: Vec<Effect> = config.rules["shop"].iter().map(|rule| rule.effect).collect();
    assert_eq!(effects, [Effect::Level(Preference(10)), Effect::LowerBy(1)]);
}

#[test]
fn a_virtual_router_tracks_a_check() {
    let config = good("[[vrrp.inside.track]]\ncheck = \"web\"\nlower-by = 60");
    let track = &config.vrrp["inside"].tracks[0];
    assert_eq!((&track.object, track.lower_by), (&TrackedObject::Check("web".to_owned()), 60));
}

#[test]
fn a_rule_follows_one_thing() {
    check(
        r#"[[group.shop.rule]]
then = "-20""#,
        r#"
error: [[group.shop.rule]] has nothing to track
  --> shunt.toml:26:1
   |
26 | [[group.shop.rule]]
   | ^^^^^^^^^^^^^^^^^^^ no object
   |
   = help: one of: interface, route, neighbor, ospf-interface, bfd, check, vrrp, isolated
"#,
    );
    check(
        r#"[[group.shop.rule]]
route = "0.0.0.0/0"
neighbor = "isp-a""#,
        r#"
error: `neighbor` beside `route`
  --> shunt.toml:28:12
   |
27 | route = "0.0.0.0/0"
   |         ----------- tracks this
28 | neighbor = "isp-a"
   |            ^^^^^^^ one object for each rule
   |
   = help: add another section [[group.shop.rule]]
"#,
    );
    check(
        r#"[group.shop.rule]
route = "0.0.0.0/0""#,
        r#"
error: there may be several rules
  --> shunt.toml:26:1
   |
26 | [group.shop.rule]
   | ^^^^^^^^^^^^^^^^^ one section only
   |
   = help: write the section's head in double brackets: [[group.shop.rule]]
"#,
    );
    check(
        r#"[[group.shop.rule]]
file = "/run/closed""#,
        r#"
error: [[group.shop.rule]] has nothing to track
  --> shunt.toml:26:1
   |
26 | [[group.shop.rule]]
   | ^^^^^^^^^^^^^^^^^^^ no object
   |
   = help: one of: interface, route, neighbor, ospf-interface, bfd, check, vrrp, isolated

error: unknown key `file`
  --> shunt.toml:27:1
   |
27 | file = "/run/closed"
   | ^^^^ not a key of [[group.shop.rule]]
   |
   = help: the keys are: interface, route, neighbor, ospf-interface, bfd, check, vrrp, isolated, then, prefixes
"#,
    );
    check(
        r#"[[group.shop.rule]]
neighbor = "isp-a"
[[group.shop.rule]]
neighbor = "isp-a"
then = "-5"
prefixes = ["203.0.113.8/32"]"#,
        r#"
error: two rules of a group follow the same
  --> shunt.toml:29:12
   |
27 | neighbor = "isp-a"
   |            ------- first here
28 | [[group.shop.rule]]
29 | neighbor = "isp-a"
   |            ^^^^^^^ again here
"#,
    );
}

#[test]
fn what_a_rule_follows_is_there() {
    check(
        r#"[[group.shop.rule]]
interface = "an-interface-of-ours"
[[group.shop.rule]]
route = "0.0.0.0"
[[group.shop.rule]]
neighbor = "isp-b"
[[group.shop.rule]]
ospf-interface = "eth2"
[[group.shop.rule]]
bfd = "far"
[[group.shop.rule]]
check = "wbe"
[[group.shop.rule]]
vrrp = "outside"
[[group.shop.rule]]
isolated = true"#,
        r#"
error: `an-interface-of-ours` cannot be an interface
  --> shunt.toml:27:13
   |
27 | interface = "an-interface-of-ours"
   |             ^^^^^^^^^^^^^^^^^^^^^^ the kernel's names have at most 15 letters

error: `0.0.0.0` is not a prefix
  --> shunt.toml:29:9
   |
29 | route = "0.0.0.0"
   |         ^^^^^^^^^ expected ADDRESS/LENGTH
   |
   = help: did you mean `0.0.0.0/0`?

error: unknown neighbor `isp-b`
  --> shunt.toml:31:12
   |
31 | neighbor = "isp-b"
   |            ^^^^^^^ the neighbors are: isp-a
   |
   = help: did you mean `isp-a`?

error: `eth2` never has an OSPF neighbor
  --> shunt.toml:33:18
   |
33 | ospf-interface = "eth2"
   |                  ^^^^^^ a passive or loopback interface: always down

error: unknown BFD session `far`
  --> shunt.toml:35:7
   |
35 | bfd = "far"
   |       ^^^^^ there are no BFD sessions
   |
   = help: add a section [bfd.session.far]

error: unknown check `wbe`
  --> shunt.toml:37:9
   |
37 | check = "wbe"
   |         ^^^^^ the checks are: db, web
   |
   = help: did you mean `web`?

error: unknown virtual router `outside`
  --> shunt.toml:39:8
   |
39 | vrrp = "outside"
   |        ^^^^^^^^^ the virtual routers are: inside
   |
   = help: add a section [vrrp.outside]

error: `isolated` without [isolation]
  --> shunt.toml:41:12
   |
41 | isolated = true
   |            ^^^^ nobody says which the upstreams are
   |
   = help: add [isolation] with a line such as `neighbors = ["isp-a", "isp-b"]`
"#,
    );
    check(
        r#"[isolation]
neighbors = ["isp-a"]
[[group.shop.rule]]
isolated = false"#,
        r#"
error: `isolated` is true, or left out
  --> shunt.toml:29:12
   |
29 | isolated = false
   |            ^^^^^ tracks nothing
"#,
    );
    check(
        r#"[[vrrp.inside.track]]
check = "wbe""#,
        r#"
error: unknown check `wbe`
  --> shunt.toml:27:9
   |
27 | check = "wbe"
   |         ^^^^^ the checks are: db, web
   |
   = help: did you mean `web`?
"#,
    );
}

#[test]
fn a_rule_lowers_prefixes_of_its_group() {
    check(
        r#"[[group.shop.rule]]
neighbor = "isp-a"
prefixes = ["203.0.113.9/32"]"#,
        r#"
error: 203.0.113.9/32 is not a prefix of the group
  --> shunt.toml:28:13
   |
24 | prefixes = ["203.0.113.7/32", "203.0.113.8/32"]
   |            ------------------------------------ the group's prefixes
...
28 | prefixes = ["203.0.113.9/32"]
   |             ^^^^^^^^^^^^^^^^ the rule would not lower it
"#,
    );
    check(
        r#"[[group.shop.rule]]
neighbor = "isp-a"
prefixes = []"#,
        r#"
error: `prefixes` is empty
  --> shunt.toml:28:12
   |
28 | prefixes = []
   |            ^^ the rule would lower nothing
   |
   = help: leave it out for all prefixes of the group
"#,
    );
    check(
        r#"[[group.shop.rule]]
neighbor = "isp-a"
then = "primary""#,
        r#"
error: `then` is not lower than any base of the group
  --> shunt.toml:28:8
   |
28 | then = "primary"
   |        ^^^^^^^^^ lowers nothing: no site announces more than 200
"#,
    );
}
