//! A `shuntd` process with its files in a directory of its own, and the client of its socket.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use shunt::api::v1::control_client::ControlClient;
use shunt::api::v1::{self, OrderRequest, RoutesRequest};
use tempfile::TempDir;
use tonic::transport::Channel;

/// Above 1023, so that nobody needs a privilege.
pub const PORT: u16 = 11790;
/// For what happens at once; long, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(30);

/// An address that no other test uses, nor one of another run at the same time.
pub fn address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let run = std::process::id() % 0xfe00;
    let [_, _, high, low] = (run + 0x100).to_be_bytes();
    Ipv4Addr::new(127, high, low, u8::try_from(number).unwrap())
}

/// The `[node]` and `[listen]` sections of a node with AS number `asn` at `address`.
pub fn node(asn: u32, address: Ipv4Addr) -> String {
    format!(
        r#"[node]
name = "node-{asn}"
site = "dc1"
asn = {asn}
router-id = "{address}"
own-prefixes = ["198.51.100.0/24"]
[listen]
addresses = ["{address}"]
port = {PORT}
[kernel]
install = false
"#
    )
}

/// A `[neighbor]` section; `more` are further lines.
pub fn neighbor(name: &str, asn: u32, local: Ipv4Addr, remote: Ipv4Addr, more: &str) -> String {
    format!(
        r#"[neighbor.{name}]
address = "{remote}"
local-address = "{local}"
remote-as = {asn}
port = {PORT}
connect-retry = "1s"
import = "all"
export = "groups"
{more}
"#
    )
}

/// Where a daemon has its files; outlives the process.
#[derive(Clone)]
pub struct Home {
    directory: Arc<TempDir>,
}

pub struct Daemon {
    child: Child,
    home: Home,
}

impl Home {
    pub fn new(config: &str) -> Home {
        let home = Home { directory: Arc::new(tempfile::tempdir().unwrap()) };
        home.configure(config);
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn configure(&self, config: &str) {
        fs::write(self.path().join("shunt.toml"), config).unwrap();
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("shunt.sock")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shuntd"));
        command
            .arg("--config")
            .arg(self.path().join("shunt.toml"))
            .arg("--socket")
            .arg(self.socket())
            .arg("--state")
            .arg(self.path().join("state"))
            .stderr(Stdio::piped());
        command
    }

    /// Runs a daemon that is expected to give up, and returns its code and its last words.
    pub fn refused(&self) -> (i32, String) {
        refused(&mut self.command())
    }

    pub async fn start(self) -> Daemon {
        let command = self.command();
        self.start_by(command).await
    }

    /// As nobody, who may use the directory.
    pub fn without_privileges(&self, command: &mut Command) {
        if nix::unistd::geteuid().is_root() {
            fs::set_permissions(self.path(), fs::Permissions::from_mode(0o777)).unwrap();
            command.uid(65534).gid(65534);
        }
    }

    pub async fn start_by(self, mut command: Command) -> Daemon {
        let log = fs::File::create(self.path().join("log")).unwrap();
        let child = command.stderr(log).spawn().unwrap();
        let daemon = Daemon { child, home: self };
        let answers = async || {
            let mut client = daemon.try_client().await.ok()?;
            client.version(v1::VersionRequest {}).await.ok()
        };
        eventually("the daemon answers", answers).await;
        daemon
    }
}

pub fn refused(command: &mut Command) -> (i32, String) {
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + SOON;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("the daemon did not give up");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (status.code().unwrap(), text)
}

impl Daemon {
    pub fn home(&self) -> &Home {
        &self.home
    }

    async fn try_client(&self) -> Result<ControlClient<Channel>, tonic::transport::Error> {
        ControlClient::connect(format!("unix:{}", self.home.socket().display())).await
    }

    pub async fn client(&self) -> ControlClient<Channel> {
        self.try_client().await.unwrap()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9; the files stay.
    pub fn kill(mut self) -> Home {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.home.clone()
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("the daemon ends", async || self.child.try_wait().unwrap()).await
    }

    /// Sockets that the process has open. Files are left out: the store opens its own when the disk lets it.
    pub fn sockets(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // One that was closed while this looks has no target any more.
        let targets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    pub async fn neighbor(&self, name: &str) -> v1::Neighbor {
        let request = v1::NeighborsRequest { name: name.to_owned() };
        self.client().await.neighbors(request).await.unwrap().into_inner().neighbors.remove(0)
    }

    pub async fn established(&self, name: &str) {
        let is_up = async || (self.neighbor(name).await.state == "established").then_some(());
        eventually(&format!("{name} is established"), is_up).await;
    }

    pub async fn order(
        &self,
        order: &str,
        target: &str,
        level: &str,
    ) -> Result<v1::OrderReply, tonic::Status> {
        let request = OrderRequest {
            target: target.to_owned(),
            order: order.to_owned(),
            level: level.to_owned(),
            ..OrderRequest::default()
        };
        Ok(self.client().await.order(request).await?.into_inner())
    }

    /// What the neighbour announced, as `prefix med as-path`.
    pub async fn learned(&self, neighbor: &str) -> Vec<String> {
        let request = RoutesRequest { neighbor: neighbor.to_owned(), ..RoutesRequest::default() };
        let mut stream = self.client().await.routes(request).await.unwrap().into_inner();
        let mut routes = Vec::new();
        while let Some(route) = stream.message().await.unwrap() {
            for path in route.paths.iter().filter(|path| path.source == neighbor) {
                let mut text = route.prefix.clone();
                let attributes = path.attributes.as_ref().unwrap();
                write!(text, " {:?} {}", attributes.med, attributes.as_path).unwrap();
                routes.push(text);
            }
        }
        routes
    }

    pub async fn learns(&self, neighbor: &str, expected: &[&str]) {
        let has = async || (self.learned(neighbor).await == expected).then_some(());
        eventually(&format!("{expected:?} from {neighbor}"), has).await;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the daemon ---\n{}", self.log());
        }
    }
}

/// Asks again and again until there is an answer.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + SOON;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "not within {} s: {what}", SOON.as_secs());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
