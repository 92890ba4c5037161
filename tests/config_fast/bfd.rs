use shunt::bfd::Algorithm;

use crate::{changed, check, read};

const PROFILE: &str = "multiplier = 5";
const SESSION: &str = "address = \"192.0.2.12\"";

#[track_caller]
fn check_profile(lines: &str, expected: &str) {
    check(PROFILE, lines, expected);
}

#[track_caller]
fn check_session(lines: &str, expected: &str) {
    check(SESSION, lines, expected);
}

#[test]
fn a_profile_has_its_ranges() {
    check_profile(
        r#"transmit-interval = "4ms"
receive-interval = 50
multiplier = 0"#,
        r#"
error: `transmit-interval` must be from 5ms to 60s
 --> shunt.toml:8:21
  |
8 | transmit-interval = "4ms"
  |                     ^^^^^ out of range

error: `receive-interval` must be a string with a unit, not a number
 --> shunt.toml:9:20
  |
9 | receive-interval = 50
  |                    ^^ expected a string with a unit
  |
  = help: with a unit: "50s" or "50ms"

error: `multiplier` must be from 1 to 255
  --> shunt.toml:10:14
   |
10 | multiplier = 0
   |              ^ out of range
"#,
    );
    check_profile(
        "interval = \"50ms\"",
        r#"
error: unknown key `interval`
 --> shunt.toml:8:1
  |
8 | interval = "50ms"
  | ^^^^^^^^ not a key of [bfd.profile.fast]
  |
  = help: the keys are: transmit-interval, receive-interval, multiplier, authentication, key
"#,
    );
    check(
        "[bfd.profile.fast]",
        "[bfd.profile.Fast]",
        r#"
error: `Fast` cannot be a name
 --> shunt.toml:7:14
  |
7 | [bfd.profile.Fast]
  |              ^^^^ a name is made of small letters, digits and `-`, at most 63 of them
"#,
    );
    check(
        "[bfd.profile.fast]",
        "[bfd.profiles.fast]",
        r#"
error: unknown key `profiles`
 --> shunt.toml:7:6
  |
7 | [bfd.profiles.fast]
  |      ^^^^^^^^ not a key of [bfd]
  |
  = help: did you mean `profile`?
"#,
    );
}

#[test]
fn the_default_profile_can_be_another() {
    let config = read(&changed("[bfd.profile.fast]", "[bfd.profile.default]")).unwrap();
    assert_eq!(config.bfd_profile("default").multiplier, 5);
    assert_eq!(config.bfd_profiles.len(), 1);
}

#[test]
fn keys_go_with_an_authentication() {
    let text = changed(
        PROFILE,
        r#"authentication = "keyed-sha1"
[[bfd.profile.fast.key]]
id = 0
file = "17.secret"
[[bfd.profile.fast.key]]
id = 255
file = "16.secret""#,
    );
    let config = read(&text).unwrap();
    let authentication = config.bfd_profile("fast").authentication.as_ref().unwrap();
    assert_eq!(authentication.algorithm, Algorithm::KeyedSha1);
    let keys: Vec<_> =
        authentication.keys.iter().map(|key| (key.id, key.secret.expose().len())).collect();
    assert_eq!(keys, [(0, 17), (255, 16)]);

    check_profile(
        "authentication = \"sha1\"",
        r#"
error: `authentication` cannot be `sha1`
 --> shunt.toml:8:18
  |
8 | authentication = "sha1"
  |                  ^^^^^^ expected one of: simple, keyed-md5, meticulous-md5, keyed-sha1, meticulous-sha1

error: [bfd.profile.fast] has no `key`
 --> shunt.toml:8:18
  |
8 | authentication = "sha1"
  |                  ^^^^^^ needs one
  |
  = help: add a section [[bfd.profile.fast.key]] with id and file
"#,
    );
    check_profile(
        "authentication = \"keyed-md5\"",
        r#"
error: [bfd.profile.fast] has no `key`
 --> shunt.toml:8:18
  |
8 | authentication = "keyed-md5"
  |                  ^^^^^^^^^^^ needs one
  |
  = help: add a section [[bfd.profile.fast.key]] with id and file
"#,
    );
    check_profile(
        r#"[[bfd.profile.fast.key]]
id = 1
file = "16.secret""#,
        r#"
error: `key` without `authentication`
 --> shunt.toml:8:1
  |
8 | [[bfd.profile.fast.key]]
  | ^^^^^^^^^^^^^^^^^^^^^^^^ has no effect
  |
  = help: add a line such as `authentication = "meticulous-sha1"`
"#,
    );
    check_profile(
        r#"authentication = "simple"
[bfd.profile.fast.key]
id = 1
file = "16.secret""#,
        r#"
error: there may be several keys
 --> shunt.toml:9:1
  |
9 | [bfd.profile.fast.key]
  | ^^^^^^^^^^^^^^^^^^^^^^ one section only
  |
  = help: write the section's head in double brackets: [[bfd.profile.fast.key]]
"#,
    );
}

