use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tonic::{Extensions, Status};

use super::credentials::Credentials;
use super::identity::{Identity, Role};
use crate::agent::Owner;
use crate::config;

/// What the tasks of the fleet have to know of the configuration, as it is now.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    fleet: Option<Arc<config::Fleet>>,
    credentials: Option<Arc<Credentials>>,
    /// Why there are none, or only those from before.
    problem: Option<String>,
}

/// Who is at the other end of a connection over TCP.
#[derive(Clone, Debug)]
pub struct Caller {
    pub identity: Identity,
    /// The end of its certificate.
    pub until: Option<Timestamp>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, fleet: Option<Arc<config::Fleet>>) {
        self.lock().fleet = fleet;
    }

    /// Keeps those there are if there are no new ones.
    pub fn set_credentials(&self, read: Option<Result<Arc<Credentials>, String>>) {
        let mut state = self.lock();
        match read {
            Some(Ok(credentials)) => {
                state.problem = None;
                state.credentials = Some(credentials);
            }
            Some(Err(problem)) => state.problem = Some(problem),
            None => (state.credentials, state.problem) = (None, None),
        }
    }

    pub fn credentials(&self) -> Option<Arc<Credentials>> {
        self.lock().credentials.clone()
    }

    /// What needs attention, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let (credentials, problem) = {
            let state = self.lock();
            (state.credentials.clone(), state.problem.clone())
        };
        let mut warnings = Vec::new();
        if let Some(problem) = problem {
            let then = match credentials {
                Some(_) => "the certificates from before are used",
                None => "no node talks to this one, and it to none",
            };
            warnings.push(format!("{problem}: {then}; correct it and `shunt reload`"));
        }
        let ends = credentials.map(|credentials| credentials.warnings(Timestamp::now()));
        warnings.extend(ends.into_iter().flatten());
        warnings
    }

    /// Whether it is a node of the fleet.
    pub fn is_node(&self, identity: &Identity) -> bool {
        let fleet = self.lock().fleet.clone();
        fleet.is_some_and(|fleet| matches!(identity.role(&fleet), Ok(Role::Node(_))))
    }

    fn role(&self, caller: &Caller) -> Result<Role, Status> {
        if caller.until.is_some_and(|until| until < Timestamp::now()) {
            return Err(Status::permission_denied("your certificate has expired"));
        }
        let fleet = self.lock().fleet.clone();
        let fleet = fleet.ok_or_else(|| Status::permission_denied("there is no fleet here"))?;
        caller.identity.role(&fleet).map_err(Status::permission_denied)
    }

    /// The node that asks.
    pub fn node(&self, extensions: &Extensions) -> Result<String, Status> {
        let caller = extensions.get::<Caller>().ok_or_else(nobody)?;
        match self.role(caller)? {
            Role::Node(name) => Ok(name),
            Role::Operator(_) | Role::Reader(_) => Err(Status::permission_denied(format!(
                "only nodes of the fleet ask each other, and your certificate is of {}",
                caller.identity
            ))),
        }
    }

    pub fn reader(&self, extensions: &Extensions) -> Result<(), Status> {
        self.role(extensions.get::<Caller>().ok_or_else(nobody)?).map(|_| ())
    }

    /// May it write? Its name for the intents, or the refusal.
    pub fn writer(&self, caller: &Caller) -> Result<Owner, Status> {
        match self.role(caller)? {
            Role::Operator(name) => Ok(Owner(format!("{name} (operator certificate)"))),
            Role::Node(name) => Err(Status::permission_denied(format!(
                "the certificate of node {name} may read but not change anything: use one of an operator"
            ))),
            Role::Reader(name) => Err(Status::permission_denied(match &caller.identity {
                Identity::Reader(_) => {
                    format!("the certificate of {name} is for reading: it may not change anything")
                }
                _ => format!(
                    "{name} may read but not change anything: `operators` of [fleet] here does not have that name"
                ),
            })),
        }
    }
}

fn nobody() -> Status {
    Status::permission_denied("the connection does not say who you are")
}
