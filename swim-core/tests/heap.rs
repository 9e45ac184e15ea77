//! What a member costs: bytes of heap per row of a table, counted by the allocator itself.
//!
//! `cargo test --release -p swim-core --test heap -- --nocapture` prints the table. Unoptimised, where a node compares every
//! index with what it stands for, the large one is a tenth as large.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use swim_core::wire::{Change, Detail, Item, Message, More, StateEntry, StateHead};
use swim_core::{Config, Identity, Input, Instant, Node, NodeId, Profile, Status};
use util::{Peer, addr, inc, peer, row, written};

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
    drain(node);
}

fn drain(node: &mut Node) {
    let mut out = [0; 1_400];
    while counted(|| node.poll_transmit(&mut out)).is_some() {}
    while node.poll_event().is_some() {}
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
        [(1_000, "short profile", 0, 130.0), (LARGE, "short profile", 0, 130.0), (LARGE, "40 B of metadata", 40, 205.0)]
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
                drain(&mut node);
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
