//! bgpdump, which reads what routers write for archives.

use super::run::run;

/// The lines of `bgpdump -m`, cut into their columns.
#[track_caller]
pub fn bgpdump(file: &str) -> Vec<Vec<String>> {
    let text = match run("bgpdump", &["-v", "-m", file]) {
        Ok(text) => text,
        Err(error) => panic!("{error}"),
    };
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}
