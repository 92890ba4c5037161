use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::course::{Course, Fault, span};
use crate::driver::certificate::{self, day, is_from_a_stranger, what_is_wrong};
use crate::health::Tls;

pub type Stream = tokio_rustls::client::TlsStream<TcpStream>;

/// What is spoken inside (ALPN, RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Whom a check trusts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Anybody,
    System,
    /// Those in a file.
    File(String),
}

/// Certificates of authorities, read once for all checks that want the same.
#[derive(Default)]
pub struct Authorities(Mutex<BTreeMap<(Trust, Protocol), Entry>>);

/// The lock is held while they are read.
type Entry = Arc<tokio::sync::Mutex<Option<Known>>>;

struct Known {
    config: Arc<ClientConfig>,
    since: Instant,
}

/// When nobody vouches for a certificate, the authorities are read again, as there may be new ones; but no sooner.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(30);

impl Authorities {
    async fn config(&self, trust: Trust, protocol: Protocol) -> Result<Arc<ClientConfig>, String> {
        let entry = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry((trust.clone(), protocol)).or_default().clone()
        };
        let mut known = entry.lock_owned().await;
        if let Some(known) = &*known {
            return Ok(known.config.clone());
        }
        let read = spawn_blocking(move || {
            let config = Arc::new(config(&trust, protocol)?);
            *known = Some(Known { config: config.clone(), since: Instant::now() });
            Ok(config)
        });
        read.await.unwrap_or_else(|_| Err("the daemon ends".to_owned()))
    }

    /// Has them read again at the next run.
    fn doubt(&self, trust: Trust, protocol: Protocol) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |entry: &Entry| {
            entry.try_lock().is_ok_and(|known| {
                known.as_ref().is_some_and(|known| known.since.elapsed() > READ_AGAIN_AFTER)
            })
        };
        if all.get(&(trust.clone(), protocol)).is_some_and(is_old) {
            all.remove(&(trust, protocol));
        }
    }
}

impl Trust {
    fn of(tls: &Tls) -> Trust {
        match (tls.verify, &tls.ca_file) {
            (false, _) => Trust::Anybody,
            (true, None) => Trust::System,
            (true, Some(path)) => Trust::File(path.clone()),
        }
    }
}

/// Reads files.
fn config(trust: &Trust, protocol: Protocol) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let roots = match trust {
        Trust::Anybody => None,
        Trust::System => Some(system()?),
        Trust::File(path) => Some(file(path)?),
    };
    let mut config = match roots {
        Some(roots) => builder.with_root_certificates(roots).with_no_client_auth(),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth(),
    };
    // A connection that goes on with an earlier session would not show today's certificate.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![match protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    Ok(config)
}

fn system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err("the system has no certificates of authorities; name some with ca-file".into()),
        false => Ok(roots),
    }
}

fn file(path: &str) -> Result<RootCertStore, String> {
    let certificates = certificate::read(path.as_ref());
    certificates
        .and_then(|certificates| certificate::authorities(&certificates))
        .map_err(|problem| format!("ca-file {path} cannot be used: {problem}"))
}

