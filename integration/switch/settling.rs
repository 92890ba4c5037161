//! Whether a group is at one site, and for how long it was not.

use std::time::{Duration, Instant};

use super::sites::{CLIENTS, FLEET, Lab, Member};
use crate::lab::{Node, PATIENCE, wait_for};

/// So long may a group be at no site or at two, when what went wrong is over.
const MIXED: Duration = Duration::from_secs(2);

/// For how long something was mixed.
struct Mixed {
    since: Option<Instant>,
    longest: Duration,
    last: String,
}

impl Mixed {
    #[track_caller]
    fn is(&mut self, what: &str, state: &Result<u8, String>) {
        let Err(how) = state else {
            self.since = None;
            return;
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        self.longest = self.longest.max(since.elapsed());
        self.last.clone_from(how);
        assert!(self.longest <= MIXED, "{what}: mixed for {:?}: {how}", self.longest);
    }
}

impl Lab {
    /// The site where the traffic of a group is: where the kernel inside sends it, and who answers each client.
    pub fn traffic_at(&self, group: &str) -> Result<u8, String> {
        let group = self.plan.groups.iter().find(|one| one.name == group).unwrap();
        let answers = std::thread::scope(|scope| {
            let ask = |client| scope.spawn(move || self.request(client, group.address()));
            let asking = CLIENTS.map(|(client, ..)| ask(client));
            asking.map(|thread| thread.join().unwrap())
        });
        let hops = self.core.next_hops(&group.prefixes[0])?;
        let at = |site: &u8| {
            hops == [format!("10.99.{}.2@fw{site}", site + 2)]
                && answers.iter().all(|answer| *answer == Ok(format!("app{site}")))
        };
        let site = [1, 2].into_iter().find(at);
        site.ok_or_else(|| format!("core sends to {hops:?}, and {answers:?} answer"))
    }

    /// The site that the nodes announce more of a group than the other one does.
    pub fn announced_at(&self, group: &str) -> Result<u8, String> {
        let all = FLEET.map(|(node, _)| self.announces(node, group));
        let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
        match all[..] {
            [one, other, of_one, of_other] if one > other && of_one > of_other => Ok(1),
            [one, other, of_one, of_other] if one < other && of_one < of_other => Ok(2),
            _ => Err(format!("edge1, edge2, fw1, fw2 announce {all:?}")),
        }
    }

    /// What went wrong is over now. Waits until the group is where it is for good, with no switch in progress, and says where;
    /// on the way neither the traffic nor the announcements were mixed for too long.
    #[track_caller]
    pub fn settles(&self, what: &str, group: &str) -> u8 {
        let over = Instant::now();
        let new = || Mixed { since: Some(over), longest: Duration::ZERO, last: String::new() };
        let (mut traffic, mut announced) = (new(), new());
        loop {
            let at = self.traffic_at(group);
            traffic.is(what, &at);
            announced.is(what, &self.announced_at(group));
            if at.is_ok()
                && let Some(site) = self.has_ended(group)
            {
                let took = over.elapsed();
                println!(
                    "{what}: at dc{site} after {took:?}; traffic mixed for {:?} {}, announcements for {:?} {}",
                    traffic.longest, traffic.last, announced.longest, announced.last
                );
                return site;
            }
            assert!(over.elapsed() < PATIENCE, "{what}: no end: {:?}", self.place(group));
        }
    }

    /// The site of a group that no node knows of a switch of, and that all see there.
    fn has_ended(&self, group: &str) -> Option<u8> {
        let site = self.place(group).ok()?;
        let is_quiet = self.fleet.iter().all(|member| {
            let shown = member.shuntd.json(&["switch", "status"]);
            shown.is_ok_and(|shown| shown["switches"].as_array().is_some_and(Vec::is_empty))
        });
        is_quiet.then_some(site)
    }
}

impl Member {
    /// SIGKILL, and starts again when something was done to its files. Returns when it is a router again: until its neighbours
    /// have sent their routes it sends none.
    #[track_caller]
    pub fn dies_and_returns(&mut self, meanwhile: impl FnOnce(&Node)) {
        let before = self.times_begun();
        self.shuntd.kill();
        meanwhile(&self.node);
        self.shuntd.start_again();
        wait_for("the routes of its neighbours", PATIENCE, || match self.times_begun() {
            times if times > before => Ok(()),
            times => Err(format!("{times} times")),
        });
    }

    fn times_begun(&self) -> usize {
        let log = std::fs::read_to_string(self.node.path("shuntd.log")).unwrap_or_default();
        log.matches("all neighbours have sent their routes").count()
    }
}
