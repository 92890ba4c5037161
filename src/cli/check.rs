use std::fs;
use std::path::Path;

use serde::Serialize;

use super::failure::{Exit, Failure};
use super::output::{self, Output};
use crate::config::{Config, Mistake};
use crate::driver::{parse_configuration, plain};

#[derive(Serialize)]
struct Verdict {
    mistakes: Vec<Mistake>,
}

/// The configuration in a file; with mistakes, none.
pub fn read(file: &Path) -> Result<Config, Failure> {
    let text = read_text(file)?;
    parse_configuration(&text, file).map_err(|mistakes| refusal(file, &text, &mistakes))
}

/// `shunt check FILE`: what `shuntd` would say to it, with exit code 6 if there are mistakes.
///
/// As with a compiler, the mistakes are the errors: they go to standard error, unless as JSON.
pub fn check(file: &Path, out: Output) -> Result<(), Failure> {
    let text = read_text(file)?;
    let parsed = parse_configuration(&text, file);
    let (summary, mistakes) = match parsed {
        Ok(config) => {
            let mut parts = vec![
                output::count(config.neighbors.len() as u64, "neighbor", "neighbors"),
                output::count(config.groups.len() as u64, "group", "groups"),
            ];
            if !config.vrrp.is_empty() {
                let routers = config.vrrp.len() as u64;
                parts.push(output::count(routers, "virtual router", "virtual routers"));
            }
            if !config.checks.is_empty() {
                let checks = config.checks.len() as u64;
                parts.push(output::count(checks, "check", "checks"));
            }
            (format!("{}: good, {}", file.display(), parts.join(", ")), Vec::new())
        }
        Err(mistakes) => (String::new(), mistakes),
    };
    let verdict = Verdict { mistakes };
    let json = out.json;
    out.answer(&verdict, |out| match summary.as_str() {
        "" => Ok(()),
        summary => writeln!(out, "{summary}"),
    })?;
    if verdict.mistakes.is_empty() {
        return Ok(());
    }
    if json {
        return Err(Failure::silent(Exit::Configuration));
    }
    Err(refusal(file, &text, &verdict.mistakes))
}

fn read_text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| {
        Failure::failed(format!("cannot read {}: {}", file.display(), plain(&error)))
    })
}

fn refusal(file: &Path, text: &str, mistakes: &[Mistake]) -> Failure {
    let rendered: Vec<String> = mistakes.iter().map(|mistake| mistake.render(text, true)).collect();
    let count = output::count(mistakes.len() as u64, "mistake", "mistakes");
    Failure::new(Exit::Configuration, format!("{} has {count}", file.display()))
        .details(rendered.join("\n\n"))
}
