//! What a section refers to by name: a class, the file of a secret.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::Secret;
use super::report::Report;
use super::section::{Section, head};
use super::value;
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

pub(super) const CLASS: Kind = Kind { one: "class", many: "classes", head: "mapping" };
pub(super) const PROFILE: Kind =
    Kind { one: "BFD profile", many: "BFD profiles", head: "bfd.profile" };
pub(super) const SESSION: Kind =
    Kind { one: "BFD session", many: "BFD sessions", head: "bfd.session" };
pub(super) const ROUTER: Kind =
    Kind { one: "virtual router", many: "virtual routers", head: "vrrp" };
pub(super) const CHECK: Kind = Kind { one: "check", many: "checks", head: "check" };
pub(super) const GROUP: Kind = Kind { one: "group", many: "groups", head: "group" };
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
    is_known(name, section.span_of(key), kind, names, report).then(|| name.to_owned())
}

/// The names that `key` refers to, at least one. `None` if it is not there, or one of them was reported.
pub(super) fn known_list<'t>(
    section: &Section<'t>,
    key: &str,
    kind: &Kind,
    names: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> Option<Vec<Spanned<&'t str>>> {
    let list = section.list(key, report, value::text)?;
    if list.is_empty() {
        report
            .at(section.span_of(key), format!("`{key}` is empty"))
            .label(format!("expected at least one {}", kind.one));
        return None;
    }
    all_known(&list, kind, names, report).then_some(list)
}

/// Whether each name of a list is one of `names`; those that are not are reported.
pub(super) fn all_known(
    list: &[Spanned<&str>],
    kind: &Kind,
    names: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> bool {
    let mut all_known = true;
    for name in list {
        all_known &= is_known(name.get_ref(), name.span(), kind, names, report);
    }
    all_known
}

/// The names of a list, if it could be read.
pub(super) fn owned(list: Option<Vec<Spanned<&str>>>) -> Vec<String> {
    list.into_iter().flatten().map(|name| name.into_inner().to_owned()).collect()
}

/// Reports a name that is not one of `names`.
fn is_known(
    name: &str,
    span: Range<usize>,
    kind: &Kind,
    names: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> bool {
    if names.contains(name) {
        return true;
    }
    let all: Vec<&str> = names.iter().copied().collect();
    report
        .at(span, format!("unknown {} `{name}`", kind.one))
        .label(match all.is_empty() {
            true => format!("there are no {}", kind.many),
            false => format!("the {} are: {}", kind.many, all.join(", ")),
        })
        .help(match nearest(name, all) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add a section {}", head(kind.head, name)),
        });
    false
}

/// `1 check`, `3 checks`.
pub(super) fn count(number: usize, kind: &Kind) -> String {
    format!("{number} {}", if number == 1 { kind.one } else { kind.many })
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
