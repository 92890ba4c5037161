//! Policies and prefix lists as they are written, and what is wrong with them.

use shunt::config::{Config, Mistake, parse};
use shunt::policy::{Chain, Route, Verdict};
use shunt::types::Validity;
use shunt::wire::bgp::{Attributes, NextHop};

const BASE: &str = r#"
[node]
name = "edge1"
site = "dc1"
asn = 64500
router-id = "192.0.2.1"
own-prefixes = ["198.51.100.0/24"]

[neighbor.isp-a]
address = "192.0.2.254"
remote-as = 64496
import = "all"
export = "transit"
import-policy = ["bogons", "from-isp"]
export-policy = ["bogons"]

[prefix-list.bogons]
prefixes = ["10.0.0.0/8 le 32", "192.0.2.0/24 ge 25 le 28"]

[policy.bogons]
default = "accept"

[[policy.bogons.rule]]
match = { prefix-list = "bogons" }
then = "reject"

[policy.from-isp]

[[policy.from-isp.rule]]
name = "good"
match = { as-path = "_64501$", as-path-length = "<= 5" }
set = { local-pref = 200, med = "none", communities = { remove = "64500:*", add = "64500:1" } }
then = "next"

[[policy.from-isp.rule]]
name = "all"
then = "accept"
"#;

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |_| Err("cannot be read".to_owned()))
}

/// The first mistake of `BASE` with `from` replaced by `to`: line, message, label and help.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(BASE.contains(from), "`{from}` is not in the file");
    let mistakes = read(&BASE.replacen(from, to, 1)).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes
        .iter()
        .map(|mistake| {
            let help = mistake.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{}: {}: {}{help}", mistake.place.line, mistake.message, mistake.label)
        })
        .collect();
    assert_eq!(shown, [expected]);
}

fn verdict(chain: &Chain, prefix: &str) -> Verdict {
    let attributes = Attributes::originated(NextHop::V4([192, 0, 2, 254].into()));
    let route = Route {
        prefix: prefix.parse().unwrap(),
        learned_from: Some("isp-a"),
        validity: Validity::NotFound,
    };
    chain.evaluate(&attributes, &chain.facts(&route), None)
}

#[test]
fn a_neighbor_has_its_policies_in_order() {
    let config = read(BASE).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let isp = &config.neighbors["isp-a"];
    assert!(isp.import_policy.names().eq(["bogons", "from-isp"]));
    assert!(matches!(verdict(&isp.import_policy, "198.51.0.0/16"), Verdict::Accepted(_)));
    let Verdict::Rejected(by) = verdict(&isp.import_policy, "192.0.2.0/26") else {
        panic!("accepted");
    };
    assert_eq!(isp.import_policy.describe(by), "policy bogons, rule 1");
    // Nothing but the order is shared.
    assert_ne!(isp.import_policy, isp.export_policy);
    assert_eq!(read(BASE).unwrap(), config);
    let other = BASE.replace("le 28", "le 29");
    assert_ne!(read(&other).unwrap().neighbors["isp-a"].import_policy, isp.import_policy);
}

#[test]
fn a_match_over_several_lines_or_under_a_head_is_the_same() {
    let base = read(BASE).unwrap();
    let line = "match = { as-path = \"_64501$\", as-path-length = \"<= 5\" }\n";
    let lines =
        "match = {\n  as-path = \"_64501$\", # from there\n  as-path-length = \"<= 5\",\n}\n";
    assert_eq!(read(&BASE.replace(line, lines)).unwrap(), base);
    let head = "[policy.from-isp.rule.match]\nas-path = \"_64501$\"\nas-path-length = \"<= 5\"\n\n";
    let text =
        BASE.replace(line, "").replace("then = \"next\"\n", &format!("then = \"next\"\n{head}"));
    assert_eq!(read(&text).unwrap(), base);
}

