//! Two nodes of a fleet, and clients that call them over the network: with the certificates that `shunt pki` issues, by the
//! real command.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hyper::Uri;
use nix::sys::signal::Signal;
use shunt::api::v1;
use shunt::api::v1::fleet_client::FleetClient;
use shunt::driver::fleet::{Credentials, Files, Wanted, dial_in_turn};
use shunt::driver::http2::Connection;
use shunt::types::Rng;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::process::{Daemon, Home, address, eventually};

const PORT: u16 = 11791;

/// Two nodes, each with an address of its own and a second one where nobody listens, and an authority.
struct Fleet {
    pki: Pki,
    /// edge1 and edge2.
    nodes: [Daemon; 2],
    addresses: [Ipv4Addr; 2],
}

/// A directory with an authority.
struct Pki(TempDir);

fn shunt(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shunt"));
    command.env_clear().env("HOME", "/nonexistent").args(arguments).output().unwrap()
}

/// Exit code and what was printed.
fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    (output.status.code().unwrap(), text.concat())
}

impl Pki {
    fn new() -> Pki {
        let pki = Pki(tempfile::tempdir().unwrap());
        let output = shunt(&["pki", "init", pki.0.path().to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        pki
    }

    fn issue(&self, role: &str, name: &str) {
        let directory = self.0.path().to_str().unwrap();
        let output = shunt(&["pki", "issue", role, name, "--directory", directory]);
        assert!(output.status.success(), "{output:?}");
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Replaces a certificate by one that has ended.
    fn expire(&self, role: &str, name: &str) {
        self.replace(role, name, |params| params.not_after = rcgen::date_time_ymd(2001, 2, 3));
    }

    fn replace(&self, role: &str, name: &str, change: impl FnOnce(&mut rcgen::CertificateParams)) {
        let read = |name: &str| fs::read_to_string(self.file(name)).unwrap();
        let key = rcgen::KeyPair::from_pem(&read("ca.key")).unwrap();
        let mut params = rcgen::CertificateParams::default();
        // As `shunt pki show` says it: the last two words of `authority shunt fleet 01234567`.
        let (_, shown) = said(&shunt(&["pki", "show", &self.file("ca.crt")]));
        let name_of_ca = shown.split_once("authority ").unwrap().1.split_once(',').unwrap().0;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name_of_ca);
        let issuer = rcgen::Issuer::new(params, key);
        let mut params = rcgen::CertificateParams::default();
        let uri = format!("shunt:{role}:{name}");
        params.subject_alt_names = vec![rcgen::SanType::URI(uri.as_str().try_into().unwrap())];
        change(&mut params);
        let key = rcgen::KeyPair::from_pem(&read(&format!("{name}.key"))).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(self.file(&format!("{name}.crt")), certificate.pem()).unwrap();
    }
}

/// The same on both nodes, but for who it is.
fn config(
    own: usize,
    addresses: &[Ipv4Addr; 2],
    nowhere: Ipv4Addr,
    pki: &Pki,
    more: &str,
) -> String {
    let number = own + 1;
    let mut text = format!(
        "[node]\nname = \"edge{number}\"\nsite = \"dc{number}\"\nrouter-id = \"{}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n\
         [listen]\naddresses = []\n[kernel]\ninstall = false\n\
         [group.payments]\nprefixes = [\"198.51.100.7/32\"]\nbase = {{ dc1 = \"primary\", dc2 = \"standby\" }}\n\
         [fleet]\nport = {PORT}\nlisten = [\"{}\"]\ncertificate = \"{}\"\nkey = \"{}\"\nca = \"{}\"\n{more}\n",
        addresses[own],
        addresses[own],
        pki.file(&format!("edge{number}.crt")),
        pki.file(&format!("edge{number}.key")),
        pki.file("ca.crt"),
    );
    for (index, address) in addresses.iter().enumerate() {
        let number = index + 1;
        // The first address of edge2 is one where nobody answers.
        let listed = match index {
            0 => format!("\"{address}\""),
            _ => format!("\"{nowhere}\", \"{address}\""),
        };
        text += &format!(
            "[site.dc{number}]\nid = {number}\n[fleet.node.edge{number}]\nsite = \"dc{number}\"\n\
             addresses = [{listed}]\nrouter-id = \"{address}\"\n"
        );
    }
    text
}

impl Fleet {
    async fn start(more: &str) -> Fleet {
        let pki = Pki::new();
        for (role, name) in
            [("node", "edge1"), ("node", "edge2"), ("operator", "alice"), ("reader", "bob")]
        {
            pki.issue(role, name);
        }
        let (addresses, nowhere) = ([address(), address()], address());
        let home = |own| Home::new(&config(own, &addresses, nowhere, &pki, more));
        let nodes = [home(0).start().await, home(1).start().await];
        Fleet { pki, nodes, addresses }
    }

    fn config(&self, own: usize) -> String {
        self.nodes[own].home().path().join("shunt.toml").display().to_string()
    }

    /// `shunt --node edge2 …` with somebody's certificate.
    fn at_edge2(&self, who: &str, arguments: &[&str]) -> (i32, String) {
        let file = |kind: &str| self.pki.file(&format!("{who}.{kind}"));
        let (certificate, key) = (file("crt"), file("key"));
        self.with(&[("--certificate", &certificate), ("--key", &key)], arguments)
    }

    fn with(&self, files: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
        let (config, ca) = (self.config(0), self.pki.file("ca.crt"));
        let mut all = vec!["--node", "edge2", "--config", &config, "--ca", &ca];
        for (option, path) in files {
            match *option {
                "--ca" => all[5] = path,
                _ => all.extend([*option, *path]),
            }
        }
        all.extend(arguments);
        said(&shunt(&all))
    }

    fn edge2_at(&self) -> String {
        format!("{}:{PORT}", self.addresses[1])
    }

    async fn preference_at_edge2(&self) -> u32 {
        let request = v1::GroupsRequest { name: "payments".to_owned() };
        let reply = self.nodes[1].client().await.groups(request).await.unwrap().into_inner();
        reply.groups[0].announcements[0].preference
    }
}

#[tokio::test]
async fn an_operator_does_from_elsewhere_what_can_be_done_there() {
    let fleet = Fleet::start("").await;
    let (code, text) = fleet.at_edge2("alice", &["status"]);
    assert!(code == 0 && text.contains("edge2"), "{text}");
    let (code, text) = fleet.at_edge2("alice", &["prefer", "payments", "primary", "--no-wait"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("ordered by alice (operator certificate)"), "{text}");
    assert_eq!(fleet.preference_at_edge2().await, 200);
    // By its address, and everything that there is to read, streams too.
    let file = |name: &str| fleet.pki.file(name);
    let (certificate, key, ca) = (file("alice.crt"), file("alice.key"), file("ca.crt"));
    let at = fleet.edge2_at();
    let files = ["--address", &at, "--certificate", &certificate, "--key", &key, "--ca", &ca];
    for command in ["groups", "routes", "neighbors", "events", "version", "health", "reload"] {
        let (code, text) = said(&shunt(&[&files[..], &[command]].concat()));
        assert_eq!(code, 0, "{command}: {text}");
    }
}

#[tokio::test]
async fn what_is_refused_is_said_and_changes_nothing() {
    let fleet = Fleet::start("").await;
    let write = ["prefer", "payments", "primary", "--no-wait"];
    let at = fleet.edge2_at();
    let refused = |(code, text): (i32, String), wanted: &str| {
        assert_eq!((code, text.lines().next().unwrap()), (4, wanted), "{text}");
    };

    assert_eq!(fleet.at_edge2("bob", &["status"]).0, 0);
    refused(
        fleet.at_edge2("bob", &write),
        "error: the certificate of bob is for reading: it may not change anything",
    );
    refused(
        fleet.at_edge2("bob", &["reload"]),
        "error: the certificate of bob is for reading: it may not change anything",
    );
    assert_eq!(fleet.at_edge2("edge1", &["status"]).0, 0);
    refused(
        fleet.at_edge2("edge1", &write),
        "error: the certificate of node edge1 may read but not change anything: use one of an operator",
    );
    fleet.pki.issue("node", "edge3");
    for command in [&["status"][..], &write] {
        refused(
            fleet.at_edge2("edge3", command),
            "error: your certificate is of the node `edge3`, which is not in the fleet here",
        );
    }

    let other = Pki::new();
    other.issue("operator", "alice");
    let (certificate, key) = (other.file("alice.crt"), other.file("alice.key"));
    let theirs = [("--certificate", certificate.as_str()), ("--key", key.as_str())];
    refused(
        fleet.with(&theirs, &write),
        &format!(
            "error: edge2 ({at}) does not let you in: it does not trust the authority of the certificate that was shown"
        ),
    );
    let ca = other.file("ca.crt");
    refused(
        fleet.with(&[theirs[0], theirs[1], ("--ca", ca.as_str())], &write),
        &format!(
            "error: who answers at {at} cannot be trusted: its certificate is from an authority that is not trusted"
        ),
    );
    fleet.pki.expire("operator", "alice");
    refused(
        fleet.at_edge2("alice", &write),
        &format!(
            "error: edge2 ({at}) does not let you in: it says that the certificate that was shown has expired"
        ),
    );
    let none = fleet.pki.file("none.crt");
    refused(
        fleet.with(&[("--certificate", &none), ("--key", &none)], &write),
        &format!("error: you have no certificate to show: {none}: no such file or directory"),
    );
    refused(
        fleet.with(&[], &write),
        "error: you have no certificate to show: /nonexistent/.config/shunt/client.crt: no such file or directory",
    );
    assert_eq!(fleet.preference_at_edge2().await, 100);
}

#[tokio::test]
async fn who_may_write_can_be_listed() {
    let fleet = Fleet::start("operators = [\"carol\"]").await;
    fleet.pki.issue("operator", "carol");
    let write = ["prefer", "payments", "primary", "--no-wait"];
    let (code, text) = fleet.at_edge2("alice", &write);
    let wanted = "error: alice may read but not change anything: `operators` of [fleet] here does not have that name";
    assert_eq!((code, text.trim()), (4, wanted));
    assert_eq!(fleet.at_edge2("carol", &write).0, 0);
}

#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    let fleet = Fleet::start("").await;
    let config = fleet.config(0);
    let (code, text) = said(&shunt(&["--node", "edge4", "--config", &config, "status"]));
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("there is no node `edge4` in the fleet of ")
            && text.contains("Did you mean `edge"),
        "{text}"
    );
    let (code, text) = said(&shunt(&["--node", "edge2", "--config", "/nowhere", "status"]));
    assert_eq!(
        (code, text.lines().next().unwrap()),
        (1, "error: cannot read /nowhere: no such file or directory")
    );
    let Fleet { pki, nodes: [one, two], addresses } = fleet;
    let _home = two.kill();
    let file = |name: &str| pki.file(name);
    let (certificate, key, ca) = (file("alice.crt"), file("alice.key"), file("ca.crt"));
    let files = ["--certificate", &certificate, "--key", &key, "--ca", &ca];
    let (code, text) = said(&shunt(
        &[&["--node", "edge2", "--config", &config], &files[..], &["status"]].concat(),
    ));
    assert_eq!(code, 3, "{text}");
    let at = format!("; {}:{PORT}: connection refused)", addresses[1]);
    assert!(text.starts_with("error: edge2 is not reached (") && text.contains(&at), "{text}");
    drop(one);
}

impl Fleet {
    /// At edge2, by its socket.
    fn here(&self, arguments: &[&str]) -> (i32, String) {
        let socket = self.nodes[1].home().socket().display().to_string();
        said(&shunt(&[&["--socket", &socket], arguments].concat()))
    }

