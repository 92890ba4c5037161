//! An interface's section.

use std::time::Duration;

use shunt::ospf::NetworkKind;

use super::{BASE, check, read};

#[test]
fn intervals_of_hellos_go_with_each_other() {
    check(
        "cost = 10",
        r#"hello-interval = "50ms""#,
        r#"
error: `hello-interval` must be from 100ms to 65535s
  --> shunt.toml:15:18
   |
15 | hello-interval = "50ms"
   |                  ^^^^^^ out of range
"#,
    );
    check(
        "cost = 10",
        r#"hello-interval = "300ms""#,
        r#"
error: below a second `hello-interval` must be a part of one
  --> shunt.toml:15:18
   |
15 | hello-interval = "300ms"
   |                  ^^^^^^^ does not divide 1s
   |
   = help: one of "500ms", "250ms", "200ms", "125ms" and "100ms"
"#,
    );
    check(
        "cost = 10",
        r#"hello-interval = "1500ms""#,
        r#"
error: `hello-interval` must be in whole seconds
  --> shunt.toml:15:18
   |
15 | hello-interval = "1500ms"
   |                  ^^^^^^^^ has a part of a second
"#,
    );
    check(
        "cost = 10",
        r#"hello-interval = "200ms"
dead-interval = "4s""#,
        r#"
error: with several Hellos a second `dead-interval` is 1s
  --> shunt.toml:16:17
   |
15 | hello-interval = "200ms"
   |                  ------- the interval of Hellos
16 | dead-interval = "4s"
   |                 ^^^^ not 1s
   |
   = help: leave `dead-interval` out
"#,
    );
    check(
        "cost = 10",
        r#"dead-interval = "5s""#,
        r#"
error: `dead-interval` must be longer than `hello-interval`
  --> shunt.toml:15:17
   |
15 | dead-interval = "5s"
   |                 ^^^^ not longer than 10s
   |
   = help: the usual is four times as long
"#,
    );
    check(
        "cost = 10",
        r#"hello-interval = "1s"
dead-interval = "1s""#,
        r#"
error: `dead-interval` must be longer than `hello-interval`
  --> shunt.toml:16:17
   |
15 | hello-interval = "1s"
   |                  ---- the interval of Hellos
16 | dead-interval = "1s"
   |                 ^^^^ not longer than 1s
   |
   = help: the usual is four times as long
"#,
    );
    check(
        "cost = 10",
        r#"dead-interval = "45500ms""#,
        r#"
error: `dead-interval` must be in whole seconds
  --> shunt.toml:15:17
   |
15 | dead-interval = "45500ms"
   |                 ^^^^^^^^^ has a part of a second
"#,
    );
    check(
        "cost = 10",
        r#"transmit-delay = "1h""#,
        r#"
error: `transmit-delay` must be from 1s to 3599s
  --> shunt.toml:15:18
   |
15 | transmit-delay = "1h"
   |                  ^^^^ out of range
"#,
    );
}

/// Neighbours reckon in whole seconds, or in Hellos per second.
#[test]
fn the_dead_interval_follows_the_hello_interval() {
    for (hello, dead) in [("500ms", 1), ("125ms", 1), ("100ms", 1), ("1s", 4), ("65535s", 262_140)]
    {
        let text = BASE.replace("cost = 10", &format!("hello-interval = \"{hello}\""));
        let settings = read(&text).unwrap().ospf_settings().unwrap();
        assert_eq!(settings.interfaces["eth1"].dead_interval, Duration::from_secs(dead), "{hello}");
    }
}

