use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Outcome, Settings};
use crate::types::Time;

/// Asks the service of a group, again and again, until an answer comes from one site.
#[derive(Clone, Debug)]
pub struct Prober {
    site: String,
    /// An answer of the site is well.
    wanted: Arc<Settings>,
    /// By site: an answer of another one is well. Asked when the wanted one fails, to tell who answers.
    others: BTreeMap<String, Arc<Settings>>,
    /// Runs that have not ended, by number; of another site with its name.
    running: BTreeMap<u64, Option<String>>,
    number: u64,
    asked_at: Time,
    ends: Time,
    /// Why there was no answer, the last time.
    failure: Option<String>,
    /// Who answered instead, the last time.
    answers: Option<String>,
    outcome: Option<Result<(), String>>,
    actions: VecDeque<(u64, Arc<Settings>)>,
}

/// From one question to the next.
const AGAIN: Duration = Duration::from_millis(100);
/// Questions at a time: a service that hangs is asked anew as well.
const MOST: usize = 10;
/// So long it asks, or as long as an answer may take and a little more.
const AT_LEAST: Duration = Duration::from_secs(1);
const MORE: Duration = Duration::from_millis(200);

impl Prober {
    /// `by_site` has the question of each site whose answers can be told from others'; where it has none, any answer to
    /// `anywhere` is taken for one of `site`.
    pub fn new(
        site: &str,
        anywhere: &Arc<Settings>,
        by_site: &BTreeMap<String, Arc<Settings>>,
        now: Time,
    ) -> Prober {
        let wanted = by_site.get(site).unwrap_or(anywhere).clone();
        let others = by_site.iter().filter(|(other, _)| *other != site);
        let lasts = AT_LEAST.max(wanted.limit() + MORE);
        let mut prober = Prober {
            site: site.to_owned(),
            wanted,
            others: others.map(|(site, settings)| (site.clone(), settings.clone())).collect(),
            running: BTreeMap::new(),
            number: 0,
            asked_at: now,
            ends: now + lasts,
            failure: None,
            answers: None,
            outcome: None,
            actions: VecDeque::new(),
        };
        prober.ask(None, now);
        prober
    }

    /// A question was answered, or not.
    pub fn ended(&mut self, number: u64, outcome: Outcome, now: Time) {
        let Some(of) = self.running.remove(&number) else { return };
        match (of, outcome) {
            (None, Outcome::Answered { .. }) => self.outcome = Some(Ok(())),
            (None, Outcome::Failed(text)) => {
                self.failure = Some(text);
                if !self.running.values().any(Option::is_some) {
                    for other in self.others.keys().cloned().collect::<Vec<_>>() {
                        self.ask(Some(other), now);
                    }
                }
            }
            (None, Outcome::NotAsked(text)) => self.failure = Some(text),
            (Some(other), Outcome::Answered { .. }) => self.answers = Some(other),
            (Some(other), Outcome::Failed(_)) if self.answers.as_ref() == Some(&other) => {
                self.answers = None;
            }
            (Some(_), Outcome::Failed(_)) => {}
            (Some(_), Outcome::NotAsked(_)) => {}
        }
    }

