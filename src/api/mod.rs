//! The types of the control API, generated from `proto/shunt/v1`: that file is their
//! documentation. `serde::Serialize` on every message is what `--json` prints.

mod plan;

/// Version 1 of the contract: messages, the client and the server trait.
#[allow(missing_docs)]
pub mod v1 {
    tonic::include_proto!("shunt.v1");
}
