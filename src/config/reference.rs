//! What a section refers to by name: a class, the file of a secret.

use std::collections::BTreeSet;

use super::Secret;
use super::report::Report;
use super::section::Section;
use crate::group::nearest;

/// Reads the file of a secret by the name that the configuration gives it; as [`super::parse`] has it.
pub(super) type ReadSecret<'a> = dyn FnMut(&str) -> Result<Secret, String> + 'a;

/// The key `class`, one of `classes`.
pub(super) fn read_class(
    section: &Section<'_>,
    classes: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> String {
    let class = section.text("class", report).unwrap_or("default");
    if !classes.contains(class) {
        let classes: Vec<&str> = classes.iter().copied().collect();
        report
            .at(section.span_of("class"), format!("unknown class `{class}`"))
            .label(format!("the classes are: {}", classes.join(", ")))
            .help(match nearest(class, classes) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add a section [mapping.{class}]"),
            });
    }
    class.to_owned()
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
