//! Nodes ask each other over loopback, with real certificates.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::*;
use crate::config::FleetNode;
use crate::driver::certificate;
use crate::types::RouterId;

/// An authority with a directory of its own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(directory.path().join("ca.crt"), issuer.pem()).unwrap();
        Authority { issuer, directory }
    }

    fn issue(&self, uri: &str, change: impl FnOnce(&mut CertificateParams)) -> Files {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![ClientAuth, ServerAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str, text: String| {
            let path = self.directory.path().join(format!("{}.{kind}", uri.replace(':', "-")));
            std::fs::write(&path, text).unwrap();
            path
        };
        let key = file("key", key.serialize_pem());
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        Files { certificate: file("crt", certificate.pem()), key, ca: self.ca() }
    }

    fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    fn node(&self, name: &str) -> Arc<Credentials> {
        let files = self.issue(&format!("shunt:node:{name}"), |_| {});
        Arc::new(Credentials::read(files).unwrap())
    }
}

/// The nodes edge1 and edge2. Where they are matters only to who dials.
pub fn fleet() -> config::Fleet {
    let node = |number: u8| FleetNode {
        site: format!("dc{number}"),
        addresses: vec![[127, 0, 0, number].into()],
        router_id: RouterId([192, 0, 2, number].into()),
    };
    config::Fleet {
        port: 7170,
        listen: vec![],
        certificate: String::new(),
        key: String::new(),
        ca: String::new(),
        operators: None,
        nodes: [("edge1", 1), ("edge2", 2)].map(|(name, n)| (name.to_owned(), node(n))).into(),
    }
}

/// A node on loopback whose agent answers with who has asked.
struct Answering {
    address: SocketAddr,
    shared: Shared,
    door: Door,
}

impl Answering {
    async fn start(credentials: Arc<Credentials>) -> Answering {
        let shared = Shared::default();
        shared.set(Some(Arc::new(fleet())));
        shared.set_credentials(Some(Ok(credentials)));
        let (inbox, mut lanes) = Inbox::new();
        tokio::spawn(async move {
            while let Some(input) = lanes.control.recv().await {
                if let Input::NodeAsked { node, message, answer, .. } = input {
                    let silent = message.call.is_some();
                    let place = v1::FleetPlacement { group: node, epoch: 1, ..Default::default() };
                    let placements = v1::FleetPlacements { placements: vec![place] };
                    let reply = v1::FleetReply { placements: Some(placements), answer: None };
                    match silent {
                        true => drop(tokio::spawn(async move {
                            tokio::time::sleep(Duration::from_secs(3600)).await;
                            let _ = answer.send(Ok(reply));
                        })),
                        false => drop(answer.send(Ok(reply))),
                    }
                }
            }
        });
        let (inside, streams) = mpsc::channel(1);
        let service = Service { inbox, shared: shared.clone(), asks: Arc::default() };
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(FleetServer::new(service))
                .serve_with_incoming(ReceiverStream::new(streams)),
        );
        let door = Door::new(shared.clone(), inside);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(door.clone().watch(listener));
        Answering { address, shared, door }
    }
}

fn node(name: &str, addresses: &[SocketAddr], own: &Credentials) -> Node {
    Node::new(name, addresses.to_vec(), own.client(Wanted::Node(name.to_owned())))
}

/// Who was asked by whom, as the answer says.
async fn asked_by(node: &Node) -> Result<String, Status> {
    let reply = node.ask(v1::FleetRequest::default()).await?;
    Ok(reply.placements.unwrap().placements[0].group.clone())
}

async fn refused(node: &Node) -> String {
    let status = asked_by(node).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    status.message().to_owned()
}

