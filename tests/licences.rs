//! Every dependency has a licence that `deny.toml` allows. Needs no network and no `cargo deny`.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The licences of `[licenses] allow` in `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let deny: toml::Table = text.parse().unwrap();
    deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence.as_str().unwrap().to_owned())
        .collect()
}

/// Whether an SPDX expression can be satisfied with the allowed licences. AND binds tighter than OR; the `/` of
/// old manifests means OR; `X WITH exception` counts as a licence of its own name.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let value = any_of(&mut rest, allowed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("cannot read {expression:?} from {rest:?} on"))
    }
}

fn any_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut value = all_of(rest, allowed)?;
    while let Some((&"OR", tail)) = rest.split_first() {
        *rest = tail;
        value |= all_of(rest, allowed)?;
    }
    Ok(value)
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut value = one(rest, allowed)?;
    while let Some((&"AND", tail)) = rest.split_first() {
        *rest = tail;
        value &= one(rest, allowed)?;
    }
    Ok(value)
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool, String> {
    match **rest {
        ["(", ref tail @ ..] => {
            *rest = tail;
            let value = any_of(rest, allowed)?;
            match **rest {
                [")", ref tail @ ..] => *rest = tail,
                _ => return Err("a parenthesis is not closed".into()),
            }
            Ok(value)
        }
        [licence, "WITH", exception, ref tail @ ..] => {
            *rest = tail;
            Ok(allowed.contains(&format!("{licence} WITH {exception}")))
        }
        [")" | "AND" | "OR" | "WITH", ..] | [] => Err("a licence is missing".into()),
        [licence, ref tail @ ..] => {
            *rest = tail;
            Ok(allowed.contains(licence))
        }
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // For this platform only: the packages of others need not be on this machine.
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            host,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "only {} packages: this is not our tree", packages.len());

    let allowed = allowed();
    let mut refused = Vec::new();
    for package in packages {
        let name = format!("{} {}", package["name"], package["version"]);
        match package["license"]
            .as_str()
            .map(|expression| (expression, satisfied(expression, &allowed)))
        {
            Some((_, Ok(true))) => {}
            Some((expression, Ok(false))) => refused.push(format!("{name}: {expression}")),
            Some((expression, Err(why))) => refused.push(format!("{name}: {expression}: {why}")),
            None => refused.push(format!("{name}: states no licence expression")),
        }
    }
    assert!(refused.is_empty(), "not allowed by deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Unicode-3.0"].map(String::from).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only/MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only AND GPL-2.0-only", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-2.0-only", false),
        ("Apache-2.0 WITH LLVM-exception", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), Ok(expected), "{expression}");
    }
    for broken in ["", "MIT OR", "(MIT", "MIT ISC"] {
        assert!(satisfied(broken, &allowed).is_err(), "{broken}");
    }
}
