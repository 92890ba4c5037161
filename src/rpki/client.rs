use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::session::{Note, Session, Wish};
use super::{CacheId, Event, Settings, State, Table};
use crate::types::{Family, Prefix, Rng, Time};
use crate::wire::rtr::{Serial, SessionId, Version};

/// All caches, and what they say together.
#[derive(Clone, Debug)]
pub struct Client {
    rng: Rng,
    caches: BTreeMap<CacheId, Cache>,
    table: Arc<Table>,
    actions: VecDeque<Action>,
}

#[derive(Clone, Debug)]
struct Cache {
    name: String,
    settings: Settings,
    session: Session,
    /// VRPs by family.
    vrps: [usize; 2],
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Action {
    /// Open a TCP connection, in place of any other one: [`Event::Dialled`] or [`Event::DialFailed`].
    Dial {
        cache: CacheId,
        settings: Settings,
    },
    Send {
        cache: CacheId,
        octets: Bytes,
    },
    /// Close the connection, after what was sent is written. Nothing of it is reported any more.
    Close {
        cache: CacheId,
    },
    /// For the agent.
    Report(Report),
}

/// What the agent is told.
#[derive(Clone, Debug)]
pub enum Report {
    /// These are the VRPs from now on. What `changed` covers may be valid in another way than before; where most of the table
    /// has changed, those are the default routes.
    Table { table: Arc<Table>, changed: BTreeSet<Prefix> },
    /// All caches, in the order of their names.
    Caches(Vec<Summary>),
    /// For the log.
    Note { cache: String, warning: bool, text: String },
}

/// For people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub name: String,
    pub settings: Settings,
    pub state: State,
    pub version: Version,
    /// Where the cache's data stands that we have.
    pub known: Option<(SessionId, Serial)>,
    /// VRPs by family, IPv4 first.
    pub vrps: [usize; 2],
    /// When the data that we have came, and when it is too old.
    pub fresh: Option<(Time, Time)>,
    pub last_error: Option<String>,
}

/// From so many changed prefixes on, all routes are looked at.
const MANY: usize = 10_000;

impl Client {
    pub fn new(rng: Rng) -> Client {
        Client {
            rng,
            caches: BTreeMap::new(),
            table: Arc::new(Table::default()),
            actions: VecDeque::new(),
        }
    }

    /// These caches from now on, by name; at most [`CacheId::MOST`]. What is configured as before goes on undisturbed.
    pub fn configure(&mut self, wanted: &BTreeMap<String, Settings>, now: Time) {
        let stays = |cache: &Cache| wanted.get(&cache.name) == Some(&cache.settings);
        let gone: Vec<CacheId> =
            self.caches.iter().filter(|(_, cache)| !stays(cache)).map(|(id, _)| *id).collect();
        for id in gone {
            self.actions.push_back(Action::Close { cache: id });
            self.caches.remove(&id);
            self.change(|table| table.replace(id, Vec::new()));
        }
        for (name, settings) in wanted {
            if self.caches.values().any(|cache| cache.name == *name) {
                continue;
            }
            let mut free = (0..).map_while(CacheId::new);
            let Some(id) = free.find(|id| !self.caches.contains_key(id)) else { break };
            let session = Session::new(self.rng.fork(), now);
            let (name, settings) = (name.clone(), settings.clone());
            self.caches.insert(id, Cache { name, settings, session, vrps: [0; 2] });
        }
        self.tell();
        self.tick(now);
    }

    /// Something happened on the way to a cache.
    pub fn handle(&mut self, id: CacheId, event: Event, now: Time) {
        let Some(cache) = self.caches.get_mut(&id) else { return };
        let before = cache.session.state();
        cache.session.handle(event, now);
        if self.settle(id, now) || self.state(id) != Some(before) {
            self.tell();
        }
    }

