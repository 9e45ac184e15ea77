//! Planted bugs, and whether swarm runs find them, or stories where no run looks. Only in builds that have them:
//!
//! ```sh
//! RUSTFLAGS="--cfg swim_mutations" cargo test --release --target-dir target/mutations -p swim-sim --test mutations -- --nocapture
//! ```
//!
//! The table in `docs/simulator.md` has to say what is found; with `SWIM_BLESS=1` in the environment it is written anew.
#![cfg(swim_mutations)]

mod stories;

use std::path::Path;
use stories::{forged, sealed};

use swim_core::{Config, Mutation};
use swim_sim::swarm::{BatchArgs, Plan, batch_of};

/// Runs that may be needed to find one.
const SEEDS_MAX: u64 = 500;

/// Fewer would not be all the kinds of mistakes that have been made.
const PLANTED_MIN: usize = 57;

/// What takes longer than a run, comes about in few, or takes a liar; with its name, and the bugs that are looked for in it
/// first. Those that are named nowhere are looked for in runs first.
struct Story(&'static str, fn(Config), &'static [Mutation]);

const STORIES: [Story; 15] = [
    Story("a tombstone goes at its time", stories::a_tombstone_goes_at_its_time, &[Mutation::TombstoneTimeBegins]),
    Story(
        "what was deleted stays deleted",
        stories::what_was_deleted_stays_deleted,
        &[Mutation::DroppedTombstonesUntold],
    ),
    Story("a pause convicts nobody", stories::a_pause_convicts_nobody, &[Mutation::PauseConvicts]),
    Story("nobody else writes my state", stories::nobody_else_writes_my_state, &[Mutation::PeersWriteMyState]),
    Story(
        "forged accusations change nothing",
        forged::forged_accusations_change_nothing,
        &[Mutation::ImplausibleAccusations, Mutation::RefutesAnyJump],
    ),
    Story("the dead stay dead in every order", forged::the_dead_stay_dead_in_every_order, &[Mutation::DeathUnrecorded]),
    Story("only members confirm", forged::only_members_confirm, &[Mutation::AnybodyConfirms]),
    Story("one of two rivals stays", forged::one_of_two_rivals_stays, &[Mutation::RivalsBothStay]),
    Story("who is not heard is not let in", forged::who_is_not_heard_is_not_let_in, &[Mutation::CookieUnread]),
    Story("nobody speaks of a later life", forged::nobody_speaks_of_a_later_life, &[Mutation::HearsayBelieved]),
    Story("a frame has one encoding", forged::a_frame_has_one_encoding, &[Mutation::OverlongVarintTaken]),
    Story("nothing is heard twice", sealed::nothing_is_heard_twice, &[Mutation::WindowForgets]),
    Story("the unproven are not heard", sealed::the_unproven_are_not_heard, &[Mutation::ProofUnawaited]),
    Story("what is old is not heard", sealed::what_is_old_is_not_heard, &[Mutation::FloorUnraised]),
    Story("a removed key opens nothing", sealed::a_removed_key_opens_nothing, &[Mutation::RemovedKeyOpens]),
];

#[test]
fn every_planted_bug_is_found() {
    assert!(Mutation::ALL.len() >= PLANTED_MIN, "{} are planted", Mutation::ALL.len());
    // What is planted may also trip assertions of a debug build; the panic is the violation, and needs no trace.
    std::panic::set_hook(Box::new(|_| ()));
    let (mut missed, mut rows) = (Vec::new(), String::new());
    for &bug in Mutation::ALL {
        let (name, incident) = (format!("{bug:?}"), bug.incident());
        let Some(Found { seed, rule, text }) = found(bug) else {
            missed.push(name);
            continue;
        };
        println!("{name:<26} {seed:>5}  {incident:<60} {rule} {}", text.chars().take(150).collect::<String>());
        rows.push_str(&format!("| `{name}` | {incident} | {seed} | {rule} |\n"));
    }
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "not found in {SEEDS_MAX} runs: {missed:?}");
    documented(&rows);
}

/// The rows of the table in the document are these.
fn documented(rows: &str) {
    const HEAD: &str = "| planted | in kind | first seed | found by |\n|---|---|---|---|\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/simulator.md");
    let text = std::fs::read_to_string(&path).expect("the document is there");
    let (before, rest) = text.split_once(HEAD).expect("it has the table");
    let (table, after) = rest.split_once("\n\n").expect("a blank line ends it");
    if std::env::var_os("SWIM_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(&path, format!("{before}{HEAD}{rows}\n{after}")).expect("it can be written");
    } else {
        assert!(table == rows.trim_end(), "the table in docs/simulator.md is not up to date: SWIM_BLESS=1 writes it");
    }
}

/// What finds a bug.
struct Found {
    /// The first seed, if it is a run.
    seed: String,
    /// The rule, or the story.
    rule: String,
    text: String,
}

/// The first seed that finds it, if one does, and which rule, or story, is broken.
fn found(bug: Mutation) -> Option<Found> {
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
            let (seed, text) = (seed.to_string(), violation.to_string());
            Some(Found { seed, rule: violation.checker.to_string(), text })
        }
        None => STORIES.iter().find_map(|story| goes_wrong(story, bug)),
    }
}

fn goes_wrong(&Story(name, play, _): &Story, bug: Mutation) -> Option<Found> {
    let mut config = Config::local("sim");
    config.mutation = Some(bug);
    let well = std::panic::catch_unwind(|| play(config)).is_ok();
    (!well).then(|| Found { seed: "–".into(), rule: format!("story: {name}"), text: String::new() })
}

/// The switch alone changes nothing: every story ends well, and no rule is broken.
#[test]
fn without_a_planted_bug_nothing_is_found() {
    STORIES.iter().for_each(|story| (story.1)(Config::local("sim")));
    let found = batch_of(BatchArgs { from: 1, seeds: 60, threads: 2, stop: true }, Plan::draw);
    assert!(found.failures.is_empty(), "{:?}", found.failures);
}
