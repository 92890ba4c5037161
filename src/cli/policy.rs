use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::attributes;
use super::check;
use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{BAD, BOLD, DIM, GOOD, Output};
use crate::agent::test_policy;
use crate::api::v1::{Attributes, PolicyStep, PolicyTestReply, PolicyTestRequest};
use crate::types::Validity;

#[derive(Args)]
pub struct PolicyTest {
    #[command(flatten)]
    pub route: PolicyRoute,
    /// Ask the policy of this configuration file, without a daemon
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
}

/// A policy, and the route that it is asked about.
#[derive(Args)]
pub struct PolicyRoute {
    /// The policy's name
    policy: String,
    /// The route's prefix
    prefix: String,
    /// Numbers as in `64496 64497`, a set as {64498,64499}; without it an empty path
    #[arg(long, value_name = "PATH", default_value = "")]
    as_path: String,
    /// igp, egp or incomplete
    #[arg(long, value_name = "ORIGIN", default_value = "igp")]
    origin: String,
    /// Without it 0.0.0.0
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    next_hop: String,
    #[arg(long, value_name = "N")]
    local_pref: Option<u32>,
    #[arg(long, value_name = "N")]
    med: Option<u32>,
    /// Such as 64496:100,no-export
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    communities: Vec<String>,
    /// Such as rt:64496:1
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    extended_communities: Vec<String>,
    /// Such as 64496:1:2
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    large_communities: Vec<String>,
    /// The neighbor that the route was learned from; prepending is then that neighbor's, and ours without it
    #[arg(long, value_name = "NAME", default_value = "")]
    neighbor: String,
    /// valid, invalid or not-found; without it as the daemon finds it
    #[arg(long, value_name = "STATE", default_value = "")]
    rpki: String,
}

impl PolicyRoute {
    fn request(self) -> PolicyTestRequest {
        PolicyTestRequest {
            policy: self.policy,
            prefix: self.prefix,
            neighbor: self.neighbor,
            rpki: self.rpki,
            attributes: Some(Attributes {
                origin: self.origin,
                as_path: self.as_path,
                next_hop: self.next_hop,
                med: self.med,
                local_pref: self.local_pref,
                communities: self.communities,
                extended_communities: self.extended_communities,
                large_communities: self.large_communities,
                ..Attributes::default()
            }),
        }
    }
}

/// `shunt policy test POLICY PREFIX`, of the daemon's policy.
pub async fn test(route: PolicyRoute, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let request = route.request();
    let reply =
        daemon.call(PATIENCE, async move |mut client| client.policy_test(request).await).await?;
    out.answer(&reply, |out| print(&reply, out))?;
    Ok(())
}

/// The same of a configuration file.
pub fn test_file(route: PolicyRoute, file: &Path, out: Output) -> Result<(), Failure> {
    let config = check::read(file)?;
    let reply = test_policy(&config, &route.request(), |_, _| Validity::NotFound)
        .map_err(|status| Failure::failed(status.message()))?;
    out.answer(&reply, |out| print(&reply, out))?;
    Ok(())
}

/// Rule by rule, in the order in which they were asked.
fn print(reply: &PolicyTestReply, out: &mut dyn Write) -> io::Result<()> {
    let PolicyTestReply { policy, prefix, rpki, .. } = reply;
    let before = reply.before.iter().flat_map(attributes::full).collect::<Vec<_>>().join(", ");
    writeln!(out, "{BOLD}{prefix}{BOLD:#}: {before}, rpki {rpki}")?;
    for step in &reply.steps {
        print_step(step, out)?;
    }
    match reply.accepted {
        true => {
            writeln!(out, "{GOOD}accepted{GOOD:#} by policy {policy}{}", changes(&reply.changes))?
        }
        false => writeln!(out, "{BAD}rejected{BAD:#} by policy {policy}")?,
    }
    match &reply.after {
        Some(after) if !reply.changes.is_empty() => {
            writeln!(out, "{BOLD}{prefix}{BOLD:#}: {}", attributes::full(after).join(", "))
        }
        _ => Ok(()),
    }
}

fn print_step(step: &PolicyStep, out: &mut dyn Write) -> io::Result<()> {
    if step.rule.is_empty() {
        return writeln!(out, "  its default: {}", step.then);
    }
    let rule = &step.rule;
    match step.fits {
        true => writeln!(out, "  rule {rule}: {}{}", step.then, changes(&step.changes))?,
        false => writeln!(out, "  {DIM}rule {rule}: does not fit{DIM:#}")?,
    }
    for condition in &step.conditions {
        let (style, word) = if condition.holds { (GOOD, "yes") } else { (DIM, "no ") };
        writeln!(out, "    {style}{word}{style:#}  {}", condition.condition)?;
    }
    Ok(())
}

fn changes(changes: &str) -> String {
    match changes {
        "" => String::new(),
        changes => format!(", with {changes}"),
    }
}
