//! Typed access to a table of the file. Every method that gives `None` for a value that is there
//! has reported why.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Report;
use super::value::{self, Wrong};
use crate::group::nearest;

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A table whose keys are known: `[node]`, `[neighbor.isp-a]`, a step of a mapping.
pub(super) struct Section<'t> {
    /// As it is written: `[neighbor.isp-a]`.
    pub name: String,
    /// Where it begins.
    pub span: Range<usize>,
    table: &'t DeTable<'t>,
}

/// One entry of a table whose keys are names: a level, a group, a step.
pub(super) struct Entry<'t> {
    pub key: &'t str,
    pub key_span: Range<usize>,
    pub value: &'t Value<'t>,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub fn root(table: &'t DeTable<'t>, keys: &[&str], report: &mut Report<'_>) -> Section<'t> {
        let root = Section { name: "the configuration".to_owned(), span: 0..0, table };
        root.report_unknown(keys, report);
        root
    }

    /// A table with no other keys than `keys`.
    pub fn open(
        name: String,
        value: &'t Value<'t>,
        keys: &[&str],
        report: &mut Report<'_>,
    ) -> Option<Section<'t>> {
        let table = table(&name, value, report)?;
        let section = Section { name, span: value.span(), table };
        section.report_unknown(keys, report);
        Some(section)
    }

    /// The table of `key`, as a section with its own head: `[group.payments.switch]`.
    pub fn below(&self, key: &str, keys: &[&str], report: &mut Report<'_>) -> Option<Section<'t>> {
        let name = format!("{}.{key}]", self.name.trim_end_matches(']'));
        Section::open(name, self.value(key)?, keys, report)
    }

    fn report_unknown(&self, keys: &[&str], report: &mut Report<'_>) {
        for key in self.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            report
                .at(key.span(), format!("unknown key `{name}`"))
                .label(match self.is_root() {
                    true => "no such section".to_owned(),
                    false => format!("not a key of {}", self.name),
                })
                .help(match nearest(name, keys.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the keys are: {}", keys.join(", ")),
                });
        }
    }

    pub fn value(&self, key: &str) -> Option<&'t Value<'t>> {
        self.table.get(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the value of `key` stands; the section's beginning if it is not there.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.value(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// The value of a key, converted.
    pub fn get<T>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        convert: impl FnOnce(&'t DeValue<'t>) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.value(key)?;
        convert(value.get_ref()).map_err(|wrong| wrong.report(key, value.span(), report)).ok()
    }

    /// The same; that it is not there is a mistake. `example` is a line to add.
    pub fn require<T>(
        &self,
        key: &str,
        example: &str,
        report: &mut Report<'_>,
        convert: impl FnOnce(&'t DeValue<'t>) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.report_missing(key, example, report);
        self.get(key, report, convert)
    }

    /// Reports that a key that cannot be left out is not there. `example` is a line to add.
    pub fn report_missing(&self, key: &str, example: &str, report: &mut Report<'_>) {
        if !self.has(key) {
            report
                .at(self.span.clone(), format!("{} has no `{key}`", self.name))
                .label(format!("`{key}` is missing"))
                .help(format!("add a line such as `{example}`"));
        }
    }

    pub fn text(&self, key: &str, report: &mut Report<'_>) -> Option<&'t str> {
        self.get(key, report, value::text)
    }

    pub fn boolean(&self, key: &str, report: &mut Report<'_>) -> Option<bool> {
        self.get(key, report, value::boolean)
    }

    pub fn number<N: TryFrom<u64>>(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
        report: &mut Report<'_>,
    ) -> Option<N> {
        self.get(key, report, |value| value::number(value, range))
    }

    /// A list, each element converted. `None` if one of them is wrong or stands there twice.
    pub fn list<T: Ord + Clone>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        convert: impl Fn(&'t DeValue<'t>) -> Result<T, Wrong>,
    ) -> Option<Vec<Spanned<T>>> {
        let elements = self.get(key, report, value::list)?;
        elements_of(key, elements, report, convert)
    }

    /// One value or a list of at least one, each converted. `None` as with [`Section::list`].
    pub fn one_or_more<T: Ord + Clone>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        convert: impl Fn(&'t DeValue<'t>) -> Result<T, Wrong>,
    ) -> Option<Vec<Spanned<T>>> {
        let value = self.value(key)?;
        let Some(elements) = value.get_ref().as_array() else {
            return elements_of(key, std::slice::from_ref(value), report, convert);
        };
        if elements.is_empty() {
            report.at(value.span(), format!("`{key}` is empty")).label("expected at least one");
            return None;
        }
        elements_of(key, elements, report, convert)
    }

    /// The entries of a table of this section, in the order of the text; none if it is not there.
    pub fn entries(&self, key: &str, report: &mut Report<'_>) -> Vec<Entry<'t>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let name = match self.is_root() {
            true => format!("[{key}]"),
            false => format!("`{key}` of {}", self.name),
        };
        table(&name, value, report).map(entries).unwrap_or_default()
    }

    /// The sections below `key`, which have names: `[group.NAME]`. None if one has no name.
    pub fn named(&self, key: &str, report: &mut Report<'_>) -> Vec<Entry<'t>> {
        let entries = self.entries(key, report);
        let head = match self.is_root() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.name.trim_matches(['[', ']'])),
        };
        match entries.iter().find(|entry| !entry.value.get_ref().is_table()) {
            None => entries,
            Some(stray) => {
                report
                    .at(
                        stray.key_span.clone(),
                        format!("`{}` in [{head}], not in a [{head}.NAME]", stray.key),
                    )
                    .label("belongs to no name")
                    .help(format!("write the section's head as [{head}.NAME]"));
                Vec::new()
            }
        }
    }

    /// The sections in double brackets below `key`, at least one: `[[ospf.interface.eth1.key]]`. None if `key` is not
    /// there.
    pub fn repeated(&self, key: &str, keys: &[&str], report: &mut Report<'_>) -> Vec<Section<'t>> {
        let head = self.repeated_head(key);
        let elements = self.get(key, report, |value| {
            if value.is_table() {
                return Err(Wrong::new(format!("there may be several {key}s"))
                    .label("one section only")
                    .help(format!("write the section's head in double brackets: {head}")));
            }
            match value::list(value)? {
                list if list.is_empty() => {
                    Err(Wrong::new("{key} is empty").label(format!("expected at least one {key}")))
                }
                list => Ok(list),
            }
        });
        let elements = elements.into_iter().flatten();
        elements.filter_map(|element| Section::open(head.clone(), element, keys, report)).collect()
    }

    /// `[[ospf.interface.eth1.key]]`.
    pub fn repeated_head(&self, key: &str) -> String {
        format!("[{}.{key}]]", self.name.trim_end_matches(']'))
    }

    /// The names that the sections below a path have (`["ospf", "interface"]`), whatever is in them.
    pub fn names(&self, path: &[&str]) -> BTreeSet<&'t str> {
        let mut table = self.table;
        for key in path {
            match table.get(*key).and_then(|value| value.get_ref().as_table()) {
                Some(inner) => table = inner,
                None => return BTreeSet::new(),
            }
        }
        table.keys().map(|key| key.get_ref().as_ref()).collect()
    }

    fn is_root(&self) -> bool {
        self.span.is_empty()
    }
}

