use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use super::shared::Shared;
use crate::agent::{AskId, Event};
use crate::api::v1;
use crate::api::v1::fleet_server::Fleet;
use crate::driver::inbox::{Inbox, Input};

/// What other nodes may ask: handed to the agent.
#[derive(Clone)]
pub struct Service {
    pub inbox: Inbox,
    pub shared: Shared,
    pub asks: Arc<AtomicU64>,
}

/// Tells the agent when the node does not wait any more: the future that holds this is then dropped.
struct Abandon {
    inbox: Inbox,
    ask: Option<AskId>,
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(ask) = self.ask {
            // A full lane is no harm: what was asked is answered at some time, to nobody.
            let _ = self.inbox.control.try_send(Input::Event(Event::AskAbandoned(ask)));
        }
    }
}

#[tonic::async_trait]
impl Fleet for Service {
    async fn ask(
        &self,
        request: Request<v1::FleetRequest>,
    ) -> Result<Response<v1::FleetReply>, Status> {
        let node = self.shared.node(request.extensions())?;
        let ask = AskId(self.asks.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        let message = Box::new(request.into_inner());
        let mut abandon = Abandon { inbox: self.inbox.clone(), ask: Some(ask) };
        let stopping = || Status::unavailable("shuntd is stopping");
        let input = Input::NodeAsked { ask, node, message, answer };
        self.inbox.control.send(input).await.map_err(|_| stopping())?;
        let reply = answered.await.map_err(|_| stopping());
        abandon.ask = None;
        reply?.map(Response::new)
    }
}
