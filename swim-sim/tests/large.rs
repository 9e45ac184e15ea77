//! What a large world costs: `cargo test --release -p swim-sim --test large -- --nocapture`.
//!
//! Unoptimised, the clusters are a tenth as large. Ten thousand nodes are an example of this crate, `ten_thousand`.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

use swim_core::{Config, State};
use swim_sim::{NodeIx, World, millis, secs};
use util::seconds;

struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn taken(bytes: usize) {
    LIVE.set(LIVE.get().wrapping_add(bytes));
    PEAK.set(PEAK.get().max(LIVE.get()));
}

fn given_back(bytes: usize) {
    // Of another thread, now and then: what the harness hands to a test.
    LIVE.set(LIVE.get().saturating_sub(bytes));
}

// SAFETY: every call is passed on to the system allocator unchanged; the counters are plain thread-local cells without
// destructors, so they can be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be alive for a moment.
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TENTH: usize = if cfg!(debug_assertions) { 10 } else { 1 };

fn spawn(w: &mut World, n: usize) -> Vec<NodeIx> {
    (0..n).map(|i| w.spawn(&format!("n{i}"))).collect()
}

/// One member as one node sees it, everything in: what the node keeps of it, what its driver does, and the world.
#[test]
fn a_row_takes_few_bytes() {
    let n = 1_000 / TENTH;
    for reserved in [n, Config::lan("sim").members_reserved] {
        let mut config = Config::lan("sim");
        config.members_reserved = reserved;
        let start = LIVE.get();
        let mut alone = World::with_config(1, Config::lan("sim"));
        spawn(&mut alone, n);
        let per_node = (LIVE.get() - start) / n;
        drop(alone);

        let start = LIVE.get();
        PEAK.set(start);
        let mut w = World::with_config(1, config);
        w.log_events = false;
        let nodes = spawn(&mut w, n);
        w.acquaint(&nodes);
        assert!(w.all_see(n), "all see all");
        w.run_until(secs(60), World::is_at_rest).expect("there is nothing more to tell");
        w.run(secs(10));
        let per_row = |bytes: usize| (bytes - start).saturating_sub(n * per_node) as f64 / (n * n) as f64;
        let (live, peak) = (per_row(LIVE.get()), per_row(PEAK.get()));
        println!(
            "{n} nodes, room for {reserved} reserved: {per_node} bytes per node, {live:.1} per row, at most {peak:.1}"
        );
        assert!(per_node < 144 << 10, "{per_node} bytes of a node that knows nobody");
        // What is under way counts for more in a small world.
        let most = if TENTH == 1 { 140.0 } else { 300.0 };
        assert!(live < most && peak < 1.3 * most, "{live} bytes per row, {peak} at most");
    }
}

/// Nobody is to wait for ten minutes of a thousand nodes.
#[test]
fn a_thousand_nodes_pass_their_time() {
    let n = 1_000 / TENTH;
    let mut w = World::new(1);
    let nodes = spawn(&mut w, n);
    w.acquaint(&nodes);
    w.run_until(secs(60), World::is_at_rest).expect("there is nothing more to tell");
    let (from, watch, sent) = (w.now(), Instant::now(), w.sent_total().datagrams);
    w.run(secs(600));
    let (simulated, real) = (seconds(w.now().since(from)), watch.elapsed().as_secs_f64());
    let sent = w.sent_total().datagrams - sent;
    println!("{n} nodes that all know each other: {:.0} simulated seconds per second", simulated / real);
    println!("  {sent} datagrams in {simulated} s: {:.2} µs for each", 1e6 * real / sent as f64);
    assert!(w.all_see(n) && World::is_at_rest(&w), "and nothing happens");
    assert!((1.9..2.1).contains(&(sent as f64 / simulated / n as f64)), "but a ping and an ack per node and second");
}

/// As if they had joined: they agree, have soon nothing to tell, and find out who crashes and who comes.
#[test]
fn who_was_made_acquainted_is_a_cluster() {
    for seed in 1..=5 {
        let mut w = World::new(seed);
        let nodes = spawn(&mut w, 60);
        w.set_meta(nodes[7], &[7; 300]);
        w.run(millis(100));
        w.acquaint(&nodes);
        assert!(w.all_see(60) && w.all_agree(), "at once");
        assert!(w.nodes().all(|o| w.node(o).member(w.id(nodes[7])).is_some_and(|m| m.profile().meta() == [7; 300])));
        w.run_until(secs(10), World::is_at_rest).expect("there is nothing more to tell");
        w.run(secs(60));
        assert!(w.all_see(60) && World::is_at_rest(&w));
        assert!(w.nodes().all(|o| w.node(o).stats().suspicions == 0), "nobody suspects anybody");

        w.kill(nodes[seed as usize]);
        w.run_until(secs(60), |w| w.all_see(59)).expect("all find out");
        assert_eq!(w.sees(nodes[0], nodes[seed as usize]), Some(State::Dead));
        let late = w.spawn("late");
        w.join(late, &nodes[50..51]);
        w.run_until(secs(30), |w| w.all_see(60) && w.all_agree()).expect("who comes is seen");
    }
}
