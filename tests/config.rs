//! Every example loads, and every mistake is shown with its place and what to do.

use shunt::config::{Config, Mistake, Secret, Ttl, parse};

/// Each mistake is made by changing this one file.
const BASE: &str = include_str!("../config/minimal.toml");

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |file| match file {
        "good.secret" | "inside-1.secret" | "inside-2.secret" | "bfd-1.secret" => {
            Secret::from_file(b"key\n", 0o600)
        }
        "open.secret" => Secret::from_file(b"key\n", 0o644),
        "long.secret" => Secret::from_file(&[b'x'; 81], 0o600),
        _ => Err("cannot be read: no such file".to_owned()),
    })
}

/// The mistakes of `BASE` with `from` replaced by `to`, as they are shown.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(BASE.contains(from), "`{from}` is not in the file");
    let text = BASE.replacen(from, to, 1);
    let mistakes = read(&text).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.render(&text, false)).collect();
    assert_eq!(shown.join("\n\n"), expected.trim_matches('\n'));
}

#[test]
fn every_example_loads() {
    let mut loaded = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if let Err(mistakes) = read(&text) {
                let shown: Vec<_> = mistakes.iter().map(|m| m.render(&text, false)).collect();
                panic!("{}:\n{}", path.display(), shown.join("\n\n"));
            }
            loaded += 1;
        }
    }
    assert!(loaded >= 4);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = read(BASE).unwrap();
    let isp = &config.neighbors["isp-a"];
    assert_eq!(isp.hold_time.as_secs(), 90);
    assert_eq!(isp.send_hold_time.as_secs(), 480);
    assert_eq!((isp.maximum_prefixes, isp.ttl, isp.internal), (16, Ttl::Usual, false));
    assert_eq!((config.listen.port, config.listen.addresses.len()), (179, 2));
    assert_eq!((config.kernel.protocol, config.kernel.table), (201, 254));
    assert_eq!(config.mapping(&isp.class).map(shunt::types::Preference(200)).med, Some(55));
}

#[test]
fn a_secret_is_read_and_not_shown() {
    let config = read(&BASE.replace("export", "password-file = \"good.secret\"\nexport")).unwrap();
    let password = config.neighbors["isp-a"].password.clone().unwrap();
    assert_eq!(password.expose(), b"key");
    assert!(!format!("{config:?}").contains("key\""));
    assert!(!format!("{config:?}").contains("107, 101, 121"));
}

#[test]
fn all_mistakes_are_reported_in_the_order_of_the_text() {
    let text = BASE
        .replace("name = \"edge1\"", "nmae = \"edge1\"")
        .replace("/32", "/33")
        .replace("64496", "0");
    let places: Vec<_> =
        read(&text).unwrap_err().iter().map(|m| (m.place.line, m.place.column)).collect();
    assert_eq!(places, [(4, 1), (5, 1), (12, 13), (17, 13)]);
}

#[test]
fn a_mistake_has_a_form_for_programs() {
    let text = BASE.replace("\"primary\"", "\"primry\"");
    let mistakes = read(&text).unwrap_err();
    assert_eq!(
        serde_json::to_value(&mistakes).unwrap(),
        serde_json::json!([{
            "place": {"file": "shunt.toml", "line": 13, "column": 16},
            "message": "unknown level `primry`",
            "label": "the levels are: drain, primary, standby",
            "help": "did you mean `primary`?",
        }])
    );
}

