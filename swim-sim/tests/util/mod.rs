//! Batches over seeds, and the cluster they start from.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses its part")]

use std::time::Duration;

pub use conformance::{is_down, is_suspect, over_seeds, summary};
use swim_core::{Config, Event, Instant};
use swim_sim::{NodeIx, World, millis, secs};

/// `n` nodes that have joined through the first, 20 ms apart, all see each other, and have nothing more to tell.
pub fn cluster(seed: u64, n: usize, config: Config) -> (World, Vec<NodeIx>) {
    let mut w = World::with_config(seed, config);
    let nodes: Vec<NodeIx> = (0..n)
        .map(|i| {
            let node = w.spawn(&format!("n{i}"));
            if i > 0 {
                w.join(node, &[NodeIx::FIRST]);
            }
            w.run(millis(20));
            node
        })
        .collect();
    let quiet = |w: &World| w.all_see(n) && w.is_at_rest();
    w.run_until(secs(120), quiet).expect("the cluster forms");
    (w, nodes)
}

/// What a node has told since `from`.
pub fn since(w: &World, node: NodeIx, from: Instant) -> impl Iterator<Item = &(Instant, Event)> {
    w.events(node).iter().filter(move |(at, _)| *at >= from)
}

pub fn seconds(d: Duration) -> f64 {
    d.as_secs_f64()
}
