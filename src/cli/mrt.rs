use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{Output, count};
use crate::api::v1::DumpTableRequest;
use crate::driver::plain;

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    prefixes: u64,
    paths: u64,
    octets: u64,
}

/// `shunt mrt dump FILE`
///
/// The file has its name only when it is whole.
pub async fn dump(file: &Path, daemon: Daemon, mut out: Output) -> Result<(), Failure> {
    let mut stream = daemon
        .call(PATIENCE, async move |mut client| client.dump_table(DumpTableRequest {}).await)
        .await?;
    let is_standard = file == Path::new("-");
    let unfinished = match is_standard {
        true => None,
        false => Some(Unfinished::new(file)?),
    };
    let mut written = Written { file: file.to_owned(), prefixes: 0, paths: 0, octets: 0 };
    while let Some(portion) = stream.message().await.map_err(|status| daemon.refused(&status))? {
        match &unfinished {
            Some(unfinished) => unfinished.write(&portion.records)?,
            None => out.raw(&portion.records)?,
        }
        written.prefixes += u64::from(portion.prefixes);
        written.paths += u64::from(portion.paths);
        written.octets += portion.records.len() as u64;
    }
    let Some(unfinished) = unfinished else { return Ok(()) };
    unfinished.finish()?;
    out.answer(&written, |out| {
        let paths = count(written.paths, "path", "paths");
        let prefixes = count(written.prefixes, "prefix", "prefixes");
        writeln!(out, "{}: {paths} to {prefixes}", file.display())
    })?;
    Ok(())
}

/// A file that is removed unless it is finished.
struct Unfinished<'a> {
    file: File,
    /// Until then; `None` for what is there and no regular file, such as a pipe.
    name: Option<PathBuf>,
    wanted: &'a Path,
}

impl Unfinished<'_> {
    fn new(wanted: &Path) -> Result<Unfinished<'_>, Failure> {
        let (file, name) = if fs::metadata(wanted).is_ok_and(|there| !there.is_file()) {
            (File::options().write(true).open(wanted), None)
        } else {
            let mut name = wanted.as_os_str().to_owned();
            name.push(format!(".{}", std::process::id()));
            (File::create_new(&name), Some(name.into()))
        };
        let file = file.map_err(|error| unwritten(wanted, &error))?;
        Ok(Unfinished { file, name, wanted })
    }

    fn write(&self, octets: &[u8]) -> Result<(), Failure> {
        (&self.file).write_all(octets).map_err(|error| unwritten(self.wanted, &error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        let Some(name) = self.name.take() else { return Ok(()) };
        let finished = self.file.sync_all().and_then(|()| fs::rename(name, self.wanted));
        finished.map_err(|error| unwritten(self.wanted, &error))
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = fs::remove_file(name);
        }
    }
}

fn unwritten(file: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {}", file.display(), plain(error)))
}
