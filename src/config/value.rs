//! One value of the file, by type. What is wrong with it is said without the key, which the caller
//! knows.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::report::Report;
use crate::group::nearest;
use crate::types::{Prefix, PrefixError, Wall};

/// Why a value cannot be taken.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    /// With `{key}` where the key's name goes.
    pub message: String,
    pub label: String,
    pub help: Option<String>,
}

impl Wrong {
    pub fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), ..Wrong::default() }
    }

    pub fn label(mut self, label: impl Into<String>) -> Wrong {
        self.label = label.into();
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }

    pub fn report(self, key: &str, span: Range<usize>, report: &mut Report<'_>) {
        let draft =
            report.at(span, self.message.replace("{key}", &format!("`{key}`"))).label(self.label);
        if let Some(help) = self.help {
            draft.help(help);
        }
    }
}

/// `a string`, `a number`: as a sentence needs it.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn wrong_type(value: &DeValue<'_>, expected: &str) -> Wrong {
    Wrong::new(format!("{{key}} must be {expected}, not {}", kind(value)))
        .label(format!("expected {expected}"))
}

pub(super) fn text<'t>(value: &'t DeValue<'t>) -> Result<&'t str, Wrong> {
    value.as_str().ok_or_else(|| wrong_type(value, "a string"))
}

pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| {
        let wrong = wrong_type(value, "true or false");
        match value.as_str() {
            Some(text @ ("true" | "false")) => wrong.help(format!("without quotes: {text}")),
            _ => wrong,
        }
    })
}

pub(super) fn list<'t>(value: &'t DeValue<'t>) -> Result<&'t DeArray<'t>, Wrong> {
    value.as_array().ok_or_else(|| {
        let wrong = wrong_type(value, "a list");
        match value.as_str() {
            Some(text) => wrong.help(format!("in brackets: [\"{text}\"]")),
            None => wrong,
        }
    })
}

/// A whole number in `range`, which fits `N`.
pub(super) fn number<N: TryFrom<u64>>(
    value: &DeValue<'_>,
    range: RangeInclusive<u64>,
) -> Result<N, Wrong> {
    let Some(integer) = value.as_integer() else {
        let wrong = wrong_type(value, "a number");
        return Err(match value.as_str() {
            Some(text) if text.parse::<u64>().is_ok() => {
                wrong.help(format!("without quotes: {text}"))
            }
            _ => wrong,
        });
    };
    u64::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .filter(|number| range.contains(number))
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| {
            Wrong::new(format!("{{key}} must be from {} to {}", range.start(), range.end()))
                .label("out of range")
        })
}

/// A text that one of our types reads; `example` shows how it is written.
pub(super) fn parsed<T: FromStr>(
    value: &DeValue<'_>,
    what: &str,
    example: &str,
) -> Result<T, Wrong> {
    text(value)?.parse().map_err(|_| {
        Wrong::new(format!("{{key}} must be {what}"))
            .label(format!("not {what}"))
            .help(format!("written like {example}"))
    })
}

/// A text whose type's own error says all of it: what is wrong, a colon, and how it is written.
pub(super) fn explained<T: FromStr<Err: Display>>(value: &DeValue<'_>) -> Result<T, Wrong> {
    text(value)?.parse().map_err(|error: T::Err| {
        let error = error.to_string();
        match error.rsplit_once(": ") {
            Some((problem, help)) => Wrong::new(problem).help(help),
            None => Wrong::new(error),
        }
    })
}

pub(super) fn prefix(value: &DeValue<'_>) -> Result<Prefix, Wrong> {
    prefix_of(text(value)?)
}

/// The same of a text.
pub(super) fn prefix_of(text: &str) -> Result<Prefix, Wrong> {
    text.parse().map_err(|error| match error {
        PrefixError::HostBits { meant, .. } => {
            Wrong::new(format!("`{text}` has bits set behind the prefix length"))
                .label(format!("the address is inside {meant}"))
                .help(format!("did you mean `{meant}`?"))
        }
        PrefixError::Syntax(_) => {
            let wrong =
                Wrong::new(format!("`{text}` is not a prefix")).label("expected ADDRESS/LENGTH");
            match text.parse::<IpAddr>() {
                // Who writes the address of nobody means everybody.
                Ok(address) if address.is_unspecified() => {
                    wrong.help(format!("did you mean `{address}/0`?"))
                }
                Ok(address) => wrong.help(format!("did you mean `{}`?", Prefix::host(address))),
                Err(_) => wrong.help("written like 192.0.2.0/24 or 2001:db8::/32"),
            }
        }
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &DeValue<'_>, words: &[(&str, T)]) -> Result<T, Wrong> {
    let text = text(value)?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let wrong = Wrong::new(format!("{{key}} cannot be `{text}`"))
        .label(format!("expected one of: {}", words.join(", ")));
    Err(match nearest(text, words) {
        Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
        None => wrong,
    })
}

/// A span of time as text: `90s`, `8m`, `1m30s`, `500ms`, `14d`.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    const EXAMPLE: &str = "written like \"90s\", \"8m\" or \"1m30s\"";
    if let Some(number) = value.as_integer() {
        return Err(wrong_type(value, "a string with a unit").help(format!(
            "with a unit: \"{number}s\" or \"{number}ms\"",
            number = number.as_str()
        )));
    }
    let text = value.as_str().ok_or_else(|| wrong_type(value, "a string with a unit"))?;
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    if let Some(days) = days {
        return Ok(Duration::from_secs(24 * 3600 * u64::from(days)));
    }
    text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok()).ok_or_else(
        || Wrong::new("{key} must be a span of time").label("not a span of time").help(EXAMPLE),
    )
}

