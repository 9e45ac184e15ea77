//! Batches over seeds, and the cluster they start from.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use swim_core::{Config, Event, Instant};
use swim_sim::{NodeIx, World, millis, secs};

/// The seeds of a batch: `SWIM_SEED=n` alone, or the first `SWIM_SEEDS`, or the first `few`.
pub fn seeds(few: u64) -> Vec<u64> {
    let read = |name| {
        std::env::var(name).ok().map(|v| v.parse::<u64>().unwrap_or_else(|_| panic!("{name}={v}: not a number")))
    };
    match (read("SWIM_SEED"), read("SWIM_SEEDS")) {
        (Some(one), _) => vec![one],
        (None, Some(n)) => (1..=n).collect(),
        (None, None) => (1..=few).collect(),
    }
}

/// Runs `f` for every seed, on all cores; results come in the order of the seeds. A failure names its seed.
pub fn over_seeds<T: Send>(few: u64, f: impl Fn(u64) -> T + Sync) -> Vec<T> {
    over_at_most(few, usize::MAX, f)
}

/// The same, for runs so long that a large batch is too much.
pub fn over_at_most<T: Send>(few: u64, most: usize, f: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let mut seeds = seeds(few);
    seeds.truncate(most);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(seeds.len());
    let work = || {
        let mut done = Vec::new();
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let hint = Hint(seed);
            done.push((seed, f(seed)));
            std::mem::forget(hint);
        }
        done
    };
    let mut all: Vec<(u64, T)> = std::thread::scope(|s| {
        let workers: Vec<_> = (0..threads).map(|_| s.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all.into_iter().map(|(_, t)| t).collect()
}

/// Dropped only by a panic: then it says how to run that seed alone.
struct Hint(u64);

impl Drop for Hint {
    fn drop(&mut self) {
        eprintln!("failed at seed {0}; rerun with SWIM_SEED={0} and the name of this test", self.0);
    }
}

/// Mean, standard error, median, 99th percentile and maximum.
pub struct Summary {
    pub mean: f64,
    pub error: f64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

pub fn summary(values: impl IntoIterator<Item = f64>) -> Summary {
    let mut v: Vec<f64> = values.into_iter().collect();
    assert!(!v.is_empty());
    v.sort_by(f64::total_cmp);
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let variance = v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let at = |q: f64| v[((n - 1.0) * q).round() as usize];
    Summary { mean, error: (variance / n).sqrt(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mean, error, p50, p99, max } = self;
        write!(f, "mean {mean:.3} ± {error:.3} (standard error), median {p50:.3}, p99 {p99:.3}, max {max:.3}")
    }
}

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
    let quiet = |w: &World| w.all_see(n) && w.all_agree() && w.nodes().all(|i| w.node(i).gossip_queued() == 0);
    w.run_until(secs(120), quiet).expect("the cluster forms");
    (w, nodes)
}

/// Five nodes, 5 ms links, one second per period: the scenarios' usual setting.
pub fn five(seed: u64) -> (World, [NodeIx; 5]) {
    let mut w = World::with_config(seed, Config::lan("sim"));
    (w.link.latency_min, w.link.latency_max) = (millis(5), millis(5));
    let nodes: [NodeIx; 5] = std::array::from_fn(|i| {
        let node = w.spawn(&format!("n{i}"));
        if i > 0 {
            w.join(node, &[NodeIx::FIRST]);
        }
        w.run(millis(130));
        node
    });
    let quiet = |w: &World| w.all_see(5) && w.all_agree() && w.nodes().all(|i| w.node(i).gossip_queued() == 0);
    w.run_until(secs(30), quiet).expect("the cluster forms");
    (w, nodes)
}

/// What a node has told since `from`.
pub fn since(w: &World, node: NodeIx, from: Instant) -> impl Iterator<Item = &(Instant, Event)> {
    w.events(node).iter().filter(move |(at, _)| *at >= from)
}

pub fn is_down(e: &Event) -> bool {
    matches!(e, Event::MemberDown { .. })
}

pub fn is_suspect(e: &Event) -> bool {
    matches!(e, Event::MemberSuspect { .. })
}

pub fn seconds(d: Duration) -> f64 {
    d.as_secs_f64()
}
