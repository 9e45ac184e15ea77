//! Many start at once and join through one: until all see all.

use std::time::Duration;

use super::peer::Peer;
use super::world::{SECOND, World};
use super::{Plan, each_seed};
use crate::table::{Row, bounded, p99_of, percentile};

/// All start within this time.
const AT_ONCE: u64 = SECOND / 1_000;
/// Foca takes minutes of the cluster to join so many, and with them minutes of real time: no more runs of it than this.
const THEIRS_MANY: u64 = 3;
/// How long is waited for that.
const PATIENCE: u64 = 600 * SECOND;

struct Outcome {
    /// Seconds: infinite when it did not come to that.
    seconds: f64,
    /// Seconds that were waited for.
    waited: f64,
    /// Pairs of which the one did not see the other in the end.
    unseen: usize,
}

fn outcomes<P: Peer>(plan: &Plan, nodes: usize, seeds: u64, real: Duration) -> Vec<Outcome> {
    let of_seed = |seed| {
        let mut world = World::<P>::joining(nodes, seed, AT_ONCE, plan.tuning);
        let at = world.until(PATIENCE, Some(real), |net| net.views.all_see_all());
        Outcome {
            seconds: at.map_or(f64::INFINITY, |at| at as f64 / SECOND as f64),
            waited: world.net.now().min(PATIENCE) as f64 / SECOND as f64,
            unseen: world.net.views.unseen(),
        }
    };
    let all = each_seed(plan, seeds, of_seed);
    eprintln!("join of {nodes} of {}: {} clusters", P::NAME, all.len());
    all
}

pub(super) fn rows<A: Peer, B: Peer>(plan: &Plan) -> Vec<Row> {
    let real = Duration::from_secs(plan.real_seconds);
    let few = [outcomes::<A>(plan, plan.nodes, plan.seeds, real), outcomes::<B>(plan, plan.nodes, plan.seeds, real)];
    let many = [
        outcomes::<A>(plan, plan.many, plan.seeds_many, real),
        outcomes::<B>(plan, plan.many, plan.seeds_many.min(THEIRS_MANY), real),
    ];
    vec![row(plan.nodes, &few, 5.0, 3.0), row(plan.many, &many, 10.0, 5.0)]
}

fn row(nodes: usize, [a, b]: &[Vec<Outcome>; 2], gate: f64, aim: f64) -> Row {
    let p99 = |all: &[Outcome]| percentile(&all.iter().map(|outcome| outcome.seconds).collect::<Vec<_>>(), 99);
    let told = |all: &[Outcome]| {
        let waited = all.iter().map(|outcome| outcome.waited).fold(0.0, f64::max);
        let unseen = all.iter().map(|outcome| outcome.unseen).max().unwrap_or(0);
        let unseen = if unseen > 0 { format!(", up to {unseen} pairs unseen") } else { String::new() };
        format!("{} ({} of {} runs{unseen})", bounded(p99(all), waited), p99_of(all.len()), all.len())
    };
    let (ours, foca) = (p99(a), p99(b));
    Row {
        what: format!("join of {nodes} through one seed at once, all see all: s"),
        ours: told(a),
        theirs: told(b),
        ratio: Some(ours / foca).filter(|ratio| *ratio > 0.0),
        gate: format!("≤ {gate}"),
        aim: aim.to_string(),
        holds: Some((ours <= gate, ours <= aim)),
    }
}
