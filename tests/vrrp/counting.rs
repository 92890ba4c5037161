//! What a packet costs: no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use shunt::types::{Rng, Time};
use shunt::vrrp::{Action, Event, Link, Order, Received, Settings, State, Vrrp};

use super::world::{every, id, ipv6, seconds, v3, v4, v6};

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

/// Runs two cores that pass their packets to each other at once; the number of packets.
fn run(nodes: &mut [Vrrp; 2], now: &mut Time, end: Time) -> u64 {
    let mut packets = 0;
    loop {
        let mut idle = true;
        for node in [0, 1] {
            while let Some(action) = nodes[node].poll() {
                let Action::Send { interface, source, destination, packet, .. } = action else {
                    continue;
                };
                (packets, idle) = (packets + 1, false);
                let packet = &packet;
                let received = Received { interface, source, destination, ttl: 255, packet };
                nodes[1 - node].handle(Event::Received(received), *now);
            }
        }
        if idle {
            let next = nodes.iter().filter_map(Vrrp::deadline).min().unwrap();
            if next > end {
                return packets;
            }
            *now = next;
            nodes.iter_mut().for_each(|vrrp| vrrp.tick(next));
        }
    }
}

#[test]
fn a_packet_costs_no_memory() {
    let mut now = Time::ZERO + seconds(1);
    let mut rng = Rng::new(1);
    let mut nodes = [0, 1].map(|node| {
        let mut vrrp = Vrrp::new(rng.fork());
        vrrp.handle(Event::Ordered(Order::Ready { ready: true }), now);
        let link = Some(Link { up: true, addresses: vec![v4(0, node), v6(0, node)] });
        vrrp.handle(Event::LinkChanged { interface: 1, link }, now);
        for number in 0..50 {
            let priority = if node == 0 { 150 } else { 100 };
            let make = if number % 2 == 0 { v3 } else { ipv6 };
            let settings = Settings { vrid: number, ..every(make(0, priority), 1) };
            let order = Order::Want { router: id(number.into()), settings: Box::new(settings) };
            vrrp.handle(Event::Ordered(order), now);
        }
        for ipv6 in [false, true] {
            vrrp.handle(Event::Opened { interface: 1, ipv6, open: true }, now);
        }
        vrrp
    });
    let end = now + seconds(1);
    run(&mut nodes, &mut now, end);
    assert!(nodes[0].summaries(now).iter().all(|it| it.state == State::Active));
    let before = ALLOCATIONS.get();
    let end = now + seconds(10);
    let packets = run(&mut nodes, &mut now, end);
    assert_eq!((packets / 1000, ALLOCATIONS.get() - before), (50, 0));
}
