use std::fs;
use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::arguments::Arguments;
use super::failure::Failure;
use super::output::Output;

/// `shunt completions SHELL`
pub fn completions(shell: Shell, mut out: Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "shunt", &mut script);
    out.write_all(&script)?;
    out.flush()?;
    Ok(())
}

/// `shunt man DIRECTORY`: shunt.1 and one page for each subcommand, as shunt-announce.1.
pub fn man(directory: &Path) -> Result<(), Failure> {
    let write = || {
        fs::create_dir_all(directory)?;
        clap_mangen::generate_to(Arguments::command().disable_help_subcommand(true), directory)
    };
    write().map_err(|error| {
        Failure::failed(format!("cannot write manual pages into {}: {error}", directory.display()))
    })
}
