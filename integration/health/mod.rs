//! Checks, and the announcements that follow them.

mod ailing;
mod dying;
mod everywhere;
mod frozen;
mod origins;
mod plan;
mod quiet;
mod rules;
mod scene;
mod service;

pub use service::{Answer, Service};
