use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use crate::config::report::Report;
use crate::config::section::{Entry, Section, head};
use crate::config::value::{self, Wrong};
use crate::policy::{PrefixList, PrefixRange, PrefixRangeError};

pub(in crate::config) const KEYS: &[&str] = &["prefixes"];

/// By name, also those that could not be read (`None`).
pub(in crate::config) struct PrefixLists(pub BTreeMap<String, Option<Arc<PrefixList>>>);

impl PrefixLists {
    pub fn read(root: &Section<'_>, report: &mut Report<'_>) -> PrefixLists {
        let mut lists = BTreeMap::new();
        for Entry { key, key_span, value } in root.named("prefix-list", report) {
            if let Err(wrong) = value::wide_name(key) {
                wrong.report(key, key_span, report);
                continue;
            }
            let section = Section::open(head("prefix-list", key), value, KEYS, report);
            let ranges = section.and_then(|section| {
                section.report_missing("prefixes", "prefixes = [\"192.0.2.0/24\"]", report);
                ranges(&section, report)
            });
            let list = ranges.map(|ranges| PrefixList { name: Some(key.to_owned()), ranges });
            lists.insert(key.to_owned(), list.map(Arc::new));
        }
        PrefixLists(lists)
    }
}

/// The key `prefixes` of a list, or of a rule itself.
pub(super) fn ranges(section: &Section<'_>, report: &mut Report<'_>) -> Option<Vec<PrefixRange>> {
    let ranges = section.list("prefixes", report, range)?;
    if ranges.is_empty() {
        report.at(section.span_of("prefixes"), "`prefixes` is empty").label("no prefix is in it");
        return None;
    }
    Some(ranges.into_iter().map(Spanned::into_inner).collect())
}

fn range(value: &DeValue<'_>) -> Result<PrefixRange, Wrong> {
    let text = value::text(value)?;
    text.parse().map_err(|error| match error {
        PrefixRangeError::Prefix(_) => {
            let prefix = text.split_whitespace().next().unwrap_or(text);
            value::prefix_of(prefix).err().unwrap_or_default()
        }
        PrefixRangeError::Syntax(_) => Wrong::new(format!("`{text}` is not a range of prefixes"))
            .label("expected ADDRESS/LENGTH, `ge` and `le`")
            .help("written like 10.0.0.0/8 ge 16 le 24"),
        PrefixRangeError::Impossible { why, .. } => {
            Wrong::new(format!("`{text}` matches nothing")).label(why)
        }
    })
}
