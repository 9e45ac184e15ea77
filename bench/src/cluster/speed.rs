//! How fast a large cluster that is at rest is simulated: by `swim-sim`, pump, envelope and all, and by the bare
//! network of this command, in which both are driven alike. On one thread.

use std::time::Instant;

use super::Plan;
use super::peer::Peer;
use super::world::{SECOND, World};
use crate::table::{Row, percentile};

const BATCHES: usize = 7;
/// Seconds of the cluster in each batch.
const SPAN: u64 = 30;

fn sim(plan: &Plan) -> swim_sim::World {
    let mut config = plan.tuning.config();
    config.members_reserved = plan.many;
    let mut world = swim_sim::World::with_config(plan.first, config);
    world.log_events = false;
    let nodes: Vec<_> = (0..plan.many).map(|node| world.spawn(&format!("node-{node}"))).collect();
    world.acquaint(&nodes);
    world.run_until(swim_sim::secs(600), swim_sim::World::is_at_rest).expect("there is nothing more to tell");
    // Seconds without news, so that what was kept of it has gone.
    world.run(swim_sim::secs(10));
    world
}

fn bare<P: Peer>(plan: &Plan) -> Result<World<P>, String> {
    let formed = World::<P>::meeting(plan.many, plan.first, plan.tuning).formed();
    let mut world = formed.ok_or_else(|| format!("{} nodes of {} became no cluster", plan.many, P::NAME))?;
    world.run(10 * SECOND);
    Ok(world)
}

pub(super) fn rows<A: Peer, B: Peer>(plan: &Plan) -> Result<Vec<Row>, String> {
    let (mut sim, mut ours, mut foca) = (sim(plan), bare::<A>(plan)?, bare::<B>(plan)?);
    eprintln!("clusters of {} that are at rest", plan.many);
    let mut speeds = [(); 3].map(|()| Vec::with_capacity(BATCHES));
    for _ in 0..BATCHES {
        let [of_sim, of_ours, of_foca] = &mut speeds;
        of_sim.push(timed(|| sim.run(swim_sim::secs(SPAN))));
        of_ours.push(timed(|| ours.run(SPAN * SECOND)));
        of_foca.push(timed(|| foca.run(SPAN * SECOND)));
    }
    let node_seconds = (plan.many as u64 * SPAN) as f64;
    let [of_sim, of_ours, of_foca] = speeds.map(|all| Speed::median(node_seconds, &all));
    let what = format!(
        "node-seconds per s (per s of CPU), one core, N={}, at rest, median of {BATCHES} batches of {SPAN} s",
        plan.many
    );
    Ok(vec![
        Row {
            what: format!("{what}: `swim-sim`, pump and envelope in"),
            ours: of_sim.to_string(),
            theirs: "–".into(),
            ratio: None,
            gate: "≥ 0.5 M".into(),
            aim: "1 M".into(),
            holds: Some((of_sim.real >= 0.5e6, of_sim.real >= 1e6)),
        },
        Row {
            what: format!("{what}: bare cores in the network of this command"),
            ours: of_ours.to_string(),
            theirs: of_foca.to_string(),
            ratio: Some(of_ours.real / of_foca.real),
            ..Row::default()
        },
    ])
}

/// Node-seconds per second of real time, and of what this thread had of a processor, where the system tells.
#[derive(Clone, Copy)]
struct Speed {
    real: f64,
    cpu: Option<f64>,
}

impl Speed {
    fn median(node_seconds: f64, times: &[(f64, Option<f64>)]) -> Self {
        let real: Vec<f64> = times.iter().map(|&(real, _)| real).collect();
        let cpu: Option<Vec<f64>> = times.iter().map(|&(_, cpu)| cpu).collect();
        Self { real: node_seconds / percentile(&real, 50), cpu: cpu.map(|cpu| node_seconds / percentile(&cpu, 50)) }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} M", self.real / 1e6)?;
        self.cpu.map_or(Ok(()), |cpu| write!(f, " ({:.3} M)", cpu / 1e6))
    }
}

/// Seconds of real time, and of a processor.
fn timed(run: impl FnOnce()) -> (f64, Option<f64>) {
    let (watch, before) = (Instant::now(), cpu());
    run();
    (watch.elapsed().as_secs_f64(), before.and_then(|before| Some(cpu()? - before)))
}

/// Seconds that this thread has run. On a machine that others use as well this differs from real time.
fn cpu() -> Option<f64> {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = account.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 / 1e9)
}
