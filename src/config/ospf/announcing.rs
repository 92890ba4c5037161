//! What the groups announce, the area can carry.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use crate::config::report::Report;
use crate::config::section::{Section, Value, entries};
use crate::config::value;
use crate::group::Group;
use crate::ospf::{Area, AreaKind, How};
use crate::types::Family;

/// The metric of a stub link has 16 bits (RFC 2328 A.4.2).
const STUB_METRICS: RangeInclusive<u64> = 0..=65535;

pub(super) fn check(
    root: &Section<'_>,
    ospf: &Section<'_>,
    area: Area,
    class: &str,
    groups: &BTreeMap<String, Group>,
    report: &mut Report<'_>,
) {
    let announced = || groups.iter().filter(|(_, group)| has_ipv4(group));
    if area.kind == AreaKind::Stub {
        for (name, _) in announced().filter(|(_, group)| group.ospf != How::Stub) {
            let Some(span) = inside(root, "group", name).map(|group| place(group, "ospf")) else {
                continue;
            };
            report
                .at(span, format!("group `{name}` cannot be announced into a stub area"))
                .label("as an external route")
                .related(ospf.span_of("area-type"), "takes no externals (RFC 2328 §3.6)")
                .help("announce it as a stub link, `ospf = \"stub\"`, or make the area an NSSA");
        }
    }
    if let Some((name, _)) = announced().find(|(_, group)| group.ospf == How::Stub)
        && let Some(group) = inside(root, "group", name)
    {
        for metric in too_large(root, class) {
            report
                .at(metric, "the metric of a stub link is at most 65535")
                .label("too large")
                .related(place(group, "ospf"), format!("group `{name}` is announced as one"));
        }
    }
}

fn has_ipv4(group: &Group) -> bool {
    group.prefixes.iter().any(|prefix| prefix.family() == Family::Ipv4)
}

/// The metrics of a class that have no room in a stub link.
fn too_large(root: &Section<'_>, class: &str) -> Vec<Range<usize>> {
    let mapping = inside(root, "mapping", class).and_then(|mapping| mapping.get_ref().as_table());
    let steps = mapping.map(entries).unwrap_or_default();
    let metrics = steps.into_iter().filter_map(|step| step.value.get_ref().get("metric"));
    let stub = |metric: &&Value<'_>| value::number::<u32>(metric.get_ref(), STUB_METRICS).is_ok();
    metrics.filter(|metric| !stub(metric)).map(|metric| metric.span()).collect()
}

/// `[group.payments]` of `group` and `payments`.
fn inside<'t>(root: &Section<'t>, section: &str, name: &str) -> Option<&'t Value<'t>> {
    root.value(section)?.get_ref().get(name)
}

/// Where a key's value stands, or the section's beginning.
fn place(section: &Value<'_>, key: &str) -> Range<usize> {
    section.get_ref().get(key).map_or_else(|| section.span(), |value| value.span())
}
