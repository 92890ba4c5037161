use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::UpdateLog;
use crate::driver::plain;
use crate::types::Wall;

/// The file that is being written, one after the other.
#[derive(Default)]
pub struct Files {
    open: Option<Open>,
}

struct Open {
    file: File,
    path: PathBuf,
    directory: String,
    /// A new one is due from then on.
    until: Wall,
}

impl Files {
    /// Writes whole records. The path of the file they are in, or a sentence about what went wrong; of the file nothing more is
    /// written then, as its end may be half a record.
    pub fn write(
        &mut self,
        settings: &UpdateLog,
        records: &[u8],
        now: Wall,
    ) -> Result<String, String> {
        let current = self
            .open
            .take()
            .filter(|open| open.directory == settings.directory && now < open.until);
        let mut open = match current {
            Some(open) => open,
            None => Open::new(settings, now).map_err(|error| {
                format!("{}: no file can be made: {}", settings.directory, plain(&error))
            })?,
        };
        let path = open.path.display().to_string();
        open.file
            .write_all(records)
            .map_err(|error| format!("{path} cannot be written: {}", plain(&error)))?;
        self.open = Some(open);
        Ok(path)
    }
}

impl Open {
    fn new(settings: &UpdateLog, now: Wall) -> io::Result<Open> {
        let directory = Path::new(&settings.directory);
        fs::create_dir_all(directory)?;
        let timestamp = Timestamp::from_microsecond(now.as_micros()).map_err(io::Error::other)?;
        let stem = format!("updates.{}", timestamp.strftime("%Y%m%d.%H%M%S"));
        let (file, path) = create(directory, &stem)?;
        // What cannot be removed now is removed with the next.
        let _ = remove_old(directory, settings.keep);
        let until = end_of_slot(now, settings.rotate);
        Ok(Open { file, path, directory: settings.directory.clone(), until })
    }
}

/// A file of its own, also if one of the same second is there.
fn create(directory: &Path, stem: &str) -> io::Result<(File, PathBuf)> {
    let mut number = 0;
    loop {
        let name = match number {
            0 => format!("{stem}.mrt"),
            number => format!("{stem}-{number}.mrt"),
        };
        let path = directory.join(name);
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            other => return other.map(|file| (file, path)),
        }
    }
}

/// Files begin at round times, but for the first.
fn end_of_slot(now: Wall, rotate: Duration) -> Wall {
    let rotate = i64::try_from(rotate.as_micros()).unwrap_or(i64::MAX);
    Wall::from_micros((now.as_micros().div_euclid(rotate) + 1).saturating_mul(rotate))
}

fn remove_old(directory: &Path, keep: usize) -> io::Result<()> {
    let mut ours = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("updates.") && name.ends_with(".mrt"))
        {
            ours.push(name);
        }
    }
    // The names sort as the times do.
    ours.sort_unstable();
    let surplus = ours.len().saturating_sub(keep);
    ours.iter().take(surplus).try_for_each(|name| fs::remove_file(directory.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_end_at_round_times_and_the_oldest_go() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("new").display().to_string();
        let settings = UpdateLog { directory, rotate: Duration::from_secs(900), keep: 2 };
        let directory = Path::new(&settings.directory);
        // 2026-11-22T17:44:30Z
        let begin = 1_795_369_470;
        let at = |seconds: i64| Wall::from_micros((begin + seconds) * 1_000_000);
        let mut files = Files::default();
        files.write(&settings, b"a", at(0)).unwrap();
        fs::write(directory.join("updates.txt"), "not ours").unwrap();
        files.write(&settings, b"b", at(29)).unwrap();
        assert_eq!(names(directory), ["updates.20261122.174430.mrt", "updates.txt"]);
        let second = files.write(&settings, b"c", at(30)).unwrap();
        files.write(&settings, b"d", at(929)).unwrap();
        assert_eq!(fs::read(&second).unwrap(), b"cd");
        // Another life of the daemon begins a file of its own.
        let third = Files::default().write(&settings, b"e", at(30)).unwrap();
        assert!(third.ends_with("updates.20261122.174500-1.mrt"), "{third}");
        assert_eq!(
            names(directory),
            ["updates.20261122.174500-1.mrt", "updates.20261122.174500.mrt", "updates.txt"]
        );
    }
}
