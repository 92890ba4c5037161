//! `[fleet]`, `[fleet.node.NAME]`, and what they mean for `[site.NAME]`.

use std::collections::BTreeSet;

use shunt::config::{Config, Mistake, Secret, parse};
use shunt::types::RouterId;

const BASE: &str = r#"[node]
name = "edge1"
site = "dc1"
router-id = "192.0.2.1"

[site.dc1]
id = 1

[site.dc2]
id = 2
routers = ["192.0.2.22"]

[fleet]

[fleet.node.edge1]
site = "dc1"
addresses = ["192.0.2.1", "2001:db8::1"]
router-id = "192.0.2.1"

[fleet.node.edge2]
site = "dc2"
addresses = ["192.0.2.21"]
router-id = "192.0.2.21"
"#;

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |_| Secret::from_file(b"key\n", 0o600))
}

fn good(from: &str, to: &str) -> Config {
    assert!(BASE.contains(from), "`{from}` is not in the file");
    let text = BASE.replacen(from, to, 1);
    read(&text).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(&text, false)))
}

/// The mistakes of `BASE` with `from` replaced by `to`, as they are shown, without the lines that only draw.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(BASE.contains(from), "`{from}` is not in the file");
    let text = BASE.replacen(from, to, 1);
    let mistakes = read(&text).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.render(&text, false)).collect();
    assert_eq!(shown.join("\n\n"), expected.trim_matches('\n'));
}

fn ids(text: &[&str]) -> BTreeSet<RouterId> {
    text.iter().map(|id| RouterId(id.parse().unwrap())).collect()
}

#[test]
fn what_is_left_out_has_its_default() {
    let fleet = good("", "").fleet.unwrap();
    assert_eq!(fleet.port, 7170);
    assert_eq!(fleet.listen, fleet.nodes["edge1"].addresses);
    assert_eq!(fleet.certificate, "/etc/shunt/pki/edge1.crt");
    assert_eq!(fleet.key, "/etc/shunt/pki/edge1.key");
    assert_eq!(fleet.ca, "/etc/shunt/pki/ca.crt");
    assert_eq!(fleet.operators, None);
    assert_eq!(fleet.nodes.keys().collect::<Vec<_>>(), ["edge1", "edge2"]);
    assert_eq!(fleet.nodes["edge2"].site, "dc2");
    assert!(read(BASE.split("[fleet]").next().unwrap()).is_err(), "dc1 has no routers then");
}

#[test]
fn everything_can_be_said() {
    let keys = "[fleet]\nport = 7000\nlisten = [\"0.0.0.0\"]\ncertificate = \"/a.crt\"\n\
                key = \"/a.key\"\nca = \"/ca.crt\"\noperators = [\"alice\", \"Bob B.\"]";
    let fleet = good("[fleet]", keys).fleet.unwrap();
    assert_eq!((fleet.port, fleet.listen.len()), (7000, 1));
    assert_eq!((fleet.certificate.as_str(), fleet.key.as_str()), ("/a.crt", "/a.key"));
    let operators = fleet.operators.unwrap();
    assert!(operators.contains("alice") && operators.contains("Bob B."));
}

#[test]
fn nodes_are_routers_of_their_sites() {
    let sites = good("", "").sites;
    assert_eq!(sites["dc1"], ids(&["192.0.2.1"]));
    assert_eq!(sites["dc2"], ids(&["192.0.2.21", "192.0.2.22"]));
    // Said twice, it is the same.
    let sites = good("\"192.0.2.22\"", "\"192.0.2.21\"").sites;
    assert_eq!(sites["dc2"], ids(&["192.0.2.21"]));
}

#[test]
fn ospf_may_have_another_router_id() {
    let ospf = "[ospf]\nrouter-id = \"192.0.2.9\"\n[ospf.interface.eth1]\n[fleet]";
    good("[fleet]", ospf);
    let text = BASE.replacen("[fleet]", ospf, 1);
    let text =
        text.replace("router-id = \"192.0.2.1\"\n\n[fleet", "router-id = \"192.0.2.9\"\n\n[fleet");
    read(&text).unwrap();
}

