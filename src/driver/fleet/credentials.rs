use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::identity::Identity;
use crate::driver::certificate::{self, day, is_from_a_stranger, what_is_wrong};
use crate::driver::exit::plain;

/// Where they lie, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

/// Who we are, and whom we trust.
pub struct Credentials {
    files: Files,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    identity: Identity,
    server: Arc<ServerConfig>,
    visitors: Arc<dyn ClientCertVerifier>,
}

/// Who is to answer.
#[derive(Clone, Debug)]
pub enum Wanted {
    Node(String),
    /// Any node, at an address or name that somebody gave. Where certificates know nothing of roles, it is the name or address
    /// that they have to be for.
    At(ServerName<'static>),
}

/// Certificates that end within this are told of.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
const PROTOCOL: &[u8] = b"h2";

impl Credentials {
    /// Reads files. The error is a clause that names one.
    pub fn read(files: Files) -> Result<Credentials, String> {
        let wrong = |path: &Path, problem: &str| format!("{}: {problem}", path.display());
        let authorities =
            certificate::read(&files.ca).map_err(|problem| wrong(&files.ca, &problem))?;
        let roots = certificate::authorities(&authorities);
        let roots = Arc::new(roots.map_err(|problem| wrong(&files.ca, &problem))?);
        let chain = certificate::read(&files.certificate)
            .map_err(|problem| wrong(&files.certificate, &problem))?;
        let key = read_key(&files.key).map_err(|problem| wrong(&files.key, &problem))?;
        let identity = chain.first().and_then(|own| Identity::of(own));
        let identity =
            identity.ok_or_else(|| wrong(&files.certificate, "the certificate names nobody"))?;
        let visitors = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
            .build()
            .map_err(|error| wrong(&files.ca, &error.to_string()))?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(visitors.clone())
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    let text = format!("it is not the key of {}", files.certificate.display());
                    wrong(&files.key, &text)
                }
                error => wrong(&files.certificate, &error.to_string()),
            })?;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        // A session that is resumed would not show its certificate again.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let server = Arc::new(server);
        Ok(Credentials { files, chain, key, authorities, roots, identity, server, visitors })
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn server(&self) -> &Arc<ServerConfig> {
        &self.server
    }

    pub fn client(&self, wanted: Wanted) -> Result<Arc<ClientConfig>, String> {
        client(&self.roots, wanted, Some((&self.chain, &self.key)))
    }

    /// Whether who has shown this would be let in now.
    pub fn admits(&self, chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
        let none = || rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
        let (own, others) = chain.split_first().ok_or_else(none)?;
        self.visitors.verify_client_cert(own, others, UnixTime::now()).map(|_| ())
    }

    /// Whether the files say the same.
    pub fn is_same(&self, other: &Credentials) -> bool {
        let parts = |one: &Credentials| (one.chain.clone(), one.authorities.clone());
        parts(self) == parts(other) && self.key.secret_der() == other.key.secret_der()
    }

    /// What is wrong with our certificate, or soon will be, as the others see it. A sentence each.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        let path = self.files.certificate.display();
        if let Some((own, others)) = self.chain.split_first()
            && let Err(error) = ParsedCertificate::try_from(own).and_then(|own| {
                let algorithms = provider().signature_verification_algorithms.all;
                let now = UnixTime::now();
                verify_server_cert_signed_by_trust_anchor(
                    &own,
                    &self.roots,
                    others,
                    now,
                    algorithms,
                )
            })
        {
            let problem = match &error {
                rustls::Error::InvalidCertificate(problem) if is_from_a_stranger(problem) => {
                    format!("is not from the authority in {}", self.files.ca.display())
                }
                rustls::Error::InvalidCertificate(problem) => what_is_wrong(problem),
                error => format!("is not valid: {error}"),
            };
            warnings.push(format!("the certificate {path} {problem}: no node talks to this one"));
            return warnings;
        }
        let ends = self.chain.iter().map(|certificate| (&self.files.certificate, certificate));
        let ends = ends.chain(self.authorities.iter().map(|ca| (&self.files.ca, ca)));
        for (path, certificate) in ends {
            let Some(end) = certificate::not_after(certificate) else { continue };
            if end.duration_since(now) < WARN_BEFORE {
                let path = path.display();
                warnings.push(format!("the certificate {path} expires on {}", day(end)));
            }
        }
        warnings
    }
}

/// For a client that may have no certificate.
pub fn client(
    roots: &Arc<RootCertStore>,
    wanted: Wanted,
    own: Option<(&[CertificateDer<'static>], &PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>, String> {
    let usual = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Host { wanted, roots: roots.clone(), usual }));
    let mut config = match own {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain.to_vec(), key.clone_key())
            .map_err(|error| format!("the certificate and its key cannot be used: {error}"))?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

pub fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = fs::read(path).map_err(|error| plain(&error))?;
    let mode = fs::metadata(path).map_err(|error| plain(&error))?.mode();
    if mode & 0o007 != 0 {
        let mode = mode & 0o7777;
        return Err(format!("the key is open to every user (mode {mode:04o}): `chmod o-rwx` it"));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| "there is no private key in it".to_owned())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Takes a certificate of the node that was dialled, from an authority that is trusted.
#[derive(Debug)]
struct Host {
    wanted: Wanted,
    roots: Arc<RootCertStore>,
    usual: Arc<WebPkiServerVerifier>,
}

impl Host {
    fn is_wanted(&self, shown: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let identity = Identity::of(shown);
        let is_wanted = match (&self.wanted, &identity) {
            (Wanted::Node(name), Some(identity)) => identity.is_node(name),
            (Wanted::At(_), Some(Identity::Node(_))) => true,
            (Wanted::At(name), Some(Identity::Named(_))) => {
                return verify_server_name(&ParsedCertificate::try_from(shown)?, name);
            }
            _ => false,
        };
        if is_wanted {
            return Ok(());
        }
        let found = identity.map_or_else(|| "nobody".to_owned(), |found| found.to_string());
        let wanted = match &self.wanted {
            Wanted::Node(name) => format!("node {name}"),
            Wanted::At(_) => "a node".to_owned(),
        };
        let other = Arc::new(Other(format!("is of {found}, not of {wanted}")));
        Err(CertificateError::Other(OtherError(other)).into())
    }
}

/// Goes on with "the certificate".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Other(String);

impl ServerCertVerifier for Host {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(shown)?;
        let algorithms = provider().signature_verification_algorithms.all;
        let roots = &self.roots;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
        self.is_wanted(shown)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
