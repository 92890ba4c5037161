//! Commands that run to their end.

use std::process::Command;

/// The standard output of a command, or a sentence with the command, its exit status and what it said.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let line = || format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{}: {error}", line()))?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(out)
    } else {
        Err(format!(
            "{}: {}: {out}{}",
            line(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// As `run`, for a command that has to work.
#[track_caller]
pub fn must(program: &str, arguments: &[&str]) -> String {
    match run(program, arguments) {
        Ok(out) => out,
        Err(error) => panic!("{error}"),
    }
}
