//! The area, and what it is told.

use super::{BASE, check, check_text, read};

#[test]
fn an_area_has_a_number_and_a_type() {
    check(
        r#"export = "groups""#,
        r#"export = "groups"
area = "backbone""#,
        r#"
error: `area` must be one number, or four like an IPv4 address
  --> shunt.toml:13:8
   |
13 | area = "backbone"
   |        ^^^^^^^^^^ not an area
   |
   = help: written like 1 or "0.0.0.1"
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
area = 4294967296"#,
        "
error: `area` must be from 0 to 4294967295
  --> shunt.toml:13:8
   |
13 | area = 4294967296
   |        ^^^^^^^^^^ out of range
",
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
area-type = "nsa""#,
        r#"
error: `area-type` cannot be `nsa`
  --> shunt.toml:13:13
   |
13 | area-type = "nsa"
   |             ^^^^^ expected one of: normal, stub, nssa
   |
   = help: did you mean `nssa`?
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
area-type = "nssa""#,
        r#"
error: the backbone is always a normal area
  --> shunt.toml:13:13
   |
13 | area-type = "nssa"
   |             ^^^^^^ not for area 0.0.0.0 (RFC 2328 §3.6)
   |
   = help: name the area: `area = "0.0.0.1"`
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
area = "0.0.0.0"
area-type = "stub""#,
        r#"
error: the backbone is always a normal area
  --> shunt.toml:14:13
   |
13 | area = "0.0.0.0"
   |        --------- the backbone
14 | area-type = "stub"
   |             ^^^^^^ not for area 0.0.0.0 (RFC 2328 §3.6)
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
router-id = "0.0.0.0""#,
        r#"
error: `router-id` cannot be 0.0.0.0
  --> shunt.toml:13:13
   |
13 | router-id = "0.0.0.0"
   |             ^^^^^^^^^ must not be zero
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "transit""#,
        r#"
error: `export` cannot be `transit`
  --> shunt.toml:12:10
   |
12 | export = "transit"
   |          ^^^^^^^^^ expected one of: none, groups
"#,
    );
    check(
        r#""inside""#,
        r#""insde""#,
        r#"
error: unknown class `insde`
  --> shunt.toml:13:9
   |
13 | class = "insde"
   |         ^^^^^^^ the classes are: default, inside
   |
   = help: did you mean `inside`?
"#,
    );
}

#[test]
fn delays_of_the_computation_are_in_order() {
    check(
        r#"export = "groups""#,
        r#"export = "groups"
min-ls-interval = "6s""#,
        r#"
error: `min-ls-interval` must be from 0s (off) to 5s
  --> shunt.toml:13:19
   |
13 | min-ls-interval = "6s"
   |                   ^^^^ out of range
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
spf-short-delay = "5s""#,
        r#"
error: `spf-short-delay` must not be longer than `spf-long-delay`
  --> shunt.toml:13:19
   |
13 | spf-short-delay = "5s"
   |                   ^^^^ `spf-long-delay` is 1s
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
spf-short-delay = "2s"
spf-long-delay = "1s""#,
        r#"
error: `spf-long-delay` must not be shorter than `spf-short-delay`
  --> shunt.toml:14:18
   |
13 | spf-short-delay = "2s"
   |                   ---- this one
14 | spf-long-delay = "1s"
   |                  ^^^^ `spf-short-delay` is 2s
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
spf-time-to-learn = "3s""#,
        r#"
error: `spf-time-to-learn` must be shorter than `spf-hold-down`
  --> shunt.toml:13:21
   |
13 | spf-time-to-learn = "3s"
   |                     ^^^^ `spf-hold-down` is 3s
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
spf-hold-down = "500ms""#,
        r#"
error: `spf-hold-down` must be longer than `spf-time-to-learn`
  --> shunt.toml:13:17
   |
13 | spf-hold-down = "500ms"
   |                 ^^^^^^^ `spf-time-to-learn` is 500ms
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
spf-initial-delay = 10"#,
        r#"
error: `spf-initial-delay` must be a string with a unit, not a number
  --> shunt.toml:13:21
   |
13 | spf-initial-delay = 10
   |                     ^^ expected a string with a unit
   |
   = help: with a unit: "10s" or "10ms"
"#,
    );
}

#[test]
fn a_stub_area_takes_stub_links_only() {
    let stub = BASE.replace("[ospf]", "[ospf]\narea = 1\narea-type = \"stub\"");
    for (from, to) in [
        ("[group.intranet]", "[group.intranet]\nospf = \"stub\""),
        ("203.0.113.7/32", "2001:db8:7::7/128"),
        ("\"groups\"", "\"none\""),
    ] {
        assert!(read(&stub.replace(from, to)).is_ok(), "{to}");
    }
    check(
        r#"export = "groups""#,
        r#"export = "groups"
area = 1
area-type = "stub""#,
        r#"
error: group `intranet` cannot be announced into a stub area
  --> shunt.toml:9:1
   |
 9 | [group.intranet]
   | ^^^^^^^^^^^^^^^^ as an external route
...
14 | area-type = "stub"
   |             ------ takes no externals (RFC 2328 §3.6)
   |
   = help: announce it as a stub link, `ospf = "stub"`, or make the area an NSSA
"#,
    );
}

