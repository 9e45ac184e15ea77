//! What the protocol promises, over batches of seeds: `SWIM_SEEDS=1000 cargo test --release -p swim-sim --test claims`.
//!
//! `cargo test` alone runs a small batch of each. Figures are printed with `-- --nocapture`.

mod util;

use swim_core::{Config, Event, Instant};
use swim_sim::{Bursts, Link, NodeIx, World, millis, percent, secs};
use util::*;

const N: usize = 50;

/// One crash among 50: (a) how soon somebody knows, (b) that all know and nobody else is harmed.
#[test]
fn one_crash_is_detected() {
    struct Run {
        first: f64,
        first_dead: f64,
        all_dead: f64,
    }
    let runs = over_seeds(60, |seed| {
        let (mut w, nodes) = cluster(seed, N, Config::lan("sim"));
        // At a moment of its own in some period.
        w.run(millis(5_000 + seed * 37 % 1_000));
        let victim = nodes[(seed as usize * 7) % N];
        let id = w.id(victim);
        let crash = w.now();
        w.kill(victim);
        let survivors: Vec<NodeIx> = nodes.iter().copied().filter(|&n| n != victim).collect();
        let dead_at =
            |w: &World, n: NodeIx| since(w, n, crash).find(|(_, e)| is_down(e) && e.member() == Some(id)).map(|e| e.0);
        let told = |w: &World| survivors.iter().all(|&n| dead_at(w, n).is_some());
        w.run_until(secs(300), told).expect("every survivor reports the death");
        // Long enough for anything else that might follow from it.
        w.run(secs(60));
        for &n in &survivors {
            let other = since(&w, n, crash).find(|(_, e)| (is_down(e) || is_suspect(e)) && e.member() != Some(id));
            assert_eq!(other, None, "{n:?} reports somebody else");
            let deaths = since(&w, n, crash).filter(|(_, e)| is_down(e)).count();
            assert_eq!(deaths, 1, "{n:?} reports the death once");
        }
        let after = |at: Instant| seconds(at.since(crash));
        let firsts = |hit: fn(&Event) -> bool| {
            survivors
                .iter()
                .filter_map(|&n| since(&w, n, crash).find(|(_, e)| hit(e)))
                .map(|(at, _)| after(*at))
                .fold(f64::MAX, f64::min)
        };
        let all_dead = survivors.iter().filter_map(|&n| dead_at(&w, n)).map(after).fold(0.0, f64::max);
        Run { first: firsts(is_suspect), first_dead: firsts(is_down), all_dead }
    });
    // A period is a second here. Counted in wall time, unsynchronised: 1.00 period from the crash to the first ping at
    // the dead (SWIM §4.1's geometric law for many nodes that probe out of phase), plus the probe's own: one period.
    let first = summary(runs.iter().map(|r| r.first));
    println!("N={N}, one crash, {} seeds, unsynchronised wall time in periods", runs.len());
    println!("  first suspicion: {first}; expected 1.00 + 1.00");
    println!("  first dead:      {}", summary(runs.iter().map(|r| r.first_dead)));
    println!("  all know dead:   {}", summary(runs.iter().map(|r| r.all_dead)));
    println!("  all know − first: {}", summary(runs.iter().map(|r| r.all_dead - r.first_dead)));
    let tolerance = 0.15_f64.max(4.0 * first.error);
    assert!((first.mean - 2.0).abs() <= tolerance, "first detection after {first}, not 2.00 ± {tolerance:.2} periods");
    assert!(first.max <= (2 * N - 1) as f64, "never later than 2N−1 periods");
}

/// How many such events all of these were told since then.
fn heard(w: &World, nodes: &[NodeIx], start: Instant, hit: fn(&Event) -> bool) -> usize {
    nodes.iter().map(|&n| since(w, n, start).filter(|(_, e)| hit(e)).count()).sum()
}

