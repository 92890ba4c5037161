//! A switch: a group moves to another site on all nodes, or nowhere, without I/O.
//!
//! One agent coordinates ([`Transaction`]); every node of the group takes part with its [`Placement`](crate::group::Placement),
//! whose page says what a node does by itself when it hears no more of the coordinator.
//!
//! # The steps
//!
//! | step | who | what | if it fails |
//! |---|---|---|---|
//! | survey | all | says what it knows: epoch, lock, health, orders | nothing has changed |
//! | gates, before | coordinator | commands, and an operator's approval | nothing has changed |
//! | prepare | all | takes the lock, with an epoch that is new to all | let go |
//! | hold | all | delays new connections | let go |
//! | raise | target | announces more than the others, with the epoch | back |
//! | see, probe | all | has the target as its best exit; the service answers, from the target | back |
//! | lower | the others | go by the target | back |
//! | see, probe | all | as before | back |
//! | release, after | all, coordinator | new connections go on; commands | goes on, and says so |
//! | commit | all | let go of the lock | goes on, and says so: the end of the lock does the same |
//!
//! *Back* is the same with the site where the group was, and the next epoch: prepare, raise, see, lower, see, release, commit.
//! It asks no gates, and where it cannot reach a node it goes on: that node hears of the later epoch.
//!
//! Each node of a step is asked until it answers, or the time of the step is over; requests can be repeated without harm. A
//! node that refuses ends the step at once. Nodes that are excused are asked like others, but not waited for.
//!
//! # What may be against it
//!
//! Looked at by every node in the survey, in this order; the first is told, and nothing has changed:
//!
//! | | what | overruled by |
//! |---|---|---|
//! | 1 | the lock of another switch | nothing |
//! | 2 | operators' orders for the group or its prefixes | break-glass |
//! | 3 | rules: [freeze](Freeze), `hold-after-change`, `gated-by`, `min-sites` | break-glass |
//! | 4 | at the target: a drain, the health of the group | break-glass |
//! | 5 | gates and the approval, behind the survey | break-glass |
//!
//! # Durable
//!
//! What a coordinator is about to do is written to its journal before it is done ([`Action::Journal`]). Who resumes a switch,
//! after a crash or on another node, surveys and takes the lock with a greater term, so that two coordinators never
//! interleave.

mod commands;
mod digest;
mod event;
mod freeze;
pub mod ledger;
mod prober;
mod transaction;
mod watcher;

pub use commands::{Commands, Next};
pub use digest::{digest, joint_digest};
pub use event::{
    Action, Answer, Ending, Event, Facts, Failure, Member, Order, Request, RequestId, Step,
};
pub use freeze::{Freeze, NotFreeze, frozen};
pub use prober::Prober;
pub use transaction::{TO_GO_BACK, Transaction};
pub use watcher::{Seen, Watcher};
