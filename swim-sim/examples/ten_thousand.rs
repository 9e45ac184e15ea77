//! Ten thousand nodes that all know each other, in one process:
//!
//! `cargo run --release -p swim-sim --example ten_thousand -- [nodes] [seconds] [join]`
//!
//! They start acquainted, idle for so many simulated seconds (10), and then one of them crashes. With `join` they join
//! through the first node within ten seconds instead, as real ones would, which takes some ten times as long.

use std::time::{Duration, Instant};
use std::{env, fs};

use swim_core::Config;
use swim_sim::{NodeIx, World, secs};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(default, |arg| arg.parse().expect("a number"));
    let (nodes, idle) = (number(0, 10_000) as usize, secs(number(1, 10)));
    assert!(nodes >= 3, "a crash takes two who find out");

    let mut w = World::with_config(1, config(nodes));
    // Every node tells of every other: kept, that would be more than all the tables.
    w.log_events = false;
    let watch = Watch::start(&w);
    let all = if args.iter().any(|arg| arg == "join") { join(&mut w, nodes) } else { meet(&mut w, nodes) };
    w.run_until(secs(600), |w| w.all_see(nodes)).expect("all see all");
    watch.stop(&w, "all see all");

    let watch = Watch::start(&w);
    w.run_until(secs(600), World::is_at_rest).expect("there is nothing more to tell");
    watch.stop(&w, "nothing more to tell");

    let watch = Watch::start(&w);
    w.run(idle);
    assert!(w.all_see(nodes), "nobody is thought dead");
    watch.stop(&w, "idle");

    let watch = Watch::start(&w);
    w.kill(all[nodes / 2]);
    w.run_until(secs(600), |w| w.all_see(nodes - 1)).expect("all find out");
    watch.stop(&w, "a crash, until all know");
    println!("digest {:016x}", w.digest());
}

/// `Config::lan` with room for all rows from the start, and logs that are as short as they may be: each node has a
/// kilobyte of them less for every hundred thousand rows of the world. None of that changes what a node decides.
fn config(nodes: usize) -> Config {
    let mut config = Config::lan("sim");
    config.members_reserved = nodes;
    config.events_max = 64;
    config.evidence_max = 32;
    config
}

fn meet(w: &mut World, nodes: usize) -> Vec<NodeIx> {
    let all: Vec<NodeIx> = (0..nodes).map(|i| w.spawn(&format!("n{i}"))).collect();
    w.acquaint(&all);
    all
}

fn join(w: &mut World, nodes: usize) -> Vec<NodeIx> {
    let first = w.spawn("first");
    let mut all = w.mass_join("n", nodes - 1, &[first], secs(10));
    all.push(first);
    all
}

/// How much time passes here and there.
struct Watch {
    real: Instant,
    simulated: swim_core::Instant,
}

impl Watch {
    fn start(w: &World) -> Self {
        Self { real: Instant::now(), simulated: w.now() }
    }

    fn stop(&self, w: &World, what: &str) {
        let (real, simulated) = (self.real.elapsed(), w.now().since(self.simulated));
        let speed = simulated.as_secs_f64() / real.max(Duration::from_micros(1)).as_secs_f64();
        println!("{what:24} {simulated:>8.2?} simulated in {real:>8.2?}: {speed:>7.2} times real time; {}", peak());
    }
}

/// The most memory that this process has had, where the system tells.
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    peak.map_or_else(String::new, |line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}
