//! The keys `bfd` and `bfd-strict` of those who want to know of a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{BfdUse, Profiles};
use crate::config::reference::{self, PROFILE};
use crate::config::report::Report;
use crate::config::section::Section;

/// `None`: no BFD. `others` are further keys that mean nothing then.
pub(in crate::config) fn read_use(
    section: &Section<'_>,
    others: &[&str],
    profiles: &Profiles,
    report: &mut Report<'_>,
) -> Option<BfdUse> {
    let names: BTreeSet<&str> = profiles.keys().map(String::as_str).collect();
    let profile = reference::known(section, "bfd", &PROFILE, &names, report);
    let strict = section.boolean("bfd-strict", report).unwrap_or(false);
    if !section.has("bfd") {
        for key in ["bfd-strict"].iter().chain(others).filter(|key| section.has(key)) {
            report
                .at(section.span_of(key), format!("`{key}` without `bfd`"))
                .label("has no effect")
                .help("add a line such as `bfd = \"default\"`");
        }
    }
    Some(BfdUse { profile: profile?, strict })
}

/// A session that notices a failure no sooner than the protocol itself is a slip of the pen. `key` is the protocol's.
pub(in crate::config) fn check_sooner(
    bfd: &BfdUse,
    key: &str,
    protocol: Duration,
    section: &Section<'_>,
    profiles: &Profiles,
    report: &mut Report<'_>,
) {
    let Some(Some(profile)) = profiles.get(&bfd.profile) else { return };
    let detection = profile.detection_time();
    if detection < protocol {
        return;
    }
    let draft = report
        .at(
            section.span_of("bfd"),
            format!("profile `{}` notices a failure no sooner than `{key}`", bfd.profile),
        )
        .label(format!("after {detection:?}, against {protocol:?}"))
        .help("lower the intervals or the multiplier of the profile");
    if section.has(key) {
        draft.related(section.span_of(key), "without BFD");
    }
}
