//! One run: chaos, calm, and what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use swim_core::Instant;

use crate::host::Life;
use crate::rng::mix64;
use crate::swarm::bound::Bound;
use crate::swarm::chaos::Chaos;
use crate::swarm::coverage::Coverage;
use crate::swarm::plan::Plan;
use crate::swarm::violation::{Checker, Violation};

/// What came of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The first rule that was broken, if one was.
    pub violation: Option<Violation>,
    /// What took place.
    pub coverage: Coverage,
    /// A hash over everything that the nodes have sent and told.
    pub digest: u64,
    /// Seconds that processes have lived, all together.
    pub node_seconds: f64,
    /// How long it took until the cluster was one again, and how long it may have taken.
    pub calm: Option<(Duration, Bound)>,
}

/// Runs a plan.
pub fn run(plan: &Plan) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| run_watched(plan))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()));
        let text = text.unwrap_or_else(|| "without a word".into());
        Outcome {
            seed: plan.seed,
            violation: Some(Violation { checker: Checker::Panic, node: None, at: Instant::ORIGIN, text }),
            coverage: Coverage::expected(),
            digest: 0,
            node_seconds: 0.0,
            calm: None,
        }
    })
}

fn run_watched(plan: &Plan) -> Outcome {
    let mut chaos = Chaos::new(plan);
    chaos.run();
    let calm = (!chaos.world.is_halted()).then(|| chaos.calm(plan.config.probe_interval));
    let mut watch = chaos.world.watch.take().expect("a run is watched from its beginning");
    let world = &chaos.world;
    let living = world.nodes().filter(|&node| world.host(node).life != Life::Ended);
    watch.finish(world.now(), living.map(|node| (node, world.node(node))));
    let suspicions = watch.coverage.counts().find(|&(name, _)| name == "node: suspicions").map_or(0, |(_, n)| n);
    if plan.is_quiet() && suspicions > 0 {
        watch.report(Checker::Quiet, None, world.now(), format!("{suspicions} suspicions, and nothing went wrong"));
    }
    let mut coverage = watch.coverage;
    coverage.network(&world.network());
    coverage.count("lives replayed", watch.lives.replayed);
    coverage.count("lives replayed from a keyframe", watch.lives.from_keyframe);
    coverage.count("lives restored", watch.lives.restored);
    let broken = watch.violation.as_ref().map_or(0, |violation| 1 + violation.checker as u64);
    Outcome {
        seed: plan.seed,
        digest: mix64(world.digest() ^ mix64(world.now().as_micros()) ^ broken),
        violation: watch.violation,
        coverage,
        node_seconds: chaos.node_micros as f64 / 1e6,
        calm,
    }
}
