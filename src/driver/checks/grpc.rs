use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hyper::Uri;
use hyper::client::conn::http2;
use hyper::http::uri::PathAndQuery;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tonic::client::Grpc;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::connect::{self, Stream};
use super::course::{Answer, Course, Fault, shown};
use super::http::broken;
use super::tls::Protocol;
use crate::driver::http2::Connection;
use crate::health::{Method, Tls};

/// Of `grpc.health.v1`, as the gRPC project defines it in its health checking protocol.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// Octets that the server may send before they are read.
const WINDOW: u32 = 65_535;
const LARGEST_HEADER: u32 = 16 << 10;
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Asks a server for the health of a service.
pub async fn ask(
    course: &mut Course<'_>,
    to: SocketAddr,
    service: &str,
    tls: Option<&Tls>,
) -> Result<Answer, Fault> {
    let (stream, warning) = connect::open(course, to, tls, Protocol::Http2).await?;
    let authority = tls.map_or_else(|| to.to_string(), |tls| tls.server_name.clone());
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin: Uri = format!("{scheme}://{authority}")
        .parse()
        .map_err(|_| Fault::NotAsked(format!("`{authority}` is no name of a server")))?;
    let status = timeout_at(course.deadline(), call(stream, to, origin, service)).await;
    let status = course.in_time(status, to)?;
    match status {
        ServingStatus::Serving => Ok(Answer { text: "SERVING".to_owned(), warning }),
        ServingStatus::NotServing => Err(failed(to, service, "is NOT_SERVING")),
        ServingStatus::Unknown => Err(failed(to, service, "has the status UNKNOWN")),
        ServingStatus::ServiceUnknown => Err(failed(to, service, "is not known there")),
    }
}

fn failed(to: SocketAddr, service: &str, what: &str) -> Fault {
    Fault::Failed(match service {
        "" => format!("the server {to} {what}"),
        service => format!("{service} at {to} {what}"),
    })
}

async fn call(
    stream: Stream,
    to: SocketAddr,
    origin: Uri,
    service: &str,
) -> Result<ServingStatus, Fault> {
    // All of its tasks end with this call, also if the server keeps its end open.
    let tasks = Arc::new(Mutex::new(JoinSet::new()));
    let (requests, connection) = http2::Builder::new(Tasks(Arc::downgrade(&tasks)))
        .max_header_list_size(LARGEST_HEADER)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(to, &error))?;
    let answer = async {
        let mut client = Grpc::with_origin(Connection(requests), origin)
            .max_decoding_message_size(Method::MOST_OCTETS);
        client.ready().await.map_err(|error| broken(to, &error))?;
        let request = tonic::Request::new(HealthCheckRequest { service: service.to_owned() });
        let path = PathAndQuery::from_static(CHECK);
        let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
        let response = client.unary(request, path, codec).await;
        let response = response.map_err(|status| refused(to, service, &status))?;
        Ok(response.into_inner().status())
    };
    let (mut answer, connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        status = &mut answer => status,
        _ = connection => answer.await,
    }
}

fn refused(to: SocketAddr, service: &str, status: &Status) -> Fault {
    match status.code() {
        Code::NotFound => failed(to, service, "is not known there"),
        Code::Unimplemented => {
            Fault::Failed(format!("{to} does not offer grpc.health.v1, so it cannot tell"))
        }
        code => {
            let source = std::error::Error::source(status);
            match source.and_then(|source| source.downcast_ref::<hyper::Error>()) {
                Some(error) => broken(to, error),
                None => {
                    let message = shown(status.message().as_bytes());
                    Fault::Failed(format!("{to} answers {code:?}: {message}"))
                }
            }
        }
    }
}

/// Where an HTTP/2 connection runs what it does beside the request.
#[derive(Clone)]
struct Tasks(Weak<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        if let Some(tasks) = self.0.upgrade() {
            tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::service::Routes;
    use tonic::transport::Server;
    use tonic_health::ServingStatus::{NotServing, Serving, Unknown};

    use super::super::testing::{Authority, closed, failed, server, settings, tls_server, well};
    use super::*;
    use crate::health::Settings;

    fn grpc(to: SocketAddr, service: &str) -> Settings {
        settings(Method::Grpc { to, service: service.to_owned(), tls: None })
    }

    async fn serve(routes: Routes) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(incoming));
        address
    }

    /// The server of the gRPC project for Rust.
    async fn health() -> SocketAddr {
        let (reporter, service) = tonic_health::server::health_reporter();
        reporter.set_service_status("payments", Serving).await;
        reporter.set_service_status("orders", NotServing).await;
        reporter.set_service_status("stock", Unknown).await;
        serve(Routes::new(service)).await
    }

    #[tokio::test]
    async fn what_serves_is_well() {
        let to = health().await;
        assert_eq!(well(&grpc(to, "")).await, "SERVING");
        assert_eq!(well(&grpc(to, "payments")).await, "SERVING");
        assert_eq!(failed(&grpc(to, "orders")).await, format!("orders at {to} is NOT_SERVING"));
        let text = failed(&grpc(to, "stock")).await;
        assert_eq!(text, format!("stock at {to} has the status UNKNOWN"));
        let text = failed(&grpc(to, "other")).await;
        assert_eq!(text, format!("other at {to} is not known there"));
    }

    #[tokio::test]
    async fn it_may_be_asked_over_tls() {
        let inside = health().await;
        let authority = Authority::new("one");
        let end = "2099-01-01T00:00:00Z".parse().unwrap();
        let (certificate, key) = authority.certificate("grpc.example", end);
        let to = tls_server(&certificate, &key, move |mut stream| async move {
            let mut inside = TcpStream::connect(inside).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut inside).await;
        });
        let tls = Some(Tls {
            server_name: "grpc.example".to_owned(),
            verify: false,
            ca_file: None,
            expiry_warning: Duration::ZERO,
        });
        let service = "payments".to_owned();
        assert_eq!(well(&settings(Method::Grpc { to: to.await, service, tls })).await, "SERVING");
    }

    #[tokio::test]
    async fn who_cannot_tell_has_failed() {
        let nobody = closed().await;
        assert_eq!(failed(&grpc(nobody, "")).await, format!("connection refused by {nobody}"));
        let other = serve(Routes::default()).await;
        let text = failed(&grpc(other, "")).await;
        assert_eq!(text, format!("{other} does not offer grpc.health.v1, so it cannot tell"));
        let web = server(async |mut stream: TcpStream| {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let web = web.await;
        let text = failed(&grpc(web, "")).await;
        assert!(text.starts_with(&format!("{web} gives no proper answer: ")), "{text}");
    }

    #[tokio::test]
    async fn a_connection_ends_with_its_run() {
        let (ended, mut ends) = mpsc::unbounded_channel();
        let silent = server(move |mut stream: TcpStream| {
            let ended = ended.clone();
            async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                ended.send(()).unwrap();
            }
        });
        let silent = silent.await;
        let settings = Settings { timeout: Duration::from_millis(50), ..grpc(silent, "") };
        let text = failed(&settings).await;
        let wanted = format!("no answer from {silent} within 50 ms (connected to {silent} after ");
        assert!(text.starts_with(&wanted), "{text}");
        ends.recv().await.unwrap();
    }
}