/// A [`duration`] within bounds, which are also given as text.
pub(super) fn duration_within(
    value: &DeValue<'_>,
    range: RangeInclusive<Duration>,
    bounds: &str,
) -> Result<Duration, Wrong> {
    let span = duration(value)?;
    if range.contains(&span) {
        Ok(span)
    } else {
        Err(Wrong::new(format!("{{key}} must be {bounds}")).label("out of range"))
    }
}

/// A moment, as TOML writes one: with date, time and offset.
pub(super) fn time(value: &DeValue<'_>) -> Result<Wall, Wrong> {
    const EXAMPLE: &str = "written like 2026-12-01T00:00:00Z";
    let Some(time) = value.as_datetime() else {
        let wrong = wrong_type(value, "a date and time");
        return Err(match value.as_str() {
            Some(_) => wrong.help(format!("without quotes, {EXAMPLE}")),
            None => wrong.help(EXAMPLE),
        });
    };
    if time.date.is_none() || time.time.is_none() || time.offset.is_none() {
        return Err(Wrong::new("{key} must have a date, a time and an offset")
            .label("names no moment")
            .help(format!("{EXAMPLE} or 2026-12-01T00:00:00+01:00")));
    }
    match time.to_string().parse::<Timestamp>() {
        Ok(timestamp) => Ok(Wall::from_micros(timestamp.as_microsecond())),
        Err(_) => Err(Wrong::new("{key} is no day of the calendar").label("there is none such")),
    }
}

/// A name of the given letters; `letters` says which they are.
pub(super) fn name(
    text: &str,
    allowed: impl Fn(char) -> bool,
    letters: &str,
) -> Result<String, Wrong> {
    if text.is_empty() || text.len() > 63 || !text.chars().all(allowed) {
        return Err(Wrong::new(format!("`{text}` cannot be a name"))
            .label(format!("a name is made of {letters}, at most 63 of them")));
    }
    Ok(text.to_owned())
}

/// Letters, digits, `.`, `_` and `-`: what host names and interface names are made of.
pub(super) fn wide_name(text: &str) -> Result<String, Wrong> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name(text, allowed, "letters, digits, `.`, `_` and `-`")
}

/// Small letters, digits and `-`: names that are typed often.
pub(super) fn narrow_name(text: &str) -> Result<String, Wrong> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name(text, allowed, "small letters, digits and `-`")
}

/// The kernel's name of an interface is shorter than this (`IFNAMSIZ`).
const INTERFACE_SIZE: usize = 16;

/// The name of an interface, which need not exist.
pub(super) fn interface(text: &str) -> Result<String, Wrong> {
    if text.len() >= INTERFACE_SIZE {
        return Err(Wrong::new(format!("`{text}` cannot be an interface"))
            .label(format!("the kernel's names have at most {} letters", INTERFACE_SIZE - 1)));
    }
    wide_name(text)
}

/// A file's path from the root.
pub(super) fn absolute_path(text: &str) -> Result<String, Wrong> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => {
            Err(Wrong::new(format!("`{text}` is not an absolute path"))
                .label("must begin with `/`"))
        }
    }
}

/// A command as a list of words: the program's path, then its arguments as they are.
pub(super) fn command(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    let example = |words: Vec<&str>| format!("a list of words, without a shell: {words:?}");
    let usual = || example(vec!["/usr/bin/logger", "taken over"]);
    let words = value.as_array().ok_or_else(|| {
        let wrong = wrong_type(value, "a list of words");
        match value.as_str() {
            Some(line) => wrong.help(example(line.split_whitespace().collect())),
            None => wrong.help(usual()),
        }
    })?;
    let words = words.iter().map(|word| text(word.get_ref()).map(str::to_owned));
    let words = words.collect::<Result<Vec<String>, Wrong>>().map_err(|_| {
        Wrong::new("{key} must be a list of words").label("each word is a string in quotes")
    })?;
    let Some(program) = words.first() else {
        return Err(Wrong::new("{key} is empty").label("expected a command").help(usual()));
    };
    absolute_path(program).map_err(|wrong| wrong.help("no shell looks for it in $PATH"))?;
    Ok(words)
}

/// Commands, each a list of words.
pub(super) fn commands(value: &DeValue<'_>) -> Result<Vec<Vec<String>>, Wrong> {
    let example = "in two brackets: [[\"/usr/bin/logger\", \"taken over\"]]";
    let commands =
        value.as_array().ok_or_else(|| wrong_type(value, "a list of commands").help(example))?;
    if commands.iter().any(|words| !words.get_ref().is_array()) {
        return Err(Wrong::new("{key} must be a list of commands")
            .label("a command is a list of words")
            .help(example));
    }
    commands.iter().map(|words| command(words.get_ref())).collect()
}

/// Values without their places.
pub(super) fn inner<T>(values: Vec<Spanned<T>>) -> Vec<T> {
    values.into_iter().map(Spanned::into_inner).collect()
}