#[test]
fn an_unknown_key_is_shown_with_the_one_that_was_meant() {
    check(
        "[neighbor.isp-a]",
        "[neighbour.isp-a]",
        "
error: unknown key `neighbour`
  --> shunt.toml:15:2
   |
15 | [neighbour.isp-a]
   |  ^^^^^^^^^ no such section
   |
   = help: did you mean `neighbor`?
",
    );
    check(
        "remote-as =",
        "remote_as =",
        "
error: [neighbor.isp-a] has no `remote-as`
  --> shunt.toml:15:1
   |
15 | [neighbor.isp-a]
   | ^^^^^^^^^^^^^^^^ `remote-as` is missing
   |
   = help: add a line such as `remote-as = 64496`

error: unknown key `remote_as`
  --> shunt.toml:17:1
   |
17 | remote_as = 64496
   | ^^^^^^^^^ not a key of [neighbor.isp-a]
   |
   = help: did you mean `remote-as`?
",
    );
    check(
        r#"export = "groups""#,
        r#"weather = "fine"
[listen]
wind = 1"#,
        r#"
error: unknown key `weather`
  --> shunt.toml:19:1
   |
19 | weather = "fine"
   | ^^^^^^^ not a key of [neighbor.isp-a]
   |
   = help: the keys are: address, remote-as, local-address, port, passive, families, next-hop-ipv4, next-hop-ipv6, class, import, export, import-policy, export-policy, rpki, role, role-strict, hold-time, connect-retry, send-hold-time, maximum-prefixes, graceful-restart, ttl-security, multihop, password-file, bfd, bfd-strict, bfd-multihop, shutdown

error: unknown key `wind`
  --> shunt.toml:21:1
   |
21 | wind = 1
   | ^^^^ not a key of [listen]
   |
   = help: the keys are: addresses, port
"#,
    );
    check(
        "[neighbor.isp-a]",
        "[neighbor]",
        r#"
error: `address` in [neighbor], not in a [neighbor.NAME]
  --> shunt.toml:16:1
   |
16 | address = "192.0.2.254"
   | ^^^^^^^ belongs to no name
   |
   = help: write the section's head as [neighbor.NAME]
"#,
    );
}

#[test]
fn what_is_not_toml_is_reported_alone() {
    check(
        r#"site = "dc1""#,
        r#"site = "dc1"#,
        r#"
error: not valid TOML: invalid basic string, expected `"`
 --> shunt.toml:6:12
  |
6 | site = "dc1
  |            ^
"#,
    );
    check(
        "asn = 64500",
        "asn = 64500
asn = 64501",
        "
error: not valid TOML: duplicate key
 --> shunt.toml:8:1
  |
8 | asn = 64501
  | ^^^
",
    );
}

#[test]
fn a_missing_section_or_key_is_named() {
    check(
        "[node]",
        "[nod]",
        "
error: the configuration has no [node]
 --> shunt.toml:1:1
  |
1 | # The least that announces something: one neighbor, one group of one address.
  | ^
  |
  = help: add [node] with name, site, asn and router-id

error: unknown key `nod`
 --> shunt.toml:4:2
  |
4 | [nod]
  |  ^^^ no such section
  |
  = help: did you mean `node`?
",
    );
    check(
        "asn = 64500
",
        "",
        "
error: [node] has no `asn`
 --> shunt.toml:4:1
  |
4 | [node]
  | ^^^^^^ `asn` is missing
  |
  = help: add a line such as `asn = 64500`
",
    );
    check(
        r#"address = "192.0.2.254"
"#,
        "",
        r#"
error: [neighbor.isp-a] has no `address`
  --> shunt.toml:15:1
   |
15 | [neighbor.isp-a]
   | ^^^^^^^^^^^^^^^^ `address` is missing
   |
   = help: add a line such as `address = "192.0.2.254"`
"#,
    );
    check(
        r#"prefixes = ["198.51.100.7/32"]
"#,
        "",
        r#"
error: [group.payments] has no `prefixes`
  --> shunt.toml:11:1
   |
11 | [group.payments]
   | ^^^^^^^^^^^^^^^^ `prefixes` is missing
   |
   = help: add a line such as `prefixes = ["198.51.100.7/32"]`
"#,
    );
}

#[test]
fn a_wrong_type_says_how_the_value_is_written() {
    check(
        "asn = 64500",
        r#"asn = "64500""#,
        r#"
error: `asn` must be a number, not a string
 --> shunt.toml:7:7
  |
7 | asn = "64500"
  |       ^^^^^^^ expected a number
  |
  = help: without quotes: 64500
"#,
    );
    check(
        r#"export = "groups""#,
        r#"passive = "true""#,
        r#"
error: `passive` must be true or false, not a string
  --> shunt.toml:19:11
   |
19 | passive = "true"
   |           ^^^^^^ expected true or false
   |
   = help: without quotes: true
"#,
    );
    check(
        r#"["198.51.100.0/24"]"#,
        r#""198.51.100.0/24""#,
        r#"
error: `own-prefixes` must be a list, not a string
 --> shunt.toml:9:16
  |
9 | own-prefixes = "198.51.100.0/24"
  |                ^^^^^^^^^^^^^^^^^ expected a list
  |
  = help: in brackets: ["198.51.100.0/24"]
"#,
    );
    check(
        r#"export = "groups""#,
        "connect-retry = 5",
        r#"
error: `connect-retry` must be a string with a unit, not a number
  --> shunt.toml:19:17
   |
19 | connect-retry = 5
   |                 ^ expected a string with a unit
   |
   = help: with a unit: "5s" or "5ms"
"#,
    );
    check(
        r#"{ dc1 = "primary" }"#,
        "{ dc1 = 1.5 }",
        "
error: `dc1` must be a level or a number, not a fraction
  --> shunt.toml:13:16
   |
13 | base = { dc1 = 1.5 }
   |                ^^^ expected a level or a number
",
    );
}

