use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::client::conn::http2::SendRequest;
use rustls::ClientConfig;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use tonic::body::Body;
use tonic::{Request, Status};

use super::dial::{PATIENCE_OF_NODES, all_of, dial_in_turn, explain};
use crate::api::v1;
use crate::api::v1::fleet_client::FleetClient;
use crate::driver::http2::Connection;

/// Another node of the fleet, with one connection that is kept, made when it is needed.
pub struct Node {
    name: String,
    addresses: Vec<SocketAddr>,
    tls: Result<Arc<ClientConfig>, String>,
    state: Mutex<State>,
    /// Of questions that may wait for an answer.
    places: Semaphore,
}

struct State {
    connection: Option<(SendRequest<Body>, SocketAddr)>,
    /// What was tried last in vain, and since when. Those who have asked before then need not try again.
    failed: Option<(Instant, Status)>,
    /// The address that is tried first: the one that was good.
    first: usize,
}

const PLACES: usize = 64;
/// No question takes longer. Who asks mostly gives up before.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

impl Node {
    pub fn new(
        name: &str,
        addresses: Vec<SocketAddr>,
        tls: Result<Arc<ClientConfig>, String>,
    ) -> Node {
        Node {
            name: name.to_owned(),
            addresses,
            tls,
            state: Mutex::new(State { connection: None, failed: None, first: 0 }),
            places: Semaphore::new(PLACES),
        }
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Failures of the node itself are as it says them; all others are UNAVAILABLE.
    pub async fn ask(&self, message: v1::FleetRequest) -> Result<v1::FleetReply, Status> {
        let Ok(_place) = self.places.try_acquire() else {
            let text = format!("{} has {PLACES} questions to answer already", self.name);
            return Err(Status::unavailable(text));
        };
        let (connection, address) = self.connection().await?;
        let mut client = FleetClient::with_origin(Connection(connection), Uri::from_static(ORIGIN));
        let answer = timeout(ANSWER_WITHIN, client.ask(Request::new(message))).await;
        let Ok(answer) = answer else {
            let text = format!("{} at {address} has not answered in {ANSWER_WITHIN:?}", self.name);
            return Err(Status::unavailable(text));
        };
        answer.map(tonic::Response::into_inner).map_err(|status| {
            // With a source it was made on our side, out of a broken connection.
            match std::error::Error::source(&status) {
                Some(error) => {
                    let text = explain(error);
                    let text = text.text();
                    Status::unavailable(format!(
                        "the connection to {} at {address} broke: {text}",
                        self.name
                    ))
                }
                None => status,
            }
        })
    }

    async fn connection(&self) -> Result<(SendRequest<Body>, SocketAddr), Status> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some((requests, address)) = &state.connection
            && !requests.is_closed()
        {
            return Ok((requests.clone(), *address));
        }
        if let Some((since, failure)) = &state.failed
            && *since >= asked
        {
            return Err(failure.clone());
        }
        let begun = Instant::now();
        match self.dial(state.first).await {
            Ok((requests, index)) => {
                let address = self.addresses[index];
                state.connection = Some((requests.clone(), address));
                state.first = index;
                Ok((requests, address))
            }
            Err(failure) => {
                state.connection = None;
                state.failed = Some((begun, failure.clone()));
                Err(failure)
            }
        }
    }

    async fn dial(&self, first: usize) -> Result<(SendRequest<Body>, usize), Status> {
        let tls = self.tls.as_ref().map_err(|problem| Status::unavailable(problem.clone()))?;
        dial_in_turn(&self.addresses, first, tls, PATIENCE_OF_NODES).await.map_err(|tried| {
            Status::unavailable(format!("{} is not reached ({})", self.name, all_of(&tried)))
        })
    }
}

/// HTTP/2 wants an authority; who it is says the certificate.
const ORIGIN: &str = "https://fleet";

#[cfg(test)]
impl Node {
    /// The address that would be tried first.
    pub async fn first(&self) -> usize {
        self.state.lock().await.first
    }
}
