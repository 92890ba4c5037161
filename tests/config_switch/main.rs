//! How groups are switched: read, and every mistake shown with its place and what to do.

mod probe;

use std::time::Duration;

use shunt::config::{Config, Mistake, Secret, Switching, parse};

/// Each mistake is made by adding to this file, or by changing it.
const BASE: &str = r#"[node]
name = "edge1"
site = "dc1"
asn = 64500
router-id = "192.0.2.11"
own-prefixes = ["203.0.113.0/24", "2001:db8::/48"]
[check.open]
file = "/etc/shunt/no-switches"
[group.database]
prefixes = ["203.0.113.9/32"]
[group.shop]
prefixes = ["203.0.113.7/32", "2001:db8::7/128"]
base = { dc1 = "primary", dc2 = "standby" }
"#;

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |_| Secret::from_file(b"key", 0o600))
}

/// `BASE` with lines at the end.
#[track_caller]
fn good(lines: &str) -> Config {
    let text = format!("{BASE}{lines}\n");
    read(&text).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(&text, false)))
}

/// The mistakes of that, as they are shown.
#[track_caller]
fn check(lines: &str, expected: &str) {
    let text = format!("{BASE}{lines}\n");
    let mistakes = read(&text).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.render(&text, false)).collect();
    assert_eq!(shown.join("\n\n"), expected.trim_matches('\n'));
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good("");
    assert_eq!(config.switching.len(), 2, "every group can be switched");
    for switching in config.switching.values() {
        assert_eq!(*switching, Switching::default());
    }
    assert_eq!(good("[group.shop.switch]").switching["shop"], Switching::default());
    let usual = Switching::default();
    assert_eq!((usual.deadline, usual.command_timeout), (seconds(60), seconds(30)));
    assert_eq!((usual.hold, usual.hold_after_change), (None, seconds(0)));
}

#[test]
fn a_switch_is_as_configured() {
    let config = good(
        r#"[group.shop.switch]
gates = [["/bin/caught-up", "shop"], ["/bin/drained"]]
before-hooks = [["/bin/before"]]
after-hooks = [["/bin/after"]]
command-timeout = "5s"
approval = true
hold = "3s"
deadline = "2m"
after = ["database"]
objective = "1s"
freeze = ["Fri 16:00 - Mon 08:00", "22:00 - 06:00", "2026-12-20 00:00 - 2027-01-04 08:00"]
time-zone = "+01:00"
hold-after-change = "10m"
gated-by = ["open"]"#,
    );
    let shop = &config.switching["shop"];
    assert_eq!(shop.gates, [vec!["/bin/caught-up", "shop"], vec!["/bin/drained"]]);
    assert_eq!(
        (&shop.before[0][0], &shop.after[0][0]),
        (&"/bin/before".into(), &"/bin/after".into())
    );
    assert_eq!((shop.command_timeout, shop.approval), (seconds(5), true));
    assert_eq!((shop.hold, shop.deadline), (Some(seconds(3)), seconds(120)));
    assert_eq!((shop.later_than[0].as_str(), shop.objective), ("database", Some(seconds(1))));
    assert_eq!((shop.hold_after_change, shop.gated_by[0].as_str()), (seconds(600), "open"));
    let texts: Vec<&str> = shop.freezes.iter().map(|freeze| freeze.text.as_str()).collect();
    let expected =
        ["Fri 16:00 - Mon 08:00", "22:00 - 06:00", "2026-12-20 00:00 - 2027-01-04 08:00"];
    assert_eq!(texts, expected);
    let utc = good("[group.shop.switch]\nfreeze = [\"Fri 16:00 - Mon 08:00\"]");
    assert_ne!(shop.freezes[0], utc.switching["shop"].freezes[0], "another clock");
}

#[test]
fn a_circle_of_groups_is_found() {
    check(
        r#"[group.shop.switch]
after = ["database"]
[group.database.switch]
after = ["third"]
[group.third]
prefixes = ["203.0.113.10/32"]
[group.third.switch]
after = ["shop", "database"]
[group.apart]
prefixes = ["203.0.113.11/32"]
[group.apart.switch]
after = ["shop", "third"]"#,
        r#"
error: database comes after itself
  --> shunt.toml:17:10
   |
17 | after = ["third"]
   |          ^^^^^^^ after third, which comes after shop, which comes after database
"#,
    );
    check(
        "[group.shop.switch]\nafter = [\"shop\", \"databse\"]",
        r#"
error: unknown group `databse`
  --> shunt.toml:15:18
   |
15 | after = ["shop", "databse"]
   |                  ^^^^^^^^^ the groups are: database, shop
   |
   = help: did you mean `database`?
"#,
    );
    check(
        "[group.shop.switch]\nafter = [\"shop\"]",
        r#"
error: shop comes after itself
  --> shunt.toml:15:10
   |
15 | after = ["shop"]
   |          ^^^^^^ after shop
"#,
    );
}