#[test]
fn a_number_has_its_range() {
    check(
        "remote-as = 64496",
        "remote-as = 23456",
        "
error: AS 23456 is reserved and cannot take part in BGP
  --> shunt.toml:17:13
   |
17 | remote-as = 23456
   |             ^^^^^ reserved
   |
   = help: private numbers are 64512 to 65534 and 4200000000 to 4294967294
",
    );
    check(
        r#"export = "groups""#,
        "maximum-prefixes = 0
[listen]
port = 65536",
        "
error: `maximum-prefixes` must be from 1 to 4294967295
  --> shunt.toml:19:20
   |
19 | maximum-prefixes = 0
   |                    ^ out of range

error: `port` must be from 1 to 65535
  --> shunt.toml:21:8
   |
21 | port = 65536
   |        ^^^^^ out of range
",
    );
    check(
        r#"export = "groups""#,
        "[kernel]
protocol = 4
table = 255",
        "
error: `protocol` must be from 5 to 255
  --> shunt.toml:20:12
   |
20 | protocol = 4
   |            ^ out of range

error: table 255 is the kernel's own table `local`
  --> shunt.toml:21:9
   |
21 | table = 255
   |         ^^^ no routes go there
   |
   = help: the usual table `main` is 254
",
    );
}

#[test]
fn a_prefix_is_written_exactly() {
    check(
        r#"198.51.100.7/32"]"#,
        r#"198.51.100.7/24"]"#,
        r#"
error: `198.51.100.7/24` has bits set behind the prefix length
  --> shunt.toml:12:13
   |
12 | prefixes = ["198.51.100.7/24"]
   |             ^^^^^^^^^^^^^^^^^ the address is inside 198.51.100.0/24
   |
   = help: did you mean `198.51.100.0/24`?
"#,
    );
    check(
        r#"198.51.100.7/32"]"#,
        r#"198.51.100.7"]"#,
        r#"
error: `198.51.100.7` is not a prefix
  --> shunt.toml:12:13
   |
12 | prefixes = ["198.51.100.7"]
   |             ^^^^^^^^^^^^^^ expected ADDRESS/LENGTH
   |
   = help: did you mean `198.51.100.7/32`?
"#,
    );
    check(
        r#"["198.51.100.0/24"]"#,
        r#"["0.0.0.0/0"]"#,
        r#"
error: `0.0.0.0/0` cannot be our own address space
 --> shunt.toml:9:17
  |
9 | own-prefixes = ["0.0.0.0/0"]
  |                 ^^^^^^^^^^^ this is the whole of the address family
"#,
    );
}

#[test]
fn a_group_keeps_to_our_space_and_to_itself() {
    check(
        r#"198.51.100.7/32"]"#,
        r#"203.0.113.7/32"]"#,
        r#"
error: 203.0.113.7/32 is outside our own address space
  --> shunt.toml:12:13
   |
12 | prefixes = ["203.0.113.7/32"]
   |             ^^^^^^^^^^^^^^^^ in none of own-prefixes
   |
   = help: own-prefixes in [node] has: 198.51.100.0/24
"#,
    );
    check(
        "[neighbor.isp-a]",
        r#"[group.web]
prefixes = ["198.51.100.7/32"]
[neighbor.isp-a]"#,
        r#"
error: 198.51.100.7/32 belongs to two groups
  --> shunt.toml:16:13
   |
12 | prefixes = ["198.51.100.7/32"]
   |             ----------------- and here to `payments`
...
16 | prefixes = ["198.51.100.7/32"]
   |             ^^^^^^^^^^^^^^^^^ here to `web`
   |
   = help: a prefix moves with one group only
"#,
    );
    check(
        r#"198.51.100.7/32"]"#,
        r#"198.51.100.7/32", "198.51.100.7/32"]"#,
        r#"
error: `prefixes` names the same twice
  --> shunt.toml:12:32
   |
12 | prefixes = ["198.51.100.7/32", "198.51.100.7/32"]
   |             -----------------  ^^^^^^^^^^^^^^^^^ again here
   |             |
   |             first here
"#,
    );
}

