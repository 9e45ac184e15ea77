//! Most of a cluster is killed at once and comes back with epochs from before its last life: disks were put back, or clocks are
//! wrong.

use std::time::Duration;

use swim_core::Config;
use swim_sim::{NodeIx, World, millis, secs};

const ALL: usize = 110;
const RESTARTED: usize = 100;

/// Periods until all see all in the lives that they live now.
fn back_after(seed: u64, dead_for: Duration, epoch: u32) -> f64 {
    let mut w = World::with_config(seed, Config::lan("sim"));
    w.log_events = false;
    let nodes: Vec<NodeIx> = (0..ALL)
        .map(|i| {
            let node = w.spawn_with(&format!("n{i}"), |setup| setup.epoch = Some(1_000));
            if i > 0 {
                w.join(node, &[NodeIx::FIRST]);
            }
            w.run(millis(20));
            node
        })
        .collect();
    w.run_until(secs(120), |w| w.all_see(ALL) && w.is_at_rest()).expect("the cluster forms");
    let (stay, killed) = nodes.split_at(ALL - RESTARTED);
    w.mass_kill(killed);
    w.run(dead_for);
    for &node in killed {
        w.restart_with(node, |setup| setup.epoch = Some(epoch));
        w.join(node, &stay[..3]);
        w.run(millis(5));
    }
    let whole = |w: &World| w.all_see(ALL) && w.all_agree();
    let took = w.run_until(secs(300), whole).unwrap_or_else(|| panic!("seed {seed}: they do not come back"));
    for &node in &nodes {
        let all = w.node(node).members().all(|member| {
            let of = |at: &NodeIx| w.id(*at) == member.id();
            let subject = nodes.iter().find(|at| of(at)).expect("nobody else was ever there");
            member.incarnation().epoch() == w.node(*subject).me().incarnation().epoch()
        });
        assert!(all && w.node(node).members().len() == ALL, "{node:?} holds a life that is over");
    }
    assert!(killed.iter().all(|&node| w.node(node).me().incarnation().epoch() > 1_000), "each went past its last life");
    took.as_secs_f64() / Config::lan("sim").probe_interval.as_secs_f64()
}

/// Before they are missed, and after all have been declared dead: at epoch 1 where they had 1000, and at the one before.
#[test]
fn a_hundred_that_come_back_with_older_epochs_are_alive_for_all() {
    let seeds = if cfg!(debug_assertions) { 1 } else { 5 };
    for (dead_for, epoch) in [(secs(2), 1), (secs(90), 999)] {
        for seed in 1..=seeds {
            let periods = back_after(seed, dead_for, epoch);
            println!(
                "{RESTARTED} of {ALL} back after {dead_for:?} in epoch {epoch}, seed {seed}: {periods:.1} periods"
            );
            assert!(periods <= 10.0, "{periods:.1} periods until all see all");
        }
    }
}