#[test]
fn a_window_is_two_times() {
    check(
        "[group.shop.switch]\nfreeze = [\"Friday 16:00 - Mon 08:00\", \"Fri 16:00 - 08:00\"]\ntime-zone = \"Europe/Berlin\"",
        r#"
error: `Friday 16:00 - Mon 08:00` is no window of time
  --> shunt.toml:15:11
   |
15 | freeze = ["Friday 16:00 - Mon 08:00", "Fri 16:00 - 08:00"]
   |           ^^^^^^^^^^^^^^^^^^^^^^^^^^ expected two times with ` - ` between them
   |
   = help: written like "Fri 16:00 - Mon 08:00", "07:30 - 18:00" or "2026-12-20 00:00 - 2027-01-04 08:00"

error: `Fri 16:00 - 08:00` is no window of time
  --> shunt.toml:15:39
   |
15 | freeze = ["Friday 16:00 - Mon 08:00", "Fri 16:00 - 08:00"]
   |                                       ^^^^^^^^^^^^^^^^^^^ one end is told by the day of the week or the date, the other is not
   |
   = help: written like "Fri 16:00 - Mon 08:00", "07:30 - 18:00" or "2026-12-20 00:00 - 2027-01-04 08:00"

error: `Europe/Berlin` is no offset from UTC
  --> shunt.toml:16:13
   |
16 | time-zone = "Europe/Berlin"
   |             ^^^^^^^^^^^^^^^ expected hours and minutes; there are no names of zones, and no summer time
   |
   = help: written like "+01:00" or "-08:00"
"#,
    );
    check(
        "[group.shop.switch]\ntime-zone = \"+01:00\"",
        r#"
error: `time-zone` without `freeze`
  --> shunt.toml:15:13
   |
15 | time-zone = "+01:00"
   |             ^^^^^^^^ has no effect
   |
   = help: add a line such as `freeze = ["Fri 16:00 - Mon 08:00"]`
"#,
    );
    for wrong in ["1:00", "+1:00", "+25:00", "+01:60", "+0100", "", "+", "+é:00", "+-1:00"] {
        let text = format!(
            "{BASE}[group.shop.switch]\nfreeze = [\"22:00 - 06:00\"]\ntime-zone = \"{wrong}\""
        );
        assert!(read(&text).is_err(), "{wrong}");
    }
}

#[test]
fn times_are_within_bounds_and_each_other() {
    check(
        r#"[group.shop.switch]
hold = "1m"
deadline = "500ms"
objective = "1d"
hold-after-change = "31d"
gates = ["/bin/gate"]
gated-by = ["opne"]"#,
        r#"
error: `hold` must be from 100ms to 30s
  --> shunt.toml:15:8
   |
15 | hold = "1m"
   |        ^^^^ out of range

error: `deadline` must be from 1s to 1h
  --> shunt.toml:16:12
   |
16 | deadline = "500ms"
   |            ^^^^^^^ out of range

error: `objective` must be from 10ms to 1h
  --> shunt.toml:17:13
   |
17 | objective = "1d"
   |             ^^^^ out of range

error: `hold-after-change` must be from 0s to 30d
  --> shunt.toml:18:21
   |
18 | hold-after-change = "31d"
   |                     ^^^^^ out of range

error: `gates` must be a list of commands
  --> shunt.toml:19:9
   |
19 | gates = ["/bin/gate"]
   |         ^^^^^^^^^^^^^ a command is a list of words
   |
   = help: in two brackets: [["/usr/bin/logger", "taken over"]]

error: unknown check `opne`
  --> shunt.toml:20:13
   |
20 | gated-by = ["opne"]
   |             ^^^^^^ the checks are: open
   |
   = help: did you mean `open`?
"#,
    );
    check(
        "[group.shop.switch]\ndeadline = \"10s\"\ncommand-timeout = \"11s\"",
        r#"
error: `command-timeout` is longer than `deadline`
  --> shunt.toml:16:19
   |
15 | deadline = "10s"
   |            ----- of the whole switch
16 | command-timeout = "11s"
   |                   ^^^^^ has no effect: the switch is over before
"#,
    );
    check(
        "[group.shop.switch]\ncommand-timeout = \"61s\"\nbefore = [[\"/bin/true\"]]",
        r#"
error: `command-timeout` is longer than `deadline`
  --> shunt.toml:15:19
   |
15 | command-timeout = "61s"
   |                   ^^^^^ has no effect: the switch is over before
   |
   = help: `deadline` is 60s unless it is given

error: unknown key `before`
  --> shunt.toml:16:1
   |
16 | before = [["/bin/true"]]
   | ^^^^^^ not a key of [group.shop.switch]
   |
   = help: the keys are: gates, before-hooks, after-hooks, command-timeout, approval, hold, deadline, after, objective, freeze, time-zone, hold-after-change, gated-by
"#,
    );
}
