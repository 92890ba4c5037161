use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::api::v1::{
    PlanSwitchReply, PlanWay, SwitchPlan, SwitchPlanAnnouncement, SwitchPlanCheck, SwitchPlanExits,
    SwitchPlanExport, SwitchPlanMoment, SwitchPlanNode, SwitchPlanRouter,
};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{self, BAD, BOLD, Cell, Column, PLAIN, Table, WARN, harmless, left, span};
use crate::cli::{attributes, groups, ospf};
use crate::driver::plain;

/// Reads what [`write`] has written.
pub fn read(path: &Path) -> Result<PlanSwitchReply, Failure> {
    let text = fs::read(path).map_err(|error| {
        Failure::failed(format!("cannot read {}: {}", path.display(), plain(&error)))
    })?;
    let plan: Option<PlanSwitchReply> = serde_json::from_slice(&text).ok();
    let plan = plan.filter(|plan| plan.request.is_some() && !plan.digest.is_empty());
    let plan = plan.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{} is not a plan", path.display()))
            .advise("Write one with `shunt plan switch GROUP --to SITE --out FILE`.")
    })?;
    // It would show something else than what its digest stands for.
    if plan.computed_digest() != plan.digest {
        let message = format!("{} was changed since it was planned", path.display());
        return Err(Failure::new(Exit::Usage, message).advise("Plan again."));
    }
    Ok(plan)
}

pub fn write(path: &Path, plan: &PlanSwitchReply) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(plan).map_err(io::Error::from)?;
    fs::write(path, text + "\n").map_err(|error| {
        Failure::failed(format!("cannot write {}: {}", path.display(), plain(&error)))
    })
}

pub fn print(reply: &PlanSwitchReply, out: &mut dyn Write) -> io::Result<()> {
    for (number, plan) in reply.plans.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        one(plan, out)?;
    }
    writeln!(out, "plan {}", reply.digest)
}

/// What is to be read first comes first: what is against it, then who does what, and what follows from that.
fn one(plan: &SwitchPlan, out: &mut dyn Write) -> io::Result<()> {
    let SwitchPlan { group, from, to, epoch, prefixes, .. } = plan;
    let listed = listed(prefixes);
    writeln!(out, "{BOLD}{group}{BOLD:#}: from {from} to {to}, epoch {epoch}: {listed}")?;
    for obstacle in &plan.obstacles {
        writeln!(out, "  {WARN}against it: {}{WARN:#}", harmless(obstacle))?;
    }
    // Nodes that do the same are one block.
    let mut blocks: Vec<(String, Vec<&str>)> = Vec::new();
    for node in &plan.nodes {
        let block = block(node)?;
        match blocks.iter_mut().find(|(known, _)| *known == block) {
            Some((_, names)) => names.push(&node.node),
            None => blocks.push((block, vec![&node.node])),
        }
    }
    for (block, names) in blocks {
        write!(out, "{BOLD}{}{BOLD:#}{block}", names.join(", "))?;
    }
    for exits in &plan.exits {
        self::exits(exits, out)?;
    }
    checks(&plan.checks, out)?;
    for sentence in &plan.sessions {
        writeln!(out, "{}", harmless(sentence))?;
    }
    Ok(())
}

/// `198.51.100.7/32`, or how many and which is the first where that is too long to read.
fn listed(prefixes: &[String]) -> String {
    match prefixes {
        [first, _, _, _, _, ..] => format!("{} prefixes, {first} and others", prefixes.len()),
        few => few.join(", "),
    }
}

/// What a node does, behind its name.
fn block(node: &SwitchPlanNode) -> io::Result<String> {
    let mut text = Vec::new();
    writeln!(text, " at {}", node.site)?;
    for announcement in &node.announcements {
        if !announcement.prefixes.is_empty() {
            writeln!(text, "  {}", listed(&announcement.prefixes))?;
        }
        let SwitchPlanAnnouncement { now, raised, then, .. } = announcement;
        let all = [("now", now), ("raised", raised), ("then", then)];
        let mut before: Option<&SwitchPlanMoment> = None;
        for (when, moment) in all {
            // What stays is not said again.
            if let Some(moment) = moment.as_ref().filter(|moment| before != Some(*moment)) {
                let had_route = before.is_some_and(|was| !was.kernel.is_empty());
                self::moment(when, moment, had_route, &mut text)?;
            }
            before = moment.as_ref();
        }
        if now == then && now == raised {
            writeln!(text, "  nothing of that changes")?;
        }
    }
    for (what, sentences) in [("not told:", &node.untold), ("guard:", &node.guards)] {
        for sentence in sentences {
            writeln!(text, "  {what} {}", harmless(sentence))?;
        }
    }
    String::from_utf8(text).map_err(io::Error::other)
}

