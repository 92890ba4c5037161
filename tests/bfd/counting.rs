//! What a packet costs: no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use shunt::bfd::{Action, Bfd, Hops, Received};
use shunt::bfd::{Algorithm, Authentication, Event, Key, Order, Path, SessionId, Settings, State};
use shunt::types::{Rng, Secret, Time};

use crate::bench::{address, millis, settings};

/// The system allocator, counting the allocations of each thread: tests run side by side.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system allocator; the counter touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counter any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sessions between two cores that pass their packets to each other at once.
fn pair(count: u32, authentication: Option<Authentication>) -> [Bfd; 2] {
    let mut rng = Rng::new(1);
    [0, 1].map(|side| {
        let mut bfd = Bfd::new(rng.fork());
        for id in 0..count {
            let ends = [address(&format!("10.{id}.0.1")), address(&format!("10.{id}.0.2"))];
            let path = Path::SingleHop { interface: id, local: ends[side], remote: ends[1 - side] };
            let settings = Settings { path, authentication: authentication.clone(), ..settings() };
            let order = Order::Want { session: SessionId(id), settings: Box::new(settings) };
            bfd.handle(Event::Ordered(order), Time::ZERO);
        }
        bfd
    })
}

/// Runs the two until `end`; the number of packets.
fn run(sides: &mut [Bfd; 2], now: &mut Time, end: Time) -> u64 {
    let mut packets = 0;
    loop {
        let mut idle = true;
        for side in [0, 1] {
            while let Some(action) = sides[side].poll() {
                let Action::Send { session, packet } = action else { continue };
                (packets, idle) = (packets + 1, false);
                let octet = session.0 as u8;
                let received = Received {
                    hops: Hops::Single,
                    interface: session.0,
                    source: [10, octet, 0, 1 + side as u8].into(),
                    destination: [10, octet, 0, 2 - side as u8].into(),
                    ttl: 255,
                    packet: &packet,
                };
                sides[1 - side].handle(Event::Received(received), *now);
            }
        }
        if !idle {
            continue;
        }
        let next = sides.iter().filter_map(Bfd::deadline).min().unwrap();
        if next > end {
            return packets;
        }
        *now = (*now).max(next);
        sides.iter_mut().for_each(|side| side.tick(*now));
    }
}

#[test]
fn packets_cost_no_memory() {
    let keys = vec![Key { id: 1, secret: Secret::from_file(b"k", 0o600).unwrap() }];
    let algorithm = Algorithm::MeticulousSha1;
    for authentication in [None, Some(Authentication { algorithm, keys })] {
        let mut sides = pair(30, authentication);
        let mut now = Time::ZERO;
        run(&mut sides, &mut now, Time::ZERO + millis(2000));
        assert!(sides.iter().all(|side| side.summaries(now).iter().all(|s| s.state == State::Up)));
        let before = ALLOCATIONS.get();
        let packets = run(&mut sides, &mut now, Time::ZERO + millis(4000));
        assert!(packets > 12_000, "{packets}");
        assert_eq!(ALLOCATIONS.get() - before, 0);
    }
}
