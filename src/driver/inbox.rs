use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::fleet;
use crate::agent::{Agent, AskId, Event, OrderId, Owner, PeerId};
use crate::api::v1;
use crate::config::Config;
use crate::types::Time;

/// What reaches the loop that owns the agent.
pub enum Input {
    /// For the agent as it is.
    Event(Event),
    /// The outcome of one attempt to dial; the number tells it from an attempt that was given up.
    Dialled { peer: PeerId, attempt: u64, result: Result<TcpStream, String> },
    /// Somebody dialled us.
    Accepted(TcpStream),
    /// A client asks for something that can be read at once.
    Question(Question),
    /// A client's write.
    Order { order: OrderId, request: v1::OrderRequest, owner: Owner, answer: Answer },
    /// A client wants something of a switch, and hears what comes of it.
    Switch { order: OrderId, request: v1::SwitchRequest, owner: Owner, news: News },
    /// A client wants to know what a switch would do.
    PlanSwitch { order: OrderId, request: v1::SwitchRequest, answer: PlanAnswer },
    /// The configuration file was read again and is valid.
    Reload {
        config: Box<Config>,
        credentials: Option<fleet::Read>,
        answer: oneshot::Sender<Result<v1::ReloadReply, Status>>,
    },
    /// Another node asks.
    NodeAsked { ask: AskId, node: String, message: Box<v1::FleetRequest>, answer: NodeAnswer },
    /// SIGTERM or SIGINT.
    Stop,
}

pub type Question = Box<dyn FnOnce(&mut Agent, Time) + Send>;
/// Who reads too slowly for this many hears no more than that.
pub const NEWS: usize = 4096;
pub type News = mpsc::Sender<Result<v1::SwitchProgress, Status>>;
pub type PlanAnswer = oneshot::Sender<Result<v1::PlanSwitchReply, Status>>;
pub type NodeAnswer = oneshot::Sender<Result<v1::FleetReply, Status>>;
pub type Answer = oneshot::Sender<Result<v1::OrderReply, Status>>;

/// The two ways to the agent. Both are bounded: who sends faster than the agent works waits.
///
/// What neighbours send has a lane of its own, so that a flood from one of them delays neither an
/// order nor the answer of the disk. In that lane senders are served in turn: each BGP neighbour and each OSPF interface
/// has at most one message waiting outside, and while it waits nothing is read from its socket, so TCP holds a neighbour
/// back, and OSPF packets wait in the kernel. A keepalive or Hello therefore waits for at most [`MESSAGES`] messages of
/// others, some milliseconds of the one second that the shortest dead interval leaves.
#[derive(Clone)]
pub struct Inbox {
    pub control: mpsc::Sender<Input>,
    pub messages: mpsc::Sender<Input>,
}

/// The other end.
pub struct Lanes {
    pub control: mpsc::Receiver<Input>,
    pub messages: mpsc::Receiver<Input>,
}

const CONTROL: usize = 256;
const MESSAGES: usize = 256;

impl Inbox {
    pub fn new() -> (Inbox, Lanes) {
        let (control, control_lane) = mpsc::channel(CONTROL);
        let (messages, messages_lane) = mpsc::channel(MESSAGES);
        (Inbox { control, messages }, Lanes { control: control_lane, messages: messages_lane })
    }
}
