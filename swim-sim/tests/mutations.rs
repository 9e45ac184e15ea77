//! Planted bugs, and whether swarm runs find them, or stories where no run looks. Only in builds that have them:
//!
//! ```sh
//! RUSTFLAGS="--cfg swim_mutations" cargo test --release --target-dir target/mutations -p swim-sim --test mutations -- --nocapture
//! ```
#![cfg(swim_mutations)]

mod stories;

use swim_core::{Config, Mutation};
use swim_sim::swarm::{BatchArgs, Plan, batch_of};

/// Runs that may be needed to find one.
const SEEDS_MAX: u64 = 500;

#[test]
fn every_planted_bug_is_found() {
    // Two runs at a time, so that a panic in one is not told by all processors.
    let args = BatchArgs { from: 1, seeds: SEEDS_MAX, threads: 2, stop: true };
    // What is planted may also trip assertions of a debug build; the panic is the violation, and needs no trace.
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    println!("{:<28} {:>6}  by", "planted", "seed");
    for &bug in Mutation::ALL {
        let found = batch_of(args, |seed| {
            let mut plan = Plan::draw(seed);
            plan.config.mutation = Some(bug);
            plan
        });
        let name = format!("{bug:?}");
        match found.failures.first() {
            Some((seed, violation)) => {
                println!("{name:<28} {seed:>6}  {}", violation.to_string().chars().take(150).collect::<String>())
            }
            None if stories().any(|story| !goes_well(story, bug)) => println!("{name:<28} {:>6}  a story", "-"),
            None => {
                println!("{name:<28} {:>6}", "-");
                missed.push(name);
            }
        }
    }
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "not found in {SEEDS_MAX} runs: {missed:?}");
}

/// What takes longer than a run, or comes about in few.
fn stories() -> impl Iterator<Item = fn(Config)> {
    let all: [fn(Config); 3] = [
        stories::a_tombstone_goes_at_its_time,
        stories::what_was_deleted_stays_deleted,
        stories::nobody_else_writes_my_state,
    ];
    all.into_iter()
}

fn goes_well(story: fn(Config), bug: Mutation) -> bool {
    let mut config = Config::local("sim");
    config.mutation = Some(bug);
    std::panic::catch_unwind(|| story(config)).is_ok()
}

/// The switch alone changes nothing.
#[test]
fn without_a_planted_bug_nothing_is_found() {
    stories().for_each(|story| story(Config::local("sim")));
    let found = batch_of(BatchArgs { from: 1, seeds: 60, threads: 2, stop: true }, Plan::draw);
    assert!(found.failures.is_empty(), "{:?}", found.failures);
}
