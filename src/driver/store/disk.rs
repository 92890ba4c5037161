use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::{Disk, Slot};
use crate::driver::Exit;
use crate::driver::clock;

/// The state directory, held by this process alone.
pub struct StateDirectory {
    path: PathBuf,
    /// Open from the first write on: `intents.0`, `intents.1`.
    files: [Option<File>; 2],
    /// Taken for the life of the process; the kernel gives it back even after a kill -9.
    _lock: Flock<File>,
}

impl StateDirectory {
    /// Makes the directory if its parent is there, and takes its lock.
    pub fn open(path: &Path) -> Result<StateDirectory, Exit> {
        let unusable = |error: io::Error| Exit::State {
            path: path.to_owned(),
            problem: match error.kind() {
                io::ErrorKind::NotFound => "its parent directory does not exist".to_owned(),
                _ => error.to_string(),
            },
        };
        match DirBuilder::new().mode(0o750).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(unusable(error));
            }
            _ => {}
        }
        let lock = open(&path.join("lock")).map_err(unusable)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|_| Exit::StateInUse { path: path.to_owned() })?;
        Ok(StateDirectory { path: path.to_owned(), files: [None, None], _lock: lock })
    }

    fn path(&self, slot: Slot) -> PathBuf {
        self.path.join(slot.file_name())
    }

    fn file(&mut self, slot: Slot) -> io::Result<&File> {
        let path = self.path(slot);
        let [zero, one] = &mut self.files;
        let file = match slot {
            Slot::Zero => zero,
            Slot::One => one,
        };
        match file {
            Some(file) => Ok(file),
            None => {
                let opened = open(&path)?;
                // The name must survive a power loss as well as the content.
                File::open(&self.path)?.sync_all()?;
                Ok(file.insert(opened))
            }
        }
    }
}

impl Disk for StateDirectory {
    fn read(&self, slot: Slot) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match File::open(self.path(slot)) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(bytes)
    }

    fn create(&mut self, slot: Slot) -> io::Result<()> {
        self.file(slot).map(drop)
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(slot)?;
        let length = bytes.len() as u64;
        file.write_all_at(bytes, 0)?;
        if file.metadata()?.len() > length {
            file.set_len(length)?;
        }
        Ok(())
    }

    fn sync(&mut self, slot: Slot) -> io::Result<()> {
        self.file(slot)?.sync_all()
    }

    fn set_aside(&mut self, slot: Slot) -> io::Result<String> {
        let mut name = format!("intents.damaged-{}", clock::stamp());
        if self.path.join(&name).exists() {
            name.push_str("-1");
        }
        fs::rename(self.path(slot), self.path.join(&name))?;
        File::open(&self.path)?.sync_all()?;
        Ok(name)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path)
}