#[test]
fn unknown_names_are_shown_with_the_ones_there_are() {
    check(
        r#""primary""#,
        r#""primry""#,
        r#"
error: unknown level `primry`
  --> shunt.toml:13:16
   |
13 | base = { dc1 = "primry" }
   |                ^^^^^^^^ the levels are: drain, primary, standby
   |
   = help: did you mean `primary`?
"#,
    );
    check(
        r#"dc1 = "primary""#,
        r#"DC-1 = "primary""#,
        r#"
error: unknown site `DC-1`
  --> shunt.toml:13:10
   |
13 | base = { DC-1 = "primary" }
   |          ^^^^ [node] spells it otherwise
   |
   = help: did you mean `dc1`?
"#,
    );
    check(
        r#"export = "groups""#,
        r#"class = "ips"
[mapping.isp]
primary = {}"#,
        r#"
error: unknown class `ips`
  --> shunt.toml:19:9
   |
19 | class = "ips"
   |         ^^^^^ the classes are: default, isp
   |
   = help: did you mean `isp`?
"#,
    );
    check(
        r#"export = "groups""#,
        r#"export = "group""#,
        r#"
error: `export` cannot be `group`
  --> shunt.toml:19:10
   |
19 | export = "group"
   |          ^^^^^^^ expected one of: none, groups, transit
   |
   = help: did you mean `groups`?
"#,
    );
    check(
        r#"export = "groups""#,
        "[levels]
Prime = 1
full = 256",
        "
error: `Prime` cannot be a name
  --> shunt.toml:20:1
   |
20 | Prime = 1
   | ^^^^^ a name is made of small letters, digits and `-`, at most 63 of them

error: `full` must be from 1 to 255
  --> shunt.toml:21:8
   |
21 | full = 256
   |        ^^^ out of range
",
    );
}

#[test]
fn a_mapping_is_monotonic() {
    check(
        r#"export = "groups""#,
        "[mapping.isp]
standby = { med = 10 }
primary = { med = 50 }",
        "
error: step `primary` (200) would look worse to a neighbor than step `standby` (100)
  --> shunt.toml:21:19
   |
20 | standby = { med = 10 }
   | ------- the lower step
21 | primary = { med = 50 }
   |                   ^^ it has the larger med (50 against 10)
   |
   = help: a higher preference must never attract less
",
    );
    check(
        r#"export = "groups""#,
        r#"[mapping.isp]
"50" = { communities = ["64500:1"] }
drain = {}
"60" = { communities = ["graceful-shutdown"] }"#,
        r#"
error: step `60` (60) would look worse to a neighbor than step `50` (50)
  --> shunt.toml:22:24
   |
20 | "50" = { communities = ["64500:1"] }
   | ---- the lower step
21 | drain = {}
22 | "60" = { communities = ["graceful-shutdown"] }
   |                        ^^^^^^^^^^^^^^^^^^^^^ it carries graceful-shutdown alone
   |
   = help: a higher preference must never attract less
"#,
    );
    check(
        r#"export = "groups""#,
        r#"[mapping.isp]
standby = {}
"100" = {}"#,
        r#"
error: two steps for preference 100
  --> shunt.toml:21:1
   |
20 | standby = {}
   | ------- first here
21 | "100" = {}
   | ^^^^^ again here
"#,
    );
    check(
        r#"export = "groups""#,
        r#"[mapping.isp]
primary = { communities = ["graceful-shutdwon"], prepend = 33 }"#,
        r#"
error: `graceful-shutdwon` is not a community
  --> shunt.toml:20:28
   |
20 | primary = { communities = ["graceful-shutdwon"], prepend = 33 }
   |                            ^^^^^^^^^^^^^^^^^^^
   |
   = help: write ASN:NUMBER with both up to 65535, or one of graceful-shutdown, accept-own, llgr-stale, no-llgr, blackhole, no-export, no-advertise, no-export-subconfed, no-peer

error: `prepend` must be from 0 to 32
  --> shunt.toml:20:60
   |
20 | primary = { communities = ["graceful-shutdwon"], prepend = 33 }
   |                                                            ^^ out of range
"#,
    );
}

