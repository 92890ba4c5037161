//! What the tests of the methods have in common.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::health::{Method, Outcome, Settings};

/// With time for everything that is not to be late.
pub fn settings(method: Method) -> Settings {
    let patience = Duration::from_secs(60);
    Settings { method, connect_timeout: patience, timeout: patience, ..Settings::default() }
}

pub async fn run(settings: &Settings) -> (Outcome, Vec<String>) {
    super::ask(settings).await
}

pub async fn well(settings: &Settings) -> String {
    match run(settings).await.0 {
        Outcome::Answered { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

pub async fn failed(settings: &Settings) -> String {
    match run(settings).await.0 {
        Outcome::Failed(text) => text,
        other => panic!("{other:?}"),
    }
}

pub async fn not_asked(settings: &Settings) -> String {
    match run(settings).await.0 {
        Outcome::NotAsked(text) => text,
        other => panic!("{other:?}"),
    }
}

/// A server on loopback that does the same with each connection.
pub async fn server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Where nobody listens.
pub async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// One that signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        Authority(issuer.unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn certificate(&self, name: &str, end: Timestamp) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        let end = end.strftime("%Y-%m-%d").to_string();
        let mut parts = end.split('-').map(|part| part.parse::<i32>().unwrap());
        let mut next = || parts.next().unwrap();
        params.not_after = rcgen::date_time_ymd(next(), next() as u8, next() as u8);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A server on loopback that does the same with each connection, inside of TLS.
pub async fn tls_server<F: Future<Output = ()> + Send + 'static>(
    certificate: &Certificate,
    key: &KeyPair,
    serve: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    server(move |stream| {
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        async move {
            // A client that trusts nobody goes away.
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream).await;
            }
        }
    })
    .await
}
