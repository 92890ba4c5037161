use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use jiff::{Span, SpanRelativeTo};

use super::failure::EXIT_CODES;
use super::pki::PkiCommand;
use super::policy::PolicyTest;
use super::remote::RemoteArguments;
use super::switch::{
    DrillArguments, EvacuateArguments, PlannedEvacuation, PlannedSwitch, SwitchArguments,
};

/// Orders shuntd to announce, withdraw or prefer prefixes, and shows what it does.
#[derive(Parser)]
#[command(name = "shunt", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    /// The daemon's UNIX socket
    #[arg(
        long,
        global = true,
        env = "SHUNT_SOCKET",
        hide_env_values = true,
        default_value = "/run/shunt/shunt.sock",
        value_name = "PATH",
        value_hint = ValueHint::FilePath
    )]
    pub socket: PathBuf,
    /// Print the answer as JSON: one object, or one per line for routes and events
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub remote: RemoteArguments,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Announce a group or prefix, at its base preference or at a level
    ///
    /// The order is on disk before it acts and outlives restarts until it is released or expires.
    /// The command returns when the TCP of each established neighbor has acknowledged the change.
    Announce {
        /// A group's name, or a prefix within the node's own prefixes
        target: String,
        /// A level's name or a number from 1 to 255; higher attracts more traffic
        #[arg(long)]
        level: Option<String>,
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        expiry: Expiry,
        #[command(flatten)]
        wait: Wait,
    },
    /// Withdraw a group or prefix from every neighbor
    ///
    /// The order is on disk before it acts and outlives restarts until it is released or expires.
    Withdraw {
        /// A group's name or a prefix
        target: String,
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        expiry: Expiry,
        #[command(flatten)]
        wait: Wait,
    },
    /// Set the preference of a group or prefix: higher attracts more traffic
    ///
    /// Each class of neighbors sees it as the configuration's mapping says: MED, prepending,
    /// communities, local preference.
    Prefer {
        /// A group's name or a prefix
        target: String,
        /// A level's name or a number from 1 to 255
        level: String,
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        expiry: Expiry,
        #[command(flatten)]
        wait: Wait,
    },
    /// Drop the order on a group or prefix: back to what the configuration says
    Release {
        /// A group's name or a prefix
        target: String,
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        wait: Wait,
    },
    /// Drain this node: let traffic go elsewhere, with every session kept up
    ///
    /// All groups and prefixes are announced at level `drain` at most, and the OSPF router asks not
    /// to be used for transit (RFC 6987), until `shunt undrain` or the end of `--for`.
    Drain {
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        expiry: Expiry,
        #[command(flatten)]
        wait: Wait,
    },
    /// End the draining: back to the other orders and the configuration
    Undrain {
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        wait: Wait,
    },
    /// Move a group to another site, on all nodes, and put everything back if that does not work
    ///
    /// The target is raised, and seen to work, before the source is lowered. Ctrl-C undoes it; a
    /// second Ctrl-C leaves the undoing to the nodes.
    Switch(SwitchArguments),
    /// Move all groups away from a site
    ///
    /// Each group moves as by `shunt switch`; groups that the configuration orders wait for each other.
    Evacuate(EvacuateArguments),
    /// Practise a switch: move a group to another site, stay there, and move it back
    ///
    /// An alarm, a check of the group that goes down, or Ctrl-C ends it at once, and the group goes back to where it was.
    Drill(DrillArguments),
    /// Show what an order or a switch would do, without giving it
    #[command(subcommand)]
    Plan(PlannedOrder),
    /// Show the node at a glance, and what needs attention
    Status,
    /// List the BGP neighbors, or show one in full
    Neighbors {
        /// Only this neighbor, with everything known about it
        name: Option<String>,
    },
    /// List groups and prefixes with their preference, or show one group with the reasons
    Groups {
        /// Only this group, with the reasons for its preference
        name: Option<String>,
    },
    /// List routes in prefix order
    Routes(Selection),
    /// Write what was learned in the form of archives (MRT)
    #[command(subcommand)]
    Mrt(MrtCommand),
    /// Show what OSPF knows
    #[command(subcommand)]
    Ospf(OspfCommand),
    /// List the BFD sessions, or show some in full
    Bfd {
        /// Only sessions of this neighbor, configured session, interface or address, with
        /// everything known about them
        name: Option<String>,
    },
    /// List the virtual routers (VRRP), show one in full, or release one
    Vrrp(VrrpArguments),
    /// List the checks with what is thought of them, show one in full, or try one
    Health(HealthArguments),
    /// List the RPKI caches, or show who may originate a prefix
    Rpki {
        /// What covers this prefix
        prefix: Option<String>,
        /// Whether this AS may originate it
        #[arg(value_name = "AS")]
        origin_as: Option<u32>,
    },
    /// Explain a prefix: why this preference, what was sent to whom, which path won and why
    Why {
        /// A prefix, or an address whose longest match is explained
        prefix: String,
    },
    /// Ask the policies what becomes of a route
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Print events, oldest first
    Events {
        /// Go on printing events as they happen
        #[arg(long, short)]
        follow: bool,
        /// At most this many of the past
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        last: Option<u32>,
    },
    /// Print the ledger: what became of each switch, and what the node did by itself, oldest first
    History {
        /// Only entries of this group
        group: Option<String>,
        /// At most this many, the newest
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        last: Option<u32>,
    },
    /// Look whether the ledger is as it was written
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Read the configuration file again; a file with mistakes changes nothing
    Reload,
    /// Ask neighbors to send their routes again
    Refresh {
        /// Only this neighbor; without it, every established one
        neighbor: Option<String>,
    },
    /// Look for mistakes in a configuration file, without a daemon
    Check {
        /// The configuration file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Make a certificate authority for a fleet, and certificates
    #[command(subcommand)]
    Pki(PkiCommand),
    /// Print the versions of this command and of the daemon
    Version,
    /// Print a completion script for a shell
    Completions { shell: Shell },
    /// Write the manual pages into a directory
    Man {
        /// Made if it is missing
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Follow the chain of hashes, and name the first line that does not fit
    Verify {
        /// A ledger's file, without a daemon; without it the daemon looks at its own, and whether that ends as it knows
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Explain what a policy makes of a route, rule by rule
    ///
    /// The route need not exist: it has the prefix and attributes that are given here.
    Test(PolicyTest),
}

#[derive(Subcommand)]
pub enum PlannedOrder {
    /// For every router of the area: where its traffic for a prefix goes now, and where it would go
    ///
    /// Computed from the link-state database as it is, as each router will compute it.
    Prefer {
        /// A prefix that this node may announce by OSPF
        prefix: String,
        /// A level's name or a number from 0 (not announced) to 255
        level: String,
    },
    /// What a switch of a group would do on each node, and where traffic would go
    Switch(PlannedSwitch),
    /// What an evacuation of a site would do, group by group
    Evacuate(PlannedEvacuation),
}

#[derive(Subcommand)]
pub enum OspfCommand {
    /// List the neighbors and who does not fit, or show one in full
    Neighbors {
        /// Only this router, by host name or router id, with everything known about it
        router: Option<String>,
        /// Only neighbors on this interface
        #[arg(long, value_name = "NAME")]
        interface: Option<String>,
    },
    /// List the interfaces, or show one in full, with its counters
    Interfaces {
        /// Only this interface, with everything known about it
        name: Option<String>,
    },
    /// List the link-state database
    Database(LsaSelection),
    /// List the routes that OSPF has computed
    Routes {
        /// Only this prefix and what it covers
        #[arg(long, value_name = "PREFIX")]
        within: Option<String>,
        /// Only routes that end at this router, by host name or router id
        #[arg(long)]
        router: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum MrtCommand {
    /// Write the table: every path that was learned and taken, as it is after the import
    Dump {
        /// The file, made anew; `-` for standard output
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct VrrpArguments {
    /// Only this virtual router, with everything known about it
    pub name: Option<String>,
    #[command(subcommand)]
    pub order: Option<VrrpOrder>,
}

#[derive(Subcommand)]
pub enum VrrpOrder {
    /// Give up a virtual router, with its sync group, as long as another router can be Active
    ///
    /// BGP and OSPF go first, then the addresses, so that no connection is cut. The order is on
    /// disk before it acts and outlives restarts until `shunt vrrp resume` or the end of `--for`.
    /// The command returns when the role is given up.
    Release {
        /// The virtual router's name
        name: String,
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        expiry: Expiry,
        #[command(flatten)]
        wait: RoleWait,
    },
    /// End the release: the virtual router may be Active again, as its priority says
    Resume {
        /// The virtual router's name
        name: String,
        #[command(flatten)]
        because: Because,
        #[command(flatten)]
        wait: RoleWait,
    },
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HealthArguments {
    /// Only this check, with everything known about it
    pub check: Option<String>,
    #[command(subcommand)]
    pub command: Option<HealthCommand>,
}

#[derive(Subcommand)]
pub enum HealthCommand {
    /// Make one run of a check now, and say what happened step by step
    ///
    /// The daemon makes it as it makes the others, but its verdict does not hear of it. The exit
    /// code is 0 if the check answered as it should, even slowly, and 7 if not.
    Try {
        /// The check's name
        check: String,
    },
}

#[derive(Args)]
pub struct LsaSelection {
    /// Only one type of LSA
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<LsaKind>,
    /// Only LSAs about this prefix
    #[arg(long)]
    pub prefix: Option<String>,
    /// Only LSAs of this router, by host name or router id
    #[arg(long)]
    pub router: Option<String>,
    /// Show what each LSA says
    #[arg(long)]
    pub detail: bool,
}

/// The API's names of LSA types, in the order of their numbers.
#[derive(Clone, Copy, ValueEnum)]
pub enum LsaKind {
    Router,
    Network,
    Summary,
    AsbrSummary,
    External,
    NssaExternal,
    OpaqueLink,
    OpaqueArea,
    OpaqueAs,
}

impl LsaKind {
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[derive(Args)]
pub struct Because {
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

#[derive(Args)]
pub struct Expiry {
    /// Let the order expire by itself after this time: 2h, 30m, 1d12h
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    pub expires_after: Option<Duration>,
}

#[derive(Args)]
pub struct Wait {
    /// Return as soon as the order is on disk and applied
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for the neighbors' acknowledgements
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span)]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct RoleWait {
    /// Return as soon as the order is on disk
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for the change of roles
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    pub timeout: Duration,
}

#[derive(Args)]
pub struct Selection {
    /// Only this prefix and what it covers
    #[arg(long, value_name = "PREFIX", alias = "within")]
    pub longer: Option<String>,
    /// Only paths learned from this neighbor
    #[arg(long, value_name = "NAME")]
    pub neighbor: Option<String>,
    /// Only paths with this community, standard, extended or large
    #[arg(long, value_name = "COMMUNITY")]
    pub community: Option<String>,
    /// Only the best path of each prefix
    #[arg(long)]
    pub best: bool,
    /// Only paths that are not used, with the reason
    #[arg(long, conflicts_with = "best")]
    pub lost: bool,
    /// Only one address family
    #[arg(long)]
    pub family: Option<AddressFamily>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum AddressFamily {
    Ipv4,
    Ipv6,
}

/// A span of time above zero, as in `90s`, `2h`, `1d12h` or `1 hour 30 minutes`. Days have 24 hours.
pub fn span(text: &str) -> Result<Duration, String> {
    let expected = || "write a time such as 90s, 2h or 1d12h".to_owned();
    let span: Span = text.parse().map_err(|_| expected())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .filter(|span| !span.is_zero())
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in
            [("90s", 90), ("2h", 7200), ("1d12h", 129_600), ("1 hour 30 minutes", 5400)]
        {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(span("300ms"), Ok(Duration::from_millis(300)));
        for text in ["", "2", "0s", "-2h", "2h ago", "soon", "1 month"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