#[test]
fn this_node_is_in_the_fleet() {
    check(
        r#"[fleet.node.edge1]"#,
        r#"[fleet.node.edge-1]"#,
        r"
error: the fleet has no node `edge1`, which is this node
  --> shunt.toml:13:1
   |
13 | [fleet]
   | ^^^^^^^ each node must be in the fleet, with the name that [node] says
   |
   = help: did you mean `edge1` instead of `edge-1`?
",
    );
    check(
        r#"site = "dc1"
addresses"#,
        r#"site = "dc2"
addresses"#,
        r#"
error: [site.dc1] has no `routers`
 --> shunt.toml:6:1
  |
6 | [site.dc1]
  | ^^^^^^^^^^ `routers` is missing
  |
  = help: add a line such as `routers = ["192.0.2.21"]`

error: `edge1` is this node
  --> shunt.toml:16:8
   |
16 | site = "dc2"
   |        ^^^^^ in `dc1`, says `site` of [node]
"#,
    );
    check(
        r#"router-id = "192.0.2.1"

[fleet"#,
        r#"router-id = "192.0.2.3"

[fleet"#,
        r#"
error: `edge1` is this node
  --> shunt.toml:18:13
   |
18 | router-id = "192.0.2.3"
   |             ^^^^^^^^^^^ its router id is 192.0.2.1, says [node]
"#,
    );
}

#[test]
fn a_site_with_nodes_has_a_number() {
    check(
        r#"[site.dc1]
id = 1"#,
        r#"[site.dc1]
routers = ["192.0.2.11"]"#,
        r"
error: [site.dc1] has no `id`
 --> shunt.toml:6:1
  |
6 | [site.dc1]
  | ^^^^^^^^^^ `id` is missing
  |
  = help: add a line such as `id = 1`
",
    );
    check(
        r#"[site.dc1]
id = 1
"#,
        r#""#,
        r#"
error: the fleet has nodes in `dc1`, but there is no [site.dc1]
  --> shunt.toml:14:8
   |
14 | site = "dc1"
   |        ^^^^^ has no number that routes could carry
   |
   = help: add a section [site.dc1] with a line such as `id = 1`
"#,
    );
    check(
        r#"site = "dc2"
addresses"#,
        r#"site = "dc3"
addresses"#,
        r#"
error: the fleet has nodes in `dc3`, but there is no [site.dc3]
  --> shunt.toml:21:8
   |
21 | site = "dc3"
   |        ^^^^^ has no number that routes could carry
   |
   = help: add a section [site.dc3] with a line such as `id = 1`
"#,
    );
}

#[test]
fn two_nodes_share_nothing() {
    check(
        r#"["192.0.2.21"]"#,
        r#"["192.0.2.1"]"#,
        r#"
error: two nodes have the address 192.0.2.1
  --> shunt.toml:22:14
   |
17 | addresses = ["192.0.2.1", "2001:db8::1"]
   |              ----------- and here `edge1`
...
22 | addresses = ["192.0.2.1"]
   |              ^^^^^^^^^^^ here `edge2`
"#,
    );
    check(
        r#"router-id = "192.0.2.21""#,
        r#"router-id = "192.0.2.1""#,
        r#"
error: two nodes have the router id 192.0.2.1
  --> shunt.toml:23:13
   |
18 | router-id = "192.0.2.1"
   |             ----------- and here `edge1`
...
23 | router-id = "192.0.2.1"
   |             ^^^^^^^^^^^ here `edge2`
"#,
    );
    check(
        r#"["192.0.2.22"]"#,
        r#"["192.0.2.1"]"#,
        r#"
error: 192.0.2.1 is this node
  --> shunt.toml:11:12
   |
11 | routers = ["192.0.2.1"]
   |            ^^^^^^^^^^^ not in dc2, says `site` of [node]

error: router 192.0.2.1 stands in two sites
  --> shunt.toml:18:13
   |
11 | routers = ["192.0.2.1"]
   |            ----------- and here in `dc2`
...
18 | router-id = "192.0.2.1"
   |             ^^^^^^^^^^^ here in `dc1`
"#,
    );
}

#[test]
fn a_node_says_where_it_is() {
    check(
        r#"addresses = ["192.0.2.21"]
"#,
        r#""#,
        r#"
error: [fleet.node.edge2] has no `addresses`
  --> shunt.toml:20:1
   |
20 | [fleet.node.edge2]
   | ^^^^^^^^^^^^^^^^^^ `addresses` is missing
   |
   = help: add a line such as `addresses = ["192.0.2.1"]`
"#,
    );
    check(
        r#"["192.0.2.21"]"#,
        r#"[]"#,
        r"
error: `addresses` is empty
  --> shunt.toml:22:13
   |
22 | addresses = []
   |             ^^ expected at least one address
",
    );
    check(
        r#"["192.0.2.21"]"#,
        r#"["0.0.0.0"]"#,
        r#"
error: 0.0.0.0 is not the address of one machine
  --> shunt.toml:22:14
   |
22 | addresses = ["0.0.0.0"]
   |              ^^^^^^^^^ expected a unicast address
"#,
    );
    check(
        r#"site = "dc2"
addresses"#,
        r#"addresses"#,
        r#"
error: [fleet.node.edge2] has no `site`
  --> shunt.toml:20:1
   |
20 | [fleet.node.edge2]
   | ^^^^^^^^^^^^^^^^^^ `site` is missing
   |
   = help: add a line such as `site = "dc1"`
"#,
    );
}

#[test]
fn files_are_named_from_the_root() {
    check(
        r#"[fleet]"#,
        r#"[fleet]
key = "edge1.key""#,
        r#"
error: `edge1.key` is not an absolute path
  --> shunt.toml:14:7
   |
14 | key = "edge1.key"
   |       ^^^^^^^^^^^ must begin with `/`
"#,
    );
}

#[test]
fn operators_have_names() {
    check(
        r#"[fleet]"#,
        r#"[fleet]
operators = [""]"#,
        r#"
error: an operator must have a name
  --> shunt.toml:14:14
   |
14 | operators = [""]
   |              ^^ not a name
"#,
    );
    check(
        r#"[fleet]"#,
        r#"[fleet]
operator = ["alice"]"#,
        r#"
error: unknown key `operator`
  --> shunt.toml:14:1
   |
14 | operator = ["alice"]
   | ^^^^^^^^ not a key of [fleet]
   |
   = help: did you mean `operators`?
"#,
    );
    check(
        r#"[fleet]"#,
        r#"[fleet]
listen = []"#,
        r"
error: `listen` is empty
  --> shunt.toml:14:10
   |
14 | listen = []
   |          ^^ expected at least one address
",
    );
}
