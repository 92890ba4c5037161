//! Where a check is asked from.

use crate::config::address::{self, family};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::value;
use crate::health::{Method, Origin};

pub(super) const KEYS: &[&str] = &["source-address", "interface", "mark"];

/// `key` has the target. `method` is `None` if it could not be read.
pub(super) fn read(
    section: &Section<'_>,
    key: &str,
    method: Option<&Method>,
    report: &mut Report<'_>,
) -> Origin {
    let source = section.get("source-address", report, address::unicast);
    let interface = section.get("interface", report, |value| value::interface(value::text(value)?));
    let mark = section.number("mark", 1..=u64::from(u32::MAX), report);
    let Some(to) = method.and_then(Method::address) else { return Origin::default() };
    if let Some(source) = source.filter(|source| source.is_ipv6() != to.is_ipv6()) {
        report
            .at(
                section.span_of("source-address"),
                "`source-address` is of the other address family",
            )
            .label(family(source))
            .related(section.span_of(key), format!("{} is asked", family(to)));
    }
    if address::is_link_local(to) && !section.has("interface") {
        report
            .at(section.span_of(key), format!("{to} is a link-local address"))
            .label("does not say on which link")
            .help("add a line such as `interface = \"eth1\"`");
    }
    Origin { address: source, interface, mark: mark.unwrap_or(0), traffic_class: 0 }
}
