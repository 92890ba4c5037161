use shunt::group::{Effect, Need, OnAllDown, Policy};
use shunt::types::Preference;

use crate::{check, good};

fn policy(lines: &str) -> Policy {
    let mut config = good(&format!("checks = [\"web\", \"db\"]\n{lines}"));
    config.groups.get_mut("shop").unwrap().health.take().unwrap()
}

#[test]
fn a_policy_says_what_a_verdict_does() {
    let level = |number| Effect::Level(Preference(number));
    for (text, effect) in [
        ("\"standby\"", level(100)),
        ("\"50\"", level(50)),
        ("50", level(50)),
        ("\"none\"", level(0)),
        ("0", level(0)),
        ("\"-50\"", Effect::LowerBy(50)),
        ("-254", Effect::LowerBy(254)),
    ] {
        assert_eq!(policy(&format!("on-down = {text}")).on_down, effect, "{text}");
        let slow = format!("on-down = \"none\"\non-slow = {text}");
        assert_eq!(policy(&slow).on_slow, Some(effect), "{text}");
    }
    let all = policy("need = 2\non-late = \"-20\"\non-all-down = \"withdraw\"");
    assert_eq!(all.checks, ["web", "db"]);
    assert_eq!((all.need, all.on_late), (Need::AtLeast(2), 20));
    assert_eq!(all.on_all_down, OnAllDown::Withdraw);
    assert_eq!(policy("on-late = -7").on_late, 7);
    assert_eq!(policy("need = \"any\"\non-all-down = \"keep\"").need, Need::Any);
}

#[test]
fn a_group_names_checks_that_are_there() {
    check(
        r#"checks = ["web", "bd"]"#,
        r#"
error: unknown check `bd`
  --> shunt.toml:26:18
   |
26 | checks = ["web", "bd"]
   |                  ^^^^ the checks are: db, web
   |
   = help: did you mean `db`?
"#,
    );
    check(
        r#"checks = []"#,
        r#"
error: `checks` is empty
  --> shunt.toml:26:10
   |
26 | checks = []
   |          ^^ expected at least one check
"#,
    );
    check(
        r#"checks = ["web", "web"]"#,
        r#"
error: `checks` names the same twice
  --> shunt.toml:26:18
   |
26 | checks = ["web", "web"]
   |           -----  ^^^^^ again here
   |           |
   |           first here
"#,
    );
    check(
        r#"checks = "web""#,
        r#"
error: `checks` must be a list, not a string
  --> shunt.toml:26:10
   |
26 | checks = "web"
   |          ^^^^^ expected a list
   |
   = help: in brackets: ["web"]
"#,
    );
    check(
        r#"need = "any"
on-down = "drain"
on-all-down = "withdraw""#,
        r#"
error: `need` without `checks`
  --> shunt.toml:26:8
   |
26 | need = "any"
   |        ^^^^^ has no effect
   |
   = help: name what is checked: `checks = ["web"]`

error: `on-down` without `checks`
  --> shunt.toml:27:11
   |
27 | on-down = "drain"
   |           ^^^^^^^ has no effect
   |
   = help: name what is checked: `checks = ["web"]`

error: `on-all-down` without `checks`
  --> shunt.toml:28:15
   |
28 | on-all-down = "withdraw"
   |               ^^^^^^^^^^ has no effect
   |
   = help: name what is checked: `checks = ["web"]`
"#,
    );
}

#[test]
fn a_group_needs_no_more_checks_than_it_names() {
    check(
        r#"checks = ["web"]
need = 2"#,
        r#"
error: `need` is more than there are
  --> shunt.toml:27:8
   |
26 | checks = ["web"]
   |          ------- only 1 check
27 | need = 2
   |        ^ never enough
"#,
    );
    check(
        r#"checks = ["web", "db"]
need = 0"#,
        r#"
error: `need` must be from 1 to 65535
  --> shunt.toml:27:8
   |
27 | need = 0
   |        ^ out of range
"#,
    );
    check(
        r#"checks = ["web", "db"]
need = "al""#,
        r#"
error: `need` cannot be `al`
  --> shunt.toml:27:8
   |
27 | need = "al"
   |        ^^^^ expected one of: all, any
   |
   = help: did you mean `all`?
"#,
    );
    check(
        r#"checks = ["web", "db"]
need = true"#,
        r#"
error: `need` must be "all", "any" or a number, not a boolean
  --> shunt.toml:27:8
   |
27 | need = true
   |        ^^^^ expected "all", "any" or a number
"#,
    );
}

