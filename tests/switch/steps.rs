use std::time::Duration;

use shunt::switch::{Ending, Step};

use crate::world::World;

fn ending(world: &World) -> Ending {
    world.coordinators["s"].ending.clone().expect("it has ended")
}

fn why(world: &World) -> String {
    match ending(world) {
        Ending::Refused { why, .. } | Ending::RolledBack { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_planned_switch_raises_before_it_lowers() {
    let mut world = World::new(1);
    assert_eq!(world.preferred(), ["dc1"].into());
    world.switch("a1", world.order("s", "dc2"));
    let mut preferred = vec![world.preferred()];
    while world.coordinators["s"].ending.is_none() {
        world.run(crate::world::STEP);
        if preferred.last() != Some(&world.preferred()) {
            preferred.push(world.preferred());
        }
    }
    assert_eq!(preferred, [["dc1"].into(), ["dc1", "dc2"].into(), ["dc2"].into()]);
    assert_eq!(ending(&world), Ending::Committed { unheard: [].into() });
    assert!(world.is_settled());
    let steps = &world.coordinators["s"].steps;
    assert_eq!(
        steps[..],
        [
            Step::Gates,
            Step::Before,
            Step::Prepare,
            Step::Hold,
            Step::Raise,
            Step::See,
            Step::Probe,
            Step::Lower,
            Step::SeeAlone,
            Step::ProbeAlone,
            Step::Release,
            Step::After,
            Step::Commit
        ]
    );
    assert_eq!(world.coordinators["s"].requests, 4 * 9 + 2 + 2);
}

#[test]
fn there_and_back_again_and_again() {
    let mut world = World::new(2);
    for (round, to) in ["dc2", "dc1", "dc2", "dc1"].into_iter().enumerate() {
        let order = world.order(&format!("s{round}"), to);
        world.switch("b2", order);
        world.run(Duration::from_secs(2));
        assert_eq!((world.preferred(), world.is_settled()), ([to].into(), true));
        let epochs = world.nodes.values().map(|node| node.placement.epoch.0);
        assert!(epochs.eq([round as u32 + 1; 4]));
    }
}

#[test]
fn what_is_not_to_be_is_refused_with_nothing_changed() {
    let mut world = World::new(3);
    world.switch("a1", world.order("s", "dc1"));
    world.run(Duration::from_secs(1));
    assert_eq!(why(&world), "payments is at dc1 already");

    world.nodes.get_mut("b1").unwrap().obstacle = Some("check web is down".to_owned());
    world.switch("a1", world.order("s", "dc2"));
    world.run(Duration::from_secs(1));
    assert_eq!(why(&world), "b1: check web is down");

    world.nodes.get_mut("b1").unwrap().obstacle = None;
    world.failing.insert(Step::Gates);
    world.switch("a1", world.order("s", "dc2"));
    world.run(Duration::from_secs(1));
    assert_eq!(why(&world), "gates says no");

    world.kill("b2");
    world.switch("a1", world.order("s", "dc2"));
    world.run(Duration::from_secs(6));
    assert_eq!(why(&world), "b2: no answer, for 5.0 s");
    assert_eq!((world.preferred(), world.is_settled()), (["dc1"].into(), true));
    assert_eq!(world.nodes["b1"].placement.epoch.0, 0);
}

#[test]
fn who_is_excused_learns_of_it_when_it_is_back() {
    let mut world = World::new(4);
    world.kill("a2");
    let mut order = world.order("s", "dc2");
    order.nodes.get_mut("a2").unwrap().excused = true;
    world.switch("a1", order);
    world.run(Duration::from_secs(2));
    assert!(matches!(ending(&world), Ending::Committed { .. }));
    world.start("a2");
    assert_eq!(world.announced("a2").0.0, 200, "it knows no better");
    world.run(Duration::from_millis(100));
    assert_eq!((world.preferred(), world.is_settled()), (["dc2"].into(), true));
}

#[test]
fn a_refusal_at_any_step_ends_where_it_began() {
    for refused in [Step::Prepare, Step::Raise, Step::Lower] {
        for node in ["a1", "a2", "b1", "b2"] {
            let mut world = World::new(5);
            world.nodes.get_mut(node).unwrap().refuses = Some(refused);
            world.switch("a1", world.order("s", "dc2"));
            world.run(Duration::from_secs(3));
            if matches!(ending(&world), Ending::Committed { .. }) {
                // Not asked for that.
                continue;
            }
            assert_eq!(why(&world), format!("{node}: no"));
            assert!(world.is_settled() || refused == Step::Lower, "{refused} {node}");
            world.run(Duration::from_secs(45));
            assert_eq!((world.preferred(), world.is_settled()), (["dc1"].into(), true));
        }
    }
}

#[test]
fn a_service_that_answers_from_elsewhere_takes_it_back() {
    let mut world = World::new(6);
    world.answers = Some("dc1");
    world.switch("a1", world.order("s", "dc2"));
    world.run(Duration::from_secs(2));
    assert!(why(&world).ends_with(": answered by dc1"), "{}", why(&world));
    assert!(matches!(ending(&world), Ending::RolledBack { .. }));
    assert_eq!((world.preferred(), world.is_settled()), (["dc1"].into(), true));
    assert_eq!(world.nodes["a1"].placement.epoch.0, 2);
}

#[test]
fn two_at_once_do_not_mix() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        world.switch("a1", world.order("s", "dc2"));
        world.run(Duration::from_millis(5 * (seed % 60)));
        world.switch("b2", world.order("t", "dc2"));
        world.run(Duration::from_secs(3));
        let endings: Vec<_> =
            world.coordinators.values().map(|one| one.ending.clone().unwrap()).collect();
        let done = endings.iter().filter(|e| matches!(e, Ending::Committed { .. })).count();
        assert!(done <= 1, "{seed} {endings:?}");
        assert!(world.is_settled(), "{seed} {endings:?}");
        assert_eq!(world.preferred(), [if done == 1 { "dc2" } else { "dc1" }].into(), "{seed}");
    }
}
