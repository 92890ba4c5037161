use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::course::span;
use super::{Shared, make};
use crate::agent::ToTry;
use crate::api::v1;
use crate::driver::keeper::Keeper;
use crate::health::{Method, Outcome, Settings};

/// Makes one run for who asks for it, and says what happened. One that counts others makes one of each, all at the same time.
pub async fn attempt(ToTry { settings, backends }: ToTry, keeper: &Keeper) -> v1::TryCheckReply {
    let begun = Instant::now();
    // Not with the runs of the daemon: what one of them waits for is to be seen by this one too.
    let shared = Shared { keeper: keeper.clone(), ..Shared::default() };
    let (outcome, steps) = match settings.method {
        Method::Backends { at_least, .. } => count(backends, at_least, &shared).await,
        _ => alone(&settings, &shared).await,
    };
    let took = begun.elapsed();
    let is_slow = settings.slow.is_some_and(|slow| took > slow);
    let (outcome, text, warning) = match outcome {
        Outcome::Answered { text, warning, .. } if is_slow => ("slow", text, warning),
        Outcome::Answered { text, warning, .. } => ("answered", text, warning),
        Outcome::Failed(text) => ("failed", text, None),
        Outcome::NotAsked(text) => ("not-asked", text, None),
    };
    v1::TryCheckReply {
        steps,
        outcome: outcome.to_owned(),
        text,
        warning: warning.unwrap_or_default(),
        took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        check: None,
    }
}

/// The answer is the last step of a run that has one, and is told apart here.
async fn alone(settings: &Settings, shared: &Shared) -> (Outcome, Vec<String>) {
    let (outcome, mut steps) = make(settings, shared).await;
    if matches!(outcome, Outcome::Answered { .. }) {
        steps.pop();
    }
    (outcome, steps)
}

/// As a check counts others: what could not be asked may be up.
async fn count(
    backends: Vec<(String, Arc<Settings>)>,
    at_least: usize,
    shared: &Shared,
) -> (Outcome, Vec<String>) {
    let all = backends.len();
    let begun = Instant::now();
    let mut runs = JoinSet::new();
    for (place, (name, settings)) in backends.into_iter().enumerate() {
        let keeper = shared.keeper.clone();
        let shared = Shared { keeper, ..Shared::default() };
        runs.spawn(async move { (place, name, make(&settings, &shared).await.0) });
    }
    let (mut steps, mut serving, mut down) = (BTreeMap::new(), 0, BTreeMap::new());
    while let Some(ended) = runs.join_next().await {
        // An error is a fault of ours: it counts as not asked.
        let Ok((place, name, outcome)) = ended else { continue };
        let step = match outcome {
            Outcome::Answered { took, text, .. } => {
                serving += 1;
                format!("{name}: {text} after {}", span(took))
            }
            Outcome::Failed(text) => {
                down.insert(place, name.clone());
                format!("{name}: failed: {text}")
            }
            Outcome::NotAsked(text) => format!("{name}: could not be asked: {text}"),
        };
        steps.insert(place, step);
    }
    let mut text = format!("{serving} of {all} answered");
    if !down.is_empty() {
        let down: Vec<String> = down.values().cloned().collect();
        text += &format!(", failed: {}", down.join(", "));
    }
    let outcome = if serving >= at_least {
        Outcome::Answered { took: begun.elapsed(), text, warning: None }
    } else if all - down.len() < at_least {
        Outcome::Failed(text)
    } else {
        Outcome::NotAsked(text)
    };
    (outcome, steps.into_values().collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{closed, server, settings};
    use super::*;

    fn one(settings: Settings) -> ToTry {
        ToTry { settings: Arc::new(settings), backends: Vec::new() }
    }

    async fn attempt(to_try: ToTry) -> v1::TryCheckReply {
        super::attempt(to_try, &Keeper::default()).await
    }

    async fn connect() -> Settings {
        let to = server(async |_stream| {}).await;
        settings(Method::Tcp { to, send: Vec::new(), expect: None })
    }

    async fn refused() -> Settings {
        settings(Method::Tcp { to: closed().await, send: Vec::new(), expect: None })
    }

    fn absent() -> Settings {
        settings(Method::Command { words: vec!["/nowhere/ask".to_owned()] })
    }

    #[tokio::test]
    async fn a_try_says_what_came_of_it() {
        let reply = attempt(one(connect().await)).await;
        assert_eq!((reply.outcome.as_str(), reply.text.as_str()), ("answered", "connected"));
        assert!(reply.steps[0].starts_with("connected to 127.0.0.1:"), "{:?}", reply.steps);
        assert!(reply.took_us > 0);
        let slow = Settings { slow: Some(Duration::ZERO), ..connect().await };
        assert_eq!(attempt(one(slow)).await.outcome, "slow");
        let reply = attempt(one(refused().await)).await;
        assert_eq!(reply.outcome, "failed");
        assert!(reply.text.starts_with("connection refused by 127.0.0.1:"), "{}", reply.text);
        assert_eq!(attempt(one(absent())).await.outcome, "not-asked");
    }

    #[tokio::test]
    async fn what_counts_others_tries_each() {
        let backends = [("b", connect().await), ("a", refused().await), ("c", absent())];
        let backends = backends.map(|(name, settings)| (name.to_owned(), Arc::new(settings)));
        let count = async |at_least| {
            let of = ["b", "a", "c"].map(str::to_owned).to_vec();
            let settings = Arc::new(settings(Method::Backends { of, at_least }));
            attempt(ToTry { settings, backends: backends.to_vec() }).await
        };
        let reply = count(1).await;
        assert_eq!(
            (reply.outcome.as_str(), reply.text.as_str()),
            ("answered", "1 of 3 answered, failed: a")
        );
        let begins = ["b: connected after ", "a: failed: connection refused", "c: could not be"];
        for (step, begin) in reply.steps.iter().zip(begins) {
            assert!(step.starts_with(begin), "{step}");
        }
        assert_eq!(reply.steps.len(), 3);
        // The one that could not be asked may be up.
        assert_eq!(count(2).await.outcome, "not-asked");
        assert_eq!(count(3).await.outcome, "failed");
    }
}
