//! `shunt pki`: a certificate authority of a fleet in a directory. Needs no daemon.

mod authority;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use jiff::Timestamp;
use serde::Serialize;

use super::failure::Failure;
use super::output::{Output, harmless};
use crate::driver::certificate::{self, day};
use crate::driver::fleet::Identity;
use authority::{Authority, Paths};

#[derive(Subcommand)]
pub enum PkiCommand {
    /// Make a certificate authority in a directory
    ///
    /// The directory is made if it is missing. Nothing that is in it already is overwritten.
    Init {
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
        /// How long it is valid
        #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=36500))]
        days: u16,
    },
    /// Issue a certificate, with a new key, to a node, an operator or a reader
    Issue(Issue),
    /// Say whose the certificates in a file are, and how long they are valid
    Show {
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

#[derive(Args)]
pub struct Issue {
    role: Role,
    /// The node's name as in [node], or the operator's or reader's
    #[arg(value_parser = name)]
    name: String,
    /// Where the authority is, and where the certificate goes
    #[arg(long, default_value = ".", value_name = "PATH", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
    /// How long it is valid, though not longer than its authority
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=36500))]
    days: u16,
}

/// What who has the certificate may do.
#[derive(Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Take part in the fleet
    Node,
    /// Do everything from elsewhere that can be done on the node itself
    Operator,
    /// Look at everything, and change nothing
    Reader,
}

impl Role {
    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What was written, or read.
#[derive(Serialize)]
struct Shown {
    file: PathBuf,
    /// As it is said in `shunt status` and in refusals.
    whose: String,
    not_after: String,
}

/// Goes into file names and into a URI.
fn name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match !text.is_empty() && text.len() <= 63 && text.chars().all(allowed) {
        true => Ok(text.to_owned()),
        false => {
            Err("a name is made of letters, digits, `.`, `_` and `-`, at most 63 of them".into())
        }
    }
}

pub fn pki(command: PkiCommand, out: Output) -> Result<(), Failure> {
    match command {
        PkiCommand::Init { directory, days } => init(&directory, days, out),
        PkiCommand::Issue(issue) => issue.carry_out(out),
        PkiCommand::Show { file } => show(&file, out),
    }
}

fn init(directory: &Path, days: u16, out: Output) -> Result<(), Failure> {
    let paths = Authority::init(directory, days, Timestamp::now()).map_err(Failure::failed)?;
    let shown = read(&paths.certificate)?;
    out.answer(&shown, |out| {
        let [certificate, key] = [&paths.certificate, &paths.key].map(|path| path.display());
        writeln!(out, "{certificate}: goes to each node, and to each operator and reader")?;
        writeln!(out, "{key}: stays here; who has it can be anybody in the fleet")?;
        writeln!(
            out,
            "Next, for each node: `shunt pki issue node NAME --directory {}`",
            directory.display()
        )
    })?;
    Ok(())
}

impl Issue {
    fn carry_out(self, out: Output) -> Result<(), Failure> {
        let authority = Authority::open(&self.directory).map_err(Failure::failed)?;
        let (role, name) = (self.role.word(), &self.name);
        let uri = format!("shunt:{role}:{name}");
        let is_server = matches!(self.role, Role::Node);
        let now = Timestamp::now();
        let issued = authority.issue(&uri, name, is_server, self.days, now);
        let (Paths { certificate, key }, days) = issued.map_err(Failure::failed)?;
        let shown = read(&certificate)?;
        out.answer(&shown, |out| {
            for Shown { file, whose, .. } in &shown {
                writeln!(out, "{}: {whose}, for {} days", file.display(), days)?;
            }
            writeln!(out, "{}: its key, which nobody else may read", key.display())?;
            match self.role {
                Role::Node => writeln!(
                    out,
                    "Copy both and ca.crt to /etc/shunt/pki/ on {name}, then `shunt reload` there"
                ),
                Role::Operator | Role::Reader => writeln!(
                    out,
                    "{name} needs them as client.crt, client.key and ca.crt in ~/.config/shunt/"
                ),
            }
        })?;
        Ok(())
    }
}

fn show(file: &Path, out: Output) -> Result<(), Failure> {
    let shown = read(file)?;
    out.answer(&shown, |out| {
        for Shown { file, whose, not_after } in &shown {
            writeln!(out, "{}: {}, until {not_after}", file.display(), harmless(whose))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn read(file: &Path) -> Result<Vec<Shown>, Failure> {
    let problem = |problem: String| Failure::failed(format!("{}: {problem}", file.display()));
    let shown = |certificate: &_| {
        let end = certificate::not_after(certificate);
        let end = end.ok_or_else(|| problem("it has no end".to_owned()))?;
        let names = certificate::names(certificate).unwrap_or_default();
        let whose = match (names.is_authority, Identity::of(certificate)) {
            (true, _) => {
                let name = names.common_name.unwrap_or_default();
                format!("authority {name}")
            }
            (false, Some(identity)) => identity.to_string(),
            (false, None) => "nobody".to_owned(),
        };
        Ok(Shown { file: file.to_owned(), whose, not_after: day(end) })
    };
    let certificates = certificate::read(file).map_err(problem)?;
    certificates.iter().map(|certificate| shown(certificate)).collect()
}
