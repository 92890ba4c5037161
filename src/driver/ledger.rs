//! The ledger on disk: a thread of its own waits for it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::api::v1;
use crate::switch::ledger::{self, Chain};

/// In the state directory.
const NAME: &str = "ledger";
/// Entries that wait for a disk that does not write.
const WAITING: usize = 1000;
/// Until such a disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Writes entries. When it is dropped, what waits is written.
pub struct Writer {
    reader: Reader,
    thread: Option<thread::JoinHandle<()>>,
}

/// Reads what was written.
#[derive(Clone)]
pub struct Reader {
    path: Arc<Path>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<v1::LedgerEntry>,
    /// The end of what this process has found and written; unknown until the file could be opened.
    chain: Option<Chain>,
    closed: bool,
}

/// Whether something has gone wrong, or is right again, and what: for the events.
pub type Word = Result<String, String>;

struct Open {
    file: File,
    /// Of whole lines.
    length: u64,
    chain: Chain,
}

impl Writer {
    /// `tell` is called on the thread.
    pub fn start(directory: &Path, tell: impl FnMut(Word) + Send + 'static) -> io::Result<Writer> {
        let path: PathBuf = directory.join(NAME);
        let reader = Reader { path: path.into(), shared: Arc::default() };
        let mine = reader.clone();
        let thread = thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || Writing { open: None, failed: false, tell }.run(&mine))?;
        Ok(Writer { reader, thread: Some(thread) })
    }

    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Writes it as soon as the disk does. With too many that wait it is lost, and the error says so.
    pub fn record(&self, entry: v1::LedgerEntry) -> Result<(), String> {
        let mut state = self.reader.shared.lock();
        if state.waiting.len() >= WAITING {
            return Err(format!(
                "{WAITING} entries wait for the disk already: that of {} {} is lost",
                entry.kind, entry.group
            ));
        }
        state.waiting.push_back(entry);
        self.reader.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.reader.shared.lock().closed = true;
        self.reader.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writing<T> {
    open: Option<Open>,
    /// It was told.
    failed: bool,
    tell: T,
}

impl<T: FnMut(Word)> Writing<T> {
    fn run(mut self, reader: &Reader) {
        loop {
            let entry = reader.shared.lock().waiting.front().cloned();
            match self.write(entry, reader) {
                Ok(()) if std::mem::take(&mut self.failed) => {
                    (self.tell)(Ok(format!("{} is written again", reader.path.display())));
                }
                Ok(()) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.failed, true) {
                        let path = reader.path.display();
                        (self.tell)(Err(format!(
                            "{path} cannot be written: {error}; the entries wait, and it is tried again"
                        )));
                    }
                }
            }
            let state = reader.shared.lock();
            let closed = state.closed;
            if closed && (self.failed || state.waiting.is_empty()) {
                return;
            }
            if self.failed {
                drop(reader.shared.changed.wait_timeout(state, RETRY));
            } else if state.waiting.is_empty() {
                drop(reader.shared.changed.wait(state));
            }
        }
    }

    /// Opens the file, if it is not open, and appends an entry, if there is one.
    fn write(&mut self, entry: Option<v1::LedgerEntry>, reader: &Reader) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let opened = open(&reader.path, &mut self.tell)?;
                reader.shared.lock().chain = Some(opened.chain.clone());
                self.open.insert(opened)
            }
        };
        let Some(mut entry) = entry else { return Ok(()) };
        entry.number = open.chain.lines + 1;
        let text = serde_json::to_string(&entry)?;
        if let Err(error) = open.append(&text) {
            // What was written of it must not stand before the next one.
            self.open = None;
            return Err(error);
        }
        let mut state = reader.shared.lock();
        state.chain = Some(open.chain.clone());
        state.waiting.pop_front();
        Ok(())
    }
}

impl Open {
    fn append(&mut self, text: &str) -> io::Result<()> {
        let line = self.chain.line(text);
        self.file.write_all_at(line.as_bytes(), self.length)?;
        self.file.sync_data()?;
        self.length += line.len() as u64;
        self.chain = self.chain.with(text);
        Ok(())
    }
}

/// Looks through what is there, and cuts off what was not written to its end.
fn open(path: &Path, tell: &mut impl FnMut(Word)) -> io::Result<Open> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(path)?;
    if let Some(directory) = path.parent() {
        // The name must survive a power loss as well as the content.
        File::open(directory)?.sync_all()?;
    }
    let bytes = std::fs::read(path)?;
    let audit = ledger::audit(&bytes);
    let length = audit.whole as u64;
    if audit.whole < bytes.len() {
        file.set_len(length)?;
        file.sync_all()?;
        let torn = bytes.len() - audit.whole;
        tell(Err(format!(
            "the last line of {} was not written to its end, by a crash or a full disk: its {torn} octets are cut off",
            path.display()
        )));
    }
    if let Some(wrong) = audit.wrong {
        tell(Err(format!("{} is not as it was written: {wrong}", path.display())));
    }
    Ok(Open { file, length, chain: audit.chain })
}

impl Reader {
    /// The entries of a group, or all, oldest first; with `last` above 0 only so many of the newest. Reads the whole file.
    pub fn history(&self, group: &str, last: u32) -> io::Result<Vec<v1::LedgerEntry>> {
        let bytes = self.read()?;
        let lines = bytes.split(|octet| *octet == b'\n');
        let mut entries: Vec<v1::LedgerEntry> = lines
            .filter_map(|line| {
                let (hash, text) = ledger::split(line)?;
                let entry: v1::LedgerEntry = serde_json::from_str(text).ok()?;
                Some(v1::LedgerEntry { hash: hash.to_owned(), ..entry })
            })
            .filter(|entry| group.is_empty() || entry.group == group)
            .collect();
        if last > 0 {
            entries.drain(..entries.len().saturating_sub(last as usize));
        }
        Ok(entries)
    }

