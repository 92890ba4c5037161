use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::api::v1::{PlanSwitchReply, SwitchPlan};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{BOLD, WARN, harmless};
use crate::driver::plain;

/// Reads what [`write`] has written.
pub fn read(path: &Path) -> Result<PlanSwitchReply, Failure> {
    let text = fs::read(path).map_err(|error| {
        Failure::failed(format!("cannot read {}: {}", path.display(), plain(&error)))
    })?;
    let plan: Option<PlanSwitchReply> = serde_json::from_slice(&text).ok();
    plan.filter(|plan| plan.request.is_some() && !plan.digest.is_empty()).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{} is not a plan", path.display()))
            .advise("Write one with `shunt plan switch GROUP --to SITE --out FILE`.")
    })
}

pub fn write(path: &Path, plan: &PlanSwitchReply) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(plan).map_err(io::Error::from)?;
    fs::write(path, text + "\n").map_err(|error| {
        Failure::failed(format!("cannot write {}: {}", path.display(), plain(&error)))
    })
}

pub fn print(reply: &PlanSwitchReply, out: &mut dyn Write) -> io::Result<()> {
    for plan in &reply.plans {
        one(plan, out)?;
    }
    writeln!(out, "plan {}", reply.digest)
}

fn one(plan: &SwitchPlan, out: &mut dyn Write) -> io::Result<()> {
    let SwitchPlan { group, from, to, epoch, .. } = plan;
    writeln!(out, "{BOLD}{group}{BOLD:#}: from {from} to {to}, epoch {epoch}")?;
    for obstacle in &plan.obstacles {
        writeln!(out, "  {WARN}against it: {}{WARN:#}", harmless(obstacle))?;
    }
    Ok(())
}
