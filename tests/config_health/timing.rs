use shunt::health::{Damping, Objective, Settings};

use crate::{check, good, ms};

fn settings(lines: &str) -> Settings {
    good(&format!("[check.new]\n{lines}")).checks["new"].clone()
}

#[test]
fn times_that_are_left_out_fit_those_that_are_given() {
    let times = |lines: &str| {
        let it = settings(&format!("tcp = \"10.0.0.6:80\"\n{lines}"));
        [it.interval, it.fast_interval, it.connect_timeout, it.timeout].map(|time| time.as_millis())
    };
    assert_eq!(times(""), [1000, 200, 1000, 1000]);
    assert_eq!(times("interval = \"5s\""), [5000, 200, 1000, 1000]);
    assert_eq!(times("interval = \"150ms\""), [150, 150, 1000, 1000]);
    assert_eq!(times("interval = \"20ms\""), [20, 20, 200, 200]);
    assert_eq!(times("timeout = \"3s\""), [1000, 200, 3000, 3000]);
    assert_eq!(times("connect-timeout = \"3s\""), [1000, 200, 3000, 1000]);
    assert_eq!(times("timeout = \"10s\"\nfast-interval = \"1s\""), [1000, 1000, 10_000, 10_000]);
}

#[test]
fn what_is_given_is_taken() {
    let it = settings(
        "icmp = \"10.0.0.6\"\nrise = 50\nfall = 1\njitter = 0\nslow = \"999ms\"\n\
         objective = \"20ms\"\nwindow = 1000\nhalf-life = \"24h\"\nhold-above = 1000\nrelease-below = 100",
    );
    assert_eq!((it.rise, it.fall, it.jitter, it.slow), (50, 1, 0, Some(ms(999))));
    assert_eq!(it.objective, Some(Objective { p95: ms(20), window: 1000 }));
    let day = ms(24 * 3600 * 1000);
    assert_eq!(it.damping, Some(Damping { half_life: day, hold_above: 1000, release_below: 100 }));
    let file = settings("file = \"/run/x\"\nfall = 2\nhalf-life = \"1s\"");
    assert_eq!((file.rise, file.fall), (1, 2));
    assert_eq!(file.damping.unwrap().hold_above, 2500);
}

#[test]
fn times_fit_each_other() {
    check(
        r#"[check.new]
icmp = "10.0.0.6"
interval = "100ms"
fast-interval = "200ms""#,
        r#"
error: `fast-interval` is longer than `interval`
  --> shunt.toml:29:17
   |
28 | interval = "100ms"
   |            ------- otherwise
29 | fast-interval = "200ms"
   |                 ^^^^^^^ would be slower while in doubt
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
fast-interval = "2s""#,
        r#"
error: `fast-interval` is longer than `interval`
  --> shunt.toml:28:17
   |
28 | fast-interval = "2s"
   |                 ^^^^ would be slower while in doubt
   |
   = help: `interval` is 1s unless it is given
"#,
    );
    check(
        r#"[check.new]
tcp = "10.0.0.6:80"
interval = "100ms"
timeout = "1001ms"
connect-timeout = "2s""#,
        r#"
error: `timeout` is longer than 10 intervals
  --> shunt.toml:29:11
   |
28 | interval = "100ms"
   |            ------- the interval
29 | timeout = "1001ms"
   |           ^^^^^^^^ what hangs is found no sooner, however short the interval is
   |
   = help: at most 1s, or a longer `interval`

error: `connect-timeout` is longer than 10 intervals
  --> shunt.toml:30:19
   |
28 | interval = "100ms"
   |            ------- the interval
29 | timeout = "1001ms"
30 | connect-timeout = "2s"
   |                   ^^^^ what hangs is found no sooner, however short the interval is
   |
   = help: at most 1s, or a longer `interval`
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
timeout = "11s""#,
        r#"
error: `timeout` is longer than 10 intervals
  --> shunt.toml:28:11
   |
28 | timeout = "11s"
   |           ^^^^^ what hangs is found no sooner, however short the interval is
   |
   = help: at most 10s, or a longer `interval`
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
timeout = "1s"
slow = "1s""#,
        r#"
error: `slow` is longer than an answer may take
  --> shunt.toml:29:8
   |
28 | timeout = "1s"
   |           ---- the timeout
29 | slow = "1s"
   |        ^^^^ has no effect: a run has failed after 1s
"#,
    );
    check(
        r#"[check.new]
tcp = "10.0.0.6:80"
objective = "2s""#,
        r#"
error: `objective` is longer than an answer may take
  --> shunt.toml:28:13
   |
28 | objective = "2s"
   |             ^^^^ has no effect: a run has failed after 2s
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
interval = "1ms"
timeout = "61s"
slow = "0s"
rise = 0
fall = 51
jitter = 51
objective = 1"#,
        r#"
error: `interval` must be from 10ms to 1h
  --> shunt.toml:28:12
   |
28 | interval = "1ms"
   |            ^^^^^ out of range

error: `timeout` must be from 1ms to 60s
  --> shunt.toml:29:11
   |
29 | timeout = "61s"
   |           ^^^^^ out of range

error: `slow` must be from 1ms to 60s
  --> shunt.toml:30:8
   |
30 | slow = "0s"
   |        ^^^^ out of range

error: `rise` must be from 1 to 50
  --> shunt.toml:31:8
   |
31 | rise = 0
   |        ^ out of range

error: `fall` must be from 1 to 50
  --> shunt.toml:32:8
   |
32 | fall = 51
   |        ^^ out of range

error: `jitter` must be from 0 to 50
  --> shunt.toml:33:10
   |
33 | jitter = 51
   |          ^^ out of range

error: `objective` must be a string with a unit, not a number
  --> shunt.toml:34:13
   |
34 | objective = 1
   |             ^ expected a string with a unit
   |
   = help: with a unit: "1s" or "1ms"
"#,
    );
}

