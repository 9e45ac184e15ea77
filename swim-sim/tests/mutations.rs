//! Planted bugs, and whether swarm runs find them, or stories where no run looks. Only in builds that have them:
//!
//! ```sh
//! RUSTFLAGS="--cfg swim_mutations" cargo test --release --target-dir target/mutations -p swim-sim --test mutations -- --nocapture
//! ```
#![cfg(swim_mutations)]

mod stories;

use stories::forged;
use swim_core::{Config, Mutation};
use swim_sim::swarm::{BatchArgs, Plan, batch_of};

/// Runs that may be needed to find one.
const SEEDS_MAX: u64 = 500;

/// Fewer would not be all the kinds of mistakes that have been made.
const PLANTED_MIN: usize = 50;

/// What takes longer than a run, comes about in few, or takes a liar; with its name, and the bugs that are looked for in it
/// first. Those that are named nowhere are looked for in runs first.
struct Story(&'static str, fn(Config), &'static [Mutation]);

const STORIES: [Story; 7] = [
    Story("a tombstone goes at its time", stories::a_tombstone_goes_at_its_time, &[Mutation::TombstoneTimeBegins]),
    Story(
        "what was deleted stays deleted",
        stories::what_was_deleted_stays_deleted,
        &[Mutation::DroppedTombstonesUntold],
    ),
    Story("nobody else writes my state", stories::nobody_else_writes_my_state, &[Mutation::PeersWriteMyState]),
    Story(
        "forged accusations change nothing",
        forged::forged_accusations_change_nothing,
        &[Mutation::ImplausibleAccusations, Mutation::RefutesAnyJump],
    ),
    Story("the dead stay dead in every order", forged::the_dead_stay_dead_in_every_order, &[Mutation::DeathUnrecorded]),
    Story("only members confirm", forged::only_members_confirm, &[Mutation::AnybodyConfirms]),
    Story("one of two rivals stays", forged::one_of_two_rivals_stays, &[Mutation::RivalsBothStay]),
];

#[test]
fn every_planted_bug_is_found() {
    assert!(Mutation::ALL.len() >= PLANTED_MIN, "{} are planted", Mutation::ALL.len());
    // What is planted may also trip assertions of a debug build; the panic is the violation, and needs no trace.
    std::panic::set_hook(Box::new(|_| ()));
    println!("{:<26} {:>5}  {:<60} by", "planted", "seed", "in kind");
    let mut missed = Vec::new();
    for &bug in Mutation::ALL {
        let (name, incident) = (format!("{bug:?}"), bug.incident());
        let (seed, by) = found(bug).unwrap_or_else(|| {
            missed.push(name.clone());
            ("-".into(), "nothing".into())
        });
        println!("{name:<26} {seed:>5}  {incident:<60} {}", by.chars().take(150).collect::<String>());
    }
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "not found in {SEEDS_MAX} runs: {missed:?}");
}

/// The first seed that finds it, if one does, and which rule, or story, is broken.
fn found(bug: Mutation) -> Option<(String, String)> {
    let mut named = STORIES.iter().filter(|story| story.2.contains(&bug)).peekable();
    if named.peek().is_some() {
        return named.find_map(|story| goes_wrong(story, bug));
    }
    // Two runs at a time, so that a panic in one is not told by all processors.
    let args = BatchArgs { from: 1, seeds: SEEDS_MAX, threads: 2, stop: true };
    let batch = batch_of(args, |seed| {
        let mut plan = Plan::draw(seed);
        plan.config.mutation = Some(bug);
        plan
    });
    match batch.failures.first() {
        Some((seed, violation)) => {
            let same = BatchArgs { from: *seed, seeds: 1, threads: 1, stop: true };
            let without = batch_of(same, Plan::draw).failures;
            assert!(without.is_empty(), "{bug:?} is not what was found: {without:?}");
            Some((seed.to_string(), violation.to_string()))
        }
        None => STORIES.iter().find_map(|story| goes_wrong(story, bug)),
    }
}

fn goes_wrong(&Story(name, play, _): &Story, bug: Mutation) -> Option<(String, String)> {
    let mut config = Config::local("sim");
    config.mutation = Some(bug);
    let well = std::panic::catch_unwind(|| play(config)).is_ok();
    (!well).then(|| ("-".into(), format!("a story: {name}")))
}

/// The switch alone changes nothing: every story ends well, and no rule is broken.
#[test]
fn without_a_planted_bug_nothing_is_found() {
    STORIES.iter().for_each(|story| (story.1)(Config::local("sim")));
    let found = batch_of(BatchArgs { from: 1, seeds: 60, threads: 2, stop: true }, Plan::draw);
    assert!(found.failures.is_empty(), "{:?}", found.failures);
}
