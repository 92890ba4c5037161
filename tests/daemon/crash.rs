//! kill -9 at any moment: what was acknowledged is there after the next start.

use std::time::Duration;

use shunt::api::v1::GroupsRequest;
use shunt::types::Rng;
use tokio::time::timeout;

use super::process::{Daemon, Home, address, node};

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
