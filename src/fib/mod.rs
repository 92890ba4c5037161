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

mod interfaces;
mod model;
mod route;

pub use interfaces::{Interfaces, Link};
pub use model::{Fib, FibRoute, Settings, Totals, WINDOW};
pub use route::{Change, Failure, Hop, Hops, KernelError, Observed, Route};
