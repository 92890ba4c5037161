//! The pretended daemon has the policies of an example.

use shunt::agent::test_policy;
use shunt::api::v1::{PolicyTestReply, PolicyTestRequest};
use shunt::config;
use shunt::types::Validity;
use tonic::Status;

pub const EXAMPLE: &str = include_str!("../../config/policies.toml");

pub fn test(request: &PolicyTestRequest) -> Result<PolicyTestReply, Status> {
    let config = config::parse(EXAMPLE, "policies.toml", &mut |_| Err(String::new())).unwrap();
    test_policy(&config, request, |_, _| Validity::NotFound)
}
