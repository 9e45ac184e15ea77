//! Planted bugs, and whether what the fuzz targets look at shows them: the seeds, and as many inputs that are made of them.
//! Only in builds that have them:
//!
//! ```sh
//! RUSTFLAGS="--cfg swim_mutations" cargo test --release --target-dir target/mutations -p swim-fuzzing --test mutations -- --nocapture
//! ```
#![cfg(swim_mutations)]

use std::fs;
use std::panic::{catch_unwind, set_hook, take_hook};

use swim_core::Mutation;
use swim_fuzzing::Target;
use swim_fuzzing::draw::Draw;
use swim_fuzzing::planted::plant;

/// The targets that make nodes, and how many inputs of each are played at most.
const PLAYED: [(&str, usize); 3] = [("node", 1_500), ("lockstep", 150), ("merges", 150)];

/// Bugs that have to be found so, and by which rule. The rest is found by the swarm, or by stories (`swim-sim`): one node, or
/// three for a few minutes, is not where they show.
const FOUND: &[(Mutation, &str)] = &[
    (Mutation::LastWriterWins, "I2"),
    (Mutation::HeadClearsSuspicion, "I2"),
    (Mutation::DeathUnrecorded, "I4"),
    (Mutation::DeltaOverGap, "I4"),
    (Mutation::RefutesTooLow, "I6"),
    (Mutation::RefutationSkipped, "I6"),
    (Mutation::DetailTiedToStatus, "I6"),
    (Mutation::NobodyKnocks, "I6"),
    (Mutation::RefutesAnyJump, "I7"),
    (Mutation::ImplausibleAccusations, "I7"),
    (Mutation::DeathWithoutEvent, "I11"),
    (Mutation::AmplifiesStrangers, "I14"),
    (Mutation::PingsAnsweredTwice, "I14"),
    (Mutation::DropUncounted, "I24"),
    (Mutation::ViewHashMissesRefutation, "the view hash"),
    (Mutation::PeersWriteMyState, "my own state"),
];

/// The seeds of a target, then mutations of them, then drawn bytes: the same ones in every run.
fn inputs(target: &'static Target, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let folder = format!("{}/../fuzz/seeds/{}", env!("CARGO_MANIFEST_DIR"), target.seeds);
    let mut files: Vec<_> = fs::read_dir(folder).expect("it is there").map(|file| file.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.into_iter().map(|file| fs::read(file).expect("it can be read")).collect();
    let mut draw = Draw::new(0xb06);
    (0..count).map(move |round| match seeds.get(round) {
        Some(seed) => seed.clone(),
        None if round % 2 == 0 => {
            let mut bytes = seeds[round % seeds.len()].clone();
            draw.mutate(&mut bytes);
            bytes
        }
        None => {
            let len = 200 + draw.below(1_800);
            draw.bytes(len)
        }
    })
}

/// The first input that shows it, and what does not hold then.
fn found(bug: Option<Mutation>, inputs: &[(&'static Target, Vec<Vec<u8>>)]) -> Option<(String, String)> {
    plant(bug);
    let all =
        inputs.iter().flat_map(|(target, all)| all.iter().enumerate().map(move |(at, bytes)| (target, at, bytes)));
    let first = all.filter_map(|(target, at, bytes)| {
        let play = target.play.expect("it makes nodes");
        let why = catch_unwind(|| play(bytes)).err()?;
        let why = why
            .downcast::<String>()
            .map_or_else(|why| why.downcast_ref::<&str>().map_or("?".into(), |s| (*s).into()), |s| *s);
        Some((format!("{} {at}", target.name), why))
    });
    let first = first.into_iter().next();
    plant(None);
    first
}

fn all_inputs() -> Vec<(&'static Target, Vec<Vec<u8>>)> {
    let of = |(name, count)| {
        let target = Target::named(name).expect("it is a target");
        (target, inputs(target, count).collect())
    };
    PLAYED.into_iter().map(of).collect()
}

#[test]
fn planted_bugs_are_found() {
    let inputs = all_inputs();
    // What is found is told once, here.
    set_hook(Box::new(|_| ()));
    println!("{:<26} {:<16} what does not hold", "planted", "target, input");
    let mut missed = Vec::new();
    for &bug in Mutation::ALL {
        let expected = FOUND.iter().find(|(other, _)| *other == bug).map(|(_, rule)| *rule);
        let (input, why) = found(Some(bug), &inputs).unwrap_or(("-".into(), String::new()));
        println!(
            "{:<26} {input:<16} {}",
            format!("{bug:?}"),
            why.chars().take(110).collect::<String>().replace('\n', " ")
        );
        missed.extend(expected.filter(|rule| !why.contains(rule)).map(|rule| (bug, rule, why)));
    }
    drop(take_hook());
    assert!(missed.is_empty(), "not found, or by another rule: {missed:?}");
}

/// The switch alone changes nothing.
#[test]
fn without_a_planted_bug_nothing_is_found() {
    assert_eq!(found(None, &all_inputs()), None);
}
