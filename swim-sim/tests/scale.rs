//! What holds in large clusters: `cargo test --release -p swim-sim --test scale -- --nocapture`.
//!
//! Unoptimised, the clusters are a tenth as large.

mod util;

use std::collections::BTreeSet;

use swim_core::Config;
use swim_sim::{NodeIx, World, millis, percent, secs};
use util::*;

const TENTH: usize = if cfg!(debug_assertions) { 10 } else { 1 };

/// Updates at a loss at which what everybody tells by itself would leave some member without them: one in seven updates at
/// 25 %, and nearly every one at 50 %. Syncs bring them.
#[test]
fn loss_leaves_nobody_behind() {
    const AT_ONCE: usize = 20;
    let n = 1_000 / TENTH;
    let budget = Config::lan("sim").retransmit_limit(n);
    assert!(budget <= 12, "each node tells an update {budget} times");
    for (loss, within, most_late) in [(25, 5, 0.01), (50, 5, 0.02)] {
        let runs = over_seeds(2..=4, |seed| {
            let (mut w, nodes) = cluster(seed, n, Config::lan("sim"));
            w.link.loss = percent(loss);
            // So long that all that the loss itself leads to has begun.
            w.run(secs(30));
            let mut took = Vec::new();
            for round in 0..4 {
                let meta = format!("update {round}");
                let subjects: Vec<NodeIx> =
                    (0..AT_ONCE).map(|i| nodes[(seed as usize + round * 131 + i * 37) % n]).collect();
                subjects.iter().for_each(|&s| w.set_meta(s, meta.as_bytes()));
                let mut missing: Vec<(usize, usize)> = (0..AT_ONCE).map(|i| (i, 0)).collect();
                let made = w.now();
                while !missing.is_empty() {
                    w.run(millis(100));
                    let age = w.now().since(made);
                    assert!(age < secs(60), "all know at last");
                    missing.retain_mut(|(i, at)| {
                        let id = w.id(subjects[*i]);
                        // Whoever knows it goes on knowing it.
                        let knows =
                            |o: NodeIx| w.node(o).member(id).is_some_and(|m| m.profile().meta() == meta.as_bytes());
                        *at += nodes[*at..].iter().take_while(|&&o| knows(o)).count();
                        if *at == n {
                            took.push(seconds(age));
                        }
                        *at < n
                    });
                }
            }
            took
        });
        let took: Vec<f64> = runs.into_iter().flatten().collect();
        let late = took.iter().filter(|t| **t > f64::from(within)).count() as f64 / took.len() as f64;
        println!("N={n}, {loss} % loss, {} updates, told {budget} times by each", took.len());
        println!("  s until all know: {}", summary(took.iter().copied()));
        println!("  somebody does not know it after {within} s: {:.2} %", 100.0 * late);
        assert!(late < most_late, "{late} at {loss} % loss");
    }
}

/// Everybody joins through one node at the same moment.
#[test]
fn all_start_at_once_through_one_seed() {
    let n = 2_000 / TENTH;
    let mut w = World::with_config(1, Config::lan("sim"));
    let first = w.spawn("n0");
    let nodes: Vec<NodeIx> = (1..n).map(|i| w.spawn(&format!("n{i}"))).collect();
    nodes.iter().for_each(|&p| w.join(p, &[first]));
    let start = w.now();
    let mut sizes = BTreeSet::new();
    while !w.all_see(n) {
        w.run(secs(1));
        sizes.extend(w.nodes().map(|p| w.node(p).live_count()));
        assert!(w.now().since(start) < secs(120), "all see all");
    }
    println!("1→{n} at once through one seed node: all see all within {} s", seconds(w.now().since(start)));
    let per_node = w.sent_total().wire_bytes() as f64 / n as f64 / 1_000.0;
    println!("  distinct sizes seen, looking once a second: {}", sizes.len());
    println!(
        "  kB sent per node, IP and UDP headers in: {per_node:.1}; by the seed: {:.0}",
        w.sent(first).wire_bytes() as f64 / 1_000.0
    );
    println!(
        "  (2000 with memberlist's defaults: up to 95 s, 1858 sizes; Rapid: 41 to 47 s, 4 sizes; Suresh et al. 2018)"
    );
    w.run_until(secs(300), World::is_at_rest).expect("there is nothing more to tell");
    assert!(w.all_see(n), "and it stays so");
    let per_node = w.sent_total().wire_bytes() as f64 / n as f64 / 1_000.0;
    println!("  nothing more to tell after {} s and {per_node:.1} kB per node", seconds(w.now().since(start)));
    one_more_joins(&mut w, first, n);
}

/// The last one, into a cluster that is at rest.
fn one_more_joins(w: &mut World, seed: NodeIx, n: usize) {
    let before = w.sent_total().wire_bytes();
    let joiner = w.spawn("the last");
    w.join(joiner, &[seed]);
    let start = w.now();
    w.run_until(secs(30), |w| w.node(joiner).live_count() == n + 1).expect("it sees all");
    let own = w.now().since(start);
    w.run_until(secs(30), |w| w.all_see(n + 1)).expect("all see it");
    println!(
        "one more, the {}th: it sees all after {} s, all see it after {} s",
        n + 1,
        seconds(own),
        seconds(w.now().since(start))
    );
    w.run(secs(5));
    let others = w.sent_total().wire_bytes() - before - w.sent(joiner).wire_bytes();
    println!(
        "  kB sent by it: {:.1}; by all others: {:.0}",
        w.sent(joiner).wire_bytes() as f64 / 1_000.0,
        others as f64 / 1_000.0
    );
}

/// A node that restarts before anybody has missed it, where it was or at another address, is soon known in its new epoch by
/// all: whoever hears of that from others asks it.
#[test]
fn a_restart_is_soon_known_to_all() {
    let n = 1_000 / TENTH;
    for (moves, loss, within) in [(false, 0, 2), (false, 25, 6), (true, 0, 6), (true, 25, 8)] {
        let runs = over_seeds(1..=4, |seed| {
            let mut w = World::new(seed);
            w.log_events = false;
            let nodes: Vec<NodeIx> = (0..n).map(|i| w.spawn(&format!("n{i}"))).collect();
            w.acquaint(&nodes);
            w.run_until(secs(60), World::is_at_rest).expect("there is nothing more to tell");
            w.link.loss = percent(loss);
            w.run(secs(3));
            let node = nodes[seed as usize];
            let id = w.id(node);
            let next = if moves {
                w.relocate(node)
            } else {
                w.restart(node);
                node
            };
            let (began, sent) = (w.now(), w.sent(next).datagrams);
            w.join(next, &[nodes[n / 2], nodes[n / 3]]);
            let lives = w.node(next).me().incarnation();
            let knows = |w: &World, o: NodeIx| w.node(o).member(id).is_some_and(|m| m.incarnation() >= lives);
            while !w.nodes().filter(|&o| w.is_running(o)).all(|o| knows(&w, o)) {
                w.run(millis(50));
                assert!(w.now().since(began) < secs(60), "all know at last");
            }
            (seconds(w.now().since(began)), w.sent(next).datagrams - sent)
        });
        println!(
            "N={n}, {loss} % loss, restarted {}: s until all know: {}",
            if moves { "elsewhere" } else { "where it was" },
            summary(runs.iter().map(|run| run.0))
        );
        println!("  datagrams that it sent meanwhile: {}", summary(runs.iter().map(|run| run.1 as f64)));
        let worst = runs.iter().map(|run| run.0).fold(0.0, f64::max);
        assert!(worst < f64::from(within), "{worst} s");
    }
}
