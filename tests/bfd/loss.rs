//! Two sides over a bad wire, with clocks that disagree: what must hold in thousands of runs.

use std::time::Duration;

use shunt::bfd::{Diagnostic, Event, Order, Settings, State};
use shunt::types::{Rng, Time};

use crate::bench::{millis, settings};
use crate::world::{ID, World};

/// Per mille that clocks go wrong: ±1 %.
fn clocks(world: &mut World, rng: &mut Rng) {
    for side in &mut world.sides {
        side.clock = 10_000 - rng.below(20_001) as i64;
    }
}

/// Both sides' wishes at random; what the wire and the scheduler may add is a part of the least interval.
fn any_settings(rng: &mut Rng) -> Settings {
    Settings {
        transmit_interval: millis(5 + rng.below(60)),
        receive_interval: millis(5 + rng.below(60)),
        multiplier: 2 + rng.below(4) as u8,
        ..settings()
    }
}

/// Both come up within a few round trips of the first packet (RFC 5880 §6.8.7), without waiting for a second to pass.
#[test]
fn two_sides_are_up_after_two_round_trips() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        world.wire.delay = millis(20);
        world.want(0, settings());
        world.run(millis(300));
        world.want(1, settings());
        world.run(millis(81));
        assert!(world.both_up(), "seed {seed}");
        assert_eq!(world.downs(), 0);
    }
}

/// Up to multiplier − 1 lost packets in a row, for each direction.
#[test]
fn fewer_lost_packets_than_the_multiplier_never_drop_a_session() {
    for seed in 0..2000 {
        let mut rng = Rng::new(seed ^ 0x1055);
        let mut world = World::new(seed);
        clocks(&mut world, &mut rng);
        let (a, b) = (any_settings(&mut rng), any_settings(&mut rng));
        let least = a.transmit_interval.min(b.transmit_interval);
        for side in &mut world.sides {
            side.lag = least / 100;
        }
        world.wire.delay = millis(rng.below(30));
        world.wire.burst = u32::from(a.multiplier.min(b.multiplier)) - 1;
        world.want(0, a);
        world.want(1, b);
        world.run(millis(1200));
        assert!(world.both_up(), "seed {seed}");
        world.wire.loss = 20 + rng.below(80);
        world.wire.variation = least / 100;
        world.wire.twice = rng.chance(20);
        world.run(millis(1000));
        assert!(world.both_up() && world.downs() == 0, "seed {seed}");
    }
}

/// The other bound: multiplier lost packets are noticed within the Detection Time, and not before.
#[test]
fn silence_is_noticed_within_the_detection_time_and_not_earlier() {
    for seed in 0..1000 {
        let mut rng = Rng::new(seed ^ 0xdead);
        let mut world = World::up(seed);
        clocks(&mut world, &mut rng);
        world.run(millis(100) + Duration::from_micros(rng.below(10_000)));
        let cut = world.now;
        world.wire.cut = true;
        world.run(millis(100));
        for (index, side) in world.sides.iter().enumerate() {
            let (at, change) = side.changes.last().unwrap();
            assert_eq!((change.state, change.diagnostic), (State::Down, Diagnostic(1)));
            // The last packet has left up to 9.5 ms before.
            let heard = world.sent.iter().rev().find(|(at, from, _)| *from != index && *at <= cut);
            let taken = at.since(heard.unwrap().0 + world.wire.delay).as_secs_f64();
            let local = taken * (1.0 + side.clock as f64 / 1e6);
            assert!((0.02999..0.03002).contains(&local), "seed {seed}: {local}");
        }
    }
}

#[test]
fn as_many_lost_packets_as_the_multiplier_drop_a_session() {
    let mut dropped = 0;
    for seed in 0..300 {
        let mut world = World::up(seed);
        world.wire.lose = [5, 0];
        world.run(millis(300));
        dropped += world.sides[1].changes.iter().filter(|(_, c)| c.diagnostic.0 == 1).count();
        world.run(millis(3000));
        assert!(world.both_up(), "seed {seed}");
    }
    assert_eq!(dropped, 300);
}

/// §6.5, §6.8.3: any change, at any time, in either direction, over a wire that loses and reorders.
#[test]
fn changes_of_intervals_never_drop_a_session() {
    for seed in 0..1000 {
        let mut rng = Rng::new(seed ^ 0xc4a9);
        let mut world = World::new(seed);
        clocks(&mut world, &mut rng);
        world.wire.delay = millis(rng.below(40));
        let mut wishes = [(); 2].map(|()| Settings { multiplier: 3, ..any_settings(&mut rng) });
        for (side, wish) in wishes.iter().enumerate() {
            world.want(side, wish.clone());
        }
        world.run(millis(1200));
        assert!(world.both_up(), "seed {seed}");
        world.wire.variation = Duration::from_micros(50);
        (world.wire.loss, world.wire.burst) = if rng.chance(50) { (30, 1) } else { (0, 0) };
        for _ in 0..20 {
            let side = rng.below(2) as usize;
            let other = any_settings(&mut rng);
            if rng.chance(70) {
                wishes[side].transmit_interval = other.transmit_interval;
            }
            if rng.chance(70) {
                wishes[side].receive_interval = other.receive_interval;
            }
            world.want(side, wishes[side].clone());
            world.run(millis(rng.below(200)));
            assert!(world.both_up() && world.downs() == 0, "seed {seed} at {}", world.now);
        }
        // And in the end everything is as wished.
        world.wire.loss = 0;
        world.run(millis(1500));
        for (side, [mine, theirs]) in [[0, 1], [1, 0]].into_iter().enumerate() {
            let summary = world.summary(side);
            let (mine, theirs) = (&wishes[mine], &wishes[theirs]);
            let sending = mine.transmit_interval.max(theirs.receive_interval);
            let waiting = 3 * theirs.transmit_interval.max(mine.receive_interval);
            assert_eq!(summary.transmit_interval, sending, "seed {seed}");
            assert_eq!(summary.detection_time, waiting, "seed {seed}");
        }
    }
}

