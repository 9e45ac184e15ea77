//! The promise *quiet*: after its members are admitted, a node allocates nothing to probe, answer, gossip, suspect or
//! refute. Counted by the allocator itself, switched on only inside calls of `Node`.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::wire::{Message, Summary};
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

const SECOND: u64 = 1_000_000;

/// So many nodes that have met within a minute.
fn met(n: usize, config: &Config) -> Net {
    let mut net = Net::new(n, config);
    for i in 1..n {
        net.handle(i, Input::Command(Command::Join(&[addr(0)])));
        net.run_to(net.now + 10_000);
    }
    net.run_to(60 * SECOND);
    assert!(net.nodes.iter().all(|x| x.live_count() == n), "everybody is admitted before counting begins");
    net
}

#[test]
fn two_hundred_nodes_for_ten_minutes() {
    let n = 200;
    let mut net = met(n, &Config::lan("quiet"));
    assert!(allocations() > 0, "the counter counts: admitting members allocates");

    // Warm-up under the loss that is counted: what grows on first use has grown.
    net.loss_percent = 22;
    net.run_to(120 * SECOND);
    let synced = |net: &Net| {
        let sum = |f: fn(&Stats) -> u64| net.nodes.iter().map(|x| f(x.stats())).sum::<u64>();
        (sum(|s| s.syncs), sum(|s| s.pages_received), sum(|s| s.rows_pushed))
    };
    let (before, suspected, refuted, syncs) = (allocations(), net.suspected, net.refuted, synced(&net));
    let seconds = if cfg!(debug_assertions) { 150 } else { 600 };
    net.run_to((120 + seconds) * SECOND);
    let (suspected, refuted) = (net.suspected - suspected, net.refuted - refuted);
    println!("{n} nodes, {seconds} s, 22 % loss: {suspected} suspicions, {refuted} refutations, {} deaths", net.down);
    // As many in the full time as ever.
    let (suspected_min, refuted_min, synced_min) = if cfg!(debug_assertions) { (250, 2, 25) } else { (1_000, 10, 100) };
    assert!(suspected > suspected_min && refuted > refuted_min, "the run has seen suspicions and refutations");
    assert_eq!(net.down, 0, "and no deaths");
    let after = synced(&net);
    let (syncs, pages, pushed) = (after.0 - syncs.0, after.1 - syncs.1, after.2 - syncs.2);
    println!("  {syncs} syncs with {pages} pages, {pushed} rows pushed");
    assert!([syncs, pages, pushed].iter().all(|&count| count > synced_min), "and syncs that bring something");
    assert_eq!(allocations() - before, 0);
}

impl Net {
    fn put(&mut self, i: usize, key: &str, value: &[u8]) {
        self.handle(i, Input::Command(Command::Put { key, value, ttl: None }));
    }

    fn broadcast(&mut self, i: usize, payload: &[u8]) {
        self.handle(i, Input::Command(Command::Broadcast { topic: "topic", payload }));
    }

    fn run_for(&mut self, micros: u64) {
        self.run_to(self.now + micros);
    }

    fn sum(&self, of: fn(&Stats) -> u64) -> u64 {
        self.nodes.iter().map(|x| of(x.stats())).sum()
    }

    fn agree(&self) -> bool {
        self.nodes.iter().all(|x| x.app_hash() == self.nodes[0].app_hash())
    }
}

/// Probes, acks, gossip and syncs of nodes that hold states and rumors of each other, of which nothing changes.
#[test]
fn states_and_rumors_at_rest() {
    let mut config = Config::lan("rest");
    (config.rumor_ttl, config.tombstone_ttl) = (Duration::from_secs(3_600), Duration::from_secs(14_400));
    let mut net = met(50, &config);
    for i in 0..50 {
        (0..4).for_each(|k| net.put(i, &format!("key-{k}"), &[1; 40]));
        net.broadcast(i, &[2; 100]);
        net.run_for(SECOND / 10);
    }
    net.loss_percent = 22;
    net.run_for(120 * SECOND);
    assert!(net.agree() && net.nodes.iter().all(|x| x.rumors_kept() == 50 && x.state_stored() > 50 * 4 * 40));
    let (before, suspected) = (allocations(), net.suspected);
    net.run_for(300 * SECOND);
    assert!(net.suspected - suspected > 50, "there was gossip");
    assert_eq!(allocations() - before, 0);
}

