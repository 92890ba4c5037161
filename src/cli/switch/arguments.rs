use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use crate::cli::arguments::span;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SwitchArguments {
    /// The group; several move in the order that the configuration asks for
    #[arg(value_name = "GROUP", required_unless_present_any = ["named", "plan"])]
    pub groups: Vec<String>,
    /// A group, whatever it is named: also `status`, as one of the commands below
    #[arg(long = "group", value_name = "GROUP")]
    pub named: Vec<String>,
    /// The site to switch to
    #[arg(long, value_name = "SITE", required_unless_present = "plan")]
    pub to: Option<String>,
    /// Carry out this plan, as `shunt plan` has written it, or nothing if the world has changed
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["groups", "named", "to", "without", "deadline"]
    )]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub how: How,
    #[command(subcommand)]
    pub command: Option<SwitchCommand>,
}

#[derive(Args)]
pub struct DrillArguments {
    /// The group to practise with
    pub group: String,
    /// The site to switch to, and back from
    #[arg(long, value_name = "SITE")]
    pub to: String,
    /// How long the group stays there
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span)]
    pub stay: Duration,
    /// Run by the shell each second. It fires if it fails or takes longer than a second; may be given several times
    #[arg(long, value_name = "COMMAND")]
    pub alarm: Vec<String>,
    /// Do not ask. Without it the plan is shown first, and the answer read from the terminal
    #[arg(long, short)]
    pub yes: bool,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

#[derive(Args)]
pub struct EvacuateArguments {
    /// The site to leave
    #[arg(value_name = "SITE", required_unless_present = "plan")]
    pub site: Option<String>,
    #[command(flatten)]
    pub which: Which,
    /// Groups that move at a time
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub parallel: u32,
    /// Carry out this plan, as `shunt plan` has written it, or nothing if the world has changed
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["site", "except", "to", "without", "deadline"]
    )]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub how: How,
}

/// What an evacuation is of.
#[derive(Args)]
pub struct Which {
    /// A group that stays
    #[arg(long, value_name = "GROUP")]
    pub except: Vec<String>,
    /// Where all go; without it each group goes to the best of its other sites
    #[arg(long, value_name = "SITE")]
    pub to: Option<String>,
}

/// What belongs to a plan.
#[derive(Args)]
pub struct What {
    /// A node that need not answer: it learns the outcome when it is back
    #[arg(long, value_name = "NODE")]
    pub without: Vec<String>,
    /// How long all steps up to the commit may take; without it as configured
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub deadline: Option<Duration>,
}

#[derive(Args)]
pub struct How {
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. Without it the plan is shown first, and the answer read from the terminal
    #[arg(long, short)]
    pub yes: bool,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Switch against rules, gates and health; needs --reason
    #[arg(long, requires = "reason")]
    pub break_glass: bool,
    /// Wait so long for a switch that is in progress; without it such a one is a refusal
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub wait: Option<Duration>,
}

#[derive(Subcommand)]
pub enum SwitchCommand {
    /// List the switches in progress, or show that of one group
    Status {
        /// A group, or a switch by its id
        group: Option<String>,
    },
    /// Go on telling of a switch in progress, from any node
    Follow(One),
    /// Go on here with a switch whose coordinator is gone
    Resume(One),
    /// Undo a switch in progress
    Abort(One),
    /// Approve a switch that waits for it
    Approve(One),
}

#[derive(Args)]
pub struct One {
    /// A group, or a switch by its id; not needed if only one is in progress
    pub group: Option<String>,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

/// `shunt plan switch`
#[derive(Args)]
pub struct PlannedSwitch {
    /// The group; several move in the order that the configuration asks for
    #[arg(value_name = "GROUP", required = true)]
    pub groups: Vec<String>,
    /// The site to switch to
    #[arg(long, value_name = "SITE")]
    pub to: String,
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub file: PlanFile,
}

/// `shunt plan evacuate`
#[derive(Args)]
pub struct PlannedEvacuation {
    /// The site to leave
    pub site: String,
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub file: PlanFile,
}

#[derive(Args)]
pub struct PlanFile {
    /// Write the plan to this file, for `--plan` of `shunt switch` and `shunt evacuate`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}
