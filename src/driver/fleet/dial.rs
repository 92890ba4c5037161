use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use socket2::SockRef;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use super::credentials::Other;
use crate::driver::certificate::what_is_wrong;
use crate::driver::exit::plain;

/// Why a node was not reached at an address. A clause each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// It does not answer, so it is tried again.
    Silent(String),
    /// Nobody listens there, or whoever does breaks off.
    Closed(String),
    /// Who is there is not whom we want, by the certificate.
    Stranger(String),
    /// Our own certificate is not taken.
    Unwelcome(String),
}

/// A SYN that is lost is sent again only after a second, and there may be other addresses.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// For TLS, with a node that is busy.
const GREET_WITHIN: Duration = Duration::from_millis(1500);
/// How long the path may be silent while something waits for an answer: between nodes, and for people, who may be far away.
pub const PATIENCE_OF_NODES: Duration = Duration::from_secs(1);
pub const PATIENCE_OF_PEOPLE: Duration = Duration::from_secs(10);

impl Unreached {
    pub fn text(&self) -> &str {
        match self {
            Unreached::Silent(text)
            | Unreached::Closed(text)
            | Unreached::Stranger(text)
            | Unreached::Unwelcome(text) => text,
        }
    }
}

/// A lost SYN is no reason to give up the only address.
const ROUNDS: usize = 2;

/// Tries addresses in turn, beginning with one of them. Says which one was good, or what was wrong with each.
pub async fn dial_in_turn(
    addresses: &[SocketAddr],
    first: usize,
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> Result<(SendRequest<Body>, usize), Vec<(SocketAddr, Unreached)>> {
    let mut tried: Vec<Option<Unreached>> = vec![None; addresses.len()];
    for round in 0..ROUNDS {
        for index in (0..addresses.len()).cycle().skip(first).take(addresses.len()) {
            let is_hopeless = !matches!(tried[index], None | Some(Unreached::Silent(_)));
            if round > 0 && is_hopeless {
                continue;
            }
            match dial(addresses[index], tls, patience).await {
                Ok(requests) => return Ok((requests, index)),
                Err(unreached) => tried[index] = Some(unreached),
            }
        }
    }
    let with_address =
        |(address, tried): (&SocketAddr, Option<Unreached>)| Some((*address, tried?));
    Err(addresses.iter().zip(tried).filter_map(with_address).collect())
}

/// `192.0.2.1:7170: connection refused; …`
pub fn all_of(tried: &[(SocketAddr, Unreached)]) -> String {
    let one = |(address, tried): &(SocketAddr, Unreached)| format!("{address}: {}", tried.text());
    tried.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Connects, and makes sure that it is whom we want, and that it takes us.
pub async fn dial(
    to: SocketAddr,
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> Result<SendRequest<Body>, Unreached> {
    let stream = match timeout(CONNECT_WITHIN, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Unreached::Closed(plain(&error))),
        Err(_) => return Err(Unreached::Silent(format!("no answer within {CONNECT_WITHIN:?}"))),
    };
    // Questions are short, and what is sent has to be acknowledged as soon as a ping would have to be.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(patience * 2));
    match timeout(GREET_WITHIN, greet(stream, to, tls, patience)).await {
        Ok(connected) => connected,
        Err(_) => Err(Unreached::Silent(format!("no TLS within {GREET_WITHIN:?}"))),
    }
}

async fn greet(
    stream: TcpStream,
    to: SocketAddr,
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> Result<SendRequest<Body>, Unreached> {
    let name = ServerName::IpAddress(to.ip().into());
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
    let stream = stream.map_err(|error| explain(&error))?;
    // We have finished before the other side has seen our certificate. Its first words are HTTP/2's settings, or why not.
    let mut stream = BufReader::new(stream);
    match stream.fill_buf().await {
        Ok([]) => return Err(Unreached::Closed("it closed the connection".to_owned())),
        Ok(_) => {}
        Err(error) => return Err(explain(&error)),
    }
    let (requests, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(patience / 2)
        .keep_alive_timeout(patience)
        .keep_alive_while_idle(false)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| explain(&error))?;
    // It ends when nobody has requests for it any more. Its failure is also that of the calls over it.
    tokio::spawn(async { connection.await.ok() });
    Ok(requests)
}

/// What a broken connection means to an operator.
pub fn explain(error: &(dyn Error + 'static)) -> Unreached {
    let mut all = std::iter::successors(Some(error), |error| cause(*error));
    let tls = all.clone().find_map(|error| error.downcast_ref::<rustls::Error>());
    if let Some(error) = tls {
        return explain_tls(error);
    }
    let broken = all.find_map(|error| error.downcast_ref::<io::Error>());
    Unreached::Closed(match broken {
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed the connection".to_owned()
        }
        Some(error) => plain(error),
        None => error.to_string(),
    })
}

/// What is inside of an input or output error is not its source.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn explain_tls(error: &rustls::Error) -> Unreached {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            let problem = other.0.downcast_ref::<Other>().map(ToString::to_string);
            let problem = problem.unwrap_or_else(|| other.to_string());
            Unreached::Stranger(format!("its certificate {problem}"))
        }
        rustls::Error::InvalidCertificate(problem) => {
            Unreached::Stranger(format!("its certificate {}", what_is_wrong(problem)))
        }
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        rustls::Error::InvalidMessage(_) => Unreached::Closed("it does not speak TLS".to_owned()),
        error => Unreached::Closed(format!("no TLS: {error}")),
    }
}

fn explain_alert(alert: AlertDescription) -> Unreached {
    Unreached::Unwelcome(
        match alert {
            AlertDescription::CertificateRequired => "it wants a certificate, and none was shown",
            AlertDescription::UnknownCA => {
                "it does not trust the authority of the certificate that was shown"
            }
            AlertDescription::CertificateExpired => {
                "it says that the certificate that was shown has expired"
            }
            AlertDescription::CertificateRevoked
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied => "it does not accept the certificate that was shown",
            other => return Unreached::Closed(format!("it refuses TLS: {other:?}")),
        }
        .to_owned(),
    )
}
