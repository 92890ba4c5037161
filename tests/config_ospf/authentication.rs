//! Authentication and keys.

use super::check;

#[test]
fn extended_sequence_numbers_are_for_hmac() {
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
extended-sequence = true
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret""#,
        r#"
error: `extended-sequence` with an MD5 key
  --> shunt.toml:16:21
   |
16 | extended-sequence = true
   |                     ^^^^ is for HMAC only
   |
   = help: RFC 7474 extends the HMAC algorithms of RFC 5709: give the key one of these
"#,
    );
}

#[test]
fn a_method_of_authentication_has_what_it_needs_and_no_more() {
    check(
        "cost = 10",
        r#"authentication = "simple""#,
        r#"
error: [ospf.interface.eth1] has no `password-file`
  --> shunt.toml:15:18
   |
15 | authentication = "simple"
   |                  ^^^^^^^^ needs one
   |
   = help: add a line such as `password-file = "eth1.secret"`
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic""#,
        r#"
error: [ospf.interface.eth1] has no `key`
  --> shunt.toml:15:18
   |
15 | authentication = "cryptographic"
   |                  ^^^^^^^^^^^^^^^ needs one
   |
   = help: add a section [[ospf.interface.eth1.key]] with id, algorithm and file
"#,
    );
    check(
        "cost = 10",
        r#"password-file = "8.secret""#,
        r#"
error: `password-file` without simple authentication
  --> shunt.toml:15:17
   |
15 | password-file = "8.secret"
   |                 ^^^^^^^^^^ has no effect
   |
   = help: `authentication = "simple"` turns it on
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "none"
extended-sequence = true"#,
        r#"
error: `extended-sequence` without cryptographic authentication
  --> shunt.toml:16:21
   |
15 | authentication = "none"
   |                  ------ another one is chosen here
16 | extended-sequence = true
   |                     ^^^^ has no effect
   |
   = help: `authentication = "cryptographic"` turns it on
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "simple"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret""#,
        r#"
error: [ospf.interface.eth1] has no `password-file`
  --> shunt.toml:15:18
   |
15 | authentication = "simple"
   |                  ^^^^^^^^ needs one
   |
   = help: add a line such as `password-file = "eth1.secret"`

error: `key` without cryptographic authentication
  --> shunt.toml:16:1
   |
15 | authentication = "simple"
   |                  -------- another one is chosen here
16 | [[ospf.interface.eth1.key]]
   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^ has no effect
   |
   = help: `authentication = "cryptographic"` turns it on
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "md5"
key = []"#,
        r#"
error: `authentication` cannot be `md5`
  --> shunt.toml:15:18
   |
15 | authentication = "md5"
   |                  ^^^^^ expected one of: none, simple, cryptographic

error: `key` is empty
  --> shunt.toml:16:7
   |
16 | key = []
   |       ^^ expected at least one key
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[ospf.interface.eth1.key]
id = 1"#,
        "
error: there may be several keys
  --> shunt.toml:16:1
   |
16 | [ospf.interface.eth1.key]
   | ^^^^^^^^^^^^^^^^^^^^^^^^^ one section only
   |
   = help: write the section's head in double brackets: [[ospf.interface.eth1.key]]
",
    );
}

#[test]
fn a_secret_fits_its_use() {
    check(
        "cost = 10",
        r#"authentication = "simple"
password-file = "16.secret""#,
        r#"
error: the password is too long
  --> shunt.toml:16:17
   |
16 | password-file = "16.secret"
   |                 ^^^^^^^^^^^ 16 octets in this file's first line
   |
   = help: a packet has room for 8 octets (RFC 2328 §D.3)
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "simple"
password-file = "open.secret""#,
        r#"
error: the secret file `open.secret` is open to every user (mode 0644): `chmod o-rwx` it
  --> shunt.toml:16:17
   |
16 | password-file = "open.secret"
   |                 ^^^^^^^^^^^^^ named here
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
[[ospf.interface.eth1.key]]
id = 2
algorithm = "md5"
file = "17.secret""#,
        r#"
error: the key is too long for MD5
  --> shunt.toml:23:8
   |
22 | algorithm = "md5"
   |             ----- at most 16 octets
23 | file = "17.secret"
   |        ^^^^^^^^^^^ 17 octets in this file's first line
   |
   = help: routers would cut it off, or refuse it (RFC 2328 §D.3)
"#,
    );
}