/// The process is killed, and another one begins with the same settings: the other side notices by its first packet, or
/// by silence, and both are up again at once.
#[test]
fn a_side_that_begins_anew_is_up_again_at_once() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed ^ 0x5e7);
        let mut world = World::up(seed);
        clocks(&mut world, &mut rng);
        world.sides[0].stopped = true;
        world.run(millis(rng.below(200)));
        world.sides[0].stopped = false;
        let before = world.sides[1].changes.len();
        world.restart(0, settings());
        world.run(millis(3));
        assert!(world.both_up(), "seed {seed}");
        assert!(world.sides[1].changes.len() > before);
        assert_eq!(world.summary(1).downs, 1);
        world.run(millis(1000));
        assert_eq!(world.downs(), 1);
    }
}

/// SIGSTOP of one side is noticed by the other one. When it goes on, what waited in its socket is read first, and tells
/// it so; it does not find silence where there was none.
#[test]
fn a_stopped_side_learns_from_the_other_one_that_it_was_missed() {
    for seed in 0..300 {
        let mut world = World::up(seed);
        world.sides[0].stopped = true;
        let stopped = world.now;
        world.run(millis(200));
        let (at, change) = world.sides[1].changes.last().unwrap();
        assert_eq!((change.state, change.diagnostic), (State::Down, Diagnostic(1)));
        assert!(at.since(stopped) < millis(31), "seed {seed}");
        world.go_on(0);
        world.run(millis(3));
        let (_, change) = world.sides[0].changes.iter().find(|(at, _)| *at > stopped).unwrap();
        assert_eq!(change.diagnostic, Diagnostic::NEIGHBOR_SIGNALED_DOWN, "seed {seed}");
        assert!(world.both_up(), "seed {seed}");
    }
    // Too short to be missed: nothing happens.
    for seed in 0..300 {
        let mut world = World::up(seed);
        world.sides[0].stopped = true;
        world.run(millis(18));
        world.go_on(0);
        world.run(millis(500));
        assert_eq!(world.downs(), 0, "seed {seed}");
    }
}

/// Nothing is expected of a wire that loses everything for a while, but that the session comes back.
#[test]
fn a_session_comes_back_after_any_fault() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed ^ 0xfa17);
        let mut world = World::up(seed);
        clocks(&mut world, &mut rng);
        for _ in 0..6 {
            match rng.below(4) {
                0 => world.wire.cut = !world.wire.cut,
                1 => world.wire.loss = rng.below(100),
                2 => world.restart(rng.below(2) as usize, settings()),
                _ => {
                    let (side, up) = (rng.below(2) as usize, rng.chance(60));
                    world.handle(side, Event::LinkChanged { interface: 1, up });
                }
            }
            world.run(millis(rng.below(1500)));
        }
        (world.wire.cut, world.wire.loss) = (false, 0);
        for side in 0..2 {
            world.handle(side, Event::LinkChanged { interface: 1, up: true });
        }
        world.run(millis(4000));
        assert!(world.both_up(), "seed {seed}");
        let downs = world.downs();
        world.run(millis(1000));
        assert_eq!(world.downs(), downs, "seed {seed}");
    }
}

/// §6.8.16: the other side can tell a session that is no longer wanted from one that failed, even if the first packet
/// that says so is lost and it gave up before.
#[test]
fn admin_down_reaches_the_other_side() {
    for lost in 0..3 {
        let mut world = World::up(7);
        world.wire.lose = [lost, 0];
        world.handle(0, Event::Ordered(Order::Drop { session: ID }));
        world.run(millis(5000));
        let (_, change) = world.sides[1].changes.last().unwrap();
        assert_eq!((change.state, change.remote_state), (State::Down, State::AdminDown), "{lost}");
    }
}

/// The same seed, the same packets.
#[test]
fn a_run_can_be_repeated() {
    let run = |seed| {
        let mut world = World::up(seed);
        world.wire.loss = 30;
        world.run(millis(2000));
        (world.sent, world.sides.map(|side| side.changes))
    };
    assert!(run(3) == run(3));
    assert!(run(3).0 != run(4).0);
    assert!(run(3).0.last().is_some_and(|(at, _, _)| *at > Time::ZERO));
}
