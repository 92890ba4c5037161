//! The model of the kernel's routing table: what we want in it, what is in it, and the changes from one to the other.
//!
//! ```text
//!             want()                    poll() ──> Change ──┐
//!  RIB ───────────────> Fib ────────────────────────────────┼──> kernel
//!                        ^   applied() <── acknowledgement ─┤
//!                        └── observe() <── events, dumps ───┘
//! ```
//!
//! **Data.** Per prefix the wanted and the observed [`Hops`], shared between prefixes. Only routes with our own protocol
//! number, in our table, are ever shown to the model; foreign routes do not exist for it. Links and addresses
//! ([`Interfaces`]) come by the same stream.
//!
//! **Exits.** What a route leads to is an [`Exit`]: tiers of legs, the first in use, the next ones what is left when that is
//! lost. Routes with one exit share a fate. With [`Settings::objects`] each exit is a group of the kernel's nexthop
//! objects, and routes lead to the group:
//!
//! ```text
//!  route ──> group ──┬──> hop of the first tier, weight 255
//!  route ──┘         └──> one of the second on another link, weight 1: the guard
//! ```
//!
//! The group is a resilient one of so few buckets that a weight of 1 beside 255 gets none: the guard carries nothing. When a
//! link goes down, the kernel takes the hops on it out of all groups and gives their buckets to the rest, so the routes are on
//! the guard before anybody was told. A group without a guard would go with its last hop, and take its routes with
//! it, silently. Any other loss is ours to tell: [`Fib::rewrite`] says what became of the legs, and each
//! group is replaced by one change, whatever the number of its routes. It is now the group of another exit, of which there
//! may be several; the agent's wishes that follow, prefix by prefix, find that their routes already lead there. A group
//! goes when nothing leads to it any more. Ids count up from a number of our own and are never used again, since the kernel
//! deletes the routes of what it deletes.
//!
//! A hop is made before its groups, a group before its routes; routes that wait for one are *blocked*. Until the sweep a route
//! that goes the right way is left alone even if its backup differs: the neighbour that makes it right may not be back yet.
//!
//! **States of the model.** *Blind* until the first dump is complete: nothing is changed, since we do not
//! know yet what an earlier life left. *Adopting*: routes of ours that are in the kernel are kept even if
//! nobody wants them; wanted ones are created or corrected at once. *Swept*, once all protocols have converged
//! ([`Fib::sweep`]) or the grace time is over: what is not wanted is deleted.
//!
//! **States of a prefix.** Settled (wanted equals observed), dirty, in flight (one change
//! at the kernel, at most one per prefix, [`WINDOW`] in all), or failed and waiting for its next try, 1 s doubling to
//! 64 s. A change of links or addresses, or of what is wanted, ends the wait.
//!
//! **Foreign routes.** The kernel identifies a route by prefix, table, TOS and metric, and a replace does not ask
//! whose route it replaces. So a new route is a [`Change::Create`] (fails if there is any with the same key), and
//! [`Change::Replace`] is only said of a route that was seen to be ours. A create that fails because the
//! key is taken is a conflict: it is reported, tried again with the same wait, and meanwhile a
//! scan shows whether the route was ours after all. A delete names our protocol number, which the kernel checks. One
//! race is left, as the kernel has no conditional replace: another program takes our key in the moment before our replace.
//!
//! **Scans.** A dump is the truth. It is asked for at the start, when events were lost, when a link goes down
//! or an address goes away (the kernel then drops IPv4 routes without telling), after a conflict, and now and then as
//! a safety net. Events and acknowledgements that come during a dump are newer than its lines and win over them.

mod exit;
mod exits;
mod interfaces;
mod model;
mod objects;
mod retries;
mod route;

pub use exit::{Exit, Fate, Leg, Tier};
pub use interfaces::{Interfaces, Link};
pub use model::{Fib, FibRoute, Settings, Totals, Urgency, WINDOW};
pub use route::{
    Change, Failure, Group, Hop, Hops, KernelError, Key, Members, Object, Observed, Route, Via,
};
