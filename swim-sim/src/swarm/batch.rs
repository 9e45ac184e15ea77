//! Many runs, on as many threads as are wanted; what comes out does not depend on how many.

use std::time::Duration;

use crate::parallel::in_parallel;
use crate::rng::mix64;
use crate::swarm::coverage::Coverage;
use crate::swarm::plan::Plan;
use crate::swarm::run::{Outcome, run};
use crate::swarm::violation::Violation;

/// Runs of a batch whose coverage must be complete. Fewer need not come across everything.
pub const COVERING: u64 = 300;

/// Which runs, and how.
#[derive(Clone, Copy, Debug)]
pub struct BatchArgs {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// On so many threads; at least one.
    pub threads: usize,
    /// Whether runs behind the first that fails are left out.
    pub stop: bool,
}

/// What came of a batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch {
    /// Runs that were made: all, or those up to the first that failed.
    pub runs: u64,
    /// The runs that failed, by their seeds.
    pub failures: Vec<(u64, Violation)>,
    /// What took place in all of them.
    pub coverage: Coverage,
    /// A hash over the digests of all runs.
    pub digest: u64,
    /// Seconds that processes have lived, all together.
    pub node_seconds: f64,
    /// The longest calm until a cluster was one again, as a part of its bound, with its seed.
    pub slowest: Option<(f64, Duration, u64)>,
}

/// Runs the plans of these seeds.
pub fn batch(args: BatchArgs) -> Batch {
    batch_of(args, Plan::draw)
}

/// Runs plans that are drawn otherwise: changed, say.
pub fn batch_of(args: BatchArgs, draw: impl Fn(u64) -> Plan + Sync) -> Batch {
    let work = |i| run(&draw(args.from.wrapping_add(i)));
    let ends = |outcome: &Outcome| args.stop && outcome.violation.is_some();
    sum(in_parallel(args.threads, args.seeds, work, ends).into_iter())
}

fn sum(outcomes: impl Iterator<Item = Outcome>) -> Batch {
    let mut batch = Batch {
        runs: 0,
        failures: Vec::new(),
        coverage: Coverage::expected(),
        digest: 0,
        node_seconds: 0.0,
        slowest: None,
    };
    for outcome in outcomes {
        batch.runs += 1;
        batch.coverage.add(&outcome.coverage);
        batch.digest = mix64(batch.digest.rotate_left(1) ^ outcome.digest);
        batch.node_seconds += outcome.node_seconds;
        if let Some((took, bound)) = outcome.calm {
            let part = took.as_secs_f64() / bound.total().as_secs_f64();
            if batch.slowest.is_none_or(|(most, ..)| part > most) {
                batch.slowest = Some((part, took, outcome.seed));
            }
        }
        batch.failures.extend(outcome.violation.map(|violation| (outcome.seed, violation)));
    }
    batch
}