#[test]
fn two_neighbors_cannot_share_an_address() {
    check(
        r#"export = "groups""#,
        r#"[neighbor.isp-b]
address = "192.0.2.254"
remote-as = 64497"#,
        r#"
error: two neighbors have the address 192.0.2.254
  --> shunt.toml:20:11
   |
16 | address = "192.0.2.254"
   |           ------------- first here
...
20 | address = "192.0.2.254"
   |           ^^^^^^^^^^^^^ again here
"#,
    );
}

#[test]
fn an_address_is_one_machines() {
    check(
        r#""192.0.2.254""#,
        r#""fe80::1""#,
        r#"
error: fe80::1 is a link-local address
  --> shunt.toml:16:11
   |
16 | address = "fe80::1"
   |           ^^^^^^^^^ does not say on which link
   |
   = help: use a global or unique local address
"#,
    );
    check(
        r#""192.0.2.254""#,
        r#""224.0.0.5""#,
        r#"
error: 224.0.0.5 is not the address of one machine
  --> shunt.toml:16:11
   |
16 | address = "224.0.0.5"
   |           ^^^^^^^^^^^ expected a unicast address
"#,
    );
    check(
        r#"export = "groups""#,
        r#"local-address = "2001:db8::1""#,
        r#"
error: `local-address` is of the other address family
  --> shunt.toml:19:17
   |
16 | address = "192.0.2.254"
   |           ------------- the neighbor's address is ipv4
...
19 | local-address = "2001:db8::1"
   |                 ^^^^^^^^^^^^^ not ipv4
"#,
    );
}

#[test]
fn timers_keep_to_the_rfcs() {
    check(
        r#"export = "groups""#,
        r#"hold-time = "2s""#,
        r#"
error: `hold-time` must be 0s or from 3s to 65535s, in whole seconds
  --> shunt.toml:19:13
   |
19 | hold-time = "2s"
   |             ^^^^ not allowed by RFC 4271
   |
   = help: the usual value is "90s"; "0s" turns keepalives off
"#,
    );
    check(
        r#"export = "groups""#,
        r#"hold-time = "10m"
send-hold-time = "9m""#,
        r#"
error: `send-hold-time` must be longer than `hold-time`
  --> shunt.toml:20:18
   |
20 | send-hold-time = "9m"
   |                  ^^^^ not longer than 600s
   |
   = help: or "0s" to turn it off
"#,
    );
    check(
        r#"export = "groups""#,
        r#"connect-retry = "soon""#,
        r#"
error: `connect-retry` must be a span of time
  --> shunt.toml:19:17
   |
19 | connect-retry = "soon"
   |                 ^^^^^^ not a span of time
   |
   = help: written like "90s", "8m" or "1m30s"
"#,
    );
}

