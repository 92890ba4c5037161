//! What a section refers to by name: a class, the file of a secret.

use std::collections::BTreeSet;

use super::Secret;
use super::report::Report;
use super::section::{Section, head};
use crate::group::nearest;

/// Reads the file of a secret by the name that the configuration gives it; as [`super::parse`] has it.
pub(super) type ReadSecret<'a> = dyn FnMut(&str) -> Result<Secret, String> + 'a;

/// A kind of section that others refer to by its name.
pub(super) struct Kind {
    pub one: &'static str,
    pub many: &'static str,
    /// What is before the name in the section's head.
    pub head: &'static str,
}

const CLASS: Kind = Kind { one: "class", many: "classes", head: "mapping" };
pub(super) const PROFILE: Kind =
    Kind { one: "BFD profile", many: "BFD profiles", head: "bfd.profile" };
pub(super) const SESSION: Kind =
    Kind { one: "BFD session", many: "BFD sessions", head: "bfd.session" };
pub(super) const ROUTER: Kind =
    Kind { one: "virtual router", many: "virtual routers", head: "vrrp" };
pub(super) const NEIGHBOR: Kind = Kind { one: "neighbor", many: "neighbors", head: "neighbor" };
pub(super) const INTERFACE: Kind =
    Kind { one: "OSPF interface", many: "OSPF interfaces", head: "ospf.interface" };

/// The name that `key` refers to, one of `names`. `None` if it is not there, or reported.
pub(super) fn known(
    section: &Section<'_>,
    key: &str,
    kind: &Kind,
    names: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> Option<String> {
    let name = section.text(key, report)?;
    if names.contains(name) {
        return Some(name.to_owned());
    }
    let all: Vec<&str> = names.iter().copied().collect();
    report
        .at(section.span_of(key), format!("unknown {} `{name}`", kind.one))
        .label(match all.is_empty() {
            true => format!("there are no {}", kind.many),
            false => format!("the {} are: {}", kind.many, all.join(", ")),
        })
        .help(match nearest(name, all) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add a section {}", head(kind.head, name)),
        });
    None
}

/// The key `class`, one of `classes`.
pub(super) fn read_class(
    section: &Section<'_>,
    classes: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> String {
    known(section, "class", &CLASS, classes, report).unwrap_or_else(|| "default".to_owned())
}

/// The content of the file that `key` names.
pub(super) fn secret(
    section: &Section<'_>,
    key: &str,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Option<Secret> {
    let file = section.text(key, report)?;
    read_secret(file)
        .map_err(|problem| {
            report
                .at(section.span_of(key), format!("the secret file `{file}` {problem}"))
                .label("named here");
        })
        .ok()
}

/// The same; that it is not there is a mistake. `example` is a line to add.
pub(super) fn required_secret(
    section: &Section<'_>,
    key: &str,
    example: &str,
    read_secret: &mut ReadSecret<'_>,
    report: &mut Report<'_>,
) -> Option<Secret> {
    section.report_missing(key, example, report);
    secret(section, key, read_secret, report)
}