fn elements_of<'t, T: Ord + Clone>(
    key: &str,
    elements: &'t [Value<'t>],
    report: &mut Report<'_>,
    convert: impl Fn(&'t DeValue<'t>) -> Result<T, Wrong>,
) -> Option<Vec<Spanned<T>>> {
    let mut converted: Vec<Spanned<T>> = Vec::with_capacity(elements.len());
    let mut places = BTreeMap::new();
    for element in elements {
        match convert(element.get_ref()) {
            Err(wrong) => wrong.report(key, element.span(), report),
            Ok(value) => match places.insert(value.clone(), element.span()) {
                Some(earlier) => {
                    report
                        .at(element.span(), format!("`{key}` names the same twice"))
                        .label("again here")
                        .related(earlier, "first here");
                }
                None => converted.push(Spanned::new(element.span(), value)),
            },
        }
    }
    (converted.len() == elements.len()).then_some(converted)
}

fn table<'t>(name: &str, value: &'t Value<'t>, report: &mut Report<'_>) -> Option<&'t DeTable<'t>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        report
            .at(
                value.span(),
                format!("{name} must be a table, not {}", value::kind(value.get_ref())),
            )
            .label("expected a table");
    }
    table
}

/// The head of a section below another one, as it is written: a name with a dot goes in quotes.
pub(super) fn head(above: &str, name: &str) -> String {
    match name.contains('.') {
        true => format!("[{above}.\"{name}\"]"),
        false => format!("[{above}.{name}]"),
    }
}

/// In the order of the text: the parser's table is sorted by key.
pub(super) fn entries<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut entries: Vec<Entry<'t>> = table
        .iter()
        .map(|(key, value)| Entry { key: key.get_ref(), key_span: key.span(), value })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    entries
}