#[tokio::test]
async fn a_node_is_asked_and_knows_by_whom() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let node = node("edge2", &[edge2.address], &authority.node("edge1"));
    for _ in 0..3 {
        assert_eq!(asked_by(&node).await.unwrap(), "edge1");
    }
}
#[tokio::test]
async fn who_is_not_of_the_fleet_is_refused_in_words() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let at = edge2.address;
    let as_client =
        async |own: &Credentials| asked_by(&node("edge2", &[at], own)).await.unwrap_err();
    let unavailable = |status: Status, why: &str| {
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.message(), format!("edge2 is not reached ({at}: {why})"));
    };

    let others = Authority::new();
    let stranger = others.node("edge1");
    unavailable(
        as_client(&stranger).await,
        "its certificate is from an authority that is not trusted",
    );
    // It trusts edge2, but not the other way round.
    let files = Files { ca: authority.ca(), ..others.issue("shunt:node:edge1", |_| {}) };
    let unknown = Credentials::read(files).unwrap();
    unavailable(
        as_client(&unknown).await,
        "it does not trust the authority of the certificate that was shown",
    );
    let ended = authority.issue("shunt:node:edge1", |params| {
        params.not_after = rcgen::date_time_ymd(2001, 2, 3);
    });
    let ended = Credentials::read(ended).unwrap();
    unavailable(as_client(&ended).await, "it says that the certificate that was shown has expired");
    let server_only = authority.issue("shunt:node:edge1", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let server_only = Credentials::read(server_only).unwrap();
    unavailable(as_client(&server_only).await, "it does not accept the certificate that was shown");

    let edge3 = authority.node("edge3");
    let status = as_client(&edge3).await;
    assert_eq!(status.code(), Code::PermissionDenied);
    let wanted = "your certificate is of the node `edge3`, which is not in the fleet here";
    assert_eq!(status.message(), wanted);
    let alice = Credentials::read(authority.issue("shunt:operator:alice", |_| {})).unwrap();
    let status = as_client(&alice).await;
    assert_eq!(status.code(), Code::PermissionDenied);
    let wanted =
        "only nodes of the fleet ask each other, and your certificate is of operator alice";
    assert_eq!(status.message(), wanted);
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_in() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let roots = certificate::authorities(&certificate::read(&authority.ca()).unwrap()).unwrap();
    let tls = credentials::client(&Arc::new(roots), Wanted::Node("edge2".into()), None).unwrap();
    let unreached = dial::dial(edge2.address, &tls, dial::PATIENCE_OF_NODES).await.unwrap_err();
    assert_eq!(unreached.text(), "it wants a certificate, and none was shown");
}

#[tokio::test]
async fn the_certificate_names_the_node_that_was_dialled() {
    let authority = Authority::new();
    let own = authority.node("edge1");
    let as_server = async |credentials: Credentials| {
        let server = Answering::start(Arc::new(credentials)).await;
        let text = refused(&node("edge2", &[server.address], &own)).await;
        text.split_once(&format!("{}: ", server.address)).unwrap().1.to_owned()
    };
    let read = |uri: &str| Credentials::read(authority.issue(uri, |_| {})).unwrap();
    let text = as_server(read("shunt:node:edge3")).await;
    assert_eq!(text, "its certificate is of node edge3, not of node edge2)");
    let text = as_server(read("shunt:operator:edge2")).await;
    assert_eq!(text, "its certificate is of operator edge2, not of node edge2)");
    let client_only = authority.issue("shunt:node:edge2", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let text = as_server(Credentials::read(client_only).unwrap()).await;
    assert!(text.starts_with("its certificate is not valid: "), "{text}");
}

/// Takes connections, and says nothing.
async fn mute() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn addresses_are_tried_in_turn_and_the_good_one_is_kept() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let closed = mute().await.1;
    let (_listener, silent) = mute().await;
    let own = authority.node("edge1");
    let with_others = node("edge2", &[closed, silent, edge2.address], &own);
    assert_eq!(asked_by(&with_others).await.unwrap(), "edge1");
    assert_eq!(with_others.first().await, 2);

    let alone = node("edge2", &[closed, silent], &own);
    let text = refused(&alone).await;
    let wanted = format!(
        "edge2 is not reached ({closed}: connection refused; {silent}: no TLS within 1.5s)"
    );
    assert_eq!(text, wanted);
}

/// Forwards connections until it is told to lose everything.
async fn path_to(to: SocketAddr) -> (SocketAddr, mpsc::Sender<()>) {
    let (listener, address) = mute().await;
    let (lose, mut lost) = mpsc::channel(1);
    tokio::spawn(async move {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut there = TcpStream::connect(to).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut from, &mut there) => {}
            _ = lost.recv() => {}
        }
        // Nothing is closed, and nobody is taken any more.
        std::future::pending::<()>().await;
        drop((from, there, listener));
    });
    (address, lose)
}

#[tokio::test]
async fn a_path_that_dies_is_noticed_and_left() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let (path, lose) = path_to(edge2.address).await;
    let node = node("edge2", &[path, edge2.address], &authority.node("edge1"));
    assert_eq!(asked_by(&node).await.unwrap(), "edge1");
    assert_eq!(node.first().await, 0);

    let call = Some(v1::FleetCall::default());
    let waits = node.ask(v1::FleetRequest { call, placements: None });
    let (waited, ()) = tokio::join!(waits, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        lose.send(()).await.unwrap();
    });
    let status = waited.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let wanted = format!("the connection to edge2 at {path} broke: ");
    assert!(status.message().starts_with(&wanted), "{status}");
    let begun = Instant::now();
    assert_eq!(asked_by(&node).await.unwrap(), "edge1");
    assert_eq!(node.first().await, 1);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_is_not_trusted_any_more_has_to_leave() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let node = node("edge2", &[edge2.address], &authority.node("edge1"));
    let call = Some(v1::FleetCall::default());
    let waits = node.ask(v1::FleetRequest { call, placements: None });
    let (waited, ()) = tokio::join!(waits, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Nothing has changed: it stays.
        edge2.door.look_again();
        tokio::time::sleep(Duration::from_millis(100)).await;
        edge2.shared.set_credentials(Some(Ok(Authority::new().node("edge2"))));
        edge2.door.look_again();
    });
    let status = waited.unwrap_err();
    assert!(status.message().starts_with("the connection to edge2 at "), "{status}");
    assert!(refused(&node).await.contains("is from an authority that is not trusted"));
}

