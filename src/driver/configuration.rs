use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Exit, plain};
use crate::config::{self, Config, Mistake, Secret};

/// Reads the configuration file and the secrets it names. The error's text is for the operator: every mistake
/// with its place.
pub fn read(path: &Path) -> Result<Config, Exit> {
    let text = fs::read_to_string(path).map_err(|error| Exit::ConfigurationUnreadable {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    parse(&text, path).map_err(|mistakes| {
        let line = mistakes
            .iter()
            .map(|Mistake { place, message, .. }| {
                format!("{}:{}:{}: {message}", place.file, place.line, place.column)
            })
            .collect::<Vec<_>>()
            .join("; ");
        let mut rendered: Vec<String> =
            mistakes.iter().map(|mistake| mistake.render(&text, false)).collect();
        rendered.push(match mistakes.len() {
            1 => "1 mistake in the configuration".to_owned(),
            count => format!("{count} mistakes in the configuration"),
        });
        Exit::Configuration { rendered: rendered.join("\n\n"), line }
    })
}

/// Checks the text of a configuration file, with the secrets that lie beside it or where it says.
pub fn parse(text: &str, path: &Path) -> Result<Config, Vec<Mistake>> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut read_secret = |name: &str| read_secret(&directory.join(name));
    config::parse(text, &path.display().to_string(), &mut read_secret)
}

/// The error goes on after the file's name.
fn read_secret(path: &Path) -> Result<Secret, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {}", plain(&error));
    let content = fs::read(path).map_err(unreadable)?;
    let mode = fs::metadata(path).map_err(unreadable)?.mode();
    Secret::from_file(&content, mode)
}
