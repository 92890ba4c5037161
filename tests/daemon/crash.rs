//! kill -9 at any moment: what was acknowledged is there after the next start.

use std::time::Duration;

use shunt::api::v1::{AuditRequest, GroupsRequest, HistoryRequest, LedgerEntry};
use shunt::switch::ledger::Chain;
use shunt::types::Rng;
use tokio::time::timeout;

use super::process::{Daemon, Home, address, eventually, node};

const PREFIXES: usize = 8;

fn prefix(index: usize) -> String {
    format!("198.51.100.{index}/32")
}

/// The preference that an operator's intent gives to each prefix.
async fn in_force(daemon: &Daemon) -> [Option<u32>; PREFIXES] {
    let groups = daemon.client().await.groups(GroupsRequest::default()).await.unwrap().into_inner();
    std::array::from_fn(|index| {
        let found = groups.prefixes.iter().find(|found| found.prefix == prefix(index))?;
        found.intent.as_ref().map(|intent| intent.preference)
    })
}

#[tokio::test]
async fn no_acknowledged_order_is_lost_by_kill_9() {
    let mut rng = Rng::new(11);
    let mut home = Home::new(&node(64500, address()));
    let mut acknowledged = [None; PREFIXES];
    // The order that was on its way at the kill: it may be in force or not, but nothing between.
    let mut under_way: Option<(usize, u32)> = None;
    let mut orders = 0;
    // On a busy machine a life may be too short for an order: then there are more lives.
    for life in 0..200 {
        if life >= 12 && orders >= 30 {
            break;
        }
        let daemon = home.start().await;
        let found = in_force(&daemon).await;
        if let Some((index, preference)) = under_way.take()
            && found[index] == Some(preference)
        {
            acknowledged[index] = Some(preference);
        }
        assert_eq!(found, acknowledged, "life {life}");
        assert!(!daemon.log().contains("damaged"), "{}", daemon.log());

        let life_time = Duration::from_micros(rng.below(80_000));
        let give_orders = async {
            loop {
                let (index, preference) = (rng.below(8) as usize, 1 + rng.below(255) as u32);
                under_way = Some((index, preference));
                let level = preference.to_string();
                daemon.order("prefer", &prefix(index), &level).await.unwrap();
                acknowledged[index] = Some(preference);
                orders += 1;
            }
        };
        // Cut off in the middle of an order, most of the time.
        let _: Result<(), _> = timeout(life_time, give_orders).await;
        home = daemon.kill();
    }
    assert!(orders >= 30, "only {orders} orders in all lives");
}

/// What a kill in the middle of a line leaves: it is cut off and told, and what was written before is still the ledger.
#[tokio::test]
async fn a_torn_line_of_the_ledger_is_cut_off_and_told() {
    let home = Home::new(&node(64500, address()));
    let daemon = home.start().await;
    let audit = async |daemon: &Daemon| {
        daemon.client().await.audit(AuditRequest {}).await.unwrap().into_inner()
    };
    assert_eq!((audit(&daemon).await.entries, audit(&daemon).await.hash.as_str()), (0, ""));
    let home = daemon.kill();
    let (mut chain, mut text) = (Chain::default(), String::new());
    for group in ["payments", "web"] {
        let entry = LedgerEntry { group: group.to_owned(), ..LedgerEntry::default() };
        let entry = serde_json::to_string(&entry).unwrap();
        text.push_str(&chain.line(&entry));
        chain = chain.with(&entry);
    }
    let torn = &text[..text.len() - 20];
    std::fs::write(home.path().join("state/ledger"), torn).unwrap();
    let daemon = home.start().await;
    let told = async || daemon.log().contains("was not written to its end").then_some(());
    eventually("it is told", told).await;
    let found = audit(&daemon).await;
    assert_eq!((found.entries, found.problem.as_str()), (1, ""), "{found:?}");
    let mut history =
        daemon.client().await.history(HistoryRequest::default()).await.unwrap().into_inner();
    let entry = history.message().await.unwrap().unwrap();
    assert_eq!((entry.group.as_str(), &entry.hash), ("payments", &found.hash));
    assert_eq!(history.message().await.unwrap(), None);
    // Whoever writes it while the daemon lives is found out.
    std::fs::write(daemon.home().path().join("state/ledger"), "").unwrap();
    let found = audit(&daemon).await;
    assert!(found.problem.starts_with("line 1 is missing or another one"), "{found:?}");
}
