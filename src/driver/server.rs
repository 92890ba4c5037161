use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::UdsConnectInfo;
use tonic::{Request, Response, Status};

use super::Exit;
use super::access;
use super::checks::trial;
use super::configuration;
use super::fleet::{self, Caller};
use super::inbox::{Inbox, Input, NEWS};
use super::journal::{self, Journal};
use super::keeper::Keeper;
use super::lane::Lane;
use super::update_log::Tap;
use super::{ledger, plain};
use crate::agent::{Agent, Event, OrderId, Owner};
use crate::api::v1;
use crate::api::v1::control_server::Control;
use crate::types::Time;

/// The gRPC service: turns calls into questions and orders for the loop that owns the agent.
#[derive(Clone)]
pub struct Server {
    pub inbox: Inbox,
    pub lane: Lane,
    pub journal: Journal,
    pub configuration: PathBuf,
    /// The group of the socket, whose members may write.
    pub gid: u32,
    pub keeper: Keeper,
    pub ledger: ledger::Reader,
    pub update_log: Tap,
    pub fleet: fleet::Shared,
    pub orders: Arc<AtomicU64>,
    pub version: String,
}

/// Prefixes that are looked at at a time.
const PAGE: usize = 500;
/// Messages of a stream that wait for a slow client; while they do, nothing more is read for it.
const STREAM: usize = 64;

impl Server {
    /// What `question` reads from the agent.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Agent, Time) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let (answer, answered) = oneshot::channel();
        let question = move |agent: &mut Agent, now: Time| drop(answer.send(question(agent, now)));
        self.put(Input::Question(Box::new(question))).await?;
        answered.await.map_err(|_| stopping())
    }

    fn next_order(&self) -> OrderId {
        OrderId(self.orders.fetch_add(1, Ordering::Relaxed))
    }

    async fn put(&self, input: Input) -> Result<(), Status> {
        self.inbox.control.send(input).await.map_err(|_| stopping())
    }

    fn writer<T>(&self, request: &Request<T>) -> Result<Owner, Status> {
        let extensions = request.extensions();
        match extensions.get::<Caller>() {
            Some(caller) => self.fleet.writer(caller),
            None => access::writer(extensions.get::<UdsConnectInfo>(), self.gid),
        }
    }

    /// Reads the configuration file again, for a client or for SIGHUP.
    pub async fn reload(&self) -> Result<v1::ReloadReply, Status> {
        let path = self.configuration.clone();
        let read = move || {
            let config = configuration::read(&path)?;
            let credentials = fleet::read_credentials(&config);
            Ok((config, credentials))
        };
        let (config, credentials) = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Status::internal(format!("the configuration was not read: {error}")))?
            .map_err(|exit: Exit| {
                let status = format!("{exit}; nothing was changed");
                // Only for mistakes in the file is the answer FAILED_PRECONDITION.
                let (why, status) = match &exit {
                    Exit::Configuration { line, .. } => {
                        (line.clone(), Status::failed_precondition(status))
                    }
                    other => (other.to_string(), Status::internal(status)),
                };
                let text = format!("reload refused, nothing was changed: {why}");
                self.journal.warn("configuration", "", text);
                status
            })?;
        let (answer, answered) = oneshot::channel();
        let config = Box::new(config);
        self.put(Input::Reload { config, credentials, answer }).await?;
        answered.await.map_err(|_| stopping())?
    }
}

fn stopping() -> Status {
    Status::unavailable("shuntd is stopping")
}

/// A file that may be long.
async fn read_ledger<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Status> {
    let unread = |error: String| Status::internal(format!("the ledger cannot be read: {error}"));
    let read =
        tokio::task::spawn_blocking(read).await.map_err(|error| unread(error.to_string()))?;
    read.map_err(|error| unread(plain(&error)))
}

fn lane_is_silent() -> Status {
    Status::unavailable(
        "the thread of BFD and VRRP does not answer: see `shunt events` and restart shuntd",
    )
}

