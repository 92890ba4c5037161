use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tonic::body::Body;
use tonic::{Code, Status};

use super::failure::{Exit, Failure};
use super::output::harmless;
use super::remote::Remote;
use crate::api::v1::control_client::ControlClient;
use crate::driver::http2::Connection;
use crate::driver::plain;

/// How long a read may take before the daemon counts as silent.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A group of a hundred thousand prefixes and some neighbors. The library's own limit is 4 MiB.
const LARGEST_ANSWER: usize = 256 << 20;

pub type Client = ControlClient<Connection>;

/// Which daemon is asked. Connected to by each call that a command makes, mostly one.
pub enum Daemon {
    /// That of this machine, by its socket.
    Local(PathBuf),
    Remote(Remote),
}

impl Daemon {
    /// As sentences name it.
    fn place(&self) -> String {
        match self {
            Daemon::Local(socket) => socket.display().to_string(),
            Daemon::Remote(remote) => remote.name.clone(),
        }
    }

    /// Connects and makes one call. `patience` covers both, up to the start of the answer.
    pub async fn call<T, F>(
        &self,
        patience: Duration,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let answer = async {
            let client = self.connect().await?;
            call(client).await.map_err(|status| self.refused(&status))
        };
        match tokio::time::timeout(patience, answer).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Failure::new(
                Exit::NoDaemon,
                format!(
                    "the daemon at {} has not answered within {}",
                    self.place(),
                    super::output::span(patience)
                ),
            )
            .advise("See what it does: `systemctl status shuntd`, `journalctl -u shuntd`.")),
        }
    }

    async fn connect(&self) -> Result<Client, Failure> {
        let requests = match self {
            Daemon::Local(socket) => {
                connect(socket).await.map_err(|error| unreachable(socket, &error))?
            }
            Daemon::Remote(remote) => remote.connect().await?,
        };
        // HTTP/2 wants an authority; who it is was made sure otherwise.
        let origin = Uri::from_static("http://localhost");
        let client = ControlClient::with_origin(Connection(requests), origin);
        Ok(client.max_decoding_message_size(LARGEST_ANSWER))
    }

    /// What a failed call, or a stream that broke off, means.
    pub fn refused(&self, status: &Status) -> Failure {
        // A status with a source was made on our side, out of a broken connection.
        if std::error::Error::source(status).is_some() || status.code() == Code::Cancelled {
            return Failure::new(
                Exit::NoDaemon,
                format!("the daemon at {} went away in the middle", self.place()),
            )
            .advise(
                "If this was an order, see with `shunt groups`, or with `shunt vrrp` for a virtual router, whether it is \
                 in force.",
            );
        }
        let message = harmless(status.message());
        match status.code() {
            Code::Unavailable => Failure::new(Exit::NoDaemon, message),
            Code::PermissionDenied | Code::Unauthenticated => Failure::new(Exit::Denied, message),
            // The digest of a plan is not that of the world any more.
            Code::Aborted => Failure::new(Exit::Stale, message),
            Code::Unimplemented => Failure::failed(format!(
                "the daemon at {} does not know this command",
                self.place()
            ))
            .advise("It is older than this shunt (see `shunt version`): restart it."),
            code if message.is_empty() => Failure::failed(code.description()),
            _ => Failure::failed(message),
        }
    }
}

async fn connect(socket: &Path) -> io::Result<SendRequest<Body>> {
    let stream = UnixStream::connect(socket).await?;
    let (requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // Its failure is also the failure of the call that runs over it.
    tokio::spawn(async { connection.await.ok() });
    Ok(requests)
}

fn unreachable(socket: &Path, error: &io::Error) -> Failure {
    let socket = socket.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(
            Exit::NoDaemon,
            format!("no shuntd at {socket}: {}", plain(error)),
        )
        .advise(
            "Start it with `systemctl start shuntd`, or name its socket with --socket PATH or SHUNT_SOCKET.",
        ),
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Denied,
            format!("you may not open {socket}: {}", plain(error)),
        )
        .advise(format!(
            "Run it as root, or as a member of the group that owns the socket (`ls -l {socket}`)."
        )),
        _ => Failure::failed(format!("cannot connect to {socket}: {}", plain(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1::StatusRequest;

    #[tokio::test(start_paused = true)]
    async fn a_silent_daemon_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("shunt.sock");
        // Connections queue up, and nobody reads.
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let daemon = Daemon::Local(socket.clone());
        let call = async move |mut client: Client| client.status(StatusRequest {}).await;
        let failure = daemon.call(PATIENCE, call).await.unwrap_err();
        assert_eq!(
            failure.message(),
            format!("the daemon at {} has not answered within 10 s", socket.display())
        );
        assert_eq!(failure.exit(), Exit::NoDaemon);
    }
}