#[test]
fn settings_of_a_session_fit_together() {
    check(
        r#"export = "groups""#,
        r#"passive = true
[listen]
addresses = ["::"]"#,
        "
error: [neighbor.isp-a] waits for connections that nobody accepts
  --> shunt.toml:19:11
   |
19 | passive = true
   |           ^^^^ [listen] has no ipv4 address
   |
   = help: add an address in [listen], or let us dial: `passive = false`
",
    );
    check(
        r#"export = "groups""#,
        "multihop = 2
ttl-security = 1",
        "
error: `multihop` and `ttl-security` exclude each other
  --> shunt.toml:19:12
   |
19 | multihop = 2
   |            ^ sends with a small TTL
20 | ttl-security = 1
   |                - sends with TTL 255
   |
   = help: for a neighbor N hops away `ttl-security = N` is enough
",
    );
    check(
        r#"export = "groups""#,
        r#"export = "groups"
families = ["ipv4", "ipv6"]"#,
        r#"
error: [neighbor.isp-a] has no next hop for ipv6
  --> shunt.toml:20:12
   |
20 | families = ["ipv4", "ipv6"]
   |            ^^^^^^^^^^^^^^^^ ipv6 over an IPv4 session
   |
   = help: add our IPv6 address on that link: `next-hop-ipv6 = "2001:db8::1"`
"#,
    );
    check(
        r#"export = "groups""#,
        r#"next-hop-ipv6 = "2001:db8::1""#,
        r#"
error: `next-hop-ipv6` without the family ipv6
  --> shunt.toml:19:17
   |
19 | next-hop-ipv6 = "2001:db8::1"
   |                 ^^^^^^^^^^^^^ has no effect
   |
   = help: add `families = ["ipv4", "ipv6"]`
"#,
    );
    check(
        "remote-as = 64496",
        r#"remote-as = 64500
role = "customer"
multihop = 3"#,
        r#"
error: a role on an iBGP neighbor
  --> shunt.toml:18:8
   |
17 | remote-as = 64500
   |             ----- our own AS number: iBGP
18 | role = "customer"
   |        ^^^^^^^^^^ roles are for eBGP (RFC 9234)

error: `multihop` on an iBGP neighbor
  --> shunt.toml:19:12
   |
17 | remote-as = 64500
   |             ----- our own AS number: iBGP
18 | role = "customer"
19 | multihop = 3
   |            ^ has no effect: iBGP may cross any number of hops
"#,
    );
    check(
        r#"export = "groups""#,
        "role-strict = true",
        r#"
error: `role-strict` without a role
  --> shunt.toml:19:15
   |
19 | role-strict = true
   |               ^^^^ nothing to be strict about
   |
   = help: add our own role, such as `role = "customer"`
"#,
    );
    let long = format!("shutdown = \"{}\"", "x".repeat(256));
    check(
        r#"export = "groups""#,
        &long,
        &format!(
            r#"
error: `shutdown` is longer than 255 octets
  --> shunt.toml:19:12
   |
19 | ... = "{}"
   |       {} 256 octets
   |
   = help: RFC 9003 has room for no more
"#,
            "x".repeat(256),
            "^".repeat(258)
        ),
    );
}

#[test]
fn a_secret_that_cannot_be_used_says_why() {
    check(
        r#"export = "groups""#,
        r#"password-file = "none.secret""#,
        r#"
error: the secret file `none.secret` cannot be read: no such file
  --> shunt.toml:19:17
   |
19 | password-file = "none.secret"
   |                 ^^^^^^^^^^^^^ named here
"#,
    );
    check(
        r#"export = "groups""#,
        r#"password-file = "open.secret""#,
        r#"
error: the secret file `open.secret` is open to every user (mode 0644): `chmod o-rwx` it
  --> shunt.toml:19:17
   |
19 | password-file = "open.secret"
   |                 ^^^^^^^^^^^^^ named here
"#,
    );
    check(
        r#"export = "groups""#,
        r#"password-file = "long.secret""#,
        r#"
error: the secret file `long.secret` has a first line of 81 bytes: a key has at most 80
  --> shunt.toml:19:17
   |
19 | password-file = "long.secret"
   |                 ^^^^^^^^^^^^^ named here
"#,
    );
}

#[test]
fn a_cache_is_of_use_and_has_its_place() {
    let one = "[rpki.cache.one]\naddress = \"192.0.2.53\"";
    let two = "[rpki.cache.two]\naddress = \"192.0.2.53\"";
    check(
        "[neighbor.isp-a]",
        &format!("{one}\nlocal-address = \"2001:db8::1\"\n{two}\n[neighbor.isp-a]"),
        r#"
error: `local-address` is of the other address family
  --> shunt.toml:17:17
   |
16 | address = "192.0.2.53"
   |           ------------ the cache's address
17 | local-address = "2001:db8::1"
   |                 ^^^^^^^^^^^^^ not IPv4

error: the same cache as `one`
  --> shunt.toml:19:11
   |
19 | address = "192.0.2.53"
   |           ^^^^^^^^^^^^ says the same
   |
   = help: another cache is of use when it can fail alone
"#,
    );
    check(
        "export",
        "rpki = \"reject-invalid\"\nexport",
        r#"
error: `rpki = "reject-invalid"` without a cache
  --> shunt.toml:19:8
   |
19 | rpki = "reject-invalid"
   |        ^^^^^^^^^^^^^^^^ has no effect: nothing says what is valid
   |
   = help: add a section such as [rpki.cache.validator]
"#,
    );
}
