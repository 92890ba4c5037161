use std::collections::BTreeMap;
use std::io::{self, Write};

use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::groups;
use super::ospf::{self, name, names};
use super::output::{BAD, BOLD, Cell, Column, Output, PLAIN, Table, WARN, count, left, right};
use crate::api::v1::{OspfAnnouncement, PlanReply, PlanRequest, PlanRouter, PlanWay};

/// `shunt plan prefer PREFIX LEVEL`
pub async fn plan(
    prefix: String,
    level: String,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let request = PlanRequest { prefix, level };
    let reply = daemon.call(PATIENCE, async move |mut client| client.plan(request).await).await?;
    out.answer(&reply, |out| print(&reply, out))?;
    Ok(())
}

fn print(reply: &PlanReply, out: &mut dyn Write) -> io::Result<()> {
    let before = groups::level(reply.preference_before, &reply.level_before);
    let after = groups::level(reply.preference, &reply.level);
    writeln!(out, "{BOLD}{}{BOLD:#}", reply.prefix)?;
    writeln!(out, "  now   {}", announced(&before, reply.before.as_ref()))?;
    writeln!(out, "  then  {}", announced(&after, reply.after.as_ref()))?;
    table(reply, out)?;
    writeln!(out, "{}; nothing is changed by this command", summary(&reply.routers))
}

/// `standby (100), external-2 metric 15500`
fn announced(level: &str, announcement: Option<&OspfAnnouncement>) -> String {
    match announcement {
        Some(announcement) => format!("{level}, {}", ospf::summary(announcement)),
        None => level.to_owned(),
    }
}

/// Those that move first: with hundreds of routers, they are what to look at.
fn table(reply: &PlanReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 7] = [
        left("ROUTER"),
        left("ROUTER-ID"),
        left("NOW"),
        right("COST"),
        left("THEN"),
        right("COST"),
        left("MOVES"),
    ];
    let mut table = Table::new(&COLUMNS);
    let (moving, staying): (Vec<_>, Vec<_>) = reply.routers.iter().partition(|one| one.moves);
    for PlanRouter { router, own, before, after, moves } in moving.into_iter().chain(staying) {
        let style = match (moves, before, after) {
            (false, ..) => PLAIN,
            (true, Some(_), None) => BAD,
            (true, ..) => WARN,
        };
        let router = router.clone().unwrap_or_default();
        let exits = |way: &Option<PlanWay>| match way {
            // Its exit leads there, but perhaps by chance: say what it follows.
            Some(way) if way.matched != reply.prefix => {
                format!("{}({})", names(&way.exits), way.matched)
            }
            Some(way) => names(&way.exits),
            None => String::new(),
        };
        let cost = |way: &Option<PlanWay>| match way {
            Some(way) => ospf::cost(&way.kind, way.cost, way.type_2_cost),
            None => String::new(),
        };
        let us = if *own { ",this-node" } else { "" };
        table.row([
            format!("{}{us}", name(&router)).into(),
            router.router_id.clone().into(),
            exits(before).into(),
            cost(before).into(),
            Cell::styled(exits(after), style),
            cost(after).into(),
            Cell::styled(if *moves { "yes" } else { "no" }, style),
        ]);
    }
    table.print(out)
}

/// `3 of 12 routers move from fw1 to fw2`; where they do not all go the same way, each way with its number.
fn summary(routers: &[PlanRouter]) -> String {
    let exits = |way: &Option<PlanWay>| match way {
        Some(way) => names(&way.exits),
        None => "nowhere".to_owned(),
    };
    let mut ways: BTreeMap<(String, String), u64> = BTreeMap::new();
    for router in routers.iter().filter(|router| router.moves) {
        *ways.entry((exits(&router.before), exits(&router.after))).or_default() += 1;
    }
    let all = count(routers.len() as u64, "router", "routers");
    let moving: u64 = ways.values().sum();
    let verb = if moving == 1 { "moves" } else { "move" };
    let mut ways = ways.into_iter();
    match (ways.next(), ways.len()) {
        (None, _) => format!("none of {all} moves"),
        (Some(((from, to), _)), 0) => format!("{moving} of {all} {verb} from {from} to {to}"),
        (first, _) => {
            let ways = first.into_iter().chain(ways);
            let ways: Vec<String> =
                ways.map(|((from, to), number)| format!("{number} from {from} to {to}")).collect();
            format!("{moving} of {all} {verb}: {}", ways.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1::OspfRouter;

    fn router(before: &str, after: &str) -> PlanRouter {
        let way = |exit: &str| {
            (!exit.is_empty()).then(|| PlanWay {
                exits: vec![OspfRouter { router_id: exit.to_owned(), ..OspfRouter::default() }],
                ..PlanWay::default()
            })
        };
        PlanRouter {
            before: way(before),
            after: way(after),
            moves: before != after,
            ..PlanRouter::default()
        }
    }

    #[test]
    fn one_sentence_says_who_moves_from_where_to_where() {
        let stays = router("a", "a");
        let moves = router("a", "b");
        assert_eq!(summary(std::slice::from_ref(&stays)), "none of 1 router moves");
        assert_eq!(summary(&[moves.clone(), stays.clone()]), "1 of 2 routers moves from a to b");
        let many = [moves.clone(), stays, moves, router("b", ""), router("", "a")];
        assert_eq!(
            summary(&many),
            "4 of 5 routers move: 2 from a to b, 1 from b to nowhere, 1 from nowhere to a"
        );
        assert_eq!(summary(&many[..3]), "2 of 3 routers move from a to b");
    }
}