#[test]
fn a_key_is_whole_and_fits() {
    check_profile(
        r#"authentication = "meticulous-md5"
[[bfd.profile.fast.key]]
id = 1
file = "17.secret"
[[bfd.profile.fast.key]]
id = 1
file = "16.secret"
[[bfd.profile.fast.key]]
id = 256
[[bfd.profile.fast.key]]
file = "none.secret""#,
        r#"
error: the key is too long
  --> shunt.toml:11:8
   |
11 | file = "17.secret"
   |        ^^^^^^^^^^^ 17 octets in this file's first line
   |
   = help: 16 octets at most (RFC 5880 §4.2 to 4.4)

error: two keys have the id 1
  --> shunt.toml:13:6
   |
10 | id = 1
   |      - first here
...
13 | id = 1
   |      ^ again here

error: [[bfd.profile.fast.key]] has no `file`
  --> shunt.toml:15:1
   |
15 | [[bfd.profile.fast.key]]
   | ^^^^^^^^^^^^^^^^^^^^^^^^ `file` is missing
   |
   = help: add a line such as `file = "bfd.secret"`

error: `id` must be from 0 to 255
  --> shunt.toml:16:6
   |
16 | id = 256
   |      ^^^ out of range

error: [[bfd.profile.fast.key]] has no `id`
  --> shunt.toml:17:1
   |
17 | [[bfd.profile.fast.key]]
   | ^^^^^^^^^^^^^^^^^^^^^^^^ `id` is missing
   |
   = help: add a line such as `id = 1`

error: the secret file `none.secret` cannot be read: no such file
  --> shunt.toml:18:8
   |
18 | file = "none.secret"
   |        ^^^^^^^^^^^^^ named here
"#,
    );
    check_profile(
        r#"authentication = "meticulous-sha1"
[[bfd.profile.fast.key]]
id = 1
file = "21.secret""#,
        r#"
error: the key is too long
  --> shunt.toml:11:8
   |
11 | file = "21.secret"
   |        ^^^^^^^^^^^ 21 octets in this file's first line
   |
   = help: 20 octets at most (RFC 5880 §4.2 to 4.4)
"#,
    );
}

