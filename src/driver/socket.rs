use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::Exit;

/// The control socket, claimed for this process.
///
/// Who holds the lock file beside it is the daemon. A socket that is left over from a killed
/// daemon has no lock, and is taken over.
pub struct ControlSocket {
    path: PathBuf,
    listener: UnixListener,
    gid: u32,
    _lock: Flock<File>,
}

/// Root, the daemon's own user and the group of the socket may use it.
const MODE: u32 = 0o660;

impl ControlSocket {
    pub fn claim(path: &Path) -> Result<ControlSocket, Exit> {
        let unusable = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                Exit::SocketNeedsPrivilege { path: path.to_owned(), problem: error.to_string() }
            }
            _ => Exit::Socket { path: path.to_owned(), problem: error.to_string() },
        };
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            match DirBuilder::new().mode(0o755).create(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(unusable(error));
                }
                _ => {}
            }
        }
        let Some(lock) = lock(path).map_err(unusable)? else {
            return Err(Exit::SocketInUse { socket: path.to_owned(), pid: holder(path) });
        };
        // A daemon whose lock file was deleted still answers.
        if UnixStream::connect(path).is_ok() {
            return Err(Exit::SocketInUse { socket: path.to_owned(), pid: None });
        }
        let listener = bind(path).map_err(unusable)?;
        let gid = fs::metadata(path).map_err(unusable)?.gid();
        Ok(ControlSocket { path: path.to_owned(), listener, gid, _lock: lock })
    }

    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// The group that owns the socket.
    pub fn gid(&self) -> u32 {
        self.gid
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// `None` if another process has it.
fn lock(path: &Path) -> io::Result<Option<Flock<File>>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(lock_path(path))?;
    let Ok(mut file) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        return Ok(None);
    };
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Some(file))
}

/// The process that wrote itself into the lock file.
fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(lock_path(path)).ok()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Bound under another name and renamed: clients see the old socket or the new one with its final mode, and
/// a file that stands in the way is replaced.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, Permissions::from_mode(MODE))?;
    fs::rename(&fresh, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_one_daemon_and_a_stale_one_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run").join("shunt.sock");
        let first = ControlSocket::claim(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        let Err(Exit::SocketInUse { pid, .. }) = ControlSocket::claim(&path) else {
            panic!("claimed twice");
        };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        assert!(!path.exists());

        // As after kill -9: the socket file is there, nobody holds the lock.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(ControlSocket::claim(&path).unwrap());
    }
}