#[test]
fn an_effect_lowers() {
    check(
        r#"checks = ["web"]
on-down = "dran""#,
        r#"
error: unknown level `dran`
  --> shunt.toml:27:11
   |
27 | on-down = "dran"
   |           ^^^^^^ the levels are: drain, primary, standby
   |
   = help: did you mean `drain`?
"#,
    );
    check(
        r#"checks = ["web"]
on-down = "-0"
on-slow = -255"#,
        r#"
error: `on-down` must be from -1 to -254
  --> shunt.toml:27:11
   |
27 | on-down = "-0"
   |           ^^^^ out of range

error: `on-slow` must be from -1 to -254
  --> shunt.toml:28:11
   |
28 | on-slow = -255
   |           ^^^^ out of range
"#,
    );
    check(
        r#"checks = ["web"]
on-down = "primary""#,
        r#"
error: `on-down` is not lower than any base of the group
  --> shunt.toml:27:11
   |
27 | on-down = "primary"
   |           ^^^^^^^^^ lowers nothing: no site announces more than 200
"#,
    );
    check(
        r#"checks = ["web"]
on-down = "-20"
on-slow = "-30""#,
        r#"
error: `on-slow` lowers more than `on-down`
  --> shunt.toml:28:11
   |
27 | on-down = "-20"
   |           ----- lowers less
28 | on-slow = "-30"
   |           ^^^^^ a slow answer would count as worse than none
"#,
    );
    check(
        r#"checks = ["web"]
on-down = 50
on-slow = "drain""#,
        r#"
error: `on-slow` lowers more than `on-down`
  --> shunt.toml:28:11
   |
27 | on-down = 50
   |           -- lowers less
28 | on-slow = "drain"
   |           ^^^^^^^ a slow answer would count as worse than none
"#,
    );
    check(
        r#"checks = ["db"]
on-late = "drain""#,
        r#"
error: `on-late` must say by how much to lower
  --> shunt.toml:27:11
   |
27 | on-late = "drain"
   |           ^^^^^^^ not a number with a minus
   |
   = help: written like "-20"
"#,
    );
    check(
        r#"checks = ["db"]
on-late = 20"#,
        r#"
error: `on-late` must say by how much to lower
  --> shunt.toml:27:11
   |
27 | on-late = 20
   |           ^^ not a number with a minus
   |
   = help: written like "-20"
"#,
    );
    check(
        r#"checks = ["web"]
on-down = true
on-all-down = "never""#,
        r#"
error: `on-down` must be a level or a number, not a boolean
  --> shunt.toml:27:11
   |
27 | on-down = true
   |           ^^^^ expected a level or a number

error: `on-all-down` cannot be `never`
  --> shunt.toml:28:15
   |
28 | on-all-down = "never"
   |               ^^^^^^^ expected one of: keep, withdraw
"#,
    );
}

#[test]
fn what_never_comes_has_no_effect() {
    check(
        r#"checks = ["db"]
on-slow = "-20""#,
        r#"
error: `on-slow`, but no check has `slow`
  --> shunt.toml:27:11
   |
26 | checks = ["db"]
   |          ------ none of them has `slow`
27 | on-slow = "-20"
   |           ^^^^^ has no effect
"#,
    );
    check(
        r#"checks = ["web"]
on-late = "-20""#,
        r#"
error: `on-late`, but no check has `objective`
  --> shunt.toml:27:11
   |
26 | checks = ["web"]
   |          ------- none of them has `objective`
27 | on-late = "-20"
   |           ^^^^^ has no effect
"#,
    );
}
