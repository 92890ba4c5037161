//! The ledger of the pretended daemon.

use shunt::api::v1::*;
use shunt::switch::ledger::Chain;

use super::{text, texts};

fn recorded() -> Vec<LedgerEntry> {
    let step =
        |step: &str, took_us| LedgerStep { step: text(step), took_us, ..LedgerStep::default() };
    let failed = |name: &str, took_us| LedgerStep { failed: true, ..step(name, took_us) };
    let back = |name: &str, took_us| LedgerStep { back: true, ..step(name, took_us) };
    let switch = LedgerEntry {
        at: text("2026-11-21T22:00:01.934250Z"),
        node: text("edge1"),
        kind: text("switch"),
        switch: text("edge1-17"),
        group: text("payments"),
        from: text("dc1"),
        to: text("dc2"),
        epoch: 7,
        owner: text("alice (uid 1000)"),
        reason: text("ticket 4711"),
        steps: vec![step("survey", 3_100), step("raise", 38_000), step("lower", 41_000)],
        outcome: text("committed"),
        total_us: 1_934_000,
        vantages: vec![Vantage {
            node: text("edge1"),
            probes: 38,
            longest_us: 51_000,
            session: text("kept"),
            ..Vantage::default()
        }],
        ..LedgerEntry::default()
    };
    let failover = LedgerEntry {
        at: text("2026-11-21T23:00:00Z"),
        node: text("edge1"),
        kind: text("failover"),
        group: text("web"),
        why: text("primary (200) -> 50: check web is down: \u{1b}[2J"),
        ..LedgerEntry::default()
    };
    let undone = LedgerEntry {
        at: text("2026-11-22T00:00:00Z"),
        switch: text("edge1-18"),
        group: text("reports"),
        epoch: 4,
        reason: text("the building burns"),
        break_glass: true,
        steps: vec![step("raise", 38_000), failed("probe", 5_000_000), back("lower", 39_000)],
        outcome: text("rolled-back"),
        why: text("edge1: the service was answered by dc1"),
        unheard: texts(&["edge4"]),
        vantages: Vec::new(),
        ..switch.clone()
    };
    vec![switch, failover, undone]
}

/// As they stand in a file, and as the daemon gives them.
fn written() -> (String, Vec<LedgerEntry>) {
    let (mut chain, mut file, mut all) = (Chain::default(), String::new(), Vec::new());
    for mut entry in recorded() {
        entry.number = chain.lines + 1;
        let text = serde_json::to_string(&entry).unwrap();
        file.push_str(&chain.line(&text));
        chain = chain.with(&text);
        all.push(LedgerEntry { hash: chain.hash.clone(), ..entry });
    }
    (file, all)
}

pub fn file() -> String {
    written().0
}

pub fn entries(request: &HistoryRequest) -> Vec<LedgerEntry> {
    let mut all = written().1;
    all.retain(|entry| request.group.is_empty() || entry.group == request.group);
    if request.last > 0 {
        all.drain(..all.len().saturating_sub(request.last as usize));
    }
    all
}

pub fn audit() -> AuditReply {
    AuditReply {
        file: text("/var/lib/shunt/ledger"),
        entries: 3,
        hash: written().1.pop().unwrap().hash,
        problem: String::new(),
    }
}
