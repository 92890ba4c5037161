//! The answers to reads about BFD. They change nothing.
//!
//! What the protocol does is in a [`Snapshot`] of the lane; whom it does it for is here.

use super::Agent;
use super::bfd::Client;
use super::reads::not_found;
use super::text::{counters, micros};
use crate::api::v1;
use crate::bfd::{Algorithm, Diagnostic, Path, State, Summary};
use crate::fast::Snapshot;
use crate::group::nearest;
use crate::types::Time;

impl Agent {
    /// Whether anything of the configuration may want a session.
    pub(super) fn uses_bfd(&self) -> bool {
        !self.config.bfd_sessions.is_empty()
            || self.config.neighbors.values().any(|neighbor| neighbor.bfd.is_some())
            || self.config.ospf.as_ref().is_some_and(|ospf| !ospf.bfd.is_empty())
    }

    pub(super) fn bfd_warnings(&self, snapshot: &Snapshot) -> Vec<String> {
        let failed = snapshot.sessions.iter().filter(|session| session.state != State::Up);
        let used = failed.map(|session| (session, self.bfd_clients(session)));
        let homeless = self.config.bfd_sessions.iter().filter_map(|(name, session)| {
            let address = session.address;
            let text =
                || format!("BFD session {name} cannot begin: no interface leads to {address}");
            self.bfd_session_state(name).is_none().then(text)
        });
        let failed = used.filter(|(_, clients)| !clients.is_empty()).map(|(session, clients)| {
            let remote = session.settings.path.remote();
            let why = match (session.remote_state, session.downs) {
                (State::AdminDown, 1..) => "the other side has shut it down".to_owned(),
                (_, 0) => "it has not been up yet".to_owned(),
                _ => session.diagnostic.to_string(),
            };
            format!("BFD session with {remote} ({}) is not up: {why}", clients.join(", "))
        });
        failed.chain(homeless).collect()
    }

    /// All sessions for the empty name.
    pub fn bfd(
        &self,
        request: &v1::BfdRequest,
        snapshot: &Snapshot,
        now: Time,
    ) -> Result<v1::BfdReply, tonic::Status> {
        let sessions: Vec<v1::BfdSession> = snapshot
            .sessions
            .iter()
            .map(|summary| self.bfd_session(summary, now))
            .filter(|session| request.name.is_empty() || is_of(session, &request.name))
            .collect();
        if sessions.is_empty() && !request.name.is_empty() {
            let name = &request.name;
            let config = &self.config;
            let ospf = config.ospf.iter().flat_map(|ospf| ospf.bfd.keys());
            let names: Vec<&str> = config
                .neighbors
                .keys()
                .chain(config.bfd_sessions.keys())
                .chain(ospf)
                .map(String::as_str)
                .collect();
            return Err(match names.contains(&name.as_str()) {
                true => tonic::Status::not_found(format!("there is no BFD session for `{name}`")),
                false => not_found("BFD session", name, nearest(name, names)),
            });
        }
        Ok(v1::BfdReply { sessions, dropped: counters(&snapshot.bfd.dropped) })
    }

    fn bfd_session(&self, summary: &Summary, now: Time) -> v1::BfdSession {
        let settings = &summary.settings;
        let (interface, min_ttl) = match settings.path {
            Path::SingleHop { interface, .. } => (self.link_name(interface), None),
            Path::MultiHop { min_ttl, .. } => (String::new(), Some(min_ttl)),
        };
        let heard = summary.remote_discriminator != 0 || summary.received > 0;
        let diagnostic = |diagnostic: Diagnostic| match diagnostic {
            Diagnostic::NONE => String::new(),
            diagnostic => diagnostic.to_string(),
        };
        let authentication = settings.authentication.as_ref();
        v1::BfdSession {
            address: settings.path.remote().to_string(),
            local_address: settings.path.local().to_string(),
            interface,
            multihop: min_ttl.is_some(),
            clients: self.bfd_clients(summary),
            state: summary.state.to_string(),
            state_us: micros(now - summary.since),
            diagnostic: diagnostic(summary.diagnostic),
            remote_state: if heard { summary.remote_state.to_string() } else { String::new() },
            remote_diagnostic: diagnostic(summary.remote_diagnostic),
            local_discriminator: summary.local_discriminator,
            remote_discriminator: summary.remote_discriminator,
            desired_transmit_us: micros(settings.transmit_interval),
            required_receive_us: micros(settings.receive_interval),
            multiplier: settings.multiplier.into(),
            transmit_us: micros(summary.transmit_interval),
            detection_us: micros(summary.detection_time),
            remote_multiplier: summary.remote_multiplier.into(),
            authentication: authentication
                .map_or("none", |one| algorithm(one.algorithm))
                .to_owned(),
            key_id: authentication.and_then(|one| one.keys.first()).map(|key| key.id.into()),
            sent: summary.sent,
            received: summary.received,
            ups: summary.ups,
            downs: summary.downs,
            dropped: counters(&summary.dropped),
            min_ttl: min_ttl.unwrap_or_default().into(),
        }
    }

    /// What uses a session: `neighbor isp-a`, `ospf eth1`, `session far`.
    fn bfd_clients(&self, summary: &Summary) -> Vec<String> {
        let session = self.sessions.by_path.get(&summary.settings.path);
        let clients = session.into_iter().flat_map(|session| &session.clients);
        let mut names: Vec<String> = clients
            .filter_map(|client| {
                Some(match client {
                    Client::Neighbor(peer) => {
                        format!("neighbor {}", self.neighbors.get(peer)?.name)
                    }
                    Client::Ospf(interface, _) => format!("ospf {}", self.link_name(*interface)),
                    Client::Configured(name) => format!("session {name}"),
                })
            })
            .collect();
        names.sort();
        names
    }
}

/// Whether a session goes by this name.
fn is_of(session: &v1::BfdSession, name: &str) -> bool {
    let of_client =
        |client: &String| client.split_once(' ').is_some_and(|(_, known)| known == name);
    session.address == name || session.interface == name || session.clients.iter().any(of_client)
}

fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Simple => "simple",
        Algorithm::KeyedMd5 => "keyed-md5",
        Algorithm::MeticulousMd5 => "meticulous-md5",
        Algorithm::KeyedSha1 => "keyed-sha1",
        Algorithm::MeticulousSha1 => "meticulous-sha1",
    }
}