/// Owners that write values of the same size again and again: one key each, or several at once.
#[test]
fn the_same_keys_for_a_minute() {
    let mut net = met(50, &Config::lan("keys"));
    net.loss_percent = 10;
    let write = |net: &mut Net, seconds: u64| {
        for step in 0..seconds * 10 {
            let value = [step as u8; 24];
            net.put(7, "load", &value);
            if step % 10 == 0 {
                (0..4).for_each(|k| net.put(31, ["a", "b", "c", "d"][k], &value));
            }
            net.run_for(SECOND / 10);
        }
    };
    write(&mut net, 180);
    let (before, applied) = (allocations(), net.sum(|s| s.deltas_applied));
    write(&mut net, 60);
    let applied = net.sum(|s| s.deltas_applied) - applied;
    println!("{applied} deltas applied, {} digests", net.sum(|s| s.digests_sent));
    assert!(applied > 5_000, "{applied} deltas were applied");
    assert_eq!(allocations() - before, 0);
}

/// Rumors of everybody, one after the other, once as many are kept as ever will be.
#[test]
fn rumors_at_a_steady_rate() {
    let mut config = Config::lan("rumors");
    (config.rumors_max, config.rumor_bytes) = (128, 8_192);
    let mut net = met(50, &config);
    net.loss_percent = 10;
    let tell = |net: &mut Net, seconds: u64| {
        for step in 0..seconds * 5 {
            net.broadcast(step as usize * 7 % 50, &[3; 100][..60 + step as usize % 40]);
            net.run_for(SECOND / 5);
        }
    };
    tell(&mut net, 120);
    let (before, received) = (allocations(), net.sum(|s| s.rumors_received));
    tell(&mut net, 60);
    let received = net.sum(|s| s.rumors_received) - received;
    assert!(received > 49 * 280 && net.sum(|s| s.rumors_evicted) > 0, "{received} rumors were received");
    assert_eq!(allocations() - before, 0);
}

/// What does allocate, as `docs/data.md` lists it, does so once.
#[test]
fn what_allocates() {
    let mut config = Config::lan("first");
    (config.rumor_ttl, config.rumors_max) = (Duration::from_secs(5), 16);
    let mut net = met(3, &config);
    let mut cost = |what: &str, act: &mut dyn FnMut(&mut Net)| {
        let before = allocations();
        act(&mut net);
        net.run_for(20 * SECOND);
        assert!(net.agree());
        println!("{what:60} {}", allocations() - before);
        allocations() - before
    };
    assert_eq!(cost("nothing", &mut |_| {}), 0);
    assert!(cost("the first write of a member", &mut |net| net.put(1, "k", b"1")) > 0);
    assert!(cost("the first write of another", &mut |net| net.put(2, "k", b"1")) > 0);
    assert_eq!(cost("another value of the same size", &mut |net| net.put(1, "k", b"2")), 0);
    assert!(cost("a state larger than it was", &mut |net| net.put(1, "k", &[3; 500])) > 0);
    assert_eq!(cost("a smaller one", &mut |net| net.put(1, "k", &[4; 90])), 0);
    assert_eq!(cost("as large as it was", &mut |net| net.put(1, "k", &[5; 500])), 0);
    assert!(cost("the first rumor of a member", &mut |net| net.broadcast(1, b"1")) > 0);
    assert_eq!(cost("the second, when the first is gone", &mut |net| net.broadcast(1, b"2")), 0);
    assert!(cost("more at once than ever", &mut |net| (0..16).for_each(|_| net.broadcast(1, b"3"))) > 0);
    assert_eq!(cost("as many once more", &mut |net| (0..16).for_each(|_| net.broadcast(1, b"4"))), 0);
}

/// So does a queue of what is wanted that is longer than any before.
#[test]
fn a_long_queue() {
    let (mut b, peers) = util::Bench::with_peers(util::config(), 150);
    let teller = peers[0];
    let mut ahead = |version: u32, of: &[util::Peer]| {
        let told = |p: &util::Peer| Summary { id: p.id, epoch: util::EPOCH, version, last: 0, floor: 0 };
        let bytes = util::written(&teller, |w| assert!(w.summaries(of.iter().map(told))));
        let before = allocations();
        let now = b.now;
        counted(|| b.node.handle(now, Input::Datagram { from: teller.addr, bytes: &bytes }));
        let cost = allocations() - before;
        // Whoever is asked has nothing.
        let (mut buf, mut asked) = ([0; 1_400], Vec::new());
        while let Some(t) = b.node.poll_transmit(&mut buf) {
            let frame = swim_core::wire::Frame::parse(&buf[..t.len]).unwrap();
            asked.extend(frame.message.filter(|m| matches!(m, Message::Digest { .. })));
        }
        while let Some(Message::Digest { nonce }) = asked.pop() {
            let nothing = util::written(&teller, |w| assert!(w.message(Message::Delta { nonce })));
            b.recv_from(teller.addr, &nothing);
            asked.extend(
                std::mem::take(&mut b.sent)
                    .iter()
                    .filter_map(|s| s.message())
                    .filter(|m| matches!(m, Message::Digest { .. })),
            );
        }
        cost
    };
    assert!(ahead(1, &peers) > 0, "all at once are more than there is room for");
    assert_eq!([ahead(2, &peers[10..30]), ahead(3, &peers), ahead(4, &peers)], [0; 3]);
}

