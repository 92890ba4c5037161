use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Vrrp;
use super::report::Report;
use super::section::Section;
use super::value;

/// `[takeover]`: commands at a change of roles. Each is a list of words, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Makes the connections known that the other firewall has told of. Before anything else at a takeover.
    pub commit: Option<Vec<String>>,
    /// When everything has been taken over.
    pub after: Vec<Vec<String>>,
    /// When everything has been released.
    pub release: Vec<Vec<String>>,
    /// Of each command.
    pub timeout: Duration,
}

impl Default for Takeover {
    fn default() -> Takeover {
        Takeover {
            commit: None,
            after: Vec::new(),
            release: Vec::new(),
            timeout: Duration::from_secs(1),
        }
    }
}

pub(super) const KEYS: &[&str] = &["conntrackd", "commit", "after", "release", "timeout"];

/// Where Debian and others have it.
const CONNTRACKD: &str = "/usr/sbin/conntrackd";

impl Takeover {
    pub(super) fn read(
        root: &Section<'_>,
        routers: &BTreeMap<String, Vrrp>,
        report: &mut Report<'_>,
    ) -> Option<Takeover> {
        let usual = Takeover::default();
        let Some(value) = root.value("takeover") else { return Some(usual) };
        let section = Section::open("[takeover]".to_owned(), value, KEYS, report)?;
        if !root.has("vrrp") {
            report
                .at(section.span.clone(), "[takeover] without a virtual router")
                .label("there is nothing to take over")
                .help("add a section such as [vrrp.inside]");
        }
        let conntrackd =
            section.get("conntrackd", report, |value| value::absolute_path(value::text(value)?));
        if section.has("conntrackd") && section.has("commit") {
            report
                .at(section.span_of("commit"), "`commit` beside `conntrackd`")
                .label("a second command to commit connections")
                .related(section.span_of("conntrackd"), "already has one");
        }
        // Those of one sync group, and those without one, change their roles each for themselves.
        let units: BTreeSet<&String> =
            routers.iter().map(|(name, vrrp)| vrrp.sync_group.as_ref().unwrap_or(name)).collect();
        if section.has("conntrackd") && units.len() > 1 {
            report
                .at(
                    section.span_of("conntrackd"),
                    "`conntrackd` with virtual routers that change their roles separately",
                )
                .label("has one table of connections, for all of them")
                .help("give all virtual routers the same `sync-group`");
        }
        let range = Duration::from_millis(10)..=Duration::from_secs(60);
        let timeout = section.get("timeout", report, |value| {
            value::duration_within(value, range, "from 10ms to 60s")
        });
        // As the script that comes with conntrackd does at the same moments.
        let of_conntrackd = |options: &[&str]| {
            let command = |option: &&str| {
                let file = conntrackd.as_ref()?;
                let words = [CONNTRACKD, "-C", file, option];
                Some(words.map(str::to_owned).to_vec())
            };
            options.iter().filter_map(command).collect::<Vec<_>>()
        };
        let commit = section.get("commit", report, value::command);
        let after = section.get("after", report, value::commands).unwrap_or_default();
        let release = section.get("release", report, value::commands).unwrap_or_default();
        Some(Takeover {
            commit: commit.or_else(|| of_conntrackd(&["-c"]).pop()),
            after: [of_conntrackd(&["-f", "-R", "-B"]), after].concat(),
            release: [of_conntrackd(&["-t", "-n"]), release].concat(),
            timeout: timeout.unwrap_or(usual.timeout),
        })
    }
}