    /// Asks again, and gives up when the time is over. A spurious call does no harm.
    pub fn tick(&mut self, now: Time) {
        if self.outcome.is_some() {
            return;
        }
        if now >= self.ends {
            let silent = || "the service has not answered yet".to_owned();
            let failure = self.failure.take();
            let by = |other| format!("the service is answered by {other}, not by {}", self.site);
            let text = self.answers.take().map(by).or(failure).unwrap_or_else(silent);
            self.outcome = Some(Err(text));
        } else if now >= self.asked_at + AGAIN {
            self.asked_at = now;
            if self.running.len() < MOST {
                self.ask(None, now);
            }
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.outcome.is_none().then(|| self.ends.min(self.asked_at + AGAIN))
    }

    /// What to ask next, until `None`.
    pub fn poll(&mut self) -> Option<(u64, Arc<Settings>)> {
        self.actions.pop_front()
    }

    /// How it ended; `None`: it goes on.
    pub fn outcome(&self) -> Option<&Result<(), String>> {
        self.outcome.as_ref()
    }

    fn ask(&mut self, of: Option<String>, now: Time) {
        let settings = of.as_ref().and_then(|site| self.others.get(site)).unwrap_or(&self.wanted);
        let settings = settings.clone();
        self.number += 1;
        if of.is_none() {
            self.asked_at = now;
        }
        self.running.insert(self.number, of);
        self.actions.push_back((self.number, settings));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Method;

    fn settings(expect: Option<&str>) -> Arc<Settings> {
        let expect = expect.map(|text| text.as_bytes().to_vec());
        let to = "203.0.113.7:80".parse().unwrap();
        Arc::new(Settings {
            method: Method::Tcp { to, send: Vec::new(), expect },
            connect_timeout: Duration::from_millis(300),
            timeout: Duration::from_millis(300),
            ..Settings::default()
        })
    }

    fn by_site() -> BTreeMap<String, Arc<Settings>> {
        ["dc1", "dc2"].map(|site| (site.to_owned(), settings(Some(site)))).into()
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    fn well() -> Outcome {
        Outcome::Answered { took: Duration::ZERO, text: String::new(), warning: None }
    }

    fn refused() -> Outcome {
        Outcome::Failed("connection refused by 203.0.113.7:80".to_owned())
    }

    fn wrong() -> Outcome {
        Outcome::Failed("\"dc2\" is not in the answer of 203.0.113.7:80: \"dc1\"".to_owned())
    }

    /// Runs it with a service that gives these answers, at once, until it ends. Gives the end and the time it took.
    fn run(
        mut prober: Prober,
        service: impl Fn(&Settings, u64) -> Option<Outcome>,
    ) -> (Result<(), String>, u64) {
        for millis in 0..10_000 {
            prober.tick(at(millis));
            while let Some((number, settings)) = prober.poll() {
                if let Some(outcome) = service(&settings, millis) {
                    prober.ended(number, outcome, at(millis));
                }
            }
            if let Some(outcome) = prober.outcome() {
                return (outcome.clone(), millis);
            }
            assert!(prober.deadline().is_some_and(|at_| at_ > at(millis)));
        }
        panic!("it goes on for ever");
    }

    fn prober() -> Prober {
        Prober::new("dc2", &settings(None), &by_site(), at(0))
    }

    /// A service that `site` has from a time on, and dc1 before.
    fn moves(settings: &Settings, millis: u64, when: u64) -> Option<Outcome> {
        let site = if millis < when { "dc1" } else { "dc2" };
        let Method::Tcp { expect, .. } = &settings.method else { panic!() };
        let is_well = expect.as_ref().is_none_or(|expect| expect == site.as_bytes());
        Some(if is_well { well() } else { wrong() })
    }

    #[test]
    fn it_ends_with_the_first_answer_of_the_site() {
        assert_eq!(run(prober(), |settings, now| moves(settings, now, 0)), (Ok(()), 0));
        assert_eq!(run(prober(), |settings, now| moves(settings, now, 250)), (Ok(()), 300));
    }

    #[test]
    fn an_answer_of_another_site_is_told_as_such() {
        let (outcome, took) = run(prober(), |settings, now| moves(settings, now, 9999));
        let why = "the service is answered by dc1, not by dc2".to_owned();
        assert_eq!((outcome, took), (Err(why), 1000));
    }

    #[test]
    fn who_does_not_answer_any_more_is_not_named() {
        let (outcome, _) = run(prober(), |settings, now| match now {
            0..500 => moves(settings, now, 9999),
            _ => Some(refused()),
        });
        assert_eq!(outcome, Err("connection refused by 203.0.113.7:80".to_owned()));
    }

    #[test]
    fn one_that_hangs_is_asked_anew() {
        let (outcome, took) =
            run(prober(), |settings, now| moves(settings, now, 0).filter(|_| now >= 600));
        assert_eq!((outcome, took), (Ok(()), 600));
        let (outcome, took) = run(prober(), |_, _| None);
        assert_eq!((outcome, took), (Err("the service has not answered yet".to_owned()), 1000));
    }

    #[test]
    fn any_answer_will_do_where_it_tells_no_site() {
        let any = || Prober::new("dc2", &settings(None), &BTreeMap::new(), at(0));
        assert_eq!(run(any(), |settings, now| moves(settings, now, 9999)), (Ok(()), 0));
        let ours = Outcome::NotAsked("no route".to_owned());
        assert_eq!(run(any(), |_, _| Some(ours.clone())).0, Err("no route".to_owned()));
    }
}