#[tokio::test]
async fn a_node_that_is_taken_out_of_the_fleet_is_not_answered() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let node = node("edge2", &[edge2.address], &authority.node("edge1"));
    assert_eq!(asked_by(&node).await.unwrap(), "edge1");
    let mut smaller = fleet();
    smaller.nodes.remove("edge1");
    edge2.shared.set(Some(Arc::new(smaller)));
    assert_eq!(asked_by(&node).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn those_who_knock_and_say_nothing_keep_nobody_out() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let mut crowd = Vec::new();
    for _ in 0..500 {
        crowd.push(TcpStream::connect(edge2.address).await.unwrap());
    }
    let node = node("edge2", &[edge2.address], &authority.node("edge1"));
    assert_eq!(asked_by(&node).await.unwrap(), "edge1");
    // The oldest had to go, though its time was not over.
    let mut octet = [0];
    let gone = tokio::time::timeout(Duration::from_secs(1), crowd[0].read(&mut octet));
    assert!(!matches!(gone.await.unwrap(), Ok(1..)));
}

#[tokio::test]
async fn questions_that_wait_have_a_limit() {
    let authority = Authority::new();
    let edge2 = Answering::start(authority.node("edge2")).await;
    let node = Arc::new(node("edge2", &[edge2.address], &authority.node("edge1")));
    let call = Some(v1::FleetCall::default());
    let request = v1::FleetRequest { call, placements: None };
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let (node, request) = (node.clone(), request.clone());
            tokio::spawn(async move { node.ask(request).await })
        })
        .collect();
    // All of them have a turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(refused(&node).await, "edge2 has 64 questions to answer already");
    for task in waiting {
        task.abort();
        let _ = task.await;
    }
    assert_eq!(asked_by(&node).await.unwrap(), "edge1");
}

#[test]
fn what_is_wrong_with_files_is_said() {
    let authority = Authority::new();
    let good = authority.issue("shunt:node:edge1", |_| {});
    let problem = |files: Files| Credentials::read(files).err().unwrap();
    let text = problem(Files { ca: "/nowhere/ca.crt".into(), ..good.clone() });
    assert_eq!(text, "/nowhere/ca.crt: no such file or directory");
    let text = problem(Files { ca: good.key.clone(), ..good.clone() });
    assert_eq!(text, format!("{}: there is no certificate in it", good.key.display()));
    let text = problem(Files { key: good.certificate.clone(), ..good.clone() });
    let path = good.certificate.display();
    assert_eq!(
        text,
        format!("{path}: the key is open to every user (mode 0644): `chmod o-rwx` it")
    );
    let other = authority.issue("shunt:node:edge2", |_| {});
    let text = problem(Files { key: other.key.clone(), ..good.clone() });
    assert_eq!(text, format!("{}: it is not the key of {path}", other.key.display()));
    let unnamed = authority.issue("shunt:captain:nemo", |_| {});
    let text = problem(unnamed.clone());
    assert_eq!(text, format!("{}: the certificate names nobody", unnamed.certificate.display()));
}

#[test]
fn what_expires_is_told_in_time() {
    let authority = Authority::new();
    let until = |year| {
        let files = authority.issue("shunt:node:edge1", |params| {
            params.not_after = rcgen::date_time_ymd(year, 6, 1);
        });
        (files.certificate.display().to_string(), Credentials::read(files).unwrap())
    };
    let at = |text: &str| text.parse().unwrap();
    let (path, credentials) = until(2099);
    assert!(credentials.warnings(at("2099-05-01T00:00:00Z")).is_empty());
    let wanted = format!("the certificate {path} expires on 2099-06-01 00:00 UTC");
    assert_eq!(credentials.warnings(at("2099-05-03T00:00:00Z")), [wanted]);
    let (path, credentials) = until(2001);
    let wanted = format!(
        "the certificate {path} expired on 2001-06-01 00:00 UTC: no node talks to this one"
    );
    assert_eq!(credentials.warnings(Timestamp::now()), [wanted]);
    let files = authority.issue("shunt:node:edge1", |_| {});
    let (path, other) = (files.certificate.clone(), Authority::new());
    let credentials = Credentials::read(Files { ca: other.ca(), ..files }).unwrap();
    let wanted = format!(
        "the certificate {} is not from the authority in {}: no node talks to this one",
        path.display(),
        other.ca().display()
    );
    assert_eq!(credentials.warnings(Timestamp::now()), [wanted]);
}