#[test]
fn each_key_is_whole_and_has_its_own_id() {
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "hmac-sha-1"
file = "17.secret""#,
        "
error: two keys have the id 1
  --> shunt.toml:21:6
   |
17 | id = 1
   |      - first here
...
21 | id = 1
   |      ^ again here
",
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
[[ospf.interface.eth1.key]]
id = 256
algorithm = "hmac-sha256"
file = "none.secret""#,
        r#"
error: `id` must be from 1 to 255
  --> shunt.toml:21:6
   |
21 | id = 256
   |      ^^^ out of range

error: `algorithm` cannot be `hmac-sha256`
  --> shunt.toml:22:13
   |
22 | algorithm = "hmac-sha256"
   |             ^^^^^^^^^^^^^ expected one of: md5, hmac-sha-1, hmac-sha-256, hmac-sha-384, hmac-sha-512
   |
   = help: did you mean `hmac-sha-256`?

error: the secret file `none.secret` cannot be read: no such file
  --> shunt.toml:23:8
   |
23 | file = "none.secret"
   |        ^^^^^^^^^^^^^ named here
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
[[ospf.interface.eth1.key]]
send = 2"#,
        r#"
error: [[ospf.interface.eth1.key]] has no `id`
  --> shunt.toml:20:1
   |
20 | [[ospf.interface.eth1.key]]
   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^ `id` is missing
   |
   = help: add a line such as `id = 1`

error: [[ospf.interface.eth1.key]] has no `algorithm`
  --> shunt.toml:20:1
   |
20 | [[ospf.interface.eth1.key]]
   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^ `algorithm` is missing
   |
   = help: add a line such as `algorithm = "hmac-sha-256"`

error: [[ospf.interface.eth1.key]] has no `file`
  --> shunt.toml:20:1
   |
20 | [[ospf.interface.eth1.key]]
   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^ `file` is missing
   |
   = help: add a line such as `file = "eth1.secret"`

error: unknown key `send`
  --> shunt.toml:21:1
   |
21 | send = 2
   | ^^^^ not a key of [[ospf.interface.eth1.key]]
   |
   = help: the keys are: id, algorithm, file, send-from, send-until, accept-from, accept-until
"#,
    );
}

#[test]
fn lifetimes_of_a_key_are_in_order() {
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
send-from = 2027-01-01T00:00:00Z
send-until = 2026-12-31T00:00:00Z"#,
        "
error: `send-until` must be later than `send-from`
  --> shunt.toml:21:14
   |
20 | send-from = 2027-01-01T00:00:00Z
   |             -------------------- begins here
21 | send-until = 2026-12-31T00:00:00Z
   |              ^^^^^^^^^^^^^^^^^^^^ never in force
",
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
accept-from = 2027-01-01T00:00:00Z
accept-until = 2027-01-01T01:00:00+01:00
send-from = 2027-01-01T00:00:00Z
send-until = 2027-01-01T00:00:00Z"#,
        "
error: `accept-until` must be later than `accept-from`
  --> shunt.toml:21:16
   |
20 | accept-from = 2027-01-01T00:00:00Z
   |               -------------------- begins here
21 | accept-until = 2027-01-01T01:00:00+01:00
   |                ^^^^^^^^^^^^^^^^^^^^^^^^^ never in force

error: `send-until` must be later than `send-from`
  --> shunt.toml:23:14
   |
22 | send-from = 2027-01-01T00:00:00Z
   |             -------------------- begins here
23 | send-until = 2027-01-01T00:00:00Z
   |              ^^^^^^^^^^^^^^^^^^^^ never in force
",
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
send-from = 2027-01-01T00:00:00Z
accept-from = 2027-01-01T00:00:01Z"#,
        "
error: the key is sent when it is not accepted yet
  --> shunt.toml:20:13
   |
20 | send-from = 2027-01-01T00:00:00Z
   |             ^^^^^^^^^^^^^^^^^^^^ `accept-from` does not cover this
21 | accept-from = 2027-01-01T00:00:01Z
   |               -------------------- accepted
   |
   = help: accept a key from before the first router sends with it until after the last
",
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
send-until = 2027-01-01T01:00:00Z
accept-until = 2027-01-01T00:00:00Z"#,
        "
error: the key is sent when it is no longer accepted
  --> shunt.toml:20:14
   |
20 | send-until = 2027-01-01T01:00:00Z
   |              ^^^^^^^^^^^^^^^^^^^^ `accept-until` does not cover this
21 | accept-until = 2027-01-01T00:00:00Z
   |                -------------------- accepted
   |
   = help: accept a key from before the first router sends with it until after the last
",
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
accept-until = 2027-01-01T00:00:00Z"#,
        "
error: the key is sent when it is no longer accepted
  --> shunt.toml:20:16
   |
20 | accept-until = 2027-01-01T00:00:00Z
   |                ^^^^^^^^^^^^^^^^^^^^ there is no `send-until`
   |
   = help: accept a key from before the first router sends with it until after the last
",
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
send-from = 2027-01-01
accept-from = "2027-01-01T00:00:00Z""#,
        r#"
error: `send-from` must have a date, a time and an offset
  --> shunt.toml:20:13
   |
20 | send-from = 2027-01-01
   |             ^^^^^^^^^^ names no moment
   |
   = help: written like 2026-12-01T00:00:00Z or 2026-12-01T00:00:00+01:00

error: `accept-from` must be a date and time, not a string
  --> shunt.toml:21:15
   |
21 | accept-from = "2027-01-01T00:00:00Z"
   |               ^^^^^^^^^^^^^^^^^^^^^^ expected a date and time
   |
   = help: without quotes, written like 2026-12-01T00:00:00Z
"#,
    );
    check(
        "cost = 10",
        r#"authentication = "cryptographic"
[[ospf.interface.eth1.key]]
id = 1
algorithm = "md5"
file = "16.secret"
send-from = 1"#,
        "
error: `send-from` must be a date and time, not a number
  --> shunt.toml:20:13
   |
20 | send-from = 1
   |             ^ expected a date and time
   |
   = help: written like 2026-12-01T00:00:00Z
",
    );
}