#[test]
fn a_session_has_two_ends_of_one_family() {
    check_session(
        "",
        r#"
error: [bfd.session.far] has no `address`
 --> shunt.toml:9:1
  |
9 | [bfd.session.far]
  | ^^^^^^^^^^^^^^^^^ `address` is missing
  |
  = help: add a line such as `address = "192.0.2.2"`
"#,
    );
    check_session(
        r#"address = "192.0.2.12/32"
local-address = "0.0.0.0""#,
        r#"
error: `address` must be an address
  --> shunt.toml:10:11
   |
10 | address = "192.0.2.12/32"
   |           ^^^^^^^^^^^^^^^ not an address
   |
   = help: without a length: "192.0.2.12"

error: 0.0.0.0 is not the address of one machine
  --> shunt.toml:11:17
   |
11 | local-address = "0.0.0.0"
   |                 ^^^^^^^^^ expected a unicast address
"#,
    );
    check_session(
        r#"address = "192.0.2.12"
local-address = "2001:db8::1""#,
        r#"
error: `local-address` is of the other address family
  --> shunt.toml:11:17
   |
10 | address = "192.0.2.12"
   |           ------------ the other side's
11 | local-address = "2001:db8::1"
   |                 ^^^^^^^^^^^^^ not IPv4
"#,
    );
    check_session(
        r#"address = "192.0.2.12"
local-address = "192.0.2.12"
router-id = "192.0.2.11"
profile = "fsat""#,
        r#"
error: both ends have the same address
  --> shunt.toml:11:17
   |
10 | address = "192.0.2.12"
   |           ------------ the other side's
11 | local-address = "192.0.2.12"
   |                 ^^^^^^^^^^^^ ours

error: `router-id` is our own
  --> shunt.toml:12:13
   |
12 | router-id = "192.0.2.11"
   |             ^^^^^^^^^^^^ expected that of the router at the other end

error: unknown BFD profile `fsat`
  --> shunt.toml:13:11
   |
13 | profile = "fsat"
   |           ^^^^^^ the BFD profiles are: default, fast
   |
   = help: did you mean `fast`?
"#,
    );
}

#[test]
fn a_session_on_the_link_may_be_link_local() {
    let text = changed(SESSION, "address = \"fe80::2\"\ninterface = \"eth1\"");
    assert!(read(&text).is_ok());
    check_session(
        "address = \"fe80::2\"",
        r#"
error: fe80::2 is a link-local address
  --> shunt.toml:10:11
   |
10 | address = "fe80::2"
   |           ^^^^^^^^^ does not say on which link
   |
   = help: add a line such as `interface = "eth1"`
"#,
    );
}

#[test]
fn a_session_over_several_hops_has_no_interface() {
    check_session(
        r#"address = "192.0.2.12"
interface = "eth1"
multihop = 2"#,
        r#"
error: `interface` of a multihop session
  --> shunt.toml:11:13
   |
11 | interface = "eth1"
   |             ^^^^^^ has no effect: routing decides
12 | multihop = 2
   |            - over several hops

error: a multihop session needs our own address
  --> shunt.toml:12:12
   |
12 | multihop = 2
   |            ^ `local-address` is missing
   |
   = help: add a line such as `local-address = "192.0.2.1"`
"#,
    );
    check_session(
        r#"address = "fe80::2"
local-address = "2001:db8::1"
multihop = 2"#,
        r#"
error: a link-local address over several hops
  --> shunt.toml:10:11
   |
10 | address = "fe80::2"
   |           ^^^^^^^^^ means nothing behind the link
11 | local-address = "2001:db8::1"
12 | multihop = 2
   |            - over several hops
"#,
    );
}

#[test]
fn there_is_one_session_for_a_path() {
    let with = |first: &str, second: &str| {
        changed(SESSION, &format!("{SESSION}\n{first}\n[bfd.session.again]\n{SESSION}\n{second}"))
    };
    check_session(
        r#"address = "192.0.2.12"
[bfd.session.again]
address = "192.0.2.12"
interface = "eth1""#,
        r#"
error: two sessions watch the same path to 192.0.2.12
  --> shunt.toml:12:11
   |
10 | address = "192.0.2.12"
   |           ------------ first here
11 | [bfd.session.again]
12 | address = "192.0.2.12"
   |           ^^^^^^^^^^^^ again here
   |
   = help: there is one session for each path: whoever asks for it shares it
"#,
    );
    // On two links, and from two of our addresses, are different paths; so are the link and several hops.
    assert!(read(&with("interface = \"eth1\"", "interface = \"eth2\"")).is_ok());
    let from = |last: u8| format!("multihop = 3\nlocal-address = \"192.0.2.{last}\"");
    assert!(read(&with(&from(1), &from(2))).is_ok());
    assert!(read(&with(&from(1), &from(1))).is_err());
    assert!(read(&with("", &from(1))).is_ok());
}
