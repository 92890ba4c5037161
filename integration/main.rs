//! The real daemon against real peers, in network namespaces.
//!
//! Needs root and the packages that `integration/setup test` installs. A peer or privilege that is missing fails a
//! test, it is never skipped. `cargo test --test interop NAME` runs the tests whose name contains NAME.

mod addresses;
mod announcing;
mod collecting;
mod dialling;
mod dying;
mod edge;
mod families;
mod fast;
#[path = "bench/feed.rs"]
#[allow(dead_code, reason = "the benchmarks need more of it")]
mod feed;
mod harness;
mod health;
mod holding;
mod kernel;
mod lab;
mod malformed;
mod netlink;
mod notifying;
mod origins;
mod ospf;
mod policies;
mod protocol89;
mod real_table;
mod refreshing;
mod reloading;
mod restarting;
mod robustness;
#[path = "bench/speaker.rs"]
#[allow(dead_code, reason = "the benchmarks need more of it")]
mod speaker;
mod switch;