/// Tells the agent when the client of an order goes away: the future that holds this is then dropped.
struct Abandon {
    inbox: Inbox,
    order: Option<OrderId>,
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(order) = self.order {
            let input = Input::Event(Event::OrderAbandoned(order));
            // A full lane is no harm: the order ends by its own timeout.
            let _ = self.inbox.control.try_send(input);
        }
    }
}

#[tonic::async_trait]
impl Control for Server {
    async fn status(
        &self,
        _request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusReply>, Status> {
        let snapshot = self.lane.snapshot().await;
        let of_fleet = self.fleet.warnings();
        let update_log = self.update_log.status();
        let status = move |agent: &mut Agent, now: Time| {
            let mut status = agent.status(now);
            status.fast = agent.fast_status(snapshot.as_ref());
            status.warnings.extend(agent.fast_warnings(snapshot.as_ref(), now));
            status.warnings.extend(of_fleet);
            status.update_log = update_log;
            status
        };
        self.ask(status).await.map(Response::new)
    }

    async fn neighbors(
        &self,
        request: Request<v1::NeighborsRequest>,
    ) -> Result<Response<v1::NeighborsReply>, Status> {
        let name = request.into_inner().name;
        self.ask(move |agent, now| agent.neighbors(&name, now)).await?.map(Response::new)
    }

    async fn groups(
        &self,
        request: Request<v1::GroupsRequest>,
    ) -> Result<Response<v1::GroupsReply>, Status> {
        let name = request.into_inner().name;
        self.ask(move |agent, now| agent.groups(&name, now)).await?.map(Response::new)
    }

    type RoutesStream = Stream<v1::Route>;

    async fn routes(
        &self,
        request: Request<v1::RoutesRequest>,
    ) -> Result<Response<Self::RoutesStream>, Status> {
        let request = Arc::new(request.into_inner());
        let page = move |agent: &Agent, after, now: Time| agent.routes(&request, after, PAGE, now);
        self.stream(page).await
    }

    type DumpTableStream = Stream<v1::MrtRecords>;

    async fn dump_table(
        &self,
        _request: Request<v1::DumpTableRequest>,
    ) -> Result<Response<Self::DumpTableStream>, Status> {
        self.stream(|agent: &Agent, dump, now: Time| Ok(agent.dump_table(dump, now))).await
    }

    async fn why(
        &self,
        request: Request<v1::WhyRequest>,
    ) -> Result<Response<v1::WhyReply>, Status> {
        let prefix = request.into_inner().prefix;
        self.ask(move |agent, now| agent.why(&prefix, now)).await?.map(Response::new)
    }

    async fn policy_test(
        &self,
        request: Request<v1::PolicyTestRequest>,
    ) -> Result<Response<v1::PolicyTestReply>, Status> {
        let request = request.into_inner();
        self.ask(move |agent, _| agent.test_policy(&request)).await?.map(Response::new)
    }

    type EventsStream = Stream<v1::Event>;

    async fn events(
        &self,
        request: Request<v1::EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let v1::EventsRequest { follow, last } = request.into_inner();
        let (past, mut live) = self.journal.follow(last);
        let (sender, receiver) = mpsc::channel(STREAM);
        tokio::spawn(async move {
            for event in past {
                if sender.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            if !follow {
                return;
            }
            loop {
                let event = tokio::select! {
                    event = live.recv() => match event {
                        Ok(event) => event,
                        Err(RecvError::Lagged(count)) => journal::missed(count),
                        Err(RecvError::Closed) => return,
                    },
                    () = sender.closed() => return,
                };
                if sender.send(Ok(event)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn version(
        &self,
        _request: Request<v1::VersionRequest>,
    ) -> Result<Response<v1::VersionReply>, Status> {
        Ok(Response::new(v1::VersionReply { version: self.version.clone() }))
    }

    async fn ospf_interfaces(
        &self,
        request: Request<v1::OspfInterfacesRequest>,
    ) -> Result<Response<v1::OspfInterfacesReply>, Status> {
        let request = request.into_inner();
        self.ask(move |agent, now| agent.ospf_interfaces(&request, now)).await?.map(Response::new)
    }

    async fn ospf_neighbors(
        &self,
        request: Request<v1::OspfNeighborsRequest>,
    ) -> Result<Response<v1::OspfNeighborsReply>, Status> {
        let request = request.into_inner();
        self.ask(move |agent, now| agent.ospf_neighbors(&request, now)).await?.map(Response::new)
    }

    type OspfDatabaseStream = Stream<v1::OspfLsa>;

    async fn ospf_database(
        &self,
        request: Request<v1::OspfDatabaseRequest>,
    ) -> Result<Response<Self::OspfDatabaseStream>, Status> {
        let request = Arc::new(request.into_inner());
        let page =
            move |agent: &Agent, after, now: Time| agent.ospf_database(&request, after, PAGE, now);
        self.stream(page).await
    }

    type OspfRoutesStream = Stream<v1::OspfRoute>;

    async fn ospf_routes(
        &self,
        request: Request<v1::OspfRoutesRequest>,
    ) -> Result<Response<Self::OspfRoutesStream>, Status> {
        let request = Arc::new(request.into_inner());
        let page =
            move |agent: &Agent, after, now: Time| agent.ospf_routes(&request, after, PAGE, now);
        self.stream(page).await
    }

    async fn plan(
        &self,
        request: Request<v1::PlanRequest>,
    ) -> Result<Response<v1::PlanReply>, Status> {
        let request = request.into_inner();
        self.ask(move |agent, now| agent.plan(&request, now)).await?.map(Response::new)
    }

    async fn bfd(
        &self,
        request: Request<v1::BfdRequest>,
    ) -> Result<Response<v1::BfdReply>, Status> {
        let request = request.into_inner();
        let snapshot = self.lane.snapshot().await.ok_or_else(lane_is_silent)?;
        self.ask(move |agent, now| agent.bfd(&request, &snapshot, now)).await?.map(Response::new)
    }

    async fn rpki(
        &self,
        request: Request<v1::RpkiRequest>,
    ) -> Result<Response<v1::RpkiReply>, Status> {
        let request = request.into_inner();
        self.ask(move |agent, now| agent.rpki(&request, now)).await?.map(Response::new)
    }

    async fn vrrp(
        &self,
        request: Request<v1::VrrpRequest>,
    ) -> Result<Response<v1::VrrpReply>, Status> {
        let request = request.into_inner();
        let snapshot = self.lane.snapshot().await.ok_or_else(lane_is_silent)?;
        self.ask(move |agent, now| agent.vrrp(&request, &snapshot, now)).await?.map(Response::new)
    }

    async fn health(
        &self,
        request: Request<v1::HealthRequest>,
    ) -> Result<Response<v1::HealthReply>, Status> {
        let request = request.into_inner();
        self.ask(move |agent, now| agent.health(&request, now)).await?.map(Response::new)
    }

    async fn try_check(
        &self,
        request: Request<v1::TryCheckRequest>,
    ) -> Result<Response<v1::TryCheckReply>, Status> {
        self.writer(&request)?;
        let name = request.into_inner().name;
        let request = v1::HealthRequest { name: name.clone() };
        let to_try = self.ask(move |agent, _| agent.check_to_try(&name)).await??;
        let mut reply = trial::attempt(to_try, &self.keeper).await;
        let check = self.ask(move |agent, now| agent.health(&request, now)).await?;
        reply.check = check.ok().and_then(|reply| reply.checks.into_iter().next());
        Ok(Response::new(reply))
    }

    async fn order(
        &self,
        request: Request<v1::OrderRequest>,
    ) -> Result<Response<v1::OrderReply>, Status> {
        let owner = self.writer(&request)?;
        let request = request.into_inner();
        let order = self.next_order();
        let (answer, answered) = oneshot::channel();
        let mut abandon = Abandon { inbox: self.inbox.clone(), order: Some(order) };
        self.put(Input::Order { order, request, owner, answer }).await?;
        let reply = answered.await.map_err(|_| stopping());
        abandon.order = None;
        reply?.map(Response::new)
    }

    async fn plan_switch(
        &self,
        request: Request<v1::SwitchRequest>,
    ) -> Result<Response<v1::PlanSwitchReply>, Status> {
        let request = request.into_inner();
        let order = self.next_order();
        let (answer, answered) = oneshot::channel();
        let mut abandon = Abandon { inbox: self.inbox.clone(), order: Some(order) };
        self.put(Input::PlanSwitch { order, request, answer }).await?;
        let reply = answered.await.map_err(|_| stopping());
        abandon.order = None;
        reply?.map(Response::new)
    }

    type SwitchStream = Stream<v1::SwitchProgress>;

    async fn switch(
        &self,
        request: Request<v1::SwitchRequest>,
    ) -> Result<Response<Self::SwitchStream>, Status> {
        let owner = self.writer(&request)?;
        let request = request.into_inner();
        let (news, told) = mpsc::channel(NEWS);
        self.put(Input::Switch { order: self.next_order(), request, owner, news }).await?;
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn switches(
        &self,
        _request: Request<v1::SwitchesRequest>,
    ) -> Result<Response<v1::SwitchesReply>, Status> {
        self.ask(|agent, _| agent.switches()).await.map(Response::new)
    }

    type HistoryStream = Stream<v1::LedgerEntry>;

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        let v1::HistoryRequest { group, last } = request.into_inner();
        let ledger = self.ledger.clone();
        let entries = read_ledger(move || ledger.history(&group, last)).await?;
        let (sender, receiver) = mpsc::channel(STREAM);
        tokio::spawn(async move {
            for entry in entries {
                // An error says that the client has seen enough.
                if sender.send(Ok(entry)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn audit(
        &self,
        _request: Request<v1::AuditRequest>,
    ) -> Result<Response<v1::AuditReply>, Status> {
        let ledger = self.ledger.clone();
        read_ledger(move || ledger.audit()).await.map(Response::new)
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadReply>, Status> {
        self.writer(&request)?;
        Server::reload(self).await.map(Response::new)
    }

    async fn refresh(
        &self,
        request: Request<v1::RefreshRequest>,
    ) -> Result<Response<v1::RefreshReply>, Status> {
        self.writer(&request)?;
        let name = request.into_inner().neighbor;
        let refresh = move |agent: &mut Agent, now: Time| {
            let peer = match name.as_str() {
                "" => None,
                name => Some(agent.peer_named(name)?),
            };
            let asked = agent
                .neighbors(&name, now)?
                .neighbors
                .into_iter()
                .filter(|neighbor| neighbor.state == "established")
                .map(|neighbor| neighbor.name)
                .collect();
            agent.handle(Event::RefreshWanted { peer }, now);
            Ok(v1::RefreshReply { asked })
        };
        self.ask(refresh).await?.map(Response::new)
    }
}

type Stream<T> = ReceiverStream<Result<T, Status>>;

impl Server {
    /// Streams what `page` reads behind a cursor, page by page: it gives some messages and the cursor to go on
    /// from, `None` at the end.
    async fn stream<T, C>(
        &self,
        page: impl Fn(&Agent, Option<C>, Time) -> Result<(Vec<T>, Option<C>), Status>
        + Clone
        + Send
        + 'static,
    ) -> Result<Response<Stream<T>>, Status>
    where
        T: Send + 'static,
        C: Send + 'static,
    {
        let read = move |server: Server, after| {
            let page = page.clone();
            async move { server.ask(move |agent, now| page(agent, after, now)).await? }
        };
        // A wrong request is refused before the stream begins.
        let first = read(self.clone(), None).await?;
        let (sender, receiver) = mpsc::channel(STREAM);
        let server = self.clone();
        tokio::spawn(async move {
            let mut page = Ok(first);
            loop {
                let (messages, next) = match page {
                    Ok(page) => page,
                    Err(status) => return drop(sender.send(Err(status)).await),
                };
                for message in messages {
                    // An error says that the client has seen enough.
                    if sender.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                if next.is_none() {
                    return;
                }
                page = read(server.clone(), next).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
