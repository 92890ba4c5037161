use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

/// What the agent remembers of its checks, in a file of the state directory.
///
/// The file is replaced as a whole, so it is the old one or the new one. Nobody waits for it, and losing the last second of
/// it does little harm: a thread of its own writes the last text that there is.
pub struct Memory {
    /// The last text, until it is being written: while a disk hangs, those before it are of no use.
    text: Arc<Mutex<Option<String>>>,
    /// That there is one.
    waiting: Option<mpsc::SyncSender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The most that is read.
const MOST_OCTETS: u64 = 16 << 20;

impl Memory {
    /// What an earlier life has left; empty if nothing. What cannot be read is as good as nothing, and the text says why.
    pub fn read(directory: &Path) -> (String, Option<String>) {
        let path = path(directory);
        let read = fs::metadata(&path).and_then(|metadata| match metadata.len() {
            ..=MOST_OCTETS => fs::read_to_string(&path),
            _ => Err(io::Error::other("it is too large")),
        });
        match read {
            Ok(text) => (text, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), None),
            Err(error) => {
                let path = path.display();
                let text = format!("what was remembered of the checks is lost: {path}: {error}");
                (String::new(), Some(text))
            }
        }
    }

    pub fn start(directory: &Path) -> io::Result<Memory> {
        let path = path(directory);
        let (waiting, told) = mpsc::sync_channel(1);
        let text: Arc<Mutex<Option<String>>> = Arc::default();
        let last = text.clone();
        let thread = thread::Builder::new().name("memory".to_owned()).spawn(move || {
            while let Ok(()) = told.recv() {
                let text = last.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(text) = text else { continue };
                if let Err(error) = write(&path, &text) {
                    tracing::warn!("{} cannot be written: {error}", path.display());
                }
            }
        })?;
        Ok(Memory { text, waiting: Some(waiting), thread: Some(thread) })
    }

    pub fn store(&self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        if let Some(waiting) = &self.waiting {
            // An error says that the thread will look anyway.
            let _ = waiting.try_send(());
        }
    }
}

impl Drop for Memory {
    /// Writes what still waits.
    fn drop(&mut self) {
        self.waiting = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("health")
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_text_is_read_by_the_next_life() {
        let directory = tempfile::tempdir().unwrap();
        let of = |directory: &tempfile::TempDir| Memory::read(directory.path());
        assert_eq!(of(&directory), (String::new(), None));
        let memory = Memory::start(directory.path()).unwrap();
        (0..100).for_each(|number| memory.store(number.to_string()));
        drop(memory);
        assert_eq!(of(&directory), ("99".to_owned(), None));
        fs::write(path(directory.path()), b"\xff").unwrap();
        assert!(of(&directory).1.unwrap().contains("is lost"));
    }
}
