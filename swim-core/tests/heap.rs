//! What a member costs: bytes of heap per row of a table, counted by the allocator itself.
//!
//! `cargo test --release -p swim-core --test heap -- --nocapture` prints the table. Unoptimised, where a node compares every
//! index with what it stands for, the large one is a tenth as large.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;

use swim_core::wire::{Change, Detail, Item, Message, More, StateEntry, StateHead};
use swim_core::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile, Status};
use util::{Peer, addr, frame, inc, peer, row, written};

struct Counting;

thread_local! {
    /// Only what a node takes counts, not the frames that it is handed.
    static ON: Cell<bool> = const { Cell::new(false) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    if !ON.get() {
        return;
    }
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call is passed on to the system allocator unchanged; the counters are plain thread-local cells without
// destructors, so they can be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be alive for a moment.
        add(size as isize);
        add(-(layout.size() as isize));
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a call of `Node` with the counters on.
fn counted<T>(call: impl FnOnce() -> T) -> T {
    ON.set(true);
    let result = call();
    ON.set(false);
    result
}

/// Rows of a large table.
const LARGE: u32 = if cfg!(debug_assertions) { 1_000 } else { 10_000 };

const NOW: Instant = Instant::from_millis(1_000);

/// A node that knows nobody yet, and has room for so many.
fn lone(members_reserved: usize) -> Node {
    let me = Identity { id: NodeId::from_name("me"), addr: addr(0), epoch: util::EPOCH, profile: Profile::default() };
    counted(|| {
        let mut config = Config::lan("c");
        config.members_reserved = members_reserved;
        Node::new(me, config, 1, NOW).unwrap()
    })
}

/// Hands a frame in and lets nothing out.
fn tell(node: &mut Node, from: &Peer, rows: &[Item<'_>], message: Option<Message>) {
    let frame = written(from, |w| {
        assert!(message.is_none_or(|m| w.message(m)) && w.open_rows() && rows.iter().all(|r| w.item(r)));
        w.close_section();
    });
    counted(|| node.handle(NOW, Input::Datagram { from: from.addr, bytes: &frame }));
    if let Some(cookie) = drain(node) {
        let bytes = &util::proven(frame, cookie);
        counted(|| node.handle(NOW, Input::Datagram { from: from.addr, bytes }));
        drain(node);
    }
}

/// Returns the cookie that was asked for last.
fn drain(node: &mut Node) -> Option<u64> {
    let (mut out, mut cookie) = ([0; 1_400], None);
    while let Some(sent) = counted(|| node.poll_transmit(&mut out)) {
        cookie = util::cookie_in(&out[..sent.len]);
    }
    while node.poll_event().is_some() {}
    cookie
}

/// Bytes of heap per row that `n` members with so much metadata add to a node: at last, and at most meanwhile.
fn per_row(n: u32, reserved: usize, meta: &[u8]) -> (f64, f64) {
    let names: Vec<String> = (1..=n).map(|i| format!("member-{i}")).collect();
    let item = |i: u32| {
        let detail = Detail { at: inc(0), addr: addr(i), name: &names[i as usize - 1], meta };
        Item { id: peer(i).id, status: Status::alive(inc(0)), more: More::Detail(detail) }
    };
    // What a node has before it knows anybody is no cost of its members, but for the room that is reserved for them.
    let before = LIVE.get();
    let alone = lone(0);
    let fixed = LIVE.get() - before;
    counted(|| drop(alone));
    let before = LIVE.get();
    let mut node = lone(reserved);
    tell(&mut node, &peer(1), &[row(&peer(1))], None);
    PEAK.set(LIVE.get());
    for i in 2..=n {
        tell(&mut node, &peer(1), &[item(i)], Some(Message::Push));
    }
    assert_eq!(node.live_count(), n as usize + 1);
    let per = |bytes: isize| (bytes - before - fixed) as f64 / f64::from(n);
    let result = (per(LIVE.get()), per(PEAK.get()));
    counted(|| drop(node));
    assert_eq!(LIVE.get(), before, "all that was counted is given back");
    result
}

/// The arrays of a table hold what they must and little more, also when it was not told how large it would become.
#[test]
fn a_row_is_small() {
    println!("bytes per row        reserved: live  peak   grown: live  peak");
    for (n, what, meta, most) in
        [(1_000, "short profile", 0, 110.0), (LARGE, "short profile", 0, 110.0), (LARGE, "40 B of metadata", 40, 195.0)]
    {
        let meta = vec![b'm'; meta];
        let (reserved, reserved_peak) = per_row(n, n as usize + 1, &meta);
        let (grown, grown_peak) = per_row(n, 16, &meta);
        println!("{n:6} {what:17} {reserved:9.1} {reserved_peak:5.1} {grown:13.1} {grown_peak:5.1}");
        assert!(reserved < most && grown < 1.2 * most && grown_peak < 1.6 * most, "{n} members, {what}");
    }
}

/// A frame of this member with its state: so many keys of 8 bytes with values of 24, written one after the other or at once.
fn state_frames(of: &Peer, keys: u32, at_once: bool) -> Vec<Vec<u8>> {
    let names: Vec<String> = (0..keys).map(|k| format!("key-{k:04}")).collect();
    let entry = |v: u32| StateEntry {
        version: v,
        key: &names[v as usize - 1],
        change: Change::Put { value: &[7; 24], ttl_ms: None },
    };
    let frame = |from: u32, upto: u32| {
        written(of, |w| {
            assert!(w.open_states());
            let head = StateHead { id: of.id, epoch: util::EPOCH, version: upto, gc: 0, from };
            assert_eq!(w.state(&head, usize::MAX, (from + 1..=upto).map(entry)), Some(upto));
            w.close_section();
        })
    };
    if at_once { vec![frame(0, keys)] } else { (0..keys).map(|v| frame(v, v + 1)).collect() }
}

/// What a member costs that says something of itself, beside its row: its keyspace, and the little that finds it.
#[test]
fn a_state_is_small() {
    const KEYS: u32 = 5;
    let n = LARGE;
    println!("bytes per member   row   state, of which records");
    for (how, at_once) in [("at once", true), ("one by one", false)] {
        let before = LIVE.get();
        let mut node = lone(n as usize + 1);
        tell(&mut node, &peer(1), &[row(&peer(1))], None);
        for i in 2..=n {
            tell(&mut node, &peer(1), &[row(&peer(i))], Some(Message::Push));
        }
        let rows = LIVE.get();
        for i in 1..=n {
            for bytes in state_frames(&peer(i), KEYS, at_once) {
                counted(|| node.handle(NOW, Input::Datagram { from: peer(i).addr, bytes: &bytes }));
                _ = drain(&mut node);
            }
        }
        assert_eq!(node.state(peer(n).id).count(), KEYS as usize);
        let per = |bytes: isize| bytes as f64 / f64::from(n);
        let (row, state, records) = (per(rows - before), per(LIVE.get() - rows), per(node.state_stored() as isize));
        println!("{n:6} {how:11} {row:5.1} {state:7.1} {records:7.1}");
        assert!(state < 340.0, "{state} bytes for {records} bytes of records, {how}");
        counted(|| drop(node));
    }
}

/// Joins that are forged, each under an id and from an address of its own.
const FORGED: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

/// Microseconds in which they come.
const FLOOD: u64 = 10_000_000;

/// Microseconds that a datagram of the honest one takes.
const LATENCY: u64 = 5_000;

/// A node that joins another one, and the wire between them.
struct Joiner {
    node: Node,
    addr: SocketAddr,
    /// When it comes, whether to the other one, and what.
    wire: VecDeque<(u64, bool, Vec<u8>)>,
    joined: Option<u64>,
}

impl Joiner {
    fn new(now: u64) -> Self {
        let addr = addr(200);
        let me = Identity { id: NodeId::from_name("honest"), addr, epoch: util::EPOCH, profile: Profile::default() };
        let node = Node::new(me, Config::lan("c"), 7, Instant::from_micros(now)).unwrap();
        Self { node, addr, wire: VecDeque::new(), joined: None }
    }

    fn handle(&mut self, now: u64, input: Input<'_>) {
        self.node.handle(Instant::from_micros(now), input);
        let mut out = [0; 1_400];
        while let Some(sent) = self.node.poll_transmit(&mut out) {
            if sent.to == addr(0) {
                self.wire.push_back((now + LATENCY, true, out[..sent.len].to_vec()));
            }
        }
        while let Some(event) = self.node.poll_event() {
            self.joined = self.joined.or(matches!(event, Event::Joined { .. }).then_some(now));
        }
    }

    /// Hands both ends what has come by now.
    fn run(&mut self, now: u64, other: &mut Node) {
        if self.node.poll_timeout().is_some_and(|at| at.as_micros() <= now) {
            self.handle(now, Input::Timeout);
        }
        while self.wire.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, there, bytes) = self.wire.pop_front().expect("it was just seen");
            if !there {
                self.handle(now, Input::Datagram { from: addr(0), bytes: &bytes });
                continue;
            }
            let input = Input::Datagram { from: self.addr, bytes: &bytes };
            counted(|| other.handle(Instant::from_micros(now), input));
            for (to, bytes) in sent(other) {
                if to == self.addr {
                    self.wire.push_back((now + LATENCY, false, bytes));
                }
            }
        }
    }
}

/// All that a node sends, and to whom.
fn sent(node: &mut Node) -> Vec<(SocketAddr, Vec<u8>)> {
    let (mut out, mut all) = ([0; 1_400], Vec::new());
    while let Some(sent) = counted(|| node.poll_transmit(&mut out)) {
        all.push((sent.to, out[..sent.len].to_vec()));
    }
    while node.poll_event().is_some() {}
    all
}

/// A forged join, and the longest answer that it may have: pulls and bare introductions of somebody who is not known, and
/// pulls that introduce nobody.
fn forged(n: u64) -> (Peer, Vec<u8>, usize) {
    let [.., a, b, c] = n.to_be_bytes();
    let p = Peer { id: NodeId::new(1 << 40 | n), addr: ([172, a, b, c], 7_946).into(), incarnation: inc(0) };
    let pull = Some(Message::Pull { nonce: n as u32 });
    let bytes = match n % 4 {
        0 => frame(&p, None, &[], &[row(&p)]),
        1 => frame(&p, pull, &[], &[]),
        2 => util::proven(frame(&p, pull, &[], &[row(&p)]), n),
        _ => frame(&p, pull, &[], &[row(&p)]),
    };
    let most = if n % 4 == 1 { 3 * bytes.len() } else { bytes.len() };
    (p, bytes, most)
}

/// Threat 11 of the model: whoever is not heard at its address gets no row, costs no memory, and keeps nobody from joining.
#[test]
fn a_flood_of_forged_joins_is_borne() {
    let mut node = lone(16);
    for i in 1..=3 {
        tell(&mut node, &peer(i), &[row(&peer(i))], None);
    }
    assert_eq!(node.live_count(), 4);
    let begin = NOW.as_micros() + 1_000_000;
    counted(|| node.handle(Instant::from_micros(begin), Input::Timeout));
    sent(&mut node);
    let (before, heap) = (*node.stats(), LIVE.get());
    let (mut joiner, mut answers) = (None, 0);
    for n in 0..FORGED {
        let now = begin + n * FLOOD / FORGED;
        if node.poll_timeout().is_some_and(|at| at.as_micros() <= now) {
            counted(|| node.handle(Instant::from_micros(now), Input::Timeout));
            sent(&mut node);
        }
        let (p, bytes, most) = forged(n);
        counted(|| node.handle(Instant::from_micros(now), Input::Datagram { from: p.addr, bytes: &bytes }));
        let answer = sent(&mut node);
        assert!(answer.len() <= 1, "{} answers to one", answer.len());
        for (to, answer) in answer {
            assert_eq!(to, p.addr);
            assert!(answer.len() <= most, "{} bytes to {}", answer.len(), bytes.len());
            answers += 1;
        }
        if n == FORGED / 3 {
            let mut honest = Joiner::new(now);
            honest.handle(now, Input::Command(Command::Join(&[addr(0)])));
            joiner = Some((now, honest));
        }
        if let Some((_, honest)) = &mut joiner {
            honest.run(now, &mut node);
        }
    }
    let (began, honest) = joiner.expect("it has begun");
    let took = honest.joined.expect("it has joined") - began;
    let unproven = node.stats().introductions_unproven - before.introductions_unproven;
    let grown = LIVE.get() - heap;
    println!(
        "{FORGED} forged joins: {answers} answers, {grown} bytes of heap; an honest join took {} ms",
        took / 1_000
    );
    assert!(took < 2_000_000, "{took} us");
    assert_eq!((node.members().count(), node.member(honest.node.me().id()).is_some()), (5, true));
    assert!(grown <= 1_024, "{grown} bytes");
    // The honest one is asked as well.
    assert_eq!(unproven, FORGED / 4 * 3 + 1);
    assert!(answers > FORGED / 2);
    assert_eq!(node.check(), Ok(()));
}