/// Parsing a datagram allocates nothing, whatever it is: real ones of every kind, cut off and damaged, and such as promise more
/// than there can be.
#[test]
fn parsing_allocates_nothing() {
    let mut net = Net::new(5, &Config::lan("parse"));
    net.loss_percent = 20;
    let (mut kinds, mut parsed) = (std::collections::BTreeSet::new(), 0_u64);
    let before = allocations();
    let mut look = |bytes: &[u8]| {
        let whole = counted(|| swim_core::wire::Frame::parse(bytes).map(|f| f.message));
        parsed += 1;
        if let Ok(Some(message)) = whole {
            kinds.insert(format!("{message:?}").split(' ').next().unwrap_or_default().to_owned());
        }
    };
    let mut spoilt = Vec::new();
    let head = [0; 21];
    for kind in 0..=255 {
        // A section that says that it has 65 535 bytes, and one whose records say that they have as many as can be said.
        look(&[&head[..], &[kind, 0xff, 0xff, 0x03]].concat());
        look(&[&head[..], &[kind, 0x80, 0x08], &[0xff; 1_024]].concat());
    }
    assert_eq!(allocations(), before);
    one_of_each().iter().for_each(|bytes| look(bytes));
    for step in 0..4_000 {
        match step {
            0 => (1..5).for_each(|i| net.handle(i, Input::Command(Command::Join(&[addr(0)])))),
            2_000 => {
                (0..40).for_each(|k| net.put(1, &format!("key-{k}"), &[1; 40]));
                (0..10).for_each(|n| net.broadcast(2, &[n; 100]));
            }
            _ => {}
        }
        let sent: Vec<Vec<u8>> =
            net.queue.iter().filter_map(|Reverse((.., what))| what.as_ref().map(|w| w.1.clone())).collect();
        let before = allocations();
        for bytes in sent {
            look(&bytes);
            for at in (0..bytes.len()).step_by(3) {
                look(&bytes[..at]);
                spoilt.clear();
                spoilt.extend_from_slice(&bytes);
                spoilt[at] = [0xff, 0x80, 0, spoilt[at] ^ 1][at % 4];
                look(&spoilt);
            }
        }
        assert_eq!(allocations(), before);
        net.run_for(SECOND / 1_000);
    }
    println!("{parsed} datagrams, {kinds:?}");
    assert!(kinds.len() == 14 && parsed > 10_000, "{parsed} datagrams, {kinds:?}");
}

/// A frame with each message there is.
fn one_of_each() -> Vec<Vec<u8>> {
    let (p, target, nonce) = (util::peer(1), util::peer(2).id, 7);
    let messages = [
        Message::Ping { target, nonce },
        Message::Ack { nonce },
        Message::PingReq { target, nonce },
        Message::RelayedAck { nonce, incarnation: p.incarnation },
        Message::Nack { nonce },
        Message::NotMe { nonce },
        Message::Pull { nonce },
        Message::Page { nonce, next: 3 },
        Message::Push,
        Message::Delta { nonce },
        Message::Prove { nonce },
    ];
    let written = |write: &dyn Fn(&mut swim_core::wire::Writer<'_>) -> bool| util::written(&p, |w| assert!(write(w)));
    let mut all: Vec<Vec<u8>> = messages.iter().map(|&message| written(&|w| w.message(message))).collect();
    all.push(written(&|w| w.compare(nonce, 0, [(0, [7; 64])].into_iter())));
    all.push(written(&|w| w.differ(nonce, [1, 2].into_iter())));
    let digest = swim_core::wire::Digest { id: target, epoch: 1, version: 2, gc: 0, floor: 0, seen: 0 };
    all.push(written(&|w| w.digest(nonce, [digest].into_iter())));
    all
}