    /// Fires the timers that are due; a spurious call does nothing.
    pub fn tick(&mut self, now: Time) {
        let due = |cache: &Cache| cache.session.deadline().is_some_and(|at| at <= now);
        let due: Vec<CacheId> =
            self.caches.iter().filter(|(_, cache)| due(cache)).map(|(id, _)| *id).collect();
        for id in &due {
            if let Some(cache) = self.caches.get_mut(id) {
                cache.session.tick(now);
            }
            self.settle(*id, now);
        }
        if !due.is_empty() {
            self.tell();
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.caches.values().filter_map(|cache| cache.session.deadline()).min()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn state(&self, id: CacheId) -> Option<State> {
        self.caches.get(&id).map(|cache| cache.session.state())
    }

    /// Does what a session wants; whether there was anything.
    fn settle(&mut self, id: CacheId, now: Time) -> bool {
        let mut any = false;
        while let Some(cache) = self.caches.get_mut(&id)
            && let Some(wish) = cache.session.poll()
        {
            any = true;
            match wish {
                Wish::Dial => {
                    let settings = cache.settings.clone();
                    self.actions.push_back(Action::Dial { cache: id, settings });
                }
                Wish::Send(octets) => self.actions.push_back(Action::Send { cache: id, octets }),
                Wish::Close => self.actions.push_back(Action::Close { cache: id }),
                Wish::Replace(vrps) => {
                    self.change(|table| table.replace(id, vrps));
                    self.count(id);
                }
                Wish::Change(changes) if changes.is_empty() => {}
                Wish::Change(changes) => {
                    let mut contradiction = Ok(());
                    self.change(|table| {
                        let (changed, result) = table.change(id, &changes);
                        contradiction = result;
                        changed
                    });
                    self.count(id);
                    if let Err((code, vrp)) = contradiction
                        && let Some(cache) = self.caches.get_mut(&id)
                    {
                        cache.session.contradicted(code, vrp, now);
                    }
                }
                Wish::Expire => {
                    self.change(|table| table.replace(id, Vec::new()));
                    self.count(id);
                }
                Wish::Note(note) => {
                    let (warning, text) = match note {
                        Note::Loaded(serial) => {
                            let [v4, v6] = cache.vrps;
                            let count = v4 + v6;
                            (false, format!("{count} VRPs loaded, serial number {serial}"))
                        }
                        Note::Failed(reason) => (true, reason),
                        Note::Expired => (true, "its VRPs are too old and are dropped".to_owned()),
                    };
                    let cache = cache.name.clone();
                    self.actions.push_back(Action::Report(Report::Note { cache, warning, text }));
                }
            }
        }
        any
    }

    /// Changes the table, in a copy if somebody looks at it.
    fn change(&mut self, change: impl FnOnce(&mut Table) -> BTreeSet<Prefix>) {
        let mut changed = change(Arc::make_mut(&mut self.table));
        if changed.is_empty() {
            return;
        }
        if changed.len() >= MANY {
            changed = Family::ALL.into_iter().map(Prefix::default_route).collect();
        }
        let table = Arc::clone(&self.table);
        self.actions.push_back(Action::Report(Report::Table { table, changed }));
    }

    fn count(&mut self, id: CacheId) {
        if let Some(cache) = self.caches.get_mut(&id) {
            cache.vrps = Family::ALL.map(|family| self.table.count(id, family));
        }
    }

    fn tell(&mut self) {
        let summary = |cache: &Cache| Summary {
            name: cache.name.clone(),
            settings: cache.settings.clone(),
            state: cache.session.state(),
            version: cache.session.version(),
            known: cache.session.known(),
            vrps: cache.vrps,
            fresh: cache.session.fresh(),
            last_error: cache.session.last_error().map(str::to_owned),
        };
        let mut summaries: Vec<Summary> = self.caches.values().map(summary).collect();
        summaries.sort_by(|one, other| one.name.cmp(&other.name));
        self.actions.push_back(Action::Report(Report::Caches(summaries)));
    }
}