/// Sets up TLS over a connection. Gives a warning about the certificate as well.
pub async fn shake_hands(
    course: &mut Course<'_>,
    stream: TcpStream,
    to: SocketAddr,
    tls: &Tls,
    protocol: Protocol,
) -> Result<(Stream, Option<String>), Fault> {
    let name = ServerName::try_from(tls.server_name.clone())
        .map_err(|_| Fault::NotAsked(format!("`{}` is no name of a server", tls.server_name)))?;
    let (trust, deadline) = (Trust::of(tls), course.connect_deadline());
    let authorities = &course.shared.authorities;
    let config = match timeout_at(deadline, authorities.config(trust.clone(), protocol)).await {
        Ok(config) => config.map_err(Fault::NotAsked)?,
        Err(_) => {
            let text = "the certificates of authorities could not be read in time";
            return Err(Fault::NotAsked(text.to_owned()));
        }
    };
    let stream = match timeout_at(deadline, TlsConnector::from(config).connect(name, stream)).await
    {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let problem = rustls_error(&error);
            if let Some(rustls::Error::InvalidCertificate(problem)) = problem
                && is_from_a_stranger(problem)
            {
                course.shared.authorities.doubt(trust, protocol);
            }
            return Err(fault(to, &error, problem));
        }
        Err(_) => {
            let limit = span(course.settings.connect_timeout);
            return Err(Fault::Failed(format!("no TLS with {to} within {limit}")));
        }
    };
    let session = stream.get_ref().1;
    let version = session.protocol_version().and_then(|version| version.as_str());
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let end = shown.and_then(|shown| certificate::not_after(shown));
    let until = end.map(|end| format!(", certificate until {}", day(end))).unwrap_or_default();
    course.step(format_args!("{}{until}", version.unwrap_or("TLS")));
    let warning = end.and_then(|end| warning(end, tls.expiry_warning, Timestamp::now()));
    Ok((stream, warning))
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn fault(to: SocketAddr, error: &io::Error, problem: Option<&rustls::Error>) -> Fault {
    match problem {
        Some(rustls::Error::InvalidCertificate(problem)) => {
            Fault::Failed(format!("the certificate of {to} {}", what_is_wrong(problem)))
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            Fault::Failed(format!("{to} refuses TLS: {alert:?}"))
        }
        Some(problem) => Fault::Failed(format!("no TLS with {to}: {problem}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Fault::Failed(format!("{to} closed the connection instead of setting up TLS"))
        }
        None => Fault::of(error, format_args!("no TLS with {to}")),
    }
}

fn warning(end: Timestamp, before: Duration, now: Timestamp) -> Option<String> {
    let left = end.duration_since(now);
    if left.is_negative() {
        return Some(format!("the certificate expired on {}", day(end)));
    }
    (left.unsigned_abs() < before).then(|| format!("the certificate expires on {}", day(end)))
}

/// Takes any certificate, if the server has its key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::testing::{Authority, failed, not_asked, run, server, settings, tls_server};
    use super::super::{Shared, make};
    use super::*;
    use crate::health::{Http, Method, Outcome, Settings};

    const NAME: &str = "web.example";
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn tls(ca_file: &std::path::Path) -> Tls {
        Tls {
            server_name: NAME.to_owned(),
            verify: true,
            ca_file: Some(ca_file.display().to_string()),
            expiry_warning: 14 * DAY,
        }
    }

    fn https(to: SocketAddr, tls: Tls) -> Settings {
        settings(Method::Http(Box::new(Http {
            to,
            tls: Some(tls),
            head: false,
            host: NAME.to_owned(),
            path: "/".to_owned(),
            status: vec![200..=200],
            header: None,
            body: None,
        })))
    }

    /// One that answers by HTTPS, with a certificate that ends then.
    async fn web(authority: &Authority, end: Timestamp) -> SocketAddr {
        let (certificate, key) = authority.certificate(NAME, end);
        tls_server(&certificate, &key, async |mut stream| {
            let _ = stream.read(&mut [0; 1000]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        })
        .await
    }

    fn in_days(days: u64) -> Timestamp {
        Timestamp::now()
            + days.try_into().map(jiff::SignedDuration::from_hours).unwrap_or_default() * 24
    }

    fn ca_file(authority: &Authority) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority.pem()).unwrap();
        file
    }

    async fn warned(settings: &Settings) -> Option<String> {
        match run(settings).await.0 {
            Outcome::Answered { warning, .. } => warning,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_certificate_is_verified_and_its_end_told() {
        let authority = Authority::new("one");
        let file = ca_file(&authority);
        let to = web(&authority, "2099-01-01T00:00:00Z".parse().unwrap()).await;
        let (outcome, steps) = run(&https(to, tls(file.path()))).await;
        assert!(matches!(outcome, Outcome::Answered { warning: None, .. }), "{outcome:?}");
        let wanted = "TLSv1_3, certificate until 2099-01-01 00:00 UTC after ";
        assert!(steps[1].starts_with(wanted), "{steps:?}");
    }

    #[tokio::test]
    async fn a_certificate_that_ends_soon_is_a_warning() {
        let authority = Authority::new("one");
        let file = ca_file(&authority);
        let end = in_days(10);
        let settings = https(web(&authority, end).await, tls(file.path()));
        let day = end.strftime("%Y-%m-%d");
        let wanted = format!("the certificate expires on {day} 00:00 UTC");
        assert_eq!(warned(&settings).await, Some(wanted));
        let later = https(web(&authority, in_days(20)).await, tls(file.path()));
        assert_eq!(warned(&later).await, None);
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_valid_is_named() {
        let authority = Authority::new("one");
        let file = ca_file(&authority);
        let expired = web(&authority, "2001-02-03T00:00:00Z".parse().unwrap()).await;
        let text = failed(&https(expired, tls(file.path()))).await;
        assert_eq!(text, format!("the certificate of {expired} expired on 2001-02-03 00:00 UTC"));

        let good = web(&authority, in_days(100)).await;
        let other = Tls { server_name: "mail.example".to_owned(), ..tls(file.path()) };
        let text = failed(&https(good, other)).await;
        assert_eq!(
            text,
            format!("the certificate of {good} is not for mail.example, but for {NAME}")
        );

        let stranger = web(&Authority::new("other"), in_days(100)).await;
        let text = failed(&https(stranger, tls(file.path()))).await;
        let wanted = "is from an authority that is not trusted";
        assert_eq!(text, format!("the certificate of {stranger} {wanted}"));

        // Nothing of it matters where it is not verified; but for the warning.
        let unverified =
            Tls { verify: false, server_name: "mail.example".to_owned(), ..tls(file.path()) };
        assert_eq!(warned(&https(stranger, unverified.clone())).await, None);
        let wanted = "the certificate expired on 2001-02-03 00:00 UTC".to_owned();
        assert_eq!(warned(&https(expired, unverified)).await, Some(wanted));
    }

    #[tokio::test]
    async fn who_does_not_speak_tls_has_failed() {
        let file = ca_file(&Authority::new("one"));
        let plain = server(async |mut stream: TcpStream| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let plain = plain.await;
        let text = failed(&https(plain, tls(file.path()))).await;
        assert!(text.starts_with(&format!("no TLS with {plain}: ")), "{text}");
        let closing = server(async |mut stream| drop(stream.read(&mut [0; 1000]).await)).await;
        let text = failed(&https(closing, tls(file.path()))).await;
        assert_eq!(text, format!("{closing} closed the connection instead of setting up TLS"));
        let silent = server(async |_stream| std::future::pending().await).await;
        let settings = https(silent, tls(file.path()));
        let settings = Settings { connect_timeout: Duration::from_millis(100), ..settings };
        assert_eq!(failed(&settings).await, format!("no TLS with {silent} within 100 ms"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_our_own_files_is_not_the_servers_fault() {
        let to = server(async |_stream| std::future::pending().await).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        let text = not_asked(&https(to, tls(file.path()))).await;
        assert_eq!(text, format!("ca-file {path} cannot be used: there is no certificate in it"));
        let text = not_asked(&https(to, tls(std::path::Path::new("/nowhere")))).await;
        assert_eq!(text, "ca-file /nowhere cannot be used: no such file or directory");
        let no_name = Tls { server_name: "a b".to_owned(), ..tls(file.path()) };
        assert_eq!(not_asked(&https(to, no_name)).await, "`a b` is no name of a server");
    }

    #[tokio::test]
    async fn a_new_authority_is_seen_after_a_while() {
        let (old, new) = (Authority::new("one"), Authority::new("one"));
        let file = ca_file(&old);
        let settings = https(web(&new, in_days(100)).await, tls(file.path()));
        let shared = Shared::default();
        let is_well = async || matches!(make(&settings, &shared).await.0, Outcome::Answered { .. });
        assert!(!is_well().await);
        std::fs::write(file.path(), new.pem()).unwrap();
        assert!(!is_well().await, "read a moment ago");
        tokio::time::pause();
        tokio::time::advance(READ_AGAIN_AFTER + DAY).await;
        tokio::time::resume();
        assert!(!is_well().await);
        assert!(is_well().await);
    }
}