    /// Asks edge2 as one of the nodes.
    async fn ask_edge2(&self, who: &str) -> Result<v1::FleetReply, tonic::Status> {
        let file = |name: String| self.pki.file(&name).into();
        let (certificate, key) = (file(format!("{who}.crt")), file(format!("{who}.key")));
        let own = Credentials::read(Files { certificate, key, ca: file("ca.crt".into()) }).unwrap();
        let tls = own.client(Wanted::Node("edge2".to_owned())).unwrap();
        let at: SocketAddr = self.edge2_at().parse().unwrap();
        let (requests, _) = dial_in_turn(&[at], 0, &tls, Duration::from_secs(10)).await.unwrap();
        let origin = Uri::from_static("http://edge2");
        let mut client = FleetClient::with_origin(Connection(requests), origin);
        let placements = Some(v1::FleetPlacements::default());
        let request = v1::FleetRequest { placements, ..v1::FleetRequest::default() };
        Ok(client.ask(request).await?.into_inner())
    }
}

#[tokio::test]
async fn nodes_ask_each_other_and_nobody_else_does() {
    let fleet = Fleet::start("").await;
    assert!(fleet.ask_edge2("edge1").await.unwrap().placements.is_some());
    let status = fleet.ask_edge2("alice").await.unwrap_err();
    let wanted =
        "only nodes of the fleet ask each other, and your certificate is of operator alice";
    assert_eq!((status.code(), status.message()), (tonic::Code::PermissionDenied, wanted));
}

#[tokio::test]
async fn certificates_are_read_again_with_the_configuration() {
    let fleet = Fleet::start("").await;
    let remove = |name: &str| {
        fs::remove_file(fleet.pki.file(&format!("{name}.crt"))).unwrap();
        fs::remove_file(fleet.pki.file(&format!("{name}.key"))).unwrap();
    };
    assert!(!fleet.here(&["status"]).1.contains("expires"));
    assert!(!fleet.here(&["reload"]).1.contains("certificates"));
    remove("edge2");
    let directory = fleet.pki.0.path().to_str().unwrap();
    let issue = ["pki", "issue", "node", "edge2", "--days", "29", "--directory", directory];
    assert_eq!(said(&shunt(&issue)).0, 0);
    let (code, text) = fleet.here(&["reload"]);
    assert!(code == 0 && text.contains("fleet: certificates are others than before"), "{text}");
    let warning = format!("the certificate {} expires on ", fleet.pki.file("edge2.crt"));
    assert!(fleet.here(&["status"]).1.contains(&warning));
    assert!(fleet.here(&["events"]).1.contains(&warning));
    assert_eq!(fleet.at_edge2("alice", &["status"]).0, 0);

    // What cannot be used is not used, and says so until it is corrected.
    remove("edge2");
    let (code, text) = fleet.here(&["reload"]);
    let path = fleet.pki.file("edge2.crt");
    let wanted =
        format!("fleet: certificates are not read anew: {path}: no such file or directory");
    assert!(code == 0 && text.contains(&wanted), "{text}");
    let wanted =
        format!("{path}: no such file or directory: the certificates from before are used");
    assert!(fleet.here(&["status"]).1.contains(&wanted));
    assert_eq!(fleet.at_edge2("alice", &["status"]).0, 0);

    // Two authorities, while one replaces the other.
    let other = Pki::new();
    other.issue("node", "edge2");
    other.issue("operator", "alice");
    let both = [other.file("ca.crt"), fleet.pki.file("ca.crt")].map(|ca| fs::read(ca).unwrap());
    fs::copy(fleet.pki.file("ca.crt"), fleet.pki.file("before.crt")).unwrap();
    fs::write(fleet.pki.file("ca.crt"), both.concat()).unwrap();
    fleet.pki.issue("node", "edge2");
    assert!(fleet.here(&["reload"]).1.contains("fleet: certificates are others than before"));
    let (certificate, key) = (other.file("alice.crt"), other.file("alice.key"));
    let theirs = [("--certificate", certificate.as_str()), ("--key", key.as_str())];
    assert_eq!(fleet.at_edge2("alice", &["status"]).0, 0);
    assert_eq!(fleet.with(&theirs, &["status"]).0, 0);

    // Only the other: who has a certificate of the one before is not let in.
    for name in ["ca.crt", "edge2.crt", "edge2.key"] {
        fs::copy(other.file(name), fleet.pki.file(name)).unwrap();
    }
    fleet.nodes[1].signal(Signal::SIGHUP);
    let (certificate, key) = (fleet.pki.file("alice.crt"), fleet.pki.file("alice.key"));
    let files = [("--certificate", certificate.as_str()), ("--key", key.as_str())];
    let refused = async || {
        let (code, text) = fleet.with(&files, &["status"]);
        (code == 4).then_some(text)
    };
    let text = eventually("the new authority is used", refused).await;
    assert!(
        text.contains("it does not trust the authority of the certificate that was shown"),
        "{text}"
    );
    assert!(!fleet.here(&["status"]).1.contains("certificate"));
}

#[tokio::test]
async fn a_node_without_certificates_goes_on_without_the_fleet() {
    let (pki, addresses, nowhere) = (Pki::new(), [address(), address()], address());
    let daemon = Home::new(&config(1, &addresses, nowhere, &pki, "")).start().await;
    let socket = daemon.home().socket().display().to_string();
    let (code, text) = said(&shunt(&["--socket", &socket, "status"]));
    let path = pki.file("edge2.crt");
    let wanted =
        format!("{path}: no such file or directory: no node talks to this one, and it to none");
    assert!(code == 0 && text.contains(&wanted), "{text}");
    // Of another node, it is of no use either.
    pki.issue("node", "edge1");
    fs::copy(pki.file("edge1.crt"), &path).unwrap();
    fs::copy(pki.file("edge1.key"), pki.file("edge2.key")).unwrap();
    let (_, text) = said(&shunt(&["--socket", &socket, "reload"]));
    assert!(text.contains(&format!("{path}: it is of node edge1, not of node edge2")), "{text}");
    fs::remove_file(&path).unwrap();
    fs::remove_file(pki.file("edge2.key")).unwrap();
    pki.issue("node", "edge2");
    assert_eq!(said(&shunt(&["--socket", &socket, "reload"])).0, 0);
    let (_, text) = said(&shunt(&["--socket", &socket, "status"]));
    assert!(!text.contains("certificate"), "{text}");
}

/// What may come to an open port.
fn garbage(rng: &mut Rng) -> Vec<u8> {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    match rng.below(4) {
        0 => Vec::new(),
        1 => b"GET / HTTP/1.1\r\nHost: edge2\r\n\r\n".to_vec(),
        2 => hello.to_vec(),
        _ => (0..rng.below(2000)).map(|_| rng.below(256) as u8).collect(),
    }
}

#[tokio::test]
async fn garbage_and_a_flood_on_the_port_disturb_nobody() {
    let fleet = Fleet::start("").await;
    let before = fleet.nodes[1].sockets();
    let at = fleet.edge2_at();
    let flood = tokio::spawn(async move {
        let mut rng = Rng::new(1);
        let mut kept = Vec::new();
        loop {
            if let Ok(mut stream) = TcpStream::connect(&at).await {
                let _ = stream.write_all(&garbage(&mut rng)).await;
                kept.push(stream);
            }
            if kept.len() > 400 {
                kept.swap_remove(rng.below(400) as usize);
            }
        }
    });
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        let begun = Instant::now();
        fleet.preference_at_edge2().await;
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(fleet.ask_edge2("edge1").await.unwrap().placements.is_some());
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(!flood.is_finished());
    flood.abort();
    // The nodes may have come to know each other meanwhile.
    let let_go = async || (fleet.nodes[1].sockets() <= before + 2).then_some(());
    eventually("everything is closed", let_go).await;
}