#[test]
fn a_stub_link_has_sixteen_bits_of_metric() {
    let text = BASE
        .replace("metric = 1000", "metric = 65536")
        .replace("[group.intranet]", "[group.intranet]\nospf = \"stub\"");
    check_text(
        &text,
        r#"
error: the metric of a stub link is at most 65535
  --> shunt.toml:7:22
   |
 7 | standby = { metric = 65536 }
   |                      ^^^^^ too large
...
10 | ospf = "stub"
   |        ------ group `intranet` is announced as one
"#,
    );
    assert!(read(&text.replace("65536", "65535")).is_ok());
    // In a mapping that the area does not use, or where the group has nothing for OSPF, it may be larger.
    assert!(read(&text.replace("class = \"inside\"", "")).is_ok());
    assert!(read(&text.replace("203.0.113.7/32", "2001:db8:7::7/128")).is_ok());
}

#[test]
fn what_a_group_is_announced_as_has_its_limits() {
    check(
        r#"prefixes = ["203.0.113.7/32"]"#,
        r#"ospf = "external"
prefixes = ["203.0.113.7/32"]"#,
        r#"
error: `ospf` cannot be `external`
  --> shunt.toml:10:8
   |
10 | ospf = "external"
   |        ^^^^^^^^^^ expected one of: external-1, external-2, stub
   |
   = help: did you mean `external-1`?
"#,
    );
    check(
        r#"prefixes = ["203.0.113.7/32"]"#,
        r#"ospf = "stub"
ospf-tag = 1
prefixes = ["203.0.113.7/32"]"#,
        r#"
error: `ospf-tag` of a stub link
  --> shunt.toml:11:12
   |
10 | ospf = "stub"
   |        ------ announced as a stub link
11 | ospf-tag = 1
   |            ^ has no effect: only external routes have a tag
"#,
    );
    check(
        r#"prefixes = ["203.0.113.7/32"]"#,
        r#"ospf-tag = 4294967296
prefixes = ["203.0.113.7/32"]"#,
        "
error: `ospf-tag` must be from 0 to 4294967295
  --> shunt.toml:10:12
   |
10 | ospf-tag = 4294967296
   |            ^^^^^^^^^^ out of range
",
    );
}

#[test]
fn a_metric_is_monotonic_and_has_its_range() {
    check(
        "1000",
        "16777215",
        "
error: `metric` must be from 0 to 16777214
 --> shunt.toml:7:22
  |
7 | standby = { metric = 16777215 }
  |                      ^^^^^^^^ out of range
",
    );
    check(
        "metric = 100 ",
        "metric = 1001 ",
        "
error: step `primary` (200) would look worse to a neighbor than step `standby` (100)
 --> shunt.toml:8:22
  |
7 | standby = { metric = 1000 }
  | ------- the lower step
8 | primary = { metric = 1001 }
  |                      ^^^^ it has the larger metric (1001 against 1000)
  |
  = help: a higher preference must never attract less
",
    );
    check(
        "{ metric = 100 }",
        "{ prepend = 0 }",
        "
error: step `primary` (200) would look worse to a neighbor than step `standby` (100)
 --> shunt.toml:8:1
  |
7 | standby = { metric = 1000 }
  | ------- the lower step
8 | primary = { prepend = 0 }
  | ^^^^^^^ it has the larger metric (5500 against 1000)
  |
  = help: a higher preference must never attract less
",
    );
    check(
        "metric = 1000",
        "metric = 10",
        "
error: step `primary` (200) would look worse to a neighbor than step `standby` (100)
 --> shunt.toml:8:22
  |
7 | standby = { metric = 10 }
  | ------- the lower step
8 | primary = { metric = 100 }
  |                      ^^^ it has the larger metric (100 against 10)
  |
  = help: a higher preference must never attract less
",
    );
}

#[test]
fn a_distance_has_its_range() {
    check(
        "[ospf]
",
        "[distance]
ospf = 0
igbp = 1
[ospf]
",
        "
error: `ospf` must be from 1 to 255
  --> shunt.toml:12:8
   |
12 | ospf = 0
   |        ^ out of range

error: unknown key `igbp`
  --> shunt.toml:13:1
   |
13 | igbp = 1
   | ^^^^ not a key of [distance]
   |
   = help: did you mean `ibgp`?
",
    );
}

#[test]
fn an_as_number_is_only_needed_for_neighbors() {
    check(
        "[ospf]
",
        r#"[neighbor.isp]
address = "192.0.2.1"
remote-as = 64496
[ospf]
"#,
        "
error: [node] has no `asn`
 --> shunt.toml:1:1
  |
1 | [node]
  | ^^^^^^ `asn` is missing
  |
  = help: add a line such as `asn = 64500`
",
    );
}
