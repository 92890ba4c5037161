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
/// While a question waits for its answer, the path is asked so often whether it is there, and has so long to answer.
const PING_EVERY: Duration = Duration::from_millis(500);
const PONG_WITHIN: Duration = Duration::from_millis(1000);

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

/// Connects, and makes sure that it is whom we want, and that it takes us.
pub async fn dial(to: SocketAddr, tls: &Arc<ClientConfig>) -> Result<SendRequest<Body>, Unreached> {
    let stream = match timeout(CONNECT_WITHIN, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Unreached::Closed(plain(&error))),
        Err(_) => return Err(Unreached::Silent(format!("no answer within {CONNECT_WITHIN:?}"))),
    };
    // Questions are short, and what is sent has to be acknowledged as soon as a ping would have to be.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(PING_EVERY + PONG_WITHIN));
    match timeout(GREET_WITHIN, greet(stream, to, tls)).await {
        Ok(connected) => connected,
        Err(_) => Err(Unreached::Silent(format!("no TLS within {GREET_WITHIN:?}"))),
    }
}

async fn greet(
    stream: TcpStream,
    to: SocketAddr,
    tls: &Arc<ClientConfig>,
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
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
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
            AlertDescription::CertificateRequired => "it wants a certificate, and we have none",
            AlertDescription::UnknownCA => {
                "it does not trust the authority that our certificate is from"
            }
            AlertDescription::CertificateExpired => "it says that our certificate has expired",
            AlertDescription::CertificateRevoked
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied => "it does not accept our certificate",
            other => return Unreached::Closed(format!("it refuses TLS: {other:?}")),
        }
        .to_owned(),
    )
}