    /// Looks through the file, and whether it ends as this process knows.
    pub fn audit(&self) -> io::Result<v1::AuditReply> {
        // What is written meanwhile is no lie: the end before has to be in the file.
        let known = self.shared.lock().chain.clone();
        let bytes = self.read()?;
        let audit = ledger::audit(&bytes);
        let mut problem = audit.wrong.map(|wrong| wrong.to_string()).unwrap_or_default();
        let has_end = |known: &Chain| {
            let mut lines = bytes.split(|octet| *octet == b'\n').filter_map(ledger::split);
            known.hash.is_empty() || lines.any(|(hash, _)| hash == known.hash)
        };
        if let Some(known) = known.filter(|known| problem.is_empty() && !has_end(known)) {
            problem = format!(
                "line {} is missing or another one: this daemon knows its hash as {}",
                known.lines, known.hash
            );
        }
        Ok(v1::AuditReply {
            file: self.path.display().to_string(),
            entries: audit.chain.lines,
            hash: audit.chain.hash,
            problem,
        })
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc;

    fn entry(group: &str) -> v1::LedgerEntry {
        v1::LedgerEntry {
            kind: "switch".to_owned(),
            group: group.to_owned(),
            reason: "a \"line\"\nand one more".to_owned(),
            ..v1::LedgerEntry::default()
        }
    }

    fn start(directory: &Path) -> (Writer, mpsc::Receiver<Word>) {
        let (tell, told) = mpsc::channel();
        (Writer::start(directory, move |word| drop(tell.send(word))).unwrap(), told)
    }

    fn groups(reader: &Reader, group: &str, last: u32) -> Vec<String> {
        let entries = reader.history(group, last).unwrap();
        entries.into_iter().map(|entry| format!("{} {}", entry.number, entry.group)).collect()
    }

    #[test]
    fn entries_are_written_in_order_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, _) = start(directory.path());
        let reader = writer.reader();
        for group in ["payments", "web", "payments"] {
            writer.record(entry(group)).unwrap();
        }
        drop(writer);
        assert_eq!(groups(&reader, "", 0), ["1 payments", "2 web", "3 payments"]);
        assert_eq!(groups(&reader, "payments", 1), ["3 payments"]);
        let first = &reader.history("", 0).unwrap()[0];
        assert_eq!((first.hash.len(), &first.reason), (64, &entry("").reason));
        // The next life goes on where this one ended.
        let (writer, _) = start(directory.path());
        writer.record(entry("late")).unwrap();
        let reader = writer.reader();
        drop(writer);
        assert_eq!(groups(&reader, "", 1), ["4 late"]);
        let audit = reader.audit().unwrap();
        assert_eq!((audit.entries, audit.problem.as_str()), (4, ""));
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_told_of() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        let (writer, _) = start(directory.path());
        writer.record(entry("one")).unwrap();
        writer.record(entry("two")).unwrap();
        drop(writer);
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|octet| *octet == b'\n').unwrap() + 1;
        for end in [first + 1, first + 70, whole.len() - 1] {
            fs::write(&path, &whole[..end]).unwrap();
            let (writer, told) = start(directory.path());
            writer.record(entry("three")).unwrap();
            let reader = writer.reader();
            drop(writer);
            let word = told.recv().unwrap().unwrap_err();
            assert!(word.ends_with(&format!("its {} octets are cut off", end - first)), "{word}");
            assert_eq!(groups(&reader, "", 0), ["1 one", "2 three"], "cut at {end}");
            assert_eq!(reader.audit().unwrap().problem, "");
        }
    }

    #[test]
    fn what_the_disk_refuses_waits_for_it() {
        let directory = tempfile::tempdir().unwrap();
        // It cannot be opened.
        fs::create_dir(directory.path().join(NAME)).unwrap();
        let (writer, told) = start(directory.path());
        let word = told.recv().unwrap().unwrap_err();
        assert!(word.contains("the entries wait"), "{word}");
        for number in 0..WAITING {
            writer.record(entry(&format!("g{number}"))).unwrap();
        }
        let lost = writer.record(entry("more")).unwrap_err();
        assert!(lost.contains("that of switch more is lost"), "{lost}");
        fs::remove_dir(directory.path().join(NAME)).unwrap();
        assert!(told.recv().unwrap().unwrap().ends_with("is written again"));
        let reader = writer.reader();
        drop(writer);
        assert_eq!(reader.history("", 0).unwrap().len(), WAITING);
        assert_eq!(reader.audit().unwrap().problem, "");
        assert!(told.recv().is_err(), "told once");
    }

    #[test]
    fn an_audit_finds_what_was_changed_or_cut_off_while_the_daemon_lives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        let (writer, _) = start(directory.path());
        let reader = writer.reader();
        for group in ["one", "two", "three"] {
            writer.record(entry(group)).unwrap();
        }
        drop(writer);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, whole.replace("\"two\"", "\"TWO\"")).unwrap();
        let problem = reader.audit().unwrap().problem;
        assert!(problem.starts_with("line 2 does not fit"), "{problem}");
        let two: String = whole.split_inclusive('\n').take(2).collect();
        fs::write(&path, two).unwrap();
        let problem = reader.audit().unwrap().problem;
        assert!(problem.starts_with("line 3 is missing or another one"), "{problem}");
        fs::remove_file(&path).unwrap();
        assert!(reader.audit().unwrap().problem.starts_with("line 3 is missing"));
    }
}
