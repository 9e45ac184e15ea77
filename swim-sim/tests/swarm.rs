//! Swarm runs: a batch, what they come across, that they repeat, and that a failure is made smaller.

use std::time::Duration;

use swim_core::Instant;
use swim_sim::swarm::{Batch, BatchArgs, COVERING, Checker, Life, Plan, Violation, What, batch, run, shrink};

fn seeds(few: u64) -> u64 {
    std::env::var("SWIM_SEEDS").map_or(few, |n| n.parse().expect("SWIM_SEEDS is a number"))
}

fn some(from: u64, seeds: u64, threads: usize) -> Batch {
    batch(BatchArgs { from, seeds, threads, stop: false })
}

/// Those that the environment asks for; enough of them must come across everything.
#[test]
fn no_run_breaks_a_rule() {
    let seeds = seeds(40);
    let batch = some(1, seeds, std::thread::available_parallelism().map_or(1, |n| n.get()));
    let (runs, digest) = (batch.runs, batch.digest);
    println!("{runs} runs, {:.0} node-seconds, digest {digest:016x}", batch.node_seconds);
    for (seed, violation) in &batch.failures {
        println!("seed {seed}: {violation}\nrun it again: {}", Plan::draw(*seed).command());
    }
    assert!(batch.failures.is_empty(), "{} of {runs} runs broke a rule", batch.failures.len());
    assert_eq!(runs, seeds);
    if runs >= COVERING {
        assert_eq!(batch.coverage.missing(), [""; 0], "no run came across these");
    }
    let (part, ..) = batch.slowest.expect("every run has a calm");
    assert!(part < 1.0, "{part} of the bound");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 7, u64::MAX] {
        let (once, again) = (run(&Plan::draw(seed)), run(&Plan::draw(seed)));
        assert_eq!((once.digest, once.coverage), (again.digest, again.coverage), "seed {seed}");
        assert_ne!(once.digest, run(&Plan::draw(seed.wrapping_add(1))).digest);
    }
}

#[test]
fn a_batch_does_not_depend_on_threads() {
    let (one, two, more) = (some(100, 12, 1), some(100, 12, 2), some(100, 12, 5));
    assert_eq!((one.digest, &one.coverage, one.slowest), (two.digest, &two.coverage, two.slowest));
    assert_eq!((one.digest, &one.coverage, one.slowest), (more.digest, &more.coverage, more.slowest));
    assert_ne!(one.digest, some(101, 12, 2).digest);
}

/// A rule that is broken whenever a process restarts while a certain node is there.
fn broken_by_a_restart(plan: &Plan) -> Option<Violation> {
    let restarts = |what: &What| matches!(what, What::Kill { nodes, back: Some(Life::Next) } if nodes.contains(&2));
    let broken = plan.faults.iter().any(|planned| restarts(&planned.fault.what));
    broken.then(|| Violation { checker: Checker::Ghost, node: None, at: Instant::ORIGIN, text: "as planned".into() })
}

#[test]
fn a_failure_is_made_smaller() {
    let fails = |plan: &Plan| broken_by_a_restart(plan).is_some() && plan.faults.len() > 6 && plan.nodes.len() > 6;
    let plan = (1..).map(Plan::draw).find(fails).expect("many plans restart somebody");
    let violation = broken_by_a_restart(&plan).expect("it was chosen so");
    let (chaos, number) = (plan.chaos, |plan: &Plan| plan.faults.iter().map(|f| f.number).collect::<Vec<_>>());
    let all = number(&plan);
    let (small, violation) = shrink(plan.clone(), violation, 400, broken_by_a_restart);
    assert_eq!((small.faults.len(), violation.checker), (1, Checker::Ghost), "{small}");
    assert_eq!(small.nodes.iter().map(|node| node.number).collect::<Vec<_>>(), [0, 1, 2], "{small}");
    assert!(all.contains(&small.faults[0].number) && small.chaos < chaos);
    let command = small.command();
    assert!(command.starts_with(&format!("swim sim swarm --seed {} --faults ", plan.seed)), "{command}");
    assert!(command.contains(" --nodes 0,1,2 --chaos-ms "), "{command}");

    // What the command says is the plan that was found, to the microsecond.
    let said = |option: &str| {
        let mut words = command.split_whitespace().skip_while(|word| *word != option);
        words.nth(1).expect("it was looked for above").split(',').map(|n| n.parse().expect("a number")).collect()
    };
    let (faults, nodes, chaos): (Vec<usize>, Vec<usize>, Vec<usize>) =
        (said("--faults"), said("--nodes"), said("--chaos-ms"));
    let chaos = Duration::from_millis(chaos[0] as u64);
    let again = Plan::draw(plan.seed).with_faults(&faults).with_nodes(&nodes).with_chaos(chaos);
    assert_eq!((again.chaos, &again.faults, &again.nodes), (small.chaos, &small.faults, &small.nodes));
    assert_eq!(again.to_string(), small.to_string());
    assert_eq!(run(&again).digest, run(&small).digest);

    // With no tries left it stays as it is.
    let (same, _) = shrink(plan.clone(), violation, 0, broken_by_a_restart);
    assert_eq!(same.to_string(), plan.to_string());
}

/// What everything else relies on: a plan that promises nothing cannot break a promise.
#[test]
fn plans_keep_to_what_they_may_do() {
    let (mut quiet, mut kinds) = (0, std::collections::BTreeSet::new());
    for seed in 0..2_000 {
        let plan = Plan::draw(seed);
        assert_eq!(plan.config.validate(), Ok(()), "seed {seed}");
        quiet += u64::from(plan.is_quiet());
        for node in &plan.nodes {
            let asks_an_anchor = node.seeds.iter().any(|&seed| seed < 2 && seed != node.number);
            assert!(asks_an_anchor && node.seeds.len() <= plan.config.seeds_max, "seed {seed}: {node:?}");
            assert!(!node.seeds.contains(&node.number) && node.start <= plan.chaos);
        }
        for planned in &plan.faults {
            let (what, from, until) = (&planned.fault.what, planned.fault.from, planned.fault.until);
            kinds.insert(what.kind());
            assert!(from <= until && until <= plan.chaos, "seed {seed}: {}", planned.fault);
            let gone: &[usize] = match what {
                What::Kill { nodes, back: None } => nodes,
                What::Relocate { node } | What::Leave { node, back: false } | What::Conflict { node, .. } => {
                    std::slice::from_ref(node)
                }
                _ => &[],
            };
            assert!(gone.iter().all(|&node| node >= 2), "seed {seed}: an anchor would be gone: {}", planned.fault);
        }
    }
    assert!((60..300).contains(&quiet), "{quiet} of 2000 plans are quiet");
    assert_eq!(kinds.len(), 25, "{kinds:?}");
}
