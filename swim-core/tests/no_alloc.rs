//! The promise *quiet*: after its members are admitted, a node allocates nothing to probe, answer, gossip, suspect or
//! refute. Counted by the allocator itself, switched on only inside calls of `Node`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use swim_core::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile, Stats};

struct Counting;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    if ON.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: every call is passed on to the system allocator unchanged; the counters are plain thread-local cells without
// destructors, so they can be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a call of `Node` with the counter on.
fn counted<T>(call: impl FnOnce() -> T) -> T {
    ON.set(true);
    let result = call();
    ON.set(false);
    result
}

fn allocations() -> u64 {
    COUNT.get()
}

/// What is under way: when, in which order, to whom, from whom, and the bytes; `None` is a timer.
type Happening = Reverse<(u64, u64, usize, Option<(SocketAddr, Vec<u8>)>)>;

/// A bare network: fixed latency, seeded loss, nothing but nodes.
struct Net {
    nodes: Vec<Node>,
    queue: BinaryHeap<Happening>,
    order: u64,
    now: u64,
    loss_percent: u64,
    random: u64,
    suspected: u64,
    refuted: u64,
    down: u64,
}

fn addr(i: usize) -> SocketAddr {
    ([10, 0, (i >> 8) as u8, i as u8], 7946).into()
}

fn index(a: SocketAddr) -> usize {
    let SocketAddr::V4(a) = a else { panic!("all addresses are IPv4") };
    usize::from(a.ip().octets()[2]) << 8 | usize::from(a.ip().octets()[3])
}

impl Net {
    fn new(n: usize, config: &Config) -> Self {
        let node = |i: usize| {
            let name = format!("node-{i}");
            let profile = Profile::new(&name, b"meta").unwrap();
            let me = Identity { id: NodeId::from_name(&name), addr: addr(i), epoch: 1, profile };
            Node::new(me, config.clone(), i as u64, Instant::ORIGIN).unwrap()
        };
        Self {
            nodes: (0..n).map(node).collect(),
            queue: BinaryHeap::new(),
            order: 0,
            now: 0,
            loss_percent: 0,
            random: 1,
            suspected: 0,
            refuted: 0,
            down: 0,
        }
    }

    fn lost(&mut self) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 100 < self.loss_percent
    }

    fn push(&mut self, at: u64, to: usize, what: Option<(SocketAddr, Vec<u8>)>) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, to, what)));
    }

    fn handle(&mut self, i: usize, input: Input<'_>) {
        let now = Instant::from_micros(self.now);
        let mut buf = [0; 1_400];
        counted(|| self.nodes[i].handle(now, input));
        while let Some(t) = counted(|| self.nodes[i].poll_transmit(&mut buf)) {
            if !self.lost() {
                self.push(self.now + 2_000, index(t.to), Some((addr(i), buf[..t.len].to_vec())));
            }
        }
        while let Some(e) = counted(|| self.nodes[i].poll_event()) {
            match e {
                Event::MemberSuspect { .. } => self.suspected += 1,
                Event::Refuted { .. } => self.refuted += 1,
                Event::MemberDown { .. } => self.down += 1,
                _ => {}
            }
        }
        if let Some(at) = counted(|| self.nodes[i].poll_timeout()) {
            self.push(at.as_micros(), i, None);
        }
    }

    fn run_to(&mut self, end: u64) {
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Some(Reverse((at, _, to, what))) = self.queue.pop() else { break };
            self.now = at;
            match what {
                Some((from, bytes)) => self.handle(to, Input::Datagram { from, bytes: &bytes }),
                // A timer that was set and then moved is a call too early: harmless, and not made.
                None if self.nodes[to].poll_timeout().is_some_and(|due| due.as_micros() <= at) => {
                    self.handle(to, Input::Timeout);
                }
                None => {}
            }
        }
        self.now = end;
    }
}

#[test]
fn two_hundred_nodes_for_ten_minutes() {
    const SECOND: u64 = 1_000_000;
    let n = 200;
    let mut net = Net::new(n, &Config::lan("quiet"));
    for i in 1..n {
        net.handle(i, Input::Command(Command::Join(&[addr(0)])));
        net.run_to(net.now + 10_000);
    }
    net.run_to(60 * SECOND);
    assert!(net.nodes.iter().all(|x| x.live_count() == n), "everybody is admitted before counting begins");
    assert!(allocations() > 0, "the counter counts: admitting members allocates");

    // Warm-up under the loss that is counted: what grows on first use has grown.
    net.loss_percent = 15;
    net.run_to(120 * SECOND);
    let synced = |net: &Net| {
        let sum = |f: fn(&Stats) -> u64| net.nodes.iter().map(|x| f(x.stats())).sum::<u64>();
        (sum(|s| s.syncs), sum(|s| s.pages_received), sum(|s| s.rows_pushed))
    };
    let (before, suspected, refuted, syncs) = (allocations(), net.suspected, net.refuted, synced(&net));
    net.run_to((120 + 600) * SECOND);
    let (suspected, refuted) = (net.suspected - suspected, net.refuted - refuted);
    println!("{n} nodes, 600 s, 15 % loss: {suspected} suspicions, {refuted} refutations, {} deaths", net.down);
    assert!(suspected > 1_000 && refuted > 10, "the run has seen suspicions and refutations");
    assert_eq!(net.down, 0, "and no deaths");
    let after = synced(&net);
    let (syncs, pages, pushed) = (after.0 - syncs.0, after.1 - syncs.1, after.2 - syncs.2);
    println!("  {syncs} syncs with {pages} pages, {pushed} rows pushed");
    assert!(syncs > 100 && pages > 100 && pushed > 100, "and syncs that bring something");
    assert_eq!(allocations() - before, 0);
}
