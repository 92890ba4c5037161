use std::time::Duration;

use super::report::Report;
use super::section::Section;
use super::value;

/// `[kernel]`: what is done with learned routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Whether learned routes go into the kernel at all.
    pub install: bool,
    /// `rtm_protocol` of our routes.
    pub protocol: u8,
    pub table: u32,
    /// The kernel's route priority; lower wins.
    pub metric: u32,
    /// Equal-cost next hops of one route, at most; 1 is no multipath.
    pub max_paths: u16,
    pub on_exit: OnExit,
    /// Whether routes lead to nexthop objects, so that all that share a way out are moved by one change.
    pub nexthop_objects: bool,
    /// How long routes of an earlier life are kept after a start.
    pub grace: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    Keep,
    Withdraw,
}

pub(super) const KERNEL_KEYS: &[&str] =
    &["install", "protocol", "table", "metric", "max-paths", "nexthop-objects", "on-exit", "grace"];

/// The kernel's own table of local and broadcast addresses (RT_TABLE_LOCAL).
const LOCAL_TABLE: u32 = 255;

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel {
            install: true,
            protocol: 201,
            table: 254,
            metric: 20,
            max_paths: 8,
            nexthop_objects: true,
            on_exit: OnExit::Keep,
            grace: Duration::from_secs(60),
        }
    }
}

impl Kernel {
    pub(super) fn read(root: &Section<'_>, report: &mut Report<'_>) -> Option<Kernel> {
        let usual = Kernel::default();
        let Some(value) = root.value("kernel") else { return Some(usual) };
        let section = Section::open("[kernel]".to_owned(), value, KERNEL_KEYS, report)?;
        let table = section.number("table", 1..=u64::from(u32::MAX), report);
        if table == Some(LOCAL_TABLE) {
            report
                .at(section.span_of("table"), "table 255 is the kernel's own table `local`")
                .label("no routes go there")
                .help("the usual table `main` is 254");
        }
        let words = [("keep", OnExit::Keep), ("withdraw", OnExit::Withdraw)];
        let hour = Duration::from_secs(3600);
        let grace = |value| value::duration_within(value, Duration::ZERO..=hour, "0s to 1h");
        Some(Kernel {
            install: section.boolean("install", report).unwrap_or(usual.install),
            // 0 to 4 are the kernel's own: unspecified, redirect, kernel, boot, static.
            protocol: section.number("protocol", 5..=255, report).unwrap_or(usual.protocol),
            table: table.unwrap_or(usual.table),
            // 0 means "the kernel's choice" and differs between the families.
            metric: section
                .number("metric", 1..=u64::from(u32::MAX), report)
                .unwrap_or(usual.metric),
            max_paths: section.number("max-paths", 1..=256, report).unwrap_or(usual.max_paths),
            nexthop_objects: section
                .boolean("nexthop-objects", report)
                .unwrap_or(usual.nexthop_objects),
            on_exit: section
                .get("on-exit", report, |value| value::choice(value, &words))
                .unwrap_or(usual.on_exit),
            grace: section.get("grace", report, grace).unwrap_or(usual.grace),
        })
    }
}