fn moment(
    when: &str,
    moment: &SwitchPlanMoment,
    had_route: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let SwitchPlanMoment { preference, level, exports, kernel } = moment;
    writeln!(out, "  {when:6}  {}", groups::level(*preference, level))?;
    for SwitchPlanExport { neighbors, attributes, ospf } in exports {
        if let Some(attributes) = attributes {
            let attributes = attributes::summary(attributes);
            writeln!(out, "          {}: {attributes}", neighbors.join(", "))?;
        }
        if let Some(announcement) = ospf {
            writeln!(out, "          area: {}", ospf::summary(announcement))?;
        }
    }
    match kernel.is_empty() {
        true if had_route => writeln!(out, "          kernel: no route"),
        true => Ok(()),
        false => writeln!(out, "          kernel: {kernel}"),
    }
}

/// Those that move first: with hundreds of routers, they are what to look at.
fn exits(exits: &SwitchPlanExits, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 6] = [
        left("ROUTER"),
        left("ROUTER-ID"),
        left("NOW"),
        left("RAISED"),
        left("THEN"),
        left("MOVES"),
    ];
    if !exits.prefixes.is_empty() {
        writeln!(out, "{}", listed(&exits.prefixes))?;
    }
    let mut table = Table::new(&COLUMNS);
    let (moving, staying): (Vec<_>, Vec<_>) = exits.routers.iter().partition(|one| one.moves);
    for one in moving.iter().chain(&staying) {
        let SwitchPlanRouter { router, own, now, raised, then, moves } = one;
        let style = match (moves, then) {
            (false, _) => PLAIN,
            (true, None) => BAD,
            (true, Some(_)) => WARN,
        };
        let router = router.clone().unwrap_or_default();
        let way = |way: &Option<PlanWay>| match way {
            // Its exit leads there, but perhaps by chance: say what it follows.
            Some(way) if !way.matched.is_empty() => {
                format!("{}({})", ospf::names(&way.exits), way.matched)
            }
            Some(way) => ospf::names(&way.exits),
            None => String::new(),
        };
        let us = if *own { ",this-node" } else { "" };
        table.row([
            format!("{}{us}", ospf::name(&router)).into(),
            router.router_id.clone().into(),
            way(now).into(),
            way(raised).into(),
            Cell::styled(way(then), style),
            Cell::styled(if *moves { "yes" } else { "no" }, style),
        ]);
    }
    table.print(out)
}

fn checks(checks: &[SwitchPlanCheck], out: &mut dyn Write) -> io::Result<()> {
    let named = checks.iter().map(|check| {
        let limit = match check.limit_us {
            0 => String::new(),
            limit => format!(", for {} at most", span(Duration::from_micros(limit))),
        };
        (check.kind.as_str(), format!("{}{limit}", harmless(&check.text)))
    });
    output::list(&named.collect::<Vec<_>>(), out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_prefixes_are_counted() {
        let prefixes: Vec<String> = (0..6).map(|n| format!("10.0.0.{n}/32")).collect();
        assert_eq!(listed(&prefixes[..2]), "10.0.0.0/32, 10.0.0.1/32");
        assert_eq!(listed(&prefixes), "6 prefixes, 10.0.0.0/32 and others");
    }

    #[test]
    fn what_stays_is_said_once() {
        let moment =
            |preference| Some(SwitchPlanMoment { preference, ..SwitchPlanMoment::default() });
        let node = |[now, raised, then]: [u32; 3]| SwitchPlanNode {
            site: "dc1".to_owned(),
            announcements: vec![SwitchPlanAnnouncement {
                prefixes: Vec::new(),
                now: moment(now),
                raised: moment(raised),
                then: moment(then),
            }],
            ..SwitchPlanNode::default()
        };
        let text = |preferences| block(&node(preferences)).unwrap();
        assert_eq!(text([200, 200, 100]), " at dc1\n  now     200\n  then    100\n");
        let back = " at dc1\n  now     100\n  raised  201\n  then    100\n";
        assert_eq!(text([100, 201, 100]), back);
        assert_eq!(text([9, 9, 9]), " at dc1\n  now     9\n  nothing of that changes\n");
    }
}
