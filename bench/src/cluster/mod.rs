//! Clusters of both in one virtual network: what they send, how soon a crash is known, how long a join takes, and how
//! fast a machine simulates them.
//!
//! Both have a period of a second and their own configuration for local networks, the same latencies and the same loss.
//! Nothing is quoted: every figure is of this run. All but the speeds and where a run is cut short in real time follows
//! from the seeds.

mod crash;
mod foca;
mod join;
mod net;
mod ours;
mod peer;
mod speed;
mod traffic;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use foca::Theirs;
use ours::Ours;
use peer::Peer;

use crate::table;
use crate::tuning::Tuning;

/// What is run, and how often.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Nodes of a cluster.
    #[arg(long, default_value_t = 100, value_parser = nodes)]
    nodes: usize,
    /// Nodes of a large one: of a join, and of the speed of simulation.
    #[arg(long, default_value_t = 1_000, value_parser = nodes)]
    many: usize,
    /// Runs of each kind: seeds from the first one on. Of traffic at most five.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..))]
    seeds: u64,
    /// Runs of large joins; foca's at most three.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seeds_many: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Loss, in per cent.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 10, 20])]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=90))]
    loss: Vec<u64>,
    /// Periods that are waited for after a crash.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    window: u64,
    /// Seconds of real time that one join may take before it is cut short.
    #[arg(long, default_value_t = 60)]
    real_seconds: u64,
    /// Runs at a time; speeds are measured one at a time in any case.
    #[arg(long, default_value_t = 2, value_parser = jobs)]
    jobs: usize,
    /// Only these rows.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Traffic,
    Crash,
    Join,
    Speed,
}

fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("a number from {least} to {most}"))
}

fn nodes(text: &str) -> Result<usize, String> {
    within(text, 3, 10_000)
}

fn jobs(text: &str) -> Result<usize, String> {
    within(text, 1, 64)
}

pub(crate) fn run(plan: &Plan) -> Result<(), String> {
    let is_wanted = |kind| plan.only.is_empty() || plan.only.contains(&kind);
    // Before anything else keeps the machine busy.
    let speed = if is_wanted(Kind::Speed) { speed::rows::<Ours, Theirs>(plan)? } else { Vec::new() };
    let mut rows = Vec::new();
    if is_wanted(Kind::Traffic) {
        rows.extend(traffic::rows::<Ours, Theirs>(plan)?);
    }
    if is_wanted(Kind::Crash) {
        rows.extend(crash::rows::<Ours, Theirs>(plan)?);
    }
    if is_wanted(Kind::Join) {
        rows.extend(join::rows::<Ours, Theirs>(plan));
    }
    rows.extend(speed);
    plan.tuning.print();
    table::print("foca", &rows);
    Ok(())
}

/// Those of which a cluster has come: said when it is not all, and an error when it is none.
fn formed<P: Peer, R>(runs: Vec<Option<R>>) -> Result<Vec<R>, String> {
    let (all, formed) = (runs.len(), runs.into_iter().flatten().collect::<Vec<_>>());
    if formed.len() < all {
        eprintln!("{} of {all} clusters of {} have not formed, and do not count", all - formed.len(), P::NAME);
    }
    if formed.is_empty() { Err(format!("no cluster of {} has formed", P::NAME)) } else { Ok(formed) }
}

/// What comes of each seed, in their order, several at a time.
fn each_seed<R: Send>(plan: &Plan, seeds: u64, of_seed: impl Fn(u64) -> R + Sync) -> Vec<R> {
    let next = AtomicU64::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let result = of_seed(plan.first + seed);
                    results.lock().expect("no run panics while it holds this").push((seed, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("all runs are over");
    results.sort_by_key(|&(seed, _)| seed);
    results.into_iter().map(|(_, result)| result).collect()
}