#[test]
fn unknown_names_are_mistakes() {
    check(
        "[\"bogons\", \"from-isp\"]",
        "[\"bogon\"]",
        "14: unknown policy `bogon`: the policies are: bogons, from-isp (did you mean `bogons`?)",
    );
    check(
        "prefix-list = \"bogons\"",
        "prefix-list = [\"bogons\", \"martians\"]",
        "24: unknown prefix list `martians`: the prefix lists are: bogons (add a section \
         [prefix-list.martians])",
    );
    check(
        "as-path = ",
        "as-paths = ",
        "31: unknown key `as-paths`: not a key of `match` of rule good (did you mean `as-path`?)",
    );
    check(
        "med = \"none\"",
        "class = \"isp\"",
        "32: unknown class `isp`: the classes are: default (add a section [mapping.isp])",
    );
    check(
        "as-path = \"_64501$\"",
        "learned-from = \"isp-b\"",
        "31: unknown neighbor `isp-b`: the neighbors are: isp-a (did you mean `isp-a`?)",
    );
    check(
        "then = \"next\"",
        "then = \"continue\"",
        "33: `then` cannot be `continue`: expected one of: accept, reject, next",
    );
}

#[test]
fn what_can_never_match_is_a_mistake() {
    let prefixes = "\"192.0.2.0/24 ge 25 le 28\"";
    check(
        prefixes,
        "\"192.0.2.0/24 ge 16\"",
        "18: `192.0.2.0/24 ge 16` matches nothing: no prefix of length 16 is inside 192.0.2.0/24",
    );
    check(
        prefixes,
        "\"192.0.2.0/24 ge 28 le 25\"",
        "18: `192.0.2.0/24 ge 28 le 25` matches nothing: no length is from 28 to 25",
    );
    let family = "match = { prefix-list = \"bogons\"";
    check(
        family,
        "match = { family = \"ipv6\", prefix-list = \"bogons\"",
        "24: no prefix of prefix-list is ipv6: the rule matches nothing",
    );
    check(
        family,
        "match = { prefixes = [\"172.16.0.0/12\", \"192.0.2.0/24 ge 29\"], prefix-list = \"bogons\"",
        "24: no prefix is in both `prefixes` and `prefix-list`: the rule matches nothing",
    );
    let length = "as-path-length = \"<= 5\"";
    check(
        length,
        "as-path-length = \"< 0\"",
        "31: `as-path-length` matches nothing: no path has such a length",
    );
    check(
        length,
        "as-path-length = \"5-3\"",
        "31: `as-path-length` matches nothing: no path has such a length",
    );
    check(
        length,
        "as-path-length = 0, origin-as = 64501",
        "31: `origin-as` of an empty path: the rule matches nothing",
    );
    check(
        length,
        "rpki = \"invalid\"",
        "31: `rpki` without a cache that says what is valid: every route is not-found (add a \
         section [rpki.cache.NAME])",
    );
    check(
        length,
        "communities = { all = [\"64500:1\"], none = [\"64500:1\"] }",
        "31: `communities` matches nothing: wanted here",
    );
    check(
        "\"_64501$\"",
        "\"AS64501$\"",
        "31: `AS64501$` is not a pattern for AS paths: an AS path has numbers, and no `A` (written \
         like \"^64500_\", \"_64500$\" or \"_64500_\", where `_` stands for an end of a number)",
    );
    check(
        "then = \"next\"\n",
        "then = \"next\"\n[[policy.from-isp.rule]]\nthen = \"reject\"\n",
        "37: a rule that is never reached: no route comes here",
    );
}

#[test]
fn what_has_no_effect_is_a_mistake() {
    check(
        "import = \"all\"\n",
        "",
        "13: `import-policy` without routes: has no effect (add `import = \"all\"`: the policies \
         decide on what it lets through)",
    );
    check(
        "export = \"transit\"\n",
        "export = \"none\"\n",
        "15: `export-policy` without routes: has no effect",
    );
    check(
        "then = \"next\"",
        "then = \"reject\"",
        "32: a rule that rejects changes nothing: has no effect",
    );
    check(
        "local-pref = 200",
        "class = \"default\"",
        "14: policy `from-isp` sets a class on import: `class` of rule good has no effect on \
         learned routes (a class is how announcements of our own look: for `export-policy`)",
    );
    check(
        "remove = \"64500:*\"",
        "clear = true, remove = \"64500:*\"",
        "32: nothing is left to remove: has no effect",
    );
    check("name = \"all\"", "name = \"good\"", "36: two rules with the name `good`: again here");
}