#[test]
fn an_objective_has_a_window() {
    check(
        r#"[check.new]
icmp = "10.0.0.6"
window = 40"#,
        r#"
error: `window` without `objective`
  --> shunt.toml:28:10
   |
28 | window = 40
   |          ^^ has no effect
   |
   = help: add a line such as `objective = "300ms"`
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
objective = "10ms"
window = 19"#,
        r#"
error: `window` must be from 20 to 1000
  --> shunt.toml:29:10
   |
29 | window = 19
   |          ^^ out of range
"#,
    );
}

#[test]
fn damping_holds_and_lets_go() {
    check(
        r#"[check.new]
icmp = "10.0.0.6"
hold-above = 3000
release-below = 500"#,
        r#"
error: `hold-above` without `half-life`
  --> shunt.toml:28:14
   |
28 | hold-above = 3000
   |              ^^^^ has no effect: nothing is damped
   |
   = help: add a line such as `half-life = "60s"`

error: `release-below` without `half-life`
  --> shunt.toml:29:17
   |
29 | release-below = 500
   |                 ^^^ has no effect: nothing is damped
   |
   = help: add a line such as `half-life = "60s"`
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
half-life = "1m"
hold-above = 2000
release-below = 2000"#,
        r#"
error: `release-below` is not lower than `hold-above`
  --> shunt.toml:30:17
   |
29 | hold-above = 2000
   |              ---- held from here on
30 | release-below = 2000
   |                 ^^^^ held from 2000 on, released below 2000
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
half-life = "1m"
release-below = 4000"#,
        r#"
error: `release-below` is not lower than `hold-above`
  --> shunt.toml:29:17
   |
29 | release-below = 4000
   |                 ^^^^ held from 2500 on, released below 4000
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
half-life = "100ms"
hold-above = 999
release-below = 50"#,
        r#"
error: `half-life` must be from 1s to 24h
  --> shunt.toml:28:13
   |
28 | half-life = "100ms"
   |             ^^^^^^^ out of range

error: `hold-above` must be from 1000 to 100000
  --> shunt.toml:29:14
   |
29 | hold-above = 999
   |              ^^^ out of range

error: `release-below` must be from 100 to 100000
  --> shunt.toml:30:17
   |
30 | release-below = 50
   |                 ^^ out of range
"#,
    );
}