/// (c) At 1 % loss and without any fault, nobody is declared dead.
#[test]
fn no_false_death_at_one_percent_loss() {
    const MINUTES: u64 = 12;
    let runs = over_seeds(8, |seed| {
        let (mut w, nodes) = cluster(seed, N, Config::lan("sim"));
        w.link.loss = percent(1);
        let start = w.now();
        w.run(secs(60 * MINUTES));
        assert_eq!(heard(&w, &nodes, start, is_down), 0, "false deaths");
        assert!(w.all_see(N));
        let refuted = |e: &Event| matches!(e, Event::Refuted { .. });
        (heard(&w, &nodes, start, is_suspect), heard(&w, &nodes, start, refuted))
    });
    let hours = (runs.len() * N) as f64 * MINUTES as f64 / 60.0;
    let suspicions: usize = runs.iter().map(|r| r.0).sum();
    let refuted: usize = runs.iter().map(|r| r.1).sum();
    println!("{hours:.0} node-hours at 1 % loss: 0 false deaths; {suspicions} suspicions heard, {refuted} refutations");
}

/// At 10 % loss, one by one or ten in a row, nobody of 128 is declared dead; 480 seeds make a day.
#[test]
fn no_false_death_at_ten_percent_loss() {
    const MANY: usize = 128;
    const MINUTES: u64 = 3;
    // A tenth of all meet the bad state, which lasts for ten datagrams of a direction and loses all.
    let bursts = Bursts { enter: percent(10) / 9, leave: percent(10), loss: percent(100) };
    let runs = over_seeds(2, |seed| {
        let (mut w, nodes) = cluster(seed, MANY, Config::lan("sim"));
        match seed % 2 {
            0 => w.link.loss = percent(10),
            _ => w.link.bursts = Some(bursts),
        }
        let start = w.now();
        w.run(secs(60 * MINUTES));
        assert_eq!(heard(&w, &nodes, start, is_down), 0, "false deaths");
        heard(&w, &nodes, start, is_suspect)
    });
    let hours = (runs.len() * MANY) as f64 * MINUTES as f64 / 60.0;
    println!("{hours:.0} node-hours at 10 % loss: 0 false deaths; {} suspicions heard", runs.iter().sum::<usize>());
    assert!(runs.iter().any(|&suspicions| suspicions > 0), "there is nothing to be refuted");
}

/// (d) A cluster of 200 forms through one seed node, all joining within a second.
#[test]
fn two_hundred_join_through_one_seed() {
    const MANY: usize = 200;
    let runs = over_seeds(3, |seed| {
        let mut w = World::with_config(seed, Config::lan("sim"));
        let first = w.spawn("n0");
        for i in 1..MANY {
            let node = w.spawn(&format!("n{i}"));
            w.join(node, &[first]);
            w.run(millis(5));
        }
        let took = w.run_until(secs(300), |w| w.all_see(MANY)).expect("all see all");
        w.run(secs(5));
        assert!(w.all_see(MANY) && w.all_agree(), "and it stays so");
        let mean = w.sent_total().wire_bytes() as f64 / MANY as f64;
        (seconds(took), mean / 1_000.0, w.sent(first).wire_bytes() as f64 / 1_000.0)
    });
    println!("1→{MANY} through one seed node within a second, {} seeds", runs.len());
    println!("  s from the last start until all see all: {}", summary(runs.iter().map(|r| r.0)));
    println!("  kB sent per node, IP and UDP headers in: {}", summary(runs.iter().map(|r| r.1)));
    println!("  kB sent by the seed node:                {}", summary(runs.iter().map(|r| r.2)));
}

/// The same seed gives the same bytes, under every fault that the network knows.
#[test]
fn same_seed_same_bytes() {
    let run = |seed| {
        let (mut w, nodes) = cluster(seed, 20, Config::lan("sim"));
        w.link = Link { loss: percent(10), duplicate: percent(5), reorder: percent(20), ..w.link };
        w.run(secs(20));
        w.kill(nodes[3]);
        w.pause(nodes[4]);
        w.cut(&nodes[5..8], &nodes[8..], swim_sim::Way::To);
        w.run(secs(40));
        w.resume(nodes[4]);
        w.heal();
        w.restart(nodes[3]);
        w.join(nodes[3], &nodes[..1]);
        w.leave(nodes[9]);
        w.run(secs(40));
        w.digest()
    };
    let digests = over_seeds(4, |seed| {
        let digest = run(seed);
        assert_eq!(digest, run(seed));
        digest
    });
    let mut distinct = digests.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), digests.len(), "different seeds, different bytes");
}