#[test]
fn keys_of_an_interface_fit_its_network() {
    check(
        "cost = 10",
        r#"network = "loopbak""#,
        r#"
error: `network` cannot be `loopbak`
  --> shunt.toml:15:11
   |
15 | network = "loopbak"
   |           ^^^^^^^^^ expected one of: broadcast, point-to-point, loopback
   |
   = help: did you mean `loopback`?
"#,
    );
    check(
        "cost = 10",
        r#"network = "point-to-point"
priority = 0"#,
        "
error: `priority` on a point-to-point interface
  --> shunt.toml:16:12
   |
16 | priority = 0
   |            ^ has no effect: there is no designated router
",
    );
    check(
        "cost = 10",
        r#"network = "loopback"
hello-interval = "5s"
passive = true"#,
        r#"
error: `hello-interval` on a loopback interface
  --> shunt.toml:16:18
   |
16 | hello-interval = "5s"
   |                  ^^^^ has no effect: nothing is sent there

error: `passive` on a loopback interface
  --> shunt.toml:17:11
   |
17 | passive = true
   |           ^^^^ has no effect: nothing is sent there
"#,
    );
    check(
        "[ospf.interface.eth1]",
        r#"[ospf.interface.lo]
network = "broadcast""#,
        r#"
error: `lo` is a loopback interface
  --> shunt.toml:15:11
   |
15 | network = "broadcast"
   |           ^^^^^^^^^^^ nobody is behind it
   |
   = help: leave `network` out
"#,
    );
    check(
        "cost = 10",
        "cost = 0",
        "
error: `cost` must be from 1 to 65535
  --> shunt.toml:15:8
   |
15 | cost = 0
   |        ^ out of range
",
    );
    check(
        "cost = 10",
        r#"address = "224.0.0.5""#,
        r#"
error: 224.0.0.5 is not the address of one machine
  --> shunt.toml:15:11
   |
15 | address = "224.0.0.5"
   |           ^^^^^^^^^^^ expected a unicast address
"#,
    );
}

#[test]
fn the_loopback_interface_is_one() {
    let text =
        format!("{BASE}[ospf.interface.lo]\n[ospf.interface.dummy0]\nnetwork = \"loopback\"\n");
    let settings = read(&text).unwrap().ospf_settings().unwrap();
    for name in ["lo", "dummy0"] {
        assert_eq!(settings.interfaces[name].network, NetworkKind::Loopback);
    }
}

#[test]
fn an_interface_has_the_kernels_name() {
    check(
        "[ospf.interface.eth1]",
        "[ospf.interface.eth0.100]",
        r#"
error: `100` is no key of an interface
  --> shunt.toml:14:22
   |
14 | [ospf.interface.eth0.100]
   |                      ^^^ behind a dot
   |
   = help: a name with a dot goes in quotes: [ospf.interface."eth0.100"]
"#,
    );
    check(
        "[ospf.interface.eth1]",
        r#"[ospf.interface."eth0.100"]
netwrk = "broadcast""#,
        r#"
error: unknown key `netwrk`
  --> shunt.toml:15:1
   |
15 | netwrk = "broadcast"
   | ^^^^^^ not a key of [ospf.interface."eth0.100"]
   |
   = help: did you mean `network`?
"#,
    );
    check(
        "[ospf.interface.eth1]",
        "[ospf.interface.abcdefghijklmnop]",
        "
error: `abcdefghijklmnop` cannot be an interface
  --> shunt.toml:14:17
   |
14 | [ospf.interface.abcdefghijklmnop]
   |                 ^^^^^^^^^^^^^^^^ the kernel's names have at most 15 letters
",
    );
    check(
        "[ospf.interface.eth1]",
        "[ospf.interface]",
        "
error: `cost` in [ospf.interface], not in a [ospf.interface.NAME]
  --> shunt.toml:15:1
   |
15 | cost = 10
   | ^^^^ belongs to no name
   |
   = help: write the section's head as [ospf.interface.NAME]
",
    );
    check(
        "[ospf.interface.eth1]
cost = 10
",
        "",
        "
error: [ospf] has no interface
  --> shunt.toml:11:1
   |
11 | [ospf]
   | ^^^^^^ a router without neighbors
   |
   = help: add a section such as [ospf.interface.eth1]
",
    );
    check(
        r#"[ospf]
export = "groups"
class = "inside"
[ospf.interface.eth1]
cost = 10
"#,
        "[ospf.area]
",
        r#"
error: `area` must be one number, or four like an IPv4 address
  --> shunt.toml:11:1
   |
11 | [ospf.area]
   | ^^^^^^^^^^^ not an area
   |
   = help: written like 1 or "0.0.0.1"

error: [ospf] has no interface
  --> shunt.toml:11:2
   |
11 | [ospf.area]
   |  ^^^^ a router without neighbors
   |
   = help: add a section such as [ospf.interface.eth1]
"#,
    );
}
